//! Pictures of the screen, drawn from a recorded panic and compared with those in `screenshots/`.
//!
//! The cluster's side is a real Knative 1.23 (`fixtures/panic.events.jsonl`: watches, the
//! autoscaler's own metrics, queue-proxies); the load that met it is recreated here, with real
//! histograms. `UPDATE_SCREENSHOTS=1 cargo test --test screens` writes the pictures anew: look at
//! them before committing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use serde::Deserialize;

use rampscope::app::frame::encode;
use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Condition;
use rampscope::event::cluster::Gone;
use rampscope::event::cluster::Id;
use rampscope::event::cluster::Kind;
use rampscope::event::cluster::Object;
use rampscope::event::cluster::Status;
use rampscope::event::hpa;
use rampscope::event::run::Began;
use rampscope::event::run::By;
use rampscope::event::run::Control;
use rampscope::event::run::Executor;
use rampscope::event::run::Mode;
use rampscope::event::run::PlannedStage;
use rampscope::event::run::Stage;
use rampscope::event::scaler::Origin;
use rampscope::event::source::Report;
use rampscope::event::source::State;
use rampscope::event::traffic::ClientHealth;
use rampscope::event::traffic::Interval;
use rampscope::event::traffic::Limit;
use rampscope::event::traffic::Phases;
use rampscope::event::traffic::Split;
use rampscope::export::Palette;
use rampscope::export::Rgb;
use rampscope::export::svg;
use rampscope::model::Model;
use rampscope::series::LatencyHistogram;
use rampscope::tui::Action;
use rampscope::tui::Charset;
use rampscope::tui::Depth;
use rampscope::tui::Session;
use rampscope::tui::Theme;
use rampscope::tui::Ui;
use rampscope::tui::View;
use rampscope::tui::draw_buffer;
use rampscope::tui::theme::Role;
use rampscope::units::Anchor;
use rampscope::units::At;
use rampscope::units::UnixMicros;

/// When the recording began: 2026-11-22T07:19:01.5Z.
const ANCHOR: Anchor = Anchor(UnixMicros(1_795_331_941_500_000));
/// The moment of most pictures: in the middle of the panic.
const MOMENT: u64 = 45;

// What is recorded, and what is recreated.

#[derive(Deserialize)]
struct Line {
    at: At,
    event: Event,
}

fn recorded() -> Vec<(At, Event)> {
    static RECORDED: LazyLock<Vec<(At, Event)>> = LazyLock::new(|| {
        include_str!("fixtures/panic.events.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .map(|line: Line| (line.at, line.event))
            .collect()
    });
    RECORDED.clone()
}

fn stages() -> Vec<PlannedStage> {
    [("calm", 20, 40.0), ("burst", 25, 545.0), ("silence", 60, 0.0)]
        .into_iter()
        .map(|(name, secs, rate)| PlannedStage {
            name: name.to_owned(),
            lasts: Duration::from_secs(secs),
            from: rate,
            to: rate,
            samples: Vec::new(),
        })
        .collect()
}

fn began(mode: Mode) -> Event {
    let is_watch = mode == Mode::Watch;
    Event::Began(Box::new(Began {
        name: if is_watch { "watch" } else { "panic" }.to_owned(),
        version: "0.1.0".to_owned(),
        anchor: ANCHOR,
        mode,
        context: Some("rig".to_owned()),
        namespace: Some("default".to_owned()),
        service: Some("probe".to_owned()),
        stages: if is_watch { Vec::new() } else { stages() },
        executor: if is_watch { Executor::None } else { Executor::Open },
        max_rate: Some(2725.0),
        max_in_flight: Some(1000),
        checks: Vec::new(),
        read_only: false,
    }))
}

/// A generator of numbers that are always the same.
struct Dice(u64);

impl Dice {
    /// From 0 up to but without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The load that the recording met: 40 a second from the third second on, 545 for twenty-five.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
fn recreated() -> Vec<(At, Event)> {
    const INTERVAL: Duration = Duration::from_millis(250);
    let mut dice = Dice(7);
    let mut events = Vec::new();
    for (index, (name, at)) in (0..).zip([("calm", 3_400), ("burst", 23_400), ("silence", 48_400)])
    {
        let at = At::from_millis(at);
        events.push((at, Event::Stage(Stage { index, name: name.to_owned(), at })));
    }
    let (mut due, mut backlog) = (0.0, 0.0f64);
    for tick in 0..440u64 {
        let began = At::from_millis(3_400 + tick * 250);
        let secs = began.as_secs_f64();
        let rate = match secs {
            ..23.4 => 40.0,
            23.4..48.4 => 545.0,
            _ => 0.0,
        };
        due += rate * 0.25;
        let offered = f64::floor(due);
        due -= offered;
        // One pod serves some 280 a second; eight more come two seconds later.
        let capacity = if secs < 26.2 { 70.0 } else { 180.0 };
        let done = (offered + backlog).min(capacity);
        let waited = backlog / (capacity * 4.0);
        backlog = offered + backlog - done;
        let mut felt = LatencyHistogram::default();
        let mut lag = LatencyHistogram::default();
        for _ in 0..done as u64 {
            let tail = -(1.0 - dice.next()).ln();
            let queueing = waited * dice.next().sqrt();
            felt.record(Duration::from_secs_f64(
                0.1013 + 0.004 * tail + 0.004_4 * tail.powi(2) + queueing,
            ));
            lag.record(Duration::from_secs_f64(0.000_01 + 0.000_008 * tail));
        }
        let in_flight = (done * 4.0 * 0.108 + backlog).round();
        let encoded = |it: &LatencyHistogram| (!it.is_empty()).then(|| it.encode());
        let interval = Interval {
            began,
            lasted: INTERVAL,
            target: rate,
            offered: offered as u64,
            sent: offered as u64,
            succeeded: done as u64,
            in_flight: in_flight as u64,
            in_flight_max: in_flight as u64,
            status: std::iter::once((200, done as u64)).collect(),
            response_time: encoded(&felt),
            service_time: encoded(&felt),
            send_lag: encoded(&lag),
            ..Interval::default()
        };
        events.push((began + INTERVAL, Event::Traffic(Box::new(interval))));
    }
    events
}

fn load() -> Vec<(At, Event)> {
    static LOAD: LazyLock<Vec<(At, Event)>> = LazyLock::new(recreated);
    LOAD.clone()
}

/// In one order, stamped.
fn stamped(mut events: Vec<(At, Event)>) -> Vec<Stamped> {
    events.sort_by_key(|(at, _)| *at);
    (0..).zip(events).map(|(seq, (at, event))| Stamped { seq, at, event }).collect()
}

fn run() -> &'static [Stamped] {
    static RUN: LazyLock<Vec<Stamped>> = LazyLock::new(|| {
        let mut events = vec![(At::ZERO, began(Mode::Run))];
        events.extend(recorded());
        events.extend(load());
        stamped(events)
    });
    &RUN
}

fn watched() -> &'static [Stamped] {
    static WATCHED: LazyLock<Vec<Stamped>> = LazyLock::new(|| {
        let mut events = vec![(At::ZERO, began(Mode::Watch))];
        events.extend(recorded());
        stamped(events)
    });
    &WATCHED
}

/// The run of which neither the autoscaler nor what it is fed with can be read.
fn without_inputs() -> Vec<Stamped> {
    let mut events = without_metrics();
    events.retain(|it| !matches!(it.event, Event::QueueProxy(_) | Event::Activator(_)));
    events
}

