//! What a shard counts, and how the counts of all shards become one interval.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram as Recorder;

use crate::event::traffic::ClientHealth;
use crate::event::traffic::Histogram;
use crate::event::traffic::Interval;
use crate::event::traffic::Phases;
use crate::event::traffic::Split;
use crate::series::LatencyHistogram;
use crate::units::At;

use super::failure::Failure;
use super::failure::N_CLASSES;
use super::grpc;
use super::h2;
use super::health::verdict;
use super::health::verdict::Signs;

/// Status codes are counted up to here.
const N_CODES: usize = 1000;

/// What one shard counted since it was asked last.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) offered: u64,
    pub(super) sent: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) in_flight: u64,
    pub(super) in_flight_max: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) connections_opened: u64,
    pub(super) wants: Wants,
    pub(super) response_time: Recorder<u32>,
    pub(super) service_time: Recorder<u32>,
    pub(super) failure_time: Recorder<u32>,
    pub(super) send_lag: Recorder<u32>,
    pub(super) phases: PhaseTally,
    /// One for each choice of each dimension.
    pub(super) splits: Vec<SplitTally>,
    status: Vec<u32>,
    /// Whole messages of gRPC.
    n_messages: u64,
    grpc_status: [u64; grpc::N_STATUS],
    errors: [u64; N_CLASSES],
}

/// How often something was wanting here, whatever the target does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// Requests that met as many connections as are allowed, all busy.
    pub(super) connections: u64,
    /// Connections that could not be opened for want of a descriptor.
    pub(super) descriptors: u64,
    /// Connections that could not be opened for want of a local port.
    pub(super) ports: u64,
}

/// What new connections took.
#[derive(Debug)]
pub(super) struct PhaseTally {
    pub(super) dns: Recorder<u32>,
    pub(super) connect: Recorder<u32>,
    pub(super) tls: Recorder<u32>,
    send: Recorder<u32>,
    wait: Recorder<u32>,
    receive: Recorder<u32>,
}

/// What became of the requests that made one choice.
#[derive(Debug)]
pub(super) struct SplitTally {
    n_succeeded: u64,
    n_failed: u64,
    service_time: Recorder<u32>,
    failure_time: Recorder<u32>,
}

/// What all shards counted, until the bus has room for it.
#[derive(Debug, Default)]
pub(super) struct Pending {
    interval: Interval,
    /// The most requests in flight of the collections before the last one.
    in_flight_max: u64,
    wants: Wants,
    response_time: LatencyHistogram,
    service_time: LatencyHistogram,
    failure_time: LatencyHistogram,
    send_lag: LatencyHistogram,
    /// In the order of `PhaseTally::all`.
    phases: [LatencyHistogram; 6],
    splits: Vec<PendingSplit>,
}

#[derive(Debug, Clone, Default)]
struct PendingSplit {
    n_succeeded: u64,
    n_failed: u64,
    service_time: LatencyHistogram,
    failure_time: LatencyHistogram,
}

/// How the load stands at an interval's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// Requests a second, or users, asked for.
    pub(super) target: f64,
    /// Whether the load is paused.
    pub(super) paused: bool,
    /// Seconds of the profile that are behind.
    pub(super) profile_at: f64,
    /// Whether the profile waits.
    pub(super) profile_waits: bool,
}

impl Tally {
    /// Nothing counted. `None` only if the bounds were wrong.
    pub(super) fn new(n_splits: usize) -> Option<Self> {
        Some(Self {
            offered: 0,
            sent: 0,
            succeeded: 0,
            failed: 0,
            dropped: 0,
            in_flight: 0,
            in_flight_max: 0,
            bytes_sent: 0,
            bytes_received: 0,
            connections_opened: 0,
            wants: Wants::default(),
            response_time: recorder()?,
            service_time: recorder()?,
            failure_time: recorder()?,
            send_lag: recorder()?,
            phases: PhaseTally::new()?,
            splits: (0..n_splits).map(|_| SplitTally::new()).collect::<Option<_>>()?,
            status: vec![0; N_CODES],
            n_messages: 0,
            grpc_status: [0; grpc::N_STATUS],
            errors: [0; N_CLASSES],
        })
    }

