//! Figures of several rounds: a median with its spread, quantiles, and ratios taken round by round,
//! so that what disturbs one round disturbs both sides of its ratio.

use std::fmt;
use std::time::Duration;

/// A median and the least and the greatest beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of the figures of all rounds; `None` without any.
    pub(crate) fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        };
        Some(Self { median, low, high })
    }

    /// Of `figures` over `reference`, round by round.
    pub(crate) fn of_ratios(figures: &[f64], reference: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = figures.iter().zip(reference).map(|(a, b)| a / b).collect();
        Self::of(&ratios)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { median, low, high } = self;
        let text = format!("{median:.digits$} ({low:.digits$} to {high:.digits$})");
        f.pad_integral(true, "", &text)
    }
}

/// The value that the share `q` of all does not exceed (nearest rank). `values` must be sorted.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rank within a slice"
)]
pub(crate) fn quantile(values: &[u64], q: f64) -> Duration {
    let rank = (q * values.len() as f64).ceil() as usize;
    Duration::from_nanos(values.get(rank.max(1) - 1).copied().unwrap_or_default())
}

/// p50, p99 and the greatest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Three {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Three {
    /// Of nanoseconds in any order.
    pub(crate) fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let of = |q| quantile(&nanos, q);
        Self { p50: of(0.5), p99: of(0.99), max: of(1.0) }
    }
}

impl fmt::Display for Three {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |it: Duration| format!("{:.0}", it.as_secs_f64() * 1e6);
        let text = format!("{} / {} / {}", micros(self.p50), micros(self.p99), micros(self.max));
        f.pad_integral(true, "", &text)
    }
}
