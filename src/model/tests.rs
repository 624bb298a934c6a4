use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::event::cluster::Gone;
use crate::event::cluster::Id;
use crate::event::cluster::Phase;
use crate::event::cluster::Pod;
use crate::event::cluster::Revision;
use crate::event::run::Began;
use crate::event::run::Executor;
use crate::event::run::Mode;
use crate::event::run::Note;
use crate::event::scaler::Autoscaler;
use crate::event::scaler::AutoscalerLog;
use crate::event::scaler::ContainerUsage;
use crate::event::scaler::LogLine;
use crate::event::scaler::Origin;
use crate::event::scaler::QueueProxy;
use crate::event::scaler::Stat;
use crate::event::scaler::Usage;
use crate::model::scaling::Ignorance;
use crate::model::scaling::PanicState;
use crate::units::Anchor;
use crate::units::Millicores;
use crate::units::UnixMicros;

const ANCHOR: Anchor = Anchor(UnixMicros(1_700_000_000_000_000));

/// Feeds events to a model at given seconds.
struct Feed {
    model: Model,
    seq: u64,
}

impl Feed {
    fn new() -> Self {
        let mut feed = Self { model: Model::default(), seq: 0 };
        feed.at(0.0, Event::Began(Box::new(began())));
        feed
    }

    fn at(&mut self, secs: f64, event: Event) {
        let at = At::from(Duration::from_secs_f64(secs));
        self.model.apply(&Stamped { seq: self.seq, at, event });
        self.seq += 1;
    }

    fn pod(&mut self, secs: f64, pod: Pod) {
        self.at(secs, Event::Seen(Box::new(Object::Pod(pod))));
    }

    fn reading(&mut self, secs: f64, panic: Option<bool>) {
        let read = At::from(Duration::from_secs_f64(secs));
        let reading = Autoscaler {
            revision: revision(),
            pod: "autoscaler-0".to_owned(),
            owner: Some(true),
            read,
            panic,
            desired: Some(3.0),
            actual: Some(1.0),
            target_concurrency: Some(7.0),
            panic_concurrency: Some(20.0),
            stable_concurrency: Some(5.0),
            ..Autoscaler::default()
        };
        self.at(secs, Event::Autoscaler(Box::new(reading)));
    }

    fn log(&mut self, secs: f64, line: LogLine) {
        let written = ANCHOR.wall(At::from(Duration::from_secs_f64(secs)));
        let pod = "autoscaler-0".to_owned();
        let line = AutoscalerLog { revision: revision(), pod, written, line };
        self.at(secs, Event::AutoscalerLog(line));
    }

    fn counts(&self) -> Option<(u32, u32, u32)> {
        let counts = self.model.cluster.counts(&revision())?;
        Some((counts.ready, counts.starting, counts.terminating))
    }

    fn panic(&self, secs: f64) -> PanicState {
        let now = At::from(Duration::from_secs_f64(secs));
        self.model.scaling.panic_state(&revision(), now)
    }
}

fn began() -> Began {
    Began {
        name: "test".to_owned(),
        version: "0".to_owned(),
        anchor: ANCHOR,
        mode: Mode::Watch,
        context: None,
        namespace: Some("default".to_owned()),
        service: Some("hello".to_owned()),
        stages: Vec::new(),
        executor: Executor::None,
        max_rate: None,
        max_in_flight: None,
        checks: Vec::new(),
        read_only: true,
    }
}

fn revision() -> Name {
    name_of("default", "hello-00001")
}

fn pod(uid: &str, created_secs: i64, ready: bool) -> Pod {
    Pod {
        id: Id {
            namespace: "default".to_owned(),
            name: format!("hello-{uid}"),
            uid: uid.to_owned(),
        },
        revision: Some("hello-00001".to_owned()),
        service: Some("hello".to_owned()),
        phase: Phase::Running,
        ready,
        created: Some(UnixMicros(ANCHOR.0.0 + created_secs * 1_000_000)),
        ..Pod::default()
    }
}

#[test]
fn a_list_anew_counts_no_pod_twice_and_keeps_none_that_is_gone() {
    let mut feed = Feed::new();
    assert_eq!(feed.counts(), None, "before the first list nothing is known");
    feed.at(0.1, Event::Listing(Kind::Pod));
    feed.pod(0.1, pod("a", -100, true));
    feed.pod(0.1, pod("b", -100, true));
    feed.at(0.2, Event::Listed(Kind::Pod));
    assert_eq!(feed.counts(), Some((2, 0, 0)));
    feed.at(5.0, Event::Listing(Kind::Pod));
    feed.pod(5.0, pod("b", -100, true));
    feed.pod(5.0, pod("c", 4, false));
    feed.pod(5.0, pod("c", 4, false));
    assert_eq!(feed.counts(), Some((2, 1, 0)), "while listing, what was known still counts");
    feed.at(5.1, Event::Listed(Kind::Pod));
    assert_eq!(feed.counts(), Some((1, 1, 0)));
    assert_eq!(feed.model.cluster.gone.len(), 1);
}

