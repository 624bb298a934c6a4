//! The course of a run: its beginning, its stages, what a person did, its end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::units::Anchor;
use crate::units::At;

/// The run begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// Name of the scenario, or of what is watched.
    pub name: String,
    /// The version of rampscope that recorded it.
    pub version: String,
    /// The wall clock at the beginning.
    pub anchor: Anchor,
    /// What kind of run it is.
    pub mode: Mode,
    /// Name of the kubeconfig context, if there is a cluster.
    pub context: Option<String>,
    /// The namespace looked at; `None` for all.
    pub namespace: Option<String>,
    /// The Knative Service in question, if one was named.
    pub service: Option<String>,
    /// Stages of the plan in order; empty without load.
    pub stages: Vec<PlannedStage>,
    /// Whether load is offered at a rate, or by users that wait for their answers.
    pub executor: Executor,
    /// The rate (or number of users) that is never exceeded.
    pub max_rate: Option<f64>,
    /// Requests in flight that are never exceeded.
    pub max_in_flight: Option<u64>,
    /// Checks of the scenario as they were written.
    pub checks: Vec<String>,
    /// Whether nothing may be written to the cluster.
    pub read_only: bool,
}

/// Where requests go, once that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The address.
    pub url: String,
    /// The `Host` header, where it differs from the address.
    pub host: Option<String>,
    /// How it was found, as `Service kourier in kourier-system`.
    pub via: String,
}

/// What kind of run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Scenario against the embedded cluster.
    Demo,
    /// A scenario against a cluster or an address.
    Run,
    /// Only looking.
    Watch,
    /// Load alone, without a cluster.
    Load,
}

/// How requests come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Executor {
    /// Nothing is sent.
    None,
    /// Requests are due at a rate, whatever becomes of those before; amounts are requests a second.
    Open,
    /// Users send, wait, think, and send again; amounts are users.
    Closed,
}

/// One stage as planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStage {
    /// Its name.
    pub name: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// Requests a second (or users) at its beginning.
    pub from: f64,
    /// The same at its end.
    pub to: f64,
    /// The same at evenly spaced moments from its beginning to its end, where it does not go
    /// straight; for drawing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<f64>,
}

impl PlannedStage {
    /// Requests a second (or users) `after` so long in it.
    pub fn amount(&self, after: Duration) -> f64 {
        let share = (after.as_secs_f64() / self.lasts.as_secs_f64().max(1e-6)).min(1.0);
        let straight = |from: f64, to: f64, share: f64| (to - from).mul_add(share, from);
        let Some(n_gaps) = self.samples.len().checked_sub(1).filter(|n| 0 < *n) else {
            return straight(self.from, self.to, share);
        };
        #[expect(clippy::cast_precision_loss, reason = "there are few samples")]
        let place = share * n_gaps as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most n_gaps"
        )]
        let before = (place as usize).min(n_gaps - 1);
        #[expect(clippy::cast_precision_loss, reason = "there are few samples")]
        let share = place - before as f64;
        straight(self.samples[before], self.samples[before + 1], share)
    }
}

/// A stage begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Index into the plan's stages.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// When it began, on the engine's own clock.
    pub at: At,
}

/// Who changed the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A person, with a key.
    You,
    /// A safety rule.
    Safety,
    /// The plan itself: a burst that ended, the last stage that ended.
    Plan,
}

/// A change of load that has been made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Who.
    pub by: By,
    /// What, in the words of the keys: `set`, `burst`, `hold`, `profile`, `next`, `pause`,
    /// `resume`, `zero`, `undo`; and `burst over`.
    pub what: String,
    /// Requests a second (or users) before.
    pub from: f64,
    /// The same after.
    pub to: f64,
    /// Why, where it was not a person's wish.
    pub reason: Option<String>,
    /// When it took effect, on the engine's own clock.
    pub at: At,
}

/// A note for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The moment that it is about.
    pub about: At,
    /// What it says.
    pub text: String,
}

/// A change in the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// What, as `create services.serving.knative.dev default/hello`.
    pub what: String,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The plan is done.
    Completed,
    /// A person stopped it.
    Stopped,
    /// The target or the cluster was lost.
    Lost,
}

/// The run ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Why, where it is not plain.
    pub reason: Option<String>,
    /// What our own process used.
    pub client: Option<Client>,
}

/// What our own process used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// CPU seconds, user and system.
    pub cpu_s: f64,
    /// Largest resident set, in bytes.
    pub rss_max_bytes: u64,
    /// Bytes written to the terminal.
    pub terminal_bytes: u64,
    /// Frames drawn.
    pub frames: u64,
    /// CPU seconds by the name of the threads that were there at the end; those of the load have
    /// ended before, and stand in its intervals.
    #[serde(default)]
    pub threads: BTreeMap<String, f64>,
}
