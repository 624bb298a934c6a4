//! `config-autoscaler`: what holds for all revisions of a cluster.
//!
//! Knative takes such a `ConfigMap` as a whole or not at all, and so do we.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use crate::units::clean;
use crate::units::parse_go_duration;

use super::window::LONGEST_WINDOW;

/// A target must not be smaller.
pub const LEAST_TARGET: f64 = 0.01;

/// The shortest stable window that Knative admits.
pub const SHORTEST_WINDOW: Duration = Duration::from_secs(6);

/// The keys of `config-autoscaler` with their effective values. Default is Knative's.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// `enable-scale-to-zero`.
    pub enable_scale_to_zero: bool,
    /// `allow-zero-initial-scale`.
    pub allow_zero_initial_scale: bool,
    /// `container-concurrency-target-percentage`, as a fraction.
    pub concurrency_utilization: f64,
    /// `container-concurrency-target-default`.
    pub concurrency_target: f64,
    /// `requests-per-second-target-default`.
    pub rps_target: f64,
    /// `target-burst-capacity`; -1 is unlimited.
    pub target_burst_capacity: f64,
    /// `stable-window`.
    pub stable_window: Duration,
    /// `panic-window-percentage`.
    pub panic_window_percentage: f64,
    /// `panic-threshold-percentage`.
    pub panic_threshold_percentage: f64,
    /// `max-scale-up-rate`.
    pub max_scale_up_rate: f64,
    /// `max-scale-down-rate`.
    pub max_scale_down_rate: f64,
    /// `scale-to-zero-grace-period`.
    pub scale_to_zero_grace_period: Duration,
    /// `scale-to-zero-pod-retention-period`.
    pub scale_to_zero_pod_retention_period: Duration,
    /// `scale-down-delay`.
    pub scale_down_delay: Duration,
    /// `activator-capacity`, in requests of one activator.
    pub activator_capacity: f64,
    /// `initial-scale`.
    pub initial_scale: u32,
    /// `min-scale`.
    pub min_scale: u32,
    /// `max-scale`; 0 is none.
    pub max_scale: u32,
    /// `max-scale-limit`; 0 is none.
    pub max_scale_limit: u32,
}

/// A `ConfigMap` that Knative would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClusterError {
    /// A value does not parse.
    #[error("config-autoscaler: {key} cannot be {value:?}")]
    Syntax {
        /// The key.
        key: &'static str,
        /// What it says.
        value: String,
    },
    /// A value parses and is out of its range.
    #[error("config-autoscaler: {key} is out of its range")]
    Range {
        /// The key.
        key: &'static str,
    },
}

// === impl Cluster ===

impl Default for Cluster {
    fn default() -> Self {
        Self {
            enable_scale_to_zero: true,
            allow_zero_initial_scale: false,
            concurrency_utilization: 0.7,
            concurrency_target: 100.0,
            rps_target: 200.0,
            target_burst_capacity: 211.0,
            stable_window: Duration::from_secs(60),
            panic_window_percentage: 10.0,
            panic_threshold_percentage: 200.0,
            max_scale_up_rate: 1000.0,
            max_scale_down_rate: 2.0,
            scale_to_zero_grace_period: Duration::from_secs(30),
            scale_to_zero_pod_retention_period: Duration::ZERO,
            scale_down_delay: Duration::ZERO,
            activator_capacity: 100.0,
            initial_scale: 1,
            min_scale: 0,
            max_scale: 0,
            max_scale_limit: 0,
        }
    }
}

