//! The hands that read a cluster.
//!
//! Each source is a task of its own, with its own client, whose requests and bytes are counted,
//! and its own account of how it is. None waits for another: what one hand needs of another (the
//! pods there are, who owns a revision, whether the metrics speak) stands in a `watch` channel.

pub mod exposition;
pub mod gateway;
pub mod kinds;
pub mod knative;
pub mod kubeconfig;
pub mod presence;
pub mod probe;
pub mod stat;

mod backoff;
mod components;
mod fetch;
mod health;
mod hpa;
mod lease;
mod log;
mod meter;
mod prometheus;
mod promql;
mod roster;
mod scrape;
mod usage;
mod watch;
#[cfg(test)]
mod world;

use std::time::Duration;

use tokio::sync::watch as shared;

use crate::bus::Sender;
use crate::clock::Clock;
use crate::event::cluster::DEPLOYMENT;
use crate::event::cluster::Kind;
use crate::event::cluster::Name;
use crate::tasks::Supervisor;
use crate::units::At;

use components::Common;
use fetch::Door;
use health::Health;
use kinds::REVISION;
use lease::Owners;
use roster::Roster;
use watch::Place;

pub use kubeconfig::Cluster;
pub use kubeconfig::ClusterError;
pub use kubeconfig::ClusterOptions;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectSpec {
    /// The namespace of the services; `None` is all namespaces.
    pub namespace: Option<String>,
    /// The Knative Service that is looked at; `None` looks at all of the namespace. The others are
    /// watched too, but their queue-proxies are not read. `deployment/NAME` is a plain Deployment.
    pub service: Option<Name>,
    /// Knative's own namespace.
    pub system_namespace: String,
    /// Where the autoscaler's metrics are, if not behind the API server's pod proxy.
    pub autoscaler_url: Option<String>,
    /// Where an activator's metrics are, if not behind the API server's pod proxy.
    pub activator_url: Option<String>,
    /// A Prometheus server in place of the scrapes of autoscaler and activators: an address, or
    /// `NAMESPACE/SERVICE:PORT` behind the API server's service proxy.
    pub prometheus: Option<String>,
    /// How often autoscaler, activators and queue-proxies are read. Their numbers change at most
    /// every two seconds, every second, and every second.
    pub interval: Duration,
}

/// The hands at work; they end with their supervisor.
#[derive(Debug)]
pub struct Collector {
    focus: shared::Sender<Option<Name>>,
}

/// What every source is made from.
struct Workshop<'a> {
    supervisor: &'a mut Supervisor,
    cluster: &'a Cluster,
    sender: Sender,
    clock: Clock,
}

impl Default for CollectSpec {
    fn default() -> Self {
        Self {
            namespace: None,
            service: None,
            system_namespace: "knative-serving".to_owned(),
            autoscaler_url: None,
            activator_url: None,
            prometheus: None,
            interval: Duration::from_secs(1),
        }
    }
}

impl Collector {
    /// Starts every source as a task of the supervisor. Asks the server its version first, and is
    /// content without an answer.
    pub async fn start(
        supervisor: &mut Supervisor,
        (sender, clock): (Sender, Clock),
        cluster: &Cluster,
        spec: CollectSpec,
    ) -> Self {
        let version = cluster.client.apiserver_version();
        let streams_lists = tokio::time::timeout(fetch::DEADLINE, version)
            .await
            .is_ok_and(|version| version.is_ok_and(|found| watch::streams_lists(&found.minor)));
        let (focus, focused) = shared::channel(spec.service.clone());
        let (owners_in, owners) = shared::channel(None);
        let (speaks_in, speaks) = shared::channel(None);
        let roster = Roster::new();
        let workload = Workload::of(cluster, &spec).await;
        let mut workshop = Workshop { supervisor, cluster, sender, clock };
        workshop.watches(&spec, (streams_lists, &workload), &roster);
        workshop.leases(&spec, owners_in);
        let common = Common {
            system: spec.system_namespace.clone(),
            namespace: spec.namespace.clone(),
            url: None,
            roster: roster.clone(),
            sender: workshop.sender.clone(),
            focus: focused,
        };
        // A server stands in for the scrapes, but not for an address that was named beside it.
        let is_scraped = |url: &Option<String>| spec.prometheus.is_none() || url.is_some();
        if let Some(url) = &spec.prometheus {
            let speaks = speaks_in.clone();
            workshop.prometheus(url, &common, owners.clone(), speaks);
        }
        if is_scraped(&spec.autoscaler_url) {
            workshop.autoscaler(&spec, &common, owners, speaks_in);
        }
        if is_scraped(&spec.activator_url) {
            workshop.activators(&spec, &common);
        }
        workshop.queue_proxies(&spec, &common);
        workshop.usage(&spec, &workload);
        workshop.logs(&spec, roster, speaks);
        Self { focus }
    }

