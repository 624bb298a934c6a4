//! The lanes: load, latency, pods and concurrency above each other on one time axis.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::run::Executor;
use crate::kpa::config::Metric;
use crate::model::run::MarkKind;
use crate::model::scaling::FRESH;
use crate::model::scaling::RevisionScaling;
use crate::series::Cells;
use crate::series::Column;
use crate::series::HeatColumn;
use crate::series::Series;
use crate::tui::moment;
use crate::tui::moment::LOAD_HOLD;
use crate::tui::text;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::widgets::axis;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Dash;
use crate::tui::widgets::plot::Ink;
use crate::tui::widgets::plot::Plot;
use crate::tui::widgets::plot::Scale;
use crate::units::At;

use super::Scene;

/// Cells left of the lanes: name and labels.
pub const GUTTER: u16 = 11;

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
}

/// A line of a legend: key, name, value.
type Legend = (Ink, bool, &'static str, String);

const fn ink(role: Role, dash: Dash, mark: char) -> Ink {
    Ink { role, dash, mark }
}

const OFFERED: Ink = ink(Role::Desired, Dash::Solid, '*');
const GHOST: Ink = ink(Role::Desired, Dash::Dashed, '\'');
const DONE: Ink = ink(Role::Load, Dash::Solid, '#');
const P50: Ink = ink(Role::Load, Dash::Dotted, '.');
const P99: Ink = ink(Role::Latency, Dash::Solid, '*');
const DESIRED: Ink = ink(Role::Desired, Dash::Solid, '*');
const READY: Ink = ink(Role::Ready, Dash::Solid, '#');
const STARTING: Ink = ink(Role::Starting, Dash::Solid, '%');
const GOING: Ink = ink(Role::Dim, Dash::Dotted, 'o');
const PANIC: Ink = ink(Role::Panic, Dash::Solid, '*');
const STABLE: Ink = ink(Role::Load, Dash::Dotted, 'o');
const ENTERS: Ink = ink(Role::Dim, Dash::Dashed, '-');

/// The lanes that this run has, the most important first.
pub fn present(scene: &Scene<'_>) -> &'static [Lane] {
    if moment::has_load(scene.model) {
        &[Lane::Rate, Lane::Latency, Lane::Pods, Lane::Concurrency]
    } else {
        &[Lane::Pods, Lane::Concurrency, Lane::Cpu]
    }
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
    for (lane_idx, lane) in (0..).zip(lanes) {
        let top = for_lanes * lane_idx / n_lanes;
        let bottom = for_lanes * (lane_idx + 1) / n_lanes;
        // A row of air between two lanes, where there is enough.
        let air = u16::from(lane_idx + 1 < n_lanes && 4 <= bottom - top);
        let place = Rect { y: chart.y + top, height: bottom - top - air, ..chart };
        let gap = Rect { y: place.bottom(), height: air, ..chart };
        Drawing { scene, cells, place }.draw(canvas, *lane, (area, legend_width));
        bands_only(canvas, gap, scene, cells);
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
            let ended = span.ended.unwrap_or(span.seen + FRESH).min(now);
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
        let word = if 7 <= width { "P panic" } else { "P" };
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
        canvas.symbol(x, y, "│", style);
    }
}

/// One lane being drawn.
struct Drawing<'a> {
    scene: &'a Scene<'a>,
    cells: Cells,
    place: Rect,
}

impl Drawing<'_> {
    fn draw(&self, canvas: &mut Canvas<'_>, lane: Lane, (area, legend_width): (Rect, u16)) {
        if self.place.height == 0 {
            return;
        }
        let (name, scale, legends) = match lane {
            Lane::Rate => self.rate(canvas),
            Lane::Latency => self.latency(canvas),
            Lane::Pods => self.pods(canvas),
            Lane::Concurrency => self.concurrency(canvas),
            Lane::Cpu => self.cpu(canvas),
        };
        self.labels(canvas, area, name, scale);
        let legend =
            Rect { x: self.place.right() + 1, width: legend_width.saturating_sub(2), ..self.place };
        if 0 < legend_width {
            for (row, (key, is_area, name, value)) in (0..).zip(legends) {
                legend_row(canvas, legend, row, (key, is_area), name, &value);
            }
        }
    }

    /// The lane's name, and its values at top, middle and bottom.
    fn labels(&self, canvas: &mut Canvas<'_>, area: Rect, name: &str, scale: Scale) {
        let gutter = Rect { x: area.x, width: GUTTER - 1, ..self.place };
        let theme = canvas.theme;
        canvas.line(gutter, 0, [Span::raw(" "), theme.strong(Role::Text, name.to_owned())]);
        let height = self.place.height;
        let format = |value: f64| match scale {
            Scale::Linear(_) => text::count(value),
            Scale::Log(..) => text::latency(value),
        };
        let mut put = |row: u16, value: f64| {
            let room = if row == 0 { gutter.width.saturating_sub(6) } else { gutter.width };
            let label = format(value);
            if text::width(&label) <= usize::from(room) {
                canvas.line_right(gutter, row, vec![theme.span(Role::Dim, label)]);
            }
        };
        match scale {
            Scale::Linear(max) => {
                put(0, max);
                if 5 <= height && height % 2 == 1 && (max / 2.0).fract() == 0.0 {
                    put(height / 2, max / 2.0);
                }
                if 1 < height {
                    put(height - 1, 0.0);
                }
            }
            Scale::Log(low, high) => {
                put(0, high);
                if 1 < height {
                    put(height - 1, low);
                }
                let Some(decade) = decade_between(low, high) else { return };
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows")]
                let from_below = (scale.share(decade) * f64::from(height)).floor() as u16;
                let row = height.saturating_sub(1).saturating_sub(from_below);
                if 0 < row && row + 1 < height {
                    put(row, decade);
                }
            }
        }
    }

    fn plot<'t>(&self, canvas: &Canvas<'t>, scale: Scale) -> Plot<'t> {
        let mut plot = Plot::new(self.place, scale, canvas.theme);
        for band in bands(self.scene, self.cells) {
            plot.band(band);
        }
        plot
    }

    /// A series by dots.
    fn dots(&self, series: &Series, hold: Option<Duration>) -> Vec<Option<Column>> {
        let cells = Cells { n: self.cells.n * 2, ..self.cells };
        series.in_cells(cells, self.until(), hold)
    }

    /// A series by cells, the largest value of each.
    fn heights(&self, series: &Series, hold: Option<Duration>) -> Vec<Option<f64>> {
        let columns = series.in_cells(self.cells, self.until(), hold);
        columns.into_iter().map(|column| column.map(|column| column.max)).collect()
    }

    /// Nothing is drawn beyond now.
    fn until(&self) -> At {
        self.scene.ui.now() + Duration::from_micros(1)
    }

    fn rate(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let traffic = &self.scene.model.traffic;
        let load = &self.scene.moment.load;
        let hold = Some(LOAD_HOLD);
        let offered = self.dots(&traffic.offered, hold);
        let done = self.heights(&traffic.done, hold);
        let ghost = self.ghost();
        let most = largest(&offered).max(done.iter().flatten().copied().fold(0.0, f64::max));
        let scale = Scale::up_to(most.max(largest(&ghost)), 10.0);
        let mut plot = self.plot(canvas, scale);
        let limited: Vec<bool> = (0..self.cells.n).map(|column| self.is_limited(column)).collect();
        plot.fill(&done, (Role::Load, 0.45), &limited);
        plot.line(&ghost, GHOST);
        plot.line(&offered, OFFERED);
        plot.paint(canvas);
        self.crossing(canvas, &ghost, scale);
        let rate = |value| text::or_unknown(value, text::rate);
        let mut legends = vec![
            (OFFERED, false, "offered", rate(load.offered)),
            (DONE, true, "done", rate(load.done)),
        ];
        if let Some(rate) = self.rate_of_panic() {
            legends.push((ENTERS, false, "panic ≈", text::rate(rate)));
        }
        ("req/s", scale, legends)
    }

    fn is_limited(&self, column: usize) -> bool {
        let (from, to) = (self.cells.edge(column), self.cells.edge(column + 1));
        let limited = self.scene.model.traffic.limited.iter().rev();
        limited.take_while(|it| from < it.ended).any(|it| it.began < to && from < it.ended)
    }

    /// The rate to come: what is being asked for, else what is held, else what the plan says.
    fn ghost(&self) -> Vec<Option<Column>> {
        let n_dots = self.cells.n * 2;
        let mut ghost = vec![None; n_dots];
        let run = &self.scene.model.run;
        if run.executor() != Executor::Open
            || run.ended.is_some()
            || self.scene.ui.cursor().is_some()
        {
            return ghost;
        }
        let dots = Cells { n: n_dots, ..self.cells };
        let first = dots.cell(self.scene.ui.now()).map_or(n_dots, |dot| dot + 1);
        let asked = self.scene.ui.ghost();
        for (dot_idx, column) in ghost.iter_mut().enumerate().skip(first) {
            let amount = asked.or_else(|| self.planned(dots.edge(dot_idx)));
            *column = amount.map(|amount| Column { min: amount, max: amount, last: amount });
        }
        ghost
    }

    /// What the plan, or what a person made of it, will offer at a moment.
    fn planned(&self, at: At) -> Option<f64> {
        let run = &self.scene.model.run;
        let stage = run.stage.as_ref()?;
        // A change of load since the stage began rules in its place.
        if let Some(control) = run.control.as_ref().filter(|control| stage.at < control.at)
            && matches!(control.what.as_str(), "set" | "zero" | "hold" | "pause" | "undo")
        {
            return Some(control.to);
        }
        let stages = &run.began.as_ref()?.stages;
        let mut began = stage.at;
        for planned in stages.iter().skip(usize::try_from(stage.index).ok()?) {
            let elapsed = at.since(began);
            if elapsed < planned.lasts {
                let share = elapsed.as_secs_f64() / planned.lasts.as_secs_f64().max(1e-6);
                return Some((planned.to - planned.from).mul_add(share, planned.from));
            }
            began = began + planned.lasts;
        }
        None
    }

    /// The rate at which the panic average would reach its threshold, if concurrency grew with it
    /// as it does now (Little's law with the present latency).
    fn rate_of_panic(&self) -> Option<f64> {
        let scaler = &self.scene.moment.scaler;
        let enters = scaler.enters?;
        if scaler.metric == Metric::Rps {
            return Some(enters);
        }
        let average = scaler.panic_average.filter(|average| 0.5 < *average)?;
        let done = self.scene.moment.load.done.filter(|done| 0.0 < *done)?;
        Some(enters / average * done)
    }

    /// Where the rate to come crosses the panic threshold.
    fn crossing(&self, canvas: &mut Canvas<'_>, ghost: &[Option<Column>], scale: Scale) {
        let Some(rate) = self.rate_of_panic() else { return };
        let crossing = ghost.iter().position(|it| it.is_some_and(|column| rate <= column.max));
        let Some(dot) = crossing else { return };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows")]
        let from_below = (scale.share(rate) * f64::from(self.place.height)).floor() as u16;
        let row = self.place.height.saturating_sub(1).saturating_sub(from_below);
        let x = self.place.x + u16::try_from(dot / 2).unwrap_or(0);
        let style = canvas.theme.bold(Role::Panic);
        canvas.symbol(x, self.place.y + row, "P", style);
    }

    fn latency(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let traffic = &self.scene.model.traffic;
        let load = &self.scene.moment.load;
        let hold = Some(LOAD_HOLD);
        let p99 = self.dots(&traffic.p99, hold);
        let p50 = self.dots(&traffic.p50, hold);
        let columns = self.heat_columns();
        let (mut low, mut high) = (f64::INFINITY, 0f64);
        for (row, _) in columns.iter().flatten().flat_map(HeatColumn::rows) {
            low = low.min(HeatColumn::floor(row).as_secs_f64() * 1.1);
            high = high.max(HeatColumn::floor(row + 1).as_secs_f64() * 0.9);
        }
        let scale = if high <= 0.0 { Scale::Log(0.01, 1.0) } else { Scale::log(low, high) };
        let mut plot = self.plot(canvas, scale);
        let n_rows = usize::from(self.place.height) * 2;
        let bounds = heat_bounds(scale, n_rows);
        for (column, heat) in columns.iter().enumerate() {
            if let Some(heat) = heat {
                plot.heat(column, &heat_steps(heat, &bounds));
            }
        }
        plot.line(&p50, P50);
        plot.line(&p99, P99);
        plot.paint(canvas);
        let latency = |value| text::or_unknown(value, text::latency);
        let legends = vec![
            (P99, false, "p99", latency(load.p99)),
            (P50, false, "p50", latency(load.p50)),
            (ENTERS, false, "max", latency(load.max)),
        ];
        ("ms", scale, legends)
    }

    fn heat_columns(&self) -> Vec<Option<HeatColumn>> {
        let mut columns: Vec<Option<HeatColumn>> = vec![None; self.cells.n];
        let heats = &self.scene.model.traffic.heat;
        let until = self.until();
        let first = heats.partition_point(|heat| heat.ended <= self.cells.from);
        let in_window = heats.iter().skip(first);
        for heat in in_window.take_while(|heat| heat.began < self.cells.to && heat.began < until) {
            let ended = At::from_micros(heat.ended.min(until).as_micros().saturating_sub(1));
            let began = self.cells.cell(heat.began.max(self.cells.from));
            let Some(first) = began else { continue };
            let last = self.cells.cell(ended).unwrap_or(self.cells.n - 1).max(first);
            for column in &mut columns[first..=last] {
                match column {
                    Some(column) => column.add(&heat.column),
                    None => *column = Some(heat.column.clone()),
                }
            }
        }
        columns
    }

    fn pods(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let pods = &self.scene.moment.pods;
        let Some(scaling) = scaling(self.scene) else {
            return ("pods", Scale::Linear(4.0), Vec::new());
        };
        let ready = self.heights(&scaling.ready, None);
        let starting = stacked(&ready, &self.heights(&scaling.starting, None));
        let going = self.dots(&scaling.terminating, None);
        let desired = self.dots(&scaling.desired, None);
        let most = starting.iter().flatten().copied().fold(0.0, f64::max);
        let scale = Scale::up_to(most.max(largest(&desired)), 4.0);
        let mut plot = self.plot(canvas, scale);
        plot.fill(&ready, (Role::Ready, 0.5), &[]);
        plot.fill(&starting, (Role::Starting, 0.35), &vec![true; self.cells.n]);
        if 0.0 < largest(&going) {
            plot.line(&only_some(&going), GOING);
        }
        plot.line(&desired, DESIRED);
        plot.paint(canvas);
        let count = |value| text::or_unknown(value, text::count);
        let legends = vec![
            (DESIRED, false, "desired", count(pods.desired)),
            (READY, true, "ready", count(pods.ready)),
            (STARTING, true, "starting", count(pods.starting)),
            (GOING, false, "going", count(pods.terminating)),
        ];
        ("pods", scale, legends)
    }

    fn concurrency(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let scaler = &self.scene.moment.scaler;
        let name = if scaler.metric == Metric::Rps { "rps" } else { "conc" };
        let Some(scaling) = scaling(self.scene) else {
            return (name, Scale::Linear(10.0), Vec::new());
        };
        let hold = Some(FRESH);
        let (panic, stable) = (self.dots(&scaling.panic, hold), self.dots(&scaling.stable, hold));
        let enters = self.dots(&scaling.enters, hold);
        let most = largest(&panic).max(largest(&stable));
        // The threshold is shown where it does not squeeze the rest.
        let threshold = enters.iter().rev().flatten().next().map_or(0.0, |column| column.last);
        let top = if threshold <= most * 4.0 + 20.0 { most.max(threshold) } else { most };
        let scale = Scale::up_to(top, 4.0);
        let mut plot = self.plot(canvas, scale);
        plot.line(&within(&enters, scale), ENTERS);
        plot.line(&stable, STABLE);
        plot.line(&panic, PANIC);
        plot.paint(canvas);
        let number = |value| text::or_unknown(value, text::number);
        let legends = vec![
            (PANIC, false, "panic", number(scaler.panic_average)),
            (STABLE, false, "stable", number(scaler.stable_average)),
            (ENTERS, false, "enters", number(scaler.enters)),
        ];
        (name, scale, legends)
    }

    fn cpu(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let Some(scaling) = scaling(self.scene) else {
            return ("cores", Scale::Linear(1.0), Vec::new());
        };
        let cpu = self.dots(&scaling.cpu, Some(Duration::from_secs(60)));
        let scale = Scale::up_to(largest(&cpu), 1.0);
        let mut plot = self.plot(canvas, scale);
        plot.line(&cpu, STABLE);
        plot.paint(canvas);
        let value = text::or_unknown(self.scene.moment.pods.cpu, |cpu| format!("{cpu:.2}"));
        ("cores", scale, vec![(STABLE, false, "cpu", value)])
    }
}

