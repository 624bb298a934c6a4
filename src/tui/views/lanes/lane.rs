//! One lane: its areas and lines, its scale, its legend.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::kpa::config::Metric;
use crate::kpa::decide::panic_line;
use crate::model::scaling::FRESH;
use crate::model::scaling::RevisionScaling;
use crate::model::traffic::Heat;
use crate::model::traffic::Timing;
use crate::series::Cells;
use crate::series::Column;
use crate::series::HeatColumn;
use crate::series::LatencyHistogram;
use crate::series::Series;
use crate::tui::moment::LOAD_HOLD;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::views::Scene;
use crate::tui::views::panels::about;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Plot;
use crate::tui::widgets::plot::Scale;
use crate::tui::window::Window;
use crate::units::At;

use super::GUTTER;
use super::Lane;
use super::bands;
use super::heat::heat_bounds;
use super::heat::heat_steps;
use super::legend::AREA;
use super::legend::AREA_STARTING;
use super::legend::AT_PANIC;
use super::legend::CPU;
use super::legend::DESIRED;
use super::legend::DONE;
use super::legend::DROPPED;
use super::legend::ENTERS;
use super::legend::FAILED;
use super::legend::GHOST;
use super::legend::GOING;
use super::legend::IN_FLIGHT;
use super::legend::LIMITED;
use super::legend::LITTLE;
use super::legend::Legend;
use super::legend::MAX;
use super::legend::OFFERED;
use super::legend::P50;
use super::legend::P99;
use super::legend::PANIC;
use super::legend::READY;
use super::legend::STABLE;
use super::legend::STARTING;
use super::legend::legend_row;
use super::scaling;

/// How long a sample of usage counts.
const USAGE_HOLD: Duration = Duration::from_secs(60);

/// One lane being drawn.
pub(super) struct Drawing<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) cells: Cells,
    pub(super) place: Rect,
}

