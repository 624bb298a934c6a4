//! Which value is in force: the annotation's, the cluster's or Knative's own.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::kpa::cluster::Cluster;
use crate::kpa::cluster::ClusterError;
use crate::kpa::cluster::LEAST_TARGET;
use crate::kpa::cluster::is_burst;
use crate::kpa::cluster::is_window;
use crate::kpa::cluster::number;
use crate::kpa::cluster::scale;
use crate::kpa::window::Aggregation;
use crate::kpa::window::LONGEST_WINDOW;
use crate::units::parse_go_duration;

use super::Config;
use super::Metric;

/// Knative's own utilisation for requests a second; no key sets it.
const RPS_UTILIZATION: f64 = 0.7;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The revision's annotation.
    Annotation,
    /// The revision's `containerConcurrency`.
    Spec,
    /// The cluster's `config-autoscaler`.
    ConfigMap,
    /// Knative's default.
    Default,
}

/// One parameter as it is in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// The annotation's name, or the key's where there is no annotation.
    pub name: &'static str,
    /// What it is.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// The annotation, field or key that says so, as it is spelled there: `maxScale` is the older
    /// spelling of `max-scale`. Of a default, the key that would set it.
    pub key: &'static str,
}

/// A parameter's value, with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A number in the metric, or a factor.
    Number(f64),
    /// Percent.
    Percent(f64),
    /// Pods.
    Pods(u32),
    /// A time.
    Span(Duration),
    /// Yes or no.
    Flag(bool),
    /// A name.
    Name(&'static str),
}

/// What a revision's parameters are made of.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The `PodAutoscaler`'s annotations, without the prefix `autoscaling.knative.dev/`.
    pub annotations: &'a BTreeMap<String, String>,
    /// `spec.containerConcurrency`; 0 is unlimited.
    pub container_concurrency: u32,
    /// The data of `config-autoscaler`.
    pub config_autoscaler: &'a BTreeMap<String, String>,
    /// Whether a route leads to the revision.
    pub reachable: bool,
}

/// Parameters in force, with their origins.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The parameters.
    pub config: Config,
    /// One row for each, in the order in which they matter.
    pub settings: Vec<Setting>,
    /// Why `config-autoscaler` was not taken; the defaults stand in for it.
    pub refused: Option<ClusterError>,
}

// === impl Effective ===

impl Effective {
    /// Resolves annotations over the cluster's keys over Knative's defaults.
    pub fn new(sources: Sources<'_>) -> Self {
        let (cluster, refused) = match Cluster::parse(sources.config_autoscaler) {
            Ok(cluster) => (cluster, None),
            Err(error) => (Cluster::default(), Some(error)),
        };
        let mut resolver =
            Resolver { sources, keys_count: refused.is_none(), settings: Vec::new() };
        let config = resolver.config(&cluster);
        Self { config, settings: resolver.settings, refused }
    }
}

struct Resolver<'a> {
    sources: Sources<'a>,
    /// Whether the keys of the `ConfigMap` are in force.
    keys_count: bool,
    settings: Vec<Setting>,
}

