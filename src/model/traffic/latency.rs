//! What is measured of a request's time, and the histograms of it.

use crate::series::LatencyHistogram;

/// What is measured of a request's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// From the due time to the last byte, successes.
    ResponseTime,
    /// From the first byte written to the last byte read, successes.
    ServiceTime,
    /// The time that failures took.
    FailureTime,
    /// From the due time to the first byte written.
    SendLag,
}

/// A phase of a new connection and its first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Resolving the target's name.
    Dns,
    /// Until the connection stood.
    Connect,
    /// Until TLS had shaken hands.
    Tls,
    /// Writing the request.
    Send,
    /// Until the first byte of the answer.
    Wait,
    /// Until its last byte.
    Receive,
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

// === impl Timing ===

impl Timing {
    /// All of them, in the order of what matters to a client.
    pub const ALL: [Self; 4] =
        [Self::ResponseTime, Self::ServiceTime, Self::FailureTime, Self::SendLag];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResponseTime => "response time",
            Self::ServiceTime => "service time",
            Self::FailureTime => "failures",
            Self::SendLag => "send lag",
        }
    }
}

// === impl Phase ===

impl Phase {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 6] =
        [Self::Dns, Self::Connect, Self::Tls, Self::Send, Self::Wait, Self::Receive];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::Wait => "wait",
            Self::Receive => "receive",
        }
    }
}

// === impl Latencies ===

impl Latencies {
    pub(super) fn add(&mut self, other: &Self) {
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

    /// One of them.
    pub const fn get(&self, timing: Timing) -> Option<&LatencyHistogram> {
        match timing {
            Timing::ResponseTime => self.response_time.as_ref(),
            Timing::ServiceTime => self.service_time.as_ref(),
            Timing::FailureTime => self.failure_time.as_ref(),
            Timing::SendLag => self.send_lag.as_ref(),
        }
    }

    /// Seconds that all requests which ended were there, together: those that succeeded and those
    /// that failed.
    #[expect(clippy::cast_precision_loss, reason = "a sum of means")]
    pub(super) fn stay_s(&self) -> Option<f64> {
        let sum = |it: &LatencyHistogram| it.mean().as_secs_f64() * it.count() as f64;
        let felt = self.felt().map(sum)?;
        Some(felt + self.failure_time.as_ref().map_or(0.0, sum))
    }

    /// What the client felt: response time, or service time where there are no due times.
    pub fn felt(&self) -> Option<&LatencyHistogram> {
        self.response_time.as_ref().or(self.service_time.as_ref())
    }
}
