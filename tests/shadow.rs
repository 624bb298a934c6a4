//! Our own model of the decider beside a real one: a panic recorded on Knative 1.23, of which the
//! model sees what queue-proxies and activators said, and the autoscaler's exported words are the
//! judge.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tell")]

use std::collections::BTreeMap;
use std::time::Duration;

use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Condition;
use rampscope::event::cluster::ConfigMap;
use rampscope::event::cluster::Deployment;
use rampscope::event::cluster::Id;
use rampscope::event::cluster::KubeEvent;
use rampscope::event::cluster::Name;
use rampscope::event::cluster::Object;
use rampscope::event::cluster::Phase;
use rampscope::event::cluster::Pod;
use rampscope::event::cluster::Status;
use rampscope::event::run::Began;
use rampscope::event::run::Executor;
use rampscope::event::run::Mode;
use rampscope::event::scaler::Autoscaler;
use rampscope::event::scaler::AutoscalerLog;
use rampscope::event::scaler::LogLine;
use rampscope::event::source::Report;
use rampscope::event::source::State;
use rampscope::model::Model;
use rampscope::model::shadow::Cause;
use rampscope::model::shadow::Gaps;
use rampscope::model::shadow::Incomplete;
use rampscope::model::shadow::PodTrouble;
use rampscope::model::shadow::Shadow;
use rampscope::model::shadow::Source;
use rampscope::model::shadow::Tick;
use rampscope::tui::views::tick::explanation;
use rampscope::units::Anchor;
use rampscope::units::At;
use rampscope::units::UnixMicros;
use serde::Deserialize;

/// When the recording began, from the stamps in it: 2026-11-22T07:18:59.9Z.
const ANCHOR: Anchor = Anchor(UnixMicros(1_795_331_939_900_000));

#[derive(Deserialize)]
struct Line {
    at: At,
    event: Event,
}

fn recorded() -> Vec<(At, Event)> {
    let began = Began {
        name: "recorded".to_owned(),
        version: "0".to_owned(),
        anchor: ANCHOR,
        mode: Mode::Watch,
        context: None,
        namespace: Some("default".to_owned()),
        service: Some("probe".to_owned()),
        stages: Vec::new(),
        executor: Executor::None,
        max_rate: None,
        max_in_flight: None,
        checks: Vec::new(),
        read_only: true,
    };
    let lines = include_str!("fixtures/panic.events.jsonl").lines();
    let lines = lines.map(|line| serde_json::from_str::<Line>(line).unwrap());
    std::iter::once((At::ZERO, Event::Began(Box::new(began))))
        .chain(lines.map(|line| (line.at, line.event)))
        .collect()
}

fn model(events: &[(At, Event)]) -> Model {
    let mut model = Model::default();
    for (seq, (at, event)) in (0..).zip(events) {
        model.apply(&Stamped { seq, at: *at, event: event.clone() });
    }
    model
}

fn shadow(model: &Model) -> &Shadow {
    shadow_yet(model).unwrap()
}

fn shadow_yet(model: &Model) -> Option<&Shadow> {
    let revision = Name { namespace: "default".to_owned(), name: "probe-00001".to_owned() };
    model.scaling.get(&revision)?.shadow.as_deref()
}

fn told(tick: &Tick) -> String {
    let ours = tick.decision.steps;
    let theirs = tick.reported;
    format!(
        "{:7.2} ready {} ours {:?} {} {:?} | theirs {:?} {:?} {:?} {:?} | {:?} {:?}",
        tick.at().as_secs_f64(),
        tick.decision.ready,
        tick.decision.desired(),
        tick.decision.panicking(),
        ours.map(|it| (it.observed.stable, it.observed.panic)),
        theirs.and_then(|it| it.desired),
        theirs.and_then(|it| it.panicking),
        theirs.and_then(|it| it.observed).map(|it| (it.stable, it.panic)),
        theirs.map(|it| it.read.as_secs_f64()),
        tick.asked,
        tick.gaps,
    )
}

