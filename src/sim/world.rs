//! The world behind the API server: what its controllers, kubelets and autoscalers share.
//!
//! The store holds what a client can see; here is what only a cluster knows of itself.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::kpa::Mode;
use crate::kpa::reconcile::Status as AutoscalerStatus;
use crate::sim::autoscaler::Gauges;
use crate::sim::autoscaler::RevisionAutoscaler;
use crate::sim::logbook::Logbook;
use crate::sim::plane::Plane;
use crate::sim::pod::Pod;
use crate::sim::pod::Stage;
use crate::sim::resources;
use crate::sim::resources::Resource;
use crate::sim::revision::Key;
use crate::sim::revision::Revision;
use crate::sim::spec::SimSpec;
use crate::sim::stamp;
use crate::sim::status::Status;
use crate::sim::store::SharedStore;
use crate::sim::store::meta_text;
use crate::sim::trouble::Troubles;
use crate::sim::usage::Usage;
use crate::units::At;

/// Events are kept so many at most, and then the oldest goes.
const MOST_EVENTS: usize = 1000;
/// Reasons of Events of type `Warning`; all others are `Normal`.
const WARNINGS: [&str; 3] = ["FailedCreate", "FailedScheduling", "Failed"];

/// What the tasks of a cluster share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) spec: SimSpec,
    pub(crate) store: SharedStore,
    pub(crate) plane: Rc<Plane>,
    pub(crate) revisions: RefCell<BTreeMap<Key, Rc<Deployed>>>,
    pub(crate) system: RefCell<Vec<Rc<SystemPod>>>,
    pub(crate) usage: RefCell<Usage>,
    pub(crate) troubles: Rc<Troubles>,
    /// Revisions of which something changed, and the objects do not say so yet.
    stale: RefCell<BTreeSet<Key>>,
    pub(crate) is_stale: Notify,
    n_addresses: Cell<u16>,
    n_events: Cell<u64>,
    events: RefCell<std::collections::VecDeque<(String, String)>>,
}

/// A revision and what runs for it.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// What requests see.
    pub(crate) revision: Rc<Revision>,
    /// Annotations of the autoscaler, without `autoscaling.knative.dev/`.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Name of its `ReplicaSet`.
    pub(crate) replica_set: String,
    /// Its pods, terminating ones included, by name.
    pub(crate) pods: RefCell<BTreeMap<String, Rc<Pod>>>,
    /// `spec.replicas` of its Deployment.
    pub(crate) replicas: Cell<u32>,
    /// Whether it was ever ready.
    pub(crate) was_ready: Cell<bool>,
    /// Whether a route leads to it.
    pub(crate) is_reachable: Cell<bool>,
    /// Whether its queue-proxies serve Prometheus text; set when it was made.
    pub(crate) has_request_metrics: bool,
    /// Since when, and why, a pod of it may not be made; `None`: it may.
    pub(crate) refused: RefCell<Option<(String, String)>>,
    /// How often in a row one was refused.
    pub(crate) n_refused: Cell<u32>,
    /// The status of its `PodAutoscaler`.
    pub(crate) autoscaler: Cell<AutoscalerStatus>,
    /// `spec.mode` of its `ServerlessService`.
    pub(crate) mode: Cell<Mode>,
    /// `spec.numActivators` of its `ServerlessService`.
    pub(crate) n_activators: Cell<u32>,
    /// Since when the activator is in the path in fact; `None`: it is not.
    pub(crate) proxying_since: Cell<Option<At>>,
    /// What the leading autoscaler knows of it; `None` while nobody leads.
    pub(crate) scaler: RefCell<Option<RevisionAutoscaler>>,
    /// Its autoscaler shall look at once.
    pub(crate) poke: Notify,
}

/// A pod of Knative's control plane, or one that does nothing.
#[derive(Debug)]
pub(crate) struct SystemPod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The component: its `app` label and its container's name.
    pub(crate) app: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) started: At,
    /// Whether it serves metrics; read when it starts.
    pub(crate) has_metrics: bool,
    pub(crate) log: RefCell<Logbook>,
    /// What its decider last said of each revision, for its metrics.
    pub(crate) gauges: RefCell<BTreeMap<Key, Gauges>>,
}

