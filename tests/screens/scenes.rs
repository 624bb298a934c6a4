//! What the pictures show, and how they are compared.
//!
//! The cluster's side is a real Knative 1.23 (`fixtures/panic.events.jsonl`: watches, the
//! autoscaler's own metrics, queue-proxies); the load that met it is recreated here, with real
//! histograms.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use serde::Deserialize;

use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Condition;
use rampscope::event::cluster::Id;
use rampscope::event::cluster::Object;
use rampscope::event::cluster::Status;
use rampscope::event::hpa;
use rampscope::event::run::Began;
use rampscope::event::run::Executor;
use rampscope::event::run::Mode;
use rampscope::event::run::PlannedStage;
use rampscope::event::run::Stage;
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
use rampscope::tui::Session;
use rampscope::tui::Theme;
use rampscope::tui::Ui;
use rampscope::tui::draw_buffer;
use rampscope::tui::theme::Role;
use rampscope::units::Anchor;
use rampscope::units::At;
use rampscope::units::UnixMicros;

/// When the recording began: 2026-11-22T07:19:01.5Z.
pub(crate) const ANCHOR: Anchor = Anchor(UnixMicros(1_795_331_941_500_000));

/// The moment of most pictures: in the middle of the panic.
pub(crate) const MOMENT: u64 = 45;

#[derive(Deserialize)]
pub(crate) struct Line {
    at: At,
    event: Event,
}

pub(crate) fn recorded() -> Vec<(At, Event)> {
    static RECORDED: LazyLock<Vec<(At, Event)>> = LazyLock::new(|| {
        include_str!("../fixtures/panic.events.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .map(|line: Line| (line.at, line.event))
            .collect()
    });
    RECORDED.clone()
}

pub(crate) fn stages() -> Vec<PlannedStage> {
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

pub(crate) fn began(mode: Mode) -> Event {
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
pub(crate) struct Dice(pub(crate) u64);

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
pub(crate) fn recreated() -> Vec<(At, Event)> {
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

pub(crate) fn load() -> Vec<(At, Event)> {
    static LOAD: LazyLock<Vec<(At, Event)>> = LazyLock::new(recreated);
    LOAD.clone()
}

/// In one order, stamped.
pub(crate) fn stamped(mut events: Vec<(At, Event)>) -> Vec<Stamped> {
    events.sort_by_key(|(at, _)| *at);
    (0..).zip(events).map(|(seq, (at, event))| Stamped { seq, at, event }).collect()
}

pub(crate) fn run() -> &'static [Stamped] {
    static RUN: LazyLock<Vec<Stamped>> = LazyLock::new(|| {
        let mut events = vec![(At::ZERO, began(Mode::Run))];
        events.extend(recorded());
        events.extend(load());
        stamped(events)
    });
    &RUN
}

pub(crate) fn watched() -> &'static [Stamped] {
    static WATCHED: LazyLock<Vec<Stamped>> = LazyLock::new(|| {
        let mut events = vec![(At::ZERO, began(Mode::Watch))];
        events.extend(recorded());
        stamped(events)
    });
    &WATCHED
}

/// The run of which neither the autoscaler nor what it is fed with can be read.
pub(crate) fn without_inputs() -> Vec<Stamped> {
    let mut events = without_metrics();
    events.retain(|it| !matches!(it.event, Event::QueueProxy(_) | Event::Activator(_)));
    events
}

/// The run without the autoscaler's metrics, as a stock install is.
pub(crate) fn without_metrics() -> Vec<Stamped> {
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
pub(crate) fn by_cpu() -> Vec<Stamped> {
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
pub(crate) fn by_keda() -> Vec<Stamped> {
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
pub(crate) fn without_knatives_own() -> Vec<(At, Event)> {
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

pub(crate) fn identity(name: &str) -> Id {
    Id { namespace: "default".to_owned(), name: name.to_owned(), uid: name.to_owned() }
}

pub(crate) fn condition(is_true: bool, reason: &str) -> Condition {
    Condition {
        status: if is_true { Status::True } else { Status::False },
        reason: reason.to_owned(),
        ..Condition::default()
    }
}

pub(crate) fn hpa_failed() -> Condition {
    let message = "the HPA was unable to compute the replica count: failed to get cpu utilization";
    Condition { message: message.to_owned(), ..condition(false, "FailedGetResourceMetric") }
}

pub(crate) fn horizontal(
    replicas: (u32, u32),
    metric: hpa::Metric,
) -> hpa::HorizontalPodAutoscaler {
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
pub(crate) fn starting() -> Vec<Stamped> {
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
pub(crate) fn many_services() -> Vec<Stamped> {
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
pub(crate) fn split() -> Vec<Stamped> {
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

pub(crate) fn model_of(events: &[Stamped], until: At) -> Model {
    let mut model = Model::default();
    for stamped in events.iter().take_while(|stamped| stamped.at <= until) {
        model.apply(stamped);
    }
    model
}

/// A screen at a moment, before anybody touched a key.
pub(crate) fn scene(events: &[Stamped], secs: u64) -> (Model, Ui) {
    let until = At::from_secs(secs);
    let mut ui = Ui::new(Session { is_recording: true, ..Session::default() });
    ui.set_now(until);
    (model_of(events, until), ui)
}

pub(crate) fn drawn(model: &Model, ui: &Ui, theme: &Theme, (width, height): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw_buffer(model, ui, theme, &mut buffer);
    buffer
}

pub(crate) fn night() -> Theme {
    Theme::builtin("night").unwrap()
}

/// The terminal that a theme is meant for.
pub(crate) fn palette(theme: &Theme) -> Palette {
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

/// So many latencies of at least `least` seconds, with an exponential tail of this mean.
pub(crate) fn tailed(dice: &mut Dice, n: u64, least: f64, tail: f64) -> LatencyHistogram {
    let mut took = LatencyHistogram::default();
    for _ in 0..n {
        took.record(Duration::from_secs_f64(least - tail * (1.0 - dice.next()).ln()));
    }
    took
}

pub(crate) fn phases(dice: &mut Dice) -> Phases {
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
pub(crate) struct Answered {
    response: LatencyHistogram,
    service: LatencyHistogram,
    failed: LatencyHistogram,
    splits: BTreeMap<String, BTreeMap<String, Split>>,
}

/// So many answers and failures after a wait of `waited` seconds; the parts make the whole.
pub(crate) fn answered(
    dice: &mut Dice,
    (done, n_failed): (u64, u64),
    waited: f64,
    tail: f64,
) -> Answered {
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
pub(crate) fn healthy(dice: &mut Dice) -> ClientHealth {
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
pub(crate) fn ramp() -> Vec<(At, Event)> {
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

pub(crate) fn alone() -> Event {
    let mut first = began(Mode::Load);
    if let Event::Began(began) = &mut first {
        (began.context, began.namespace, began.service) = (None, None, None);
    }
    first
}

/// A run with something to look at: metrics are off, and we ourselves are the bottleneck.
pub(crate) fn troubled() -> Vec<Stamped> {
    let mut events = without_metrics();
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && At::from_secs(36) <= interval.began
        {
            interval.client_limited = Some("in-flight cap".to_owned());
            interval.limit = Some(Limit::Connections);
        }
    }
    events
}

pub(crate) const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

pub(crate) fn text_of(buffer: &Buffer) -> Vec<String> {
    (0..buffer.area.height)
        .map(|y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect())
        .collect()
}

/// Compares a picture with the one that is committed.
#[track_caller]
pub(crate) fn check(name: &str, buffer: &Buffer, theme: &Theme) {
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
