//! The objects that Knative makes for a revision, as JSON.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sim::kubelet::GRACE;
use crate::sim::store::meta_text;
use crate::sim::store::owner_reference;

/// Prefix of the labels.
pub(crate) const SERVING: &str = "serving.knative.dev";

/// Prefix of the annotations that configure the autoscaler.
pub(crate) const AUTOSCALING: &str = "autoscaling.knative.dev/";

/// What all objects of a revision have in common.
pub(crate) struct Parts<'a> {
    pub(crate) revision: &'a Value,
    /// Labels of everything below the revision, pods included.
    pub(crate) labels: Value,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

// === impl Parts ===

impl<'a> Parts<'a> {
    pub(crate) fn new(revision: &'a Value) -> Self {
        let mut labels = Map::new();
        labels.insert("app".to_owned(), meta_text(revision, "name").into());
        for (key, value) in revision["metadata"]["labels"].as_object().into_iter().flatten() {
            if !key.contains("routing") {
                labels.insert(key.clone(), value.clone());
            }
        }
        let own = [("revision", "name"), ("revisionUID", "uid")];
        for (label, field) in own {
            labels.insert(format!("{SERVING}/{label}"), meta_text(revision, field).into());
        }
        Self {
            revision,
            labels: labels.into(),
            namespace: meta_text(revision, "namespace"),
            name: meta_text(revision, "name"),
        }
    }

    fn meta(&self, name: &str, owner: &Value) -> Value {
        json!({
            "name": name, "namespace": self.namespace, "labels": self.labels,
            "ownerReferences": [owner_reference(owner)],
        })
    }

