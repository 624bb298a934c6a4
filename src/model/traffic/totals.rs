//! Counters and histograms over some time: one interval, the last seconds, the run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::traffic::ClientHealth;
use crate::event::traffic::Histogram;
use crate::event::traffic::Interval;
use crate::event::traffic::Phases;
use crate::event::traffic::Split;
use crate::series::LatencyHistogram;
use crate::units::clean;

use super::Latencies;

/// Dimensions, and choices of each, that are kept; more are left out.
const SPLITS_MAX: usize = 128;
/// The longest name of a dimension or a choice.
const NAME_MAX: usize = 60;
/// Different error classes that are kept; the rest is counted as `other`.
const CLASSES_MAX: usize = 64;

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
    /// Requests in flight times seconds, as they stood at the end of each interval.
    pub in_flight_s: f64,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
    /// Calls of gRPC by status, as `14 UNAVAILABLE`.
    pub grpc_status: BTreeMap<String, u64>,
    /// Whole messages of gRPC that came.
    pub messages_received: u64,
    /// Failures by class.
    pub errors: BTreeMap<String, u64>,
    /// Latencies.
    pub latencies: Latencies,
    /// What new connections took, by phase.
    pub phases: [LatencyHistogram; 6],
    /// The same requests by what differs between them: by dimension, by choice.
    pub splits: Splits,
    /// How our own process fared.
    pub client: ClientTotals,
}

/// By dimension, by choice.
pub type Splits = BTreeMap<String, BTreeMap<String, SplitTotals>>;

/// What became of the requests that made one choice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SplitTotals {
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// From the first byte written to the last byte read, successes.
    pub service_time: LatencyHistogram,
    /// The time that failures took.
    pub failure_time: LatencyHistogram,
}

/// The histograms of an interval, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Decoded {
    pub(super) latencies: Latencies,
    phases: [LatencyHistogram; 6],
    splits: Splits,
    timer_slip: Option<LatencyHistogram>,
}

/// How our own process fared over some time. `None`: the system does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClientTotals {
    /// CPU seconds of the load's own threads.
    pub load_cpu_s: Option<f64>,
    /// CPU seconds of the whole process.
    pub process_cpu_s: Option<f64>,
    /// How late a bare timer of ours rang.
    pub timer_slip: Option<LatencyHistogram>,
    /// The largest share of an interval that the busiest of the load's threads had a core.
    pub busiest: Option<f64>,
    /// The largest share of an interval that one of them waited for a core.
    pub run_queue: Option<f64>,
    /// The largest share of the quota's periods that were cut short in an interval.
    pub throttled: Option<f64>,
    /// The most descriptors in use.
    pub descriptors: Option<u64>,
    /// The most local ports in use toward the target.
    pub ports: Option<u64>,
    /// Cores that the process may run on.
    pub cores: Option<u32>,
    /// The CPU quota of its control group, in cores.
    pub quota: Option<f64>,
    /// Descriptors that are allowed.
    pub descriptors_max: Option<u64>,
    /// Local ports that there are.
    pub ports_max: Option<u64>,
}

/// Little's law: over a time in which what is in flight neither grows nor shrinks, it is the rate
/// times how long each request is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Little {
    /// Requests in flight, the mean of what was seen at the end of each interval.
    pub in_flight: f64,
    /// Requests that ended a second, times how long they were there.
    pub reckoned: f64,
}

// === impl Totals ===

impl Totals {
    pub(super) fn add(&mut self, interval: &Interval, decoded: &Decoded) {
        // A record may be forged; no number in it may end the program.
        let add = |sum: &mut u64, n: u64| *sum = sum.saturating_add(n);
        self.lasted = self.lasted.saturating_add(interval.lasted);
        add(&mut self.offered, interval.offered);
        add(&mut self.sent, interval.sent);
        add(&mut self.succeeded, interval.succeeded);
        add(&mut self.failed, interval.failed);
        add(&mut self.dropped, interval.dropped);
        self.in_flight_max = self.in_flight_max.max(interval.in_flight_max);
        self.in_flight_s += count(interval.in_flight) * interval.lasted.as_secs_f64();
        add(&mut self.bytes_sent, interval.bytes_sent);
        add(&mut self.bytes_received, interval.bytes_received);
        add(&mut self.connections_opened, interval.connections_opened);
        for (code, n) in &interval.status {
            add(self.status.entry(*code).or_default(), *n);
        }
        add(&mut self.messages_received, interval.messages_received);
        for (sums, counts) in
            [(&mut self.grpc_status, &interval.grpc_status), (&mut self.errors, &interval.errors)]
        {
            for (class, n) in counts {
                let is_full = !sums.contains_key(class) && CLASSES_MAX <= sums.len();
                let class = if is_full { "other" } else { class.as_str() };
                add(sums.entry(class.to_owned()).or_default(), *n);
            }
        }
        self.latencies.add(&decoded.latencies);
        for (sum, phase) in self.phases.iter_mut().zip(&decoded.phases) {
            if !phase.is_empty() {
                sum.add(phase);
            }
        }
        for (dimension, choices) in &decoded.splits {
            let Some(known) = bounded(&mut self.splits, dimension) else { continue };
            for (choice, split) in choices {
                if let Some(known) = bounded(known, choice) {
                    known.add(split);
                }
            }
        }
        if let Some(client) = &interval.client {
            self.client.add(client, decoded.timer_slip.as_ref());
        }
    }

