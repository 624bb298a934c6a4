//! Reading many things at an interval, none of them waiting for another.
//!
//! Each round begins a reading of every target that is not being read already. So one that hangs
//! costs itself a round or two, and the others nothing.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::cluster::Name;
use crate::units::At;

use super::fetch::Door;
use super::fetch::FetchError;
use super::health::Health;
use super::health::Round;
use super::health::Trouble;

/// Something to read.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The pod.
    pub(crate) pod: Name,
    /// Where, and what form is asked for; read one after the other.
    pub(crate) pages: Vec<(String, &'static str)>,
}

/// What was read.
pub(crate) struct Reading {
    /// What of.
    pub(crate) target: Target,
    /// One answer a page.
    pub(crate) pages: Vec<Result<Bytes, FetchError>>,
    /// When the last answer came.
    pub(crate) at: At,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Knows what to read and what it means.
pub(crate) trait Meaning: Send {
    /// What to read in this round.
    fn targets(&mut self) -> Result<Vec<Target>, Trouble>;

    /// Makes events of a reading; says how many lines nobody understood.
    fn take(&mut self, reading: Reading) -> Result<u64, Trouble>;
}

/// Where a pod's metrics are through the API server.
pub(crate) fn proxy_path(pod: &Name, port: u16) -> String {
    format!("/api/v1/namespaces/{}/pods/{}:{port}/proxy/metrics", pod.namespace, pod.name)
}

/// Reads until asked to stop.
pub(crate) async fn run(
    mut meaning: impl Meaning,
    (door, every): (Door, Duration),
    mut health: Health,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut pending = FuturesUnordered::new();
    let mut being_read = HashSet::new();
    let mut round = Round::default();
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! { biased;
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => {
                health.round(std::mem::take(&mut round)).await;
                match meaning.targets() {
                    Ok(targets) => {
                        for target in targets {
                            if being_read.insert(target.pod.clone()) {
                                pending.push(read(door.clone(), target, clock));
                            }
                        }
                    }
                    Err(trouble) => health.trouble(trouble).await,
                }
            }
            Some(reading) = pending.next() => {
                being_read.remove(&reading.target.pod);
                let took = reading.took;
                round.count(meaning.take(reading), took);
            }
        }
    }
}

async fn read(door: Door, target: Target, clock: Clock) -> Reading {
    let began = clock.at();
    let mut pages = Vec::with_capacity(target.pages.len());
    for (address, accept) in &target.pages {
        pages.push(door.get(address, accept).await);
    }
    let at = clock.at();
    Reading { target, pages, at, took: at.since(began) }
}