#[test]
fn a_pod_that_ended_no_longer_counts_and_one_that_goes_counts_apart() {
    let mut feed = Feed::new();
    feed.at(0.1, Event::Listing(Kind::Pod));
    feed.at(0.1, Event::Listed(Kind::Pod));
    let going = Pod { deleted: Some(UnixMicros(0)), ..pod("a", 1, true) };
    feed.pod(1.0, going.clone());
    feed.pod(1.0, Pod { phase: Phase::Succeeded, ..pod("b", 1, false) });
    feed.pod(1.0, Pod { phase: Phase::Failed, ..pod("c", 1, false) });
    feed.pod(1.0, Pod { phase: Phase::Pending, ..pod("d", 1, false) });
    assert_eq!(feed.counts(), Some((0, 1, 1)));
    feed.at(2.0, Event::Gone(Gone { kind: Kind::Pod, id: going.id }));
    assert_eq!(feed.counts(), Some((0, 1, 0)));
}

#[test]
fn a_cold_start_is_measured_by_our_clock_if_we_saw_it_all() {
    let mut feed = Feed::new();
    feed.at(0.1, Event::Listing(Kind::Pod));
    feed.pod(0.1, pod("old", -100, true));
    feed.at(0.2, Event::Listed(Kind::Pod));
    feed.pod(10.25, pod("new", 10, false));
    feed.pod(12.5, pod("new", 10, true));
    let starts: Vec<_> =
        feed.model.cluster.cold_starts.iter().map(|it| (it.took, it.measured)).collect();
    assert_eq!(starts, [(Duration::from_millis(2250), true)]);
}

#[test]
fn the_most_pods_are_those_of_all_revisions_at_one_moment() {
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.at(0.0, Event::Listed(Kind::Pod));
    for name in ["hello-00001", "hello-00002"] {
        let id = Id { name: name.to_owned(), ..pod(name, 0, true).id };
        let revision = Revision { id, service: Some("hello".to_owned()), ..Revision::default() };
        feed.at(0.5, Event::Seen(Box::new(Object::Revision(revision))));
    }
    let of = |uid: &str, revision: &str| Pod {
        revision: Some(revision.to_owned()),
        ..pod(uid, 0, true)
    };
    feed.pod(1.0, of("a", "hello-00001"));
    feed.pod(2.0, of("b", "hello-00002"));
    feed.at(3.0, Event::Gone(Gone { kind: Kind::Pod, id: pod("a", 0, true).id }));
    feed.pod(4.0, of("c", "hello-00002"));
    assert_eq!(feed.model.most.ready, Some(2), "two at once, never three");
}

#[test]
fn pod_seconds_count_every_pod_that_is_not_gone() {
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.at(0.0, Event::Listed(Kind::Pod));
    feed.pod(10.0, pod("a", 10, true));
    feed.pod(12.0, Pod { deleted: Some(UnixMicros(0)), ..pod("a", 10, true) });
    feed.at(15.0, Event::Gone(Gone { kind: Kind::Pod, id: pod("a", 10, true).id }));
    feed.pod(20.0, pod("b", 20, false));
    let scaling = feed.model.scaling.get(&revision()).unwrap();
    assert!((scaling.pod_seconds_at(At::from_secs(22)) - 7.0).abs() < 1e-6);
    assert_eq!(scaling.ready_max, Some(1));
}

#[test]
fn panic_is_read_from_the_metric_and_unknown_when_that_is_old() {
    let mut feed = Feed::new();
    assert_eq!(feed.panic(0.0), PanicState::Unknown(Ignorance::NotHeard));
    feed.reading(1.0, Some(false));
    assert_eq!(feed.panic(1.0), PanicState::Stable { origin: Origin::Metric });
    feed.reading(2.0, Some(true));
    feed.reading(3.0, Some(true));
    let PanicState::Panic { since, was_on, .. } = feed.panic(3.0) else { panic!("no panic") };
    assert_eq!((since, was_on), (At::from_secs(2), false));
    let stale = PanicState::Unknown(Ignorance::Stale(Duration::from_secs(7)));
    assert_eq!(feed.panic(10.0), stale, "an old reading says nothing about now");
    feed.reading(11.0, Some(false));
    assert_eq!(feed.panic(11.0), PanicState::Stable { origin: Origin::Metric });
    let scaling = feed.model.scaling.get(&revision()).unwrap();
    assert_eq!(scaling.panics.len(), 1);
    assert_eq!(scaling.panics[0].ended, Some(At::from_secs(11)));
}

#[test]
fn without_the_metric_panic_comes_from_the_log() {
    let mut feed = Feed::new();
    feed.log(0.0, LogLine::FollowBegan);
    assert_eq!(feed.panic(1.0), PanicState::Unknown(Ignorance::NotHeard));
    feed.log(5.0, LogLine::Panicking);
    let PanicState::Panic { since, origin, .. } = feed.panic(30.0) else { panic!("no panic") };
    assert_eq!((since, origin), (At::from_secs(5), Origin::Log));
    feed.log(31.0, LogLine::UnPanicking);
    assert_eq!(feed.panic(40.0), PanicState::Stable { origin: Origin::Log });
}

