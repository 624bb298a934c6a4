//! Each source: how it is, since when, at what cost.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::source::Report;
use crate::event::source::State;
use crate::units::At;

/// Sources that are kept; a hand has a handful.
const SOURCES_MAX: usize = 256;

/// All sources by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    by_name: BTreeMap<String, Source>,
}

/// One source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// What it said last.
    pub report: Report,
    /// When its state changed last.
    pub since: At,
    /// When it was last heard to be well; `None` if never.
    pub last_ok: Option<At>,
}

/// How a source is, at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The first answer has not come yet.
    Connecting,
    /// It answers.
    Ok,
    /// It answered before and does not now: how long ago the last answer came.
    Stale(Duration),
    /// It never answered, and the hand tries again.
    Failing,
    /// We may not read it.
    Denied,
    /// It is not there.
    Absent,
}

impl Sources {
    pub(super) fn apply(&mut self, at: At, report: &Report) {
        if SOURCES_MAX <= self.by_name.len() && !self.by_name.contains_key(&report.source) {
            return;
        }
        let before = self.by_name.get(&report.source);
        let since = before
            .filter(|before| before.report.state == report.state)
            .map_or(at, |before| before.since);
        let last_ok = if report.state == State::Ok {
            Some(at)
        } else {
            before.and_then(|before| before.last_ok)
        };
        let source = Source { report: report.clone(), since, last_ok };
        self.by_name.insert(report.source.clone(), source);
    }

    /// All sources in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.by_name.values()
    }

    /// The source of this name.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.by_name.get(name)
    }
}

impl Source {
    /// How it is at `now`.
    pub fn health(&self, now: At) -> Health {
        match (self.report.state, self.last_ok) {
            (State::Connecting, _) => Health::Connecting,
            (State::Denied, _) => Health::Denied,
            (State::Absent, _) => Health::Absent,
            (State::Failing, None) => Health::Failing,
            (State::Failing, Some(last_ok)) => Health::Stale(now.since(last_ok)),
            (State::Ok, last_ok) => {
                let age = now.since(last_ok.unwrap_or(now));
                // A hand reports at least every five seconds while it lives.
                let patience =
                    self.report.interval.unwrap_or_default() * 3 + Duration::from_secs(6);
                if patience < age { Health::Stale(age) } else { Health::Ok }
            }
        }
    }
}
