//! A rectangle of cells with filled areas, lines and bands in it.
//!
//! What is drawn is collected as dots and eighths first and becomes characters at the end, so that
//! a line crosses a filled area in one cell: the line is the ink, the area the ground. Braille has
//! 2×4 dots a cell; without braille lines are quarters of a cell, in ASCII one mark a cell.

use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::style::Style;

use crate::series::Column;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;

use super::canvas::Canvas;

/// How a line is drawn, so that two of them differ without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    /// Every dot.
    Solid,
    /// Every other dot.
    Dotted,
    /// Four dots, four spaces.
    Dashed,
}

/// What a line or an area looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ink {
    /// The colour's role.
    pub role: Role,
    /// How a line is drawn.
    pub dash: Dash,
    /// Its mark where there are 7 bits only.
    pub mark: char,
}

/// Values on a vertical axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From zero to this.
    Linear(f64),
    /// From the first to the second, each decade of the same height.
    Log(f64, f64),
}

/// A rectangle of cells being drawn.
#[derive(Debug)]
pub struct Plot<'a> {
    area: Rect,
    theme: &'a Theme,
    scale: Scale,
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// What lies behind.
    ground: Option<Color>,
    /// Whether a band passes that cannot be shown by its ground.
    is_hatched: bool,
    /// An area: eighths filled from below, its ink.
    fill: Option<(u8, Fill)>,
    /// Braille dots and their colour.
    dots: u8,
    ink: Option<Ink>,
    /// Upper and lower half of a heat cell.
    heat: Option<(u8, u8)>,
}

#[derive(Debug, Clone, Copy)]
struct Fill {
    role: Role,
    share: f64,
    is_hatched: bool,
}

/// Dots of a braille cell by column and row, from above.
const BRAILLE: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
/// The quarter blocks, by a mask of upper left 1, upper right 2, lower left 4, lower right 8.
const QUARTERS: [&str; 16] =
    [" ", "▘", "▝", "▀", "▖", "▌", "▞", "▛", "▗", "▚", "▐", "▜", "▄", "▙", "▟", "█"];
/// Blocks filled from below, by eighths.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Shades by step of heat, in place of colours.
const SHADES: [&str; 9] = [" ", "░", "░", "░", "▒", "▒", "▓", "█", "█"];
const SHADES_ASCII: [&str; 9] = [" ", ".", ".", ":", ":", "+", "*", "#", "#"];

// === impl Scale ===

impl Scale {
    /// The least of 1, 1½, 2, 3, 4, 5, 6 and 8 times a power of ten that is not below `max`: few enough
    /// that the axis seldom changes, close enough that nothing is squeezed.
    pub fn up_to(max: f64, least: f64) -> Self {
        let max = if max.is_finite() { max.clamp(least, 1e15) } else { least };
        let power = 10f64.powf(max.log10().floor());
        let step = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
            .into_iter()
            .find(|step| max <= step * power * 1.000_001)
            .unwrap_or(10.0);
        Self::Linear(step * power)
    }

    /// From the largest of 1, 2 and 5 times a power of ten not above `min`, to the least not below
    /// `max`, and at least a factor of five.
    pub fn log(min: f64, max: f64) -> Self {
        let min = if min.is_finite() { min.clamp(1e-6, 600.0) } else { 1e-3 };
        let max = if max.is_finite() { max.clamp(min, 1200.0) } else { min };
        let steps = |value: f64| {
            let power = 10f64.powf(value.log10().floor());
            [1.0, 2.0, 5.0, 10.0].map(|step| step * power)
        };
        let low = steps(min).into_iter().rev().find(|it| *it <= min * 1.000_001).unwrap_or(min);
        let high = steps(max).into_iter().find(|it| max <= it * 1.000_001).unwrap_or(max);
        Self::Log(low, high.max(low * 5.0))
    }

    /// Where a value lies, from 0 at the bottom to 1 at the top.
    pub fn share(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear(max) => value / max,
            Self::Log(low, high) => (value.max(1e-9) / low).ln() / (high / low).ln(),
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The value at a height.
    pub fn value(self, share: f64) -> f64 {
        match self {
            Self::Linear(max) => max * share,
            Self::Log(low, high) => low * (high / low).powf(share),
        }
    }
}

// === impl Plot ===

impl<'a> Plot<'a> {
    /// An empty plot.
    pub fn new(area: Rect, scale: Scale, theme: &'a Theme) -> Self {
        let n_cells = usize::from(area.width) * usize::from(area.height);
        Self { area, theme, scale, cells: vec![Cell::default(); n_cells] }
    }

