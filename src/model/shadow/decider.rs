//! What the autoscaler has in memory of a revision, and how sure we are of it.

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Memory;
use crate::kpa::burst::initial_excess_burst_capacity;
use crate::kpa::decide::Turn;
use crate::kpa::window::Windows;
use crate::units::At;

use super::Input;
use super::Source;

/// What the autoscaler has in memory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decider {
    pub(super) concurrency: Windows,
    pub(super) rps: Windows,
    pub(super) memory: Memory,
    pub(super) desired: Option<u32>,
    pub(super) excess_burst_capacity: i32,
    /// Whether we know if it panics.
    pub(super) is_certain: bool,
}

// === impl Decider ===

impl Decider {
    pub(super) fn new(config: &Config, ready: u32, wall: At) -> Self {
        let windows =
            || Windows::new(config.aggregation, config.stable_window, config.panic_window);
        Self {
            concurrency: windows(),
            rps: windows(),
            memory: Memory::new(config, ready, wall),
            desired: None,
            excess_burst_capacity: initial_excess_burst_capacity(config),
            is_certain: false,
        }
    }

    pub(super) fn reconfigure(&mut self, before: &Config, config: &Config, wall: At) {
        if before.aggregation != config.aggregation {
            let fresh =
                || Windows::new(config.aggregation, config.stable_window, config.panic_window);
            (self.concurrency, self.rps) = (fresh(), fresh());
            return;
        }
        self.concurrency.resize(config.stable_window, config.panic_window, wall);
        self.rps.resize(config.stable_window, config.panic_window, wall);
    }

    /// Remembers what was decided, and whether that is certain: after a whole stable window it is
    /// known that there was no panic, and what is over the threshold surely is one. Over the
    /// autoscaler's own averages it stays as it was.
    pub(super) fn after(
        &mut self,
        decided: &Decision,
        input: &Input,
        (at, last_whole): (At, Option<At>),
        config: &Config,
    ) {
        if let Some(steps) = decided.steps {
            self.desired = Some(steps.desired);
            self.excess_burst_capacity = steps.excess_burst_capacity;
        }
        let sees_panic_window =
            input.whole_since.is_some_and(|since| config.panic_window <= at.since(since));
        let is_blind = last_whole.is_none_or(|last| config.panic_window < at.since(last));
        let is_over = matches!(decided.turn, Turn::Entered | Turn::Extended);
        let (sees_panic, sees_nothing) = match input.source {
            Source::Pods => (sees_panic_window, is_blind),
            Source::Exported => (true, false),
            Source::Nothing => (false, true),
        };
        if input.is_whole || is_over && sees_panic {
            self.is_certain = true;
        } else if sees_nothing {
            self.is_certain = false;
        }
    }
}