#[test]
fn a_panic_of_before_the_run_is_known_and_one_that_ended_then_is_none_of_it() {
    let mut feed = Feed::new();
    let before = |feed: &mut Feed, secs: i64, line: LogLine| {
        let written = UnixMicros(ANCHOR.0.0 - secs * 1_000_000);
        let pod = "autoscaler-0".to_owned();
        let line = AutoscalerLog { revision: revision(), pod, written, line };
        feed.at(0.5, Event::AutoscalerLog(line));
    };
    before(&mut feed, 0, LogLine::FollowBegan);
    before(&mut feed, 90, LogLine::Panicking);
    before(&mut feed, 60, LogLine::UnPanicking);
    assert_eq!(feed.panic(1.0), PanicState::Stable { origin: Origin::Log });
    assert_eq!(feed.model.scaling.get(&revision()).unwrap().panics.len(), 0);
    before(&mut feed, 30, LogLine::Panicking);
    let PanicState::Panic { since, was_on, .. } = feed.panic(1.0) else { panic!("no panic") };
    assert_eq!((since, was_on), (At::ZERO, true));
    feed.log(5.0, LogLine::UnPanicking);
    let panics = &feed.model.scaling.get(&revision()).unwrap().panics;
    assert_eq!(panics.iter().map(|it| it.ended).collect::<Vec<_>>(), [Some(At::from_secs(5))]);
}

#[test]
fn a_log_that_is_lost_or_of_another_owner_says_nothing_about_now() {
    let mut feed = Feed::new();
    feed.log(0.0, LogLine::FollowBegan);
    feed.log(5.0, LogLine::UnPanicking);
    let stable = PanicState::Stable { origin: Origin::Log };
    assert_eq!(feed.panic(6.0), stable);
    let report = |state| Report { state, ..Report::connecting(AUTOSCALER_LOG) };
    feed.at(7.0, Event::Source(report(State::Failing)));
    assert_eq!(feed.panic(7.0), PanicState::Unknown(Ignorance::NotHeard));
    feed.at(8.0, Event::Source(report(State::Ok)));
    assert_eq!(feed.panic(8.0), stable, "it is followed from its last line on");
    let written = ANCHOR.wall(At::from_secs(9));
    let line = LogLine::PaScale { got: 1, want: 1, desired: 1, ebc: 0 };
    let from = |pod: &str, written, line: &LogLine| {
        let (pod, line) = (pod.to_owned(), line.clone());
        Event::AutoscalerLog(AutoscalerLog { revision: revision(), pod, written, line })
    };
    feed.at(9.0, from("autoscaler-1", ANCHOR.wall(At::from_secs(4)), &LogLine::Panicking));
    assert_eq!(feed.panic(9.0), stable, "one that owned it once is heard late");
    feed.at(9.0, from("autoscaler-1", written, &line));
    assert_eq!(feed.panic(9.0), PanicState::Unknown(Ignorance::NoLineYet));
}

#[test]
fn what_is_older_than_the_run_has_its_true_age_and_what_is_gone_none() {
    let old = pod("a", -120, true);
    assert_eq!(old.age(At::from_secs(8), ANCHOR), Some(Duration::from_secs(128)));
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.pod(0.0, old);
    let stamp = UnixMicros(ANCHOR.0.0 - 15_000_000);
    let sample =
        Usage { pod: name_of("default", "hello-a"), timestamp: Some(stamp), ..Usage::default() };
    feed.at(1.0, Event::Usage(sample));
    let life = feed.model.cluster.pods.get("a").unwrap();
    let (_, _, age) = life.usage_at(At::from_secs(2), ANCHOR).unwrap();
    assert_eq!(age, Duration::from_secs(17));
    let no_more = Usage { pod: name_of("default", "hello-a"), ..Usage::default() };
    feed.at(3.0, Event::Usage(no_more));
    let life = feed.model.cluster.pods.get("a").unwrap();
    assert_eq!(life.usage_at(At::from_secs(3), ANCHOR), None, "it is not measured any more");
    let cpu = &feed.model.scaling.get(&revision()).unwrap().cpu;
    assert_eq!(cpu.at(At::from_secs(3), None), None, "unknown is not zero");
}

#[test]
fn a_revision_that_is_seen_after_the_pods_were_listed_has_none() {
    let mut feed = Feed::new();
    let seen = Event::Seen(Box::new(Object::Revision(Revision {
        id: Id { namespace: "default".to_owned(), name: revision().name, uid: "r".to_owned() },
        ..Revision::default()
    })));
    let ready = |feed: &Feed, secs| {
        feed.model.scaling.get(&revision()).and_then(|it| it.ready.at(At::from_secs(secs), None))
    };
    feed.at(0.5, seen.clone());
    assert_eq!(ready(&feed, 1), None, "nobody has listed pods");
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.at(0.2, Event::Listed(Kind::Pod));
    feed.at(2.0, seen);
    assert_eq!((ready(&feed, 1), ready(&feed, 2)), (None, Some(0.0)));
}

#[test]
fn a_queue_proxy_that_fell_silent_says_nothing_about_now() {
    let mut feed = Feed::new();
    feed.pod(0.0, pod("a", 0, true));
    let pod = name_of("default", "hello-a");
    let stat = Some(Stat { average_concurrent_requests: 3.0, ..Stat::default() });
    let reading = QueueProxy { pod, read: At::from_secs(1), stat, ..QueueProxy::default() };
    feed.at(1.0, Event::QueueProxy(reading));
    let life = feed.model.cluster.pods.get("a").unwrap();
    let concurrency = |secs| life.stat_at(At::from_secs(secs)).map(|stat| stat.concurrency);
    assert_eq!([0, 1, 3, 4].map(concurrency), [None, Some(3.0), Some(3.0), None]);
}

