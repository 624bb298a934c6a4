//! What a cluster has before anyone deploys to it: nodes, namespaces, Knative's control plane and
//! its configuration.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::rc::Rc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sim::resources;
use crate::sim::stamp;
use crate::sim::store::owner_reference;
use crate::sim::world::SystemPod;
use crate::sim::world::World;

/// Where Knative lives.
pub(crate) const SYSTEM: &str = "knative-serving";

/// What the autoscaler that decides holds.
pub(crate) const LEASE: &str = "autoscaler-bucket-00-of-01";

/// The Knative that is modelled.
pub(crate) const VERSION: &str = "1.23.0";

/// The Deployments of the control plane, and the port names and numbers of their containers.
const COMPONENTS: [(&str, &[(&str, u16)]); 4] = [
    ("activator", &[("metrics", 9090), ("profiling", 8008), ("http1", 8012), ("h2c", 8013)]),
    ("autoscaler", &[("metrics", 9090), ("profiling", 8008), ("websocket", 8080)]),
    ("controller", &[("metrics", 9090), ("profiling", 8008), ("probes", 8080)]),
    ("webhook", &[("metrics", 9090), ("profiling", 8008), ("https-webhook", 8443)]),
];

/// Makes all of it. `gateway` is where the gateway listens, if on a socket.
pub(crate) fn furnish(world: &World, gateway: Option<SocketAddr>) {
    for namespace in ["default", "kube-system", "kourier-system", SYSTEM] {
        namespace_object(world, namespace);
    }
    for service in &world.spec.services {
        namespace_object(world, &service.namespace);
    }
    for node_idx in 0..world.spec.n_nodes.max(1) {
        add(world, &resources::NODES, node_object(world, node_idx));
    }
    for resource in resources::ALL.into_iter().filter(|resource| resource.is_custom()) {
        add(world, &resources::CRDS, crd_object(resource));
    }
    config_maps(world);
    for (app, ports) in COMPONENTS {
        let n = if app == "autoscaler" { world.spec.n_autoscalers.max(1) } else { 1 };
        component(world, app, ports, n);
    }
    if let Some(first) = world.system.borrow().iter().find(|pod| pod.app == "autoscaler") {
        add(world, &resources::LEASES, lease_object(world, &first.identity()));
    }
    add(world, &resources::SERVICES, gateway_object(gateway));
    for _ in 0..world.spec.extra_pods {
        start_pod(world, "default", "filler", &[], None);
    }
}

/// Starts a pod of the control plane (or one that does nothing), ready at once.
pub(crate) fn start_pod(
    world: &World,
    namespace: &str,
    app: &str,
    ports: &[(&str, u16)],
    owner: Option<&Value>,
) -> Option<Rc<SystemPod>> {
    let address = Ipv4Addr::from(world.address());
    let prefix = owner.map_or(app, |owner| owner["metadata"]["name"].as_str().unwrap_or(app));
    let ports: Vec<_> = ports
        .iter()
        .map(|(name, port)| json!({ "name": name, "containerPort": port, "protocol": "TCP" }))
        .collect();
    let container = json!({
        "name": app, "image": format!("registry.sim.test/{app}:v{VERSION}"), "ports": ports,
        "resources": {
            "requests": { "cpu": "100m", "memory": "100Mi" },
            "limits": { "cpu": "1", "memory": "1000Mi" },
        },
        "imagePullPolicy": "IfNotPresent",
    });
    let labels = json!({
        "app": app, "app.kubernetes.io/component": app, "app.kubernetes.io/name": SYSTEM,
        "app.kubernetes.io/version": VERSION,
    });
    let now = world.now();
    let node_idx = world.plane.below(world.spec.n_nodes.max(1) as usize);
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(|kind| {
        json!({ "type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": now })
    });
    let mut pod = json!({
        "metadata": {
            "generateName": format!("{prefix}-"), "namespace": namespace, "labels": labels,
        },
        "spec": {
            "containers": [container], "nodeName": node_name(node_idx),
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
        },
        "status": {
            "phase": "Running", "startTime": now, "qosClass": "Burstable",
            "podIP": address.to_string(), "podIPs": [{ "ip": address.to_string() }],
            "hostIP": node_address(node_idx).to_string(),
            "conditions": conditions,
            "containerStatuses": [running(&container, &now, true)],
        },
    });
    if let Some(owner) = owner {
        pod["metadata"]["ownerReferences"] = json!([owner_reference(owner)]);
    }
    let pod = world.create(&resources::PODS, pod).ok()?;
    let system_pod = Rc::new(SystemPod {
        namespace: namespace.to_owned(),
        name: pod["metadata"]["name"].as_str()?.to_owned(),
        app: app.to_owned(),
        address,
        started: world.clock.at(),
        has_metrics: has_metrics(world),
        log: RefCell::default(),
        gauges: RefCell::default(),
    });
    world.system.borrow_mut().push(Rc::clone(&system_pod));
    Some(system_pod)
}

