//! A revision's replicas: made and taken away, and what the objects say of them.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::kpa::Config;
use crate::kpa::reconcile::Active;
use crate::kpa::reconcile::Inactive;
use crate::sim::conditions;
use crate::sim::conditions::Condition;
use crate::sim::kubelet;
use crate::sim::pod::Pod;
use crate::sim::pod::Stage;
use crate::sim::resources;
use crate::sim::routes;
use crate::sim::store::meta_text;
use crate::sim::task;
use crate::sim::world::Deployed;
use crate::sim::world::PodCounts;
use crate::sim::world::World;
use crate::units::At;

/// A pod that was refused is tried again after this, and then ever later.
const AGAIN: Duration = Duration::from_millis(500);
/// How often the wait doubles at most.
const MOST_DOUBLINGS: u32 = 10;

/// Replicas of a new Deployment.
pub(crate) const fn initial(config: &Config) -> u32 {
    config.initial_scale
}

/// Sets the Deployment's replicas, and starts or stops pods accordingly.
pub(crate) fn scale(world: &Rc<World>, deployed: &Rc<Deployed>, to: u32) {
    let from = deployed.replicas.replace(to);
    let key = deployed.key();
    let deployment = format!("{}-deployment", key.name);
    let at = (key.namespace.as_str(), deployment.as_str());
    world.modify(&resources::DEPLOYMENTS, at, |object| object["spec"]["replicas"] = to.into());
    world.modify(&resources::REPLICA_SETS, (&key.namespace, &deployed.replica_set), |object| {
        object["spec"]["replicas"] = to.into();
        object["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] =
            to.to_string().into();
    });
    if from != to
        && let Some(object) = world.get(&resources::DEPLOYMENTS, at.0, at.1)
    {
        let way = if from < to { "up" } else { "down" };
        let set = &deployed.replica_set;
        let message = format!("Scaled {way} replica set {set} from {from} to {to}");
        world.event(&object, "deployment-controller", "ScalingReplicaSet", &message);
    }
    adjust(world, deployed);
}

/// Starts or stops pods until there are as many as wanted.
pub(crate) fn adjust(world: &Rc<World>, deployed: &Rc<Deployed>) {
    let key = deployed.key();
    let set = world.get(&resources::REPLICA_SETS, &key.namespace, &deployed.replica_set);
    let Some(set) = set.filter(|_| !deployed.revision.is_gone()) else { return };
    let (wanted, alive) = (deployed.replicas.get(), deployed.n_alive());
    let refusal = (alive..wanted).find_map(|_| {
        let refusal = refusal(world, &set);
        if refusal.is_none() {
            kubelet::start(world, deployed, &set);
        }
        refusal
    });
    if let Some(why) = refusal {
        refuse(world, deployed, (&set, why));
    } else {
        deployed.refused.take();
        deployed.n_refused.set(0);
    }
    if wanted < alive {
        for pod in first_to_go(deployed).into_iter().take((alive - wanted) as usize) {
            // It may be on its way already.
            let _ =
                world.store.borrow_mut().delete(&resources::PODS, &key.namespace, &pod.name, None);
            let message = format!("Deleted pod: {}", pod.name);
            world.event(&set, "replicaset-controller", "SuccessfulDelete", &message);
            kubelet::stop(world, deployed, &pod);
        }
    }
    world.touch(key);
}

/// Why the API server does not let a `ReplicaSet` make one more pod, in its words.
fn refusal(world: &World, set: &Value) -> Option<String> {
    let most = world.troubles.quota()?;
    let used = world.store.borrow().list(&resources::PODS, set["metadata"]["namespace"].as_str());
    let (used, name) = (used.len(), meta_text(set, "name"));
    (most as usize <= used).then(|| {
        let suffix = world.store.borrow_mut().suffix();
        format!(
            "pods \"{name}-{suffix}\" is forbidden: exceeded quota: pods, requested: pods=1, used: \
             pods={used}, limited: pods={most}"
        )
    })
}

/// Tells of a pod that may not be made, and tries again later.
fn refuse(world: &Rc<World>, deployed: &Rc<Deployed>, (set, why): (&Value, String)) {
    world.event(set, "replicaset-controller", "FailedCreate", &format!("Error creating: {why}"));
    let since = deployed.refused.take().map_or_else(|| world.now(), |(since, _)| since);
    deployed.refused.replace(Some((since, why)));
    let n = deployed.n_refused.get();
    deployed.n_refused.set(n + 1);
    let (world, deployed) = (Rc::clone(world), Rc::clone(deployed));
    task::detach(async move {
        tokio::time::sleep(AGAIN * 2u32.pow(n.min(MOST_DOUBLINGS))).await;
        // Something else may have tried meanwhile.
        if deployed.n_refused.get() == n + 1 {
            adjust(&world, &deployed);
        }
    });
}

/// Condition `ReplicaFailure` of Deployment and `ReplicaSet`; it is there while it is true.
fn replica_failure(deployed: &Deployed) -> Option<Value> {
    let refused = deployed.refused.borrow();
    refused.as_ref().map(|(since, why)| {
        json!({
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": why,
            "lastTransitionTime": since,
        })
    })
}

/// Pods that are not terminating, in the order in which a `ReplicaSet` gives them up: what is least
/// far, then what became ready last.
fn first_to_go(deployed: &Deployed) -> Vec<Rc<Pod>> {
    let pods = deployed.pods.borrow();
    let mut alive: Vec<_> = pods
        .values()
        .filter(|pod| !matches!(pod.stage.get(), Stage::Terminating { .. }))
        .cloned()
        .collect();
    let since = |pod: &Pod| std::cmp::Reverse(pod.ready_since.get().unwrap_or(At::ZERO));
    alive.sort_by_key(|pod| (pod.stage.get(), since(pod)));
    alive
}

/// Writes what a revision has come to into its objects.
pub(crate) fn sync(world: &Rc<World>, deployed: &Rc<Deployed>) {
    let counts = deployed.counts();
    let now = world.clock.at();
    let in_path = deployed.revision.is_activator_in_path();
    if in_path != deployed.proxying_since.get().is_some() {
        deployed.proxying_since.set(in_path.then_some(now));
        deployed.poke.notify_one();
    }
    if 0 < counts.ready {
        deployed.was_ready.set(true);
    }
    workloads(world, deployed, counts);
    endpoints(world, deployed);
    let sks = serverless_service(world, deployed, counts);
    let active = pod_autoscaler(world, deployed, sks);
    revision(world, deployed, active);
    let id = &deployed.revision.id;
    routes::sync(world, &id.key.namespace, &id.service);
}

fn workloads(world: &World, deployed: &Deployed, counts: PodCounts) {
    let key = deployed.key();
    let n = deployed.n_alive();
    let now = world.now();
    let is_available = deployed.replicas.get() <= counts.ready;
    world.modify(
        &resources::DEPLOYMENTS,
        (&key.namespace, &format!("{}-deployment", key.name)),
        |object| {
            let generation = object["metadata"]["generation"].clone();
            let old = &object["status"];
            let available = if is_available {
                Condition::yes("Available")
            } else {
                Condition::no(
                    "Available",
                    (
                        "MinimumReplicasUnavailable",
                        "Deployment does not have minimum availability.",
                    ),
                )
            };
            let mut conditions =
                conditions::render(old, &now, &[available, Condition::yes("Progressing")]);
            if let (Some(all), Some(mut failure)) =
                (conditions.as_array_mut(), replica_failure(deployed))
            {
                failure["lastUpdateTime"] = failure["lastTransitionTime"].clone();
                all.push(failure);
            }
            object["status"] = json!({
                "observedGeneration": generation, "replicas": n, "updatedReplicas": n,
                "readyReplicas": counts.ready, "availableReplicas": counts.ready,
                "unavailableReplicas": n.saturating_sub(counts.ready),
                "terminatingReplicas": counts.terminating, "conditions": conditions,
            });
        },
    );
    world.modify(&resources::REPLICA_SETS, (&key.namespace, &deployed.replica_set), |object| {
        let generation = object["metadata"]["generation"].clone();
        object["status"] = json!({
            "observedGeneration": generation, "replicas": n, "fullyLabeledReplicas": n,
            "readyReplicas": counts.ready, "availableReplicas": counts.ready,
            "terminatingReplicas": counts.terminating,
        });
        if let Some(failure) = replica_failure(deployed) {
            object["status"]["conditions"] = json!([failure]);
        }
    });
}

/// The private slice lists the revision's pods; the public one those, or the activator.
fn endpoints(world: &World, deployed: &Deployed) {
    let key = deployed.key();
    let pods = deployed.pods.borrow();
    let private: Vec<_> = pods
        .values()
        .filter(|pod| pod.stage.get() != Stage::Pending && pod.started.get().is_some())
        .filter(|pod| pod.stage.get() != Stage::Terminating { was_running: false })
        .map(|pod| {
            let is_terminating = matches!(pod.stage.get(), Stage::Terminating { .. });
            let was_ready = pod.ready_since.get().is_some();
            let mut one = endpoint(&key.namespace, &pod.name, &pod.address.to_string());
            one["conditions"] = json!({
                "ready": was_ready && !is_terminating, "serving": was_ready,
                "terminating": is_terminating,
            });
            one
        })
        .collect();
    let public: Vec<_> = if deployed.revision.is_activator_in_path() {
        let all = world.system.borrow();
        let activators = all.iter().filter(|pod| pod.app == "activator");
        activators
            .map(|pod| endpoint(&pod.namespace, &pod.name, &pod.address.to_string()))
            .collect()
    } else {
        let ready = deployed.revision.pods();
        ready
            .iter()
            .map(|pod| endpoint(&key.namespace, &pod.name, &pod.address.to_string()))
            .collect()
    };
    let addresses: Vec<_> = public
        .iter()
        .map(|one| json!({ "ip": one["addresses"][0], "targetRef": one["targetRef"] }))
        .collect();
    world.modify(&resources::ENDPOINTS, (&key.namespace, &key.name), |object| {
        let port = json!([{ "name": "http", "port": 8012, "protocol": "TCP" }]);
        object["subsets"] = json!([{ "addresses": addresses, "ports": port }]);
    });
    for (name, endpoints) in [("", public), ("-private", private)] {
        let name = format!("{}{name}-slice", key.name);
        world.modify(&resources::ENDPOINT_SLICES, (&key.namespace, &name), |object| {
            object["endpoints"] = endpoints.into();
        });
    }
}

fn endpoint(namespace: &str, pod: &str, address: &str) -> Value {
    json!({
        "addresses": [address],
        "conditions": { "ready": true, "serving": true, "terminating": false },
        "targetRef": { "kind": "Pod", "namespace": namespace, "name": pod },
    })
}

/// Gives its condition `Ready`.
fn serverless_service(world: &World, deployed: &Deployed, counts: PodCounts) -> Condition {
    let key = deployed.key();
    let populated = if 0 < counts.ready {
        Condition::yes("EndpointsPopulated")
    } else {
        Condition::unknown(
            "EndpointsPopulated",
            ("NoHealthyBackends", "The Revision's endpoints are empty"),
        )
    };
    let proxied = if deployed.revision.is_activator_in_path() {
        Condition {
            why: ("ActivatorEndpointsPopulated", "Revision is backed by Activator"),
            ..Condition::yes("ActivatorEndpointsPopulated")
        }
    } else {
        Condition::no("ActivatorEndpointsPopulated", ("", ""))
    };
    let ready = populated.named("Ready");
    let now = world.now();
    world.modify(&resources::SERVERLESS_SERVICES, (&key.namespace, &key.name), |object| {
        object["spec"]["mode"] = deployed.mode.get().name().into();
        object["spec"]["numActivators"] = deployed.n_activators.get().into();
        let conditions =
            conditions::render(&object["status"], &now, &[proxied.info(), populated, ready]);
        object["status"] = json!({
            "conditions": conditions, "privateServiceName": format!("{}-private", key.name),
            "serviceName": key.name,
        });
    });
    // The store has counted the generation by now.
    world.modify(&resources::SERVERLESS_SERVICES, (&key.namespace, &key.name), |object| {
        object["status"]["observedGeneration"] = object["metadata"]["generation"].clone();
    });
    ready
}

/// Gives its condition `Active`.
fn pod_autoscaler(world: &World, deployed: &Deployed, sks: Condition) -> Condition {
    let key = deployed.key();
    let status = deployed.autoscaler.get();
    let active = match status.active {
        Active::Active => Condition::yes("Active"),
        Active::Activating => Condition::unknown(
            "Active",
            ("Queued", "Requests to the target are being buffered as resources are provisioned."),
        ),
        Active::Inactive(Inactive::NoTraffic) => {
            Condition::no("Active", ("NoTraffic", "The target is not receiving traffic."))
        }
        Active::Inactive(Inactive::TimedOut) => {
            Condition::no("Active", ("TimedOut", "The target could not be activated."))
        }
    };
    let sks_ready = if sks.is_true() {
        Condition::yes("SKSReady")
    } else {
        Condition::unknown("SKSReady", ("NotReady", "SKS Services are not ready yet"))
    };
    let initialized = if status.initialized {
        Condition::yes("ScaleTargetInitialized")
    } else {
        Condition::unknown("ScaleTargetInitialized", ("", ""))
    };
    let all = [active, sks_ready, initialized];
    let worst = all.iter().find(|one| one.status == "False");
    let worst = worst.or_else(|| all.iter().find(|one| !one.is_true())).unwrap_or(&active);
    let ready = worst.named("Ready");
    let now = world.now();
    world.modify(&resources::POD_AUTOSCALERS, (&key.namespace, &key.name), |object| {
        let conditions =
            conditions::render(&object["status"], &now, &[active, sks_ready, initialized, ready]);
        object["status"] = json!({
            "actualScale": status.actual_scale, "conditions": conditions,
            "metricsServiceName": format!("{}-private", key.name),
            "observedGeneration": object["metadata"]["generation"], "serviceName": key.name,
        });
        if let Some(desired) = status.desired_scale {
            object["status"]["desiredScale"] = desired.into();
        }
    });
    let metric = if sks.is_true() {
        Condition::yes("Ready")
    } else {
        Condition::unknown("Ready", ("NoEndpoints", "There are no endpoints to scrape"))
    };
    world.modify(&resources::METRICS_OF_REVISIONS, (&key.namespace, &key.name), |object| {
        let conditions = conditions::render(&object["status"], &now, &[metric]);
        object["status"]["conditions"] = conditions;
    });
    active
}

fn revision(world: &World, deployed: &Deployed, active: Condition) {
    let key = deployed.key();
    let was_ready = deployed.was_ready.get();
    let state = |kind| {
        if was_ready { Condition::yes(kind) } else { Condition::unknown(kind, ("Deploying", "")) }
    };
    let status = deployed.autoscaler.get();
    let now = world.now();
    let before = world.get(&resources::REVISIONS, &key.namespace, &key.name);
    world.modify(&resources::REVISIONS, (&key.namespace, &key.name), |object| {
        let conditions = conditions::render(
            &object["status"],
            &now,
            &[
                active.info(),
                state("ContainerHealthy"),
                state("Ready"),
                state("ResourcesAvailable"),
            ],
        );
        object["status"] = json!({
            "actualReplicas": status.actual_scale, "conditions": conditions,
            "containerStatuses": [{ "name": "user-container" }],
            "observedGeneration": object["metadata"]["generation"],
        });
        if let Some(desired) = status.desired_scale {
            object["status"]["desiredReplicas"] = desired.into();
        }
    });
    let is_news = was_ready && before.as_ref().is_some_and(|old| !is_ready(old));
    if is_news && let Some(object) = world.get(&resources::REVISIONS, &key.namespace, &key.name) {
        let message = "Revision becomes ready upon all resources being ready";
        world.event(&object, "revision-controller", "RevisionReady", message);
    }
}

/// Whether condition `Ready` is true.
fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let mut all = conditions.into_iter().flatten();
    all.any(|one| one["type"] == "Ready" && one["status"] == "True")
}
