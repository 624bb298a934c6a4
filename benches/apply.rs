//! How many events a second the model takes in, and how much memory it comes to.
//!
//! `cargo bench --bench apply`. No figure is asserted: machines differ.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod common;
mod world;

use std::fs;

use rampscope::event::Stamped;
use rampscope::model::Model;

fn main() {
    for n_pods in [10, 50, 500] {
        let events = world::world(n_pods, 120, Vec::new());
        let n_events = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let name = format!("apply: 120 s of {n_pods} pods");
        common::measure(&name, (n_events, "events"), || {
            let mut model = Model::default();
            for stamped in &events {
                model.apply(stamped);
            }
            model
        });
    }
    let before = resident_kib();
    let mut model = Model::default();
    let mut seq = 0;
    let mut apply = |(at, event)| {
        model.apply(&Stamped { seq, at, event });
        seq += 1;
    };
    world::first(50).into_iter().for_each(&mut apply);
    for hour in 1..=4 {
        for sec in (hour - 1) * 3600 + 1..=hour * 3600 {
            world::second(50, sec).into_iter().for_each(&mut apply);
        }
        let grown = resident_kib().saturating_sub(before);
        println!("model: {hour} h of 50 pods {grown:>29} KiB");
    }
}

/// Resident memory of this process in KiB.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
