//! The lanes: load, latency, pods and concurrency above each other on one time axis.

mod ghost;
mod heat;
mod hpa;
mod lane;
mod legend;

use ratatui::layout::Rect;

use crate::model::run::MarkKind;
use crate::model::scaling::RevisionScaling;
use crate::model::traffic::Timing;
use crate::series::Cells;
use crate::tui::moment;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::views::Scene;
use crate::tui::views::alone;
use crate::tui::widgets::axis;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Plot;
use crate::tui::widgets::plot::Scale;
use crate::units::At;

use lane::Drawing;

/// Cells left of the lanes: name and labels.
pub const GUTTER: u16 = 13;

/// A lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Requests a second.
    Rate,
    /// Latency.
    Latency,
    /// Pods.
    Pods,
    /// What the autoscaler measures.
    Concurrency,
    /// CPU of all pods.
    Cpu,
    /// One kind of latency, alone.
    Heat(Timing),
    /// Requests in flight, and what rate and latency say of them.
    InFlight,
}

/// The lanes that this run has, the most important first; one that has nothing to show in the window
/// leaves its place to the others.
pub fn present(scene: &Scene<'_>) -> Vec<Lane> {
    let all: &[Lane] = if alone::is_alone(scene) {
        &[Lane::Rate, Lane::Latency]
    } else if moment::has_load(scene.model) {
        &[Lane::Rate, Lane::Latency, Lane::Pods, Lane::Concurrency]
    } else {
        &[Lane::Pods, Lane::Concurrency, Lane::Cpu]
    };
    let has_any = |lane: &Lane| match lane {
        Lane::Concurrency => lane::has_concurrency(scene),
        Lane::Cpu => lane::has_cpu(scene),
        _ => true,
    };
    all.iter().copied().filter(has_any).collect()
}

/// Draws lanes and axis into `area`.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, lanes: &[Lane]) {
    let legend_width = match area.width {
        ..70 => 0,
        70..100 => 16,
        100..160 => 18,
        _ => 20,
    };
    let chart = Rect {
        x: area.x + GUTTER,
        width: area.width.saturating_sub(GUTTER + legend_width),
        ..area
    };
    if chart.width < 8 || area.height < 4 || lanes.is_empty() {
        return;
    }
    let cells = scene.ui.window().cells(usize::from(chart.width));
    let n_lanes = u16::try_from(lanes.len()).unwrap_or(1);
    let for_lanes = area.height - 2;
    // A row of air between two lanes, where there is enough.
    let air = u16::from(4 <= for_lanes / n_lanes);
    let for_rows = for_lanes - air * (n_lanes - 1);
    let mut y = chart.y;
    for (lane_idx, lane) in (0..).zip(lanes) {
        let height = for_rows / n_lanes + u16::from(lane_idx < for_rows % n_lanes);
        let place = Rect { y, height, ..chart };
        Drawing { scene, cells, place }.draw(canvas, *lane, (area, legend_width));
        if lane_idx + 1 < n_lanes {
            bands_only(canvas, Rect { y: place.bottom(), height: air, ..chart }, scene, cells);
        }
        y = place.bottom() + air;
    }
    panic_letters(canvas, chart, scene, cells);
    let axis_area = Rect { y: area.bottom() - 2, height: 2, ..chart };
    draw_axis(canvas, axis_area, Rect { height: for_lanes, ..chart }, scene, cells);
}

/// The bands of panics behind something else than lanes, with their letter.
pub fn draw_bands(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, cells: Cells) {
    bands_only(canvas, area, scene, cells);
    panic_letters(canvas, Rect { y: area.y.saturating_sub(1), ..area }, scene, cells);
}

/// The axis with its marks, and the cursor through everything above it.
pub fn draw_axis(
    canvas: &mut Canvas<'_>,
    area: Rect,
    chart: Rect,
    scene: &Scene<'_>,
    cells: Cells,
) {
    let axis = (scene.model.run.anchor(), cells);
    axis::draw(canvas, area, axis, &marks(scene), &points(scene));
    cursor(canvas, chart, scene, cells);
}

/// Panics as ranges of columns.
fn bands(scene: &Scene<'_>, cells: Cells) -> Vec<std::ops::Range<usize>> {
    let Some(scaling) = scaling(scene) else { return Vec::new() };
    let now = scene.ui.now();
    scaling
        .panics
        .iter()
        .filter_map(|span| {
            let ended = span.until(now).min(now);
            let first = cells.cell(span.began.max(cells.from))?;
            let until = At::from_micros(ended.min(cells.to).as_micros().saturating_sub(1));
            let last = cells.cell(until)?;
            (first <= last).then_some(first..last + 1)
        })
        .collect()
}

fn bands_only(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, cells: Cells) {
    let mut plot = Plot::new(area, Scale::Linear(1.0), canvas.theme);
    for band in bands(scene, cells) {
        plot.band(band);
    }
    plot.paint(canvas);
}

/// The letter at the top edge, so that a band is a panic without its colour.
fn panic_letters(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, cells: Cells) {
    for band in bands(scene, cells) {
        let x = area.x + u16::try_from(band.start).unwrap_or(0);
        let width = u16::try_from(band.len()).unwrap_or(0);
        let word = if 8 <= width { "P panic " } else { "P" };
        canvas.line(
            Rect { x, width, height: 1, ..area },
            0,
            [canvas.theme.strong(Role::Panic, word)],
        );
    }
}

fn scaling<'a>(scene: &Scene<'a>) -> Option<&'a RevisionScaling> {
    scene.model.scaling.get(scene.moment.revision.as_ref()?)
}

fn marks(scene: &Scene<'_>) -> Vec<axis::Mark> {
    let now = scene.ui.now();
    let mark = |at, glyph, label: String, role| axis::Mark { at, glyph, label, role };
    scene
        .model
        .run
        .marks
        .iter()
        .filter(|it| it.at <= now)
        .map(|it| match &it.what {
            MarkKind::Stage(name) => mark(it.at, "▾", text::head(name, 16), Role::Text),
            MarkKind::Control(control) => mark(it.at, "▾", text::rate(control.to), Role::Accent),
            MarkKind::Note(note) => mark(it.at, "◆", text::head(note, 12), Role::Load),
            MarkKind::Config(name) => mark(it.at, "◆", text::head(name, 18), Role::Warn),
        })
        .collect()
}

/// Now, and the cursor with its clock.
fn points(scene: &Scene<'_>) -> Vec<(At, Role, String)> {
    let now = scene.ui.now();
    let mut points = Vec::new();
    match scene.ui.cursor() {
        Some(cursor) => {
            let clock = text::clock_tenths(scene.model.run.anchor(), cursor);
            points.push((cursor, Role::Cursor, clock));
        }
        None => points.push((now, Role::Text, String::new())),
    }
    points
}

fn cursor(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, cells: Cells) {
    let Some(column) = scene.ui.cursor().and_then(|cursor| cells.cell(cursor)) else { return };
    let x = area.x + u16::try_from(column).unwrap_or(0);
    let style = canvas.theme.style(Role::Cursor);
    for y in area.top()..area.bottom() {
        // What is filled stays filled behind the line.
        if let Some(cell) = canvas.buffer.cell_mut((x, y))
            && matches!(cell.symbol(), "▄" | "▅" | "▆" | "▇" | "█")
        {
            cell.bg = cell.fg;
        }
        canvas.symbol(x, y, "│", style);
    }
}