    /// How many columns of dots there are.
    pub fn n_dots(&self) -> usize {
        usize::from(self.area.width) * 2
    }

    fn cell(&mut self, column: usize, row: usize) -> Option<&mut Cell> {
        let width = usize::from(self.area.width);
        if width <= column {
            return None;
        }
        self.cells.get_mut(row * width + column)
    }

    /// A band behind everything in these columns.
    pub fn band(&mut self, columns: std::ops::Range<usize>) {
        let has_grounds = self.theme.has_grounds();
        let ground = self.theme.colour(Role::Band);
        let height = usize::from(self.area.height);
        let places = columns.flat_map(|column| (0..height).map(move |row| (column, row)));
        for (column, row) in places {
            let Some(cell) = self.cell(column, row) else { continue };
            cell.is_hatched = !has_grounds;
            if has_grounds {
                cell.ground = Some(ground);
            }
        }
    }

    /// An area from zero up to `values`, a value a cell; hatched in another role where `hatched`
    /// says so.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "heights in eighths of a cell, clamped"
    )]
    pub fn fill(&mut self, values: &[Option<f64>], look: (Role, f64), hatched: (&[bool], Role)) {
        let height = usize::from(self.area.height);
        let (role, share) = look;
        let has_grounds = self.theme.has_grounds();
        for (column, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let eighths = self.scale.share(*value) * (height * 8) as f64;
            // What is not nothing is seen.
            let eighths = if 0.0 < *value { eighths.round().max(1.0) } else { 0.0 } as usize;
            let is_hatched = hatched.0.get(column) == Some(&true);
            let role = if is_hatched { hatched.1 } else { role };
            let fill = Fill { role, share, is_hatched };
            let back = self.theme.fill(role, share);
            for row in 0..height {
                let filled = eighths.saturating_sub((height - 1 - row) * 8).min(8) as u8;
                let Some(cell) = self.cell(column, row).filter(|_| 0 < filled) else { continue };
                match cell.fill {
                    // An area drawn before lies in front of this one.
                    Some((front, _)) if front < filled && has_grounds => cell.ground = Some(back),
                    Some(_) => {}
                    None => cell.fill = Some((filled, fill)),
                }
            }
        }
    }

    /// A step line, two values a cell; a `None` is a gap.
    pub fn line(&mut self, values: &[Option<Column>], ink: Ink) {
        let mut before: Option<usize> = None;
        for (dot_column, value) in values.iter().enumerate() {
            let Some(value) = value else {
                before = None;
                continue;
            };
            let (low, high) = (self.dot_row(value.min), self.dot_row(value.max));
            let last = self.dot_row(value.last);
            let is_drawn = match ink.dash {
                Dash::Solid => true,
                Dash::Dotted => dot_column % 2 == 0,
                Dash::Dashed => dot_column % 8 < 4,
            };
            // Rows count from above; steps are drawn through, so that a line never breaks.
            let (top, bottom) = match before {
                Some(before) => (high.min(before), low.max(before)),
                None => (high, low),
            };
            let is_step = top != bottom;
            if is_drawn || (is_step && ink.dash != Dash::Dashed) {
                for dot_row in top..=bottom {
                    self.dot(dot_column, dot_row, ink);
                }
            }
            before = Some(last);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a row of dots, clamped"
    )]
    fn dot_row(&self, value: f64) -> usize {
        let n_rows = usize::from(self.area.height) * 4;
        let from_below = (self.scale.share(value) * n_rows.saturating_sub(1) as f64).round();
        n_rows.saturating_sub(1).saturating_sub(from_below as usize)
    }

    fn dot(&mut self, dot_column: usize, dot_row: usize, ink: Ink) {
        let mask = BRAILLE[dot_column % 2][dot_row % 4];
        if let Some(cell) = self.cell(dot_column / 2, dot_row / 4) {
            cell.dots |= mask;
            cell.ink = Some(ink);
        }
    }

    /// One column of the heat strip: steps from 1 on, 0 for nothing, two a cell from below.
    pub fn heat(&mut self, column: usize, steps: &[u8]) {
        let height = usize::from(self.area.height);
        for row in 0..height {
            let below = (height - 1 - row) * 2;
            let step = |idx: usize| steps.get(idx).copied().unwrap_or(0);
            let (upper, lower) = (step(below + 1), step(below));
            if (upper, lower) != (0, 0)
                && let Some(cell) = self.cell(column, row)
            {
                cell.heat = Some((upper, lower));
            }
        }
    }

    /// Puts everything on the canvas.
    pub fn paint(self, canvas: &mut Canvas<'_>) {
        let width = usize::from(self.area.width).max(1);
        for (cell_idx, cell) in self.cells.iter().enumerate() {
            let (column, row) = (cell_idx % width, cell_idx / width);
            let x = self.area.x + u16::try_from(column).unwrap_or(0);
            let y = self.area.y + u16::try_from(row).unwrap_or(0);
            let (symbol, style) = self.look(cell, column, row);
            if let Some(target) = canvas.buffer.cell_mut((x, y)) {
                match symbol {
                    Symbol::Known(symbol) => target.set_symbol(symbol),
                    Symbol::Char(c) => target.set_char(c),
                };
                target.set_style(style);
            }
        }
    }

    fn look(&self, cell: &Cell, column: usize, row: usize) -> (Symbol, Style) {
        let theme = self.theme;
        let ground =
            |colour: Option<Color>| colour.map_or(Style::new(), |colour| Style::new().bg(colour));
        if cell.dots != 0
            && let Some(ink) = cell.ink
        {
            // An area is the ground of the line, as much of it as it fills of the cell.
            let behind = match (cell.fill, cell.heat) {
                (Some((eighths, fill)), _) if theme.has_grounds() => {
                    // A shade that is hatched covers half of its cell.
                    let hatch = if fill.is_hatched { 0.5 } else { 1.0 };
                    let share = fill.share * hatch * f64::from(eighths) / 8.0;
                    Some(theme.fill_over(cell.ground, fill.role, share))
                }
                (None, Some((upper, lower))) if theme.has_grounds() && 0 < upper.max(lower) => {
                    Some(theme.heat(usize::from(upper.max(lower) - 1)))
                }
                _ => cell.ground,
            };
            return (self.dots(cell.dots, ink), ground(behind).patch(theme.style(ink.role)));
        }
        if let Some((eighths, fill)) = cell.fill {
            return self.filled(eighths, fill, cell.ground);
        }
        if let Some((upper, lower)) = cell.heat {
            return self.heated(upper, lower, cell.ground);
        }
        // A strip between two lanes is hatched all through: areas may hide the rest.
        let is_strip = self.area.height == 1;
        if cell.is_hatched && (is_strip || (column + 2 * row).is_multiple_of(4)) {
            let symbol = match (theme.charset(), is_strip) {
                (Charset::Ascii, true) => "=",
                (Charset::Ascii, false) => ",",
                (_, true) => "╌",
                (_, false) => "·",
            };
            return (Symbol::Known(symbol), theme.style(Role::Panic));
        }
        (Symbol::Known(" "), ground(cell.ground))
    }

    fn dots(&self, dots: u8, ink: Ink) -> Symbol {
        match self.theme.charset() {
            Charset::Braille => {
                Symbol::Char(char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '))
            }
            Charset::Block => {
                let quarter = |column: usize, rows: std::ops::Range<usize>| {
                    BRAILLE[column][rows].iter().any(|mask| dots & mask != 0)
                };
                let mask = usize::from(quarter(0, 0..2))
                    | usize::from(quarter(1, 0..2)) << 1
                    | usize::from(quarter(0, 2..4)) << 2
                    | usize::from(quarter(1, 2..4)) << 3;
                Symbol::Known(QUARTERS[mask])
            }
            Charset::Ascii => Symbol::Char(ink.mark),
        }
    }

    fn filled(&self, eighths: u8, fill: Fill, behind: Option<Color>) -> (Symbol, Style) {
        let theme = self.theme;
        let mut style = Style::new().fg(theme.fill(fill.role, fill.share));
        if let Some(behind) = behind {
            style = style.bg(behind);
        }
        let symbol = match (theme.charset(), fill.is_hatched) {
            (Charset::Ascii, true) if 4 <= eighths => "%",
            (Charset::Ascii, false) if 4 <= eighths => "#",
            (Charset::Ascii, false) if 0 < eighths => "_",
            (Charset::Ascii, _) => " ",
            (_, false) if 4 <= eighths && !theme.has_grounds() => "▒",
            (_, false) if 1 <= eighths && !theme.has_grounds() => "░",
            (_, true) if 3 <= eighths && !theme.has_grounds() => "░",
            (_, true) if 3 <= eighths => "▒",
            (_, true) if 1 <= eighths => "▁",
            _ => EIGHTHS[usize::from(eighths.min(8))],
        };
        (Symbol::Known(symbol), style)
    }

    fn heated(&self, upper: u8, lower: u8, behind: Option<Color>) -> (Symbol, Style) {
        let theme = self.theme;
        let colour = |step: u8| match step.checked_sub(1) {
            Some(step) => theme.heat(usize::from(step)),
            None => behind.unwrap_or_else(|| theme.colour(Role::Background)),
        };
        if theme.has_grounds() && theme.charset() != Charset::Ascii {
            if upper == lower {
                return (Symbol::Known(" "), Style::new().bg(colour(upper)));
            }
            return (Symbol::Known("▀"), Style::new().fg(colour(upper)).bg(colour(lower)));
        }
        let shades = if theme.charset() == Charset::Ascii { SHADES_ASCII } else { SHADES };
        let step = usize::from(upper.max(lower)).min(SHADES.len() - 1);
        (Symbol::Known(shades[step]), theme.style(Role::Load))
    }
}