#[test]
fn what_a_pod_bore_and_used_is_known_of_every_moment_also_when_it_is_gone() {
    let mut feed = Feed::new();
    feed.pod(0.0, pod("a", 0, true));
    let name = name_of("default", "hello-a");
    let stat =
        |concurrency| Some(Stat { average_concurrent_requests: concurrency, ..Stat::default() });
    for (secs, stat) in [(1, stat(3.0)), (2, stat(7.0)), (3, None), (4, stat(1.0))] {
        let pod = name.clone();
        let reading = QueueProxy { pod, read: At::from_secs(secs), stat, ..QueueProxy::default() };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        feed.at(secs as f64, Event::QueueProxy(reading));
    }
    // Each sample is told again and again until the next.
    for (secs, stamp) in [(5.0, 4), (6.0, 4), (20.0, 19), (21.0, 19)] {
        let timestamp = Some(UnixMicros(ANCHOR.0.0 + stamp * 1_000_000));
        let cpu = Millicores(u64::try_from(stamp).unwrap());
        let containers = vec![ContainerUsage { cpu, ..ContainerUsage::default() }];
        let pod = name.clone();
        feed.at(secs, Event::Usage(Usage { pod, timestamp, containers, ..Usage::default() }));
    }
    let check = |life: &PodLife| {
        let concurrency = |secs| life.stat_at(At::from_secs(secs)).map(|stat| stat.concurrency);
        assert_eq!(
            [0, 1, 2, 3, 4, 7].map(concurrency),
            [None, Some(3.0), Some(7.0), None, Some(1.0), None]
        );
        let usage = |secs| {
            let (cpu, _, age) = life.usage_at(At::from_secs(secs), ANCHOR)?;
            Some((cpu.0, age.as_secs()))
        };
        assert_eq!(
            [4, 5, 19, 20, 22].map(usage),
            [None, Some((4, 1)), Some((4, 15)), Some((19, 1)), Some((19, 3))]
        );
    };
    check(feed.model.cluster.pods.get("a").unwrap());
    let id = pod("a", 0, true).id;
    feed.at(30.0, Event::Gone(Gone { kind: Kind::Pod, id }));
    let hello = revision();
    let then = feed.model.cluster.pods_at(&hello, At::from_secs(22));
    assert_eq!(then.len(), 1);
    check(then[0]);
    assert_eq!(feed.model.cluster.pods_at(&hello, At::from_secs(30)).len(), 0);
}

#[test]
fn a_note_stands_in_the_log_at_the_moment_that_it_is_about() {
    let mut feed = Feed::new();
    let note =
        |text: &str, secs| Event::Note(Note { about: At::from_secs(secs), text: text.to_owned() });
    feed.at(1.0, Event::Lost { n: 1 });
    feed.at(5.0, Event::Lost { n: 5 });
    feed.at(9.0, note("three", 3));
    feed.at(9.0, note("zero", 0));
    feed.at(10.0, note("nine", 9));
    let log: Vec<_> =
        feed.model.happenings.iter().map(|it| (it.at.as_micros(), &it.what)).collect();
    let secs: Vec<u64> = log.iter().map(|(at, _)| at / 1_000_000).collect();
    assert_eq!(secs, [0, 1, 3, 5, 9], "{log:?}");
    assert!(matches!(log[2].1, What::Note(text) if text == "three"), "{log:?}");
}

#[test]
fn a_panic_told_by_the_log_lasts_until_the_log_ends_it() {
    let mut feed = Feed::new();
    feed.log(0.0, LogLine::FollowBegan);
    feed.log(5.0, LogLine::Panicking);
    let seconds = |feed: &Feed, now| {
        feed.model.scaling.get(&revision()).unwrap().panic_seconds(At::from_secs(now))
    };
    assert!((seconds(&feed, 45) - 40.0).abs() < 1e-6);
    feed.log(50.0, LogLine::UnPanicking);
    assert!((seconds(&feed, 99) - 45.0).abs() < 1e-6);
}

#[test]
fn a_panic_that_was_out_of_sight_for_long_is_not_held_to_be_one() {
    let mut feed = Feed::new();
    feed.reading(1.0, Some(false));
    feed.reading(2.0, Some(true));
    feed.reading(10.0, Some(true));
    feed.reading(200.0, Some(true));
    let scaling = feed.model.scaling.get(&revision()).unwrap();
    let spans: Vec<_> = scaling.panics.iter().map(|it| (it.began, it.was_on)).collect();
    assert_eq!(spans, [(At::from_secs(2), false), (At::from_secs(200), true)]);
    assert!((scaling.panic_seconds(At::from_secs(200)) - 14.0).abs() < 1e-6);
}

