//! When the autoscaler ticks and an activator reports, as far as that can be known.
//!
//! A ticker is as old as its decider, or its activator, and keeps its phase. Each sign of a tick (a
//! changed reading, a changed wish, a line of the log) says that one happened within some span; the
//! spans, cut with one another modulo the period, leave less and less room.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::At;

/// Knative decides every two seconds.
pub const TICK: Duration = Duration::from_secs(2);

/// The narrowest that a phase is believed to be known: what follows a tick takes its time.
const NARROWEST: u64 = 20_000;

/// Signs that are kept: a ticker that is another has soon said more than the one before it.
const SIGNS_MAX: usize = 16;

/// The phase of a ticker on the circle of its period, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phase {
    period: u64,
    /// What the last signs left possible, the newest last.
    signs: VecDeque<Arc>,
    /// What most of them agree on; `None`: there is no sign yet.
    agreed: Option<Arc>,
}

/// What begins after `start` and ends with `start + length`, around the circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arc {
    start: u64,
    length: u64,
}

// === impl Phase ===

impl Phase {
    /// Of a ticker of which nothing was seen yet.
    pub(super) fn of(period: Duration) -> Self {
        Self { period: micros(period).max(1), signs: VecDeque::new(), agreed: None }
    }

    /// A tick happened after `from` and not after `to`. One that lies, since somebody else made the
    /// ticker's work happen, is outvoted.
    pub(super) fn sign(&mut self, from: At, to: At) {
        let length = to.as_micros().saturating_sub(from.as_micros()).max(NARROWEST);
        if self.period <= length {
            return;
        }
        if self.signs.len() == SIGNS_MAX {
            self.signs.pop_front();
        }
        let start = (to.as_micros() % self.period + self.period - length) % self.period;
        self.signs.push_back(Arc { start, length });
        self.agreed = self.vote();
    }

    /// Where most signs overlap; of several such places the one that the newest sign begins.
    fn vote(&self) -> Option<Arc> {
        let mut best: Option<(usize, Arc)> = None;
        for place in self.signs.iter().rev() {
            let ahead = |it: &Arc| (place.start + self.period - it.start) % self.period;
            let around = self.signs.iter().filter(|it| ahead(it) < it.length);
            let rest = around.clone().map(|it| it.length - ahead(it)).min()?;
            let n = around.count();
            if best.is_none_or(|(most, _)| most < n) {
                best = Some((n, Arc { start: place.start, length: rest.max(NARROWEST) }));
            }
        }
        best.map(|(_, arc)| arc)
    }

    /// Where on the circle it is, most likely: the late end of the arc, since news follow a tick
    /// closely. `None`: no sign yet.
    pub(super) fn most_likely(&self) -> Option<Duration> {
        let Arc { start, length } = self.agreed?;
        // What was seen on a reading may have happened any time before it.
        let into = if length <= 500_000 { length - NARROWEST / 2 } else { length / 2 };
        Some(Duration::from_micros((start + into) % self.period))
    }

    /// The middle of the arc, where it may be anywhere in it.
    pub(super) fn middle(&self) -> Option<Duration> {
        let Arc { start, length } = self.agreed?;
        Some(Duration::from_micros((start + length / 2) % self.period))
    }

    /// How wide the arc is.
    pub(super) fn width(&self) -> Option<Duration> {
        self.agreed.map(|arc| Duration::from_micros(arc.length))
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
    fn a_sign_that_lies_is_outvoted_and_another_ticker_soon_says_more() {
        let mut phase = Phase::of(TICK);
        // A tick that was called for, out of turn; then two whose spans only touch it.
        phase.sign(At::from_millis(3650), At::from_millis(4100));
        phase.sign(At::from_millis(4100), At::from_millis(4570));
        phase.sign(At::from_millis(8_050), At::from_millis(8_250));
        phase.sign(At::from_millis(22_140), At::from_millis(22_500));
        assert_eq!(phase.most_likely(), Some(Duration::from_millis(240)));
        for tick in 20..30 {
            phase.sign(At::from_millis(tick * 2000 + 900), At::from_millis(tick * 2000 + 1100));
        }
        assert_eq!(phase.most_likely(), Some(Duration::from_millis(1090)));
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
            let Arc { start, length } = phase.agreed.unwrap();
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