/// The run without the autoscaler's metrics, as a stock install is.
fn without_metrics() -> Vec<Stamped> {
    const SOURCE: &str = "autoscaler metrics";
    let mut events = vec![(At::ZERO, began(Mode::Run))];
    events.extend(recorded().into_iter().filter(|(_, event)| match event {
        Event::Autoscaler(_) => false,
        Event::Source(report) => report.source != SOURCE,
        _ => true,
    }));
    let report = Report {
        state: State::Absent,
        reason: "metrics are off (metrics-protocol: none)".to_owned(),
        remedy: "kubectl patch cm config-observability -n knative-serving \
                 -p '{\"data\":{\"metrics-protocol\":\"prometheus\"}}'"
            .to_owned(),
        ..Report::connecting(SOURCE)
    };
    events.push((At::from_millis(80), Event::Source(report)));
    events.extend(load());
    stamped(events)
}

/// The same run on a service that Kubernetes' own autoscaler scales by CPU.
fn by_cpu() -> Vec<Stamped> {
    let mut events = without_knatives_own();
    for (secs, percent, current, desired, limited) in [
        (4, Some(35), 1, 1, "DesiredWithinRange"),
        (26, Some(410), 1, 9, "DesiredWithinRange"),
        (41, Some(63), 9, 9, "TooManyReplicas"),
        (56, None, 9, 9, "DesiredWithinRange"),
    ] {
        let metric = hpa::Metric {
            kind: hpa::MetricKind::Resource,
            name: "cpu".to_owned(),
            target_utilization: Some(50),
            current_utilization: percent,
            ..hpa::Metric::default()
        };
        let mut autoscaler = horizontal((current, desired), metric);
        autoscaler.scaling_limited = condition(limited != "DesiredWithinRange", limited);
        if percent.is_none() {
            autoscaler.scaling_active = hpa_failed();
        }
        let object = Object::HorizontalPodAutoscaler(autoscaler);
        events.push((At::from_secs(secs), Event::Seen(Box::new(object))));
    }
    stamped(events)
}

/// The same, scaled by KEDA on a Prometheus query; after the burst its window holds the pods.
fn by_keda() -> Vec<Stamped> {
    let mut events = without_knatives_own();
    // In this story the window holds all pods: what Knative took away stays.
    events.retain(|(at, event)| {
        let is_taken_away = match event {
            Event::Gone(_) => true,
            Event::Seen(object) => !matches!(&**object, Object::ConfigMap(_)),
            _ => false,
        };
        !is_taken_away || *at < At::from_secs(50)
    });
    let scaled = hpa::ScaledObject {
        id: identity("probe"),
        target: ("Deployment".to_owned(), "probe-00001-deployment".to_owned()),
        min_replica_count: Some(1),
        max_replica_count: Some(12),
        fallback: Some(hpa::Fallback {
            failure_threshold: 3,
            replicas: 4,
            behavior: String::new(),
        }),
        triggers: vec![hpa::Trigger {
            kind: "prometheus".to_owned(),
            query: "sum(rate(http_requests_total{service=\"probe\"}[1m]))".to_owned(),
            server: "http://prometheus-operated.monitoring:9090".to_owned(),
            threshold: "5".to_owned(),
            activation: "2".to_owned(),
            ..hpa::Trigger::default()
        }],
        ready: condition(true, "ScaledObjectReady"),
        active: condition(true, "ScalerActive"),
        falls_back: condition(false, "NoFallbackFound"),
        last_active: Some(ANCHOR.wall(At::from_secs(55))),
        ..hpa::ScaledObject::default()
    };
    events.push((At::from_millis(40), Event::Seen(Box::new(Object::ScaledObject(scaled)))));
    for (secs, average, current, desired) in
        [(4, "402m", 1, 1), (26, "41", 1, 9), (41, "4907m", 9, 9), (56, "33m", 9, 9)]
    {
        let amount = |text: &str| Some(hpa::Amount(text.to_owned()));
        let metric = hpa::Metric {
            kind: hpa::MetricKind::External,
            name: "s0-prometheus".to_owned(),
            target_average: amount("5"),
            current_average: amount(average),
            ..hpa::Metric::default()
        };
        let mut autoscaler = horizontal((current, desired), metric);
        autoscaler.max_replicas = Some(12);
        autoscaler.scaled_object = Some("probe".to_owned());
        if 50 < secs {
            autoscaler.able_to_scale = condition(true, "ScaleDownStabilized");
        }
        let object = Object::HorizontalPodAutoscaler(autoscaler);
        events.push((At::from_secs(secs), Event::Seen(Box::new(object))));
    }
    stamped(events)
}

/// The recording, as if its revision were of class hpa: what only Knative's own autoscaler says is
/// not there.
fn without_knatives_own() -> Vec<(At, Event)> {
    let mut events = vec![(At::ZERO, began(Mode::Run))];
    events.extend(recorded().into_iter().filter_map(|(at, mut event)| {
        if let Event::Seen(object) = &mut event
            && let Object::PodAutoscaler(autoscaler) = &mut **object
        {
            "hpa.autoscaling.knative.dev".clone_into(&mut autoscaler.class);
        }
        let is_own = matches!(&event, Event::Autoscaler(_) | Event::Activator(_));
        (!is_own).then_some((at, event))
    }));
    events.extend(load());
    events
}

fn identity(name: &str) -> Id {
    Id { namespace: "default".to_owned(), name: name.to_owned(), uid: name.to_owned() }
}

fn condition(is_true: bool, reason: &str) -> Condition {
    Condition {
        status: if is_true { Status::True } else { Status::False },
        reason: reason.to_owned(),
        ..Condition::default()
    }
}

fn hpa_failed() -> Condition {
    let message = "the HPA was unable to compute the replica count: failed to get cpu utilization";
    Condition { message: message.to_owned(), ..condition(false, "FailedGetResourceMetric") }
}

fn horizontal(replicas: (u32, u32), metric: hpa::Metric) -> hpa::HorizontalPodAutoscaler {
    hpa::HorizontalPodAutoscaler {
        id: identity("probe-00001"),
        target: ("Deployment".to_owned(), "probe-00001-deployment".to_owned()),
        min_replicas: Some(1),
        max_replicas: Some(9),
        metrics: vec![metric],
        behavior: Some(hpa::Behavior {
            scale_up: Some(hpa::Rules {
                policies: vec![("Percent".to_owned(), 900, 15)],
                ..hpa::Rules::default()
            }),
            scale_down: Some(hpa::Rules { window_s: Some(60), ..hpa::Rules::default() }),
        }),
        current_replicas: Some(replicas.0),
        desired_replicas: Some(replicas.1),
        able_to_scale: condition(true, "ReadyForNewScale"),
        scaling_active: condition(true, "ValidMetricFound"),
        scaling_limited: condition(false, "DesiredWithinRange"),
        ..hpa::HorizontalPodAutoscaler::default()
    }
}

/// A run of which the sources just begin to answer.
fn starting() -> Vec<Stamped> {
    let ok = |source: &str, millis: u64| Report {
        state: State::Ok,
        latency: Some(Duration::from_millis(millis)),
        ..Report::connecting(source)
    };
    let absent = Report {
        state: State::Absent,
        reason: "off in config-observability: panic from log lines instead".to_owned(),
        remedy: "kubectl patch cm config-observability -n knative-serving --type merge \
                 -p '{\"data\":{\"metrics-protocol\":\"prometheus\"}}'"
            .to_owned(),
        ..Report::connecting("autoscaler metrics")
    };
    let denied = Report {
        state: State::Denied,
        reason: "pods.metrics.k8s.io is forbidden for user dev".to_owned(),
        remedy: "kubectl create clusterrolebinding …".to_owned(),
        ..Report::connecting("metrics.k8s.io")
    };
    let reports = [
        ok("API", 12),
        ok("watch pods", 31),
        absent,
        denied,
        Report::connecting("activator metrics"),
    ];
    let mut events = vec![(At::ZERO, began(Mode::Run))];
    events.extend(reports.map(|report| (At::from_millis(90), Event::Source(report))));
    stamped(events)
}

