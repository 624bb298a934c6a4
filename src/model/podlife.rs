//! A pod and what we saw of its life: where it was in it, and what it bore and used, at any moment.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::cluster::Name;
use crate::event::cluster::Phase;
use crate::event::cluster::Pod;
use crate::event::scaler::QueueProxy;
use crate::event::scaler::Usage;
use crate::series::Bounds;
use crate::series::Series;
use crate::units::Anchor;
use crate::units::At;
use crate::units::Bytes;
use crate::units::Millicores;
use crate::units::UnixMicros;

/// A word of a queue-proxy older than this is stale: it is read every second.
const STAT_FRESH: Duration = Duration::from_secs(3);
/// Usage samples of a pod that are kept: an hour at one in fifteen seconds.
const USAGE_MAX: usize = 240;

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
    history: History,
}

/// What a pod bore and used.
#[derive(Debug, Clone, PartialEq)]
struct History {
    concurrency: Series,
    rps: Series,
    proxied_rps: Series,
    /// When each sample came, oldest first; `None` from when on the pod was not measured any more.
    usage: VecDeque<(At, Option<Sample>)>,
}

/// CPU and memory of all containers over a window that ended at `stamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    stamp: UnixMicros,
    cpu: Millicores,
    memory: Bytes,
}

/// What a queue-proxy said of its pod's last second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodStat {
    /// Mean requests in flight, queued and proxied ones included.
    pub concurrency: f64,
    /// Requests that arrived, a second.
    pub rps: f64,
    /// The part of these that came through the activator.
    pub proxied_rps: f64,
    /// When it said so.
    pub read: At,
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
    /// A pod that was first seen at a moment; `seen_fresh`: from its creation on.
    pub(super) fn new(first_seen: At, seen_fresh: bool) -> Self {
        Self {
            pod: Pod::default(),
            first_seen,
            seen_fresh,
            scheduled_seen: None,
            ready_seen: None,
            request_seen: None,
            deleted_seen: None,
            gone: None,
            history: History::default(),
        }
    }

    /// Where it is in its life.
    pub fn state(&self) -> PodState {
        match self.pod.phase {
            Phase::Succeeded | Phase::Failed => PodState::Finished,
            _ if self.pod.deleted.is_some() => PodState::Terminating,
            Phase::Running if self.pod.ready => PodState::Ready,
            _ => PodState::Starting,
        }
    }

    /// Where it was in its life at a moment; `None` if it was not there.
    pub fn state_at(&self, at: At) -> Option<PodState> {
        if at < self.first_seen || self.gone.is_some_and(|gone| gone <= at) {
            return None;
        }
        let is_deleted = self.deleted_seen.is_some_and(|deleted| deleted <= at);
        let is_ready = self.ready_seen.is_some_and(|ready| ready <= at);
        Some(match (is_deleted, is_ready) {
            (true, _) => PodState::Terminating,
            (false, true) => PodState::Ready,
            (false, false) => PodState::Starting,
        })
    }

    /// The revision it belongs to.
    pub fn revision(&self) -> Option<Name> {
        let name = self.pod.revision.clone()?;
        Some(Name { namespace: self.pod.id.namespace.clone(), name })
    }

    /// Whether it belongs to this revision.
    pub fn is_of(&self, revision: &Name) -> bool {
        self.pod.revision.as_deref() == Some(revision.name.as_str())
            && self.pod.id.namespace == revision.namespace
    }

    /// What its queue-proxy had said last at a moment, unless that was stale: one that goes away
    /// falls silent first.
    pub fn stat_at(&self, at: At) -> Option<PodStat> {
        let value = |series: &Series| series.at(at, Some(STAT_FRESH));
        Some(PodStat {
            concurrency: value(&self.history.concurrency)?,
            rps: value(&self.history.rps)?,
            proxied_rps: value(&self.history.proxied_rps)?,
            read: self.history.concurrency.since(at)?,
        })
    }

    /// Its CPU and memory as they were known at a moment, and how old that was, counted from the
    /// end of the sample's window; `None` if there was no sample.
    pub fn usage_at(&self, at: At, anchor: Anchor) -> Option<(Millicores, Bytes, Duration)> {
        let (came, sample) = self.history.usage.iter().rev().find(|(came, _)| *came <= at)?;
        let sample = sample.as_ref()?;
        // By the wall clock, since the window may have ended before the run began.
        let since_stamp = anchor.wall(at).since(sample.stamp).unwrap_or_default();
        Some((sample.cpu, sample.memory, at.since(*came).max(since_stamp)))
    }

    pub(super) fn queue_proxy(&mut self, reading: &QueueProxy) {
        let has_request = reading.stat.is_some_and(|stat| 0.0 < stat.request_count)
            || reading.requests_total.is_some_and(|total| 0.0 < total);
        if has_request && self.request_seen.is_none() {
            self.request_seen = Some(reading.read);
        }
        let History { concurrency, rps, proxied_rps, .. } = &mut self.history;
        let stat = reading.stat.as_ref();
        concurrency.set(reading.read, stat.map(|stat| stat.average_concurrent_requests));
        rps.set(reading.read, stat.map(|stat| stat.request_count));
        proxied_rps.set(reading.read, stat.map(|stat| stat.proxied_request_count));
    }

    /// Takes a usage sample, unless it is the one that we have: `metrics.k8s.io` repeats itself.
    pub(super) fn use_up(&mut self, at: At, usage: &Usage) {
        let samples = &mut self.history.usage;
        let newest = samples.back().and_then(|(_, sample)| *sample);
        let sample = usage.timestamp.map(|stamp| Sample {
            stamp,
            // The sum of what was rounded up would be too much.
            cpu: usage
                .cpu
                .unwrap_or_else(|| usage.containers.iter().map(|container| container.cpu).sum()),
            memory: usage.containers.iter().map(|container| container.memory).sum(),
        });
        let is_news = match (newest, sample) {
            (Some(newest), Some(sample)) => newest.stamp < sample.stamp,
            (None, None) => false,
            (None, Some(_)) | (Some(_), None) => true,
        };
        if !is_news {
            return;
        }
        if samples.len() == USAGE_MAX {
            samples.pop_front();
        }
        samples.push_back((at, sample));
    }

    /// Forgets what it bore and used.
    pub(super) fn forget_history(&mut self) {
        self.history = History::default();
    }
}

impl Default for History {
    fn default() -> Self {
        let series = || Series::new(Bounds::POD);
        Self { concurrency: series(), rps: series(), proxied_rps: series(), usage: VecDeque::new() }
    }
}
