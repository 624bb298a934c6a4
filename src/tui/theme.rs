//! Styles by role: a theme names a colour for each meaning, and everything else is derived here.
//!
//! No colour stands anywhere outside of this file and `themes/`. A terminal that knows fewer
//! colours gets the nearest ones; one that knows none gets bold, dim and reversed, and since no
//! meaning hangs on colour alone, it loses none.

use std::collections::BTreeMap;

use ratatui::style::Color;
use ratatui::style::Modifier;
use ratatui::style::Style;
use ratatui::text::Span;
use serde::Deserialize;
use thiserror::Error;

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Behind everything.
    Background,
    /// Behind the first and the last line.
    Surface,
    /// Frames and axes.
    Border,
    /// Values and sentences.
    Text,
    /// Labels, and what is stale.
    Dim,
    /// Keys, marks, what a person did.
    Accent,
    /// All is well.
    Good,
    /// Look at this.
    Warn,
    /// This is wrong.
    Bad,
    /// Requests done.
    Load,
    /// Latency.
    Latency,
    /// Ready pods.
    Ready,
    /// What is wished for: offered requests, desired pods.
    Desired,
    /// Pods on their way.
    Starting,
    /// Panic, as a word.
    Panic,
    /// Panic, as a band behind the lanes.
    Band,
    /// The cursor on the time axis.
    Cursor,
}

/// How many colours the terminal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: bold, dim and reversed carry the meaning.
    Mono,
    /// The sixteen of its own palette.
    Ansi16,
    /// The cube of 216 and 24 greys.
    Ansi256,
    /// All.
    True,
}

/// Which characters the terminal's font knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// 7 bits.
    Ascii,
    /// Blocks and box drawing, but no braille.
    Block,
    /// Braille too.
    Braille,
}

/// A theme could not be used.
#[derive(Debug, Error)]
pub enum ThemeError {
    /// The file is not TOML of the right shape.
    #[error("the theme is not readable")]
    Shape(#[source] Box<toml::de::Error>),
    /// A role has no colour.
    #[error("the theme has no colour for {role:?}")]
    Missing {
        /// The role.
        role: Role,
    },
    /// A colour is neither `#rrggbb` nor one of the sixteen names.
    #[error("{text:?} is neither #rrggbb nor a colour name such as \"light blue\"")]
    Colour {
        /// What was read.
        text: String,
    },
}

/// Styles by role, for one terminal.
#[derive(Debug, Clone)]
pub struct Theme {
    about: String,
    roles: BTreeMap<Role, Color>,
    ansi16: BTreeMap<Role, Color>,
    /// How many colours are used.
    depth: Depth,
    /// Which characters are used.
    charset: Charset,
    styles: Vec<Style>,
    heat: [Color; HEAT_STEPS],
}

/// Steps of the heat strip, from hardly any to nearly all.
pub const HEAT_STEPS: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    roles: BTreeMap<Role, String>,
    #[serde(default)]
    ansi16: BTreeMap<Role, String>,
}

impl Role {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 17] = [
        Self::Background,
        Self::Surface,
        Self::Border,
        Self::Text,
        Self::Dim,
        Self::Accent,
        Self::Good,
        Self::Warn,
        Self::Bad,
        Self::Load,
        Self::Latency,
        Self::Ready,
        Self::Desired,
        Self::Starting,
        Self::Panic,
        Self::Band,
        Self::Cursor,
    ];

    /// Whether words are written in it, which therefore must be legible.
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Background | Self::Surface | Self::Border | Self::Band)
    }

    const fn modifier(self, depth: Depth) -> Modifier {
        match (self, depth) {
            (Self::Dim | Self::Border, Depth::Mono) => Modifier::DIM,
            (Self::Accent | Self::Panic | Self::Bad | Self::Warn, Depth::Mono) => Modifier::BOLD,
            _ => Modifier::empty(),
        }
    }
}

