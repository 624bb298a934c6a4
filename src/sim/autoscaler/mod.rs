//! The autoscaler's side of one revision: collector, decider and reconciler.
//!
//! It is a state machine without a runtime: the world tells what it sees and when, and does what
//! the effects say. Scrapes and ticks run on phases of their own, as in Knative, where nothing is
//! synchronised.

use std::time::Duration;

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Inputs;
use crate::kpa::Memory;
use crate::kpa::Mode;
use crate::kpa::burst;
use crate::kpa::config::Metric;
use crate::kpa::decide;
use crate::kpa::reconcile::Outcome;
use crate::kpa::reconcile::Seen;
use crate::kpa::reconcile::Status;
use crate::kpa::reconcile::reconcile;
use crate::units::Anchor;
use crate::units::At;

use self::collector::Collector;
use self::collector::advance;
use self::log::Log;
use self::log::Reconciled;

mod collector;
mod log;

pub use collector::Sample;

/// Knative decides every two seconds.
const TICK_PERIOD: Duration = Duration::from_secs(2);

/// Activators of a revision that has just been made.
const FIRST_ACTIVATORS: u32 = 2;

/// Which revision it is, and how its autoscaler began.
#[derive(Debug, Clone)]
pub struct Began {
    /// Namespace of the revision.
    pub namespace: String,
    /// Name of the revision.
    pub revision: String,
    /// When the `PodAutoscaler` was made.
    pub at: At,
    /// What the wall clock said at the beginning of the run, for the log.
    pub anchor: Anchor,
    /// Ready pods at that time; more than one begins in panic.
    pub ready: u32,
    /// Chooses the phases and the pods that are scraped.
    pub seed: u64,
}

/// What the autoscaler sees of the revision's pods and way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClusterView {
    /// Pods running and ready, and not being deleted.
    pub ready: u32,
    /// Pods that are pending, running and not ready, or running and being deleted.
    pub not_ready: u32,
    /// Pods in phase Pending.
    pub pending: u32,
    /// Pods that run and are being deleted.
    pub terminating: u32,
    /// `spec.replicas` of the deployment.
    pub replicas: u32,
    /// Since when the activator is in the path in fact; `None`: it is not.
    pub proxying_since: Option<At>,
}

/// What the world is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Set the deployment's replicas.
    Scale {
        /// How many there were.
        from: u32,
        /// How many there are to be.
        to: u32,
    },
    /// Set mode and activators of the `ServerlessService`.
    Sks {
        /// `spec.mode`.
        mode: Mode,
        /// `spec.numActivators`.
        n_activators: u32,
    },
    /// Set the `PodAutoscaler`'s status.
    PaStatus(Status),
    /// The autoscaler pod logs this line, without a line feed.
    Log(String),
}

/// What the autoscaler exports of the revision. Each begins at zero, as in Knative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauges {
    /// Whether stable, panic and target are of concurrency or of requests a second.
    pub metric: Metric,
    /// `kn_revision_pods_desired`.
    pub desired: u32,
    /// `kn_revision_pods_requested`.
    pub requested: u32,
    /// `kn_revision_pods_count`.
    pub actual: u32,
    /// `kn_revision_pods_not_ready_count`.
    pub not_ready: u32,
    /// `kn_revision_pods_pending_count`.
    pub pending: u32,
    /// `kn_revision_pods_terminating_count`.
    pub terminating: u32,
    /// `kn_revision_panic_mode`.
    pub panic_mode: bool,
    /// `kn_revision_capacity_excess`.
    pub excess_burst_capacity: i32,
    /// `kn_revision_{concurrency,rps}_stable`.
    pub stable: f64,
    /// `kn_revision_{concurrency,rps}_panic`.
    pub panic: f64,
    /// `kn_revision_{concurrency,rps}_target`.
    pub target: f64,
}

