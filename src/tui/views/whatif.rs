//! The recorded load under another configuration: parameters that the keys turn, what it would come
//! to, and the lines as they were and as they would be in one chart.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::kpa::Config;
use crate::kpa::config::Value;
use crate::kpa::whatif;
use crate::kpa::whatif::Change;
use crate::kpa::whatif::Place;
use crate::kpa::whatif::Tick;
use crate::kpa::whatif::Totals;
use crate::model::recording::Recording;
use crate::series::Cells;
use crate::series::Column;
use crate::tui::text;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::ui::whatif::PARAMETERS;
use crate::tui::widgets::axis;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Dash;
use crate::tui::widgets::plot::Ink;
use crate::tui::widgets::plot::Plot;
use crate::tui::widgets::plot::Scale;
use crate::units::At;

use super::Scene;

/// How strong the area of the pods that were ready is, so that lines are seen over it.
const AREA: f64 = 0.35;
const READY_WAS: Ink = Ink { role: Role::Ready, dash: Dash::Solid, mark: '#' };
const DESIRED_WAS: Ink = Ink { role: Role::Desired, dash: Dash::Dotted, mark: '.' };
const READY: Ink = Ink { role: Role::Load, dash: Dash::Solid, mark: '*' };
const DESIRED: Ink = Ink { role: Role::Text, dash: Dash::Dotted, mark: '+' };

/// Cells of the labels left of the chart.
const GUTTER: u16 = 7;
/// Cells of the table of parameters.
const TABLE: u16 = 51;
/// Cells of the table of totals.
const TOTALS: u16 = 50;

/// A row of the totals: its label and its value.
type Row = (&'static str, fn(&Totals) -> String);

/// What is played and what it came to.
struct Played {
    recording: Recording,
    changes: Vec<Change>,
    /// The configuration as it was, in the model.
    modelled: (Vec<Tick>, Totals),
    /// The changed one, or why Knative would refuse it.
    would: Result<(Vec<Tick>, Totals), String>,
}

/// Draws the view.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let mut title = vec![theme.strong(Role::Load, "what if")];
    let played = play(scene);
    match &played {
        Ok(played) if played.changes.is_empty() => {
            title.push(theme.span(Role::Dim, " · nothing is changed yet: + and − turn a value"));
        }
        Ok(played) => {
            let changes: Vec<String> = played.changes.iter().map(ToString::to_string).collect();
            title.push(theme.strong(Role::Accent, format!(" {}", changes.join(", "))));
            // Who turns a value and sees nothing move should not doubt the key.
            if played.would.as_ref().is_ok_and(|would| *would == played.modelled) {
                title.push(theme.span(Role::Warn, format!(" · {}", whatif::SAME)));
            }
        }
        Err(_) => {}
    }
    let inside = canvas.frame(area, title);
    let played = match played {
        Ok(played) => played,
        Err(reason) => {
            canvas.wrap(inside, [theme.span(Role::Dim, reason)]);
            return;
        }
    };
    let is_wide = TABLE + TOTALS < inside.width;
    let n_rows = u16::try_from(PARAMETERS.len()).unwrap_or(0) + 1;
    let caveat = u16::from(played.recording.is_pinned);
    let notes = if inside.height < 26 { 1 } else { 5 + caveat };
    let tables = Rect { height: n_rows.min(inside.height / 2 + 1), ..inside };
    if is_wide {
        parameters(canvas, Rect { width: TABLE, ..tables }, scene, &played);
        let place = Rect { x: tables.x + TABLE + 2, width: TOTALS, ..tables };
        totals(canvas, place, &played);
    } else {
        // So wide that no name is cut on eighty cells.
        let left = (tables.width / 2 + 1).min(tables.width);
        parameters(canvas, Rect { width: left, ..tables }, scene, &played);
        let width = tables.width.saturating_sub(left + 2);
        totals(canvas, Rect { x: tables.x + left + 2, width, ..tables }, &played);
    }
    let chart = Rect {
        y: tables.bottom() + 1,
        height: inside.bottom().saturating_sub(tables.bottom() + 1 + notes),
        ..inside
    };
    lines(canvas, chart, scene, &played);
    let notes = Rect { y: inside.bottom() - notes, height: notes, ..inside };
    remarks(canvas, notes, &played);
}

