//! What `kubectl get` prints for each kind: the columns of the real servers and CRDs.

use serde_json::Value;

use crate::sim::cells;
use crate::units::UnixMicros;

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading, before `kubectl` makes it upper case.
    pub name: &'static str,
    /// `string` or `integer`.
    pub kind: &'static str,
    /// Whether only `-o wide` shows it.
    pub is_wide: bool,
    /// What stands in it.
    pub cell: Cell,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// The field there, a JSON pointer; nothing if it is missing.
    At(&'static str),
    /// What this makes of the object, at a time.
    Made(fn(&Value, UnixMicros) -> Value),
}

// === impl Column ===

impl Column {
    /// What stands in this column for an object.
    pub fn of(&self, object: &Value, now: UnixMicros) -> Value {
        match self.cell {
            Cell::At(path) => object.pointer(path).cloned().unwrap_or_default(),
            Cell::Made(make) => make(object, now),
        }
    }
}

const fn at(name: &'static str, path: &'static str) -> Column {
    Column { name, kind: "string", is_wide: false, cell: Cell::At(path) }
}

const fn number(name: &'static str, path: &'static str) -> Column {
    Column { name, kind: "integer", is_wide: false, cell: Cell::At(path) }
}

const fn made(name: &'static str, make: fn(&Value, UnixMicros) -> Value) -> Column {
    Column { name, kind: "string", is_wide: false, cell: Cell::Made(make) }
}

const fn wide(name: &'static str, make: fn(&Value, UnixMicros) -> Value) -> Column {
    Column { name, kind: "string", is_wide: true, cell: Cell::Made(make) }
}

const NAME: Column = at("Name", "/metadata/name");
const AGE: Column = made("Age", cells::age);
const READY: Column = made("Ready", cells::ready);
const REASON: Column = made("Reason", cells::reason);
const CONTAINERS: Column = wide("Containers", cells::containers);
const IMAGES: Column = wide("Images", cells::images);
const SELECTOR: Column = wide("Selector", cells::selector);

