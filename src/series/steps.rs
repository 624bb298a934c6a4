//! A number over time, as a step line with gaps, in bounded memory.
//!
//! The newest points are kept as they came; older ones are folded into spans of ten seconds, and
//! those into spans of a minute. A gap is never folded into a value, so a gap stays a gap.

use std::time::Duration;

use super::Cells;
use super::Column;
use super::ring::Ring;
use crate::units::At;

const TEN_SECONDS: u64 = 10_000_000;
const MINUTE: u64 = 60_000_000;

/// How much a series keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Points as they came.
    pub points: usize,
    /// Spans of ten seconds before them.
    pub ten_seconds: usize,
    /// Spans of a minute before those.
    pub minutes: usize,
}

/// A number over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    points: Ring<Point>,
    ten_seconds: Ring<Span>,
    minutes: Ring<Span>,
    n_pushed: u64,
    n_forgotten: u64,
    n_late: u64,
}

/// A value from a moment on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    at: At,
    /// Finite; `None` is a gap.
    value: Option<f64>,
}

/// Points folded together: what they were from the first of them to the last of them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    first: At,
    last: At,
    n_points: u64,
    /// `None` is a gap.
    value: Option<Column>,
}

// === impl Bounds ===

impl Bounds {
    /// For the lanes of a chart: at ten points a second seven minutes exactly, then six hours in
    /// steps of ten seconds, then three days in minutes.
    pub const LANE: Self = Self { points: 4096, ten_seconds: 2048, minutes: 4096 };

    /// For one of many pods: at a point a second four minutes exactly, then half an hour in steps of
    /// ten seconds, then six hours in minutes.
    pub const POD: Self = Self { points: 256, ten_seconds: 180, minutes: 360 };
}

// === impl Series ===

impl Default for Series {
    fn default() -> Self {
        Self::new(Bounds::LANE)
    }
}

