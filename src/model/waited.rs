//! Which slow requests waited for which cold start, as far as intervals of load can tell.
//!
//! We keep latencies by interval and not by request, so a count has two bounds. A request that was
//! answered in an interval that ends at `e` and took `l` was due at `e − l` or before; one that was
//! due before the wait ended at `w`, while no pod was there, waited for the pod. So surely those with
//! `e − w ≤ l`, and possibly those with `b − w < l`, where `b` is the interval's beginning. Where
//! other pods were ready as well, nobody knows what a request waited for: then only the upper bound
//! is told, of those that were slow.

use std::time::Duration;

use crate::event::cluster::Kind;
use crate::series::HeatColumn;
use crate::units::At;

use super::Model;
use super::cluster::PodLife;
use super::startup;
use super::startup::Startup;
use super::startup::Step;

/// Nobody waits longer for an answer.
const LONGEST: Duration = Duration::from_secs(300);
/// A request is slow if it takes this many times as long as half of all.
const SLOW: u32 = 2;

/// Requests that waited for a cold start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waited {
    /// So many surely did.
    pub at_least: u64,
    /// No more than so many did.
    pub at_most: u64,
}

/// Requests that waited for a pod; `None` where the load is not ours or its start is not known.
pub fn waited(model: &Model, life: &PodLife) -> Option<Waited> {
    let revision = life.revision()?;
    let is_ours = model.loaded_revision().as_ref() == Some(&revision);
    let startup = Startup::of(model, life);
    let ready = startup.at(Step::Ready)?.at;
    let from_zero = startup.from_zero?;
    // The activator may use a pod before Kubernetes calls it ready.
    let answers =
        model.traffic.heat.iter().find(|it| life.first_seen <= it.began && !it.felt().is_empty());
    let until = match answers.filter(|_| from_zero) {
        Some(first) => first.began.min(ready),
        None => ready,
    };
    let half = model.traffic.total.latencies.felt().filter(|felt| !felt.is_empty());
    let slow = half.map_or(Duration::ZERO, |felt| felt.quantile(0.5) * SLOW);
    is_ours.then(|| count(model, until, from_zero, slow))
}

/// Requests that waited for any cold start of the revision that our load goes to; `None` where it
/// goes to none alone, or one of the starts is not known. Two pods that became ready together would
/// count the same requests twice: of what overlaps only the largest counts.
pub fn all(model: &Model) -> Option<Waited> {
    let revision = model.loaded_revision().filter(|_| model.cluster.is_listed(Kind::Pod))?;
    let mut sum = Waited::default();
    let mut waits = startup::started(model, std::slice::from_ref(&revision))
        .map(|life| Some((life.ready_seen?, waited(model, life)?)))
        .collect::<Option<Vec<(At, Waited)>>>()?;
    waits.sort_by_key(|(ready, _)| *ready);
    let mut group: Option<(At, Waited)> = None;
    for (ready, waited) in waits {
        let together = group.as_ref().is_some_and(|(since, _)| ready.since(*since) < TOGETHER);
        match &mut group {
            Some((_, largest)) if together => {
                largest.at_least = largest.at_least.max(waited.at_least);
                largest.at_most = largest.at_most.max(waited.at_most);
            }
            _ => {
                add(&mut sum, group.take());
                group = Some((ready, waited));
            }
        }
    }
    add(&mut sum, group);
    Some(sum)
}

/// Pods that become ready within this time serve the same waiting requests.
const TOGETHER: Duration = Duration::from_secs(10);

const fn add(sum: &mut Waited, group: Option<(At, Waited)>) {
    if let Some((_, waited)) = group {
        sum.at_least += waited.at_least;
        sum.at_most += waited.at_most;
    }
}

fn count(model: &Model, until: At, from_zero: bool, slow: Duration) -> Waited {
    let mut waited = Waited::default();
    let after = model.traffic.heat.iter().skip_while(|heat| heat.ended <= until);
    for heat in after.take_while(|heat| heat.began.since(until) < LONGEST) {
        let surely = heat.ended.since(until);
        let possibly = heat.began.since(until).max(if from_zero { Duration::ZERO } else { slow });
        for (row, n) in heat.felt().rows() {
            if from_zero && surely <= HeatColumn::floor(row) {
                waited.at_least += u64::from(n);
            }
            if possibly < HeatColumn::floor(row + 1) {
                waited.at_most += u64::from(n);
            }
        }
    }
    waited
}
