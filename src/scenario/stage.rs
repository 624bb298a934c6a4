//! One stage of load, and the shape that its amount takes.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// One stage: an amount over a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// Amount at its beginning: requests a second, or users. Of a sine the mean, of a spike the
    /// foot.
    pub from: f64,
    /// Amount at its end; equal to `from` when steady.
    pub to: f64,
    /// How the amount goes in between.
    #[serde(default)]
    pub shape: Shape,
}

/// How the amount of a stage goes.
///
/// ```text
///  linear        levels         sine          spike
///       ╱          ┌─          ╭╮              ╱╲
///     ╱          ┌─┘         ──╯│  ╭─        ╱  ╲
///   ╱          ──┘              ╰──╯        ╱    ╲
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Straight from `from` to `to`.
    #[default]
    Linear,
    /// One level after the other; the last one holds on.
    Levels {
        /// The amounts.
        levels: Vec<f64>,
        /// How long each lasts.
        each: Duration,
    },
    /// `from + amplitude × sin(2π × t / period)`.
    Sine {
        /// Not above `from`.
        amplitude: f64,
        /// The time of one wave.
        period: Duration,
    },
    /// Straight up from `from` to the peak, and straight down to it again.
    Spike {
        /// The amount at the top.
        peak: f64,
        /// When it is reached, after the stage's beginning; the way down takes as long.
        rise: Duration,
    },
}

/// A stretch of a stage on which the amount is one formula.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    pub(super) lasts: Duration,
    pub(super) curve: Curve,
}

/// The formula, in seconds since the stretch began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Curve {
    /// `from + slope × t`, a second.
    Line { from: f64, slope: f64 },
    /// `mean + amplitude × sin(turn × t)`, `turn` in radians a second.
    Sine { mean: f64, amplitude: f64, turn: f64 },
}

// === impl Stage ===

impl Stage {
    /// A stage that goes straight from one amount to another.
    pub fn linear(name: &str, lasts: Duration, from: f64, to: f64) -> Self {
        Self { name: name.to_owned(), lasts, from, to, shape: Shape::Linear }
    }

    /// The amount `after` so long in it; at its end that of its last moment.
    pub fn amount(&self, after: Duration) -> f64 {
        let mut left = after;
        let mut amount = self.to;
        for stretch in self.stretches() {
            amount = stretch.curve.amount(left.min(stretch.lasts).as_secs_f64());
            if left < stretch.lasts {
                break;
            }
            left -= stretch.lasts;
        }
        amount
    }

    /// The amount times the seconds: of a rate, the requests that fall due in it.
    pub fn area(&self) -> f64 {
        let area = |stretch: Stretch| stretch.curve.area(stretch.lasts.as_secs_f64());
        self.stretches().into_iter().map(area).sum()
    }

    /// The largest amount in it.
    pub fn most(&self) -> f64 {
        match &self.shape {
            Shape::Linear => self.from.max(self.to),
            Shape::Levels { levels, .. } => levels.iter().copied().fold(0.0, f64::max),
            Shape::Sine { amplitude, .. } => self.from + amplitude,
            Shape::Spike { peak, .. } => self.from.max(*peak),
        }
    }

    /// The smallest amount in it.
    pub fn least(&self) -> f64 {
        match &self.shape {
            Shape::Linear => self.from.min(self.to),
            Shape::Levels { levels, .. } => levels.iter().copied().fold(f64::MAX, f64::min),
            Shape::Sine { amplitude, .. } => self.from - amplitude,
            Shape::Spike { peak, .. } => self.from.min(*peak),
        }
    }

    /// Its first `length`.
    #[must_use]
    pub(super) fn cut_to(mut self, length: Duration) -> Self {
        if length < self.lasts {
            if self.shape == Shape::Linear {
                self.to = self.amount(length);
            }
            self.lasts = length;
        }
        self
    }

    /// Its stretches, in order; together they last as long as the stage.
    pub(super) fn stretches(&self) -> Vec<Stretch> {
        let mut left = self.lasts;
        let mut stretches = Vec::new();
        let mut add = |lasts: Duration, curve| {
            let lasts = lasts.min(left);
            left -= lasts;
            if !lasts.is_zero() {
                stretches.push(Stretch { lasts, curve });
            }
        };
        match &self.shape {
            Shape::Linear => add(self.lasts, Curve::line(self.from, self.to, self.lasts)),
            Shape::Levels { levels, each } => {
                let level = |amount| Curve::Line { from: amount, slope: 0.0 };
                for amount in levels {
                    add(*each, level(*amount));
                }
                add(self.lasts, level(levels.last().copied().unwrap_or(0.0)));
            }
            Shape::Sine { amplitude, period } => {
                let turn = std::f64::consts::TAU / period.as_secs_f64();
                let mean = self.from;
                add(self.lasts, Curve::Sine { mean, amplitude: *amplitude, turn });
            }
            Shape::Spike { peak, rise } => {
                add(*rise, Curve::line(self.from, *peak, *rise));
                add(*rise, Curve::line(*peak, self.from, *rise));
                add(self.lasts, Curve::Line { from: self.from, slope: 0.0 });
            }
        }
        stretches
    }
}

