//! Who sends next: the pacer of an open loop, or the users of a closed one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::pacer::Course;
use super::pacer::Pacer;

/// Most users of a shard.
const USERS_MAX: u32 = 100_000;

/// Who sends next. Moments are nanoseconds since the load began.
#[derive(Debug)]
pub(super) enum Arrivals {
    /// Requests are due, whatever became of those before.
    Open { pacer: Box<Pacer>, is_stopped: bool },
    /// Users wait for their answers.
    Closed(Users),
}

/// The users of one shard.
#[derive(Debug)]
pub(super) struct Users {
    course: Course,
    think: u64,
    /// This shard has the users of which the number is `shard` modulo `n_shards`.
    shard: u32,
    n_shards: u32,
    /// Users who are about to send, by when.
    ready: BinaryHeap<Reverse<(u64, u32)>>,
    /// Users wanted.
    n_wanted: u32,
    /// Which users there are.
    is_alive: Vec<bool>,
    /// Requests that all shards may still begin; shared, but only counted down.
    left: Option<Arc<AtomicU64>>,
    is_exhausted: bool,
    is_stopped: bool,
}

impl Arrivals {
    /// The next that is due at `now`: when it was due, and whose it is.
    pub(super) fn take(&mut self, now: u64) -> Option<(u64, u32)> {
        match self {
            Self::Open { is_stopped: true, .. } => None,
            Self::Open { pacer, .. } => {
                let due = nanos(pacer.due()?);
                if now < due {
                    return None;
                }
                pacer.take();
                Some((due, 0))
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
            Self::Closed(users) if users.is_stopped || users.is_exhausted => None,
            Self::Closed(users) => users.ready.peek().map(|Reverse((due, _))| *due),
        }
    }

    /// A request of this user is over; the user goes on at `now`, after thinking.
    pub(super) fn over(&mut self, user: u32, now: u64) {
        if let Self::Closed(users) = self {
            users.over(user, now);
        }
    }

    /// The rate, or the number of users, from a moment on.
    pub(super) fn change(&mut self, course: Course) {
        match self {
            Self::Open { pacer, .. } => pacer.change(course),
            Self::Closed(users) => {
                let now = nanos(course.since);
                users.course = course;
                users.recount(now);
            }
        }
    }

    /// Nothing more is due.
    pub(super) fn stop(&mut self) {
        match self {
            Self::Open { is_stopped, .. } => *is_stopped = true,
            Self::Closed(users) => users.is_stopped = true,
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
            Self::Closed(users) => users.is_exhausted,
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

impl Users {
    /// Nobody yet.
    pub(super) fn new(
        course: Course,
        think: Duration,
        (shard, n_shards): (u32, u32),
        left: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self {
            course,
            think: u64::try_from(think.as_nanos()).unwrap_or(u64::MAX),
            shard,
            n_shards,
            ready: BinaryHeap::new(),
            n_wanted: 0,
            is_alive: Vec::new(),
            left,
            is_exhausted: false,
            is_stopped: false,
        }
    }

    fn take(&mut self, now: u64) -> Option<(u64, u32)> {
        if self.is_stopped || self.is_exhausted {
            return None;
        }
        loop {
            let Reverse((due, user)) = *self.ready.peek()?;
            if now < due {
                return None;
            }
            self.ready.pop();
            if self.n_wanted <= user {
                self.leave(user);
                continue;
            }
            if let Some(left) = &self.left {
                let took = left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                if took.is_err() {
                    self.is_exhausted = true;
                    return None;
                }
            }
            return Some((due, user));
        }
    }

    fn over(&mut self, user: u32, now: u64) {
        if self.n_wanted <= user || self.is_stopped {
            self.leave(user);
        } else {
            self.ready.push(Reverse((now + self.think, user)));
        }
    }

    fn leave(&mut self, user: u32) {
        if let Some(alive) = usize::try_from(user).ok().and_then(|user| self.is_alive.get_mut(user))
        {
            *alive = false;
        }
    }

    /// Brings users in until there are as many as are wanted. Those too many leave by themselves,
    /// when their request is over.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the users there may be"
    )]
    fn recount(&mut self, now: u64) {
        let all = self.course.rate_at(seconds(now)).round().clamp(0.0, f64::from(USERS_MAX)) as u32;
        // Of `all` users, those whose number is `shard` modulo `n_shards`.
        let n_wanted = (all + self.n_shards - 1 - self.shard) / self.n_shards;
        if n_wanted == self.n_wanted {
            return;
        }
        self.n_wanted = n_wanted;
        for user in 0..self.n_wanted {
            let user_idx = user as usize;
            if self.is_alive.len() <= user_idx {
                self.is_alive.push(false);
            }
            if !self.is_alive[user_idx] {
                self.is_alive[user_idx] = true;
                self.ready.push(Reverse((now, user)));
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "moments of a run, which is shorter than 500 years"
)]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "2^52 nanoseconds are 52 days, to the nanosecond")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
