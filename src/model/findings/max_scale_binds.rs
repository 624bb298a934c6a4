//! More pods are wanted than `max-scale` allows.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use crate::model::demand;
use crate::model::scaling::FRESH;

#[derive(Debug)]
pub(super) struct MaxScaleBinds;

impl Finding for MaxScaleBinds {
    fn key(&self) -> &'static str {
        "max_scale_binds"
    }

    fn summary(&self) -> &'static str {
        "max-scale holds pods back"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["max-scale"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let (Some(scaling), Some(config)) = (about.scaling, about.config()) else {
            return Verdict::Unknown;
        };
        let Some(most) = config.max_scale else { return Verdict::Fine };
        // The autoscaler's own word; else that of our model of it, whose windows smooth a queue as
        // its do; else the load as it is.
        let modelled = || {
            let tick = scaling.shadow.as_deref()?.tick_at(about.now())?;
            let is_fresh = about.now().since(tick.at()) < FRESH && tick.input.is_whole;
            tick.decision.steps.filter(|_| is_fresh).map(|steps| f64::from(steps.desired))
        };
        let asked = || {
            let asked = demand::now(about.model, about.revision?)?;
            Some((asked / config.target_value).ceil())
        };
        let wanted = scaling.wanted.at(about.now(), Some(FRESH)).or_else(modelled).or_else(asked);
        match wanted {
            Some(wanted) if f64::from(most) < wanted => {
                Verdict::Holds(None, vec![wanted, most.into()])
            }
            Some(_) => Verdict::Fine,
            None => Verdict::Unknown,
        }
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!("{:.0} pods wanted, {:.0} allowed", at(numbers, 0), at(numbers, 1))
    }

    fn patience(&self, _about: &About<'_>) -> Duration {
        Duration::from_secs(5)
    }
}
