//! One decision as one sentence, made of numbers.
//!
//! The sentence comes in pieces with roles, not styles, so that a screen can stress what matters
//! and a report can join them.

mod steps;

use std::time::Duration;

pub use steps::After;
pub use steps::Explanation;
pub use steps::Kind;
pub use steps::Question;
pub use steps::Step;
pub use steps::Subject;
pub use steps::steps;

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::config::Metric;
use crate::kpa::decide::PanicLine;
use crate::kpa::decide::Turn;
use crate::kpa::decide::panic_line;

/// A part of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it says, with the spaces around it.
    pub text: String,
    /// What it is.
    pub role: Role,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Words between the numbers.
    Words,
    /// A number that was measured or computed.
    Number,
    /// What bound the wish: a rate, a bound, a delay.
    Limit,
    /// That it panics.
    Panic,
    /// That something is not known.
    Unknown,
}

/// What is known of a tick: from a [`Decision`], or from what an autoscaler exports.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The revision's parameters.
    pub config: &'a Config,
    /// Average over the stable window, of the whole revision.
    pub stable: Option<f64>,
    /// Average over the panic window, of the whole revision.
    pub panic: Option<f64>,
    /// What one pod is to bear; an autoscaler that has not decided yet exports 0.
    pub target: Option<f64>,
    /// Ready pods.
    pub ready: Option<u32>,
    /// Whether it panics.
    pub panicking: Option<bool>,
    /// Whether this is the tick at which panic began.
    pub panic_began: bool,
    /// What the decider wants, before `min-scale` and `max-scale`.
    pub desired: Option<u32>,
}

/// The numbers that a sentence needs, all known.
struct Known<'a> {
    config: &'a Config,
    /// The average that governs, and its window.
    average: f64,
    window: Duration,
    target: f64,
    /// `ceil(average ÷ target)`.
    wanted: i64,
    ready: u32,
    desired: Option<u32>,
    line: PanicLine,
}

#[derive(Default)]
struct Sentence(Vec<Piece>);

// === impl Reading ===

impl<'a> Reading<'a> {
    /// What `decision`, made under `config`, says of itself.
    pub fn of(config: &'a Config, decision: &Decision) -> Self {
        let steps = decision.steps;
        Self {
            config,
            stable: steps.map(|steps| steps.observed.stable),
            panic: steps.map(|steps| steps.observed.panic),
            target: steps.map(|steps| steps.target),
            ready: Some(decision.ready),
            panicking: Some(decision.panicking()),
            panic_began: decision.turn == Turn::Entered,
            desired: decision.desired(),
        }
    }

    /// All that a sentence needs, or the names of what is missing.
    fn known(&self) -> Result<Known<'a>, Vec<&'static str>> {
        let in_panic = self.panicking == Some(true);
        let (name, average, window) = if in_panic {
            ("the panic average", self.panic, self.config.panic_window)
        } else {
            ("the stable average", self.stable, self.config.stable_window)
        };
        let target = self.target.filter(|target| 0.0 < *target);
        match (average.filter(|average| average.is_finite()), target, self.ready) {
            (Some(average), Some(target), Some(ready)) => Ok(Known {
                config: self.config,
                average,
                window,
                target,
                wanted: pods(average, target),
                ready,
                desired: self.desired,
                line: panic_line(self.config.panic_threshold, target, ready),
            }),
            (average, target, ready) => {
                let missing = [
                    (average.is_none(), name),
                    (target.is_none(), "the target"),
                    (ready.is_none(), "the ready pods"),
                ];
                Err(missing.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect())
            }
        }
    }
}

/// The sentence.
pub fn explain(reading: &Reading<'_>) -> Vec<Piece> {
    let mut sentence = Sentence::default();
    match reading.known() {
        Err(missing) => {
            sentence.add(Role::Unknown, "unknown");
            if reading.target.is_some_and(|target| target <= 0.0) {
                sentence.words(": the autoscaler has not decided yet");
            } else {
                sentence.words(": the autoscaler has not said ");
                sentence.words(&missing.join(" and "));
            }
        }
        Ok(known) => {
            sentence.load(&known);
            let scale = sentence.limits(&known, reading);
            sentence.words(", ");
            sentence.number(&format!("{} ready", known.ready));
            match reading.panicking {
                Some(true) => sentence.panic(&known, reading.panic_began),
                Some(false) => sentence.calm(&known, scale, reading.panic),
                None => {
                    sentence.words(": ");
                    sentence.add(Role::Unknown, "whether it panics is unknown");
                }
            }
        }
    }
    sentence.0
}

