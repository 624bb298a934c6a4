//! From what the decider wants to replicas: bounds, the way to zero, the mode, the status.
//!
//! This is what Knative does whenever something about a `PodAutoscaler` changes. It remembers only
//! the status, as Knative does, and says when it wants to be asked again.

use std::time::Duration;

use crate::units::At;

use super::Config;
use super::Mode;
use super::burst;

/// Beyond the progress deadline, so that the revision's own diagnosis comes first.
const ACTIVATION_BUFFER: Duration = Duration::from_secs(30);

/// The mode does not change and so will not ask again by itself.
const AGAIN_IN_PROXY_MODE: Duration = Duration::from_secs(3);

/// Until the next probe whether the activator stands before the pods.
const AGAIN_UNTIL_BACKED: Duration = Duration::from_secs(1);

/// A `PodAutoscaler`'s status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Condition `Active`.
    pub active: Active,
    /// When `active` last changed.
    pub since: At,
    /// Condition `ScaleTargetInitialized`: there once were as many pods as it begins with.
    pub initialized: bool,
    /// `desiredScale`: after bounds; `None`: not known yet.
    pub desired_scale: Option<u32>,
    /// `actualScale`: ready pods.
    pub actual_scale: u32,
}

/// Condition `Active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    /// `Unknown`, reason `Queued`: pods are wanted and not there yet.
    Activating,
    /// `True`.
    Active,
    /// `False`.
    Inactive(Inactive),
}

/// Why a revision is inactive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// Reason `NoTraffic`.
    NoTraffic,
    /// Reason `TimedOut`: it did not become active in time.
    TimedOut,
}

/// What a reconciliation sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What the decider wants; `None`: no data yet.
    pub desired: Option<u32>,
    /// Its excess burst capacity.
    pub excess_burst_capacity: i32,
    /// Ready pods.
    pub ready: u32,
    /// Replicas that the deployment asks for.
    pub replicas: u32,
    /// The mode asked for last.
    pub mode: Mode,
    /// Since when requests pass the activator in fact; `None`: they do not.
    pub proxying_since: Option<At>,
}

/// What a reconciliation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The scale after bounds and the way to zero; `None`: unknown.
    pub want: Option<u32>,
    /// Replicas to ask for, if they are to change.
    pub scale_to: Option<u32>,
    /// What stood between a wished zero and zero replicas.
    pub gate: Gate,
    /// The mode to ask for.
    pub mode: Mode,
    /// The activators to ask for.
    pub n_activators: u32,
    /// Ask again after this, even if nothing happens.
    pub again: Option<Duration>,
    /// The status from now on.
    pub status: Status,
}

/// The way to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// There is nothing to decide on yet.
    Unknown,
    /// Zero is not wanted.
    Wanted,
    /// Zero is not allowed in this cluster: one pod stays.
    Disabled,
    /// It waits for the revision to become active first.
    Activating,
    /// The revision did not become active within this time: to zero.
    TimedOut(Duration),
    /// Active for this long without traffic: it becomes inactive, pods stay for now.
    Deactivate(Duration),
    /// Active, but not for a stable window: one pod stays for this long.
    Sleep(Duration),
    /// The activator is not in the path yet.
    NotBacked,
    /// Inactive for long enough: to zero.
    Idle,
    /// Inactive for the first, while the last pod is kept for the second.
    Retained(Duration, Duration),
    /// The activator has been in the path for this long: to zero.
    FastPath(Duration),
    /// The activator has not been in the path for long enough: this is missing.
    Wait(Duration),
}

// === impl Status ===

impl Status {
    /// The status of a `PodAutoscaler` created at `now`.
    pub const fn new(now: At) -> Self {
        Self {
            active: Active::Activating,
            since: now,
            initialized: false,
            desired_scale: None,
            actual_scale: 0,
        }
    }