/// Starts another pod of a component in place of one that was deleted.
pub(crate) fn replace_pod(world: &World, app: &str) -> Option<Rc<SystemPod>> {
    let (_, ports) = COMPONENTS.into_iter().find(|(name, _)| *name == app)?;
    let sets = world.store.borrow().list(&resources::REPLICA_SETS, Some(SYSTEM));
    let owner =
        sets.into_iter().find(|set| set["spec"]["selector"]["matchLabels"]["app"] == app)?;
    start_pod(world, SYSTEM, app, ports, Some(&owner))
}

/// Whether a process of the control plane that starts now exports metrics.
fn has_metrics(world: &World) -> bool {
    let metrics = world.config("config-observability");
    metrics.get("metrics-protocol").is_some_and(|name| name == "prometheus")
}

/// The only container of a pod of the control plane was killed.
pub(crate) fn container_ended(world: &World, pod: &SystemPod) {
    let now = world.now();
    let began = stamp::seconds(world.clock.anchor().wall(pod.started));
    world.modify(&resources::PODS, (&pod.namespace, &pod.name), |object| {
        let status = &mut object["status"]["containerStatuses"][0];
        status["state"] = json!({ "terminated": {
            "exitCode": 137, "reason": "Error", "startedAt": began, "finishedAt": now,
        } });
        status["ready"] = false.into();
        status["started"] = false.into();
        set_ready(object, false, &now);
    });
}

/// It was started again: another process in the same pod.
pub(crate) fn container_began(world: &World, pod: &SystemPod) -> Rc<SystemPod> {
    let now = world.now();
    world.modify(&resources::PODS, (&pod.namespace, &pod.name), |object| {
        let status = &mut object["status"]["containerStatuses"][0];
        status["lastState"] = status["state"].take();
        status["state"] = json!({ "running": { "startedAt": now } });
        status["ready"] = true.into();
        status["started"] = true.into();
        status["restartCount"] = (status["restartCount"].as_u64().unwrap_or(0) + 1).into();
        set_ready(object, true, &now);
    });
    let again = Rc::new(SystemPod {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        app: pod.app.clone(),
        address: pod.address,
        started: world.clock.at(),
        has_metrics: has_metrics(world),
        log: RefCell::default(),
        gauges: RefCell::default(),
    });
    world.system.borrow_mut().push(Rc::clone(&again));
    again
}

fn set_ready(pod: &mut Value, is_ready: bool, now: &str) {
    let conditions = pod["status"]["conditions"].as_array_mut();
    for one in conditions.into_iter().flatten() {
        if one["type"] == "Ready" || one["type"] == "ContainersReady" {
            one["status"] = if is_ready { "True" } else { "False" }.into();
            one["lastTransitionTime"] = now.into();
        }
    }
}

/// The status of a running container.
pub(crate) fn running(container: &Value, since: &str, is_ready: bool) -> Value {
    json!({
        "name": container["name"], "state": { "running": { "startedAt": since } }, "lastState": {},
        "ready": is_ready, "started": true, "restartCount": 0, "image": container["image"],
        "imageID": container["image"],
    })
}

/// The name of a node.
pub(crate) fn node_name(node_idx: usize) -> String {
    format!("node-{node_idx}")
}

/// The address of a node.
pub(crate) fn node_address(node_idx: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 40, 0, u8::try_from(10 + node_idx % 240).unwrap_or(10))
}

fn add(world: &World, resource: &'static resources::Resource, object: Value) -> Option<Value> {
    // Only what is there already can be refused, and then it need not be made.
    world.create(resource, object).ok()
}

fn namespace_object(world: &World, name: &str) {
    add(
        world,
        &resources::NAMESPACES,
        json!({
            "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
            "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
        }),
    );
}

fn node_object(world: &World, node_idx: u32) -> Value {
    let node_idx = node_idx as usize;
    let name = node_name(node_idx);
    let capacity = json!({ "cpu": "16", "memory": "64Gi", "pods": "250" });
    let now = world.now();
    json!({
        "metadata": { "name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        } },
        "spec": { "podCIDR": format!("10.42.{node_idx}.0/24") },
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "addresses": [
                { "type": "InternalIP", "address": node_address(node_idx).to_string() },
                { "type": "Hostname", "address": name },
            ],
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "KubeletReady",
                "message": "kubelet is posting ready status",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }],
            "nodeInfo": {
                "kubeletVersion": "v1.34.0", "osImage": "rampscope sim", "operatingSystem": "linux",
                "architecture": "amd64", "kernelVersion": "6.12.0", "containerRuntimeVersion": "sim://1",
                "machineID": "", "systemUUID": "", "bootID": "", "kubeProxyVersion": "",
            },
        },
    })
}

fn crd_object(resource: &resources::Resource) -> Value {
    json!({
        "metadata": { "name": resource.qualified(), "labels": { "app.kubernetes.io/version": VERSION } },
        "spec": {
            "group": resource.group,
            "names": {
                "kind": resource.kind, "plural": resource.plural, "singular": resource.singular,
                "shortNames": resource.short_names, "categories": resource.categories,
            },
            "scope": "Namespaced",
            "versions": [{ "name": resource.version, "served": true, "storage": true }],
        },
        "status": { "conditions": [{ "type": "Established", "status": "True" }] },
    })
}

