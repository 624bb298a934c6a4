//! A pod's life as its node reports it: created, scheduled, started, ready, drained, gone.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::sim::furnish;
use crate::sim::pod::Pod;
use crate::sim::pod::Stage;
use crate::sim::resources;
use crate::sim::store::owner_reference;
use crate::sim::task;
use crate::sim::world::Deployed;
use crate::sim::world::World;

/// A queue-proxy reports so often.
const REPORT: Duration = Duration::from_secs(1);

/// `terminationGracePeriodSeconds` of a revision's pods: whatever still runs then is killed.
pub(crate) const GRACE: Duration = Duration::from_secs(300);

/// The scheduler tries again so soon, then later, and at last so late.
const RESCHEDULE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// The same of an image that cannot be pulled.
const REPULL: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// So long after a pull failed it is said to wait for the next.
const BACK_OFF: Duration = Duration::from_secs(2);

/// How long a container takes that has nothing to drain.
const QUICK_STOP: Duration = Duration::from_millis(500);

/// Creates a pod of a `ReplicaSet` and lets it live.
pub(crate) fn start(world: &Rc<World>, deployed: &Rc<Deployed>, set: &Value) {
    let template = &set["spec"]["template"];
    let mut labels = template["metadata"]["labels"].clone();
    let hash = &set["metadata"]["labels"]["pod-template-hash"];
    labels["pod-template-hash"] = hash.clone();
    let now = world.now();
    let object = json!({
        "metadata": {
            "generateName": format!("{}-", deployed.replica_set),
            "namespace": deployed.key().namespace, "labels": labels,
            "annotations": template["metadata"]["annotations"],
            "ownerReferences": [owner_reference(set)],
        },
        "spec": template["spec"],
        "status": { "phase": "Pending", "qosClass": "Burstable", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unscheduled",
            "lastProbeTime": null, "lastTransitionTime": now,
        }] },
    });
    let Ok(object) = world.create(&resources::PODS, object) else { return };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    world.event(set, "replicaset-controller", "SuccessfulCreate", &format!("Created pod: {name}"));
    let pod = Rc::new(Pod::new(world.clock, &deployed.revision.id, name, world.address()));
    deployed.pods.borrow_mut().insert(pod.name.clone(), Rc::clone(&pod));
    let life = Life { world: Rc::clone(world), deployed: Rc::clone(deployed), pod };
    task::detach(life.live());
}

/// Takes a pod out of service; it drains and goes.
pub(crate) fn stop(world: &World, deployed: &Deployed, pod: &Pod) {
    let was_running = match pod.stage.get() {
        Stage::Terminating { .. } => return,
        Stage::Pending => false,
        Stage::Running | Stage::Ready => true,
    };
    pod.stage.set(Stage::Terminating { was_running });
    deployed.revision.remove(pod);
    pod.stop.notify_one();
    world.touch(deployed.key());
}

/// A pod and what it needs to live.
struct Life {
    world: Rc<World>,
    deployed: Rc<Deployed>,
    pod: Rc<Pod>,
}

// === impl Life ===

impl Life {
    async fn live(self) {
        self.world.touch(self.deployed.key());
        let becoming = self.become_ready();
        tokio::select! { biased;
            () = self.pod.stop.notified() => {}
            () = becoming => {}
        }
        self.end().await;
    }

    /// Never ends by itself: a pod runs until it is stopped.
    async fn become_ready(&self) {
        let (world, pod) = (&self.world, &self.pod);
        let times = &world.spec.cold_start;
        tokio::time::sleep(world.plane.between(times.schedule)).await;
        self.find_room().await;
        self.schedule();
        tokio::time::sleep(world.plane.between(times.pull)).await;
        self.pull().await;
        self.run();
        let starting = tokio::time::sleep(world.plane.between(times.start));
        let mut starting = std::pin::pin!(starting);
        let mut report = tokio::time::interval(REPORT);
        report.tick().await;
        loop {
            tokio::select! { biased;
                () = &mut starting, if pod.stage.get() == Stage::Running => self.ready(),
                _ = report.tick() => pod.queue.report(),
            }
        }
    }

