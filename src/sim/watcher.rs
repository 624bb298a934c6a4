//! What clients change reaches the controllers here, through the store's changes.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::sim::furnish;
use crate::sim::knative;
use crate::sim::kubelet;
use crate::sim::replicas;
use crate::sim::resources;
use crate::sim::revision::Key;
use crate::sim::routes;
use crate::sim::scaler;
use crate::sim::store::Change;
use crate::sim::store::Verb;
use crate::sim::store::is_terminating;
use crate::sim::store::meta_text;
use crate::sim::world::World;

/// Changes are gathered for so long before objects are written anew.
const GATHER: Duration = Duration::from_millis(20);

/// What a change asks the controllers to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Todo {
    /// Namespace and name of a Knative Service that changed.
    Service(String, String),
    /// A revision that is gone.
    Revision(Key),
    /// Namespace and name of a pod that was told to go, or is gone.
    Pod(String, String),
    /// `config-autoscaler` changed.
    Config,
}

/// Follows the store until the world ends.
pub(crate) async fn watch(world: Rc<World>) {
    let (mut news, mut seen) = {
        let store = world.store.borrow();
        (store.subscribe(), store.version())
    };
    while news.changed().await.is_ok() {
        let todos: BTreeSet<Todo> = {
            let store = world.store.borrow();
            let changes = store.since(seen).map(|all| all.filter_map(todo).collect());
            seen = store.version();
            // Forgotten changes cannot be followed; the next one will be.
            changes.unwrap_or_default()
        };
        for todo in todos {
            act(&world, todo);
        }
    }
}

/// Writes stale objects anew.
pub(crate) async fn keep_in_sync(world: Rc<World>) {
    loop {
        world.is_stale.notified().await;
        tokio::time::sleep(GATHER).await;
        for key in world.take_stale() {
            if let Some(deployed) = world.revision(&key) {
                replicas::sync(&world, &deployed);
            }
        }
    }
}

fn todo(change: &Change) -> Option<Todo> {
    let object = &change.object;
    let (namespace, name) = (meta_text(object, "namespace"), meta_text(object, "name"));
    let place = || (namespace.to_owned(), name.to_owned());
    let is_gone = change.verb == Verb::Deleted;
    let spec_changed =
        change.before.as_ref().is_none_or(|before| before.get("spec") != object.get("spec"));
    if change.key == resources::KSERVICES.key() && (is_gone || spec_changed) {
        let (namespace, name) = place();
        return Some(Todo::Service(namespace, name));
    }
    if change.key == resources::REVISIONS.key() && is_gone {
        let (namespace, name) = place();
        return Some(Todo::Revision(Key { namespace, name }));
    }
    let was_told = change.before.as_ref().is_none_or(|before| !is_terminating(before));
    if change.key == resources::PODS.key() && (is_gone || (is_terminating(object) && was_told)) {
        let (namespace, name) = place();
        return Some(Todo::Pod(namespace, name));
    }
    let is_config = change.key == resources::CONFIG_MAPS.key()
        && namespace == furnish::SYSTEM
        && name == "config-autoscaler";
    is_config.then_some(Todo::Config)
}

fn act(world: &Rc<World>, todo: Todo) {
    match todo {
        Todo::Service(namespace, name) => knative::reconcile(world, &namespace, &name),
        Todo::Revision(key) => {
            if let Some(deployed) = world.revision(&key) {
                knative::bury(world, &deployed);
                routes::sync(world, &key.namespace, &deployed.revision.id.service);
            }
        }
        Todo::Pod(namespace, name) => pod_goes(world, &namespace, &name),
        Todo::Config => {
            for deployed in world.all_revisions() {
                scaler::reconfigure(world, &deployed);
            }
        }
    }
}

fn pod_goes(world: &Rc<World>, namespace: &str, name: &str) {
    if let Some((deployed, pod)) = world.pod(namespace, name) {
        kubelet::stop(world, &deployed, &pod);
        // Its ReplicaSet makes another, if it was not the one who wanted it gone.
        replicas::adjust(world, &deployed);
        return;
    }
    let Some(pod) = world.system_pod(namespace, name) else { return };
    let was_leader = world.leader().is_some_and(|leader| leader.name == pod.name);
    world.system.borrow_mut().retain(|other| other.name != pod.name);
    let next = furnish::replace_pod(world, &pod.app);
    if was_leader {
        // Another replica is quicker than the new one.
        let other = world.system.borrow().iter().find(|one| one.app == pod.app).cloned();
        if let Some(next) = other.or(next) {
            scaler::lead(world, &next);
        }
    }
    // Nothing in it has to drain.
    let _ = world.store.borrow_mut().remove(&resources::PODS, namespace, name);
}
