//! What the autoscaler said, and what the `PodAutoscaler` asked for, until the tick that it is of
//! is settled.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::scaler::Origin;
use crate::kpa::Observed;
use crate::units::At;

use super::Reported;
use super::TICK;
use super::push;

/// Words that are kept.
const WORDS_MAX: usize = 16;
/// What is asked for changes so soon after a tick, mostly much sooner.
pub(super) const ASKED_WITHIN: Duration = Duration::from_millis(300);
/// What the autoscaler exported counts for so long.
pub(super) const EXPORTED_FRESH: Duration = Duration::from_secs(6);

/// Words with their moments, the newest last.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Words {
    /// What it exports, as it was read.
    readings: VecDeque<Reported>,
    /// What the log said, each time that it said something else.
    logged: VecDeque<Reported>,
    /// What was asked for, since when.
    asked: VecDeque<(At, Option<u32>)>,
}

// === impl Words ===

impl Words {
    /// Takes in a reading; tells the one before it.
    pub(super) fn read(&mut self, reported: Reported) -> Option<Reported> {
        let before = self.readings.back().copied();
        push(&mut self.readings, reported, WORDS_MAX);
        before
    }

    /// Takes in a line of the log, which may tell of one thing alone.
    pub(super) fn logged(&mut self, reported: Reported) {
        let before = self.logged.back().copied().unwrap_or(reported);
        let (desired, panicking) =
            (reported.desired.or(before.desired), reported.panicking.or(before.panicking));
        // It repeats itself whenever anything about the revision changes.
        if self.logged.is_empty() || (before.desired, before.panicking) != (desired, panicking) {
            push(&mut self.logged, Reported { desired, panicking, ..reported }, WORDS_MAX);
        }
    }

    /// Takes in what is asked for.
    pub(super) fn asked(&mut self, at: At, asked: Option<u32>) {
        if self.asked.back().is_none_or(|(_, known)| *known != asked) {
            push(&mut self.asked, (at, asked), WORDS_MAX);
        }
    }

    /// The last word of the autoscaler between two ticks.
    pub(super) fn of_tick(&self, from: At, to: At) -> Option<Reported> {
        // The next tick may have been a little before its time.
        let until = to.saturating_sub(ASKED_WITHIN);
        if self.readings.is_empty() {
            return self.logged.iter().rev().find(|it| it.read <= until).copied();
        }
        self.readings.iter().rev().find(|it| from < it.read && it.read <= until).copied()
    }

    /// What was asked for by a tick that ends at `to`; before it was first seen to change, what was
    /// seen first.
    pub(super) fn asked_by(&self, to: At) -> Option<u32> {
        // The next tick may have been a little before its time.
        let until = to.saturating_sub(ASKED_WITHIN);
        let known = self.asked.iter().rev().find(|(since, _)| *since <= until);
        known.or(self.asked.front()).and_then(|(_, asked)| *asked)
    }

    /// The averages that the autoscaler exported of the tick at `at`; where nothing else is known
    /// (`must_be_of_it` is false), those of a tick near it.
    pub(super) fn exported(&self, at: At, must_be_of_it: bool) -> Option<Observed> {
        let near =
            || self.readings.iter().find(|it| at < it.read).or(self.readings.back()).copied();
        let is_near = |it: &Reported| at.since(it.read).max(it.read.since(at)) < EXPORTED_FRESH;
        let of_it = self.of_tick(at, at + TICK).filter(|it| it.origin != Origin::Log);
        of_it.or_else(|| near().filter(|_| !must_be_of_it)).filter(is_near)?.observed
    }
}
