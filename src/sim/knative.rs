//! From a Knative Service to revisions and routes: what Knative's controller does.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::kpa::Mode;
use crate::kpa::reconcile::Status as AutoscalerStatus;
use crate::sim::hpa;
use crate::sim::kubelet;
use crate::sim::objects::AUTOSCALING;
use crate::sim::objects::Parts;
use crate::sim::objects::SERVING;
use crate::sim::replicas;
use crate::sim::resources;
use crate::sim::revision::Identity;
use crate::sim::revision::Key;
use crate::sim::revision::Revision;
use crate::sim::routes;
use crate::sim::scaler;
use crate::sim::spec::SimService;
use crate::sim::status::Status;
use crate::sim::store::meta_text;
use crate::sim::store::owner_reference;
use crate::sim::world::Deployed;
use crate::sim::world::World;
use crate::units::Millicores;
use crate::units::Quantity;

/// The Knative Service that a spec describes.
pub(crate) fn service_object(service: &SimService) -> Value {
    let annotations: serde_json::Map<String, Value> = service
        .annotations
        .iter()
        .map(|(key, value)| (format!("{AUTOSCALING}{key}"), value.as_str().into()))
        .collect();
    json!({
        "metadata": { "name": service.name, "namespace": service.namespace },
        "spec": { "template": {
            "metadata": { "annotations": annotations },
            "spec": {
                "containerConcurrency": service.container_concurrency, "timeoutSeconds": 300,
                "containers": [{
                    "name": "user-container", "image": "registry.sim.test/app:v1",
                    "resources": {
                        "requests": { "cpu": "50m", "memory": "32Mi" },
                        "limits": { "cpu": cpu(service.cpu_limit), "memory": "128Mi" },
                    },
                }],
            },
        } },
    })
}

/// As Kubernetes writes it: whole cores without a suffix.
fn cpu(limit: Millicores) -> String {
    if limit.0.is_multiple_of(1000) { (limit.0 / 1000).to_string() } else { limit.to_string() }
}

/// Brings Configuration, Route and the newest revision in line with a Knative Service.
pub(crate) fn reconcile(world: &Rc<World>, namespace: &str, name: &str) {
    let Some(service) = world.get(&resources::KSERVICES, namespace, name) else {
        // Its revisions go with it, each by itself.
        world.plane.set_routes((namespace, name), Vec::new());
        return;
    };
    let template = &service["spec"]["template"];
    let configuration = match world.get(&resources::CONFIGURATIONS, namespace, name) {
        Some(old) if old["spec"]["template"] == *template => None,
        Some(_) => world
            .store
            .borrow_mut()
            .modify(&resources::CONFIGURATIONS, namespace, name, |object| {
                object["spec"]["template"] = template.clone();
            })
            .ok(),
        None => first_configuration(world, &service).ok(),
    };
    if let Some(configuration) = configuration
        && let Err(error) = add_revision(world, &service, &configuration)
    {
        tracing::warn!(%error, "a revision of the embedded cluster could not be made");
    }
    routes::sync(world, namespace, name);
}

fn first_configuration(world: &World, service: &Value) -> Result<Value, Status> {
    let (namespace, name) = (meta_text(service, "namespace"), meta_text(service, "name"));
    let meta = json!({
        "name": name, "namespace": namespace, "ownerReferences": [owner_reference(service)],
        "labels": {
            "serving.knative.dev/service": name,
            "serving.knative.dev/serviceUID": meta_text(service, "uid"),
        },
    });
    let template = service["spec"]["template"].clone();
    let configuration = world.create(
        &resources::CONFIGURATIONS,
        json!({ "metadata": meta, "spec": { "template": template }, "status": {} }),
    )?;
    let message = format!("Created Configuration \"{name}\"");
    world.event(service, "service-controller", "Created", &message);
    world.create(
        &resources::ROUTES,
        json!({ "metadata": meta, "spec": { "traffic": routes::wishes(service) }, "status": {} }),
    )?;
    let message = format!("Created Route \"{name}\"");
    world.event(service, "service-controller", "Created", &message);
    Ok(configuration)
}

fn add_revision(world: &Rc<World>, service: &Value, configuration: &Value) -> Result<(), Status> {
    let (namespace, of) = (meta_text(service, "namespace"), meta_text(service, "name"));
    let generation = configuration["metadata"]["generation"].as_u64().unwrap_or(1);
    let template = &configuration["spec"]["template"];
    let name = match template["metadata"]["name"].as_str() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => format!("{of}-{generation:05}"),
    };
    let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    let own = [
        ("configuration", of.to_owned()),
        ("configurationGeneration", generation.to_string()),
        ("configurationUID", meta_text(configuration, "uid").to_owned()),
        ("routingState", "pending".to_owned()),
        ("service", of.to_owned()),
        ("serviceUID", meta_text(service, "uid").to_owned()),
    ];
    for (label, value) in own {
        labels.insert(format!("{SERVING}/{label}"), value.into());
    }
    let mut spec = template["spec"].clone();
    let defaults = [("containerConcurrency", 0), ("timeoutSeconds", 300)];
    for (field, value) in defaults {
        if spec[field].is_null() {
            spec[field] = value.into();
        }
    }
    let revision = world.create(
        &resources::REVISIONS,
        json!({
            "metadata": {
                "name": name, "namespace": namespace, "labels": labels,
                "annotations": template["metadata"]["annotations"].as_object().cloned().unwrap_or_default(),
                "ownerReferences": [owner_reference(configuration)],
            },
            "spec": spec, "status": {},
        }),
    )?;
    let message = format!("Created Revision \"{name}\"");
    world.event(configuration, "configuration-controller", "Created", &message);
    deploy(world, of, &revision)
}