    /// Forgets what was counted, for the next use; what is in flight still is.
    pub(super) fn clear(&mut self, in_flight: u64) {
        self.offered = 0;
        self.sent = 0;
        self.succeeded = 0;
        self.failed = 0;
        self.dropped = 0;
        self.in_flight = in_flight;
        self.in_flight_max = in_flight;
        self.bytes_sent = 0;
        self.bytes_received = 0;
        self.connections_opened = 0;
        self.wants = Wants::default();
        self.response_time.reset();
        self.service_time.reset();
        self.failure_time.reset();
        self.send_lag.reset();
        self.phases.clear();
        self.splits.iter_mut().for_each(SplitTally::clear);
        self.status.fill(0);
        self.n_messages = 0;
        self.grpc_status.fill(0);
        self.errors.fill(0);
    }

    /// Counts what gRPC says of a call.
    pub(super) fn call(&mut self, answer: &h2::Answer) {
        self.n_messages += u64::from(answer.n_messages);
        if let Some(status) = answer.grpc_status {
            self.grpc_status[grpc::status_index(status)] += 1;
        }
    }

    /// Counts a status code.
    pub(super) fn status(&mut self, code: u16) {
        if let Some(n) = self.status.get_mut(usize::from(code)) {
            *n += 1;
        }
    }

    /// Counts a connection that could not be opened, if it is for want of something here.
    pub(super) const fn refused_here(&mut self, failure: Failure) {
        match failure {
            Failure::Descriptors => self.wants.descriptors += 1,
            Failure::Ports => self.wants.ports += 1,
            _ => {}
        }
    }

    /// Counts a failure.
    pub(super) fn failure(&mut self, failure: Failure) {
        self.failed += 1;
        self.errors[failure.index()] += 1;
    }
}

impl PhaseTally {
    fn new() -> Option<Self> {
        Some(Self {
            dns: recorder()?,
            connect: recorder()?,
            tls: recorder()?,
            send: recorder()?,
            wait: recorder()?,
            receive: recorder()?,
        })
    }

    /// The first request of a connection: when its first and last byte were written, and when those
    /// of its answer were read.
    pub(super) fn first_exchange(
        &mut self,
        (started, written): (u64, u64),
        (first_byte, last_byte): (u64, u64),
    ) {
        // An answer may come before the request is whole.
        let written = if written == 0 { first_byte } else { written };
        record(&mut self.send, written.saturating_sub(started));
        record(&mut self.wait, first_byte.saturating_sub(written));
        record(&mut self.receive, last_byte.saturating_sub(first_byte));
    }

    const fn all(&self) -> [&Recorder<u32>; 6] {
        [&self.dns, &self.connect, &self.tls, &self.send, &self.wait, &self.receive]
    }

    fn clear(&mut self) {
        let Self { dns, connect, tls, send, wait, receive } = self;
        for recorder in [dns, connect, tls, send, wait, receive] {
            // Most intervals open no connection.
            if !recorder.is_empty() {
                recorder.reset();
            }
        }
    }
}

impl SplitTally {
    fn new() -> Option<Self> {
        Some(Self {
            n_succeeded: 0,
            n_failed: 0,
            service_time: recorder()?,
            failure_time: recorder()?,
        })
    }

    pub(super) fn succeeded(&mut self, service_time: u64) {
        self.n_succeeded += 1;
        record(&mut self.service_time, service_time);
    }

    pub(super) fn failed(&mut self, failure_time: u64) {
        self.n_failed += 1;
        record(&mut self.failure_time, failure_time);
    }

    fn clear(&mut self) {
        self.n_succeeded = 0;
        self.n_failed = 0;
        self.service_time.reset();
        self.failure_time.reset();
    }
}

fn recorder() -> Option<Recorder<u32>> {
    Recorder::new_with_bounds(1, LatencyHistogram::MAX_MICROS, LatencyHistogram::DIGITS).ok()
}

/// Records nanoseconds as whole microseconds, at least one.
pub(super) fn record(recorder: &mut Recorder<u32>, nanos: u64) {
    recorder.saturating_record((nanos / 1000).max(1));
}

