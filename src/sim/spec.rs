//! What an embedded cluster is asked to be.

use std::time::Duration;

use crate::units::Millicores;

/// metrics-server looks so often by its shipped manifests.
const RESOLUTION: Duration = Duration::from_secs(15);

/// An embedded cluster, described.
#[derive(Debug, Clone)]
pub struct SimSpec {
    /// Seed of everything random in it.
    pub seed: u64,
    /// Its Knative Services at the beginning.
    pub services: Vec<SimService>,
    /// Replicas of the autoscaler; the first holds the lease.
    pub n_autoscalers: u32,
    /// Whether Knative exports metrics (`metrics-protocol: prometheus`); a stock install does not.
    pub metrics: bool,
    /// Whether queue-proxies serve Prometheus text on port 9091.
    pub request_metrics: bool,
    /// How long pods take to start.
    pub cold_start: ColdStart,
    /// How long a terminating pod must be without requests before it stops. Knative's is 30 s.
    pub drain: Duration,
    /// The domain of the services' hosts.
    pub domain: String,
    /// How often its metrics-server looks at the pods (`--metric-resolution`).
    pub metric_resolution: Duration,
    /// Nodes.
    pub n_nodes: u32,
    /// Running pods beside those of the services, in namespace `default`, without load.
    pub extra_pods: u32,
    /// Keys of `config-autoscaler` that are set.
    pub config_autoscaler: Vec<(String, String)>,
}

/// One Knative Service, described.
#[derive(Debug, Clone)]
pub struct SimService {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Annotations of its template, without `autoscaling.knative.dev/`.
    pub annotations: Vec<(String, String)>,
    /// `containerConcurrency`; 0 is unlimited.
    pub container_concurrency: u32,
    /// The CPU limit of its container.
    pub cpu_limit: Millicores,
}

/// How long each step from a pod's creation to Ready takes: between the two, evenly.
#[derive(Debug, Clone)]
pub struct ColdStart {
    /// From creation to a node.
    pub schedule: (Duration, Duration),
    /// From a node to containers that run.
    pub pull: (Duration, Duration),
    /// From containers that run to Ready.
    pub start: (Duration, Duration),
}

// === impl SimSpec ===

impl Default for SimSpec {
    /// The demo's cluster: one service `hello` in `default` that begins at zero, metrics on.
    fn default() -> Self {
        Self {
            seed: 7,
            services: vec![SimService::default()],
            n_autoscalers: 1,
            metrics: true,
            request_metrics: true,
            cold_start: ColdStart::default(),
            drain: Duration::from_secs(30),
            domain: "sim.test".to_owned(),
            metric_resolution: RESOLUTION,
            n_nodes: 3,
            extra_pods: 0,
            config_autoscaler: vec![("allow-zero-initial-scale".to_owned(), "true".to_owned())],
        }
    }
}

impl SimSpec {
    /// The demo's cluster: pods go sooner than Knative lets them, so that a run of a minute and a
    /// half ends at zero.
    pub fn demo() -> Self {
        Self { drain: Duration::from_secs(5), ..Self::default() }
    }
}

impl SimService {
    /// A service of that name in `default`, without annotations.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: "default".to_owned(),
            annotations: Vec::new(),
            container_concurrency: 0,
            cpu_limit: Millicores(1000),
        }
    }

    /// The same with one more annotation.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.annotations.push((key.to_owned(), value.to_owned()));
        self
    }
}

impl Default for SimService {
    fn default() -> Self {
        Self::named("hello")
            .with("target", "10")
            .with("window", "20s")
            .with("max-scale", "12")
            .with("initial-scale", "0")
    }
}

impl Default for ColdStart {
    fn default() -> Self {
        let millis = |from, to| (Duration::from_millis(from), Duration::from_millis(to));
        Self { schedule: millis(10, 60), pull: millis(200, 600), start: millis(800, 1800) }
    }
}