// === impl Curve ===

impl Curve {
    fn line(from: f64, to: f64, lasts: Duration) -> Self {
        let seconds = lasts.as_secs_f64();
        let slope = if 0.0 < seconds { (to - from) / seconds } else { 0.0 };
        Self::Line { from, slope }
    }

    /// The amount at `t`; never below zero.
    pub(super) fn amount(self, t: f64) -> f64 {
        match self {
            Self::Line { from, slope } => slope.mul_add(t, from).max(0.0),
            Self::Sine { mean, amplitude, turn } => {
                amplitude.mul_add((turn * t).sin(), mean).max(0.0)
            }
        }
    }

    /// The integral from zero to `t`.
    pub(super) fn area(self, t: f64) -> f64 {
        match self {
            Self::Line { from, slope } => t * slope.mul_add(t / 2.0, from),
            Self::Sine { mean, amplitude, turn } => {
                mean.mul_add(t, amplitude / turn * (1.0 - (turn * t).cos()))
            }
        }
    }

    /// When the integral reaches `area`; `None` if it does not before `lasts`.
    pub(super) fn when(self, area: f64, lasts: f64) -> Option<f64> {
        let t = match self {
            Self::Line { from, slope } => {
                if area <= 0.0 && (0.0 < from || 0.0 < slope) {
                    return Some(0.0);
                }
                // from × t + slope × t² / 2 = area, in the form that stays stable when the slope
                // is nearly zero. At the very end of a ramp to zero the root is of a tiny number
                // of either sign.
                let under_root = from.mul_add(from, 2.0 * slope * area);
                let divisor = from + under_root.max(0.0).sqrt();
                if divisor <= 0.0 || self.area(lasts) < area {
                    return None;
                }
                2.0 * area / divisor
            }
            Self::Sine { mean, amplitude, .. } => {
                if area <= 0.0 && 0.0 < mean {
                    return Some(0.0);
                }
                if mean + amplitude <= 0.0 || self.area(lasts) < area {
                    return None;
                }
                self.search(area, lasts)
            }
        };
        (t < lasts).then_some(t)
    }

    /// By Newton's steps, kept between two bounds: the integral never falls, but it may stand
    /// still where the wave touches zero.
    fn search(self, area: f64, lasts: f64) -> f64 {
        let (mut low, mut high) = (0.0, lasts);
        let mut t = lasts / 2.0;
        for _ in 0..200 {
            let miss = self.area(t) - area;
            if miss < 0.0 {
                low = t;
            } else {
                high = t;
            }
            let newton = t - miss / self.amount(t);
            let next =
                if low < newton && newton < high { newton } else { f64::midpoint(low, high) };
            if (next - t).abs() <= f64::EPSILON * lasts {
                return next;
            }
            t = next;
        }
        t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(secs: u64, from: f64, shape: Shape) -> Stage {
        Stage { shape, ..Stage::linear("", Duration::from_secs(secs), from, from) }
    }

    #[test]
    fn every_shape_has_its_amounts_and_its_area() {
        let secs = Duration::from_secs;
        let levels = || Shape::Levels { levels: vec![10.0, 20.0, 40.0], each: secs(2) };
        let spike = || Shape::Spike { peak: 110.0, rise: secs(5) };
        let sine = || Shape::Sine { amplitude: 50.0, period: secs(20) };
        for (stage, amounts, area) in [
            (Stage::linear("", secs(10), 10.0, 30.0), [10.0, 16.0, 20.0, 30.0], 200.0),
            (shaped(6, 10.0, levels()), [10.0, 20.0, 40.0, 40.0], 140.0),
            (shaped(10, 10.0, levels()), [10.0, 20.0, 40.0, 40.0], 300.0),
            (shaped(10, 10.0, spike()), [10.0, 70.0, 110.0, 10.0], 600.0),
            (shaped(12, 10.0, spike()), [10.0, 70.0, 110.0, 10.0], 620.0),
            (
                shaped(20, 100.0, sine()),
                [
                    100.0,
                    100.0 + 50.0 * 0.3f64.mul_add(std::f64::consts::PI, 0.0).sin(),
                    150.0,
                    100.0,
                ],
                2000.0,
            ),
        ] {
            for (at, amount) in [0, 3, 5, stage.lasts.as_secs()].into_iter().zip(amounts) {
                let got = stage.amount(secs(at));
                assert!((got - amount).abs() < 1e-9, "{stage:?} at {at} s: {got}, not {amount}");
            }
            assert!((stage.area() - area).abs() < 1e-6, "{stage:?}: {}", stage.area());
        }
    }

    #[test]
    fn what_is_cut_keeps_its_first_part() {
        let spike = Shape::Spike { peak: 110.0, rise: Duration::from_secs(5) };
        let cut = shaped(10, 10.0, spike).cut_to(Duration::from_secs(5));
        assert_eq!((cut.area(), cut.amount(Duration::from_secs(5))), (300.0, 110.0));
        assert_eq!((cut.most(), cut.least()), (110.0, 10.0));
    }
}
