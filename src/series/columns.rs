//! A span of time as exactly one column for each cell of a chart.

use std::time::Duration;

use crate::units::At;

/// What a series was in one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// The smallest value in force in it.
    pub min: f64,
    /// The largest value in force in it.
    pub max: f64,
    /// The last value in force in it.
    pub last: f64,
}

/// A span of time divided into cells: cell `i` of `n` reaches from `edge(i)` up to but without
/// `edge(i + 1)`. Widths differ by a microsecond where the span does not divide evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    /// The beginning of the first cell.
    pub from: At,
    /// The end of the last cell.
    pub to: At,
    /// How many there are.
    pub n: usize,
}

// === impl Cells ===

impl Cells {
    /// Where cell `idx` begins; the end of the span for `n` and beyond.
    pub fn edge(self, idx: usize) -> At {
        if self.n <= idx {
            return self.to.max(self.from);
        }
        let span = u128::from(self.to.as_micros().saturating_sub(self.from.as_micros()));
        let offset = span * idx as u128 / self.n as u128;
        self.from + Duration::from_micros(u64::try_from(offset).unwrap_or(u64::MAX))
    }

    /// The cell that `at` lies in; `None` outside of the span.
    pub fn cell(self, at: At) -> Option<usize> {
        if self.n == 0 || at < self.from || self.to <= at {
            return None;
        }
        let span = u128::from(self.to.as_micros() - self.from.as_micros());
        let offset = u128::from(at.as_micros() - self.from.as_micros());
        // The last cell whose edge, rounded down, is not after `at`.
        let idx = ((offset + 1) * self.n as u128 - 1) / span;
        let idx = usize::try_from(idx).unwrap_or(usize::MAX);
        (idx < self.n).then_some(idx)
    }

    /// The cells that have a moment in common with the time from `began` up to but without
    /// `ended`; the moment `began` itself always counts.
    pub(super) fn touched(self, began: At, ended: At) -> std::ops::Range<usize> {
        let last_moment = At::from_micros(ended.min(self.to).as_micros().saturating_sub(1));
        match (self.cell(began.max(self.from)), self.cell(last_moment.max(began))) {
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        }
    }
}

// === impl Column ===

impl Column {
    /// A column with one value.
    pub(super) const fn of(value: f64) -> Self {
        Self { min: value, max: value, last: value }
    }

    /// This column, followed by a later one in the same cell.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self { min: self.min.min(later.min), max: self.max.max(later.max), last: later.last }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_moment_lies_in_the_cell_whose_edges_hold_it(
            from in 0u64..1000, span in 1u64..5000, n in 1usize..300, offset in 0u64..6000,
        ) {
            let cells = Cells { from: At::from_micros(from), to: At::from_micros(from + span), n };
            let at = At::from_micros(from + offset);
            match cells.cell(at) {
                Some(idx) => {
                    prop_assert!(cells.edge(idx) <= at && at < cells.edge(idx + 1), "cell {}", idx);
                }
                None => prop_assert!(span <= offset),
            }
        }
    }

    #[test]
    fn no_time_or_no_cells_has_no_cell() {
        let nothing = Cells { from: At::from_secs(1), to: At::from_secs(1), n: 10 };
        assert_eq!(nothing.cell(At::from_secs(1)), None);
        let none = Cells { from: At::ZERO, to: At::from_secs(1), n: 0 };
        assert_eq!((none.cell(At::ZERO), none.edge(0)), (None, At::from_secs(1)));
        let backwards = Cells { from: At::from_secs(2), to: At::from_secs(1), n: 3 };
        assert_eq!((backwards.cell(At::from_secs(1)), backwards.edge(1)), (None, At::from_secs(2)));
    }
}
