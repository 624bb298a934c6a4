//! How a decision was made: over the averages that the autoscaler itself exports.

use std::time::Duration;

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Inputs;
use crate::kpa::Memory;
use crate::kpa::decide;
use crate::units::At;

use super::Reported;

/// So far apart may two clocks be over the moment of one tick.
pub(super) const HAIR: Duration = Duration::from_millis(150);

/// What is remembered before a decision.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Remembered {
    /// By the autoscaler, if it is known how it made the one before.
    pub(super) theirs: Option<Memory>,
    /// By our model.
    pub(super) ours: Option<Ours>,
    /// By one that began anew and of which no decision is known yet.
    pub(super) begun: Option<Memory>,
}

/// What our model remembers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ours {
    pub(super) memory: Memory,
    /// Whether it knows if it panics: it begins calm, and may have come in the midst of a panic.
    pub(super) is_certain: bool,
}

// === impl Remembered ===

impl Remembered {
    /// The decision at `wall`, with `ready` pods, over what the autoscaler exports, if that comes to
    /// what it says of it; and what it remembers then. Its own count of ready pods is of a
    /// reconciliation, before the tick or after it (`pkg/reconciler/autoscaling/kpa/metrics.go`).
    pub(super) fn decide(
        &self,
        config: &Config,
        word: &Reported,
        (wall, ready): (At, u32),
    ) -> Option<(Decision, Memory)> {
        let observed = Some(word.observed?);
        // A window that ends at a tick ends before it or after it, by a hair.
        let moments = [wall, wall + HAIR, wall.saturating_sub(HAIR)];
        let counts = || std::iter::once(ready).chain(word.ready.filter(|it| *it != ready));
        let ours = |is_certain| {
            self.ours.iter().filter(move |it| it.is_certain == is_certain).map(|it| &it.memory)
        };
        let kept = self.theirs.iter().chain(ours(true)).chain(&self.begun).cloned();
        let told = told(config, word, wall);
        let memories: Vec<_> = kept.chain(told).chain(ours(false).cloned()).collect();
        let ways = memories.iter().flat_map(|memory| counts().map(move |ready| (memory, ready)));
        let mut ways = ways.flat_map(|way| moments.map(|moment| (way, moment)));
        ways.find_map(|((memory, ready), moment)| {
            let mut memory = memory.clone();
            let decision = decide(config, &mut memory, &Inputs { ready, observed }, moment);
            word.is_of(&decision).then_some((decision, memory))
        })
    }
}

/// What it can remember by its own word, where nothing of before is known: of a panic all that
/// counts is what it wants, since in panic that never falls. It may end at the next tick.
fn told(config: &Config, word: &Reported, wall: At) -> impl Iterator<Item = Memory> {
    let before = wall.saturating_sub(config.stable_window);
    let panics = word.desired.filter(|_| word.panicking == Some(true));
    // What panics now most likely did before: that it begins is not to be said without knowing.
    [panics, Some(0)].into_iter().flatten().map(move |pods| Memory::new(config, pods, before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::scaler::Origin;
    use crate::kpa::Observed;
    use crate::kpa::decide::Turn;

    fn config() -> Config {
        Config::default()
    }

    /// It averages so much, and wants so many.
    fn word(average: f64, desired: u32, panicking: bool) -> Reported {
        Reported {
            read: At::from_secs(101),
            origin: Origin::Metric,
            desired: Some(desired),
            panicking: Some(panicking),
            observed: Some(Observed { stable: average, panic: average }),
            ready: Some(3),
            excess_burst_capacity: None,
        }
    }

    fn decided(remembered: &Remembered, word: &Reported) -> Option<Decision> {
        remembered.decide(&config(), word, (At::from_secs(100), 3)).map(|(decision, _)| decision)
    }

    /// The new one saw three ready pods and holds these; ours, with another load in its first
    /// second, wanted four.
    #[test]
    fn one_that_began_anew_remembers_nothing_of_ours() {
        let began = At::from_secs(90);
        let mut ours = Memory::new(&config(), 3, began);
        let much = Observed { stable: 300.0, panic: 300.0 };
        let inputs = Inputs { ready: 3, observed: Some(much) };
        decide(&config(), &mut ours, &inputs, At::from_secs(92));
        let ours = Ours { memory: ours, is_certain: true };
        let begun = Some(Memory::new(&config(), 3, began));
        let remembered = Remembered { theirs: None, ours: Some(ours), begun };
        let made = decided(&remembered, &word(190.0, 3, true)).unwrap();
        let ends = began + config().stable_window;
        assert_eq!((made.desired(), made.panic_ends), (Some(3), Some(ends)));
    }

    #[test]
    fn who_comes_in_the_midst_of_a_panic_takes_its_word_for_it() {
        let nothing = Remembered::default();
        let ours = Ours { memory: Memory::new(&config(), 1, At::ZERO), is_certain: false };
        let ours = Remembered { ours: Some(ours), ..nothing.clone() };
        for remembered in [nothing, ours] {
            let made = decided(&remembered, &word(190.0, 4, true)).unwrap();
            assert_eq!(made.desired(), Some(4));
            assert_eq!(made.panic_ends, Some(made.at), "it may end at once");
            // Calm it wants what its averages come to, or we do not know why.
            assert!(decided(&remembered, &word(190.0, 3, false)).is_some());
            assert!(decided(&remembered, &word(190.0, 4, false)).is_none());
            // Over the threshold it may begin or go on: the one is not said for the other.
            let goes_on = decided(&remembered, &word(900.0, 13, true)).unwrap();
            assert_eq!((goes_on.turn, goes_on.desired()), (Turn::Extended, Some(13)));
        }
    }

    /// One that was calm for a whole window knows that panic begins.
    #[test]
    fn who_has_looked_long_enough_says_that_panic_begins() {
        let memory = Memory::new(&config(), 1, At::ZERO);
        let remembered =
            Remembered { ours: Some(Ours { memory, is_certain: true }), ..Default::default() };
        let begins = decided(&remembered, &word(900.0, 13, true)).unwrap();
        assert_eq!((begins.turn, begins.desired()), (Turn::Entered, Some(13)));
    }
}
