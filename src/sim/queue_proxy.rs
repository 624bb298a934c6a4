//! The sidecar of a pod: counts, limits concurrency, and waits for silence before it stops.
//!
//! The limit is Knative's breaker: `containerConcurrency` requests run, ten times as many wait,
//! one more is refused at once. Without a limit nothing waits.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

use crate::clock::Clock;
use crate::sim::histogram::Histogram;
use crate::sim::stat::Period;
use crate::sim::stat::Tally;
use crate::units::At;

/// Requests that may wait for each one that may run.
const QUEUE_PER_SLOT: u32 = 10;

/// The sidecar's state.
#[derive(Debug)]
pub(crate) struct QueueProxy {
    clock: Clock,
    started: At,
    limit: Option<Limit>,
    tally: RefCell<Tally>,
    last: Cell<Period>,
    last_busy: Cell<At>,
    durations: RefCell<BTreeMap<u16, Histogram>>,
}

/// The breaker.
#[derive(Debug)]
struct Limit {
    slots: Semaphore,
    n_most: u32,
    n_inside: Cell<u32>,
    /// Requests inside when one last began to run; that is all that is exported.
    depth: Cell<u32>,
}

/// Why a request does not reach the user's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The queue is full.
    Full,
    /// Its time ran out while it waited.
    Late,
}

/// A request inside the sidecar, until dropped.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    proxy: &'a QueueProxy,
    is_proxied: bool,
    entered: At,
}

/// A request that may run, until dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    limit: Option<(&'a Limit, Option<SemaphorePermit<'a>>)>,
}

// === impl QueueProxy ===

impl QueueProxy {
    /// The sidecar of a pod with that `containerConcurrency`.
    pub(crate) fn new(clock: Clock, container_concurrency: u32) -> Self {
        let limit = (0 < container_concurrency).then(|| Limit {
            slots: Semaphore::new(container_concurrency as usize),
            n_most: container_concurrency.saturating_mul(1 + QUEUE_PER_SLOT),
            n_inside: Cell::new(0),
            depth: Cell::new(0),
        });
        let now = clock.at();
        Self {
            clock,
            started: now,
            limit,
            tally: RefCell::new(Tally::new(now)),
            last: Cell::default(),
            last_busy: Cell::new(now),
            durations: RefCell::default(),
        }
    }

    /// A request arrives.
    pub(crate) fn enter(&self, is_proxied: bool) -> Visit<'_> {
        let entered = self.clock.at();
        self.tally.borrow_mut().enter(entered, is_proxied);
        Visit { proxy: self, is_proxied, entered }
    }

    /// Waits until the request may run, at most until `deadline`.
    pub(crate) async fn slot(&self, deadline: At) -> Result<Slot<'_>, Refusal> {
        let Some(limit) = &self.limit else { return Ok(Slot { limit: None }) };
        if limit.n_most <= limit.n_inside.get() {
            return Err(Refusal::Full);
        }
        limit.n_inside.set(limit.n_inside.get() + 1);
        let mut slot = Slot { limit: Some((limit, None)) };
        let permit = if let Ok(permit) = limit.slots.try_acquire() {
            permit
        } else {
            let acquire = limit.slots.acquire();
            match tokio::time::timeout_at(self.clock.instant(deadline), acquire).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(Refusal::Late),
            }
        };
        limit.depth.set(limit.n_inside.get());
        slot.limit = Some((limit, Some(permit)));
        Ok(slot)
    }

    /// Requests inside now.
    pub(crate) fn in_flight(&self) -> u32 {
        self.tally.borrow().in_flight()
    }

    /// Ends a reporting period; `last` tells it from now on.
    pub(crate) fn report(&self) {
        let period = self.tally.borrow_mut().report(self.clock.at());
        self.last.set(period);
    }

    /// The last period reported.
    pub(crate) fn last(&self) -> Period {
        self.last.get()
    }

    /// How long it has run.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.at().since(self.started)
    }

    /// How long it has been without a request; `None` while it has one.
    pub(crate) fn silence(&self) -> Option<Duration> {
        (self.in_flight() == 0).then(|| self.clock.at().since(self.last_busy.get()))
    }

    /// The breaker's depth as exported; `None` without a limit.
    pub(crate) fn depth(&self) -> Option<u32> {
        self.limit.as_ref().map(|limit| limit.depth.get())
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
        let span = self.proxy.clock.at().since(self.entered);
        self.proxy.durations.borrow_mut().entry(status).or_default().record(span);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let now = self.proxy.clock.at();
        self.proxy.tally.borrow_mut().leave(now, self.is_proxied);
        self.proxy.last_busy.set(now);
    }
}

// === impl Slot ===

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some((limit, _)) = &self.limit {
            limit.n_inside.set(limit.n_inside.get() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: At = At::from_secs(1_000_000);

    #[tokio::test(start_paused = true)]
    async fn eleven_times_the_limit_fit_and_the_next_is_refused() {
        let clock = Clock::start();
        let proxy = QueueProxy::new(clock, 2);
        let running = [proxy.slot(NEVER).await.unwrap(), proxy.slot(NEVER).await.unwrap()];
        let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(proxy.slot(NEVER))).collect();
        for wait in &mut waiting {
            assert!(futures::poll!(wait).is_pending());
        }
        assert_eq!(proxy.slot(NEVER).await.unwrap_err(), Refusal::Full);
        drop(running);
        assert!(futures::poll!(&mut waiting[0]).is_ready(), "first come, first served");
        assert!(futures::poll!(&mut waiting[19]).is_pending());
        waiting.clear();
        assert!(proxy.slot(NEVER).await.is_ok(), "who gives up makes room");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_late() {
        let clock = Clock::start();
        let proxy = QueueProxy::new(clock, 1);
        let _running = proxy.slot(NEVER).await.unwrap();
        assert_eq!(proxy.slot(At::from_secs(3)).await.unwrap_err(), Refusal::Late);
        assert_eq!(clock.at().as_secs_f64().round(), 3.0);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_begins_when_the_last_request_leaves() {
        let proxy = QueueProxy::new(Clock::start(), 0);
        let visit = proxy.enter(false);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(proxy.silence(), None);
        drop(visit);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(proxy.silence().map(|span| span.as_secs()), Some(2));
    }
}
