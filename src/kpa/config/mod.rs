//! What governs one revision's scaling, under Knative's names, and where each value comes from.
//!
//! An annotation of the revision beats the cluster's `config-autoscaler`, which beats Knative's
//! default. An annotation that Knative's webhook would refuse counts as not there.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::kpa::cluster::Cluster;
use crate::kpa::window::Aggregation;

mod resolve;

pub use resolve::Effective;
pub use resolve::Origin;
pub use resolve::Setting;
pub use resolve::Sources;
pub use resolve::Value;

/// The effective parameters of one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// What is measured.
    pub metric: Metric,
    /// Capacity of one pod, in the metric.
    pub total_value: f64,
    /// What a pod is to bear: `total_value` times the utilisation, at least 0.01.
    pub target_value: f64,
    /// `target-utilization-percentage`, as a fraction.
    pub target_utilization: f64,
    /// Pods wanted by each ready pod at which panic begins: 2 for 200 %.
    pub panic_threshold: f64,
    /// The most a tick may grow: times the ready pods.
    pub max_scale_up_rate: f64,
    /// The most a tick may shrink: by this factor.
    pub max_scale_down_rate: f64,
    /// Length of the stable window, and how long panic is held.
    pub stable_window: Duration,
    /// Length of the panic window.
    pub panic_window: Duration,
    /// How a window's seconds become one number.
    pub aggregation: Aggregation,
    /// The burst that is to be met without the activator; -1 is unlimited.
    pub target_burst_capacity: f64,
    /// Requests that one activator takes.
    pub activator_capacity: f64,
    /// The fewest pods while there is load; 0 and 1 mean nothing.
    pub activation_scale: u32,
    /// Pods that a new revision begins with.
    pub initial_scale: u32,
    /// The fewest pods; not for unreachable revisions.
    pub min_scale: u32,
    /// The most pods; `None`: no bound.
    pub max_scale: Option<u32>,
    /// How long a scale must be wished for before pods go.
    pub scale_down_delay: Duration,
    /// Whether the last pod may go.
    pub enable_scale_to_zero: bool,
    /// How long the activator must have been in the path before the last pod goes.
    pub scale_to_zero_grace_period: Duration,
    /// How long the last pod is kept after traffic ended.
    pub scale_to_zero_pod_retention_period: Duration,
    /// How long a revision may take to start.
    pub progress_deadline: Duration,
    /// Whether a route leads to the revision.
    pub reachable: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Requests in flight.
    #[default]
    Concurrency,
    /// Requests a second.
    Rps,
}

/// The burst that pods must be able to take without the activator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Burst {
    /// -1: no capacity is enough, the activator is always in the path.
    Unlimited,
    /// 0: the activator is in the path only at zero.
    None,
    /// So many in the metric.
    Of(f64),
}

// === impl Config ===

impl Default for Config {
    /// A reachable revision without annotations in a cluster without settings.
    fn default() -> Self {
        let cluster = Cluster::default();
        Self {
            metric: Metric::Concurrency,
            total_value: cluster.concurrency_target,
            target_value: cluster.concurrency_target * cluster.concurrency_utilization,
            target_utilization: cluster.concurrency_utilization,
            panic_threshold: cluster.panic_threshold_percentage / 100.0,
            max_scale_up_rate: cluster.max_scale_up_rate,
            max_scale_down_rate: cluster.max_scale_down_rate,
            stable_window: cluster.stable_window,
            panic_window: Duration::from_secs(6),
            aggregation: Aggregation::Linear,
            target_burst_capacity: cluster.target_burst_capacity,
            activator_capacity: cluster.activator_capacity,
            activation_scale: 1,
            initial_scale: cluster.initial_scale,
            min_scale: 0,
            max_scale: None,
            scale_down_delay: Duration::ZERO,
            enable_scale_to_zero: cluster.enable_scale_to_zero,
            scale_to_zero_grace_period: cluster.scale_to_zero_grace_period,
            scale_to_zero_pod_retention_period: Duration::ZERO,
            progress_deadline: Duration::from_secs(600),
            reachable: true,
        }
    }
}

impl Config {
    /// Whether the pods are scraped: not when all requests pass the activator, which reports them.
    pub fn scraped(&self) -> bool {
        self.burst() != Burst::Unlimited
    }

    /// What `target_burst_capacity` says.
    pub fn burst(&self) -> Burst {
        let burst = self.target_burst_capacity;
        if burst < 0.0 {
            Burst::Unlimited
        } else if 0.0 < burst {
            Burst::Of(burst)
        } else {
            Burst::None
        }
    }

    /// `min-scale` where it is in force: unreachable revisions have none.
    pub const fn min_scale_in_force(&self) -> u32 {
        if self.reachable { self.min_scale } else { 0 }
    }
}

impl Metric {
    /// As the annotation spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Rps => "rps",
        }
    }
}

#[cfg(test)]
mod tests;
