//! What one metric proposes.
//!
//! ```text
//! ratio    = current / target
//! proposal = ceil(ratio × pods)        unless the ratio is within the tolerance of 1
//! ```
//!
//! Pods whose metric is missing count against the direction of the change: at the target (or their
//! whole request) where pods would go, at zero where pods would come. Unready pods count at zero
//! where pods would come, and not at all where they would go.

use std::time::Duration;

use crate::units::UnixMicros;

/// How far a ratio may be from 1 without a change: `--horizontal-pod-autoscaler-tolerance`, or
/// `behavior.scaleUp.tolerance` and `scaleDown.tolerance`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Below 1.
    pub down: f64,
    /// Above 1.
    pub up: f64,
}

/// What a metric is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `averageUtilization`: percent of what the pods request.
    Utilization(u32),
    /// `averageValue`: of a pod, in thousandths.
    AverageValue(i64),
    /// `value`: of all together, in thousandths.
    Value(i64),
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Usage<'a> {
    /// `Resource`, `ContainerResource` and `Pods`: each pod by itself.
    Pods(&'a [PodUsage]),
    /// `Object` and `External`: one number for all.
    Whole {
        /// In thousandths.
        usage: i64,
        /// `status.replicas` of the target.
        status_replicas: u32,
        /// Pods that run and are ready.
        ready: u32,
    },
    /// Only the average, as an autoscaler's status tells it.
    Average {
        /// Percent or thousandths, as the target.
        current: i64,
        /// Pods that were counted.
        pods: u32,
    },
}

/// What a pod uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodUsage {
    /// In thousandths; `None` is missing.
    pub usage: Option<i64>,
    /// What it requests, in thousandths; only for utilisation.
    pub request: i64,
    /// Whether it counts.
    pub standing: Standing,
}

/// Whether a pod counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Ready,
    /// It is pending, or (for CPU) not ready yet.
    Unready,
    /// It is being deleted, or failed: as if it were not there.
    Ignored,
}

/// What the controller looks at to tell a pod's standing where the metric is CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuPod {
    /// `status.startTime`.
    pub started: Option<UnixMicros>,
    /// Whether condition `Ready` is true, and since when; `None` without that condition.
    pub ready: Option<(bool, UnixMicros)>,
    /// When the sample's window ended, and its length.
    pub sample: (UnixMicros, Duration),
}

/// What a metric proposes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proposal {
    /// Replicas.
    pub replicas: u32,
    /// Current over target, of the pods that have a metric.
    pub ratio: f64,
    /// The same with the missing and unready ones filled in; `None` where there were none.
    pub filled: Option<f64>,
    /// Pods that the ratio was multiplied with.
    pub pods: u32,
    /// Why it stays as it is, if it does although the metric speaks.
    pub kept: Option<Kept>,
}

/// Why a metric proposes what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The ratio is within the tolerance of 1.
    Tolerance,
    /// With the missing and unready pods filled in it would go the other way.
    Turned,
}

/// Why a metric proposes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// No pod has a metric that counts, or it could not be read.
    NoMetric,
    /// Utilisation of pods that request nothing.
    NoRequest,
    /// A target of zero, or an average where a whole is needed.
    NoTarget,
}

/// `--horizontal-pod-autoscaler-cpu-initialization-period`.
const CPU_INITIALIZATION: Duration = Duration::from_secs(300);
/// `--horizontal-pod-autoscaler-initial-readiness-delay`.
const INITIAL_READINESS: Duration = Duration::from_secs(30);

// === impl Tolerance ===

impl Default for Tolerance {
    /// The controller's own.
    fn default() -> Self {
        Self { down: 0.1, up: 0.1 }
    }
}

