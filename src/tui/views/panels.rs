//! The three panels: load, pods, autoscaler. Every value has its place and its width, so nothing
//! moves because a number got longer.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::run::By;
use crate::event::run::Control;
use crate::event::scaler::Origin;
use crate::tui::moment;
use crate::tui::moment::Panic;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;

/// How long a change of load stands in the title of its panel.
const CONTROL_LASTS: std::time::Duration = std::time::Duration::from_secs(10);

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
    spans.push(theme.strong(role, text::right(&value, width)));
    if !unit.is_empty() {
        spans.push(theme.span(Role::Dim, unit));
    }
    spans
}

/// Fields side by side, each at the beginning of its share of the width.
fn row(canvas: &mut Canvas<'_>, area: Rect, row: u16, fields: Vec<Vec<Span<'_>>>) {
    if area.height <= row {
        return;
    }
    let n_fields = u16::try_from(fields.len()).unwrap_or(1).max(1);
    for (field_idx, spans) in (0..).zip(fields) {
        // The middle one of three is a cell wider: words are longest there.
        let middle = u16::from(n_fields == 3 && field_idx == 2);
        let x = area.width * field_idx / n_fields + middle;
        let end = if field_idx + 1 == n_fields {
            area.width
        } else {
            area.width * (field_idx + 1) / n_fields + u16::from(n_fields == 3 && field_idx == 1)
        };
        let place = Rect { x: area.x + x, width: end - x, ..area };
        canvas.line(place, row, spans);
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
    title.extend(news(theme, scene));
    let inside = canvas.frame(area, title);
    let rate = |value: Option<f64>| (text::or_unknown(value, text::rate), 5);
    let asked = if moment::is_closed(scene.model) {
        field(theme, "users   ", rate(load.target), "", Role::Desired)
    } else {
        field(theme, "offered ", rate(load.offered), " /s", Role::Desired)
    };
    row(
        canvas,
        inside,
        0,
        vec![asked, field(theme, "sent    ", rate(load.sent), " /s", Role::Text)],
    );
    row(
        canvas,
        inside,
        1,
        vec![
            field(theme, "done    ", rate(load.done), " /s", Role::Load),
            field(theme, "flight  ", rate(load.in_flight), "", Role::Text),
        ],
    );
    row(
        canvas,
        inside,
        2,
        vec![
            field(theme, "p50", (seconds(load.p50), 8), "", Role::Text),
            field(theme, "p99", (seconds(load.p99), 8), "", Role::Latency),
            field(theme, "max", (seconds(load.max), 8), "", Role::Text),
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
            field(theme, "err", (share(load.errors), 8), "", errors(load.errors)),
            field(theme, "run", (share(load.errors_total), 8), "", errors(load.errors_total)),
            field(theme, "lag", (seconds(load.lag_p99), 8), "", Role::Text),
        ],
    );
}

fn share(share: Option<f64>) -> String {
    text::or_unknown(share, text::percent)
}

/// What was done to the load lately, and whether we ourselves hold it back.
fn news<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    if let Some(cause) = &scene.moment.load.limited {
        return vec![theme.strong(Role::Warn, format!(" ▒ limited by us: {cause}"))];
    }
    if scene.moment.load.is_paused {
        return vec![theme.strong(Role::Warn, " paused")];
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
        what => format!("{what} at {to} {by}"),
    }
}

