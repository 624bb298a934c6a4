//! What can be held against a real Knative: run inside the rig with `RAMPSCOPE_CLUSTER=1` and
//! `KUBECONFIG` set. Without that each test says so and passes.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and tell")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;

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
use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Kind;
use rampscope::event::cluster::Name;
use rampscope::event::cluster::Object;
use rampscope::event::scaler::Autoscaler;
use rampscope::event::scaler::LogLine;
use rampscope::event::source::Report;
use rampscope::event::source::State;
use rampscope::model::Model;
use rampscope::tasks::Supervisor;
use rampscope::tui::hpa::Hpa;
use rampscope::units::UnixMicros;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

/// The rig, if we are in it.
async fn rig() -> Option<Cluster> {
    rig_changed(|kubeconfig| kubeconfig).await
}

/// The rig by a kubeconfig that was changed.
async fn rig_changed(change: impl FnOnce(String) -> String) -> Option<Cluster> {
    if std::env::var_os("RAMPSCOPE_CLUSTER").is_none() {
        eprintln!("RAMPSCOPE_CLUSTER is not set: nothing was tried");
        return None;
    }
    service();
    let own = std::fs::read_to_string(std::env::var_os("KUBECONFIG").unwrap()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), change(own)).unwrap();
    let kubeconfig = Some(file.path().to_owned());
    Some(Cluster::connect(&ClusterOptions { kubeconfig, ..Default::default() }).await.unwrap())
}

