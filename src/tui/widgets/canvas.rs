//! A buffer with a theme: text placed cell by cell, frames, and nothing outside of its area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::text::Span;

use crate::tui::text;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;

/// A buffer with a theme.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// The cells.
    pub buffer: &'a mut Buffer,
    /// The styles.
    pub theme: &'a Theme,
}

impl Canvas<'_> {
    /// The whole screen.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Fills an area with spaces of a style.
    pub fn clear(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                let cell = &mut self.buffer[(x, y)];
                cell.reset();
                cell.set_style(style);
            }
        }
    }

    /// Writes spans on a row of `area`, cut at its right edge with `…`; returns the cells used.
    pub fn line<'b>(
        &mut self,
        area: Rect,
        row: u16,
        spans: impl IntoIterator<Item = Span<'b>>,
    ) -> u16 {
        let y = area.y.saturating_add(row);
        if area.bottom() <= y || self.buffer.area.bottom() <= y {
            return 0;
        }
        let right = area.right().min(self.buffer.area.right());
        let mut x = area.x;
        for span in spans {
            let room = usize::from(right.saturating_sub(x));
            if text::width(&span.content) <= room {
                x = self.buffer.set_stringn(x, y, &span.content, room, span.style).0;
            } else {
                self.buffer.set_stringn(x, y, text::head(&span.content, room), room, span.style);
                return area.width;
            }
        }
        x.saturating_sub(area.x)
    }

    /// Writes spans over as many rows of `area` as they need, broken between words; returns the
    /// rows used.
    pub fn wrap<'b>(&mut self, area: Rect, spans: impl IntoIterator<Item = Span<'b>>) -> u16 {
        let (mut row, mut used) = (0u16, 0usize);
        let width = usize::from(area.width);
        if width == 0 || area.height == 0 {
            return 0;
        }
        for span in spans {
            for word in span.content.split_inclusive(' ') {
                let cells = text::width(word.trim_end());
                if 0 < used && width < used + cells && row + 1 < area.height {
                    (row, used) = (row + 1, 0);
                }
                // What has no room ends between words, never within a number.
                if 0 < used && width < used + cells {
                    let x = u16::try_from(used.min(width - 1)).unwrap_or(0);
                    let end = Rect { x: area.x + x, width: area.width - x, ..area };
                    self.line(end, row, [Span::styled("…", span.style)]);
                    return row + 1;
                }
                let word = if used == 0 { word.trim_start() } else { word };
                let x = u16::try_from(used).unwrap_or(u16::MAX).min(area.width);
                let rest = Rect { x: area.x + x, width: area.width - x, ..area };
                // The blank behind the last word of a row needs no room.
                let has_room = text::width(word) <= usize::from(rest.width);
                let seen = if has_room { word } else { word.trim_end() };
                self.line(rest, row, [Span::styled(seen.to_owned(), span.style)]);
                used += text::width(word);
            }
        }
        row + 1
    }

    /// The same for a sentence: where it has no room as a whole its last clauses are left out, so
    /// that what is said is said to its end.
    pub fn sentence(&mut self, area: Rect, spans: Vec<Span<'_>>) -> u16 {
        let spans = clauses_that_fit(spans, (area.width, area.height));
        self.wrap(area, spans)
    }

    /// Writes spans at the right end of a row of `area`; returns the cells used.
    pub fn line_right(&mut self, area: Rect, row: u16, spans: Vec<Span<'_>>) -> u16 {
        let width: usize = spans.iter().map(|span| text::width(&span.content)).sum();
        let width = u16::try_from(width).unwrap_or(u16::MAX).min(area.width);
        let room = Rect { x: area.right() - width, width, ..area };
        self.line(room, row, spans)
    }

    /// Words in the lower edge of a frame, at its right; nothing where they have no room.
    pub fn foot(&mut self, area: Rect, spans: Vec<Span<'_>>) {
        let width: usize = spans.iter().map(|span| text::width(&span.content)).sum();
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        if width.saturating_add(4) < area.width && 0 < area.height {
            let x = area.right() - width - 2;
            self.line(Rect { x, y: area.bottom() - 1, width, height: 1 }, 0, spans);
        }
    }

    /// A frame with a title on its upper edge; returns what is inside, without the edge and one
    /// cell of air at either side.
    pub fn frame(&mut self, area: Rect, title: Vec<Span<'_>>) -> Rect {
        let style = self.theme.style(Role::Border);
        if area.width < 4 || area.height < 2 {
            return area;
        }
        let [across, down, corners] = match self.theme.charset() {
            Charset::Ascii => ["-", "|", "++++"],
            Charset::Block | Charset::Braille => ["─", "│", "╭╮╰╯"],
        };
        let corners: Vec<String> = corners.chars().map(String::from).collect();
        let (left, right) = (area.left(), area.right() - 1);
        let (top, bottom) = (area.top(), area.bottom() - 1);
        for x in left + 1..right {
            self.symbol(x, top, across, style);
            self.symbol(x, bottom, across, style);
        }
        for y in top + 1..bottom {
            self.symbol(left, y, down, style);
            self.symbol(right, y, down, style);
        }
        for ((x, y), corner) in
            [(left, top), (right, top), (left, bottom), (right, bottom)].into_iter().zip(&corners)
        {
            self.symbol(x, y, corner, style);
        }
        if !title.is_empty() {
            let edge = Rect { x: left + 2, width: area.width - 4, height: 1, ..area };
            let spans = std::iter::once(Span::raw(" ")).chain(title).chain([Span::raw(" ")]);
            self.line(edge, 0, spans);
        }
        Rect { x: left + 2, y: top + 1, width: area.width - 4, height: area.height - 2 }
    }

    /// Sets one cell, if it is on the screen; its ground stays.
    pub fn symbol(&mut self, x: u16, y: u16, symbol: &str, style: Style) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }

    /// Replaces every character beyond 7 bits by one that a plain font has.
    pub fn to_ascii(&mut self) {
        let area = self.buffer.area;
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                let cell = &mut self.buffer[(x, y)];
                if !cell.symbol().is_ascii() {
                    let plain = plain(cell.symbol().chars().next().unwrap_or(' '));
                    cell.set_char(plain);
                }
            }
        }
    }

    /// A line of text of one style, cut to the area.
    pub fn text(&mut self, area: Rect, row: u16, role: Role, text: &str) -> u16 {
        let line = Line::from(self.theme.span(role, text.to_owned()));
        self.line(area, row, line.spans)
    }
}

