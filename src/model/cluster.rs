//! Pods, services, revisions and their scaling objects, as the watches tell of them.
//!
//! A pod is identified by its uid, so that none is ever counted twice. While a kind is listed anew
//! its old objects stay, and those that the list does not name are gone when it ends.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::cluster::ConfigMap;
use crate::event::cluster::DEPLOYMENT;
use crate::event::cluster::Deployment;
use crate::event::cluster::Gone;
use crate::event::cluster::Id;
use crate::event::cluster::Kind;
use crate::event::cluster::Name;
use crate::event::cluster::Object;
use crate::event::cluster::Phase;
use crate::event::cluster::Pod;
use crate::event::cluster::PodAutoscaler;
use crate::event::cluster::Revision;
use crate::event::cluster::ServerlessService;
use crate::event::cluster::Service;
use crate::event::hpa::HorizontalPodAutoscaler;
use crate::event::hpa::ScaledObject;
use crate::event::scaler::QueueProxy;
use crate::event::scaler::Usage;
use crate::units::Anchor;
use crate::units::At;
use crate::units::UnixMicros;

pub use super::podlife::PodLife;
pub use super::podlife::PodStat;
pub use super::podlife::PodState;

/// Objects of a kind that are kept; the rest is counted.
const OBJECTS_MAX: usize = 20_000;
/// Pods that are gone and still have a life line.
const GONE_MAX: usize = 1000;
/// Those of them of which also is kept what they bore and used.
const GONE_WITH_HISTORY_MAX: usize = 200;
/// Cold starts that are kept for percentiles.
const COLD_STARTS_MAX: usize = 10_000;
/// A pod seen this soon after its creation stamp was seen from the beginning: the stamp is in
/// whole seconds.
const FRESH: Duration = Duration::from_secs(2);

/// What the watches tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cluster {
    /// Pods that exist, by uid.
    pub pods: BTreeMap<String, PodLife>,
    /// Pods that are gone, oldest first.
    pub gone: VecDeque<PodLife>,
    /// Knative Services.
    pub services: BTreeMap<Name, Service>,
    /// Revisions.
    pub revisions: BTreeMap<Name, Revision>,
    /// Pod autoscalers, by their revision.
    pub autoscalers: BTreeMap<Name, PodAutoscaler>,
    /// Serverless services, by their revision.
    pub sks: BTreeMap<Name, ServerlessService>,
    /// Deployments.
    pub deployments: BTreeMap<Name, Deployment>,
    /// Horizontal pod autoscalers.
    pub hpas: BTreeMap<Name, HorizontalPodAutoscaler>,
    /// KEDA's `ScaledObject`s.
    pub scaled_objects: BTreeMap<Name, ScaledObject>,
    /// Knative's `ConfigMap`s, by their name.
    pub config: BTreeMap<String, ConfigMap>,
    /// Cold starts in the order in which the pods became ready.
    pub cold_starts: VecDeque<ColdStart>,
    /// Objects that there was no room for.
    pub n_refused: u64,
    /// Kinds being listed anew, with the objects not yet named.
    relisting: BTreeMap<Kind, BTreeSet<Id>>,
    /// Kinds that have been listed once.
    listed: BTreeSet<Kind>,
}

/// How many pods are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Serving.
    pub ready: u32,
    /// On their way to be ready, pending ones included.
    pub starting: u32,
    /// The part of these that is in phase Pending.
    pub pending: u32,
    /// On their way out.
    pub terminating: u32,
}

/// A pod that is gone, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaver {
    /// The revision that it belonged to.
    pub(super) revision: Name,
    /// Its name.
    pub(super) pod: String,
}

/// From the creation of a pod to Ready.
#[derive(Debug, Clone, PartialEq)]
pub struct ColdStart {
    /// The pod's revision.
    pub revision: Name,
    /// The pod's name.
    pub pod: String,
    /// When it became ready.
    pub ready: At,
    /// How long it took.
    pub took: Duration,
    /// Whether our own clock measured it; otherwise it is the cluster's stamps, ±1 s.
    pub measured: bool,
}

