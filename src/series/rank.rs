//! Quantiles of a few durations, where a histogram would be too much.

use std::time::Duration;

/// The smallest value that at least `share` of all do not exceed; `sorted` is ascending.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into a list of at most some thousands"
)]
pub fn nearest_rank(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).checked_sub(1)?).copied()
}
