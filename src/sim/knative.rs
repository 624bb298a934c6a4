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
use crate::sim::conditions;
use crate::sim::conditions::Condition;
use crate::sim::kubelet;
use crate::sim::objects::AUTOSCALING;
use crate::sim::objects::Parts;
use crate::sim::objects::SERVING;
use crate::sim::plane::Share;
use crate::sim::replicas;
use crate::sim::resources;
use crate::sim::revision::Identity;
use crate::sim::revision::Key;
use crate::sim::revision::Revision;
use crate::sim::scaler;
use crate::sim::spec::SimService;
use crate::sim::status::Status;
use crate::sim::store::meta_text;
use crate::sim::store::owner_reference;
use crate::sim::world::Deployed;
use crate::sim::world::World;
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
                        "limits": { "cpu": service.cpu_limit.to_string(), "memory": "128Mi" },
                    },
                }],
            },
        } },
    })
}

/// Brings Configuration, Route and the newest revision in line with a Knative Service.
pub(crate) fn reconcile(world: &Rc<World>, namespace: &str, name: &str) {
    let Some(service) = world.get(&resources::KSERVICES, namespace, name) else {
        retire(world, namespace, name);
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
    sync(world, namespace, name);
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
        json!({ "metadata": meta, "spec": { "traffic": service["spec"]["traffic"] }, "status": {} }),
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
    let initial = replicas::initial(&config);

    let deployment = world.create(&resources::DEPLOYMENTS, parts.deployment(0))?;
    let hash = world.hash();
    let set = world.create(&resources::REPLICA_SETS, parts.replica_set(&deployment, &hash, 0))?;
    let autoscaler = world.create(&resources::POD_AUTOSCALERS, parts.pod_autoscaler())?;
    let windows = (config.stable_window.as_nanos(), config.panic_window.as_nanos());
    world.create(
        &resources::METRICS_OF_REVISIONS,
        parts.metric(&autoscaler, windows, config.scraped()),
    )?;
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
        autoscaler: Cell::new(AutoscalerStatus::new(now)),
        mode: Cell::new(Mode::Proxy),
        n_activators: Cell::new(n_activators),
        proxying_since: Cell::new(Some(now)),
        scaler: RefCell::default(),
        poke: tokio::sync::Notify::new(),
    });
    world.revisions.borrow_mut().insert(key.clone(), Rc::clone(&deployed));
    replicas::scale(world, &deployed, initial);
    scaler::start(world, &deployed);
    world.touch(&key);
    Ok(())
}

