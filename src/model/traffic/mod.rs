//! What was offered and what became of it: totals, the last seconds, and series.
//!
//! Percentiles are always taken from merged histograms, never from other percentiles.

mod knee;
mod latency;
mod totals;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::traffic::Interval;
use crate::event::traffic::Limit;
use crate::series::HeatColumn;
use crate::series::LatencyHistogram;
use crate::series::Series;
use crate::units::At;

use super::demand::Seconds;

pub use knee::Knee;
pub use knee::knee;
pub use latency::Latencies;
pub use latency::Phase;
pub use latency::Timing;
pub use totals::ClientTotals;
pub use totals::Little;
pub use totals::SplitTotals;
pub use totals::Splits;
pub use totals::Totals;

use totals::Decoded;

/// Heat columns that are kept: two hours of seconds.
const HEAT_MAX: usize = 7200;
/// Intervals in which we were the bottleneck that are kept.
const LIMITED_MAX: usize = 2000;
/// Points of the knee that are kept: half an hour of half seconds.
const KNEE_MAX: usize = 3600;
/// How far the sliding windows reach back.
const RECENT: Duration = Duration::from_secs(10);

/// What was offered and what became of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    /// The newest interval.
    pub last: Option<Interval>,
    /// Everything since the run began.
    pub total: Totals,
    /// Intervals of the last ten seconds, oldest first.
    recent: VecDeque<(Interval, Decoded)>,
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
    /// Service time of successes, by interval.
    pub service: Lines,
    /// The time that failures took, by interval.
    pub failure: Lines,
    /// Send lag, by interval.
    pub lag: Lines,
    /// Requests in flight as Little's law has them: what ended in an interval, times how long it
    /// was there.
    pub little: Series,
    /// How latencies were distributed, by interval.
    pub heat: VecDeque<Heat>,
    /// What was offered and what came of it, by interval.
    pub knee: VecDeque<KneePoint>,
    /// When we ourselves were the bottleneck, and why.
    pub limited: VecDeque<Limited>,
    /// Seconds in which we were.
    pub limited_s: f64,
    /// The same by what we were short of.
    pub limits: BTreeMap<Limit, Shortage>,
}

/// Percentiles over time, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lines {
    /// Half were at most this.
    pub p50: Series,
    /// 99 % were at most this.
    pub p99: Series,
    /// The slowest.
    pub max: Series,
}

/// How latencies were distributed in one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Its beginning.
    pub began: At,
    /// Its end.
    pub ended: At,
    /// Counts by logarithmic row, by [`Timing`].
    columns: [HeatColumn; 4],
}

/// An interval as a point of the knee: what was offered, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct KneePoint {
    /// The interval's beginning.
    pub at: At,
    /// Requests a second that fell due.
    pub offered: f64,
    /// Requests a second that succeeded: the goodput.
    pub done: f64,
    /// What the client felt, in seconds, 99 %; `None` without a success.
    pub p99: Option<f64>,
    /// The same, 50 %.
    pub p50: Option<f64>,
    /// Whether we ourselves were the bottleneck.
    pub is_limited: bool,
}

/// How long we were short of something, and what was said of it where most was to be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shortage {
    /// Seconds.
    pub seconds: f64,
    /// Requests that fell due in the interval that the sentence is about.
    pub offered: u64,
    /// Cause and remedy.
    pub words: String,
}

/// An interval in which we were the bottleneck.
#[derive(Debug, Clone, PartialEq)]
pub struct Limited {
    /// Its beginning.
    pub began: At,
    /// Its end.
    pub ended: At,
    /// What we were short of.
    pub limit: Limit,
    /// Cause and remedy.
    pub cause: String,
}

// === impl Heat ===

impl Heat {
    /// Counts by logarithmic row.
    pub const fn column(&self, timing: Timing) -> &HeatColumn {
        &self.columns[timing as usize]
    }

    /// What the client felt: response time, or service time where there are no due times.
    pub fn felt(&self) -> &HeatColumn {
        let response = self.column(Timing::ResponseTime);
        if response.is_empty() { self.column(Timing::ServiceTime) } else { response }
    }
}

