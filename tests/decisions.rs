//! What Knative's own code decided, decided again.
//!
//! The fixtures are outputs of Knative 1.23's decider, windows and sample size, and the gauges of a
//! running autoscaler. Another file of
//! decisions can be named in `RAMPSCOPE_DECISIONS`. All must agree, to the last tick.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tell")]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rampscope::kpa::Config;
use rampscope::kpa::Inputs;
use rampscope::kpa::Memory;
use rampscope::kpa::Observed;
use rampscope::kpa::config::Metric;
use rampscope::kpa::decide;
use rampscope::kpa::explain::Reading;
use rampscope::kpa::explain::explain;
use rampscope::kpa::explain::plain;
use rampscope::kpa::sample::sample_size;
use rampscope::kpa::window::Aggregation;
use rampscope::kpa::window::Buckets;
use rampscope::kpa::window::MaxWindow;
use rampscope::kpa::window::Windows;
use rampscope::units::At;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Scenario {
    id: String,
    config: Parameters,
    initial_ready: u32,
    samples: Vec<(f64, f64)>,
    ticks: Vec<Tick>,
}

#[derive(Deserialize)]
struct Parameters {
    metric: Metric,
    total_value: f64,
    target_value: f64,
    panic_threshold: f64,
    max_scale_up_rate: f64,
    max_scale_down_rate: f64,
    stable_window_s: u64,
    panic_window_s: u64,
    target_burst_capacity: f64,
    activation_scale: u32,
    initial_scale: u32,
    scale_down_delay_s: u64,
    reachable: bool,
    aggregation: Aggregation,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Tick {
    t: u64,
    ready: u32,
    valid: bool,
    stable: f64,
    panic: f64,
    desired: u32,
    ebc: i32,
    panicking: bool,
}

impl Parameters {
    fn config(&self) -> Config {
        Config {
            metric: self.metric,
            total_value: self.total_value,
            target_value: self.target_value,
            panic_threshold: self.panic_threshold,
            max_scale_up_rate: self.max_scale_up_rate,
            max_scale_down_rate: self.max_scale_down_rate,
            stable_window: Duration::from_secs(self.stable_window_s),
            panic_window: Duration::from_secs(self.panic_window_s),
            target_burst_capacity: self.target_burst_capacity,
            activation_scale: self.activation_scale,
            initial_scale: self.initial_scale,
            scale_down_delay: Duration::from_secs(self.scale_down_delay_s),
            reachable: self.reachable,
            aggregation: self.aggregation,
            ..Config::default()
        }
    }
}

#[test]
fn every_decision_is_knatives() {
    let path = env::var_os("RAMPSCOPE_DECISIONS")
        .map_or_else(|| fixture("decisions.jsonl"), PathBuf::from);
    let scenarios: Vec<Scenario> = lines(&fs::read_to_string(&path).unwrap());
    let n_ticks: usize = scenarios.iter().map(|scenario| scenario.ticks.len()).sum();
    let mut disagreements = Vec::new();
    for scenario in &scenarios {
        for (theirs, ours) in scenario.ticks.iter().zip(replay(scenario)) {
            if !agree(theirs, &ours) {
                disagreements.push(format!("{}: {theirs:?} but we {ours:?}", scenario.id));
            }
        }
    }
    println!(
        "{} of {n_ticks} ticks in {} scenarios agree",
        n_ticks - disagreements.len(),
        scenarios.len()
    );
    assert_ne!(n_ticks, 0);
    disagreements.truncate(5);
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

fn replay(scenario: &Scenario) -> Vec<Tick> {
    let config = scenario.config.config();
    let mut windows = Windows::new(config.aggregation, config.stable_window, config.panic_window);
    let mut memory = Memory::new(&config, scenario.initial_ready, At::ZERO);
    let mut samples = scenario.samples.iter().peekable();
    let mut ticks = Vec::new();
    for tick in &scenario.ticks {
        let now = At::from_secs(tick.t);
        while let Some((t, value)) = samples.next_if(|(t, _)| at(*t) <= now) {
            windows.record(at(*t), *value);
        }
        let observed = windows.observed(now, config.scraped());
        let inputs = Inputs { ready: tick.ready, observed };
        let decision = decide(&config, &mut memory, &inputs, now);
        let steps = decision.steps;
        ticks.push(Tick {
            t: tick.t,
            ready: decision.ready,
            valid: decision.valid(),
            stable: steps.map_or(0.0, |steps| steps.observed.stable),
            panic: steps.map_or(0.0, |steps| steps.observed.panic),
            desired: steps.map_or(0, |steps| steps.desired),
            ebc: steps.map_or(0, |steps| steps.excess_burst_capacity),
            panicking: decision.panicking(),
        });
    }
    ticks
}

/// Averages may differ in the last bits, since Go computes powers in another way.
fn agree(theirs: &Tick, ours: &Tick) -> bool {
    close(theirs.stable, ours.stable)
        && close(theirs.panic, ours.panic)
        && (theirs.valid, theirs.desired, theirs.ebc, theirs.panicking)
            == (ours.valid, ours.desired, ours.ebc, ours.panicking)
}

#[derive(Deserialize)]
struct Traced {
    scenario: String,
    t: u64,
    load: Option<f64>,
    ready: u32,
    valid: bool,
    panicking: u8,
    stable: Option<f64>,
    panic: Option<f64>,
    desired: Option<u32>,
    ebc: Option<i32>,
}

fn config_of_trace(scenario: &str) -> Config {
    let base = if scenario.starts_with("cc10") {
        Config { total_value: 10.0, target_value: 7.0, ..Config::default() }
    } else {
        Config::default()
    };
    match scenario {
        "cc10-step-upRate2" => Config { max_scale_up_rate: 2.0, ..base },
        "cc10-delay30" => Config { scale_down_delay: Duration::from_secs(30), ..base },
        "cc10-activation5-from-zero" => Config { activation_scale: 5, ..base },
        "cc10-window6s-burst" => Config {
            stable_window: Duration::from_secs(6),
            panic_window: Duration::from_secs(1),
            ..base
        },
        "cc10-unreachable-drop" => Config { reachable: false, ..base },
        "cc10-weighted-step" => Config { aggregation: Aggregation::WeightedExponential, ..base },
        "cc10-tbc0" => Config { target_burst_capacity: 0.0, ..base },
        "cc10-tbc-1" => Config { target_burst_capacity: -1.0, ..base },
        _ => base,
    }
}

/// The traces name their observations, so that a tick can be decided without the windows.
#[test]
fn every_traced_decision_is_knatives() {
    let traced: Vec<Traced> = golden("traces.jsonl");
    let mut n_agreed = 0;
    for ticks in traced.chunk_by(|a, b| a.scenario == b.scenario) {
        let config = config_of_trace(&ticks[0].scenario);
        // Panic at the very first tick may also be that of a start with several pods.
        let n_before = if ticks[0].ready > 1 { ticks[0].ready } else { 1 };
        let mut memory = Memory::new(&config, n_before, At::ZERO);
        for tick in ticks {
            let observed = tick
                .valid
                .then(|| Observed { stable: tick.stable.unwrap(), panic: tick.panic.unwrap() });
            let inputs = Inputs { ready: tick.ready, observed };
            let ours = decide(&config, &mut memory, &inputs, At::from_secs(tick.t));
            let ebc = ours.steps.map(|steps| steps.excess_burst_capacity);
            assert_eq!(
                (ours.desired(), ebc, u8::from(ours.panicking())),
                (tick.desired, tick.ebc, tick.panicking),
                "{} t={} load={:?}",
                tick.scenario,
                tick.t,
                tick.load
            );
            n_agreed += 1;
        }
    }
    assert_eq!(n_agreed, 782);
}

#[derive(Deserialize)]
struct Averages {
    alg: String,
    name: String,
    window_s: u64,
    records: Vec<(f64, f64)>,
    queries: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    t: f64,
    avg: f64,
    empty: bool,
}

#[test]
fn every_average_is_knatives() {
    let cases: Vec<Averages> = golden("buckets.jsonl");
    assert_eq!(cases.len(), 22);
    for case in cases {
        let aggregation = match case.alg.as_str() {
            "linear" => Aggregation::Linear,
            _ => Aggregation::WeightedExponential,
        };
        let mut buckets = Buckets::new(aggregation, Duration::from_secs(case.window_s));
        for (t, value) in case.records {
            buckets.record(at(t), value);
        }
        for Query { t, avg, empty } in case.queries {
            let ours = buckets.average(at(t));
            assert!(close(ours, avg), "{} {} at {t}: {ours}, not {avg}", case.alg, case.name);
            assert_eq!(buckets.is_empty(at(t)), empty, "{} {} at {t}", case.alg, case.name);
        }
    }
}

#[derive(Deserialize)]
struct Delayed {
    delay_s: u64,
    granularity_s: u64,
    tick_values: Vec<u32>,
    #[serde(rename = "delayed")]
    expected: Vec<u32>,
}

#[test]
fn every_delayed_scale_is_knatives() {
    let cases: Vec<Delayed> = golden("maxwindow.jsonl");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let mut window = MaxWindow::new(Duration::from_secs(case.delay_s));
        let mut now = At::ZERO;
        let mut delayed = Vec::new();
        for value in case.tick_values {
            delayed.push(window.record(now, value));
            now = now + Duration::from_secs(case.granularity_s);
        }
        assert_eq!(delayed, case.expected, "{} s", case.delay_s);
    }
}

#[derive(Deserialize)]
struct Sampled {
    pods: u32,
    sample: u32,
}

#[test]
fn every_sample_is_as_large_as_knatives() {
    let cases: Vec<Sampled> = golden("samplesize.jsonl");
    assert_eq!(cases.len(), 19);
    for Sampled { pods, sample } in cases {
        assert_eq!(sample_size(pods), sample, "{pods}");
    }
}

#[derive(Deserialize)]
struct Gauges {
    t: f64,
    stable: f64,
    panic: f64,
    target: f64,
    ready: u32,
    desired: u32,
    panicking: bool,
}

/// A revision with `target` 10, `window` 20s and `max-scale` 12 went through a burst; what a real
/// autoscaler exported of it meanwhile is explained without a remainder.
#[test]
fn every_exported_decision_is_explained() {
    let config = Config {
        total_value: 10.0,
        target_value: 7.0,
        stable_window: Duration::from_secs(20),
        panic_window: Duration::from_secs(2),
        max_scale: Some(12),
        ..Config::default()
    };
    let exported: Vec<Gauges> = golden("gauges.jsonl");
    let mut n_held = 0;
    for gauges in exported {
        let pieces = explain(&Reading {
            config: &config,
            stable: Some(gauges.stable),
            panic: Some(gauges.panic),
            target: Some(gauges.target),
            ready: Some(gauges.ready),
            panicking: Some(gauges.panicking),
            panic_began: false,
            desired: Some(gauges.desired),
        });
        let text = plain(&pieces);
        let decided = 0.0 < gauges.target;
        assert_eq!(
            text.contains(&format!(" {} wanted, {} ready", gauges.desired, gauges.ready)),
            decided,
            "{} {text}",
            gauges.t
        );
        assert_eq!(
            text.contains("panic is held") || text.contains("panic goes on"),
            gauges.panicking,
            "{} {text}",
            gauges.t
        );
        n_held += u32::from(text.ends_with("begin anew at 18 wanted (above 119)"));
    }
    assert_ne!(n_held, 0);
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn golden<T: DeserializeOwned>(name: &str) -> Vec<T> {
    lines(&fs::read_to_string(fixture("golden").join(name)).unwrap())
}

fn lines<T: DeserializeOwned>(text: &str) -> Vec<T> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn at(secs: f64) -> At {
    At::from(Duration::from_secs_f64(secs))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
}
