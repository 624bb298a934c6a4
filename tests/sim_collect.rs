//! Our own hands read the embedded cluster through its API, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use rampscope::bus::Bus;
use rampscope::bus::CAPACITY;
use rampscope::bus::bus;
use rampscope::clock::Clock;
use rampscope::collect::Cluster;
use rampscope::collect::CollectSpec;
use rampscope::collect::Collector;
use rampscope::collect::probe::Verdict;
use rampscope::collect::probe::examine;
use rampscope::event::cluster::Name;
use rampscope::event::scaler::Origin;
use rampscope::event::source::State;
use rampscope::model::Model;
use rampscope::model::scaling::PanicState;
use rampscope::sim::cluster::SimCluster;
use rampscope::sim::door::Door;
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
    supervisor: Supervisor,
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
        Self { bus, model: Model::default(), supervisor, _collector: collector }
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