fn config_maps(world: &World) {
    let protocol = |on: bool| if on { "prometheus" } else { "none" };
    let mut autoscaler = Map::new();
    for (key, value) in &world.spec.config_autoscaler {
        autoscaler.insert(key.clone(), value.as_str().into());
    }
    let mut domain = Map::new();
    domain.insert(world.spec.domain.clone(), "".into());
    let mut observability = Map::new();
    // A stock install says nothing, which means none.
    if world.spec.metrics {
        observability.insert("metrics-protocol".to_owned(), protocol(true).into());
    }
    if world.spec.request_metrics {
        observability.insert("request-metrics-protocol".to_owned(), protocol(true).into());
    }
    let maps = [
        ("config-autoscaler", autoscaler),
        ("config-observability", observability),
        ("config-domain", domain),
        (
            "config-network",
            json_map(&[("ingress-class", "kourier.ingress.networking.knative.dev")]),
        ),
        ("config-features", Map::new()),
        ("config-defaults", Map::new()),
        ("config-logging", Map::new()),
    ];
    for (name, data) in maps {
        let mut map = json!({
            "metadata": { "name": name, "namespace": SYSTEM, "labels": {
                "app.kubernetes.io/name": SYSTEM, "app.kubernetes.io/version": VERSION,
            } },
        });
        if !data.is_empty() {
            map["data"] = data.into();
        }
        add(world, &resources::CONFIG_MAPS, map);
    }
}

fn json_map(pairs: &[(&str, &str)]) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
}

fn component(world: &World, app: &str, ports: &[(&str, u16)], n: u32) {
    let selector = json!({ "matchLabels": { "app": app } });
    let labels = json!({
        "app.kubernetes.io/component": app, "app.kubernetes.io/name": SYSTEM,
        "app.kubernetes.io/version": VERSION,
    });
    let now = world.now();
    let status = json!({
        "observedGeneration": 1, "replicas": n, "updatedReplicas": n, "readyReplicas": n,
        "availableReplicas": n, "conditions": [{
            "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
            "message": "Deployment has minimum availability.",
            "lastUpdateTime": now, "lastTransitionTime": now,
        }],
    });
    let template = json!({
        "metadata": { "labels": { "app": app } },
        "spec": { "containers": [{ "name": app, "image": format!("registry.sim.test/{app}:v{VERSION}") }] },
    });
    let spec = json!({ "replicas": n, "selector": selector, "template": template });
    let Some(deployment) = add(
        world,
        &resources::DEPLOYMENTS,
        json!({
            "metadata": { "name": app, "namespace": SYSTEM, "labels": labels },
            "spec": spec, "status": status,
        }),
    ) else {
        return;
    };
    let hash = world.hash();
    let Some(set) = add(
        world,
        &resources::REPLICA_SETS,
        json!({
            "metadata": {
                "name": format!("{app}-{hash}"), "namespace": SYSTEM, "labels": { "app": app },
                "ownerReferences": [owner_reference(&deployment)],
            },
            "spec": spec,
            "status": {
                "observedGeneration": 1, "replicas": n, "fullyLabeledReplicas": n, "readyReplicas": n,
                "availableReplicas": n,
            },
        }),
    ) else {
        return;
    };
    for _ in 0..n {
        start_pod(world, SYSTEM, app, ports, Some(&set));
    }
    let service = if app == "activator" { "activator-service" } else { app };
    let ports: Vec<_> = ports
        .iter()
        .map(|(name, port)| {
            json!({
                "name": format!("http-{name}"), "port": port, "targetPort": port, "protocol": "TCP",
            })
        })
        .collect();
    add(
        world,
        &resources::SERVICES,
        json!({
            "metadata": { "name": service, "namespace": SYSTEM, "labels": labels },
            "spec": { "type": "ClusterIP", "clusterIP": "192.0.2.9", "selector": { "app": app }, "ports": ports },
        }),
    );
}

/// The lease, held by `holder`.
pub(crate) fn lease_object(world: &World, holder: &str) -> Value {
    let now = stamp::micros(world.clock.wall());
    json!({
        "metadata": { "name": LEASE, "namespace": SYSTEM },
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 60, "acquireTime": now,
            "renewTime": now, "leaseTransitions": 0,
        },
    })
}

fn gateway_object(at: Option<SocketAddr>) -> Value {
    let (address, port) =
        at.map_or((Ipv4Addr::LOCALHOST.to_string(), 80), |at| (at.ip().to_string(), at.port()));
    json!({
        "metadata": { "name": "kourier", "namespace": "kourier-system", "labels": {
            "networking.knative.dev/ingress-provider": "kourier",
        } },
        "spec": {
            "type": "LoadBalancer", "clusterIP": "192.0.2.10",
            "selector": { "app": "3scale-kourier-gateway" },
            "ports": [{ "name": "http2", "port": port, "targetPort": 8080, "protocol": "TCP" }],
        },
        "status": { "loadBalancer": { "ingress": [{ "ip": address }] } },
    })
}
