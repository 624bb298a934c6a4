//! One bounded queue into the model, and one order.
//!
//! Hands either `send`, which waits (for facts: a watch event, a finished stage), or `offer`,
//! which drops and counts (for samples that the next one replaces). Stamping happens where the
//! queue is emptied, so the order of the stamps is the order in which the model sees events.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::event::Event;
use crate::event::Stamped;

/// How many events may wait.
pub const CAPACITY: usize = 8192;

/// The end that hands hold.
#[derive(Debug, Clone)]
pub struct Sender {
    queue: mpsc::Sender<Event>,
    n_dropped: Arc<AtomicU64>,
}

/// The end that the loop holds.
#[derive(Debug)]
pub struct Bus {
    queue: mpsc::Receiver<Event>,
    n_dropped: Arc<AtomicU64>,
    n_dropped_told: u64,
    next_seq: u64,
    clock: Clock,
}

/// The bus was full, or nobody reads it any more; the event is handed back.
#[derive(Debug)]
pub struct Refused(pub Event);

/// A bus with room for `capacity` events, stamped by `clock`.
pub fn bus(capacity: usize, clock: Clock) -> (Sender, Bus) {
    let (sender, receiver) = mpsc::channel(capacity);
    let n_dropped = Arc::new(AtomicU64::new(0));
    (
        Sender { queue: sender, n_dropped: Arc::clone(&n_dropped) },
        Bus { queue: receiver, n_dropped, n_dropped_told: 0, next_seq: 0, clock },
    )
}

// === impl Sender ===

impl Sender {
    /// Waits until there is room. An event sent when nobody reads any more is forgotten: the run
    /// has ended.
    pub async fn send(&self, event: Event) {
        let _ = self.queue.send(event).await;
    }

    /// Drops and counts the event if there is no room.
    pub fn offer(&self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(event) {
            self.n_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands the event back if there is no room, so that the caller can add to it.
    pub fn try_send(&self, event: Event) -> Result<(), Refused> {
        self.queue.try_send(event).map_err(|error| Refused(error.into_inner()))
    }

    /// Waits on a thread that is not a task's. Never call it from a task.
    pub fn send_blocking(&self, event: Event) {
        let _ = self.queue.blocking_send(event);
    }
}

// === impl Bus ===

impl Bus {
    /// The next event, or `None` when every sender is gone.
    ///
    /// Cancel safe: an event is taken off the queue only when it is returned.
    pub async fn recv(&mut self) -> Option<Stamped> {
        let n_dropped = self.n_dropped.load(Ordering::Relaxed);
        if self.n_dropped_told < n_dropped {
            let n = n_dropped - self.n_dropped_told;
            self.n_dropped_told = n_dropped;
            return Some(self.stamp(Event::Lost { n }));
        }
        let event = self.queue.recv().await?;
        Some(self.stamp(event))
    }

    /// The next event if one is waiting.
    pub fn try_recv(&mut self) -> Option<Stamped> {
        let event = self.queue.try_recv().ok()?;
        Some(self.stamp(event))
    }

    /// Stamps an event of the loop's own.
    pub fn stamp(&mut self, event: Event) -> Stamped {
        let seq = self.next_seq;
        self.next_seq += 1;
        Stamped { seq, at: self.clock.at(), event }
    }

    /// How many events were dropped since the beginning.
    pub fn n_dropped(&self) -> u64 {
        self.n_dropped.load(Ordering::Relaxed)
    }

    /// Takes no more events; those that wait can still be received.
    pub fn close(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_dropped_is_told_in_order() {
        let (sender, mut bus) = bus(2, Clock::start());
        for _ in 0..5 {
            sender.offer(Event::Lost { n: 0 });
        }
        assert_eq!(bus.n_dropped(), 3);
        assert!(sender.try_send(Event::Lost { n: 0 }).is_err());
        let told = bus.recv().await.unwrap();
        assert_eq!((told.seq, told.event), (0, Event::Lost { n: 3 }));
        assert_eq!(bus.recv().await.unwrap().seq, 1);
        assert_eq!(bus.recv().await.unwrap().seq, 2);
        assert!(bus.try_recv().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn stamps_never_go_back() {
        let (sender, mut bus) = bus(16, Clock::start());
        let mut last = None;
        for _ in 0..10 {
            sender.send(Event::Lost { n: 0 }).await;
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            let stamped = bus.recv().await.unwrap();
            assert!(last < Some(stamped.at));
            last = Some(stamped.at);
        }
    }
}
