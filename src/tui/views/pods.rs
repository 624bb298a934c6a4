//! Pods: as a table beside the lanes, and each as a life line from asked-for to gone.

use ratatui::layout::Rect;

use crate::model::Model;
use crate::model::cluster::PodLife;
use crate::model::cluster::PodState;
use crate::model::startup::Startup;
use crate::model::startup::Step;
use crate::series::Cells;
use crate::tui::Moment;
use crate::tui::text;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::table;
use crate::tui::widgets::table::Column;
use crate::units::At;

use super::Scene;
use super::lanes;
use super::panels;
use super::waterfall;

const fn column(title: &'static str, width: u16, is_number: bool) -> Column {
    Column { title, width, is_number }
}

const COLUMNS: [Column; 9] = [
    column("NAME", 7, false),
    column("STATE", 10, false),
    column("AGE", 4, true),
    column("CONC", 5, true),
    column("RPS", 5, true),
    column("CPU", 5, true),
    column("MEM", 6, true),
    column("START", 6, true),
    column("NODE", 16, false),
];

/// The pods of the revision that were there at the moment looked at, with their state then.
pub fn shown<'a>(model: &'a Model, moment: &Moment) -> Vec<(&'a PodLife, PodState)> {
    let Some(revision) = &moment.revision else { return Vec::new() };
    let at = moment.at;
    let state = |life: &PodLife| {
        let then = life.state_at(at)?;
        let state = if moment.is_present { life.state() } else { then };
        (state != PodState::Finished).then_some(state)
    };
    let lives = model.cluster.pods_at(revision, at);
    let mut pods: Vec<_> =
        lives.into_iter().filter_map(|life| Some((life, state(life)?))).collect();
    // What serves and what will serve first; what leaves last.
    pods.sort_by_key(|(life, state)| {
        let order = match state {
            PodState::Starting | PodState::Ready => 0,
            PodState::Terminating => 2,
            PodState::Finished => 3,
        };
        (order, std::cmp::Reverse(life.first_seen), life.pod.id.name.clone())
    });
    pods
}

fn state_word(life: &PodLife, state: PodState) -> (Role, String) {
    match state {
        PodState::Ready => (Role::Ready, "● ready".to_owned()),
        PodState::Starting if !life.pod.waiting.is_empty() => {
            (Role::Warn, format!("○ {}", life.pod.waiting))
        }
        PodState::Starting => (Role::Starting, "○ starting".to_owned()),
        PodState::Terminating => (Role::Dim, "× going".to_owned()),
        PodState::Finished => (Role::Dim, "· finished".to_owned()),
    }
}

/// The table beside the lanes.
pub fn table(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let anchor = scene.model.run.anchor();
    let at = scene.moment.at;
    let unknown = || text::UNKNOWN.to_owned();
    let rows: Vec<Vec<table::Cell>> = shown(scene.model, &scene.moment)
        .into_iter()
        .take(usize::from(area.height))
        .map(|(life, state)| {
            let created = life.pod.age(at, anchor);
            let stat = life.stat_at(at);
            let usage = life.usage_at(at, anchor);
            let took = start_of(life);
            let number = |value: Option<f64>| {
                let role = if value.is_some() { Role::Text } else { Role::Dim };
                (role, text::or_unknown(value, text::number))
            };
            vec![
                (Role::Text, text::pod(&life.pod.id.name)),
                state_word(life, state),
                (Role::Dim, created.map_or_else(unknown, text::age)),
                number(stat.map(|stat| stat.concurrency)),
                number(stat.map(|stat| stat.rps)),
                (Role::Text, usage.map_or_else(unknown, |(cpu, _, _)| cpu.to_string())),
                (Role::Text, usage.map_or_else(unknown, |(_, memory, _)| memory.to_string())),
                (Role::Dim, took.map_or_else(unknown, text::seconds)),
                (Role::Dim, life.pod.node.clone()),
            ]
        })
        .collect();
    table::draw(canvas, area, &COLUMNS, &rows, None);
}