// === impl Cluster ===

impl Cluster {
    pub(super) fn listing(&mut self, kind: Kind) {
        let ids = match kind {
            Kind::Pod => self.pods.values().map(|life| life.pod.id.clone()).collect(),
            Kind::Service => self.services.values().map(|it| it.id.clone()).collect(),
            Kind::Revision => self.revisions.values().map(|it| it.id.clone()).collect(),
            Kind::PodAutoscaler => self.autoscalers.values().map(|it| it.id.clone()).collect(),
            Kind::ServerlessService => self.sks.values().map(|it| it.id.clone()).collect(),
            Kind::Deployment => self.deployments.values().map(|it| it.id.clone()).collect(),
            Kind::ConfigMap => self.config.values().map(|it| it.id.clone()).collect(),
            Kind::HorizontalPodAutoscaler => self.hpas.values().map(|it| it.id.clone()).collect(),
            Kind::ScaledObject => self.scaled_objects.values().map(|it| it.id.clone()).collect(),
            Kind::Event => BTreeSet::new(),
        };
        self.relisting.insert(kind, ids);
    }

    /// Returns what the list did not name: it is gone.
    pub(super) fn listed(&mut self, kind: Kind) -> BTreeSet<Id> {
        self.listed.insert(kind);
        self.relisting.remove(&kind).unwrap_or_default()
    }

    /// Returns the pod that is gone, if it was one of a revision.
    pub(super) fn gone(&mut self, at: At, gone: &Gone) -> Option<Leaver> {
        let name = Name { namespace: gone.id.namespace.clone(), name: gone.id.name.clone() };
        match gone.kind {
            Kind::Pod => {
                let mut life = self.pods.remove(&gone.id.uid)?;
                life.gone = Some(at);
                let pod = life.pod.id.name.clone();
                let leaver = life.revision().map(|revision| Leaver { revision, pod });
                if self.gone.len() == GONE_MAX {
                    self.gone.pop_front();
                }
                self.gone.push_back(life);
                let oldest = self.gone.len().checked_sub(GONE_WITH_HISTORY_MAX + 1);
                if let Some(oldest) = oldest.and_then(|idx| self.gone.get_mut(idx)) {
                    oldest.forget_history();
                }
                return leaver;
            }
            Kind::Service => remove(&mut self.services, &name, |it| it.id == gone.id),
            Kind::Revision => remove(&mut self.revisions, &name, |it| it.id == gone.id),
            Kind::PodAutoscaler => remove(&mut self.autoscalers, &name, |it| it.id == gone.id),
            Kind::ServerlessService => remove(&mut self.sks, &name, |it| it.id == gone.id),
            Kind::Deployment => remove(&mut self.deployments, &name, |it| it.id == gone.id),
            Kind::ConfigMap => remove(&mut self.config, &name.name, |it| it.id == gone.id),
            Kind::HorizontalPodAutoscaler => remove(&mut self.hpas, &name, |it| it.id == gone.id),
            Kind::ScaledObject => remove(&mut self.scaled_objects, &name, |it| it.id == gone.id),
            Kind::Event => {}
        }
        None
    }

    pub(super) fn seen(&mut self, at: At, anchor: Anchor, object: &Object) {
        let (kind, id) = identity(object);
        if let Some(unnamed) = self.relisting.get_mut(&kind) {
            unnamed.remove(id);
        }
        let name = Name { namespace: id.namespace.clone(), name: id.name.clone() };
        let is_kept = match object {
            Object::Pod(pod) => self.seen_pod(at, anchor, pod),
            Object::Service(it) => keep(&mut self.services, name, it),
            Object::Revision(it) => keep(&mut self.revisions, name, it),
            Object::PodAutoscaler(it) => keep(&mut self.autoscalers, name, it),
            Object::ServerlessService(it) => keep(&mut self.sks, name, it),
            Object::Deployment(it) => keep(&mut self.deployments, name, it),
            Object::ConfigMap(it) => keep(&mut self.config, name.name, it),
            Object::HorizontalPodAutoscaler(it) => keep(&mut self.hpas, name, it),
            Object::ScaledObject(it) => keep(&mut self.scaled_objects, name, it),
            Object::Event(_) => true,
        };
        if !is_kept {
            self.n_refused += 1;
        }
    }

