//! Kubernetes' `HorizontalPodAutoscaler`, and what KEDA puts around it, as pure functions.
//!
//! It follows the controller of Kubernetes 1.36 (`pkg/controller/podautoscaler`) and KEDA 2.21. It
//! is a room of its own beside `kpa`, since neither uses a line of the other: here are no windows
//! of seconds, no panic and no activator, and `kpa` has vectors of Knative's own code to answer to.
//!
//! Amounts of a metric are whole thousandths, as in the controller, so that its integer divisions
//! come out the same; utilisation is whole percents.

pub mod keda;
pub mod limits;
pub mod proposal;

use crate::units::At;

pub use limits::Behavior;
pub use limits::Limit;
pub use limits::Memory;
pub use limits::Policy;
pub use limits::PolicyKind;
pub use limits::Rules;
pub use limits::Select;
pub use limits::Stabilized;
pub use proposal::Invalid;
pub use proposal::Proposal;
pub use proposal::Target;
pub use proposal::Tolerance;
pub use proposal::Usage;
pub use proposal::propose;

/// What governs one autoscaler: its spec, and the flags of the controller that reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// `spec.minReplicas`; 1 where it is not set.
    pub min_replicas: u32,
    /// `spec.maxReplicas`.
    pub max_replicas: u32,
    /// `spec.behavior`; `None` has the controller's older rule.
    pub behavior: Option<Behavior>,
    /// How far a ratio may be from 1 without a change.
    pub tolerance: Tolerance,
}

/// One sync of the controller, with everything on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Replicas before.
    pub current: u32,
    /// How it came about.
    pub outcome: Outcome,
    /// Replicas after.
    pub desired: u32,
}

/// How a sync came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target has no replicas, and the least is not zero: scaling is off (`ScalingDisabled`).
    ScalingDisabled,
    /// There are more than `maxReplicas`; metrics do not matter.
    AboveMaxReplicas,
    /// There are fewer than `minReplicas`; metrics do not matter.
    BelowMinReplicas,
    /// No metric is valid, or one is not and the others would scale down.
    InvalidMetrics {
        /// How many are not valid.
        n_invalid: usize,
    },
    /// The metrics decided.
    Computed(Steps),
}

/// From the metrics to the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The largest proposal.
    pub wanted: u32,
    /// The metric that made it, counted from zero.
    pub by: usize,
    /// After the stabilisation windows.
    pub stabilized: u32,
    /// Which window held it back, if one did.
    pub stabilization: Option<Stabilized>,
    /// What limited it, if anything did.
    pub limit: Option<Limit>,
}

/// One sync: from each metric's proposal to replicas. `memory` takes in what the controller
/// remembers.
pub fn sync(
    spec: &Spec,
    memory: &mut Memory,
    (current, proposals): (u32, &[Result<Proposal, Invalid>]),
    now: At,
) -> Decision {
    memory.begin(current, now);
    let (outcome, desired) = if current == 0 && spec.min_replicas != 0 {
        (Outcome::ScalingDisabled, 0)
    } else if spec.max_replicas < current {
        (Outcome::AboveMaxReplicas, spec.max_replicas)
    } else if current < spec.min_replicas {
        (Outcome::BelowMinReplicas, spec.min_replicas)
    } else {
        match largest(current, proposals) {
            Err(n_invalid) => (Outcome::InvalidMetrics { n_invalid }, current),
            Ok((wanted, by)) => {
                let (stabilized, stabilization) = memory.stabilize(spec, current, wanted, now);
                let (desired, limit) = memory.limit(spec, current, stabilized, now);
                let steps = Steps { wanted, by, stabilized, stabilization, limit };
                (Outcome::Computed(steps), desired)
            }
        }
    };
    memory.scaled(spec, current, desired, now);
    Decision { current, outcome, desired }
}

/// The largest proposal and whose it is, or how many are invalid where nothing may be done: all of
/// them, or one while the others would scale down.
fn largest(current: u32, proposals: &[Result<Proposal, Invalid>]) -> Result<(u32, usize), usize> {
    let n_invalid = proposals.iter().filter(|proposal| proposal.is_err()).count();
    let mut largest: Option<(u32, usize)> = None;
    for (idx, proposal) in proposals.iter().enumerate() {
        let Ok(proposal) = proposal else { continue };
        // A proposal of zero does not hold its place, as in the controller.
        if largest.is_none_or(|(most, _)| most == 0 || most < proposal.replicas) {
            largest = Some((proposal.replicas, idx));
        }
    }
    match largest {
        Some((most, _)) if 0 < n_invalid && most < current => Err(n_invalid),
        Some(found) => Ok(found),
        None => Err(n_invalid),
    }
}

#[cfg(test)]
mod tests;
