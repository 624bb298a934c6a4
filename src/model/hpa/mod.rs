//! Scaling by a `HorizontalPodAutoscaler`: what its status told over time, and what its controller
//! must have reckoned with.
//!
//! A status tells averages and the outcome, not what each pod uses nor what the controller
//! remembers. So what a metric proposed is reckoned from its average (`hpa::propose`), and how long
//! a stabilisation window still holds from the proposals that we saw.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::cluster::Condition;
use crate::event::cluster::Name;
use crate::event::cluster::PodAutoscaler;
use crate::event::cluster::Status;
use crate::event::hpa::Amount;
use crate::event::hpa::Behavior as SeenBehavior;
use crate::event::hpa::HorizontalPodAutoscaler;
use crate::event::hpa::Metric;
use crate::event::hpa::MetricKind;
use crate::event::hpa::Rules as SeenRules;
use crate::event::hpa::ScaledObject;
use crate::hpa;
use crate::hpa::Invalid;
use crate::hpa::Memory;
use crate::hpa::Policy;
use crate::hpa::PolicyKind;
use crate::hpa::Proposal;
use crate::hpa::Rules;
use crate::hpa::Select;
use crate::hpa::Target;
use crate::hpa::Tolerance;
use crate::hpa::Usage;
use crate::hpa::keda;
use crate::hpa::keda::FallbackBehavior;
use crate::hpa::keda::Paused;
use crate::hpa::keda::Seen;
use crate::hpa::keda::Step;
use crate::hpa::limits::DOWNSCALE_STABILIZATION;
use crate::series::Series;
use crate::units::At;
use crate::units::UnixMicros;

use super::cluster::Cluster;

/// Autoscalers that are kept.
const AUTOSCALERS_MAX: usize = 2000;
/// Metrics of an autoscaler that have a line.
const METRICS_MAX: usize = 4;

/// All autoscalers' scaling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hpas {
    by_name: BTreeMap<Name, HpaScaling>,
}

/// One autoscaler's scaling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HpaScaling {
    /// The metrics in the order of the spec.
    pub metrics: Vec<MetricSeries>,
    /// `status.currentReplicas`.
    pub current: Series,
    /// `status.desiredReplicas`.
    pub desired: Series,
    /// What each metric must have proposed at the last sync that we saw, in the order of the spec.
    pub proposals: Vec<Result<Proposal, Invalid>>,
    is_gone: bool,
    memory: Memory,
}

/// One metric over time, in percent or in the metric's own unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricSeries {
    /// What it is.
    pub current: Series,
    /// What it is to be.
    pub target: Series,
}

/// Who scales a revision, or a plain Deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Knative's own autoscaler.
    Kpa,
    /// A `HorizontalPodAutoscaler`.
    Hpa,
    /// A `HorizontalPodAutoscaler` that KEDA made.
    Keda,
}

// === impl Class ===

impl Class {
    /// Its name, as the class annotation begins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kpa => "kpa",
            Self::Hpa => "hpa",
            Self::Keda => "keda",
        }
    }
}

// === impl Hpas ===

impl Hpas {
    /// The scaling of an autoscaler.
    pub fn get(&self, name: &Name) -> Option<&HpaScaling> {
        self.by_name.get(name)
    }

    pub(super) fn seen(
        &mut self,
        at: At,
        autoscaler: &HorizontalPodAutoscaler,
        ready: Option<u32>,
    ) {
        let id = &autoscaler.id;
        let name = Name { namespace: id.namespace.clone(), name: id.name.clone() };
        if AUTOSCALERS_MAX <= self.by_name.len() && !self.by_name.contains_key(&name) {
            // One that is gone makes room.
            let gone = self.by_name.iter().find(|(_, it)| it.is_gone).map(|(name, _)| name.clone());
            let Some(gone) = gone else { return };
            self.by_name.remove(&gone);
        }
        self.by_name.entry(name).or_default().seen(at, autoscaler, ready);
    }

    pub(super) fn gone(&mut self, at: At, name: &Name) {
        // One that is paused by KEDA comes back under the same name.
        if let Some(scaling) = self.by_name.get_mut(name) {
            scaling.gone(at);
        }
    }
}

// === impl HpaScaling ===

