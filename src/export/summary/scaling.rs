//! The autoscaler over a run: pods, panic, starts, how well it followed the load, and what needs a
//! look.

use std::time::Duration;

use serde::Serialize;

use crate::event::cluster::Kind;
use crate::event::cluster::Name;
use crate::event::scaler::Origin;
use crate::model::Model;
use crate::model::findings::Open;
use crate::model::scaling::PanicState;
use crate::model::scaling::RevisionScaling;
use crate::model::scorecard::Scorecard;
use crate::model::startup;
use crate::model::startup::Part;
use crate::series::nearest_rank;
use crate::units::At;

use super::LatencySummary;

/// The autoscaler, of the run's service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScalingSummary {
    /// The revisions that all of this is of, those that are gone included.
    pub revisions: Vec<String>,
    /// `kpa.autoscaling.knative.dev`, …
    pub class: Option<String>,
    /// The most pods that were ready at once.
    pub ready_max: Option<u32>,
    /// The most pods that were desired.
    pub desired_max: Option<u32>,
    /// Seconds of pods that were not gone.
    pub pod_seconds: Option<f64>,
    /// Pods that became ready while we looked.
    pub cold_starts: Option<u64>,
    /// From creation to Ready.
    pub cold_start: Option<ColdStartSummary>,
    /// How panic was known.
    pub panic_source: PanicSource,
    /// Each panic.
    pub panics: Option<Vec<PanicSummary>>,
    /// Seconds in panic.
    pub panic_s: Option<f64>,
}

/// Cold starts, and the parts that they are made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColdStartSummary {
    /// From creation to Ready.
    #[serde(flatten)]
    pub whole: LatencySummary,
    /// From one step to another.
    pub parts: Vec<ColdStartPart>,
}

/// The time between two steps of a start, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColdStartPart {
    /// The earlier step.
    pub from: &'static str,
    /// The later one.
    pub to: &'static str,
    /// Starts of which both ends came in while we watched.
    pub measured: u64,
    /// Starts of which an end is a stamp in whole seconds.
    pub stamped: u64,
    /// Starts of which an end is inferred.
    pub inferred: u64,
    /// Starts of which an end is not known; they are in no percentile.
    pub unknown: u64,
    /// Half took at most this.
    pub p50: Option<f64>,
    /// 95 %.
    pub p95: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

/// How well the scaling followed the load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScorecardSummary {
    /// From the first load that met no pod to the first pod ready.
    pub time_to_first_pod_s: Option<f64>,
    /// The longest time in which fewer pods were ready than desired.
    pub time_to_desired_s: Option<f64>,
    /// Ready pods at most beyond the needed ones at most, over the latter.
    pub overshoot: Option<f64>,
    /// Pods missing, times seconds.
    pub pod_seconds_short: Option<f64>,
    /// Pods that nothing needed, times seconds.
    pub pod_seconds_wasted: Option<f64>,
    /// How often desired rose again after it had fallen.
    pub oscillations: Option<u64>,
    /// Time in panic over the whole time.
    pub panic_share: Option<f64>,
    /// Requests that surely waited for a cold start, over all.
    pub cold_start_share_min: Option<f64>,
    /// Requests that may have waited for one, over all.
    pub cold_start_share_max: Option<f64>,
}

/// What needed a look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingSummary {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// The evidence.
    pub detail: String,
    /// The settings to look at.
    pub settings: &'static [&'static str],
    /// The revision that it is about.
    pub revision: Option<String>,
    /// Since when, in seconds since the run began.
    pub since_s: f64,
    /// Until when; `None` if it held to the end.
    pub until_s: Option<f64>,
}

/// One panic, in seconds since the run began.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PanicSummary {
    /// Its beginning.
    pub start_s: f64,
    /// Its end; `None` if it was not seen.
    pub end_s: Option<f64>,
}

/// How panic was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PanicSource {
    /// From the autoscaler's metrics.
    Metric,
    /// From a Prometheus server.
    Prometheus,
    /// From the autoscaler's log.
    Log,
    /// Computed by us.
    Derived,
    /// Not at all.
    Unknown,
}

// === impl ScalingSummary ===

