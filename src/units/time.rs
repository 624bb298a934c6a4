//! Moments as offsets from the beginning of a run, and the wall clock they are anchored to.
//!
//! Arithmetic is monotonic; the wall clock is only for labels and for joining with stamps that
//! a cluster wrote.

use std::fmt;
use std::ops::Add;
use std::ops::Sub;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// A moment, as microseconds since the run began.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct At(u64);

/// A moment of the wall clock, as microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

/// What the wall clock said when the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Anchor(pub UnixMicros);

// === impl At ===

impl At {
    /// The beginning of the run.
    pub const ZERO: Self = Self(0);

    /// The moment `micros` microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the beginning.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1000)
    }

    /// The moment `secs` seconds after the beginning.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }

    /// Microseconds since the run began.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Seconds since the run began.
    #[expect(clippy::cast_precision_loss, reason = "2^52 microseconds are 142 years")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This moment less `span`, but never before the beginning.
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }
}

impl From<Duration> for At {
    fn from(since_start: Duration) -> Self {
        Self(micros(since_start))
    }
}

impl Add<Duration> for At {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl Sub for At {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

// === impl UnixMicros ===

impl UnixMicros {
    /// Parses an RFC 3339 stamp as Kubernetes writes it.
    pub fn parse(stamp: &str) -> Option<Self> {
        stamp.parse::<jiff::Timestamp>().ok().map(|stamp| Self(stamp.as_microsecond()))
    }

    /// The time from `earlier` to here; `None` if `earlier` is later.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        u64::try_from(self.0.checked_sub(earlier.0)?).ok().map(Duration::from_micros)
    }
}

impl fmt::Display for UnixMicros {
    /// RFC 3339 in UTC, to the millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => f.write_str("–"),
        }
    }
}

// === impl Anchor ===

impl Anchor {
    /// The wall clock at `at`.
    pub fn wall(self, at: At) -> UnixMicros {
        UnixMicros(self.0.0.saturating_add(i64::try_from(at.0).unwrap_or(i64::MAX)))
    }

    /// The moment of the run at which the wall clock said `wall`; the beginning if it was before.
    pub fn at(self, wall: UnixMicros) -> At {
        At(u64::try_from(wall.0.saturating_sub(self.0.0)).unwrap_or(0))
    }
}

/// Parses a duration in Go's syntax (`1m30s`, `15.04s`, `300ms`), as Knative's annotations and
/// `metrics.k8s.io` use it. `None` if it is not one, or negative.
pub fn parse_go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut secs = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let n_digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..n_digits].parse().ok()?;
        rest = &rest[n_digits..];
        let n_unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        secs += number
            * match &rest[..n_unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[n_unit..];
    }
    Duration::try_from_secs_f64(secs).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_as_go_reads_them() {
        for (text, millis) in [
            ("0", Some(0)),
            ("60s", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("15.04s", Some(15_040)),
            ("1m0.5s", Some(60_500)),
            ("1h", Some(3_600_000)),
            ("300ms", Some(300)),
            ("", None),
            ("5", None),
            ("-5s", None),
            ("5 s", None),
            ("5d", None),
        ] {
            let parsed = parse_go_duration(text).map(|span| span.as_millis());
            assert_eq!(parsed, millis, "{text}");
        }
    }

    #[test]
    fn wall_and_run_time_are_inverse() {
        let anchor = Anchor(UnixMicros(1_000_000));
        let at = At::from_millis(1500);
        assert_eq!(anchor.at(anchor.wall(at)), at);
        assert_eq!(anchor.at(UnixMicros(0)), At::ZERO, "before the run is its beginning");
        assert_eq!(UnixMicros::parse("1970-01-01T00:00:01Z"), Some(UnixMicros(1_000_000)));
        assert_eq!(UnixMicros(1_500_000).to_string(), "1970-01-01T00:00:01.500Z");
    }
}