/// What the autoscaler sees, where we send nothing.
fn seen(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let inside = canvas.frame(area, vec![theme.strong(Role::Load, "TRAFFIC")]);
    let revision = scene.moment.revision.as_ref();
    let stats: Vec<_> = revision
        .map(|revision| {
            let pods = scene.model.cluster.pods_of(revision);
            pods.filter_map(|life| life.stat_at(scene.moment.at)).collect()
        })
        .unwrap_or_default();
    let is_known = !stats.is_empty() && scene.moment.is_present;
    let sum = |of: fn(&crate::event::scaler::Stat) -> f64| {
        is_known.then(|| stats.iter().map(of).sum::<f64>())
    };
    let rps = sum(|stat| stat.request_count);
    let proxied = sum(|stat| stat.proxied_request_count);
    let concurrency = sum(|stat| stat.average_concurrent_requests);
    let scaler = &scene.moment.scaler;
    let number = |value: Option<f64>| (text::or_unknown(value, text::number), 5);
    row(
        canvas,
        inside,
        0,
        vec![
            field(theme, "arrive  ", number(rps), " /s", Role::Load),
            field(theme, "proxied ", number(proxied), " /s", Role::Text),
        ],
    );
    row(
        canvas,
        inside,
        1,
        vec![
            field(theme, "in pods ", number(concurrency), "", Role::Text),
            field(theme, "in activ", number(scaler.in_activator), "", Role::Text),
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
    let words = format!("from {} of {} pods, nothing is sent", stats.len(), pods_now(scene));
    canvas.text(inside, 3, Role::Dim, &words);
}

fn pods_now(scene: &Scene<'_>) -> String {
    text::or_unknown(scene.moment.pods.ready, text::count)
}

/// Whether there are enough pods, and whether more are coming.
pub fn pods(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let inside = canvas.frame(area, vec![theme.strong(Role::Ready, "PODS")]);
    let pods = &scene.moment.pods;
    let width = if inside.width < 42 { 3 } else { 5 };
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
            field(theme, "max", (max, 6), "", Role::Text),
        ],
    );
    row(
        canvas,
        inside,
        1,
        vec![
            field(theme, "", count(pods.starting), " starting", Role::Text),
            field(theme, "", count(pods.terminating), " going", Role::Text),
            direction(theme, scene),
        ],
    );
    let memory = pods.memory.map_or_else(|| text::UNKNOWN.to_owned(), text::bytes);
    let age = pods.usage_age.map_or_else(|| text::UNKNOWN.to_owned(), text::span);
    let stale =
        if pods.usage_age.is_some_and(|age| 60 < age.as_secs()) { Role::Dim } else { Role::Text };
    row(
        canvas,
        inside,
        2,
        vec![
            field(
                theme,
                "cpu",
                (text::or_unknown(pods.cpu, |cpu| format!("{cpu:.2}")), 6),
                "",
                stale,
            ),
            field(theme, "mem", (memory, 8), "", stale),
            field(theme, "age", (age, 6), "", Role::Dim),
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
            field(theme, "cold", (took(pods.cold_start), 7), "", Role::Text),
            field(theme, "p95", (took(pods.cold_start_p95), 7), "", Role::Text),
            field(theme, "n", (pods.n_cold_starts.to_string(), 7), "", Role::Text),
        ],
    );
}

/// `▴ 3 more`, `▾ 2 less`, `= enough`.
fn direction<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let pods = &scene.moment.pods;
    let Some((ready, desired)) = pods.ready.zip(pods.desired) else { return Vec::new() };
    if ready < desired {
        vec![theme.strong(Role::Desired, format!("▴ {} more", text::count(desired - ready)))]
    } else if desired < ready {
        vec![theme.span(Role::Dim, format!("▾ {} less", text::count(ready - desired)))]
    } else {
        vec![theme.span(Role::Dim, "= enough")]
    }
}

