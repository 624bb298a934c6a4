//! The users of a closed loop: each sends, waits for the answer, thinks, and sends again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::scenario::amount::USERS_MAX;
use crate::scenario::plan::Batch;
use crate::scenario::plan::Think;
use crate::scenario::vary::draw;

use super::arrivals::Due;
use super::arrivals::seconds;
use super::pacer::Course;
use super::request::Requests;

/// What the users of a shard are made of.
#[derive(Debug)]
pub(super) struct UsersSpec {
    pub(super) think: Think,
    pub(super) batch: Option<Batch>,
    pub(super) seed: u64,
    /// This shard has the users of which the number is `shard.0` modulo `shard.1`.
    pub(super) shard: (u32, u32),
    /// What is sent.
    pub(super) requests: Arc<Requests>,
    /// Requests that all shards may still begin; shared, but only counted down.
    pub(super) left: Option<Arc<AtomicU64>>,
}

/// The users of a shard.
#[derive(Debug)]
pub(super) struct Users {
    spec: UsersSpec,
    course: Course,
    ready: Ready,
    n_wanted: u32,
    all: Vec<User>,
    random: SmallRng,
    is_exhausted: bool,
    is_stopped: bool,
}

/// One of them.
#[derive(Debug, Default)]
struct User {
    is_alive: bool,
    /// Whether it stands in `ready`, where it stands once.
    is_listed: bool,
    /// Until when it thinks.
    rests_until: u64,
    /// Requests begun by this user so far.
    n_begun: u64,
    n_in_flight: u32,
    /// What is left of the batch, in order.
    pending: VecDeque<u32>,
    /// Requests in flight by host; empty unless a cap for hosts can bind.
    by_host: Vec<u32>,
}