/// Pods.
pub const PODS: &[Column] = &[
    NAME,
    made("Ready", cells::pod_ready),
    made("Status", cells::pod_status),
    made("Restarts", cells::restarts),
    AGE,
    wide("IP", cells::pod_ip),
    wide("Node", cells::pod_node),
    wide("Nominated Node", cells::none),
    wide("Readiness Gates", cells::none),
];
/// Services of Kubernetes.
pub const SERVICES: &[Column] = &[
    NAME,
    at("Type", "/spec/type"),
    at("Cluster-IP", "/spec/clusterIP"),
    made("External-IP", cells::external_ip),
    made("Port(s)", cells::ports),
    AGE,
    SELECTOR,
];
/// Endpoints.
pub const ENDPOINTS: &[Column] = &[NAME, made("Endpoints", cells::endpoints), AGE];
/// Events.
pub const EVENTS: &[Column] = &[
    made("Last Seen", cells::last_seen),
    at("Type", "/type"),
    at("Reason", "/reason"),
    made("Object", cells::involved),
    wide("Subobject", cells::sub_object),
    wide("Source", cells::source),
    made("Message", cells::message),
    wide("First Seen", cells::first_seen),
    wide("Count", cells::event_count),
    wide("Name", cells::name),
];
/// `ConfigMap`s.
pub const CONFIG_MAPS: &[Column] = &[NAME, made("Data", cells::data), AGE];
/// Secrets.
pub const SECRETS: &[Column] = &[NAME, at("Type", "/type"), made("Data", cells::data), AGE];
/// Nodes.
pub const NODES: &[Column] = &[
    NAME,
    made("Status", cells::node_status),
    made("Roles", cells::roles),
    AGE,
    at("Version", "/status/nodeInfo/kubeletVersion"),
    wide("Internal-IP", cells::internal_ip),
    wide("External-IP", cells::none),
    wide("OS-Image", cells::os_image),
    wide("Kernel-Version", cells::kernel),
    wide("Container-Runtime", cells::runtime),
];
/// Namespaces.
pub const NAMESPACES: &[Column] = &[NAME, at("Status", "/status/phase"), AGE];
/// Deployments.
pub const DEPLOYMENTS: &[Column] = &[
    NAME,
    made("Ready", cells::replicas_ready),
    made("Up-to-date", cells::updated),
    made("Available", cells::available),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
/// `ReplicaSet`s.
pub const REPLICA_SETS: &[Column] = &[
    NAME,
    number("Desired", "/spec/replicas"),
    made("Current", cells::current),
    made("Ready", cells::n_ready),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
/// `EndpointSlice`s.
pub const ENDPOINT_SLICES: &[Column] = &[
    NAME,
    at("AddressType", "/addressType"),
    made("Ports", cells::slice_ports),
    made("Endpoints", cells::slice_endpoints),
    AGE,
];
/// Leases.
pub const LEASES: &[Column] = &[NAME, at("Holder", "/spec/holderIdentity"), AGE];
/// `HorizontalPodAutoscaler`s.
pub const HPAS: &[Column] = &[
    NAME,
    made("Reference", cells::reference),
    made("Targets", cells::targets),
    number("MinPods", "/spec/minReplicas"),
    number("MaxPods", "/spec/maxReplicas"),
    number("Replicas", "/status/currentReplicas"),
    AGE,
];
/// `CustomResourceDefinition`s.
pub const CRDS: &[Column] = &[NAME, at("Created At", "/metadata/creationTimestamp")];
/// Services of Knative.
pub const KSERVICES: &[Column] = &[
    NAME,
    at("URL", "/status/url"),
    at("LatestCreated", "/status/latestCreatedRevisionName"),
    at("LatestReady", "/status/latestReadyRevisionName"),
    READY,
    REASON,
];
/// Configurations of Knative.
pub const CONFIGURATIONS: &[Column] = &[
    NAME,
    at("LatestCreated", "/status/latestCreatedRevisionName"),
    at("LatestReady", "/status/latestReadyRevisionName"),
    READY,
    REASON,
];
/// Revisions of Knative.
pub const REVISIONS: &[Column] = &[
    NAME,
    at("Config Name", "/metadata/labels/serving.knative.dev~1configuration"),
    at("Generation", "/metadata/labels/serving.knative.dev~1configurationGeneration"),
    READY,
    REASON,
    number("Actual Replicas", "/status/actualReplicas"),
    number("Desired Replicas", "/status/desiredReplicas"),
];
/// Routes of Knative.
pub const ROUTES: &[Column] = &[NAME, at("URL", "/status/url"), READY, REASON];
/// `PodAutoscaler`s of Knative.
pub const POD_AUTOSCALERS: &[Column] = &[
    NAME,
    number("DesiredScale", "/status/desiredScale"),
    number("ActualScale", "/status/actualScale"),
    READY,
    REASON,
];
/// Metrics of Knative.
pub const READY_REASON: &[Column] = &[NAME, READY, REASON];
/// `ServerlessService`s of Knative.
pub const SERVERLESS_SERVICES: &[Column] = &[
    NAME,
    at("Mode", "/spec/mode"),
    number("Activators", "/spec/numActivators"),
    at("ServiceName", "/status/serviceName"),
    at("PrivateServiceName", "/status/privateServiceName"),
    READY,
    REASON,
];
/// `ScaledObject`s of KEDA.
pub const SCALED_OBJECTS: &[Column] = &[
    NAME,
    at("ScaleTargetKind", "/status/scaleTargetKind"),
    at("ScaleTargetName", "/spec/scaleTargetRef/name"),
    number("Min", "/spec/minReplicaCount"),
    number("Max", "/spec/maxReplicaCount"),
    READY,
    made("Active", cells::active),
    made("Fallback", cells::fallback),
    made("Paused", cells::paused),
    at("Triggers", "/status/triggersTypes"),
    at("Authentications", "/status/authenticationsTypes"),
    AGE,
];
/// Metrics of pods and nodes.
pub const POD_METRICS: &[Column] =
    &[NAME, made("CPU", cells::cpu), made("Memory", cells::memory), at("Window", "/window")];