/// The sentence as one text.
pub fn plain(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}

// === impl Sentence ===

impl Sentence {
    /// `58.4 concurrent in the last 6 s ÷ 7 a pod → 9 wanted`
    fn load(&mut self, known: &Known<'_>) {
        let secs = known.window.as_secs();
        if known.average <= 0.0 {
            self.number("nothing");
            self.words(&format!(" in the last {secs} s → "));
        } else {
            let unit = match known.config.metric {
                Metric::Concurrency => "concurrent",
                Metric::Rps => "requests a second",
            };
            self.number(&format!("{} {unit}", number(known.average)));
            self.words(&format!(" in the last {secs} s ÷ "));
            self.number(&format!("{} a pod", number(known.target)));
            self.words(" → ");
        }
        self.number(&format!("{} wanted", known.wanted.max(0)));
    }

    /// What made something else of the wish; returns what is asked of Kubernetes, if it is known.
    fn limits(&mut self, known: &Known<'_>, reading: &Reading<'_>) -> Option<u32> {
        let desired = known.desired?;
        match i64::from(desired).cmp(&known.wanted.max(0)) {
            std::cmp::Ordering::Less => {
                self.limit(&format!("cut to {desired} by max-scale-up-rate"));
            }
            std::cmp::Ordering::Greater => {
                self.limit(&raised(known, desired, reading));
            }
            std::cmp::Ordering::Equal => {}
        }
        let least = known.config.min_scale_in_force();
        let most = known.config.max_scale.unwrap_or(u32::MAX);
        if desired < least {
            self.limit(&format!("kept at {least} by min-scale"));
            return Some(least);
        }
        if most < desired {
            self.limit(&format!("cut to {most} by max-scale"));
            return Some(most);
        }
        if desired == 0 && !known.config.enable_scale_to_zero {
            self.limit("kept at 1 since enable-scale-to-zero is false");
            return Some(1);
        }
        Some(desired)
    }

    fn panic(&mut self, known: &Known<'_>, began: bool) {
        self.words(": ");
        self.number(&times_ready(known.wanted, known.ready));
        self.words(", ");
        let threshold = number(known.config.panic_threshold);
        if began {
            self.add(Role::Panic, "panic begins");
            self.words(&format!(" at {threshold}×"));
        } else if known.line.wanted <= known.wanted {
            self.add(Role::Panic, "panic goes on");
            self.words(&format!(" at {threshold}× and above"));
        } else {
            self.add(Role::Panic, "panic is held");
            self.words(" by its window and would begin anew at ");
            self.number(&format!("{} wanted", known.line.wanted));
            self.words(&format!(" (above {})", number(known.line.above)));
        }
    }

    fn calm(&mut self, known: &Known<'_>, scale: Option<u32>, panic: Option<f64>) {
        self.words(": ");
        if scale == Some(0) && 0 < known.ready {
            let grace = known.config.scale_to_zero_grace_period;
            let retention = known.config.scale_to_zero_pod_retention_period;
            self.words("the last pod goes when the activator has been in the path for ");
            self.number(&format!("{} s", number(grace.as_secs_f64())));
            if !retention.is_zero() && known.config.reachable {
                self.words(", and not before ");
                self.number(&format!("{} s", number(retention.as_secs_f64())));
                self.words(" inactive");
            }
            return;
        }
        self.words(if known.ready == 0 { "at zero" } else { "calm" });
        self.words(", panic would begin at ");
        self.number(&format!("{} wanted", known.line.wanted));
        self.words(&format!(
            " (above {} in the last {} s",
            number(known.line.above),
            known.config.panic_window.as_secs()
        ));
        match panic.filter(|_| known.average != 0.0 || known.ready != 0) {
            Some(panic) => self.words(&format!(", now {})", number(panic))),
            None => self.words(")"),
        }
    }

    fn add(&mut self, role: Role, text: &str) {
        match self.0.last_mut() {
            Some(last) if last.role == role => last.text.push_str(text),
            _ => self.0.push(Piece { text: text.to_owned(), role }),
        }
    }

    fn words(&mut self, text: &str) {
        self.add(Role::Words, text);
    }