impl Series {
    /// An empty series.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            points: Ring::new(bounds.points),
            ten_seconds: Ring::new(bounds.ten_seconds),
            minutes: Ring::new(bounds.minutes),
            n_pushed: 0,
            n_forgotten: 0,
            n_late: 0,
        }
    }

    /// From `at` on it is `value`, until the next point. Infinities and NaN are a gap. A second
    /// point at the same moment replaces the first; one before the newest is counted and left out.
    pub fn push(&mut self, at: At, value: f64) {
        self.step(at, value.is_finite().then_some(value));
    }

    /// From `at` on it is not known.
    pub fn gap(&mut self, at: At) {
        self.step(at, None);
    }

    /// From `at` on it is `value`, or not known.
    pub fn set(&mut self, at: At, value: Option<f64>) {
        self.step(at, value.filter(|value| value.is_finite()));
    }

    fn step(&mut self, at: At, value: Option<f64>) {
        if let Some(newest) = self.points.newest_mut() {
            if at < newest.at {
                self.n_late += 1;
                return;
            }
            if at == newest.at {
                newest.value = value;
                return;
            }
            // A gap that is said again is the same gap.
            if newest.value.is_none() && value.is_none() {
                return;
            }
        }
        self.n_pushed += 1;
        let Some(point) = self.points.push(Point { at, value }) else { return };
        let Some(span) = fold(&mut self.ten_seconds, TEN_SECONDS, point.into()) else { return };
        let Some(span) = fold(&mut self.minutes, MINUTE, span) else { return };
        self.n_forgotten += span.n_points;
    }

    /// The newest point that has a value, with its moment; also if a gap came after it.
    pub fn last(&self) -> Option<(At, f64)> {
        let newest = self.points.iter().rev().find_map(|point| Some((point.at, point.value?)));
        newest.or_else(|| {
            let mut folded = self.minutes.iter().chain(self.ten_seconds.iter()).rev();
            folded.find_map(|span| Some((span.last, span.value?.last)))
        })
    }

    /// The value in force at `at`. `None` in a gap, before the first point, and from `hold` after
    /// the last point on. Where points have been folded together, the last of them counts.
    pub fn at(&self, at: At, hold: Option<Duration>) -> Option<f64> {
        let span = self.spans(at).next().filter(|span| span.first <= at)?;
        let value = span.value?.last;
        let is_stale = hold.is_some_and(|hold| hold <= at.since(span.last) && span.last < at);
        (!is_stale).then_some(value)
    }

    /// Since when the value in force at `at` holds: when its point came. `None` where there is no
    /// value.
    pub fn since(&self, at: At) -> Option<At> {
        let span = self.spans(at).next().filter(|span| span.first <= at)?;
        span.value.map(|_| span.last.min(at))
    }

    /// What it was in each of `n` cells between `from` and `to`; see [`Self::in_cells`].
    pub fn columns(
        &self,
        from: At,
        to: At,
        n: usize,
        hold: Option<Duration>,
    ) -> Vec<Option<Column>> {
        self.in_cells(Cells { from, to, n }, to, hold)
    }

    /// What it was in each cell: exactly one column a cell, `None` where nothing is known in all
    /// of it.
    ///
    /// A value is carried on until the next point, a gap, or `hold` after its point, whichever
    /// comes first; nothing is drawn from `until` on, which is now where a window reaches into the
    /// future. Points that have been folded together fill the cells from the first of them to the
    /// last.
    pub fn in_cells(&self, cells: Cells, until: At, hold: Option<Duration>) -> Vec<Option<Column>> {
        let mut columns = vec![None; cells.n];
        let end = until.min(cells.to);
        let mut spans = self.spans(cells.from).peekable();
        while let Some(span) = spans.next() {
            if end <= span.first {
                break;
            }
            let Some(value) = span.value else { continue };
            let next = spans.peek().map_or(end, |next| next.first.min(end));
            let stale = hold.map_or(end, |hold| span.last + hold);
            // What was folded, then the last value as far as it carries.
            if span.first < span.last {
                let folded_end = (span.last + Duration::from_micros(1)).min(end);
                draw(&mut columns, cells, (span.first, folded_end), value);
            }
            if span.last < end {
                draw(&mut columns, cells, (span.last, next.min(stale)), Column::of(value.last));
            }
        }
        columns
    }

    /// Points and spans from the one in force at `at` on; from the first if there is none.
    fn spans(&self, at: At) -> impl Iterator<Item = Span> {
        let minutes = in_force(&self.minutes, |span| span.first <= at);
        let ten_seconds = in_force(&self.ten_seconds, |span| span.first <= at);
        let points = in_force(&self.points, |point| point.at <= at);
        // The newest tier that has a span at or before `at` holds the one in force.
        let (minutes, ten_seconds, points) = match (points, ten_seconds) {
            (Some(idx), _) => (self.minutes.len(), self.ten_seconds.len(), idx),
            (None, Some(idx)) => (self.minutes.len(), idx, 0),
            (None, None) => (minutes.unwrap_or(0), 0, 0),
        };
        let folded = self.minutes.iter_from(minutes).chain(self.ten_seconds.iter_from(ten_seconds));
        folded.copied().chain(self.points.iter_from(points).copied().map(Span::from))
    }

    /// Each point with the moment from which it holds, the oldest first; `None` is a gap. Of points
    /// that have been folded together only the last is left, at its own moment.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (At, Option<f64>)> + '_ {
        let folded = self.minutes.iter().chain(self.ten_seconds.iter());
        let folded = folded.map(|span| (span.last, span.value.map(|value| value.last)));
        folded.chain(self.points.iter().map(|point| (point.at, point.value)))
    }

    /// Whether no point was ever pushed.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Points that came, gaps included.
    pub const fn n_pushed(&self) -> u64 {
        self.n_pushed
    }

    /// Points that are no longer in any span.
    pub const fn n_forgotten(&self) -> u64 {
        self.n_forgotten
    }

    /// Points that were left out since a newer one was there already.
    pub const fn n_late(&self) -> u64 {
        self.n_late
    }
}

/// The index of the last item for which `is_begun` holds.
fn in_force<T>(ring: &Ring<T>, is_begun: impl FnMut(&T) -> bool) -> Option<usize> {
    ring.partition_point(is_begun).checked_sub(1)
}

fn draw(columns: &mut [Option<Column>], cells: Cells, (began, ended): (At, At), value: Column) {
    for column in &mut columns[cells.touched(began, ended)] {
        *column = Some(column.map_or(value, |earlier| earlier.then(value)));
    }
}