fn play(scene: &Scene<'_>) -> Result<Played, String> {
    let Some(revision) = &scene.moment.revision else {
        return Err("no revision is in sight".to_owned());
    };
    let recording = Recording::of(scene.model, revision).map_err(|missing| missing.to_string())?;
    let changes = scene.ui.whatif().changes(&recording.basis);
    let (load, pods) = (&recording.load, &recording.pods);
    let under = |config: &Config| {
        let mut ticks = Vec::with_capacity(load.seconds.len());
        let totals = whatif::play(config, load, pods, |tick| ticks.push(tick));
        (ticks, totals)
    };
    let modelled = under(&recording.basis.effective().config);
    let would = recording.basis.with(&changes);
    let would = would.map(|would| under(&would.config)).map_err(|refused| refused.to_string());
    Ok(Played { recording, changes, modelled, would })
}

fn parameters(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, played: &Played) {
    let theme = canvas.theme;
    let was = played.recording.basis.effective();
    let would = played.recording.basis.with(&played.changes).unwrap_or_else(|_| was.clone());
    let width = usize::from(area.width).saturating_sub(19);
    let heading = [
        theme.span(Role::Dim, text::left("  PARAMETER", width + 2)),
        theme.span(Role::Dim, text::right("AS IT WAS", 9)),
        theme.span(Role::Dim, text::right("WHAT IF", 8)),
    ];
    canvas.line(area, 0, heading);
    let selected = scene.ui.selected().min(PARAMETERS.len() - 1);
    let n_shown = usize::from(area.height.saturating_sub(1));
    let first = crate::tui::widgets::table::first_row(selected, PARAMETERS.len(), n_shown);
    for (row, (idx, parameter)) in
        (1..).zip(PARAMETERS.into_iter().enumerate().skip(first).take(n_shown))
    {
        let is_selected = idx == selected;
        let is_changed = scene.ui.whatif().is_changed(parameter);
        let value = |effective| parameter.value(effective).map_or_else(unknown, short);
        let mark = if is_selected { "▸ " } else { "  " };
        let name = parameter.name.trim_end_matches("-percentage");
        let name = text::left(name, width);
        let would = text::right(&value(&would), 8);
        let line = [
            theme.strong(Role::Accent, mark.to_owned()),
            if is_selected { theme.strong(Role::Text, name) } else { theme.span(Role::Text, name) },
            theme.span(Role::Dim, text::right(&value(&was), 9)),
            if is_changed {
                theme.strong(Role::Accent, would)
            } else {
                theme.span(Role::Dim, would)
            },
        ];
        canvas.line(area, row, line);
    }
}

fn unknown() -> String {
    text::UNKNOWN.to_owned()
}

/// A value without a needless digit; no bound is none.
fn short(value: Value) -> String {
    match value {
        Value::Number(number) => text::count(number),
        Value::Pods(0) => "none".to_owned(),
        other => other.to_string(),
    }
}