impl Pending {
    /// An interval that begins at `began`.
    pub(super) fn new(began: At) -> Self {
        let mut pending = Self::default();
        pending.interval.began = began;
        pending
    }

    /// The load begins at `began`; what was counted before belongs to it.
    pub(super) const fn begin(&mut self, began: At) {
        self.interval.began = began;
    }

    /// Adds what a shard counted.
    pub(super) fn add(&mut self, tally: &Tally) {
        let interval = &mut self.interval;
        interval.offered += tally.offered;
        interval.sent += tally.sent;
        interval.succeeded += tally.succeeded;
        interval.failed += tally.failed;
        interval.dropped += tally.dropped;
        interval.bytes_sent += tally.bytes_sent;
        interval.bytes_received += tally.bytes_received;
        interval.connections_opened += tally.connections_opened;
        interval.in_flight += tally.in_flight;
        interval.in_flight_max += tally.in_flight_max;
        self.wants.connections += tally.wants.connections;
        self.wants.descriptors += tally.wants.descriptors;
        self.wants.ports += tally.wants.ports;
        for (code, n) in (0u16..).zip(&tally.status).filter(|(_, n)| 0 < **n) {
            *interval.status.entry(code).or_default() += u64::from(*n);
        }
        interval.messages_received += tally.n_messages;
        for (status, n) in (0..).zip(tally.grpc_status).filter(|(_, n)| 0 < *n) {
            let name = grpc::status_words(status);
            *interval.grpc_status.entry(name).or_default() += n;
        }
        for (class, n) in Failure::all().zip(tally.errors).filter(|(_, n)| 0 < *n) {
            *interval.errors.entry(class.to_string()).or_default() += n;
        }
        self.response_time.add(&LatencyHistogram::from(&tally.response_time));
        self.service_time.add(&LatencyHistogram::from(&tally.service_time));
        self.failure_time.add(&LatencyHistogram::from(&tally.failure_time));
        self.send_lag.add(&LatencyHistogram::from(&tally.send_lag));
        for (sum, recorder) in self.phases.iter_mut().zip(tally.phases.all()) {
            if !recorder.is_empty() {
                sum.add(&LatencyHistogram::from(recorder));
            }
        }
        self.splits.resize_with(tally.splits.len(), PendingSplit::default);
        for (sum, split) in self.splits.iter_mut().zip(&tally.splits) {
            sum.add(&PendingSplit::from(split));
        }
    }

    /// Adds the time that a name took to resolve.
    pub(super) fn resolved(&mut self, took: Duration) {
        self.phases[0].record(took);
    }

    /// When the interval began.
    pub(super) const fn began(&self) -> At {
        self.interval.began
    }

    /// Before the shards are asked again: what is in flight is a state, not a count.
    pub(super) fn reopen(&mut self) {
        self.interval.in_flight = 0;
        self.in_flight_max = self.in_flight_max.max(self.interval.in_flight_max);
        self.interval.in_flight_max = 0;
    }

    /// Connections opened in it so far.
    pub(super) const fn connections_opened(&self) -> u64 {
        self.interval.connections_opened
    }

    /// Connections that could not be opened in it for want of a local port.
    pub(super) const fn wanted_ports(&self) -> u64 {
        self.wants.ports
    }

    /// The interval until `ended`, as an event.
    pub(super) fn close(
        &self,
        ended: At,
        (is_open, slots): (bool, &[(String, String)]),
        state: State,
        client: ClientHealth,
    ) -> Interval {
        let encode = |histogram: &LatencyHistogram, is_there: bool| -> Option<Histogram> {
            is_there.then(|| histogram.encode())
        };
        let lasted = ended.since(self.interval.began);
        let signs = Signs {
            lag: (is_open && !self.send_lag.is_empty()).then(|| self.send_lag.quantile(0.99)),
            is_idle: self.interval.offered == 0,
            wants: self.wants,
            lasted,
        };
        let limited = verdict::judge(&signs, &client);
        Interval {
            lasted,
            target: state.target,
            paused: state.paused,
            profile_at: Duration::try_from_secs_f64(state.profile_at).ok(),
            profile_waits: state.profile_waits,
            in_flight_max: self.interval.in_flight_max.max(self.in_flight_max),
            status: self.interval.status.clone(),
            errors: BTreeMap::clone(&self.interval.errors),
            response_time: encode(&self.response_time, is_open),
            service_time: encode(&self.service_time, true),
            failure_time: encode(&self.failure_time, true),
            send_lag: encode(&self.send_lag, is_open),
            limit: limited.as_ref().map(|(limit, _)| *limit),
            client_limited: limited.map(|(_, words)| words),
            client: Some(Box::new(client)),
            phases: self.phases(),
            splits: self.splits(slots),
            ..self.interval.clone()
        }
    }

