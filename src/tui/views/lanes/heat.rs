//! How latencies are spread over the rows of the heat strip.

use std::time::Duration;

use crate::series::HeatColumn;
use crate::tui::widgets::plot::Scale;
/// The latencies between the rows of the heat strip, from below.
pub(super) fn heat_bounds(scale: Scale, n_rows: usize) -> Vec<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "rows")]
    let share = |row: usize| row as f64 / n_rows.max(1) as f64;
    (0..=n_rows)
        .map(|row| match row {
            // What is off the scale counts in the outermost rows.
            0 => Duration::ZERO,
            _ if row == n_rows => Duration::from_secs(3600),
            _ => Duration::from_secs_f64(scale.value(share(row)).clamp(1e-7, 3600.0)),
        })
        .collect()
}

/// How much of a column's requests lies in each row, as steps of heat.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share in eight steps"
)]
pub(super) fn heat_steps(heat: &HeatColumn, bounds: &[Duration]) -> Vec<u8> {
    let all = heat.count().max(1) as f64;
    let n_rows = bounds.len().saturating_sub(1);
    bounds
        .windows(2)
        .enumerate()
        .map(|(row, pair)| {
            let (low, high) = (pair[0].as_secs_f64(), pair[1].as_secs_f64());
            // Where rows of the screen are finer than those that are counted, several of them show
            // the one that they lie in; else there would be gaps where there are none.
            let is_finer = 0 < row && row + 1 < n_rows && high < low * HeatColumn::row_factor();
            if is_finer {
                heat.count_at(Duration::from_secs_f64((low * high).sqrt()))
            } else {
                heat.count_between(pair[0], pair[1])
            }
        })
        .map(|n| n as f64 / all)
        // The root lifts what is rare, which is what one looks for.
        .map(|share| (share.sqrt() * 8.0).ceil().min(8.0) as u8)
        .collect()
}