fn totals(canvas: &mut Canvas<'_>, area: Rect, played: &Played) {
    let theme = canvas.theme;
    let (headings, widths) = if TOTALS <= area.width {
        (["AS IT WAS", "MODELLED", "WHAT IF"], [9, 10, 9])
    } else {
        (["WAS", "MODEL", "IF"], [6; 3])
    };
    let name = usize::from(area.width).saturating_sub(widths.iter().sum());
    let heading = headings.into_iter().zip(widths);
    let heading = heading.map(|(words, width)| theme.span(Role::Dim, text::right(words, width)));
    canvas.line(
        area,
        0,
        std::iter::once(theme.span(Role::Dim, text::left("", name))).chain(heading),
    );
    let would = played.would.as_ref().ok().map(|(_, totals)| totals);
    let was = &played.recording.totals;
    let rows: [Row; 8] = [
        ("pod seconds", |it| text::count(it.pod_seconds.round())),
        ("ready at most", |it| it.ready_max.to_string()),
        ("desired at most", |it| it.desired_max.to_string()),
        ("short of capacity", |it| format!("{:.0} s", it.short_s)),
        ("pods short × s", |it| text::count(it.pod_seconds_short.round())),
        ("panics", |it| it.panics.to_string()),
        ("in panic", |it| format!("{:.0} s", it.panic_s)),
        ("cold starts", |it| it.cold_starts.to_string()),
    ];
    for (row, (label, value)) in (1..area.height).zip(rows) {
        let modelled = value(&played.modelled.1);
        let would = would.map_or_else(unknown, value);
        // As the configuration was the model comes to another number than the record: a change is
        // one against the model.
        let is_same = would == modelled || played.would.is_err();
        let [was, modelled, would] =
            [(value(was), widths[0]), (modelled, widths[1]), (would, widths[2])]
                .map(|(value, width)| text::right(&value, width));
        let line = [
            theme.span(Role::Text, text::left(label, name)),
            theme.span(Role::Text, was),
            theme.span(Role::Dim, modelled),
            if is_same { theme.span(Role::Text, would) } else { theme.strong(Role::Accent, would) },
        ];
        canvas.line(area, row, line);
    }
}

/// Four lines on one axis: ready and desired, as they were and as they would be.
fn lines(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, played: &Played) {
    if area.height < 5 || area.width < 30 {
        return;
    }
    let theme = canvas.theme;
    let load = &played.recording.load;
    let chart = Rect {
        x: area.x + GUTTER,
        y: area.y + 1,
        width: area.width - GUTTER,
        height: area.height - 3,
    };
    let (from, n) = (At::from_secs(load.first), load.seconds.len() as u64);
    let to = At::from_secs(load.first + n.max(1));
    let cells = Cells { from, to, n: usize::from(chart.width) };
    let dots = Cells { n: cells.n * 2, ..cells };
    let recorded = &played.recording.lines;
    let line =
        |value: &dyn Fn(usize) -> Option<f64>| columns(dots, load.first, recorded.len(), value);
    let ready_was = line(&|idx| recorded[idx].ready);
    let desired_was = line(&|idx| recorded[idx].desired);
    let ticks: &[Tick] = played.would.as_ref().map_or(&[], |(ticks, _)| ticks);
    let would = |value: fn(&Tick) -> u32| line(&|idx| ticks.get(idx).map(|it| value(it).into()));
    let (ready, desired) = (would(|tick| tick.ready), would(|tick| tick.desired));
    let most = [&ready_was, &desired_was, &ready, &desired]
        .into_iter()
        .flat_map(|line| line.iter().flatten())
        .map(|column| column.max)
        .fold(0.0, f64::max);
    let scale = Scale::up_to(most, 4.0);
    let mut plot = Plot::new(chart, scale, theme);
    let filled: Vec<Option<f64>> = (0..cells.n)
        .map(|idx| {
            let pair = ready_was.get(idx * 2..idx * 2 + 2).unwrap_or_default();
            pair.iter().flatten().map(|column| column.max).reduce(f64::max)
        })
        .collect();
    plot.fill(&filled, (Role::Ready, AREA), (&[], Role::Ready));
    plot.line(&desired_was, DESIRED_WAS);
    plot.line(&desired, DESIRED);
    plot.line(&ready, READY);
    plot.paint(canvas);
    if let Scale::Linear(most) = scale {
        let gutter = Rect { width: GUTTER - 1, ..area };
        canvas.line(gutter, 0, [theme.strong(Role::Text, "pods")]);
        canvas.line_right(gutter, 1, vec![theme.span(Role::Dim, text::count(most))]);
        canvas.line_right(gutter, chart.height, vec![theme.span(Role::Dim, "0")]);
    }
    legend(canvas, Rect { height: 1, width: chart.width, x: chart.x, ..area }, played);
    let axis_area = Rect { y: chart.bottom(), height: 2, ..chart };
    axis::draw(canvas, axis_area, (scene.model.run.anchor(), cells), &[], &[]);
}