/// Whether it panics: one word, always at the same place, in colour, glyph and letters.
pub fn state<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let at = scene.moment.at;
    match &scene.moment.scaler.panic {
        Panic::On { since, was_on, .. } => {
            let more = if *was_on { "≥ " } else { "" };
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
    match &scene.moment.scaler.panic {
        Panic::On { leaves: Some(leaves), .. } => vec![
            theme.span(Role::Dim, "leaves in ≥ "),
            theme.strong(Role::Text, text::right(&text::span(leaves.since(scene.moment.at)), 4)),
        ],
        Panic::Unknown(reason) => vec![theme.span(Role::Warn, format!(" {reason}"))],
        _ => Vec::new(),
    }
}

/// What the autoscaler reckons.
pub fn autoscaler(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let scaler = &scene.moment.scaler;
    let class =
        if scaler.class.is_empty() { String::new() } else { format!("{} · ", scaler.class) };
    let title = vec![
        theme.strong(Role::Accent, "AUTOSCALER"),
        theme.span(Role::Dim, format!(" {class}{}", origin(scene))),
    ];
    let inside = canvas.frame(area, title);
    let used = canvas.line(inside, 0, state(theme, scene));
    let rest = Rect { x: inside.x + used, width: inside.width.saturating_sub(used), ..inside };
    match scaler.panic {
        Panic::Unknown(_) => {
            canvas.line(rest, 0, outlook(theme, scene));
        }
        _ => {
            canvas.line_right(rest, 0, outlook(theme, scene));
        }
    }
    let is_stale = scaler.age.is_some_and(|age| crate::model::scaling::FRESH <= age);
    let averages = |label, average: Option<f64>, role| {
        let wanted = average.zip(scaler.target).map(|(average, target)| (average / target).ceil());
        let role = if is_stale { Role::Dim } else { role };
        let mut spans = field(theme, label, (text::or_unknown(average, text::number), 5), "", role);
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
    canvas.line(inside, 1, spans);
    let ratio = wanted.zip(scaler.ready).map(|(wanted, ready)| wanted / ready.max(1.0));
    if let Some((ratio, threshold)) = ratio.zip(scaler.threshold) {
        let role = if threshold <= ratio { Role::Panic } else { Role::Dim };
        let words = format!("{ratio:.1}× of {}×", text::count(threshold));
        canvas.line_right(inside, 1, vec![theme.span(role, words)]);
    }
    let (spans, _) = averages("stable ", scaler.stable_average, Role::Load);
    canvas.line(inside, 2, spans);
    if is_stale && let Some(age) = scaler.age {
        let words = format!("{} old", text::span(age));
        canvas.line_right(inside, 2, vec![theme.span(Role::Warn, words)]);
    } else if let Some(held) = scaler.held_max {
        canvas.line_right(inside, 2, vec![theme.span(Role::Dim, format!("held at {held}"))]);
    }
    let path = match scaler.via_activator {
        Some(true) => "via activator",
        Some(false) => "straight to pods",
        None => text::UNKNOWN,
    };
    canvas.line(inside, 3, [theme.span(Role::Dim, "path "), theme.span(Role::Text, path)]);
    let ebc = text::or_unknown(scaler.ebc, text::count);
    let role = if ebc == text::UNKNOWN { Role::Dim } else { Role::Text };
    canvas.line_right(
        inside,
        3,
        vec![theme.span(Role::Dim, "EBC"), theme.strong(role, text::right(&ebc, 6))],
    );
}

/// The three panels as one line each, for low screens.
pub fn lines(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let (load, pods) = (&scene.moment.load, &scene.moment.pods);
    let scaler = &scene.moment.scaler;
    let used = canvas.line(area, 0, state(theme, scene));
    let rest = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
    let mut spans = vec![theme.span(Role::Dim, format!(" {}  ", origin(scene)))];
    spans.extend(outlook(theme, scene));
    canvas.line_right(rest, 0, spans);
    let count = |value: Option<f64>| (text::or_unknown(value, text::count), 3);
    let mut spans = field(theme, "pods ", count(pods.ready), " ready ", Role::Ready);
    spans.extend(field(theme, "", count(pods.desired), " desired ", Role::Desired));
    spans.extend(field(theme, "", count(pods.starting), " starting ", Role::Text));
    let number = |value: Option<f64>| (text::or_unknown(value, text::number), 5);
    spans.extend(field(theme, " panic ", number(scaler.panic_average), "", Role::Panic));
    spans.extend(field(theme, " stable ", number(scaler.stable_average), "", Role::Load));
    spans.extend(field(theme, " ÷ ", number(scaler.target), "", Role::Text));
    canvas.line(area, 1, spans);
    if !moment::has_load(scene.model) {
        return;
    }
    let rate = |value: Option<f64>| (text::or_unknown(value, text::rate), 5);
    let mut spans = field(theme, "load ", rate(load.offered), " offered", Role::Desired);
    spans.extend(field(theme, "", rate(load.done), " done", Role::Load));
    spans.extend(field(theme, "  p50", (seconds(load.p50), 8), "", Role::Text));
    spans.extend(field(theme, " p99", (seconds(load.p99), 8), "", Role::Latency));
    spans.extend(field(theme, " err", (share(load.errors), 7), "", Role::Text));
    if let Some(cause) = &load.limited {
        spans.push(theme.strong(Role::Warn, format!("  ▒ limited by us: {cause}")));
    }
    canvas.line(area, 2, spans);
}
