//! A source's own account of itself, told when it changes and every few seconds.

use std::time::Duration;

use crate::bus::Sender;
use crate::clock::Clock;
use crate::event::Event;
use crate::event::source::Report;
use crate::event::source::State;
use crate::units::At;
use crate::units::clean;

use super::meter::Meter;

/// How often costs are told while nothing changes.
pub(crate) const TELL_EVERY: Duration = Duration::from_secs(2);
/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 240;

/// How one source is.
#[derive(Debug)]
pub(crate) struct Health {
    report: Report,
    told: Option<(State, String, At)>,
    meter: Meter,
    sender: Sender,
    clock: Clock,
}

/// What went wrong, in the words of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Failing, denied or absent.
    pub(crate) state: State,
    /// Why.
    pub(crate) reason: String,
    /// What a person could do; empty if nothing.
    pub(crate) remedy: String,
}

impl Trouble {
    /// A trouble that may pass by itself.
    pub(crate) fn failing(reason: impl Into<String>) -> Self {
        Self { state: State::Failing, reason: reason.into(), remedy: String::new() }
    }

    /// We may not read it.
    pub(crate) fn denied(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Denied, reason: reason.into(), remedy: remedy.into() }
    }

    /// It is not there.
    pub(crate) fn absent(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Absent, reason: reason.into(), remedy: remedy.into() }
    }
}

/// What came of one round of readings.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Answers that were understood.
    pub(crate) n_ok: u64,
    /// Readings that failed.
    pub(crate) n_failed: u64,
    /// Lines that nobody understood.
    pub(crate) n_not_understood: u64,
    /// The longest time that an answer took.
    pub(crate) latency: Option<Duration>,
    /// The last failure.
    pub(crate) trouble: Option<Trouble>,
}

impl Round {
    /// Counts one reading that took `latency`.
    pub(crate) fn count(&mut self, outcome: Result<u64, Trouble>, latency: Duration) {
        match outcome {
            Ok(n_not_understood) => {
                self.n_ok += 1;
                self.n_not_understood += n_not_understood;
                self.latency = self.latency.max(Some(latency));
            }
            Err(trouble) => {
                self.n_failed += 1;
                self.trouble = Some(trouble);
            }
        }
    }
}

// === impl Health ===

impl Health {
    /// A source that has just been started.
    pub(crate) fn new(source: impl Into<String>, sender: Sender, clock: Clock) -> Self {
        let report = Report::connecting(source);
        Self { report, told: None, meter: Meter::default(), sender, clock }
    }

    /// The counters that its requests go to.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Now, for measuring how long an answer takes.
    pub(crate) fn now(&self) -> At {
        self.clock.at()
    }

    /// How it is reached and how often.
    pub(crate) fn describe(&mut self, via: impl Into<String>, interval: Option<Duration>) {
        self.report.via = via.into();
        self.report.interval = interval;
    }

    /// An answer that was understood, but for `not_understood` lines or fields.
    pub(crate) async fn ok(&mut self, latency: Option<Duration>, not_understood: u64) {
        self.ok_but(latency, not_understood, "").await;
    }

    /// The same, with something that is worth saying.
    pub(crate) async fn ok_but(
        &mut self,
        latency: Option<Duration>,
        not_understood: u64,
        remark: &str,
    ) {
        self.report.state = State::Ok;
        self.report.reason = clean(remark, MAX_REASON);
        self.report.remedy.clear();
        self.report.latency = latency.or(self.report.latency);
        self.report.samples += 1;
        self.report.not_understood += not_understood;
        self.tell().await;
    }

    /// What came of one round of several readings. An empty round says nothing.
    pub(crate) async fn round(&mut self, round: Round) {
        let n_read = round.n_ok + round.n_failed;
        self.report.samples += round.n_ok;
        self.report.not_understood += round.n_not_understood;
        self.report.latency = round.latency.or(self.report.latency);
        match round.trouble {
            Some(trouble) if round.n_ok == 0 => {
                self.report.errors += round.n_failed - 1;
                self.trouble(trouble).await;
                return;
            }
            Some(trouble) => {
                self.report.errors += round.n_failed;
                self.report.state = State::Ok;
                let reason = format!("{} of {n_read} failed: {}", round.n_failed, trouble.reason);
                self.report.reason = clean(&reason, MAX_REASON);
                self.report.remedy = trouble.remedy;
            }
            None if 0 < round.n_ok => {
                self.report.state = State::Ok;
                self.report.reason.clear();
                self.report.remedy.clear();
            }
            None => {}
        }
        self.tell().await;
    }

    /// It rests, and that is as it should be.
    pub(crate) async fn resting(&mut self, reason: &str) {
        self.report.state = State::Ok;
        reason.clone_into(&mut self.report.reason);
        self.report.remedy.clear();
        self.tell().await;
    }

    /// Something went wrong.
    pub(crate) async fn trouble(&mut self, trouble: Trouble) {
        self.report.state = trouble.state;
        self.report.reason = clean(&trouble.reason, MAX_REASON);
        self.report.remedy = trouble.remedy;
        self.report.errors += 1;
        self.tell().await;
    }

    /// Tells if something changed, or if it has been quiet for a while.
    pub(crate) async fn tell(&mut self) {
        let now = self.clock.at();
        let is_news = self.told.as_ref().is_none_or(|(state, reason, _)| {
            *state != self.report.state || *reason != self.report.reason
        });
        let is_due = self.told.as_ref().is_none_or(|(_, _, at)| TELL_EVERY <= now.since(*at));
        if !is_news && !is_due {
            return;
        }
        (self.report.requests, self.report.bytes) = self.meter.read();
        let event = Event::Source(self.report.clone());
        if is_news {
            self.sender.send(event).await;
        } else {
            self.sender.offer(event);
        }
        self.told = Some((self.report.state, self.report.reason.clone(), now));
    }
}
