//! The few fields that we read of `HorizontalPodAutoscaler`s and of KEDA's `ScaledObject`s.

use kube::api::DynamicObject;
use serde_json::Value;

use crate::event::hpa::Amount;
use crate::event::hpa::Behavior;
use crate::event::hpa::Fallback;
use crate::event::hpa::HorizontalPodAutoscaler;
use crate::event::hpa::Metric;
use crate::event::hpa::MetricKind;
use crate::event::hpa::Rules;
use crate::event::hpa::ScaledObject;
use crate::event::hpa::Trigger;
use crate::units::clean;

use super::kinds::MAX_TEXT;
use super::kinds::condition;
use super::kinds::count;
use super::kinds::created;
use super::kinds::id;
use super::kinds::list;
use super::kinds::str_at;
use super::kinds::text;
use super::kinds::time;
use super::knative::MAX_NAME;

/// The longest quantity that is kept, in characters.
const MAX_AMOUNT: usize = 40;
/// The most metrics, triggers or annotations that are kept of one object.
const MAX_PARTS: usize = 20;
/// The label by which KEDA marks the autoscaler that it made.
const SCALED_OBJECT: &str = "scaledobject.keda.sh/name";
const KEDA: &str = "autoscaling.keda.sh/";

/// A `HorizontalPodAutoscaler`.
pub(super) fn autoscaler(raw: &DynamicObject) -> HorizontalPodAutoscaler {
    let data = &raw.data;
    let statuses: Vec<&Value> = list(&data["status"]["currentMetrics"]).collect();
    let labels = raw.metadata.labels.as_ref();
    // The controller writes conditions with its first status; before that, zeros are no numbers.
    let has_status = list(&data["status"]["conditions"]).next().is_some();
    HorizontalPodAutoscaler {
        id: id(raw),
        created: created(raw),
        target: (
            text(data, "/spec/scaleTargetRef/kind", MAX_NAME),
            text(data, "/spec/scaleTargetRef/name", MAX_NAME),
        ),
        scaled_object: labels
            .and_then(|labels| labels.get(SCALED_OBJECT))
            .map(|name| clean(name, MAX_NAME)),
        min_replicas: count(data, "/spec/minReplicas"),
        max_replicas: count(data, "/spec/maxReplicas"),
        // A status stands at the place of its spec; one that failed is empty there.
        metrics: list(&data["spec"]["metrics"])
            .take(MAX_PARTS)
            .enumerate()
            .map(|(idx, spec)| metric(spec, statuses.get(idx).copied()))
            .collect(),
        behavior: data["spec"]["behavior"].is_object().then(|| Behavior {
            scale_up: rules(&data["spec"]["behavior"]["scaleUp"]),
            scale_down: rules(&data["spec"]["behavior"]["scaleDown"]),
        }),
        // A zero is left out of the status.
        current_replicas: has_status.then(|| count(data, "/status/currentReplicas").unwrap_or(0)),
        desired_replicas: count(data, "/status/desiredReplicas").filter(|_| has_status),
        last_scale: time(data, "/status/lastScaleTime"),
        able_to_scale: condition(raw, "AbleToScale"),
        scaling_active: condition(raw, "ScalingActive"),
        scaling_limited: condition(raw, "ScalingLimited"),
    }
}

fn metric(spec: &Value, status: Option<&Value>) -> Metric {
    let (kind, part) = match str_at(spec, "/type") {
        "Resource" => (MetricKind::Resource, "resource"),
        "ContainerResource" => (MetricKind::ContainerResource, "containerResource"),
        "Pods" => (MetricKind::Pods, "pods"),
        "Object" => (MetricKind::Object, "object"),
        "External" => (MetricKind::External, "external"),
        _ => return Metric::default(),
    };
    let source = &spec[part];
    let named = text(source, "/name", MAX_NAME);
    let name = if named.is_empty() { text(source, "/metric/name", MAX_NAME) } else { named };
    let (target, nothing) = (&source["target"], Value::Null);
    let current = status.map_or(&nothing, |status| &status[part]["current"]);
    Metric {
        kind,
        name,
        target_utilization: count(target, "/averageUtilization"),
        target_average: amount(target, "/averageValue"),
        target_value: amount(target, "/value"),
        current_utilization: count(current, "/averageUtilization"),
        current_average: amount(current, "/averageValue"),
        current_value: amount(current, "/value"),
    }
}

