//! What a queue-proxy and an activator report each second, and the wire form of the report.
//!
//! Field numbers and meanings are those of Knative's protobuf message `Stat`; the few lines of
//! encoding by hand save a code generator.

use crate::units::At;

/// One report: the load of the last second.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stat {
    /// Who reports.
    pub pod_name: String,
    /// Mean requests in flight, those that came through the activator included.
    pub average_concurrent_requests: f64,
    /// The part of them that came through the activator.
    pub average_proxied_concurrent_requests: f64,
    /// Requests that arrived, a second.
    pub request_count: f64,
    /// The part of them that came through the activator.
    pub proxied_request_count: f64,
    /// Seconds since the reporter started.
    pub process_uptime: f64,
}

/// Counts arrivals and integrates requests in flight over time.
#[derive(Debug)]
pub(crate) struct Tally {
    since: At,
    changed: At,
    all: Flow,
    proxied: Flow,
}

/// One of the two flows that a tally counts.
#[derive(Debug, Default)]
struct Flow {
    in_flight: u32,
    /// Request-microseconds since the last report.
    area: f64,
    count: u32,
}

/// What happened between two reports.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Period {
    /// Mean requests in flight.
    pub(crate) average: f64,
    /// The proxied part of it.
    pub(crate) average_proxied: f64,
    /// Arrivals a second.
    pub(crate) rate: f64,
    /// The proxied part of it.
    pub(crate) rate_proxied: f64,
}

// === impl Stat ===

impl Stat {
    /// The protobuf message, zero fields left out as proto3 does.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.pod_name.len());
        if !self.pod_name.is_empty() {
            out.push(1 << 3 | 2);
            varint(&mut out, self.pod_name.len());
            out.extend_from_slice(self.pod_name.as_bytes());
        }
        let numbers = [
            (2u8, self.average_concurrent_requests),
            (3, self.average_proxied_concurrent_requests),
            (4, self.request_count),
            (5, self.proxied_request_count),
            (6, self.process_uptime),
        ];
        for (field, number) in numbers {
            if number.to_bits() != 0 {
                out.push(field << 3 | 1);
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        out
    }
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

// === impl Tally ===

impl Tally {
    pub(crate) fn new(now: At) -> Self {
        Self { since: now, changed: now, all: Flow::default(), proxied: Flow::default() }
    }

    /// A request arrives.
    pub(crate) fn enter(&mut self, now: At, is_proxied: bool) {
        self.advance(now);
        self.all.in_flight += 1;
        self.all.count += 1;
        if is_proxied {
            self.proxied.in_flight += 1;
            self.proxied.count += 1;
        }
    }

    /// A request that arrived is over.
    pub(crate) fn leave(&mut self, now: At, is_proxied: bool) {
        self.advance(now);
        self.all.in_flight = self.all.in_flight.saturating_sub(1);
        if is_proxied {
            self.proxied.in_flight = self.proxied.in_flight.saturating_sub(1);
        }
    }

    /// Requests in flight now.
    pub(crate) fn in_flight(&self) -> u32 {
        self.all.in_flight
    }

    /// What happened since the last report; begins the next period.
    pub(crate) fn report(&mut self, now: At) -> Period {
        self.advance(now);
        let span = now.since(self.since).as_secs_f64();
        self.since = now;
        let (average, rate) = self.all.report(span);
        let (average_proxied, rate_proxied) = self.proxied.report(span);
        Period { average, average_proxied, rate, rate_proxied }
    }

    fn advance(&mut self, now: At) {
        let span = now.since(self.changed).as_secs_f64();
        self.changed = now;
        self.all.area += span * f64::from(self.all.in_flight);
        self.proxied.area += span * f64::from(self.proxied.in_flight);
    }
}

impl Flow {
    fn report(&mut self, span: f64) -> (f64, f64) {
        let (area, count) = (self.area, f64::from(self.count));
        self.area = 0.0;
        self.count = 0;
        if span <= 0.0 { (0.0, 0.0) } else { (area / span, count / span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_encoded_as_a_real_queue_proxy_does() {
        // Read from a real queue-proxy: its name and its uptime, nothing else.
        let stat = Stat {
            pod_name: "probe-00001-deployment-6dc58bb8f9-x8mcx".to_owned(),
            process_uptime: f64::from_le_bytes([0xd3, 0xa3, 0xcf, 0x65, 0x6f, 0x03, 0xf0, 0x3f]),
            ..Stat::default()
        };
        let mut expected = vec![0x0a, 39];
        expected.extend_from_slice(b"probe-00001-deployment-6dc58bb8f9-x8mcx");
        expected.extend_from_slice(&[0x31, 0xd3, 0xa3, 0xcf, 0x65, 0x6f, 0x03, 0xf0, 0x3f]);
        assert_eq!(stat.encode(), expected);

        let long = Stat { pod_name: "x".repeat(300), request_count: 1.0, ..Stat::default() };
        assert_eq!(long.encode()[..3], [0x0a, 0xac, 0x02]);
        assert_eq!(long.encode()[303..], [0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }

    #[test]
    fn two_halves_of_a_second_are_one_request_in_flight() {
        let mut tally = Tally::new(At::ZERO);
        tally.enter(At::ZERO, false);
        tally.enter(At::from_millis(250), true);
        tally.leave(At::from_millis(500), false);
        tally.leave(At::from_millis(750), true);
        let period = tally.report(At::from_secs(1));
        assert_eq!((period.average, period.average_proxied), (1.0, 0.5));
        assert_eq!((period.rate, period.rate_proxied), (2.0, 1.0));
        assert_eq!(tally.report(At::from_secs(2)), Period::default());
    }

    #[test]
    fn what_is_still_in_flight_counts_on() {
        let mut tally = Tally::new(At::ZERO);
        tally.enter(At::ZERO, true);
        tally.enter(At::from_millis(500), false);
        let first = tally.report(At::from_secs(1));
        assert_eq!((first.average, first.average_proxied), (1.5, 1.0));
        let second = tally.report(At::from_secs(2));
        assert_eq!((second.average, second.rate), (2.0, 0.0));
        assert_eq!(tally.in_flight(), 2);
    }
}
