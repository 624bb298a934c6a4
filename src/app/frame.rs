//! A frame as bytes for the terminal, as few as say it: over SSH bytes are what a screen costs.
//!
//! Only what changes is said: the colour that is another one, the attribute that comes or goes; a
//! blank has no ink, so the ink before it stays. Nothing is used that a plain VT does not know.

use std::io::Write as _;

use ratatui::buffer::Cell;
use ratatui::style::Color;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

/// What the terminal was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    ink: Color,
    ground: Color,
    attributes: Modifier,
}

/// An attribute, the parameter that switches it on, and the one that switches it off.
const ATTRIBUTES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Attributes that can be seen of a blank.
const SEEN_OF_BLANKS: Modifier = Modifier::UNDERLINED
    .union(Modifier::SLOW_BLINK)
    .union(Modifier::RAPID_BLINK)
    .union(Modifier::REVERSED)
    .union(Modifier::CROSSED_OUT);

/// Appends what makes a terminal show `cells`, each at its column and row from 0. The terminal's
/// pen is plain before and after.
pub fn encode<'a>(bytes: &mut Vec<u8>, cells: impl IntoIterator<Item = (u16, u16, &'a Cell)>) {
    let mut pen = Pen::PLAIN;
    // Where the cursor is known to be.
    let mut cursor = None;
    for (x, y, cell) in cells {
        move_to(bytes, cursor, (x, y));
        let symbol = cell.symbol();
        pen.become_for(bytes, cell);
        bytes.extend_from_slice(symbol.as_bytes());
        // How far a terminal goes on a character that is not plain is its own affair.
        let is_plain = symbol.width() == 1 && symbol.chars().nth(1).is_none();
        cursor = is_plain.then_some((x.saturating_add(1), y));
    }
    pen.lay_down(bytes);
}

fn move_to(bytes: &mut Vec<u8>, from: Option<(u16, u16)>, (x, y): (u16, u16)) {
    // Into memory, which does not fail.
    let _ = match from {
        Some(from) if from == (x, y) => Ok(()),
        Some((from_x, from_y)) if from_y == y && from_x < x => match x - from_x {
            1 => bytes.write_all(b"\x1b[C"),
            n => write!(bytes, "\x1b[{n}C"),
        },
        _ if x == 0 => write!(bytes, "\x1b[{}H", y.saturating_add(1)),
        _ => write!(bytes, "\x1b[{};{}H", y.saturating_add(1), x.saturating_add(1)),
    };
}

// === impl Pen ===

impl Pen {
    const PLAIN: Self =
        Self { ink: Color::Reset, ground: Color::Reset, attributes: Modifier::empty() };

    /// Changes to what the cell needs, in one sequence.
    fn become_for(&mut self, bytes: &mut Vec<u8>, cell: &Cell) {
        let mut wanted = Self { ink: cell.fg, ground: cell.bg, attributes: cell.modifier };
        let is_inkless = cell.symbol() == " "
            && !wanted.attributes.intersects(SEEN_OF_BLANKS)
            && !self.attributes.intersects(SEEN_OF_BLANKS);
        if is_inkless {
            (wanted.ink, wanted.attributes) = (self.ink, self.attributes);
        }
        if *self == wanted {
            return;
        }
        let mut parameters = Parameters { bytes, is_first: true };
        let gone = self.attributes - wanted.attributes;
        let mut have = self.attributes;
        for (attribute, _, off) in ATTRIBUTES {
            if gone.contains(attribute) && have.contains(attribute) {
                parameters.add(&[off]);
                // One parameter switches off all that share it.
                for (other, _, its_off) in ATTRIBUTES {
                    if its_off == off {
                        have -= other;
                    }
                }
            }
        }
        for (attribute, on, _) in ATTRIBUTES {
            if wanted.attributes.contains(attribute) && !have.contains(attribute) {
                parameters.add(&[on]);
            }
        }
        if self.ink != wanted.ink {
            parameters.colour(wanted.ink, 30);
        }
        if self.ground != wanted.ground {
            parameters.colour(wanted.ground, 40);
        }
        parameters.end();
        *self = wanted;
    }