/// How many of a revision's pods are how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PodCounts {
    /// Running, ready, not terminating.
    pub(crate) ready: u32,
    /// Pending, or running and unready, or running and terminating.
    pub(crate) not_ready: u32,
    /// Phase Pending, terminating ones included.
    pub(crate) pending: u32,
    /// Running with a `deletionTimestamp`.
    pub(crate) terminating: u32,
}

// === impl World ===

impl World {
    pub(crate) fn new(clock: Clock, spec: SimSpec, store: SharedStore) -> Self {
        let plane = Rc::new(Plane::new(clock, spec.seed));
        Self {
            clock,
            spec,
            store,
            plane,
            revisions: RefCell::default(),
            system: RefCell::default(),
            usage: RefCell::new(Usage::new(clock)),
            troubles: Rc::default(),
            stale: RefCell::default(),
            is_stale: Notify::new(),
            n_addresses: Cell::new(1),
            n_events: Cell::new(0),
            events: RefCell::default(),
        }
    }

    /// The next free pod address.
    pub(crate) fn address(&self) -> [u8; 4] {
        let n = self.n_addresses.get();
        self.n_addresses.set(n.wrapping_add(1).max(1));
        let [high, low] = n.to_be_bytes();
        [10, 42, high, low]
    }

    /// Now, as objects say it.
    pub(crate) fn now(&self) -> String {
        stamp::seconds(self.clock.wall())
    }

    /// Changes an object; nothing happens if it is gone.
    pub(crate) fn modify(
        &self,
        resource: &'static Resource,
        key: (&str, &str),
        change: impl FnOnce(&mut Value),
    ) {
        let done = self.store.borrow_mut().modify(resource, key.0, key.1, change);
        if let Err(error) = done {
            tracing::debug!(%error, "an object of the embedded cluster went meanwhile");
        }
    }

    /// Adds an object that is not there yet.
    pub(crate) fn create(
        &self,
        resource: &'static Resource,
        object: Value,
    ) -> Result<Value, Status> {
        self.store.borrow_mut().create(resource, object)
    }

    /// Ten random letters, as a `ReplicaSet`'s hash looks.
    pub(crate) fn hash(&self) -> String {
        let mut store = self.store.borrow_mut();
        let first = store.suffix();
        format!("{first}{}", store.suffix())
    }

    pub(crate) fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Option<Rc<Value>> {
        self.store.borrow().get(resource, namespace, name)
    }

    /// Writes an Event about an object: the component that tells, the reason, the message.
    pub(crate) fn event(&self, about: &Value, component: &str, reason: &str, message: &str) {
        self.event_at(about, None, (component, reason, message));
    }

    /// The same, about one container of a pod.
    pub(crate) fn event_at(
        &self,
        about: &Value,
        container: Option<&str>,
        (component, reason, message): (&str, &str, &str),
    ) {
        let n = self.n_events.get();
        self.n_events.set(n + 1);
        let (namespace, name) = (meta_text(about, "namespace"), meta_text(about, "name"));
        let wall = self.clock.wall();
        let now = stamp::seconds(wall);
        let mut object = json!({
            "kind": about["kind"], "namespace": namespace, "name": name,
            "uid": about["metadata"]["uid"], "apiVersion": about["apiVersion"],
            "resourceVersion": about["metadata"]["resourceVersion"],
        });
        if let Some(container) = container {
            object["fieldPath"] = format!("spec.containers{{{container}}}").into();
        }
        let id = format!("{name}.{:x}", wall.0.saturating_mul(1000).saturating_add_unsigned(n));
        let is_scheduler = component == "default-scheduler";
        let (stamp_value, event_time) = if is_scheduler {
            (Value::Null, stamp::micros(wall).into())
        } else {
            (now.into(), Value::Null)
        };
        let mut event = json!({
            "metadata": { "name": id, "namespace": namespace },
            "involvedObject": object, "reason": reason, "message": message,
            "source": { "component": component },
            "firstTimestamp": stamp_value, "lastTimestamp": stamp_value,
            "count": 1, "type": if WARNINGS.contains(&reason) { "Warning" } else { "Normal" },
            "eventTime": event_time,
            "reportingComponent": component, "reportingInstance": "",
        });
        if is_scheduler {
            let action = if reason == "Scheduled" { "Binding" } else { "Scheduling" };
            event["action"] = action.into();
            event["source"] = json!({});
            if let Some(fields) = event.as_object_mut() {
                fields.remove("count");
            }
        }
        if component == "kubelet" {
            event["source"]["host"] = about["spec"]["nodeName"].clone();
            event["reportingInstance"] = about["spec"]["nodeName"].clone();
        }
        if self.create(&resources::EVENTS, event).is_err() {
            return;
        }
        let mut events = self.events.borrow_mut();
        events.push_back((namespace.to_owned(), id));
        if MOST_EVENTS < events.len()
            && let Some((namespace, id)) = events.pop_front()
        {
            // It may have been deleted by a client.
            let _ = self.store.borrow_mut().remove(&resources::EVENTS, &namespace, &id);
        }
    }

