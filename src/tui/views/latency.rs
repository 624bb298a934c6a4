//! Latency: percentiles of the last second, the last ten and the run, how they are distributed over
//! time, and by phase, answer and choice.
//!
//! Response and service time stand side by side, successes and failures apart; the selected row is
//! the one that the map shows.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::model::Model;
use crate::model::traffic::Phase;
use crate::model::traffic::SplitTotals;
use crate::model::traffic::Timing;
use crate::model::traffic::Totals;
use crate::series::LatencyHistogram;
use crate::tui::moment;
use crate::tui::moment::LOAD_HOLD;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::table;
use crate::tui::widgets::table::Column;

use super::Scene;
use super::alone;
use super::fitting;
use super::lanes;
use super::lanes::Lane;
use super::start;

const fn column(title: &'static str, width: u16, is_number: bool) -> Column {
    Column { title, width, is_number }
}

const PERCENTILES: [Column; 10] = [
    column("TIME", 13, false),
    column("IN THE", 9, false),
    column("COUNT", 6, true),
    column("P50", 7, true),
    column("P90", 7, true),
    column("P95", 7, true),
    column("P99", 7, true),
    column("P99.9", 7, true),
    column("MAX", 7, true),
    column("MEAN", 7, true),
];
/// Those of them that a narrow screen has.
const NARROW: [usize; 7] = [0, 1, 2, 3, 4, 6, 8];
const CHOICES: [Column; 6] = [
    column("CHOICE", 11, false),
    column("COUNT", 5, true),
    column("FAILED", 6, true),
    column("P50", 7, true),
    column("P99", 7, true),
    column("MAX", 7, true),
];

/// A span of time that percentiles are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Last(u64),
    Run,
}

/// What is measured in this run: without due times there is neither a response time nor a lag.
fn timings(model: &Model) -> &'static [Timing] {
    if moment::is_closed(model) {
        &[Timing::ServiceTime, Timing::FailureTime]
    } else {
        &Timing::ALL
    }
}

/// The timing that the map shows.
fn shown(scene: &Scene<'_>) -> Timing {
    let timings = timings(scene.model);
    timings[scene.ui.selected().min(timings.len() - 1)]
}

/// Draws what fits: the table, the map, and what it is made of.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    if scene.model.traffic.last.is_none() {
        start::draw(canvas, area, scene);
        return;
    }
    let is_high = 32 <= area.height;
    let rows = percentiles(scene, is_high);
    let n_rows = u16::try_from(rows.len()).unwrap_or(0);
    let table_height = (n_rows + 3).min(area.height);
    percentile_table(canvas, Rect { height: table_height, ..area }, scene, &rows);
    let rest = Rect { y: area.y + table_height, height: area.height - table_height, ..area };
    let below = match rest.height {
        ..12 => 0,
        12..20 => rest.height - 8,
        20..34 => 9,
        _ => 14,
    };
    let map = Rect { height: rest.height - below, ..rest };
    lanes::draw(canvas, map, scene, &[Lane::Heat(shown(scene))]);
    if 0 < below {
        made_of(canvas, Rect { y: map.bottom(), height: below, ..rest }, scene);
    }
}

/// A row of the table: of which timing, its cells.
struct Row {
    timing: Timing,
    cells: Vec<table::Cell>,
}