/// The autoscaler of one revision.
#[derive(Debug)]
pub struct RevisionAutoscaler {
    config: Config,
    log: Log,
    collector: Collector,
    // The decider.
    memory: Memory,
    next_tick: At,
    is_poked: bool,
    desired: Option<u32>,
    excess_burst_capacity: i32,
    last: Option<Decision>,
    // The reconciler.
    status: Status,
    sks: (Mode, u32),
    seen: Option<ClusterView>,
    is_dirty: bool,
    again: Option<At>,
    gauges: Gauges,
}

// === impl RevisionAutoscaler ===

impl RevisionAutoscaler {
    /// The autoscaler of a revision whose `PodAutoscaler` has just been made.
    pub fn new(config: Config, began: &Began) -> Self {
        let mut rng = SmallRng::seed_from_u64(began.seed);
        let next_tick = began.at + TICK_PERIOD.mul_f64(rng.random_range(0.0..1.0));
        let memory = Memory::new(&config, began.ready, began.at);
        Self {
            log: Log::new(began.anchor, &began.namespace, &began.revision),
            collector: Collector::new(&config, began.at, rng),
            next_tick,
            is_poked: false,
            desired: None,
            excess_burst_capacity: burst::initial_excess_burst_capacity(&config),
            last: None,
            status: Status::new(began.at),
            sks: (Mode::Proxy, FIRST_ACTIVATORS),
            seen: None,
            is_dirty: true,
            again: None,
            gauges: Gauges::new(config.metric, memory.panicking()),
            memory,
            config,
        }
    }

    /// Goes on from what the `PodAutoscaler` and its `ServerlessService` say: another autoscaler
    /// wrote it, of which nothing else is known.
    pub const fn resume(&mut self, status: Status, sks: (Mode, u32)) {
        self.status = status;
        self.sks = sks;
    }

    /// When it next has something to do by itself: a scrape, a tick or a reconciliation. What the
    /// world sees change calls for [`Self::tick`] at once.
    pub fn next_wake(&self) -> At {
        let own = if self.is_poked || self.is_dirty { At::ZERO } else { self.next_tick };
        let own = if self.config.scraped() { own.min(self.collector.next_scrape()) } else { own };
        self.again.map_or(own, |again| own.min(again))
    }

    /// Whether the pods are to be scraped now.
    pub fn scrape_due(&self, now: At) -> bool {
        self.config.scraped() && self.collector.next_scrape() <= now
    }

    /// Which of the ready pods to scrape, given their ages: a sample, if there are many. Pods
    /// older than the stable window come first.
    pub fn choose(&mut self, ages: &[Duration]) -> Vec<usize> {
        self.collector.choose(ages, self.config.stable_window)
    }

    /// Takes what the sampled pods answered, `n_ready` being ready. Without answers nothing is
    /// recorded: no pod is ready, or the scrape failed.
    pub fn record_scrape(&mut self, now: At, samples: &[Sample], n_ready: u32) {
        self.collector.record_scrape(now, samples, n_ready);
    }

    /// Takes a report of an activator. True: it wakes a revision at zero, and [`Self::tick`] is
    /// due at once.
    pub fn record_activator(&mut self, now: At, sample: Sample) -> bool {
        self.collector.record(now, sample);
        let wakes = self.desired == Some(0) && sample.average_concurrent_requests != 0.0;
        self.is_poked |= wakes;
        wakes
    }