    /// Something about the revision changed: its objects will be written anew.
    pub(crate) fn touch(&self, key: &Key) {
        self.stale.borrow_mut().insert(key.clone());
        self.is_stale.notify_one();
        if let Some(deployed) = self.revision(key) {
            deployed.poke.notify_one();
        }
    }

    pub(crate) fn take_stale(&self) -> BTreeSet<Key> {
        self.stale.take()
    }

    pub(crate) fn revision(&self, key: &Key) -> Option<Rc<Deployed>> {
        self.revisions.borrow().get(key).cloned()
    }

    pub(crate) fn all_revisions(&self) -> Vec<Rc<Deployed>> {
        self.revisions.borrow().values().cloned().collect()
    }

    /// The pod of a revision, wherever it belongs.
    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Option<(Rc<Deployed>, Rc<Pod>)> {
        let all = self.revisions.borrow();
        let mut found = all.values().filter(|one| one.key().namespace == namespace);
        found.find_map(|one| Some((Rc::clone(one), Rc::clone(one.pods.borrow().get(name)?))))
    }

    /// The pod of the control plane.
    pub(crate) fn system_pod(&self, namespace: &str, name: &str) -> Option<Rc<SystemPod>> {
        let all = self.system.borrow();
        all.iter().find(|pod| pod.namespace == namespace && pod.name == name).cloned()
    }

    /// The autoscaler that holds the lease.
    pub(crate) fn leader(&self) -> Option<Rc<SystemPod>> {
        let lease =
            self.get(&resources::LEASES, crate::sim::furnish::SYSTEM, crate::sim::furnish::LEASE)?;
        let holder = lease.pointer("/spec/holderIdentity")?.as_str()?.to_owned();
        let all = self.system.borrow();
        all.iter().find(|pod| pod.identity() == holder).cloned()
    }

    /// The keys of a `ConfigMap` of Knative; empty if it is not there.
    pub(crate) fn config(&self, name: &str) -> BTreeMap<String, String> {
        let map = self.get(&resources::CONFIG_MAPS, crate::sim::furnish::SYSTEM, name);
        let data = map.as_ref().and_then(|map| map.get("data")).and_then(Value::as_object);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        data.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
    }
}

// === impl Deployed ===

impl Deployed {
    pub(crate) fn key(&self) -> &Key {
        &self.revision.id.key
    }

    pub(crate) fn counts(&self) -> PodCounts {
        let mut counts = PodCounts::default();
        for pod in self.pods.borrow().values() {
            match pod.stage.get() {
                Stage::Pending | Stage::Terminating { was_running: false } => {
                    counts.pending += 1;
                    counts.not_ready += 1;
                }
                Stage::Running => counts.not_ready += 1,
                Stage::Ready => counts.ready += 1,
                Stage::Terminating { was_running: true } => {
                    counts.terminating += 1;
                    counts.not_ready += 1;
                }
            }
        }
        counts
    }

    /// Pods that are not terminating.
    pub(crate) fn n_alive(&self) -> u32 {
        let pods = self.pods.borrow();
        let alive =
            pods.values().filter(|pod| !matches!(pod.stage.get(), Stage::Terminating { .. }));
        u32::try_from(alive.count()).unwrap_or(u32::MAX)
    }
}

// === impl SystemPod ===

impl SystemPod {
    /// How it signs a lease.
    pub(crate) fn identity(&self) -> String {
        format!("{}_{}", self.name, self.address)
    }

    /// How long it has run.
    pub(crate) fn uptime(&self, clock: Clock) -> Duration {
        clock.at().since(self.started)
    }
}
