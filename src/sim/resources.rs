//! The kinds that the embedded cluster has, as data: names, scope, what can be done with them.

use crate::sim::columns;
use crate::sim::columns::Column;

/// One resource of the API.
#[derive(Debug)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// Name in paths.
    pub plural: &'static str,
    /// Name for people.
    pub singular: &'static str,
    /// Name in objects.
    pub kind: &'static str,
    /// What `kubectl` lets one type instead.
    pub short_names: &'static [&'static str],
    /// `all`, `knative` and the like.
    pub categories: &'static [&'static str],
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// `status`, `scale`.
    pub subresources: &'static [&'static str],
    /// Whether a change of `spec` counts up `metadata.generation`.
    pub has_generation: bool,
    /// What a table shows.
    pub columns: &'static [Column],
    /// Whether one can only look: metrics are computed, not stored.
    pub read_only: bool,
    /// The resource under which the objects are kept, if this is another view of it.
    pub stored_as: Option<&'static Self>,
}

// === impl Resource ===

impl Resource {
    const fn new(
        group_version: (&'static str, &'static str),
        names: (&'static str, &'static str, &'static str),
        columns: &'static [Column],
    ) -> Self {
        Self {
            group: group_version.0,
            version: group_version.1,
            plural: names.0,
            singular: names.1,
            kind: names.2,
            short_names: &[],
            categories: &[],
            namespaced: true,
            subresources: &[],
            has_generation: false,
            columns,
            read_only: false,
            stored_as: None,
        }
    }

    const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short_names = names;
        self
    }

    const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    const fn cluster(mut self) -> Self {
        self.namespaced = false;
        self
    }

    const fn sub(mut self, subresources: &'static [&'static str]) -> Self {
        self.subresources = subresources;
        self.has_generation = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    const fn stored_as(mut self, other: &'static Self) -> Self {
        self.stored_as = Some(other);
        self
    }

    /// `group/version`, or `v1`: the `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `plural.group`, as error messages and RBAC write it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Under which key the store keeps the objects.
    pub fn key(&self) -> (&'static str, &'static str) {
        let stored = self.stored_as.unwrap_or(self);
        (stored.group, stored.plural)
    }

    /// What can be done with it, in the words of RBAC.
    pub const fn verbs(&self) -> &'static [&'static str] {
        if self.read_only {
            &["get", "list"]
        } else {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        }
    }

    /// Whether it is a question, which is answered and never kept.
    pub fn is_question(&self) -> bool {
        [&SELF_SUBJECT_ACCESS_REVIEWS, &SELF_SUBJECT_REVIEWS].contains(&self)
    }

    /// Whether it comes from a `CustomResourceDefinition` of Knative or KEDA.
    pub fn is_custom(&self) -> bool {
        self.group.ends_with("knative.dev") || self.group == "keda.sh"
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        (self.group, self.plural) == (other.group, other.plural)
    }
}

impl Eq for Resource {}

const CORE: (&str, &str) = ("", "v1");
const APPS: (&str, &str) = ("apps", "v1");
const SERVING: (&str, &str) = ("serving.knative.dev", "v1");
const KNATIVE_AUTOSCALING: (&str, &str) = ("autoscaling.internal.knative.dev", "v1alpha1");
const KNATIVE_NETWORKING: (&str, &str) = ("networking.internal.knative.dev", "v1alpha1");
const METRICS: (&str, &str) = ("metrics.k8s.io", "v1beta1");
const STATUS: &[&str] = &["status"];
const KNATIVE: &[&str] = &["all", "knative", "serving"];
const KNATIVE_INTERNAL: &[&str] = &["knative-internal", "autoscaling"];

/// Pods.
pub static PODS: Resource = Resource::new(CORE, ("pods", "pod", "Pod"), columns::PODS)
    .short(&["po"])
    .categories(&["all"])
    .sub(STATUS);
