//! A drawn screen as SVG.
//!
//! The same buffer always gives the same bytes, so a picture can be compared in a test and a
//! difference is a difference. Whatever fonts the reader has, the grid holds: drawings are shapes
//! and every letter has its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::style::Modifier;

use super::cells::Seen;
use super::cells::rows;
use super::glyph;
use super::glyph::Area;
use super::glyph::HEIGHT;
use super::glyph::Shape;
use super::glyph::WIDTH;
use super::palette::Palette;
use super::palette::Rgb;

/// Between the screen and the edge of the picture.
const MARGIN: u32 = 12;
const FONT_SIZE: u32 = 13;
/// From the top of a cell to the line that letters stand on.
const BASELINE: u32 = 12;
const FONTS: &str = "'DejaVu Sans Mono','SFMono-Regular',Menlo,Consolas,monospace";

/// The buffer as a picture.
pub fn svg(buffer: &Buffer, palette: &Palette) -> String {
    let mut page =
        Page { palette, boxes: BTreeMap::new(), strokes: BTreeMap::new(), texts: String::new() };
    for (y, row) in (MARGIN..).step_by(HEIGHT as usize).zip(rows(buffer)) {
        page.row(y, &row);
    }
    let width = u32::from(buffer.area.width) * WIDTH + 2 * MARGIN;
    let height = u32::from(buffer.area.height) * HEIGHT + 2 * MARGIN;
    page.finish(width, height)
}

/// What has been drawn so far, by colour: a path for all boxes of a colour is short.
struct Page<'a> {
    palette: &'a Palette,
    /// Backgrounds come first, so that everything else lies on them.
    boxes: BTreeMap<(Layer, Rgb), Boxes>,
    strokes: BTreeMap<(Stroke, Rgb), String>,
    texts: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Back,
    Front,
    /// Boxes a pixel thin, which would be lost at some sizes if they had to have sharp edges.
    Thin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stroke {
    Dot,
    Line,
}

/// Boxes of one colour; the last one still grows with its neighbours to the right.
#[derive(Debug, Default)]
struct Boxes {
    path: String,
    last: Option<Area>,
}

/// Letters of one look that stand side by side.
#[derive(Debug, PartialEq)]
struct Run {
    front: Rgb,
    modifier: Modifier,
    text: String,
    columns: Vec<u32>,
}

// === impl Page ===

