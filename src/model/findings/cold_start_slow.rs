//! Cold starts take longer than a check of the scenario promises.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use crate::scenario::check::Check;
use crate::scenario::check::Measure;
use crate::series::nearest_rank;

#[derive(Debug)]
pub(super) struct ColdStartSlow;

impl Finding for ColdStartSlow {
    fn key(&self) -> &'static str {
        "cold_start_slow"
    }

    fn summary(&self) -> &'static str {
        "cold starts take longer than promised"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["min-scale", "scale-to-zero-pod-retention-period", "activation-scale"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let (Some(began), Some(revision)) = (&about.model.run.began, about.revision) else {
            return Verdict::Unknown;
        };
        let promises = began.checks.iter().filter_map(|text| text.parse::<Check>().ok());
        let starts = about.model.cluster.cold_starts.iter();
        let starts: Vec<_> = starts.filter(|start| start.revision == *revision).collect();
        let mut took: Vec<Duration> = starts.iter().map(|start| start.took).collect();
        took.sort_unstable();
        for promise in promises {
            let Measure::ColdStart(share) = promise.what else { continue };
            let value = nearest_rank(&took, share).map(|took| took.as_secs_f64());
            if let Some(value) = value.filter(|value| !promise.judge(Some(*value))) {
                let late = starts.iter().find(|it| !promise.judge(Some(it.took.as_secs_f64())));
                let n = u32::try_from(took.len()).unwrap_or(u32::MAX);
                let numbers = vec![share * 100.0, value, promise.limit, n.into()];
                return Verdict::Holds(late.map(|start| start.ready), numbers);
            }
        }
        Verdict::Fine
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "p{} of {:.0} cold starts is {:.1} s, promised is {:.1} s",
            at(numbers, 0),
            at(numbers, 3),
            at(numbers, 1),
            at(numbers, 2)
        )
    }
}
