//! Many configurations, and the cheapest of those that keep the promises.
//!
//! What can be predicted of a configuration is what the play counts: pods, seconds short of
//! capacity, panics, cold starts. A latency is not among these; it is looked up in what the record
//! showed at the concurrency that each pod would have had to bear.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Basis;
use super::Change;
use super::ChangeError;
use super::Curve;
use super::Load;
use super::Mixture;
use super::Pods;
use super::Totals;
use super::play;
use crate::units::clean;
use crate::units::parse_go_duration;

/// Configurations that are tried at most.
const CANDIDATES_MAX: usize = 2000;
/// Values of one setting that may be given.
const VALUES_MAX: usize = 200;

/// A setting and the values to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// One change a value.
    pub changes: Vec<Change>,
}

/// A promise that a configuration has to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it was written.
    pub text: String,
    /// What is measured.
    pub what: Measured,
    /// It must be below this.
    pub limit: f64,
    /// Whether the limit itself is allowed.
    pub or_equal: bool,
}

/// What a promise is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// A quantile of the latency in seconds, looked up by concurrency a pod.
    Latency(f64),
    /// Seconds short of capacity.
    Short,
    /// Seconds of pods.
    PodSeconds,
    /// Panics.
    Panics,
    /// Pods started.
    ColdStarts,
    /// The most pods ready.
    ReadyMax,
}

/// A configuration that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What is changed.
    pub changes: Vec<Change>,
    /// What it came to.
    pub totals: Totals,
    /// The value of each promise; `None` cannot be predicted, and is not kept.
    pub values: Vec<Option<f64>>,
    /// Whether every promise is kept.
    pub keeps: bool,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Those that were tried, the cheapest first; those that keep every promise before the others.
    pub candidates: Vec<Candidate>,
    /// Those that Knative would refuse.
    pub n_refused: usize,
}

/// Why there is nothing to search for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SearchError {
    /// A setting is none.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// There are no values to try for it.
    #[error("which values of {0} are to be tried? write them, as {0}=1,2,4")]
    NoValues(String),
    /// A promise cannot be read.
    #[error(
        "{0:?} is no promise; write it as p95<300ms, short<10s, pod_seconds<500, panics<1, \
         cold_starts<5 or ready_max<=8"
    )]
    NotAPromise(String),
    /// There are too many.
    #[error("{0} configurations are too many; at most 2000 are tried")]
    TooMany(usize),
}

// === impl Axis ===

impl Axis {
    /// `target=5,10,20`, or `target` alone, whose values are then taken around `peak`, the most that
    /// the load asked for.
    pub fn parse(text: &str, peak: f64) -> Result<Self, SearchError> {
        let (name, values) = match text.split_once('=') {
            Some((name, values)) => (name.trim(), values.to_owned()),
            None => (text.trim(), usual(text.trim(), peak)),
        };
        let values: Vec<&str> =
            values.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
        if VALUES_MAX < values.len() {
            return Err(SearchError::TooMany(values.len()));
        }
        // A name that is none is to be called so, with or without values.
        let _: Change = format!("{name}=1").parse()?;
        if values.is_empty() {
            return Err(SearchError::NoValues(clean(name, 40)));
        }
        let changes: Result<_, _> =
            values.iter().map(|value| format!("{name}={value}").parse()).collect();
        Ok(Self { changes: changes? })
    }
}

/// The values of a setting that one would try; empty where that cannot be said.
fn usual(name: &str, peak: f64) -> String {
    if name == "target" {
        let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];
        let all = (0..5).flat_map(|power| steps.map(|step| step * 10f64.powi(power)));
        // More than the whole load on one pod is all the same.
        let values: Vec<String> = all
            .take_while(|target| *target <= (peak * 2.0).max(2.0))
            .map(|target| target.to_string())
            .collect();
        return values.join(",");
    }
    match name {
        "window" | "stable-window" => "6s,10s,15s,20s,30s,45s,60s,90s,120s,300s",
        "panic-window" | "panic-window-percentage" => "5%,10%,15%,20%,30%,50%",
        "panic-threshold" | "panic-threshold-percentage" => "110%,150%,200%,300%,400%,1000%",
        "utilization" | "target-utilization" | "target-utilization-percentage" => {
            "50%,60%,70%,80%,90%,100%"
        }
        "scale-down-delay" => "0s,10s,30s,60s,120s,300s",
        "min-scale" => "0,1,2,3,5,10",
        "metric-aggregation-algorithm" | "aggregation" => "linear,weighted-exponential",
        _ => "",
    }
    .to_owned()
}

