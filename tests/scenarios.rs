//! The scenarios that are shipped: each can be read, and shows what it says.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rampscope::scenario;
use rampscope::scenario::plan::Address;
use rampscope::scenario::plan::Plan;

fn shipped() -> Vec<(String, PathBuf)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    found.sort();
    found
}

fn plan(name: &str) -> Plan {
    scenario::parse(scenario::builtin(name).unwrap(), name).unwrap()
}

#[test]
fn every_shipped_scenario_can_be_read_and_says_what_it_is_about() {
    for (name, path) in shipped() {
        let plan = scenario::load(path.to_str().unwrap(), &[]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(plan.name, name, "a scenario is called as its file");
        assert!(plan.about.ends_with('.'), "{name}: about is a sentence");
        assert!(!plan.checks.is_empty(), "{name} promises something");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with('#'), "{name} begins with what it is for");
        let Address::Service { create, .. } = plan.target.address else {
            panic!("{name} names a service");
        };
        assert_eq!(create, None, "{name} changes nothing in a cluster unless a person asks");
    }
}

#[test]
fn every_shipped_scenario_travels_in_the_program() {
    let names: Vec<String> = shipped().into_iter().map(|(name, _)| name).collect();
    let mut known: Vec<&str> = scenario::BUILTIN.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names, known);
}

#[test]
fn a_plan_survives_being_written_down() {
    for (name, _) in scenario::BUILTIN {
        let plan = plan(name);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "{name}");
    }
}

/// Target 10 at 70 % is 7 a pod; a request takes 100 ms.
#[test]
fn the_demo_has_a_cold_start_a_panic_and_an_end() {
    let plan = plan("demo");
    assert_eq!(plan.lasts(), Duration::from_secs(90));
    let wanted = |rate: f64| (rate * 0.1 / 7.0).ceil();
    let mut began = Duration::ZERO;
    let mut pods = 1.0;
    let mut panic_at = None;
    for stage in &plan.load.stages {
        if panic_at.is_none() && 2.0 * pods <= wanted(stage.from) {
            panic_at = Some(began);
        }
        pods = wanted(stage.to).max(1.0);
        began += stage.lasts;
    }
    // Two ticks of the autoscaler and the panic window come on top.
    assert!(panic_at.unwrap() + Duration::from_secs(8) < Duration::from_secs(30));
    assert!(wanted(plan.peak()) <= 12.0, "below max-scale");
    let last = plan.load.stages.last().unwrap();
    assert!(last.to < f64::EPSILON, "it ends with nothing");
    // One stable window, and some seconds for the pod to go.
    assert!(Duration::from_secs(20 + 15) <= last.lasts);
}