    /// Looks at another Service, or at all.
    pub fn open(&self, service: Option<Name>) {
        self.focus.send_replace(service);
    }
}

// === impl Workshop ===

impl Workshop<'_> {
    fn health(&self, source: &str) -> Health {
        Health::new(source, self.sender.clone(), self.clock)
    }

    /// A client whose costs go to this source.
    fn metered(&self, health: &Health) -> kube::Client {
        health.meter().client(&self.cluster.client)
    }

    fn watches(
        &mut self,
        spec: &CollectSpec,
        (streams_lists, workload): (bool, &Workload),
        roster: &Roster,
    ) {
        let system = &spec.system_namespace;
        let here = |labels: &str| Place::labelled(spec.namespace.as_deref(), labels);
        let components = Place::labelled(Some(system), "app in (autoscaler,activator)");
        let kinds = [
            ("watch pods", Kind::Pod, vec![here(&workload.pods), components.clone()]),
            ("watch deployments", Kind::Deployment, vec![workload.deployments(spec), components]),
            ("watch services", Kind::Service, vec![here("")]),
            ("watch revisions", Kind::Revision, vec![here("")]),
            ("watch podautoscalers", Kind::PodAutoscaler, vec![here("")]),
            ("watch serverlessservices", Kind::ServerlessService, vec![here("")]),
            ("watch horizontalpodautoscalers", Kind::HorizontalPodAutoscaler, vec![here("")]),
            ("watch scaledobjects", Kind::ScaledObject, vec![here("")]),
            ("watch events", Kind::Event, vec![here("")]),
            (
                "watch configmaps",
                Kind::ConfigMap,
                vec![
                    Place::named(system, "config-autoscaler"),
                    Place::named(system, "config-observability"),
                ],
            ),
        ];
        for (source, kind, places) in kinds {
            let health = self.health(source);
            let watch = watch::Watch {
                kind,
                places,
                streams_lists,
                client: self.metered(&health),
                sender: self.sender.clone(),
                health,
                roster: roster.clone(),
                deployment: workload.deployment.clone(),
            };
            self.supervisor.spawn(source, |stop| watch.run(stop));
        }
    }

    fn leases(&mut self, spec: &CollectSpec, owners: shared::Sender<Option<Owners>>) {
        let mut health = self.health("autoscaler leases");
        health.describe("API server", Some(lease::EVERY));
        let client = self.metered(&health);
        let leases =
            lease::Leases { client, system: spec.system_namespace.clone(), owners, health };
        self.supervisor.spawn("autoscaler leases", |stop| leases.run(stop));
    }

    /// The door to a component, and the common part with its address if it has one.
    fn door(
        &self,
        health: &mut Health,
        (common, interval): (&Common, Duration),
        url: Option<&String>,
    ) -> (Door, Common) {
        let mut common = common.clone();
        if let Some(url) = url {
            common.url = Some(metrics_url(url));
            health.describe(url.clone(), Some(interval));
            return (straight(health.meter()), common);
        }
        health.describe("API server pod proxy", Some(interval));
        (Door::ApiServer(self.metered(health)), common)
    }

    fn autoscaler(
        &mut self,
        spec: &CollectSpec,
        common: &Common,
        owners: shared::Receiver<Option<Owners>>,
        speaks: shared::Sender<Option<bool>>,
    ) {
        let mut health = self.health("autoscaler metrics");
        let (door, common) =
            self.door(&mut health, (common, spec.interval), spec.autoscaler_url.as_ref());
        let meaning = components::AutoscalerMetrics { common, owners, speaks, silent_since: None };
        let (interval, clock) = (spec.interval, self.clock);
        self.supervisor.spawn("autoscaler metrics", |stop| {
            scrape::run(meaning, (door, interval), health, clock, stop)
        });
    }

    fn prometheus(
        &mut self,
        url: &str,
        common: &Common,
        owners: shared::Receiver<Option<Owners>>,
        speaks: shared::Sender<Option<bool>>,
    ) {
        let mut health = self.health(prometheus::SOURCE);
        let (base, via) = prometheus::place(url);
        health.describe(via, Some(prometheus::EVERY.1));
        let door = if prometheus::is_in_cluster(url) {
            Door::ApiServer(self.metered(&health))
        } else {
            straight(health.meter())
        };
        let (common, clock) = (common.clone(), self.clock);
        let hand = prometheus::Prometheus { common, door, base, owners, speaks, health, clock };
        self.supervisor.spawn(prometheus::SOURCE, |stop| hand.run(stop));
    }

    fn activators(&mut self, spec: &CollectSpec, common: &Common) {
        let mut health = self.health("activator metrics");
        let (door, common) =
            self.door(&mut health, (common, spec.interval), spec.activator_url.as_ref());
        let meaning = components::ActivatorMetrics(common);
        let (interval, clock) = (spec.interval, self.clock);
        self.supervisor.spawn("activator metrics", |stop| {
            scrape::run(meaning, (door, interval), health, clock, stop)
        });
    }

    fn queue_proxies(&mut self, spec: &CollectSpec, common: &Common) {
        let mut health = self.health("queue-proxies");
        let (door, common) = self.door(&mut health, (common, spec.interval), None);
        let (interval, clock) = (spec.interval, self.clock);
        let meaning = components::QueueProxies { common, clock, text_after: At::ZERO, next_pod: 0 };
        self.supervisor.spawn("queue-proxies", |stop| {
            scrape::run(meaning, (door, interval), health, clock, stop)
        });
    }

    fn usage(&mut self, spec: &CollectSpec, workload: &Workload) {
        let mut health = self.health("metrics.k8s.io");
        health.describe("API server", Some(usage::EVERY));
        let client = self.metered(&health);
        let (namespace, sender) = (spec.namespace.clone(), self.sender.clone());
        let labels = workload.pods.clone();
        let list = usage::UsageList { client, namespace, labels, sender, health };
        self.supervisor.spawn("metrics.k8s.io", |stop| list.run(stop));
    }

    fn logs(&mut self, spec: &CollectSpec, roster: Roster, speaks: shared::Receiver<Option<bool>>) {
        let health = self.health("autoscaler log");
        let log = log::AutoscalerLogs {
            client: self.metered(&health),
            system: spec.system_namespace.clone(),
            namespace: spec.namespace.clone(),
            roster,
            speaks,
            sender: self.sender.clone(),
            clock: self.clock,
            health,
        };
        self.supervisor.spawn("autoscaler log", |stop| log.run(stop));
    }
}