#[test]
fn what_is_desired_again_after_a_gap_is_drawn_again() {
    let mut feed = Feed::new();
    let wants = |desired| {
        let id = Id {
            namespace: "default".to_owned(),
            name: "hello-00001".to_owned(),
            uid: "pa".to_owned(),
        };
        let autoscaler = PodAutoscaler { id, desired, ..PodAutoscaler::default() };
        Event::Seen(Box::new(Object::PodAutoscaler(autoscaler)))
    };
    for (secs, desired) in [(1.0, Some(3)), (2.0, Some(3)), (5.0, None), (9.0, Some(3))] {
        feed.at(secs, wants(desired));
    }
    let scaling = feed.model.scaling.get(&revision()).unwrap();
    let at = |secs| scaling.desired.at(At::from_secs(secs), None);
    assert_eq!([at(4), at(6), at(10)], [Some(3.0), None, Some(3.0)]);
    assert_eq!(scaling.desired_now, Some(3));
}

#[test]
fn zeros_of_an_autoscaler_that_has_not_decided_yet_are_no_numbers() {
    let mut feed = Feed::new();
    feed.reading(1.0, Some(false));
    let fresh = |secs: u64, target: f64, desired: f64| Autoscaler {
        revision: revision(),
        pod: "autoscaler-1".to_owned(),
        owner: Some(true),
        read: At::from_secs(secs),
        desired: Some(desired),
        target_concurrency: Some(target),
        panic_concurrency: Some(0.0),
        stable_concurrency: Some(0.0),
        excess_burst_capacity: Some(0.0),
        ..Autoscaler::default()
    };
    for (secs, target, desired) in [(2, 0.0, 0.0), (3, 0.0, 5.0), (4, 7.0, 0.0)] {
        let reading = fresh(secs, target, desired);
        feed.at(f64::from(u32::try_from(secs).unwrap()), Event::Autoscaler(Box::new(reading)));
    }
    let scaling = feed.model.scaling.get(&revision()).unwrap();
    let at =
        |series: &crate::series::Series| [2, 3, 4].map(|secs| series.at(At::from_secs(secs), None));
    assert_eq!(at(&scaling.stable), [None, None, Some(0.0)]);
    assert_eq!(at(&scaling.excess_burst_capacity), [None, None, Some(0.0)]);
    assert_eq!(at(&scaling.wanted), [None, Some(5.0), Some(0.0)]);
}

#[test]
fn a_pod_that_lost_its_lease_is_not_believed() {
    let mut feed = Feed::new();
    feed.reading(1.0, Some(false));
    let old = Autoscaler {
        revision: revision(),
        pod: "autoscaler-1".to_owned(),
        owner: Some(false),
        read: At::from_secs(2),
        panic: Some(true),
        ..Autoscaler::default()
    };
    feed.at(2.0, Event::Autoscaler(Box::new(old)));
    assert_eq!(feed.panic(2.0), PanicState::Stable { origin: Origin::Metric });
}

/// From no pod to one, under a load of ours: each pod event as Kubernetes sends it.
fn from_zero() -> Feed {
    let mut feed = Feed::new();
    let open = Began { executor: Executor::Open, ..began() };
    feed.at(0.0, Event::Began(Box::new(open)));
    let id = |name: &str| Id { name: name.to_owned(), ..pod(name, 0, true).id };
    let known = Revision {
        id: id("hello-00001"),
        service: Some("hello".to_owned()),
        ..Revision::default()
    };
    feed.at(0.5, Event::Seen(Box::new(Object::Revision(known))));
    feed.at(0.6, Event::Listing(Kind::Pod));
    feed.at(0.6, Event::Listed(Kind::Pod));
    let deployment = |replicas| crate::event::cluster::Deployment {
        id: id("hello-00001-deployment"),
        revision: Some("hello-00001".to_owned()),
        replicas: Some(replicas),
        ..crate::event::cluster::Deployment::default()
    };
    feed.at(1.0, Event::Seen(Box::new(Object::Deployment(deployment(0)))));
    feed.at(9.9, Event::Seen(Box::new(Object::Deployment(deployment(1)))));
    let stamp = |secs: i64| Some(UnixMicros(ANCHOR.0.0 + secs * 1_000_000));
    let created = pod("new", 10, false);
    feed.pod(10.25, created.clone());
    let bound = Pod { scheduled: stamp(10), ..created };
    feed.pod(10.4, bound.clone());
    let started = Pod { queue_proxy_started: stamp(11), user_started: stamp(10), ..bound };
    feed.pod(12.5, Pod { ready: true, became_ready: stamp(12), ..started });
    feed
}

#[test]
fn a_start_is_taken_apart_and_each_step_says_how_it_is_known() {
    use startup::How;
    use startup::Step;
    let feed = from_zero();
    let life = feed.model.cluster.pods.get("new").unwrap();
    let startup = startup::Startup::of(&feed.model, life);
    let known: Vec<_> = Step::ALL
        .iter()
        .map(|step| startup.at(*step).map(|it| (it.at.as_secs_f64(), it.how)))
        .collect();
    assert_eq!(
        known,
        [
            Some((9.9, How::Inferred)),
            Some((10.25, How::Received)),
            Some((10.4, How::Received)),
            Some((11.0, How::Stamped)),
            // Its stamp says 10: within that second, but not before it was bound.
            Some((10.4, How::Stamped)),
            Some((12.5, How::Received)),
            None,
            None,
        ]
    );
    assert_eq!(startup.from_zero, Some(true));
    let took = startup.took(Step::Asked, Step::Ready);
    assert_eq!(took, Some((Duration::from_millis(2600), How::Inferred)));
}