/// Several services, one of them split between two revisions.
fn many_services() -> Vec<Stamped> {
    use rampscope::event::cluster::Service;
    use rampscope::event::cluster::Traffic;
    let mut events = vec![(At::ZERO, began(Mode::Watch))];
    let service = |name: &str, split: &[(&str, u32)], is_ready: bool| {
        let id =
            Id { namespace: "default".to_owned(), name: name.to_owned(), uid: name.to_owned() };
        let ready = Condition {
            status: if is_ready { Status::True } else { Status::False },
            reason: if is_ready { "" } else { "RevisionMissing" }.to_owned(),
            ..Condition::default()
        };
        let traffic = split
            .iter()
            .map(|(revision, percent)| Traffic {
                revision: format!("{name}-{revision}"),
                percent: Some(*percent),
                ..Traffic::default()
            })
            .collect();
        let service = Service { id, ready, traffic, ..Service::default() };
        (At::from_millis(30), Event::Seen(Box::new(Object::Service(service))))
    };
    events.push(service("checkout", &[("00007", 90), ("00008", 10)], true));
    events.push(service("image-resizer", &[("00003", 100)], true));
    events.push(service("mailer", &[], false));
    events.push(service("検索サービス", &[("00001", 100)], true));
    events.extend(recorded());
    stamped(events)
}

/// The recorded run, with a tenth of the traffic on a second revision that stays calm.
fn split() -> Vec<Stamped> {
    use rampscope::event::cluster::Service;
    use rampscope::event::cluster::Traffic;
    let other = |event: &Event| -> Event {
        let text = serde_json::to_string(event).unwrap();
        // Another revision, and other pods.
        let text = text.replace("probe-00001", "probe-00002").replace("\"uid\":\"", "\"uid\":\"b");
        serde_json::from_str(&text).unwrap()
    };
    let mut events = vec![(At::ZERO, began(Mode::Run))];
    let is_early = |at: At| at < At::from_secs(2);
    for (at, event) in recorded() {
        match &event {
            Event::Seen(object) => match &**object {
                Object::Service(service) => {
                    let part = |revision: &str, percent| Traffic {
                        revision: revision.to_owned(),
                        percent: Some(percent),
                        // As a canary is rolled out: both are named.
                        is_latest: Some(false),
                        ..Traffic::default()
                    };
                    let traffic = vec![part("probe-00001", 90), part("probe-00002", 10)];
                    let split = Service { traffic, ..service.clone() };
                    events.push((at, Event::Seen(Box::new(Object::Service(split)))));
                    continue;
                }
                Object::Pod(_) | Object::Revision(_) if is_early(at) => {
                    events.push((at, other(&event)));
                }
                Object::PodAutoscaler(_) if is_early(at) => {
                    if let Event::Seen(object) = other(&event)
                        && let Object::PodAutoscaler(mut scaler) = *object
                    {
                        scaler.desired = Some(1);
                        events.push((at, Event::Seen(Box::new(Object::PodAutoscaler(scaler)))));
                    }
                }
                _ => {}
            },
            Event::Autoscaler(_) => {
                if let Event::Autoscaler(mut reading) = other(&event) {
                    reading.panic = Some(false);
                    reading.panic_concurrency = reading.panic_concurrency.map(|it| it / 50.0);
                    reading.stable_concurrency = reading.stable_concurrency.map(|it| it / 50.0);
                    reading.actual = Some(1.0);
                    reading.desired = Some(1.0);
                    events.push((at, Event::Autoscaler(reading)));
                }
            }
            _ => {}
        }
        events.push((at, event));
    }
    events.extend(load());
    stamped(events)
}

fn model_of(events: &[Stamped], until: At) -> Model {
    let mut model = Model::default();
    for stamped in events.iter().take_while(|stamped| stamped.at <= until) {
        model.apply(stamped);
    }
    model
}

/// A screen at a moment, before anybody touched a key.
fn scene(events: &[Stamped], secs: u64) -> (Model, Ui) {
    let until = At::from_secs(secs);
    let mut ui = Ui::new(Session { is_recording: true, ..Session::default() });
    ui.set_now(until);
    (model_of(events, until), ui)
}

fn drawn(model: &Model, ui: &Ui, theme: &Theme, (width, height): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw_buffer(model, ui, theme, &mut buffer);
    buffer
}

fn night() -> Theme {
    Theme::builtin("night").unwrap()
}

/// The terminal that a theme is meant for.
fn palette(theme: &Theme) -> Palette {
    let own = |role| match theme.colour(role) {
        Color::Rgb(r, g, b) => Some(Rgb(r, g, b)),
        _ => None,
    };
    Palette {
        foreground: own(Role::Text).unwrap_or(Palette::DARK.foreground),
        background: own(Role::Background).unwrap_or(Palette::DARK.background),
        ..Palette::DARK
    }
}

/// Compares a picture with the one that is committed.
#[track_caller]
fn check(name: &str, buffer: &Buffer, theme: &Theme) {
    let actual = svg(buffer, &palette(theme));
    let path = format!("{}/screenshots/{name}.svg", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "screenshots/{name}.svg is out of date: run with UPDATE_SCREENSHOTS=1 and look at it"
    );
}

// The pictures.

#[test]
fn overview_at_every_size() {
    let (model, ui) = scene(run(), MOMENT);
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let buffer = drawn(&model, &ui, &night(), (width, height));
        check(&format!("overview-{width}x{height}"), &buffer, &night());
    }
}

#[test]
fn overview_in_every_theme() {
    let (model, ui) = scene(run(), MOMENT);
    for name in Theme::names().filter(|name| *name != "night") {
        let theme = Theme::builtin(name).unwrap();
        let buffer = drawn(&model, &ui, &theme, (120, 40));
        check(&format!("theme-{name}"), &buffer, &theme);
    }
}

#[test]
fn overview_with_fewer_colours_and_characters() {
    let (model, ui) = scene(run(), MOMENT);
    for (name, depth, charset) in [
        ("colours-256", Depth::Ansi256, Charset::Braille),
        ("colours-16", Depth::Ansi16, Charset::Braille),
        ("mono", Depth::Mono, Charset::Braille),
        ("block", Depth::True, Charset::Block),
        ("ascii", Depth::Mono, Charset::Ascii),
    ] {
        let theme = night().adapt(depth, charset);
        let buffer = drawn(&model, &ui, &theme, (120, 40));
        check(name, &buffer, &theme);
    }
}

