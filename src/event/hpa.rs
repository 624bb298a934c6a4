//! Autoscalers other than Knative's own: Kubernetes' `HorizontalPodAutoscaler` and KEDA's
//! `ScaledObject`, as far as we read them.
//!
//! Amounts stay the text that the API server wrote, since `kubectl` prints just that; what they
//! amount to says [`Amount::thousandths`].

use serde::Deserialize;
use serde::Serialize;

use crate::units::Quantity;
use crate::units::UnixMicros;

use super::cluster::Condition;
use super::cluster::Id;

/// A quantity as Kubernetes writes it: `33m`, `5`, `9604m`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub String);

/// An `autoscaling/v2` `HorizontalPodAutoscaler`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HorizontalPodAutoscaler {
    /// Which.
    pub id: Id,
    /// When it was created.
    pub created: Option<UnixMicros>,
    /// `spec.scaleTargetRef`: kind and name.
    pub target: (String, String),
    /// The `ScaledObject` that it was made from, by its label; `None` if KEDA did not make it.
    pub scaled_object: Option<String>,
    /// `spec.minReplicas`.
    pub min_replicas: Option<u32>,
    /// `spec.maxReplicas`.
    pub max_replicas: Option<u32>,
    /// `spec.metrics`, each with what the status says of it.
    pub metrics: Vec<Metric>,
    /// `spec.behavior`; `None` is the controller's own rule.
    pub behavior: Option<Behavior>,
    /// `status.currentReplicas`.
    pub current_replicas: Option<u32>,
    /// `status.desiredReplicas`.
    pub desired_replicas: Option<u32>,
    /// `status.lastScaleTime`.
    pub last_scale: Option<UnixMicros>,
    /// Condition `AbleToScale`.
    pub able_to_scale: Condition,
    /// Condition `ScalingActive`.
    pub scaling_active: Condition,
    /// Condition `ScalingLimited`.
    pub scaling_limited: Condition,
}

/// Where a metric comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// CPU or memory of the pods.
    Resource,
    /// The same of one container of each pod.
    ContainerResource,
    /// A metric of each pod.
    Pods,
    /// A metric of another object.
    Object,
    /// A metric from outside, as KEDA's.
    External,
    /// One that we do not know.
    #[default]
    Other,
}

/// One metric: what it is to be, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metric {
    /// Where it comes from.
    pub kind: MetricKind,
    /// `cpu`, `memory`, or the metric's own name.
    pub name: String,
    /// `target.averageUtilization`, in percent.
    pub target_utilization: Option<u32>,
    /// `target.averageValue`.
    pub target_average: Option<Amount>,
    /// `target.value`.
    pub target_value: Option<Amount>,
    /// `current.averageUtilization`, in percent; `None` is not known.
    pub current_utilization: Option<u32>,
    /// `current.averageValue`; `None` is not known.
    pub current_average: Option<Amount>,
    /// `current.value`; `None` is not known.
    pub current_value: Option<Amount>,
}

/// `spec.behavior`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Behavior {
    /// `scaleUp`; `None` has Kubernetes' defaults.
    pub scale_up: Option<Rules>,
    /// `scaleDown`; `None` has Kubernetes' defaults.
    pub scale_down: Option<Rules>,
}

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rules {
    /// `stabilizationWindowSeconds`.
    pub window_s: Option<u32>,
    /// `selectPolicy`: `Max`, `Min` or `Disabled`; empty is `Max`.
    pub select: String,
    /// `policies`: kind (`Pods` or `Percent`), value, `periodSeconds`.
    pub policies: Vec<(String, u32, u32)>,
    /// `tolerance`, if this direction has its own.
    pub tolerance: Option<Amount>,
}

/// A `keda.sh/v1alpha1` `ScaledObject`. `None` in a field of the spec has KEDA's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScaledObject {
    /// Which.
    pub id: Id,
    /// When it was created.
    pub created: Option<UnixMicros>,
    /// Kind and name of what it scales.
    pub target: (String, String),
    /// `spec.pollingInterval`, in seconds.
    pub polling_interval_s: Option<u32>,
    /// `spec.cooldownPeriod`, in seconds.
    pub cooldown_period_s: Option<u32>,
    /// `spec.initialCooldownPeriod`, in seconds.
    pub initial_cooldown_period_s: Option<u32>,
    /// `spec.idleReplicaCount`.
    pub idle_replica_count: Option<u32>,
    /// `spec.minReplicaCount`.
    pub min_replica_count: Option<u32>,
    /// `spec.maxReplicaCount`.
    pub max_replica_count: Option<u32>,
    /// `spec.fallback`.
    pub fallback: Option<Fallback>,
    /// `spec.triggers`.
    pub triggers: Vec<Trigger>,
    /// Annotations of `autoscaling.keda.sh/` that pause it: name without prefix, value.
    pub pauses: Vec<(String, String)>,
    /// `status.hpaName`; empty until there is one.
    pub hpa_name: String,
    /// `status.lastActiveTime`.
    pub last_active: Option<UnixMicros>,
    /// Condition `Ready`.
    pub ready: Condition,
    /// Condition `Active`.
    pub active: Condition,
    /// Condition `Fallback`.
    pub falls_back: Condition,
    /// Condition `Paused`.
    pub paused: Condition,
    /// `status.health`: metric, failures in a row, whether it fails.
    pub health: Vec<(String, u32, bool)>,
}

/// `spec.fallback`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fallback {
    /// `failureThreshold`.
    pub failure_threshold: u32,
    /// `replicas`.
    pub replicas: u32,
    /// `behavior`; empty is `static`.
    pub behavior: String,
}

/// One of a `ScaledObject`'s triggers. Empty text is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trigger {
    /// `type`, as `prometheus`.
    pub kind: String,
    /// `metricType`.
    pub metric_type: String,
    /// `metadata.query`.
    pub query: String,
    /// `metadata.serverAddress`.
    pub server: String,
    /// `metadata.threshold`, or `metadata.value`.
    pub threshold: String,
    /// `metadata.activationThreshold`, or `metadata.activationValue`.
    pub activation: String,
}

// === impl Amount ===

impl Amount {
    /// The amount in thousandths, rounded up as the controller does; `None` if it is no quantity.
    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    pub fn thousandths(&self) -> Option<i64> {
        let quantity: Quantity = self.0.parse().ok()?;
        // The slack keeps 0.033 × 1000 from becoming 34.
        Some((quantity.value() * 1000.0 - 1e-6).ceil().clamp(-9e18, 9e18) as i64)
    }

    /// The amount as a number; `None` if it is no quantity.
    pub fn value(&self) -> Option<f64> {
        self.0.parse::<Quantity>().ok().map(Quantity::value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_thousandths() {
        for (text, thousandths) in
            [("33m", 33), ("5", 5000), ("9604m", 9604), ("1k", 1_000_000), ("1n", 1), ("-2", -2000)]
        {
            assert_eq!(Amount(text.to_owned()).thousandths(), Some(thousandths), "{text}");
        }
        assert_eq!(Amount("many".to_owned()).thousandths(), None);
    }
}
