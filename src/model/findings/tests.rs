use super::*;
use crate::event::Event;
use crate::event::Stamped;
use crate::event::cluster::Condition;
use crate::event::cluster::ConfigMap;
use crate::event::cluster::Id;
use crate::event::cluster::Kind;
use crate::event::cluster::Object;
use crate::event::cluster::Phase;
use crate::event::cluster::Pod;
use crate::event::cluster::PodAutoscaler;
use crate::event::cluster::Revision;
use crate::event::cluster::ServerlessService;
use crate::event::cluster::Status;
use crate::event::run::Began;
use crate::event::run::Executor;
use crate::event::run::Mode;
use crate::event::scaler::Autoscaler;
use crate::event::scaler::QueueProxy;
use crate::event::scaler::Stat;
use crate::event::source::Report;
use crate::event::source::State;
use crate::event::traffic::Interval;
use crate::event::traffic::Limit;
use crate::series::LatencyHistogram;
use crate::units::Anchor;
use crate::units::UnixMicros;

const REVISION: &str = "hello-00001";

/// A run of one revision, told second by second.
struct Story {
    model: Model,
    seq: u64,
    annotations: Vec<(&'static str, &'static str)>,
    limit: u32,
}

impl Story {
    fn new(annotations: &[(&'static str, &'static str)]) -> Self {
        Self::with_limit(annotations, 0)
    }

    fn with_limit(annotations: &[(&'static str, &'static str)], limit: u32) -> Self {
        let (model, annotations) = (Model::default(), annotations.to_vec());
        let mut story = Self { model, seq: 0, annotations, limit };
        story.tell(0.0, Event::Began(Box::new(began())));
        let config = ConfigMap { id: id("config-autoscaler"), ..ConfigMap::default() };
        story.see(0.0, Object::ConfigMap(config));
        let revision =
            Revision { id: id(REVISION), service: Some("hello".to_owned()), ..Revision::default() };
        story.see(0.0, Object::Revision(revision));
        story.tell(0.0, Event::Listing(Kind::Pod));
        story.tell(0.0, Event::Listed(Kind::Pod));
        story.desire(0.0, 1);
        story
    }

    fn tell(&mut self, secs: f64, event: Event) {
        let at = At::from(Duration::from_secs_f64(secs));
        self.model.apply(&Stamped { seq: self.seq, at, event });
        self.seq += 1;
    }

    fn see(&mut self, secs: f64, object: Object) {
        self.tell(secs, Event::Seen(Box::new(object)));
    }

    fn desire(&mut self, secs: f64, desired: u32) {
        let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let autoscaler = PodAutoscaler {
            id: id(REVISION),
            desired: Some(desired),
            reachable: true,
            container_concurrency: self.limit,
            annotations: self.annotations.iter().map(text).collect(),
            ..PodAutoscaler::default()
        };
        self.see(secs, Object::PodAutoscaler(autoscaler));
    }

    fn pods(&mut self, secs: f64, n: u32) {
        for idx in 0..n {
            self.pod(secs, idx, true);
        }
    }

    fn pod(&mut self, secs: f64, idx: u32, ready: bool) {
        let pod = Pod {
            id: id(&format!("hello-{idx}")),
            revision: Some(REVISION.to_owned()),
            phase: Phase::Running,
            ready,
            created: Some(ANCHOR.wall(At::from(Duration::from_secs_f64(secs)))),
            ..Pod::default()
        };
        self.see(secs, Object::Pod(pod));
    }

    /// What the autoscaler exports: stable and panic average, and its wish.
    fn reading(&mut self, secs: f64, average: f64, wanted: f64, panic: bool) {
        let reading = Autoscaler {
            revision: name(REVISION),
            read: At::from(Duration::from_secs_f64(secs)),
            desired: Some(wanted),
            actual: Some(1.0),
            panic: Some(panic),
            stable_concurrency: Some(average),
            panic_concurrency: Some(average),
            target_concurrency: Some(7.0),
            ..Autoscaler::default()
        };
        self.tell(secs, Event::Autoscaler(Box::new(reading)));
    }

    /// A pod begins to go.
    fn goes(&mut self, secs: f64, idx: u32) {
        let pod = Pod {
            id: id(&format!("hello-{idx}")),
            revision: Some(REVISION.to_owned()),
            phase: Phase::Running,
            deleted: Some(ANCHOR.wall(At::from(Duration::from_secs_f64(secs)))),
            ..Pod::default()
        };
        self.see(secs, Object::Pod(pod));
    }

