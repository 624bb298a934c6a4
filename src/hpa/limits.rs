//! What becomes of a wish: stabilisation windows, rates, bounds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::At;

use super::Spec;
use super::proposal::replicas;

/// Recommendations and changes that are remembered at most; a sync comes every fifteen seconds and
/// no window is longer than an hour.
const REMEMBERED_MAX: usize = 4096;
/// The longest window and period that Kubernetes admits, for what is no longer of any use.
const LONGEST: Duration = Duration::from_secs(3600);
/// `--horizontal-pod-autoscaler-downscale-stabilization`.
pub const DOWNSCALE_STABILIZATION: Duration = Duration::from_secs(300);

/// `spec.behavior`, with Kubernetes' defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Behavior {
    /// `scaleUp`.
    pub scale_up: Rules,
    /// `scaleDown`.
    pub scale_down: Rules,
}

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// `stabilizationWindowSeconds`.
    pub window: Duration,
    /// `selectPolicy`.
    pub select: Select,
    /// `policies`.
    pub policies: Vec<Policy>,
}

/// Which policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Select {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// How much may change in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Pods or percent.
    pub kind: PolicyKind,
    /// So many.
    pub value: u32,
    /// `periodSeconds`.
    pub period: Duration,
}

/// What a policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Pods.
    Pods,
    /// Percent of the replicas at the beginning of the period.
    Percent,
}

/// Which window held a wish back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stabilized {
    /// `ScaleUpStabilized`: less was wanted a while ago.
    Up,
    /// `ScaleDownStabilized`: more was wanted a while ago.
    Down,
}

/// What limited a wish, under the reason that condition `ScalingLimited` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `minReplicas`.
    TooFewReplicas,
    /// `maxReplicas`.
    TooManyReplicas,
    /// It would grow too fast.
    ScaleUpLimit,
    /// It would shrink too fast.
    ScaleDownLimit,
}

/// What the controller remembers from sync to sync.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// What was wanted, before any window or limit.
    recommendations: VecDeque<(At, u32)>,
    /// Replicas that were added.
    added: VecDeque<(At, u32)>,
    /// Replicas that were taken away.
    removed: VecDeque<(At, u32)>,
}

// === impl Rules ===

impl Rules {
    /// What `behavior.scaleUp` is where it says nothing: no window, and twice as many or four more
    /// each fifteen seconds.
    pub fn up() -> Self {
        let period = Duration::from_secs(15);
        Self {
            window: Duration::ZERO,
            select: Select::Max,
            policies: vec![
                Policy { kind: PolicyKind::Pods, value: 4, period },
                Policy { kind: PolicyKind::Percent, value: 100, period },
            ],
        }
    }

    /// What `behavior.scaleDown` is where it says nothing: five minutes, then all at once.
    pub fn down() -> Self {
        let period = Duration::from_secs(15);
        Self {
            window: DOWNSCALE_STABILIZATION,
            select: Select::Max,
            policies: vec![Policy { kind: PolicyKind::Percent, value: 100, period }],
        }
    }
}

// === impl Limit ===

impl Limit {
    /// The reason of condition `ScalingLimited`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooFewReplicas => "TooFewReplicas",
            Self::TooManyReplicas => "TooManyReplicas",
            Self::ScaleUpLimit => "ScaleUpLimit",
            Self::ScaleDownLimit => "ScaleDownLimit",
        }
    }
}

// === impl Memory ===

impl Memory {
    /// The first sync remembers what there is as if it had been wanted.
    pub(super) fn begin(&mut self, current: u32, now: At) {
        if self.recommendations.is_empty() {
            self.recommend(current, now);
        }
    }

    /// Remembers what was wanted at `now`.
    pub fn recommend(&mut self, wanted: u32, now: At) {
        remember(&mut self.recommendations, (now, wanted), now);
    }

    /// Remembers a change of replicas; only a behaviour's policies ask for it.
    pub(super) fn scaled(&mut self, spec: &Spec, from: u32, to: u32, now: At) {
        if spec.behavior.is_none() {
            return;
        }
        if from < to {
            remember(&mut self.added, (now, to - from), now);
        } else if to < from {
            remember(&mut self.removed, (now, from - to), now);
        }
    }

    /// What the windows make of a wish: up only as far as the least that was wanted lately, down
    /// only as far as the most.
    pub(super) fn stabilize(
        &mut self,
        spec: &Spec,
        current: u32,
        wanted: u32,
        now: At,
    ) -> (u32, Option<Stabilized>) {
        let Some(behavior) = &spec.behavior else {
            let kept = self.recent(DOWNSCALE_STABILIZATION, now, Edge::Counts);
            let most = kept.fold(wanted, u32::max);
            self.recommend(wanted, now);
            return (most, (most != wanted).then_some(Stabilized::Down));
        };
        let up = self.recent(behavior.scale_up.window, now, Edge::IsOut).fold(wanted, u32::min);
        let down = self.recent(behavior.scale_down.window, now, Edge::IsOut).fold(wanted, u32::max);
        self.recommend(wanted, now);
        // Both windows hold `wanted`, so the lower limit is never above the upper one.
        let stabilized = current.max(up).min(down);
        let which = if current <= wanted { Stabilized::Up } else { Stabilized::Down };
        (stabilized, (stabilized != wanted).then_some(which))
    }