impl Resolver<'_> {
    fn config(&mut self, cluster: &Cluster) -> Config {
        let metric = self.metric();
        let total_value = self.total_value(metric, cluster);
        let target_utilization = self.target_utilization(metric, cluster);
        let stable_window = self.pick(
            ("window", "window"),
            |text| parse_go_duration(text).filter(|window| is_window(*window)),
            (cluster.stable_window, "stable-window"),
            Value::Span,
        );
        let panic_window = self.panic_window(stable_window, cluster);
        let panic_threshold = self.pick(
            ("panic-threshold-percentage", "panicThresholdPercentage"),
            |text| number(text).filter(|percent| (110.0..=1000.0).contains(percent)),
            (cluster.panic_threshold_percentage, "panic-threshold-percentage"),
            Value::Percent,
        ) / 100.0;
        let target_burst_capacity = self.pick(
            ("target-burst-capacity", "targetBurstCapacity"),
            |text| number(text).filter(|tbc| is_burst(*tbc)),
            (cluster.target_burst_capacity, "target-burst-capacity"),
            Value::Number,
        );
        let (min_scale, max_scale) = self.bounds(cluster);
        let initial_scale = self.pick(
            ("initial-scale", "initialScale"),
            |text| scale(text).filter(|scale| 0 < *scale || cluster.allow_zero_initial_scale),
            (cluster.initial_scale, "initial-scale"),
            Value::Pods,
        );
        let activation_scale = self.annotation_only(
            "activation-scale",
            |text| scale(text).filter(|scale| 2 <= *scale),
            1,
            Value::Pods,
        );
        let aggregation = self.aggregation();
        let (scale_down_delay, scale_to_zero_pod_retention_period) = self.delays(cluster);
        self.key("max-scale-up-rate", Value::Number(cluster.max_scale_up_rate));
        self.key("max-scale-down-rate", Value::Number(cluster.max_scale_down_rate));
        self.key("enable-scale-to-zero", Value::Flag(cluster.enable_scale_to_zero));
        self.key("scale-to-zero-grace-period", Value::Span(cluster.scale_to_zero_grace_period));
        self.key("activator-capacity", Value::Number(cluster.activator_capacity));
        Config {
            metric,
            total_value,
            target_value: (total_value * target_utilization).max(LEAST_TARGET),
            target_utilization,
            panic_threshold,
            max_scale_up_rate: cluster.max_scale_up_rate,
            max_scale_down_rate: cluster.max_scale_down_rate,
            stable_window,
            panic_window,
            aggregation,
            target_burst_capacity,
            activator_capacity: cluster.activator_capacity,
            activation_scale,
            initial_scale,
            min_scale,
            max_scale: (max_scale != 0).then_some(max_scale),
            scale_down_delay,
            enable_scale_to_zero: cluster.enable_scale_to_zero,
            scale_to_zero_grace_period: cluster.scale_to_zero_grace_period,
            scale_to_zero_pod_retention_period,
            progress_deadline: Config::default().progress_deadline,
            reachable: self.sources.reachable,
        }
    }

    fn metric(&mut self) -> Metric {
        self.annotation_only(
            "metric",
            |text| match text {
                "concurrency" => Some(Metric::Concurrency),
                "rps" => Some(Metric::Rps),
                _ => None,
            },
            Metric::Concurrency,
            |metric| Value::Name(metric.name()),
        )
    }

    fn total_value(&mut self, metric: Metric, cluster: &Cluster) -> f64 {
        let annotation = self
            .annotation("target", "target")
            .and_then(|(text, _)| number(text).filter(|target| LEAST_TARGET <= *target));
        let limit = Some(self.sources.container_concurrency)
            .filter(|limit| metric == Metric::Concurrency && *limit != 0)
            .map(f64::from);
        let (total, origin) = match (annotation, limit) {
            (Some(target), Some(limit)) if limit < target => (limit, Origin::Spec),
            (Some(target), _) => (target, Origin::Annotation),
            (None, Some(limit)) => (limit, Origin::Spec),
            (None, None) => match metric {
                Metric::Concurrency => (
                    cluster.concurrency_target,
                    self.origin_of("container-concurrency-target-default"),
                ),
                Metric::Rps => {
                    (cluster.rps_target, self.origin_of("requests-per-second-target-default"))
                }
            },
        };
        let key = match (origin, metric) {
            (Origin::Annotation, _) => "target",
            (Origin::Spec, _) => "containerConcurrency",
            (_, Metric::Concurrency) => "container-concurrency-target-default",
            (_, Metric::Rps) => "requests-per-second-target-default",
        };
        self.settings.push(Setting { name: "target", value: Value::Number(total), origin, key });
        total
    }

    fn target_utilization(&mut self, metric: Metric, cluster: &Cluster) -> f64 {
        let name = ("target-utilization-percentage", "targetUtilizationPercentage");
        let of_cluster = "container-concurrency-target-percentage";
        let annotation = self.annotation(name.0, name.1).and_then(|(text, key)| {
            let percent = number(text).filter(|percent| (1.0..=100.0).contains(percent))?;
            Some((percent, key))
        });
        let (fraction, origin, key) = match (annotation, metric) {
            (Some((percent, key)), _) => (percent / 100.0, Origin::Annotation, key),
            (None, Metric::Concurrency) => {
                (cluster.concurrency_utilization, self.origin_of(of_cluster), of_cluster)
            }
            (None, Metric::Rps) => (RPS_UTILIZATION, Origin::Default, name.0),
        };
        let value = Value::Percent(fraction * 100.0);
        self.settings.push(Setting { name: name.0, value, origin, key });
        fraction
    }

    /// The percentage of the stable window, rounded to seconds, at least one.
    fn panic_window(&mut self, stable_window: Duration, cluster: &Cluster) -> Duration {
        let percentage = self.pick(
            ("panic-window-percentage", "panicWindowPercentage"),
            |text| number(text).filter(|percent| (1.0..=100.0).contains(percent)),
            (cluster.panic_window_percentage, "panic-window-percentage"),
            Value::Percent,
        );
        let secs = (stable_window.as_secs_f64() * percentage / 100.0).round();
        Duration::from_secs_f64(secs.max(1.0))
    }

    fn bounds(&mut self, cluster: &Cluster) -> (u32, u32) {
        let min_scale = self.pick(
            ("min-scale", "minScale"),
            scale,
            (cluster.min_scale, "min-scale"),
            Value::Pods,
        );
        let max_scale = self.pick(
            ("max-scale", "maxScale"),
            |text| scale(text).filter(|scale| cluster.admits_max_scale(*scale)),
            (cluster.max_scale, "max-scale"),
            Value::Pods,
        );
        (min_scale, max_scale)
    }

    fn aggregation(&mut self) -> Aggregation {
        let (name, alternate) = ("metric-aggregation-algorithm", "metricAggregationAlgorithm");
        let annotation = self.annotation(name, alternate);
        let (aggregation, value, origin) = match annotation {
            Some(("weighted-exponential" | "weightedExponential", _)) => {
                (Aggregation::WeightedExponential, "weighted-exponential", Origin::Annotation)
            }
            Some(("linear", _)) => (Aggregation::Linear, "linear", Origin::Annotation),
            _ => (Aggregation::Linear, "linear", Origin::Default),
        };
        let key = annotation.map_or(name, |(_, key)| key);
        self.settings.push(Setting { name, value: Value::Name(value), origin, key });
        aggregation
    }

    fn delays(&mut self, cluster: &Cluster) -> (Duration, Duration) {
        let scale_down_delay = self.pick(
            ("scale-down-delay", "scaleDownDelay"),
            |text| {
                parse_go_duration(text)
                    .filter(|delay| *delay <= LONGEST_WINDOW && delay.subsec_nanos() == 0)
            },
            (cluster.scale_down_delay, "scale-down-delay"),
            Value::Span,
        );
        let retention = self.pick(
            ("scale-to-zero-pod-retention-period", "scaleToZeroPodRetentionPeriod"),
            |text| parse_go_duration(text).filter(|retention| *retention <= LONGEST_WINDOW),
            (cluster.scale_to_zero_pod_retention_period, "scale-to-zero-pod-retention-period"),
            Value::Span,
        );
        (scale_down_delay, retention)
    }

    fn pick<T: Copy>(
        &mut self,
        (name, alternate): (&'static str, &'static str),
        parse: impl FnOnce(&str) -> Option<T>,
        (fallback, key): (T, &'static str),
        value: impl FnOnce(T) -> Value,
    ) -> T {
        let annotation = self
            .annotation(name, alternate)
            .and_then(|(text, spelled)| parse(text).map(|picked| (picked, spelled)));
        let (picked, origin, key) = match annotation {
            Some((picked, spelled)) => (picked, Origin::Annotation, spelled),
            None => (fallback, self.origin_of(key), key),
        };
        self.settings.push(Setting { name, value: value(picked), origin, key });
        picked
    }

    fn annotation_only<T: Copy>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        default: T,
        value: impl FnOnce(T) -> Value,
    ) -> T {
        let annotation = self.annotation(name, name).and_then(|(text, _)| parse(text));
        let origin = if annotation.is_some() { Origin::Annotation } else { Origin::Default };
        let picked = annotation.unwrap_or(default);
        self.settings.push(Setting { name, value: value(picked), origin, key: name });
        picked
    }

    fn key(&mut self, name: &'static str, value: Value) {
        let origin = self.origin_of(name);
        self.settings.push(Setting { name, value, origin, key: name });
    }

    /// The annotation in the first spelling, else in the second, with the spelling that was found.
    fn annotation(
        &self,
        name: &'static str,
        alternate: &'static str,
    ) -> Option<(&str, &'static str)> {
        let found =
            |key: &'static str| self.sources.annotations.get(key).map(|text| (text.as_str(), key));
        found(name).or_else(|| found(alternate))
    }

    fn origin_of(&self, key: &str) -> Origin {
        if self.keys_count && self.sources.config_autoscaler.contains_key(key) {
            Origin::ConfigMap
        } else {
            Origin::Default
        }
    }
}

// === impl Setting ===

impl Setting {
    /// Where it comes from, in words: `annotation maxScale, the older spelling`.
    pub fn origin_words(&self) -> String {
        match self.origin {
            Origin::Annotation if self.key != self.name => {
                format!("annotation {}, the older spelling", self.key)
            }
            Origin::Annotation => "annotation".to_owned(),
            Origin::Spec => self.key.to_owned(),
            Origin::ConfigMap if self.key != self.name => format!("config-autoscaler {}", self.key),
            Origin::ConfigMap => "config-autoscaler".to_owned(),
            Origin::Default => "default".to_owned(),
        }
    }
}

// === impl Value ===

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            // Seven tenths times a hundred is not quite seventy.
            Self::Percent(percent) => write!(f, "{} %", (percent * 1e6).round() / 1e6),
            Self::Pods(pods) => write!(f, "{pods}"),
            Self::Span(span) => write!(f, "{} s", span.as_secs_f64()),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