/// Who can go on, by the time since when.
///
/// Most become ready in the order in which they are added: a queue is enough for those.
#[derive(Debug, Default)]
struct Ready {
    in_order: VecDeque<(u64, u32)>,
    others: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Users {
    /// Nobody yet.
    pub(super) fn new(spec: UsersSpec) -> Self {
        Self {
            course: Course::silence(),
            ready: Ready::default(),
            n_wanted: 0,
            all: Vec::new(),
            random: SmallRng::seed_from_u64(spec.seed ^ u64::from(spec.shard.0)),
            is_exhausted: false,
            is_stopped: false,
            spec,
        }
    }

    /// The next request that a user makes at `now`.
    pub(super) fn take(&mut self, now: u64) -> Option<Due> {
        if self.is_stopped || self.is_exhausted {
            return None;
        }
        loop {
            let (at, user) = self.ready.first()?;
            if now < at {
                return None;
            }
            let Some(variant) = self.next_of(user, now) else {
                self.unlist_first();
                continue;
            };
            if let Some(left) = &self.spec.left {
                let took = left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                if took.is_err() {
                    self.is_exhausted = true;
                    return None;
                }
            }
            self.begin(user, variant);
            return Some(Due { at, user, variant });
        }
    }

    /// When the next user goes on.
    pub(super) fn next_due(&self) -> Option<u64> {
        if self.is_stopped || self.is_exhausted {
            return None;
        }
        self.ready.first().map(|(at, _)| at)
    }

    /// A request is over.
    pub(super) fn over(&mut self, due: Due, now: u64) {
        let host_idx = self.spec.requests.variant(due.variant).host_idx;
        let Some(user) = self.all.get_mut(due.user as usize) else { return };
        user.n_in_flight = user.n_in_flight.saturating_sub(1);
        if let Some(n) = user.by_host.get_mut(host_idx) {
            *n = n.saturating_sub(1);
        }
        if !user.pending.is_empty() {
            self.list(due.user, now);
        } else if user.n_in_flight == 0 {
            let rests_until = now.saturating_add(self.thinks());
            if let Some(user) = self.all.get_mut(due.user as usize) {
                user.rests_until = rests_until;
            }
            self.list(due.user, rests_until);
        }
    }

    /// The number of users from a moment on.
    pub(super) fn change(&mut self, course: Course) {
        let now = super::arrivals::nanos(course.since);
        self.course = course;
        self.recount(now);
    }

    /// No user makes another request.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Whether the last request of a bounded number has been made, by whichever shard.
    pub(super) fn is_exhausted(&self) -> bool {
        let is_none_left = |left: &Arc<AtomicU64>| left.load(Ordering::Relaxed) == 0;
        self.is_exhausted || self.spec.left.as_ref().is_some_and(is_none_left)
    }

    /// Brings users in until there are as many as are wanted. Those too many leave by themselves,
    /// when their requests are over.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the users there may be"
    )]
    pub(super) fn recount(&mut self, now: u64) {
        let n_all = self.course.rate_at(seconds(now)).round().clamp(0.0, USERS_MAX) as u32;
        let (shard, n_shards) = self.spec.shard;
        // Of `n_all` users, those whose number is `shard` modulo `n_shards`.
        let n_wanted = (n_all + n_shards - 1 - shard) / n_shards;
        if n_wanted == self.n_wanted {
            return;
        }
        self.n_wanted = n_wanted;
        for user in 0..n_wanted {
            let user_idx = user as usize;
            if self.all.len() <= user_idx {
                self.all.push(User::default());
            }
            if !self.all[user_idx].is_alive {
                self.all[user_idx].is_alive = true;
                self.list(user, now);
            }
        }
    }

    fn list(&mut self, user_number: u32, at: u64) {
        if let Some(user) = self.all.get_mut(user_number as usize)
            && !user.is_listed
        {
            user.is_listed = true;
            self.ready.add(at, user_number);
        }
    }

    fn unlist_first(&mut self) {
        let Some((_, user_number)) = self.ready.remove_first() else { return };
        let Some(user) = self.all.get_mut(user_number as usize) else { return };
        user.is_listed = false;
        let is_idle = user.n_in_flight == 0 && user.pending.is_empty();
        if is_idle && self.n_wanted <= user_number {
            user.is_alive = false;
        } else if is_idle {
            // It was listed for its batch, and has begun to think since.
            let at = user.rests_until;
            self.list(user_number, at);
        }
    }

    /// What the user sends next; `None` while it has nothing to send.
    fn next_of(&mut self, user_number: u32, now: u64) -> Option<u32> {
        let n_shards = u64::from(self.spec.shard.1);
        let user = self.all.get_mut(user_number as usize)?;
        let is_idle = user.n_in_flight == 0 && user.pending.is_empty();
        if is_idle && (self.n_wanted <= user_number || now < user.rests_until) {
            return None;
        }
        // The number is the user's own, so that its requests do not depend on the others' pace.
        let stream = u64::from(user_number) * n_shards + u64::from(self.spec.shard.0);
        let number = |n_begun| draw(stream, n_begun, u64::MAX);
        let Some(batch) = self.spec.batch else {
            let variant = self.spec.requests.draw(number(user.n_begun));
            user.n_begun += 1;
            return Some(variant);
        };
        if user.pending.is_empty() {
            if 0 < user.n_in_flight {
                return None;
            }
            user.by_host.resize(self.spec.requests.n_hosts(), 0);
            for _ in 0..batch.size {
                user.pending.push_back(self.spec.requests.draw(number(user.n_begun)));
                user.n_begun += 1;
            }
        }
        if batch.parallel <= user.n_in_flight {
            return None;
        }
        let may_leave = |variant: &u32| {
            let host_idx = self.spec.requests.variant(*variant).host_idx;
            user.by_host.get(host_idx).is_none_or(|n| *n < batch.per_host)
        };
        let next_idx = user.pending.iter().position(may_leave)?;
        user.pending.remove(next_idx)
    }

    fn begin(&mut self, user_number: u32, variant: u32) {
        let host_idx = self.spec.requests.variant(variant).host_idx;
        let Some(user) = self.all.get_mut(user_number as usize) else { return };
        user.n_in_flight += 1;
        if let Some(n) = user.by_host.get_mut(host_idx) {
            *n += 1;
        }
        // One request at a time: the user is ready again when it is over.
        if self.spec.batch.is_none() {
            user.is_listed = false;
            self.ready.remove_first();
        }
    }

    /// How long the next thought takes, in nanoseconds.
    fn thinks(&mut self) -> u64 {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match self.spec.think {
            Think::Fixed(time) => nanos(time),
            Think::Uniform(from, to) => self.random.random_range(nanos(from)..=nanos(to)),
            Think::Exponential(mean) => {
                // 1 - u lies in (0, 1], of which the logarithm is finite.
                let factor = -(1.0 - self.random.random::<f64>()).ln();
                super::arrivals::nanos(mean.as_secs_f64() * factor)
            }
        }
    }
}

impl Ready {
    fn add(&mut self, at: u64, user: u32) {
        if self.in_order.back().is_none_or(|(last, _)| *last <= at) {
            self.in_order.push_back((at, user));
        } else {
            self.others.push(Reverse((at, user)));
        }
    }

    fn first(&self) -> Option<(u64, u32)> {
        let other = self.others.peek().map(|Reverse(other)| *other);
        match (self.in_order.front().copied(), other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn remove_first(&mut self) -> Option<(u64, u32)> {
        let first = self.first();
        if self.in_order.front().copied() == first {
            self.in_order.pop_front()
        } else {
            self.others.pop().map(|Reverse(first)| first)
        }
    }
}
