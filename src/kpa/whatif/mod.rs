//! The recorded load under another configuration: what would have been wanted, and what would have
//! been ready.
//!
//! The load is played second by second into the same windows, the same decider and the same
//! reconciler that mirror Knative; pods become ready as long after they are asked for as the
//! recorded ones did. Concurrency is taken as demand: it was recorded with the pods that were there
//! then, and with other pods a service that queues would have shown another one.

mod change;
mod curve;
mod load;
mod search;

use std::time::Duration;

use crate::kpa::Config;
use crate::kpa::Inputs;
use crate::kpa::Memory;
use crate::kpa::Mode;
use crate::kpa::burst::initial_excess_burst_capacity;
use crate::kpa::decide;
use crate::kpa::decide::Turn;
use crate::kpa::reconcile::Active;
use crate::kpa::reconcile::Inactive;
use crate::kpa::reconcile::Seen;
use crate::kpa::reconcile::Status;
use crate::kpa::reconcile::reconcile;
use crate::kpa::window::Windows;
use crate::units::At;

pub use change::Basis;
pub use change::Change;
pub use change::ChangeError;
pub use change::Place;
pub use change::on_a_pinned_route;
pub use change::remedies;
pub use curve::Curve;
pub use curve::Mixture;
pub use load::LoadError;
pub use search::Axis;
pub use search::Candidate;
pub use search::Condition;
pub use search::Found;
pub use search::Measured;
pub use search::SearchError;
pub use search::search;

/// What is said of changes that change nothing.
pub const SAME: &str = "for this load it comes to the same";

/// The decider looks every two seconds.
const TICK_SECS: u64 = 2;
/// The endpoints of a service follow its mode after about this long.
const PATH_FOLLOWS: Duration = Duration::from_secs(1);
/// Pods that can be asked for.
const PODS_MAX: u32 = 10_000;

/// A load, second by second.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// The second of the first value.
    pub first: u64,
    /// Requests in flight (or a second) in each second; `None` is not known.
    pub seconds: Vec<Option<f64>>,
}

/// How pods behave.
#[derive(Debug, Clone, PartialEq)]
pub struct Pods {
    /// Pods that are ready at the beginning.
    pub ready: u32,
    /// From asked for to ready, in the order in which the recorded pods came; they are taken again
    /// and again. Empty: at once.
    pub starts: Vec<Duration>,
    /// From being told to go to being gone.
    pub stops: Duration,
    /// What one pod bears, in the metric: below that in all is short of capacity.
    pub capacity: f64,
}

/// One second of the play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// When.
    pub at: At,
    /// What the load asked for; `None` is not known.
    pub demand: Option<f64>,
    /// Replicas asked of Kubernetes.
    pub desired: u32,
    /// Pods ready.
    pub ready: u32,
    /// Whether it panics.
    pub panics: bool,
}

/// What a configuration came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Length of the play, in seconds.
    pub seconds: f64,
    /// Seconds of pods that were not gone.
    pub pod_seconds: f64,
    /// The most pods ready.
    pub ready_max: u32,
    /// The most replicas asked for.
    pub desired_max: u32,
    /// Seconds in which the ready pods could not bear the load.
    pub short_s: f64,
    /// Pods missing in these, times seconds.
    pub pod_seconds_short: f64,
    /// Times that panic began.
    pub panics: u32,
    /// Seconds in panic.
    pub panic_s: f64,
    /// Pods started.
    pub cold_starts: u32,
}

struct Play<'a> {
    config: &'a Config,
    pods: &'a Pods,
    windows: Windows,
    memory: Memory,
    status: Status,
    desired: Option<u32>,
    excess_burst_capacity: i32,
    mode: Mode,
    proxying_since: Option<At>,
    /// When each pod becomes ready, in the order in which they were asked for.
    alive: Vec<At>,
    /// When each pod that was told to go is gone.
    going: Vec<At>,
    n_started: usize,
    /// What was asked for in the second before, of which nobody was told yet.
    asked: Option<f64>,
    demand_before: f64,
    totals: Totals,
}

/// Plays `load` under `config`, and calls `see` with each second.
pub fn play(config: &Config, load: &Load, pods: &Pods, mut see: impl FnMut(Tick)) -> Totals {
    let mut play = Play::new(config, load, pods);
    for (second, demand) in (load.first..).zip(&load.seconds) {
        see(play.second(At::from_secs(second), *demand));
    }
    play.totals
}

impl<'a> Play<'a> {
    fn new(config: &'a Config, load: &Load, pods: &'a Pods) -> Self {
        let began = At::from_secs(load.first);
        let ready = pods.ready.min(PODS_MAX);
        let active = if 0 < ready { Active::Active } else { Active::Inactive(Inactive::NoTraffic) };
        let mode = if ready == 0 || initial_excess_burst_capacity(config) < 0 {
            Mode::Proxy
        } else {
            Mode::Serve
        };
        Self {
            config,
            pods,
            windows: Windows::new(config.aggregation, config.stable_window, config.panic_window),
            // It has been there before the record began: not restarted, so not in panic.
            memory: Memory::new(config, ready.min(1), began),
            status: Status {
                active,
                since: began,
                initialized: true,
                desired_scale: Some(ready),
                actual_scale: ready,
            },
            desired: Some(ready),
            excess_burst_capacity: initial_excess_burst_capacity(config),
            mode,
            proxying_since: (mode == Mode::Proxy).then_some(At::ZERO),
            alive: vec![At::ZERO; usize::try_from(ready).unwrap_or(0)],
            going: Vec::new(),
            n_started: 0,
            asked: None,
            demand_before: 0.0,
            totals: Totals::default(),
        }
    }