impl Drawing<'_> {
    pub(super) fn draw(
        &self,
        canvas: &mut Canvas<'_>,
        lane: Lane,
        (area, legend_width): (Rect, u16),
    ) {
        if self.place.height == 0 {
            return;
        }
        let (name, scale, legends) = match lane {
            Lane::Rate => self.rate(canvas),
            Lane::Latency => self.latency(canvas),
            Lane::Pods => self.pods(canvas),
            Lane::Concurrency if self.scene.moment.hpa.is_some() => self.metric(canvas),
            Lane::Concurrency => self.concurrency(canvas),
            Lane::Cpu => self.cpu(canvas),
            Lane::Heat(timing) => self.timing(canvas, timing),
            Lane::InFlight => self.in_flight(canvas),
        };
        self.labels(canvas, area, name, scale);
        let legend =
            Rect { x: self.place.right() + 1, width: legend_width.saturating_sub(2), ..self.place };
        if 0 < legend_width {
            for (row, line) in (0..).zip(legends) {
                legend_row(canvas, legend, row, &line);
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
            Scale::Log(..) => text::latency_mark(value),
        };
        let mut put = |row: u16, value: f64| {
            let room = if row == 0 { gutter.width.saturating_sub(7) } else { gutter.width };
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

    pub(super) fn plot<'t>(&self, canvas: &Canvas<'t>, scale: Scale) -> Plot<'t> {
        let mut plot = Plot::new(self.place, scale, canvas.theme);
        for band in bands(self.scene, self.cells) {
            plot.band(band);
        }
        plot
    }

    /// A series by dots.
    pub(super) fn dots(&self, series: &Series, hold: Option<Duration>) -> Vec<Option<Column>> {
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
        let failed = only_some(&self.dots(&traffic.failed, hold));
        let dropped = only_some(&self.dots(&traffic.dropped, hold));
        let ghost = self.ghost();
        let most = largest(&offered).max(done.iter().flatten().copied().fold(0.0, f64::max));
        let most = most.max(largest(&failed)).max(largest(&dropped));
        let scale = Scale::up_to(most.max(largest(&ghost)), 10.0);
        let mut plot = self.plot(canvas, scale);
        let limited: Vec<bool> = (0..self.cells.n).map(|column| self.is_limited(column)).collect();
        plot.fill(&done, (Role::Load, AREA), (&limited, Role::Warn));
        plot.line(&ghost, GHOST);
        plot.line(&offered, OFFERED);
        plot.line(&dropped, DROPPED);
        plot.line(&failed, FAILED);
        plot.paint(canvas);
        self.crossing(canvas, &ghost, scale);
        let rate = |value| text::or_unknown(value, text::rate);
        let mut legends = vec![
            (OFFERED, false, "offered", rate(load.offered)),
            (DONE, true, "done", rate(load.done)),
        ];
        let has = |columns: &[Option<Column>]| columns.iter().any(Option::is_some);
        if has(&failed) {
            legends.push((FAILED, false, "failed", rate(load.failed)));
        }
        if has(&dropped) {
            legends.push((DROPPED, false, "dropped", rate(load.dropped)));
        }
        if limited.contains(&true) {
            legends.push((LIMITED, true, "limited", String::new()));
        }
        if let Some(rate) = self.rate_of_panic() {
            let is_reckoned = self.scene.moment.scaler.metric != Metric::Rps;
            let about = if is_reckoned { "≈" } else { "" };
            legends.push((AT_PANIC, false, "P above", format!("{about}{}", text::rate(rate))));
        }
        ("req/s", scale, legends)
    }

    fn is_limited(&self, column: usize) -> bool {
        let (from, to) = (self.cells.edge(column), self.cells.edge(column + 1));
        let limited = self.scene.model.traffic.limited.iter().rev();
        limited.take_while(|it| from < it.ended).any(|it| it.began < to && from < it.ended)
    }

    fn latency(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let traffic = &self.scene.model.traffic;
        let load = &self.scene.moment.load;
        let scale = self.heat(canvas, (&traffic.p50, &traffic.p99), Heat::felt);
        let latency = |value| text::or_unknown(value, text::latency);
        let legends = vec![
            (P99, false, "p99", latency(load.p99)),
            (P50, false, "p50", latency(load.p50)),
            (MAX, false, "max", latency(load.max)),
        ];
        ("ms", scale, legends)
    }

    /// One kind of latency; the values are those of the interval looked at.
    fn timing(
        &self,
        canvas: &mut Canvas<'_>,
        timing: Timing,
    ) -> (&'static str, Scale, Vec<Legend>) {
        let (p50, p99, max) = self.scene.model.traffic.lines(timing);
        let scale = match timing {
            Timing::ResponseTime => self.heat(canvas, (p50, p99), Heat::felt),
            _ => self.heat(canvas, (p50, p99), |heat| heat.column(timing)),
        };
        // At present of the same second as the table above it; of the past, of an interval.
        let second = if self.scene.moment.is_present {
            self.scene.model.traffic.window(Duration::from_secs(1))
        } else {
            None
        };
        let second = second.as_ref().and_then(|it| it.latencies.get(timing));
        let second = second.filter(|it| !it.is_empty());
        let at = |series: &Series, of: &dyn Fn(&LatencyHistogram) -> Duration| {
            let value = match second {
                Some(second) => Some(of(second).as_secs_f64()),
                None => series.at(self.scene.moment.at, Some(LOAD_HOLD)),
            };
            text::or_unknown(value, text::latency)
        };
        let legends = vec![
            (P99, false, "p99", at(p99, &|it| it.quantile(0.99))),
            (P50, false, "p50", at(p50, &|it| it.quantile(0.5))),
            (MAX, false, "max", at(max, &LatencyHistogram::max)),
        ];
        ("ms", scale, legends)
    }

    /// The map of a latency with the lines of two percentiles over it; its scale.
    fn heat(
        &self,
        canvas: &mut Canvas<'_>,
        (p50, p99): (&Series, &Series),
        of: impl Fn(&Heat) -> &HeatColumn,
    ) -> Scale {
        let hold = Some(LOAD_HOLD);
        // A value a cell, so that the line is calm: the worst p99, the last p50.
        let p99 = calm(&p99.in_cells(self.cells, self.until(), hold), |it| it.max);
        let p50 = calm(&p50.in_cells(self.cells, self.until(), hold), |it| it.last);
        let columns = self.heat_columns(of);
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
        scale
    }

    fn heat_columns(&self, of: impl Fn(&Heat) -> &HeatColumn) -> Vec<Option<HeatColumn>> {
        let mut columns: Vec<Option<HeatColumn>> = vec![None; self.cells.n];
        let heats = &self.scene.model.traffic.heat;
        let until = self.until();
        let first = heats.partition_point(|heat| heat.ended <= self.cells.from);
        let in_window = heats.iter().skip(first);
        for heat in in_window.take_while(|heat| heat.began < self.cells.to && heat.began < until) {
            let counts = of(heat);
            if counts.is_empty() {
                continue;
            }
            let ended = At::from_micros(heat.ended.min(until).as_micros().saturating_sub(1));
            let began = self.cells.cell(heat.began.max(self.cells.from));
            let Some(first) = began else { continue };
            let last = self.cells.cell(ended).unwrap_or(self.cells.n - 1).max(first);
            for column in &mut columns[first..=last] {
                match column {
                    Some(column) => column.add(counts),
                    None => *column = Some(counts.clone()),
                }
            }
        }
        columns
    }

    /// Little's law over time: what is in flight, and what rate and latency say that it is.
    fn in_flight(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let traffic = &self.scene.model.traffic;
        let hold = Some(LOAD_HOLD);
        let in_flight = self.heights(&traffic.in_flight, hold);
        let little = self.dots(&traffic.little, hold);
        let most = in_flight.iter().flatten().copied().fold(largest(&little), f64::max);
        let scale = Scale::up_to(most, 4.0);
        let mut plot = self.plot(canvas, scale);
        plot.fill(&in_flight, (Role::Load, AREA), (&[], Role::Load));
        plot.line(&little, LITTLE);
        plot.paint(canvas);
        let at = self.scene.moment.at;
        let value = |series: &Series| text::or_unknown(series.at(at, hold), text::number);
        let legends = vec![
            (IN_FLIGHT, true, "now", value(&traffic.in_flight)),
            (LITTLE, false, "rate×t", value(&traffic.little)),
        ];
        ("flight", scale, legends)
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
        plot.fill(&ready, (Role::Ready, AREA), (&[], Role::Ready));
        let hatched = vec![true; self.cells.n];
        plot.fill(&starting, (Role::Starting, AREA_STARTING), (&hatched, Role::Starting));
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
        let hold = Some(scaling.fresh_for());
        let window = self.scene.ui.window();
        // What was read, or all of it our own.
        let own = if has_averages(scaling, window) { None } else { own_averages(scaling, window) };
        let [panic, stable, enters] = match &own {
            Some(own) => own.each_ref().map(|series| self.dots(series, hold)),
            None => {
                [&scaling.panic, &scaling.stable, &scaling.enters].map(|it| self.dots(it, hold))
            }
        };
        let most = largest(&panic).max(largest(&stable));
        // The threshold is shown where it does not squeeze the rest.
        let threshold = largest(&enters);
        let top = if threshold <= most * 4.0 + 20.0 { most.max(threshold) } else { most };
        let scale = Scale::up_to(top, 4.0);
        let mut plot = self.plot(canvas, scale);
        plot.line(&within(&enters, scale), ENTERS);
        plot.line(&stable, STABLE);
        plot.line(&panic, PANIC);
        plot.paint(canvas);
        let number = |value| text::or_unknown(value, |value| about(scaler, value));
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
        let cpu = self.dots(&scaling.cpu, Some(USAGE_HOLD));
        let scale = Scale::up_to(largest(&cpu), 1.0);
        let mut plot = self.plot(canvas, scale);
        plot.line(&cpu, CPU);
        plot.paint(canvas);
        let value = text::or_unknown(self.scene.moment.pods.cpu, |cpu| format!("{cpu:.2}"));
        ("cores", scale, vec![(CPU, false, "cpu", value)])
    }
}