    /// Annotations of the revision: those of the autoscaler, or the others.
    fn annotations(&self, of_autoscaler: bool) -> Map<String, Value> {
        let all = self.revision["metadata"]["annotations"].as_object();
        all.into_iter()
            .flatten()
            .filter(|(key, _)| key.starts_with(AUTOSCALING) == of_autoscaler)
            .filter(|(key, _)| !key.starts_with("serving.knative.dev/rout"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    pub(crate) fn deployment(&self, replicas: u32) -> Value {
        let mut meta = self.meta(&format!("{}-deployment", self.name), self.revision);
        let mut annotations = self.annotations(false);
        annotations.insert("deployment.kubernetes.io/revision".to_owned(), "1".into());
        meta["annotations"] = annotations.into();
        json!({
            "metadata": meta,
            "spec": {
                "replicas": replicas, "selector": self.selector(), "template": self.template(),
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": { "maxUnavailable": 0, "maxSurge": "25%" },
                },
                "revisionHistoryLimit": 0, "progressDeadlineSeconds": 600,
            },
            "status": {},
        })
    }

    pub(crate) fn replica_set(&self, deployment: &Value, hash: &str, replicas: u32) -> Value {
        let mut meta = self.meta(&format!("{}-{hash}", meta_text(deployment, "name")), deployment);
        meta["labels"]["pod-template-hash"] = hash.into();
        meta["annotations"] = json!({ "deployment.kubernetes.io/desired-replicas": "1" });
        let mut selector = self.selector();
        selector["matchLabels"]["pod-template-hash"] = hash.into();
        json!({
            "metadata": meta,
            "spec": { "replicas": replicas, "selector": selector, "template": self.template() },
            "status": {},
        })
    }

    fn selector(&self) -> Value {
        json!({ "matchLabels": { "serving.knative.dev/revisionUID": meta_text(self.revision, "uid") } })
    }

    fn template(&self) -> Value {
        let spec = &self.revision["spec"];
        let mut annotations = self.annotations(false);
        annotations
            .insert("kubectl.kubernetes.io/default-container".to_owned(), "user-container".into());
        let mut containers: Vec<Value> = Vec::new();
        if let Some(users) = spec["containers"].as_array() {
            containers.extend(users.iter().map(|one| self.user_container(one)));
        }
        containers.push(self.queue_proxy());
        json!({
            "metadata": { "labels": self.labels, "annotations": annotations },
            "spec": {
                "containers": containers, "restartPolicy": "Always",
                "terminationGracePeriodSeconds": GRACE.as_secs(),
                "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
                "enableServiceLinks": false, "serviceAccountName": "default",
            },
        })
    }

    fn user_container(&self, wish: &Value) -> Value {
        let mut container = wish.clone();
        if container["name"].as_str().is_none_or(str::is_empty) {
            container["name"] = "user-container".into();
        }
        container["ports"] =
            json!([{ "name": "user-port", "containerPort": 8080, "protocol": "TCP" }]);
        container["lifecycle"] = json!({ "preStop": { "httpGet": { "path": "/wait-for-drain", "port": 8022, "scheme": "HTTP" } } });
        container["imagePullPolicy"] = "IfNotPresent".into();
        let label = |name: &str| self.labels[format!("{SERVING}/{name}")].clone();
        let mut env = wish["env"].as_array().cloned().unwrap_or_default();
        env.push(json!({ "name": "PORT", "value": "8080" }));
        for (variable, of) in [
            ("K_REVISION", "revision"),
            ("K_CONFIGURATION", "configuration"),
            ("K_SERVICE", "service"),
        ] {
            env.push(json!({ "name": variable, "value": label(of) }));
        }
        container["env"] = env.into();
        container
    }

    fn queue_proxy(&self) -> Value {
        let port = |name: &str, port: u16| json!({ "name": name, "containerPort": port, "protocol": "TCP" });
        let limit = self.revision["spec"]["containerConcurrency"].as_u64().unwrap_or(0);
        json!({
            "name": "queue-proxy", "image": "registry.sim.test/queue:v1.23.0",
            "ports": [
                port("http-autometric", 9090), port("http-usermetric", 9091),
                port("queue-port", 8012), port("https-port", 8112),
            ],
            "env": [
                { "name": "SERVING_REVISION", "value": self.name },
                { "name": "CONTAINER_CONCURRENCY", "value": limit.to_string() },
            ],
            "resources": { "requests": { "cpu": "25m" } },
            "readinessProbe": {
                "httpGet": { "path": "/", "port": 8012, "scheme": "HTTP",
                    "httpHeaders": [{ "name": "K-Network-Probe", "value": "queue" }] },
                "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
            },
            "imagePullPolicy": "IfNotPresent",
        })
    }

    pub(crate) fn pod_autoscaler(&self) -> Value {
        let mut meta = self.meta(self.name, self.revision);
        let mut annotations = self.annotations(true);
        let class = annotations.get(&format!("{AUTOSCALING}class")).and_then(Value::as_str);
        let is_hpa = class.is_some_and(|class| class.starts_with("hpa."));
        let metric = if is_hpa { "cpu" } else { "concurrency" };
        let defaults = [("class", "kpa.autoscaling.knative.dev"), ("metric", metric)];
        for (key, value) in defaults {
            annotations.entry(format!("{AUTOSCALING}{key}")).or_insert_with(|| value.into());
        }
        meta["annotations"] = annotations.into();
        let mut spec = json!({
            "protocolType": "http1", "reachability": "", "scaleTargetRef": self.scale_target(),
        });
        if let Some(limit) =
            self.revision["spec"]["containerConcurrency"].as_u64().filter(|n| *n != 0)
        {
            spec["containerConcurrency"] = limit.into();
        }
        json!({ "metadata": meta, "spec": spec, "status": {} })
    }

    /// Metadata and `scaleTargetRef` of the revision's `HorizontalPodAutoscaler`.
    pub(crate) fn horizontal(&self, owner: &Value) -> (Value, Value) {
        (self.meta(self.name, owner), self.scale_target())
    }

    fn scale_target(&self) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "name": format!("{}-deployment", self.name),
        })
    }

    /// Windows in nanoseconds, and whether pods are scraped.
    pub(crate) fn metric(&self, owner: &Value, windows: (u128, u128), is_scraped: bool) -> Value {
        let target = if is_scraped { format!("{}-private", self.name) } else { String::new() };
        json!({
            "metadata": self.meta(self.name, owner),
            "spec": {
                "panicWindow": u64::try_from(windows.1).unwrap_or(0), "scrapeTarget": target,
                "stableWindow": u64::try_from(windows.0).unwrap_or(0),
            },
            "status": {},
        })
    }

    pub(crate) fn serverless_service(&self, owner: &Value, n_activators: u32) -> Value {
        json!({
            "metadata": self.meta(self.name, owner),
            "spec": {
                "mode": "Proxy", "numActivators": n_activators, "objectRef": self.scale_target(),
                "protocolType": "http1",
            },
            "status": {},
        })
    }

    /// The public (or private) Service of Kubernetes.
    pub(crate) fn service(&self, owner: &Value, is_public: bool) -> Value {
        let kind = if is_public { "Public" } else { "Private" };
        let name = if is_public { self.name.to_owned() } else { format!("{}-private", self.name) };
        let mut meta = self.meta(&name, owner);
        meta["labels"]["networking.internal.knative.dev/serverlessservice"] = self.name.into();
        meta["labels"]["networking.internal.knative.dev/serviceType"] = kind.into();
        let port = |name: &str, port: u16, target: u16| json!({ "name": name, "port": port, "targetPort": target, "protocol": "TCP" });
        let mut spec = json!({
            "type": "ClusterIP", "clusterIP": if is_public { "192.0.2.101" } else { "192.0.2.102" },
            "ports": [port("http", 80, 8012), port("https", 443, 8112)],
        });
        if !is_public {
            spec["selector"] =
                json!({ "serving.knative.dev/revisionUID": meta_text(self.revision, "uid") });
            spec["ports"] = json!([
                port("http", 80, 8012),
                port("https", 443, 8112),
                port("http-autometric", 9090, 9090),
                port("http-usermetric", 9091, 9091),
            ]);
        }
        json!({ "metadata": meta, "spec": spec, "status": { "loadBalancer": {} } })
    }

    /// The `EndpointSlice` of a Service, empty.
    pub(crate) fn slice(&self, service: &Value) -> Value {
        let name = meta_text(service, "name");
        let mut meta = self.meta(&format!("{name}-slice"), service);
        meta["labels"] = service["metadata"]["labels"].clone();
        meta["labels"]["kubernetes.io/service-name"] = name.into();
        json!({
            "metadata": meta, "addressType": "IPv4", "endpoints": [],
            "ports": [{ "name": "http", "protocol": "TCP", "port": 8012 }],
        })
    }

    /// The Endpoints of the public Service, empty.
    pub(crate) fn endpoints(&self, service: &Value) -> Value {
        json!({ "metadata": self.meta(self.name, service), "subsets": [] })
    }
}
