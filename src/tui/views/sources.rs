//! What feeds us: state, age, lag, errors, what it costs, why it fails and what mends it.

use ratatui::layout::Rect;

use crate::model::sources::Health;
use crate::model::sources::Source;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::table;
use crate::tui::widgets::table::Column;
use crate::units::At;
use crate::units::Bytes;

use super::Scene;

const fn column(title: &'static str, width: u16, is_number: bool) -> Column {
    Column { title, width, is_number }
}

const COLUMNS: [Column; 9] = [
    column("SOURCE", 27, false),
    column("STATE", 12, false),
    column("AGE", 6, true),
    column("LAG", 7, true),
    column("ANSWERS", 7, true),
    column("ERRORS", 6, true),
    column("REQUESTS", 8, true),
    column("BYTES", 8, true),
    column("VIA", 12, false),
];

/// Glyph, word and colour of a source's health.
pub fn health(source: &Source, now: At) -> (Role, &'static str, String) {
    match source.health(now) {
        Health::Connecting => (Role::Dim, "…", "connecting".to_owned()),
        Health::Ok => (Role::Good, "✓", "ok".to_owned()),
        Health::Stale(_) => (Role::Warn, "!", "stale".to_owned()),
        Health::Failing => (Role::Bad, "✗", "failing".to_owned()),
        Health::Denied => (Role::Bad, "✗", "denied".to_owned()),
        Health::Absent => (Role::Warn, "✗", "absent".to_owned()),
    }
}

/// A line a source, then what is wrong and what mends it.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let now = scene.ui.now();
    let sources: Vec<&Source> = scene.model.sources.iter().collect();
    let title = vec![
        theme.strong(Role::Load, "sources"),
        theme.span(Role::Text, format!(" {}", sources.len())),
        theme.span(Role::Dim, " · what feeds this screen, and at what cost"),
    ];
    let inside = canvas.frame(area, title);
    let rows: Vec<Vec<table::Cell>> = sources.iter().map(|source| row(source, now)).collect();
    let troubled: Vec<&&Source> =
        sources.iter().filter(|source| !source.report.reason.is_empty()).collect();
    let rows_of = |source: &Source| if source.report.remedy.is_empty() { 1 } else { 3 };
    let wanted: usize = troubled.iter().map(|source| rows_of(source)).sum();
    // A blank line stands between the table and what troubles it.
    let wanted = u16::try_from(wanted + 1).unwrap_or(u16::MAX).min(inside.height / 2);
    let table_area = Rect { height: inside.height - wanted, ..inside };
    let n_below = rows.len().saturating_sub(usize::from(table_area.height.saturating_sub(1)));
    if 0 < n_below {
        canvas.foot(area, vec![theme.span(Role::Dim, format!(" {n_below} more · ↑ ↓ "))]);
    }
    table::draw(
        canvas,
        table_area,
        &COLUMNS,
        &rows,
        Some(scene.ui.selected())
            .filter(|_| table_area.height <= u16::try_from(rows.len()).unwrap_or(u16::MAX)),
    );
    if rows.is_empty() {
        canvas.text(inside, 1, Role::Dim, "no source has been started yet");
    }
    let notes_y =
        table_area.y + (u16::try_from(rows.len()).unwrap_or(0) + 2).min(table_area.height);
    let notes = Rect { y: notes_y, height: inside.bottom().saturating_sub(notes_y), ..inside };
    let mut row = 0;
    for source in troubled {
        let (role, glyph, _) = health(source, now);
        let line = [
            theme.strong(role, format!("{glyph} {}", source.report.source)),
            theme.span(Role::Text, format!("  {}", source.report.reason)),
        ];
        canvas.line(notes, row, line);
        row += 1;
        if !source.report.remedy.is_empty() {
            canvas.text(notes, row, Role::Dim, "  mend it:");
            let place = Rect {
                x: notes.x + 11,
                y: notes.y.saturating_add(row),
                width: notes.width.saturating_sub(11),
                height: notes.height.saturating_sub(row),
            };
            if 0 < place.height {
                row += canvas.wrap(place, [theme.span(Role::Accent, source.report.remedy.clone())]);
            }
            row += 1;
        }
    }
}

fn row(source: &Source, now: At) -> Vec<table::Cell> {
    let report = &source.report;
    let (role, glyph, word) = health(source, now);
    let unknown = || text::UNKNOWN.to_owned();
    let age = source.last_ok.map_or_else(unknown, |last_ok| text::age(now.since(last_ok)));
    let lag = report.latency.map_or_else(unknown, |latency| text::latency(latency.as_secs_f64()));
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let count = |n: u64| text::count(n as f64);
    let errors = report.errors + report.not_understood;
    vec![
        (Role::Text, report.source.clone()),
        (role, format!("{glyph} {word}")),
        (Role::Text, age),
        (Role::Text, lag),
        (Role::Text, count(report.samples)),
        (if 0 < errors { Role::Warn } else { Role::Dim }, count(errors)),
        (Role::Text, count(report.requests)),
        (Role::Text, text::bytes(Bytes(report.bytes))),
        (Role::Dim, report.via.clone()),
    ]
}