    /// A second in which so many of forty requests fail.
    fn fails(&mut self, secs: u64, failed: u64) {
        let (began, lasted) = (At::from_secs(secs), Duration::from_secs(1));
        let (offered, sent, succeeded) = (40, 40, 40 - failed);
        let interval =
            Interval { began, lasted, offered, sent, succeeded, failed, ..Interval::default() };
        self.tell(until_secs(secs) + 1.0, Event::Traffic(Box::new(interval)));
    }

    /// A second of load with so many in flight, each of which takes so long.
    fn load(&mut self, secs: u64, in_flight: u64, millis: u64) {
        let mut felt = LatencyHistogram::default();
        (0..40).for_each(|_| felt.record(Duration::from_millis(millis)));
        let interval = Interval {
            began: At::from_secs(secs),
            lasted: Duration::from_secs(1),
            offered: 40,
            sent: 40,
            succeeded: 40,
            in_flight,
            response_time: Some(felt.encode()),
            ..Interval::default()
        };
        #[expect(clippy::cast_precision_loss, reason = "some seconds")]
        self.tell(secs as f64 + 1.0, Event::Traffic(Box::new(interval)));
    }

    fn stat(&mut self, secs: f64, idx: u32, in_flight: Option<f64>) {
        let stat = in_flight.map(|it| Stat {
            average_concurrent_requests: it,
            process_uptime: secs,
            ..Stat::default()
        });
        let reading = QueueProxy {
            pod: name(&format!("hello-{idx}")),
            read: At::from(Duration::from_secs_f64(secs)),
            stat,
            ..QueueProxy::default()
        };
        self.tell(secs, Event::QueueProxy(reading));
    }

    fn source(&mut self, secs: f64, source: &str, state: State) {
        self.tell(secs, Event::Source(Report { state, ..Report::connecting(source) }));
    }

    /// Lets time pass, as a source says it is well.
    fn pass(&mut self, until: u64) {
        self.source(until_secs(until), "API", State::Ok);
    }

    fn open(&self, key: &str) -> Option<Open> {
        self.model.findings.open().find(|open| open.finding().key() == key)
    }

    #[track_caller]
    fn assert_open(&self, key: &str, since: f64, evidence: &str) {
        let open = self.open(key).unwrap_or_else(|| panic!("{key} is not open"));
        assert_eq!((open.since.as_secs_f64(), open.detail().as_str()), (since, evidence));
        assert!(!open.settings().is_empty());
    }

    #[track_caller]
    fn assert_quiet(&self, key: &str) {
        let open = self.open(key).map(|open| open.detail());
        assert_eq!(open, None, "{key}");
    }
}

const ANCHOR: Anchor = Anchor(UnixMicros(1_700_000_000_000_000));

#[expect(clippy::cast_precision_loss, reason = "some seconds")]
const fn until_secs(secs: u64) -> f64 {
    secs as f64
}

fn id(name: &str) -> Id {
    Id { namespace: "default".to_owned(), name: name.to_owned(), uid: name.to_owned() }
}

fn name(name: &str) -> Name {
    Name { namespace: "default".to_owned(), name: name.to_owned() }
}

fn began() -> Began {
    Began {
        name: "test".to_owned(),
        version: "0".to_owned(),
        anchor: ANCHOR,
        mode: Mode::Run,
        context: None,
        namespace: Some("default".to_owned()),
        service: Some("hello".to_owned()),
        stages: Vec::new(),
        executor: Executor::Open,
        max_rate: None,
        max_in_flight: None,
        checks: vec!["cold_start.p95 < 5s".to_owned(), "errors < 1%".to_owned()],
        read_only: true,
    }
}

