//! What the colours of a terminal look like on paper.

use ratatui::buffer::Cell;
use ratatui::style::Color;
use ratatui::style::Modifier;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// The colours that a terminal's user chooses and a program only names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Text without a colour of its own.
    pub foreground: Rgb,
    /// Where nothing else is.
    pub background: Rgb,
    /// Black, red, green, yellow, blue, magenta, cyan, white; then the same, bright.
    pub ansi: [Rgb; 16],
}

/// A cell's colours when its modifiers have been taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    pub(super) front: Rgb,
    /// `None` where the page shows through.
    pub(super) back: Option<Rgb>,
    pub(super) underline: Rgb,
}

// === impl Rgb ===

impl Rgb {
    /// `share` of this, the rest of `other`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two bytes lies a byte"
    )]
    pub(super) fn mixed(self, other: Self, share: f32) -> Self {
        let mix = |mine: u8, other: u8| {
            (f32::from(mine) * share + f32::from(other) * (1.0 - share)).round() as u8
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    pub(super) fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

// === impl Palette ===

impl Palette {
    /// Light on dark.
    pub const DARK: Self = Self {
        foreground: Rgb(0xd6, 0xdd, 0xe6),
        background: Rgb(0x0d, 0x11, 0x17),
        ansi: [
            Rgb(0x2b, 0x33, 0x3d),
            Rgb(0xe0, 0x5f, 0x4d),
            Rgb(0x4c, 0xb0, 0x7f),
            Rgb(0xe0, 0xa9, 0x3b),
            Rgb(0x4f, 0x9d, 0xde),
            Rgb(0xc6, 0x7f, 0xc0),
            Rgb(0x4f, 0xb8, 0xc9),
            Rgb(0xc3, 0xcc, 0xd6),
            Rgb(0x7a, 0x86, 0x94),
            Rgb(0xff, 0x7f, 0x6b),
            Rgb(0x6d, 0xd3, 0xa0),
            Rgb(0xff, 0xc8, 0x5c),
            Rgb(0x7c, 0xbc, 0xf5),
            Rgb(0xe3, 0xa1, 0xdd),
            Rgb(0x78, 0xd8, 0xe6),
            Rgb(0xf2, 0xf5, 0xf8),
        ],
    };

    /// Dark on light.
    pub const LIGHT: Self = Self {
        foreground: Rgb(0x1f, 0x26, 0x2e),
        background: Rgb(0xfd, 0xfd, 0xfb),
        ansi: [
            Rgb(0x1f, 0x26, 0x2e),
            Rgb(0xb3, 0x2d, 0x1c),
            Rgb(0x1a, 0x70, 0x48),
            Rgb(0x8a, 0x5d, 0x00),
            Rgb(0x0b, 0x5c, 0xa8),
            Rgb(0x8b, 0x3a, 0x86),
            Rgb(0x0b, 0x6c, 0x7c),
            Rgb(0xc9, 0xcf, 0xd6),
            Rgb(0x5d, 0x68, 0x74),
            Rgb(0xcc, 0x41, 0x2e),
            Rgb(0x25, 0x85, 0x59),
            Rgb(0xa1, 0x70, 0x00),
            Rgb(0x1c, 0x72, 0xc7),
            Rgb(0xa3, 0x4d, 0x9d),
            Rgb(0x16, 0x80, 0x92),
            Rgb(0xf4, 0xf6, 0xf8),
        ],
    };

    /// What is seen of a cell's colours.
    pub(super) fn ink(&self, cell: &Cell) -> Ink {
        let mut front = self.color(cell.fg);
        let mut back = self.color(cell.bg);
        if cell.modifier.contains(Modifier::REVERSED) {
            (front, back) =
                (Some(back.unwrap_or(self.background)), Some(front.unwrap_or(self.foreground)));
        }
        let paper = back.unwrap_or(self.background);
        let mut front = front.unwrap_or(self.foreground);
        if cell.modifier.contains(Modifier::DIM) {
            front = front.mixed(paper, 0.6);
        }
        if cell.modifier.contains(Modifier::HIDDEN) {
            front = paper;
        }
        Ink { front, back, underline: self.color(cell.underline_color).unwrap_or(front) }
    }

    /// `None` is the terminal's own colour.
    fn color(&self, color: Color) -> Option<Rgb> {
        let index = match color {
            Color::Reset => return None,
            Color::Rgb(red, green, blue) => return Some(Rgb(red, green, blue)),
            Color::Indexed(index) => index,
            named => index_of(named),
        };
        Some(match index {
            0..16 => self.ansi[usize::from(index)],
            // A cube of six levels a channel.
            16..232 => {
                let cube = index - 16;
                let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
                Rgb(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            232.. => {
                let grey = 8 + (index - 232) * 10;
                Rgb(grey, grey, grey)
            }
        })
    }
}

/// The number of a colour that has a name; ratatui calls bright black dark grey and white grey.
pub(super) const fn index_of(color: Color) -> u8 {
    match color {
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) => index,
        Color::Black | Color::Reset | Color::Rgb(..) => 0,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn ink(style: Style) -> Ink {
        let mut cell = Cell::default();
        cell.set_style(style);
        Palette::DARK.ink(&cell)
    }

    #[test]
    fn colors_are_what_a_terminal_shows() {
        let dark = Palette::DARK;
        for (color, seen) in [
            (Color::Reset, dark.foreground),
            (Color::Red, dark.ansi[1]),
            (Color::White, dark.ansi[15]),
            (Color::Indexed(8), dark.ansi[8]),
            (Color::Indexed(16), Rgb(0, 0, 0)),
            (Color::Indexed(208), Rgb(255, 135, 0)),
            (Color::Indexed(255), Rgb(238, 238, 238)),
            (Color::Rgb(1, 2, 3), Rgb(1, 2, 3)),
        ] {
            assert_eq!(ink(Style::new().fg(color)).front, seen, "{color}");
        }
    }

    #[test]
    fn modifiers_change_what_is_seen() {
        let dark = Palette::DARK;
        let plain = ink(Style::new());
        assert_eq!((plain.front, plain.back), (dark.foreground, None));
        let reversed = ink(Style::new().reversed());
        assert_eq!((reversed.front, reversed.back), (dark.background, Some(dark.foreground)));
        let white_on_black = Style::new().fg(Color::Rgb(255, 255, 255)).bg(Color::Rgb(0, 0, 0));
        assert_eq!(ink(white_on_black.dim()).front, Rgb(153, 153, 153));
        assert_eq!(ink(white_on_black.hidden()).front, Rgb(0, 0, 0));
    }
}