#[test]
fn a_real_panic_is_decided_as_it_was() {
    let events = recorded();
    let model = model(&events);
    let ticks: Vec<&Tick> = shadow(&model).ticks().collect();
    let is_ours = |tick: &Tick| tick.input.source == Source::Pods;
    let (mut n_scored, mut n_equal, mut n_within_one, mut n_panic_right) = (0, 0, 0, 0);
    for (idx, tick) in ticks.iter().enumerate() {
        println!("{}", told(tick));
        let Some((theirs, ours)) =
            tick.reported.and_then(|it| it.desired).zip(tick.decision.desired())
        else {
            continue;
        };
        let reported = |tick: &Tick| tick.reported.and_then(|it| it.desired);
        let from = tick.at().saturating_sub(Duration::from_secs(10));
        let lately = ticks[..=idx].iter().rev().take_while(|it| from <= it.at());
        let has_changed =
            lately.zip(ticks[..idx].iter().rev()).any(|(a, b)| reported(a) != reported(b));
        let panics = tick.reported.and_then(|it| it.panicking);
        if panics != Some(true) && !has_changed || !is_ours(tick) {
            continue;
        }
        n_scored += 1;
        n_equal += u32::from(theirs == ours);
        n_within_one += u32::from(theirs.abs_diff(ours) <= 1);
        n_panic_right += u32::from(panics == Some(tick.decision.panicking()));
    }
    println!(
        "{n_scored} scored: {n_equal} equal, {n_within_one} within one, panic {n_panic_right}"
    );
    // Until we have listened for a window the autoscaler's own averages stand in.
    let n_lent = ticks.iter().take_while(|tick| !is_ours(tick)).count();
    assert!((5..=10).contains(&n_lent), "{n_lent}");
    for tick in &ticks[2..n_lent] {
        let reckoned_with = tick.decision.steps.map(|steps| steps.observed);
        assert_eq!(reckoned_with, tick.reported.and_then(|it| it.observed), "{}", told(tick));
    }
    assert!(ticks[n_lent..].iter().all(|tick| is_ours(tick)));
    assert!(20 < n_scored, "{n_scored}");
    assert!(n_scored * 96 <= n_equal * 100, "{n_equal} of {n_scored} are equal");
    assert!(n_equal <= n_within_one);
    assert_eq!(n_panic_right, n_scored);
}

/// Every tick of the panic has its reasons: one step that bound it, in Knative's order, and what it
/// comes to is what was asked for, or the gap has its cause.
#[test]
fn every_tick_of_a_real_panic_is_explained() {
    let model = model(&recorded());
    let (mut n_explained, mut unexplained) = (0, Vec::new());
    for tick in shadow(&model).ticks() {
        if let Some((made, _)) = &tick.made {
            assert_eq!(made.desired(), tick.reported.and_then(|it| it.desired), "{}", told(tick));
        }
        let is_ours = tick.input.source == Source::Pods && tick.reported.is_some();
        assert!(tick.made.is_some() || !is_ours, "{}", told(tick));
        let explained = explanation(tick);
        let is_said = explained.steps.iter().filter(|step| step.binds).count() == 1
            && explained.steps.is_sorted_by_key(|step| step.kind)
            && !explained.headline.is_empty();
        let is_as_asked = explained.pods == tick.asked || tick.gaps != Gaps::default();
        if is_said && is_as_asked {
            n_explained += 1;
        } else {
            unexplained.push(format!("{}: {:?}", told(tick), explained.pods));
        }
    }
    println!("{n_explained} explained");
    assert!(40 < n_explained);
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}

/// Our eyes see half as much again as there is; what the autoscaler exports is what it decides by.
#[test]
fn how_it_was_decided_does_not_hang_on_what_we_see() {
    let mut events = recorded();
    for (_, event) in &mut events {
        match event {
            Event::QueueProxy(it) => {
                if let Some(stat) = &mut it.stat {
                    stat.average_concurrent_requests *= 1.5;
                }
            }
            Event::Activator(it) => it.concurrency = it.concurrency.map(|told| told * 1.5),
            _ => {}
        }
    }
    let model = model(&events);
    let (mut n_made, mut n_other) = (0, 0);
    for tick in shadow(&model).ticks().filter(|tick| tick.input.source == Source::Pods) {
        let Some(theirs) = tick.reported.and_then(|it| it.desired) else { continue };
        n_other += u32::from(tick.decision.desired() != Some(theirs));
        n_made += 1;
        assert_eq!(tick.as_made().0.desired(), Some(theirs), "{}", told(tick));
    }
    println!("{n_other} of {n_made} are other by what we see");
    assert!(10 < n_other);
}

/// Who comes at `comes` sees what stands then, and reads metrics from then on.
fn from(comes: At) -> Recorded {
    let mut events = recorded();
    events.retain(|(at, event)| {
        let is_read = matches!(event, Event::Autoscaler(_) | Event::QueueProxy(_));
        comes <= *at || !is_read && !matches!(event, Event::Activator(_))
    });
    for (at, _) in &mut events {
        *at = (*at).max(comes);
    }
    events
}