/// Services of Kubernetes, not of Knative.
pub static SERVICES: Resource =
    Resource::new(CORE, ("services", "service", "Service"), columns::SERVICES)
        .short(&["svc"])
        .categories(&["all"]);
/// Endpoints.
pub static ENDPOINTS: Resource =
    Resource::new(CORE, ("endpoints", "endpoints", "Endpoints"), columns::ENDPOINTS).short(&["ep"]);
/// Events.
pub static EVENTS: Resource =
    Resource::new(CORE, ("events", "event", "Event"), columns::EVENTS).short(&["ev"]);
/// `ConfigMap`s.
pub static CONFIG_MAPS: Resource =
    Resource::new(CORE, ("configmaps", "configmap", "ConfigMap"), columns::CONFIG_MAPS)
        .short(&["cm"]);
/// Secrets; there are none.
pub static SECRETS: Resource =
    Resource::new(CORE, ("secrets", "secret", "Secret"), columns::SECRETS);
/// Nodes.
pub static NODES: Resource =
    Resource::new(CORE, ("nodes", "node", "Node"), columns::NODES).short(&["no"]).cluster();
/// Namespaces.
pub static NAMESPACES: Resource =
    Resource::new(CORE, ("namespaces", "namespace", "Namespace"), columns::NAMESPACES)
        .short(&["ns"])
        .cluster();
/// Deployments.
pub static DEPLOYMENTS: Resource =
    Resource::new(APPS, ("deployments", "deployment", "Deployment"), columns::DEPLOYMENTS)
        .short(&["deploy"])
        .categories(&["all"])
        .sub(&["status", "scale"]);
/// `ReplicaSet`s.
pub static REPLICA_SETS: Resource =
    Resource::new(APPS, ("replicasets", "replicaset", "ReplicaSet"), columns::REPLICA_SETS)
        .short(&["rs"])
        .categories(&["all"])
        .sub(&["status", "scale"]);
/// Events as `events.k8s.io` shows them: the same objects under other field names.
pub static NEW_EVENTS: Resource =
    Resource::new(("events.k8s.io", "v1"), ("events", "event", "Event"), columns::EVENTS)
        .short(&["ev"])
        .stored_as(&EVENTS);
/// `EndpointSlice`s.
pub static ENDPOINT_SLICES: Resource = Resource::new(
    ("discovery.k8s.io", "v1"),
    ("endpointslices", "endpointslice", "EndpointSlice"),
    columns::ENDPOINT_SLICES,
);
/// Leases.
pub static LEASES: Resource =
    Resource::new(("coordination.k8s.io", "v1"), ("leases", "lease", "Lease"), columns::LEASES);
/// `HorizontalPodAutoscaler`s.
pub static HPAS: Resource = Resource::new(
    ("autoscaling", "v2"),
    ("horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler"),
    columns::HPAS,
)
.short(&["hpa"])
.categories(&["all"])
.sub(STATUS);
/// `CustomResourceDefinition`s.
pub static CRDS: Resource = Resource::new(
    ("apiextensions.k8s.io", "v1"),
    ("customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition"),
    columns::CRDS,
)
.short(&["crd", "crds"])
.cluster();
/// Services of Knative.
pub static KSERVICES: Resource =
    Resource::new(SERVING, ("services", "service", "Service"), columns::KSERVICES)
        .short(&["kservice", "ksvc"])
        .categories(KNATIVE)
        .sub(STATUS);
/// Configurations of Knative.
pub static CONFIGURATIONS: Resource = Resource::new(
    SERVING,
    ("configurations", "configuration", "Configuration"),
    columns::CONFIGURATIONS,
)
.short(&["config", "cfg"])
.categories(KNATIVE)
.sub(STATUS);
/// Revisions of Knative.
pub static REVISIONS: Resource =
    Resource::new(SERVING, ("revisions", "revision", "Revision"), columns::REVISIONS)
        .short(&["rev"])
        .categories(KNATIVE)
        .sub(STATUS);
