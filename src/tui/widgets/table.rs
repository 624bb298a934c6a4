//! Rows in fixed columns, with a selection and a window that follows it.

use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::tui::text;
use crate::tui::theme::Role;

use super::canvas::Canvas;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Its cells; the last column takes what is left if it is wider than the rest.
    pub width: u16,
    /// Whether it is a number.
    pub is_number: bool,
}

/// A cell: its role and its text.
pub type Cell = (Role, String);

/// The first row to show so that `selected` is in sight, out of `n_rows` with room for `n_shown`.
pub fn first_row(selected: usize, n_rows: usize, n_shown: usize) -> usize {
    let last = n_rows.saturating_sub(n_shown);
    selected.saturating_sub(n_shown.saturating_sub(1) / 2).min(last)
}

/// The columns that fit into `width`, from the left.
pub fn fitting(columns: &[Column], width: u16) -> &[Column] {
    let mut used = 0u16;
    let n_fitting = columns
        .iter()
        .take_while(|column| {
            used = used.saturating_add(column.width).saturating_add(2);
            used <= width.saturating_add(2)
        })
        .count();
    &columns[..n_fitting]
}

/// Draws titles and rows; `selected` is the row with the bar, if there is one.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    columns: &[Column],
    rows: &[Vec<Cell>],
    selected: Option<usize>,
) {
    if area.height == 0 {
        return;
    }
    let shown = fitting(columns, area.width);
    let titles: Vec<Cell> =
        shown.iter().map(|column| (Role::Dim, column.title.to_owned())).collect();
    draw_row(canvas, area, shown, &titles);
    let n_shown = usize::from(area.height - 1);
    let selected = selected.map(|it| it.min(rows.len().saturating_sub(1)));
    let first = first_row(selected.unwrap_or(0), rows.len(), n_shown);
    for (row_idx, cells) in rows.iter().enumerate().skip(first).take(n_shown) {
        let y = area.y + 1 + u16::try_from(row_idx - first).unwrap_or(0);
        let line = Rect { y, height: 1, ..area };
        draw_row(canvas, line, shown, cells);
        if selected == Some(row_idx) {
            mark(canvas, line);
        }
    }
}

/// The bar over a line that is selected, and the mark before it.
pub fn mark(canvas: &mut Canvas<'_>, line: Rect) {
    let theme = canvas.theme;
    let style = if theme.has_grounds() {
        Style::new().bg(theme.colour(Role::Surface)).add_modifier(Modifier::BOLD)
    } else {
        Style::new().add_modifier(Modifier::BOLD)
    };
    canvas.buffer.set_style(line, style);
    canvas.symbol(line.x.saturating_sub(1), line.y, "▸", theme.bold(Role::Accent));
}

fn draw_row(canvas: &mut Canvas<'_>, area: Rect, columns: &[Column], cells: &[Cell]) {
    let mut x = area.x;
    for (column_idx, (column, (role, content))) in columns.iter().zip(cells).enumerate() {
        let is_last = column_idx + 1 == columns.len();
        let room = area.right().saturating_sub(x);
        let width = if is_last && !column.is_number { room } else { column.width.min(room) };
        let content = if column.is_number {
            text::right(content, usize::from(width))
        } else {
            text::left(content, usize::from(width))
        };
        let style = canvas.theme.style(*role);
        canvas.line(Rect { x, width, height: 1, ..area }, 0, [Span::styled(content, style)]);
        x = x.saturating_add(width).saturating_add(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_row_is_in_sight() {
        for (selected, n_rows, n_shown, first) in
            [(0, 10, 4, 0), (5, 10, 4, 4), (9, 10, 4, 6), (99, 3, 4, 0), (0, 0, 0, 0)]
        {
            assert_eq!(first_row(selected, n_rows, n_shown), first, "{selected} of {n_rows}");
        }
    }
}