#[test]
fn who_waited_for_a_cold_start_has_two_bounds() {
    let mut feed = from_zero();
    for (began, slow) in [(12u64, 40), (13, 0)] {
        let mut felt = crate::series::LatencyHistogram::default();
        for n in 0..50 {
            felt.record(Duration::from_millis(if n < slow { 2000 } else { 100 }));
        }
        let interval = crate::event::traffic::Interval {
            began: At::from_secs(began),
            lasted: Duration::from_secs(1),
            succeeded: 50,
            response_time: Some(felt.encode()),
            ..crate::event::traffic::Interval::default()
        };
        let ended = At::from_secs(began + 1).as_secs_f64();
        feed.at(ended, Event::Traffic(Box::new(interval)));
    }
    let life = feed.model.cluster.pods.get("new").unwrap();
    // Forty took two seconds in an interval of one: they were due before it began. The ten quick
    // ones of that interval may have been, those of the next one cannot.
    let waited = waited::waited(&feed.model, life);
    assert_eq!(waited, Some(waited::Waited { at_least: 40, at_most: 50 }));
    assert_eq!(waited::all(&feed.model), waited);
    let startup = startup::Startup::of(&feed.model, life);
    let first = startup.at(startup::Step::FirstAnswer).unwrap();
    assert_eq!((first.at, first.how), (At::from_secs(13), startup::How::Received));
    let parts = startup::parts(&feed.model, &[revision()]);
    let created = parts.iter().find(|part| part.to == startup::Step::Scheduled).unwrap();
    assert_eq!((created.n_received, created.n_unknown), (1, 0));
    assert_eq!(created.took, [Duration::from_millis(150)]);
}

#[test]
fn when_the_watch_breaks_the_lines_break() {
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.pod(0.0, pod("a", -100, true));
    feed.at(0.0, Event::Listed(Kind::Pod));
    let mut report = Report::connecting(WATCH_PODS);
    report.state = State::Failing;
    feed.at(10.0, Event::Source(report.clone()));
    let ready = |feed: &Feed, secs| {
        feed.model.scaling.get(&revision()).unwrap().ready.at(At::from_secs(secs), None)
    };
    assert_eq!(ready(&feed, 9), Some(1.0));
    assert_eq!(ready(&feed, 11), None);
    report.state = State::Ok;
    feed.at(20.0, Event::Source(report));
    assert_eq!(ready(&feed, 21), Some(1.0));
    assert_eq!(ready(&feed, 15), None, "the gap stays a gap");
}

proptest! {
    /// Any order of pod events leaves counts that equal a plain recount.
    #[test]
    fn counts_are_those_of_the_pods_that_exist(
        steps in prop::collection::vec((0..6usize, 0..4u8), 1..60),
    ) {
        let mut feed = Feed::new();
        feed.at(0.0, Event::Listing(Kind::Pod));
        feed.at(0.0, Event::Listed(Kind::Pod));
        let mut alive: std::collections::BTreeMap<usize, Pod> = std::collections::BTreeMap::new();
        for (step_idx, (which, what)) in steps.into_iter().enumerate() {
            let now = 1.0 + f64::from(u32::try_from(step_idx).unwrap());
            let base = pod(&which.to_string(), 0, false);
            let next = match what {
                0 => base,
                1 => Pod { ready: true, ..base },
                2 => Pod { ready: true, deleted: Some(UnixMicros(0)), ..base },
                _ => {
                    alive.remove(&which);
                    feed.at(now, Event::Gone(Gone { kind: Kind::Pod, id: base.id }));
                    continue;
                }
            };
            alive.insert(which, next.clone());
            feed.pod(now, next);
        }
        let ready = alive.values().filter(|it| it.ready && it.deleted.is_none()).count();
        let going = alive.values().filter(|it| it.deleted.is_some()).count();
        let starting = alive.len() - ready - going;
        let all = |n: usize| u32::try_from(n).unwrap();
        prop_assert_eq!(feed.counts(), Some((all(ready), all(starting), all(going))));
    }
}

fn revision_of(service: &str, name: &str) -> Object {
    let id = Id { name: name.to_owned(), ..pod(name, 0, true).id };
    Object::Revision(Revision { id, service: Some(service.to_owned()), ..Revision::default() })
}

fn see(feed: &mut Feed, secs: f64, object: Object) {
    feed.at(secs, Event::Seen(Box::new(object)));
}

fn autoscaler_of(name: &str, class: &str, desired: u32) -> Object {
    Object::PodAutoscaler(PodAutoscaler {
        id: Id { name: name.to_owned(), ..pod(name, 0, true).id },
        class: class.to_owned(),
        desired: Some(desired),
        reachable: true,
        ..PodAutoscaler::default()
    })
}

fn config_autoscaler() -> Object {
    let id = Id { name: "config-autoscaler".to_owned(), ..pod("config", 0, true).id };
    Object::ConfigMap(ConfigMap { id, ..ConfigMap::default() })
}

fn gone(feed: &mut Feed, secs: f64, kind: Kind, name: &str) {
    let id = Id { name: name.to_owned(), ..pod(name, 0, true).id };
    feed.at(secs, Event::Gone(Gone { kind, id }));
}

