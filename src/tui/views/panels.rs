//! The three panels: load, pods, autoscaler. Every value has its place and its width, so nothing
//! moves because a number got longer.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::run::By;
use crate::event::run::Control;
use crate::event::scaler::Origin;
use crate::kpa::explain;
use crate::model::cluster::PodStat;
use crate::tui::moment;
use crate::tui::moment::Panic;
use crate::tui::moment::Scaler;
use crate::tui::text;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;
use crate::units::At;

use super::Scene;
use super::hpa;

/// How long a change of load stands in the title of its panel.
const CONTROL_LASTS: Duration = Duration::from_secs(10);

/// A field: label, value right-aligned in a number of cells, unit.
fn field<'a>(
    theme: &Theme,
    label: &'a str,
    (value, width): (String, usize),
    unit: &'a str,
    role: Role,
) -> Vec<Span<'a>> {
    let mut spans = Vec::with_capacity(3);
    if !label.is_empty() {
        spans.push(theme.span(Role::Dim, label));
    }
    let role = if value == text::UNKNOWN { Role::Dim } else { role };
    // A value wider than its place pushes what follows; it is never cut to another number.
    spans.push(theme.strong(role, text::right(&value, width.max(text::width(&value)))));
    if !unit.is_empty() {
        spans.push(theme.span(Role::Dim, unit));
    }
    spans
}

/// Fields side by side, each at the beginning of its share of the width where there is room. There
/// is a blank between any two: where there is none for all, the last ones are left out.
fn row(canvas: &mut Canvas<'_>, area: Rect, row: u16, fields: Vec<Vec<Span<'_>>>) {
    if area.height <= row {
        return;
    }
    let cells = |spans: &Vec<Span<'_>>| -> usize {
        spans.iter().map(|span| text::width(&span.content)).sum()
    };
    let widths: Vec<usize> = fields.iter().map(cells).collect();
    for (x, spans) in places(usize::from(area.width), &widths).into_iter().zip(fields) {
        let x = u16::try_from(x).unwrap_or(area.width).min(area.width);
        canvas.line(Rect { x: area.x + x, width: area.width - x, ..area }, row, spans);
    }
}

/// Where fields of these widths begin; as many as have room with a blank between them.
fn places(width: usize, fields: &[usize]) -> Vec<usize> {
    let mut n = fields.len();
    while 1 < n && width < fields[..n].iter().sum::<usize>() + n - 1 {
        n -= 1;
    }
    let mut places = vec![0; n];
    let mut free = 0;
    for (idx, place) in places.iter_mut().enumerate() {
        *place = free.max(width * idx / n);
        free = *place + fields[idx] + 1;
    }
    // What was pushed over the edge is moved back.
    let mut end = width;
    for (idx, place) in places.iter_mut().enumerate().rev() {
        *place = (*place).min(end.saturating_sub(fields[idx]));
        end = place.saturating_sub(1);
    }
    places
}

/// Spans at the left and the first of `rights` that fits beside them, with a blank between.
fn both(
    canvas: &mut Canvas<'_>,
    area: Rect,
    row: u16,
    left: Vec<Span<'_>>,
    rights: Vec<Vec<Span<'_>>>,
) {
    let used = canvas.line(area, row, left) + 1;
    let room = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
    let fits = |spans: &Vec<Span<'_>>| {
        spans.iter().map(|span| text::width(&span.content)).sum::<usize>()
            <= usize::from(room.width)
    };
    if let Some(right) = rights.into_iter().find(fits) {
        canvas.line_right(room, row, right);
    }
}

fn seconds(value: Option<f64>) -> String {
    text::or_unknown(value, text::latency)
}