impl Tolerance {
    /// Whether such a ratio changes nothing.
    pub fn admits(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

// === impl CpuPod ===

impl CpuPod {
    /// Whether its sample of CPU counts: what is burnt while a pod starts says nothing of its load.
    pub fn standing(&self, now: UnixMicros) -> Standing {
        let (Some(started), Some((is_ready, since))) = (self.started, self.ready) else {
            return Standing::Unready;
        };
        let later = |stamp: UnixMicros, span: Duration| {
            stamp.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
        };
        let (sampled, window) = self.sample;
        let is_unready = if now.0 < later(started, CPU_INITIALIZATION) {
            !is_ready || sampled.0 < later(since, window)
        } else {
            // One that was ready once counts even while it is not.
            !is_ready && since.0 < later(started, INITIAL_READINESS)
        };
        if is_unready { Standing::Unready } else { Standing::Ready }
    }
}

/// What a metric proposes, `current` replicas being asked for.
pub fn propose(
    target: Target,
    usage: Usage<'_>,
    current: u32,
    tolerance: Tolerance,
) -> Result<Proposal, Invalid> {
    let goal = match target {
        Target::Utilization(percent) => i64::from(percent),
        Target::AverageValue(value) | Target::Value(value) => value,
    };
    if goal <= 0 {
        return Err(Invalid::NoTarget);
    }
    match usage {
        Usage::Pods(pods) => each(target, pods, current, tolerance),
        Usage::Whole { usage, status_replicas, ready } => match target {
            Target::Value(_) => Ok(together(ratio(usage, goal), ready, current, tolerance)),
            Target::AverageValue(_) => Ok(shared(usage, goal, status_replicas, tolerance)),
            Target::Utilization(_) => Err(Invalid::NoTarget),
        },
        Usage::Average { current: average, pods } => {
            Ok(together(ratio(average, goal), pods, current, tolerance))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "as in the controller")]
fn ratio(usage: i64, goal: i64) -> f64 {
    usage as f64 / goal as f64
}

/// A float as a number of replicas, rounded up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(super) fn replicas(amount: f64) -> u32 {
    amount.ceil().clamp(0.0, f64::from(i32::MAX)) as u32
}

/// One ratio for all: `Value`, or what a status tells. From zero the tolerance does not count.
fn together(ratio: f64, pods: u32, current: u32, tolerance: Tolerance) -> Proposal {
    let proposal = Proposal { replicas: current, ratio, filled: None, pods, kept: None };
    if current == 0 {
        return Proposal { replicas: replicas(ratio), pods: 1, ..proposal };
    }
    if tolerance.admits(ratio) {
        return Proposal { kept: Some(Kept::Tolerance), ..proposal };
    }
    Proposal { replicas: replicas(ratio * f64::from(pods)), ..proposal }
}

/// One number that is shared by all: `AverageValue` of an `Object` or `External`. How many pods are
/// ready does not matter.
#[expect(clippy::cast_precision_loss, reason = "as in the controller")]
fn shared(usage: i64, goal: i64, status_replicas: u32, tolerance: Tolerance) -> Proposal {
    let whole = usage as f64 / goal as f64;
    if status_replicas == 0 {
        // Nothing over no pods is no ratio; the controller comes to the same.
        let (replicas, kept) = (replicas(whole), None);
        return Proposal { replicas, ratio: whole, filled: None, pods: 0, kept };
    }
    let ratio = usage as f64 / (goal as f64 * f64::from(status_replicas));
    let (pods, kept) = (status_replicas, tolerance.admits(ratio).then_some(Kept::Tolerance));
    let wanted = replicas(whole);
    let replicas = if kept.is_some() { status_replicas } else { wanted };
    Proposal { replicas, ratio, filled: None, pods, kept }
}

/// What was used by how many, out of what they request.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    usage: i64,
    request: i64,
    pods: u32,
}

impl Sum {
    fn add(&mut self, usage: i64, request: i64) {
        self.usage = self.usage.saturating_add(usage);
        self.request = self.request.saturating_add(request);
        self.pods += 1;
    }

    /// Current over target; the current value is cut to whole percents or thousandths.
    fn ratio(self, target: Target) -> Result<f64, Invalid> {
        match target {
            Target::Utilization(percent) => {
                let share = self.usage.saturating_mul(100).checked_div(self.request);
                Ok(ratio(share.ok_or(Invalid::NoRequest)?, percent.into()))
            }
            Target::AverageValue(goal) => {
                let average = self.usage.checked_div(self.pods.into());
                Ok(ratio(average.ok_or(Invalid::NoMetric)?, goal))
            }
            Target::Value(_) => Err(Invalid::NoTarget),
        }
    }
}

/// Each pod by itself.
fn each(
    target: Target,
    pods: &[PodUsage],
    current: u32,
    tolerance: Tolerance,
) -> Result<Proposal, Invalid> {
    let counted = pods.iter().filter(|pod| pod.standing != Standing::Ignored);
    let (mut sum, mut unready, mut missing) = (Sum::default(), Vec::new(), Vec::new());
    for pod in counted {
        match (pod.standing, pod.usage) {
            (Standing::Unready, _) => unready.push(pod),
            (_, None) => missing.push(pod),
            (_, Some(usage)) => sum.add(usage, pod.request),
        }
    }
    if sum.pods == 0 {
        return Err(Invalid::NoMetric);
    }
    let first = sum.ratio(target)?;
    let comes_unready = !unready.is_empty() && 1.0 < first;
    let proposal =
        Proposal { replicas: current, ratio: first, filled: None, pods: sum.pods, kept: None };
    if !comes_unready && missing.is_empty() {
        if tolerance.admits(first) {
            return Ok(Proposal { kept: Some(Kept::Tolerance), ..proposal });
        }
        return Ok(Proposal { replicas: replicas(first * f64::from(sum.pods)), ..proposal });
    }
    // At exactly 1 nothing is filled in.
    if first < 1.0 {
        for pod in &missing {
            sum.add(at_worst(target, pod.request), pod.request);
        }
    } else if 1.0 < first {
        for pod in missing.iter().chain(&unready) {
            sum.add(0, pod.request);
        }
    }
    let filled = sum.ratio(target)?;
    let proposal = Proposal { filled: Some(filled), pods: sum.pods, ..proposal };
    if tolerance.admits(filled) {
        return Ok(Proposal { kept: Some(Kept::Tolerance), ..proposal });
    }
    let wanted = replicas(filled * f64::from(sum.pods));
    let turns = (first < 1.0 && 1.0 < filled)
        || (1.0 < first && filled < 1.0)
        || (filled < 1.0 && current < wanted)
        || (1.0 < filled && wanted < current);
    if turns {
        return Ok(Proposal { kept: Some(Kept::Turned), ..proposal });
    }
    Ok(Proposal { replicas: wanted, ..proposal })
}

/// What a pod without a metric is taken to use where pods would go.
fn at_worst(target: Target, request: i64) -> i64 {
    match target {
        Target::Utilization(percent) => request.saturating_mul(percent.max(100).into()) / 100,
        Target::AverageValue(value) | Target::Value(value) => value,
    }
}