/// Whatever the averages of a tick are from, and as soon as it is shown.
#[test]
fn who_saw_a_panic_begin_knows_when_it_ends() {
    let is_reported = |tick: &&Tick| tick.reported.is_some_and(|it| it.panicking == Some(true));
    let began = shadow(&model(&recorded())).ticks().find(is_reported).unwrap().at();
    for before in [3, 5, 8, 12] {
        let events = from(began.saturating_sub(Duration::from_secs(before)));
        let (mut model, mut ends, mut n_panic) = (Model::default(), None, 0);
        for (seq, (at, event)) in (0..).zip(&events) {
            model.apply(&Stamped { seq, at: *at, event: event.clone() });
            let Some(tick) = shadow_yet(&model).and_then(|it| it.ticks().next_back()) else {
                continue;
            };
            let told = tick.as_made().0.panic_ends;
            assert!(told.is_none() || ends <= told, "{before}: {ends:?}, then {told:?}");
            n_panic += u32::from(told.is_some());
            ends = told;
        }
        assert!(0 < n_panic, "{before}");
    }
}

/// What was before is not known then, but what the autoscaler says of its panic.
#[test]
fn who_comes_in_the_midst_of_a_panic_is_told_why_there_are_so_many_pods() {
    let model = model(&from(At::from_secs(32)));
    let calm = |tick: &&Tick| tick.reported.is_some_and(|it| it.panicking == Some(false));
    let ended = shadow(&model).ticks().find(calm).unwrap().at();
    let mut n_panic = 0;
    for tick in shadow(&model).ticks() {
        let Some(theirs) = tick.reported.filter(|it| it.desired.is_some()) else { continue };
        let made = tick.as_made().0;
        assert_eq!(made.desired(), theirs.desired, "{}", told(tick));
        assert_eq!(Some(made.panicking()), theirs.panicking, "{}", told(tick));
        n_panic += u32::from(made.panicking());
        let ends = explanation(tick).panic_ends;
        assert!(ends.is_none_or(|ends| ends <= ended), "{ends:?} at the earliest: {ended:?}");
        if tick.decision.panicking() != made.panicking() {
            assert_eq!(tick.gaps.model, Some(Cause::Incomplete(Incomplete::JustBegan)));
        }
    }
    assert!(3 < n_panic, "{n_panic} ticks of panic were seen");
}

/// Its clock decides then, not its averages: a tick more of panic is no other load.
#[test]
fn a_panic_that_ends_by_a_hair_parts_over_nothing_else() {
    let was = model(&recorded());
    let ticks: Vec<&Tick> = shadow(&was).ticks().collect();
    let panicked = |tick: &Tick| tick.reported.is_some_and(|it| it.panicking == Some(true));
    let ends = ticks.windows(2).find(|pair| panicked(pair[0]) && !panicked(pair[1])).unwrap();
    let (held, calm) = (ends[0].reported.unwrap().desired.unwrap(), ends[1].at());
    let mut events = recorded();
    each_reading(&mut events, calm, calm + Duration::from_millis(1700), |reading| {
        reading.panic = Some(true);
        reading.desired = Some(f64::from(held));
    });
    let now = model(&events);
    let by_a_hair: Vec<At> =
        shadow(&now).ticks().filter(|tick| tick.parts_by_a_hair()).map(Tick::at).collect();
    assert_eq!(by_a_hair, [calm]);
    assert!(!ticks.iter().any(|tick| tick.parts_by_a_hair()));
}

/// Where only the log tells, each tick has the word that was written after it, though lines reach us
/// before we come to the tick that follows.
#[test]
fn what_the_log_says_is_of_its_own_tick() {
    let revision = Name { namespace: "default".to_owned(), name: "probe-00001".to_owned() };
    let mut events = recorded();
    events.retain(|(_, event)| !matches!(event, Event::Autoscaler(_)));
    let (mut said, mut lines) = (None, Vec::new());
    for (at, event) in &events {
        if let Event::Seen(object) = event
            && let Object::PodAutoscaler(autoscaler) = object.as_ref()
            && let Some(desired) = autoscaler.desired
            && said.replace(desired) != Some(desired)
        {
            // The reconciler writes its line, and then the object.
            let written = ANCHOR.wall(at.saturating_sub(Duration::from_millis(60)));
            let want = i64::from(desired);
            let line = LogLine::PaScale { got: 0, want, desired: want, ebc: 0 };
            let revision = revision.clone();
            let line = AutoscalerLog { revision, pod: "autoscaler-0".to_owned(), written, line };
            lines.push((*at, Event::AutoscalerLog(line)));
        }
    }
    let n_lines = lines.len();
    events.extend(lines);
    let model = model(&sorted(events));
    let mut n_told = 0;
    for tick in shadow(&model).ticks() {
        let Some(theirs) = tick.reported.and_then(|it| it.desired) else { continue };
        n_told += 1;
        assert_eq!(Some(theirs), tick.asked, "{}", told(tick));
    }
    println!("{n_told} ticks, {n_lines} lines");
    assert!(40 < n_told && 5 < n_lines, "{n_told} ticks, {n_lines} lines");
}

