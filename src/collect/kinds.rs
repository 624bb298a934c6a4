//! The few fields that we read of each kind.
//!
//! An object is looked at as JSON and never refused: what is not there, or is not what it should
//! be, is left out. So one odd object cannot hide the others.

use std::collections::BTreeMap;

use kube::api::ApiResource;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::event::cluster::Condition;
use crate::event::cluster::ConfigMap;
use crate::event::cluster::Deployment;
use crate::event::cluster::Id;
use crate::event::cluster::Kind;
use crate::event::cluster::KubeEvent;
use crate::event::cluster::Object;
use crate::event::cluster::Phase;
use crate::event::cluster::Pod;
use crate::event::cluster::PodAutoscaler;
use crate::event::cluster::Revision;
use crate::event::cluster::ServerlessService;
use crate::event::cluster::Service;
use crate::event::cluster::SksMode;
use crate::event::cluster::Status;
use crate::event::cluster::Traffic;
use crate::units::Quantity;
use crate::units::UnixMicros;
use crate::units::clean;

use super::hpa;
use super::knative::MAX_NAME;

/// The longest sentence that is kept, in characters.
pub(super) const MAX_TEXT: usize = 500;
/// The most entries that are kept of a map or list.
const MAX_ENTRIES: usize = 100;
/// The label by which Knative marks what belongs to a revision.
pub(crate) const REVISION: &str = "serving.knative.dev/revision";
/// The label by which Knative marks what belongs to a Service.
pub(crate) const SERVICE: &str = "serving.knative.dev/service";
const AUTOSCALING: &str = "autoscaling.knative.dev/";

/// Group, version and plural of a kind.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    let (group, version, kind, plural) = match kind {
        Kind::Pod => ("", "v1", "Pod", "pods"),
        Kind::Event => ("", "v1", "Event", "events"),
        Kind::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
        Kind::Deployment => ("apps", "v1", "Deployment", "deployments"),
        Kind::Service => ("serving.knative.dev", "v1", "Service", "services"),
        Kind::Revision => ("serving.knative.dev", "v1", "Revision", "revisions"),
        Kind::PodAutoscaler => {
            ("autoscaling.internal.knative.dev", "v1alpha1", "PodAutoscaler", "podautoscalers")
        }
        Kind::ServerlessService => (
            "networking.internal.knative.dev",
            "v1alpha1",
            "ServerlessService",
            "serverlessservices",
        ),
        Kind::HorizontalPodAutoscaler => {
            ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        }
        Kind::ScaledObject => ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
    };
    let gvk = kube::api::GroupVersionKind::gvk(group, version, kind);
    ApiResource::from_gvk_with_plural(&gvk, plural)
}

/// What identifies an object.
pub fn id(raw: &DynamicObject) -> Id {
    let washed = |text: &Option<String>| clean(text.as_deref().unwrap_or_default(), MAX_NAME);
    Id {
        namespace: washed(&raw.metadata.namespace),
        name: washed(&raw.metadata.name),
        uid: washed(&raw.metadata.uid),
    }
}

/// The object in our words.
pub fn object(kind: Kind, raw: &DynamicObject) -> Object {
    match kind {
        Kind::Pod => Object::Pod(pod(raw)),
        Kind::Event => Object::Event(kube_event(raw)),
        Kind::ConfigMap => {
            Object::ConfigMap(ConfigMap { id: id(raw), data: settings(&raw.data["data"]) })
        }
        Kind::Deployment => Object::Deployment(Deployment {
            id: id(raw),
            revision: label(raw, REVISION),
            replicas: count(&raw.data, "/spec/replicas"),
            ready_replicas: count(&raw.data, "/status/readyReplicas").unwrap_or(0),
            version: label(raw, "app.kubernetes.io/version"),
            replica_failure: condition(raw, "ReplicaFailure"),
        }),
        Kind::Service => Object::Service(service(raw)),
        Kind::Revision => Object::Revision(Revision {
            id: id(raw),
            service: label(raw, SERVICE),
            created: created(raw),
            ready: condition(raw, "Ready"),
            active: condition(raw, "Active"),
            container_concurrency: count(&raw.data, "/spec/containerConcurrency"),
            annotations: annotations(raw),
        }),
        Kind::PodAutoscaler => Object::PodAutoscaler(pod_autoscaler(raw)),
        Kind::ServerlessService => Object::ServerlessService(ServerlessService {
            id: id(raw),
            mode: match str_at(&raw.data, "/spec/mode") {
                "Serve" => SksMode::Serve,
                "Proxy" => SksMode::Proxy,
                _ => SksMode::Unknown,
            },
            n_activators: count(&raw.data, "/spec/numActivators").unwrap_or(0),
            activator_endpoints: condition(raw, "ActivatorEndpointsPopulated"),
            endpoints: condition(raw, "EndpointsPopulated"),
        }),
        Kind::HorizontalPodAutoscaler => Object::HorizontalPodAutoscaler(hpa::autoscaler(raw)),
        Kind::ScaledObject => Object::ScaledObject(hpa::scaled_object(raw)),
    }
}