/// Makes everything below a revision and starts its autoscaler.
fn deploy(world: &Rc<World>, service: &str, revision: &Value) -> Result<(), Status> {
    let parts = Parts::new(revision);
    let spec = &revision["spec"];
    let annotations: BTreeMap<String, String> = revision["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| {
            Some((key.strip_prefix(AUTOSCALING)?.to_owned(), value.as_str()?.to_owned()))
        })
        .collect();
    let limit = spec["containerConcurrency"].as_u64().unwrap_or(0);
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let cores = spec.pointer("/containers/0/resources/limits/cpu").and_then(Value::as_str);
    let cores = cores.and_then(|text| text.parse::<Quantity>().ok());
    let config = scaler::effective(world, &annotations, limit, true);
    // Without Knative's own autoscaler nothing wakes a revision from zero.
    let is_hpa = hpa::is_class(&annotations);
    let initial = replicas::initial(&config).max(u32::from(is_hpa));

    let deployment = world.create(&resources::DEPLOYMENTS, parts.deployment(0))?;
    let hash = world.hash();
    let set = world.create(&resources::REPLICA_SETS, parts.replica_set(&deployment, &hash, 0))?;
    let autoscaler = world.create(&resources::POD_AUTOSCALERS, parts.pod_autoscaler())?;
    if is_hpa {
        world.create(&resources::HPAS, hpa::object(parts.horizontal(&autoscaler), &annotations))?;
    } else {
        let windows = (config.stable_window.as_nanos(), config.panic_window.as_nanos());
        let metric = parts.metric(&autoscaler, windows, config.scraped());
        world.create(&resources::METRICS_OF_REVISIONS, metric)?;
    }
    let n_activators = crate::kpa::burst::n_activators(&config, 0);
    let sks = world.create(
        &resources::SERVERLESS_SERVICES,
        parts.serverless_service(&autoscaler, n_activators),
    )?;
    for is_public in [true, false] {
        let service = world.create(&resources::SERVICES, parts.service(&sks, is_public))?;
        if is_public {
            world.create(&resources::ENDPOINTS, parts.endpoints(&service))?;
        }
        world.create(&resources::ENDPOINT_SLICES, parts.slice(&service))?;
    }

    let key = Key { namespace: parts.namespace.to_owned(), name: parts.name.to_owned() };
    let timeout = Duration::from_secs(spec["timeoutSeconds"].as_u64().unwrap_or(300));
    let id = Identity {
        key: key.clone(),
        service: service.to_owned(),
        container_concurrency: limit,
        timeout,
        cores: cores.map_or(f64::INFINITY, Quantity::value),
    };
    let metrics = world.config("config-observability");
    let now = world.clock.at();
    let deployed = Rc::new(Deployed {
        revision: Rc::new(Revision::new(world.clock, id)),
        annotations,
        replica_set: meta_text(&set, "name").to_owned(),
        pods: RefCell::default(),
        replicas: Cell::new(0),
        was_ready: Cell::new(initial == 0),
        is_reachable: Cell::new(true),
        has_request_metrics: metrics
            .get("request-metrics-protocol")
            .is_some_and(|name| name == "prometheus"),
        refused: RefCell::default(),
        n_refused: Cell::new(0),
        autoscaler: Cell::new(AutoscalerStatus::new(now)),
        mode: Cell::new(Mode::Proxy),
        n_activators: Cell::new(n_activators),
        proxying_since: Cell::new(Some(now)),
        scaler: RefCell::default(),
        poke: tokio::sync::Notify::new(),
    });
    world.revisions.borrow_mut().insert(key.clone(), Rc::clone(&deployed));
    replicas::scale(world, &deployed, initial);
    if is_hpa {
        hpa::start(world, &deployed);
    } else {
        scaler::start(world, &deployed);
    }
    world.touch(&key);
    Ok(())
}

/// A revision is gone.
pub(crate) fn bury(world: &World, deployed: &Deployed) {
    world.revisions.borrow_mut().remove(deployed.key());
    deployed.revision.bury();
    deployed.poke.notify_one();
    for pod in world.system.borrow().iter() {
        pod.gauges.borrow_mut().remove(deployed.key());
    }
    // Its pods are terminating already, or are gone with it.
    let pods: Vec<_> = deployed.pods.borrow().values().cloned().collect();
    for pod in pods {
        kubelet::stop(world, deployed, &pod);
    }
}

/// The host of a service.
pub(crate) fn host(world: &World, namespace: &str, name: &str) -> String {
    format!("{name}.{namespace}.{}", world.spec.domain)
}
