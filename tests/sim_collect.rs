//! Our own hands read the embedded cluster through its API, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use rampscope::bus::Bus;
use rampscope::bus::CAPACITY;
use rampscope::bus::bus;
use rampscope::clock::Clock;
use rampscope::collect::Cluster;
use rampscope::collect::ClusterOptions;
use rampscope::collect::CollectSpec;
use rampscope::collect::Collector;
use rampscope::collect::gateway::find_target;
use rampscope::collect::probe::Verdict;
use rampscope::collect::probe::examine;
use rampscope::event::cluster::Name;
use rampscope::event::scaler::Origin;
use rampscope::event::source::State;
use rampscope::model::Model;
use rampscope::model::hpa::Class;
use rampscope::model::scaling::PanicState;
use rampscope::model::sources::Health;
use rampscope::sim::cluster::SimCluster;
use rampscope::sim::door::Door;
use rampscope::sim::fault::ProxyFault;
use rampscope::sim::listen::Ports;
use rampscope::sim::listen::listen;
use rampscope::sim::spec::SimService;
use rampscope::sim::spec::SimSpec;
use rampscope::sim::task;
use rampscope::tasks::Supervisor;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::task::LocalSet;

/// A model that our hands keep up to date.
struct Eyes {
    bus: Bus,
    model: Model,
    _supervisor: Supervisor,
    _collector: Collector,
}

impl Eyes {
    async fn open(sim: &SimCluster) -> Self {
        let clock = Clock::start();
        let (sender, bus) = bus(CAPACITY, clock);
        let mut supervisor = Supervisor::new(sender.clone());
        let cluster = Cluster::from_client(client(&sim.api_door()), "sim");
        let spec = CollectSpec { namespace: Some("default".to_owned()), ..CollectSpec::default() };
        let collector = Collector::start(&mut supervisor, (sender, clock), &cluster, spec).await;
        Self { bus, model: Model::default(), _supervisor: supervisor, _collector: collector }
    }