/// What is sent and what becomes of it; without load what the autoscaler sees.
pub fn load(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    if !moment::has_load(scene.model) {
        return seen(canvas, area, scene);
    }
    let theme = canvas.theme;
    let load = &scene.moment.load;
    let mut title = vec![theme.strong(Role::Load, "LOAD")];
    title.extend(news(theme, scene, area.width));
    let inside = canvas.frame(area, title);
    let a_second = if inside.width < 36 { "" } else { " /s" };
    let rate = |value: Option<f64>| (text::or_unknown(value, text::rate), 5);
    let flight = |place| field(theme, "flight ", place, "", Role::Text);
    let (first, second) = if moment::is_closed(scene.model) {
        // Users ask for what they send.
        (
            vec![
                field(theme, "users   ", rate(load.target), "", Role::Desired),
                field(theme, "sent   ", rate(load.sent), a_second, Role::Text),
            ],
            vec![
                field(theme, "done    ", rate(load.done), " /s", Role::Load),
                flight(rate(load.in_flight)),
            ],
        )
    } else {
        // From what is asked for to what is done, each rate below the one that it follows.
        let (sent, done) =
            if inside.width < 36 { ("sent ", "done ") } else { ("sent   ", "done    ") };
        let rate = |value: Option<f64>| (text::or_unknown(value, text::rate), 4);
        (
            vec![
                field(theme, "asked  ", rate(load.target), "", Role::Text),
                field(theme, "offered ", rate(load.offered), "", Role::Desired),
                vec![theme.span(Role::Dim, "a second")],
            ],
            vec![
                field(theme, sent, rate(load.sent), "", Role::Text),
                field(theme, done, rate(load.done), "", Role::Load),
                flight(rate(load.in_flight)),
            ],
        )
    };
    row(canvas, inside, 0, first);
    row(canvas, inside, 1, second);
    row(
        canvas,
        inside,
        2,
        vec![
            field(theme, "p50 ", (seconds(load.p50), 7), "", Role::Text),
            field(theme, "p99 ", (seconds(load.p99), 7), "", Role::Latency),
            field(theme, "max ", (seconds(load.max), 7), "", Role::Text),
        ],
    );
    let errors = |share: Option<f64>| match share {
        Some(share) if 0.0 < share => Role::Bad,
        _ => Role::Good,
    };
    row(
        canvas,
        inside,
        3,
        vec![
            field(theme, "err ", (share(load.errors), 6), "", errors(load.errors)),
            field(theme, "run ", (share(load.errors_total), 6), "", errors(load.errors_total)),
            field(theme, "lag ", (seconds(load.lag_p99), 7), "", Role::Text),
        ],
    );
}

fn share(share: Option<f64>) -> String {
    text::or_unknown(share, text::percent)
}

/// Who holds the load, so that the plan waits; `None` while it goes on by itself.
pub fn held(scene: &Scene<'_>) -> Option<By> {
    if !scene.moment.load.waits || scene.model.run.ended.is_some() {
        return None;
    }
    // The key that holds keeps the plan's own rate.
    Some(match &scene.model.run.control {
        Some(control) if control.by == By::You && control.what == "hold" => By::Plan,
        Some(control) => control.by,
        None => By::Plan,
    })
}

/// What was done to the load lately, and whether we ourselves hold it back.
fn news<'a>(theme: &Theme, scene: &Scene<'_>, width: u16) -> Vec<Span<'a>> {
    if scene.moment.load.limited.is_some() {
        return vec![theme.strong(Role::Warn, " ▒ limited by us")];
    }
    if scene.moment.load.is_paused {
        return vec![theme.strong(Role::Warn, " PAUSED"), theme.span(Role::Dim, " · p: go on")];
    }
    if let Some(by) = held(scene) {
        let word = match by {
            By::You => " by hand",
            By::Safety => " for safety",
            By::Plan => " held",
        };
        let key = if width < 40 { " · h: go on" } else { " · h: plan goes on" };
        return vec![theme.strong(Role::Warn, word), theme.span(Role::Dim, key)];
    }
    let Some(control) = &scene.model.run.control else { return Vec::new() };
    let age = scene.moment.at.since(control.at);
    if scene.moment.at < control.at || CONTROL_LASTS < age {
        return Vec::new();
    }
    let words = format!(" {} {} ago", control_words(control), text::span(age));
    let role = if control.by == By::Safety { Role::Bad } else { Role::Accent };
    vec![theme.span(role, words)]
}