/// The themes that come with the program: name and text.
const BUILTIN: [(&str, &str); 5] = [
    ("night", include_str!("../../themes/night.toml")),
    ("paper", include_str!("../../themes/paper.toml")),
    ("deuteranopia", include_str!("../../themes/deuteranopia.toml")),
    ("contrast", include_str!("../../themes/contrast.toml")),
    ("terminal", include_str!("../../themes/terminal.toml")),
];

// === impl Theme ===

impl Default for Theme {
    /// `night`, in true colour and braille.
    fn default() -> Self {
        Self::builtin("night").unwrap_or_else(Self::plain)
    }
}

impl Theme {
    /// A theme from its file.
    pub fn parse(text: &str) -> Result<Self, ThemeError> {
        let file: File =
            toml::from_str(text).map_err(|error| ThemeError::Shape(Box::new(error)))?;
        let colours = |table: &BTreeMap<Role, String>| {
            table
                .iter()
                .map(|(role, text)| Ok((*role, colour(text)?)))
                .collect::<Result<BTreeMap<_, _>, ThemeError>>()
        };
        let roles = colours(&file.roles)?;
        if let Some(role) = Role::ALL.into_iter().find(|role| !roles.contains_key(role)) {
            return Err(ThemeError::Missing { role });
        }
        let ansi16 = colours(&file.ansi16)?;
        let theme = Self { about: file.about, roles, ansi16, ..Self::plain() };
        Ok(theme.adapt(Depth::True, Charset::Braille))
    }

