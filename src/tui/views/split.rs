//! The revisions between which a service's traffic is split: a line each, side by side, above the
//! lanes of the one that is looked at.

use std::collections::BTreeMap;

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::cluster::Name;
use crate::event::cluster::Status;
use crate::tui::moment;
use crate::tui::moment::Panic;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;

/// Revisions that have a line.
const LINES_MAX: usize = 4;

/// A revision that has a part of the traffic, at the moment looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Which.
    pub revision: Name,
    /// Its share of the traffic in percent, as the route is now.
    pub percent: u32,
    /// Condition `Ready`, as it is now; `None` if the revision has not been seen.
    pub condition: Option<(Status, String)>,
    /// Whether it panics, or did then.
    pub panic: Panic,
    /// Ready pods.
    pub ready: Option<f64>,
    /// Desired pods.
    pub desired: Option<f64>,
}

/// The parts of the service that is looked at, the largest first; empty where nothing is split.
pub fn parts(scene: &Scene<'_>) -> Vec<Part> {
    let (model, at) = (scene.model, scene.moment.at);
    let Some(service) = scene.ui.service(model) else { return Vec::new() };
    let Some(known) = model.cluster.services.get(&service) else { return Vec::new() };
    // A revision may have several lines: one by its name, one as the latest.
    let mut shares: BTreeMap<&str, u32> = BTreeMap::new();
    for line in &known.traffic {
        let percent = line.percent.unwrap_or(0);
        if 0 < percent && !line.revision.is_empty() {
            let share = shares.entry(&line.revision).or_default();
            *share = share.saturating_add(percent);
        }
    }
    if shares.len() < 2 {
        return Vec::new();
    }
    let mut parts: Vec<Part> = shares
        .into_iter()
        .map(|(name, percent)| {
            let revision = Name { namespace: service.namespace.clone(), name: name.to_owned() };
            let scaling = model.scaling.get(&revision);
            Part {
                percent,
                condition: model
                    .cluster
                    .revisions
                    .get(&revision)
                    .map(|it| (it.ready.status, it.ready.reason.clone())),
                panic: moment::panic_at(model, (at, scene.moment.is_present), Some(&revision)),
                ready: scaling.and_then(|scaling| scaling.ready.at(at, None)),
                desired: scaling.and_then(|scaling| scaling.desired.at(at, None)),
                revision,
            }
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.percent));
    parts
}

/// Rows that the lines take.
pub fn n_rows(parts: &[Part]) -> u16 {
    u16::try_from(parts.len().min(LINES_MAX)).unwrap_or(0)
}

/// A line a revision; the one that the lanes show is marked.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, parts: &[Part]) {
    let theme = canvas.theme;
    let shown = scene.moment.revision.as_ref();
    // The revision that the lanes show is never left out.
    let mut lines: Vec<&Part> = parts.iter().take(LINES_MAX).collect();
    let of_lanes = parts.iter().skip(LINES_MAX).find(|part| Some(&part.revision) == shown);
    if let (Some(part), Some(last)) = (of_lanes, lines.last_mut()) {
        *last = part;
    }
    let longest = lines.iter().map(|part| text::width(&part.revision.name)).max().unwrap_or(0);
    let name = longest.min(usize::from(area.width.saturating_sub(66)).max(14));
    for (row, part) in (0..).zip(&lines) {
        let is_shown = Some(&part.revision) == shown;
        canvas.line(area, row, line(theme, (part, is_shown), name, scene));
    }
    let n_more = parts.len() - lines.len();
    let tab = [theme.strong(Role::Accent, "Tab "), theme.span(Role::Dim, "lanes of the next")];
    if n_more == 0 && 110 <= area.width {
        canvas.line_right(area, 0, tab.to_vec());
    } else if 0 < n_more && 90 <= area.width {
        let words = format!("{n_more} more · Tab");
        canvas.line_right(area, 0, vec![theme.span(Role::Dim, words)]);
    }
}

/// `▸ hello-00002  10 %  ✓ ready  ▲ PANIC 12 s   9 ready 9 desired`.
fn line<'a>(
    theme: &Theme,
    (part, is_shown): (&Part, bool),
    name: usize,
    scene: &Scene<'_>,
) -> Vec<Span<'a>> {
    let (role, condition) = match &part.condition {
        Some((Status::True, _)) => (Role::Good, "✓ ready".to_owned()),
        Some((Status::False, reason)) if reason.is_empty() => (Role::Bad, "✗ failed".to_owned()),
        Some((Status::False, reason)) => (Role::Bad, format!("✗ {reason}")),
        Some((Status::Unknown, _)) => (Role::Warn, "… not yet".to_owned()),
        None => (Role::Dim, text::UNKNOWN.to_owned()),
    };
    let (panic_role, panic) = panic_words(&part.panic, scene);
    let count = |value: Option<f64>| text::right(&text::or_unknown(value, text::count), 4);
    let mark = if is_shown { "▸ " } else { "  " };
    let title = text::left(&part.revision.name, name);
    let title =
        if is_shown { theme.strong(Role::Text, title) } else { theme.span(Role::Text, title) };
    vec![
        theme.strong(Role::Accent, mark),
        title,
        theme.strong(Role::Load, format!(" {:>3} %", part.percent)),
        theme.span(role, format!("  {}", text::left(&condition, 9))),
        theme.strong(panic_role, format!("  {}", text::left(&panic, 16))),
        theme.strong(Role::Ready, count(part.ready)),
        theme.span(Role::Dim, " ready "),
        theme.strong(Role::Desired, count(part.desired)),
        theme.span(Role::Dim, " desired"),
    ]
}

fn panic_words(panic: &Panic, scene: &Scene<'_>) -> (Role, String) {
    let at = scene.moment.at;
    match panic {
        Panic::On { since: began, .. } => {
            (Role::Panic, format!("▲ PANIC {}", text::span(at.since(*began))))
        }
        Panic::Stable { since: Some(ended), .. } => {
            (Role::Good, format!("✓ STABLE {}", text::span(at.since(*ended))))
        }
        Panic::Stable { since: None, .. } => (Role::Good, "✓ STABLE".to_owned()),
        Panic::Unknown(_) => (Role::Warn, "? UNKNOWN".to_owned()),
    }
}
