//! Promises of a run, as data: `p99 < 2s`, `errors < 1%`, `cold_start.p95 < 5s`.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

use super::amount::Amount;
use super::amount::AmountError;
use super::amount::Span;
use crate::units::clean;

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
    /// From the first load that met no pod to the first pod ready, in seconds.
    TimeToFirstPod,
    /// The longest time in which fewer pods were ready than desired, in seconds.
    TimeToDesired,
    /// Ready pods at most beyond the needed ones at most, over the latter, as a share.
    Overshoot,
    /// Pods missing, times seconds.
    PodSecondsShort,
    /// Pods that nothing needed, times seconds.
    PodSecondsWasted,
    /// How often desired rose again after it had fallen.
    Oscillations,
    /// Time in panic over the whole time, as a share.
    PanicShare,
    /// Requests that waited for a cold start over all, as a share: at most.
    ColdStartShare,
}

/// Why a text is not a check.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckError {
    /// No comparison in it.
    #[error("{0:?} is not a check; write it as p99 < 2s, errors < 1% or ready_max <= 12")]
    NotACheck(String),
    /// Nothing that is measured.
    #[error(
        "{0:?} is not measured; known are p50, p95, p99.9 and the like, cold_start.p95, errors, \
         rate, ready_max, panics, time_to_first_pod, time_to_desired, overshoot, \
         pod_seconds_short, pod_seconds_wasted, oscillations, panic_share, cold_start_share"
    )]
    NotMeasured(String),
    /// The limit is not a time.
    #[error("the limit {0}")]
    Limit(#[from] AmountError),
    /// The limit is not a share.
    #[error("the limit {0:?} is not a share; write it from 0% to 100%, as 1%")]
    NotAShare(String),
    /// The limit is not a rate.
    #[error("the limit {0:?} is not a rate; write it as 100/s")]
    NotARate(String),
    /// The limit is not a count.
    #[error("the limit {0:?} is not a count; write a whole number, as 12")]
    NotACount(String),
}

// === impl Check ===

impl Check {
    /// Whether the promise is kept. No data fails: what was not seen was not shown to be true.
    pub fn judge(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| match self.must_be {
            Comparison::Below => value < self.limit,
            Comparison::AtMost => value <= self.limit,
            Comparison::Above => self.limit < value,
            Comparison::AtLeast => self.limit <= value,
        })
    }
}

impl FromStr for Check {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<Self, CheckError> {
        let not_a_check = || CheckError::NotACheck(clean(text, 60));
        let n_what = text.find(['<', '>']).ok_or_else(not_a_check)?;
        let (what, rest) = text.split_at(n_what);
        let (must_be, limit) = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ]
        .into_iter()
        .find_map(|(sign, must_be)| Some((must_be, rest.strip_prefix(sign)?)))
        .ok_or_else(not_a_check)?;
        let (what, limit) = (what.trim(), limit.trim());
        if what.is_empty() || limit.is_empty() {
            return Err(not_a_check());
        }
        let what: Measure = what.parse()?;
        let limit_value = what.parse_limit(limit)?;
        Ok(Self { text: format!("{what} {must_be} {limit}"), what, must_be, limit: limit_value })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        })
    }
}

// === impl Measure ===

impl Measure {
    fn parse_limit(self, text: &str) -> Result<f64, CheckError> {
        let quoted = || clean(text, 40);
        match self {
            Self::Latency(_) | Self::ColdStart(_) | Self::TimeToFirstPod | Self::TimeToDesired => {
                Ok(text.parse::<Span>()?.0.as_secs_f64())
            }
            Self::Errors | Self::Overshoot | Self::PanicShare | Self::ColdStartShare => text
                .strip_suffix('%')
                .and_then(|percent| percent.trim().parse::<f64>().ok())
                // Twice as many pods too many as are needed is a possible limit.
                .filter(|percent| {
                    let most = if self == Self::Overshoot { 10_000.0 } else { 100.0 };
                    (0.0..=most).contains(percent)
                })
                .map(|percent| percent / 100.0)
                .ok_or_else(|| CheckError::NotAShare(quoted())),
            Self::RateAchieved => match text.parse::<Amount>() {
                Ok(Amount::Rate(rate)) => Ok(rate),
                _ => Err(CheckError::NotARate(quoted())),
            },
            Self::ReadyMax
            | Self::Panics
            | Self::PodSecondsShort
            | Self::PodSecondsWasted
            | Self::Oscillations => {
                text.parse::<u32>().map(f64::from).map_err(|_| CheckError::NotACount(quoted()))
            }
        }
    }
}