    /// Waits while no node has room.
    async fn find_room(&self) {
        let mut again = RESCHEDULE.0;
        while self.world.troubles.is_full() {
            let n = self.world.spec.n_nodes.max(1);
            let message = format!(
                "0/{n} nodes are available: {n} Insufficient cpu. preemption: 0/{n} nodes are \
                 available: {n} No preemption victims found for incoming pod."
            );
            let now = self.world.now();
            let why = json!({ "reason": "Unschedulable", "message": message });
            self.write(|object| {
                let status = &mut object["status"];
                set_condition(status, condition("PodScheduled", "False", &now, &why));
            });
            self.event("default-scheduler", "FailedScheduling", &message, None);
            tokio::time::sleep(again).await;
            again = (again * 2).min(RESCHEDULE.1);
        }
    }

    /// Waits while the user's image cannot be pulled; the queue-proxy runs meanwhile.
    async fn pull(&self) {
        let mut again = REPULL.0;
        while self.world.troubles.lacks_image() {
            let user = "user-container";
            let image = "registry.sim.test/app:v1";
            let failed = format!("Failed to pull image \"{image}\": not found");
            self.event("kubelet", "Failed", &failed, Some(user));
            self.waits(user, "ErrImagePull", &failed);
            tokio::time::sleep(BACK_OFF).await;
            let backs_off = format!("Back-off pulling image \"{image}\"");
            self.event("kubelet", "BackOff", &backs_off, Some(user));
            self.waits(user, "ImagePullBackOff", &backs_off);
            tokio::time::sleep(again).await;
            again = (again * 2).min(REPULL.1);
        }
    }

    /// One container waits, and the others run.
    fn waits(&self, container: &str, reason: &str, message: &str) {
        let now = self.world.now();
        self.write(|object| {
            let all = object["status"]["containerStatuses"].as_array_mut();
            for status in all.into_iter().flatten() {
                if status["name"] == container {
                    status["state"] =
                        json!({ "waiting": { "reason": reason, "message": message } });
                } else if status["state"]["running"].is_null() {
                    status["state"] = json!({ "running": { "startedAt": now } });
                    status["started"] = true.into();
                }
            }
        });
    }

    fn schedule(&self) {
        let node_idx = self.world.plane.below(self.world.spec.n_nodes.max(1) as usize);
        let node = furnish::node_name(node_idx);
        self.pod.started.set(Some(self.world.clock.at()));
        let now = self.world.now();
        self.write(|object| {
            object["spec"]["nodeName"] = node.clone().into();
            let waiting: Vec<_> = containers(object)
                .map(|container| {
                    json!({
                        "name": container["name"], "image": container["image"], "imageID": "",
                        "state": { "waiting": { "reason": "ContainerCreating" } }, "lastState": {},
                        "ready": false, "started": false, "restartCount": 0,
                    })
                })
                .collect();
            let unready = json!({
                "reason": "ContainersNotReady",
                "message": "containers with unready status: [user-container queue-proxy]",
            });
            object["status"] = json!({
                "phase": "Pending", "qosClass": "Burstable", "startTime": now,
                "hostIP": furnish::node_address(node_idx).to_string(),
                "conditions": [
                    condition("PodReadyToStartContainers", "False", &now, &Value::Null),
                    condition("Initialized", "True", &now, &Value::Null),
                    condition("Ready", "False", &now, &unready),
                    condition("ContainersReady", "False", &now, &unready),
                    condition("PodScheduled", "True", &now, &Value::Null),
                ],
                "containerStatuses": waiting,
            });
        });
        let key = &self.pod.revision;
        let message =
            format!("Successfully assigned {}/{} to {node}", key.namespace, self.pod.name);
        self.event("default-scheduler", "Scheduled", &message, None);
    }