impl Cluster {
    /// Reads the `data` of `config-autoscaler`; a key that is not there has Knative's default.
    pub fn parse(data: &BTreeMap<String, String>) -> Result<Self, ClusterError> {
        let default = Self::default();
        let percentage = read(data, "container-concurrency-target-percentage", number, 70.0)?;
        let cluster = Self {
            enable_scale_to_zero: read(
                data,
                "enable-scale-to-zero",
                flag,
                default.enable_scale_to_zero,
            )?,
            allow_zero_initial_scale: read(
                data,
                "allow-zero-initial-scale",
                flag,
                default.allow_zero_initial_scale,
            )?,
            // Up to 1 it is a fraction already.
            concurrency_utilization: if 1.0 < percentage { percentage / 100.0 } else { percentage },
            concurrency_target: read(
                data,
                "container-concurrency-target-default",
                number,
                default.concurrency_target,
            )?,
            rps_target: read(
                data,
                "requests-per-second-target-default",
                number,
                default.rps_target,
            )?,
            target_burst_capacity: read(
                data,
                "target-burst-capacity",
                number,
                default.target_burst_capacity,
            )?,
            stable_window: read(data, "stable-window", parse_go_duration, default.stable_window)?,
            panic_window_percentage: read(
                data,
                "panic-window-percentage",
                number,
                default.panic_window_percentage,
            )?,
            panic_threshold_percentage: read(
                data,
                "panic-threshold-percentage",
                number,
                default.panic_threshold_percentage,
            )?,
            max_scale_up_rate: read(data, "max-scale-up-rate", number, default.max_scale_up_rate)?,
            max_scale_down_rate: read(
                data,
                "max-scale-down-rate",
                number,
                default.max_scale_down_rate,
            )?,
            scale_to_zero_grace_period: read(
                data,
                "scale-to-zero-grace-period",
                parse_go_duration,
                default.scale_to_zero_grace_period,
            )?,
            scale_to_zero_pod_retention_period: read(
                data,
                "scale-to-zero-pod-retention-period",
                parse_go_duration,
                default.scale_to_zero_pod_retention_period,
            )?,
            scale_down_delay: read(
                data,
                "scale-down-delay",
                parse_go_duration,
                default.scale_down_delay,
            )?,
            activator_capacity: read(
                data,
                "activator-capacity",
                number,
                default.activator_capacity,
            )?,
            initial_scale: read(data, "initial-scale", scale, default.initial_scale)?,
            min_scale: read(data, "min-scale", scale, default.min_scale)?,
            max_scale: read(data, "max-scale", scale, default.max_scale)?,
            max_scale_limit: read(data, "max-scale-limit", scale, default.max_scale_limit)?,
        };
        match cluster.out_of_range() {
            Some(key) => Err(ClusterError::Range { key }),
            None => Ok(cluster),
        }
    }

    /// Whether a revision may have `max_scale`.
    pub const fn admits_max_scale(&self, max_scale: u32) -> bool {
        self.max_scale_limit == 0 || (max_scale != 0 && max_scale <= self.max_scale_limit)
    }

    fn out_of_range(&self) -> Option<&'static str> {
        [
            ("scale-to-zero-grace-period", !self.scale_to_zero_grace_period.is_zero()),
            ("scale-down-delay", self.scale_down_delay.subsec_nanos() == 0),
            ("target-burst-capacity", is_burst(self.target_burst_capacity)),
            (
                "container-concurrency-target-percentage",
                0.0 < self.concurrency_utilization && self.concurrency_utilization <= 1.0,
            ),
            (
                "container-concurrency-target-default",
                LEAST_TARGET <= self.concurrency_utilization * self.concurrency_target,
            ),
            ("requests-per-second-target-default", LEAST_TARGET <= self.rps_target),
            ("activator-capacity", 1.0 <= self.activator_capacity),
            ("max-scale-up-rate", 1.0 < self.max_scale_up_rate),
            ("max-scale-down-rate", 1.0 < self.max_scale_down_rate),
            ("stable-window", is_window(self.stable_window)),
            ("panic-window-percentage", (1.0..=100.0).contains(&self.panic_window_percentage)),
            ("initial-scale", 0 < self.initial_scale || self.allow_zero_initial_scale),
            ("max-scale", self.admits_max_scale(self.max_scale)),
            ("min-scale", self.min_scale <= self.max_scale || self.max_scale == 0),
        ]
        .into_iter()
        .find_map(|(key, is_good)| (!is_good).then_some(key))
    }
}

/// Whether Knative admits `window` as a stable window: whole seconds, from 6 s to 1 h.
pub fn is_window(window: Duration) -> bool {
    (SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&window) && window.subsec_nanos() == 0
}

/// Whether Knative admits `tbc` as a target burst capacity.
pub fn is_burst(tbc: f64) -> bool {
    0.0 <= tbc || tbc.total_cmp(&-1.0).is_eq()
}

/// A finite number.
pub fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A number of pods, as Kubernetes bounds it.
pub fn scale(text: &str) -> Option<u32> {
    text.parse::<i32>().ok().and_then(|scale| u32::try_from(scale).ok())
}

/// A truth in Go's spellings.
fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn read<T>(
    data: &BTreeMap<String, String>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
    default: T,
) -> Result<T, ClusterError> {
    match data.get(key) {
        None => Ok(default),
        Some(text) => {
            parse(text).ok_or_else(|| ClusterError::Syntax { key, value: clean(text, 40) })
        }
    }
}
