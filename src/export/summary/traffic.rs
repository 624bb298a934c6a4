//! The load of a run: how much, how it went, how long it took, and how it was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::event::run::Executor;
use crate::event::traffic::Limit;
use crate::model::Model;
use crate::model::traffic::Phase;
use crate::model::traffic::SplitTotals;
use crate::model::traffic::Totals;
use crate::model::traffic::knee;
use crate::series::LatencyHistogram;
use crate::series::nearest_rank;

use super::count;

/// The load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrafficSummary {
    /// Requests that fell due.
    pub offered: u64,
    /// Requests that left.
    pub sent: u64,
    /// Requests that were answered or failed.
    pub completed: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that hit the in-flight cap and never left.
    pub dropped: u64,
    /// The most requests in flight.
    pub in_flight_max: u64,
    /// Requests offered a second.
    pub rate_offered: Option<f64>,
    /// Requests completed a second.
    pub rate_achieved: Option<f64>,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Answers by status code.
    pub status: BTreeMap<String, u64>,
    /// Calls of gRPC by status, as `14 UNAVAILABLE`; empty where none was made.
    pub grpc_status: BTreeMap<String, u64>,
    /// Whole messages of gRPC that came.
    pub messages_received: u64,
    /// Failures by class.
    pub errors: BTreeMap<String, u64>,
    /// Connections opened.
    pub connections_opened: u64,
    /// Seconds in which we ourselves were the bottleneck.
    pub client_limited_s: f64,
    /// The same by what we were short of, the longest first.
    pub client_limited: Vec<LimitSummary>,
    /// Where the target stopped to keep up; `None` where it did not, or where only one rate was
    /// tried.
    pub knee: Option<KneeSummary>,
    /// Whether what was in flight agrees with rate and latency; `None` without latencies.
    pub littles_law: Option<LittleSummary>,
    /// From the due time to the last byte, successes; `None` in a closed loop.
    pub response_time: Option<LatencySummary>,
    /// From the first byte written to the last byte read, successes.
    pub service_time: Option<LatencySummary>,
    /// The time that failures took.
    pub failure_time: Option<LatencySummary>,
    /// From the due time to the first byte written; `None` in a closed loop.
    pub send_lag: Option<LatencySummary>,
    /// What new connections took: `dns`, `connect`, `tls`, `send`, `wait`, `receive`, as far as
    /// they occurred.
    pub phases: BTreeMap<&'static str, LatencySummary>,
    /// The same requests by what differs between them: by dimension, by choice.
    pub splits: BTreeMap<String, BTreeMap<String, SplitSummary>>,
}

/// What became of the requests that made one choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitSummary {
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// From the first byte written to the last byte read, successes.
    pub service_time: LatencySummary,
    /// The time that failures took.
    pub failure_time: LatencySummary,
}

/// How long we ourselves were the bottleneck, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitSummary {
    /// What we were short of.
    pub limit: Limit,
    /// For how long.
    pub seconds: f64,
    /// What was said of it where most was to be sent, with the remedy.
    pub cause: String,
}

/// Where the target stopped to keep up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KneeSummary {
    /// Requests a second offered, from which on it did not.
    pub rate_offered: f64,
    /// Whether goodput fell behind there; else p99 was over three times that of low rates.
    pub falls_behind: bool,
}

/// Little's law over the whole run: in flight = rate × time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LittleSummary {
    /// The mean of the requests in flight, as seen at the end of each interval.
    pub in_flight: f64,
    /// Requests that ended a second, times how long they took.
    pub rate_times_latency: f64,
}

/// Latencies, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencySummary {
    /// How many.
    pub count: u64,
    /// The fastest.
    pub min: Option<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// Half were at most this.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 95 %.
    pub p95: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %.
    pub p999: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

// === impl TrafficSummary ===