    /// Looks on for so long.
    async fn look(&mut self, secs: u64) {
        let look = async {
            while let Some(stamped) = self.bus.recv().await {
                self.model.apply(&stamped);
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(secs), look).await;
    }

    /// The sources that are not well, and how they are.
    fn unwell(&self) -> Vec<(&str, State)> {
        let now = self.model.now;
        let all = self.model.sources.iter().filter(|source| source.health(now) != Health::Ok);
        all.map(|source| (source.report.source.as_str(), source.report.state)).collect()
    }

    fn state(&self, source: &str) -> State {
        self.model.sources.get(source).unwrap().report.state
    }

    fn panic(&self) -> PanicState {
        self.model.scaling.panic_state(&revision(), self.model.now)
    }

    fn n_ready(&self) -> u32 {
        self.model.cluster.counts(&revision()).unwrap_or_default().ready
    }
}

fn client(door: &Door) -> kube::Client {
    let door = door.clone();
    let service = tower::service_fn(move |request| {
        let door = door.clone();
        async move { door.send::<kube::client::Body>(request).await }
    });
    kube::Client::new(service, "default")
}

fn revision() -> Name {
    Name { namespace: "default".to_owned(), name: "hello-00001".to_owned() }
}

fn warm() -> SimSpec {
    let hello = SimService::named("hello")
        .with("target", "10")
        .with("window", "20s")
        .with("max-scale", "12");
    SimSpec { services: vec![hello], ..SimSpec::default() }
}

/// Asks again and again, one request after another.
async fn user(mut stream: tokio::io::DuplexStream, host: String) {
    let request = format!("GET /?sleep=100 HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut answer = vec![0; 4096];
    loop {
        stream.write_all(request.as_bytes()).await.unwrap();
        let n = stream.read(&mut answer).await.unwrap();
        assert!(answer[..n].starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test(start_paused = true)]
async fn our_hands_see_a_panic_begin_and_end_and_the_pods_go() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(warm());
            tokio::time::sleep(Duration::from_secs(5)).await;
            let mut eyes = Eyes::open(&sim).await;
            eyes.look(5).await;
            assert_eq!(eyes.n_ready(), 1);
            assert_eq!(eyes.panic(), PanicState::Stable { origin: Origin::Metric });
            assert!(eyes.model.cluster.config.contains_key("config-autoscaler"));

            let host = sim.host("default", "hello");
            let users: Vec<_> =
                (0..60).map(|_| task::spawn(user(sim.connect_gateway(), host.clone()))).collect();
            eyes.look(14).await;
            assert!(matches!(eyes.panic(), PanicState::Panic { .. }), "{:?}", eyes.panic());
            assert_eq!(eyes.n_ready(), 9);
            eyes.look(12).await;
            drop(users);
            eyes.look(100).await;
            assert_eq!(eyes.panic(), PanicState::Stable { origin: Origin::Metric });
            let scaling = eyes.model.scaling.get(&revision()).unwrap();
            let [panic] = scaling.panics.iter().collect::<Vec<_>>()[..] else {
                panic!("{:?}", scaling.panics)
            };
            let span = panic.ended.unwrap().since(panic.began).as_secs();
            assert!((20..=30).contains(&span), "{span} s");
            assert_eq!(eyes.n_ready(), 0);
            assert_eq!(eyes.model.cluster.cold_starts.len(), 8, "nine less the first");
        })
        .await;
}

/// As a stock install is since Knative 1.19.
#[tokio::test(start_paused = true)]
async fn without_metrics_a_panic_is_seen_in_the_log() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(SimSpec { metrics: false, ..warm() });
            tokio::time::sleep(Duration::from_secs(5)).await;
            let mut eyes = Eyes::open(&sim).await;
            eyes.look(10).await;
            let host = sim.host("default", "hello");
            let users: Vec<_> =
                (0..60).map(|_| task::spawn(user(sim.connect_gateway(), host.clone()))).collect();
            eyes.look(20).await;
            let panic = eyes.panic();
            assert!(
                matches!(panic, PanicState::Panic { origin: Origin::Log, .. }),
                "{panic:?} {:?}",
                eyes.unwell()
            );
            drop(users);
            eyes.look(60).await;
            assert_eq!(eyes.panic(), PanicState::Stable { origin: Origin::Log });
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn every_source_is_well_and_stays_so() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(warm());
            tokio::time::sleep(Duration::from_secs(5)).await;
            let mut eyes = Eyes::open(&sim).await;
            let user = task::spawn(user(sim.connect_gateway(), sim.host("default", "hello")));
            eyes.look(40).await;
            assert_eq!(eyes.unwell(), []);
            assert_eq!(eyes.model.sources.iter().count(), 16);
            // Watches end and begin again meanwhile.
            eyes.look(300).await;
            assert_eq!(eyes.unwell(), []);
            for source in eyes.model.sources.iter() {
                assert_eq!(
                    (source.report.errors, source.report.not_understood),
                    (0, 0),
                    "{source:?}"
                );
            }
            drop(user);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn our_hands_survive_what_a_cluster_can_do_to_them() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(warm());
            let faults = sim.faults();
            tokio::time::sleep(Duration::from_secs(5)).await;
            let mut eyes = Eyes::open(&sim).await;
            let user = task::spawn(user(sim.connect_gateway(), sim.host("default", "hello")));
            eyes.look(40).await;
            assert_eq!(eyes.unwell(), []);

            for fault in [ProxyFault::Hang, ProxyFault::Garbage, ProxyFault::Huge] {
                faults.proxy(9090, Some(fault));
                eyes.look(20).await;
                let report = &eyes.model.sources.get("autoscaler metrics").unwrap().report;
                assert_eq!(report.state, State::Failing, "{fault:?}");
                assert_eq!(eyes.state("watch pods"), State::Ok, "{fault:?}");
                faults.mend();
                eyes.look(20).await;
                assert_eq!(eyes.unwell(), [], "after {fault:?}");
            }

            faults.end_watches_with_410();
            eyes.look(20).await;
            assert_eq!(eyes.unwell(), []);
            assert_eq!(eyes.n_ready(), 1);

            faults.vanish_metric(Some("kn_revision_panic_mode"));
            eyes.look(20).await;
            let origin = match eyes.panic() {
                PanicState::Stable { origin } => Some(origin),
                _ => None,
            };
            assert_ne!(origin, Some(Origin::Metric), "the metric is gone");