impl ScalingSummary {
    pub(super) fn of(model: &Model, end: At) -> Option<Self> {
        let revisions = model.measured_revisions();
        let known: Vec<&RevisionScaling> =
            revisions.iter().filter_map(|name| model.scaling.get(name)).collect();
        if known.is_empty() {
            return None;
        }
        let has_pods = model.cluster.is_listed(Kind::Pod);
        let cold: Vec<Duration> = model
            .cluster
            .cold_starts
            .iter()
            .filter(|start| revisions.contains(&start.revision))
            .map(|start| start.took)
            .collect();
        let panic_source = panic_source(model, &revisions, end);
        let knows_panic = panic_source != PanicSource::Unknown;
        let class = revisions
            .iter()
            .find_map(|name| model.cluster.autoscalers.get(name))
            .map(|autoscaler| autoscaler.class.clone());
        let mut panics: Vec<PanicSummary> = known
            .iter()
            .flat_map(|scaling| &scaling.panics)
            .map(|span| PanicSummary {
                start_s: span.began.as_secs_f64(),
                end_s: span.ended.map(At::as_secs_f64),
            })
            .collect();
        panics.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        let parts = startup::parts(model, &revisions);
        let revisions = revisions.iter().filter(|name| model.scaling.get(name).is_some());
        Some(Self {
            revisions: revisions.map(|name| name.name.clone()).collect(),
            class: class.filter(|class| !class.is_empty()),
            ready_max: model.most.ready,
            desired_max: model.most.desired,
            pod_seconds: has_pods
                .then(|| known.iter().map(|scaling| scaling.pod_seconds_at(end)).sum()),
            cold_starts: has_pods.then_some(cold.len() as u64),
            cold_start: LatencySummary::of_values(cold).map(|whole| ColdStartSummary {
                whole,
                parts: parts.iter().map(ColdStartPart::of).collect(),
            }),
            panic_source,
            panics: knows_panic.then_some(panics),
            panic_s: knows_panic
                .then(|| known.iter().map(|scaling| scaling.panic_seconds(end)).sum()),
        })
    }
}

// === impl ColdStartPart ===

impl ColdStartPart {
    pub(super) fn of(part: &Part) -> Self {
        let at = |share| nearest_rank(&part.took, share).map(|took| took.as_secs_f64() * 1e3);
        Self {
            from: part.from.key(),
            to: part.to.key(),
            measured: part.n_received as u64,
            stamped: part.n_stamped as u64,
            inferred: part.n_inferred as u64,
            unknown: part.n_unknown as u64,
            p50: at(0.5),
            p95: at(0.95),
            max: at(1.0),
        }
    }
}

// === impl ScorecardSummary ===

impl ScorecardSummary {
    pub(super) fn of(card: &Scorecard) -> Self {
        Self {
            time_to_first_pod_s: card.time_to_first_pod_s,
            time_to_desired_s: card.time_to_desired_s,
            overshoot: card.overshoot,
            pod_seconds_short: card.pod_seconds_short,
            pod_seconds_wasted: card.pod_seconds_wasted,
            oscillations: card.oscillations,
            panic_share: card.panic_share,
            cold_start_share_min: card.cold_start_share.map(|(least, _)| least),
            cold_start_share_max: card.cold_start_share.map(|(_, most)| most),
        }
    }
}

// === impl FindingSummary ===

impl FindingSummary {
    pub(super) fn all(model: &Model) -> Vec<Self> {
        let past = model.findings.past().cloned();
        past.chain(model.findings.open()).map(|open| Self::of(&open)).collect()
    }

    pub(super) fn of(open: &Open) -> Self {
        let finding = open.finding();
        Self {
            name: finding.key(),
            summary: finding.summary(),
            detail: open.detail(),
            settings: open.settings(),
            revision: open.revision.as_ref().map(|revision| revision.name.clone()),
            since_s: open.since.as_secs_f64(),
            until_s: open.until.map(At::as_secs_f64),
        }
    }
}

pub(super) fn panic_source(model: &Model, revisions: &[Name], end: At) -> PanicSource {
    let now = revisions.iter().find_map(|name| match model.scaling.panic_state(name, end) {
        PanicState::Stable { origin } | PanicState::Panic { origin, .. } => Some(origin),
        PanicState::Unknown(_) => None,
    });
    let before = || {
        let scalings = revisions.iter().filter_map(|name| model.scaling.get(name));
        scalings.flat_map(|scaling| &scaling.panics).map(|span| span.origin).next_back()
    };
    match now.or_else(before) {
        Some(Origin::Metric) => PanicSource::Metric,
        Some(Origin::Prometheus) => PanicSource::Prometheus,
        Some(Origin::Log) => PanicSource::Log,
        Some(Origin::Derived) => PanicSource::Derived,
        None => PanicSource::Unknown,
    }
}