fn percentiles(scene: &Scene<'_>, is_high: bool) -> Vec<Row> {
    let traffic = &scene.model.traffic;
    let last = traffic.last.as_ref();
    let is_over =
        last.is_none_or(|last| LOAD_HOLD + last.lasted < scene.model.now.since(last.began));
    let is_present = scene.moment.is_present && !is_over;
    let window = |secs| {
        if is_present { traffic.window(Duration::from_secs(secs)) } else { None }
    };
    let (second, ten) = (window(1), window(10));
    let mut rows = Vec::new();
    for timing in timings(scene.model).iter().copied() {
        let is_main = matches!(timing, Timing::ResponseTime | Timing::ServiceTime);
        let spans: &[Over] = match (is_high, is_main) {
            (true, true) => &[Over::Last(1), Over::Last(10), Over::Run],
            (true, false) | (false, true) => &[Over::Last(10), Over::Run],
            (false, false) => &[Over::Run],
        };
        for (idx, over) in spans.iter().enumerate() {
            let totals: Option<&Totals> = match over {
                Over::Last(1) => second.as_ref(),
                Over::Last(_) => ten.as_ref(),
                Over::Run => Some(&traffic.total),
            };
            let name = if idx == 0 { timing.name() } else { "" };
            let known = totals.and_then(|totals| totals.latencies.get(timing));
            let cells = match over {
                // What was then is kept as lines only.
                Over::Last(_) if !scene.moment.is_present => {
                    if 0 < idx {
                        continue;
                    }
                    of_lines(scene, timing, name)
                }
                Over::Last(secs) => of_histogram((name, format!("last {secs} s")), known),
                Over::Run => of_histogram((name, "run".to_owned()), known),
            };
            rows.push(Row { timing, cells });
        }
    }
    rows
}

fn of_histogram(
    (name, span): (&str, String),
    known: Option<&LatencyHistogram>,
) -> Vec<table::Cell> {
    let known = known.filter(|known| !known.is_empty());
    let cell = |value: Option<Duration>, role| match value {
        Some(value) => (role, text::latency(value.as_secs_f64())),
        None => (Role::Dim, text::UNKNOWN.to_owned()),
    };
    let quantile = |q| known.map(|known| known.quantile(q));
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let count = known.map_or((Role::Dim, "0".to_owned()), |known| {
        (Role::Dim, text::count(known.count() as f64))
    });
    vec![
        (Role::Text, name.to_owned()),
        (Role::Dim, span),
        count,
        cell(quantile(0.5), Role::Text),
        cell(quantile(0.9), Role::Text),
        cell(quantile(0.95), Role::Text),
        cell(quantile(0.99), Role::Latency),
        cell(quantile(0.999), Role::Text),
        cell(known.map(LatencyHistogram::max), Role::Text),
        cell(known.map(LatencyHistogram::mean), Role::Text),
    ]
}

/// The interval that the cursor is in.
fn of_lines(scene: &Scene<'_>, timing: Timing, name: &str) -> Vec<table::Cell> {
    let (p50, p99, max) = scene.model.traffic.lines(timing);
    let at = |series: &crate::series::Series, role| {
        let value = series.at(scene.moment.at, Some(LOAD_HOLD));
        (role, text::or_unknown(value, text::latency))
    };
    let unknown = || (Role::Dim, text::UNKNOWN.to_owned());
    vec![
        (Role::Text, name.to_owned()),
        (Role::Accent, "at cursor".to_owned()),
        unknown(),
        at(p50, Role::Text),
        unknown(),
        unknown(),
        at(p99, Role::Latency),
        unknown(),
        at(max, Role::Text),
        unknown(),
    ]
}

fn percentile_table(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, rows: &[Row]) {
    let theme = canvas.theme;
    let timing = shown(scene);
    let title = vec![
        theme.strong(Role::Latency, "latency"),
        theme.span(Role::Dim, " · of merged histograms, never of other percentiles"),
    ];
    let inside = canvas.frame(area, fitting(title, area.width));
    let selected = rows.iter().position(|row| row.timing == timing);
    let all: Vec<usize> = (0..PERCENTILES.len()).collect();
    let is_wide = table::fitting(&PERCENTILES, inside.width).len() == PERCENTILES.len();
    let chosen = if is_wide { all.as_slice() } else { &NARROW };
    let columns: Vec<Column> = chosen.iter().map(|idx| PERCENTILES[*idx]).collect();
    let cells = |row: &Row| chosen.iter().filter_map(|idx| row.cells.get(*idx).cloned()).collect();
    let rows: Vec<Vec<table::Cell>> = rows.iter().map(cells).collect();
    table::draw(canvas, inside, &columns, &rows, selected);
}