#[test]
fn the_other_views() {
    let (model, mut ui) = scene(run(), MOMENT + 10);
    for view in [View::Latency, View::Sources, View::Log, View::Help] {
        ui.show(view);
        let buffer = drawn(&model, &ui, &night(), (120, 40));
        check(view.name(), &buffer, &night());
    }
    let (model, mut ui) = scene(&many_services(), MOMENT);
    ui.show(View::Services);
    check("services", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

/// So many latencies of at least `least` seconds, with an exponential tail of this mean.
fn tailed(dice: &mut Dice, n: u64, least: f64, tail: f64) -> LatencyHistogram {
    let mut took = LatencyHistogram::default();
    for _ in 0..n {
        took.record(Duration::from_secs_f64(least - tail * (1.0 - dice.next()).ln()));
    }
    took
}

fn phases(dice: &mut Dice) -> Phases {
    let mut phase = |micros: u32| {
        let least = f64::from(micros) / 1e6;
        Some(tailed(dice, 4, least, least / 10.0).encode())
    };
    Phases {
        dns: phase(300),
        connect: phase(450),
        tls: phase(1_900),
        send: phase(12),
        wait: phase(4_100),
        receive: phase(60),
    }
}

/// Requests of two paths: their response and service times together, and each path's own.
struct Answered {
    response: LatencyHistogram,
    service: LatencyHistogram,
    failed: LatencyHistogram,
    splits: BTreeMap<String, BTreeMap<String, Split>>,
}

/// So many answers and failures after a wait of `waited` seconds; the parts make the whole.
fn answered(dice: &mut Dice, (done, n_failed): (u64, u64), waited: f64, tail: f64) -> Answered {
    let mut all = Answered {
        response: LatencyHistogram::default(),
        service: LatencyHistogram::default(),
        failed: tailed(dice, n_failed, 0.5, 0.1),
        splits: BTreeMap::new(),
    };
    let n_cart = done * 7 / 10;
    let mut paths = BTreeMap::new();
    for (path, n, n_failed, least) in
        [("/cart", n_cart, 0, 0.004), ("/search", done - n_cart, n_failed, 0.007)]
    {
        let mut service_time = LatencyHistogram::default();
        for _ in 0..n {
            let took = least - tail * (1.0 - dice.next()).ln();
            let before = waited * (0.9 - 0.1 * (1.0 - dice.next()).ln());
            service_time.record(Duration::from_secs_f64(took));
            all.response.record(Duration::from_secs_f64(before + took));
        }
        all.service.add(&service_time);
        let failure_time = (0 < n_failed).then(|| all.failed.encode());
        let service_time = Some(service_time.encode());
        let split = Split { succeeded: n, failed: n_failed, service_time, failure_time };
        paths.insert(path.to_owned(), split);
    }
    all.splits.insert("path".to_owned(), paths);
    all
}

/// A generator that has all that it needs.
fn healthy(dice: &mut Dice) -> ClientHealth {
    ClientHealth {
        load_cpu_s: Some(0.021),
        process_cpu_s: Some(0.029),
        busiest: Some(0.041),
        run_queue: Some(0.012),
        cores: Some(2),
        timer_slip: Some(tailed(dice, 25, 0.000_01, 0.000_015).encode()),
        descriptors: Some(83),
        descriptors_max: Some(1024),
        ..ClientHealth::default()
    }
}

/// A ramp that the target cannot follow beyond some rate, with what the generator says of itself.
fn ramp() -> Vec<(At, Event)> {
    /// What is answered in an interval at most.
    const CAPACITY: u32 = 330;
    let mut dice = Dice(11);
    let mut backlog = 0u32;
    let mut events = Vec::new();
    for tick in 0..180u32 {
        let began = At::from_millis(1_000 + u64::from(tick) * 500);
        let offered = 10 + tick * 5 / 2;
        let done = (offered + backlog).min(CAPACITY);
        backlog = (offered + backlog - done).min(900);
        let waited = f64::from(backlog) / f64::from(CAPACITY * 2);
        let load = f64::from(offered.min(CAPACITY - 10)) / f64::from(CAPACITY);
        let tail = 0.002 + 0.0008 * load / (1.0 - load);
        let n = u64::from(done);
        let n_failed = if 140 < tick { 4 } else { 0 };
        let answered = answered(&mut dice, (n, n_failed), waited, tail);
        let lag = tailed(&mut dice, n, 0.000_02 + waited * 0.9, 0.000_02);
        let is_limited = 150 < tick;
        let some = |n: u64| (0 < n).then_some(n);
        let interval = Interval {
            began,
            lasted: Duration::from_millis(500),
            target: f64::from(offered) * 2.0,
            offered: u64::from(offered),
            sent: n + n_failed,
            succeeded: n,
            failed: n_failed,
            in_flight: u64::from(backlog) + 3,
            in_flight_max: u64::from(backlog) + 9,
            status: [(200, some(n)), (503, some(n_failed))]
                .into_iter()
                .filter_map(|(code, n)| Some((code, n?)))
                .collect(),
            errors: some(n_failed).map(|n| ("status 5xx".to_owned(), n)).into_iter().collect(),
            response_time: Some(answered.response.encode()),
            service_time: Some(answered.service.encode()),
            failure_time: Some(answered.failed.encode()),
            send_lag: Some(lag.encode()),
            phases: Some(phases(&mut dice)),
            splits: answered.splits,
            client_limited: is_limited.then(|| {
                "connections: all were busy, 412 requests waited here, up to 840 ms (p99): \
                 allow more, or the target is too slow"
                    .to_owned()
            }),
            limit: is_limited.then_some(Limit::Connections),
            client: Some(Box::new(healthy(&mut dice))),
            ..Interval::default()
        };
        events.push((began + interval.lasted, Event::Traffic(Box::new(interval))));
    }
    events
}

fn alone() -> Event {
    let mut first = began(Mode::Load);
    if let Event::Began(began) = &mut first {
        (began.context, began.namespace, began.service) = (None, None, None);
    }
    first
}

#[test]
fn latency_and_load_at_every_size() {
    let mut events = vec![(At::ZERO, alone())];
    events.extend(ramp());
    let (model, mut ui) = scene(&stamped(events), 88);
    ui.update(Action::ZoomOut, &model);
    for view in [View::Latency, View::Load] {
        ui.show(view);
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let buffer = drawn(&model, &ui, &night(), (width, height));
            let name = if view == View::Load { "knee" } else { "latency" };
            check(&format!("{name}-{width}x{height}"), &buffer, &night());
        }
    }
}

#[test]
fn the_knee_by_ready_pods() {
    let (model, mut ui) = scene(run(), MOMENT + 4);
    ui.show(View::Load);
    check("knee-pods", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn the_map_is_of_the_selected_time() {
    let mut events = vec![(At::ZERO, alone())];
    events.extend(ramp());
    let (model, mut ui) = scene(&stamped(events), 88);
    ui.show(View::Latency);
    let page = |ui: &Ui| text_of(&drawn(&model, ui, &night(), (120, 40)));
    let selected =
        |page: &[String]| page.iter().find(|row| row.contains('▸')).cloned().unwrap_or_default();
    let first = page(&ui);
    assert!(selected(&first).contains("response time"), "{first:?}");
    ui.update(Action::Down, &model);
    ui.update(Action::Down, &model);
    let third = page(&ui);
    assert!(selected(&third).contains("failures"), "{third:?}");
    assert_ne!(first[20..30], third[20..30], "another map");
    ui.update(Action::CursorLeft, &model);
    assert!(page(&ui).join("\n").contains("at cursor"));
}

/// A run with something to look at: metrics are off, and we ourselves are the bottleneck.
fn troubled() -> Vec<Stamped> {
    let mut events = without_metrics();
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && At::from_secs(36) <= interval.began
        {
            interval.client_limited = Some("in-flight cap".to_owned());
        }
    }
    events
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

#[test]
fn what_needs_a_look_at_every_size() {
    let (model, mut ui) = scene(&troubled(), MOMENT);
    ui.show(View::Findings);
    for (width, height) in SIZES {
        let name = format!("findings-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
    let (model, mut ui) = scene(run(), MOMENT);
    ui.show(View::Findings);
    check("findings-none", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn what_if_at_every_size() {
    let (model, mut ui) = scene(watched(), 75);
    ui.show(View::WhatIf);
    for action in [Action::Double, Action::Down, Action::Down, Action::Down, Action::RateUp] {
        ui.update(action, &model);
    }
    for (width, height) in SIZES {
        let name = format!("what-if-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
}

#[test]
fn pods_with_one_taken_apart_at_every_size() {
    let (model, mut ui) = scene(run(), MOMENT + 10);
    ui.show(View::Pods);
    ui.update(Action::Down, &model);
    for (width, height) in SIZES {
        let name = format!("pods-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
}

#[test]
fn after_the_panic() {
    let (model, ui) = scene(run(), 58);
    check("calm-again", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn frozen_with_a_cursor() {
    let events = run();
    let (_, mut ui) = scene(events, MOMENT);
    let frozen = model_of(events, At::from_secs(MOMENT));
    ui.update(Action::Freeze, &frozen);
    for _ in 0..30 {
        ui.update(Action::CursorLeft, &frozen);
    }
    ui.set_now(At::from_secs(MOMENT + 12));
    // The collection went on: the model is ahead of what is shown.
    let model = model_of(events, At::from_secs(MOMENT + 12));
    check("frozen", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn a_change_of_load_before_it_bites() {
    let mut events = run().to_vec();
    let at = At::from_secs(MOMENT - 3);
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && (At::from_secs(23)..at).contains(&interval.began)
        {
            interval.target = interval.target * 500.0 / 545.0;
            for n in [&mut interval.offered, &mut interval.sent, &mut interval.succeeded] {
                *n = *n * 500 / 545;
            }
        }
    }
    let control =
        Control { by: By::You, what: "set".to_owned(), from: 500.0, to: 545.0, reason: None, at };
    events.push(Stamped { seq: 0, at, event: Event::Control(control) });
    events.sort_by_key(|stamped| stamped.at);
    let (model, mut ui) = scene(&events, MOMENT);
    ui.update(Action::Burst, &model);
    check("confirm", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn where_we_ourselves_are_the_bottleneck() {
    let mut events = run().to_vec();
    let mut dice = Dice(3);
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && At::from_secs(36) <= interval.began
        {
            interval.succeeded = interval.succeeded * 7 / 10;
            interval.dropped = interval.offered - interval.succeeded.min(interval.offered);
            // What was dropped never left, and what left was late.
            interval.sent = interval.succeeded;
            let n = interval.succeeded;
            interval.send_lag = Some(tailed(&mut dice, n, 0.08, 0.01).encode());
            interval.response_time = Some(tailed(&mut dice, n, 0.182, 0.014).encode());
            interval.limit = Some(Limit::CpuQuota);
            interval.client_limited = Some(
                "CPU: the quota of 0.20 cores is used up (throttled in 80 % of its periods): \
                 give it more, or lower the rate"
                    .to_owned(),
            );
        }
    }
    let (model, ui) = scene(&events, MOMENT);
    check("limited", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn the_palette() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.update(Action::Palette, &model);
    check("palette", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

/// The decision at the moment, step by step, in three sizes; and one that waits for zero.
#[test]
fn why_it_scaled() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.show(View::Why);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let name = format!("why-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
    let (model, mut ui) = scene(run(), 26);
    ui.show(View::Why);
    check("why-panic-begins", &drawn(&model, &ui, &night(), (120, 40)), &night());
    let (model, mut ui) = scene(run(), 72);
    ui.show(View::Why);
    check("why-to-zero", &drawn(&model, &ui, &night(), (80, 24)), &night());
}

/// Left and right go from tick to tick, and past the newest one back to the present.
#[test]
fn the_cursor_of_the_why_view_goes_from_tick_to_tick() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.show(View::Why);
    let revision = ui.revision(&model).unwrap();
    let shadow = model.scaling.get(&revision).unwrap().shadow.as_deref().unwrap();
    let shown = shadow.tick_at(ui.moment()).unwrap().at();
    ui.update(Action::CursorLeft, &model);
    let before = ui.cursor().unwrap();
    assert!(before < shown && shadow.tick_at(before).unwrap().at() == before);
    ui.update(Action::CursorLeft, &model);
    assert!(ui.cursor().unwrap() < before);
    ui.update(Action::CursorRight, &model);
    assert_eq!(ui.cursor(), Some(before));
    ui.update(Action::CursorRight, &model);
    assert_eq!(ui.cursor(), None);
}

#[test]
fn where_nothing_can_be_known() {
    let (model, ui) = scene(&without_inputs(), MOMENT);
    check("unknown", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

/// Neither metric nor log tells of panic, and our own model of the decider does.
#[test]
fn where_panic_is_derived() {
    let (model, ui) = scene(&without_metrics(), MOMENT);
    check("derived", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn where_a_horizontal_autoscaler_decides() {
    let (model, ui) = scene(&by_cpu(), MOMENT);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let buffer = drawn(&model, &ui, &night(), (width, height));
        check(&format!("hpa-{width}x{height}"), &buffer, &night());
    }
    let (model, ui) = scene(&by_keda(), 58);
    for (width, height) in [(120, 40), (200, 60)] {
        let buffer = drawn(&model, &ui, &night(), (width, height));
        check(&format!("keda-{width}x{height}"), &buffer, &night());
    }
}

#[test]
fn nothing_speaks_of_panic_where_there_is_none() {
    // Each with the words that must stand there.
    let paused = |key: &str, value: &str| {
        let mut events = by_keda();
        for stamped in &mut events {
            if let Event::Seen(object) = &mut stamped.event
                && let Object::ScaledObject(scaled) = &mut **object
            {
                scaled.pauses = vec![(key.to_owned(), value.to_owned())];
                scaled.paused = condition(true, "ScaledObjectPaused");
            }
        }
        events
    };
    let mut unseen = by_cpu();
    unseen.retain(|stamped| match &stamped.event {
        Event::Seen(object) => !matches!(&**object, Object::HorizontalPodAutoscaler(_)),
        _ => true,
    });
    let table: [(&str, Vec<Stamped>, u64, &[&str]); 7] = [
        ("stable", by_cpu(), 10, &["STABLE", "cpu 35%/50%", "cpu 35% ÷ 50% = 0.70×"]),
        ("scaling", by_cpu(), 27, &["SCALING", "410%/50%", "9 wanted"]),
        (
            "limited",
            by_cpu(),
            MOMENT,
            &["LIMITED", "by max 9", "12 wanted, cut to 9 by maxReplicas"],
        ),
        ("failing", by_cpu(), 57, &["FAILING", "FailedGetResourceMetric", "<unknown>/50%"]),
        ("held", by_keda(), 58, &["STABILIZED", "33m/5 (avg)", "1 wanted, kept at 9"]),
        ("paused", paused("paused-replicas", "3"), 58, &["PAUSED", "at 3 by KEDA"]),
        ("not seen", unseen, MOMENT, &["NOT SEEN", "there is no HorizontalPodAutoscaler yet"]),
    ];
    for (case, events, secs, words) in table {
        let (model, ui) = scene(&events, secs);
        for size in [(60, 16), (80, 24), (120, 40), (200, 60)] {
            let page = text_of(&drawn(&model, &ui, &night(), size)).join("\n");
            assert!(page.contains(words[0]), "{case} at {size:?}:\n{page}");
            for word in ["PANIC", "UNKNOWN", "EBC", "enters"] {
                assert!(!page.contains(word), "{case}: {word} at {size:?}:\n{page}");
            }
        }
        let page = text_of(&drawn(&model, &ui, &night(), (120, 40))).join("\n");
        let missing: Vec<_> = words.iter().filter(|word| !page.contains(**word)).collect();
        assert!(missing.is_empty(), "{case}: {missing:?}\n{page}");
        // The why-view has its own steps too.
        let (model, mut ui) = scene(&events, secs);
        ui.show(View::Why);
        let page = text_of(&drawn(&model, &ui, &night(), (120, 40))).join("\n");
        assert!(page.contains("WHY") && !page.contains("PANIC"), "{case}:\n{page}");
    }
}

#[test]
fn a_row_is_that_of_kubectl() {
    let (model, ui) = scene(&by_keda(), 58);
    let page = text_of(&drawn(&model, &ui, &night(), (200, 60))).join("\n");
    // TARGETS, MINPODS, MAXPODS, REPLICAS.
    assert!(page.contains("33m/5 (avg)  1  12  9"), "{page}");
    assert!(page.contains("sum(rate(http_requests_total"), "the query stands there:\n{page}");
}

#[test]
fn a_prometheus_server_is_named_with_its_age() {
    let mut events = run().to_vec();
    for stamped in &mut events {
        if let Event::Autoscaler(reading) = &mut stamped.event {
            reading.origin = Origin::Prometheus;
            reading.every = Some(Duration::from_secs(15));
        }
    }
    // Scraped every fifteen seconds, last at 40.
    let is_scraped = |at: At| (at.as_micros() / 1_000_000).is_multiple_of(15);
    events.retain(|it| !matches!(it.event, Event::Autoscaler(_)) || is_scraped(it.at));
    let (model, ui) = scene(&events, 44);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40))).join("\n");
    assert!(page.contains("by prometheus 13 s"), "{page}");
    assert!(page.contains("▲ PANIC") && !page.contains("UNKNOWN"), "{page}");
}

#[test]
fn before_the_first_data() {
    let (model, ui) = scene(&starting(), 1);
    check("start", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn watching_without_load() {
    let (model, ui) = scene(watched(), MOMENT);
    check("watch", &drawn(&model, &ui, &night(), (120, 40)), &night());
    check("watch-80x24", &drawn(&model, &ui, &night(), (80, 24)), &night());
}

// What holds on every screen.

fn text_of(buffer: &Buffer) -> Vec<String> {
    (0..buffer.area.height)
        .map(|y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect())
        .collect()
}

/// Labels of the panels: none may touch a number or another label.
const LABELS: [&str; 25] = [
    "asked",
    "offered",
    "sent",
    "done",
    "flight",
    "p50",
    "p99",
    "p95",
    "max",
    "err",
    "run",
    "lag",
    "ready",
    "desired",
    "starting",
    "terminating",
    "going",
    "cpu",
    "mem",
    "cold",
    "EBC",
    "path",
    "leaves",
    "PANIC",
    "×",
];

#[track_caller]
fn assert_labels_stand_alone(row: &str, width: u16) {
    let is_word = |c: char| c.is_alphanumeric() || c == '×';
    for label in LABELS {
        for (idx, _) in row.match_indices(label) {
            let before = row[..idx].chars().next_back();
            let after = row[idx + label.len()..].chars().next();
            // A factor belongs to its number.
            let is_before_free = label == "×" || !before.is_some_and(is_word);
            assert!(
                is_before_free && !after.is_some_and(is_word),
                "{label} is touched at width {width}: {row}"
            );
        }
    }
}

#[test]
fn fields_never_touch() {
    let (by_cpu, by_keda) = (by_cpu(), by_keda());
    std::thread::scope(|scope| {
        for events in [run(), watched(), &by_cpu, &by_keda] {
            scope.spawn(|| fields_of_a_run_never_touch(events));
        }
    });
}

fn fields_of_a_run_never_touch(events: &[Stamped]) {
    for secs in [20, 36, MOMENT, 58] {
        let (model, ui) = scene(events, secs);
        for width in 60..=220 {
            let height = if width < 100 { 24 } else { 40 };
            let page = text_of(&drawn(&model, &ui, &night(), (width, height)));
            let n_rows = if width < 100 { 4 } else { 6 };
            for row in &page[1..n_rows] {
                // Kubernetes' own word is no label.
                assert_labels_stand_alone(&row.replace("maxReplicas", ""), width);
            }
        }
    }
}

#[test]
fn a_plan_that_waits_says_so() {
    let mut events = run().to_vec();
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event {
            interval.profile_at = Some(Duration::from_secs(30));
            interval.profile_waits = true;
        }
    }
    let at = At::from_secs(37);
    let control =
        Control { by: By::You, what: "set".to_owned(), from: 500.0, to: 545.0, reason: None, at };
    events.push(Stamped { seq: 0, at, event: Event::Control(control) });
    events.sort_by_key(|stamped| stamped.at);
    let (model, ui) = scene(&events, 40);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    for words in ["burst", "10/25 s", "BY HAND · h: plan goes on"] {
        assert!(page[0].contains(words), "{words}: {}", page[0]);
    }
    assert!(page[1].contains("LOAD by hand · h: plan goes on"), "{}", page[1]);
    let page = text_of(&drawn(&model, &ui, &night(), (80, 24)));
    assert!(page[0].contains("  545/s BY HAND · h: go on"), "{}", page[0]);
    assert!(page[23].contains("h plan goes on"), "the key comes first: {}", page[23]);
}

#[test]
fn both_revisions_of_a_split_are_seen_side_by_side() {
    let (model, mut ui) = scene(&split(), MOMENT);
    for (name, size) in [("split-120x40", (120, 40)), ("split-80x24", (80, 24))] {
        ui.set_size(size.0, size.1);
        let buffer = drawn(&model, &ui, &night(), size);
        check(name, &buffer, &night());
        let page = text_of(&buffer);
        for (row, words) in [
            (1, ["▸ probe-00001", "90 %", "✓ ready", "▲ PANIC", "9 ready", "9 desired"]),
            (2, ["  probe-00002", "10 %", "✓ ready", "✓ STABLE", "1 ready", "1 desired"]),
        ] {
            for word in words {
                assert!(page[row].contains(word), "{name}: {word}\n{}", page[row]);
            }
        }
    }
    // Tab takes the lanes to the other one; both stay in sight.
    ui.set_size(120, 40);
    ui.update(Action::NextPane, &model);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(page[1].contains("  probe-00001") && page[2].contains("▸ probe-00002"), "{page:#?}");
    // A service that is not split has no line for it.
    let (model, ui) = scene(run(), MOMENT);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(!page[1].contains("probe-00001"), "{}", page[1]);
}

/// A change of the template is no change for whom a route names.
#[test]
fn a_pinned_route_is_said_beside_the_change_to_make() {
    let (model, mut ui) = scene(&split(), 75);
    ui.show(View::WhatIf);
    ui.update(Action::Double, &model);
    ui.update(Action::Down, &model);
    ui.update(Action::RateUp, &model);
    for size in [(120, 40), (200, 60)] {
        let page = text_of(&drawn(&model, &ui, &night(), size)).join(" ");
        let words: Vec<_> = page.split([' ', '│']).filter(|word| !word.is_empty()).collect();
        let said = words.join(" ");
        assert!(said.contains("gets no request until spec.traffic names it"), "{said}");
    }
    let (model, mut ui) = scene(run(), 75);
    ui.show(View::WhatIf);
    ui.update(Action::Double, &model);
    let page = text_of(&drawn(&model, &ui, &night(), (200, 60))).join(" ");
    assert!(!page.contains("spec.traffic"), "its route follows the newest:\n{page}");
}

#[test]
fn services_say_how_many_pods_they_have_at_every_width() {
    let (model, mut ui) = scene(&many_services(), MOMENT);
    ui.show(View::Services);
    for width in [80, 100, 120, 200] {
        let page = text_of(&drawn(&model, &ui, &night(), (width, 24)));
        let title = page.iter().find(|row| row.contains("SERVICE")).unwrap();
        for column in ["STATE", "AUTOSCALER", "READY", "DESIRED"] {
            assert!(title.contains(column), "{width}: {title}");
        }
    }
}

#[test]
fn failed_requests_have_a_line_of_their_own() {
    let mut events = run().to_vec();
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && (30..50).contains(&stamped.at.since(At::ZERO).as_secs())
        {
            interval.failed = interval.succeeded / 4;
            interval.succeeded -= interval.failed;
        }
    }
    let (model, ui) = scene(&events, MOMENT);
    let buffer = drawn(&model, &ui, &night(), (120, 40));
    check("failing-120x40", &buffer, &night());
    let page = text_of(&buffer);
    assert!(page.iter().any(|row| row.contains("━━ failed")), "{page:#?}");
    let (model, ui) = scene(run(), MOMENT);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(!page.iter().any(|row| row.contains("failed")), "none failed");
}

#[test]
fn the_sentence_is_said_to_its_end_at_every_size() {
    for events in [run(), &without_metrics(), watched(), &split()] {
        for (width, height) in [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60)] {
            for secs in [10, 25, MOMENT, 60, 75] {
                let (model, mut ui) = scene(events, secs);
                ui.set_size(width, height);
                let page = text_of(&drawn(&model, &ui, &night(), (width, height)));
                let from = page.iter().position(|row| row.contains(" ÷ ") || row.contains("why:"));
                for row in page.iter().skip(from.unwrap_or(0)).take(4) {
                    let is_prose = !row.contains('│') && !row.contains('┤');
                    assert!(
                        !(is_prose && row.trim_end().ends_with('…')),
                        "{width}x{height}: {row}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_pods_bore_is_known_under_the_cursor() {
    let (model, mut ui) = scene(run(), 70);
    let rows = |ui: &Ui| -> Vec<String> {
        let page = text_of(&drawn(&model, ui, &night(), (120, 40)));
        page.iter().filter(|row| row.contains("● ready")).cloned().collect()
    };
    for _ in 0..30 {
        ui.update(Action::CursorLeft, &model);
    }
    let then = rows(&ui);
    assert!(!then.is_empty(), "pods were there");
    // What a live screen showed at that moment.
    let moment = ui.moment();
    let mut live = Ui::new(Session { is_recording: true, ..Session::default() });
    live.set_now(moment);
    let page = text_of(&drawn(&model_of(run(), moment), &live, &night(), (120, 40)));
    let conc = |row: &String| -> String {
        row.split("● ready").nth(1).unwrap_or_default().chars().take(30).collect()
    };
    let lived: Vec<String> = page.iter().filter(|row| row.contains("● ready")).map(conc).collect();
    let told: Vec<String> = then.iter().map(conc).collect();
    assert_eq!(told, lived);
    assert!(told.iter().any(|row| !row.contains('–')), "{told:#?}");
}

/// What the autoscaler's panel said at a moment it says again under the cursor.
#[test]
fn how_long_panic_lasts_is_known_under_the_cursor() {
    let (model, mut ui) = scene(run(), 70);
    let panel = |model: &Model, ui: &Ui| -> Vec<String> {
        let page = text_of(&drawn(model, ui, &night(), (120, 40)));
        page[2..5].iter().map(|row| row.chars().skip(80).collect()).collect()
    };
    while At::from_secs(40) < ui.moment() {
        ui.update(Action::CursorLeft, &model);
    }
    let then = panel(&model, &ui);
    let mut live = Ui::new(Session { is_recording: true, ..Session::default() });
    live.set_now(ui.moment());
    assert_eq!(then, panel(&model_of(run(), ui.moment()), &live));
    assert!(then[0].contains("leaves in ≥") && then[2].contains("held at 9"), "{then:#?}");
}

/// From mark to mark with two keys, and from an event of the log to its moment.
#[test]
fn one_gets_to_the_beginning_of_a_panic() {
    let (model, mut ui) = scene(run(), 58);
    let page = |ui: &Ui| text_of(&drawn(&model, ui, &night(), (120, 40)));
    let mut seen = Vec::new();
    for _ in 0..5 {
        ui.update(Action::MarkBack, &model);
        seen.push(ui.message().unwrap_or_default().to_owned());
    }
    assert_eq!(
        seen,
        [
            "panic ends, at 07:19:50.5",
            "stage silence, at 07:19:49.9",
            "panic begins, at 07:19:26.5",
            "stage burst, at 07:19:24.9",
            "stage calm, at 07:19:04.9",
        ]
    );
    ui.update(Action::MarkBack, &model);
    assert_eq!(ui.message(), Some("no mark before this moment"));
    ui.update(Action::MarkOn, &model);
    ui.update(Action::MarkOn, &model);
    let begins = ui.moment();
    assert!(page(&ui)[2].contains("▲ PANIC"), "{}", page(&ui)[2]);
    for _ in 0..3 {
        ui.update(Action::MarkOn, &model);
    }
    assert_eq!(ui.cursor(), None, "past the last one it is now again");
    // The same moment, from the log.
    ui.show(View::Log);
    let rows = |ui: &Ui| -> Vec<String> {
        page(ui).into_iter().filter(|row| row.contains('▸')).collect()
    };
    while !rows(&ui).iter().any(|row| row.contains("PANIC")) {
        ui.update(Action::Down, &model);
    }
    ui.update(Action::Open, &model);
    assert_eq!((ui.view(), ui.moment()), (View::Overview, begins));
    assert_eq!(ui.behind(), Some(Duration::ZERO), "frozen");
}

/// That nothing more comes, and the key that leaves, stand there as long as somebody looks.
#[test]
fn a_run_that_has_ended_says_so_while_it_is_looked_at() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.update(Action::Freeze, &model);
    ui.set_session(Session { is_recording: true, is_over: true, ..Session::default() });
    ui.set_now(At::from_secs(MOMENT + 60));
    for view in View::ALL {
        ui.show(view);
        for (width, height) in [(80, 24), (120, 40)] {
            let page = text_of(&drawn(&model, &ui, &night(), (width, height)));
            assert!(page[0].contains("■ ended"), "{view:?} {width}: {}", page[0]);
            let last = page.last().unwrap();
            for words in ["■ the run has ended", "q leave, with its summary", "? help"] {
                assert!(last.contains(words), "{view:?} {width}: {last}");
            }
        }
    }
}

/// A frozen view ends at its moment, in every view.
#[test]
fn what_came_after_the_freezing_is_not_shown() {
    let (frozen, mut ui) = scene(run(), MOMENT);
    ui.show(View::Why);
    ui.update(Action::Freeze, &frozen);
    let later = model_of(run(), At::from_secs(MOMENT + 12));
    ui.set_now(At::from_secs(MOMENT + 12));
    let tick = |ui: &Ui| {
        let page = text_of(&drawn(&frozen, ui, &night(), (120, 40)));
        page.into_iter().find(|row| row.contains("tick of")).unwrap()
    };
    let newest = tick(&ui);
    for _ in 0..3 {
        ui.update(Action::CursorRight, &later);
    }
    assert!(ui.moment() <= At::from_secs(MOMENT), "{:?}", ui.moment());
    assert_eq!(tick(&ui), newest);
    // One that is long past is not the decision of a moment.
    ui.update(Action::ToNow, &later);
    ui.set_now(At::from_secs(MOMENT + 20));
    let page = text_of(&drawn(&frozen, &ui, &night(), (120, 40))).join("\n");
    assert!(page.contains("no decision is known at 07:20:06.5: the newest before it"), "{page}");
    assert!(!page.contains("tick of"), "{page}");
    ui.update(Action::CursorLeft, &frozen);
    assert_eq!(tick(&ui), newest, "one key away");
}

#[test]
fn load_alone_shows_what_fails_instead_of_pods() {
    let mut events = stamped(load());
    events.insert(0, Stamped { seq: 0, at: At::ZERO, event: alone() });
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && At::from_secs(30) <= interval.began
        {
            (interval.failed, interval.succeeded) = (interval.offered, 0);
            interval.status.clear();
            (interval.response_time, interval.service_time) = (None, None);
            interval.errors.insert("connect refused".to_owned(), interval.failed);
        }
    }
    let (model, ui) = scene(&events, MOMENT);
    let buffer = drawn(&model, &ui, &night(), (120, 40));
    let page = text_of(&buffer).join("\n");
    assert!(page.contains("errors: connect refused 545 /s"), "{page}");
    for word in ["PODS", "AUTOSCALER", "UNKNOWN", "why:"] {
        assert!(!page.contains(word), "{word}:\n{page}");
    }
    check("load", &buffer, &night());
}

#[test]
fn a_cluster_that_does_not_answer_is_lost() {
    let mut events = run().to_vec();
    let report = Report { state: State::Failing, ..Report::connecting("watch pods") };
    let event = Event::Source(report);
    events.push(Stamped { seq: 0, at: At::from_secs(MOMENT - 1), event });
    events.sort_by_key(|stamped| stamped.at);
    let (model, ui) = scene(&events, MOMENT);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(page[0].contains("CLUSTER LOST") && !page[0].contains("LIVE"), "{}", page[0]);
}

#[test]
fn no_meaning_hangs_on_colour() {
    let (model, ui) = scene(run(), MOMENT);
    let theme = night().adapt(Depth::Mono, Charset::Ascii);
    let buffer = drawn(&model, &ui, &theme, (120, 40));
    assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
    assert!(buffer.content.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
    let page = text_of(&buffer).join("\n");
    for word in ["PANIC", "offered", "desired", "ready", "stable", "P panic", "burst", "LIVE"] {
        assert!(page.contains(word), "{word} is missing:\n{page}");
    }
}

#[test]
fn every_view_says_in_mono_what_it_says_in_colour() {
    let (model, mut ui) = scene(run(), MOMENT);
    let mono = night().adapt(Depth::Mono, Charset::Braille);
    for view in View::ALL {
        ui.show(view);
        let words = |buffer: &Buffer| {
            let page = text_of(buffer).join(" ");
            page.split_whitespace()
                .filter(|word| word.chars().any(char::is_alphanumeric))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let coloured = words(&drawn(&model, &ui, &night(), (120, 40)));
        assert_eq!(words(&drawn(&model, &ui, &mono, (120, 40))), coloured, "{view:?}");
    }
}

#[test]
fn drawing_the_same_twice_gives_the_same() {
    let (model, ui) = scene(run(), MOMENT);
    let once = drawn(&model, &ui, &night(), (120, 40));
    assert_eq!(once, drawn(&model, &ui, &night(), (120, 40)));
}

#[test]
fn a_frozen_screen_stands_still_while_the_run_goes_on() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.update(Action::Freeze, &model);
    ui.set_now(At::from_secs(MOMENT + 1));
    let before = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    ui.set_now(At::from_secs(MOMENT + 6));
    let after = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert_eq!(before[1..], after[1..]);
    assert!(after[0].contains("6 s behind"), "{}", after[0]);
}

#[test]
fn a_frozen_list_of_services_tells_of_its_own_moment() {
    let events = many_services();
    let (model, mut ui) = scene(&events, MOMENT);
    ui.show(View::Services);
    ui.update(Action::Freeze, &model);
    let row = |model: &Model, ui: &Ui| {
        let page = text_of(&drawn(model, ui, &night(), (120, 40)));
        page.into_iter().find(|row| row.contains("probe")).unwrap()
    };
    assert!(row(&model, &ui).contains("▲ PANIC"), "{}", row(&model, &ui));
    let later = model_of(&events, At::from_secs(58));
    ui.set_now(At::from_secs(58));
    let then = row(&later, &ui);
    assert!(then.contains("▲ PANIC") && !then.contains("ready"), "{then}");
    ui.update(Action::Freeze, &later);
    let now = row(&later, &ui);
    assert!(now.contains("✓ STABLE") && now.contains("✓ ready"), "{now}");
}

/// An event about anything, with names that a terminal must survive.
fn any_event() -> impl Strategy<Value = Event> {
    let fixture = recorded();
    let recorded = (0..fixture.len()).prop_map(move |idx| fixture[idx].1.clone());
    let others = [by_cpu(), by_keda()].concat();
    let scaled = (0..others.len()).prop_map(move |idx| others[idx].event.clone());
    let generated = load();
    let sent = (0..generated.len()).prop_map(move |idx| generated[idx].1.clone());
    let gone = "[a-z]{1,5}|世界".prop_map(|name| {
        let id =
            rampscope::event::cluster::Id { namespace: name.clone(), name, uid: String::new() };
        Event::Gone(Gone { kind: Kind::Pod, id })
    });
    let control = (0.0..1e7f64, 0.0..1e7f64, 0u64..200).prop_map(|(from, to, secs)| {
        Event::Control(Control {
            by: By::Safety,
            what: "set".to_owned(),
            from,
            to,
            reason: Some("世界世界世界 errors above 50 %".to_owned()),
            at: At::from_secs(secs),
        })
    });
    let report = "\\PC{0,60}".prop_map(|text| {
        let report = Report {
            state: State::Denied,
            reason: text.clone(),
            remedy: text.clone(),
            ..Report::connecting(text)
        };
        Event::Source(report)
    });
    prop_oneof![8 => recorded, 4 => scaled, 4 => sent, 1 => gone, 1 => control, 1 => report]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_screen_of_any_size_is_drawn(
        events in proptest::collection::vec((0u64..120_000, any_event()), 0..120),
        size in (1u16..300, 1u16..100),
        keys in proptest::collection::vec(0..Action::ALL.len(), 0..24),
        look in (0usize..4, 0usize..3, any::<bool>()),
    ) {
        let mut events: Vec<_> =
            events.into_iter().map(|(millis, event)| (At::from_millis(millis), event)).collect();
        events.push((At::ZERO, began(if look.2 { Mode::Watch } else { Mode::Run })));
        let events = stamped(events);
        let model = model_of(&events, At::from_secs(1000));
        let mut ui = Ui::new(Session::default());
        ui.set_now(At::from_secs(120));
        ui.set_size(size.0, size.1);
        for key in keys {
            ui.update(Action::ALL[key], &model);
        }
        let depth = [Depth::Mono, Depth::Ansi16, Depth::Ansi256, Depth::True][look.0];
        let charset = [Charset::Ascii, Charset::Block, Charset::Braille][look.1];
        let theme = night().adapt(depth, charset);
        let buffer = drawn(&model, &ui, &theme, size);
        // A wide character never hangs over the edge.
        for y in 0..size.1 {
            let last = buffer[(size.0 - 1, y)].symbol();
            prop_assert!(unicode_width::UnicodeWidthStr::width(last) <= 1, "row {y} ends with {last:?}");
        }
    }
}

/// Bytes written in each second at ten frames a second over the whole run.
fn bytes_by_second(theme: &Theme, size: (u16, u16)) -> Vec<usize> {
    let events = run();
    let mut shown = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    let mut rest = events.iter().peekable();
    let mut model = Model::default();
    let mut ui = Ui::new(Session { is_recording: true, ..Session::default() });
    let mut seconds = Vec::new();
    for second in 0..70u64 {
        let mut bytes = Vec::new();
        for tenth in 0..10 {
            let now = At::from_millis(second * 1000 + tenth * 100);
            while let Some(stamped) = rest.next_if(|stamped| stamped.at <= now) {
                model.apply(stamped);
            }
            ui.set_now(now);
            let frame = drawn(&model, &ui, theme, size);
            encode(&mut bytes, shown.diff(&frame));
            shown = frame;
        }
        seconds.push(bytes.len());
    }
    seconds
}

#[test]
fn a_slow_line_carries_the_screen() {
    // True colours cost most.
    let seconds = bytes_by_second(&night(), (120, 40));
    let mean = seconds.iter().sum::<usize>() / seconds.len();
    // The first of them paints all.
    let most = seconds.iter().max().copied().unwrap_or(0);
    assert!(mean < 4096, "{mean} bytes a second");
    assert!(most < 16_384, "{most} bytes in a second");
}