fn amount(value: &Value, path: &str) -> Option<Amount> {
    let found = value.pointer(path)?;
    // The API server writes text; a number is as good.
    let text = match found {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(Amount(clean(&text, MAX_AMOUNT)))
}

fn rules(value: &Value) -> Option<Rules> {
    value.is_object().then(|| Rules {
        window_s: count(value, "/stabilizationWindowSeconds"),
        select: text(value, "/selectPolicy", MAX_NAME),
        policies: list(&value["policies"])
            .take(MAX_PARTS)
            .filter_map(|policy| {
                Some((
                    text(policy, "/type", MAX_NAME),
                    count(policy, "/value")?,
                    count(policy, "/periodSeconds")?,
                ))
            })
            .collect(),
        tolerance: amount(value, "/tolerance"),
    })
}

/// A `ScaledObject`.
pub(super) fn scaled_object(raw: &DynamicObject) -> ScaledObject {
    let data = &raw.data;
    let kind = text(data, "/status/scaleTargetKind", MAX_NAME);
    // `apps/v1.Deployment`; before it is known, what the spec says, or KEDA's default.
    let kind = match (kind.rsplit_once('.'), str_at(data, "/spec/scaleTargetRef/kind")) {
        (Some((_, kind)), _) => kind.to_owned(),
        (None, "") => "Deployment".to_owned(),
        (None, kind) => clean(kind, MAX_NAME),
    };
    ScaledObject {
        id: id(raw),
        created: created(raw),
        target: (kind, text(data, "/spec/scaleTargetRef/name", MAX_NAME)),
        polling_interval_s: count(data, "/spec/pollingInterval"),
        cooldown_period_s: count(data, "/spec/cooldownPeriod"),
        initial_cooldown_period_s: count(data, "/spec/initialCooldownPeriod"),
        idle_replica_count: count(data, "/spec/idleReplicaCount"),
        min_replica_count: count(data, "/spec/minReplicaCount"),
        max_replica_count: count(data, "/spec/maxReplicaCount"),
        fallback: data["spec"]["fallback"].is_object().then(|| Fallback {
            failure_threshold: count(data, "/spec/fallback/failureThreshold").unwrap_or(0),
            replicas: count(data, "/spec/fallback/replicas").unwrap_or(0),
            behavior: text(data, "/spec/fallback/behavior", MAX_NAME),
        }),
        triggers: list(&data["spec"]["triggers"]).take(MAX_PARTS).map(trigger).collect(),
        pauses: raw
            .metadata
            .annotations
            .iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.strip_prefix(KEDA)?, value)))
            .filter(|(key, _)| key.starts_with("paused"))
            .map(|(key, value)| (clean(key, MAX_NAME), clean(value, MAX_AMOUNT)))
            .take(MAX_PARTS)
            .collect(),
        hpa_name: text(data, "/status/hpaName", MAX_NAME),
        last_active: time(data, "/status/lastActiveTime"),
        ready: condition(raw, "Ready"),
        active: condition(raw, "Active"),
        falls_back: condition(raw, "Fallback"),
        paused: condition(raw, "Paused"),
        health: data["status"]["health"]
            .as_object()
            .into_iter()
            .flatten()
            .take(MAX_PARTS)
            .map(|(metric, health)| {
                let n_failures = count(health, "/numberOfFailures").unwrap_or(0);
                (clean(metric, MAX_NAME), n_failures, str_at(health, "/status") == "Failing")
            })
            .collect(),
    }
}