#[test]
fn requests_that_fail_as_pods_go_are_seen_as_such() {
    let run = |failing: &[u64], going: &[u64]| {
        let mut story = Story::new(&[TARGET]);
        story.pods(0.0, 6);
        for secs in 1..40 {
            let idx = going.iter().position(|at| *at == secs);
            if let Some(idx) = idx.and_then(|idx| u32::try_from(idx).ok()) {
                story.goes(until_secs(secs), idx);
            }
            story.fails(secs, if failing.contains(&secs) { 3 } else { 0 });
        }
        story
    };
    let evidence = "6 of 6 that failed did so within 3 s of a pod's going, of 2 that went";
    run(&[20, 32], &[20, 30]).assert_open("fails_as_pods_go", 20.0, evidence);
    let key = "fails_as_pods_go";
    run(&[20], &[20, 30]).assert_quiet(key);
    // They fail at any time, or long after, or nothing goes.
    run(&[5, 10, 20, 30], &[20, 30]).assert_quiet(key);
    run(&[25, 35], &[20, 30]).assert_quiet(key);
    run(&[20, 30], &[]).assert_quiet(key);
    // Pods go all the time: then nothing can be said.
    run(&[5, 10, 20], &[2, 5, 9, 14, 18, 22]).assert_quiet(key);
}

/// `TARGET` is what one types: 7 is what a pod is to bear.
const TARGET: (&str, &str) = ("target", "10");

#[test]
fn flapping_is_up_and_down_again_and_again() {
    let mut story = Story::new(&[TARGET]);
    for (secs, desired) in [(10.0, 8), (70.0, 1), (90.0, 8), (150.0, 2), (160.0, 8), (220.0, 1)] {
        story.desire(secs, desired);
    }
    story.assert_quiet("flapping");
    story.desire(240.0, 6);
    let evidence = "3 times down and up again in 300 s, between 1 and 8 pods";
    story.assert_open("flapping", 70.0, evidence);
    // Long after it is over, and stays in the record.
    story.pass(600);
    story.pass(610);
    story.assert_quiet("flapping");
    let past: Vec<_> = story.model.findings.past().map(|it| it.finding().key()).collect();
    assert!(past.contains(&"flapping"), "{past:?}");
}

#[test]
fn pods_that_go_and_are_wanted_again_at_once_went_too_fast() {
    let mut story = Story::new(&[TARGET]);
    for (secs, desired) in [(10.0, 8), (70.0, 2), (85.0, 8), (150.0, 1), (300.0, 8)] {
        story.desire(secs, desired);
    }
    story.assert_quiet("scale_down_fast");
    story.desire(400.0, 3);
    story.desire(420.0, 8);
    story.assert_open(
        "scale_down_fast",
        70.0,
        "2 times, pods were let go and wanted again within 60 s: 11 pods in all",
    );
}

#[test]
fn three_panics_in_ten_minutes_are_often() {
    let mut story = Story::new(&[TARGET]);
    for began in [10.0, 120.0, 250.0] {
        story.assert_quiet("panics_often");
        story.reading(began, 30.0, 5.0, true);
        story.reading(began + 1.0, 30.0, 5.0, true);
        story.reading(began + 3.0, 1.0, 1.0, false);
    }
    story.assert_open("panics_often", 10.0, "panicked 3 times in the last 600 s, for 9 s in all");
}

#[test]
fn max_scale_binds_when_more_is_wanted_for_some_seconds() {
    let mut story = Story::new(&[TARGET, ("max-scale", "10")]);
    for secs in 0..5u32 {
        story.reading(10.0 + f64::from(secs), 200.0, 29.0, true);
    }
    story.assert_quiet("max_scale_binds");
    story.reading(15.0, 200.0, 29.0, true);
    story.assert_open("max_scale_binds", 10.0, "29 pods wanted, 10 allowed");
    let mut enough = Story::new(&[TARGET, ("max-scale", "30")]);
    for secs in 0..20u32 {
        enough.reading(10.0 + f64::from(secs), 200.0, 29.0, true);
    }
    enough.assert_quiet("max_scale_binds");
}

/// A minute of load at 2 and a minute at 7 in flight on one pod, with these latencies.
fn curve(low_ms: u64, near_ms: u64) -> Story {
    let mut story = Story::new(&[TARGET]);
    story.pods(0.5, 1);
    (4..60).for_each(|secs| story.load(secs, 2, low_ms));
    (60..120).for_each(|secs| story.load(secs, 7, near_ms));
    story
}

#[test]
fn a_target_at_which_a_pod_is_slow_is_too_high() {
    curve(100, 150).assert_quiet("target_too_high");
    let open = curve(100, 450).open("target_too_high").unwrap();
    assert!(open.detail().ends_with("a pod is to bear 7.0"), "{}", open.detail());
    assert!(60 <= open.since.as_micros() / 1_000_000, "not before it was seen");
}

