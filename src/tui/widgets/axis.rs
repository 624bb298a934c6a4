//! The time axis: ticks at round times of the wall clock, and marks.

use std::ops::Range;
use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::series::Cells;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::units::Anchor;
use crate::units::At;

use super::canvas::Canvas;

/// Distances of ticks, in seconds.
const STEPS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
/// Cells that a label and the air beside it take.
const LABEL: usize = 12;

/// Something at a moment of the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// When.
    pub at: At,
    /// One character.
    pub glyph: &'static str,
    /// A word beside it, if there is room.
    pub label: String,
    /// Its colour.
    pub role: Role,
}

/// Columns of round times in `cells`.
pub fn ticks(anchor: Anchor, cells: Cells) -> Vec<(usize, At)> {
    let span = cells.to.since(cells.from);
    let n_labels = u32::try_from(cells.n / LABEL).unwrap_or(u32::MAX).max(1);
    let least = span / n_labels;
    let step = STEPS
        .into_iter()
        .map(Duration::from_secs)
        .find(|step| least <= *step)
        .unwrap_or(Duration::from_secs(7200));
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
    let first = anchor.wall(cells.from).0;
    let mut wall = first.div_euclid(step) * step;
    let mut ticks = Vec::new();
    while ticks.len() <= cells.n {
        if first <= wall {
            let at = cells.from + Duration::from_micros(u64::try_from(wall - first).unwrap_or(0));
            let Some(column) = cells.cell(at) else { break };
            ticks.push((column, at));
        }
        wall = wall.saturating_add(step);
    }
    ticks
}

/// Draws the axis into two rows: line, ticks and marks above, labels below.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (anchor, cells): (Anchor, Cells),
    marks: &[Mark],
    points: &[(At, Role, String)],
) {
    let line = canvas.theme.style(Role::Border);
    for x in area.left()..area.right() {
        canvas.symbol(x, area.y, "─", line);
    }
    let ticks = ticks(anchor, cells);
    for (column, _) in &ticks {
        let x = area.x + u16::try_from(*column).unwrap_or(0);
        canvas.symbol(x, area.y, "┴", line);
    }
    // A point may lie a hair beyond the last column.
    let column_of = |at: At| cells.cell(at).or((at == cells.to).then(|| cells.n - 1));
    let point_columns: Vec<usize> = points.iter().filter_map(|it| column_of(it.0)).collect();
    draw_marks(canvas, area, cells, marks, &point_columns);
    // The last point's words come first; what has no whole place beside them is left out.
    let mut taken = Vec::new();
    for (at, role, words) in points.iter().rev() {
        let Some(column) = column_of(*at) else { continue };
        let x = area.x + u16::try_from(column).unwrap_or(0);
        canvas.symbol(x, area.y, "▲", canvas.theme.bold(*role));
        if 1 < area.height && !words.is_empty() {
            let words = canvas.theme.strong(*role, format!(" {words} "));
            label(canvas, area, column, words, &mut taken);
        }
    }
    for (column, at) in ticks.iter().filter(|_| 1 < area.height) {
        let words = canvas.theme.span(Role::Dim, text::clock(anchor, *at));
        label(canvas, area, *column, words, &mut taken);
    }
}

/// Marks from the right to the left, so that none writes over the next one's word. A word that
/// would reach a point is left out: half a number is another number.
fn draw_marks(canvas: &mut Canvas<'_>, area: Rect, cells: Cells, marks: &[Mark], points: &[usize]) {
    let mut room_ends = cells.n;
    for mark in marks.iter().rev() {
        let Some(column) = cells.cell(mark.at) else { continue };
        let point = points.iter().copied().filter(|it| column < *it).min();
        let room = point.map_or(room_ends, |point| room_ends.min(point)).saturating_sub(column + 2);
        let x = area.x + u16::try_from(column).unwrap_or(0);
        canvas.symbol(x, area.y, mark.glyph, canvas.theme.bold(mark.role));
        let is_covered = points.contains(&column);
        if text::width(&mark.label) <= room && !mark.label.is_empty() && !is_covered {
            let width = area.right().saturating_sub(x + 1);
            let beside = Rect { x: x + 1, width, height: 1, ..area };
            canvas.line(beside, 0, [canvas.theme.span(mark.role, mark.label.clone())]);
        }
        room_ends = room_ends.min(column);
    }
}

