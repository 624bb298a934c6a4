//! A scenario's checks, held against a run.

use std::time::Duration;

use serde::Serialize;

use crate::model::Model;
use crate::model::scorecard::Scorecard;
use crate::scenario::check::Check;
use crate::scenario::check::Measure;
use crate::series::nearest_rank;

use super::PanicSource;
use super::count;
use super::scaling::panic_source;

/// A check and whether it held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckSummary {
    /// As it was written.
    pub name: String,
    /// The unit of limit and value: `s`, `share`, `/s`, or empty for counts.
    pub unit: &'static str,
    /// The limit.
    pub limit: f64,
    /// The value; `None` without data.
    pub value: Option<f64>,
    /// Whether it held; without data it did not.
    pub pass: bool,
}

// === impl CheckSummary ===

impl CheckSummary {
    pub(super) fn of(check: &Check, model: &Model) -> Self {
        let value = measure(check.what, model);
        Self {
            name: check.text.clone(),
            unit: match check.what {
                Measure::Latency(_)
                | Measure::ColdStart(_)
                | Measure::TimeToFirstPod
                | Measure::TimeToDesired => "s",
                Measure::Errors
                | Measure::Overshoot
                | Measure::PanicShare
                | Measure::ColdStartShare => "share",
                Measure::RateAchieved => "/s",
                Measure::ReadyMax
                | Measure::Panics
                | Measure::PodSecondsShort
                | Measure::PodSecondsWasted
                | Measure::Oscillations => "",
            },
            limit: check.limit,
            value,
            pass: check.judge(value),
        }
    }
}

/// The value of a measure in its unit; `None` without data.
fn measure(what: Measure, model: &Model) -> Option<f64> {
    let total = &model.traffic.total;
    let revisions = model.measured_revisions();
    let known = || revisions.iter().filter_map(|name| model.scaling.get(name));
    match what {
        Measure::Latency(share) => total
            .latencies
            .felt()
            .filter(|felt| 0 < felt.count())
            .map(|felt| felt.quantile(share).as_secs_f64()),
        Measure::ColdStart(share) => {
            let mut took: Vec<Duration> = model
                .cluster
                .cold_starts
                .iter()
                .filter(|start| revisions.contains(&start.revision))
                .map(|start| start.took)
                .collect();
            took.sort_unstable();
            nearest_rank(&took, share).map(|took| took.as_secs_f64())
        }
        Measure::Errors => total.error_share(),
        Measure::RateAchieved => {
            (0 < total.completed()).then(|| total.per_second(total.completed())).flatten()
        }
        Measure::ReadyMax => model.most.ready.map(f64::from),
        Measure::Panics => {
            let end = model.run.ended_at.unwrap_or(model.now);
            (panic_source(model, &revisions, end) != PanicSource::Unknown)
                .then(|| count(known().map(|scaling| scaling.panics.len() as u64).sum()))
        }
        Measure::TimeToFirstPod
        | Measure::TimeToDesired
        | Measure::Overshoot
        | Measure::PodSecondsShort
        | Measure::PodSecondsWasted
        | Measure::Oscillations
        | Measure::PanicShare
        | Measure::ColdStartShare => scored(what, &Scorecard::of(model)?),
    }
}

/// What the scorecard says of a measure.
fn scored(what: Measure, card: &Scorecard) -> Option<f64> {
    match what {
        Measure::TimeToFirstPod => card.time_to_first_pod_s,
        Measure::TimeToDesired => card.time_to_desired_s,
        Measure::Overshoot => card.overshoot,
        Measure::PodSecondsShort => card.pod_seconds_short,
        Measure::PodSecondsWasted => card.pod_seconds_wasted,
        Measure::Oscillations => card.oscillations.map(count),
        Measure::PanicShare => card.panic_share,
        // What is promised to be rare must be so even if all that may have waited did.
        Measure::ColdStartShare => card.cold_start_share.map(|(_, most)| most),
        Measure::Latency(_)
        | Measure::ColdStart(_)
        | Measure::Errors
        | Measure::RateAchieved
        | Measure::ReadyMax
        | Measure::Panics => None,
    }
}
