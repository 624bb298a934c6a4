//! Pods come and go and come again: the windows are shorter than the waves of the load.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use super::pods;
use super::turns;

/// How far back it looks.
const SPAN: Duration = Duration::from_secs(300);
/// So many turns from down to up are flapping.
const TURNS: usize = 3;

#[derive(Debug)]
pub(super) struct Flapping;

impl Finding for Flapping {
    fn key(&self) -> &'static str {
        "flapping"
    }

    fn summary(&self) -> &'static str {
        "desired goes up and down again and again"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["window", "scale-down-delay", "max-scale-down-rate"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let Some(scaling) = about.scaling else { return Verdict::Unknown };
        let turns = turns(scaling, about.now().saturating_sub(SPAN));
        if turns.len() < TURNS {
            return Verdict::Fine;
        }
        let low = turns.iter().map(|turn| turn.low).fold(f64::INFINITY, f64::min);
        let top = turns.iter().map(|turn| turn.top).fold(0.0, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let n = turns.len() as f64;
        Verdict::Holds(turns.first().map(|turn| turn.fell), vec![n, low, top])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "{:.0} times down and up again in {} s, between {:.0} and {}",
            at(numbers, 0),
            SPAN.as_secs(),
            at(numbers, 1),
            pods(at(numbers, 2))
        )
    }
}