    /// Whether condition `Active` is false.
    pub const fn is_inactive(&self) -> bool {
        matches!(self.active, Active::Inactive(_))
    }

    fn mark(&mut self, active: Active, now: At) {
        let is_same = match active {
            Active::Inactive(_) => self.is_inactive(),
            other => self.active == other,
        };
        if !is_same {
            self.since = now;
        }
        self.active = active;
    }

    /// The status after `want` pods were wanted and `ready` are there.
    fn next(mut self, config: &Config, want: Option<u32>, ready: u32, now: At) -> Self {
        let threshold = if self.initialized {
            config.min_scale_in_force().max(1)
        } else {
            config.min_scale_in_force().max(config.initial_scale)
        };
        self.actual_scale = ready;
        self.desired_scale = want.or(self.desired_scale);
        self.initialized |= threshold <= ready;
        let is_wanted = want.is_some_and(|want| 0 < want) || !self.is_inactive();
        if want == Some(0) || threshold == 0 {
            let why = if self.active == Active::Activating && 0 < threshold {
                Inactive::TimedOut
            } else {
                Inactive::NoTraffic
            };
            self.mark(Active::Inactive(why), now);
        } else if ready < threshold {
            let active =
                if is_wanted { Active::Activating } else { Active::Inactive(Inactive::NoTraffic) };
            self.mark(active, now);
        } else if is_wanted {
            self.mark(Active::Active, now);
        }
        self
    }
}

// === impl Gate ===

impl Gate {
    /// Whether it was asked for and found that the activator stands before an inactive revision.
    pub const fn is_backed(self) -> bool {
        matches!(self, Self::Idle | Self::Retained(..) | Self::FastPath(_) | Self::Wait(_))
    }

    /// Whether the scale is applied, and not only wished for.
    const fn applies(self) -> bool {
        match self {
            Self::Wanted
            | Self::Disabled
            | Self::TimedOut(_)
            | Self::Sleep(_)
            | Self::Idle
            | Self::FastPath(_) => true,
            Self::Unknown
            | Self::Activating
            | Self::Deactivate(_)
            | Self::NotBacked
            | Self::Retained(..)
            | Self::Wait(_) => false,
        }
    }
}

/// One reconciliation.
pub fn reconcile(config: &Config, status: &Status, seen: &Seen, now: At) -> Outcome {
    let bounded = match seen.desired {
        None if status.active != Active::Activating => None,
        // While it activates, unknown stands for none, and the bounds make something of it.
        desired => Some(bound(config, status, desired.unwrap_or(0))),
    };
    let (gate, again) = match bounded {
        None => (Gate::Unknown, None),
        Some(0) => way_to_zero(config, status, seen, now),
        Some(_) => (Gate::Wanted, None),
    };
    let want = match gate {
        Gate::Unknown | Gate::Activating => None,
        Gate::Disabled | Gate::Sleep(_) => Some(1),
        _ => bounded,
    };
    Outcome {
        want,
        scale_to: want.filter(|want| gate.applies() && *want != seen.replicas),
        gate,
        mode: burst::mode(want, seen.excess_burst_capacity),
        n_activators: burst::n_activators(config, seen.ready),
        again,
        status: status.next(config, want, seen.ready, now),
    }
}

/// `desired` within `min-scale` and `max-scale`; a revision that never had them begins with
/// `initial-scale` pods at least.
pub fn bound(config: &Config, status: &Status, desired: u32) -> u32 {
    let mut least = config.min_scale_in_force();
    if 1 < config.initial_scale && !status.initialized && config.reachable {
        least = least.max(config.initial_scale);
    }
    if desired < least {
        return least;
    }
    desired.min(config.max_scale.unwrap_or(u32::MAX))
}

