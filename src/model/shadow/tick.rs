//! One tick, with all that led to it and what became of it.

use std::sync::Arc;

use crate::event::scaler::Origin;
use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Effective;
use crate::kpa::Mode;
use crate::kpa::Observed;
use crate::kpa::reconcile::Gate;
use crate::units::At;

use super::Gaps;
use super::Share;
use super::made::HAIR;

/// One tick, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// What the decider came to; its moments are those of the run.
    pub decision: Decision,
    /// What was in force, with its origins.
    pub config: Arc<Effective>,
    /// What the averages were made of.
    pub input: Input,
    /// What the reconciler makes of it; `None` where the `PodAutoscaler` is not seen.
    pub outcome: Option<Bounded>,
    /// The decision over the averages that the autoscaler itself exports, and what the reconciler
    /// makes of it, where that comes to what it says it wished: how it was made. `None`: not known,
    /// or the decision is made of these already.
    pub made: Option<Made>,
    /// What the autoscaler said of the same tick; `None`: nothing.
    pub reported: Option<Reported>,
    /// `status.desiredScale` of the `PodAutoscaler` after it; `None` is not known.
    pub asked: Option<u32>,
    /// Whether an activator that holds a first request called for it.
    pub is_poke: bool,
    /// Why the three lines part, where they do.
    pub gaps: Gaps,
}

/// A decision, and what the reconciler makes of it.
pub type Made = (Decision, Option<Bounded>);

/// What a reconciliation makes of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded {
    /// The scale after bounds and the way to zero; `None`: unknown.
    pub want: Option<u32>,
    /// What stood between a wished zero and zero replicas.
    pub gate: Gate,
    /// The mode to ask for.
    pub mode: Mode,
    /// The activators to ask for.
    pub n_activators: u32,
}

/// What the averages of a tick were made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Whose numbers they are.
    pub source: Source,
    /// Ready pods that answered when they were last asked.
    pub n_read: u32,
    /// Pods that were ready then.
    pub n_ready: u32,
    /// How the activators' share is known.
    pub share: Share,
    /// Since when no second is missing; `None`: the newest is.
    pub whole_since: Option<At>,
    /// Whether that covers the stable window.
    pub is_whole: bool,
}

/// Whose numbers the averages of a tick are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Ours: from queue-proxies and activators.
    Pods,
    /// The autoscaler's own, as it exports them.
    Exported,
    /// Nobody's.
    Nothing,
}

/// What the autoscaler said of a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reported {
    /// When that was read, or written.
    pub read: At,
    /// How.
    pub origin: Origin,
    /// Pods wanted before bounds.
    pub desired: Option<u32>,
    /// Whether it panics.
    pub panicking: Option<bool>,
    /// Both averages.
    pub observed: Option<Observed>,
    /// Ready pods as it counts them.
    pub ready: Option<u32>,
    /// Excess burst capacity.
    pub excess_burst_capacity: Option<f64>,
}

// === impl Reported ===

impl Reported {
    /// Whether a decision comes to what was said: as many pods, and in panic or not, as far as it
    /// tells.
    pub(super) fn is_of(&self, decision: &Decision) -> bool {
        self.desired.is_some()
            && self.desired == decision.desired()
            && self.panicking.is_none_or(|panics| panics == decision.panicking())
    }
}

// === impl Tick ===

impl Tick {
    /// When.
    pub const fn at(&self) -> At {
        self.decision.at
    }

    /// The decision as it was made, as far as that is known, else as our model makes it; and what
    /// the reconciler makes of it.
    pub fn as_made(&self) -> (&Decision, Option<&Bounded>) {
        match &self.made {
            Some((decision, outcome)) => (decision, outcome.as_ref()),
            None => (&self.decision, self.outcome.as_ref()),
        }
    }

    /// Whether the autoscaler says that it is calm, and our model says so too.
    pub(super) fn is_surely_calm(&self) -> bool {
        let said = self.reported.and_then(|reported| reported.panicking);
        said == Some(false) && !self.decision.panicking()
    }

    /// Whether our model and the autoscaler part over nothing but the moment at which a panic ends:
    /// its window ends at this tick, and on which side of it hangs on their clocks.
    pub fn parts_by_a_hair(&self) -> bool {
        let said = self.reported.and_then(|reported| reported.panicking);
        let ends = [&self.decision, self.as_made().0].into_iter().find_map(|it| it.panic_ends);
        said.is_some_and(|said| said != self.decision.panicking())
            && self.gaps.model.is_none()
            && ends.is_some_and(|ends| ends.since(self.at()).max(self.at().since(ends)) <= HAIR)
    }

    /// The parameters in force.
    pub fn config(&self) -> &Config {
        &self.config.config
    }
}
