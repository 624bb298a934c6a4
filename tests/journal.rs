//! A journal keeps every event as it was, and survives the death of its writer.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use proptest::prelude::*;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;

use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster;
use rampscope::event::hpa;
use rampscope::event::run;
use rampscope::event::scaler;
use rampscope::event::source;
use rampscope::event::traffic;
use rampscope::journal::FullDisk;
use rampscope::journal::Loss;
use rampscope::journal::Reader;
use rampscope::journal::Recorder;
use rampscope::journal::frame;
use rampscope::journal::header;
use rampscope::model::Model;
use rampscope::units::Anchor;
use rampscope::units::At;
use rampscope::units::Bytes;
use rampscope::units::Millicores;
use rampscope::units::UnixMicros;

/// How many kinds of event [`Gen::event`] makes.
const N_KINDS: u32 = 32;

fn read(path: &Path) -> (Vec<Stamped>, Loss) {
    let mut reader = Reader::open(File::open(path).unwrap()).unwrap();
    let events = reader.by_ref().collect();
    (events, reader.loss())
}

proptest! {
    #[test]
    fn every_event_survives_the_round_trip(seed in any::<u64>()) {
        let mut random = Gen(StdRng::seed_from_u64(seed));
        let mut bytes = header().to_vec();
        let mut events = Vec::new();
        let mut at = At::ZERO;
        for seq in 0..u64::from(N_KINDS) {
            at = at + Duration::from_micros(random.0.random_range(0..1 << 40));
            let kind = u32::try_from(seq).unwrap();
            let stamped = Stamped { seq, at, event: random.event(kind) };
            bytes.extend(frame(&stamped).unwrap());
            events.push(stamped);
        }
        let mut reader = Reader::open(bytes.as_slice()).unwrap();
        prop_assert_eq!(reader.by_ref().collect::<Vec<_>>(), events);
        prop_assert!(reader.loss().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn replaying_gives_the_same_model_as_living(seed in any::<u64>()) {
        let mut random = Gen(StdRng::seed_from_u64(seed));
        let mut lived = Model::default();
        let mut bytes = header().to_vec();
        let mut at = At::ZERO;
        for seq in 0..150 {
            at = at + Duration::from_micros(random.0.random_range(0..20_000_000));
            let kind = random.0.random_range(0..N_KINDS);
            let stamped = Stamped { seq, at, event: random.event(kind) };
            bytes.extend(frame(&stamped).unwrap());
            lived.apply(&stamped);
        }
        let mut replayed = Model::default();
        for stamped in Reader::open(bytes.as_slice()).unwrap() {
            replayed.apply(&stamped);
        }
        prop_assert_eq!(replayed, lived);
    }
}

/// A new kind of event does not compile here until [`Gen::event`] makes it too.
const fn place(event: &Event) -> usize {
    match event {
        Event::Began(_) => 0,
        Event::Stage(_) => 1,
        Event::Control(_) => 2,
        Event::Note(_) => 3,
        Event::Traffic(_) => 4,
        Event::Listing(_) => 5,
        Event::Listed(_) => 6,
        Event::Seen(_) => 7,
        Event::Gone(_) => 8,
        Event::Autoscaler(_) => 9,
        Event::AutoscalerLog(_) => 10,
        Event::Activator(_) => 11,
        Event::QueueProxy(_) => 12,
        Event::Usage(_) => 13,
        Event::Source(_) => 14,
        Event::Action(_) => 15,
        Event::Found(_) => 16,
        Event::Lost { .. } => 17,
        Event::Ended(_) => 18,
    }
}

#[test]
fn no_kind_of_event_is_left_out() {
    let mut random = Gen(StdRng::seed_from_u64(0));
    let mut is_made = [false; 19];
    for kind in 0..N_KINDS {
        is_made[place(&random.event(kind))] = true;
    }
    assert_eq!(is_made, [true; 19]);
}

/// Not a test by itself: what `a_killed_writer_leaves_a_good_record` kills.
#[test]
fn victim() {
    let Some(path) = env::var_os("RAMPSCOPE_TEST_VICTIM") else { return };
    let mut recorder = Recorder::start(Path::new(&path), FullDisk::GoOn).unwrap();
    let mut random = Gen(StdRng::seed_from_u64(1));
    for seq in 0..60_000 {
        let kind = random.0.random_range(0..N_KINDS);
        let event = random.event(kind);
        recorder.record(&Stamped { seq, at: At::from_millis(seq), event });
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_writer_leaves_a_good_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env("RAMPSCOPE_TEST_VICTIM", &path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // It never ends by itself before a minute, and nobody tells it to end well.
    while !path.exists() || std::fs::metadata(&path).unwrap().len() < 50_000 {
        assert!(victim.try_wait().unwrap().is_none(), "the victim ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    let (events, loss) = read(&path);
    assert!(20 < events.len(), "{} events, {loss}", events.len());
    assert!(loss.bytes < 300_000 && loss.n_unknown == 0, "{loss}");
    assert!(events.iter().zip(0..).all(|(stamped, seq)| stamped.seq == seq), "none is missing");
}

/// Makes events of every kind with every field, at random.
struct Gen(StdRng);

impl Gen {
    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.0.random_bool(0.7).then(|| make(self))
    }

    fn some<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.0.random_range(0..4)).map(|_| make(self)).collect()
    }

    fn text(&mut self) -> String {
        let n = self.0.random_range(0..12);
        (0..n).map(|_| self.0.random::<char>()).collect()
    }

    fn bool(&mut self) -> bool {
        self.0.random()
    }

    fn u32(&mut self) -> u32 {
        self.0.random()
    }

    /// Small and large ones.
    fn u64(&mut self) -> u64 {
        let shift = self.0.random_range(0..64);
        self.0.random::<u64>() >> shift
    }

    /// Any number that is one, also very small, very large and odd in its last digit.
    fn f64(&mut self) -> f64 {
        loop {
            let number = f64::from_bits(self.0.random());
            if number.is_finite() {
                return number;
            }
        }
    }

    fn f64_or_none(&mut self) -> Option<f64> {
        self.maybe(Self::f64)
    }

    fn at(&mut self) -> At {
        At::from_micros(self.u64())
    }

    fn unix(&mut self) -> UnixMicros {
        UnixMicros(self.0.random())
    }

    fn unix_or_none(&mut self) -> Option<UnixMicros> {
        self.maybe(Self::unix)
    }

    fn span(&mut self) -> Duration {
        Duration::from_nanos(self.u64())
    }

    fn name(&mut self) -> cluster::Name {
        cluster::Name { namespace: self.text(), name: self.text() }
    }

    fn id(&mut self) -> cluster::Id {
        cluster::Id { namespace: self.text(), name: self.text(), uid: self.text() }
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.random_range(0..of.len())]
    }

    fn words(&mut self) -> BTreeMap<String, String> {
        self.some(|random| (random.text(), random.text())).into_iter().collect()
    }

    fn condition(&mut self) -> cluster::Condition {
        use cluster::Status;
        cluster::Condition {
            status: self.pick(&[Status::True, Status::False, Status::Unknown]),
            reason: self.text(),
            message: self.text(),
            since: self.unix_or_none(),
        }
    }

    fn kind(&mut self) -> cluster::Kind {
        use cluster::Kind;
        self.pick(&[
            Kind::Pod,
            Kind::Event,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::Service,
            Kind::Revision,
            Kind::PodAutoscaler,
            Kind::ServerlessService,
            Kind::HorizontalPodAutoscaler,
            Kind::ScaledObject,
        ])
    }

    fn histogram(&mut self) -> traffic::Histogram {
        let n = self.0.random_range(0..300);
        traffic::Histogram((0..n).map(|_| self.0.random()).collect())
    }

    fn event(&mut self, kind: u32) -> Event {
        match kind {
            0 => Event::Began(Box::new(self.began())),
            1 => Event::Stage(run::Stage { index: self.u32(), name: self.text(), at: self.at() }),
            2 => Event::Control(run::Control {
                by: self.pick(&[run::By::You, run::By::Safety, run::By::Plan]),
                what: self.text(),
                from: self.f64(),
                to: self.f64(),
                reason: self.maybe(Self::text),
                at: self.at(),
            }),
            3 => Event::Note(run::Note { about: self.at(), text: self.text() }),
            4 => Event::Traffic(Box::new(self.interval())),
            5 => Event::Listing(self.kind()),
            6 => Event::Listed(self.kind()),
            7 => Event::Gone(cluster::Gone { kind: self.kind(), id: self.id() }),
            8..=15 => Event::Seen(Box::new(self.object(kind - 8))),
            16 => Event::Autoscaler(Box::new(self.autoscaler())),
            17..=21 => Event::AutoscalerLog(scaler::AutoscalerLog {
                revision: self.name(),
                pod: self.text(),
                written: self.unix(),
                line: self.line(kind - 17),
            }),
            22 => Event::Activator(scaler::Activator {
                revision: self.name(),
                pod: self.text(),
                read: self.at(),
                every: self.maybe(Self::span),
                concurrency: self.f64_or_none(),
                queued: self.f64_or_none(),
                active: self.f64_or_none(),
                requests_total: self.f64_or_none(),
            }),
            23 => Event::QueueProxy(scaler::QueueProxy {
                pod: self.name(),
                read: self.at(),
                stat: self.maybe(|random| scaler::Stat {
                    average_concurrent_requests: random.f64(),
                    average_proxied_concurrent_requests: random.f64(),
                    request_count: random.f64(),
                    proxied_request_count: random.f64(),
                    process_uptime: random.f64(),
                }),
                queue_depth: self.f64_or_none(),
                requests_total: self.f64_or_none(),
            }),
            24 => Event::Usage(scaler::Usage {
                pod: self.name(),
                timestamp: self.unix_or_none(),
                window_s: self.f64(),
                cpu: self.maybe(|random| Millicores(random.u64())),
                containers: self.some(|random| scaler::ContainerUsage {
                    name: random.text(),
                    cpu: Millicores(random.u64()),
                    memory: Bytes(random.u64()),
                }),
            }),
            25 => Event::Source(self.report()),
            26 => Event::Action(run::Action { what: self.text(), error: self.maybe(Self::text) }),
            27 => Event::Ended(self.ended()),
            28 => Event::Found(run::Found {
                url: self.text(),
                host: self.maybe(Self::text),
                via: self.text(),
            }),
            29 | 30 => Event::Seen(Box::new(self.object(kind - 21))),
            _ => Event::Lost { n: self.u64() },
        }
    }

    fn began(&mut self) -> run::Began {
        use run::Executor;
        use run::Mode;
        run::Began {
            name: self.text(),
            version: self.text(),
            anchor: Anchor(self.unix()),
            mode: self.pick(&[Mode::Demo, Mode::Run, Mode::Watch, Mode::Load]),
            context: self.maybe(Self::text),
            namespace: self.maybe(Self::text),
            service: self.maybe(Self::text),
            stages: self.some(|random| run::PlannedStage {
                name: random.text(),
                lasts: random.span(),
                from: random.f64(),
                to: random.f64(),
                samples: random.some(Self::f64),
            }),
            executor: self.pick(&[Executor::None, Executor::Open, Executor::Closed]),
            max_rate: self.f64_or_none(),
            max_in_flight: self.maybe(Self::u64),
            checks: self.some(Self::text),
            read_only: self.bool(),
        }
    }

    fn ended(&mut self) -> run::Ended {
        use run::Outcome;
        run::Ended {
            outcome: self.pick(&[Outcome::Completed, Outcome::Stopped, Outcome::Lost]),
            reason: self.maybe(Self::text),
            client: self.maybe(|random| run::Client {
                cpu_s: random.f64(),
                rss_max_bytes: random.u64(),
                terminal_bytes: random.u64(),
                frames: random.u64(),
                threads: random.some(|random| (random.text(), random.f64())).into_iter().collect(),
            }),
        }
    }

    fn interval(&mut self) -> traffic::Interval {
        traffic::Interval {
            began: self.at(),
            lasted: self.span(),
            target: self.f64(),
            paused: self.bool(),
            profile_at: self.maybe(Self::span),
            profile_waits: self.bool(),
            offered: self.u64(),
            sent: self.u64(),
            succeeded: self.u64(),
            failed: self.u64(),
            dropped: self.u64(),
            in_flight: self.u64(),
            in_flight_max: self.u64(),
            status: self.some(|random| (random.0.random(), random.u64())).into_iter().collect(),
            errors: self.some(|random| (random.text(), random.u64())).into_iter().collect(),
            bytes_sent: self.u64(),
            bytes_received: self.u64(),
            connections_opened: self.u64(),
            response_time: self.maybe(Self::histogram),
            service_time: self.maybe(Self::histogram),
            failure_time: self.maybe(Self::histogram),
            send_lag: self.maybe(Self::histogram),
            client_limited: self.maybe(Self::text),
            grpc_status: self.some(|random| (random.text(), random.u64())).into_iter().collect(),
            messages_received: self.u64(),
            phases: self.maybe(|random| traffic::Phases {
                dns: random.maybe(Self::histogram),
                connect: random.maybe(Self::histogram),
                tls: random.maybe(Self::histogram),
                send: random.maybe(Self::histogram),
                wait: random.maybe(Self::histogram),
                receive: random.maybe(Self::histogram),
            }),
            splits: self.some(|random| (random.text(), random.splits())).into_iter().collect(),
            limit: self.maybe(|random| {
                use traffic::Limit;
                random.pick(&[Limit::Descriptors, Limit::Ports, Limit::CpuQuota, Limit::Unknown])
            }),
            client: self.maybe(|random| Box::new(random.client_health())),
        }
    }

    fn client_health(&mut self) -> traffic::ClientHealth {
        traffic::ClientHealth {
            load_cpu_s: self.f64_or_none(),
            process_cpu_s: self.f64_or_none(),
            busiest: self.f64_or_none(),
            run_queue: self.f64_or_none(),
            cores: self.maybe(Self::u32),
            quota: self.f64_or_none(),
            throttled: self.f64_or_none(),
            timer_slip: self.maybe(Self::histogram),
            descriptors: self.maybe(Self::u64),
            descriptors_max: self.maybe(Self::u64),
            ports: self.maybe(Self::u64),
            ports_max: self.maybe(Self::u64),
        }
    }

    fn splits(&mut self) -> BTreeMap<String, traffic::Split> {
        let split = |random: &mut Self| traffic::Split {
            succeeded: random.u64(),
            failed: random.u64(),
            service_time: random.maybe(Self::histogram),
            failure_time: random.maybe(Self::histogram),
        };
        self.some(|random| (random.text(), split(random))).into_iter().collect()
    }

    fn object(&mut self, kind: u32) -> cluster::Object {
        match kind {
            0 => cluster::Object::Pod(self.pod()),
            1 => cluster::Object::Event(cluster::KubeEvent {
                id: self.id(),
                about: (self.text(), self.text()),
                level: self.text(),
                reason: self.text(),
                message: self.text(),
                count: self.u32(),
                last: self.unix_or_none(),
            }),
            2 => {
                cluster::Object::ConfigMap(cluster::ConfigMap { id: self.id(), data: self.words() })
            }
            3 => cluster::Object::Deployment(cluster::Deployment {
                id: self.id(),
                revision: self.maybe(Self::text),
                replicas: self.maybe(Self::u32),
                ready_replicas: self.u32(),
                version: self.maybe(Self::text),
                replica_failure: self.condition(),
            }),
            4 => cluster::Object::Service(cluster::Service {
                id: self.id(),
                url: self.text(),
                ready: self.condition(),
                latest_created: self.text(),
                latest_ready: self.text(),
                traffic: self.some(|random| cluster::Traffic {
                    revision: random.text(),
                    percent: random.maybe(Self::u32),
                    tag: random.text(),
                    is_latest: random.maybe(|random| random.u32() % 2 == 0),
                }),
            }),
            5 => cluster::Object::Revision(cluster::Revision {
                id: self.id(),
                service: self.maybe(Self::text),
                created: self.unix_or_none(),
                ready: self.condition(),
                active: self.condition(),
                container_concurrency: self.maybe(Self::u32),
                annotations: self.words(),
            }),
            6 => cluster::Object::PodAutoscaler(cluster::PodAutoscaler {
                id: self.id(),
                class: self.text(),
                metric: self.text(),
                desired: self.maybe(Self::u32),
                actual: self.maybe(Self::u32),
                container_concurrency: self.u32(),
                reachable: self.bool(),
                active: self.condition(),
                ready: self.condition(),
                annotations: self.words(),
            }),
            8 => cluster::Object::HorizontalPodAutoscaler(self.horizontal()),
            9 => cluster::Object::ScaledObject(self.scaled_object()),
            _ => cluster::Object::ServerlessService(cluster::ServerlessService {
                id: self.id(),
                mode: self.pick(&[
                    cluster::SksMode::Serve,
                    cluster::SksMode::Proxy,
                    cluster::SksMode::Unknown,
                ]),
                n_activators: self.u32(),
                activator_endpoints: self.condition(),
                endpoints: self.condition(),
            }),
        }
    }

    fn amount(&mut self) -> Option<hpa::Amount> {
        self.maybe(|random| hpa::Amount(random.text()))
    }

    fn horizontal(&mut self) -> hpa::HorizontalPodAutoscaler {
        let rules = |random: &mut Self| hpa::Rules {
            window_s: random.maybe(Self::u32),
            select: random.text(),
            policies: random.some(|random| (random.text(), random.u32(), random.u32())),
            tolerance: random.amount(),
        };
        hpa::HorizontalPodAutoscaler {
            id: self.id(),
            created: self.unix_or_none(),
            target: (self.text(), self.text()),
            scaled_object: self.maybe(Self::text),
            min_replicas: self.maybe(Self::u32),
            max_replicas: self.maybe(Self::u32),
            metrics: self.some(|random| hpa::Metric {
                kind: random.pick(&[hpa::MetricKind::Resource, hpa::MetricKind::External]),
                name: random.text(),
                target_utilization: random.maybe(Self::u32),
                target_average: random.amount(),
                target_value: random.amount(),
                current_utilization: random.maybe(Self::u32),
                current_average: random.amount(),
                current_value: random.amount(),
            }),
            behavior: self.maybe(|random| hpa::Behavior {
                scale_up: random.maybe(rules),
                scale_down: random.maybe(rules),
            }),
            current_replicas: self.maybe(Self::u32),
            desired_replicas: self.maybe(Self::u32),
            last_scale: self.unix_or_none(),
            able_to_scale: self.condition(),
            scaling_active: self.condition(),
            scaling_limited: self.condition(),
        }
    }

    fn scaled_object(&mut self) -> hpa::ScaledObject {
        hpa::ScaledObject {
            id: self.id(),
            created: self.unix_or_none(),
            target: (self.text(), self.text()),
            polling_interval_s: self.maybe(Self::u32),
            cooldown_period_s: self.maybe(Self::u32),
            initial_cooldown_period_s: self.maybe(Self::u32),
            idle_replica_count: self.maybe(Self::u32),
            min_replica_count: self.maybe(Self::u32),
            max_replica_count: self.maybe(Self::u32),
            fallback: self.maybe(|random| hpa::Fallback {
                failure_threshold: random.u32(),
                replicas: random.u32(),
                behavior: random.text(),
            }),
            triggers: self.some(|random| hpa::Trigger {
                kind: random.text(),
                metric_type: random.text(),
                query: random.text(),
                server: random.text(),
                threshold: random.text(),
                activation: random.text(),
            }),
            pauses: self.some(|random| (random.text(), random.text())),
            hpa_name: self.text(),
            last_active: self.unix_or_none(),
            ready: self.condition(),
            active: self.condition(),
            falls_back: self.condition(),
            paused: self.condition(),
            health: self.some(|random| (random.text(), random.u32(), random.bool())),
        }
    }

    fn pod(&mut self) -> cluster::Pod {
        use cluster::Phase;
        cluster::Pod {
            id: self.id(),
            revision: self.maybe(Self::text),
            service: self.maybe(Self::text),
            app: self.maybe(Self::text),
            phase: self.pick(&[
                Phase::Pending,
                Phase::Running,
                Phase::Succeeded,
                Phase::Failed,
                Phase::Unknown,
            ]),
            ready: self.bool(),
            deleted: self.unix_or_none(),
            created: self.unix_or_none(),
            scheduled: self.unix_or_none(),
            user_started: self.unix_or_none(),
            queue_proxy_started: self.unix_or_none(),
            became_ready: self.unix_or_none(),
            node: self.text(),
            ip: self.text(),
            waiting: self.text(),
            restarts: self.u32(),
            cpu_limit: self.maybe(|random| Millicores(random.u64())),
            memory_limit: self.maybe(|random| Bytes(random.u64())),
        }
    }

    fn autoscaler(&mut self) -> scaler::Autoscaler {
        scaler::Autoscaler {
            revision: self.name(),
            pod: self.text(),
            owner: self.maybe(Self::bool),
            read: self.at(),
            origin: self.pick(&[scaler::Origin::Metric, scaler::Origin::Prometheus]),
            every: self.maybe(Self::span),
            desired: self.f64_or_none(),
            requested: self.f64_or_none(),
            actual: self.f64_or_none(),
            not_ready: self.f64_or_none(),
            pending: self.f64_or_none(),
            terminating: self.f64_or_none(),
            panic: self.maybe(Self::bool),
            stable_concurrency: self.f64_or_none(),
            panic_concurrency: self.f64_or_none(),
            target_concurrency: self.f64_or_none(),
            stable_rps: self.f64_or_none(),
            panic_rps: self.f64_or_none(),
            target_rps: self.f64_or_none(),
            excess_burst_capacity: self.f64_or_none(),
        }
    }

    fn line(&mut self, kind: u32) -> scaler::LogLine {
        use scaler::LogLine;
        match kind {
            0 => LogLine::Panicking,
            1 => LogLine::UnPanicking,
            2 => LogLine::PaScale {
                got: self.0.random(),
                want: self.0.random(),
                desired: self.0.random(),
                ebc: self.0.random(),
            },
            3 => LogLine::Scaling { from: self.0.random(), to: self.0.random() },
            _ => LogLine::FollowBegan,
        }
    }

    fn report(&mut self) -> source::Report {
        use source::State;
        source::Report {
            source: self.text(),
            state: self.pick(&[
                State::Connecting,
                State::Ok,
                State::Failing,
                State::Denied,
                State::Absent,
            ]),
            reason: self.text(),
            remedy: self.text(),
            via: self.text(),
            interval: self.maybe(Self::span),
            latency: self.maybe(Self::span),
            samples: self.u64(),
            errors: self.u64(),
            requests: self.u64(),
            bytes: self.u64(),
            not_understood: self.u64(),
        }
    }
}