// What is injected, and what is to be named.

type Recorded = Vec<(At, Event)>;

/// A change of what was recorded, the `n`th of ten; from `at` on.
type Inject = fn(&mut Recorded, usize, At);

fn each_reading(events: &mut Recorded, from: At, until: At, change: impl Fn(&mut Autoscaler)) {
    for (at, event) in events {
        if let Event::Autoscaler(reading) = event
            && from <= *at
            && *at < until
        {
            change(reading);
        }
    }
}

fn each_pod(events: &mut Recorded, from: At, change: impl Fn(&mut Pod)) {
    for (at, event) in events {
        if let Event::Seen(object) = event
            && from <= *at
            && let Object::Pod(pod) = object.as_mut()
            && pod.revision.is_some()
        {
            change(pod);
        }
    }
}

/// The gauges of a decider that has just begun.
fn fresh(reading: &mut Autoscaler) {
    (reading.desired, reading.panic) = (Some(0.0), Some(true));
    (reading.stable_concurrency, reading.panic_concurrency) = (Some(0.0), Some(0.0));
    reading.target_concurrency = Some(0.0);
}

fn waits(events: &mut Recorded, why: &str) {
    each_pod(events, At::from_secs(24), |pod| {
        (pod.phase, pod.ready, pod.waiting) = (Phase::Pending, false, why.to_owned());
    });
}

fn late(n: usize, at: At) -> At {
    at + Duration::from_millis(330) * u32::try_from(n).unwrap()
}

/// Whether a cause is the one that was injected.
type IsIt = fn(Cause) -> bool;

const INJECTED: &[(&str, u64, Inject, IsIt)] = &[
    (
        "missed scrape",
        24,
        |events, n, at| {
            let part = 0.3 + 0.03 * f64::from(u32::try_from(n).unwrap());
            each_reading(events, at, At::from_secs(48), |reading| {
                for average in [&mut reading.panic_concurrency, &mut reading.stable_concurrency] {
                    *average = average.map(|average| average * part);
                }
                reading.desired = reading.desired.map(|pods| (pods * part).ceil());
            });
        },
        |cause| cause == Cause::MissedScrape,
    ),
    (
        "autoscaler restarted",
        30,
        |events, n, at| {
            let at = late(n, at);
            each_reading(events, at, at + Duration::from_secs(4), fresh);
        },
        |cause| matches!(cause, Cause::AutoscalerRestarted(_)),
    ),
    (
        "leader changed",
        30,
        |events, n, at| {
            let at = late(n, at);
            each_reading(events, at, At::from_secs(999), |it| "other".clone_into(&mut it.pod));
            each_reading(events, at, at + Duration::from_secs(4), fresh);
        },
        |cause| matches!(cause, Cause::LeaderChanged(_)),
    ),
    (
        "quota",
        25,
        |events, n, at| {
            events.retain(|(seen, event)| match event {
                Event::Seen(object) => {
                    *seen < At::from_secs(24) || !matches!(object.as_ref(), Object::Pod(_))
                }
                _ => true,
            });
            let about = ("ReplicaSet".to_owned(), "probe-00001-deployment-6dc58bb8f9".to_owned());
            let event = KubeEvent {
                id: Id {
                    namespace: "default".to_owned(),
                    name: "q".to_owned(),
                    uid: "q".to_owned(),
                },
                about,
                level: "Warning".to_owned(),
                reason: "FailedCreate".to_owned(),
                message: "pods \"x\" is forbidden: exceeded quota: pods".to_owned(),
                count: 1,
                last: None,
            };
            let deployment = Deployment {
                id: Id {
                    namespace: "default".to_owned(),
                    name: "probe-00001-deployment".to_owned(),
                    uid: "d".to_owned(),
                },
                revision: Some("probe-00001".to_owned()),
                replica_failure: Condition {
                    status: Status::True,
                    message: event.message.clone(),
                    ..Condition::default()
                },
                ..Deployment::default()
            };
            // Either of them tells it.
            let told =
                if n % 2 == 0 { Object::Event(event) } else { Object::Deployment(deployment) };
            events.push((late(n, at), Event::Seen(Box::new(told))));
        },
        |cause| cause == Cause::Pods(PodTrouble::Quota),
    ),
    (
        "unschedulable",
        24,
        |events, _, _| waits(events, "Unschedulable"),
        |cause| cause == Cause::Pods(PodTrouble::Unschedulable),
    ),
    (
        "image pull",
        24,
        |events, n, _| waits(events, ["ErrImagePull", "ImagePullBackOff"][n % 2]),
        |cause| cause == Cause::Pods(PodTrouble::ImagePull),
    ),
    (
        "max-scale",
        0,
        |events, n, _| {
            let most = u32::try_from(n % 5).unwrap() + 3;
            for (_, event) in events {
                if let Event::Seen(object) = event
                    && let Object::PodAutoscaler(autoscaler) = object.as_mut()
                {
                    autoscaler.annotations.insert("max-scale".to_owned(), most.to_string());
                    autoscaler.desired = autoscaler.desired.map(|desired| desired.min(most));
                }
            }
        },
        |cause| matches!(cause, Cause::MaxScale(_)),
    ),
    (
        "config changed",
        30,
        |events, n, at| {
            let id = Id {
                namespace: "knative-serving".to_owned(),
                name: "config-autoscaler".to_owned(),
                uid: "c1".to_owned(),
            };
            let key = "container-concurrency-target-percentage".to_owned();
            let data = BTreeMap::from([(key, (30 + n).to_string())]);
            let changed = Object::ConfigMap(ConfigMap { id, data });
            events.push((late(n, at), Event::Seen(Box::new(changed))));
        },
        |cause| matches!(cause, Cause::ConfigChanged(_)),
    ),
    (
        "our own input incomplete",
        24,
        |events, n, at| {
            let at = late(n, at);
            let mut kept = None;
            events.retain_mut(|(read, event)| match event {
                Event::Activator(_) => *read < at,
                Event::QueueProxy(reading) if at <= *read => {
                    // One pod still answers, and what it says is a part of what there is.
                    let pod = kept.get_or_insert_with(|| reading.pod.clone());
                    let is_kept = reading.pod == *pod;
                    if let Some(stat) = &mut reading.stat {
                        stat.average_concurrent_requests /= 4.0;
                        stat.average_proxied_concurrent_requests /= 4.0;
                    }
                    is_kept
                }
                _ => true,
            });
            let report =
                Report { state: State::Failing, ..Report::connecting("activator metrics") };
            events.push((at, Event::Source(report)));
        },
        |cause| matches!(cause, Cause::Incomplete(Incomplete::Pods { .. })),
    ),
];

