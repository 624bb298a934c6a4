//! What needs a look: patterns in what is known, each with its evidence and the setting to look at.
//!
//! Each finding is a file of its own that looks at the model once a second and says whether it
//! holds. What holds for as long as that finding wants is open, with the moment since when; what
//! held once is kept for the report. Evidence is kept as numbers; words are made of them when they
//! are read.

mod activator_stays;
mod client_limited;
mod cold_start_slow;
mod fails_as_pods_go;
mod flapping;
mod max_scale_binds;
mod metrics_off;
mod panics_often;
mod requests_queued;
mod scale_down_fast;
mod scale_down_slow;
mod scrapes_missed;
mod scrapes_missing;
mod target_too_high;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::cluster::Name;
use crate::kpa::Config;
use crate::units::At;

use super::Model;
use super::scaling::RevisionScaling;

/// Revisions that are looked at.
const REVISIONS_MAX: usize = 8;
/// Findings of the past that are kept.
const PAST_MAX: usize = 200;
/// A finding that does not hold for so long is over.
const LINGERS: Duration = Duration::from_secs(5);

/// A pattern that needs a look.
pub trait Finding: std::fmt::Debug + Sync {
    /// Its name for machines.
    fn key(&self) -> &'static str;
    /// What it is, in half a line.
    fn summary(&self) -> &'static str;
    /// The settings to look at, given the numbers that `check` gave.
    fn settings(&self, numbers: &[f64]) -> &'static [&'static str];
    /// Whether it holds at this moment.
    fn check(&self, about: &About<'_>) -> Verdict;
    /// The evidence as a sentence: the numbers that `check` gave.
    fn detail(&self, numbers: &[f64]) -> String;
    /// For how long it must hold before it is one.
    fn patience(&self, _about: &About<'_>) -> Duration {
        Duration::ZERO
    }
}

/// What a finding looks at.
#[derive(Debug)]
pub struct About<'a> {
    /// All that is known.
    pub model: &'a Model,
    /// The revision; `None` where there is none.
    pub revision: Option<&'a Name>,
    /// Its scaling.
    pub scaling: Option<&'a RevisionScaling>,
}

/// What a finding says.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It does not hold.
    Fine,
    /// It cannot be told.
    Unknown,
    /// It holds: since when, where that can be said, and the evidence.
    Holds(Option<At>, Vec<f64>),
}

/// All findings, the worst first.
pub const ALL: [&dyn Finding; 14] = [
    &max_scale_binds::MaxScaleBinds,
    &target_too_high::TargetTooHigh,
    &requests_queued::RequestsQueued,
    &fails_as_pods_go::FailsAsPodsGo,
    &client_limited::ClientLimited,
    &flapping::Flapping,
    &panics_often::PanicsOften,
    &cold_start_slow::ColdStartSlow,
    &scale_down_fast::ScaleDownFast,
    &scale_down_slow::ScaleDownSlow,
    &activator_stays::ActivatorStays,
    &scrapes_missing::ScrapesMissing,
    &scrapes_missed::ScrapesMissed,
    &metrics_off::MetricsOff,
];

/// What is open, and what was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// What holds now, by its place in [`ALL`] and its revision.
    held: BTreeMap<(usize, Option<Name>), Held>,
    /// What held and no longer does, the oldest first.
    past: VecDeque<Open>,
    checked: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
struct Held {
    since: At,
    last: At,
    numbers: Vec<f64>,
    is_open: bool,
}

/// A finding that is open or was.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// Which: its place in [`ALL`].
    pub idx: usize,
    /// The revision that it is about; `None` where there is none.
    pub revision: Option<Name>,
    /// Since when it holds.
    pub since: At,
    /// When it ended; `None` while it holds.
    pub until: Option<At>,
    /// The evidence.
    pub numbers: Vec<f64>,
}

/// What a look at the model gave for one finding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    idx: usize,
    revision: Option<Name>,
    since: Option<At>,
    numbers: Vec<f64>,
    patience: Duration,
}

// === impl About ===

impl About<'_> {
    /// The moment of the look.
    pub const fn now(&self) -> At {
        self.model.now
    }

    /// The revision's configuration, if it is known.
    pub fn config(&self) -> Option<&Config> {
        Some(&self.scaling?.config.as_ref()?.config)
    }
}

// === impl Open ===

impl Open {
    /// The finding.
    pub fn finding(&self) -> &'static dyn Finding {
        ALL[self.idx.min(ALL.len() - 1)]
    }

    /// The evidence as a sentence.
    pub fn detail(&self) -> String {
        self.finding().detail(&self.numbers)
    }

    /// The settings to look at.
    pub fn settings(&self) -> &'static [&'static str] {
        self.finding().settings(&self.numbers)
    }
}

