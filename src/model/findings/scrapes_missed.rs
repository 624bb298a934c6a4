//! The autoscaler's averages lack load that its pods had: its scrapes of them fail.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use crate::kpa::config::Metric;
use crate::model::shadow::Cause;
use crate::model::shadow::Source;
use crate::model::shadow::Tick;

/// How far back it looks: six ticks, of which the last is not settled.
const SPAN: Duration = Duration::from_secs(12);
/// So many ticks in it whose averages lack load are no chance.
const TICKS: usize = 3;

#[derive(Debug)]
pub(super) struct ScrapesMissed;

impl Finding for ScrapesMissed {
    fn key(&self) -> &'static str {
        "scrapes_missed"
    }

    fn summary(&self) -> &'static str {
        "the autoscaler does not hear its pods"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["NetworkPolicy to port 9090", "mesh compatibility", "autoscaler's resources"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let shadow = about.scaling.and_then(|scaling| scaling.shadow.as_deref());
        let Some(shadow) = shadow else { return Verdict::Unknown };
        let from = about.now().saturating_sub(SPAN);
        let lately = shadow.ticks().rev().take_while(|tick| from <= tick.at());
        let mut lately = lately.filter(|tick| parted(tick).is_some()).peekable();
        if lately.peek().is_none() {
            return Verdict::Unknown;
        }
        let missed: Vec<_> = lately.filter(|tick| is_missed(tick)).collect();
        let (Some(newest), Some(oldest)) = (missed.first(), missed.last()) else {
            return Verdict::Fine;
        };
        let Some([theirs, ours]) = parted(newest).filter(|_| TICKS <= missed.len()) else {
            return Verdict::Fine;
        };
        let is_rate = f64::from(u8::from(newest.config().metric == Metric::Rps));
        Verdict::Holds(Some(oldest.at()), vec![theirs, ours, is_rate])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        let (theirs, ours) = (at(numbers, 0), at(numbers, 1));
        let unit = if 0.0 < at(numbers, 2) { "requests a second" } else { "concurrent" };
        format!("it averages {theirs:.1} where its pods had {ours:.1} {unit}")
    }
}

fn is_missed(tick: &Tick) -> bool {
    [tick.gaps.model, tick.gaps.averages].contains(&Some(Cause::MissedScrape))
}

/// Its average and ours, over the window in which they part further; `None`: one is not known.
fn parted(tick: &Tick) -> Option<[f64; 2]> {
    let theirs = tick.reported?.observed.filter(|_| tick.input.source == Source::Pods)?;
    let ours = tick.decision.steps?.observed;
    let windows = [[theirs.panic, ours.panic], [theirs.stable, ours.stable]];
    windows.into_iter().max_by(|one, two| (one[1] - one[0]).total_cmp(&(two[1] - two[0])))
}