impl HpaScaling {
    fn seen(&mut self, at: At, autoscaler: &HorizontalPodAutoscaler, ready: Option<u32>) {
        self.is_gone = false;
        self.current.set(at, autoscaler.current_replicas.map(f64::from));
        self.desired.set(at, autoscaler.desired_replicas.map(f64::from));
        let n_metrics = autoscaler.metrics.len().min(METRICS_MAX);
        self.metrics.resize_with(n_metrics, MetricSeries::default);
        for (series, metric) in self.metrics.iter_mut().zip(&autoscaler.metrics) {
            let (current, target) = values(metric);
            series.current.set(at, current);
            series.target.set(at, target);
        }
        let wanted_before = self.wanted();
        let n_pods = ready.or(autoscaler.current_replicas);
        self.proposals =
            autoscaler.metrics.iter().map(|metric| proposal(metric, autoscaler, n_pods)).collect();
        // A status that did not change was reckoned again and again until now.
        for wanted in [wanted_before, self.wanted()].into_iter().flatten() {
            self.memory.recommend(wanted, at);
        }
    }

    fn gone(&mut self, at: At) {
        self.is_gone = true;
        for series in [&mut self.current, &mut self.desired] {
            series.gap(at);
        }
        for metric in &mut self.metrics {
            metric.current.gap(at);
            metric.target.gap(at);
        }
        self.proposals.clear();
        self.memory = Memory::default();
    }

    /// The largest proposal of the last sync that we saw; `None` if no metric was valid.
    pub fn wanted(&self) -> Option<u32> {
        self.proposals.iter().flatten().map(|proposal| proposal.replicas).max()
    }

    /// The metric that proposed most, counted from zero.
    pub fn leading(&self) -> Option<usize> {
        let proposed = self.proposals.iter().enumerate();
        let ratio = |(idx, proposal): (usize, &Result<Proposal, Invalid>)| {
            Some((idx, proposal.as_ref().ok()?.ratio))
        };
        let most = proposed.filter_map(ratio).max_by(|a, b| a.1.total_cmp(&b.1));
        most.map(|(idx, _)| idx)
    }

    /// Until when the window for scaling down holds the replicas that there are, if fewer are
    /// wanted. At the latest: the controller looks every fifteen seconds, so what it remembers may
    /// be that much older.
    pub fn held_until(&self, autoscaler: &HorizontalPodAutoscaler) -> Option<At> {
        let current = autoscaler.current_replicas?;
        self.memory.falls_at(down_window(autoscaler), current)
    }
}

/// The stabilisation window for scaling down that is in force.
pub fn down_window(autoscaler: &HorizontalPodAutoscaler) -> Duration {
    let rules = autoscaler.behavior.as_ref().and_then(|behavior| behavior.scale_down.as_ref());
    let seconds = rules.and_then(|rules| rules.window_s);
    seconds.map_or(DOWNSCALE_STABILIZATION, |seconds| Duration::from_secs(seconds.into()))
}

/// A metric's value and target, in percent or in its own unit.
fn values(metric: &Metric) -> (Option<f64>, Option<f64>) {
    let amount = |amount: &Option<Amount>| amount.as_ref().and_then(Amount::value);
    if let Some(target) = metric.target_utilization {
        return (metric.current_utilization.map(f64::from), Some(f64::from(target)));
    }
    if metric.target_average.is_some() {
        return (amount(&metric.current_average), amount(&metric.target_average));
    }
    (amount(&metric.current_value), amount(&metric.target_value))
}

/// What a metric must have proposed, from what the status tells.
fn proposal(
    metric: &Metric,
    autoscaler: &HorizontalPodAutoscaler,
    n_pods: Option<u32>,
) -> Result<Proposal, Invalid> {
    let current = autoscaler.current_replicas.ok_or(Invalid::NoMetric)?;
    let pods = n_pods.unwrap_or(current);
    let amount = |amount: &Option<Amount>| amount.as_ref().and_then(Amount::thousandths);
    let tolerance = tolerance(autoscaler);
    if let Some(percent) = metric.target_utilization {
        let average = metric.current_utilization.ok_or(Invalid::NoMetric)?;
        let usage = Usage::Average { current: average.into(), pods };
        return hpa::propose(Target::Utilization(percent), usage, current, tolerance);
    }
    if let Some(target) = amount(&metric.target_average) {
        let average = amount(&metric.current_average).ok_or(Invalid::NoMetric)?;
        let usage = match metric.kind {
            MetricKind::External | MetricKind::Object => Usage::Whole {
                usage: whole(average, current),
                status_replicas: current,
                ready: pods,
            },
            _ => Usage::Average { current: average, pods },
        };
        return hpa::propose(Target::AverageValue(target), usage, current, tolerance);
    }
    let target = amount(&metric.target_value).ok_or(Invalid::NoTarget)?;
    let usage = amount(&metric.current_value).ok_or(Invalid::NoMetric)?;
    let usage = Usage::Whole { usage, status_replicas: current, ready: pods };
    hpa::propose(Target::Value(target), usage, current, tolerance)
}

