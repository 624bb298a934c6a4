//! What came of a decision in one sentence, what would have made it another, and what comes next.

use crate::kpa::Mode;
use crate::kpa::decide::panic_line;
use crate::kpa::explain::Piece;
use crate::kpa::explain::Sentence;
use crate::kpa::explain::division;
use crate::kpa::explain::exact;
use crate::kpa::explain::number;
use crate::kpa::reconcile::Gate;

use super::Kind;
use super::Known;
use super::Question;
use super::as_f64;
use super::number_up;
use super::plural;
use super::secs;
use super::whole_up;

impl Known<'_> {
    /// `50 concurrent ÷ (10 × 70 % = 7) = 7.14: 8 pods (not 5: the target is utilised to 70 %)`
    pub(super) fn headline(&self) -> Vec<Piece> {
        let mut text = Sentence::default();
        let (_, average, wanted) = self.governs;
        if average <= 0.0 {
            text.number(&format!("no load in the last {} s", self.governing_window().as_secs()));
            text.words(": ");
            text.number("0 wanted");
        } else {
            let (dividend, quotient) = division(average, self.steps.target);
            text.number(&format!("{dividend} {}", self.unit()));
            if self.governs.0 == Kind::Panic {
                text.words(&format!(" over {} s", self.config.panic_window.as_secs()));
            }
            text.words(&format!(
                ", target {} × {} = ",
                number(self.config.total_value),
                number(self.config.target_utilization)
            ));
            let target = number(self.steps.target);
            text.number(&target);
            text.words(&format!(": {dividend} ÷ {target} = {quotient}, "));
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

    /// `58.43 ÷ 7 = 8.35, cut to 4 by max-scale`
    pub(super) fn brief(&self) -> Vec<Piece> {
        let mut text = Sentence::default();
        let (average, target) = (self.governs.1, self.steps.target);
        let (dividend, quotient) = division(average, target);
        // Points stand below each other, but where more digits are needed.
        let is_brief = dividend == exact(average);
        let dividend = if is_brief { format!("{average:.2}") } else { dividend };
        text.number(&format!("{dividend:>7} ÷ {} = {quotient}", number(target)));
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
    pub(super) fn otherwise(&self) -> Vec<Piece> {
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
                self.grows(&mut text, i64::from(steps.desired));
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
                text.words("; each tick may at the most divide the ready pods by ");
                text.number(&number(config.max_scale_down_rate));
            }
            Kind::ToZero => text.words("the load is gone; only the gates to zero are left"),
            _ => self.other_target(&mut text),
        }
        text.0
    }

    /// Which target, utilisation or load gives other numbers.
    fn other_target(&self, text: &mut Sentence) {
        let wanted = self.governs.2;
        let utilization = self.config.target_utilization;
        // In panic either average may ask for the pods, and a target must satisfy both.
        let observed = self.steps.observed;
        let average = if self.decision.panicking() {
            observed.stable.max(observed.panic)
        } else {
            observed.stable
        };
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
        }
        self.grows(text, wanted);
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

    /// `; 9 above 56 concurrent`
    fn grows(&self, text: &mut Sentence, wanted: i64) {
        if !text.0.is_empty() {
            text.words("; ");
        }
        text.number(&(wanted + 1).to_string());
        let above = number(as_f64(wanted) * self.steps.target);
        text.words(&format!(" above {above} {}", self.unit()));
    }

    pub(super) fn outlook(&self) -> Vec<(Question, Vec<Piece>)> {
        let mut all = Vec::new();
        if let Some(ends) = self.decision.panic_ends {
            let mut text = Sentence::default();
            let left = ends.since(self.decision.at);
            if left.is_zero() {
                text.number("at the next tick at the earliest");
            } else {
                text.number(&format!("in {} at the earliest", secs(left)));
            }
            let line =
                panic_line(self.config.panic_threshold, self.steps.target, self.decision.ready);
            text.words(&format!(
                ": one window after the threshold was last reached; above {} it begins anew",
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
        let enough = f64::from(pods.saturating_sub(1)) * self.steps.target;
        let is_enough = 1 < pods && self.steps.observed.stable <= enough;
        if self.decision.panicking() {
            text.words(if is_enough { "when panic ends: " } else { "not in panic; then " });
        }
        if pods <= 1 {
            text.words("see to zero");
            return text;
        }
        let floor = self.config.activation_scale;
        if 1 < floor && pods <= floor {
            text.words("when nothing is asked for: activation-scale keeps ");
            text.number(&floor.to_string());
            return text;
        }
        let window = self.config.stable_window.as_secs();
        let now = number(self.steps.observed.stable);
        if self.decision.panicking() && is_enough {
            text.words(&format!("the {window} s average is {now}, and at most "));
            text.number(&number(enough));
            text.words(" is enough");
        } else {
            text.words(&format!("when the {window} s average is at most "));
            text.number(&number(enough));
            text.words(&format!(", now {now}"));
        }
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
        text.words(" without a request, with the activator in the path for ");
        text.number(&secs(grace));
        text.words(" by then");
        match self.outcome.map(|after| after.mode) {
            Some(Mode::Proxy) => text.words(" (asks for mode Proxy)"),
            Some(Mode::Serve) => text.words(" (asks for mode Serve)"),
            None => {}
        }
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
