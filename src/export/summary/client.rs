//! What a run cost us: our own process, and what it was short of.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::run::Client;
use crate::model::traffic::Totals;

use super::LatencySummary;
use super::count;
use super::traffic::ratio;

/// Our own process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientSummary {
    /// CPU seconds, user and system.
    pub cpu_s: f64,
    /// The same, a request, in microseconds; `None` without requests.
    pub cpu_us_per_request: Option<f64>,
    /// Largest resident set.
    pub rss_max_bytes: u64,
    /// Bytes written to the terminal.
    pub terminal_bytes: u64,
    /// Frames drawn.
    pub frames: u64,
    /// CPU seconds by what threads are for: `load`, `screen and loop`, `journal`, `collect`,
    /// `embedded cluster`, `other`.
    pub threads: BTreeMap<&'static str, f64>,
    /// CPU microseconds of the load's own threads a request; `None` without requests, and where
    /// the system does not tell.
    pub load_cpu_us_per_request: Option<f64>,
    /// How late a bare timer of ours rang, which sends nothing.
    pub timer_slip: Option<LatencySummary>,
    /// What the machine gave us; `None` where the system does not tell.
    pub health: HealthSummary,
}

/// What the machine gave us: each the most of any interval, as a share of it unless the name says
/// otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HealthSummary {
    /// That the busiest of the load's threads had a core.
    pub busiest_max: Option<f64>,
    /// That one of them was ready and waited for a core.
    pub run_queue_max: Option<f64>,
    /// Cores that the process may run on.
    pub cores: Option<u32>,
    /// The CPU quota of its control group, in cores.
    pub quota_cores: Option<f64>,
    /// The quota's periods that were cut short.
    pub throttled_max: Option<f64>,
    /// Descriptors in use.
    pub descriptors_max: Option<u64>,
    /// Descriptors that are allowed.
    pub descriptors_allowed: Option<u64>,
    /// Local ports in use toward the target.
    pub ports_max: Option<u64>,
    /// Local ports that there are.
    pub ports_allowed: Option<u64>,
}

// === impl ClientSummary ===

impl ClientSummary {
    pub(super) fn of(client: &Client, total: &Totals) -> Self {
        let completed = count(total.completed());
        let known = &total.client;
        Self {
            cpu_s: client.cpu_s,
            cpu_us_per_request: ratio(client.cpu_s * 1e6, completed),
            rss_max_bytes: client.rss_max_bytes,
            terminal_bytes: client.terminal_bytes,
            frames: client.frames,
            threads: threads(client, known.load_cpu_s),
            load_cpu_us_per_request: known.load_cpu_s.and_then(|cpu| ratio(cpu * 1e6, completed)),
            timer_slip: known.timer_slip.as_ref().map(LatencySummary::of_histogram),
            health: HealthSummary {
                busiest_max: known.busiest,
                run_queue_max: known.run_queue,
                cores: known.cores,
                quota_cores: known.quota,
                throttled_max: known.throttled,
                descriptors_max: known.descriptors,
                descriptors_allowed: known.descriptors_max,
                ports_max: known.ports,
                ports_allowed: known.ports_max,
            },
        }
    }
}

/// CPU seconds by what threads are for; they add up to those of the process.
fn threads(client: &Client, load: Option<f64>) -> BTreeMap<&'static str, f64> {
    let mut threads = BTreeMap::new();
    if client.threads.is_empty() {
        return threads;
    }
    let mut rest = client.cpu_s;
    let mut add = |name: &'static str, cpu_s: f64| {
        *threads.entry(name).or_default() += cpu_s;
        rest -= cpu_s;
    };
    if let Some(load) = load {
        add("load", load);
    }
    for (name, cpu_s) in &client.threads {
        match name.as_str() {
            "main" | "terminal" => add("screen and loop", *cpu_s),
            "journal" => add("journal", *cpu_s),
            "collect" => add("collect", *cpu_s),
            "sim" => add("embedded cluster", *cpu_s),
            _ => {}
        }
    }
    // Above all threads that ended before.
    threads.insert("other", rest.max(0.0));
    threads
}