impl Page<'_> {
    fn row(&mut self, y: u32, row: &[Seen<'_>]) {
        let mut run: Option<Run> = None;
        for seen in row {
            let x = MARGIN + WIDTH * u32::from(seen.column);
            let ink = self.palette.ink(seen.cell);
            let whole = Area { x, y, w: WIDTH * u32::from(seen.width), h: HEIGHT };
            if let Some(back) = ink.back.filter(|back| *back != self.palette.background) {
                self.boxes.entry((Layer::Back, back)).or_default().add(whole);
            }
            if seen.cell.modifier.contains(Modifier::UNDERLINED) {
                let line = Area { y: y + 14, h: 1, ..whole };
                self.boxes.entry((Layer::Thin, ink.underline)).or_default().add(line);
            }
            if seen.cell.modifier.contains(Modifier::CROSSED_OUT) {
                let line = Area { y: y + 8, h: 1, ..whole };
                self.boxes.entry((Layer::Thin, ink.front)).or_default().add(line);
            }
            let mut chars = seen.cell.symbol().chars();
            let (first, is_one) = (chars.next().unwrap_or(' '), chars.next().is_none());
            if let (true, Some((shapes, share))) = (is_one, glyph::shapes(first)) {
                let paper = ink.back.unwrap_or(self.palette.background);
                self.shapes((x, y), &shapes, ink.front.mixed(paper, share));
                self.put(&mut run, y);
                continue;
            }
            let look = seen.cell.modifier & (Modifier::BOLD | Modifier::ITALIC);
            // Places are given by character, so a sequence of several has a run of its own.
            let joins = is_one && u32::from(first) < 0x1_0000;
            let letter = Run {
                front: ink.front,
                modifier: look,
                text: seen.cell.symbol().to_owned(),
                columns: vec![u32::from(seen.column)],
            };
            if joins && run.as_mut().is_some_and(|run| run.takes(&letter)) {
                continue;
            }
            self.put(&mut run, y);
            if !letter.is_blank() {
                run = Some(letter);
                if !joins {
                    self.put(&mut run, y);
                }
            }
        }
        self.put(&mut run, y);
        for boxes in self.boxes.values_mut() {
            boxes.flush();
        }
    }

    fn shapes(&mut self, (left, top): (u32, u32), shapes: &[Shape], color: Rgb) {
        for shape in shapes {
            match *shape {
                Shape::Fill(Area { x, y, w, h }) => {
                    let area = Area { x: left + x, y: top + y, w, h };
                    let layer = if w.min(h) == 1 { Layer::Thin } else { Layer::Front };
                    self.boxes.entry((layer, color)).or_default().add(area);
                }
                Shape::Dot { x, y } => {
                    let path = self.strokes.entry((Stroke::Dot, color)).or_default();
                    let _ = write!(path, "M{} {}h0", left + x, top + y);
                }
                Shape::Line(line) => {
                    let path = self.strokes.entry((Stroke::Line, color)).or_default();
                    let _ = write!(path, "M{left} {top}{line}");
                }
            }
        }
    }

    /// Writes the letters that stand side by side, and begins anew.
    fn put(&mut self, run: &mut Option<Run>, y: u32) {
        let Some(run) = run.take() else { return };
        let text = run.text.trim_end_matches(' ');
        let columns = &run.columns[..run.columns.len() - (run.text.len() - text.len())];
        let places: Vec<String> =
            columns.iter().map(|column| (MARGIN + WIDTH * column).to_string()).collect();
        let (x, y, fill) = (places.join(" "), y + BASELINE, run.front.hex());
        let _ = write!(self.texts, "<text x=\"{x}\" y=\"{y}\" fill=\"{fill}\"");
        if run.modifier.contains(Modifier::BOLD) {
            self.texts.push_str(" font-weight=\"bold\"");
        }
        if run.modifier.contains(Modifier::ITALIC) {
            self.texts.push_str(" font-style=\"italic\"");
        }
        self.texts.push('>');
        escape(text, &mut self.texts);
        self.texts.push_str("</text>\n");
    }

    fn finish(self, width: u32, height: u32) -> String {
        let back = self.palette.background.hex();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\" font-size=\"{FONT_SIZE}\" \
             xml:space=\"preserve\">\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{back}\"/>\n"
        );
        for ((layer, color), boxes) in &self.boxes {
            let (fill, edges, path) = (color.hex(), layer.edges(), &boxes.path);
            let _ = writeln!(svg, "<path fill=\"{fill}\"{edges} d=\"{path}\"/>");
        }
        for ((stroke, color), path) in &self.strokes {
            let (stroke, color) = (stroke.style(), color.hex());
            let _ = writeln!(svg, "<path fill=\"none\" stroke=\"{color}\" {stroke} d=\"{path}\"/>");
        }
        svg.push_str(&self.texts);
        svg.push_str("</svg>\n");
        svg
    }
}

// === impl Layer ===

impl Layer {
    const fn edges(self) -> &'static str {
        match self {
            Self::Back | Self::Front => " shape-rendering=\"crispEdges\"",
            Self::Thin => "",
        }
    }
}

// === impl Stroke ===

impl Stroke {
    const fn style(self) -> &'static str {
        match self {
            Self::Dot => "stroke-width=\"2.6\" stroke-linecap=\"round\"",
            Self::Line => "stroke-width=\"1\"",
        }
    }
}

// === impl Boxes ===

impl Boxes {
    fn add(&mut self, area: Area) {
        match &mut self.last {
            Some(last) if (last.y, last.h, last.x + last.w) == (area.y, area.h, area.x) => {
                last.w += area.w;
            }
            _ => {
                self.flush();
                self.last = Some(area);
            }
        }
    }

