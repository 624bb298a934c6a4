//! Pods were let go that were wanted again soon: the next wave met cold starts.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Turn;
use super::Verdict;
use super::at;
use super::pods;
use super::times;
use super::turns;

/// How far back it looks.
const SPAN: Duration = Duration::from_secs(600);
/// Wanted again within this is soon.
const SOON: Duration = Duration::from_secs(60);
/// So often is no chance.
const OFTEN: usize = 2;

#[derive(Debug)]
pub(super) struct ScaleDownFast;

impl Finding for ScaleDownFast {
    fn key(&self) -> &'static str {
        "scale_down_fast"
    }

    fn summary(&self) -> &'static str {
        "scaling down is too fast for this load"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["scale-down-delay", "window", "scale-to-zero-pod-retention-period"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let Some(scaling) = about.scaling else { return Verdict::Unknown };
        let mut soon: Vec<Turn> = turns(scaling, about.now().saturating_sub(SPAN));
        soon.retain(|turn| turn.at.since(turn.fell) <= SOON);
        if soon.len() < OFTEN {
            return Verdict::Fine;
        }
        let lost: f64 = soon.iter().map(|turn| turn.top - turn.low).sum();
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let n = soon.len() as f64;
        Verdict::Holds(soon.first().map(|turn| turn.fell), vec![n, lost])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "{}, pods were let go and wanted again within {} s: {} in all",
            times(at(numbers, 0)),
            SOON.as_secs(),
            pods(at(numbers, 1))
        )
    }
}
