//! Requests wait in queue-proxy for a free place in their pod: `containerConcurrency` is reached.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use super::pods;
use crate::model::cluster::PodState;

#[derive(Debug)]
pub(super) struct RequestsQueued;

impl Finding for RequestsQueued {
    fn key(&self) -> &'static str {
        "requests_queued"
    }

    fn summary(&self) -> &'static str {
        "requests wait in queue-proxy"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["containerConcurrency", "target-utilization-percentage", "max-scale"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let Some(revision) = about.revision else { return Verdict::Unknown };
        let Some(autoscaler) = about.model.cluster.autoscalers.get(revision) else {
            return Verdict::Unknown;
        };
        let limit = f64::from(autoscaler.container_concurrency);
        if limit == 0.0 {
            return Verdict::Fine;
        }
        let (mut waiting, mut n_full, mut n_heard) = (0.0, 0u32, 0u32);
        for life in about.model.cluster.pods.values() {
            let is_ours = life.pod.revision.as_deref() == Some(revision.name.as_str())
                && life.pod.id.namespace == revision.namespace;
            let stat = life.stat_at(about.now()).filter(|_| is_ours);
            let Some(stat) = stat.filter(|_| life.state() == PodState::Ready) else { continue };
            n_heard += 1;
            // Its count holds what waits too.
            let beyond = stat.concurrency - limit;
            if 0.0 < beyond {
                waiting += beyond;
                n_full += 1;
            }
        }
        match (n_heard, n_full) {
            (0, _) => Verdict::Unknown,
            (_, 0) => Verdict::Fine,
            _ => Verdict::Holds(None, vec![waiting, n_full.into(), limit]),
        }
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "{:.1} wait in {}, each of which takes {:.0} at a time",
            at(numbers, 0),
            pods(at(numbers, 1)),
            at(numbers, 2)
        )
    }

    fn patience(&self, _about: &About<'_>) -> Duration {
        Duration::from_secs(5)
    }
}
