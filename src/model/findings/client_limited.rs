//! We ourselves are the bottleneck: what is measured then says less about the service.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;

/// How long an interval counts as now.
const RECENT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct ClientLimited;

impl Finding for ClientLimited {
    fn key(&self) -> &'static str {
        "client_limited"
    }

    fn summary(&self) -> &'static str {
        "the generator itself is the bottleneck"
    }

    fn settings(&self) -> &'static [&'static str] {
        &["target.max_in_flight", "target.connections", "a faster machine"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let traffic = &about.model.traffic;
        let Some(last) = traffic.limited.back() else { return Verdict::Fine };
        if RECENT <= about.now().since(last.ended) {
            return Verdict::Fine;
        }
        Verdict::Holds(Some(last.began), vec![traffic.limited_s])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!("for {:.1} s in all so far: latencies of then are partly our own", at(numbers, 0))
    }
}