fn trigger(raw: &Value) -> Trigger {
    let either = |first: &str, second: &str| {
        let found = text(raw, first, MAX_AMOUNT);
        if found.is_empty() { text(raw, second, MAX_AMOUNT) } else { found }
    };
    Trigger {
        kind: text(raw, "/type", MAX_NAME),
        metric_type: text(raw, "/metricType", MAX_NAME),
        query: text(raw, "/metadata/query", MAX_TEXT),
        server: text(raw, "/metadata/serverAddress", MAX_TEXT),
        threshold: either("/metadata/threshold", "/metadata/value"),
        activation: either("/metadata/activationThreshold", "/metadata/activationValue"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::cluster::Status;

    fn raw(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_autoscaler_is_read_with_its_metrics_in_their_places() {
        let read = autoscaler(&raw(json!({
            "metadata": {"name": "hello-00001", "namespace": "default",
                "labels": {"scaledobject.keda.sh/name": "hello-00001"}},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "hello-00001-deployment"},
                "minReplicas": 1, "maxReplicas": 10,
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 50}}},
                    {"type": "External", "external": {"metric": {"name": "s0-prometheus"},
                        "target": {"type": "AverageValue", "averageValue": "5"}}},
                    {"type": "Moon", "moon": {}},
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 20, "selectPolicy": "Max",
                    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}},
            },
            "status": {
                "currentReplicas": 1, "desiredReplicas": 4, "lastScaleTime": "1970-01-01T00:00:09Z",
                "currentMetrics": [
                    {"type": ""},
                    {"type": "External", "external": {"current": {"averageValue": "9604m"}}},
                ],
                "conditions": [{"type": "ScalingLimited", "status": "True", "reason": "ScaleUpLimit"}],
            },
        })));
        assert_eq!((read.min_replicas, read.max_replicas), (Some(1), Some(10)));
        assert_eq!(read.scaled_object.as_deref(), Some("hello-00001"));
        assert_eq!(read.target.1, "hello-00001-deployment");
        let [cpu, external, other] = &read.metrics[..] else { panic!("{:?}", read.metrics) };
        assert_eq!((cpu.name.as_str(), cpu.target_utilization), ("cpu", Some(50)));
        assert_eq!(cpu.current_utilization, None, "its status is empty");
        assert_eq!(external.current_average, Some(Amount("9604m".into())));
        assert_eq!(external.target_average, Some(Amount("5".into())));
        assert_eq!(other.kind, MetricKind::Other);
        let behavior = read.behavior.unwrap();
        assert_eq!(behavior.scale_up, None);
        assert_eq!(behavior.scale_down.unwrap().window_s, Some(20));
        assert_eq!(read.scaling_limited.reason, "ScaleUpLimit");
        assert_eq!(read.able_to_scale.status, Status::Unknown);
    }

    #[test]
    fn no_replicas_are_zero_once_the_controller_looked_and_unknown_before() {
        let condition = json!({"type": "AbleToScale", "status": "True"});
        for (status, current, desired) in [
            (json!({"desiredReplicas": 0}), None, None),
            (json!({"desiredReplicas": 1, "conditions": [condition]}), Some(0), Some(1)),
        ] {
            let read = autoscaler(&raw(json!({"metadata": {"name": "web"}, "status": status})));
            assert_eq!((read.current_replicas, read.desired_replicas), (current, desired));
        }
    }

    #[test]
    fn a_scaled_object_is_read_with_its_query() {
        let read = scaled_object(&raw(json!({
            "metadata": {"name": "web", "annotations": {
                "autoscaling.keda.sh/paused-replicas": "3", "autoscaling.keda.sh/other": "x"}},
            "spec": {"scaleTargetRef": {"name": "web"}, "cooldownPeriod": 30,
                "fallback": {"failureThreshold": 3, "replicas": 4},
                "triggers": [{"type": "prometheus", "metadata": {
                    "serverAddress": "http://p:9090", "query": "sum(\u{1b}rate(x[1m]))",
                    "threshold": "5", "activationThreshold": "2"}}]},
            "status": {"scaleTargetKind": "apps/v1.Deployment", "hpaName": "keda-hpa-web",
                "health": {"s0-prometheus": {"numberOfFailures": 4, "status": "Failing"}},
                "conditions": [{"type": "Paused", "status": "True", "reason": "ScaledObjectPaused"}]},
        })));
        assert_eq!(read.target, ("Deployment".to_owned(), "web".to_owned()));
        assert_eq!(read.triggers[0].query, "sum(·rate(x[1m]))");
        assert_eq!((&*read.triggers[0].threshold, &*read.triggers[0].activation), ("5", "2"));
        assert_eq!(read.pauses, [("paused-replicas".to_owned(), "3".to_owned())]);
        assert_eq!(read.health, [("s0-prometheus".to_owned(), 4, true)]);
        assert_eq!(read.paused.status, Status::True);
        assert_eq!((read.polling_interval_s, read.cooldown_period_s), (None, Some(30)));
    }
}