/// Adds `span` to the newest span of `ring` if both lie in the same `width` microseconds and are
/// of a kind; else as a span of its own. Gives back what had to leave.
fn fold(ring: &mut Ring<Span>, width: u64, span: Span) -> Option<Span> {
    if let Some(newest) = ring.newest_mut() {
        let is_near = newest.first.as_micros() / width == span.last.as_micros() / width;
        match (newest.value, span.value) {
            (Some(mine), Some(later)) if is_near => {
                newest.value = Some(mine.then(later));
                newest.last = span.last;
                newest.n_points += span.n_points;
                return None;
            }
            _ => {}
        }
    }
    ring.push(span)
}

// === impl Span ===

impl From<Point> for Span {
    fn from(point: Point) -> Self {
        Self { first: point.at, last: point.at, n_points: 1, value: point.value.map(Column::of) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn series(points: &[(u64, Option<f64>)], bounds: Bounds) -> Series {
        let mut series = Series::new(bounds);
        for (millis, value) in points {
            series.set(At::from_millis(*millis), *value);
        }
        series
    }

    /// What a series is, by looking at every point for every cell.
    fn naive(
        points: &[(u64, Option<f64>)],
        cells: Cells,
        until: At,
        hold: Option<Duration>,
    ) -> Vec<Option<Column>> {
        let end = until.min(cells.to);
        let column = |idx: usize| {
            let (began, ended) = (cells.edge(idx), cells.edge(idx + 1).min(end));
            let mut column: Option<Column> = None;
            for (point_idx, (millis, value)) in points.iter().enumerate() {
                let at = At::from_millis(*millis);
                let next = points.get(point_idx + 1).map(|(millis, _)| At::from_millis(*millis));
                let over = next
                    .unwrap_or(end)
                    .min(hold.map_or(end, |hold| at + hold))
                    .max(at + Duration::from_micros(1))
                    .min(end);
                let is_seen = at < ended && began < over && began < ended;
                if let (true, Some(value)) = (is_seen, *value) {
                    let value = Column::of(value);
                    column = Some(column.map_or(value, |earlier| earlier.then(value)));
                }
            }
            column
        };
        (0..cells.n).map(column).collect()
    }

    fn points() -> impl Strategy<Value = Vec<(u64, Option<f64>)>> {
        let point = (1u64..9_000, proptest::option::weighted(0.8, -50.0..50.0));
        proptest::collection::vec(point, 0..120).prop_map(|steps| {
            let mut at = 0;
            let mut points: Vec<(u64, Option<f64>)> = Vec::new();
            for (step, value) in steps {
                at += step;
                // A gap said again is the same gap, in the reference as well.
                if points.last().is_none_or(|(_, last)| last.is_some() || value.is_some()) {
                    points.push((at, value));
                }
            }
            points
        })
    }

    proptest! {
        #[test]
        fn columns_are_what_a_look_at_every_point_gives(
            points in points(),
            from in 0u64..400_000, span in 0u64..400_000, n in 0usize..90,
            until in 0u64..900_000, hold in proptest::option::of(0u64..20_000),
        ) {
            let series = series(&points, Bounds::LANE);
            let (from, to) = (At::from_millis(from), At::from_millis(from + span));
            let cells = Cells { from, to, n };
            let until = At::from_millis(until);
            let hold = hold.map(Duration::from_millis);
            let columns = series.in_cells(cells, until, hold);
            prop_assert_eq!(columns, naive(&points, cells, until, hold));
        }

        #[test]
        fn what_is_folded_hides_no_extreme_and_no_gap(
            points in points(), from in 0u64..400_000, span in 1u64..400_000, n in 1usize..90,
        ) {
            let small = Bounds { points: 7, ten_seconds: 9, minutes: 500 };
            let series = series(&points, small);
            prop_assert_eq!(series.n_forgotten(), 0);
            prop_assert!(series.points.len() <= 7 && series.ten_seconds.len() <= 9);
            let (from, to) = (At::from_millis(from), At::from_millis(from + span));
            let cells = Cells { from, to, n };
            let columns = series.columns(from, to, n, None);
            for (column, exact) in columns.iter().zip(naive(&points, cells, to, None)) {
                match (column, exact) {
                    (Some(column), Some(exact)) => {
                        prop_assert!(column.min <= exact.min && exact.max <= column.max);
                        prop_assert!(column.min <= column.last && column.last <= column.max);
                    }
                    (column, exact) => prop_assert_eq!(column, &exact),
                }
            }
        }

        #[test]
        fn the_value_in_force_is_the_last_point_before(
            points in points(), at in 0u64..500_000, hold in proptest::option::of(0u64..20_000),
        ) {
            let found = series(&points, Bounds::LANE)
                .at(At::from_millis(at), hold.map(Duration::from_millis));
            let expected = points
                .iter()
                .rfind(|(millis, _)| *millis <= at)
                .filter(|(millis, _)| hold.is_none_or(|hold| at - millis < hold || at == *millis))
                .and_then(|(_, value)| *value);
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn nothing_falls_out_uncounted(points in points()) {
            let tiny = Bounds { points: 3, ten_seconds: 2, minutes: 2 };
            let series = series(&points, tiny);
            let folded: u64 = series
                .minutes
                .iter()
                .chain(series.ten_seconds.iter())
                .map(|span| span.n_points)
                .sum();
            let kept = folded + series.points.len() as u64;
            prop_assert_eq!(kept + series.n_forgotten(), points.len() as u64);
            prop_assert!(series.minutes.len() <= 2);
        }
    }

    #[test]
    fn a_second_point_at_a_moment_replaces_and_a_late_one_is_counted() {
        let mut series = Series::default();
        series.push(At::from_secs(2), 1.0);
        series.push(At::from_secs(2), 3.0);
        series.push(At::from_secs(1), 9.0);
        assert_eq!(series.last(), Some((At::from_secs(2), 3.0)));
        assert_eq!(series.at(At::from_secs(1), None), None, "before the first point");
        assert_eq!((series.n_pushed(), series.n_late()), (1, 1));
    }

    #[test]
    fn what_is_not_a_number_is_a_gap() {
        let mut series = Series::default();
        series.push(At::from_secs(1), 4.0);
        series.push(At::from_secs(2), f64::NAN);
        series.push(At::from_secs(3), f64::INFINITY);
        assert_eq!(series.at(At::from_secs(3), None), None);
        assert_eq!(series.last(), Some((At::from_secs(1), 4.0)), "the last that was known");
        let columns = series.columns(At::ZERO, At::from_secs(4), 4, None);
        assert_eq!(columns, [None, Some(Column::of(4.0)), None, None]);
    }

    #[test]
    fn a_value_goes_stale_and_nothing_is_drawn_into_the_future() {
        let mut series = Series::default();
        series.push(At::from_secs(1), 4.0);
        let drawn = |until, hold| {
            let cells = Cells { from: At::ZERO, to: At::from_secs(8), n: 8 };
            let columns = series.in_cells(cells, At::from_secs(until), hold);
            columns.iter().map(Option::is_some).collect::<Vec<_>>()
        };
        let (yes, no) = (true, false);
        assert_eq!(drawn(8, Some(3 * SECOND)), [no, yes, yes, yes, no, no, no, no]);
        assert_eq!(drawn(3, None), [no, yes, yes, no, no, no, no, no]);
        assert_eq!(drawn(0, None), [no; 8]);
    }

    #[test]
    fn folding_keeps_to_ten_seconds_and_to_a_minute() {
        let mut series = Series::new(Bounds { points: 1, ten_seconds: 3, minutes: 99 });
        for half_second in 0..1000 {
            series.push(At::from_millis(half_second * 500), 1.0);
        }
        let widths = |ring: &Ring<Span>| {
            ring.iter().map(|span| span.last.since(span.first).as_millis()).max()
        };
        assert_eq!(widths(&series.ten_seconds), Some(9500));
        assert_eq!(widths(&series.minutes), Some(59_500));
    }

    #[test]
    fn the_last_value_is_found_where_it_was_folded_too() {
        let mut series = Series::new(Bounds { points: 1, ten_seconds: 1, minutes: 1 });
        series.push(At::from_secs(1), 4.0);
        series.gap(At::from_secs(2));
        assert_eq!(series.last(), Some((At::from_secs(1), 4.0)));
        assert!(Series::default().last().is_none());
    }
}
