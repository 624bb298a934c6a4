//! The keys, made from the keymap.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::tui::keymap::GROUPS;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;

/// Cells that a line of help needs.
const COLUMN: u16 = 58;

/// What the keys of the load do where a record is shown again.
const REPLAY: [(&str, &str); 4] = [
    ("p", "stop the record, or go on"),
    ("[", "half the speed"),
    ("]", "twice the speed"),
    ("Enter", "go to the cursor"),
];

fn replay<'a>(canvas: &Canvas<'_>) -> Vec<Vec<Span<'a>>> {
    let theme = canvas.theme;
    let mut lines = vec![vec![theme.strong(Role::Load, "replay")]];
    lines.extend(REPLAY.map(|(keys, about)| {
        vec![
            theme.strong(Role::Accent, text::right(keys, 8)),
            theme.span(Role::Text, format!("  {about}")),
        ]
    }));
    lines.push(Vec::new());
    lines
}

/// Groups of keys, in two columns where there is room.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let inside = canvas.frame(area, vec![theme.strong(Role::Accent, "keys")]);
    let keymap = scene.ui.keymap();
    let mut groups: Vec<Vec<Vec<Span<'_>>>> = GROUPS
        .iter()
        .map(|(title, actions)| {
            let mut lines = vec![vec![theme.strong(Role::Load, (*title).to_owned())]];
            lines.extend(keymap.help(actions).into_iter().map(|line| {
                vec![
                    theme.strong(Role::Accent, text::right(&line.keys, 8)),
                    theme.span(Role::Text, format!("  {}", line.about)),
                ]
            }));
            lines.push(Vec::new());
            lines
        })
        .collect();
    if scene.ui.session().is_replay {
        groups[0] = replay(canvas);
    }
    let n_columns = if COLUMN * 2 <= inside.width + 4 { 2 } else { 1 };
    let half = groups.len().div_ceil(n_columns);
    for (column_idx, groups) in (0..).zip(groups.chunks(half)) {
        let width = inside.width / u16::try_from(n_columns).unwrap_or(1);
        let place = Rect { x: inside.x + width * column_idx, width, ..inside };
        let lines: Vec<_> = groups.iter().flatten().collect();
        let last = lines.len().saturating_sub(usize::from(inside.height));
        let skipped = scene.ui.selected().min(last);
        for (row, line) in (0..).zip(lines.into_iter().skip(skipped)) {
            if row < place.height {
                canvas.line(place, row, line.clone());
            }
        }
    }
}