// === impl Condition ===

impl FromStr for Condition {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        let bad = || SearchError::NotAPromise(clean(text, 60));
        let (name, limit) = text.split_once('<').ok_or_else(bad)?;
        let (or_equal, limit) = match limit.strip_prefix('=') {
            Some(limit) => (true, limit),
            None => (false, limit),
        };
        let (name, limit) = (name.trim(), limit.trim());
        let what = match name {
            "short" | "short_s" => Measured::Short,
            "pod_seconds" => Measured::PodSeconds,
            "panics" => Measured::Panics,
            "cold_starts" => Measured::ColdStarts,
            "ready_max" => Measured::ReadyMax,
            _ => {
                let percent: f64 =
                    name.strip_prefix('p').and_then(|it| it.parse().ok()).ok_or_else(bad)?;
                let is_share = 0.0 < percent && percent <= 100.0;
                Measured::Latency(Some(percent / 100.0).filter(|_| is_share).ok_or_else(bad)?)
            }
        };
        let limit = match what {
            Measured::Latency(_) | Measured::Short => {
                parse_go_duration(limit).map(|span| span.as_secs_f64())
            }
            _ => limit.parse().ok().filter(|limit: &f64| limit.is_finite()),
        };
        Ok(Self { text: clean(text, 60), what, limit: limit.ok_or_else(bad)?, or_equal })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    /// Whether it needs the latencies of the record.
    pub const fn is_latency(&self) -> bool {
        matches!(self.what, Measured::Latency(_))
    }

    /// The most in flight a pod, to a tenth, up to which a record showed that it holds; `None` where
    /// it is not about latency, or was never seen to hold.
    pub fn borne(&self, curve: &Curve) -> Option<f64> {
        let Measured::Latency(share) = self.what else { return None };
        let seen = curve.points(share).into_iter();
        let (most, _) = seen.take_while(|(_, latency)| self.is_kept(Some(*latency))).last()?;
        Some((most * 10.0).round() / 10.0)
    }

    fn value(&self, totals: &Totals, mixture: &Mixture, curve: &Curve) -> Option<f64> {
        match self.what {
            Measured::Latency(share) => mixture.quantile(curve, share),
            Measured::Short => Some(totals.short_s),
            Measured::PodSeconds => Some(totals.pod_seconds),
            Measured::Panics => Some(totals.panics.into()),
            Measured::ColdStarts => Some(totals.cold_starts.into()),
            Measured::ReadyMax => Some(totals.ready_max.into()),
        }
    }

    fn is_kept(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| value < self.limit || (self.or_equal && value <= self.limit))
    }
}

/// Tries every combination of the axes.
pub fn search(
    basis: &Basis,
    axes: &[Axis],
    conditions: &[Condition],
    (load, pods, curve): (&Load, &Pods, &Curve),
) -> Result<Found, SearchError> {
    let n = axes.iter().map(|axis| axis.changes.len()).fold(1usize, usize::saturating_mul);
    if CANDIDATES_MAX < n {
        return Err(SearchError::TooMany(n));
    }
    let mut found = Found { candidates: Vec::with_capacity(n), n_refused: 0 };
    for idx in 0..n {
        let mut rest = idx;
        let changes: Vec<Change> = axes
            .iter()
            .map(|axis| {
                let change = axis.changes[rest % axis.changes.len()].clone();
                rest /= axis.changes.len();
                change
            })
            .collect();
        let Ok(effective) = basis.with(&changes) else {
            found.n_refused += 1;
            continue;
        };
        let mut mixture = Mixture::default();
        let totals = play(&effective.config, load, pods, |tick| {
            if let Some(demand) = tick.demand {
                let ready = f64::from(tick.ready);
                let per_pod = if tick.ready == 0 { f64::INFINITY } else { demand / ready };
                mixture.add(curve, demand, per_pod);
            }
        });
        let values: Vec<Option<f64>> =
            conditions.iter().map(|it| it.value(&totals, &mixture, curve)).collect();
        let keeps = conditions.iter().zip(&values).all(|(it, value)| it.is_kept(*value));
        found.candidates.push(Candidate { changes, totals, values, keeps });
    }
    found.candidates.sort_by(|a, b| {
        let cost = a.totals.pod_seconds.total_cmp(&b.totals.pod_seconds);
        (!a.keeps).cmp(&!b.keeps).then(cost)
    });
    Ok(found)
}
