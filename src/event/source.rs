//! How a source of events is: what state, at what cost, and what a person could do about it.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// The state of a source as its hand sees it. Staleness is not among them: it is a matter of age,
/// which the model knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The first answer has not come yet.
    Connecting,
    /// It answers.
    Ok,
    /// It answered before and does not now; the hand tries again.
    Failing,
    /// We may not read it.
    Denied,
    /// It is not there.
    Absent,
}

/// A source says how it is. Counters are totals since the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its name, as `watch pods` or `autoscaler metrics`.
    pub source: String,
    /// How it is.
    pub state: State,
    /// Why, in one line; empty if all is well.
    pub reason: String,
    /// The command or setting that mends it; empty if there is none.
    pub remedy: String,
    /// How it is reached, as `API server pod proxy`; empty if that is plain.
    pub via: String,
    /// How often it is read; `None` for a watch, which speaks when something changes.
    pub interval: Option<Duration>,
    /// How long the last answer took.
    pub latency: Option<Duration>,
    /// Answers that were understood.
    pub samples: u64,
    /// Answers that were not, and failures.
    pub errors: u64,
    /// Requests made.
    pub requests: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Lines or fields that nobody understood.
    pub not_understood: u64,
}

impl Report {
    /// A source that has just been started.
    pub fn connecting(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            state: State::Connecting,
            reason: String::new(),
            remedy: String::new(),
            via: String::new(),
            interval: None,
            latency: None,
            samples: 0,
            errors: 0,
            requests: 0,
            bytes: 0,
            not_understood: 0,
        }
    }
}
