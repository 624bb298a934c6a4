//! The connections to one target: who is idle, who waits, and when to try again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::arrivals::Due;
use super::balance::Balance;
use super::failure::Failure;

/// Waits between attempts to connect after failures: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// How long an address that failed is left out while there are others. A name that is looked up
/// again brings it back sooner.
const LEFT_OUT: Duration = Duration::from_secs(5);
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
    /// Until when each of them is left out, since it failed; nanoseconds since the origin.
    out_until: Vec<u64>,
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
            out_until: Vec::new(),
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
    pub(super) fn is_busy(&mut self) -> bool {
        self.max <= self.n_open && self.idle.is_empty() && self.balance.least().is_none()
    }

    /// Whether attempts rest after a failure.
    pub(super) const fn rests(&self, now: u64) -> bool {
        now < self.backoff_until
    }

    /// How long a user rests whose request found no connection.
    pub(super) const fn backoff(&self) -> Duration {
        self.backoff
    }

    /// The next address, in turn, of those that did not fail lately.
    pub(super) fn next_address(&mut self, now: u64) -> Option<SocketAddr> {
        let n_addresses = self.addresses.len();
        let mut in_turn = (0..n_addresses).map(|step| (self.next_address + step) % n_addresses);
        let place = in_turn.find(|place| self.out_until[*place] <= now)?;
        self.next_address = place + 1;
        Some(self.addresses[place])
    }

    /// What the name resolves to now. Those that failed are tried again.
    pub(super) fn resolved(&mut self, addresses: Vec<SocketAddr>) {
        self.out_until = vec![0; addresses.len()];
        self.addresses = addresses;
    }

    /// An attempt to connect failed. Whether there is another address to try; without one,
    /// attempts rest.
    pub(super) fn refused(
        &mut self,
        address: Option<SocketAddr>,
        failure: Failure,
        now: u64,
    ) -> bool {
        // For want of a descriptor no address can be tried.
        if failure != Failure::Descriptors {
            let place = self.addresses.iter().position(|known| Some(*known) == address);
            if let Some(until) = place.and_then(|place| self.out_until.get_mut(place)) {
                *until = now.saturating_add(nanos(LEFT_OUT));
            }
            if self.out_until.iter().any(|until| *until <= now) {
                return true;
            }
            self.out_until.fill(0);
        }
        self.failed(failure, now);
        false
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
    fn failed(&mut self, failure: Failure, now: u64) {
        self.last_failure = failure;
        if self.backoff_until <= now {
            self.backoff_until = now.saturating_add(nanos(self.backoff));
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_is_left_out_for_a_while_or_until_all_have() {
        let addresses = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut pool = Pool::new((9, 1), 9);
        pool.resolved(addresses.to_vec());
        let next = |pool: &mut Pool, now| pool.next_address(now).map(|it| it.port());
        let refused = |pool: &mut Pool, port: usize| {
            pool.refused(Some(addresses[port - 1]), Failure::ConnectRefused, 0)
        };
        assert_eq!([(); 4].map(|()| next(&mut pool, 0)), [1, 2, 3, 1].map(Some));
        assert!(refused(&mut pool, 2) && refused(&mut pool, 2), "begun together");
        assert_eq!([(); 3].map(|()| next(&mut pool, 0)), [3, 1, 3].map(Some));
        let later = nanos(LEFT_OUT);
        assert_eq!([(); 3].map(|()| next(&mut pool, later)), [1, 2, 3].map(Some));
        assert!(refused(&mut pool, 1) && !pool.rests(0));
        assert!(!pool.refused(Some(addresses[2]), Failure::Descriptors, 0), "it is not to blame");
        assert_eq!((pool.rests(0), next(&mut pool, 0)), (true, Some(3)));
        assert!(!refused(&mut pool, 3) && pool.rests(0));
        assert_eq!([(); 3].map(|()| next(&mut pool, 0)), [1, 2, 3].map(Some));
        assert!(refused(&mut pool, 1));
        pool.resolved(addresses[..1].to_vec());
        assert_eq!(next(&mut pool, 0), Some(1));
        assert!(!refused(&mut pool, 1), "there is no other");
        assert!(!Pool::new((9, 1), 9).refused(None, Failure::Dns, 0), "there is none");
    }

    #[test]
    fn a_connection_with_a_free_stream_is_not_busy() {
        let mut pool = Pool::new((1, 10), 9);
        pool.n_open = 1;
        assert!(pool.is_busy());
        pool.balance.set(0, 9);
        assert!(!pool.is_busy());
    }
}