/// From its creation to ready, where both were seen.
pub(super) fn start_of(life: &PodLife) -> Option<std::time::Duration> {
    let ready = life.ready_seen?;
    if life.seen_fresh {
        return Some(ready.since(life.first_seen));
    }
    life.pod.became_ready?.since(life.pod.created?)
}

/// Each pod a line on the time axis.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    const NUMBERS: u16 = 22;
    /// With fewer rows than this the lines need all of them.
    const ROWS_FOR_BOTH: u16 = 22;
    let theme = canvas.theme;
    let filter = scene.ui.filter();
    let mut lives = in_window(scene);
    lives.retain(|it| it.pod.id.name.contains(filter));
    let selected = scene.ui.selected().min(lives.len().saturating_sub(1));
    let mut area = area;
    if let Some(life) = lives.get(selected).filter(|_| ROWS_FOR_BOTH <= area.height) {
        area.height -= waterfall::HEIGHT;
        let below = Rect { y: area.bottom(), height: waterfall::HEIGHT, ..area };
        waterfall::draw(canvas, below, scene, life);
    }
    let margin = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    panels::lines(canvas, Rect { height: 2, ..margin }, scene);
    if area.height < 8 {
        return;
    }
    let has_numbers = 70 <= area.width;
    let right = if has_numbers { NUMBERS } else { 0 };
    let gutter = lanes::GUTTER + 8;
    let chart = Rect {
        x: area.x + gutter,
        y: area.y + 4,
        width: area.width.saturating_sub(gutter + right),
        height: area.height - 6,
    };
    if chart.width < 8 {
        return;
    }
    let cells = scene.ui.window().cells(usize::from(chart.width));
    heading(canvas, Rect { y: area.y + 2, height: 1, ..area }, chart, (lives.len(), filter));
    lanes::draw_bands(canvas, chart, scene, cells);
    let n_shown = usize::from(chart.height);
    let first = table::first_row(selected, lives.len(), n_shown);
    for (row, (idx, life)) in (0..).zip(lives.iter().enumerate().skip(first).take(n_shown)) {
        let y = chart.y + row;
        let line = Rect { y, height: 1, ..area };
        asked_line(canvas, Rect { y, height: 1, ..chart }, (life, scene), cells);
        life_line(canvas, Rect { y, height: 1, ..chart }, (life, scene.ui.now()), cells);
        let state = life.state_at(scene.moment.at);
        let name = text::left(&text::pod(&life.pod.id.name), 7);
        let (role, word) = state.map_or((Role::Dim, "gone".to_owned()), |it| state_word(life, it));
        let spans = [
            theme.strong(Role::Accent, if idx == selected { "▸" } else { " " }),
            theme.strong(Role::Text, format!("{name} ")),
            theme.span(role, text::left(&word, usize::from(gutter) - 10)),
        ];
        canvas.line(Rect { width: gutter, ..line }, 0, spans);
        if has_numbers {
            numbers(canvas, Rect { x: chart.right() + 1, width: right - 2, ..line }, life, scene);
        }
    }
    if lives.is_empty() {
        canvas.text(chart, 0, Role::Dim, "no pods in this window");
    }
    let axis_area = Rect { y: area.bottom() - 2, height: 2, ..chart };
    lanes::draw_axis(canvas, axis_area, chart, scene, cells);
}

fn heading(canvas: &mut Canvas<'_>, area: Rect, chart: Rect, (n, filter): (usize, &str)) {
    let theme = canvas.theme;
    let mut spans = vec![theme.span(Role::Dim, format!(" {}", text::counted(n, "pod")))];
    if !filter.is_empty() {
        spans.push(theme.span(Role::Accent, format!(" with \"{filter}\"")));
    }
    canvas.line(Rect { width: chart.x - area.x, ..area }, 0, spans);
    let keys = [
        theme.span(Role::Starting, key(theme, PodState::Starting)),
        theme.span(Role::Dim, " starting   "),
        theme.span(Role::Ready, key(theme, PodState::Ready)),
        theme.span(Role::Dim, " ready   "),
        theme.span(Role::Dim, key(theme, PodState::Terminating)),
        theme.span(Role::Dim, " going"),
    ];
    canvas.line(Rect { y: area.y, height: 1, ..chart }, 0, keys);
    if chart.right() < area.right() {
        let place = Rect { x: chart.right() + 1, width: area.right() - chart.right() - 2, ..area };
        canvas.line_right(place, 0, vec![theme.span(Role::Dim, " start   cpu    mem")]);
    }
}