fn legend(canvas: &mut Canvas<'_>, area: Rect, played: &Played) {
    let theme = canvas.theme;
    let mut spans = vec![theme.span(Role::Dim, "as it was  ")];
    spans.extend(key(theme, READY_WAS, true));
    spans.push(theme.span(Role::Dim, " ready  "));
    spans.extend(key(theme, DESIRED_WAS, false));
    spans.push(theme.span(Role::Dim, " desired    "));
    if played.would.is_ok() {
        spans.push(theme.span(Role::Dim, "what if  "));
        spans.extend(key(theme, READY, false));
        spans.push(theme.span(Role::Dim, " ready  "));
        spans.extend(key(theme, DESIRED, false));
        spans.push(theme.span(Role::Dim, " desired"));
    }
    canvas.line(area, 0, spans);
}

fn key<'a>(theme: &Theme, ink: Ink, is_area: bool) -> [Span<'a>; 1] {
    let symbol = match (theme.charset(), is_area, ink.dash) {
        (Charset::Ascii, ..) => ink.mark.to_string().repeat(2),
        (_, true, _) if !theme.has_grounds() => "▒▒".to_owned(),
        (_, true, _) => "██".to_owned(),
        (_, false, Dash::Solid) => "━━".to_owned(),
        (_, false, _) => "┅┅".to_owned(),
    };
    let span = if is_area {
        Span::styled(symbol, ratatui::style::Style::new().fg(theme.fill(ink.role, AREA)))
    } else {
        theme.span(ink.role, symbol)
    };
    [span]
}

/// A value a second as columns of dots.
fn columns(
    dots: Cells,
    first: u64,
    n: usize,
    value: &dyn Fn(usize) -> Option<f64>,
) -> Vec<Option<Column>> {
    let second = |at: At| {
        usize::try_from((at.as_micros() / 1_000_000).saturating_sub(first)).unwrap_or(usize::MAX)
    };
    (0..dots.n)
        .map(|dot| {
            let from = second(dots.edge(dot));
            // A dot narrower than a second shows the one that it lies in.
            let to = second(dots.edge(dot + 1)).max(from + 1).min(n);
            (from..to)
                .filter_map(value)
                .map(|value| Column { min: value, max: value, last: value })
                .reduce(Column::then)
        })
        .collect()
}

/// What it rests on, and how to make it so.
fn remarks(canvas: &mut Canvas<'_>, area: Rect, played: &Played) {
    let theme = canvas.theme;
    let recording = &played.recording;
    if let Err(refused) = &played.would {
        canvas.line(area, 0, [theme.strong(Role::Warn, refused.clone())]);
        return;
    }
    let starts = match recording.n_starts {
        0 => "no start was seen: 2 s are assumed".to_owned(),
        n => format!("pods start as the {n} that were seen"),
    };
    let unit = recording.metric.name();
    let taken = format!("{unit} is taken as demand, as {} saw it", recording.witness.name());
    if area.height < 3 {
        canvas.line(area, 0, [theme.span(Role::Dim, taken)]);
        return;
    }
    let capacity = text::count(recording.pods.capacity);
    let words = format!("{taken} · {starts} · a pod bears {capacity}, the target as it was");
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let used = canvas.wrap(Rect { height: 2, ..below }, [theme.span(Role::Dim, words)]);
    let place = Rect { y: below.y + used, height: below.height.saturating_sub(used), ..below };
    if place.height == 0 || played.changes.is_empty() {
        return;
    }
    let mut spans = vec![theme.span(Role::Dim, "to make it so, by hand: ".to_owned())];
    for change in &played.changes {
        let (before, name) = match change.place {
            Place::Annotation => ("annotation ", format!("autoscaling.knative.dev/{}", change.key)),
            Place::ConfigMap => ("config-autoscaler ", change.key.to_owned()),
            Place::Spec => ("spec ", change.key.to_owned()),
        };
        spans.push(theme.span(Role::Dim, before));
        spans.push(theme.span(Role::Accent, format!("{name}={} ", change.value)));
    }
    let caveat = whatif::on_a_pinned_route(&played.changes).filter(|_| recording.is_pinned);
    spans.extend(caveat.map(|caveat| theme.span(Role::Warn, format!("· {caveat}"))));
    canvas.wrap(place, spans);
}