fn service_with(shares: &[(&str, u32)]) -> Object {
    use crate::event::cluster::Traffic;
    let line = |(revision, percent): &(&str, u32)| Traffic {
        revision: (*revision).to_owned(),
        percent: Some(*percent),
        ..Traffic::default()
    };
    Object::Service(crate::event::cluster::Service {
        id: Id { name: "hello".to_owned(), ..pod("hello", 0, true).id },
        traffic: shares.iter().map(line).collect(),
        ..crate::event::cluster::Service::default()
    })
}

#[test]
fn only_knatives_own_autoscaler_has_a_configuration_and_can_be_played() {
    use crate::model::recording::Missing;
    use crate::model::recording::Recording;
    for (class, has_config) in
        [("", true), ("kpa.autoscaling.knative.dev", true), ("hpa.autoscaling.knative.dev", false)]
    {
        let mut feed = Feed::new();
        see(&mut feed, 0.1, config_autoscaler());
        see(&mut feed, 0.2, autoscaler_of("hello-00001", class, 1));
        let scaling = feed.model.scaling.get(&revision()).unwrap();
        assert_eq!(scaling.config.is_some(), has_config, "{class}");
        let missing = if has_config { Missing::Demand } else { Missing::Class("hpa") };
        assert_eq!(Recording::of(&feed.model, &revision()).unwrap_err(), missing, "{class}");
    }
}

#[test]
fn a_load_that_begins_before_the_first_look_at_the_pods_is_played_with_those_that_were_there() {
    use crate::model::recording::Recording;
    let mut feed = Feed::new();
    let executor = crate::event::run::Executor::Open;
    feed.at(0.0, Event::Began(Box::new(Began { mode: Mode::Run, executor, ..began() })));
    see(&mut feed, 0.1, config_autoscaler());
    see(&mut feed, 0.2, revision_of("hello", "hello-00001"));
    see(&mut feed, 0.3, autoscaler_of("hello-00001", "", 2));
    feed.at(0.4, Event::Listing(Kind::Pod));
    feed.pod(0.4, pod("a", -60, true));
    feed.pod(0.4, pod("b", -60, true));
    feed.at(0.4, Event::Listed(Kind::Pod));
    for second in 0..3 {
        let interval = crate::event::traffic::Interval {
            began: At::from_secs(second),
            lasted: Duration::from_secs(1),
            in_flight: 9,
            ..crate::event::traffic::Interval::default()
        };
        let ended = At::from_secs(second + 1).as_secs_f64();
        feed.at(ended, Event::Traffic(Box::new(interval)));
    }
    let recording = Recording::of(&feed.model, &revision()).unwrap();
    assert_eq!((recording.load.first, recording.lines[0].ready), (0, None));
    assert_eq!(recording.pods.ready, 2);
}

#[test]
fn the_runs_own_revision_has_a_decider_however_many_there_are() {
    let mut feed = Feed::new();
    see(&mut feed, 0.1, config_autoscaler());
    for n in 0..40 {
        see(&mut feed, 0.2, autoscaler_of(&format!("other-{n:05}"), "", 1));
    }
    see(&mut feed, 0.3, autoscaler_of("hello-00001", "", 1));
    see(&mut feed, 0.4, revision_of("hello", "hello-00001"));
    assert!(feed.model.scaling.get(&revision()).unwrap().shadow.is_some());
}

#[test]
fn a_pod_that_is_not_ready_does_not_thin_out_the_load() {
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.at(0.0, Event::Listed(Kind::Pod));
    feed.pod(0.5, pod("a", -100, true));
    feed.pod(0.5, Pod { deleted: Some(UnixMicros(0)), ..pod("b", -100, true) });
    for secs in [2u64, 3] {
        for (name, in_flight) in [("hello-a", 20.0), ("hello-b", 0.0)] {
            let stat = Stat { average_concurrent_requests: in_flight, ..Stat::default() };
            let (pod, read) = (name_of("default", name), At::from_secs(secs));
            let reading = QueueProxy { pod, read, stat: Some(stat), ..QueueProxy::default() };
            feed.at(At::from_secs(secs).as_secs_f64(), Event::QueueProxy(reading));
        }
    }
    let inputs = &feed.model.scaling.get(&revision()).unwrap().inputs;
    assert_eq!(inputs.concurrency.at(At::from_secs(2), None), Some(20.0));
}

#[test]
fn a_load_that_a_route_splits_is_no_revisions_own() {
    let mut feed = from_zero();
    see(&mut feed, 13.0, revision_of("hello", "hello-00000"));
    see(&mut feed, 13.0, service_with(&[("hello-00001", 100), ("hello-00000", 0)]));
    assert_eq!(feed.model.loaded_revision(), Some(revision()), "an old one takes nothing of it");
    see(&mut feed, 14.0, service_with(&[("hello-00001", 50), ("hello-00000", 50)]));
    assert_eq!(feed.model.loaded_revision(), None);
    assert_eq!(waited::all(&feed.model), None);
}