/// What stands for a character where only 7 bits can be shown.
const fn plain(c: char) -> char {
    match c {
        '─' | '━' | '╌' | '┅' | '–' | '−' | '▔' | '▁' | '╸' => '-',
        '│' | '┃' | '▏' => '|',
        '╭' | '╮' | '╰' | '╯' | '┬' | '┴' | '└' | '┘' | '┌' | '┐' | '┼' | '├' | '┤' | '✓' => {
            '+'
        }
        '→' | '▸' | '≥' | '›' => '>',
        '←' | '◂' | '≤' => '<',
        '↑' | '▴' => '^',
        '↓' | '▾' => 'v',
        '▲' => '!',
        '×' | '✗' => 'x',
        '÷' => '/',
        '·' => '.',
        '●' | '◆' => '*',
        '○' => 'o',
        '…' | '≈' => '~',
        '█' | '▓' | '■' => '#',
        '▒' => '%',
        '░' => ':',
        'µ' | 'μ' => 'u',
        _ => '?',
    }
}

/// How many rows of `width` cells [`Canvas::wrap`] would need for `text`.
pub fn rows_of(text: &str, width: u16) -> u16 {
    let (mut rows, mut used) = (1u16, 0usize);
    let width = usize::from(width);
    for word in text.split_inclusive(' ') {
        let cells = text::width(word.trim_end());
        if 0 < used && width < used + cells {
            (rows, used) = (rows.saturating_add(1), 0);
        }
        let word = if used == 0 { word.trim_start() } else { word };
        used += text::width(word);
    }
    rows
}

