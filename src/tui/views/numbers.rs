//! The smallest screens: numbers only, the most important first.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::moment;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;
use super::alone;
use super::chrome;
use super::panels;
use super::why;

/// As much as fits.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let has_bars = 6 < area.height;
    if has_bars {
        chrome::header(canvas, Rect { height: 1, ..area }, scene);
        chrome::footer(canvas, Rect { y: area.bottom() - 1, height: 1, ..area }, scene);
    }
    let margin = u16::from(has_bars);
    let area = Rect {
        x: area.x + 1,
        y: area.y + margin,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2 * margin),
    };
    if area.height == 0 || area.width == 0 {
        return;
    }
    if alone::is_alone(scene) {
        canvas.line(area, 0, alone::sentence(theme, scene));
        // Pods and averages are those of a cluster.
        for (row, spans) in (2..).zip(rows(theme, scene).into_iter().skip(2)) {
            canvas.line(area, row, spans);
        }
        return;
    }
    let used = canvas.line(area, 0, panels::state(theme, scene));
    let rest = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
    canvas.line_right(rest, 0, panels::outlook(theme, scene));
    let rows = rows(theme, scene);
    // The sentence takes what the numbers leave.
    let n_rows = u16::try_from(rows.len()).unwrap_or(0);
    let n_sentence = area.height.saturating_sub(n_rows + 1).min(4);
    if 0 < n_sentence {
        let place = Rect { y: area.y + 1, height: n_sentence, ..area };
        canvas.sentence(place, why::sentence(theme, scene));
    }
    for (row, spans) in (1 + n_sentence..).zip(rows) {
        canvas.line(area, row, spans);
    }
}

fn rows<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Vec<Span<'a>>> {
    let (pods, load, scaler) = (&scene.moment.pods, &scene.moment.load, &scene.moment.scaler);
    let row = |title: &'static str, cells: [(&'static str, String, Role); 3]| {
        let mut spans = vec![theme.span(Role::Text, text::left(title, 8))];
        for (label, value, role) in cells {
            let role = if value == text::UNKNOWN { Role::Dim } else { role };
            spans.push(theme.strong(role, text::right(&value, 7)));
            spans.push(theme.span(Role::Dim, text::left(&format!(" {label}"), 9)));
        }
        spans
    };
    let count = |value: Option<f64>| text::or_unknown(value, text::count);
    let number = |value: Option<f64>| text::or_unknown(value, text::number);
    let rate = |value: Option<f64>| text::or_unknown(value, text::rate);
    let latency = |value: Option<f64>| text::or_unknown(value, text::latency);
    let share = |value: Option<f64>| text::or_unknown(value, text::percent);
    let mut rows = vec![
        row(
            "pods",
            [
                ("ready", count(pods.ready), Role::Ready),
                ("desired", count(pods.desired), Role::Desired),
                ("starting", count(pods.starting), Role::Text),
            ],
        ),
        if let Some(hpa) = &scene.moment.hpa {
            let told = |of: fn(&crate::tui::hpa::Row) -> &String| {
                hpa.leader().map_or_else(|| text::UNKNOWN.to_owned(), |row| of(row).clone())
            };
            let wanted = hpa.wanted.map_or_else(|| text::UNKNOWN.to_owned(), |it| it.to_string());
            let cells = [
                ("metric", told(|row| &row.current), Role::Load),
                ("target", told(|row| &row.target), Role::Text),
                ("wanted", wanted, Role::Text),
            ];
            row("hpa", cells)
        } else {
            row(
                "average",
                [
                    ("panic", number(scaler.panic_average), Role::Panic),
                    ("stable", number(scaler.stable_average), Role::Load),
                    ("a pod", number(scaler.target), Role::Text),
                ],
            )
        },
    ];
    if moment::has_load(scene.model) {
        rows.extend([
            row(
                "load",
                [
                    ("offered", rate(load.offered), Role::Desired),
                    ("done", rate(load.done), Role::Load),
                    ("flight", rate(load.in_flight), Role::Text),
                ],
            ),
            row(
                "latency",
                [
                    ("p50", latency(load.p50), Role::Text),
                    ("p99", latency(load.p99), Role::Latency),
                    ("max", latency(load.max), Role::Text),
                ],
            ),
            row(
                "errors",
                [
                    ("now", share(load.errors), Role::Text),
                    ("run", share(load.errors_total), Role::Text),
                    ("send lag", latency(load.lag_p99), Role::Text),
                ],
            ),
        ]);
    }
    rows
}