#[test]
fn the_activator_stays_where_spare_capacity_is_never_there() {
    let story = |tbc: &'static str| {
        let mut story = Story::new(&[TARGET, ("target-burst-capacity", tbc)]);
        let on = Condition { status: Status::True, ..Condition::default() };
        let (endpoints, activator_endpoints) = (on.clone(), on);
        let sks = ServerlessService {
            id: id(REVISION),
            endpoints,
            activator_endpoints,
            ..ServerlessService::default()
        };
        story.see(0.5, Object::ServerlessService(sks));
        story.pods(0.5, 2);
        (1..119).for_each(|secs| story.load(secs, 6, 100));
        story
    };
    let mut stays = story("100");
    stays.assert_quiet("activator_stays");
    (119..130).for_each(|secs| stays.load(secs, 6, 100));
    let open = stays.open("activator_stays").unwrap();
    assert_eq!(open.detail(), "2 pods bear 20, 6.0 are there: 14 are left, and it leaves at 100");
    // With -1 it is meant to stay.
    let mut meant = story("-1");
    (119..200).for_each(|secs| meant.load(secs, 6, 100));
    meant.assert_quiet("activator_stays");
}

#[test]
fn cold_starts_are_held_against_the_check() {
    let mut story = Story::new(&[TARGET]);
    story.pod(10.0, 0, false);
    story.pod(12.0, 0, true);
    story.pass(13);
    story.assert_quiet("cold_start_slow");
    story.pod(20.0, 1, false);
    story.pod(28.0, 1, true);
    story.assert_open("cold_start_slow", 28.0, "p95 of 2 cold starts is 8.0 s, promised is 5.0 s");
}

#[test]
fn a_queue_proxy_that_says_nothing_is_missed() {
    let mut story = Story::new(&[TARGET]);
    story.source(0.5, "queue-proxies", State::Ok);
    story.pods(1.0, 2);
    for secs in 2..9u32 {
        story.stat(f64::from(secs), 0, Some(1.0));
        story.stat(f64::from(secs), 1, Some(1.0));
    }
    story.assert_quiet("scrapes_missing");
    for secs in 9..18u32 {
        story.stat(f64::from(secs), 0, Some(1.0));
        story.stat(f64::from(secs), 1, None);
    }
    let open = story.open("scrapes_missing").unwrap();
    assert_eq!(open.detail(), "1 of 2 ready pods have said nothing for 5 s");
    // Where we may not read them it is not they who are silent.
    let mut denied = Story::new(&[TARGET]);
    denied.source(0.5, "queue-proxies", State::Denied);
    denied.pods(1.0, 2);
    (10..30).for_each(|secs| denied.pass(secs));
    denied.assert_quiet("scrapes_missing");
}

/// Two pods with three in flight each, of which the autoscaler averages so much.
fn averaged(theirs: f64) -> Story {
    let mut story = Story::new(&[TARGET, ("window", "20s"), ("target-burst-capacity", "0")]);
    story.source(0.5, crate::model::ACTIVATOR_METRICS, State::Ok);
    story.pods(1.0, 2);
    for secs in 2..60u32 {
        let secs = f64::from(secs);
        (0..2).for_each(|idx| story.stat(secs, idx, Some(3.0)));
        let mut reading = Autoscaler {
            revision: name(REVISION),
            read: At::from(Duration::from_secs_f64(secs)),
            desired: Some(1.0),
            actual: Some(2.0),
            panic: Some(false),
            stable_concurrency: Some(6.0),
            panic_concurrency: Some(6.0),
            ..Autoscaler::default()
        };
        if 40.0 <= secs {
            reading.panic_concurrency = Some(theirs);
        }
        story.tell(secs, Event::Autoscaler(Box::new(reading)));
    }
    story
}

#[test]
fn an_autoscaler_that_does_not_hear_its_pods_misses_scrapes() {
    let open = averaged(0.0).open("scrapes_missed").unwrap();
    assert_eq!(open.detail(), "it averages 0.0 where its pods had 6.0 concurrent");
    averaged(5.5).assert_quiet("scrapes_missed");
}