#[test]
fn the_runs_own_revision_is_known_after_it_is_gone_and_another_is_not() {
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Revision));
    feed.at(0.0, Event::Listed(Kind::Revision));
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.at(0.0, Event::Listed(Kind::Pod));
    see(&mut feed, 0.1, config_autoscaler());
    for (service, name) in [("hello", "hello-00001"), ("other", "other-00001")] {
        see(&mut feed, 0.2, revision_of(service, name));
        see(&mut feed, 0.2, autoscaler_of(name, "", 3));
        feed.pod(0.3, Pod { revision: Some(name.to_owned()), ..pod(name, 0, true) });
        gone(&mut feed, 5.0, Kind::PodAutoscaler, name);
        gone(&mut feed, 5.0, Kind::Revision, name);
        gone(&mut feed, 30.0, Kind::Pod, name);
    }
    assert_eq!(feed.model.measured_revisions(), [revision()]);
    let scaling = feed.model.scaling.get(&revision()).unwrap();
    assert_eq!(scaling.desired.at(At::from_secs(4), None), Some(3.0));
    assert!(recording::basis(&feed.model, &revision()).is_some());
    let other = feed.model.scaling.get(&name_of("default", "other-00001"));
    assert_eq!(other, None, "its pods that went after it bring it not back");
}

#[test]
fn a_panic_ends_a_window_after_its_own_threshold_not_that_of_an_earlier_one() {
    let mut feed = Feed::new();
    see(&mut feed, 0.1, config_autoscaler());
    see(&mut feed, 0.1, autoscaler_of("hello-00001", "", 1));
    let calm = |feed: &mut Feed, secs, panic, pod: &str| {
        let reading = Autoscaler {
            revision: revision(),
            pod: pod.to_owned(),
            owner: Some(true),
            read: At::from(Duration::from_secs_f64(secs)),
            panic: Some(panic),
            actual: Some(3.0),
            target_concurrency: Some(7.0),
            panic_concurrency: Some(1.0),
            ..Autoscaler::default()
        };
        feed.at(secs, Event::Autoscaler(Box::new(reading)));
    };
    feed.reading(1.0, Some(true));
    let leaves = |feed: &Feed, secs| match feed.panic(secs) {
        PanicState::Panic { leaves, .. } => leaves,
        other => panic!("{other:?}"),
    };
    // The tick that it is of may have been two seconds before.
    assert_eq!(leaves(&feed, 1.0), Some(At::from_secs(59)));
    // Another autoscaler begins in panic.
    calm(&mut feed, 20.0, true, "autoscaler-1");
    assert_eq!(leaves(&feed, 20.0), Some(At::from_secs(78)));
    calm(&mut feed, 22.0, false, "autoscaler-1");
    // The threshold was not seen to be reached again.
    calm(&mut feed, 24.0, true, "autoscaler-1");
    assert_eq!(leaves(&feed, 24.0), None);
}

#[test]
fn nobody_says_what_is_desired_of_a_deployment_whose_autoscaler_is_gone() {
    let mut feed = Feed::new();
    let id = Id { name: "web".to_owned(), ..pod("web", 0, true).id };
    let autoscaler = HorizontalPodAutoscaler {
        id,
        target: ("Deployment".to_owned(), "web".to_owned()),
        desired_replicas: Some(5),
        ..HorizontalPodAutoscaler::default()
    };
    see(&mut feed, 1.0, Object::HorizontalPodAutoscaler(autoscaler));
    let desired =
        |feed: &Feed| feed.model.scaling.get(&name_of("default", "web")).unwrap().desired_now;
    assert_eq!(desired(&feed), Some(5));
    gone(&mut feed, 2.0, Kind::HorizontalPodAutoscaler, "web");
    assert_eq!(desired(&feed), None);
}

#[test]
fn nobody_waited_is_known_only_where_pods_are() {
    let mut feed = Feed::new();
    feed.at(0.0, Event::Began(Box::new(Began { executor: Executor::Open, ..began() })));
    see(&mut feed, 0.5, revision_of("hello", "hello-00001"));
    assert_eq!(waited::all(&feed.model), None);
    feed.at(1.0, Event::Listing(Kind::Pod));
    feed.at(1.0, Event::Listed(Kind::Pod));
    assert_eq!(waited::all(&feed.model), Some(waited::Waited::default()));
}

#[test]
fn what_the_metric_told_since_supersedes_the_line_of_a_log() {
    let mut feed = Feed::new();
    feed.log(0.0, LogLine::FollowBegan);
    feed.log(5.0, LogLine::Panicking);
    feed.log(9.0, LogLine::UnPanicking);
    feed.reading(20.0, Some(false));
    let stale = PanicState::Unknown(Ignorance::Stale(Duration::from_secs(40)));
    assert_eq!(feed.panic(60.0), stale);
}

#[test]
fn pods_that_are_gone_use_nothing() {
    let mut feed = Feed::new();
    feed.at(0.0, Event::Listing(Kind::Pod));
    feed.at(0.0, Event::Listed(Kind::Pod));
    feed.pod(1.0, pod("a", 1, true));
    let usage = Usage {
        pod: name_of("default", "hello-a"),
        timestamp: Some(ANCHOR.wall(At::from_secs(2))),
        cpu: Some(Millicores(1400)),
        ..Usage::default()
    };
    feed.at(3.0, Event::Usage(usage));
    let cpu = |feed: &Feed, secs| {
        feed.model.scaling.get(&revision()).unwrap().cpu.at(At::from_secs(secs), None)
    };
    assert_eq!(cpu(&feed, 4), Some(1.4));
    feed.at(5.0, Event::Gone(Gone { kind: Kind::Pod, id: pod("a", 1, true).id }));
    assert_eq!(cpu(&feed, 6), None);
}