fn sorted(mut events: Recorded) -> Recorded {
    events.sort_by_key(|(at, _)| *at);
    events
}

/// Each cause ten times: named in at least nine.
#[test]
fn what_parts_the_lines_is_named() {
    for (name, from, inject, is_it) in INJECTED {
        let mut n_named = 0;
        for n in 0..10 {
            let mut events = recorded();
            inject(&mut events, n, At::from_secs(*from));
            let model = model(&sorted(events));
            let mut causes = shadow(&model)
                .ticks()
                .filter(|tick| At::from_secs(*from) <= tick.at())
                .flat_map(|tick| [tick.gaps.model, tick.gaps.asked, tick.gaps.ready])
                .flatten();
            n_named += u32::from(causes.any(is_it));
        }
        println!("{name}: named in {n_named} of 10");
        assert!(9 <= n_named, "{name}: {n_named}");
    }
}

/// The same run, read at ten other phases: nobody is blamed.
#[test]
fn where_nothing_happened_nobody_is_blamed() {
    for n in 0..10u32 {
        let mut events = recorded();
        for (at, event) in &mut events {
            let shift = Duration::from_millis(47) * n;
            match event {
                Event::QueueProxy(reading) => reading.read = reading.read + shift,
                Event::Activator(reading) => reading.read = reading.read + shift,
                _ => continue,
            }
            *at = *at + shift;
        }
        let model = model(&sorted(events));
        let (mut n_ticks, mut n_incomplete) = (0, 0);
        for tick in shadow(&model).ticks() {
            n_ticks += 1;
            n_incomplete += u32::from(matches!(tick.gaps.model, Some(Cause::Incomplete(_))));
            assert!(
                matches!(tick.gaps.model, None | Some(Cause::Incomplete(Incomplete::JustBegan))),
                "{}",
                told(tick)
            );
            assert!(matches!(tick.gaps.asked, None | Some(Cause::WayToZero)), "{}", told(tick));
            assert_eq!(tick.gaps.ready, None, "{}", told(tick));
        }
        assert!(n_incomplete * 20 <= n_ticks, "{n_incomplete} of {n_ticks}");
    }
}
