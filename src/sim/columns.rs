//! What `kubectl get` prints for each kind: the columns of the real servers and CRDs.

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading, before `kubectl` makes it upper case.
    pub name: &'static str,
}

/// Pods.
pub const PODS: &[Column] = &[];
/// SERVICES.
pub const SERVICES: &[Column] = &[];
/// ENDPOINTS.
pub const ENDPOINTS: &[Column] = &[];
/// EVENTS.
pub const EVENTS: &[Column] = &[];
/// CONFIG_MAPS.
pub const CONFIG_MAPS: &[Column] = &[];
/// SECRETS.
pub const SECRETS: &[Column] = &[];
/// NODES.
pub const NODES: &[Column] = &[];
/// NAMESPACES.
pub const NAMESPACES: &[Column] = &[];
/// DEPLOYMENTS.
pub const DEPLOYMENTS: &[Column] = &[];
/// REPLICA_SETS.
pub const REPLICA_SETS: &[Column] = &[];
/// ENDPOINT_SLICES.
pub const ENDPOINT_SLICES: &[Column] = &[];
/// LEASES.
pub const LEASES: &[Column] = &[];
/// HPAS.
pub const HPAS: &[Column] = &[];
/// CRDS.
pub const CRDS: &[Column] = &[];
/// KSERVICES.
pub const KSERVICES: &[Column] = &[];
/// CONFIGURATIONS.
pub const CONFIGURATIONS: &[Column] = &[];
/// REVISIONS.
pub const REVISIONS: &[Column] = &[];
/// ROUTES.
pub const ROUTES: &[Column] = &[];
/// POD_AUTOSCALERS.
pub const POD_AUTOSCALERS: &[Column] = &[];
/// READY_REASON.
pub const READY_REASON: &[Column] = &[];
/// SERVERLESS_SERVICES.
pub const SERVERLESS_SERVICES: &[Column] = &[];
/// SCALED_OBJECTS.
pub const SCALED_OBJECTS: &[Column] = &[];
/// POD_METRICS.
pub const POD_METRICS: &[Column] = &[];