/// A service that panics soon, made once for all tests.
fn service() {
    static MADE: Once = Once::new();
    MADE.call_once(|| {
        let manifest = "\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello, namespace: default}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/target: '10'
        autoscaling.knative.dev/window: 20s
        autoscaling.knative.dev/max-scale: '12'
        client.knative.dev/rig: 'true'
    spec: {containers: [{image: 'rig.local/app:v1'}]}
";
        let mut apply = Command::new("kubectl")
            .args(["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        apply.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
        assert!(apply.wait().unwrap().success());
        let wait = ["wait", "ksvc/hello", "--for=condition=Ready", "--timeout=120s"];
        assert!(Command::new("kubectl").args(wait).status().unwrap().success());
    });
}

/// Everything that the hands say of namespace `default` within `secs`; `None` without a rig.
async fn listen(secs: u64, autoscaler_url: Option<&str>) -> Option<Vec<Stamped>> {
    Some(listen_to(&rig().await?, secs, autoscaler_url).await)
}

async fn listen_to(cluster: &Cluster, secs: u64, autoscaler_url: Option<&str>) -> Vec<Stamped> {
    listen_by(Clock::start(), cluster, secs, autoscaler_url).await
}

async fn listen_by(
    clock: Clock,
    cluster: &Cluster,
    secs: u64,
    autoscaler_url: Option<&str>,
) -> Vec<Stamped> {
    let (sender, mut bus) = bus(CAPACITY, clock);
    let mut supervisor = Supervisor::new(sender.clone());
    let spec = CollectSpec {
        namespace: Some("default".to_owned()),
        autoscaler_url: autoscaler_url.map(str::to_owned),
        ..CollectSpec::default()
    };
    let _collector = Collector::start(&mut supervisor, (sender, clock), cluster, spec).await;
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
    events
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
    let Some(events) = listen(12, None).await else { return };
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
                Object::HorizontalPodAutoscaler(_) => "horizontalpodautoscaler",
                Object::ScaledObject(_) => "scaledobject",
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
    let Some(events) = listen(5, None).await else { return };
    for stamped in &events {
        if let Event::Autoscaler(reading) = &stamped.event
            && stamped.at.as_secs_f64() > 2.0
        {
            assert_eq!(reading.owner, Some(true), "{reading:?}");
        }
    }
}

#[tokio::test]
async fn without_metrics_the_log_is_followed() {
    // Nothing listens there, so the metrics are silent whatever the rig exports.
    let Some(events) = listen(14, Some("http://127.0.0.1:1")).await else { return };
    let reports = reports(&events);
    assert_eq!(reports["autoscaler metrics"].state, State::Failing);
    let log = reports["autoscaler log"];
    assert_eq!((log.state, log.errors), (State::Ok, 0), "{log:?}");
    let lines: Vec<_> = events
        .iter()
        .filter_map(|stamped| match &stamped.event {
            Event::AutoscalerLog(line) => Some(line),
            _ => None,
        })
        .collect();
    assert_eq!(lines[0].line, LogLine::FollowBegan);
    for line in lines {
        if !matches!(line.line, LogLine::PaScale { .. }) {
            eprintln!("{} {} {:?}", line.written, line.revision.name, line.line);
        }
    }
}

#[tokio::test]
async fn panic_by_the_metrics_is_panic_by_the_log() {
    let Some(cluster) = rig().await else { return };
    let clock = Clock::start();
    let (by_metrics, by_log) = tokio::join!(
        listen_by(clock, &cluster, 45, None),
        listen_by(clock, &cluster, 45, Some("http://127.0.0.1:1")),
    );
    // Of each revision: whether it panics, and since when by the wall clock, in seconds.
    let mut edges = BTreeMap::<Name, Vec<(bool, f64)>>::new();
    let mut last = BTreeMap::<Name, bool>::new();
    for one in &by_metrics {
        if let Event::Autoscaler(reading) = &one.event
            && let Some(is_panic) = reading.panic
            && last.insert(reading.revision.clone(), is_panic).is_some_and(|was| was != is_panic)
        {
            let at = clock.anchor().wall(reading.read);
            edges.entry(reading.revision.clone()).or_default().push((is_panic, seconds(at)));
        }
    }
    let mut written = BTreeMap::<Name, Vec<(bool, f64)>>::new();
    for one in &by_log {
        if let Event::AutoscalerLog(line) = &one.event
            && let LogLine::Panicking | LogLine::UnPanicking = line.line
            && seconds(clock.anchor().0) < seconds(line.written)
        {
            let edge = (line.line == LogLine::Panicking, seconds(line.written));
            written.entry(line.revision.clone()).or_default().push(edge);
        }
    }
    eprintln!("edges by metrics {edges:?}\nedges by the log {written:?}");
    for (revision, edges) in &edges {
        for (is_panic, at) in edges {
            // A reading comes within its interval of a second, and an answer takes a moment.
            let is_told = written[revision]
                .iter()
                .any(|(told, when)| told == is_panic && (-0.1..2.0).contains(&(at - when)));
            assert!(is_told, "{revision:?} {is_panic} at {at}");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit")]
fn seconds(at: UnixMicros) -> f64 {
    at.0 as f64 / 1e6
}

#[tokio::test]
async fn the_doctor_finds_what_there_is() {
    let Some(cluster) = rig().await else { return };
    let findings = examine(&cluster, Some("default"), "knative-serving", Clock::start()).await;
    for finding in &findings {
        eprintln!("{:?} {}: {} {}", finding.verdict, finding.name, finding.detail, finding.remedy);
    }
    assert!(findings.iter().all(|finding| finding.verdict != Verdict::Bad));
    let rights = findings.iter().filter(|finding| finding.name.starts_with("may "));
    assert!(rights.into_iter().all(|finding| finding.verdict == Verdict::Good));
}

#[tokio::test]
async fn a_service_has_an_address() {
    let Some(cluster) = rig().await else { return };
    let Some(events) = listen(3, None).await else { return };
    let service = events.iter().find_map(|stamped| match &stamped.event {
        Event::Seen(object) => match &**object {
            Object::Service(service) => Some(service.id.name.clone()),
            _ => None,
        },
        _ => None,
    });
    let name = service.unwrap();
    let target = find_target(&cluster, ("default", &name), None).await.unwrap();
    eprintln!("{target:?}");
    assert_eq!(target.url, "http://10.244.0.1");
    assert_eq!(target.host, Some(format!("{name}.default.rig.test")));
}

#[tokio::test]
async fn a_person_without_rights_is_told_which() {
    let as_nobody = |kubeconfig: String| {
        kubeconfig.replace("user: {client-certificate", "user: {as: nobody, client-certificate")
    };
    let Some(cluster) = rig_changed(as_nobody).await else { return };
    let events = listen_to(&cluster, 8, None).await;
    for report in reports(&events).values() {
        eprintln!("{:26} {:?} {} | {}", report.source, report.state, report.reason, report.remedy);
        assert_eq!(report.state, State::Denied, "{report:?}");
    }
    let findings = examine(&cluster, Some("default"), "knative-serving", Clock::start()).await;
    let rights: Vec<_> = findings.iter().filter(|one| one.name.starts_with("may ")).collect();
    assert!(rights.iter().all(|one| one.verdict == Verdict::Poor && !one.remedy.is_empty()));
}

/// Forwards connections to the API server; dropping the handle cuts them all.
async fn forward(listener: &TcpListener, server: &str) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let server = server.to_owned();
        connections.spawn(async move {
            let Ok(mut far) = TcpStream::connect(server).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

#[tokio::test]
async fn an_api_server_gone_for_ten_seconds_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let forwarded = move |kubeconfig: String| {
        let by_us = format!("server: \"https://{address}\", tls-server-name: 10.244.0.1");
        kubeconfig.replace("server: \"https://10.244.0.1:6443\"", &by_us)
    };
    // The client can be made before anything listens.
    let Some(cluster) = rig_changed(forwarded).await else { return };
    let server = "10.244.0.1:6443";
    let outage = async {
        let _ = tokio::time::timeout(Duration::from_secs(6), forward(&listener, server)).await;
        drop(listener);
        tokio::time::sleep(Duration::from_secs(10)).await;
        forward(&TcpListener::bind(address).await.unwrap(), server).await;
    };
    let events = tokio::select! {
        events = listen_to(&cluster, 26, None) => events,
        () = outage => unreachable!("it forwards for ever"),
    };
    let failed_at: Vec<_> = events
        .iter()
        .filter(|one| matches!(&one.event, Event::Source(report) if report.state == State::Failing))
        .map(|one| one.at.as_secs_f64())
        .collect();
    assert!(!failed_at.is_empty(), "the outage was noticed");
    let back_at = events
        .iter()
        .filter(|one| matches!(one.event, Event::Autoscaler(_)))
        .map(|one| one.at.as_secs_f64())
        .find(|at| *at > 12.0);
    eprintln!("failing from {:?}, first reading after it {back_at:?}", failed_at.first());
    for report in reports(&events).values() {
        eprintln!("{:26} {:?} errors={}", report.source, report.state, report.errors);
        assert_eq!(report.state, State::Ok, "{report:?}");
    }
    let mut seen = BTreeMap::<String, u32>::new();
    for one in &events {
        if let Event::Seen(object) = &one.event
            && let Object::Service(service) = &**object
        {
            *seen.entry(service.id.uid.clone()).or_default() += 1;
        }
        assert!(!matches!(&one.event, Event::Gone(gone) if gone.kind == Kind::Service));
    }
    assert!(!seen.is_empty() && seen.values().all(|n| *n == 1), "none twice: {seen:?}");
}

/// A short panic on the real screen, with snapshots; `tests/rig/check_snapshots.py`, which shares
/// no code with us, holds each value of them against the raw readings of the rig's own record, and
/// our panics against the autoscaler's log lines.
#[tokio::test]
async fn what_is_shown_is_what_the_cluster_says() {
    const SCENARIO: &str = "\
name: short
about: A short panic.
target: {service: hello, connections: 64}
request: {method: GET, path: \"/?sleep=100\", timeout: 30s}
load:
  arrivals: poisson
  seed: 7
  stages:
    - {name: calm, for: 8s, at: 20/s}
    - {name: burst, for: 10s, at: 300/s}
    - {name: calm again, for: 34s, at: 5/s}
checks: [errors < 50%]
";
    if rig().await.is_none() {
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rig = std::env::var_os("RAMPSCOPE_RIG")
        .map_or_else(|| here.join("../shared/rig/rig"), |rig| here.join(rig));
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("short.yaml");
    std::fs::write(&scenario, SCENARIO).unwrap();
    let truth = Command::new("python3")
        .arg(here.join("tests/rig/truth.py"))
        .arg("--binary")
        .arg(env!("CARGO_BIN_EXE_rampscope"))
        .arg("--record-py")
        .arg(rig.with_file_name("record.py"))
        .arg("--out")
        .arg(folder.path())
        .args(["--at", "4 10 13 18 26 34 44 50", "--seconds", "55", "--", "run"])
        .arg(&scenario)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&truth.stdout);
    eprintln!("{said}{}", String::from_utf8_lossy(&truth.stderr));
    assert!(truth.status.success(), "a value that is not true");
    let summary = std::fs::read(folder.path().join("run/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_ne!(summary["scaling"]["panics"], serde_json::json!([]), "it was to panic");
}

/// What the hands say into a model, for so long.
async fn take_in(bus: &mut rampscope::bus::Bus, model: &mut Model, span: Duration) {
    let _ = tokio::time::timeout(span, async {
        while let Some(stamped) = bus.recv().await {
            model.apply(&stamped);
        }
    })
    .await;
}

/// Hands at work in namespace `default`, as `change` wants them.
async fn hands(
    cluster: &Cluster,
    change: impl FnOnce(&mut CollectSpec),
) -> (rampscope::bus::Bus, Supervisor, Collector) {
    let clock = Clock::start();
    let (sender, bus) = bus(CAPACITY, clock);
    let mut supervisor = Supervisor::new(sender.clone());
    let mut spec = CollectSpec { namespace: Some("default".to_owned()), ..CollectSpec::default() };
    change(&mut spec);
    let collector = Collector::start(&mut supervisor, (sender, clock), cluster, spec).await;
    (bus, supervisor, collector)
}

/// A load on a service of the rig, until dropped.
struct Load(std::process::Child);

impl Load {
    fn on(service: &str, query: &str, users: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_rampscope"))
            .args(["load", &format!("http://10.244.0.1/?{query}"), "--headless", "-c", users])
            .args(["-z", "180s", "--host", &format!("{service}.default.rig.test")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `kubectl get hpa`'s TARGETS, MINPODS, MAXPODS and REPLICAS.
fn kubectl_row(name: &str) -> String {
    let get = ["get", "hpa", name, "-n", "default", "--no-headers"];
    let output = Command::new("kubectl").args(get).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<_> = text.split_whitespace().collect();
    // Between the reference and the age.
    words.get(2..words.len().saturating_sub(1)).unwrap_or_default().join(" ")
}

/// A service of class hpa by CPU, up and down: ten looks, each against `kubectl get hpa`.
#[tokio::test]
async fn rows_of_a_horizontal_autoscaler_are_those_of_kubectl() {
    let Some(cluster) = rig().await else { return };
    let manifest = "\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: by-cpu, namespace: default}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/class: hpa.autoscaling.knative.dev
        autoscaling.knative.dev/metric: cpu
        autoscaling.knative.dev/target: '50'
        autoscaling.knative.dev/min-scale: '1'
        autoscaling.knative.dev/max-scale: '5'
        autoscaling.knative.dev/window: 20s
        client.knative.dev/rig: 'true'
    spec:
      containers:
      - image: 'rig.local/app:v1'
        resources: {requests: {cpu: 50m}}
";
    let mut apply =
        Command::new("kubectl").args(["apply", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    apply.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
    assert!(apply.wait().unwrap().success());
    let wait = ["wait", "ksvc/by-cpu", "--for=condition=Ready", "--timeout=120s"];
    assert!(Command::new("kubectl").args(wait).status().unwrap().success());
    let revision = Name { namespace: "default".to_owned(), name: "by-cpu-00001".to_owned() };
    let (mut bus, supervisor, _collector) = hands(&cluster, |_| {}).await;
    let mut model = Model::default();
    take_in(&mut bus, &mut model, Duration::from_secs(12)).await;
    let mut load = Some(Load::on("by-cpu", "cpu=20", "3"));
    let mut n_equal = 0;
    for look in 0..10 {
        take_in(&mut bus, &mut model, Duration::from_secs(7)).await;
        if look == 5 {
            load = None;
        }
        let mut rows = (String::new(), String::new());
        // The status may change between our look and kubectl's.
        for _ in 0..4 {
            take_in(&mut bus, &mut model, Duration::from_millis(300)).await;
            let theirs = kubectl_row(&revision.name);
            let ours = Hpa::of(&model, (model.now, true), &revision).unwrap();
            let whole = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
            let current = ours.current.map_or_else(String::new, |n| format!("{n:.0}"));
            let (min, max) = (whole(ours.min), whole(ours.max));
            rows = (format!("{} {min} {max} {current}", ours.targets()), theirs);
            if rows.0 == rows.1 {
                break;
            }
        }
        n_equal += u32::from(rows.0 == rows.1);
        let ours = Hpa::of(&model, (model.now, true), &revision).unwrap();
        eprintln!(
            "{:6.1} s  {} {:24} ours {} | kubectl {} | wanted {:?} desired {:?}",
            model.now.as_secs_f64(),
            ours.state.word(),
            ours.outlook(),
            rows.0,
            rows.1,
            ours.wanted,
            ours.desired,
        );
    }
    drop(load);
    supervisor.shut_down(Duration::from_secs(5)).await;
    let delete = ["delete", "ksvc", "by-cpu", "-n", "default", "--wait=false"];
    assert!(Command::new("kubectl").args(delete).status().unwrap().success());
    assert_eq!(n_equal, 10, "of ten rows");
}

/// The rig's Prometheus, which scrapes each two seconds, against our own scrapes each second: what
/// it says of a moment is what one of the scrapes around that moment said.
#[tokio::test]
async fn a_prometheus_server_says_what_a_scrape_says() {
    let Some(cluster) = rig().await else { return };
    let url = "http://10.244.0.1:9090";
    if reqwest::get(format!("{url}/-/ready")).await.is_err() {
        eprintln!("the rig has no Prometheus: nothing was tried");
        return;
    }
    let (mut direct, direct_hands, _a) = hands(&cluster, |_| {}).await;
    let (mut served, served_hands, _b) =
        hands(&cluster, |spec| spec.prometheus = Some(url.to_owned())).await;
    let mut readings = (Vec::new(), Vec::new());
    let mut sources = Vec::new();
    let load = Load::on("hello", "sleep=100", "60");
    let _ = tokio::time::timeout(Duration::from_secs(70), async {
        loop {
            tokio::select! {
                Some(stamped) = direct.recv() => if let Event::Autoscaler(it) = stamped.event {
                    readings.0.push(it);
                },
                Some(stamped) = served.recv() => match stamped.event {
                    Event::Autoscaler(it) => readings.1.push(it),
                    Event::Source(report) if report.source == "prometheus" => sources.push(report),
                    _ => {}
                },
            }
        }
    })
    .await;
    drop(load);
    let told = |it: &Autoscaler| {
        (
            it.panic,
            it.desired,
            it.stable_concurrency,
            it.panic_concurrency,
            it.excess_burst_capacity,
        )
    };
    let of_hello: Vec<_> =
        readings.1.iter().filter(|it| it.revision.name == "hello-00001").collect();
    let is_same = |it: &Autoscaler| {
        readings.0.iter().any(|direct| {
            let apart = direct.read.as_secs_f64() - it.read.as_secs_f64();
            direct.revision == it.revision && apart.abs() < 1.6 && told(direct) == told(it)
        })
    };
    let n_same = of_hello.iter().filter(|it| is_same(it)).count();
    let n_panic = of_hello.iter().filter(|it| it.panic == Some(true)).count();
    eprintln!("{n_same} of {} readings are those of a scrape, {n_panic} in panic", of_hello.len());
    eprintln!("{:?}", sources.last());
    direct_hands.shut_down(Duration::from_secs(5)).await;
    served_hands.shut_down(Duration::from_secs(5)).await;
    assert!(25 < of_hello.len() && n_same == of_hello.len());
}