/// Phases, answers and errors, choices: those that there are, side by side.
fn made_of(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    type Part = fn(&mut Canvas<'_>, Rect, &Scene<'_>);
    let mut parts: Vec<(u16, Part)> = Vec::new();
    if !scene.model.traffic.total.splits.is_empty() {
        parts.push((3, choices));
    }
    parts.push((2, phases));
    parts.push((2, alone::answers));
    if !scene.model.traffic.total.errors.is_empty() {
        parts.push((2, alone::errors));
    }
    let n_fitting = usize::from(area.width / 38).max(1);
    parts.truncate(n_fitting);
    let all: u16 = parts.iter().map(|(share, _)| share).sum();
    let mut x = area.x;
    let n_parts = parts.len();
    for (idx, (share, draw)) in parts.into_iter().enumerate() {
        let width = if idx + 1 == n_parts { area.right() - x } else { area.width * share / all };
        draw(canvas, Rect { x, width, ..area }, scene);
        x += width;
    }
}

/// What new connections took, phase by phase, with bars of their medians.
fn phases(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    const NUMBERS: u16 = 8 + 8 + 8;
    let theme = canvas.theme;
    let title = vec![
        theme.strong(Role::Load, "PHASES"),
        theme.span(Role::Dim, " of new connections"),
        theme.span(Role::Dim, ": p50, p99"),
    ];
    let inside = canvas.frame(area, fitting(title, area.width));
    let phases = &scene.model.traffic.total.phases;
    if phases.iter().all(LatencyHistogram::is_empty) {
        canvas.text(inside, 0, Role::Dim, "no new connection was measured yet");
        return;
    }
    let median = |it: &LatencyHistogram| it.quantile(0.5).as_secs_f64();
    let most = phases.iter().map(median).fold(0.0, f64::max).max(1e-9);
    let room = inside.width.saturating_sub(NUMBERS + 1);
    for (row, (phase, known)) in (0..).zip(Phase::ALL.iter().zip(phases)) {
        let value = |q| {
            if known.is_empty() {
                text::UNKNOWN.to_owned()
            } else {
                text::latency(known.quantile(q).as_secs_f64())
            }
        };
        let role = if known.is_empty() { Role::Dim } else { Role::Text };
        let bar = bar(theme, median(known) / most, room);
        canvas.line(
            inside,
            row,
            [
                theme.span(role, text::left(phase.name(), 8)),
                theme.strong(role, text::right(&value(0.5), 8)),
                theme.span(Role::Dim, text::right(&value(0.99), 8)),
                theme.span(Role::Load, format!(" {bar}")),
            ],
        );
    }
}

/// A bar of a share of the room; what is not nothing is seen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the room")]
fn bar(theme: &Theme, share: f64, room: u16) -> String {
    let n_cells = if 0.0 < share { (share * f64::from(room)).ceil() as usize } else { 0 };
    let cell = if theme.charset() == crate::tui::theme::Charset::Ascii { "=" } else { "■" };
    cell.repeat(n_cells.min(usize::from(room)))
}

/// The same requests by what differs between them.
fn choices(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let title =
        vec![theme.strong(Role::Load, "BY CHOICE"), theme.span(Role::Dim, " service time, run")];
    let inside = canvas.frame(area, fitting(title, area.width));
    let mut rows = Vec::new();
    for (dimension, choices) in &scene.model.traffic.total.splits {
        rows.push(vec![(Role::Accent, dimension.clone())]);
        rows.extend(choices.iter().map(|(choice, split)| choice_row(choice, split)));
    }
    table::draw(canvas, inside, &CHOICES, &rows, None);
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn choice_row(choice: &str, split: &SplitTotals) -> Vec<table::Cell> {
    let known = &split.service_time;
    let value = |value: Duration, role| {
        if known.is_empty() {
            (Role::Dim, text::UNKNOWN.to_owned())
        } else {
            (role, text::latency(value.as_secs_f64()))
        }
    };
    let failed = if 0 < split.failed { Role::Bad } else { Role::Dim };
    vec![
        (Role::Text, format!(" {choice}")),
        (Role::Text, text::count(split.succeeded.saturating_add(split.failed) as f64)),
        (failed, text::count(split.failed as f64)),
        value(known.quantile(0.5), Role::Text),
        value(known.quantile(0.99), Role::Latency),
        value(known.max(), Role::Text),
    ]
}
