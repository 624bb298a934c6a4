//! How each line and area looks, and its row in the legend.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::text;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Dash;
use crate::tui::widgets::plot::Ink;
/// A line of a legend: key, name, value.
pub(super) type Legend = (Ink, bool, &'static str, String);

/// How strong an area is, so that lines are seen over it.
pub(super) const AREA: f64 = 0.5;
/// The same of pods that are not ready yet.
pub(super) const AREA_STARTING: f64 = 0.35;

pub(super) const fn ink(role: Role, dash: Dash, mark: char) -> Ink {
    Ink { role, dash, mark }
}

pub(super) const OFFERED: Ink = ink(Role::Desired, Dash::Solid, '*');
pub(super) const GHOST: Ink = ink(Role::Desired, Dash::Dashed, '\'');
pub(super) const AT_PANIC: Ink = ink(Role::Panic, Dash::Dashed, 'P');
pub(super) const DONE: Ink = ink(Role::Load, Dash::Solid, '#');
pub(super) const FAILED: Ink = ink(Role::Bad, Dash::Solid, 'x');
pub(super) const DROPPED: Ink = ink(Role::Bad, Dash::Dashed, 'd');
pub(super) const LIMITED: Ink = ink(Role::Warn, Dash::Solid, '%');
pub(super) const P50: Ink = ink(Role::Text, Dash::Dotted, '=');
pub(super) const MAX: Ink = ink(Role::Dim, Dash::Solid, ' ');
pub(super) const CPU: Ink = ink(Role::Load, Dash::Solid, '*');
pub(super) const P99: Ink = ink(Role::Latency, Dash::Solid, '*');
pub(super) const IN_FLIGHT: Ink = ink(Role::Load, Dash::Solid, '#');
pub(super) const LITTLE: Ink = ink(Role::Desired, Dash::Dotted, 'o');
pub(super) const DESIRED: Ink = ink(Role::Desired, Dash::Solid, '*');
pub(super) const READY: Ink = ink(Role::Ready, Dash::Solid, '#');
pub(super) const STARTING: Ink = ink(Role::Starting, Dash::Solid, '%');
pub(super) const GOING: Ink = ink(Role::Dim, Dash::Dotted, 'o');
pub(super) const PANIC: Ink = ink(Role::Panic, Dash::Solid, '*');
pub(super) const STABLE: Ink = ink(Role::Load, Dash::Dotted, 'o');
pub(super) const METRIC: Ink = ink(Role::Load, Dash::Solid, '*');
pub(super) const TARGET: Ink = ink(Role::Desired, Dash::Dashed, '-');
pub(super) const WANTED: Ink = ink(Role::Dim, Dash::Solid, ' ');
pub(super) const ENTERS: Ink = ink(Role::Dim, Dash::Dashed, '-');

pub(super) fn legend_row(
    canvas: &mut Canvas<'_>,
    area: Rect,
    row: u16,
    (ink, is_area, name, value): &Legend,
) {
    let theme = canvas.theme;
    let key = match (theme.charset(), *is_area, ink.dash) {
        (Charset::Ascii, ..) => ink.mark.to_string().repeat(2),
        (_, true, _) if matches!(ink.role, Role::Starting | Role::Warn) && !theme.has_grounds() => {
            "░░".to_owned()
        }
        (_, true, _) if ink.role == Role::Warn => "▒▒".to_owned(),
        (_, true, _) if ink.role == Role::Starting || !theme.has_grounds() => "▒▒".to_owned(),
        (_, true, _) => "██".to_owned(),
        (_, false, Dash::Solid) if ink.mark == ' ' => "  ".to_owned(),
        (_, false, Dash::Solid) => "━━".to_owned(),
        (_, false, Dash::Dotted) => "┅┅".to_owned(),
        (_, false, Dash::Dashed) => "╌╌".to_owned(),
    };
    // A number is never cut for its name.
    let room = usize::from(area.width).saturating_sub(4 + text::width(value));
    let name = if text::width(name) <= room || value.is_empty() {
        *name
    } else {
        name.split(' ').next().unwrap_or_default()
    };
    let width = usize::from(area.width).saturating_sub(text::width(name) + 3);
    let key = if *is_area && theme.charset() != Charset::Ascii {
        let share = if ink.role == Role::Starting { AREA_STARTING } else { AREA };
        Span::styled(key, ratatui::style::Style::new().fg(theme.fill(ink.role, share)))
    } else {
        theme.span(ink.role, key)
    };
    let role = if value == text::UNKNOWN { Role::Dim } else { Role::Text };
    canvas.line(
        area,
        row,
        [
            key,
            theme.span(Role::Dim, format!(" {name}")),
            theme.strong(role, text::right(value, width)),
        ],
    );
}
