//! What a record holds for playing it again under another configuration: the load, how its pods
//! came, the configuration as it was, and the lines as they were.

use std::time::Duration;

use thiserror::Error;

use crate::event::cluster::Name;
use crate::kpa::config::Metric;
use crate::kpa::whatif;
use crate::kpa::whatif::Basis;
use crate::kpa::whatif::Load;
use crate::kpa::whatif::Pods;
use crate::kpa::whatif::Totals;
use crate::series::Series;
use crate::units::At;

use super::Model;
use super::demand::Demand;
use super::demand::Witness;
use super::hpa::Class;
use super::scaling::RevisionScaling;
use super::startup;
use super::startup::Startup;
use super::startup::Step;

/// What a start is taken to last where none was seen.
pub const ASSUMED_START: Duration = Duration::from_secs(2);
/// What a pod is taken to need to go where none was seen.
pub const ASSUMED_STOP: Duration = Duration::from_secs(2);

/// What a record holds for a what-if.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The revision.
    pub revision: Name,
    /// Its service's name, where that is known.
    pub service: Option<String>,
    /// Who says what the load asked for.
    pub witness: Witness,
    /// What is measured.
    pub metric: Metric,
    /// The load.
    pub load: Load,
    /// How pods behave.
    pub pods: Pods,
    /// Starts that were seen; 0: they are assumed.
    pub n_starts: usize,
    /// The configuration as it was.
    pub basis: Basis,
    /// The lines as they were, a value a second.
    pub lines: Vec<Line>,
    /// What it came to, as it was.
    pub totals: Totals,
    /// Whether its service's route names revisions, so that a new one of a changed template gets no
    /// request. What is not known counts as not so.
    pub is_pinned: bool,
}

/// A second as it was. `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// When.
    pub at: At,
    /// What the load asked for.
    pub demand: Option<f64>,
    /// Pods desired.
    pub desired: Option<f64>,
    /// Pods ready.
    pub ready: Option<f64>,
    /// Whether it panicked.
    pub panics: bool,
}

/// Why a record cannot be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Missing {
    /// No revision.
    #[error("the record knows of no revision")]
    Revision,
    /// Another autoscaler decides.
    #[error(
        "the revision is of class {0}: Knative's own autoscaler does not scale it, so there is \
         nothing to play"
    )]
    Class(&'static str),
    /// Nobody said what the load asked for.
    #[error(
        "the record does not say what the load asked for: neither was it ours, nor could \
         queue-proxies or the autoscaler's metrics be read"
    )]
    Demand,
    /// The configuration was not seen.
    #[error(
        "the record does not say how the revision was configured: its PodAutoscaler or \
         config-autoscaler was not seen"
    )]
    Config,
}

impl Recording {
    /// What the model knows of a revision, from the first to the last moment of its load.
    pub fn of(model: &Model, revision: &Name) -> Result<Self, Missing> {
        let scaling = model.scaling.get(revision).ok_or(Missing::Revision)?;
        let class = model.cluster.class_of(revision);
        if let Some(other) = class.filter(|class| *class != Class::Kpa) {
            return Err(Missing::Class(other.name()));
        }
        let demand = Demand::told(model, revision).ok_or(Missing::Demand)?;
        let basis = basis(model, revision).ok_or(Missing::Config)?;
        let (from, to) = (demand.from(), demand.to());
        let lines: Vec<Line> = (demand.first..)
            .zip(&demand.seconds)
            .map(|(second, asked)| {
                let at = At::from_secs(second);
                Line {
                    at,
                    demand: *asked,
                    desired: scaling.desired.at(at, None),
                    ready: scaling.ready.at(at, None),
                    panics: scaling.panics.iter().any(|span| span.covers(at, model.now)),
                }
            })
            .collect();
        let starts = starts(model, revision);
        let n_starts = starts.len();
        let pods = Pods {
            // The load may begin a moment before the first look at the pods.
            ready: ready_pods(lines.iter().find_map(|line| line.ready)),
            starts: if n_starts == 0 { vec![ASSUMED_START] } else { starts },
            stops: stops(model, revision).unwrap_or(ASSUMED_STOP),
            capacity: basis.effective().config.total_value,
        };
        let totals = totals(model, revision, (scaling, &lines, pods.capacity), (from, to));
        let service = model.cluster.revisions.get(revision).and_then(|it| it.service.clone());
        Ok(Self {
            revision: revision.clone(),
            service,
            witness: demand.witness,
            metric: demand.metric,
            load: Load { first: demand.first, seconds: demand.seconds },
            pods,
            n_starts,
            basis,
            lines,
            totals,
            is_pinned: is_pinned(model, revision),
        })
    }

