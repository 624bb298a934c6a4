//! What can be held against a real Knative: run inside the rig with `RAMPSCOPE_CLUSTER=1`, a
//! service in namespace `default`, and `KUBECONFIG` set. Without that each test says so and passes.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and tell")]

use std::collections::BTreeMap;
use std::time::Duration;

use rampscope::bus::CAPACITY;
use rampscope::bus::bus;
use rampscope::clock::Clock;
use rampscope::collect::Cluster;
use rampscope::collect::ClusterOptions;
use rampscope::collect::CollectSpec;
use rampscope::collect::Collector;
use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Object;
use rampscope::event::source::Report;
use rampscope::event::source::State;
use rampscope::tasks::Supervisor;

/// Everything that the hands say of namespace `default` within `secs`; `None` without a rig.
async fn listen(secs: u64) -> Option<Vec<Stamped>> {
    if std::env::var_os("RAMPSCOPE_CLUSTER").is_none() {
        eprintln!("RAMPSCOPE_CLUSTER is not set: nothing was tried");
        return None;
    }
    let cluster = Cluster::connect(&ClusterOptions::default()).await.unwrap();
    let clock = Clock::start();
    let (sender, mut bus) = bus(CAPACITY, clock);
    let mut supervisor = Supervisor::new(sender.clone());
    let spec = CollectSpec { namespace: Some("default".to_owned()), ..CollectSpec::default() };
    let _collector = Collector::start(&mut supervisor, (sender, clock), &cluster, spec).await;
    let mut events = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(secs), async {
        while let Some(stamped) = bus.recv().await {
            events.push(stamped);
        }
    })
    .await;
    let ending = supervisor.shut_down(Duration::from_secs(5));
    let drain = async { while bus.recv().await.is_some() {} };
    let n_aborted = tokio::select! { n = ending => n, () = drain => 0 };
    assert_eq!(n_aborted, 0, "every hand ends when asked");
    Some(events)
}

fn reports(events: &[Stamped]) -> BTreeMap<&str, &Report> {
    events
        .iter()
        .filter_map(|stamped| match &stamped.event {
            Event::Source(report) => Some((report.source.as_str(), report)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn every_source_of_a_real_cluster_speaks() {
    let Some(events) = listen(12).await else { return };
    let reports = reports(&events);
    for report in reports.values() {
        eprintln!(
            "{:26} {:?} samples={} errors={} requests={} bytes={} latency={:?} {} {}",
            report.source,
            report.state,
            report.samples,
            report.errors,
            report.requests,
            report.bytes,
            report.latency,
            report.reason,
            report.remedy,
        );
    }
    let mut counts = BTreeMap::<&str, u32>::new();
    for stamped in &events {
        let name = match &stamped.event {
            Event::Autoscaler(_) => "autoscaler",
            Event::Activator(_) => "activator",
            Event::QueueProxy(reading) if reading.stat.is_some() => "stat",
            Event::QueueProxy(_) => "no stat",
            Event::Usage(_) => "usage",
            Event::AutoscalerLog(_) => "log",
            Event::Seen(object) => match &**object {
                Object::Pod(_) => "pod",
                Object::PodAutoscaler(_) => "podautoscaler",
                Object::ServerlessService(_) => "serverlessservice",
                Object::ConfigMap(_) => "configmap",
                Object::Service(_) => "service",
                Object::Revision(_) => "revision",
                Object::Deployment(_) => "deployment",
                Object::Event(_) => "event",
            },
            _ => "other",
        };
        *counts.entry(name).or_default() += 1;
    }
    eprintln!("{counts:?}");
    for source in reports.values().filter(|report| report.source.starts_with("watch ")) {
        assert_eq!((source.state, source.errors), (State::Ok, 0), "{source:?}");
    }
    for kind in ["pod", "podautoscaler", "serverlessservice", "service", "revision", "deployment"] {
        assert!(counts.contains_key(kind), "no {kind}");
    }
    assert_eq!(counts.get("configmap"), Some(&2));
    assert_eq!(reports["autoscaler leases"].state, State::Ok);
    // With metrics the autoscaler speaks, without them its log does.
    match reports["autoscaler metrics"].state {
        State::Ok => assert!(counts["autoscaler"] >= 8),
        State::Absent => assert_eq!(reports["autoscaler log"].state, State::Ok),
        other => panic!("autoscaler metrics are {other:?}"),
    }
}

#[tokio::test]
async fn the_owner_of_a_revision_is_known() {
    let Some(events) = listen(5).await else { return };
    for stamped in &events {
        if let Event::Autoscaler(reading) = &stamped.event
            && stamped.at.as_secs_f64() > 2.0
        {
            assert_eq!(reading.owner, Some(true), "{reading:?}");
        }
    }
}
