//! What was offered and what became of it: totals, the last seconds, and series.
//!
//! Percentiles are always taken from merged histograms, never from other percentiles.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::traffic::Histogram;
use crate::event::traffic::Interval;
use crate::series::HeatColumn;
use crate::series::LatencyHistogram;
use crate::series::Series;
use crate::units::At;

use super::demand::Seconds;

/// Heat columns that are kept: two hours of seconds.
const HEAT_MAX: usize = 7200;
/// Intervals in which we were the bottleneck that are kept.
const LIMITED_MAX: usize = 2000;
/// How far the sliding windows reach back.
const RECENT: Duration = Duration::from_secs(10);
/// Different error classes that are kept; the rest is counted as `other`.
const CLASSES_MAX: usize = 64;

/// What was offered and what became of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    /// The newest interval.
    pub last: Option<Interval>,
    /// Everything since the run began.
    pub total: Totals,
    /// Intervals of the last ten seconds, oldest first.
    recent: VecDeque<(Interval, Latencies)>,
    /// Requests a second (or users) asked for.
    pub target: Series,
    /// Requests a second that fell due.
    pub offered: Series,
    /// Requests a second that left.
    pub sent: Series,
    /// Requests a second that succeeded.
    pub done: Series,
    /// Requests a second that failed.
    pub failed: Series,
    /// Requests a second that were dropped.
    pub dropped: Series,
    /// Requests in flight.
    pub in_flight: Series,
    /// Requests in flight, the mean of each second.
    pub in_flight_by_second: Seconds,
    /// Requests that left in each second.
    pub sent_by_second: Seconds,
    /// Latency of successes, in seconds, by interval: response time, or service time in a closed
    /// loop.
    pub p50: Series,
    /// The same, 99 %.
    pub p99: Series,
    /// The same, the slowest.
    pub max: Series,
    /// Send lag, 99 %, in seconds.
    pub lag_p99: Series,
    /// How latencies were distributed, by interval.
    pub heat: VecDeque<Heat>,
    /// When we ourselves were the bottleneck, and why.
    pub limited: VecDeque<Limited>,
    /// Seconds in which we were.
    pub limited_s: f64,
}

/// How latencies were distributed in one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Its beginning.
    pub began: At,
    /// Its end.
    pub ended: At,
    /// Counts by logarithmic row.
    pub column: HeatColumn,
}

/// An interval in which we were the bottleneck.
#[derive(Debug, Clone, PartialEq)]
pub struct Limited {
    /// Its beginning.
    pub began: At,
    /// Its end.
    pub ended: At,
    /// Why.
    pub cause: String,
}

/// Counters and histograms over some time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// How long that time was.
    pub lasted: Duration,
    /// Requests that fell due.
    pub offered: u64,
    /// Requests that left.
    pub sent: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that never left.
    pub dropped: u64,
    /// The most requests in flight.
    pub in_flight_max: u64,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
    /// Failures by class.
    pub errors: BTreeMap<String, u64>,
    /// Latencies.
    pub latencies: Latencies,
}

/// The four latencies of some time. `None`: not measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latencies {
    /// From the due time to the last byte, successes.
    pub response_time: Option<LatencyHistogram>,
    /// From the first byte written to the last byte read, successes.
    pub service_time: Option<LatencyHistogram>,
    /// The same span for failures.
    pub failure_time: Option<LatencyHistogram>,
    /// From the due time to the first byte written.
    pub send_lag: Option<LatencyHistogram>,
}

// === impl Latencies ===

impl Latencies {
    fn read(interval: &Interval) -> Self {
        // What cannot be decoded is unknown, not zero.
        let read = |encoded: &Option<Histogram>| {
            encoded.as_ref().and_then(|encoded| LatencyHistogram::decode(encoded).ok())
        };
        Self {
            response_time: read(&interval.response_time),
            service_time: read(&interval.service_time),
            failure_time: read(&interval.failure_time),
            send_lag: read(&interval.send_lag),
        }
    }

    fn add(&mut self, other: &Self) {
        let add = |mine: &mut Option<LatencyHistogram>, other: &Option<LatencyHistogram>| match (
            mine.as_mut(),
            other,
        ) {
            (Some(mine), Some(other)) => mine.add(other),
            (None, Some(other)) => *mine = Some(other.clone()),
            (_, None) => {}
        };
        add(&mut self.response_time, &other.response_time);
        add(&mut self.service_time, &other.service_time);
        add(&mut self.failure_time, &other.failure_time);
        add(&mut self.send_lag, &other.send_lag);
    }

    /// What the client felt: response time, or service time where there are no due times.
    pub fn felt(&self) -> Option<&LatencyHistogram> {
        self.response_time.as_ref().or(self.service_time.as_ref())
    }
}

// === impl Totals ===