/// A Knative Service is gone: so are its revisions. What it owned goes with the store.
fn retire(world: &World, namespace: &str, name: &str) {
    let is_of =
        |one: &Rc<Deployed>| one.key().namespace == namespace && one.revision.id.service == name;
    for deployed in world.all_revisions().into_iter().filter(is_of) {
        bury(world, &deployed);
    }
    world.plane.set_route(&host(world, namespace, name), Vec::new());
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

/// A line of a route's traffic.
struct Target {
    revision: String,
    percent: u32,
    tag: Option<String>,
    is_latest: bool,
}

/// Writes what a service's revisions have come to into Configuration, Route and Service, and
/// sends requests accordingly.
pub(crate) fn sync(world: &World, namespace: &str, name: &str) {
    let Some(service) = world.get(&resources::KSERVICES, namespace, name) else { return };
    let Some(configuration) = world.get(&resources::CONFIGURATIONS, namespace, name) else {
        return;
    };
    let is_of =
        |one: &Rc<Deployed>| one.key().namespace == namespace && one.revision.id.service == name;
    // In the order of their names, which is that of their making.
    let revisions: Vec<_> = world.all_revisions().into_iter().filter(is_of).collect();
    let Some(created) = revisions.last() else { return };
    let ready = revisions.iter().rev().find(|one| one.was_ready.get());
    let latest_created = created.key().name.clone();
    let latest_ready = ready.map(|one| one.key().name.clone());
    let is_newest_ready = created.was_ready.get();
    let targets = targets(&service, latest_ready.as_deref());
    route(world, namespace, name, (&targets, &revisions));

    let waiting = ("", "");
    let state = |kind| {
        if is_newest_ready { Condition::yes(kind) } else { Condition::unknown(kind, waiting) }
    };
    let is_routed = !targets.is_empty();
    let routed = |kind| {
        if is_routed {
            Condition::yes(kind)
        } else {
            Condition::unknown(
                kind,
                ("RevisionMissing", "Configuration is waiting for a Revision to become ready."),
            )
        }
    };
    let now = world.now();
    let url = format!("http://{}", host(world, namespace, name));
    let local = format!("http://{name}.{namespace}.svc.cluster.local");
    let traffic: Vec<_> = targets.iter().map(|target| target.render(&url)).collect();
    let names = |status: &mut Value| {
        status["latestCreatedRevisionName"] = latest_created.clone().into();
        if let Some(ready) = &latest_ready {
            status["latestReadyRevisionName"] = ready.clone().into();
        }
    };
    let became_ready = is_newest_ready
        && configuration["status"]["latestReadyRevisionName"] != latest_created.as_str();
    world.modify(&resources::CONFIGURATIONS, (namespace, name), |object| {
        let generation = object["metadata"]["generation"].clone();
        let status = &mut object["status"];
        status["conditions"] = conditions::render(status, &now, &[state("Ready")]);
        status["observedGeneration"] = generation;
        names(status);
    });
    if became_ready {
        let message = format!("LatestReadyRevisionName updated to \"{latest_created}\"");
        world.event(
            &configuration,
            "configuration-controller",
            "ConfigurationReady",
            "Configuration becomes ready",
        );
        world.event(&configuration, "configuration-controller", "LatestReadyUpdate", &message);
    }
    let address = |status: &mut Value| {
        status["url"] = url.clone().into();
        status["address"] = json!({ "url": local });
        status["traffic"] = traffic.clone().into();
    };
    world.modify(&resources::ROUTES, (namespace, name), |object| {
        object["spec"]["traffic"] = service["spec"]["traffic"].clone();
        let generation = object["metadata"]["generation"].clone();
        let status = &mut object["status"];
        status["conditions"] = conditions::render(
            status,
            &now,
            &[
                routed("AllTrafficAssigned"),
                Condition::yes("CertificateProvisioned").info(),
                routed("IngressReady"),
                routed("Ready"),
            ],
        );
        status["observedGeneration"] = generation;
        address(status);
    });
    world.modify(&resources::KSERVICES, (namespace, name), |object| {
        let generation = object["metadata"]["generation"].clone();
        let status = &mut object["status"];
        let whole = if is_newest_ready { routed("Ready") } else { state("Ready") };
        status["conditions"] = conditions::render(
            status,
            &now,
            &[state("ConfigurationsReady"), whole, routed("RoutesReady")],
        );
        status["observedGeneration"] = generation;
        names(status);
        address(status);
    });
}

// === impl Target ===

impl Target {
    fn render(&self, url: &str) -> Value {
        let mut target = json!({
            "latestRevision": self.is_latest, "percent": self.percent, "revisionName": self.revision,
        });
        if let Some(tag) = &self.tag {
            target["tag"] = tag.as_str().into();
            target["url"] = url.replacen("://", &format!("://{tag}-"), 1).into();
        }
        target
    }
}

/// The traffic that a service asks for; without a wish all goes to the newest ready revision.
fn targets(service: &Value, latest_ready: Option<&str>) -> Vec<Target> {
    let wishes = service["spec"]["traffic"].as_array().filter(|all| !all.is_empty());
    let Some(wishes) = wishes else {
        let all = latest_ready.map(|name| Target {
            revision: name.to_owned(),
            percent: 100,
            tag: None,
            is_latest: true,
        });
        return all.into_iter().collect();
    };
    wishes
        .iter()
        .filter_map(|wish| {
            let named = wish["revisionName"].as_str().filter(|name| !name.is_empty());
            Some(Target {
                revision: named.or(latest_ready)?.to_owned(),
                percent: u32::try_from(wish["percent"].as_u64().unwrap_or(0))
                    .unwrap_or(100)
                    .min(100),
                tag: wish["tag"].as_str().filter(|tag| !tag.is_empty()).map(str::to_owned),
                is_latest: named.is_none(),
            })
        })
        .collect()
}

/// Sends requests to the targets, and tells each revision whether a route leads to it.
fn route(
    world: &World,
    namespace: &str,
    name: &str,
    (targets, revisions): (&[Target], &[Rc<Deployed>]),
) {
    let find = |name: &str| revisions.iter().find(|one| one.key().name == name);
    let share = |target: &Target, percent| {
        Some(Share { percent, revision: Rc::clone(&find(&target.revision)?.revision) })
    };
    let main = targets.iter().filter(|target| 0 < target.percent);
    let host = host(world, namespace, name);
    world.plane.set_route(&host, main.filter_map(|one| share(one, one.percent)).collect());
    for target in targets {
        if let Some(tag) = &target.tag {
            let host = format!("{tag}-{host}");
            world.plane.set_route(&host, share(target, 100).into_iter().collect());
        }
    }
    for deployed in revisions {
        let key = deployed.key();
        let is_routed = targets.iter().any(|target| target.revision == key.name);
        let state = match (is_routed, deployed.was_ready.get()) {
            (true, _) => "active",
            (false, true) => "reserve",
            // Its time is yet to come.
            (false, false) => "pending",
        };
        world.modify(&resources::REVISIONS, (&key.namespace, &key.name), |object| {
            object["metadata"]["labels"]["serving.knative.dev/routingState"] = state.into();
        });
        let is_reachable = state != "reserve";
        if deployed.is_reachable.replace(is_reachable) != is_reachable {
            scaler::reconfigure(world, deployed);
        }
        let reachability = match state {
            "active" => "Reachable",
            "reserve" => "Unreachable",
            _ => "",
        };
        world.modify(&resources::POD_AUTOSCALERS, (&key.namespace, &key.name), |object| {
            object["spec"]["reachability"] = reachability.into();
        });
    }
}
