//! Panic is the rule and not the exception: bursts are ordinary for this load, or the threshold is
//! too near to it.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use super::times;

/// How far back it looks.
const SPAN: Duration = Duration::from_secs(600);
/// So many panics in it are often.
const PANICS: usize = 3;

#[derive(Debug)]
pub(super) struct PanicsOften;

impl Finding for PanicsOften {
    fn key(&self) -> &'static str {
        "panics_often"
    }

    fn summary(&self) -> &'static str {
        "it panics too often"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["panic-threshold-percentage", "panic-window-percentage", "target", "min-scale"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let Some(scaling) = about.scaling else { return Verdict::Unknown };
        let from = about.now().saturating_sub(SPAN);
        let panics: Vec<_> = scaling.panics.iter().filter(|span| from <= span.began).collect();
        if panics.len() < PANICS {
            return Verdict::Fine;
        }
        let now = about.now();
        let secs = panics.iter().map(|span| span.until(now).since(span.began).as_secs_f64()).sum();
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let n = panics.len() as f64;
        Verdict::Holds(panics.first().map(|span| span.began), vec![n, secs])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "panicked {} in the last {} s, for {:.0} s in all",
            times(at(numbers, 0)),
            SPAN.as_secs(),
            at(numbers, 1)
        )
    }
}
