//! What the models of the deciders are told: the part of each event that an autoscaler would see.

use crate::event::cluster::Deployment;
use crate::event::cluster::Kind;
use crate::event::cluster::KubeEvent;
use crate::event::cluster::Name;
use crate::event::cluster::PodAutoscaler;
use crate::event::cluster::SksMode;
use crate::event::cluster::Status;
use crate::event::scaler::QueueProxy;
use crate::event::traffic::Interval;
use crate::kpa::Mode;
use crate::kpa::reconcile;
use crate::kpa::reconcile::Active;
use crate::kpa::reconcile::Inactive;
use crate::units::At;
use crate::units::UnixMicros;

use super::Model;
use super::cluster::PodLife;
use super::cluster::PodState;
use super::shadow::Context;
use super::shadow::PodTrouble;

/// What the API server says of a pod that a `ResourceQuota` does not allow.
const EXCEEDED: &str = "exceeded quota";

impl Model {
    /// A queue-proxy answered: the pod has it, and the model of its revision's decider.
    pub(super) fn queue_proxy(&mut self, reading: &QueueProxy) {
        self.cluster.queue_proxy(reading);
        let Some(life) = self.cluster.pod_named(&reading.pod) else { return };
        let Some(revision) = life.revision() else { return };
        let is_ready = is_ready(life);
        self.scaling.queue_proxy(&revision, reading, is_ready);
        let Some(stat) = reading.stat else { return };
        if let Some(scaling) = self.scaling.entry(&revision)
            && let Some(shadow) = &mut scaling.shadow
        {
            shadow.stat(reading.read, &reading.pod.name, stat);
        }
    }

    /// Where nothing tells what waits in the activators, our own requests in flight do.
    pub(super) fn own_load(&mut self, interval: &Interval) {
        let Some(revision) = self.loaded_revision() else { return };
        let in_flight = f64::from(u32::try_from(interval.in_flight).unwrap_or(u32::MAX));
        if let Some(scaling) = self.scaling.entry(&revision)
            && let Some(shadow) = &mut scaling.shadow
        {
            shadow.own_in_flight(interval.began + interval.lasted, in_flight);
        }
    }

    /// Tells the model of a revision's decider what a reconciler sees beside the decision; begins
    /// it, once the configuration in force is known.
    pub(super) fn shadow_context(&mut self, at: At, revision: &Name) {
        let Some(autoscaler) = self.cluster.autoscalers.get(revision) else { return };
        let Some(scaling) = self.scaling.get(revision) else { return };
        let Some(config) = scaling.config.clone() else { return };
        let is_new = scaling.shadow.is_none();
        // An old one, to which no route leads, decides nothing.
        if is_new && !autoscaler.reachable && autoscaler.actual.unwrap_or(0) == 0 {
            return;
        }
        let sks = self.cluster.sks.get(revision);
        let is_populated = sks.filter(|it| it.activator_endpoints.status == Status::True);
        let deployment = self.cluster.deployments.values().find(|it| {
            it.id.namespace == revision.namespace && it.revision.as_ref() == Some(&revision.name)
        });
        let context = Context {
            status: Some(status(autoscaler)),
            asked: autoscaler.desired,
            mode: sks.and_then(|it| match it.mode {
                SksMode::Serve => Some(Mode::Serve),
                SksMode::Proxy => Some(Mode::Proxy),
                SksMode::Unknown => None,
            }),
            proxying_since: is_populated.map(|it| wall(it.activator_endpoints.since)),
            replicas: deployment.and_then(|it| it.replicas),
        };
        let is_refused = deployment.is_some_and(is_refused);
        let trouble = self.trouble(revision);
        let is_ours = !is_new || self.run.service().is_none() || self.is_named(revision);
        let anchor = self.run.anchor();
        let Some(shadow) = self.scaling.shadow(anchor, at, (revision, is_ours)) else { return };
        if is_new {
            for life in self.cluster.pods_of(revision) {
                shadow.pod(life.ready_seen.unwrap_or(at), &life.pod.id.name, is_ready(life));
            }
        }
        shadow.configure(at, &config);
        shadow.context(at, context);
        shadow.trouble(trouble);
        shadow.quota_stands(is_refused);
    }

    /// What troubles the pods of a revision that are not ready, the gravest first.
    fn trouble(&self, revision: &Name) -> Option<PodTrouble> {
        if !self.cluster.is_listed(Kind::Pod) {
            return None;
        }
        self.cluster
            .pods_of(revision)
            .filter(|life| life.state() == PodState::Starting)
            .filter_map(|life| match life.pod.waiting.as_str() {
                "Unschedulable" => Some(PodTrouble::Unschedulable),
                "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" => {
                    Some(PodTrouble::ImagePull)
                }
                "CrashLoopBackOff" => Some(PodTrouble::Crash),
                _ => None,
            })
            .min()
    }

    /// A pod of a revision was seen: what troubles them may have changed.
    pub(super) fn pods_troubled(&mut self, uid: &str) {
        let Some(revision) = self.cluster.pods.get(uid).and_then(PodLife::revision) else { return };
        let trouble = self.trouble(&revision);
        if let Some(shadow) = self.scaling.entry(&revision).and_then(|it| it.shadow.as_mut()) {
            shadow.trouble(trouble);
        }
    }

    /// An event of Kubernetes says that a quota stands in the way: there is no pod that could.
    pub(super) fn trouble_told(&mut self, at: At, event: &KubeEvent) {
        let (_, about) = &event.about;
        if event.reason != "FailedCreate" || !event.message.contains(EXCEEDED) {
            return;
        }
        let revisions = self.cluster.autoscalers.keys();
        let Some(revision) = revisions
            .filter(|it| it.namespace == event.id.namespace)
            .find(|it| about.starts_with(&format!("{}-deployment", it.name)))
            .cloned()
        else {
            return;
        };
        if let Some(shadow) = self.scaling.entry(&revision).and_then(|it| it.shadow.as_mut()) {
            shadow.quota(at);
        }
    }
}

/// Whether a quota keeps pods of a deployment from being made.
fn is_refused(deployment: &Deployment) -> bool {
    let failure = &deployment.replica_failure;
    failure.status == Status::True && failure.message.contains(EXCEEDED)
}

fn is_ready(life: &PodLife) -> bool {
    life.state() == PodState::Ready
}

/// The status of a `PodAutoscaler` as the reconciler reads it.
fn status(autoscaler: &PodAutoscaler) -> reconcile::Status {
    let active = &autoscaler.active;
    reconcile::Status {
        active: match active.status {
            Status::True => Active::Active,
            Status::False if active.reason == "TimedOut" => Active::Inactive(Inactive::TimedOut),
            Status::False => Active::Inactive(Inactive::NoTraffic),
            Status::Unknown => Active::Activating,
        },
        since: wall(active.since),
        // It was active once, or it is not new any more.
        initialized: active.status != Status::Unknown || autoscaler.actual.is_some(),
        desired_scale: autoscaler.desired,
        actual_scale: autoscaler.actual.unwrap_or(0),
    }
}

/// A stamp as a moment that counts from 1970.
fn wall(stamp: Option<UnixMicros>) -> At {
    At::from_micros(stamp.and_then(|it| u64::try_from(it.0).ok()).unwrap_or(0))
}