    fn second(&mut self, now: At, demand: Option<f64>) -> Tick {
        let ready = self.ready(now);
        // Scrapes and reports tell of the second before them.
        let told = std::mem::replace(&mut self.asked, demand);
        self.record(now, ready, told);
        let is_poked = self.desired == Some(0) && demand.is_some_and(|demand| 0.0 < demand);
        if is_poked {
            // The first request is reported at once, as one.
            self.windows.record(now, 1.0);
        }
        let second = now.as_micros() / 1_000_000;
        if is_poked || second.is_multiple_of(TICK_SECS) {
            self.decide(now, ready);
        }
        self.reconcile(now, ready);
        self.account(now, ready, demand)
    }

    /// What a scrape and the activators' reports would have added to this second.
    fn record(&mut self, now: At, ready: u32, demand: Option<f64>) {
        let Some(demand) = demand.map(|demand| demand.max(0.0)) else { return };
        // An idle revision is reported once more and then no longer.
        let by_activator = 0.0 < demand || 0.0 < self.demand_before;
        if by_activator || (self.config.scraped() && 0 < ready) {
            self.windows.record(now, demand);
        }
        self.demand_before = demand;
    }

    fn decide(&mut self, now: At, ready: u32) {
        let observed = self.windows.observed(now, self.config.scraped());
        let decision = decide(self.config, &mut self.memory, &Inputs { ready, observed }, now);
        if let Some(steps) = decision.steps {
            self.desired = Some(steps.desired);
            self.excess_burst_capacity = steps.excess_burst_capacity;
        }
        self.totals.panics += u32::from(decision.turn == Turn::Entered);
    }

    fn reconcile(&mut self, now: At, ready: u32) {
        let seen = Seen {
            desired: self.desired,
            excess_burst_capacity: self.excess_burst_capacity,
            ready,
            replicas: u32::try_from(self.alive.len()).unwrap_or(u32::MAX),
            mode: self.mode,
            proxying_since: self.proxying_since.filter(|since| *since <= now),
        };
        let outcome = reconcile(self.config, &self.status, &seen, now);
        self.status = outcome.status;
        if outcome.mode != self.mode {
            self.mode = outcome.mode;
            self.proxying_since = (self.mode == Mode::Proxy).then(|| now + PATH_FOLLOWS);
        }
        if let Some(replicas) = outcome.scale_to {
            self.scale(now, replicas.min(PODS_MAX));
        }
    }

    fn scale(&mut self, now: At, replicas: u32) {
        let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
        while self.alive.len() < replicas {
            let starts = &self.pods.starts;
            let took = starts.get(self.n_started % starts.len().max(1)).copied();
            self.alive.push(now + took.unwrap_or_default());
            self.n_started += 1;
            self.totals.cold_starts += 1;
        }
        while replicas < self.alive.len() {
            // Those that are not ready go first, then the youngest.
            let unready = self.alive.iter().rposition(|ready| now < *ready);
            let idx = unready.unwrap_or(self.alive.len() - 1);
            self.alive.remove(idx);
            self.going.push(now + self.pods.stops);
        }
    }

    fn ready(&self, now: At) -> u32 {
        let n_ready = self.alive.iter().filter(|ready| **ready <= now).count();
        u32::try_from(n_ready).unwrap_or(u32::MAX)
    }

    fn account(&mut self, now: At, ready: u32, demand: Option<f64>) -> Tick {
        self.going.retain(|gone| now < *gone);
        let desired = u32::try_from(self.alive.len()).unwrap_or(u32::MAX);
        let n_pods = desired.saturating_add(u32::try_from(self.going.len()).unwrap_or(u32::MAX));
        let totals = &mut self.totals;
        totals.seconds += 1.0;
        totals.pod_seconds += f64::from(n_pods);
        totals.ready_max = totals.ready_max.max(ready);
        totals.desired_max = totals.desired_max.max(desired);
        let short = short(demand, ready, self.pods.capacity);
        totals.short_s += f64::from(u8::from(0.0 < short));
        totals.pod_seconds_short += short;
        let panics = self.memory.panicking();
        totals.panic_s += f64::from(u8::from(panics));
        Tick { at: now, demand, desired, ready, panics }
    }
}

/// Pods that `demand` lacks; 0 if they suffice or nothing is known.
pub fn short(demand: Option<f64>, ready: u32, capacity: f64) -> f64 {
    demand.map_or(0.0, |demand| ((demand / capacity).ceil() - f64::from(ready)).max(0.0))
}

#[cfg(test)]
mod tests;