fn legend_row(
    canvas: &mut Canvas<'_>,
    area: Rect,
    row: u16,
    (ink, is_area): (Ink, bool),
    name: &str,
    value: &str,
) {
    let theme = canvas.theme;
    let key = match (theme.charset(), is_area, ink.dash) {
        (Charset::Ascii, ..) => ink.mark.to_string().repeat(2),
        (_, true, _) if ink.role == Role::Starting => "▒▒".to_owned(),
        (_, true, _) => "██".to_owned(),
        (_, false, Dash::Solid) => "━━".to_owned(),
        (_, false, Dash::Dotted) => "┅┅".to_owned(),
        (_, false, Dash::Dashed) => "╌╌".to_owned(),
    };
    let width = usize::from(area.width).saturating_sub(text::width(name) + 3);
    let key = if is_area && theme.charset() != Charset::Ascii {
        let share = if ink.role == Role::Starting { 0.35 } else { 0.5 };
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

fn largest(columns: &[Option<Column>]) -> f64 {
    columns.iter().flatten().map(|column| column.max).fold(0.0, f64::max)
}

/// Two heights on each other; unknown where both are.
fn stacked(below: &[Option<f64>], above: &[Option<f64>]) -> Vec<Option<f64>> {
    below
        .iter()
        .zip(above)
        .map(|(below, above)| match (below, above) {
            (None, None) => None,
            (below, above) => Some(below.unwrap_or(0.0) + above.unwrap_or(0.0)),
        })
        .collect()
}

/// The columns that are not nothing.
fn only_some(columns: &[Option<Column>]) -> Vec<Option<Column>> {
    columns.iter().map(|column| column.filter(|column| 0.0 < column.max)).collect()
}

/// The columns that lie on the scale.
fn within(columns: &[Option<Column>], scale: Scale) -> Vec<Option<Column>> {
    let top = scale.value(1.0) * 1.001;
    columns.iter().map(|column| column.filter(|column| column.max <= top)).collect()
}

fn decade_between(low: f64, high: f64) -> Option<f64> {
    let decade = 10f64.powf(low.log10().floor() + 1.0);
    [decade, decade * 2.0, decade / 2.0]
        .into_iter()
        .find(|value| low * 1.5 < *value && *value * 1.2 < high)
}

/// The latencies between the rows of the heat strip, from below.
fn heat_bounds(scale: Scale, n_rows: usize) -> Vec<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "rows")]
    let share = |row: usize| row as f64 / n_rows.max(1) as f64;
    (0..=n_rows)
        .map(|row| match row {
            // What is off the scale counts in the outermost rows.
            0 => Duration::ZERO,
            _ if row == n_rows => Duration::from_secs(3600),
            _ => Duration::from_secs_f64(scale.value(share(row)).clamp(1e-7, 3600.0)),
        })
        .collect()
}

/// How much of a column's requests lies in each row, as steps of heat.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share in eight steps"
)]
fn heat_steps(heat: &HeatColumn, bounds: &[Duration]) -> Vec<u8> {
    let all = heat.count().max(1) as f64;
    bounds
        .windows(2)
        .map(|pair| heat.count_between(pair[0], pair[1]) as f64 / all)
        // The root lifts what is rare, which is what one looks for.
        .map(|share| (share.sqrt() * 8.0).ceil().min(8.0) as u8)
        .collect()
}
