//! What wakes a shard for the next request that is due.
//!
//! A timer rings late, and a core that slept is slow at first: together some fifty microseconds,
//! which would be in every send lag. So it rings a little early, and the rest is waited awake, with
//! the sockets looked at all the while.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::unix::SourceFd;
use rustix::time::Itimerspec;
use rustix::time::TimerfdClockId;
use rustix::time::TimerfdFlags;
use rustix::time::TimerfdTimerFlags;
use rustix::time::Timespec;

/// How early it rings at most, in nanoseconds.
const LEAD: u64 = 80_000;
/// Of the time between two requests, at most one part in four is waited awake.
const AWAKE_PART: u64 = 4;

/// A timer in a poll.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: OwnedFd,
    /// When it rings; `u64::MAX` is never.
    rings_at: u64,
}

impl Alarm {
    /// One that tells `token` when it rings.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer, rings_at: u64::MAX })
    }

    /// It rang.
    pub(super) const fn rang(&mut self) {
        self.rings_at = u64::MAX;
    }

    /// Rings at `wake`, unless it would ring before that anyway.
    pub(super) fn set(&mut self, wake: u64, now: u64) {
        if self.rings_at <= wake && now < self.rings_at {
            return;
        }
        let after = wake.saturating_sub(now).max(1);
        let value = Timespec {
            tv_sec: i64::try_from(after / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(after % 1_000_000_000).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        if let Err(error) =
            rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
        {
            tracing::error!(%error, "a shard's timer failed");
        }
        self.rings_at = wake;
    }
}

/// How long before it is due a shard is awake for a request that comes `gap` after another.
pub(super) const fn lead(gap: u64) -> u64 {
    let part = gap / AWAKE_PART;
    if part < LEAD { part } else { LEAD }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_awake_for_a_quarter_of_the_gap_and_never_longer_than_the_lead() {
        // Nanoseconds: the gap between two requests, and how long of it nobody sleeps.
        for (gap, awake) in [(0, 0), (20_000, 5_000), (200_000, 50_000), (1_000_000_000, LEAD)] {
            assert_eq!(lead(gap), awake, "gap {gap}");
        }
    }
}
