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
const HAIR: Duration = Duration::from_millis(150);

/// What is remembered before a decision.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Remembered {
    /// By the autoscaler, if it is known how it made the one before.
    pub(super) theirs: Option<Memory>,
    /// By our model.
    pub(super) ours: Option<Memory>,
    /// By one that began anew and of which no decision is known yet.
    pub(super) begun: Option<Memory>,
}

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
        let is_so = |decision: &Decision| {
            decision.desired().is_some_and(|desired| word.desired == Some(desired))
                && word.panicking.is_none_or(|panics| panics == decision.panicking())
        };
        // A window that ends at a tick ends before it or after it, by a hair.
        let moments = [wall, wall + HAIR, wall.saturating_sub(HAIR)];
        let counts = || std::iter::once(ready).chain(word.ready.filter(|it| *it != ready));
        let memories = self.theirs.iter().chain(&self.ours).chain(&self.begun);
        let ways = memories.flat_map(|memory| counts().map(move |ready| (memory, ready)));
        let mut ways = ways.flat_map(|way| moments.map(|moment| (way, moment)));
        ways.find_map(|((memory, ready), moment)| {
            let mut memory = memory.clone();
            let decision = decide(config, &mut memory, &Inputs { ready, observed }, moment);
            is_so(&decision).then_some((decision, memory))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::scaler::Origin;
    use crate::kpa::Observed;

    /// The new one saw three ready pods and holds these; ours, with another load in its first
    /// second, wanted four.
    #[test]
    fn one_that_began_anew_remembers_nothing_of_ours() {
        let config = Config::default();
        let mut ours = Memory::new(&config, 3, At::ZERO);
        let much = Observed { stable: 300.0, panic: 300.0 };
        let inputs = Inputs { ready: 3, observed: Some(much) };
        decide(&config, &mut ours, &inputs, At::from_secs(2));
        let word = Reported {
            read: At::from_secs(5),
            origin: Origin::Metric,
            desired: Some(3),
            panicking: Some(true),
            observed: Some(Observed { stable: 190.0, panic: 190.0 }),
            ready: Some(3),
            excess_burst_capacity: None,
        };
        let begun = Some(Memory::new(&config, 3, At::ZERO));
        for (begun, is_known) in [(None, false), (begun, true)] {
            let remembered = Remembered { theirs: None, ours: Some(ours.clone()), begun };
            let made = remembered.decide(&config, &word, (At::from_secs(4), 3));
            assert_eq!(made.is_some(), is_known);
        }
    }
}
