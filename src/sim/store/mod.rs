//! The objects of the embedded cluster, with the bookkeeping that etcd and the API server do:
//! resource versions, uids, generations, graceful deletion, garbage collection, and a bounded
//! history for watches.
//!
//! It knows neither HTTP nor tasks: controllers write here directly, clients through the API.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::sim::resources;
use crate::sim::resources::Resource;
use crate::sim::stamp;
use crate::sim::status::Status;
use crate::units::UnixMicros;

/// The store as the tasks of one thread share it. Never hold a borrow across an await.
pub type SharedStore = Rc<RefCell<Store>>;

/// How many changes are kept for watches, if not said otherwise.
pub const N_HISTORY: usize = 20_000;

/// All objects and the newest changes.
#[derive(Debug)]
pub struct Store {
    clock: Clock,
    rng: StdRng,
    version: u64,
    /// By group and plural, then by namespace and name.
    objects: BTreeMap<(&'static str, &'static str), Shelf>,
    history: VecDeque<Change>,
    n_history: usize,
    /// Changes up to and including this version are forgotten.
    forgotten: u64,
    news: watch::Sender<u64>,
}

type Shelf = BTreeMap<(String, String), Rc<Value>>;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It is new.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change, as watches tell it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The resource version it brought.
    pub version: u64,
    /// Group and plural of the resource.
    pub key: (&'static str, &'static str),
    /// What happened.
    pub verb: Verb,
    /// The object afterwards; the last state if it is gone.
    pub object: Rc<Value>,
    /// The object before; `None` if it is new.
    pub before: Option<Rc<Value>>,
}

// === impl Store ===

