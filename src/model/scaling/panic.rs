//! Whether a revision panics, who says so, and when that ends.
//!
//! The metric is believed while it is fresh, else the log, else our own model of the decider where
//! its inputs reach far enough, else it is unknown; the source always stands beside it.

use std::time::Duration;

use crate::event::cluster::Name;
use crate::event::scaler::Autoscaler;
use crate::event::scaler::AutoscalerLog;
use crate::event::scaler::LogLine;
use crate::event::scaler::Origin;
use crate::kpa::decide::PanicLine;
use crate::kpa::decide::panic_line;
use crate::model::happenings::Happenings;
use crate::model::happenings::What;
use crate::model::shadow::TICK;
use crate::units::At;

use super::FRESH;
use super::RevisionScaling;
use super::averages;
use super::fresh_for;
use super::whole;

/// Panics of a revision that are kept; older ones are counted in their sum.
const SPANS_MAX: usize = 1000;
/// Knative's default stable window.
const WINDOW: Duration = Duration::from_secs(60);

/// One panic.
#[derive(Debug, Clone, PartialEq)]
pub struct PanicSpan {
    /// When it began, as far as we saw.
    pub began: At,
    /// When it ended; `None` while it goes on, or if we lost sight of it.
    pub ended: Option<At>,
    /// When it was last seen to go on.
    pub seen: At,
    /// How we know.
    pub origin: Origin,
    /// Whether it went on already when we began to look, so that it is older than `began`.
    pub was_on: bool,
    /// How long after `seen` it counts as going on.
    pub fresh: Duration,
}

/// Whether a revision panics, at a moment.
#[derive(Debug, Clone, PartialEq)]
pub enum PanicState {
    /// It does not.
    Stable {
        /// How we know.
        origin: Origin,
    },
    /// It does.
    Panic {
        /// How we know.
        origin: Origin,
        /// Since when; before that, if `was_on`.
        since: At,
        /// Whether it went on already when we began to look.
        was_on: bool,
        /// When it can end at the earliest; `None` if that cannot be known.
        leaves: Option<At>,
    },
    /// Nobody can say.
    Unknown(Ignorance),
}

/// Why nobody can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignorance {
    /// No autoscaler was heard of this revision yet.
    NotHeard,
    /// The last reading is this old.
    Stale(Duration),
    /// The metric is not exported, and the log holds no line about panic yet.
    NoLineYet,
}

/// When what was read to be over the threshold can end: it was so at the tick before, which decides.
fn ends_after(over: At, window: Duration) -> At {
    (over + window).saturating_sub(TICK)
}

// === impl PanicSpan ===

impl PanicSpan {
    /// When it ended, or until when it is known to go on at `now`: a metric that is no longer read
    /// says nothing; a log would have said that it is over.
    pub fn until(&self, now: At) -> At {
        self.ended.unwrap_or_else(|| match self.origin {
            Origin::Log => now.max(self.began),
            Origin::Metric | Origin::Prometheus | Origin::Derived => {
                now.min(self.seen + self.fresh)
            }
        })
    }

    /// Whether it is known to go on at `at`, seen from `now`.
    pub fn covers(&self, at: At, now: At) -> bool {
        self.began <= at && at < self.until(now).max(self.began + Duration::from_micros(1))
    }
}

// === impl RevisionScaling ===

impl RevisionScaling {
    pub(super) fn log_line(
        &mut self,
        (at, is_before): (At, bool),
        line: &AutoscalerLog,
        log: &mut Happenings,
    ) {
        // A new owner begins anew: what the old one wrote last no longer holds.
        if let Some((pod, written)) = &self.log_owner
            && *pod != line.pod
        {
            // One that owned it once may be heard later.
            if line.written < *written {
                return;
            }
            self.log_panics = None;
        }
        self.log_owner = Some((line.pod.clone(), line.written));
        // The metric says the same, and more exactly when it can be read.
        let has_metric = self.reading.as_ref().is_some_and(|reading| {
            reading.panic.is_some() && at.since(reading.read) < self.fresh_for()
        });
        let panics = match line.line {
            LogLine::Panicking => true,
            LogLine::UnPanicking => false,
            _ => return,
        };
        if has_metric {
            return;
        }
        self.log_panics = Some(panics);
        if is_before {
            self.panicked_before(panics);
            return;
        }
        if panics {
            let reading = Autoscaler { revision: line.revision.clone(), ..Autoscaler::default() };
            self.panic_goes_on(at, (Origin::Log, false), &reading, log);
        } else {
            self.panic_is_off(at, Origin::Log, &line.revision, log);
        }
    }

