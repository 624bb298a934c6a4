//! When our decider scrapes and ticks: in the phase of the real one, as far as that is known.

use std::time::Duration;

use crate::units::Anchor;
use crate::units::At;

use super::SECOND;
use super::phase;
use super::phase::Phase;
use super::phase::TICK;
use super::wall;

/// How soon after the decider its scraper begins: both are made for the same `PodAutoscaler`.
const SCRAPE_AFTER_TICK: Duration = Duration::from_millis(50);

/// The clock of our decider.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clock {
    anchor: Anchor,
    phase: Phase,
    /// Pods are heard then, and those activators of which it is not known when they report: half
    /// a second must not be taken for a whole one.
    scrape: At,
    tick: At,
    /// The last tick of the ticker itself.
    ticked: Option<At>,
    /// Before it no tick of its own is the first one: two rounds of readings must be there, and what
    /// is lived through is not lived again.
    first_after: At,
    /// And it is not put off beyond this: signs that contradict each other would move it for ever.
    first_by: At,
}

// === impl Clock ===

impl Clock {
    /// One that begins at `now`.
    pub(super) fn new(anchor: Anchor, now: At) -> Self {
        let first = now + SECOND;
        Self {
            anchor,
            phase: Phase::of(TICK),
            scrape: first,
            tick: first + TICK,
            ticked: None,
            first_after: first + SECOND,
            first_by: first + TICK * 2,
        }
    }

    /// When it scrapes or ticks next.
    pub(super) fn next(&self) -> At {
        self.scrape.min(self.tick)
    }

    /// When it ticks next.
    pub(super) const fn next_tick(&self) -> At {
        self.tick
    }

    /// A tick happened after `from` and not after `to`: the next one follows the phase that is
    /// known now.
    pub(super) fn sign(&mut self, from: At, to: At) {
        self.phase.sign(from, to);
        match (self.ticked, self.phase.most_likely()) {
            (Some(ticked), _) => self.tick = self.after_tick(ticked),
            (None, Some(phase)) => {
                let next = phase::next(self.first_after, phase, TICK);
                self.tick = next.min(self.first_by);
            }
            (None, None) => {}
        }
    }

    /// Another ticker began: its phase is not that of the one before.
    pub(super) fn restart(&mut self) {
        self.phase = Phase::of(TICK);
    }

    /// It ticked.
    pub(super) fn ticked(&mut self, at: At) {
        self.ticked = Some(at);
        self.tick = self.after_tick(at);
    }

    /// It scraped. One scrape in each second of the clock, also where the phase that is known moves:
    /// buckets are of such seconds, and two scrapes in one would count twice.
    pub(super) fn scraped(&mut self, at: At) {
        let Some(phase) = self.phase.most_likely() else {
            self.scrape = at + SECOND;
            return;
        };
        let into = Duration::from_micros(wall(self.anchor, at).as_micros() % 1_000_000);
        let last_of_this =
            (at + SECOND.saturating_sub(into)).saturating_sub(Duration::from_micros(1));
        self.scrape = phase::next(last_of_this, phase + SCRAPE_AFTER_TICK, SECOND);
    }

    /// All until this moment is lived through.
    pub(super) fn lived(&mut self, until: At) {
        self.first_after = self.first_after.max(until);
    }

    /// What was before this moment is not lived through at all.
    pub(super) fn oversleep(&mut self, until: At) {
        (self.scrape, self.tick) = (until, until);
        (self.ticked, self.first_by) = (None, until + TICK * 2);
    }

    /// A tick follows a tick by two seconds, or by what is left to the phase that is known now.
    fn after_tick(&self, at: At) -> At {
        match self.phase.most_likely() {
            Some(phase) => phase::next(at + SECOND, phase, TICK),
            None => at + TICK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixMicros;

    #[test]
    fn signs_that_contradict_each_other_put_nothing_off_for_ever() {
        let mut clock = Clock::new(Anchor(UnixMicros(0)), At::ZERO);
        for second in 1..12 {
            clock.sign(At::from_secs(second - 1), At::from_secs(second));
        }
        assert!(clock.next_tick() <= At::from_secs(5), "{clock:?}");
    }
}