    fn seen_pod(&mut self, at: At, anchor: Anchor, pod: &Pod) -> bool {
        if OBJECTS_MAX <= self.pods.len() && !self.pods.contains_key(&pod.id.uid) {
            return false;
        }
        let is_first_list = !self.listed.contains(&Kind::Pod);
        let life = self.pods.entry(pod.id.uid.clone()).or_insert_with(|| {
            let age = pod.age(at, anchor);
            let is_new = !is_first_list && !pod.ready && age.is_some_and(|age| age < FRESH);
            PodLife::new(at, is_new)
        });
        if life.pod.scheduled.is_none() && pod.scheduled.is_some() && life.first_seen < at {
            life.scheduled_seen = Some(at);
        }
        life.pod = pod.clone();
        if pod.deleted.is_some() && life.deleted_seen.is_none() {
            life.deleted_seen = Some(at);
        }
        if life.state() == PodState::Ready && life.ready_seen.is_none() {
            life.ready_seen = Some(at);
            // A pod that was ready when we came started before our time.
            if !is_first_list && let Some(cold_start) = cold_start(at, life) {
                if self.cold_starts.len() == COLD_STARTS_MAX {
                    self.cold_starts.pop_front();
                }
                self.cold_starts.push_back(cold_start);
            }
        }
        true
    }

    pub(super) fn queue_proxy(&mut self, reading: &QueueProxy) {
        let pod = self.pods.values_mut().find(|life| is_pod(life, &reading.pod));
        if let Some(life) = pod {
            life.queue_proxy(reading);
        }
    }

    /// The pod of that name that exists, if it is known.
    pub(super) fn pod_named(&self, pod: &Name) -> Option<&PodLife> {
        self.pods.values().find(|life| is_pod(life, pod))
    }

    /// When a pod of the autoscaler was made.
    pub(super) fn autoscaler_made(&self, pod: &str) -> Option<UnixMicros> {
        let mut all = self.pods.values().map(|life| &life.pod);
        all.find(|it| it.id.name == pod && it.app.as_deref() == Some("autoscaler"))?.created
    }

    pub(super) fn usage(&mut self, at: At, usage: &Usage) {
        let pod = self.pods.values_mut().find(|life| is_pod(life, &usage.pod));
        if let Some(life) = pod {
            life.use_up(at, usage);
        }
    }

    /// Whether a kind has been listed, so that what is not there is known not to be there.
    pub fn is_listed(&self, kind: Kind) -> bool {
        self.listed.contains(&kind)
    }

    /// The pods of a revision, the oldest first.
    pub fn pods_of<'a>(&'a self, revision: &'a Name) -> impl Iterator<Item = &'a PodLife> {
        let mut pods: Vec<_> = self.pods.values().filter(|life| life.is_of(revision)).collect();
        pods.sort_by(|a, b| {
            (a.pod.created, a.first_seen, &a.pod.id.name).cmp(&(
                b.pod.created,
                b.first_seen,
                &b.pod.id.name,
            ))
        });
        pods.into_iter()
    }

    /// The pods of a revision that were there at a moment, those that are gone since included.
    pub fn pods_at(&self, revision: &Name, at: At) -> Vec<&PodLife> {
        let all = self.gone.iter().chain(self.pods.values());
        all.filter(|life| life.is_of(revision) && life.state_at(at).is_some()).collect()
    }

    /// When pods of a revision were seen to begin to go, in order.
    pub fn goes_of(&self, revision: &Name) -> Vec<At> {
        let all = self.gone.iter().chain(self.pods.values());
        let of_it = all.filter(|life| life.is_of(revision));
        let mut goes: Vec<At> = of_it.filter_map(|life| life.deleted_seen).collect();
        goes.sort_unstable();
        goes
    }

