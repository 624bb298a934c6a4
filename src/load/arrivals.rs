//! Whose request is due: the clock's, in an open loop, or a user's, in a closed one.

use std::sync::Arc;

use super::pacer::Course;
use super::pacer::Pacer;
use super::request::Requests;
use super::users::Users;

/// What makes requests due.
#[derive(Debug)]
pub(super) enum Arrivals {
    /// Open loop.
    Open {
        /// When the next is due.
        pacer: Box<Pacer>,
        /// What is sent.
        requests: Arc<Requests>,
        /// When the last one was due that was taken.
        last_due: u64,
        /// Whether no more is due.
        is_stopped: bool,
    },
    /// Closed loop.
    Closed(Box<Users>),
}

/// A request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// When: in an open loop by the clock, in a closed loop when its user was ready. Nanoseconds
    /// since the origin.
    pub(super) at: u64,
    /// Whose it is, in a closed loop.
    pub(super) user: u32,
    /// Which of the requests it is.
    pub(super) variant: u32,
}

impl Arrivals {
    /// The next that is due at `now`.
    pub(super) fn take(&mut self, now: u64) -> Option<Due> {
        match self {
            Self::Open { is_stopped: true, .. } => None,
            Self::Open { pacer, requests, last_due, .. } => {
                let at = nanos(pacer.due()?);
                if now < at {
                    return None;
                }
                *last_due = at;
                let number = pacer.take();
                Some(Due { at, user: 0, variant: requests.draw(number) })
            }
            Self::Closed(users) => users.take(now),
        }
    }

    /// Whether more is due at `now`.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// When the next is due, as things stand.
    pub(super) fn next_due(&self) -> Option<u64> {
        match self {
            Self::Open { is_stopped: true, .. } => None,
            Self::Open { pacer, .. } => pacer.due().map(nanos),
            Self::Closed(users) => users.next_due(),
        }
    }

    /// How long after the last one the next is due by the clock, in nanoseconds. A user waits for
    /// nothing to the microsecond.
    pub(super) fn next_gap(&self) -> Option<u64> {
        match self {
            Self::Open { last_due, .. } => Some(self.next_due()?.saturating_sub(*last_due)),
            Self::Closed(_) => None,
        }
    }

    /// A request is over; its user goes on at `now`, after thinking.
    pub(super) fn over(&mut self, due: Due, now: u64) {
        if let Self::Closed(users) = self {
            users.over(due, now);
        }
    }

    /// The rate, or the number of users, from a moment on.
    pub(super) fn change(&mut self, course: Course) {
        match self {
            Self::Open { pacer, .. } => pacer.change(course),
            Self::Closed(users) => users.change(course),
        }
    }

    /// Nothing more is due.
    pub(super) fn stop(&mut self) {
        match self {
            Self::Open { is_stopped, .. } => *is_stopped = true,
            Self::Closed(users) => users.stop(),
        }
    }

    /// Counts users anew, for ramps.
    pub(super) fn keep_house(&mut self, now: u64) {
        if let Self::Closed(users) = self {
            users.recount(now);
        }
    }

    /// Whether the last request of a bounded number has been issued.
    pub(super) fn is_exhausted(&self) -> bool {
        match self {
            Self::Open { pacer, .. } => pacer.is_exhausted(),
            Self::Closed(users) => users.is_exhausted(),
        }
    }

    /// Whether requests are due at moments, so that there is a response time and a lag.
    pub(super) const fn has_due_times(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether there are users, who must be counted now and then.
    pub(super) const fn has_users(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "moments of a run, which is shorter than 500 years"
)]
pub(super) fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "2^52 nanoseconds are 52 days, to the nanosecond")]
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