impl Store {
    /// An empty store whose uids and names depend on `seed` only.
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self::with_history(clock, seed, N_HISTORY)
    }

    /// The same, keeping `n_history` changes for watches.
    pub fn with_history(clock: Clock, seed: u64, n_history: usize) -> Self {
        // A real cluster is never at version 0 either, and clients read 0 as "any".
        let version = 1000;
        Self {
            clock,
            rng: StdRng::seed_from_u64(seed),
            version,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            n_history,
            forgotten: version,
            news: watch::Sender::new(version),
        }
    }

    /// The store, to be shared by the tasks of this thread.
    pub fn shared(self) -> SharedStore {
        Rc::new(RefCell::new(self))
    }

    /// The clock that stamps are taken from.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// The version of the newest change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Tells the version of the newest change, each time there is one.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// One object. The namespace is ignored for resources of the cluster.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Rc<Value>> {
        let all = self.objects.get(&resource.key())?;
        all.get(&place(resource, namespace, name)).cloned()
    }

    /// All objects, or those of one namespace, ordered by namespace and name.
    pub fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Rc<Value>> {
        let all = self.objects.get(&resource.key());
        all.into_iter()
            .flatten()
            .filter(|((of, _), _)| namespace.is_none_or(|wanted| wanted == of))
            .map(|(_, object)| Rc::clone(object))
            .collect()
    }

    /// The changes after `version`, oldest first.
    pub fn since(&self, version: u64) -> Result<impl Iterator<Item = &Change>, Status> {
        if version < self.forgotten {
            return Err(Status::Expired { asked: version, oldest: self.forgotten });
        }
        let first = self.history.partition_point(|change| change.version <= version);
        Ok(self.history.range(first..))
    }

    /// Forgets all changes, as etcd's compaction does: watches of old versions get 410.
    pub fn compact(&mut self) {
        self.history.clear();
        self.forgotten = self.version;
    }

    /// Adds an object; `metadata.generateName` is completed.
    pub fn create(
        &mut self,
        resource: &'static Resource,
        mut object: Value,
    ) -> Result<Value, Status> {
        let Some(fields) = object.as_object_mut() else {
            return Err(Status::BadRequest("the object is not a JSON object".to_owned()));
        };
        let stored = resource.stored_as.unwrap_or(resource);
        fields.insert("apiVersion".to_owned(), stored.api_version().into());
        fields.insert("kind".to_owned(), stored.kind.into());
        let uid = self.uid();
        let suffix = self.suffix();
        let now = stamp::seconds(self.clock.wall());
        let meta = metadata_mut(fields);
        if text(meta, "name").is_empty() {
            let prefix = text(meta, "generateName");
            if prefix.is_empty() {
                let cause = "metadata.name: Required value: name or generateName is required";
                return Err(Status::invalid(resource, "", cause));
            }
            let name = format!("{prefix}{suffix}");
            meta.insert("name".to_owned(), name.into());
        }
        if resource.namespaced && text(meta, "namespace").is_empty() {
            meta.insert("namespace".to_owned(), "default".into());
        }
        if !resource.namespaced {
            meta.remove("namespace");
        }
        meta.insert("uid".to_owned(), uid.into());
        meta.insert("creationTimestamp".to_owned(), now.into());
        meta.remove("deletionTimestamp");
        if resource.has_generation {
            meta.insert("generation".to_owned(), 1.into());
        }
        let place = place(resource, &text(meta, "namespace"), &text(meta, "name"));
        if self.objects.get(&resource.key()).is_some_and(|shelf| shelf.contains_key(&place)) {
            return Err(Status::AlreadyExists { resource: resource.qualified(), name: place.1 });
        }
        Ok(self.commit(resource, place, Verb::Added, object))
    }

    /// Replaces an object. If `metadata.resourceVersion` is given it must be the current one.
    pub fn update(&mut self, resource: &'static Resource, object: Value) -> Result<Value, Status> {
        let namespace = meta_text(&object, "namespace").to_owned();
        let name = meta_text(&object, "name").to_owned();
        let asked = meta_text(&object, "resourceVersion").to_owned();
        let current = self
            .get(resource, &namespace, &name)
            .ok_or_else(|| Status::not_found(resource, &name))?;
        if !asked.is_empty() && asked != meta_text(&current, "resourceVersion") {
            return Err(Status::Conflict { resource: resource.qualified(), name });
        }
        self.modify(resource, &namespace, &name, |old| *old = object)
    }

    /// Changes an object in place, the way of controllers. What clients may not change is kept;
    /// `generation` counts changes of `spec`; if nothing changed nothing happens.
    pub fn modify(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, Status> {
        let before =
            self.get(resource, namespace, name).ok_or_else(|| Status::not_found(resource, name))?;
        let mut after = Value::clone(&before);
        change(&mut after);
        keep_what_is_ours(resource, &before, &mut after);
        if *before == after {
            return Ok(after);
        }
        let place = place(resource, namespace, name);
        // The last finalizer is gone: so is the object.
        if is_terminating(&after) && !has_finalizers(&after) && !is_graceful(resource) {
            return self.take(resource, &place);
        }
        Ok(self.commit(resource, place, Verb::Modified, after))
    }

    /// Deletes an object as a client asks for it. A pod gets a `deletionTimestamp` and stays until
    /// [`Self::remove`], unless `grace` is zero; an object with finalizers stays until they are
    /// gone; others go at once. What it owns goes too. Gives the last state.
    ///
    /// `grace` is `terminationGracePeriodSeconds` of the pod if `None`.
    pub fn delete(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        grace: Option<Duration>,
    ) -> Result<Value, Status> {
        let object =
            self.get(resource, namespace, name).ok_or_else(|| Status::not_found(resource, name))?;
        let waits =
            has_finalizers(&object) || (is_graceful(resource) && grace != Some(Duration::ZERO));
        if !waits {
            return self.take(resource, &place(resource, namespace, name));
        }
        if is_terminating(&object) {
            return Ok(Value::clone(&object));
        }
        let grace = grace.unwrap_or_else(|| {
            let secs =
                object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_u64);
            Duration::from_secs(if is_graceful(resource) { secs.unwrap_or(30) } else { 0 })
        });
        // As in Kubernetes, the stamp is when the time is over, not when the deletion was asked.
        let micros = i64::try_from(grace.as_micros()).unwrap_or(0);
        let over = stamp::seconds(UnixMicros(self.clock.wall().0.saturating_add(micros)));
        let mut after = Value::clone(&object);
        after["metadata"]["deletionTimestamp"] = over.into();
        after["metadata"]["deletionGracePeriodSeconds"] = grace.as_secs().into();
        Ok(self.commit(resource, place(resource, namespace, name), Verb::Modified, after))
    }

    /// Takes an object away at once, and what it owns: how a kubelet ends a pod. Gives the last
    /// state.
    pub fn remove(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Value, Status> {
        self.take(resource, &place(resource, namespace, name))
    }

    /// Five random letters, as generated names end.
    pub fn suffix(&mut self) -> String {
        // Kubernetes' alphabet: no vowels, so that no words appear, and no 0, 1, 3.
        const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..5).map(|_| char::from(ALPHABET[self.rng.random_range(0..ALPHABET.len())])).collect()
    }

    fn uid(&mut self) -> String {
        let id: u128 = self.rng.random();
        // Version 4, variant 1.
        let id = (id & !(0xf << 76) | (0x4 << 76)) & !(0x3 << 62) | (0x2 << 62);
        let hex = format!("{id:032x}");
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        parts.join("-")
    }

    /// Writes down a change and the new state of the object.
    fn commit(
        &mut self,
        resource: &'static Resource,
        place: (String, String),
        verb: Verb,
        mut object: Value,
    ) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let object = Rc::new(object);
        let all = self.objects.entry(resource.key()).or_default();
        let before = if verb == Verb::Deleted {
            all.remove(&place)
        } else {
            all.insert(place, Rc::clone(&object))
        };
        let key = resource.key();
        let change =
            Change { version: self.version, key, verb, object: Rc::clone(&object), before };
        self.history.push_back(change);
        if self.n_history < self.history.len()
            && let Some(oldest) = self.history.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.news.send_replace(self.version);
        Value::clone(&object)
    }

    /// Deletes an object and, as the garbage collector would in the background, what it owns.
    fn take(
        &mut self,
        resource: &'static Resource,
        at: &(String, String),
    ) -> Result<Value, Status> {
        let object = self
            .objects
            .get(&resource.key())
            .and_then(|shelf| shelf.get(at))
            .map(|object| Value::clone(object))
            .ok_or_else(|| Status::not_found(resource, &at.1))?;
        let uid = meta_text(&object, "uid").to_owned();
        let last = self.commit(resource, at.clone(), Verb::Deleted, object);
        // These own nothing, and come and go by the hundred.
        if [&resources::EVENTS, &resources::PODS].contains(&resource) {
            return Ok(last);
        }
        let in_namespace = (*resource == resources::NAMESPACES).then_some(at.1.as_str());
        for (owned, place) in self.left_behind(&uid, in_namespace) {
            let grace = in_namespace.map(|_| Duration::ZERO);
            // It may be gone already, through another owner.
            let _ = self.delete(owned, &place.0, &place.1, grace);
        }
        Ok(last)
    }

    /// The objects that had `uid` as their only owner that still was, or were in `namespace`.
    fn left_behind(
        &self,
        uid: &str,
        namespace: Option<&str>,
    ) -> Vec<(&'static Resource, (String, String))> {
        let alive: BTreeSet<&str> = self
            .objects
            .values()
            .flat_map(BTreeMap::values)
            .map(|one| meta_text(one, "uid"))
            .collect();
        let mut found = Vec::new();
        for resource in resources::ALL.into_iter().filter(|one| one.stored_as.is_none()) {
            for (place, object) in self.objects.get(&resource.key()).into_iter().flatten() {
                let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
                let mut uids = owners.into_iter().flatten().filter_map(|one| one["uid"].as_str());
                let is_orphan = uids.clone().any(|owner| owner == uid)
                    && !uids.any(|owner| alive.contains(owner));
                if is_orphan || namespace.is_some_and(|gone| gone == place.0) {
                    found.push((resource, place.clone()));
                }
            }
        }
        found
    }
}

