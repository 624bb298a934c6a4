//! Load, latency, pods and autoscaler on one page and one time axis.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::moment;
use crate::tui::theme::Role;
use crate::tui::ui::Pane;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::canvas::rows_of;

use super::Scene;
use super::alone;
use super::decision;
use super::lanes;
use super::log;
use super::panels;
use super::pods;
use super::split;
use super::start;
use super::why;

/// Rows of the panels with their frames.
const PANELS: u16 = 6;
/// Cells of the decision beside the lanes.
const DECISION: u16 = 54;

/// Draws what fits: panels or lines, the sentence, lanes, table and events.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let is_alone = alone::is_alone(scene);
    let parts = split::parts(scene);
    let n_parts = split::n_rows(&parts).min(area.height / 6);
    if 0 < n_parts {
        let lines = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        split::draw(canvas, Rect { height: n_parts, ..lines }, scene, &parts);
    }
    let area = Rect { y: area.y + n_parts, height: area.height - n_parts, ..area };
    let is_full = 100 <= area.width && 26 <= area.height;
    let top = if is_full {
        let third = area.width / 3;
        let place = |x, width| Rect { x: area.x + x, width, height: PANELS, ..area };
        panels::load(canvas, place(0, third), scene);
        let last = place(2 * third, area.width - 2 * third);
        if is_alone {
            alone::errors(canvas, place(third, third), scene);
            alone::answers(canvas, last, scene);
        } else {
            panels::pods(canvas, place(third, third), scene);
            panels::autoscaler(canvas, last, scene);
        }
        PANELS
    } else if is_alone {
        let margin = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        panels::load_line(canvas, margin, 0, scene);
        1
    } else {
        let rows = if moment::has_load(scene.model) { 3 } else { 2 };
        let margin = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        panels::lines(canvas, margin, scene);
        rows
    };
    let n_rows = if is_alone { 1 } else { sentence_rows(canvas.theme, area, scene) };
    let sentence = Rect {
        x: area.x + 1,
        y: area.y + top,
        width: area.width.saturating_sub(2),
        height: n_rows,
    };
    if is_alone {
        canvas.sentence(sentence, alone::sentence(canvas.theme, scene));
    } else {
        canvas.sentence(sentence, why::sentence(canvas.theme, scene));
    }
    let top = top + n_rows;
    let rest = Rect { y: area.y + top, height: area.height.saturating_sub(top), ..area };
    if !start::has_data(scene.model) || start::awaited(scene).is_some() {
        start::draw(canvas, rest, scene);
        return;
    }
    // Lanes first: a table without its context says little.
    let wanted = match rest.height {
        ..14 => 0,
        14..16 => 4,
        16..18 => 5,
        18..30 => 6,
        30..40 => 8,
        _ => 12,
    };
    let beside = if !is_alone && 160 <= area.width && is_full { DECISION } else { 0 };
    let chart = Rect { height: rest.height - wanted, width: rest.width - beside, ..rest };
    if 0 < beside {
        let place = Rect { x: chart.right(), width: beside, ..chart };
        decision::draw(canvas, place, scene);
    }
    let shown = lanes::present(scene);
    let n_lanes = usize::from((chart.height.saturating_sub(2)) / 3).clamp(1, shown.len());
    lanes::draw(canvas, chart, scene, &shown[..n_lanes]);
    if 0 < wanted {
        panes(canvas, Rect { y: chart.bottom(), height: wanted, ..rest }, scene);
    }
}

/// The longest sentence made of numbers needs two rows, and they stay where it is short: nothing
/// below moves because a number got longer. What says why nothing is known, and how to mend it,
/// stands for long, and gets what it needs.
fn sentence_rows(theme: &crate::tui::Theme, area: Rect, scene: &Scene<'_>) -> u16 {
    if area.height < 20 {
        return 1;
    }
    let scaler = &scene.moment.scaler;
    let is_read = scaler.panic_average.is_some() || scaler.stable_average.is_some();
    if is_read || area.height < 26 {
        return 2;
    }
    let said: String =
        why::sentence(theme, scene).iter().map(|span| span.content.to_string()).collect();
    rows_of(&said, area.width.saturating_sub(2)).clamp(2, 4)
}

fn panes(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    if alone::is_alone(scene) {
        events_pane(canvas, area, scene, false);
        return;
    }
    if area.width < 100 {
        match scene.ui.pane() {
            Pane::Pods => pods_pane(canvas, area, scene, true),
            Pane::Events => events_pane(canvas, area, scene, true),
        }
        return;
    }
    let left = area.width / 2;
    pods_pane(canvas, Rect { width: left, ..area }, scene, false);
    let right = Rect { x: area.x + left, width: area.width - left, ..area };
    events_pane(canvas, right, scene, false);
}

fn tab<'a>(theme: &crate::tui::Theme, other: &'a str) -> [Span<'a>; 3] {
    [
        theme.span(Role::Border, " ─ "),
        theme.span(Role::Accent, "Tab "),
        theme.span(Role::Dim, other),
    ]
}

fn pods_pane(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, has_tab: bool) {
    let theme = canvas.theme;
    let n_pods = pods::shown(scene.model, &scene.moment).len();
    let mut title =
        vec![theme.strong(Role::Ready, "pods"), theme.span(Role::Text, format!(" {n_pods}"))];
    if has_tab {
        title.extend(tab(theme, "events"));
    }
    let inside = canvas.frame(area, title);
    let n_shown = usize::from(inside.height.saturating_sub(1));
    pods::table(canvas, inside, scene);
    if n_shown < n_pods {
        let words = format!(" {} more · key 3 ", n_pods - n_shown);
        canvas.foot(area, vec![theme.span(Role::Dim, words)]);
    }
}

fn events_pane(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, has_tab: bool) {
    let theme = canvas.theme;
    let mut title = vec![theme.strong(Role::Load, "events")];
    if has_tab {
        title.extend(tab(theme, "pods"));
    }
    let inside = canvas.frame(area, title);
    log::newest(canvas, inside, scene);
}
