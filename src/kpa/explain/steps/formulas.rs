//! Each step's formula, with its numbers.

use crate::kpa::config::Burst;
use crate::kpa::decide::Turn;
use crate::kpa::explain::Sentence;
use crate::kpa::explain::division;
use crate::kpa::explain::exact;
use crate::kpa::explain::number;
use crate::kpa::explain::times_ready;
use crate::kpa::reconcile::Gate;
use crate::kpa::window::Aggregation;

use super::Known;
use super::secs;
use super::signed;

impl Known<'_> {
    /// `stable 33.7 over 60 s, panic 58.4 over 6 s, 9 ready`
    pub(super) fn observed(&self) -> Sentence {
        let mut text = Sentence::default();
        text.number(&format!("{} {}", exact(self.steps.observed.stable), self.unit()));
        text.words(&format!(" over {} s, ", self.config.stable_window.as_secs()));
        text.number(&exact(self.steps.observed.panic));
        text.words(&format!(" over {} s", self.config.panic_window.as_secs()));
        if self.config.aggregation == Aggregation::WeightedExponential {
            text.words(", newer seconds weigh more");
        }
        text.words(", ");
        text.number(&format!("{} ready", self.decision.ready));
        text
    }

    /// `10 × 70 % = 7`
    pub(super) fn target(&self) -> Sentence {
        let mut text = Sentence::default();
        text.number(&number(self.config.total_value));
        text.words(&format!(" × {} % = ", number(self.config.target_utilization * 100.0)));
        text.number(&number(self.steps.target));
        text
    }

    /// `58.4 ÷ 7 = 8.34 → 9`
    pub(super) fn division(&self, average: f64, wanted: i64) -> Sentence {
        let mut text = Sentence::default();
        let (average, quotient) = division(average, self.steps.target);
        text.number(&average);
        text.words(&format!(" ÷ {} = ", number(self.steps.target)));
        text.words(&format!("{quotient}, rounded up: "));
        text.number(&wanted.max(0).to_string());
        text
    }

    /// `from 4 (9 ÷ 2) to 9000 (9 × 1000): 9 stays`
    pub(super) fn rates(&self) -> Sentence {
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

    pub(super) fn activation(&self) -> Sentence {
        let mut text = Sentence::default();
        let floor = self.config.activation_scale;
        text.words("while there is load, at least ");
        text.number(&floor.to_string());
        text
    }

    /// `9 ÷ 1 ready = 9.0×, threshold 2×: panic begins`
    pub(super) fn state(&self) -> Sentence {
        let mut text = Sentence::default();
        let (steps, config) = (self.steps, self.config);
        let threshold = number(config.panic_threshold);
        text.number(&steps.desired_panic.max(0).to_string());
        text.words(&match self.decision.ready {
            0 => " ÷ 1, as none is ready = ".to_owned(),
            ready => format!(" ÷ {ready} ready = "),
        });
        text.number(&times_ready(steps.desired_panic, self.decision.ready));
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

    pub(super) fn held(&self) -> Sentence {
        let mut text = Sentence::default();
        let steps = self.steps;
        if self.decision.panicking() {
            text.words(&format!(
                "the larger of {} and {}, never fewer than before in it: ",
                within_rates(steps.desired_stable, steps.want_stable),
                within_rates(steps.desired_panic, steps.want_panic)
            ));
        } else {
            text.words("calm, so the stable average counts: ");
        }
        text.number(&steps.undelayed.to_string());
        text
    }

    pub(super) fn delay(&self) -> Sentence {
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

    pub(super) fn bounds(&self) -> Sentence {
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
    pub(super) fn to_zero(&self) -> Option<Sentence> {
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
    pub(super) fn burst(&self) -> Sentence {
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
}

/// What an average wants, and what the rates leave of it, where that is another number.
fn within_rates(wanted: i64, rated: u32) -> String {
    if i64::from(rated) == wanted.max(0) {
        rated.to_string()
    } else {
        format!("{rated} (the rates make it of {})", wanted.max(0))
    }
}