/// `▲ 400 → 800 by you`.
pub fn control_words(control: &Control) -> String {
    let by = match control.by {
        By::You => "by you",
        By::Safety => "for safety",
        By::Plan => "by the plan",
    };
    let (from, to) = (text::rate(control.from), text::rate(control.to));
    match control.what.as_str() {
        "set" | "zero" | "undo" if control.from < control.to => format!("▲ {from} → {to} {by}"),
        "set" | "zero" | "undo" => format!("▾ {from} → {to} {by}"),
        "plan over" => format!("plan over, {from} → {to}"),
        what => format!("{what} at {to} {by}"),
    }
}

/// What the autoscaler sees, where we send nothing.
fn seen(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let inside = canvas.frame(area, vec![theme.strong(Role::Load, "TRAFFIC")]);
    let a_second = if inside.width < 36 { "" } else { " /s" };
    let revision = scene.moment.revision.as_ref();
    let at = scene.moment.at;
    let stats: Vec<PodStat> = revision
        .map(|revision| {
            let pods = scene.model.cluster.pods_at(revision, at);
            pods.into_iter().filter_map(|life| life.stat_at(at)).collect()
        })
        .unwrap_or_default();
    let is_known = !stats.is_empty();
    let sum = |of: fn(&PodStat) -> f64| is_known.then(|| stats.iter().map(of).sum::<f64>());
    let rps = sum(|stat| stat.rps);
    let proxied = sum(|stat| stat.proxied_rps);
    let concurrency = sum(|stat| stat.concurrency);
    let scaler = &scene.moment.scaler;
    let number = |value: Option<f64>| (text::or_unknown(value, text::number), 5);
    row(
        canvas,
        inside,
        0,
        vec![
            field(theme, "arrive ", number(rps), " /s", Role::Load),
            field(theme, "proxied ", number(proxied), a_second, Role::Text),
        ],
    );
    row(
        canvas,
        inside,
        1,
        vec![
            field(theme, "in pods ", number(concurrency), "", Role::Text),
            field(theme, "in activ ", number(scaler.in_activator), "", Role::Text),
        ],
    );
    row(
        canvas,
        inside,
        2,
        vec![
            field(theme, "stable  ", number(scaler.stable_average), "", Role::Load),
            field(theme, "panic   ", number(scaler.panic_average), "", Role::Panic),
        ],
    );
    let all = pods_now(scene);
    let noun = if all == "1" { "pod" } else { "pods" };
    let words = format!("from {} of {all} {noun}, nothing is sent", stats.len());
    canvas.text(inside, 3, Role::Dim, &words);
}

/// All pods there are: ready, starting and terminating ones.
fn pods_now(scene: &Scene<'_>) -> String {
    let pods = &scene.moment.pods;
    let all = pods.ready.map(|ready| {
        ready + pods.starting.unwrap_or_default() + pods.terminating.unwrap_or_default()
    });
    text::or_unknown(all, text::count)
}

/// Whether there are enough pods, and whether more are coming.
pub fn pods(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let inside = canvas.frame(area, vec![theme.strong(Role::Ready, "PODS")]);
    let pods = &scene.moment.pods;
    let width = if inside.width < 42 { 3 } else { 5 };
    let leaving = if inside.width < 44 { " going" } else { " terminating" };
    let count = |value: Option<f64>| (text::or_unknown(value, text::count), width);
    let max = match pods.max_scale {
        Some(max) => max.to_string(),
        None if pods.is_max_known => "none".to_owned(),
        None => text::UNKNOWN.to_owned(),
    };
    row(
        canvas,
        inside,
        0,
        vec![
            field(theme, "", count(pods.ready), " ready", Role::Ready),
            field(theme, "", count(pods.desired), " desired", Role::Desired),
            field(theme, "max ", (max, 2), "", Role::Text),
        ],
    );
    row(
        canvas,
        inside,
        1,
        vec![
            field(theme, "", count(pods.starting), " starting", Role::Text),
            field(theme, "", count(pods.terminating), leaving, Role::Text),
            direction(theme, scene),
        ],
    );
    let memory = pods.memory.map_or_else(|| text::UNKNOWN.to_owned(), text::bytes);
    let age = pods.usage_age.map_or_else(|| text::UNKNOWN.to_owned(), text::age);
    let stale =
        if pods.usage_age.is_some_and(|age| 60 < age.as_secs()) { Role::Dim } else { Role::Text };
    row(
        canvas,
        inside,
        2,
        vec![
            field(theme, "cpu ", (text::or_unknown(pods.cpu, text::number), 4), "", stale),
            field(theme, "mem ", (memory, 8), "", stale),
            field(theme, "age ", (age, 3), "", Role::Dim),
        ],
    );
    let took = |took: Option<std::time::Duration>| {
        took.map_or_else(|| text::UNKNOWN.to_owned(), text::seconds)
    };
    row(
        canvas,
        inside,
        3,
        vec![
            field(theme, "cold ", (took(pods.cold_start), 7), "", Role::Text),
            field(theme, "p95 ", (took(pods.cold_start_p95), 7), "", Role::Text),
            field(theme, "n ", (pods.n_cold_starts.to_string(), 2), "", Role::Text),
        ],
    );
}