// === impl Findings ===

impl Findings {
    /// Whether another second has begun since the last look, or the run has just ended.
    pub(super) fn is_due(&self, now: At, has_ended: bool) -> bool {
        let second = now.as_micros() / 1_000_000;
        self.checked.is_none_or(|checked| checked < second || has_ended)
    }

    pub(super) fn take(&mut self, now: At, seen: Vec<Seen>) {
        self.checked = Some(now.as_micros() / 1_000_000);
        for Seen { idx, revision, since, numbers, patience } in seen {
            let since = since.unwrap_or(now).min(now);
            let held = self.held.entry((idx, revision)).or_insert_with(|| Held {
                since,
                last: now,
                numbers: Vec::new(),
                is_open: false,
            });
            held.last = now;
            held.numbers = numbers;
            held.is_open |= patience <= now.since(held.since);
        }
        let past = &mut self.past;
        self.held.retain(|(idx, revision), held| {
            if now.since(held.last) < LINGERS {
                return true;
            }
            if held.is_open {
                if past.len() == PAST_MAX {
                    past.pop_front();
                }
                past.push_back(open(*idx, revision.clone(), held, Some(held.last)));
            }
            false
        });
    }

    /// What is open, the worst first.
    pub fn open(&self) -> impl Iterator<Item = Open> + '_ {
        let held = self.held.iter().filter(|(_, held)| held.is_open);
        held.map(|((idx, revision), held)| open(*idx, revision.clone(), held, None))
    }

    /// How many are open.
    pub fn n_open(&self) -> usize {
        self.held.values().filter(|held| held.is_open).count()
    }

    /// What was open and is no longer, the oldest first.
    pub fn past(&self) -> impl Iterator<Item = &Open> {
        self.past.iter()
    }
}

fn open(idx: usize, revision: Option<Name>, held: &Held, until: Option<At>) -> Open {
    Open { idx, revision, since: held.since, until, numbers: held.numbers.clone() }
}

/// Looks for all findings.
pub(super) fn check(model: &Model) -> Vec<Seen> {
    let revisions = model.measured_revisions();
    let mut seen = Vec::new();
    let mut look = |revision: Option<&Name>| {
        let scaling = revision.and_then(|revision| model.scaling.get(revision));
        let about = About { model, revision, scaling };
        for (idx, finding) in ALL.iter().enumerate() {
            if let Verdict::Holds(since, numbers) = finding.check(&about) {
                let (revision, patience) = (revision.cloned(), finding.patience(&about));
                seen.push(Seen { idx, revision, since, numbers, patience });
            }
        }
    };
    if revisions.is_empty() {
        look(None);
    }
    revisions.iter().take(REVISIONS_MAX).for_each(|revision| look(Some(revision)));
    // What is about the run is told once.
    let mut is_told = [false; ALL.len()];
    seen.retain(|it: &Seen| {
        let is_of_run = matches!(ALL[it.idx].key(), "client_limited" | "metrics_off");
        !is_of_run || !std::mem::replace(&mut is_told[it.idx], true)
    });
    seen
}

/// The number at `idx`; evidence of another version may have fewer.
fn at(numbers: &[f64], idx: usize) -> f64 {
    numbers.get(idx).copied().unwrap_or(f64::NAN)
}

/// `1 pod`, `9 pods`.
fn pods(n: f64) -> String {
    if (n - 1.0).abs() < 0.5 { "1 pod".to_owned() } else { format!("{n:.0} pods") }
}

/// `once`, `3 times`.
fn times(n: f64) -> String {
    if n == 1.0 { "once".to_owned() } else { format!("{n:.0} times") }
}

/// How often a line that went down went up again after it, from `from` on: the moments at which it
/// turned, with the value at the bottom and before it.
fn turns(scaling: &RevisionScaling, from: At) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut before: Option<f64> = None;
    let mut fell: Option<(At, f64)> = None;
    for (at, value) in scaling.desired.steps() {
        let Some(value) = value else {
            (before, fell) = (None, None);
            continue;
        };
        match before {
            Some(last) if value < last => {
                let top = fell.map_or(last, |(_, top)| top);
                fell = Some((at, top));
            }
            Some(last) if last < value => {
                if let Some((fell_at, top)) = fell.take() {
                    turns.push(Turn { at, fell: fell_at, low: last, top });
                }
            }
            _ => {}
        }
        before = Some(value);
    }
    turns.retain(|turn| from <= turn.at);
    turns
}

/// A line went down and up again.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Turn {
    /// When it went up.
    at: At,
    /// When it had last gone down.
    fell: At,
    /// How low it was.
    low: f64,
    /// How high it had been.
    top: f64,
}

#[cfg(test)]
mod tests;
