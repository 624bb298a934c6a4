//! Kubernetes objects, as far as we read them.
//!
//! Each is the few fields that the model needs, already typed. Stamps are the cluster's own wall
//! clock, whole seconds mostly.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::units::Bytes;
use crate::units::Millicores;
use crate::units::UnixMicros;

use super::hpa::HorizontalPodAutoscaler;
use super::hpa::ScaledObject;

/// A kind that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `v1` Pod.
    Pod,
    /// `v1` Event.
    Event,
    /// `v1` `ConfigMap`; only Knative's own are watched.
    ConfigMap,
    /// `apps/v1` Deployment.
    Deployment,
    /// `serving.knative.dev/v1` Service.
    Service,
    /// `serving.knative.dev/v1` Revision.
    Revision,
    /// `autoscaling.internal.knative.dev/v1alpha1` `PodAutoscaler`.
    PodAutoscaler,
    /// `networking.internal.knative.dev/v1alpha1` `ServerlessService`.
    ServerlessService,
    /// `autoscaling/v2` `HorizontalPodAutoscaler`.
    HorizontalPodAutoscaler,
    /// `keda.sh/v1alpha1` `ScaledObject`.
    ScaledObject,
}

/// An object as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A pod.
    Pod(Pod),
    /// An event of Kubernetes.
    Event(KubeEvent),
    /// One of Knative's `ConfigMap`s.
    ConfigMap(ConfigMap),
    /// A deployment.
    Deployment(Deployment),
    /// A Knative Service.
    Service(Service),
    /// A revision.
    Revision(Revision),
    /// A `PodAutoscaler`.
    PodAutoscaler(PodAutoscaler),
    /// A `ServerlessService`.
    ServerlessService(ServerlessService),
    /// A `HorizontalPodAutoscaler`.
    HorizontalPodAutoscaler(HorizontalPodAutoscaler),
    /// A `ScaledObject` of KEDA.
    ScaledObject(ScaledObject),
}

/// An object is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Its kind.
    pub kind: Kind,
    /// Which it was.
    pub id: Id,
}

/// What identifies an object of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Id {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a pod of the same name made later is another pod.
    pub uid: String,
}

/// What stands before the name of a plain Deployment where a Knative Service is named.
pub const DEPLOYMENT: &str = "deployment/";

/// A name in a namespace: a revision, a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

// === impl Name ===

impl Name {
    /// Whether a person means this one: by its name, or by namespace and name.
    pub fn is_called(&self, wanted: &str) -> bool {
        match wanted.split_once('/') {
            Some((namespace, name)) => namespace == self.namespace && name == self.name,
            None => wanted == self.name,
        }
    }
}

/// A condition's `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`, or not there.
    #[default]
    Unknown,
}

/// One of an object's conditions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: Status,
    /// The machine's reason; empty if there is none.
    pub reason: String,
    /// The sentence for people; empty if there is none.
    pub message: String,
    /// When it last changed.
    pub since: Option<UnixMicros>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pod {
    /// Which.
    pub id: Id,
    /// The revision it belongs to, from its label; of a plain Deployment that is watched, its name.
    pub revision: Option<String>,
    /// The Knative Service it belongs to, from its label.
    pub service: Option<String>,
    /// The label `app`: `autoscaler` and `activator` are Knative's own.
    pub app: Option<String>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: Phase,
    /// Whether its condition `Ready` is true.
    pub ready: bool,
    /// Whether its deletion has been asked for, and when.
    pub deleted: Option<UnixMicros>,
    /// When it was created.
    pub created: Option<UnixMicros>,
    /// When it was bound to a node.
    pub scheduled: Option<UnixMicros>,
    /// When the user's container started.
    pub user_started: Option<UnixMicros>,
    /// When queue-proxy started.
    pub queue_proxy_started: Option<UnixMicros>,
    /// When it became ready.
    pub became_ready: Option<UnixMicros>,
    /// Its node; empty until it is scheduled.
    pub node: String,
    /// Its address; empty until it has one.
    pub ip: String,
    /// Why it waits, as `Unschedulable` or `ImagePullBackOff`; empty if it does not.
    pub waiting: String,
    /// Restarts of all containers.
    pub restarts: u32,
    /// Sum of the containers' CPU limits, if each has one.
    pub cpu_limit: Option<Millicores>,
    /// Sum of the containers' memory limits, if each has one.
    pub memory_limit: Option<Bytes>,
}

