//! Pods stay long after the load that wanted them has gone.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use super::pods;
use crate::model::demand;

/// What a wave of load may take beyond the windows.
const BEYOND: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct ScaleDownSlow;

impl Finding for ScaleDownSlow {
    fn key(&self) -> &'static str {
        "scale_down_slow"
    }

    fn summary(&self) -> &'static str {
        "scaling down is too slow for this load"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["scale-down-delay", "window", "max-scale-down-rate", "min-scale"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let (Some(scaling), Some(config), Some(revision)) =
            (about.scaling, about.config(), about.revision)
        else {
            return Verdict::Unknown;
        };
        let (Some(asked), Some(ready)) = (demand::now(about.model, revision), scaling.ready_now())
        else {
            return Verdict::Unknown;
        };
        let least = f64::from(config.min_scale_in_force().max(1));
        let needed = (asked / config.target_value).ceil().max(least);
        let ready = f64::from(ready);
        if needed * 2.0 <= ready && needed + 2.0 <= ready {
            return Verdict::Holds(None, vec![ready, needed, asked]);
        }
        Verdict::Fine
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "{} for {:.1} in flight, which want {:.0}",
            pods(at(numbers, 0)),
            at(numbers, 2),
            at(numbers, 1)
        )
    }

    /// A stable window is what scaling down takes by design.
    fn patience(&self, about: &About<'_>) -> Duration {
        let window = about.config().map_or(Duration::from_secs(60), |it| it.stable_window);
        window + BEYOND
    }
}