/// The whole of which the average was rounded up: the least that it can have been, which is the
/// whole itself where that is a number of few digits.
fn whole(average: i64, replicas: u32) -> i64 {
    let above = average.saturating_sub(1).saturating_mul(replicas.into());
    if average <= 0 { 0 } else { above.saturating_add(1) }
}

fn tolerance(autoscaler: &HorizontalPodAutoscaler) -> Tolerance {
    let own = |rules: fn(&SeenBehavior) -> Option<&SeenRules>| {
        rules(autoscaler.behavior.as_ref()?)?.tolerance.as_ref()?.value()
    };
    let plain = Tolerance::default();
    Tolerance {
        down: own(|behavior| behavior.scale_down.as_ref()).unwrap_or(plain.down),
        up: own(|behavior| behavior.scale_up.as_ref()).unwrap_or(plain.up),
    }
}

/// What governs an autoscaler, with Kubernetes' defaults filled in.
pub fn spec(autoscaler: &HorizontalPodAutoscaler) -> hpa::Spec {
    let filled = |seen: Option<&SeenRules>, defaults: Rules| match seen {
        None => defaults,
        Some(seen) => Rules {
            window: seen
                .window_s
                .map_or(defaults.window, |seconds| Duration::from_secs(seconds.into())),
            select: match seen.select.as_str() {
                "Min" => Select::Min,
                "Disabled" => Select::Disabled,
                _ => Select::Max,
            },
            policies: if seen.policies.is_empty() {
                defaults.policies
            } else {
                seen.policies.iter().map(policy).collect()
            },
        },
    };
    hpa::Spec {
        min_replicas: autoscaler.min_replicas.unwrap_or(1),
        max_replicas: autoscaler.max_replicas.unwrap_or(u32::MAX),
        behavior: autoscaler.behavior.as_ref().map(|seen| hpa::Behavior {
            scale_up: filled(seen.scale_up.as_ref(), Rules::up()),
            scale_down: filled(seen.scale_down.as_ref(), Rules::down()),
        }),
        tolerance: tolerance(autoscaler),
    }
}

/// What KEDA is told, with its defaults filled in.
pub fn keda(scaled: &ScaledObject) -> keda::ScaledObject {
    let plain = keda::ScaledObject::default();
    let seconds = |seconds: Option<u32>, default: Duration| {
        seconds.map_or(default, |seconds| Duration::from_secs(seconds.into()))
    };
    keda::ScaledObject {
        polling_interval: seconds(scaled.polling_interval_s, plain.polling_interval),
        cooldown_period: seconds(scaled.cooldown_period_s, plain.cooldown_period),
        initial_cooldown_period: seconds(
            scaled.initial_cooldown_period_s,
            plain.initial_cooldown_period,
        ),
        idle_replica_count: scaled.idle_replica_count,
        min_replica_count: scaled.min_replica_count.unwrap_or(plain.min_replica_count),
        max_replica_count: scaled.max_replica_count.unwrap_or(plain.max_replica_count),
        fallback: scaled.fallback.as_ref().map(|fallback| keda::Fallback {
            failure_threshold: fallback.failure_threshold,
            replicas: fallback.replicas,
            behavior: match fallback.behavior.as_str() {
                "currentReplicas" => FallbackBehavior::CurrentReplicas,
                "currentReplicasIfHigher" => FallbackBehavior::CurrentReplicasIfHigher,
                "currentReplicasIfLower" => FallbackBehavior::CurrentReplicasIfLower,
                _ => FallbackBehavior::Static,
            },
        }),
        paused: paused(scaled),
    }
}