/// A pod's `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not all containers run yet.
    Pending,
    /// Bound, and at least one container runs.
    Running,
    /// All containers ended well.
    Succeeded,
    /// A container ended badly.
    Failed,
    /// The node does not answer.
    #[default]
    Unknown,
}

/// An event of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KubeEvent {
    /// Which.
    pub id: Id,
    /// Kind and name of what it is about.
    pub about: (String, String),
    /// `Normal` or `Warning`.
    pub level: String,
    /// The machine's reason.
    pub reason: String,
    /// The sentence for people.
    pub message: String,
    /// How often it was seen.
    pub count: u32,
    /// When it was last seen.
    pub last: Option<UnixMicros>,
}

/// One of Knative's `ConfigMap`s.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConfigMap {
    /// Which.
    pub id: Id,
    /// Its data, without `_example`.
    pub data: BTreeMap<String, String>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deployment {
    /// Which.
    pub id: Id,
    /// The revision it belongs to, from its label.
    pub revision: Option<String>,
    /// `spec.replicas`.
    pub replicas: Option<u32>,
    /// `status.readyReplicas`.
    pub ready_replicas: u32,
    /// The label `app.kubernetes.io/version`: Knative's version on its own deployments.
    pub version: Option<String>,
    /// Condition `ReplicaFailure`: a pod could not be made; it is there while that is so.
    #[serde(default)]
    pub replica_failure: Condition,
}

/// A Knative Service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Service {
    /// Which.
    pub id: Id,
    /// `status.url`; empty until it has one.
    pub url: String,
    /// Condition `Ready`.
    pub ready: Condition,
    /// `status.latestCreatedRevisionName`; empty until there is one.
    pub latest_created: String,
    /// `status.latestReadyRevisionName`; empty until there is one.
    pub latest_ready: String,
    /// `status.traffic`.
    pub traffic: Vec<Traffic>,
}

/// One line of a Service's traffic split.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// The revision.
    pub revision: String,
    /// Its share in percent, if it has one.
    pub percent: Option<u32>,
    /// Its tag; empty without one.
    pub tag: String,
    /// `latestRevision`: whether it follows the newest ready revision, rather than be pinned to this
    /// one. `None` is not known.
    #[serde(default)]
    pub is_latest: Option<bool>,
}

/// A revision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Revision {
    /// Which.
    pub id: Id,
    /// The Knative Service it belongs to.
    pub service: Option<String>,
    /// When it was created.
    pub created: Option<UnixMicros>,
    /// Condition `Ready`.
    pub ready: Condition,
    /// Condition `Active`.
    pub active: Condition,
    /// `spec.containerConcurrency`; 0 is unlimited.
    pub container_concurrency: Option<u32>,
    /// Annotations of `autoscaling.knative.dev/`, without that prefix.
    pub annotations: BTreeMap<String, String>,
}

/// A `PodAutoscaler`; it carries its revision's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PodAutoscaler {
    /// Which.
    pub id: Id,
    /// Annotation `class`; empty if it is not there.
    pub class: String,
    /// Annotation `metric`; empty if it is not there.
    pub metric: String,
    /// `status.desiredScale`; `None` if it is not there or -1.
    pub desired: Option<u32>,
    /// `status.actualScale`.
    pub actual: Option<u32>,
    /// `spec.containerConcurrency`.
    pub container_concurrency: u32,
    /// Whether a route leads to it; a missing word counts as reachable.
    pub reachable: bool,
    /// Condition `Active`.
    pub active: Condition,
    /// Condition `Ready`.
    pub ready: Condition,
    /// Annotations of `autoscaling.knative.dev/`, without that prefix: the effective ones.
    pub annotations: BTreeMap<String, String>,
}

impl PodAutoscaler {
    /// Whether Knative's own autoscaler decides: it is the default class.
    pub fn is_kpa(&self) -> bool {
        self.class.is_empty() || self.class.starts_with("kpa.")
    }
}

/// A `ServerlessService`; it carries its revision's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServerlessService {
    /// Which.
    pub id: Id,
    /// `spec.mode`: the wish.
    pub mode: SksMode,
    /// `spec.numActivators`.
    pub n_activators: u32,
    /// Condition `ActivatorEndpointsPopulated`: the fact. True while the activator is in the path.
    pub activator_endpoints: Condition,
    /// Condition `EndpointsPopulated`.
    pub endpoints: Condition,
}

/// A `ServerlessService`'s mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SksMode {
    /// Requests go straight to the pods.
    Serve,
    /// Requests go through the activator.
    Proxy,
    /// Not said.
    #[default]
    Unknown,
}
