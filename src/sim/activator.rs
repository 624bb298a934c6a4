//! The activator's side of a revision: holds requests until a pod has room for them.
//!
//! It counts what it holds and reports it every second; the first request of a silent revision is
//! reported at once, so that the autoscaler can wake it.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::sim::histogram::Histogram;
use crate::sim::pod::Pod;
use crate::sim::revision::Revision;
use crate::sim::stat::Period;
use crate::sim::stat::Tally;
use crate::units::At;

/// What the activator knows of one revision.
#[derive(Debug)]
pub(crate) struct Throttle {
    clock: Clock,
    tally: RefCell<Tally>,
    n_queued: Cell<u32>,
    n_active: Cell<u32>,
    /// Whether reports are being sent for it.
    is_known: Cell<bool>,
    /// Whether its first request was reported apart in this period.
    is_fresh: Cell<bool>,
    last: Cell<Period>,
    /// Room appeared: a pod became ready, or a request left one.
    room: Notify,
    durations: RefCell<BTreeMap<u16, Histogram>>,
}

/// A request inside the activator, until dropped.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    throttle: &'a Throttle,
    entered: At,
}

/// A pod that has room for a request, until dropped.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    throttle: &'a Throttle,
    /// The pod.
    pub(crate) pod: Rc<Pod>,
}

/// Why no pod was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request's time ran out.
    Late,
    /// The revision was deleted.
    Gone,
}

/// One more of something, until dropped.
struct Count<'a>(&'a Cell<u32>);

// === impl Throttle ===

impl Throttle {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            tally: RefCell::new(Tally::new(clock.at())),
            n_queued: Cell::new(0),
            n_active: Cell::new(0),
            is_known: Cell::new(false),
            is_fresh: Cell::new(false),
            last: Cell::default(),
            room: Notify::new(),
            durations: RefCell::default(),
        }
    }

    /// A request arrives. True if it is the first since the revision fell silent, which the
    /// autoscaler is told at once.
    pub(crate) fn enter(&self) -> (Visit<'_>, bool) {
        let entered = self.clock.at();
        let is_first = !self.is_known.replace(true);
        let mut tally = self.tally.borrow_mut();
        if is_first {
            // The period of a revision that was not known begins now.
            tally.report(entered);
            self.is_fresh.set(true);
        }
        tally.enter(entered, false);
        (Visit { throttle: self, entered }, is_first)
    }

    /// Waits for a pod with room, at most until `deadline`.
    pub(crate) async fn lease<'a>(
        &'a self,
        revision: &Revision,
        deadline: At,
        coin: impl Fn(usize) -> usize,
    ) -> Result<Lease<'a>, Refusal> {
        let mut queued = None;
        loop {
            if revision.is_gone() {
                return Err(Refusal::Gone);
            }
            // Registered before the look, or room that appears between is missed.
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if let Some(pod) = revision.pick_for_activator(&coin) {
                drop(queued);
                pod.held_by_activator.set(pod.held_by_activator.get() + 1);
                self.n_active.set(self.n_active.get() + 1);
                return Ok(Lease { throttle: self, pod });
            }
            queued.get_or_insert_with(|| Count::new(&self.n_queued));
            let until = self.clock.instant(deadline);
            if tokio::time::timeout_at(until, room).await.is_err() {
                return Err(Refusal::Late);
            }
        }
    }

    /// A pod became ready, or the revision is gone: everyone looks again.
    pub(crate) fn wake(&self) {
        self.room.notify_waiters();
    }

    /// The report of the last second, or `None` if the revision is not known. A second without
    /// any request is reported once more, then the revision is forgotten.
    pub(crate) fn report(&self) -> Option<Period> {
        if !self.is_known.get() {
            return None;
        }
        let mut period = self.tally.borrow_mut().report(self.clock.at());
        if period.average == 0.0 {
            self.is_known.set(false);
        }
        if self.is_fresh.replace(false) {
            // That request was already reported apart.
            period.average = (period.average - 1.0).max(0.0);
            period.rate -= 1.0;
        }
        self.last.set(period);
        Some(period)
    }

    /// The last report.
    pub(crate) fn last(&self) -> Period {
        self.last.get()
    }

    /// Requests that wait for a pod.
    pub(crate) fn n_queued(&self) -> u32 {
        self.n_queued.get()
    }

    /// Requests that a pod is serving for it.
    pub(crate) fn n_active(&self) -> u32 {
        self.n_active.get()
    }

    /// Durations by status code.
    pub(crate) fn durations(&self) -> BTreeMap<u16, Histogram> {
        self.durations.borrow().clone()
    }
}

// === impl Visit ===

impl Visit<'_> {
    /// The request was answered.
    pub(crate) fn answered(&self, status: u16) {
        let span: Duration = self.throttle.clock.at().since(self.entered);
        self.throttle.durations.borrow_mut().entry(status).or_default().record(span);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.throttle.tally.borrow_mut().leave(self.throttle.clock.at(), false);
    }
}

// === impl Lease ===

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let held = &self.pod.held_by_activator;
        held.set(held.get().saturating_sub(1));
        self.throttle.n_active.set(self.throttle.n_active.get() - 1);
        self.throttle.room.notify_one();
    }
}

// === impl Count ===

impl<'a> Count<'a> {
    fn new(n: &'a Cell<u32>) -> Self {
        n.set(n.get() + 1);
        Self(n)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