    /// Decides if a tick is due or poked for, and reconciles if that, or what is seen, has news.
    pub fn tick(&mut self, now: At, view: &ClusterView) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.next_tick <= now || self.is_poked {
            if self.next_tick <= now {
                advance(&mut self.next_tick, TICK_PERIOD, now);
            }
            self.is_poked = false;
            self.decide(now, view.ready, &mut effects);
        }
        let is_again = self.again.is_some_and(|again| again <= now);
        if self.is_dirty || is_again || self.seen != Some(*view) {
            self.is_dirty = false;
            self.again = None;
            self.seen = Some(*view);
            self.reconcile(now, view, &mut effects);
        }
        effects
    }

    /// Takes other parameters, as after a change of `config-autoscaler`. A scale-down delay keeps
    /// the length that it had at the beginning, as in Knative.
    pub fn reconfigure(&mut self, now: At, config: Config) {
        self.collector.resize(&config, now);
        self.config = config;
        self.is_dirty = true;
    }

    /// What it exports.
    pub const fn gauges(&self) -> Gauges {
        self.gauges
    }

    /// The `PodAutoscaler`'s status.
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// The parameters in force.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The last tick; `None` before the first.
    pub const fn decision(&self) -> Option<&Decision> {
        self.last.as_ref()
    }

    fn decide(&mut self, now: At, ready: u32, effects: &mut Vec<Effect>) {
        let inputs = Inputs { ready, observed: self.collector.observed(&self.config, now) };
        let before = self.memory.max_panic_pods();
        let decision = decide(&self.config, &mut self.memory, &inputs, now);
        self.last = Some(decision);
        let Some(steps) = decision.steps else {
            return;
        };
        effects.extend(self.log.decided(&decision, &steps, before).map(Effect::Log));
        let is_proxy = |ebc: i32| ebc < 0;
        self.is_dirty |= self.desired != Some(steps.desired)
            || is_proxy(self.excess_burst_capacity) != is_proxy(steps.excess_burst_capacity);
        self.desired = Some(steps.desired);
        self.excess_burst_capacity = steps.excess_burst_capacity;
        self.gauges = Gauges {
            metric: self.config.metric,
            desired: steps.desired,
            panic_mode: decision.panicking(),
            excess_burst_capacity: steps.excess_burst_capacity,
            stable: steps.observed.stable,
            panic: steps.observed.panic,
            target: steps.target,
            ..self.gauges
        };
    }

    fn reconcile(&mut self, now: At, view: &ClusterView, effects: &mut Vec<Effect>) {
        let seen = Seen {
            desired: self.desired,
            excess_burst_capacity: self.excess_burst_capacity,
            ready: view.ready,
            replicas: view.replicas,
            mode: self.sks.0,
            proxying_since: view.proxying_since,
        };
        let outcome = reconcile(&self.config, &self.status, &seen, now);
        let told = Reconciled {
            config: &self.config,
            status: &self.status,
            seen: &seen,
            outcome: &outcome,
            view,
        };
        let lines = self.log.reconciled(now, &told);
        effects.extend(lines.into_iter().map(Effect::Log));
        self.apply(now, view, &outcome, effects);
    }

    fn apply(&mut self, now: At, view: &ClusterView, outcome: &Outcome, effects: &mut Vec<Effect>) {
        if let Some(to) = outcome.scale_to {
            effects.push(Effect::Scale { from: view.replicas, to });
        }
        let sks = (outcome.mode, outcome.n_activators);
        if sks != self.sks {
            self.sks = sks;
            effects.push(Effect::Sks { mode: sks.0, n_activators: sks.1 });
        }
        if outcome.status != self.status {
            // A change of the status is news to the reconciler itself.
            self.is_dirty = outcome.status.active != self.status.active;
            self.status = outcome.status;
            effects.push(Effect::PaStatus(self.status));
        }
        self.again = outcome.again.map(|again| now + again);
        self.gauges = Gauges {
            requested: outcome.want.unwrap_or(self.gauges.requested),
            actual: view.ready,
            not_ready: view.not_ready,
            pending: view.pending,
            terminating: view.terminating,
            ..self.gauges
        };
    }
}

// === impl Gauges ===

impl Gauges {
    const fn new(metric: Metric, panic_mode: bool) -> Self {
        Self {
            metric,
            desired: 0,
            requested: 0,
            actual: 0,
            not_ready: 0,
            pending: 0,
            terminating: 0,
            panic_mode,
            excess_burst_capacity: 0,
            stable: 0.0,
            panic: 0.0,
            target: 0.0,
        }
    }
}

#[cfg(test)]
mod tests;
