//! The only `now()` in the program.
//!
//! It is tokio's time, so that a test can pause it and let hours pass in no time; threads without
//! a runtime read the same monotonic clock.

#![expect(clippy::disallowed_methods, reason = "this is where time comes in")]

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::units::Anchor;
use crate::units::At;
use crate::units::UnixMicros;

/// Tells how long ago the run began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: tokio::time::Instant,
    anchor: Anchor,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(unix.as_micros()).unwrap_or(i64::MAX);
        Self { began: tokio::time::Instant::now(), anchor: Anchor(UnixMicros(micros)) }
    }

    /// The same, with the wall clock said to be `anchor`: for runs in virtual time.
    pub fn start_anchored(anchor: Anchor) -> Self {
        Self { began: tokio::time::Instant::now(), anchor }
    }

    /// Now, as an offset since the run began.
    pub fn at(self) -> At {
        At::from(self.began.elapsed())
    }

    /// Now, by the wall clock that the run is anchored to.
    pub fn wall(self) -> UnixMicros {
        self.anchor.wall(self.at())
    }

    /// What the wall clock said when the run began.
    pub const fn anchor(self) -> Anchor {
        self.anchor
    }

    /// The beginning as an instant of the monotonic clock, for threads that count from it
    /// themselves.
    pub fn began(self) -> Instant {
        self.began.into_std()
    }

    /// The instant of tokio's time at which it will be `at`.
    pub fn instant(self, at: At) -> tokio::time::Instant {
        self.began + Duration::from_micros(at.as_micros())
    }
}

/// Now, of tokio's time, which a test can pause.
pub fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Now, of the monotonic clock, for threads that measure latencies. Not affected by paused time.
pub fn monotonic() -> Instant {
    Instant::now()
}