impl Totals {
    fn add(&mut self, interval: &Interval, latencies: &Latencies) {
        // A record may be forged; no number in it may end the program.
        let add = |sum: &mut u64, n: u64| *sum = sum.saturating_add(n);
        self.lasted = self.lasted.saturating_add(interval.lasted);
        add(&mut self.offered, interval.offered);
        add(&mut self.sent, interval.sent);
        add(&mut self.succeeded, interval.succeeded);
        add(&mut self.failed, interval.failed);
        add(&mut self.dropped, interval.dropped);
        self.in_flight_max = self.in_flight_max.max(interval.in_flight_max);
        add(&mut self.bytes_sent, interval.bytes_sent);
        add(&mut self.bytes_received, interval.bytes_received);
        add(&mut self.connections_opened, interval.connections_opened);
        for (code, n) in &interval.status {
            add(self.status.entry(*code).or_default(), *n);
        }
        for (class, n) in &interval.errors {
            let is_new = !self.errors.contains_key(class);
            let class =
                if is_new && CLASSES_MAX <= self.errors.len() { "other" } else { class.as_str() };
            add(self.errors.entry(class.to_owned()).or_default(), *n);
        }
        self.latencies.add(latencies);
    }

    /// Requests that were answered or failed.
    pub const fn completed(&self) -> u64 {
        self.succeeded.saturating_add(self.failed)
    }

    /// Failed and dropped over offered; `None` if nothing was offered.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn error_share(&self) -> Option<f64> {
        (0 < self.offered)
            .then(|| self.failed.saturating_add(self.dropped) as f64 / self.offered as f64)
    }

    /// `n` of these, a second; `None` if no time has passed.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn per_second(&self, n: u64) -> Option<f64> {
        let secs = self.lasted.as_secs_f64();
        (0.0 < secs).then(|| n as f64 / secs)
    }
}

// === impl Traffic ===

impl Traffic {
    #[expect(clippy::cast_precision_loss, reason = "rates for the screen")]
    pub(super) fn apply(&mut self, interval: &Interval) {
        let latencies = Latencies::read(interval);
        self.total.add(interval, &latencies);
        let ended = interval.began + interval.lasted;
        let secs = interval.lasted.as_secs_f64().max(1e-6);
        // A point stands for the interval that began there.
        let began = interval.began;
        let rate = |series: &mut Series, n: u64| series.push(began, n as f64 / secs);
        rate(&mut self.offered, interval.offered);
        rate(&mut self.sent, interval.sent);
        rate(&mut self.done, interval.succeeded);
        rate(&mut self.failed, interval.failed);
        rate(&mut self.dropped, interval.dropped);
        self.target.push(began, interval.target);
        self.in_flight.push(began, interval.in_flight as f64);
        // It is counted at the end of an interval; in between it was about the mean of both ends.
        let before = self.last.as_ref().map_or(0, |last| last.in_flight);
        let in_flight = f64::midpoint(before as f64, interval.in_flight as f64);
        self.in_flight_by_second.add(began, in_flight);
        self.sent_by_second.add(began, interval.sent as f64 / secs);
        let felt = latencies.felt().filter(|felt| 0 < felt.count());
        let quantile = |series: &mut Series, value: Option<Duration>| match value {
            Some(value) => series.push(began, value.as_secs_f64()),
            None => series.gap(began),
        };
        quantile(&mut self.p50, felt.map(|felt| felt.quantile(0.5)));
        quantile(&mut self.p99, felt.map(|felt| felt.quantile(0.99)));
        quantile(&mut self.max, felt.map(LatencyHistogram::max));
        let lag = latencies.send_lag.as_ref().filter(|lag| 0 < lag.count());
        quantile(&mut self.lag_p99, lag.map(|lag| lag.quantile(0.99)));
        if let Some(felt) = felt {
            push_bounded(&mut self.heat, HEAT_MAX, Heat { began, ended, column: felt.heat() });
        }
        if let Some(cause) = &interval.client_limited {
            self.limited_s += interval.lasted.as_secs_f64();
            let limited = Limited { began, ended, cause: cause.clone() };
            push_bounded(&mut self.limited, LIMITED_MAX, limited);
        }
        self.recent.push_back((interval.clone(), latencies));
        while self.recent.front().is_some_and(|(oldest, _)| oldest.began + RECENT < ended) {
            self.recent.pop_front();
        }
        self.last = Some(interval.clone());
    }

    /// Everything in the intervals that began within the last `span` (at most ten seconds) before
    /// the newest one's end; `None` before the first interval.
    pub fn window(&self, span: Duration) -> Option<Totals> {
        let last = self.last.as_ref()?;
        let since = (last.began + last.lasted).saturating_sub(span);
        let mut totals = Totals::default();
        for (interval, latencies) in self.recent.iter().rev() {
            // The newest interval always counts, however long it grew.
            if interval.began < since && 0 < totals.lasted.as_nanos() {
                break;
            }
            totals.add(interval, latencies);
        }
        Some(totals)
    }

    /// Whether the newest interval was limited by ourselves, and why.
    pub fn limited_now(&self) -> Option<&str> {
        self.last.as_ref()?.client_limited.as_deref()
    }
}

/// Appends, and forgets the oldest beyond `max`.
fn push_bounded<T>(queue: &mut VecDeque<T>, max: usize, item: T) {
    if queue.len() == max {
        queue.pop_front();
    }
    queue.push_back(item);
}
