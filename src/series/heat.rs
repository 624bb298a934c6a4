//! A histogram made small enough to be kept for every interval: counts by logarithmic row.

use std::time::Duration;

/// Rows a factor of ten.
const ROWS_A_DECADE: f64 = 8.0;

/// Counts by row; row `r` holds what took from `10^(r/8)` up to `10^((r+1)/8)` microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeatColumn {
    /// The lowest row with a count; 0 where there is none.
    first: u8,
    /// Counts from there up to the highest with one. Four bytes a row, for hours of intervals.
    counts: Box<[u32]>,
}

impl HeatColumn {
    /// How many rows there are: up to 10 minutes.
    pub const N_ROWS: u8 = 71;

    /// Counts values, given in microseconds with how often each occurred, in ascending order.
    pub(super) fn of(values: impl Iterator<Item = (u64, u64)>) -> Self {
        let (mut first, mut counts) = (0, Vec::<u32>::new());
        for (micros, n) in values.filter(|(_, n)| 0 < *n) {
            let row = Self::row(Duration::from_micros(micros));
            if counts.is_empty() {
                first = row;
            }
            let idx = usize::from(row.saturating_sub(first));
            counts.resize(counts.len().max(idx + 1), 0);
            counts[idx] = counts[idx].saturating_add(saturated(n));
        }
        Self { first, counts: counts.into_boxed_slice() }
    }

    /// The row that a latency falls into.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the rows there are"
    )]
    pub fn row(latency: Duration) -> u8 {
        let micros = latency.as_secs_f64() * 1e6;
        (micros.max(1.0).log10() * ROWS_A_DECADE).floor().min(f64::from(Self::N_ROWS - 1)) as u8
    }

    /// Where a row begins.
    pub fn floor(row: u8) -> Duration {
        Duration::from_secs_f64(10f64.powf(f64::from(row) / ROWS_A_DECADE) / 1e6)
    }

    /// Rows with their counts, ascending; rows without a count are left out.
    pub fn rows(&self) -> impl Iterator<Item = (u8, u32)> {
        (self.first..).zip(self.counts.iter().copied()).filter(|(_, n)| 0 < *n)
    }

    /// How many latencies whose row's middle (on the logarithmic scale) lies from `low` up to but
    /// without `high`. Adjoining ranges count each row exactly once.
    pub fn count_between(&self, low: Duration, high: Duration) -> u64 {
        let middle = |row: u8| 10f64.powf((f64::from(row) + 0.5) / ROWS_A_DECADE) / 1e6;
        let (low, high) = (low.as_secs_f64(), high.as_secs_f64());
        self.rows()
            .filter(|(row, _)| low <= middle(*row) && middle(*row) < high)
            .map(|(_, n)| u64::from(n))
            .sum()
    }

    /// How many lie in the row that holds a latency.
    pub fn count_at(&self, latency: Duration) -> u64 {
        let row = Self::row(latency);
        self.rows().find(|(it, _)| *it == row).map_or(0, |(_, n)| u64::from(n))
    }

    /// How much longer the end of a row is than its beginning.
    pub fn row_factor() -> f64 {
        10f64.powf(1.0 / ROWS_A_DECADE)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.rows().map(|(_, n)| u64::from(n)).sum()
    }

    /// Adds the counts of another column, for cells that hold several intervals.
    pub fn add(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        let end = |it: &Self| usize::from(it.first) + it.counts.len();
        let first = if self.is_empty() { other.first } else { self.first.min(other.first) };
        let mut sums = vec![0; end(self).max(end(other)) - usize::from(first)];
        for (row, n) in self.rows().chain(other.rows()) {
            let sum: &mut u32 = &mut sums[usize::from(row - first)];
            *sum = sum.saturating_add(n);
        }
        *self = Self { first, counts: sums.into_boxed_slice() };
    }
}

fn saturated(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rows_reach_from_a_microsecond_to_ten_minutes() {
        assert_eq!(HeatColumn::row(Duration::ZERO), 0);
        assert_eq!(HeatColumn::row(Duration::from_micros(1)), 0);
        assert_eq!(HeatColumn::row(Duration::from_millis(1)), 24);
        assert_eq!(HeatColumn::row(Duration::from_secs(600)), HeatColumn::N_ROWS - 1);
        assert_eq!(HeatColumn::row(Duration::from_secs(600_000)), HeatColumn::N_ROWS - 1);
        assert_eq!(HeatColumn::floor(24), Duration::from_millis(1));
    }

    proptest! {
        #[test]
        fn adjoining_ranges_count_each_once(
            mut values in proptest::collection::vec((1u64..600_000_000, 1u64..5), 0..50),
            edges in proptest::collection::vec(1u64..700_000_000, 0..20),
        ) {
            values.sort_unstable();
            let column = HeatColumn::of(values.iter().copied());
            let total: u64 = values.iter().map(|(_, n)| n).sum();
            let mut edges: Vec<Duration> = edges.into_iter().map(Duration::from_micros).collect();
            edges.extend([Duration::ZERO, Duration::from_secs(10_000)]);
            edges.sort_unstable();
            let counted: u64 =
                edges.windows(2).map(|edge| column.count_between(edge[0], edge[1])).sum();
            prop_assert_eq!((counted, column.count()), (total, total));
        }

        #[test]
        fn columns_add_up(
            mut mine in proptest::collection::vec((1u64..600_000_000, 1u64..5), 0..50),
            mut other in proptest::collection::vec((1u64..600_000_000, 1u64..5), 0..50),
        ) {
            mine.sort_unstable();
            other.sort_unstable();
            let mut sum = HeatColumn::of(mine.iter().copied());
            sum.add(&HeatColumn::of(other.iter().copied()));
            let mut all = [mine, other].concat();
            all.sort_unstable();
            prop_assert_eq!(sum, HeatColumn::of(all.into_iter()));
        }
    }
}