fn pod(raw: &DynamicObject) -> Pod {
    let data = &raw.data;
    let user = raw
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get("kubectl.kubernetes.io/default-container"))
        .map(String::as_str)
        .or_else(|| {
            list(&data["spec"]["containers"])
                .map(|container| str_at(container, "/name"))
                .find(|name| *name != "queue-proxy")
        })
        .unwrap_or_default();
    let started = |name: &str| {
        list(&data["status"]["containerStatuses"])
            .find(|status| str_at(status, "/name") == name)
            .and_then(|status| time(status, "/state/running/startedAt"))
    };
    let ready = condition(raw, "Ready");
    let scheduled = condition(raw, "PodScheduled");
    Pod {
        id: id(raw),
        revision: label(raw, REVISION),
        service: label(raw, SERVICE),
        app: label(raw, "app"),
        phase: match str_at(data, "/status/phase") {
            "Pending" => Phase::Pending,
            "Running" => Phase::Running,
            "Succeeded" => Phase::Succeeded,
            "Failed" => Phase::Failed,
            _ => Phase::Unknown,
        },
        ready: ready.status == Status::True,
        deleted: raw
            .metadata
            .deletion_timestamp
            .as_ref()
            .map(|at| UnixMicros(at.0.as_microsecond())),
        created: created(raw),
        scheduled: scheduled.since.filter(|_| scheduled.status == Status::True),
        user_started: started(user),
        queue_proxy_started: started("queue-proxy"),
        became_ready: ready.since.filter(|_| ready.status == Status::True),
        node: text(data, "/spec/nodeName", MAX_NAME),
        ip: text(data, "/status/podIP", MAX_NAME),
        waiting: waiting(raw, &scheduled),
        restarts: list(&data["status"]["containerStatuses"])
            .filter_map(|status| count(status, "/restartCount"))
            .fold(0, u32::saturating_add),
        cpu_limit: limits(data, "cpu").map(|all| all.map(Quantity::millicores).sum()),
        memory_limit: limits(data, "memory").map(|all| all.map(Quantity::bytes).sum()),
    }
}

/// Why a pod waits: it has no node, or a container does not start.
fn waiting(raw: &DynamicObject, scheduled: &Condition) -> String {
    if scheduled.status == Status::False {
        return scheduled.reason.clone();
    }
    ["initContainerStatuses", "containerStatuses"]
        .iter()
        .flat_map(|key| list(&raw.data["status"][*key]))
        .map(|status| text(status, "/state/waiting/reason", MAX_NAME))
        .find(|reason| !reason.is_empty())
        .unwrap_or_default()
}

/// Each container's limit, if each has one.
fn limits<'a>(data: &'a Value, resource: &'a str) -> Option<impl Iterator<Item = Quantity> + 'a> {
    let containers = &data["spec"]["containers"];
    let limit = move |container: &Value| -> Option<Quantity> {
        container["resources"]["limits"][resource].as_str()?.parse().ok()
    };
    (list(containers).next().is_some() && list(containers).all(|one| limit(one).is_some()))
        .then(|| list(containers).filter_map(limit))
}

