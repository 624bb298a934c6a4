//! Pods, services, revisions and their scaling objects, as the watches tell of them.
//!
//! A pod is identified by its uid, so that none is ever counted twice. While a kind is listed anew
//! its old objects stay, and those that the list does not name are gone when it ends.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::cluster::ConfigMap;
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
use crate::event::scaler::QueueProxy;
use crate::event::scaler::Stat;
use crate::event::scaler::Usage;
use crate::units::Anchor;
use crate::units::At;
use crate::units::Bytes;
use crate::units::Millicores;

/// Objects of a kind that are kept; the rest is counted.
const OBJECTS_MAX: usize = 20_000;
/// Pods that are gone and still have a life line.
const GONE_MAX: usize = 1000;
/// Cold starts that are kept for percentiles.
const COLD_STARTS_MAX: usize = 10_000;
/// A pod seen this soon after its creation stamp was seen from the beginning: the stamp is in
/// whole seconds.
const FRESH: Duration = Duration::from_secs(2);
/// A word of a queue-proxy older than this is stale: it is read every second.
const STAT_FRESH: Duration = Duration::from_secs(3);

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

/// A pod and what we saw of its life.
#[derive(Debug, Clone, PartialEq)]
pub struct PodLife {
    /// As it is now, or was last.
    pub pod: Pod,
    /// When we first saw it.
    pub first_seen: At,
    /// Whether we saw it from its creation on, so that our own clock measures its start.
    pub seen_fresh: bool,
    /// When we first saw it bound to a node, if we saw it unbound before.
    pub scheduled_seen: Option<At>,
    /// When we first saw it ready.
    pub ready_seen: Option<At>,
    /// When its queue-proxy first said that a request had come.
    pub request_seen: Option<At>,
    /// When we first saw that it was being deleted.
    pub deleted_seen: Option<At>,
    /// When it was gone.
    pub gone: Option<At>,
    /// What its queue-proxy said last.
    pub queue_proxy: Option<QueueProxy>,
    /// Its newest usage sample, and when that came.
    pub usage: Option<(At, Usage)>,
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodState {
    /// Serves.
    Ready,
    /// On its way to be ready.
    Starting,
    /// On its way out.
    Terminating,
    /// Ended, one way or the other; it no longer counts.
    Finished,
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

// === impl Pod ===

impl Pod {
    /// How long ago it was created, by the wall clock: most likely before the run began. `None`
    /// where the stamp is missing.
    pub fn age(&self, now: At, anchor: Anchor) -> Option<Duration> {
        // The cluster's clock may be a little ahead of ours.
        Some(anchor.wall(now).since(self.created?).unwrap_or_default())
    }
}

// === impl PodLife ===

impl PodLife {
    /// Where it is in its life.
    pub fn state(&self) -> PodState {
        match self.pod.phase {
            Phase::Succeeded | Phase::Failed => PodState::Finished,
            _ if self.pod.deleted.is_some() => PodState::Terminating,
            Phase::Running if self.pod.ready => PodState::Ready,
            _ => PodState::Starting,
        }
    }

    /// The revision it belongs to.
    pub fn revision(&self) -> Option<Name> {
        let name = self.pod.revision.clone()?;
        Some(Name { namespace: self.pod.id.namespace.clone(), name })
    }

    /// What its queue-proxy said, unless that is stale: one that goes away falls silent first.
    pub fn stat_at(&self, now: At) -> Option<Stat> {
        let reading = self.queue_proxy.as_ref()?;
        reading.stat.filter(|_| now.since(reading.read) < STAT_FRESH)
    }

    /// Its CPU and memory, and how old that is at `now` counted from the end of the sample's
    /// window; `None` if there is no sample.
    pub fn usage_at(&self, now: At, anchor: Anchor) -> Option<(Millicores, Bytes, Duration)> {
        let (came, usage) = self.usage.as_ref()?;
        let cpu = usage.containers.iter().map(|container| container.cpu).sum();
        let memory = usage.containers.iter().map(|container| container.memory).sum();
        // By the wall clock, since the window may have ended before the run began.
        let since_stamp = usage.timestamp.and_then(|stamp| anchor.wall(now).since(stamp));
        Some((cpu, memory, now.since(*came).max(since_stamp.unwrap_or_default())))
    }
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
            Kind::Event => BTreeSet::new(),
        };
        self.relisting.insert(kind, ids);
    }