    fn flush(&mut self) {
        if let Some(Area { x, y, w, h }) = self.last.take() {
            let _ = write!(self.path, "M{x} {y}h{w}v{h}h-{w}z");
        }
    }
}

// === impl Run ===

impl Run {
    fn is_blank(&self) -> bool {
        self.text == " "
    }

    /// Adds a letter of the same look, or one space between words.
    fn takes(&mut self, letter: &Self) -> bool {
        let looks_alike = (self.front, self.modifier) == (letter.front, letter.modifier);
        let is_second_space = letter.is_blank() && self.text.ends_with(' ');
        if is_second_space || !(looks_alike || letter.is_blank()) {
            return false;
        }
        self.text.push_str(&letter.text);
        self.columns.extend(&letter.columns);
        true
    }
}

/// Text as XML takes it. What XML cannot say at all becomes a dot.
fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => into.push('·'),
            c if c.is_control() => into.push('·'),
            c => into.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Color;
    use ratatui::style::Style;

    use super::*;

    fn picture(lines: &[(&str, Style)]) -> String {
        let height = u16::try_from(lines.len()).unwrap();
        let mut buffer = Buffer::empty(Rect::new(3, 5, 12, height));
        for (row, (text, style)) in (5..).zip(lines) {
            buffer.set_string(3, row, text, *style);
        }
        svg(&buffer, &Palette::DARK)
    }

    #[test]
    fn text_stands_cell_by_cell() {
        let picture = picture(&[("ab c   d", Style::new().bold())]);
        let fill = Palette::DARK.foreground.hex();
        let ab_c =
            format!("<text x=\"12 20 28 36\" y=\"24\" fill=\"{fill}\" font-weight=\"bold\">ab c<");
        assert!(picture.contains(&ab_c), "{picture}");
        assert!(picture.contains("<text x=\"68\" y=\"24\""), "{picture}");
        assert_eq!(picture.matches("<text").count(), 2);
    }

    #[test]
    fn a_wide_letter_hides_what_lies_behind_it() {
        let picture = picture(&[("a世b", Style::new()), ("👍🏽x", Style::new())]);
        assert!(picture.contains("<text x=\"12 20 36\""), "{picture}");
        assert!(picture.contains("<text x=\"12\" y=\"40\" fill=\"#d6dde6\">👍🏽<"), "{picture}");
        assert!(picture.contains("<text x=\"28\" y=\"40\""), "{picture}");
    }

    #[test]
    fn drawings_are_shapes_and_neighbours_are_one() {
        let blue = Style::new().fg(Color::Rgb(0, 0, 255));
        let picture =
            picture(&[("───", blue), ("⠁", blue), ("╭", blue), ("░", blue.bg(Color::Red))]);
        assert!(!picture.contains("<text"), "{picture}");
        assert!(picture.contains("fill=\"#0000ff\" d=\"M12 20h24v1h-24z\""));
        assert!(picture.contains("d=\"M14 30h0\""), "{picture}");
        assert!(picture.contains("d=\"M12 44m4.5 16v-4q0-3.5 3.5-3.5\""), "{picture}");
        assert!(picture.contains("fill=\"#a8477a\""), "a quarter blue on red: {picture}");
    }

    #[test]
    fn nothing_breaks_out_of_the_text() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        buffer[(0, 0)].set_symbol("<");
        buffer[(1, 0)].set_symbol("\u{1b}");
        buffer[(2, 0)].set_symbol("&");
        buffer[(3, 0)].set_symbol("\"");
        let picture = svg(&buffer, &Palette::DARK);
        assert!(picture.contains(">&lt;·&amp;\"</text>"), "{picture}");
        let nothing = svg(&Buffer::empty(Rect::ZERO), &Palette::LIGHT);
        assert!(nothing.contains("width=\"24\""), "{nothing}");
    }
}