/// Routes of Knative.
pub static ROUTES: Resource = Resource::new(SERVING, ("routes", "route", "Route"), columns::ROUTES)
    .short(&["rt"])
    .categories(KNATIVE)
    .sub(STATUS);
/// `PodAutoscaler`s of Knative.
pub static POD_AUTOSCALERS: Resource = Resource::new(
    KNATIVE_AUTOSCALING,
    ("podautoscalers", "podautoscaler", "PodAutoscaler"),
    columns::POD_AUTOSCALERS,
)
.short(&["kpa", "pa"])
.categories(KNATIVE_INTERNAL)
.sub(STATUS);
/// Metrics of Knative: what the autoscaler scrapes.
pub static METRICS_OF_REVISIONS: Resource =
    Resource::new(KNATIVE_AUTOSCALING, ("metrics", "metric", "Metric"), columns::READY_REASON)
        .categories(KNATIVE_INTERNAL)
        .sub(STATUS);
/// `ServerlessService`s of Knative.
pub static SERVERLESS_SERVICES: Resource = Resource::new(
    KNATIVE_NETWORKING,
    ("serverlessservices", "serverlessservice", "ServerlessService"),
    columns::SERVERLESS_SERVICES,
)
.short(&["sks"])
.categories(&["knative-internal", "networking"])
.sub(STATUS);
/// `ScaledObject`s of KEDA.
pub static SCALED_OBJECTS: Resource = Resource::new(
    ("keda.sh", "v1alpha1"),
    ("scaledobjects", "scaledobject", "ScaledObject"),
    columns::SCALED_OBJECTS,
)
.short(&["so"])
.sub(STATUS);
/// What pods use, as metrics-server says.
pub static POD_METRICS: Resource =
    Resource::new(METRICS, ("pods", "pod", "PodMetrics"), columns::POD_METRICS).read_only();
/// What nodes use, as metrics-server says.
pub static NODE_METRICS: Resource =
    Resource::new(METRICS, ("nodes", "node", "NodeMetrics"), columns::POD_METRICS)
        .cluster()
        .read_only();

/// All of them, in the order in which discovery lists them.
pub static ALL: [&Resource; 27] = [
    &CONFIG_MAPS,
    &ENDPOINTS,
    &EVENTS,
    &NAMESPACES,
    &NODES,
    &PODS,
    &SECRETS,
    &SERVICES,
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &HPAS,
    &NEW_EVENTS,
    &LEASES,
    &ENDPOINT_SLICES,
    &CRDS,
    &METRICS_OF_REVISIONS,
    &POD_AUTOSCALERS,
    &SCALED_OBJECTS,
    &NODE_METRICS,
    &POD_METRICS,
    &SERVERLESS_SERVICES,
    &CONFIGURATIONS,
    &REVISIONS,
    &ROUTES,
    &KSERVICES,
    &SELF_SUBJECT_ACCESS_REVIEWS,
    &SELF_SUBJECT_REVIEWS,
];

/// The question "may I?"; it is answered and never kept.
pub static SELF_SUBJECT_ACCESS_REVIEWS: Resource = Resource::new(
    ("authorization.k8s.io", "v1"),
    ("selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview"),
    &[],
)
.cluster();

/// The question "who am I?".
pub static SELF_SUBJECT_REVIEWS: Resource = Resource::new(
    ("authentication.k8s.io", "v1"),
    ("selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview"),
    &[],
)
.cluster();

/// The resource at `group`, `version`, `plural`.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    ALL.into_iter().find(|one| (one.group, one.version, one.plural) == (group, version, plural))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_resource_is_found_at_its_own_path_only() {
        let mut paths = BTreeSet::new();
        for one in ALL {
            assert!(paths.insert((one.group, one.version, one.plural)), "twice: {one:?}");
            let found = find(one.group, one.version, one.plural).unwrap();
            assert!(std::ptr::eq(found, one));
        }
        assert_eq!(find("", "v1", "deployments"), None);
    }
}