    fn number(&mut self, text: &str) {
        self.add(Role::Number, text);
    }

    fn limit(&mut self, text: &str) {
        self.words(", ");
        self.add(Role::Limit, text);
    }

    fn limit_alone(&mut self, text: &str) {
        self.add(Role::Limit, text);
    }

    fn panic_word(&mut self, text: &str) {
        self.add(Role::Panic, text);
    }

    fn unknown(&mut self, text: &str) {
        self.add(Role::Unknown, text);
    }
}

/// Why more pods are desired than the average asks for. Where two reasons would give the same
/// number the one that acts later in Knative is named.
fn raised(known: &Known<'_>, desired: u32, reading: &Reading<'_>) -> String {
    let config = known.config;
    let by_the_other = reading
        .stable
        .filter(|_| reading.panicking == Some(true))
        .is_some_and(|stable| i64::from(desired) <= pods(stable, known.target));
    let slowest = f64::from(known.ready.max(1)) / config.max_scale_down_rate;
    if by_the_other {
        format!("{desired} by the last {} s", config.stable_window.as_secs())
    } else if 1 < config.activation_scale && desired == config.activation_scale && 0 < known.wanted
    {
        format!("raised to {desired} by activation-scale")
    } else if reading.panicking == Some(true) {
        format!("kept at {desired} since panic lets no pod go")
    } else if config.reachable && f64::from(desired).total_cmp(&slowest.floor()).is_eq() {
        format!("kept at {desired} by max-scale-down-rate")
    } else if config.reachable && !config.scale_down_delay.is_zero() {
        format!("kept at {desired} by scale-down-delay")
    } else {
        format!("{desired} desired")
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
fn pods(average: f64, target: f64) -> i64 {
    (average / target).ceil() as i64
}

/// How many times as many pods are wanted as are ready.
#[expect(clippy::cast_precision_loss, reason = "pods are few")]
fn times_ready(wanted: i64, ready: u32) -> String {
    ratio(wanted.max(0) as f64 / f64::from(ready.max(1)))
}

/// `1.9×`, rounded. What counts is whether a threshold is reached, and most of them are whole: what
/// rounding would lift to one has a digit more, as `1.99×`.
pub fn ratio(ratio: f64) -> String {
    let tenths = format!("{ratio:.1}");
    let is_lifted = tenths.ends_with(".0") && ratio < ratio.round() - 1e-9;
    // The slack keeps 1.1 × 10 from becoming 10.999….
    if is_lifted {
        format!("{:.2}×", (ratio * 100.0 + 1e-7).floor() / 100.0)
    } else {
        tenths + "×"
    }
}

/// An average that somebody divides by hand: `58.43`, so that the quotient comes out as it is told.
fn exact(x: f64) -> String {
    let digits = if x.abs() < 100.0 { 2 } else { 1 };
    trimmed(format!("{x:.digits$}"))
}

/// A number with as many digits as one reads: `0.35`, `58.4`, `1330`.
fn number(x: f64) -> String {
    let digits = match x.abs() {
        x if x < 10.0 => 2,
        x if x < 1000.0 => 1,
        _ => 0,
    };
    trimmed(format!("{x:.digits$}"))
}

/// Digits after the point that anybody reads.
const DIGITS_MAX: usize = 6;

/// An average and what it comes to divided by `target`, which is rounded up: as exact as it has to
/// be that one sees to what. `49.003` and `7.0004`, which make 8; `just above 7` where no digits
/// show it.
fn division(average: f64, target: f64) -> (String, String) {
    let exactly = average / target;
    let shows = |text: &String, by: f64| {
        text.parse::<f64>().is_ok_and(|read| exactly.ceil() <= (read / by).ceil())
    };
    let exact_enough = |x: f64, brief: String, by: f64| {
        let longer = (0..=DIGITS_MAX).map(|digits| trimmed(format!("{x:.digits$}")));
        let longer = longer.filter(|text| brief.len() < text.len());
        std::iter::once(brief.clone()).chain(longer).find(|text| shows(text, by)).ok_or(brief)
    };
    let dividend = exact_enough(average, exact(average), target).unwrap_or_else(|brief| brief);
    let quotient = exact_enough(exactly, number(exactly), 1.0);
    (dividend, quotient.unwrap_or_else(|brief| format!("just above {brief}")))
}

fn trimmed(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
