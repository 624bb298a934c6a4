//! One decision step by step, in the order in which Knative computes, each step with its numbers.
//!
//! The step that bound the result is marked, and a last sentence says what would have made it
//! another. All is data, for a screen, a report and a machine alike.

use std::time::Duration;

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Mode;
use crate::kpa::config::Burst;
use crate::kpa::config::Metric;
use crate::kpa::decide::Steps;
use crate::kpa::decide::Turn;
use crate::kpa::decide::panic_line;
use crate::kpa::reconcile::Gate;
use crate::kpa::window::Aggregation;
use crate::units::At;

use super::Piece;
use super::Sentence;
use super::number;
use super::ratio;

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
    /// The steps.
    pub steps: Vec<Step>,
    /// What would have to change for another outcome.
    pub otherwise: Vec<Piece>,
    /// What it waits for, and when that comes: one question each, with its answer.
    pub outlook: Vec<(Question, Vec<Piece>)>,
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
        steps: known.steps(),
        otherwise: known.otherwise(),
        outlook: known.outlook(),
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
        headline: headline.0,
        steps: Vec::new(),
        otherwise: Vec::new(),
        outlook: vec![(Question::WaitsFor, waits.0)],
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
            Some(want) if clamped < want && want == config.initial_scale => want,
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

    /// `stable 33.7 over 60 s, panic 58.4 over 6 s, 9 ready`
    fn observed(&self) -> Sentence {
        let mut text = Sentence::default();
        text.number(&format!("{} {}", number(self.steps.observed.stable), self.unit()));
        text.words(&format!(" over {} s, ", self.config.stable_window.as_secs()));
        text.number(&number(self.steps.observed.panic));
        text.words(&format!(" over {} s", self.config.panic_window.as_secs()));
        if self.config.aggregation == Aggregation::WeightedExponential {
            text.words(", newer seconds weigh more");
        }
        text.words(", ");
        text.number(&format!("{} ready", self.decision.ready));
        text
    }

    /// `10 × 70 % = 7`
    fn target(&self) -> Sentence {
        let mut text = Sentence::default();
        text.number(&number(self.config.total_value));
        text.words(&format!(" × {} % = ", number(self.config.target_utilization * 100.0)));
        text.number(&number(self.steps.target));
        text
    }

    /// `58.4 ÷ 7 = 8.34 → 9`
    fn division(&self, average: f64, wanted: i64) -> Sentence {
        let mut text = Sentence::default();
        text.number(&number(average));
        text.words(&format!(" ÷ {} = ", number(self.steps.target)));
        text.words(&format!("{}, rounded up: ", number(average / self.steps.target)));
        text.number(&wanted.max(0).to_string());
        text
    }

    /// `from 4 (9 ÷ 2) to 9000 (9 × 1000): 9 stays`
    fn rates(&self) -> Sentence {
        let mut text = Sentence::default();
        let (steps, config) = (self.steps, self.config);
        let ready = self.decision.ready.max(1);
        if config.reachable {
            text.words(&format!(
                "from {} ({ready} ÷ {}) ",
                steps.max_down,
                number(config.max_scale_down_rate)
            ));
        } else {
            text.words("no route leads here, so all may go; ");
        }
        text.words(&format!(
            "to {} ({ready} × {}): ",
            steps.max_up,
            number(config.max_scale_up_rate)
        ));
        let (asked, rated) = (self.governs.2.max(0), self.rated());
        match rated.cmp(&asked) {
            std::cmp::Ordering::Less => text.limit_alone(&format!("{asked} cut to {rated}")),
            std::cmp::Ordering::Greater => text.limit_alone(&format!("{asked} kept at {rated}")),
            std::cmp::Ordering::Equal => text.number(&format!("{rated} is within")),
        }
        text
    }

    fn activation(&self) -> Sentence {
        let mut text = Sentence::default();
        let floor = self.config.activation_scale;
        text.words("while there is load, at least ");
        text.number(&floor.to_string());
        text
    }

    /// `9 ÷ 1 ready = 9.0×, threshold 2×: panic begins`
    fn state(&self) -> Sentence {
        let mut text = Sentence::default();
        let (steps, config) = (self.steps, self.config);
        let threshold = number(config.panic_threshold);
        text.number(&steps.desired_panic.max(0).to_string());
        text.words(&format!(" ÷ {} ready = ", self.decision.ready.max(1)));
        text.number(&ratio(steps.desired_panic, self.decision.ready));
        text.words(&format!(" of {threshold}×: "));
        match self.decision.turn {
            Turn::Entered => text.panic_word("panic begins"),
            Turn::Extended => text.panic_word("panic goes on"),
            Turn::Held => text.panic_word("below, held for a window"),
            Turn::Left => text.number("panic ends: one window below it"),
            Turn::Calm => text.number("calm"),
        }
        text
    }

    fn held(&self) -> Sentence {
        let mut text = Sentence::default();
        let steps = self.steps;
        if self.decision.panicking() {
            text.words(&format!(
                "the larger of {} and {}, never fewer than before in it: ",
                steps.want_stable, steps.want_panic
            ));
        } else {
            text.words("calm, so the stable average counts: ");
        }
        text.number(&steps.undelayed.to_string());
        text
    }

    fn delay(&self) -> Sentence {
        let mut text = Sentence::default();
        let secs = self.config.scale_down_delay.as_secs();
        if self.config.reachable {
            text.words(&format!("the most that was wanted in the last {secs} s: "));
        } else {
            text.words("no route leads here, so there is none: ");
        }
        text.number(&self.steps.desired.to_string());
        text
    }

    fn bounds(&self) -> Sentence {
        let mut text = Sentence::default();
        let (least, desired) = (self.config.min_scale_in_force(), self.steps.desired);
        match self.config.max_scale {
            Some(most) => text.words(&format!("from {least} to {most}: ")),
            None => text.words(&format!("from {least}, no upper bound: ")),
        }
        match self.bounded.cmp(&desired) {
            std::cmp::Ordering::Less => {
                text.limit_alone(&format!("{desired} cut to {} by max-scale", self.bounded));
            }
            std::cmp::Ordering::Greater if self.bounded == least => {
                text.limit_alone(&format!("{desired} raised to {least} by min-scale"));
            }
            std::cmp::Ordering::Greater => {
                text.limit_alone(&format!("{desired} raised to {} by initial-scale", self.bounded));
            }
            std::cmp::Ordering::Equal => text.number(&format!("{desired} is within")),
        }
        text
    }

    /// What stands before zero; `None` while zero is not wished for.
    fn to_zero(&self) -> Option<Sentence> {
        let gate = self.outcome.filter(|_| self.bounded == 0)?.gate;
        let mut text = Sentence::default();
        match gate {
            Gate::Wanted => return None,
            Gate::Unknown => text.unknown("not known yet"),
            Gate::Disabled => text.limit_alone("enable-scale-to-zero is false: 1 stays"),
            Gate::Activating => text.words("it is being activated, and must become active first"),
            Gate::TimedOut(after) => {
                text.limit_alone(&format!("it did not become active within {}: to 0", secs(after)));
            }
            Gate::Deactivate(so_long) => {
                text.words("active for ");
                text.number(&secs(so_long));
                text.words(" without load: it becomes inactive, and the activator comes before it");
            }
            Gate::Sleep(missing) => {
                text.limit_alone("1 stays");
                text.words(": active for less than one window; ");
                text.number(&secs(missing));
                text.words(" are missing");
            }
            Gate::NotBacked => {
                text.limit_alone("the last pod stays");
                text.words(" until the activator answers for the service");
            }
            Gate::Idle => text.number("idle for long enough: to 0"),
            Gate::Retained(so_long, retention) => {
                text.limit_alone("the last pod is retained");
                text.words(&format!(": {} of {}", secs(so_long), secs(retention)));
            }
            Gate::FastPath(so_long) => {
                text.words("the activator has been in the path for ");
                text.number(&secs(so_long));
                text.words(": to 0");
            }
            Gate::Wait(missing) => {
                text.limit_alone("the last pod stays");
                text.words(" until the activator has been in the path for ");
                text.number(&secs(self.config.scale_to_zero_grace_period));
                text.words(&format!("; {} are missing", secs(missing)));
            }
        }
        Some(text)
    }

    /// `9 ready × 10 − 211 − 58.4 = −180: the activator stays in the path`
    fn burst(&self) -> Sentence {
        let mut text = Sentence::default();
        let ebc = self.steps.excess_burst_capacity;
        match self.config.burst() {
            Burst::Unlimited => {
                text.words("target-burst-capacity is −1: ");
                text.number("always in the path");
                return text;
            }
            Burst::None => {
                text.words("target-burst-capacity is 0: ");
                text.number("in the path only at zero");
                return text;
            }
            Burst::Of(burst) => {
                text.number(&format!("{} ready", self.decision.ready));
                text.words(&format!(
                    " × {} − {} − {} = ",
                    number(self.config.total_value),
                    number(burst),
                    number(self.steps.observed.panic)
                ));
                text.number(&signed(ebc));
                text.words(": ");
            }
        }
        let is_at_zero = self.pods == Some(0);
        text.number(if ebc < 0 || is_at_zero { "stays in the path" } else { "leaves the path" });
        text
    }

    fn unit(&self) -> &'static str {
        match self.config.metric {
            Metric::Concurrency => "concurrent",
            Metric::Rps => "requests a second",
        }
    }

    /// `50 concurrent ÷ (10 × 70 % = 7) = 7.14: 8 pods (not 5: the target is utilised to 70 %)`
    fn headline(&self) -> Vec<Piece> {
        let mut text = Sentence::default();
        let (_, average, wanted) = self.governs;
        if average <= 0.0 {
            text.number(&format!("no load in the last {} s", self.governing_window().as_secs()));
            text.words(": ");
            text.number("0 wanted");
        } else {
            text.number(&format!("{} {}", number(average), self.unit()));
            text.words(&format!(
                ", target {} × {} = ",
                number(self.config.total_value),
                number(self.config.target_utilization)
            ));
            text.number(&number(self.steps.target));
            text.words(&format!(
                ": {} / {} = {}, ",
                number(average),
                number(self.steps.target),
                number(average / self.steps.target)
            ));
            text.number(&plural(
                wanted.max(0),
                if self.bound_by == self.governs.0 { "" } else { "wanted" },
            ));
        }
        let naive = whole_up(average / self.config.total_value);
        if self.bound_by == self.governs.0 && naive < wanted {
            text.words(&format!(
                " (not {naive}: the target is utilised to {} %)",
                number(self.config.target_utilization * 100.0)
            ));
        }
        self.limit(&mut text);
        text.0
    }

    /// What made another number of the wish.
    fn limit(&self, text: &mut Sentence) {
        let (steps, config) = (self.steps, self.config);
        match self.bound_by {
            Kind::Bounds if self.bounded < steps.desired => {
                if i64::from(steps.desired) != self.governs.2 {
                    text.words(&format!(", {} after the rates and panic", steps.desired));
                }
                text.limit(&format!("cut to {} by max-scale", self.bounded));
            }
            Kind::Bounds if self.bounded == config.min_scale_in_force() => {
                text.limit(&format!("kept at {} by min-scale", self.bounded));
            }
            Kind::Bounds => text.limit(&format!("kept at {} by initial-scale", self.bounded)),
            Kind::Delay => text.limit(&format!("kept at {} by scale-down-delay", steps.desired)),
            Kind::Held => {
                text.limit(&format!("kept at {} since panic lets no pod go", steps.desired));
            }
            Kind::Activation => {
                text.limit(&format!("raised to {} by activation-scale", steps.desired));
            }
            Kind::Rates if i64::from(steps.desired) < self.governs.2 => {
                text.limit(&format!("cut to {} by max-scale-up-rate", steps.desired));
            }
            Kind::Rates => {
                text.limit(&format!("kept at {} by max-scale-down-rate", steps.desired));
            }
            Kind::ToZero => match self.pods {
                Some(pods) if 0 < pods => text.limit(&format!("kept at {pods} for now")),
                _ => text.limit("the last pod stays for now"),
            },
            _ => {}
        }
    }

    /// What would have made it another number of pods.
    fn otherwise(&self) -> Vec<Piece> {
        let mut text = Sentence::default();
        let (steps, config) = (self.steps, self.config);
        let alone = |text: &mut Sentence| {
            text.words("the averages alone want ");
            text.number(&self.governs.2.max(0).to_string());
        };
        match self.bound_by {
            Kind::Bounds if self.bounded < steps.desired => {
                text.words("with ");
                text.number(&format!("max-scale {}", steps.desired));
                text.words(" or more it would be ");
                text.number(&steps.desired.to_string());
            }
            Kind::Bounds => {
                text.words("without that bound it would be ");
                text.number(&steps.desired.to_string());
            }
            Kind::Delay => {
                text.words("without scale-down-delay it would be ");
                text.number(&steps.undelayed.to_string());
            }
            Kind::Held => {
                alone(&mut text);
                text.words("; a higher panic-threshold-percentage would panic later, a shorter window end it sooner");
            }
            Kind::Activation => {
                text.words("without activation-scale it would be ");
                text.number(&self.rated().to_string());
            }
            Kind::Rates if i64::from(steps.desired) < self.governs.2 => {
                alone(&mut text);
                text.words("; the next tick may grow again, from the pods that are ready then");
            }
            Kind::Rates => {
                alone(&mut text);
                text.words("; each tick may only go from the ready pods to their ");
                text.number(&format!("{}th part", number(config.max_scale_down_rate)));
            }
            Kind::ToZero => text.words("the load is gone; only the gates to zero are left"),
            _ => self.other_target(&mut text),
        }
        text.0
    }

    /// Which target, utilisation or load gives other numbers.
    fn other_target(&self, text: &mut Sentence) {
        let (_, average, wanted) = self.governs;
        let utilization = self.config.target_utilization;
        if average <= 0.0 {
            text.words("the first request makes it 1");
            return;
        }
        let naive = whole_up(average / self.config.total_value);
        if naive < wanted {
            text.number(&naive.to_string());
            text.words(" with ");
            text.number(&format!("target {}", number_up(average / as_f64(naive) / utilization)));
            text.words(&format!(
                " or target-utilization-percentage {}",
                number_up((average / as_f64(naive) / self.config.total_value * 100.0).min(100.0))
            ));
            text.words("; ");
        }
        text.number(&(wanted + 1).to_string());
        text.words(&format!(
            " above {} {}",
            number(as_f64(wanted) * self.steps.target),
            self.unit()
        ));
        if 1 < wanted {
            text.words(", ");
            text.number(&(wanted - 1).to_string());
            text.words(&format!(" at {} or less", number(as_f64(wanted - 1) * self.steps.target)));
        }
        if !self.decision.panicking() {
            let line =
                panic_line(self.config.panic_threshold, self.steps.target, self.decision.ready);
            text.words("; panic above ");
            text.number(&number(line.above));
            text.words(&format!(" in {} s", self.config.panic_window.as_secs()));
        }
    }

    fn governing_window(&self) -> Duration {
        match self.governs.0 {
            Kind::Panic => self.config.panic_window,
            _ => self.config.stable_window,
        }
    }

    fn outlook(&self) -> Vec<(Question, Vec<Piece>)> {
        let mut all = Vec::new();
        if let Some(ends) = self.panic_ends() {
            let mut text = Sentence::default();
            text.number(&format!("in {} at the earliest", secs(ends.since(self.decision.at))));
            let line =
                panic_line(self.config.panic_threshold, self.steps.target, self.decision.ready);
            text.words(&format!(
                ": one window after the threshold was last reached; {} wanted (above {}) begin it anew",
                line.wanted,
                number(line.above)
            ));
            all.push((Question::PanicEnds, text.0));
        }
        if 0 < self.decision.ready {
            all.push((Question::NextPodGoes, self.next_pod_goes().0));
            all.push((Question::ToZero, self.when_zero().0));
        }
        if let Some(waits) = self.waits_for() {
            all.push((Question::WaitsFor, waits.0));
        }
        all
    }

    /// When panic ends at the earliest: at the first tick more than one stable window after the
    /// threshold was last reached.
    fn panic_ends(&self) -> Option<At> {
        self.decision.panic_since.map(|since| since + self.config.stable_window)
    }

    fn next_pod_goes(&self) -> Sentence {
        let mut text = Sentence::default();
        let pods = self.pods.unwrap_or(self.bounded);
        if pods < self.decision.ready {
            text.number("now");
            text.words(&format!(": {pods} asked for, {} ready", self.decision.ready));
            return text;
        }
        let least = self.config.min_scale_in_force();
        if pods <= least {
            text.limit_alone(&format!("never below min-scale {least}"));
            return text;
        }
        if self.decision.panicking() {
            text.words("not in panic; then ");
        }
        if pods <= 1 {
            text.words("see to zero");
            return text;
        }
        text.words(&format!(
            "when the {} s average is at most ",
            self.config.stable_window.as_secs()
        ));
        text.number(&number(f64::from(pods - 1) * self.steps.target));
        text.words(&format!(", now {}", number(self.steps.observed.stable)));
        if !self.config.scale_down_delay.is_zero() && self.config.reachable {
            text.words(&format!(", for {}", secs(self.config.scale_down_delay)));
        }
        text
    }

    fn when_zero(&self) -> Sentence {
        let mut text = Sentence::default();
        let config = self.config;
        if 0 < config.min_scale_in_force() {
            text.limit_alone(&format!("never: min-scale {}", config.min_scale_in_force()));
            return text;
        }
        if !config.enable_scale_to_zero {
            text.limit_alone("never: enable-scale-to-zero is false");
            return text;
        }
        if self.pods == Some(0) {
            text.number("now");
            return text;
        }
        let grace = config.scale_to_zero_grace_period;
        let retention = config.scale_to_zero_pod_retention_period;
        text.number(&secs(config.stable_window));
        text.words(" without a request, then when the activator has been in the path for ");
        text.number(&secs(grace));
        if !retention.is_zero() && config.reachable {
            text.words(", and not before ");
            text.number(&secs(retention));
            text.words(" inactive");
        }
        text
    }

    /// What the service waits for.
    fn waits_for(&self) -> Option<Sentence> {
        let mut text = Sentence::default();
        let pods = self.pods.unwrap_or(self.bounded);
        if self.decision.ready < pods {
            text.number(&plural(i64::from(pods - self.decision.ready), ""));
            text.words(" to become ready");
        } else if self.bound_by == Kind::Delay {
            text.words("the scale-down delay to pass");
        } else if let Some(Gate::Wait(missing) | Gate::Sleep(missing)) =
            self.outcome.filter(|_| self.bounded == 0).map(|after| after.gate)
        {
            text.number(&secs(missing));
            text.words(" of grace before the last pod goes");
        } else if self.bounded == 0 && 0 < self.decision.ready {
            text.words("the activator to take over from the last pod");
        } else {
            return None;
        }
        Some(text)
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