            faults.mend();
            faults.api_gone(true);
            eyes.look(30).await;
            assert_eq!(eyes.state("watch pods"), State::Failing);
            assert_eq!(eyes.state("metrics.k8s.io"), State::Failing);
            faults.mend();
            eyes.look(90).await;
            assert_eq!(eyes.unwell(), []);
            assert_eq!(eyes.n_ready(), 1);
            drop(user);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_forbidden_is_reported_with_a_remedy() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(SimSpec { metrics: false, ..warm() });
            let faults = sim.faults();
            faults.forbid("podautoscalers.autoscaling.internal.knative.dev");
            faults.forbid("pods/log");
            faults.slow_list(Duration::from_secs(1));
            let mut eyes = Eyes::open(&sim).await;
            eyes.look(10).await;
            assert_eq!(eyes.state("watch podautoscalers"), State::Denied);
            assert_eq!(eyes.state("autoscaler log"), State::Denied);
            assert_eq!(eyes.state("watch pods"), State::Ok);

            let cluster = Cluster::from_client(client(&sim.api_door()), "sim");
            let findings =
                examine(&cluster, Some("default"), "knative-serving", Clock::start()).await;
            let poor = findings.iter().filter(|one| one.verdict != Verdict::Good);
            let poor: Vec<_> = poor.map(|one| one.name.as_str()).collect();
            for what in ["podautoscalers", "pods/log"] {
                assert!(poor.iter().any(|one| one.contains(what)), "{what}: {poor:?}");
            }
        })
        .await;
}

/// The same users on a service that Kubernetes' own autoscaler scales.
#[tokio::test(start_paused = true)]
async fn our_hands_see_a_horizontal_autoscaler_at_work() {
    LocalSet::new()
        .run_until(async {
            let hello = SimService::named("hello")
                .with("class", "hpa.autoscaling.knative.dev")
                .with("metric", "concurrency")
                .with("target", "10")
                .with("max-scale", "5");
            let sim = SimCluster::mount(SimSpec { services: vec![hello], ..SimSpec::default() });
            tokio::time::sleep(Duration::from_secs(5)).await;
            let mut eyes = Eyes::open(&sim).await;
            eyes.look(20).await;
            assert_eq!(eyes.unwell(), []);
            assert_eq!(eyes.model.cluster.class_of(&revision()), Some(Class::Hpa));
            assert_eq!(eyes.n_ready(), 1);
            let host = sim.host("default", "hello");
            let users: Vec<_> =
                (0..60).map(|_| task::spawn(user(sim.connect_gateway(), host.clone()))).collect();
            eyes.look(60).await;
            // 60 on one pod with a target of 10 ask for 6; the bound is 5, the first step 4.
            let seen = eyes.model.cluster.hpa_of(&revision()).unwrap().clone();
            assert_eq!(seen.scaling_limited.reason, "TooManyReplicas", "{seen:?}");
            assert_eq!((seen.current_replicas, eyes.n_ready()), (Some(5), 5));
            let scaling = eyes.model.hpas.get(&revision()).unwrap();
            // A few requests of the sixty may be on their way between two pods.
            assert!(matches!(scaling.wanted(), Some(6 | 7)), "{scaling:?}");
            drop(users);
            eyes.look(60).await;
            let seen = eyes.model.cluster.hpa_of(&revision()).unwrap();
            assert_eq!(seen.able_to_scale.reason, "ScaleDownStabilized");
            let held = eyes.model.hpas.get(&revision()).unwrap().held_until(seen).unwrap();
            let left = held.since(eyes.model.now).as_secs();
            assert!((220..=300).contains(&left), "{left} s");
            eyes.look(left + 45).await;
            assert_eq!(eyes.n_ready(), 1);
            let scaling = eyes.model.scaling.get(&revision()).unwrap();
            assert!(scaling.panics.is_empty());
        })
        .await;
}

/// On sockets and by the kubeconfig, as `doctor` sees it.
#[tokio::test]
async fn a_listening_cluster_is_healthy_and_its_gateway_is_found() {
    let running = listen(warm(), Ports::default()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), running.kubeconfig()).unwrap();
    let kubeconfig = Some(file.path().to_owned());
    let options = ClusterOptions { kubeconfig, ..Default::default() };
    let cluster = Cluster::connect(&options).await.unwrap();
    assert_eq!((cluster.context.as_str(), cluster.namespace.as_str()), ("sim", "default"));
    let findings = examine(&cluster, Some("default"), "knative-serving", Clock::start()).await;
    for finding in &findings {
        assert_eq!(finding.verdict, Verdict::Good, "{finding:?}");
    }
    let target = find_target(&cluster, ("default", "hello"), None).await.unwrap();
    assert_eq!(target.url, running.gateway_url);
    assert_eq!(target.host.as_deref(), Some(running.host.as_str()));
}
