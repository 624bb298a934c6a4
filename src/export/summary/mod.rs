//! The numbers of a run, once, for all formats: `summary.json`, version 1.
//!
//! Times are milliseconds unless the name says otherwise; `None` is unknown and is written as
//! `null`, never as 0.

mod checks;
mod client;
mod scaling;
mod traffic;

use serde::Serialize;

pub use checks::CheckSummary;
pub use client::ClientSummary;
pub use client::HealthSummary;
pub use scaling::ColdStartPart;
pub use scaling::ColdStartSummary;
pub use scaling::FindingSummary;
pub use scaling::PanicSource;
pub use scaling::PanicSummary;
pub use scaling::ScalingSummary;
pub use scaling::ScorecardSummary;
pub use traffic::KneeSummary;
pub use traffic::LatencySummary;
pub use traffic::LimitSummary;
pub use traffic::LittleSummary;
pub use traffic::SplitSummary;
pub use traffic::TrafficSummary;

use crate::event::run::Executor;
use crate::event::run::Outcome;
use crate::model::Model;
use crate::model::scorecard::Scorecard;
use crate::model::sources::Health;
use crate::scenario::check::Check;
use crate::units::At;

/// The numbers of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Version of this schema.
    pub schema: u32,
    /// Name of the scenario, or of what was watched.
    pub name: String,
    /// The version of rampscope that recorded it.
    pub version: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it lasted.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// The load; `None` if none was sent.
    pub traffic: Option<TrafficSummary>,
    /// The autoscaler; `None` if there was no cluster, or nothing is known of a revision.
    pub scaling: Option<ScalingSummary>,
    /// The sources.
    pub sources: Vec<SourceSummary>,
    /// How well the scaling followed the load; `None` without a revision.
    pub scorecard: Option<ScorecardSummary>,
    /// What needed a look, open or not.
    pub findings: Vec<FindingSummary>,
    /// The scenario's checks.
    pub checks: Vec<CheckSummary>,
    /// Our own process; `None` in a record that was cut off.
    pub client: Option<ClientSummary>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceSummary {
    /// Its name.
    pub name: String,
    /// `ok`, `stale`, `denied` or `absent`.
    pub state: &'static str,
    /// Answers that were understood.
    pub samples: u64,
    /// Failures.
    pub errors: u64,
    /// Samples that the bus had no room for are counted for the run, not by source.
    pub dropped: u64,
    /// Requests made.
    pub requests: u64,
    /// Bytes received.
    pub bytes: u64,
}

// === impl Summary ===

impl Summary {
    /// The numbers of what `model` knows.
    pub fn of(model: &Model, checks: &[Check]) -> Self {
        let began = model.run.began.as_ref();
        let ended = model.run.ended.as_ref();
        let end = model.run.ended_at.unwrap_or(model.now);
        let scaling = ScalingSummary::of(model, end);
        let has_load = model.run.executor() != Executor::None;
        Self {
            schema: 1,
            name: began.map_or_else(String::new, |began| began.name.clone()),
            version: began.map_or_else(String::new, |began| began.version.clone()),
            started: model.run.anchor().wall(At::ZERO).to_string(),
            seconds: end.as_secs_f64(),
            // A record without an end was cut off.
            outcome: ended.map_or(Outcome::Lost, |ended| ended.outcome),
            traffic: has_load.then(|| TrafficSummary::of(model)),
            checks: checks.iter().map(|check| CheckSummary::of(check, model)).collect(),
            scorecard: Scorecard::of(model).map(|card| ScorecardSummary::of(&card)),
            findings: FindingSummary::all(model),
            scaling,
            sources: SourceSummary::all(model, end),
            client: ended
                .and_then(|ended| ended.client.as_ref())
                .map(|client| ClientSummary::of(client, &model.traffic.total)),
        }
    }

    /// Whether every check held.
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|check| check.pass)
    }
}

impl SourceSummary {
    pub(super) fn all(model: &Model, end: At) -> Vec<Self> {
        let state = |health| match health {
            Health::Ok => "ok",
            Health::Denied => "denied",
            Health::Absent => "absent",
            Health::Connecting | Health::Failing | Health::Stale(_) => "stale",
        };
        model
            .sources
            .iter()
            .map(|source| Self {
                name: source.report.source.clone(),
                state: state(source.health(end)),
                samples: source.report.samples,
                errors: source.report.errors,
                dropped: 0,
                requests: source.report.requests,
                bytes: source.report.bytes,
            })
            .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
const fn count(n: u64) -> f64 {
    n as f64
}
