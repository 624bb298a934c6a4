//! A drawn screen as text with the escape sequences of ECMA-48, for `cat` and for chats that
//! understand them.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::buffer::Cell;
use ratatui::style::Color;
use ratatui::style::Modifier;

use super::cells::rows;
use super::palette::index_of;

/// What a modifier is in an SGR sequence.
const MODIFIERS: [(Modifier, &str); 9] = [
    (Modifier::BOLD, "1"),
    (Modifier::DIM, "2"),
    (Modifier::ITALIC, "3"),
    (Modifier::UNDERLINED, "4"),
    (Modifier::SLOW_BLINK, "5"),
    (Modifier::RAPID_BLINK, "6"),
    (Modifier::REVERSED, "7"),
    (Modifier::HIDDEN, "8"),
    (Modifier::CROSSED_OUT, "9"),
];

/// The buffer with its colours, a line a row; each line begins and ends with nothing set.
pub fn ansi(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in rows(buffer) {
        let n_seen = row.iter().rposition(|seen| !is_blank(seen.cell)).map_or(0, |idx| idx + 1);
        let mut set = String::new();
        for seen in row.iter().take(n_seen) {
            let wanted = sgr(seen.cell);
            if wanted != set {
                let _ = write!(text, "\x1b[0{wanted}m");
                set = wanted;
            }
            text.push_str(seen.cell.symbol());
        }
        if !set.is_empty() {
            text.push_str("\x1b[0m");
        }
        text.push('\n');
    }
    text
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && sgr(cell).is_empty()
}

/// The parameters that follow a reset, each with its semicolon; empty if there is none.
fn sgr(cell: &Cell) -> String {
    let mut sgr = String::new();
    for (modifier, code) in MODIFIERS {
        if cell.modifier.contains(modifier) {
            let _ = write!(sgr, ";{code}");
        }
    }
    for (color, base) in [(cell.fg, 30), (cell.bg, 40)] {
        let _ = match color {
            Color::Reset => Ok(()),
            Color::Rgb(red, green, blue) => write!(sgr, ";{};2;{red};{green};{blue}", base + 8),
            Color::Indexed(index) => write!(sgr, ";{};5;{index}", base + 8),
            named => match u16::from(index_of(named)) {
                index @ 0..8 => write!(sgr, ";{}", base + index),
                index => write!(sgr, ";{}", base + 52 + index),
            },
        };
    }
    sgr
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn colors_are_set_where_they_change() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 9, 2));
        buffer.set_string(0, 0, "a", Style::new());
        buffer.set_string(1, 0, "bc", Style::new().fg(Color::Red).bold());
        buffer.set_string(3, 0, "d", Style::new().fg(Color::LightBlue).bg(Color::Indexed(208)));
        buffer.set_string(4, 0, "e", Style::new());
        buffer.set_string(0, 1, "f ", Style::new().bg(Color::Rgb(1, 2, 3)).reversed());
        assert_eq!(
            ansi(&buffer),
            "a\x1b[0;1;31mbc\x1b[0;94;48;5;208md\x1b[0me\n\x1b[0;7;48;2;1;2;3mf \x1b[0m\n"
        );
    }
}
