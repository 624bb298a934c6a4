//! When the autoscaler ticks and an activator reports, as far as that can be known.
//!
//! A ticker is as old as its decider, or its activator, and keeps its phase. Each sign of a tick (a
//! changed reading, a changed wish, a line of the log) says that one happened within some span; the
//! spans, cut with one another modulo the period, leave less and less room.

use std::time::Duration;

use crate::units::At;

/// Knative decides every two seconds.
pub const TICK: Duration = Duration::from_secs(2);

/// The narrowest that a phase is believed to be known: what follows a tick takes its time.
const NARROWEST: u64 = 20_000;

/// The phase of a ticker, as an arc on the circle of its period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Phase {
    /// In microseconds.
    period: u64,
    /// Beginning of the arc in microseconds below the period, and its length; `None`: no sign yet.
    arc: Option<(u64, u64)>,
    /// Signs that contradicted the arc since one agreed.
    n_contradicted: u32,
}

// === impl Phase ===

impl Phase {
    /// Of a ticker of which nothing was seen yet.
    pub(super) fn of(period: Duration) -> Self {
        Self { period: micros(period).max(1), arc: None, n_contradicted: 0 }
    }

    /// A tick happened after `from` and not after `to`.
    pub(super) fn sign(&mut self, from: At, to: At) {
        let period = self.period;
        let length = to.as_micros().saturating_sub(from.as_micros()).max(NARROWEST);
        if period <= length {
            return;
        }
        let start = (to.as_micros() + period - length) % period;
        let Some((known, known_length)) = self.arc else {
            self.arc = Some((start, length));
            return;
        };
        let ahead = (start + period - known) % period;
        let cut = if ahead < known_length {
            Some((start, length.min(known_length - ahead)))
        } else if period < ahead + length {
            // It begins before the arc and reaches into it.
            Some((known, known_length.min(ahead + length - period)))
        } else {
            None
        };
        match cut {
            Some((start, length)) => {
                self.arc = Some((start, length.max(NARROWEST)));
                self.n_contradicted = 0;
            }
            // A narrow sign is better than a wide arc; else it takes two.
            None if 0 < self.n_contradicted || length < known_length => {
                (self.arc, self.n_contradicted) = (Some((start, length)), 0);
            }
            None => self.n_contradicted += 1,
        }
    }

    /// Where on the circle it is, most likely: the late end of the arc, since news follow a tick
    /// closely. `None`: no sign yet.
    pub(super) fn most_likely(&self) -> Option<Duration> {
        let (start, length) = self.arc?;
        // What was seen on a reading may have happened any time before it.
        let into = if length <= 500_000 { length - NARROWEST / 2 } else { length / 2 };
        Some(Duration::from_micros((start + into) % self.period))
    }

    /// The middle of the arc, where it may be anywhere in it.
    pub(super) fn middle(&self) -> Option<Duration> {
        let (start, length) = self.arc?;
        Some(Duration::from_micros((start + length / 2) % self.period))
    }

    /// How wide the arc is.
    pub(super) fn width(&self) -> Option<Duration> {
        self.arc.map(|(_, length)| Duration::from_micros(length))
    }
}

/// The first moment after `after` that lies at `phase` of a `period`.
pub(super) fn next(after: At, phase: Duration, period: Duration) -> At {
    let (after, period) = (after.as_micros(), micros(period).max(1));
    let phase = micros(phase) % period;
    let ahead = (phase + period - after % period) % period;
    At::from_micros(after + if ahead == 0 { period } else { ahead })
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signs_narrow_each_other() {
        let mut phase = Phase::of(TICK);
        assert_eq!(phase.most_likely(), None);
        phase.sign(At::from_millis(10_000), At::from_millis(11_000));
        assert_eq!(phase.most_likely(), Some(Duration::from_millis(500)));
        phase.sign(At::from_millis(20_800), At::from_millis(21_100));
        assert_eq!(phase.width(), Some(Duration::from_millis(200)));
        assert_eq!(phase.most_likely(), Some(Duration::from_millis(990)));
        // A tick near the end of the circle is near its beginning.
        let mut phase = Phase::of(TICK);
        phase.sign(At::from_millis(9_900), At::from_millis(10_300));
        phase.sign(At::from_millis(31_800), At::from_millis(32_100));
        assert_eq!(phase.width(), Some(Duration::from_millis(200)));
    }

    #[test]
    fn one_contradiction_is_an_accident_and_two_are_another_ticker() {
        let mut phase = Phase::of(TICK);
        phase.sign(At::from_millis(10_000), At::from_millis(10_200));
        phase.sign(At::from_millis(13_000), At::from_millis(13_900));
        assert_eq!(phase.most_likely(), Some(Duration::from_millis(190)));
        phase.sign(At::from_millis(15_000), At::from_millis(15_900));
        assert_eq!(phase.most_likely(), Some(Duration::from_millis(1450)));
    }

    proptest! {
        #[test]
        fn the_true_phase_is_never_cut_away(
            truth in 0..2_000_000u64,
            signs in prop::collection::vec((0..500u64, 1..900_000u64, 0..400_000u64), 1..40),
        ) {
            let mut phase = Phase::of(TICK);
            for (n, before, after) in signs {
                let tick = 2_000_000 * (n + 1) + truth;
                phase.sign(At::from_micros(tick - before), At::from_micros(tick + after));
            }
            let (start, length) = phase.arc.unwrap();
            let ahead = (truth + 2_000_000 - start) % 2_000_000;
            prop_assert!(ahead <= length + NARROWEST, "{truth} not in {start}+{length}");
        }

        #[test]
        fn the_next_is_after_and_within_a_period(
            after in 0..1_000_000_000u64, phase in 0..2_000_000u64,
        ) {
            let found = next(At::from_micros(after), Duration::from_micros(phase), TICK);
            let ahead = found.as_micros() - after;
            prop_assert!(0 < ahead && ahead <= 2_000_000);
            prop_assert_eq!(found.as_micros() % 2_000_000, phase);
        }
    }
}