/// What its annotations pause. As KEDA reads them: a number of replicas comes first, and what is no
/// truth at all counts as one.
fn paused(scaled: &ScaledObject) -> Paused {
    let of = |key: &str| scaled.pauses.iter().find(|(name, _)| name == key).map(|(_, it)| it);
    let is_on = |key: &str| {
        of(key).is_some_and(|value| {
            !matches!(value.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False")
        })
    };
    if let Some(replicas) = of("paused-replicas") {
        return replicas.parse().map_or(Paused::All, Paused::At);
    }
    match () {
        () if is_on("paused") => Paused::All,
        () if is_on("paused-scale-in") => Paused::ScaleIn,
        () if is_on("paused-scale-out") => Paused::ScaleOut,
        () => Paused::Not,
    }
}

/// What KEDA does about its target at its next look, as far as its status tells.
pub fn next_step(scaled: &ScaledObject, current: u32, now: UnixMicros) -> Step {
    let is = |condition: &Condition, status| condition.status == status;
    let seen = Seen {
        current,
        is_active: is(&scaled.active, Status::True),
        is_error: is(&scaled.ready, Status::False)
            || scaled.health.iter().any(|(_, _, is_failing)| *is_failing),
        last_active: scaled.last_active,
        created: scaled.created.unwrap_or(now),
    };
    keda(scaled).look(&seen, now)
}

fn policy((kind, value, period_s): &(String, u32, u32)) -> Policy {
    Policy {
        kind: if kind == "Percent" { PolicyKind::Percent } else { PolicyKind::Pods },
        value: *value,
        period: Duration::from_secs((*period_s).into()),
    }
}

// === impl Cluster ===

impl Cluster {
    /// Who scales a revision or a plain Deployment; `None` while nothing says so.
    pub fn class_of(&self, revision: &Name) -> Option<Class> {
        let autoscaler = self.autoscalers.get(revision);
        if autoscaler.is_some_and(PodAutoscaler::is_kpa) {
            return Some(Class::Kpa);
        }
        if self.scaled_object_of(revision).is_some() {
            return Some(Class::Keda);
        }
        (autoscaler.is_some() || self.hpa_of(revision).is_some()).then_some(Class::Hpa)
    }

    /// The autoscaler of a revision or a plain Deployment: the one that targets its Deployment.
    pub fn hpa_of(&self, revision: &Name) -> Option<&HorizontalPodAutoscaler> {
        let of_name = self.hpas.get(revision).filter(|it| self.is_target(revision, &it.target));
        of_name.or_else(|| {
            let here = self.hpas.iter().filter(|(name, _)| name.namespace == revision.namespace);
            here.map(|(_, it)| it).find(|it| self.is_target(revision, &it.target))
        })
    }

    /// The `ScaledObject` of a revision or a plain Deployment.
    pub fn scaled_object_of(&self, revision: &Name) -> Option<&ScaledObject> {
        let here =
            self.scaled_objects.iter().filter(|(name, _)| name.namespace == revision.namespace);
        here.map(|(_, it)| it).find(|it| self.is_target(revision, &it.target))
    }

    /// The revision or plain Deployment that an autoscaler scales.
    pub fn scaled_by(&self, autoscaler: &HorizontalPodAutoscaler) -> Option<Name> {
        let (kind, name) = &autoscaler.target;
        if kind != "Deployment" {
            return None;
        }
        let namespace = autoscaler.id.namespace.clone();
        let deployment = Name { namespace: namespace.clone(), name: name.clone() };
        let of = self.deployments.get(&deployment).and_then(|it| it.revision.clone());
        let name =
            of.unwrap_or_else(|| name.strip_suffix("-deployment").unwrap_or(name).to_owned());
        Some(Name { namespace, name })
    }

    /// Whether a `scaleTargetRef` is the revision's Deployment, or the plain Deployment itself.
    fn is_target(&self, revision: &Name, (kind, name): &(String, String)) -> bool {
        if kind != "Deployment" {
            return false;
        }
        let deployment = Name { namespace: revision.namespace.clone(), name: name.clone() };
        match self.deployments.get(&deployment).and_then(|it| it.revision.as_ref()) {
            Some(of) => *of == revision.name,
            // Before it was seen, Knative's way of naming has to do.
            None => name.strip_suffix("-deployment").unwrap_or(name) == revision.name,
        }
    }
}

#[cfg(test)]
mod tests;
