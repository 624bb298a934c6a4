//! One decision step by step, in the order in which Knative computes, each step with its numbers.
//!
//! The step that bound the result is marked, and a last sentence says what would have made it
//! another. All is data, for a screen, a report and a machine alike.

mod formulas;
mod outlook;

use std::time::Duration;

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Mode;
use crate::kpa::config::Metric;
use crate::kpa::decide::Steps;
use crate::kpa::reconcile::Gate;
use crate::kpa::window::Aggregation;
use crate::units::At;

use super::Piece;
use super::Sentence;
use super::number;

/// A tick to be explained.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The parameters in force.
    pub config: &'a Config,
    /// What the decider came to.
    pub decision: &'a Decision,
    /// What the reconciler made of it; `None` where its view is not known: then the bounds are
    /// applied, and nothing is said of the way to zero.
    pub outcome: Option<After>,
}

/// What the reconciler made of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// The scale after bounds and the way to zero; `None`: unknown.
    pub want: Option<u32>,
    /// What stood between a wished zero and zero replicas.
    pub gate: Gate,
    /// The mode that is asked for.
    pub mode: Mode,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub kind: Kind,
    /// Its formula in numbers.
    pub formula: Vec<Piece>,
    /// Pods that it comes to, where it comes to pods.
    pub pods: Option<i64>,
    /// The settings that it uses, by the names of [`crate::kpa::config::Setting`].
    pub uses: Vec<&'static str>,
    /// Whether it bound the result.
    pub binds: bool,
}

/// The steps, in Knative's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The averages over both windows.
    Observed,
    /// What one pod is to bear.
    Target,
    /// Pods that the stable average asks for.
    Stable,
    /// Pods that the panic average asks for.
    Panic,
    /// What the rates allow.
    Rates,
    /// The floor while there is load.
    Activation,
    /// Whether it panics.
    State,
    /// What panic holds.
    Held,
    /// What the scale-down delay holds.
    Delay,
    /// `min-scale` and `max-scale`.
    Bounds,
    /// The gates before zero.
    ToZero,
    /// Whether the activator stays in the path.
    Burst,
}

/// A decision, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// In one sentence: what came of it.
    pub headline: Vec<Piece>,
    /// The quotient alone and what bound it, as one of many lines.
    pub brief: Vec<Piece>,
    /// The steps.
    pub steps: Vec<Step>,
    /// What would have to change for another outcome.
    pub otherwise: Vec<Piece>,
    /// What it waits for, and when that comes: one question each, with its answer.
    pub outlook: Vec<(Question, Vec<Piece>)>,
    /// When panic ends at the earliest; `None`: there is none, or it may end at the next tick.
    pub panic_ends: Option<At>,
    /// The step that bound the result; `None` without data.
    pub bound_by: Option<Kind>,
    /// Pods that are asked for in the end; `None` is not known.
    pub pods: Option<u32>,
}

/// What people ask about the time to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// When panic ends at the earliest.
    PanicEnds,
    /// When the next pod goes.
    NextPodGoes,
    /// When it scales to zero.
    ToZero,
    /// What it waits for.
    WaitsFor,
}

/// What every step needs.
struct Known<'a> {
    config: &'a Config,
    decision: &'a Decision,
    steps: &'a Steps,
    outcome: Option<After>,
    /// The average that governs the result, and the pods that it asks for.
    governs: (Kind, f64, i64),
    /// After `min-scale` and `max-scale`.
    bounded: u32,
    /// After the way to zero.
    pods: Option<u32>,
    bound_by: Kind,
}

// === impl Kind ===

impl Kind {
    /// All, in order.
    pub const ALL: [Self; 12] = [
        Self::Observed,
        Self::Target,
        Self::Stable,
        Self::Panic,
        Self::Rates,
        Self::Activation,
        Self::State,
        Self::Held,
        Self::Delay,
        Self::Bounds,
        Self::ToZero,
        Self::Burst,
    ];

    /// Its name, for a screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Target => "target a pod",
            Self::Stable => "stable wants",
            Self::Panic => "panic wants",
            Self::Rates => "rate limits",
            Self::Activation => "activation",
            Self::State => "panic?",
            Self::Held => "held by panic",
            Self::Delay => "delay",
            Self::Bounds => "min and max",
            Self::ToZero => "to zero",
            Self::Burst => "activator",
        }
    }

    /// Its name, for a machine.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Target => "target",
            Self::Stable => "stable",
            Self::Panic => "panic",
            Self::Rates => "rates",
            Self::Activation => "activation_scale",
            Self::State => "panic_state",
            Self::Held => "panic_hold",
            Self::Delay => "scale_down_delay",
            Self::Bounds => "bounds",
            Self::ToZero => "scale_to_zero",
            Self::Burst => "excess_burst_capacity",
        }
    }
}