#[test]
fn whether_an_autoscaler_hears_its_pods_cannot_be_told_without_its_word() {
    let verdict = |story: &Story| {
        let revision = name(REVISION);
        let scaling = story.model.scaling.get(&revision);
        let about = About { model: &story.model, revision: Some(&revision), scaling };
        let finding = ALL.iter().find(|it| it.key() == "scrapes_missed").unwrap();
        finding.check(&about)
    };
    let mut silent = averaged(5.5);
    assert_eq!(verdict(&silent), Verdict::Fine);
    (60..90).for_each(|secs| silent.pass(secs));
    assert_eq!(verdict(&silent), Verdict::Unknown);
}

#[test]
fn metrics_that_are_off_are_told_once() {
    let mut story = Story::new(&[TARGET]);
    story.source(1.0, "autoscaler metrics", State::Ok);
    story.assert_quiet("metrics_off");
    story.source(5.0, "autoscaler metrics", State::Absent);
    story.assert_quiet("metrics_off");
    // Where an autoscaler runs and exports nothing.
    let autoscaler = Pod {
        id: id("autoscaler-0"),
        app: Some("autoscaler".to_owned()),
        phase: Phase::Running,
        ..Pod::default()
    };
    story.see(6.0, Object::Pod(autoscaler));
    let open = story.open("metrics_off").unwrap();
    assert_eq!(open.since, At::from_secs(5));
    assert_eq!(story.model.findings.n_open(), 1);
}

#[test]
fn what_waits_in_queue_proxy_is_beyond_the_limit_of_its_pod() {
    let with_limit = |limit| {
        let mut story = Story::with_limit(&[TARGET], limit);
        story.pods(1.0, 2);
        for secs in 2..12u32 {
            story.stat(f64::from(secs), 0, Some(7.5));
            story.stat(f64::from(secs), 1, Some(4.0));
        }
        story
    };
    let story = with_limit(5);
    story.assert_open("requests_queued", 2.0, "2.5 wait in 1 pod, each of which takes 5 at a time");
    with_limit(10).assert_quiet("requests_queued");
    with_limit(0).assert_quiet("requests_queued");
}

#[test]
fn pods_that_nothing_wants_stay_too_long() {
    let mut story = Story::new(&[TARGET]);
    story.pods(0.5, 8);
    (1..20).for_each(|secs| story.load(secs, 50, 100));
    story.assert_quiet("scale_down_slow");
    // A stable window of 60 s is by design, and half a minute more is patience.
    (20..109).for_each(|secs| story.load(secs, 7, 100));
    story.assert_quiet("scale_down_slow");
    (109..115).for_each(|secs| story.load(secs, 7, 100));
    let open = story.open("scale_down_slow").unwrap();
    assert_eq!(open.detail(), "8 pods for 7.0 in flight, which want 1");
    // What min-scale keeps is kept on purpose.
    let mut kept = Story::new(&[TARGET, ("min-scale", "8")]);
    kept.pods(0.5, 8);
    (1..150).for_each(|secs| kept.load(secs, 7, 100));
    kept.assert_quiet("scale_down_slow");
}

#[test]
fn we_ourselves_are_the_bottleneck() {
    let mut story = Story::new(&[TARGET]);
    story.load(1, 5, 100);
    story.assert_quiet("client_limited");
    for (began, limit, short, setting) in [
        (2, Some(Limit::Descriptors), "file descriptors, 1.0 s", "ulimit -n"),
        (3, Some(Limit::Connections), "connections, 2.0 s", "target.max_in_flight"),
        (4, None, "something unknown, 3.0 s", "target.connections"),
    ] {
        let interval = Interval {
            began: At::from_secs(began),
            lasted: Duration::from_secs(1),
            client_limited: Some("the cause in words".to_owned()),
            limit,
            ..Interval::default()
        };
        story.tell(
            f64::from(u32::try_from(began).unwrap()) + 1.0,
            Event::Traffic(Box::new(interval)),
        );
        let detail = format!("short of {short} in all: latencies then are partly our own");
        story.assert_open("client_limited", 2.0, &detail);
        let open = story.model.findings.open().find(|it| it.finding().key() == "client_limited");
        assert!(open.unwrap().settings().contains(&setting), "{limit:?}");
    }
}

#[test]
fn every_finding_has_a_name_of_its_own() {
    let mut keys: Vec<&str> = ALL.iter().map(|finding| finding.key()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), ALL.len());
    for finding in ALL {
        assert!(!finding.summary().is_empty());
        // Evidence of another version never ends the program.
        let _ = finding.detail(&[]);
    }
}