/// As many clauses, from the first, as have room in so many cells and rows; all, where not even the
/// first has.
fn clauses_that_fit(spans: Vec<Span<'_>>, (width, height): (u16, u16)) -> Vec<Span<'_>> {
    let text: String = spans.iter().map(|span| span.content.as_ref()).collect();
    if rows_of(&text, width) <= height {
        return spans;
    }
    let fits = |end: &usize| rows_of(&text[..*end], width) <= height;
    let Some(end) = clause_ends(&text).into_iter().rev().find(fits) else { return spans };
    let mut left = end;
    let mut kept = Vec::with_capacity(spans.len());
    for span in spans {
        let n = span.content.len().min(left);
        left -= n;
        if 0 < n {
            let content = span.content[..n].to_owned();
            kept.push(Span::styled(content, span.style));
        }
    }
    kept
}

/// Where a clause of a sentence ends: before a comma, a dot between blanks, or what is said in
/// brackets; but not within brackets.
fn clause_ends(text: &str) -> Vec<usize> {
    const MARKS: [&str; 4] = [", ", " · ", "; ", " ("];
    let mut depth = 0usize;
    let mut ends = Vec::new();
    for (idx, c) in text.char_indices() {
        if depth == 0 && 0 < idx && MARKS.iter().any(|mark| text[idx..].starts_with(mark)) {
            ends.push(idx);
        }
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_its_area() {
        let theme = Theme::default();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        let mut canvas = Canvas { buffer: &mut buffer, theme: &theme };
        let area = Rect::new(1, 0, 6, 1);
        canvas.line(area, 0, [Span::raw("ab"), Span::raw("世界界界")]);
        canvas.line(area, 1, [Span::raw("below")]);
        let row: String = (0..10).map(|x| buffer[(x, 0)].symbol()).collect();
        // A wide character takes two cells, the second of which is empty.
        assert_eq!(row.replace("世 ", "世"), " ab世…    ");
    }

    #[test]
    fn seven_bits_are_seven_bits() {
        let theme = Theme::default();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 3));
        let mut canvas = Canvas { buffer: &mut buffer, theme: &theme };
        canvas.frame(Rect::new(0, 0, 8, 3), vec![Span::raw("é→")]);
        canvas.to_ascii();
        assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
    }

    #[test]
    fn a_sentence_without_room_loses_whole_clauses() {
        let text = "58.4 ÷ 7 → 9 wanted, 9 ready: calm, panic at 18 wanted (above 119, now 58.4)";
        let said = |width, height| {
            let spans: Vec<_> = text.split_inclusive("wanted").map(Span::raw).collect();
            let kept = clauses_that_fit(spans, (width, height));
            kept.iter().map(|span| span.content.as_ref()).collect::<String>()
        };
        for (width, height, expected) in [
            (80, 1, text),
            (40, 2, text),
            (70, 1, "58.4 ÷ 7 → 9 wanted, 9 ready: calm, panic at 18 wanted"),
            (40, 1, "58.4 ÷ 7 → 9 wanted, 9 ready: calm"),
            (20, 2, "58.4 ÷ 7 → 9 wanted, 9 ready: calm"),
            (22, 1, "58.4 ÷ 7 → 9 wanted"),
        ] {
            assert_eq!(said(width, height), expected, "{width}x{height}");
        }
        assert_eq!(said(9, 1), text, "what has no room at all is cut as it is drawn");
    }

    #[test]
    fn as_many_rows_are_reckoned_as_are_written() {
        let theme = Theme::default();
        for text in
            ["a", "one two three", "  blanks   between  ", "averyverylongwordwithoutblanks b"]
        {
            for width in 1..20 {
                let mut buffer = Buffer::empty(Rect::new(0, 0, width, 40));
                let area = buffer.area;
                let mut canvas = Canvas { buffer: &mut buffer, theme: &theme };
                let written = canvas.wrap(area, [Span::raw(text)]);
                assert_eq!(rows_of(text, width), written, "{text:?} in {width}");
            }
        }
    }
}
