//! The autoscaler exports nothing, as a stock install does not since Knative 1.19.

use super::About;
use super::Finding;
use super::Verdict;
use crate::event::cluster::Phase;
use crate::event::source::State;
use crate::model::Model;

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

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["metrics-protocol in config-observability"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        match about.model.sources.get(SOURCE) {
            None => Verdict::Unknown,
            // Without an autoscaler nothing is switched off.
            Some(source) if source.report.state == State::Absent && runs(about.model) => {
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

/// Whether there is an autoscaler that could export something.
fn runs(model: &Model) -> bool {
    let mut pods = model.cluster.pods.values();
    pods.any(|it| it.pod.app.as_deref() == Some("autoscaler") && it.pod.phase == Phase::Running)
}