// === impl Traffic ===

impl Traffic {
    #[expect(clippy::cast_precision_loss, reason = "rates for the screen")]
    pub(super) fn apply(&mut self, interval: &Interval) {
        let decoded = Decoded::read(interval);
        self.total.add(interval, &decoded);
        let latencies = &decoded.latencies;
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
        // Counted when the interval closed.
        self.in_flight.push(ended, interval.in_flight as f64);
        // In between it was about the mean of both ends.
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
        for (lines, timing) in [
            (&mut self.service, Timing::ServiceTime),
            (&mut self.failure, Timing::FailureTime),
            (&mut self.lag, Timing::SendLag),
        ] {
            let known = latencies.get(timing).filter(|known| !known.is_empty());
            quantile(&mut lines.p50, known.map(|known| known.quantile(0.5)));
            quantile(&mut lines.p99, known.map(|known| known.quantile(0.99)));
            quantile(&mut lines.max, known.map(LatencyHistogram::max));
        }
        self.little.set(began, latencies.stay_s().map(|stay| stay / secs));
        let columns = Timing::ALL.map(|timing| {
            latencies.get(timing).map_or_else(HeatColumn::default, LatencyHistogram::heat)
        });
        if columns.iter().any(|column| !column.is_empty()) {
            push_bounded(&mut self.heat, HEAT_MAX, Heat { began, ended, columns });
        }
        let point = KneePoint {
            at: began,
            offered: interval.offered as f64 / secs,
            done: interval.succeeded as f64 / secs,
            p99: felt.map(|felt| felt.quantile(0.99).as_secs_f64()),
            p50: felt.map(|felt| felt.quantile(0.5).as_secs_f64()),
            is_limited: interval.client_limited.is_some(),
        };
        if 0 < interval.offered || 0 < interval.completed() {
            push_bounded(&mut self.knee, KNEE_MAX, point);
        }
        self.note_limit(interval, ended);
        self.recent.push_back((interval.clone(), decoded));
        while self.recent.front().is_some_and(|(oldest, _)| oldest.began + RECENT < ended) {
            self.recent.pop_front();
        }
        self.last = Some(interval.clone());
    }

    fn note_limit(&mut self, interval: &Interval, ended: At) {
        let Some(cause) = &interval.client_limited else { return };
        let limit = interval.limit.unwrap_or(Limit::Unknown);
        self.limited_s += interval.lasted.as_secs_f64();
        let shortage = self.limits.entry(limit).or_default();
        shortage.seconds += interval.lasted.as_secs_f64();
        // The last interval is a short one, and says less.
        if shortage.offered <= interval.offered {
            shortage.offered = interval.offered;
            shortage.words.clone_from(cause);
        }
        let limited = Limited { began: interval.began, ended, limit, cause: cause.clone() };
        push_bounded(&mut self.limited, LIMITED_MAX, limited);
    }

    /// Percentiles over time; of the response time, where there is none, the service time.
    pub const fn lines(&self, timing: Timing) -> (&Series, &Series, &Series) {
        match timing {
            Timing::ResponseTime => (&self.p50, &self.p99, &self.max),
            Timing::ServiceTime => (&self.service.p50, &self.service.p99, &self.service.max),
            Timing::FailureTime => (&self.failure.p50, &self.failure.p99, &self.failure.max),
            Timing::SendLag => (&self.lag.p50, &self.lag.p99, &self.lag.max),
        }
    }

    /// Everything in the intervals that began within the last `span` (at most ten seconds) before
    /// the newest one's end; `None` before the first interval.
    pub fn window(&self, span: Duration) -> Option<Totals> {
        let last = self.last.as_ref()?;
        let since = (last.began + last.lasted).saturating_sub(span);
        let mut totals = Totals::default();
        for (interval, decoded) in self.recent.iter().rev() {
            // The newest interval always counts, however long it grew.
            if interval.began < since && 0 < totals.lasted.as_nanos() {
                break;
            }
            totals.add(interval, decoded);
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