impl FromStr for Measure {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<Self, CheckError> {
        let known = match text {
            "errors" => Some(Self::Errors),
            "rate" => Some(Self::RateAchieved),
            "ready_max" => Some(Self::ReadyMax),
            "panics" => Some(Self::Panics),
            "time_to_first_pod" => Some(Self::TimeToFirstPod),
            "time_to_desired" => Some(Self::TimeToDesired),
            "overshoot" => Some(Self::Overshoot),
            "pod_seconds_short" => Some(Self::PodSecondsShort),
            "pod_seconds_wasted" => Some(Self::PodSecondsWasted),
            "oscillations" => Some(Self::Oscillations),
            "panic_share" => Some(Self::PanicShare),
            "cold_start_share" => Some(Self::ColdStartShare),
            _ => match text.strip_prefix("cold_start.") {
                Some(quantile) => parse_quantile(quantile).map(Self::ColdStart),
                None => parse_quantile(text).map(Self::Latency),
            },
        };
        known.ok_or_else(|| CheckError::NotMeasured(clean(text, 40)))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(quantile) => write!(f, "p{}", percent(*quantile)),
            Self::ColdStart(quantile) => write!(f, "cold_start.p{}", percent(*quantile)),
            Self::Errors => f.write_str("errors"),
            Self::RateAchieved => f.write_str("rate"),
            Self::ReadyMax => f.write_str("ready_max"),
            Self::Panics => f.write_str("panics"),
            Self::TimeToFirstPod => f.write_str("time_to_first_pod"),
            Self::TimeToDesired => f.write_str("time_to_desired"),
            Self::Overshoot => f.write_str("overshoot"),
            Self::PodSecondsShort => f.write_str("pod_seconds_short"),
            Self::PodSecondsWasted => f.write_str("pod_seconds_wasted"),
            Self::Oscillations => f.write_str("oscillations"),
            Self::PanicShare => f.write_str("panic_share"),
            Self::ColdStartShare => f.write_str("cold_start_share"),
        }
    }
}

/// `p99` is 0.99; `p999` means p99.9, as everybody writes it.
fn parse_quantile(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('p')?;
    if digits == "999" {
        return Some(0.999);
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !digits.chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    let percent: f64 = digits.parse().ok()?;
    // Rounded, since 99.9 / 100 is not the number that 0.999 is.
    (0.0 < percent && percent <= 100.0).then_some((percent * 1e4).round() / 1e6)
}

/// To four decimals: dividing by a hundred and back leaves dust behind the point.
fn percent(quantile: f64) -> f64 {
    (quantile * 1e6).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_as_people_write_them() {
        for (text, what, must_be, limit) in [
            ("p99 < 2s", Measure::Latency(0.99), Comparison::Below, 2.0),
            ("p50<=250ms", Measure::Latency(0.5), Comparison::AtMost, 0.25),
            ("p99.9 < 2s", Measure::Latency(0.999), Comparison::Below, 2.0),
            ("p100 < 30s", Measure::Latency(1.0), Comparison::Below, 30.0),
            ("cold_start.p95 < 5s", Measure::ColdStart(0.95), Comparison::Below, 5.0),
            ("errors < 1%", Measure::Errors, Comparison::Below, 0.01),
            ("errors <= 0 %", Measure::Errors, Comparison::AtMost, 0.0),
            ("rate > 100/s", Measure::RateAchieved, Comparison::Above, 100.0),
            ("ready_max <= 12", Measure::ReadyMax, Comparison::AtMost, 12.0),
            ("ready_max >= 2", Measure::ReadyMax, Comparison::AtLeast, 2.0),
            ("panics < 2", Measure::Panics, Comparison::Below, 2.0),
            ("time_to_first_pod < 5s", Measure::TimeToFirstPod, Comparison::Below, 5.0),
            ("time_to_desired < 20s", Measure::TimeToDesired, Comparison::Below, 20.0),
            ("overshoot < 150%", Measure::Overshoot, Comparison::Below, 1.5),
            ("pod_seconds_short <= 30", Measure::PodSecondsShort, Comparison::AtMost, 30.0),
            ("pod_seconds_wasted < 900", Measure::PodSecondsWasted, Comparison::Below, 900.0),
            ("oscillations < 3", Measure::Oscillations, Comparison::Below, 3.0),
            ("panic_share < 50%", Measure::PanicShare, Comparison::Below, 0.5),
            ("cold_start_share < 1%", Measure::ColdStartShare, Comparison::Below, 0.01),
        ] {
            let check: Check = text.parse().unwrap();
            assert_eq!((check.what, check.must_be, check.limit), (what, must_be, limit), "{text}");
            assert_eq!(check.text.parse(), Ok(check.clone()), "{text}");
        }
        assert_eq!("p999<2s".parse::<Check>().unwrap().text, "p99.9 < 2s");
    }

    #[test]
    fn what_is_no_check_is_refused() {
        for text in [
            "",
            "p99",
            "p99 <",
            "< 2s",
            "p99 = 2s",
            "p99 < 2",
            "p0 < 2s",
            "p101 < 2s",
            "p < 2s",
            "pNaN < 2s",
            "p+9 < 2s",
            "errors < 1",
            "errors < 101%",
            "errors < NaN%",
            "rate > 100",
            "rate > 5 users",
            "panics < 1.5",
            "panic_share < 101%",
            "overshoot < 2",
            "time_to_desired < 20",
            "ready_max <= -1",
            "foo < 1",
            "p99 << 2s",
        ] {
            assert!(text.parse::<Check>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_data_fails() {
        let judge = |text: &str, value| text.parse::<Check>().unwrap().judge(value);
        for text in ["p99 < 2s", "rate > 0/s", "panics <= 100"] {
            assert!(!judge(text, None), "{text}");
            assert!(!judge(text, Some(f64::NAN)), "{text}");
        }
        assert!(judge("panics < 2", Some(1.0)) && !judge("panics < 2", Some(2.0)));
        assert!(judge("panics <= 2", Some(2.0)) && !judge("panics <= 2", Some(3.0)));
        assert!(judge("rate > 1/s", Some(2.0)) && !judge("rate > 1/s", Some(1.0)));
        assert!(judge("rate >= 1/s", Some(1.0)) && !judge("rate >= 1/s", Some(0.0)));
    }
}