fn way_to_zero(config: &Config, status: &Status, seen: &Seen, now: At) -> (Gate, Option<Duration>) {
    if !config.enable_scale_to_zero {
        return (Gate::Disabled, None);
    }
    let so_long = now.since(status.since);
    match status.active {
        Active::Activating => {
            let timeout = config.progress_deadline + ACTIVATION_BUFFER;
            if timeout < so_long {
                (Gate::TimedOut(timeout), None)
            } else {
                (Gate::Activating, Some(timeout))
            }
        }
        Active::Active if config.stable_window <= so_long => {
            let again = (seen.mode == Mode::Proxy).then_some(AGAIN_IN_PROXY_MODE);
            (Gate::Deactivate(so_long), again)
        }
        Active::Active => {
            let missing = config.stable_window.saturating_sub(so_long);
            (Gate::Sleep(missing), Some(missing))
        }
        Active::Inactive(_) => last_pod(config, seen, so_long, now),
    }
}

/// The last pod of an inactive revision goes when the activator stands before it.
fn last_pod(
    config: &Config,
    seen: &Seen,
    inactive_for: Duration,
    now: At,
) -> (Gate, Option<Duration>) {
    // With an unlimited burst capacity the activator is always there, and is not probed for.
    if config.scraped() && seen.proxying_since.is_none() {
        return (Gate::NotBacked, Some(AGAIN_UNTIL_BACKED));
    }
    let retention =
        if config.reachable { config.scale_to_zero_pod_retention_period } else { Duration::ZERO };
    let grace = config.scale_to_zero_grace_period;
    if grace.max(retention) <= inactive_for {
        return (Gate::Idle, None);
    }
    if inactive_for < retention {
        return (
            Gate::Retained(inactive_for, retention),
            Some(retention.saturating_sub(inactive_for)),
        );
    }
    let proxy_for = seen.proxying_since.map_or(Duration::ZERO, |since| now.since(since));
    if grace <= proxy_for {
        return (Gate::FastPath(proxy_for), None);
    }
    let missing = grace.saturating_sub(proxy_for);
    (Gate::Wait(missing), Some(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(desired: u32, ready: u32, proxying_since: Option<At>) -> Seen {
        Seen {
            desired: Some(desired),
            excess_burst_capacity: -111,
            ready,
            replicas: ready,
            mode: Mode::Proxy,
            proxying_since,
        }
    }

    fn status(active: Active, since: u64) -> Status {
        Status {
            active,
            since: At::from_secs(since),
            initialized: true,
            desired_scale: Some(1),
            actual_scale: 1,
        }
    }

    const NO_TRAFFIC: Active = Active::Inactive(Inactive::NoTraffic);

    #[test]
    fn bounds_hold_what_is_wanted() {
        for (min, max, initial, initialized, reachable, desired, expected) in [
            (0, None, 1, true, true, 7, 7),
            (2, None, 1, true, true, 0, 2),
            (2, None, 1, true, false, 0, 0),
            (0, Some(10), 1, true, true, 29, 10),
            (0, Some(10), 1, true, false, 29, 10),
            (0, None, 3, false, true, 1, 3),
            (0, None, 3, false, false, 1, 1),
            (0, None, 3, true, true, 1, 1),
            (5, Some(4), 1, true, true, 3, 5),
        ] {
            let config = Config {
                min_scale: min,
                max_scale: max,
                initial_scale: initial,
                reachable,
                ..Config::default()
            };
            let status = Status { initialized, ..status(Active::Active, 0) };
            assert_eq!(bound(&config, &status, desired), expected, "{min} {max:?} {desired}");
        }
    }

    #[test]
    fn the_way_to_zero_has_gates() {
        let secs = Duration::from_secs;
        let config = Config::default();
        let disabled = Config { enable_scale_to_zero: false, ..Config::default() };
        let retained = Config { scale_to_zero_pod_retention_period: secs(40), ..Config::default() };
        let unlimited = Config { target_burst_capacity: -1.0, ..Config::default() };
        let long_ago = Some(At::ZERO);
        for (config, active, since, proxying, now, gate, to, again) in [
            (&disabled, Active::Active, 0, long_ago, 900, Gate::Disabled, None, None),
            (&config, Active::Activating, 0, long_ago, 630, Gate::Activating, None, Some(630)),
            (
                &config,
                Active::Activating,
                0,
                long_ago,
                631,
                Gate::TimedOut(secs(630)),
                Some(0),
                None,
            ),
            (&config, Active::Active, 0, long_ago, 60, Gate::Deactivate(secs(60)), None, Some(3)),
            (&config, Active::Active, 0, long_ago, 50, Gate::Sleep(secs(10)), None, Some(10)),
            (&config, NO_TRAFFIC, 100, None, 103, Gate::NotBacked, None, Some(1)),
            (&config, NO_TRAFFIC, 100, long_ago, 103, Gate::FastPath(secs(103)), Some(0), None),
            (
                &config,
                NO_TRAFFIC,
                100,
                Some(At::from_secs(101)),
                103,
                Gate::Wait(secs(28)),
                None,
                Some(28),
            ),
            (&config, NO_TRAFFIC, 100, Some(At::from_secs(129)), 130, Gate::Idle, Some(0), None),
            (
                &retained,
                NO_TRAFFIC,
                100,
                long_ago,
                130,
                Gate::Retained(secs(30), secs(40)),
                None,
                Some(10),
            ),
            (&retained, NO_TRAFFIC, 100, long_ago, 140, Gate::Idle, Some(0), None),
            (&unlimited, NO_TRAFFIC, 100, None, 103, Gate::Wait(secs(30)), None, Some(30)),
        ] {
            let outcome = reconcile(
                config,
                &status(active, since),
                &seen(0, 1, proxying),
                At::from_secs(now),
            );
            assert_eq!(outcome.gate, gate);
            assert_eq!(outcome.scale_to, to, "{gate:?}");
            assert_eq!(outcome.again, again.map(secs), "{gate:?}");
            assert_eq!(outcome.mode, Mode::Proxy, "{gate:?}");
        }
    }

    #[test]
    fn the_condition_follows_want_and_ready() {
        for (before, want, ready, after) in [
            (Active::Active, Some(0), 1, NO_TRAFFIC),
            (Active::Activating, Some(0), 0, Active::Inactive(Inactive::TimedOut)),
            (NO_TRAFFIC, Some(3), 0, Active::Activating),
            (Active::Active, Some(3), 0, Active::Activating),
            (Active::Activating, Some(3), 1, Active::Active),
            (NO_TRAFFIC, None, 0, NO_TRAFFIC),
            (Active::Activating, None, 0, Active::Activating),
            (Active::Active, None, 0, Active::Activating),
            (NO_TRAFFIC, None, 1, NO_TRAFFIC),
            (Active::Activating, None, 1, Active::Active),
            (Active::Active, None, 1, Active::Active),
        ] {
            let now = At::from_secs(9);
            let next = status(before, 0).next(&Config::default(), want, ready, now);
            assert_eq!(next.active, after, "{before:?} {want:?} {ready}");
            let is_new = before != after;
            assert_eq!(next.since, if is_new { now } else { At::ZERO }, "{before:?} {want:?}");
            assert_eq!(next.desired_scale, want.or(Some(1)), "unknown overwrites nothing");
        }
    }

    #[test]
    fn a_revision_without_initial_pods_begins_inactive() {
        let config = Config { initial_scale: 0, ..Config::default() };
        let seen = Seen { desired: None, ..seen(0, 0, None) };
        let first = reconcile(&config, &Status::new(At::ZERO), &seen, At::ZERO);
        assert_eq!((first.want, first.status.active), (None, NO_TRAFFIC));
        let second = reconcile(&config, &first.status, &seen, At::from_secs(1));
        assert_eq!((second.gate, second.status.active), (Gate::Unknown, NO_TRAFFIC));
    }
}