    /// A theme that comes with the program.
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(builtin, _)| *builtin == name)?;
        Self::parse(text).ok()
    }

    /// Names of the themes that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    fn plain() -> Self {
        Self {
            about: String::new(),
            roles: BTreeMap::new(),
            ansi16: BTreeMap::new(),
            depth: Depth::Mono,
            charset: Charset::Ascii,
            styles: vec![Style::new(); Role::ALL.len()],
            heat: [Color::Reset; HEAT_STEPS],
        }
    }

    /// The same theme for a terminal that knows these colours and characters.
    #[must_use]
    pub fn adapt(mut self, depth: Depth, charset: Charset) -> Self {
        (self.depth, self.charset) = (depth, charset);
        self.styles = Role::ALL
            .iter()
            .map(|role| {
                let style = Style::new().add_modifier(role.modifier(depth));
                match depth {
                    Depth::Mono => style,
                    _ => style.fg(self.at_depth(*role)),
                }
            })
            .collect();
        let background = self.roles.get(&Role::Background).copied().unwrap_or(Color::Reset);
        let load = self.roles.get(&Role::Load).copied().unwrap_or(Color::Reset);
        for (step_idx, colour) in self.heat.iter_mut().enumerate() {
            *colour = ground(mix(background, load, STEP_SHARES[step_idx]), depth);
        }
        self
    }

    fn at_depth(&self, role: Role) -> Color {
        let own = self.roles.get(&role).copied().unwrap_or(Color::Reset);
        match self.depth {
            Depth::Mono => Color::Reset,
            Depth::Ansi16 if matches!(own, Color::Rgb(..)) => {
                self.ansi16.get(&role).copied().unwrap_or(Color::Reset)
            }
            depth if role == Role::Band => ground(own, depth),
            depth => reduce(own, depth),
        }
    }

    /// What the theme is for, in a few words.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// How many colours are used.
    pub const fn depth(&self) -> Depth {
        self.depth
    }

    /// Which characters are used.
    pub const fn charset(&self) -> Charset {
        self.charset
    }

    /// The colour of a role; [`Color::Reset`] where the terminal's own serves.
    pub fn colour(&self, role: Role) -> Color {
        if self.depth == Depth::Mono { Color::Reset } else { self.at_depth(role) }
    }

    /// How words of a role are written.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The same, bold.
    pub fn bold(&self, role: Role) -> Style {
        self.style(role).add_modifier(Modifier::BOLD)
    }

    /// A word on a plate of the role's colour.
    pub fn plate(&self, role: Role) -> Style {
        let background = match self.depth {
            Depth::Mono | Depth::Ansi16 => {
                return self.bold(role).add_modifier(Modifier::REVERSED);
            }
            _ => self.colour(Role::Background),
        };
        match background {
            Color::Reset => self.bold(role).add_modifier(Modifier::REVERSED),
            ink => Style::new().fg(ink).bg(self.colour(role)).add_modifier(Modifier::BOLD),
        }
    }

    /// What lies behind everything.
    pub fn ground(&self) -> Style {
        self.style(Role::Text).bg(self.colour(Role::Background))
    }

    /// What lies behind the first and the last line.
    pub fn bar(&self) -> Style {
        self.style(Role::Text).bg(self.colour(Role::Surface))
    }

    /// Text in a role.
    pub fn span<'a>(&self, role: Role, text: impl Into<std::borrow::Cow<'a, str>>) -> Span<'a> {
        Span::styled(text, self.style(role))
    }

    /// Bold text in a role.
    pub fn strong<'a>(&self, role: Role, text: impl Into<std::borrow::Cow<'a, str>>) -> Span<'a> {
        Span::styled(text, self.bold(role))
    }

    /// The colour of a filled area of a role: a share of it, so that lines stay visible over it.
    pub fn fill(&self, role: Role, share: f64) -> Color {
        self.fill_over(None, role, share)
    }

    /// The same over what lies there already.
    pub fn fill_over(&self, behind: Option<Color>, role: Role, share: f64) -> Color {
        let own = self.roles.get(&role).copied().unwrap_or(Color::Reset);
        let background = self.roles.get(&Role::Background).copied().unwrap_or(Color::Reset);
        // Colours of a table do not mix.
        let behind = behind.filter(|colour| matches!(colour, Color::Rgb(..)));
        let background = behind.unwrap_or(background);
        match (self.depth, own, background) {
            (Depth::Mono, _, _) => Color::Reset,
            (Depth::Ansi256 | Depth::True, Color::Rgb(..), Color::Rgb(..)) => {
                ground(mix(background, own, share), self.depth)
            }
            _ => self.at_depth(role),
        }
    }

    /// The colour of a step of the heat strip.
    pub fn heat(&self, step: usize) -> Color {
        self.heat[step.min(HEAT_STEPS - 1)]
    }

    /// Whether areas can be told apart by the colour behind them.
    pub fn has_grounds(&self) -> bool {
        Depth::Ansi256 <= self.depth && self.colour(Role::Band) != Color::Reset
    }
}

/// How strong each step of the heat strip is: of the load's own colour, so that lines of another
/// colour are seen over it.
const STEP_SHARES: [f64; HEAT_STEPS] = [0.14, 0.22, 0.3, 0.38, 0.46, 0.55, 0.64, 0.72];

fn colour(text: &str) -> Result<Color, ThemeError> {
    let parsed: Option<Color> = text.parse().ok();
    match parsed {
        // Numbers of the 256 would not mean the same at other depths.
        Some(colour) if !matches!(colour, Color::Indexed(_)) => Ok(colour),
        _ => Err(ThemeError::Colour { text: text.chars().take(40).collect() }),
    }
}

/// A share of `over` on `under`; only true colours mix.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
fn mix(under: Color, over: Color, share: f64) -> Color {
    let (Color::Rgb(r0, g0, b0), Color::Rgb(r1, g1, b1)) = (under, over) else { return over };
    let channel = |a: u8, b: u8| {
        (f64::from(b) - f64::from(a)).mul_add(share.clamp(0.0, 1.0), f64::from(a)).round() as u8
    };
    Color::Rgb(channel(r0, r1), channel(g0, g1), channel(b0, b1))
}

/// The nearest colour that a terminal of this depth knows.
fn reduce(colour: Color, depth: Depth) -> Color {
    match (colour, depth) {
        (_, Depth::Mono) => Color::Reset,
        (Color::Rgb(r, g, b), Depth::Ansi256 | Depth::Ansi16) => {
            Color::Indexed(nearest_of_256((r, g, b)))
        }
        _ => colour,
    }
}

