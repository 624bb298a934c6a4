//! The autoscaler exports nothing, as a stock install does not since Knative 1.19.

use super::About;
use super::Finding;
use super::Verdict;
use crate::event::source::State;

/// The source that reads them.
const SOURCE: &str = "autoscaler metrics";

#[derive(Debug)]
pub(super) struct MetricsOff;

impl Finding for MetricsOff {
    fn key(&self) -> &'static str {
        "metrics_off"
    }

    fn summary(&self) -> &'static str {
        "Knative's metrics are switched off"
    }

    fn settings(&self) -> &'static [&'static str] {
        &["metrics-protocol in config-observability"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        match about.model.sources.get(SOURCE) {
            None => Verdict::Unknown,
            Some(source) if source.report.state == State::Absent => {
                Verdict::Holds(Some(source.since), Vec::new())
            }
            Some(_) => Verdict::Fine,
        }
    }

    fn detail(&self, _numbers: &[f64]) -> String {
        "its averages and its wish cannot be read; panic is known from its log, if at all"
            .to_owned()
    }
}