fn kube_event(raw: &DynamicObject) -> KubeEvent {
    let data = &raw.data;
    KubeEvent {
        id: id(raw),
        about: (
            text(data, "/involvedObject/kind", MAX_NAME),
            text(data, "/involvedObject/name", MAX_NAME),
        ),
        level: text(data, "/type", MAX_NAME),
        reason: text(data, "/reason", MAX_NAME),
        message: text(data, "/message", MAX_TEXT),
        count: count(data, "/series/count").or_else(|| count(data, "/count")).unwrap_or(1),
        last: ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"]
            .iter()
            .find_map(|path| time(data, path))
            .or_else(|| created(raw)),
    }
}

fn service(raw: &DynamicObject) -> Service {
    Service {
        id: id(raw),
        url: text(&raw.data, "/status/url", MAX_TEXT),
        ready: condition(raw, "Ready"),
        latest_created: text(&raw.data, "/status/latestCreatedRevisionName", MAX_NAME),
        latest_ready: text(&raw.data, "/status/latestReadyRevisionName", MAX_NAME),
        traffic: list(&raw.data["status"]["traffic"])
            .map(|line| Traffic {
                revision: text(line, "/revisionName", MAX_NAME),
                percent: count(line, "/percent"),
                tag: text(line, "/tag", MAX_NAME),
                is_latest: line["latestRevision"].as_bool(),
            })
            .collect(),
    }
}

fn pod_autoscaler(raw: &DynamicObject) -> PodAutoscaler {
    let annotations = annotations(raw);
    PodAutoscaler {
        id: id(raw),
        class: annotations.get("class").cloned().unwrap_or_default(),
        metric: annotations.get("metric").cloned().unwrap_or_default(),
        desired: count(&raw.data, "/status/desiredScale"),
        actual: count(&raw.data, "/status/actualScale"),
        container_concurrency: count(&raw.data, "/spec/containerConcurrency").unwrap_or(0),
        reachable: str_at(&raw.data, "/spec/reachability") != "Unreachable",
        active: condition(raw, "Active"),
        ready: condition(raw, "Ready"),
        annotations,
    }
}

pub(super) fn created(raw: &DynamicObject) -> Option<UnixMicros> {
    raw.metadata.creation_timestamp.as_ref().map(|at| UnixMicros(at.0.as_microsecond()))
}

fn label(raw: &DynamicObject, key: &str) -> Option<String> {
    raw.metadata.labels.as_ref()?.get(key).map(|value| clean(value, MAX_NAME))
}

fn annotations(raw: &DynamicObject) -> BTreeMap<String, String> {
    raw.metadata
        .annotations
        .iter()
        .flatten()
        .filter_map(|(key, value)| {
            Some((clean(key.strip_prefix(AUTOSCALING)?, MAX_NAME), clean(value, MAX_TEXT)))
        })
        .take(MAX_ENTRIES)
        .collect()
}

/// A `ConfigMap`'s data without the documentation that Knative ships in it.
fn settings(data: &Value) -> BTreeMap<String, String> {
    data.as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "_example")
        .filter_map(|(key, value)| Some((clean(key, MAX_NAME), clean(value.as_str()?, MAX_TEXT))))
        .take(MAX_ENTRIES)
        .collect()
}

pub(super) fn condition(raw: &DynamicObject, name: &str) -> Condition {
    let Some(found) =
        list(&raw.data["status"]["conditions"]).find(|one| str_at(one, "/type") == name)
    else {
        return Condition::default();
    };
    Condition {
        status: match str_at(found, "/status") {
            "True" => Status::True,
            "False" => Status::False,
            _ => Status::Unknown,
        },
        reason: text(found, "/reason", MAX_NAME),
        message: text(found, "/message", MAX_TEXT),
        since: time(found, "/lastTransitionTime"),
    }
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(MAX_ENTRIES)
}

pub(super) fn str_at<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn text(value: &Value, path: &str, max_chars: usize) -> String {
    clean(str_at(value, path), max_chars)
}

/// A count; -1, as Knative writes an unknown one, is `None`.
pub(super) fn count(value: &Value, path: &str) -> Option<u32> {
    value.pointer(path)?.as_u64().and_then(|number| u32::try_from(number).ok())
}

