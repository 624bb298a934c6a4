//! What a shard counts, and how the counts of all shards become one interval.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram as Recorder;

use crate::event::traffic::ClientHealth;
use crate::event::traffic::Histogram;
use crate::event::traffic::Interval;
use crate::series::LatencyHistogram;
use crate::units::At;

use super::failure::Failure;
use super::failure::N_CLASSES;
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
    status: Vec<u32>,
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

/// What all shards counted, until the bus has room for it.
#[derive(Debug, Default)]
pub(super) struct Pending {
    interval: Interval,
    wants: Wants,
    response_time: LatencyHistogram,
    service_time: LatencyHistogram,
    failure_time: LatencyHistogram,
    send_lag: LatencyHistogram,
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
    pub(super) fn new() -> Option<Self> {
        let recorder = || {
            Recorder::new_with_bounds(1, LatencyHistogram::MAX_MICROS, LatencyHistogram::DIGITS)
                .ok()
        };
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
            status: vec![0; N_CODES],
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
        self.status.fill(0);
        self.errors.fill(0);
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
        self.errors[failure as usize] += 1;
    }
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
        for (class, n) in Failure::ALL.iter().zip(tally.errors).filter(|(_, n)| 0 < *n) {
            *interval.errors.entry(class.words().to_owned()).or_default() += n;
        }
        self.response_time.add(&LatencyHistogram::from(&tally.response_time));
        self.service_time.add(&LatencyHistogram::from(&tally.service_time));
        self.failure_time.add(&LatencyHistogram::from(&tally.failure_time));
        self.send_lag.add(&LatencyHistogram::from(&tally.send_lag));
    }

    /// Before the shards are asked again: what is in flight is a state, not a count.
    pub(super) fn reopen(&mut self) {
        self.interval.in_flight = 0;
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
        is_open: bool,
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
            status: self.interval.status.clone(),
            errors: BTreeMap::clone(&self.interval.errors),
            response_time: encode(&self.response_time, is_open),
            service_time: encode(&self.service_time, true),
            failure_time: encode(&self.failure_time, true),
            send_lag: encode(&self.send_lag, is_open),
            limit: limited.as_ref().map(|(limit, _)| *limit),
            client_limited: limited.map(|(_, words)| words),
            client: Some(Box::new(client)),
            ..self.interval.clone()
        }
    }
}