    pub(super) fn listed(&mut self, at: At, kind: Kind) -> Vec<PodLife> {
        self.listed.insert(kind);
        let unnamed = self.relisting.remove(&kind).unwrap_or_default();
        unnamed.into_iter().filter_map(|id| self.gone(at, &Gone { kind, id })).collect()
    }

    /// Returns the pod that is gone, if it was one.
    pub(super) fn gone(&mut self, at: At, gone: &Gone) -> Option<PodLife> {
        let name = Name { namespace: gone.id.namespace.clone(), name: gone.id.name.clone() };
        match gone.kind {
            Kind::Pod => {
                let mut life = self.pods.remove(&gone.id.uid)?;
                life.gone = Some(at);
                if self.gone.len() == GONE_MAX {
                    self.gone.pop_front();
                }
                self.gone.push_back(life.clone());
                return Some(life);
            }
            Kind::Service => remove(&mut self.services, &name, |it| it.id == gone.id),
            Kind::Revision => remove(&mut self.revisions, &name, |it| it.id == gone.id),
            Kind::PodAutoscaler => remove(&mut self.autoscalers, &name, |it| it.id == gone.id),
            Kind::ServerlessService => remove(&mut self.sks, &name, |it| it.id == gone.id),
            Kind::Deployment => remove(&mut self.deployments, &name, |it| it.id == gone.id),
            Kind::ConfigMap => remove(&mut self.config, &name.name, |it| it.id == gone.id),
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
            PodLife {
                pod: Pod::default(),
                first_seen: at,
                seen_fresh: !is_first_list && !pod.ready && age.is_some_and(|age| age < FRESH),
                scheduled_seen: None,
                ready_seen: None,
                request_seen: None,
                deleted_seen: None,
                gone: None,
                queue_proxy: None,
                usage: None,
            }
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

    /// Returns the revision of the pod that it is about.
    pub(super) fn queue_proxy(&mut self, reading: &QueueProxy) -> Option<Name> {
        let life = self.pods.values_mut().find(|life| is_pod(life, &reading.pod))?;
        let has_request = reading.stat.is_some_and(|stat| 0.0 < stat.request_count)
            || reading.requests_total.is_some_and(|total| 0.0 < total);
        if has_request && life.request_seen.is_none() {
            life.request_seen = Some(reading.read);
        }
        life.queue_proxy = Some(reading.clone());
        life.revision()
    }

    /// Takes a usage sample, unless it is the one that we have: `metrics.k8s.io` repeats itself.
    pub(super) fn usage(&mut self, at: At, usage: &Usage) {
        let pod = self.pods.values_mut().find(|life| is_pod(life, &usage.pod));
        let Some(life) = pod else { return };
        if usage.timestamp.is_none() {
            life.usage = None;
            return;
        }
        let is_known = life.usage.as_ref().is_some_and(|(_, known)| {
            known.timestamp.is_some() && known.timestamp >= usage.timestamp
        });
        if !is_known {
            life.usage = Some((at, usage.clone()));
        }
    }

    /// Whether a kind has been listed, so that what is not there is known not to be there.
    pub fn is_listed(&self, kind: Kind) -> bool {
        self.listed.contains(&kind)
    }

    /// The pods of a revision, the oldest first.
    pub fn pods_of<'a>(&'a self, revision: &'a Name) -> impl Iterator<Item = &'a PodLife> {
        let mut pods: Vec<_> = self
            .pods
            .values()
            .filter(|life| {
                life.pod.id.namespace == revision.namespace
                    && life.pod.revision.as_deref() == Some(revision.name.as_str())
            })
            .collect();
        pods.sort_by(|a, b| {
            (a.pod.created, a.first_seen, &a.pod.id.name).cmp(&(
                b.pod.created,
                b.first_seen,
                &b.pod.id.name,
            ))
        });
        pods.into_iter()
    }

    /// How many pods of a revision are in which state; `None` before pods were listed.
    pub fn counts(&self, revision: &Name) -> Option<PodCounts> {
        self.is_listed(Kind::Pod).then(|| {
            let mut counts = PodCounts::default();
            for life in self.pods.values().filter(|life| {
                life.pod.id.namespace == revision.namespace
                    && life.pod.revision.as_deref() == Some(revision.name.as_str())
            }) {
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

/// Counts no pod twice: the first of the name that still exists and is not finished.
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
    }
}
