//! We ourselves are the bottleneck: what is measured then says less about the service.

use std::time::Duration;

use crate::event::traffic::Limit;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;

/// How long an interval counts as now.
const RECENT: Duration = Duration::from_secs(10);

/// What can be short, and what makes more of it; the evidence has its place in here.
static SHORT: [(Limit, &str, &[&str]); 7] = [
    (Limit::Descriptors, "file descriptors", &["ulimit -n", "target.connections"]),
    (Limit::Ports, "local ports", &["request.keep_alive", "net.ipv4.ip_local_port_range"]),
    (Limit::CpuQuota, "its CPU quota", &["the quota of its control group", "the rate"]),
    (Limit::Cpu, "a core", &["what else runs here", "the rate", "a faster machine"]),
    (Limit::Stopped, "being let run", &["what else runs here", "the machine itself"]),
    (Limit::Connections, "connections", &["target.connections", "target.max_in_flight"]),
    (Limit::Unknown, "something unknown", &["target.connections", "a faster machine"]),
];

#[derive(Debug)]
pub(super) struct ClientLimited;

impl Finding for ClientLimited {
    fn key(&self) -> &'static str {
        "client_limited"
    }

    fn summary(&self) -> &'static str {
        "the generator itself is the bottleneck"
    }

    fn settings(&self, numbers: &[f64]) -> &'static [&'static str] {
        short(numbers).2
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let traffic = &about.model.traffic;
        let Some(last) = traffic.limited.back() else { return Verdict::Fine };
        if RECENT <= about.now().since(last.ended) {
            return Verdict::Fine;
        }
        Verdict::Holds(Some(last.began), vec![traffic.limited_s, place(last.limit)])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "short of {}, {:.1} s in all: latencies then are partly our own",
            short(numbers).1,
            at(numbers, 0)
        )
    }
}

/// Where in [`SHORT`] it stands; what is not in there is not known.
fn place(limit: Limit) -> f64 {
    let place = SHORT.iter().zip(0u8..).find(|((it, ..), _)| *it == limit);
    place.map_or(f64::NAN, |(_, place)| f64::from(place))
}

fn short(numbers: &[f64]) -> &'static (Limit, &'static str, &'static [&'static str]) {
    let told = at(numbers, 1);
    let known = SHORT.iter().zip(0u8..).find(|(_, place)| (f64::from(*place) - told).abs() < 0.5);
    known.map_or(&SHORT[SHORT.len() - 1], |(it, _)| it)
}