pub(super) fn time(value: &Value, path: &str) -> Option<UnixMicros> {
    UnixMicros::parse(value.pointer(path)?.as_str()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::units::Bytes;
    use crate::units::Millicores;

    const KINDS: [Kind; 10] = [
        Kind::Pod,
        Kind::Event,
        Kind::ConfigMap,
        Kind::Deployment,
        Kind::Service,
        Kind::Revision,
        Kind::PodAutoscaler,
        Kind::ServerlessService,
        Kind::HorizontalPodAutoscaler,
        Kind::ScaledObject,
    ];

    fn raw(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_pod_of_a_revision_is_read() {
        let raw = raw(json!({
            "metadata": {
                "name": "p\u{1b}[2J", "namespace": "default", "uid": "u",
                "creationTimestamp": "1970-01-01T00:00:01Z",
                "labels": {"serving.knative.dev/revision": "r", "serving.knative.dev/service": "s", "app": "r"},
            },
            "spec": {"nodeName": "n", "containers": [
                {"name": "mine", "resources": {"limits": {"cpu": "250m", "memory": "1Mi"}}},
                {"name": "queue-proxy", "resources": {"limits": {"memory": "1Mi"}}},
            ]},
            "status": {
                "phase": "Running", "podIP": "10.0.0.1",
                "conditions": [
                    {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:00:04Z"},
                    {"type": "PodScheduled", "status": "True", "lastTransitionTime": "1970-01-01T00:00:02Z"},
                ],
                "containerStatuses": [
                    {"name": "queue-proxy", "restartCount": 1, "state": {"running": {"startedAt": "1970-01-01T00:00:03Z"}}},
                    {"name": "mine", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
                ],
            },
        }));
        let Object::Pod(pod) = object(Kind::Pod, &raw) else { panic!("not a pod") };
        let second = |n: i64| Some(UnixMicros(n * 1_000_000));
        assert_eq!(
            pod,
            Pod {
                id: Id { namespace: "default".into(), name: "p·[2J".into(), uid: "u".into() },
                revision: Some("r".into()),
                service: Some("s".into()),
                app: Some("r".into()),
                phase: Phase::Running,
                ready: true,
                deleted: None,
                created: second(1),
                scheduled: second(2),
                user_started: None,
                queue_proxy_started: second(3),
                became_ready: second(4),
                node: "n".into(),
                ip: "10.0.0.1".into(),
                waiting: "CrashLoopBackOff".into(),
                restarts: 3,
                cpu_limit: None,
                memory_limit: Some(Bytes(2 << 20)),
            }
        );
        assert_ne!(pod.cpu_limit, Some(Millicores(250)), "one container has no limit");
    }

    #[test]
    fn an_unknown_scale_is_not_zero() {
        let raw = raw(json!({
            "metadata": {"name": "r", "annotations": {
                "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
                "autoscaling.knative.dev/min-scale": "2", "other": "x"}},
            "spec": {"reachability": "", "containerConcurrency": 10},
            "status": {"desiredScale": -1, "actualScale": 0},
        }));
        let Object::PodAutoscaler(autoscaler) = object(Kind::PodAutoscaler, &raw) else {
            panic!("not a PodAutoscaler")
        };
        assert_eq!((autoscaler.desired, autoscaler.actual), (None, Some(0)));
        assert_eq!(autoscaler.class, "kpa.autoscaling.knative.dev");
        assert_eq!(autoscaler.annotations.len(), 2);
        assert!(autoscaler.reachable);
        assert_eq!(autoscaler.ready, Condition::default());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        let key = prop::sample::select(vec![
            "spec",
            "status",
            "containers",
            "conditions",
            "type",
            "name",
            "state",
            "running",
            "data",
            "resources",
            "limits",
            "cpu",
            "containerStatuses",
            "traffic",
            "waiting",
            "Ready",
            "metrics",
            "currentMetrics",
            "resource",
            "target",
            "current",
            "triggers",
            "metadata",
            "behavior",
            "scaleUp",
            "policies",
            "health",
        ]);
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_object_makes_it_panic(data in any_json()) {
            let mut raw = raw(json!({"metadata": {"name": "x"}}));
            raw.data = data;
            for kind in KINDS {
                let _ = object(kind, &raw);
            }
        }
    }
}
