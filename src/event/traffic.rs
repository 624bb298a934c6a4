//! One closed interval of load.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::de::Unexpected;
use serde::de::Visitor;

use crate::units::At;

/// What was offered and what became of it, between two moments.
///
/// Counters are differences, not totals, so intervals of one run add up to the whole. An interval
/// never overlaps another; when the bus has no room it grows rather than being lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its beginning.
    pub began: At,
    /// Its length.
    pub lasted: Duration,
    /// Requests a second (or users) asked for at its end.
    pub target: f64,
    /// Whether the load is paused at its end.
    pub paused: bool,
    /// How far the plan's profile has come at its end; `None` in records that do not say.
    #[serde(default)]
    pub profile_at: Option<Duration>,
    /// Whether the profile waits there, because a person or a safety rule holds the load.
    #[serde(default)]
    pub profile_waits: bool,
    /// Requests that fell due.
    pub offered: u64,
    /// Requests of which a first byte was written.
    pub sent: u64,
    /// Requests answered with a success.
    pub succeeded: u64,
    /// Requests answered otherwise, or not at all.
    pub failed: u64,
    /// Requests that hit the in-flight cap and never left.
    pub dropped: u64,
    /// Requests in flight at its end.
    pub in_flight: u64,
    /// The most requests in flight in it; of several threads, whose moments differ, at most so many.
    pub in_flight_max: u64,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
    /// Failures by class: `timeout`, `connect refused`, `reset by the server`, `status 5xx`, …
    pub errors: BTreeMap<String, u64>,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// From the due time to the last byte, successes; `None` in a closed loop, which has no due
    /// times.
    pub response_time: Option<Histogram>,
    /// From the first byte written to the last byte read, successes.
    pub service_time: Option<Histogram>,
    /// From the due time (open) or from when its user was ready (closed) to the failure, failures.
    pub failure_time: Option<Histogram>,
    /// From the due time to the first byte written; `None` in a closed loop.
    pub send_lag: Option<Histogram>,
    /// Why we ourselves were the bottleneck in it and what mends it, if we were.
    pub client_limited: Option<String>,
    /// Calls of gRPC by status, as `14 UNAVAILABLE`.
    #[serde(default)]
    pub grpc_status: BTreeMap<String, u64>,
    /// Whole messages of gRPC that came.
    #[serde(default)]
    pub messages_received: u64,
    /// What new connections took; `None` where none was opened.
    #[serde(default)]
    pub phases: Option<Phases>,
    /// The same requests by what differs between them: by dimension, by choice.
    #[serde(default)]
    pub splits: BTreeMap<String, BTreeMap<String, Split>>,
    /// What we were short of; `None` if of nothing, and in records that do not say.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// How our own process fared in it; `None` in records that do not say.
    #[serde(default)]
    pub client: Option<Box<ClientHealth>>,
}

/// What new connections took, each phase in its histogram; `None` where it did not occur.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Resolving the target's name.
    pub dns: Option<Histogram>,
    /// From the connection's beginning until it stood.
    pub connect: Option<Histogram>,
    /// From then until TLS had shaken hands.
    pub tls: Option<Histogram>,
    /// Of its first request: from the first byte written to the last.
    pub send: Option<Histogram>,
    /// From then to the first byte of the answer.
    pub wait: Option<Histogram>,
    /// From then to the last byte of the answer.
    pub receive: Option<Histogram>,
}

/// What became of the requests that made one choice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Requests answered with a success.
    pub succeeded: u64,
    /// Requests answered otherwise, or not at all.
    pub failed: u64,
    /// From the first byte written to the last byte read, successes.
    pub service_time: Option<Histogram>,
    /// From the due time (open) or from when its user was ready (closed) to the failure, failures.
    pub failure_time: Option<Histogram>,
}

/// What the generator was short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// File descriptors: a connection could not be opened.
    Descriptors,
    /// Local ports toward the target: a connection could not be opened.
    Ports,
    /// The CPU quota of its control group.
    CpuQuota,
    /// A core: its threads waited for one, or had one and it was not enough.
    Cpu,
    /// Being let run at all: the process or its machine stood still.
    Stopped,
    /// Connections: as many as the plan allows were open, and all were busy.
    Connections,
    /// Nothing that is looked at.
    #[serde(other)]
    Unknown,
}

/// How our own process fared in an interval, as the operating system counts it. `None` is what it
/// does not tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientHealth {
    /// CPU seconds of the load's own threads.
    pub load_cpu_s: Option<f64>,
    /// CPU seconds of the whole process.
    pub process_cpu_s: Option<f64>,
    /// The share of the interval that the busiest of the load's threads had a core.
    pub busiest: Option<f64>,
    /// The share of the interval that one of the load's threads was ready and waited for a core: of
    /// the one that waited longest (`schedstat`).
    pub run_queue: Option<f64>,
    /// Cores that the process may run on.
    pub cores: Option<u32>,
    /// The CPU quota of its control group in cores; `None` also without one.
    pub quota: Option<f64>,
    /// The share of the quota's periods in which it was used up (`cpu.stat`).
    pub throttled: Option<f64>,
    /// How late a bare timer of ours rang, which sends nothing.
    pub timer_slip: Option<Histogram>,
    /// File descriptors in use at its end.
    pub descriptors: Option<u64>,
    /// File descriptors that are allowed (`ulimit -n`).
    pub descriptors_max: Option<u64>,
    /// Local ports in use toward the target; counted only where many connections are opened.
    pub ports: Option<u64>,
    /// Local ports that there are (`ip_local_port_range`).
    pub ports_max: Option<u64>,
}

impl Limit {
    /// Its name, as the sentence about it begins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Descriptors => "descriptors",
            Self::Ports => "ports",
            Self::CpuQuota => "CPU quota",
            Self::Cpu => "CPU",
            Self::Stopped => "stopped",
            Self::Connections => "connections",
            Self::Unknown => "not known",
        }
    }
}

impl Interval {
    /// Requests that were answered or failed.
    pub const fn completed(&self) -> u64 {
        self.succeeded.saturating_add(self.failed)
    }
}

/// An `HdrHistogram` of microseconds (1 µs to 10 min, 3 digits) in its V2 encoding.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram(pub Vec<u8>);

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Histogram({} bytes)", self.0.len())
    }
}

impl Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Digits are ASCII: that the text is UTF-8 need not be looked at before.
        deserializer.deserialize_bytes(HexDigits)
    }
}

/// Reads a histogram where it stands: half of a record is such digits.
struct HexDigits;

impl Visitor<'_> for HexDigits {
    type Value = Histogram;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a histogram, written as hexadecimal digits")
    }

    fn visit_bytes<E: serde::de::Error>(self, hex: &[u8]) -> Result<Histogram, E> {
        let digits = const_hex::decode(hex);
        digits.map(Histogram).map_err(|_| E::invalid_value(Unexpected::Str("other text"), &self))
    }

    fn visit_str<E: serde::de::Error>(self, hex: &str) -> Result<Histogram, E> {
        self.visit_bytes(hex.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_written_as_digits_and_nothing_else_is_one() {
        let histogram = Histogram((0..=255).collect());
        let text = serde_json::to_string(&histogram).unwrap();
        assert!(text.starts_with("\"000102") && text.ends_with("fdfeff\""), "{text}");
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
        assert_eq!(serde_json::from_str::<Histogram>("\"0aFF\"").unwrap().0, [0x0a, 0xff]);
        for wrong in ["\"0\"", "\"0g\"", "\"+1\"", "7", "\"é\""] {
            assert!(serde_json::from_str::<Histogram>(wrong).is_err(), "{wrong}");
        }
    }
}