// === impl Question ===

impl Question {
    /// As a person asks.
    pub const fn title(self) -> &'static str {
        match self {
            Self::PanicEnds => "panic ends",
            Self::NextPodGoes => "a pod goes",
            Self::ToZero => "to zero",
            Self::WaitsFor => "waits for",
        }
    }

    /// As a machine does.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PanicEnds => "panic_ends",
            Self::NextPodGoes => "next_pod_goes",
            Self::ToZero => "to_zero",
            Self::WaitsFor => "waits_for",
        }
    }
}

/// The steps of a tick.
pub fn steps(subject: &Subject<'_>) -> Explanation {
    let Some(known) = Known::of(subject) else { return without_data(subject) };
    Explanation {
        headline: known.headline(),
        brief: known.brief(),
        steps: known.steps(),
        otherwise: known.otherwise(),
        outlook: known.outlook(),
        panic_ends: known.decision.panic_ends.filter(|ends| known.decision.at < *ends),
        bound_by: Some(known.bound_by),
        pods: known.pods,
    }
}

/// A tick without data changes nothing.
fn without_data(subject: &Subject<'_>) -> Explanation {
    let mut headline = Sentence::default();
    headline.number("no data");
    headline.words(&format!(
        ": nothing came from pods or activators for {} s, so the tick changes nothing",
        subject.config.stable_window.as_secs()
    ));
    let mut waits = Sentence::default();
    if subject.decision.ready == 0 {
        waits.words("the first request: the activator reports it, and a tick is made at once");
    } else {
        waits.words("a scrape of a ready pod, which is tried each second");
    }
    Explanation {
        brief: headline.0.clone(),
        headline: headline.0,
        steps: Vec::new(),
        otherwise: Vec::new(),
        outlook: vec![(Question::WaitsFor, waits.0)],
        panic_ends: None,
        bound_by: None,
        pods: subject.outcome.and_then(|after| after.want),
    }
}

// === impl Known ===

impl<'a> Known<'a> {
    fn of(subject: &Subject<'a>) -> Option<Self> {
        let steps = subject.decision.steps.as_ref()?;
        let config = subject.config;
        let by_panic = subject.decision.panicking() && steps.desired_stable < steps.desired_panic;
        let governs = if by_panic {
            (Kind::Panic, steps.observed.panic, steps.desired_panic)
        } else {
            (Kind::Stable, steps.observed.stable, steps.desired_stable)
        };
        let least = config.min_scale_in_force();
        let most = config.max_scale.unwrap_or(u32::MAX);
        let clamped = if steps.desired < least { least } else { steps.desired.min(most) };
        // Before a revision was ever ready it begins with initial-scale pods.
        let bounded = match subject.outcome.and_then(|after| after.want) {
            Some(want)
                if 1 < config.initial_scale && clamped < want && want == config.initial_scale =>
            {
                want
            }
            _ => clamped,
        };
        let pods = match subject.outcome {
            Some(after) => after.want.or(Some(bounded).filter(|_| 0 < bounded)),
            None => Some(bounded),
        };
        let mut known = Self {
            config,
            decision: subject.decision,
            steps,
            outcome: subject.outcome,
            governs,
            bounded,
            pods,
            bound_by: governs.0,
        };
        known.bound_by = known.binds();
        Some(known)
    }

    /// The step that made the number what it is: the last that changed it.
    fn binds(&self) -> Kind {
        let steps = self.steps;
        let is_kept_from_zero = self.bounded == 0
            && self.outcome.is_some_and(|after| {
                !matches!(after.gate, Gate::Wanted | Gate::Idle | Gate::FastPath(_))
            });
        let wants = if self.decision.panicking() {
            steps.want_stable.max(steps.want_panic)
        } else {
            steps.want_stable
        };
        let rated = self.rated();
        if is_kept_from_zero {
            Kind::ToZero
        } else if self.bounded != steps.desired {
            Kind::Bounds
        } else if steps.desired != steps.undelayed {
            Kind::Delay
        } else if steps.undelayed != wants {
            Kind::Held
        } else if i64::from(wants) != rated {
            Kind::Activation
        } else if rated != self.governs.2.max(0) {
            Kind::Rates
        } else {
            self.governs.0
        }
    }