/// A word under a column, in the middle of it where there is room; nothing where another one is or
/// would touch it. The air that a word brings along counts as that.
fn label(
    canvas: &mut Canvas<'_>,
    area: Rect,
    column: usize,
    span: Span<'_>,
    taken: &mut Vec<Range<u16>>,
) {
    let width = u16::try_from(text::width(&span.content)).unwrap_or(u16::MAX);
    if area.width < width {
        return;
    }
    let column = u16::try_from(column).unwrap_or(0);
    let x = column.saturating_sub(width / 2).min(area.width - width);
    let air =
        |text: &str| u16::try_from(text::width(&span.content) - text::width(text)).unwrap_or(0);
    let (before, after) = (air(span.content.trim_start()), air(span.content.trim_end()));
    let seen = x + before..(x + width).saturating_sub(after);
    if taken.iter().any(|it| seen.start <= it.end && it.start <= seen.end) {
        return;
    }
    taken.push(seen);
    canvas.line(Rect { x: area.x + x, width, ..area }, 1, [span]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixMicros;

    #[test]
    fn ticks_stand_at_round_times_of_the_wall_clock() {
        let anchor = Anchor(UnixMicros(3_500_000));
        let cells = Cells { from: At::ZERO, to: At::from_secs(60), n: 60 };
        let ticks = ticks(anchor, cells);
        let walls: Vec<_> = ticks.iter().map(|(_, at)| anchor.wall(*at).0 / 1_000_000).collect();
        assert_eq!(walls, [15, 30, 45, 60]);
        assert_eq!(ticks[0].0, 11);
    }

    /// The first label is moved to the right by the edge, towards the second.
    #[test]
    fn labels_do_not_touch() {
        let theme = crate::tui::theme::Theme::default();
        let times = |width: u16, from: u64| {
            let area = Rect::new(0, 0, width, 2);
            let mut buffer = ratatui::buffer::Buffer::empty(area);
            let mut canvas = Canvas { buffer: &mut buffer, theme: &theme };
            let (from, n) = (At::from_secs(from), usize::from(width));
            let cells = Cells { from, to: from + Duration::from_secs(60), n };
            draw(&mut canvas, area, (Anchor(UnixMicros(0)), cells), &[], &[]);
            (0..width).map(|x| buffer[(x, 1)].symbol()).collect::<String>()
        };
        for (width, from) in (12..200).flat_map(|width| (0..30).map(move |from| (width, from))) {
            let row = times(width, from);
            assert!(row.split_whitespace().all(|word| word.len() == 8), "{width}: {row}");
        }
    }

    #[test]
    fn a_label_is_whole_or_is_not_there() {
        use ratatui::buffer::Buffer;
        let theme = crate::tui::theme::Theme::default();
        let cells = Cells { from: At::ZERO, to: At::from_secs(60), n: 60 };
        let mark =
            Mark { at: At::from_secs(20), glyph: "▾", label: "666".to_owned(), role: Role::Text };
        for (now, is_shown) in [(20, false), (22, false), (24, false), (25, true), (40, true)] {
            let area = Rect::new(0, 0, 60, 2);
            let mut buffer = Buffer::empty(area);
            let mut canvas = Canvas { buffer: &mut buffer, theme: &theme };
            let point = (At::from_secs(now), Role::Text, String::new());
            let anchor = Anchor(UnixMicros(0));
            draw(&mut canvas, area, (anchor, cells), std::slice::from_ref(&mark), &[point]);
            let row: String = (0..60).map(|x| buffer[(x, 0)].symbol()).collect();
            assert_eq!(row.contains("▾666"), is_shown, "now at {now} s: {row}");
            assert_eq!(row.contains('6'), is_shown, "now at {now} s: {row}");
        }
    }
}