/// The same for what lies behind others, which is dark or pale: the nearest colour would often be a
/// grey, and areas would no longer be told apart, nor panic from calm.
fn ground(colour: Color, depth: Depth) -> Color {
    match (colour, depth) {
        (Color::Rgb(r, g, b), Depth::Ansi256) => Color::Indexed(nearest_hue_of_256((r, g, b))),
        _ => reduce(colour, depth),
    }
}

/// The values of a channel in the cube.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];
/// Channels of which none differs more from another make a grey.
const GREY: u8 = 18;
/// A channel that is so much above another is still above it.
const ABOVE: u8 = 12;

/// The nearest of the 256 in which each channel that is clearly above another still is.
fn nearest_hue_of_256((r, g, b): (u8, u8, u8)) -> u8 {
    let keeps = |from: (u8, u8), to: (u8, u8)| {
        from.0.abs_diff(from.1) < ABOVE || from.0.cmp(&from.1) == to.0.cmp(&to.1)
    };
    let fits = |idx: &u8| {
        let (r1, g1, b1) = cube(*idx);
        keeps((r, g), (r1, g1)) && keeps((g, b), (g1, b1)) && keeps((r, b), (r1, b1))
    };
    let distance = |idx: &u8| distance(cube(*idx), (r, g, b));
    let nearest = nearest_of_256((r, g, b));
    let is_grey = r.abs_diff(g).max(g.abs_diff(b)).max(r.abs_diff(b)) < GREY;
    if is_grey { nearest } else { (16..232).filter(fits).min_by_key(distance).unwrap_or(nearest) }
}

/// The colour of the cube with this number.
fn cube(idx: u8) -> (u8, u8, u8) {
    let idx = usize::from(idx.saturating_sub(16));
    (CUBE[idx / 36 % 6], CUBE[idx / 6 % 6], CUBE[idx % 6])
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    square(a.0, b.0) + square(a.1, b.1) + square(a.2, b.2)
}

