//! Ready pods whose queue-proxy says nothing: what the autoscaler scrapes may be as incomplete.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use crate::event::source::State;
use crate::model::cluster::PodState;

/// The source that reads them.
const SOURCE: &str = "queue-proxies";
/// A queue-proxy that has just come need not have spoken.
const SILENT: Duration = Duration::from_secs(5);
/// What one says counts for three seconds; one that says nothing now and so long ago is silent.
const LATE: Duration = Duration::from_secs(2);
/// Of more than these each is asked more seldom than a silence lasts (twenty are read a second).
const READ_WHOLE: u32 = 60;

#[derive(Debug)]
pub(super) struct ScrapesMissing;

impl Finding for ScrapesMissing {
    fn key(&self) -> &'static str {
        "scrapes_missing"
    }

    fn summary(&self) -> &'static str {
        "queue-proxies do not answer"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["NetworkPolicy to port 9090", "pods/proxy", "mesh compatibility"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let source = about.model.sources.get(SOURCE).map(|source| source.report.state);
        let (Some(State::Ok | State::Failing), Some(revision)) = (source, about.revision) else {
            return Verdict::Unknown;
        };
        let now = about.now();
        let (mut n_ready, mut n_silent) = (0u32, 0u32);
        for life in about.model.cluster.pods.values() {
            let is_ours = life.pod.revision.as_deref() == Some(revision.name.as_str())
                && life.pod.id.namespace == revision.namespace;
            let is_long = life.ready_seen.is_some_and(|ready| SILENT <= now.since(ready));
            if !is_ours || !is_long || life.state() != PodState::Ready {
                continue;
            }
            n_ready += 1;
            let heard = |at| life.stat_at(at).is_some();
            n_silent += u32::from(!heard(now) && !heard(now.saturating_sub(LATE)));
        }
        if n_silent == 0 {
            return Verdict::Fine;
        }
        // So many are read in parts: one that is silent for so long may just not have been asked.
        if READ_WHOLE < n_ready {
            return Verdict::Unknown;
        }
        Verdict::Holds(None, vec![n_silent.into(), n_ready.into()])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "{:.0} of {:.0} ready pods have said nothing for {} s",
            at(numbers, 0),
            at(numbers, 1),
            SILENT.as_secs()
        )
    }

    fn patience(&self, _about: &About<'_>) -> Duration {
        Duration::from_secs(3)
    }
}