    fn run(&self) {
        let now = self.world.now();
        for name in ["user-container", "queue-proxy"] {
            let message = "Container image already present on machine";
            self.event("kubelet", "Pulled", message, Some(name));
            self.event("kubelet", "Created", &format!("Created container: {name}"), Some(name));
            self.event("kubelet", "Started", &format!("Started container {name}"), Some(name));
        }
        self.pod.stage.set(Stage::Running);
        let address = self.pod.address.to_string();
        self.write(|object| {
            // The user's container has no probe of its own: running is ready.
            let statuses: Vec<_> = containers(object)
                .map(|one| furnish::running(one, &now, one["name"] != "queue-proxy"))
                .collect();
            let status = &mut object["status"];
            status["containerStatuses"] = statuses.into();
            status["phase"] = "Running".into();
            status["podIP"] = address.clone().into();
            status["podIPs"] = json!([{ "ip": address }]);
            let unready = json!({
                "reason": "ContainersNotReady",
                "message": "containers with unready status: [queue-proxy]",
            });
            set_condition(
                status,
                condition("PodReadyToStartContainers", "True", &now, &Value::Null),
            );
            set_condition(status, condition("Ready", "False", &now, &unready));
            set_condition(status, condition("ContainersReady", "False", &now, &unready));
        });
    }

    fn ready(&self) {
        self.pod.stage.set(Stage::Ready);
        self.pod.ready_since.set(Some(self.world.clock.at()));
        let now = self.world.now();
        self.write(|object| {
            let status = &mut object["status"];
            for container in status["containerStatuses"].as_array_mut().into_iter().flatten() {
                container["ready"] = true.into();
            }
            set_condition(status, condition("Ready", "True", &now, &Value::Null));
            set_condition(status, condition("ContainersReady", "True", &now, &Value::Null));
        });
        self.deployed.revision.add(Rc::clone(&self.pod));
    }

    /// Drains and goes.
    async fn end(&self) {
        let (world, pod) = (&self.world, &self.pod);
        if pod.stage.get() == (Stage::Terminating { was_running: true }) {
            for name in ["user-container", "queue-proxy"] {
                let message = format!("Stopping container {name}");
                self.event("kubelet", "Killing", &message, Some(name));
            }
            let drain = self.drain();
            // Who still works after the grace period is killed.
            let _ = tokio::time::timeout(GRACE, drain).await;
        } else {
            tokio::time::sleep(QUICK_STOP).await;
        }
        self.deployed.pods.borrow_mut().remove(&pod.name);
        let key = self.deployed.key();
        // A client may have removed it by force.
        let _ = world.store.borrow_mut().remove(&resources::PODS, &key.namespace, &pod.name);
        world.touch(key);
    }

    async fn drain(&self) {
        let needed = self.world.spec.drain;
        let begin = self.world.clock.at();
        let mut report = tokio::time::interval(REPORT);
        loop {
            report.tick().await;
            self.pod.queue.report();
            let asked = self.world.clock.at().since(begin);
            if self.pod.queue.silence().is_some_and(|span| needed <= span.min(asked)) {
                return;
            }
        }
    }

    fn write(&self, change: impl FnOnce(&mut Value)) {
        let key = self.deployed.key();
        self.world.modify(&resources::PODS, (&key.namespace, &self.pod.name), change);
        self.world.touch(key);
    }

    fn event(&self, component: &str, reason: &str, message: &str, container: Option<&str>) {
        let namespace = &self.pod.revision.namespace;
        if let Some(object) = self.world.get(&resources::PODS, namespace, &self.pod.name) {
            self.world.event_at(&object, container, (component, reason, message));
        }
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["spec"]["containers"].as_array().into_iter().flatten()
}

fn condition(kind: &str, status: &str, since: &str, why: &Value) -> Value {
    let mut condition = json!({
        "type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since,
    });
    for (field, value) in why.as_object().into_iter().flatten() {
        condition[field] = value.clone();
    }
    condition
}

fn set_condition(status: &mut Value, condition: Value) {
    let conditions = status["conditions"].as_array_mut();
    let mut found = conditions.into_iter().flatten().filter(|one| one["type"] == condition["type"]);
    if let Some(old) = found.next() {
        *old = condition;
    }
}