    /// The most that the load asked for.
    pub fn peak(&self) -> f64 {
        self.load.seconds.iter().flatten().copied().fold(0.0, f64::max)
    }
}

/// Whether a route gives this revision its requests by its name: a line of its own that does not
/// follow the newest revision.
fn is_pinned(model: &Model, revision: &Name) -> bool {
    let service = model.cluster.revisions.get(revision).and_then(|it| it.service.clone());
    let name = service.map(|name| Name { namespace: revision.namespace.clone(), name });
    let Some(service) = name.and_then(|name| model.cluster.services.get(&name)) else {
        return false;
    };
    let mut lines = service.traffic.iter().filter(|line| line.revision == revision.name);
    lines.any(|line| match line.is_latest {
        Some(is_latest) => !is_latest,
        // A record that does not say: what is not the newest cannot follow it.
        None => !service.latest_ready.is_empty() && service.latest_ready != revision.name,
    })
}

/// What a revision's configuration is made of; `None` where its `PodAutoscaler` or
/// `config-autoscaler` was not seen.
pub fn basis(model: &Model, revision: &Name) -> Option<Basis> {
    let autoscaler = model.scaling.get(revision)?.autoscaler.as_ref()?;
    let config = model.cluster.config.get("config-autoscaler")?;
    Some(Basis {
        annotations: autoscaler.annotations.clone(),
        container_concurrency: autoscaler.container_concurrency,
        config_autoscaler: config.data.clone(),
    })
}

/// From asked for (or created, where that is not known) to ready, in the order of being ready.
fn starts(model: &Model, revision: &Name) -> Vec<Duration> {
    let mut starts: Vec<(At, Duration)> = startup::started(model, std::slice::from_ref(revision))
        .filter_map(|life| {
            let startup = Startup::of(model, life);
            let asked = startup.took(Step::Asked, Step::Ready);
            let (took, _) = asked.or_else(|| startup.took(Step::Created, Step::Ready))?;
            Some((life.ready_seen?, took))
        })
        .collect();
    starts.sort_unstable();
    starts.into_iter().map(|(_, took)| took).collect()
}

/// How long a pod needs to go; `None`: none was seen to begin.
fn stops(model: &Model, revision: &Name) -> Option<Duration> {
    let cluster = &model.cluster;
    let lives = cluster.gone.iter().chain(cluster.pods.values());
    let stops =
        lives.filter(|life| life.revision().as_ref() == Some(revision)).filter_map(|life| {
            let began = life.deleted_seen?;
            Some((life.gone.unwrap_or(model.now).since(began), life.gone.is_some()))
        });
    median_of_unfinished(stops.collect())
}

/// What half of them did not exceed, of spans of which some had not ended when they were last seen:
/// those count for as long as they were seen (Kaplan and Meier's estimate of what is left). The
/// longest, where more than half had not ended.
fn median_of_unfinished(mut spans: Vec<(Duration, bool)>) -> Option<Duration> {
    spans.sort_unstable();
    let mut left = 1.0;
    for (n_longer, (span, has_ended)) in (0..spans.len()).rev().zip(&spans) {
        if *has_ended {
            left *= as_f64(n_longer) / as_f64(n_longer + 1);
        }
        if left <= 0.5 {
            return Some(*span);
        }
    }
    spans.last().map(|(span, _)| *span)
}