    fn recent(&self, window: Duration, now: At, edge: Edge) -> impl Iterator<Item = u32> {
        let recent = self.recommendations.iter().filter(move |(at, _)| {
            let age = now.since(*at);
            age < window || (age == window && edge == Edge::Counts)
        });
        recent.map(|(_, wanted)| *wanted)
    }

    /// What rates and bounds make of a wish.
    pub(super) fn limit(
        &self,
        spec: &Spec,
        current: u32,
        wanted: u32,
        now: At,
    ) -> (u32, Option<Limit>) {
        let Some(behavior) = &spec.behavior else { return without_behavior(spec, current, wanted) };
        if current < wanted {
            let fastest = self.most(&behavior.scale_up, current, now).max(current);
            let (most, limit) = if fastest < spec.max_replicas {
                (fastest, Limit::ScaleUpLimit)
            } else {
                (spec.max_replicas, Limit::TooManyReplicas)
            };
            return if most < wanted { (most, Some(limit)) } else { (wanted, None) };
        }
        if wanted < current {
            let fastest = self.fewest(&behavior.scale_down, current, now).min(current);
            let (least, limit) = if spec.min_replicas < fastest {
                (fastest, Limit::ScaleDownLimit)
            } else {
                (spec.min_replicas, Limit::TooFewReplicas)
            };
            return if wanted < least { (least, Some(limit)) } else { (wanted, None) };
        }
        (wanted, None)
    }

    /// The most that the policies allow.
    fn most(&self, rules: &Rules, current: u32, now: At) -> u32 {
        let allowed = rules.policies.iter().map(|policy| {
            let began = self.began(current, policy.period, now);
            match policy.kind {
                PolicyKind::Pods => replicas(began + f64::from(policy.value)),
                // Rounded up, or one replica would stay one for ever.
                PolicyKind::Percent => replicas(began * (1.0 + f64::from(policy.value) / 100.0)),
            }
        });
        match rules.select {
            Select::Disabled => current,
            Select::Max => allowed.max().unwrap_or(current),
            Select::Min => allowed.min().unwrap_or(u32::MAX),
        }
    }

    /// The fewest that the policies allow.
    fn fewest(&self, rules: &Rules, current: u32, now: At) -> u32 {
        let allowed = rules.policies.iter().map(|policy| {
            let began = self.began(current, policy.period, now);
            let left = match policy.kind {
                PolicyKind::Pods => began - f64::from(policy.value),
                PolicyKind::Percent => began * (1.0 - f64::from(policy.value) / 100.0),
            };
            replicas(left.trunc())
        });
        match rules.select {
            Select::Disabled => current,
            Select::Max => allowed.min().unwrap_or(current),
            Select::Min => allowed.max().unwrap_or(0),
        }
    }

    /// Replicas at the beginning of the period.
    fn began(&self, current: u32, period: Duration, now: At) -> f64 {
        let sum = |changes: &VecDeque<(At, u32)>| -> f64 {
            let recent = changes.iter().filter(|(at, _)| now.since(*at) < period);
            recent.map(|(_, n)| f64::from(*n)).sum()
        };
        f64::from(current) - sum(&self.added) + sum(&self.removed)
    }

    /// From when on the windows let replicas go below `current`, if what is wanted now stays
    /// wanted. `None`: it is not held, or nothing less is wanted.
    pub fn falls_at(&self, window: Duration, current: u32) -> Option<At> {
        let (_, newest) = self.recommendations.back()?;
        if current <= *newest {
            return None;
        }
        let last = self.recommendations.iter().rev().find(|(_, wanted)| current <= *wanted);
        last.map(|(at, _)| *at + window)
    }
}

/// Whether what is exactly as old as the window still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Counts,
    IsOut,
}

fn remember(list: &mut VecDeque<(At, u32)>, one: (At, u32), now: At) {
    while list.front().is_some_and(|(at, _)| LONGEST < now.since(*at))
        || REMEMBERED_MAX <= list.len()
    {
        list.pop_front();
    }
    list.push_back(one);
}

/// The rule of autoscalers without a behaviour: up to twice as many, or four.
fn without_behavior(spec: &Spec, current: u32, wanted: u32) -> (u32, Option<Limit>) {
    let fastest = current.saturating_mul(2).max(4);
    let (most, limit) = if fastest < spec.max_replicas {
        (fastest, Limit::ScaleUpLimit)
    } else {
        (spec.max_replicas, Limit::TooManyReplicas)
    };
    if wanted < spec.min_replicas {
        (spec.min_replicas, Some(Limit::TooFewReplicas))
    } else if most < wanted {
        (most, Some(limit))
    } else {
        (wanted, None)
    }
}
