//! The smallest screen: numbers only.

use ratatui::layout::Rect;

use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;
use super::chrome;
use super::panels;
use super::why;

/// As much as fits, the most important first.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    if 4 < area.height {
        chrome::header(canvas, Rect { height: 1, ..area }, scene);
        chrome::footer(canvas, Rect { y: area.bottom() - 1, height: 1, ..area }, scene);
    }
    let margin = u16::from(4 < area.height);
    let area = Rect {
        x: area.x + 1,
        y: area.y + margin,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2 * margin),
    };
    let pods = &scene.moment.pods;
    let load = &scene.moment.load;
    let number = |value: Option<f64>| text::right(&text::or_unknown(value, text::rate), 6);
    let latency = |value: Option<f64>| text::right(&text::or_unknown(value, text::latency), 8);
    let mut rows = vec![
        panels::state(theme, scene),
        panels::outlook(theme, scene),
        vec![
            theme.strong(Role::Ready, number(pods.ready)),
            theme.span(Role::Dim, " ready"),
            theme.strong(Role::Desired, number(pods.desired)),
            theme.span(Role::Dim, " desired"),
        ],
        vec![
            theme.strong(Role::Desired, number(load.offered)),
            theme.span(Role::Dim, " /s  "),
            theme.strong(Role::Load, number(load.done)),
            theme.span(Role::Dim, " done"),
        ],
        vec![
            theme.span(Role::Dim, "p99"),
            theme.strong(Role::Latency, latency(load.p99)),
            theme.span(Role::Dim, "  err "),
            theme.strong(Role::Text, text::or_unknown(load.errors, text::percent)),
        ],
    ];
    rows.retain(|spans| !spans.is_empty());
    for (row, spans) in (0..).zip(rows) {
        canvas.line(area, row, spans);
    }
    if 10 <= area.height {
        canvas.line(area, 7, why::sentence(theme, scene));
    }
}
