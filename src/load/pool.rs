//! The connections to one target: who is idle, who waits, and when to try again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::arrivals::Due;
use super::balance::Balance;
use super::failure::Failure;

/// Waits between attempts to connect after failures: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// New connections that may break one after the other before attempts rest: a server that loses one
/// now and then is not one that sends everybody away.
const BROKEN_MAX: u32 = 3;

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) due: Due,
    /// When its first byte was written; nanoseconds since the origin, 0 before.
    pub(super) started: u64,
    /// How often it was given to a connection that the server had just closed.
    pub(super) n_retries: u8,
}

/// The connections to one target.
#[derive(Debug)]
pub(super) struct Pool {
    addresses: Vec<SocketAddr>,
    next_address: usize,
    /// Those that have nothing to do, the last one first.
    pub(super) idle: Vec<usize>,
    /// Those of HTTP/2 that can take a request.
    pub(super) balance: Balance,
    /// Requests that wait for a connection.
    pub(super) waiting: VecDeque<Job>,
    /// Open ones, those that are being opened included.
    pub(super) n_open: usize,
    pub(super) n_opening: usize,
    /// Those that end with what they have under way.
    pub(super) n_leaving: usize,
    max: usize,
    /// Requests that a connection carries at once.
    n_streams: usize,
    backoff: Duration,
    backoff_until: u64,
    pub(super) last_failure: Failure,
    /// New connections that broke before their first answer, since the last answer.
    n_broken: u32,
}

impl Pool {
    /// No connection yet; at most `max`, each of `n_streams` requests at once.
    pub(super) fn new((max, n_streams): (usize, usize), waiting_max: usize) -> Self {
        Self {
            addresses: Vec::new(),
            next_address: 0,
            balance: Balance::default(),
            idle: Vec::with_capacity(max.min(1 << 16)),
            waiting: VecDeque::with_capacity(waiting_max.min(1 << 16)),
            n_open: 0,
            n_opening: 0,
            n_leaving: 0,
            max,
            n_streams,
            backoff: BACKOFF.0,
            backoff_until: 0,
            last_failure: Failure::Dns,
            n_broken: 0,
        }
    }

    /// Whether one who waits asks for another connection, and may have it.
    pub(super) fn wants_more(&self) -> bool {
        self.n_opening * self.n_streams < self.waiting.len() && self.has_room()
    }

    /// Whether another connection may be opened though nobody waits for it.
    pub(super) const fn may_grow(&self, now: u64) -> bool {
        self.n_opening == 0 && self.has_room() && !self.rests(now)
    }

    const fn has_room(&self) -> bool {
        self.n_open - self.n_leaving < self.max
    }

    /// Whether as many are open as may be, and all are busy.
    pub(super) fn is_busy(&self) -> bool {
        self.max <= self.n_open && self.idle.is_empty()
    }

    /// Whether attempts rest after a failure.
    pub(super) const fn rests(&self, now: u64) -> bool {
        now < self.backoff_until
    }

    /// How long a user rests whose request found no connection.
    pub(super) const fn backoff(&self) -> Duration {
        self.backoff
    }

    /// The next address, in turn.
    pub(super) fn next_address(&mut self) -> Option<SocketAddr> {
        let n_addresses = self.addresses.len();
        let address = self.addresses.get(self.next_address % n_addresses.max(1)).copied();
        self.next_address = self.next_address.wrapping_add(1);
        address
    }

    /// What the name resolves to now.
    pub(super) fn resolved(&mut self, addresses: Vec<SocketAddr>) {
        self.addresses = addresses;
    }

    /// A connection stands. Where they broke lately that says little.
    pub(super) const fn connected(&mut self) {
        self.n_opening -= 1;
        if self.n_broken == 0 {
            self.backoff = BACKOFF.0;
            self.backoff_until = 0;
        }
    }

    /// An answer has come.
    pub(super) const fn answered(&mut self) {
        if 0 < self.n_broken {
            self.n_broken = 0;
            self.backoff = BACKOFF.0;
            self.backoff_until = 0;
        }
    }

    /// A new connection broke before its first answer.
    pub(super) fn broke(&mut self, failure: Failure, now: u64) {
        self.n_broken = self.n_broken.saturating_add(1);
        if BROKEN_MAX <= self.n_broken {
            self.failed(failure, now);
        }
    }

    /// An attempt failed. Those that were begun together count as one.
    pub(super) fn failed(&mut self, failure: Failure, now: u64) {
        self.last_failure = failure;
        if self.backoff_until <= now {
            self.backoff_until = now + u64::try_from(self.backoff.as_nanos()).unwrap_or(0);
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
        }
    }
}