/// The cube has six values a channel; the greys go from 8 to 238 in steps of ten.
fn nearest_of_256(rgb: (u8, u8, u8)) -> u8 {
    let nearest = |value: u8| {
        let distance = |idx: &u8| CUBE[usize::from(*idx)].abs_diff(value);
        (0..6u8).min_by_key(distance).unwrap_or(0)
    };
    let of_cube = 16 + 36 * nearest(rgb.0) + 6 * nearest(rgb.1) + nearest(rgb.2);
    let mean = (u16::from(rgb.0) + u16::from(rgb.1) + u16::from(rgb.2)) / 3;
    let grey = u8::try_from(mean.saturating_sub(3) / 10).unwrap_or(23).min(23);
    let level = 8 + 10 * grey;
    let is_grey_nearer = distance((level, level, level), rgb) < distance(cube(of_cube), rgb);
    if is_grey_nearer { 232 + grey } else { of_cube }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of WCAG 2.
    fn luminance(colour: Color) -> f64 {
        let Color::Rgb(r, g, b) = colour else { panic!("{colour:?} is not a true colour") };
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(a: Color, b: Color) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_legible_on_its_own_background() {
        for name in Theme::names().filter(|name| *name != "terminal") {
            let theme = Theme::builtin(name).unwrap();
            for role in Role::ALL.into_iter().filter(|role| role.is_text()) {
                for ground in [Role::Background, Role::Surface] {
                    let ratio = contrast(theme.colour(role), theme.colour(ground));
                    assert!(4.5 <= ratio, "{name}: {role:?} on {ground:?} is {ratio:.2} to 1");
                }
            }
            let on_band = contrast(theme.colour(Role::Panic), theme.colour(Role::Band));
            assert!(4.5 <= on_band, "{name}: the letter on the band is {on_band:.2} to 1");
        }
    }

    /// Lines over the heat strip are seen on every step of it.
    #[test]
    fn latencies_are_seen_on_their_own_map() {
        for name in Theme::names().filter(|name| *name != "terminal") {
            let theme = Theme::builtin(name).unwrap();
            for (role, step) in [Role::Latency, Role::Text]
                .into_iter()
                .flat_map(|it| (0..HEAT_STEPS).map(move |step| (it, step)))
            {
                let ratio = contrast(theme.colour(role), theme.heat(step));
                assert!(2.5 <= ratio, "{name}: {role:?} on step {step} is {ratio:.2} to 1");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_not_in_the_colour_of_what_is_wished() {
        for name in Theme::names().filter(|name| *name != "terminal") {
            let theme = Theme::builtin(name).unwrap();
            for wrong in [Role::Panic, Role::Bad] {
                let distance = distance(rgb(theme.colour(wrong)), rgb(theme.colour(Role::Desired)));
                assert!(30u32.pow(2) < distance, "{name}: {wrong:?} looks like desired");
            }
        }
    }

    #[test]
    fn panic_is_no_grey_where_there_are_256_colours() {
        for name in Theme::names().filter(|name| *name != "terminal") {
            let theme = Theme::builtin(name).unwrap().adapt(Depth::Ansi256, Charset::Braille);
            let grounds = [
                theme.colour(Role::Band),
                theme.colour(Role::Background),
                theme.fill(Role::Ready, 0.5),
                theme.fill(Role::Load, 0.5),
                theme.fill(Role::Starting, 0.35),
            ];
            for (idx, ground) in grounds.iter().enumerate() {
                assert!(!grounds[..idx].contains(ground), "{name}: two grounds are {ground:?}");
            }
            assert!(matches!(grounds[0], Color::Indexed(16..232)), "{name}: {:?}", grounds[0]);
        }
    }

    fn rgb(colour: Color) -> (u8, u8, u8) {
        let Color::Rgb(r, g, b) = colour else { panic!("{colour:?} is not a true colour") };
        (r, g, b)
    }

    #[test]
    fn every_theme_that_comes_with_the_program_parses() {
        for (name, text) in BUILTIN {
            let theme = Theme::parse(text).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert!(!theme.about().is_empty());
        }
    }

    #[test]
    fn fewer_colours_never_leave_what_the_terminal_knows() {
        for name in Theme::names() {
            for (depth, is_known) in [
                (Depth::Mono, (|it| it == Color::Reset) as fn(Color) -> bool),
                (Depth::Ansi16, |it| !matches!(it, Color::Rgb(..) | Color::Indexed(_))),
                (Depth::Ansi256, |it| !matches!(it, Color::Rgb(..))),
            ] {
                let theme = Theme::builtin(name).unwrap().adapt(depth, Charset::Ascii);
                for role in Role::ALL {
                    assert!(is_known(theme.colour(role)), "{name} {depth:?} {role:?}");
                    assert!(is_known(theme.fill(role, 0.5)), "{name} {depth:?} {role:?} filled");
                }
            }
        }
    }

    #[test]
    fn the_nearest_of_256_is_found() {
        for (rgb, index) in
            [((0, 0, 0), 16), ((255, 255, 255), 231), ((128, 128, 128), 244), ((255, 0, 0), 196)]
        {
            assert_eq!(nearest_of_256(rgb), index, "{rgb:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_theme_is_said() {
        assert!(matches!(Theme::parse("about = 1"), Err(ThemeError::Shape(_))));
        let night = BUILTIN[0].1;
        let missing = night.replace("cursor     = \"#ffffff\"\n", "");
        assert!(matches!(Theme::parse(&missing), Err(ThemeError::Missing { role: Role::Cursor })));
        let wrong = night.replace("#ffffff", "octarine");
        assert!(
            matches!(Theme::parse(&wrong), Err(ThemeError::Colour { text }) if text == "octarine")
        );
    }
}
