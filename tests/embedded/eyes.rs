//! Our own hands at an embedded cluster in virtual time, and what they bring.

use std::time::Duration;

use rampscope::bus::Bus;
use rampscope::bus::CAPACITY;
use rampscope::bus::Sender;
use rampscope::bus::bus;
use rampscope::clock::Clock;
use rampscope::collect::Cluster;
use rampscope::collect::CollectSpec;
use rampscope::collect::Collector;
use rampscope::event::Event;
use rampscope::event::cluster::Name;
use rampscope::event::run::Began;
use rampscope::event::run::Executor;
use rampscope::event::run::Mode;
use rampscope::journal::Reader;
use rampscope::journal::frame;
use rampscope::journal::header;
use rampscope::model::Model;
use rampscope::model::cluster::PodCounts;
use rampscope::model::scaling::PanicState;
use rampscope::sim::cluster::SimCluster;
use rampscope::tasks::Supervisor;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;

/// A model that our hands keep up to date, and the record of how it came to be.
pub(crate) struct Eyes {
    pub(crate) model: Model,
    pub(crate) journal: Vec<u8>,
    bus: Bus,
    sender: Sender,
    _supervisor: Supervisor,
    _collector: Collector,
}

impl Eyes {
    /// Begins to look at the service `hello`.
    pub(crate) async fn open(sim: &SimCluster) -> Self {
        Self::open_at(sim, Clock::start()).await
    }

    /// The same by that clock.
    pub(crate) async fn open_at(sim: &SimCluster, clock: Clock) -> Self {
        let (sender, bus) = bus(CAPACITY, clock);
        sender.send(Event::Began(Box::new(began(clock)))).await;
        let mut supervisor = Supervisor::new(sender.clone());
        let door = sim.api_door();
        let service = tower::service_fn(move |request| {
            let door = door.clone();
            async move { door.send::<kube::client::Body>(request).await }
        });
        let cluster = Cluster::from_client(kube::Client::new(service, "default"), "sim");
        let spec = CollectSpec {
            namespace: Some("default".to_owned()),
            service: Some(hello()),
            ..CollectSpec::default()
        };
        let out = (sender.clone(), clock);
        let collector = Collector::start(&mut supervisor, out, &cluster, spec).await;
        Self {
            model: Model::default(),
            journal: header().to_vec(),
            bus,
            sender,
            _supervisor: supervisor,
            _collector: collector,
        }
    }

    /// Looks on for so long.
    pub(crate) async fn look(&mut self, secs: f64) {
        let look = async {
            while let Some(stamped) = self.bus.recv().await {
                self.journal.extend(frame(&stamped).unwrap());
                self.model.apply(&stamped);
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs_f64(secs), look).await;
    }

    /// What the load engine would say.
    pub(crate) async fn tell(&self, event: Event) {
        self.sender.send(event).await;
    }

    pub(crate) fn panic(&self) -> PanicState {
        self.model.scaling.panic_state(&revision(), self.model.now)
    }

    pub(crate) fn counts(&self) -> PodCounts {
        self.model.cluster.counts(&revision()).unwrap()
    }

    /// What a replay of the record makes of it.
    pub(crate) fn replayed(&self) -> Model {
        let mut reader = Reader::open(self.journal.as_slice()).unwrap();
        let mut model = Model::default();
        for stamped in reader.by_ref() {
            model.apply(&stamped);
        }
        assert!(reader.loss().is_none(), "{}", reader.loss());
        model
    }
}

fn began(clock: Clock) -> Began {
    Began {
        name: "demo".to_owned(),
        version: String::new(),
        anchor: clock.anchor(),
        mode: Mode::Demo,
        context: Some("sim".to_owned()),
        namespace: Some("default".to_owned()),
        service: Some("hello".to_owned()),
        stages: Vec::new(),
        executor: Executor::Open,
        max_rate: None,
        max_in_flight: None,
        checks: Vec::new(),
        read_only: false,
    }
}

pub(crate) fn hello() -> Name {
    Name { namespace: "default".to_owned(), name: "hello".to_owned() }
}

pub(crate) fn revision() -> Name {
    Name { namespace: "default".to_owned(), name: "hello-00001".to_owned() }
}

/// One request that takes 100 ms in a pod; says whether it was answered well.
pub(crate) async fn ask(stream: &mut DuplexStream, host: &str) -> bool {
    ask_for(stream, host, 100).await
}

/// The same of one that takes so many milliseconds.
pub(crate) async fn ask_for(stream: &mut DuplexStream, host: &str, millis: u64) -> bool {
    let request = format!("GET /?sleep={millis} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut answer = vec![0; 4096];
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let n = stream.read(&mut answer).await.unwrap_or(0);
    answer[..n].starts_with(b"HTTP/1.1 200")
}
