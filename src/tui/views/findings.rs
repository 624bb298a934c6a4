//! What needs a look: each finding with its evidence, since when, and the settings to look at with
//! the values that they have now.

use ratatui::layout::Rect;

use crate::model::findings::ALL;
use crate::model::findings::About;
use crate::model::findings::Open;
use crate::model::findings::Verdict;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;
use crate::units::At;

use super::Scene;

/// Rows of a finding: what it is, its evidence, where to look, and air.
const ROWS: u16 = 4;

/// The open ones, then those that are over.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let findings = &scene.model.findings;
    let open: Vec<Open> = findings.open().collect();
    let mut past: Vec<Open> = findings.past().cloned().collect();
    past.reverse();
    let title = vec![
        theme.strong(Role::Load, "findings"),
        theme.span(Role::Text, format!(" {} open", open.len())),
        theme.span(Role::Dim, format!(" · {} before · what needs a look, and why", past.len())),
    ];
    let inside = canvas.frame(area, title);
    if open.is_empty() {
        let line = [
            theme.strong(Role::Good, "✓ nothing needs a look"),
            theme.span(Role::Dim, "   what is looked for stands below"),
        ];
        canvas.line(inside, 0, line);
    }
    let n_all = open.len() + past.len();
    let first_row = if open.is_empty() { 2 } else { 0 };
    let room =
        Rect { y: inside.y + first_row, height: inside.height.saturating_sub(first_row), ..inside };
    let n_shown = usize::from(room.height / ROWS).max(1);
    let first = scene.ui.selected().min(n_all.saturating_sub(n_shown));
    let mut y = room.y;
    for finding in open.iter().chain(&past).skip(first).take(n_shown) {
        let height = ROWS.min(room.bottom().saturating_sub(y));
        draw_one(canvas, Rect { y, height, ..room }, scene, finding);
        y += ROWS;
    }
    if n_all == 0 {
        looked_for(canvas, room, scene);
    }
}

fn draw_one(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, open: &Open) {
    let theme = canvas.theme;
    let is_over = open.until.is_some();
    let (role, glyph) = if is_over { (Role::Dim, "·") } else { (Role::Warn, "▲") };
    let when = when(scene, open);
    let right = canvas.line_right(area, 0, vec![theme.span(Role::Dim, when)]);
    let left = Rect { width: area.width.saturating_sub(right + 2), ..area };
    canvas.line(left, 0, [theme.strong(role, format!("{glyph} {}", open.finding().summary()))]);
    let margin = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
    let evidence = if is_over { Role::Dim } else { Role::Text };
    canvas.line(margin, 1, [theme.span(evidence, open.detail())]);
    let settings = open.settings();
    let values: Vec<Option<String>> =
        settings.iter().map(|setting| value(scene, open, setting)).collect();
    let width: usize = settings.iter().map(|setting| text::width(setting) + 3).sum();
    let of_values: usize = values.iter().flatten().map(|value| text::width(value)).sum();
    // Names are never cut for their values.
    let has_values = width + of_values + 8 <= usize::from(margin.width);
    let mut spans = vec![theme.span(Role::Dim, "look at ".to_owned())];
    for (idx, (setting, value)) in settings.iter().zip(values).enumerate() {
        if 0 < idx {
            spans.push(theme.span(Role::Dim, " · ".to_owned()));
        }
        let role = if is_over { Role::Dim } else { Role::Accent };
        spans.push(theme.span(role, (*setting).to_owned()));
        spans.extend(value.filter(|_| has_values).map(|value| theme.span(Role::Dim, value)));
    }
    canvas.line(margin, 2, spans);
}

/// ` = 10`, as the setting is now.
fn value(scene: &Scene<'_>, open: &Open, name: &str) -> Option<String> {
    let scaling = scene.model.scaling.get(open.revision.as_ref()?)?;
    let settings = &scaling.config.as_ref()?.settings;
    let setting = settings.iter().find(|setting| setting.name == name)?;
    Some(format!(" = {}", setting.value))
}

fn when(scene: &Scene<'_>, open: &Open) -> String {
    let anchor = scene.model.run.anchor();
    let clock = |at: At| text::clock(anchor, at);
    if let Some(until) = open.until {
        return format!("{} – {}", clock(open.since), clock(until));
    }
    let lasts = text::span(scene.ui.now().since(open.since));
    format!("since {} · {lasts}", clock(open.since))
}

/// What there is nothing of, and what cannot be told.
fn looked_for(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let revision = scene.moment.revision.as_ref();
    let scaling = revision.and_then(|revision| scene.model.scaling.get(revision));
    let about = About { model: scene.model, revision, scaling };
    for (row, finding) in (0..area.height).zip(ALL) {
        let (role, word) = match finding.check(&about) {
            Verdict::Fine => (Role::Good, "✓ not now        "),
            Verdict::Unknown => (Role::Dim, "– cannot be told "),
            Verdict::Holds(..) => (Role::Warn, "… holds briefly  "),
        };
        let summary = theme.span(Role::Dim, finding.summary());
        canvas.line(area, row, [theme.span(role, word), summary]);
    }
}