const fn key(theme: &Theme, state: PodState) -> &'static str {
    match (theme.charset(), state) {
        (Charset::Ascii, PodState::Ready) => "##",
        (Charset::Ascii, PodState::Starting) => "%%",
        (Charset::Ascii, _) => "::",
        (_, PodState::Ready) => "▆▆",
        (_, PodState::Starting) => "▒▒",
        (_, _) => "░░",
    }
}

/// Pods of the revision that lived in the window, the oldest first.
fn in_window<'a>(scene: &Scene<'a>) -> Vec<&'a PodLife> {
    let Some(revision) = &scene.moment.revision else { return Vec::new() };
    let window = scene.ui.window();
    let cluster = &scene.model.cluster;
    let mut lives: Vec<&PodLife> = cluster
        .gone
        .iter()
        .chain(cluster.pods.values())
        .filter(|life| {
            life.is_of(revision)
                && life.first_seen <= scene.ui.now()
                && life.gone.is_none_or(|gone| window.from < gone)
        })
        .collect();
    lives.sort_by(|a, b| (a.first_seen, &a.pod.id.name).cmp(&(b.first_seen, &b.pod.id.name)));
    lives
}

/// From the moment at which it was asked for until it was created.
fn asked_line(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (life, scene): (&PodLife, &Scene<'_>),
    cells: Cells,
) {
    let Some(asked) = Startup::of(scene.model, life).at(Step::Asked) else { return };
    let symbol = if canvas.theme.charset() == Charset::Ascii { "." } else { "┈" };
    let style = canvas.theme.style(Role::Starting);
    let (first, last) = (cells.cell(asked.at.max(cells.from)), cells.cell(life.first_seen));
    let (Some(first), Some(last)) = (first, last) else { return };
    for column in first..=last {
        let x = area.x + u16::try_from(column).unwrap_or(0);
        canvas.symbol(x, area.y, symbol, style);
    }
}

fn life_line(canvas: &mut Canvas<'_>, area: Rect, (life, now): (&PodLife, At), cells: Cells) {
    for column in 0..cells.n {
        let at = cells.edge(column);
        // A short life still is one cell.
        let state = life.state_at(at).or_else(|| {
            let next = cells.edge(column + 1);
            (at < life.first_seen && life.first_seen < next)
                .then(|| life.state_at(life.first_seen))
                .flatten()
        });
        let Some(state) = state.filter(|_| at <= now) else { continue };
        let role = match state {
            PodState::Ready => Role::Ready,
            PodState::Starting => Role::Starting,
            PodState::Terminating | PodState::Finished => Role::Dim,
        };
        let symbol = key(canvas.theme, state);
        let symbol = symbol.get(..symbol.len() / 2).unwrap_or(symbol);
        let x = area.x + u16::try_from(column).unwrap_or(0);
        let colour = canvas.theme.fill(role, if role == Role::Ready { 0.6 } else { 0.7 });
        canvas.symbol(x, area.y, symbol, ratatui::style::Style::new().fg(colour));
    }
}

fn numbers(canvas: &mut Canvas<'_>, area: Rect, life: &PodLife, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let anchor = scene.model.run.anchor();
    let unknown = || text::UNKNOWN.to_owned();
    let usage = life.usage_at(scene.moment.at, anchor);
    let start = start_of(life).map_or_else(unknown, text::seconds);
    let cpu = usage.map_or_else(unknown, |(cpu, _, _)| cpu.to_string());
    let memory = usage.map_or_else(unknown, |(_, memory, _)| memory.to_string());
    canvas.line_right(
        area,
        0,
        vec![
            theme.strong(Role::Text, text::right(&start, 6)),
            theme.span(Role::Text, text::right(&cpu, 6)),
            theme.span(Role::Text, text::right(&memory, 7)),
        ],
    );
}