    fn phases(&self) -> Option<Phases> {
        let encode = |sum: &LatencyHistogram| (!sum.is_empty()).then(|| sum.encode());
        let [dns, connect, tls, send, wait, receive] = self.phases.each_ref().map(encode);
        let phases = Phases { dns, connect, tls, send, wait, receive };
        (phases != Phases::default()).then_some(phases)
    }

    fn splits(&self, slots: &[(String, String)]) -> BTreeMap<String, BTreeMap<String, Split>> {
        // Choices of one name are one: a value may be listed twice.
        let mut sums: BTreeMap<&String, BTreeMap<&String, PendingSplit>> = BTreeMap::new();
        for ((dimension, choice), sum) in slots.iter().zip(&self.splits) {
            sums.entry(dimension).or_default().entry(choice).or_default().add(sum);
        }
        let choices = |sums: BTreeMap<&String, PendingSplit>| {
            sums.into_iter().map(|(choice, sum)| (choice.clone(), sum.encode())).collect()
        };
        sums.into_iter().map(|(dimension, sums)| (dimension.clone(), choices(sums))).collect()
    }
}

// === impl PendingSplit ===

impl PendingSplit {
    fn add(&mut self, other: &Self) {
        self.n_succeeded += other.n_succeeded;
        self.n_failed += other.n_failed;
        self.service_time.add(&other.service_time);
        self.failure_time.add(&other.failure_time);
    }

    fn encode(&self) -> Split {
        let encode = |sum: &LatencyHistogram| (!sum.is_empty()).then(|| sum.encode());
        Split {
            succeeded: self.n_succeeded,
            failed: self.n_failed,
            service_time: encode(&self.service_time),
            failure_time: encode(&self.failure_time),
        }
    }
}

impl From<&SplitTally> for PendingSplit {
    fn from(split: &SplitTally) -> Self {
        Self {
            n_succeeded: split.n_succeeded,
            n_failed: split.n_failed,
            service_time: LatencyHistogram::from(&split.service_time),
            failure_time: LatencyHistogram::from(&split.failure_time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: State =
        State { target: 0.0, paused: false, profile_at: 0.0, profile_waits: false };

    #[test]
    fn choices_of_one_name_add_up() {
        let mut tally = Tally::new(3).unwrap();
        for (split, n) in tally.splits.iter_mut().zip(1..) {
            (0..n).for_each(|_| split.succeeded(1_000_000));
            split.failed(1_000_000);
        }
        let mut pending = Pending::new(At::ZERO);
        pending.add(&tally);
        let slots = ["0", "0", "100"].map(|choice| ("sleep".to_owned(), choice.to_owned()));
        let splits = pending.splits(&slots);
        let of = |choice: &str| {
            let split = &splits["sleep"][choice];
            let times = LatencyHistogram::decode(split.service_time.as_ref().unwrap()).unwrap();
            (split.succeeded, split.failed, times.count())
        };
        assert_eq!((of("0"), of("100")), ((3, 2, 3), (3, 1, 3)));
    }

    #[test]
    fn the_most_in_flight_is_that_of_shards_together_and_of_no_two_moments() {
        let mut pending = Pending::new(At::ZERO);
        for most in [10, 64, 20] {
            pending.reopen();
            for _ in 0..2 {
                let mut tally = Tally::new(0).unwrap();
                tally.in_flight_max = most;
                pending.add(&tally);
            }
        }
        let load = (true, &[][..]);
        let interval = pending.close(At::from_secs(2), load, STATE, ClientHealth::default());
        assert_eq!(interval.in_flight_max, 128);
    }
}
