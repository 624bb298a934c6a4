//! Under steady load the activator does not leave the path: the pods never have the spare capacity
//! that the target burst capacity asks for.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use crate::kpa::config::Burst;
use crate::model::demand;

/// A load as long as this is not one that just began.
const LONG: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct ActivatorStays;

impl Finding for ActivatorStays {
    fn key(&self) -> &'static str {
        "activator_stays"
    }

    fn summary(&self) -> &'static str {
        "the activator never leaves the path"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["target-burst-capacity"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let (Some(scaling), Some(config)) = (about.scaling, about.config()) else {
            return Verdict::Unknown;
        };
        // With -1 it is meant to stay, with 0 to leave as soon as a pod is there.
        let Burst::Of(burst) = config.burst() else { return Verdict::Fine };
        let Some(via) = scaling.via_activator_now else { return Verdict::Unknown };
        let ready = scaling.ready_now().unwrap_or(0);
        let load = about.revision.and_then(|revision| demand::now(about.model, revision));
        if !via || ready == 0 || load.is_none_or(|load| load <= 0.0) {
            return Verdict::Fine;
        }
        let capacity = f64::from(ready) * config.total_value;
        Verdict::Holds(None, vec![ready.into(), capacity, load.unwrap_or_default(), burst])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        let [ready, capacity, load, burst] = [0, 1, 2, 3].map(|idx| at(numbers, idx));
        format!(
            "{} {capacity:.0}, {load:.1} are there: {:.0} are left, and it leaves at {burst:.0}",
            if ready == 1.0 { "1 pod bears".to_owned() } else { format!("{ready:.0} pods bear") },
            (capacity - load).floor()
        )
    }

    fn patience(&self, about: &About<'_>) -> Duration {
        let window = about.config().map(|config| config.stable_window);
        LONG.max(window.unwrap_or_default() * 2)
    }
}