    /// How many pods of a revision are in which state; `None` before pods were listed.
    pub fn counts(&self, revision: &Name) -> Option<PodCounts> {
        self.is_listed(Kind::Pod).then(|| {
            let mut counts = PodCounts::default();
            for life in self.pods.values().filter(|life| life.is_of(revision)) {
                match life.state() {
                    PodState::Ready => counts.ready += 1,
                    PodState::Starting => {
                        counts.starting += 1;
                        counts.pending += u32::from(life.pod.phase == Phase::Pending);
                    }
                    PodState::Terminating => counts.terminating += 1,
                    PodState::Finished => {}
                }
            }
            counts
        })
    }

    /// The revisions of a service: those that its route names first, then the newest first.
    pub fn revisions_of(&self, service: &Name) -> Vec<Name> {
        if let Some(deployment) = service.name.strip_prefix(DEPLOYMENT) {
            let (namespace, name) = (service.namespace.clone(), deployment.to_owned());
            return vec![Name { namespace, name }];
        }
        let mut names: Vec<Name> = Vec::new();
        if let Some(service) = self.services.get(service) {
            let mut traffic: Vec<_> = service.traffic.iter().collect();
            traffic.sort_by_key(|line| std::cmp::Reverse(line.percent));
            for line in traffic {
                let namespace = service.id.namespace.clone();
                let name = Name { namespace, name: line.revision.clone() };
                if !line.revision.is_empty() && !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let mut others: Vec<_> = self
            .revisions
            .iter()
            .filter(|(name, revision)| {
                name.namespace == service.namespace
                    && revision.service.as_deref() == Some(service.name.as_str())
                    && !names.contains(name)
            })
            .collect();
        others.sort_by_key(|(_, revision)| std::cmp::Reverse(revision.created));
        names.extend(others.into_iter().map(|(name, _)| name.clone()));
        names
    }
}

/// Whether it has that name.
fn is_pod(life: &PodLife, name: &Name) -> bool {
    life.pod.id.name == name.name && life.pod.id.namespace == name.namespace
}

fn cold_start(at: At, life: &PodLife) -> Option<ColdStart> {
    let revision = life.revision()?;
    let (took, measured) = if life.seen_fresh {
        (at.since(life.first_seen), true)
    } else {
        (life.pod.became_ready?.since(life.pod.created?)?, false)
    };
    Some(ColdStart { revision, pod: life.pod.id.name.clone(), ready: at, took, measured })
}

fn keep<K: Ord, T: Clone>(all: &mut BTreeMap<K, T>, key: K, it: &T) -> bool {
    if OBJECTS_MAX <= all.len() && !all.contains_key(&key) {
        return false;
    }
    all.insert(key, it.clone());
    true
}

fn remove<K: Ord, T>(all: &mut BTreeMap<K, T>, key: &K, is_it: impl Fn(&T) -> bool) {
    // Another object of the same name may have taken its place already.
    if all.get(key).is_some_and(is_it) {
        all.remove(key);
    }
}

fn identity(object: &Object) -> (Kind, &Id) {
    match object {
        Object::Pod(it) => (Kind::Pod, &it.id),
        Object::Event(it) => (Kind::Event, &it.id),
        Object::ConfigMap(it) => (Kind::ConfigMap, &it.id),
        Object::Deployment(it) => (Kind::Deployment, &it.id),
        Object::Service(it) => (Kind::Service, &it.id),
        Object::Revision(it) => (Kind::Revision, &it.id),
        Object::PodAutoscaler(it) => (Kind::PodAutoscaler, &it.id),
        Object::ServerlessService(it) => (Kind::ServerlessService, &it.id),
        Object::HorizontalPodAutoscaler(it) => (Kind::HorizontalPodAutoscaler, &it.id),
        Object::ScaledObject(it) => (Kind::ScaledObject, &it.id),
    }
}
