//! How long a what-if takes: a record of half an hour under one configuration, and a grid of a
//! thousand.
//!
//! `cargo bench --bench whatif`. No figure is asserted: machines differ.

mod common;
mod world;

use std::time::Duration;

use rampscope::kpa::whatif;
use rampscope::kpa::whatif::Axis;
use rampscope::kpa::whatif::Basis;
use rampscope::kpa::whatif::Condition;
use rampscope::kpa::whatif::Curve;
use rampscope::kpa::whatif::Load;
use rampscope::kpa::whatif::Pods;
use rampscope::model::Model;
use rampscope::model::recording::Recording;
use rampscope::model::scorecard::Scorecard;

/// Half an hour.
const SECS: u32 = 1800;

fn main() {
    let load = load();
    let pods = Pods {
        ready: 1,
        starts: [1.8, 2.1, 2.6, 3.0].map(Duration::from_secs_f64).to_vec(),
        stops: Duration::from_secs(2),
        capacity: 10.0,
    };
    let mut basis = Basis::default();
    basis.annotations.insert("target".to_owned(), "10".to_owned());
    let config = basis.effective().config;
    common::measure("whatif: half an hour, one configuration", (SECS, "seconds"), || {
        whatif::play(&config, &load, &pods, |_| {})
    });
    let curve = curve();
    let axes: Vec<Axis> = [
        "target=1,2,3,5,7,10,15,20,30,50",
        "window=6s,10s,15s,20s,30s,45s,60s,90s,120s,300s",
        "panic-window=5,10,15,20,25,30,40,50,75,100",
    ]
    .into_iter()
    .filter_map(|axis| Axis::parse(axis, 100.0).ok())
    .collect();
    let under: Vec<Condition> =
        ["p95<300ms", "short<60s"].into_iter().filter_map(|it| it.parse().ok()).collect();
    common::measure("whatif: half an hour, grid of 1000", (1000, "configurations"), || {
        whatif::search(&basis, &axes, &under, (&load, &pods, &curve))
    });
    let mut model = Model::default();
    for stamped in &world::world(50, u64::from(SECS), Vec::new()) {
        model.apply(stamped);
    }
    let revision = model.measured_revisions().into_iter().next();
    if let Some(revision) = revision {
        common::measure("whatif: taken out of a record", (1, "records"), || {
            Recording::of(&model, &revision).is_ok()
        });
    }
    common::measure("scorecard: half an hour of 50 pods", (1, "records"), || Scorecard::of(&model));
}

/// Waves between 5 and 95 in flight, with a burst of 300 every five minutes.
fn load() -> Load {
    let seconds = (0..SECS).map(|second| {
        let wave = 50.0 + 45.0 * (f64::from(second) / 60.0).sin();
        Some(if second % 300 < 10 { 300.0 } else { wave })
    });
    Load { first: 0, seconds: seconds.collect() }
}

fn curve() -> Curve {
    let mut curve = Curve::default();
    for step in 1..=40u32 {
        let per_pod = f64::from(step);
        let rows = (0..8).map(|row| (0.05 * f64::from(row + 1) * (1.0 + per_pod / 20.0), 50.0));
        curve.add(per_pod, rows);
    }
    curve
}
