//! What the autoscaler, the activators, the queue-proxies and the metrics API report.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::units::At;
use crate::units::Bytes;
use crate::units::Millicores;
use crate::units::UnixMicros;

use super::cluster::Name;

/// How a reading was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the component's own metrics.
    #[default]
    Metric,
    /// From a Prometheus server.
    Prometheus,
    /// From the component's log.
    Log,
    /// Computed by us.
    Derived,
}

/// What one autoscaler pod says of one revision. `None`: the series was not there.
///
/// Which series of which Knative version each comes from stands in `collect::knative`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// The revision.
    pub revision: Name,
    /// The autoscaler pod that was read.
    pub pod: String,
    /// Whether that pod owns the revision, by its Lease; `None` where no Lease could be read.
    pub owner: Option<bool>,
    /// When the answer came; from a Prometheus server, when it had scraped the newest sample.
    pub read: At,
    /// How it was had.
    #[serde(default)]
    pub origin: Origin,
    /// How often a Prometheus server scrapes it; `None` where we read it ourselves.
    #[serde(default)]
    pub every: Option<Duration>,
    /// The decider's wish, before `min-scale` and `max-scale`.
    pub desired: Option<f64>,
    /// What was asked of Kubernetes, after them.
    pub requested: Option<f64>,
    /// Ready pods as the autoscaler counts them.
    pub actual: Option<f64>,
    /// Pods that are not ready, terminating ones included.
    pub not_ready: Option<f64>,
    /// Pods in phase Pending.
    pub pending: Option<f64>,
    /// Pods that run and are being deleted.
    pub terminating: Option<f64>,
    /// Whether it panics.
    pub panic: Option<bool>,
    /// Average concurrency over the stable window, of the whole revision.
    pub stable_concurrency: Option<f64>,
    /// Average concurrency over the panic window, of the whole revision.
    pub panic_concurrency: Option<f64>,
    /// Target of concurrency a pod, already multiplied by the utilisation.
    pub target_concurrency: Option<f64>,
    /// Average requests a second over the stable window, of the whole revision.
    pub stable_rps: Option<f64>,
    /// Average requests a second over the panic window, of the whole revision.
    pub panic_rps: Option<f64>,
    /// Target of requests a second a pod, already multiplied by the utilisation.
    pub target_rps: Option<f64>,
    /// Excess burst capacity; below zero the activator should be in the path.
    pub excess_burst_capacity: Option<f64>,
}

/// A line of the autoscaler's log about one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AutoscalerLog {
    /// The revision.
    pub revision: Name,
    /// The autoscaler pod that wrote it.
    pub pod: String,
    /// When it was written, by the autoscaler's clock.
    pub written: UnixMicros,
    /// What it says.
    pub line: LogLine,
}

/// The lines that we understand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLine {
    /// `PANICKING.`
    Panicking,
    /// `Un-panicking.`
    UnPanicking,
    /// `PA scale got=…, want=…, desiredPods=…, ebc=…`
    PaScale {
        /// Pods there are.
        got: i64,
        /// Pods wanted, after bounds; -1 is unknown.
        want: i64,
        /// The decider's wish.
        desired: i64,
        /// Excess burst capacity.
        ebc: i64,
    },
    /// `Scaling from … to …`
    Scaling {
        /// Replicas before.
        from: i64,
        /// Replicas after.
        to: i64,
    },
    /// Following the log of this pod began: lines written before this stamp may have been missed.
    /// It holds for all revisions, so its own is empty.
    FollowBegan,
}

/// What one activator pod says of one revision. `None`: the series was not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Activator {
    /// The revision.
    pub revision: Name,
    /// The activator pod that was read.
    pub pod: String,
    /// When the answer came; from a Prometheus server, when it had scraped the newest sample.
    pub read: At,
    /// How often a Prometheus server scrapes it; `None` where we read it ourselves.
    #[serde(default)]
    pub every: Option<Duration>,
    /// Average requests in the activator over its last second.
    pub concurrency: Option<f64>,
    /// Requests that wait for capacity.
    pub queued: Option<f64>,
    /// Requests being proxied.
    pub active: Option<f64>,
    /// Requests answered since the activator began.
    #[serde(default)]
    pub requests_total: Option<f64>,
}

/// What one queue-proxy says of itself: the autoscaler's own input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueProxy {
    /// Namespace and name of its pod.
    pub pod: Name,
    /// When the answer came.
    pub read: At,
    /// The protobuf Stat of :9090; `None` if it could not be read.
    pub stat: Option<Stat>,
    /// Requests inside the breaker, from :9091; `None` if not exported.
    pub queue_depth: Option<f64>,
    /// Requests counted since the pod began, from :9091; `None` if not exported.
    pub requests_total: Option<f64>,
}

/// The message that a queue-proxy gives the autoscaler, of the last second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stat {
    /// Mean requests in flight, queued and proxied ones included.
    pub average_concurrent_requests: f64,
    /// The part that came through the activator.
    pub average_proxied_concurrent_requests: f64,
    /// Requests that arrived, a second.
    pub request_count: f64,
    /// The part that came through the activator.
    pub proxied_request_count: f64,
    /// Seconds since queue-proxy began.
    pub process_uptime: f64,
}

/// CPU and memory of one pod, over a window that ended at `timestamp`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Namespace and name of the pod.
    pub pod: Name,
    /// When the window ended, by the cluster's clock; the sample's identity. `None`: the pod is not
    /// measured any more.
    pub timestamp: Option<UnixMicros>,
    /// Length of the window in seconds.
    pub window_s: f64,
    /// CPU of all containers together, rounded up once, as `kubectl top` does. `None` in records
    /// that knew the containers only.
    #[serde(default)]
    pub cpu: Option<Millicores>,
    /// Each container's usage.
    pub containers: Vec<ContainerUsage>,
}

/// CPU and memory of one container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerUsage {
    /// Its name.
    pub name: String,
    /// CPU, rounded up to a thousandth of a core as `kubectl top --containers` does.
    pub cpu: Millicores,
    /// Working set.
    pub memory: Bytes,
}
