//! Points on two axes, a mark a cell; of several points in one cell the last one is seen.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::text;
use crate::tui::theme::Role;

use super::canvas::Canvas;
use super::plot::Scale;

/// Cells left of the chart, for the labels of its vertical axis.
const GUTTER: u16 = 7;

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where it is on the horizontal axis.
    pub x: f64,
    /// Where it is on the vertical axis.
    pub y: f64,
    /// How it is drawn.
    pub mark: &'static str,
    /// In which colour.
    pub role: Role,
}

/// Both axes.
#[derive(Debug, Clone, Copy)]
pub struct Axes {
    /// The horizontal one.
    pub x: Scale,
    /// The vertical one.
    pub y: Scale,
    /// How a value on the horizontal one is written.
    pub x_label: fn(f64) -> String,
    /// How a value on the vertical one is written.
    pub y_label: fn(f64) -> String,
}

/// Draws axes, labels and points.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, axes: Axes, points: &[Point]) {
    if area.width < GUTTER + 8 || area.height < 4 {
        return;
    }
    let chart =
        Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 2, ..area };
    frame(canvas, area, chart, axes);
    for point in points {
        let column = cell(axes.x.share(point.x), chart.width);
        let row = chart.height - 1 - cell(axes.y.share(point.y), chart.height);
        let style = canvas.theme.bold(point.role);
        canvas.symbol(chart.x + column, chart.y + row, point.mark, style);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the cells")]
fn cell(share: f64, n_cells: u16) -> u16 {
    ((share * f64::from(n_cells)) as u16).min(n_cells.saturating_sub(1))
}

fn frame(canvas: &mut Canvas<'_>, area: Rect, chart: Rect, axes: Axes) {
    let theme = canvas.theme;
    let line = theme.style(Role::Border);
    for y in chart.top()..chart.bottom() {
        canvas.symbol(chart.x - 1, y, "│", line);
    }
    for x in chart.left()..chart.right() {
        canvas.symbol(x, chart.bottom(), "─", line);
    }
    canvas.symbol(chart.x - 1, chart.bottom(), "└", line);
    let gutter = Rect { width: GUTTER - 2, ..area };
    for (share, row) in
        [(1.0, 0), (0.5, chart.height - 1 - chart.height / 2), (0.0, chart.height - 1)]
    {
        let is_apart = share != 0.5 || 5 <= chart.height;
        let label = (axes.y_label)(axes.y.value(share));
        if is_apart && text::width(&label) <= usize::from(gutter.width) {
            canvas.line_right(gutter, row, vec![theme.span(Role::Dim, label)]);
        }
    }
    // Labels below: each whole or not there.
    let mut free = chart.x;
    for (share, column) in [(0.0, 0), (0.5, chart.width / 2), (1.0, chart.width)] {
        let label = (axes.x_label)(axes.x.value(share));
        let width = u16::try_from(text::width(&label)).unwrap_or(u16::MAX);
        // Over the mark of its value; at the ends within the chart.
        let mark = chart.x + column.min(chart.width - 1);
        let back = if share == 0.0 {
            0
        } else if share < 1.0 {
            width / 2
        } else {
            width - 1
        };
        let x = mark.saturating_sub(back);
        if free <= x && width <= chart.right().saturating_sub(x) {
            let place = Rect { x, y: chart.bottom() + 1, width, height: 1 };
            canvas.line(place, 0, [Span::styled(label, theme.style(Role::Dim))]);
            canvas.symbol(mark, chart.bottom(), "┴", line);
            free = x + width + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::tui::theme::Theme;

    fn drawn(size: (u16, u16), points: &[Point]) -> Vec<String> {
        let theme = Theme::default();
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        let axes = Axes {
            x: Scale::Linear(100.0),
            y: Scale::Linear(8.0),
            x_label: text::count,
            y_label: text::count,
        };
        draw(&mut Canvas { buffer: &mut buffer, theme: &theme }, area, axes, points);
        (0..size.1).map(|y| (0..size.0).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    fn point(x: f64, y: f64, mark: &'static str) -> Point {
        Point { x, y, mark, role: Role::Load }
    }

    #[test]
    fn points_lie_where_their_values_are() {
        let points = [point(0.0, 0.0, "a"), point(100.0, 8.0, "z"), point(55.0, 4.0, "m")];
        assert_eq!(
            drawn((17, 6), &points),
            [
                "    8 │         z",
                "      │     m    ",
                "      │          ",
                "    0 │a         ",
                "      └┴────┴───┴",
                "       0   50 100",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_points_stay_inside(
            x in any::<f64>(), y in any::<f64>(), width in 0u16..40, height in 0u16..20,
        ) {
            if 0 < width && 0 < height {
                drawn((width, height), &[point(x, y, "●")]);
            }
        }
    }
}