    /// A line of before the run: a panic that ended then is not one of the run.
    fn panicked_before(&mut self, panics: bool) {
        if self.panics.back().is_some_and(|span| span.ended.is_none()) {
            self.panics.pop_back();
        }
        if panics {
            let (began, origin) = (At::ZERO, Origin::Log);
            let (seen, fresh) = (began, FRESH);
            let span = PanicSpan { began, ended: None, seen, origin, was_on: true, fresh };
            self.panics.push_back(span);
        }
    }

    pub(super) fn panic_goes_on(
        &mut self,
        at: At,
        (origin, was_on): (Origin, bool),
        reading: &Autoscaler,
        log: &mut Happenings,
    ) {
        // After a long silence of the metric it may be another one.
        let window = self.config.as_ref().map_or(WINDOW, |config| config.config.stable_window);
        let goes_on = |span: &PanicSpan| {
            span.ended.is_none() && (span.origin == Origin::Log || at.since(span.seen) < window)
        };
        let was_lost =
            self.panics.back().is_some_and(|span| span.ended.is_none() && !goes_on(span));
        let (was_on, fresh) = (was_on || was_lost, fresh_for(reading.every));
        if let Some(span) = self.panics.back_mut().filter(|span| goes_on(span)) {
            span.seen = at;
            span.origin = origin;
            span.fresh = fresh;
        } else {
            if self.panics.len() == SPANS_MAX {
                self.panics.pop_front();
            }
            let (began, seen) = (at, at);
            self.panics.push_back(PanicSpan { began, ended: None, seen, origin, was_on, fresh });
            self.held_max = None;
            // What was reached in an earlier panic says nothing of this one.
            self.last_over = self.last_over.filter(|over| *over == at);
            let averages = averages(reading);
            log.push(
                at,
                What::PanicBegan {
                    revision: reading.revision.clone(),
                    origin,
                    panic_average: averages.panic,
                    target: averages.target,
                    ready: reading.actual,
                    was_on,
                },
            );
        }
        if let Some(desired) = reading.desired.and_then(whole) {
            self.held_max = Some(self.held_max.map_or(desired, |held| held.max(desired)));
        }
    }

    pub(super) fn panic_is_off(
        &mut self,
        at: At,
        origin: Origin,
        revision: &Name,
        log: &mut Happenings,
    ) {
        let Some(span) = self.panics.back_mut().filter(|span| span.ended.is_none()) else {
            return;
        };
        span.ended = Some(at);
        span.origin = origin;
        self.held_max = None;
        let lasted = at.since(span.began);
        log.push(at, What::PanicEnded { revision: revision.clone(), origin, lasted });
    }

    pub(super) fn panic_state(&self, now: At, has_log: bool) -> PanicState {
        let open = self.panics.back().filter(|span| span.ended.is_none());
        let panic = |span: &PanicSpan, origin| PanicState::Panic {
            origin,
            since: span.began,
            was_on: span.was_on,
            leaves: self.leaves(now),
        };
        let metric = self.reading.as_ref().filter(|reading| reading.panic.is_some());
        let age = metric.map(|reading| now.since(reading.read));
        let told = metric.map(|reading| reading.origin).unwrap_or_default();
        match (age, self.log_panics) {
            (Some(age), _) if age < self.fresh_for() => match open {
                Some(span) => panic(span, told),
                None => PanicState::Stable { origin: told },
            },
            (_, Some(true)) if has_log => match open {
                Some(span) => panic(span, Origin::Log),
                None => PanicState::Unknown(Ignorance::NoLineYet),
            },
            (_, Some(false)) if has_log => PanicState::Stable { origin: Origin::Log },
            _ if self.derives(now).is_some() => match (self.derives(now), open) {
                (Some(true), Some(span)) => panic(span, Origin::Derived),
                _ => PanicState::Stable { origin: Origin::Derived },
            },
            (Some(age), _) => PanicState::Unknown(Ignorance::Stale(age)),
            (None, _) if has_log => PanicState::Unknown(Ignorance::NoLineYet),
            (None, _) => PanicState::Unknown(Ignorance::NotHeard),
        }
    }