#[expect(clippy::cast_precision_loss, reason = "a count of pods")]
const fn as_f64(n: usize) -> f64 {
    n as f64
}

fn totals(
    model: &Model,
    revision: &Name,
    (scaling, lines, capacity): (&RevisionScaling, &[Line], f64),
    (from, to): (At, At),
) -> Totals {
    let mut totals = Totals::default();
    for line in lines {
        totals.seconds += 1.0;
        totals.ready_max = totals.ready_max.max(ready_pods(line.ready));
        totals.desired_max = totals.desired_max.max(ready_pods(line.desired));
        totals.panic_s += f64::from(u8::from(line.panics));
        if line.ready.is_some() {
            let short = whatif::short(line.demand, ready_pods(line.ready), capacity);
            totals.short_s += f64::from(u8::from(0.0 < short));
            totals.pod_seconds_short += short;
        }
    }
    totals.pod_seconds = [&scaling.ready, &scaling.starting, &scaling.terminating]
        .into_iter()
        .map(|series| area(series, from, to))
        .sum();
    let began = |at: At| from <= at && at < to;
    let panics = scaling.panics.iter().filter(|span| began(span.began) && !span.was_on).count();
    totals.panics = u32::try_from(panics).unwrap_or(u32::MAX);
    let cluster = &model.cluster;
    let created = cluster.gone.iter().chain(cluster.pods.values()).filter(|life| {
        life.revision().as_ref() == Some(revision) && life.seen_fresh && began(life.first_seen)
    });
    totals.cold_starts = u32::try_from(created.count()).unwrap_or(u32::MAX);
    totals
}

/// The integral of a step line, in its unit times seconds; what is not known counts as nothing.
fn area(series: &Series, from: At, to: At) -> f64 {
    let mut sum = 0.0;
    let mut held: Option<(At, f64)> = None;
    for (at, value) in series.steps().chain([(to, None)]) {
        if let Some((since, value)) = held {
            sum += value * at.min(to).since(since.max(from)).as_secs_f64();
        }
        held = value.map(|value| (at, value));
        if to <= at {
            break;
        }
    }
    sum
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of pods")]
fn ready_pods(pods: Option<f64>) -> u32 {
    pods.unwrap_or(0.0).clamp(0.0, 1e6) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_still_going_goes_for_longer_than_was_seen() {
        let of = |spans: &[(u64, bool)]| {
            let spans = spans.iter().map(|(secs, ended)| (Duration::from_secs(*secs), *ended));
            median_of_unfinished(spans.collect()).map(|it| it.as_secs())
        };
        let (ended, going) = (true, false);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(30, ended)]), Some(30));
        assert_eq!(of(&[(3, ended), (1, ended), (2, ended)]), Some(2));
        assert_eq!(of(&[(21, going), (4, going)]), Some(21));
        // Of four at 2 s one ends; of the two that are seen for longer both end later.
        assert_eq!(of(&[(2, ended), (5, going), (30, ended), (31, ended)]), Some(30));
        assert_eq!(of(&[(1, ended), (30, going), (30, going)]), Some(30));
    }

    #[test]
    fn the_area_is_that_within_the_span() {
        let mut line = Series::default();
        for (secs, value) in [(0, Some(2.0)), (10, Some(5.0)), (12, None), (15, Some(1.0))] {
            line.set(At::from_secs(secs), value);
        }
        let secs = At::from_secs;
        // 5 s of 2, 2 s of 5, 3 s unknown, 5 s of 1.
        assert_eq!(area(&line, secs(5), secs(20)), 10.0 + 10.0 + 5.0);
        assert_eq!(area(&line, secs(0), secs(1)), 2.0);
        assert_eq!(area(&Series::default(), secs(0), secs(9)), 0.0);
    }
}
