//! A drawn screen as plain text.

use ratatui::buffer::Buffer;

use super::cells::rows;

/// The buffer's letters, a line a row, without blanks at the ends of lines.
pub fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in rows(buffer) {
        let line: String = row.iter().map(|seen| seen.cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn it_is_what_one_would_copy_by_hand() {
        let mut buffer = Buffer::empty(Rect::new(1, 1, 8, 3));
        buffer.set_string(1, 1, "╭ 世界 ╮", Style::new());
        buffer.set_string(3, 3, "x", Style::new().reversed());
        assert_eq!(text(&buffer), "╭ 世界 ╮\n\n  x\n");
    }
}