impl TrafficSummary {
    pub(super) fn of(model: &Model) -> Self {
        let total: &Totals = &model.traffic.total;
        let is_open = model.run.executor() == Executor::Open;
        let latencies = &total.latencies;
        let summary = |histogram: &Option<LatencyHistogram>| {
            histogram.as_ref().map(LatencySummary::of_histogram)
        };
        Self {
            offered: total.offered,
            sent: total.sent,
            completed: total.completed(),
            succeeded: total.succeeded,
            failed: total.failed,
            dropped: total.dropped,
            in_flight_max: total.in_flight_max,
            rate_offered: total.per_second(total.offered),
            rate_achieved: total.per_second(total.completed()),
            bytes_sent: total.bytes_sent,
            bytes_received: total.bytes_received,
            status: total.status.iter().map(|(code, n)| (code.to_string(), *n)).collect(),
            grpc_status: total.grpc_status.clone(),
            messages_received: total.messages_received,
            errors: total.errors.clone(),
            connections_opened: total.connections_opened,
            client_limited_s: model.traffic.limited_s,
            client_limited: LimitSummary::all(model),
            knee: knee(model.traffic.knee.iter()).map(|knee| KneeSummary {
                rate_offered: knee.offered,
                falls_behind: knee.falls_behind,
            }),
            littles_law: total.little().map(|little| LittleSummary {
                in_flight: little.in_flight,
                rate_times_latency: little.reckoned,
            }),
            response_time: summary(&latencies.response_time).filter(|_| is_open),
            service_time: summary(&latencies.service_time),
            failure_time: summary(&latencies.failure_time),
            send_lag: summary(&latencies.send_lag).filter(|_| is_open),
            phases: Phase::ALL
                .into_iter()
                .zip(&total.phases)
                .filter(|(_, known)| !known.is_empty())
                .map(|(phase, known)| (phase.name(), LatencySummary::of_histogram(known)))
                .collect(),
            splits: splits(total),
        }
    }
}

// === impl LimitSummary ===

impl LimitSummary {
    pub(super) fn all(model: &Model) -> Vec<Self> {
        let mut all: Vec<Self> = model
            .traffic
            .limits
            .iter()
            .map(|(limit, shortage)| Self {
                limit: *limit,
                seconds: shortage.seconds,
                cause: shortage.words.clone(),
            })
            .collect();
        all.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        all
    }
}

// === impl LatencySummary ===

impl LatencySummary {
    /// Of a histogram.
    pub fn of_histogram(histogram: &LatencyHistogram) -> Self {
        let known = 0 < histogram.count();
        let millis = |value: Duration| known.then_some(value.as_secs_f64() * 1e3);
        Self {
            count: histogram.count(),
            min: millis(histogram.min()),
            mean: millis(histogram.mean()),
            p50: millis(histogram.quantile(0.5)),
            p90: millis(histogram.quantile(0.9)),
            p95: millis(histogram.quantile(0.95)),
            p99: millis(histogram.quantile(0.99)),
            p999: millis(histogram.quantile(0.999)),
            max: millis(histogram.max()),
        }
    }

    /// Of a few values, exactly.
    pub(super) fn of_values(mut values: Vec<Duration>) -> Option<Self> {
        values.sort_unstable();
        let millis = |value: Duration| value.as_secs_f64() * 1e3;
        let sum: Duration = values.iter().sum();
        let at = |share| nearest_rank(&values, share).map(millis);
        Some(Self {
            count: values.len() as u64,
            min: values.first().copied().map(millis),
            mean: ratio(millis(sum), count(values.len() as u64)),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: values.last().copied().map(millis),
        })
        .filter(|summary| 0 < summary.count)
    }
}

fn splits(total: &Totals) -> BTreeMap<String, BTreeMap<String, SplitSummary>> {
    let split = |split: &SplitTotals| SplitSummary {
        succeeded: split.succeeded,
        failed: split.failed,
        service_time: LatencySummary::of_histogram(&split.service_time),
        failure_time: LatencySummary::of_histogram(&split.failure_time),
    };
    let of_dimension = |choices: &BTreeMap<String, SplitTotals>| {
        choices.iter().map(|(choice, it)| (choice.clone(), split(it))).collect()
    };
    total.splits.iter().map(|(name, choices)| (name.clone(), of_dimension(choices))).collect()
}

pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (0.0 < whole).then(|| part / whole)
}