/// `▴ 3 more`, `▾ 2 less`, `▲ 3 cut` by a bound, `= enough`.
fn direction<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let pods = &scene.moment.pods;
    let Some((ready, desired)) = pods.ready.zip(pods.desired) else { return Vec::new() };
    if ready < desired {
        vec![theme.strong(Role::Desired, format!("▴ {} more", text::count(desired - ready)))]
    } else if desired < ready {
        vec![theme.span(Role::Dim, format!("▾ {} less", text::count(ready - desired)))]
    } else if let Some(cut) = cut(scene, desired) {
        vec![theme.strong(Role::Warn, format!("▲ {} cut", text::count(cut)))]
    } else {
        vec![theme.span(Role::Dim, "= enough")]
    }
}

/// How many pods more are wanted than the upper bound allows.
fn cut(scene: &Scene<'_>, desired: f64) -> Option<f64> {
    let moment = &scene.moment;
    let wanted = match &moment.hpa {
        Some(hpa) => hpa.wanted.map(f64::from),
        None => moment.scaler.wanted,
    };
    let is_bound = moment.pods.max_scale.is_some_and(|max| f64::from(max) <= desired);
    wanted.filter(|wanted| is_bound && desired < *wanted).map(|wanted| wanted - desired)
}

fn at_least(theme: &Theme) -> &'static str {
    if theme.charset() == Charset::Ascii { ">= " } else { "≥ " }
}

/// Whether it panics: one word, always at the same place, in colour, glyph and letters.
pub fn state<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    if let Some(hpa) = &scene.moment.hpa {
        return hpa::state(theme, hpa);
    }
    let at = scene.moment.at;
    match &scene.moment.scaler.panic {
        Panic::On { since, was_on, .. } => {
            let more = if *was_on { at_least(theme) } else { "" };
            vec![
                Span::styled(" ▲ PANIC ", theme.plate(Role::Panic)),
                theme.strong(Role::Panic, format!(" {more}{}", text::span(at.since(*since)))),
            ]
        }
        Panic::Stable { since, .. } => {
            let mut spans = vec![Span::styled(" ✓ STABLE ", theme.plate(Role::Good))];
            if let Some(since) = since {
                spans.push(theme.span(Role::Text, format!(" {}", text::span(at.since(*since)))));
            }
            spans
        }
        Panic::Unknown(_) => vec![Span::styled(" ? UNKNOWN ", theme.plate(Role::Warn))],
    }
}

/// How the state is known: `by metric`.
pub fn origin(scene: &Scene<'_>) -> &'static str {
    match scene.moment.scaler.panic {
        Panic::On { origin, .. } | Panic::Stable { origin, .. } => match origin {
            Origin::Metric => "by metric",
            Origin::Prometheus => "by prometheus",
            Origin::Log => "by log",
            Origin::Derived => "derived",
        },
        Panic::Unknown(_) => "no source",
    }
}

/// When panic can end, or why nothing is known.
pub fn outlook<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    if let Some(hpa) = &scene.moment.hpa {
        return hpa::outlook(theme, hpa);
    }
    match &scene.moment.scaler.panic {
        Panic::On { leaves: Some(leaves), .. } => vec![
            theme.span(Role::Dim, format!("leaves in {}", at_least(theme))),
            theme.strong(Role::Text, text::right(&left(scene, *leaves), 4)),
        ],
        Panic::Unknown(reason) => vec![theme.span(Role::Warn, format!(" {reason}"))],
        _ => Vec::new(),
    }
}

