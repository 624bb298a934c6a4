//! What KEDA puts around an autoscaler: it wakes a target from zero (or its idle replicas) and puts
//! it to sleep again; between, the `HorizontalPodAutoscaler` that it made decides.
//!
//! A trigger is active while its value is *above* its activation threshold. KEDA looks each polling
//! interval, but only where there is something for it to do: the least is zero, or there are idle
//! replicas. Where a trigger cannot be read it says nothing to the autoscaler until it has failed
//! more than `failureThreshold` times; then it answers with a value that comes out as the fallback's
//! replicas.

use std::time::Duration;

use crate::units::UnixMicros;

/// `spec` of a `ScaledObject`, with KEDA's defaults filled in, and what its annotations ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaledObject {
    /// `pollingInterval`.
    pub polling_interval: Duration,
    /// `cooldownPeriod`.
    pub cooldown_period: Duration,
    /// `initialCooldownPeriod`.
    pub initial_cooldown_period: Duration,
    /// `idleReplicaCount`.
    pub idle_replica_count: Option<u32>,
    /// `minReplicaCount`.
    pub min_replica_count: u32,
    /// `maxReplicaCount`.
    pub max_replica_count: u32,
    /// `fallback`.
    pub fallback: Option<Fallback>,
    /// What is paused.
    pub paused: Paused,
}

/// `spec.fallback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// `failureThreshold`: it falls back after more failures in a row than this.
    pub failure_threshold: u32,
    /// `replicas`.
    pub replicas: u32,
    /// `behavior`.
    pub behavior: FallbackBehavior,
}

/// `spec.fallback.behavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FallbackBehavior {
    /// `static`: the fallback's replicas.
    #[default]
    Static,
    /// `currentReplicas`: as many as there are.
    CurrentReplicas,
    /// `currentReplicasIfHigher`: the larger of both.
    CurrentReplicasIfHigher,
    /// `currentReplicasIfLower`: the smaller of both.
    CurrentReplicasIfLower,
}

/// What annotations of `autoscaling.keda.sh/` pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paused {
    /// Nothing.
    #[default]
    Not,
    /// `paused`: everything; the autoscaler is deleted and the replicas stay as they are.
    All,
    /// `paused-replicas`: the same at so many replicas.
    At(u32),
    /// `paused-scale-in`: only the way down.
    ScaleIn,
    /// `paused-scale-out`: only the way up.
    ScaleOut,
}

/// What KEDA sees when it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Replicas that the target asks for.
    pub current: u32,
    /// Whether any trigger is active.
    pub is_active: bool,
    /// Whether any trigger could not be read.
    pub is_error: bool,
    /// `status.lastActiveTime`.
    pub last_active: Option<UnixMicros>,
    /// `metadata.creationTimestamp`.
    pub created: UnixMicros,
}

/// What KEDA does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is paused.
    Paused,
    /// Up from zero or idle to so many.
    Activate(u32),
    /// Down to so many: idle replicas, or zero.
    Deactivate(u32),
    /// Nothing until then: nothing is active, and the cooldown is not over.
    CoolsDown(UnixMicros),
    /// Up to `minReplicaCount`, which somebody went below.
    Restore(u32),
    /// Nothing: the triggers cannot be read, so that it is not known whether one is active.
    Blind,
    /// Nothing: the autoscaler decides.
    LeavesIt,
}

// === impl ScaledObject ===

impl Default for ScaledObject {
    fn default() -> Self {
        Self {
            polling_interval: Duration::from_secs(30),
            cooldown_period: Duration::from_secs(300),
            initial_cooldown_period: Duration::ZERO,
            idle_replica_count: None,
            min_replica_count: 0,
            max_replica_count: 100,
            fallback: None,
            paused: Paused::Not,
        }
    }
}

impl ScaledObject {
    /// `minReplicas` and `maxReplicas` of the autoscaler that KEDA makes: never zero, since an
    /// autoscaler cannot.
    pub fn hpa_bounds(&self) -> (u32, u32) {
        (self.min_replica_count.max(1), self.max_replica_count)
    }

    /// Whether the autoscaler exists: pausing deletes it.
    pub const fn has_hpa(&self) -> bool {
        !matches!(self.paused, Paused::All | Paused::At(_))
    }

    /// Whether KEDA itself scales, so that its polling interval matters.
    pub const fn polls(&self) -> bool {
        self.min_replica_count == 0 || self.idle_replica_count.is_some()
    }

    /// One look.
    pub fn look(&self, seen: &Seen, now: UnixMicros) -> Step {
        if !self.has_hpa() {
            return Step::Paused;
        }
        if seen.is_active {
            let sleeps = seen.current == 0
                || (self.idle_replica_count.is_some() && seen.current < self.min_replica_count);
            return match (sleeps, self.paused) {
                (true, Paused::ScaleOut) => Step::Paused,
                (true, _) => Step::Activate(self.min_replica_count.max(1)),
                (false, _) => Step::LeavesIt,
            };
        }
        if seen.is_error && self.fallback.is_none_or(|fallback| fallback.replicas != 0) {
            return Step::Blind;
        }
        let least = self.idle_replica_count.unwrap_or(self.min_replica_count);
        let can_sleep = self.polls() && least < seen.current;
        if can_sleep {
            let (since, period) = match seen.last_active {
                Some(last_active) => (last_active, self.cooldown_period),
                None => (seen.created, self.initial_cooldown_period),
            };
            let over = later(since, period);
            return match self.paused {
                Paused::ScaleIn => Step::Paused,
                _ if now.0 <= over.0 => Step::CoolsDown(over),
                _ => Step::Deactivate(least),
            };
        }
        if self.idle_replica_count.is_none() && seen.current < self.min_replica_count {
            return Step::Restore(self.min_replica_count);
        }
        Step::LeavesIt
    }
}

// === impl Fallback ===

impl Fallback {
    /// The replicas that an autoscaler is to come to after so many failures in a row; `None` while
    /// it is told nothing.
    pub fn after(&self, n_failures: u32, current: u32) -> Option<u32> {
        (self.failure_threshold < n_failures).then(|| match self.behavior {
            FallbackBehavior::Static => self.replicas,
            FallbackBehavior::CurrentReplicas => current,
            FallbackBehavior::CurrentReplicasIfHigher => current.max(self.replicas),
            FallbackBehavior::CurrentReplicasIfLower => current.min(self.replicas),
        })
    }
}

/// Whether a trigger is active; one at its threshold is not.
pub fn is_active(value: f64, activation_threshold: f64) -> bool {
    activation_threshold < value
}

fn later(stamp: UnixMicros, span: Duration) -> UnixMicros {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    UnixMicros(stamp.0.saturating_add(micros))
}