    /// Whether our own model panics; `None`: it cannot tell.
    fn derives(&self, now: At) -> Option<bool> {
        self.shadow.as_ref()?.panics(now).map(crate::kpa::Decision::panicking)
    }

    /// Our own model ticked: where neither metric nor log tells of panic, it does.
    pub(super) fn derived(
        &mut self,
        revision: &Name,
        (now, has_log): (At, bool),
        log: &mut Happenings,
    ) {
        let is_told = self.reading.as_ref().is_some_and(|reading| {
            reading.panic.is_some() && now.since(reading.read) < self.fresh_for()
        }) || has_log && self.log_panics.is_some();
        let Some(decision) = self.shadow.as_ref().and_then(|it| it.panics(now)).copied() else {
            return;
        };
        if is_told {
            return;
        }
        if decision.panicking() {
            let steps = decision.steps;
            // As if it had been read: the event in the list says what there was.
            let seen = Autoscaler {
                revision: revision.clone(),
                desired: steps.map(|steps| f64::from(steps.desired)),
                actual: Some(f64::from(decision.ready)),
                panic_concurrency: steps.map(|steps| steps.observed.panic),
                target_concurrency: steps.map(|steps| steps.target),
                ..Autoscaler::default()
            };
            self.panic_goes_on(decision.at, (Origin::Derived, false), &seen, log);
        } else {
            self.panic_is_off(decision.at, Origin::Derived, revision, log);
        }
    }

    /// When the present panic can end at the earliest: one stable window after the threshold was
    /// last reached (`pkg/autoscaler/scaling/autoscaler.go`, `Scale`).
    fn leaves(&self, now: At) -> Option<At> {
        let window = self.config.as_ref()?.config.stable_window;
        self.leaves_by_decision(now).or_else(|| Some(ends_after(self.last_over?, window)))
    }

    /// The same by the decision in force at `at`, as it was made.
    fn leaves_by_decision(&self, at: At) -> Option<At> {
        let tick = self.shadow.as_ref()?.tick_at(at)?;
        // What may end at once, for all that is known, is not known.
        let ends = tick.as_made().0.panic_ends.filter(|ends| tick.at() < *ends)?;
        (at.since(tick.at()) < FRESH).then_some(ends)
    }

    /// The panic that was on at `at`, seen from `now`.
    pub fn panic_at(&self, at: At, now: At) -> Option<&PanicSpan> {
        self.panics.iter().rev().find(|span| span.covers(at, now))
    }

    /// When a panic could end at the earliest, by what was known at `at`: one stable window after
    /// the threshold was last reached by then.
    pub fn leaves_at(&self, span: &PanicSpan, at: At) -> Option<At> {
        if let Some(ends) = self.leaves_by_decision(at) {
            return Some(ends);
        }
        let window = self.config.as_ref()?.config.stable_window;
        let steps = self.panic.steps().rev().skip_while(|(when, _)| at < *when);
        let over = steps.take_while(|(when, _)| span.began <= *when).find_map(|(when, average)| {
            let above = self.enters.at(when, None)?;
            (above < average?).then_some(when)
        });
        // Of what was on before we looked it is not known.
        Some(ends_after(over?, window))
    }

    /// The most that was desired in a panic until `at`; `None` is not known.
    pub fn held_at(&self, span: &PanicSpan, at: At) -> Option<u32> {
        let steps = self.wanted.steps().rev().skip_while(|(when, _)| at < *when);
        let held = steps.take_while(|(when, _)| span.began <= *when).filter_map(|(_, value)| value);
        held.reduce(f64::max).and_then(whole)
    }

    /// Where panic begins, by what was read last.
    pub(super) fn panic_line(&self) -> Option<PanicLine> {
        let reading = self.reading.as_ref()?;
        let target = averages(reading).target.filter(|target| 0.0 < *target)?;
        let threshold = self.config.as_ref()?.config.panic_threshold;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pods")]
        let ready = reading.actual?.max(0.0) as u32;
        Some(panic_line(threshold, target, ready))
    }

    pub(super) fn is_over(&self) -> Option<bool> {
        Some(self.panic_line()?.above < averages(self.reading.as_ref()?).panic?)
    }

    /// Seconds in panic until `now`, as far as we saw.
    pub fn panic_seconds(&self, now: At) -> f64 {
        // Adding to zero, since the sum of no floats is -0.0.
        self.panics
            .iter()
            .fold(0.0, |sum, span| sum + span.until(now).since(span.began).as_secs_f64())
    }
}