/// Whether the autoscaler's averages are known anywhere in a window.
fn has_averages(scaling: &RevisionScaling, window: Window) -> bool {
    has_any(&scaling.panic, window, scaling.fresh_for())
        || has_any(&scaling.stable, window, scaling.fresh_for())
}

fn has_any(series: &Series, window: Window, hold: Duration) -> bool {
    series.in_cells(window.cells(1), window.to, Some(hold)).iter().any(Option::is_some)
}

/// Our own model's panic average, stable average and threshold in a window; `None` without any.
fn own_averages(scaling: &RevisionScaling, window: Window) -> Option<[Series; 3]> {
    let mut own = [Series::default(), Series::default(), Series::default()];
    let ticks = scaling.shadow.as_deref()?.ticks();
    let in_window = ticks.filter(|it| window.from <= it.at() + FRESH && it.at() < window.to);
    for tick in in_window {
        let steps = tick.decision.steps.filter(|_| tick.input.is_whole);
        let threshold = tick.config().panic_threshold;
        let values = steps.map(|steps| {
            let line = panic_line(threshold, steps.target, tick.decision.ready);
            [steps.observed.panic, steps.observed.stable, line.above]
        });
        for (idx, series) in own.iter_mut().enumerate() {
            series.set(tick.at(), values.map(|values| values[idx]));
        }
    }
    own[0].last().is_some().then_some(own)
}

/// Whether the lane of the averages has anything to show.
pub(super) fn has_concurrency(scene: &Scene<'_>) -> bool {
    let window = scene.ui.window();
    scene.moment.hpa.is_some()
        || scaling(scene).is_some_and(|scaling| {
            has_averages(scaling, window) || own_averages(scaling, window).is_some()
        })
}

/// Whether the lane of the CPU has anything to show.
pub(super) fn has_cpu(scene: &Scene<'_>) -> bool {
    let window = scene.ui.window();
    scaling(scene).is_some_and(|it| has_any(&it.cpu, window, USAGE_HOLD))
}

pub(super) fn largest(columns: &[Option<Column>]) -> f64 {
    columns.iter().flatten().map(|column| column.max).fold(0.0, f64::max)
}

/// One value for both dots of a cell.
fn calm(columns: &[Option<Column>], value: fn(&Column) -> f64) -> Vec<Option<Column>> {
    let flat = |column: &Option<Column>| {
        column.as_ref().map(value).map(|value| Column { min: value, max: value, last: value })
    };
    columns.iter().flat_map(|column| [flat(column), flat(column)]).collect()
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
pub(super) fn within(columns: &[Option<Column>], scale: Scale) -> Vec<Option<Column>> {
    let top = scale.value(1.0) * 1.001;
    columns.iter().map(|column| column.filter(|column| column.max <= top)).collect()
}

fn decade_between(low: f64, high: f64) -> Option<f64> {
    let decade = 10f64.powf(low.log10().floor() + 1.0);
    [decade, decade * 2.0, decade / 2.0]
        .into_iter()
        .find(|value| low * 1.5 < *value && *value * 1.2 < high)
}