/// What is scaled: Knative's revisions, or one plain Deployment.
struct Workload {
    /// The plain Deployment's name.
    deployment: Option<String>,
    /// The labels of its pods.
    pods: String,
}

impl Workload {
    /// A plain Deployment is asked for the labels by which it knows its pods.
    async fn of(cluster: &Cluster, spec: &CollectSpec) -> Self {
        let named = spec
            .service
            .as_ref()
            .and_then(|service| Some((&service.namespace, service.name.strip_prefix(DEPLOYMENT)?)));
        let Some((namespace, name)) = named else {
            return Self { deployment: None, pods: REVISION.to_owned() };
        };
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
        let door = Door::ApiServer(cluster.client.clone());
        let deployment = probe::json_at(&door, &path).await.unwrap_or_default();
        let labels = deployment.pointer("/spec/selector/matchLabels");
        let labels = labels.and_then(serde_json::Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
        let pods = labels.collect::<Vec<_>>().join(",");
        // One that is not there has no pods; without labels they would be all there are.
        let pods = if pods.is_empty() { format!("app={name}") } else { pods };
        Self { deployment: Some(name.to_owned()), pods }
    }

    fn deployments(&self, spec: &CollectSpec) -> Place {
        match (&self.deployment, &spec.namespace) {
            (Some(name), Some(namespace)) => Place::named(namespace, name),
            _ => Place::labelled(spec.namespace.as_deref(), REVISION),
        }
    }
}

/// The door to addresses of their own.
fn straight(meter: &meter::Meter) -> Door {
    let client = reqwest::Client::builder()
        .connect_timeout(fetch::DEADLINE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap_or_default();
    Door::Direct(client, meter.clone())
}

/// The page of the metrics at an address that may name only the host.
fn metrics_url(url: &str) -> String {
    let behind_scheme = url.find("://").map_or(0, |idx| idx + 3);
    if url[behind_scheme..].trim_end_matches('/').contains('/') {
        return url.to_owned();
    }
    format!("{}/metrics", url.trim_end_matches('/'))
}