/// What is at least left, in whole seconds.
fn left(scene: &Scene<'_>, leaves: At) -> String {
    text::span(Duration::from_secs(leaves.since(scene.moment.at).as_secs()))
}

/// The same in few cells.
fn brief_outlook<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let Panic::On { leaves: Some(leaves), .. } = &scene.moment.scaler.panic else {
        return Vec::new();
    };
    vec![
        theme.span(Role::Dim, at_least(theme)),
        theme.strong(Role::Text, left(scene, *leaves)),
        theme.span(Role::Dim, " left"),
    ]
}

/// What the autoscaler reckons.
pub fn autoscaler(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    if let Some(hpa) = &scene.moment.hpa {
        return hpa::panel(canvas, area, scene, hpa);
    }
    let theme = canvas.theme;
    let scaler = &scene.moment.scaler;
    let class =
        if scaler.class.is_empty() { String::new() } else { format!("{} · ", scaler.class) };
    // A Prometheus server's word is as old as its last scrape.
    let age = match (&scaler.panic, scaler.age) {
        (
            Panic::On { origin: Origin::Prometheus, .. }
            | Panic::Stable { origin: Origin::Prometheus, .. },
            Some(age),
        ) => format!(" {}", text::span(age)),
        _ => String::new(),
    };
    // Where only the averages are our own, the state is still somebody's word.
    let derived =
        if scaler.is_derived && origin(scene) != "derived" { " · ≈ derived" } else { "" };
    let title = vec![
        theme.strong(Role::Accent, "AUTOSCALER"),
        theme.span(Role::Dim, format!(" {class}{}{age}{derived}", origin(scene))),
    ];
    let inside = canvas.frame(area, title);
    if let Panic::Unknown(_) = scaler.panic {
        let used = canvas.line(inside, 0, state(theme, scene));
        let width = inside.width.saturating_sub(used);
        canvas.line(Rect { x: inside.x + used, width, ..inside }, 0, outlook(theme, scene));
    } else {
        let rights = vec![outlook(theme, scene), brief_outlook(theme, scene)];
        both(canvas, inside, 0, state(theme, scene), rights);
    }
    let is_stale = scaler.age.is_some_and(|age| scaler.fresh <= age);
    let averages = |label, average: Option<f64>, role| {
        let wanted =
            average.zip(scaler.target).map(|(average, target)| (average / target).ceil() + 0.0);
        let role = if is_stale { Role::Dim } else { role };
        let number = text::or_unknown(average, |average| about(scaler, average));
        let mut spans = field(theme, label, (number, 5), "", role);
        spans.extend(field(
            theme,
            " ÷ ",
            (text::or_unknown(scaler.target, text::number), 4),
            " →",
            Role::Text,
        ));
        spans.extend(field(theme, "", (text::or_unknown(wanted, text::count), 4), "", Role::Text));
        (spans, wanted)
    };
    let (spans, wanted) = averages("panic  ", scaler.panic_average, Role::Panic);
    // A tiny negative average is nothing, not a negative nothing.
    let ratio = wanted.zip(scaler.ready).map(|(wanted, ready)| wanted.max(0.0) / ready.max(1.0));
    let rights = ratio.zip(scaler.threshold).map(|(ratio, threshold)| {
        let role = if threshold <= ratio { Role::Panic } else { Role::Dim };
        let brief = explain::ratio(ratio);
        let words = format!("{brief} of {}×", text::count(threshold));
        vec![vec![theme.span(role, words)], vec![theme.span(role, brief)]]
    });
    both(canvas, inside, 1, spans, rights.unwrap_or_default());
    let (spans, _) = averages("stable ", scaler.stable_average, Role::Load);
    let rights = if is_stale && let Some(age) = scaler.age {
        let words = format!("{} old", text::span(age));
        vec![vec![theme.span(Role::Warn, words)]]
    } else if let Some(held) = scaler.held_max {
        vec![vec![theme.span(Role::Dim, format!("held at {held}"))]]
    } else {
        Vec::new()
    };
    both(canvas, inside, 2, spans, rights);
    let path = match scaler.via_activator {
        Some(true) => "via activator",
        Some(false) if inside.width < 32 => "straight",
        Some(false) => "straight to pods",
        None => text::UNKNOWN,
    };
    let ebc = text::or_unknown(scaler.ebc, text::count);
    let role = if ebc == text::UNKNOWN { Role::Dim } else { Role::Text };
    let path = vec![theme.span(Role::Dim, "path "), theme.span(Role::Text, path)];
    let words = ["excess burst capacity ", "excess burst ", "EBC "];
    let rights = words
        .map(|words| vec![theme.span(Role::Dim, words), theme.strong(role, text::right(&ebc, 5))]);
    both(canvas, inside, 3, path, rights.to_vec());
}

