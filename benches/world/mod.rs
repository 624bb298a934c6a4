//! A world of pods, as events.

use std::time::Duration;

use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Id;
use rampscope::event::cluster::Kind;
use rampscope::event::cluster::Name;
use rampscope::event::cluster::Object;
use rampscope::event::cluster::Phase;
use rampscope::event::cluster::Pod;
use rampscope::event::cluster::Revision;
use rampscope::event::scaler::Autoscaler;
use rampscope::event::scaler::QueueProxy;
use rampscope::event::scaler::Stat;
use rampscope::event::traffic::Interval;
use rampscope::series::LatencyHistogram;
use rampscope::units::At;

/// One revision with so many pods, watched, scraped and under load: all events of its first
/// seconds, in order, `also` at their beginning.
pub(crate) fn world(n_pods: u32, secs: u64, also: Vec<Event>) -> Vec<Stamped> {
    let mut events = first(n_pods);
    events.extend(also.into_iter().map(|event| (At::ZERO, event)));
    for sec in 1..=secs {
        events.extend(second(n_pods, sec));
    }
    stamped(events)
}

/// In their order, from zero on.
fn stamped(events: Vec<(At, Event)>) -> Vec<Stamped> {
    (0..).zip(events).map(|(seq, (at, event))| Stamped { seq, at, event }).collect()
}

fn name(name: &str) -> Name {
    Name { namespace: "default".to_owned(), name: name.to_owned() }
}

fn id(name: &str) -> Id {
    Id { namespace: "default".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") }
}

fn pod_name(pod_idx: u32) -> String {
    format!("hello-00001-deployment-{pod_idx:05}")
}

/// What is there when the run begins.
pub(crate) fn first(n_pods: u32) -> Vec<(At, Event)> {
    let revision = Revision {
        id: id("hello-00001"),
        service: Some("hello".to_owned()),
        ..Revision::default()
    };
    let mut events = vec![Event::Seen(Box::new(Object::Revision(revision)))];
    events.push(Event::Listing(Kind::Pod));
    events.extend((0..n_pods).map(|pod_idx| {
        Event::Seen(Box::new(Object::Pod(Pod {
            id: id(&pod_name(pod_idx)),
            revision: Some("hello-00001".to_owned()),
            service: Some("hello".to_owned()),
            phase: Phase::Running,
            ready: true,
            ..Pod::default()
        })))
    }));
    events.push(Event::Listed(Kind::Pod));
    events.into_iter().map(|event| (At::ZERO, event)).collect()
}

/// What one second brings: an autoscaler's reading, one of each pod, two intervals of load.
pub(crate) fn second(n_pods: u32, sec: u64) -> Vec<(At, Event)> {
    let at = At::from_secs(sec);
    let wave = 1.0 + (f64::from(u32::try_from(sec % 60).unwrap_or(0)) / 10.0).sin() / 2.0;
    let concurrency = f64::from(n_pods) * 7.0 * wave;
    let mut events = vec![Event::Autoscaler(Box::new(Autoscaler {
        revision: name("hello-00001"),
        pod: "autoscaler-1".to_owned(),
        read: at,
        desired: Some(f64::from(n_pods)),
        requested: Some(f64::from(n_pods)),
        actual: Some(f64::from(n_pods)),
        panic: Some(sec % 120 < 30),
        stable_concurrency: Some(concurrency),
        panic_concurrency: Some(concurrency * wave),
        target_concurrency: Some(7.0),
        excess_burst_capacity: Some(-100.0),
        ..Autoscaler::default()
    }))];
    events.extend((0..n_pods).map(|pod_idx| {
        let stat = Stat { average_concurrent_requests: 7.0 * wave, ..Stat::default() };
        Event::QueueProxy(QueueProxy {
            pod: name(&pod_name(pod_idx)),
            read: at,
            stat: Some(stat),
            ..QueueProxy::default()
        })
    }));
    let mut felt = LatencyHistogram::default();
    for request in 1..=1000u32 {
        let spread = Duration::from_micros(u64::from(request * request / 4));
        felt.record(Duration::from_millis(100) + spread.mul_f64(wave));
    }
    let felt = felt.encode();
    events.extend((0..2).map(|half| {
        Event::Traffic(Box::new(Interval {
            began: At::from_millis(sec * 1000 - 1000 + half * 500),
            lasted: Duration::from_millis(500),
            target: 2000.0,
            offered: 1000,
            sent: 1000,
            succeeded: 1000,
            in_flight: 50,
            in_flight_max: 60,
            status: std::iter::once((200, 1000)).collect(),
            response_time: Some(felt.clone()),
            service_time: Some(felt.clone()),
            send_lag: Some(felt.clone()),
            ..Interval::default()
        }))
    }));
    events.into_iter().map(|event| (at, event)).collect()
}