/// An owner reference to `owner`, which controls what carries it.
pub fn owner_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta_text(owner, "name"),
        "uid": meta_text(owner, "uid"),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// A text of `metadata`; empty if it is not there.
pub fn meta_text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Whether the object has been asked to go.
pub fn is_terminating(object: &Value) -> bool {
    !meta_text(object, "deletionTimestamp").is_empty()
}

fn is_graceful(resource: &Resource) -> bool {
    *resource == resources::PODS
}

fn has_finalizers(object: &Value) -> bool {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|list| !list.is_empty())
}

fn place(resource: &Resource, namespace: &str, name: &str) -> (String, String) {
    let namespace = if resource.namespaced { namespace } else { "" };
    (namespace.to_owned(), name.to_owned())
}

fn text(fields: &Map<String, Value>, field: &str) -> String {
    fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn metadata_mut(fields: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let meta = fields.entry("metadata").or_insert_with(|| json!({}));
    if !meta.is_object() {
        *meta = json!({});
    }
    match meta {
        Value::Object(meta) => meta,
        _ => unreachable!("it has just been made an object"),
    }
}

/// Undoes what a writer may not change and counts the generation.
fn keep_what_is_ours(resource: &Resource, before: &Value, after: &mut Value) {
    let spec_changed = before.get("spec") != after.get("spec");
    let Some(fields) = after.as_object_mut() else {
        *after = before.clone();
        return;
    };
    for field in ["apiVersion", "kind"] {
        fields.insert(field.to_owned(), before[field].clone());
    }
    let meta = metadata_mut(fields);
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        match before["metadata"].get(field) {
            Some(value) => meta.insert(field.to_owned(), value.clone()),
            None => meta.remove(field),
        };
    }
    if resource.has_generation && spec_changed {
        let generation = before["metadata"]["generation"].as_u64().unwrap_or(0);
        meta.insert("generation".to_owned(), (generation + 1).into());
    }
}

#[cfg(test)]
mod tests;