    /// Little's law over this time; `None` without latencies, or if no time has passed.
    pub fn little(&self) -> Option<Little> {
        let secs = self.lasted.as_secs_f64();
        let stay = self.latencies.stay_s().filter(|_| 0.0 < secs)?;
        Some(Little { in_flight: self.in_flight_s / secs, reckoned: stay / secs })
    }

    /// Requests that were answered or failed.
    pub const fn completed(&self) -> u64 {
        self.succeeded.saturating_add(self.failed)
    }

    /// Failed and dropped over all whose fate is known; `None` if there are none. Who still waits
    /// for an answer is neither.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn error_share(&self) -> Option<f64> {
        let lost = self.failed.saturating_add(self.dropped);
        let known = lost.saturating_add(self.succeeded);
        (0 < known).then(|| lost as f64 / known as f64)
    }

    /// `n` of these, a second; `None` if no time has passed.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn per_second(&self, n: u64) -> Option<f64> {
        let secs = self.lasted.as_secs_f64();
        (0.0 < secs).then(|| n as f64 / secs)
    }
}

// === impl SplitTotals ===

impl SplitTotals {
    fn add(&mut self, other: &Self) {
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.failed = self.failed.saturating_add(other.failed);
        self.service_time.add(&other.service_time);
        self.failure_time.add(&other.failure_time);
    }
}

// === impl Decoded ===

impl Decoded {
    /// What cannot be decoded is unknown, not zero.
    pub(super) fn read(interval: &Interval) -> Self {
        let read = |encoded: &Option<Histogram>| {
            encoded.as_ref().and_then(|encoded| LatencyHistogram::decode(encoded).ok())
        };
        let some = |encoded: &Option<Histogram>| read(encoded).unwrap_or_default();
        let phases = interval.phases.as_ref().map_or_else(Default::default, |phases| {
            let Phases { dns, connect, tls, send, wait, receive } = phases;
            [dns, connect, tls, send, wait, receive].map(some)
        });
        let split = |split: &Split| SplitTotals {
            succeeded: split.succeeded,
            failed: split.failed,
            service_time: some(&split.service_time),
            failure_time: some(&split.failure_time),
        };
        let choices = |choices: &BTreeMap<String, Split>| {
            let choices = choices.iter().take(SPLITS_MAX);
            choices.map(|(name, it)| (clean(name, NAME_MAX), split(it))).collect()
        };
        let splits = interval.splits.iter().take(SPLITS_MAX);
        Self {
            latencies: Latencies {
                response_time: read(&interval.response_time),
                service_time: read(&interval.service_time),
                failure_time: read(&interval.failure_time),
                send_lag: read(&interval.send_lag),
            },
            phases,
            splits: splits.map(|(name, it)| (clean(name, NAME_MAX), choices(it))).collect(),
            timer_slip: interval.client.as_ref().and_then(|client| read(&client.timer_slip)),
        }
    }
}

// === impl ClientTotals ===

impl ClientTotals {
    fn add(&mut self, client: &ClientHealth, slip: Option<&LatencyHistogram>) {
        fn sum(sum: &mut Option<f64>, more: Option<f64>) {
            if let Some(more) = more.filter(|more| more.is_finite()) {
                *sum = Some(sum.unwrap_or(0.0) + more);
            }
        }
        fn most<T: PartialOrd + Copy>(most: &mut Option<T>, now: Option<T>) {
            if let Some(now) = now
                && most.is_none_or(|most| most < now)
            {
                *most = Some(now);
            }
        }
        sum(&mut self.load_cpu_s, client.load_cpu_s);
        sum(&mut self.process_cpu_s, client.process_cpu_s);
        most(&mut self.busiest, client.busiest);
        most(&mut self.run_queue, client.run_queue);
        most(&mut self.throttled, client.throttled);
        most(&mut self.descriptors, client.descriptors);
        most(&mut self.ports, client.ports);
        self.cores = client.cores.or(self.cores);
        self.quota = client.quota.or(self.quota);
        self.descriptors_max = client.descriptors_max.or(self.descriptors_max);
        self.ports_max = client.ports_max.or(self.ports_max);
        if let Some(slip) = slip {
            self.timer_slip.get_or_insert_default().add(slip);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "requests in flight are few")]
const fn count(n: u64) -> f64 {
    n as f64
}

/// The entry of a name; `None` where there are too many others.
fn bounded<'a, T: Default>(known: &'a mut BTreeMap<String, T>, name: &str) -> Option<&'a mut T> {
    if !known.contains_key(name) {
        if SPLITS_MAX <= known.len() {
            return None;
        }
        known.insert(name.to_owned(), T::default());
    }
    known.get_mut(name)
}
