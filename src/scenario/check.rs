//! Promises of a run, as data: `p99 < 2s`, `errors < 1%`, `cold_start.p95 < 5s`.

use serde::Deserialize;
use serde::Serialize;

/// One promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// As it was written.
    pub text: String,
    /// What is measured.
    pub what: Measure,
    /// Whether the value must be below the limit, or above.
    pub must_be: Comparison,
    /// The limit, in the measure's unit.
    pub limit: f64,
}

/// On which side of the limit the value must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// A quantile of the response time (service time in a closed loop), in seconds; 0.99 is p99.
    Latency(f64),
    /// A quantile of the cold start (creation of the pod to Ready), in seconds.
    ColdStart(f64),
    /// Failed and dropped over offered, as a share.
    Errors,
    /// Completed requests a second.
    RateAchieved,
    /// The most ready pods.
    ReadyMax,
    /// How many times it panicked.
    Panics,
}