    fn lay_down(self, bytes: &mut Vec<u8>) {
        if self != Self::PLAIN {
            bytes.extend_from_slice(b"\x1b[m");
        }
    }
}

/// A sequence that changes the pen, being written.
struct Parameters<'a> {
    bytes: &'a mut Vec<u8>,
    is_first: bool,
}

impl Parameters<'_> {
    fn add(&mut self, numbers: &[u8]) {
        for number in numbers {
            let before = if self.is_first { "\x1b[" } else { ";" };
            self.is_first = false;
            let _ = write!(self.bytes, "{before}{number}");
        }
    }

    /// `base`: 30 for ink, 40 for ground.
    fn colour(&mut self, colour: Color, base: u8) {
        let bright = base + 60;
        match colour {
            Color::Reset => self.add(&[base + 9]),
            Color::Black => self.add(&[base]),
            Color::Red => self.add(&[base + 1]),
            Color::Green => self.add(&[base + 2]),
            Color::Yellow => self.add(&[base + 3]),
            Color::Blue => self.add(&[base + 4]),
            Color::Magenta => self.add(&[base + 5]),
            Color::Cyan => self.add(&[base + 6]),
            Color::Gray => self.add(&[base + 7]),
            Color::DarkGray => self.add(&[bright]),
            Color::LightRed => self.add(&[bright + 1]),
            Color::LightGreen => self.add(&[bright + 2]),
            Color::LightYellow => self.add(&[bright + 3]),
            Color::LightBlue => self.add(&[bright + 4]),
            Color::LightMagenta => self.add(&[bright + 5]),
            Color::LightCyan => self.add(&[bright + 6]),
            Color::White => self.add(&[bright + 7]),
            Color::Indexed(index) => self.add(&[base + 8, 5, index]),
            Color::Rgb(r, g, b) => self.add(&[base + 8, 2, r, g, b]),
        }
    }

    fn end(self) {
        if !self.is_first {
            self.bytes.push(b'm');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    /// A terminal that knows what we use: what each cell shows, with ink only where there is some.
    struct Vt {
        cells: Vec<Vec<(char, Color, Color, Modifier)>>,
        at: (usize, usize),
        pen: Pen,
    }

    impl Vt {
        fn new(width: usize, height: usize) -> Self {
            let blank = (' ', Color::Reset, Color::Reset, Modifier::empty());
            Self { cells: vec![vec![blank; width]; height], at: (0, 0), pen: Pen::PLAIN }
        }

        fn read(&mut self, bytes: &[u8]) {
            let text = std::str::from_utf8(bytes).unwrap();
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                if c != '\u{1b}' {
                    self.cells[self.at.1][self.at.0] =
                        (c, self.pen.ink, self.pen.ground, self.pen.attributes);
                    self.at.0 += 1;
                    continue;
                }
                assert_eq!(chars.next(), Some('['));
                let mut parameters = String::new();
                let end = loop {
                    match chars.next().unwrap() {
                        c if c.is_ascii_alphabetic() => break c,
                        c => parameters.push(c),
                    }
                };
                let numbers: Vec<usize> =
                    parameters.split(';').map(|it| it.parse().unwrap_or(0)).collect();
                match end {
                    'C' => self.at.0 += numbers[0].max(1),
                    'H' => {
                        self.at = (numbers.get(1).map_or(0, |x| x - 1), numbers[0] - 1);
                    }
                    'm' => self.pen(&numbers),
                    other => panic!("{other}"),
                }
            }
        }

        fn attribute(&mut self, number: u8) {
            let mut is_known = false;
            for (attribute, on, off) in ATTRIBUTES {
                self.pen.attributes.set(
                    attribute,
                    match number {
                        number if number == on => true,
                        number if number == off => false,
                        _ => self.pen.attributes.contains(attribute),
                    },
                );
                is_known |= number == on || number == off;
            }
            assert!(is_known, "{number}");
        }

        fn pen(&mut self, mut numbers: &[usize]) {
            let colour = |numbers: &[usize]| match numbers[1] {
                5 => (Color::Indexed(u8::try_from(numbers[2]).unwrap()), 3),
                2 => {
                    let [r, g, b] = [2, 3, 4].map(|idx| u8::try_from(numbers[idx]).unwrap());
                    (Color::Rgb(r, g, b), 5)
                }
                other => panic!("{other}"),
            };
            while let Some(&number) = numbers.first() {
                let mut used = 1;
                match number {
                    0 => self.pen = Pen::PLAIN,
                    38 => (self.pen.ink, used) = colour(numbers),
                    48 => (self.pen.ground, used) = colour(numbers),
                    39 => self.pen.ink = Color::Reset,
                    49 => self.pen.ground = Color::Reset,
                    31 => self.pen.ink = Color::Red,
                    106 => self.pen.ground = Color::LightCyan,
                    number => self.attribute(u8::try_from(number).unwrap()),
                }
                numbers = &numbers[used..];
            }
        }
    }

    fn seen(cell: (char, Color, Color, Modifier)) -> (char, Color, Color, Modifier) {
        let (c, ink, ground, attributes) = cell;
        if c == ' ' && !attributes.intersects(SEEN_OF_BLANKS) {
            return (c, Color::Reset, ground, Modifier::empty());
        }
        (c, ink, ground, attributes)
    }

    fn any_cell() -> impl Strategy<Value = (char, Color, Color, Modifier)> {
        let ink = prop_oneof![
            Just(Color::Reset),
            Just(Color::Red),
            Just(Color::Indexed(200)),
            Just(Color::Rgb(1, 2, 3)),
        ];
        let ground =
            prop_oneof![Just(Color::Reset), Just(Color::LightCyan), Just(Color::Rgb(9, 8, 7))];
        let attributes = (0u16..512).prop_map(Modifier::from_bits_truncate);
        let few = prop_oneof![3 => Just(Modifier::empty()), 1 => attributes];
        (prop_oneof![Just(' '), Just('a'), Just('━')], ink, ground, few)
    }

    proptest! {
        /// Whatever a frame follows on, the terminal shows it.
        #[test]
        fn a_terminal_shows_what_was_meant(
            first in proptest::collection::vec(any_cell(), 24),
            second in proptest::collection::vec(any_cell(), 24),
        ) {
            let area = Rect::new(0, 0, 8, 3);
            let mut terminal = Vt::new(8, 3);
            let mut shown = Buffer::empty(area);
            for cells in [first, second] {
                let mut frame = Buffer::empty(area);
                for (cell, (c, ink, ground, attributes)) in frame.content.iter_mut().zip(&cells) {
                    let style = Style::new().fg(*ink).bg(*ground).add_modifier(*attributes);
                    cell.set_char(*c).set_style(style);
                }
                let mut bytes = Vec::new();
                encode(&mut bytes, shown.diff(&frame));
                terminal.read(&bytes);
                prop_assert_eq!(terminal.pen, Pen::PLAIN);
                for (on_terminal, meant) in terminal.cells.iter().flatten().zip(&cells) {
                    prop_assert_eq!(seen(*on_terminal), seen(*meant));
                }
                shown = frame;
            }
        }
    }

    #[test]
    fn only_what_changes_is_said() {
        let mut frame = Buffer::empty(Rect::new(0, 0, 20, 2));
        let blue = Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Rgb(7, 7, 7));
        frame.set_string(0, 0, "one two", blue);
        frame.set_string(10, 0, "three", blue.fg(Color::Red));
        let mut bytes = Vec::new();
        let blank = Buffer::empty(frame.area);
        encode(&mut bytes, blank.diff(&frame));
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "\u{1b}[1H\u{1b}[38;2;1;2;3;48;2;7;7;7mone two\u{1b}[3C\u{1b}[31mthree\u{1b}[m"
        );
    }
}