/// An average: `58.4`, or `≈58.4` where our own model stands for the autoscaler.
pub fn about(scaler: &Scaler, average: f64) -> String {
    let sign = if scaler.is_derived { "≈" } else { "" };
    format!("{sign}{}", text::number(average))
}

/// The three panels as one line each, for low screens.
pub fn lines(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let pods = &scene.moment.pods;
    let scaler = &scene.moment.scaler;
    let count = |value: Option<f64>| (text::or_unknown(value, text::count), 3);
    let mut spans = field(theme, "pods ", count(pods.ready), " ready ", Role::Ready);
    spans.extend(field(theme, "", count(pods.desired), " desired ", Role::Desired));
    spans.extend(field(theme, "", count(pods.starting), " starting ", Role::Text));
    if let Some(hpa) = &scene.moment.hpa {
        spans.truncate(5);
        hpa::lines(canvas, area, hpa, spans);
        if moment::has_load(scene.model) {
            load_line(canvas, area, 2, scene);
        }
        return;
    }
    let mut full = vec![theme.span(Role::Dim, format!("{}  ", origin(scene)))];
    full.extend(outlook(theme, scene));
    let mut rights = vec![full, outlook(theme, scene)];
    rights.push(brief_outlook(theme, scene));
    both(canvas, area, 0, state(theme, scene), rights);
    let number = |value: Option<f64>| (text::or_unknown(value, text::number), 5);
    let average = |value| (text::or_unknown(value, |value| about(scaler, value)), 5);
    spans.extend(field(theme, "", average(scaler.panic_average), " panic ", Role::Panic));
    spans.extend(field(theme, "", average(scaler.stable_average), " stable ", Role::Load));
    spans.extend(field(theme, "÷ ", number(scaler.target), " a pod", Role::Text));
    canvas.line(area, 1, spans);
    if moment::has_load(scene.model) {
        load_line(canvas, area, 2, scene);
    }
}

/// The load in one line.
pub fn load_line(canvas: &mut Canvas<'_>, area: Rect, row: u16, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let load = &scene.moment.load;
    let rate = |value: Option<f64>| (text::or_unknown(value, text::rate), 5);
    // Beside what is offered what was asked for, where there is room.
    let has_room = 78 <= area.width && load.limited.is_none() && !moment::is_closed(scene.model);
    let mut spans = vec![theme.span(Role::Dim, "load ")];
    if has_room {
        spans.extend(field(theme, "", rate(load.target), " asked", Role::Text));
    }
    spans.extend(field(theme, "", rate(load.offered), " offered", Role::Desired));
    spans.extend(field(theme, "", rate(load.done), " done", Role::Load));
    spans.extend(field(theme, "  p50 ", (seconds(load.p50), 7), "", Role::Text));
    spans.extend(field(theme, "  p99 ", (seconds(load.p99), 7), "", Role::Latency));
    spans.extend(field(theme, "  err ", (share(load.errors), 6), "", Role::Text));
    let limited = load.limited.iter().map(|_| vec![theme.strong(Role::Warn, "▒ limited")]);
    both(canvas, area, row, spans, limited.collect());
}
