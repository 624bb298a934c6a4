//! The cells of a row, as they are seen: what lies behind a wide character is not there.

use ratatui::buffer::Buffer;
use ratatui::buffer::Cell;
use unicode_width::UnicodeWidthStr;

/// A cell with its place, counted from the buffer's own corner.
pub(super) struct Seen<'a> {
    pub(super) column: u16,
    pub(super) cell: &'a Cell,
    /// How many columns it covers; at least one.
    pub(super) width: u16,
}

/// Row by row, each from left to right.
pub(super) fn rows(buffer: &Buffer) -> impl Iterator<Item = Vec<Seen<'_>>> {
    let area = buffer.area;
    let content = buffer.content();
    content.chunks(usize::from(area.width.max(1))).map(move |row| {
        let mut seen: Vec<Seen<'_>> = Vec::with_capacity(row.len());
        for (column, cell) in (0..area.width).zip(row) {
            let covered = seen.last().map_or(0, |last| last.column + last.width);
            if column < covered {
                continue;
            }
            let width = u16::try_from(cell.symbol().width()).unwrap_or(1);
            seen.push(Seen { column, cell, width: width.clamp(1, area.width - column) });
        }
        seen
    })
}