/// One character, without a string of its own for each cell.
#[derive(Debug, Clone, Copy)]
enum Symbol {
    Known(&'static str),
    Char(char),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::tui::theme::Depth;

    const NONE: (&[bool], Role) = (&[], Role::Load);
    const INK: Ink = Ink { role: Role::Load, dash: Dash::Solid, mark: '*' };

    #[expect(clippy::unnecessary_wraps, reason = "as a line takes it")]
    fn column(value: f64) -> Option<Column> {
        Some(Column { min: value, max: value, last: value })
    }

    fn drawn(charset: Charset, height: u16, draw: impl FnOnce(&mut Plot<'_>)) -> Vec<String> {
        let theme = Theme::default().adapt(Depth::True, charset);
        let area = Rect::new(0, 0, 4, height);
        let mut buffer = Buffer::empty(area);
        let mut plot = Plot::new(area, Scale::Linear(8.0), &theme);
        draw(&mut plot);
        plot.paint(&mut Canvas { buffer: &mut buffer, theme: &theme });
        (0..height).map(|y| (0..4).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (max, end) in
            [(0.0, 4.0), (3.9, 4.0), (4.1, 5.0), (545.0, 600.0), (1000.0, 1000.0), (0.3, 4.0)]
        {
            assert_eq!(Scale::up_to(max, 4.0), Scale::Linear(end), "{max}");
        }
        assert_eq!(Scale::log(0.101, 0.319), Scale::Log(0.1, 0.5));
        assert_eq!(Scale::log(0.1, 0.1), Scale::Log(0.1, 0.5));
    }

    #[test]
    fn areas_fill_from_below_and_nothing_is_not_something() {
        let fill = |plot: &mut Plot<'_>| {
            plot.fill(&[Some(0.0), Some(0.01), Some(4.0), None], (Role::Load, 0.5), NONE);
        };
        assert_eq!(drawn(Charset::Braille, 1, fill), [" ▁▄ "]);
        assert_eq!(drawn(Charset::Ascii, 1, fill), [" _# "]);
    }

    #[test]
    fn a_gap_in_the_data_is_a_gap_in_the_line() {
        let line = |plot: &mut Plot<'_>| {
            let low = column(0.0);
            plot.line(&[low, low, low, None, None, None, column(8.0), low], INK);
        };
        assert_eq!(drawn(Charset::Braille, 1, line), ["⣀⡀ ⢹"]);
        assert_eq!(drawn(Charset::Ascii, 1, line), ["** *"]);
    }

    #[test]
    fn a_line_over_an_area_keeps_its_ground() {
        let theme = Theme::default();
        let area = Rect::new(0, 0, 1, 1);
        let mut buffer = Buffer::empty(area);
        let mut plot = Plot::new(area, Scale::Linear(1.0), &theme);
        plot.fill(&[Some(1.0)], (Role::Load, 0.5), NONE);
        plot.line(&[column(1.0), column(1.0)], INK);
        plot.paint(&mut Canvas { buffer: &mut buffer, theme: &theme });
        assert_eq!(buffer[(0, 0)].symbol(), "⠉");
        assert_eq!(buffer[(0, 0)].bg, theme.fill(Role::Load, 0.5));
    }

    proptest! {
        #[test]
        fn any_values_stay_inside(
            values in proptest::collection::vec(proptest::option::of(-1e9f64..1e12), 0..40),
            height in 0u16..9,
        ) {
            for charset in [Charset::Ascii, Charset::Block, Charset::Braille] {
                drawn(charset, height, |plot| {
                    plot.fill(&values, (Role::Ready, 0.5), (&[true], Role::Warn));
                    let columns: Vec<_> = values.iter().map(|it| it.and_then(column)).collect();
                    plot.line(&columns, INK);
                    plot.heat(2, &[1, 2, 3, 4, 5, 6, 7, 8]);
                    plot.band(1..3);
                });
            }
        }
    }
}