    /// What the governing average asks for, within the rates.
    fn rated(&self) -> i64 {
        let (up, down) = (i64::from(self.steps.max_up), i64::from(self.steps.max_down));
        self.governs.2.max(down).min(up)
    }

    fn steps(&self) -> Vec<Step> {
        let step =
            |kind: Kind, (formula, pods): (Sentence, Option<i64>), uses: &[&'static str]| Step {
                kind,
                formula: formula.0,
                pods,
                uses: uses.to_vec(),
                binds: kind == self.bound_by,
            };
        let steps = self.steps;
        let mut all = vec![
            step(Kind::Observed, (self.observed(), None), self.uses_of_observed()),
            step(Kind::Target, (self.target(), None), &["target", "target-utilization-percentage"]),
            step(
                Kind::Stable,
                (
                    self.division(steps.observed.stable, steps.desired_stable),
                    Some(steps.desired_stable),
                ),
                &["window"],
            ),
            step(
                Kind::Panic,
                (
                    self.division(steps.observed.panic, steps.desired_panic),
                    Some(steps.desired_panic),
                ),
                &["panic-window-percentage"],
            ),
            step(
                Kind::Rates,
                (self.rates(), Some(self.rated())),
                &["max-scale-up-rate", "max-scale-down-rate"],
            ),
        ];
        if 1 < self.config.activation_scale {
            let wants =
                steps.want_stable.max(if self.decision.panicking() { steps.want_panic } else { 0 });
            all.push(step(
                Kind::Activation,
                (self.activation(), Some(wants.into())),
                &["activation-scale"],
            ));
        }
        all.push(step(Kind::State, (self.state(), None), &["panic-threshold-percentage"]));
        all.push(step(Kind::Held, (self.held(), Some(steps.undelayed.into())), &[]));
        if !self.config.scale_down_delay.is_zero() {
            all.push(step(
                Kind::Delay,
                (self.delay(), Some(steps.desired.into())),
                &["scale-down-delay"],
            ));
        }
        all.push(step(
            Kind::Bounds,
            (self.bounds(), Some(self.bounded.into())),
            &["min-scale", "max-scale"],
        ));
        if let Some(formula) = self.to_zero() {
            let uses = [
                "enable-scale-to-zero",
                "scale-to-zero-grace-period",
                "scale-to-zero-pod-retention-period",
            ];
            all.push(step(Kind::ToZero, (formula, self.pods.map(i64::from)), &uses));
        }
        all.push(step(Kind::Burst, (self.burst(), None), &["target-burst-capacity"]));
        all
    }

    const fn uses_of_observed(&self) -> &'static [&'static str] {
        match self.config.aggregation {
            Aggregation::Linear => &["metric", "window", "panic-window-percentage"],
            Aggregation::WeightedExponential => {
                &["metric", "window", "panic-window-percentage", "metric-aggregation-algorithm"]
            }
        }
    }

    fn unit(&self) -> &'static str {
        match self.config.metric {
            Metric::Concurrency => "concurrent",
            Metric::Rps => "requests a second",
        }
    }

    fn governing_window(&self) -> Duration {
        match self.governs.0 {
            Kind::Panic => self.config.panic_window,
            _ => self.config.stable_window,
        }
    }
}

fn secs(span: Duration) -> String {
    format!("{} s", number(span.as_secs_f64()))
}

/// `1 pod`, `8 pods`, `8 wanted`.
fn plural(n: i64, word: &str) -> String {
    match (n, word) {
        (1, "") => "1 pod".to_owned(),
        (n, "") => format!("{n} pods"),
        (n, word) => format!("{n} {word}"),
    }
}

fn signed(n: i32) -> String {
    if n < 0 { format!("−{}", n.unsigned_abs()) } else { n.to_string() }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
fn whole_up(x: f64) -> i64 {
    (x.ceil() as i64).max(0)
}

#[expect(clippy::cast_precision_loss, reason = "pods are few")]
const fn as_f64(n: i64) -> f64 {
    n as f64
}

/// A number rounded up in its last digit, so that what is promised of it holds.
fn number_up(x: f64) -> String {
    number((x * 10.0 - 1e-9).ceil() / 10.0)
}
