//! What stands where the panic would, when a `HorizontalPodAutoscaler` decides: the panel, the
//! sentence, and every step from the metrics to the replicas.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::cluster::Condition;
use crate::event::cluster::Status;
use crate::event::hpa::HorizontalPodAutoscaler;
use crate::event::hpa::ScaledObject;
use crate::event::hpa::Trigger;
use crate::hpa::PolicyKind;
use crate::hpa::Rules;
use crate::hpa::Select;
use crate::hpa::keda::Step;
use crate::hpa::proposal::Kept;
use crate::model::hpa::Class;
use crate::model::hpa::keda as keda_spec;
use crate::model::hpa::next_step;
use crate::model::hpa::spec;
use crate::tui::hpa::Hpa;
use crate::tui::hpa::Row;
use crate::tui::hpa::State;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;

/// The one word, always at the same place.
pub fn state<'a>(theme: &Theme, hpa: &Hpa) -> Vec<Span<'a>> {
    let words = format!(" {} {} ", hpa.state.glyph(), hpa.state.word());
    vec![Span::styled(words, theme.plate(hpa.state.role()))]
}

/// What stands beside it; the whole, and what is left of it in few cells.
pub fn outlook<'a>(theme: &Theme, hpa: &Hpa) -> Vec<Span<'a>> {
    let words = hpa.outlook();
    let role = if matches!(hpa.state, State::NotSeen(_)) { Role::Warn } else { Role::Text };
    if words.is_empty() { Vec::new() } else { vec![theme.span(role, format!(" {words}"))] }
}

/// The panel.
pub fn panel(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, hpa: &Hpa) {
    let theme = canvas.theme;
    let title = vec![
        theme.strong(Role::Accent, "AUTOSCALER"),
        theme.span(Role::Dim, format!(" {} · by its status", hpa.class.name())),
    ];
    let inside = canvas.frame(area, title);
    let used = canvas.line(inside, 0, state(theme, hpa));
    let room = Rect { x: inside.x + used, width: inside.width.saturating_sub(used), ..inside };
    canvas.line(room, 0, outlook(theme, hpa));
    let n_rows = if scaled(scene).is_some() { 1 } else { 2 };
    for (row, metric) in (1..).zip(hpa.metrics.iter().take(n_rows)) {
        metric_line(canvas, inside, row, metric);
    }
    if hpa.metrics.is_empty() {
        canvas.text(inside, 1, Role::Dim, "no metric");
    }
    // With one metric a row is free for what bounds it.
    let last = 3;
    let row = if 1 < hpa.metrics.len().min(n_rows) || scaled(scene).is_some() { last } else { 2 };
    if let Some(scaled) = scaled(scene) {
        canvas.line(inside, 2, bounds(theme, hpa));
        canvas.line(inside, row, keda(theme, scaled));
        return;
    }
    canvas.line(inside, row, bounds(theme, hpa));
    if row < last {
        canvas.line(inside, last, window(theme, hpa));
    }
}

/// `cpu 746%/50%  14.9× → 15`.
fn metric_line(canvas: &mut Canvas<'_>, area: Rect, row: u16, metric: &Row) {
    let theme = canvas.theme;
    let role = if metric.current.starts_with('<') { Role::Warn } else { Role::Load };
    let right = metric.proposal.map_or_else(Vec::new, |proposal| {
        vec![
            theme.span(Role::Dim, format!("{} ", ratio(proposal.ratio))),
            theme.strong(Role::Text, format!("→ {}", proposal.replicas)),
        ]
    });
    let right_width: usize = right.iter().map(|span| text::width(&span.content)).sum();
    let value_width = text::width(&metric.pair()) + 1;
    let room = usize::from(area.width).saturating_sub(value_width + right_width + 1);
    let name =
        if room < 3 { String::new() } else { format!("{} ", text::head(&metric.name, room)) };
    let spans = vec![
        theme.span(Role::Dim, name),
        theme.strong(role, metric.current.clone()),
        rest(theme, metric),
    ];
    canvas.line(area, row, spans);
    canvas.line_right(area, row, right);
}

fn rest<'a>(theme: &Theme, metric: &Row) -> Span<'a> {
    let average = if metric.is_average { " (avg)" } else { "" };
    theme.span(Role::Text, format!("/{}{average}", metric.target))
}

/// `min 1  max 10  replicas 1 → 4`.
fn bounds<'a>(theme: &Theme, hpa: &Hpa) -> Vec<Span<'a>> {
    let whole = |value: Option<u32>| match value {
        Some(value) if i32::MAX.unsigned_abs() <= value => "none".to_owned(),
        Some(value) => value.to_string(),
        None => text::UNKNOWN.to_owned(),
    };
    let mut spans = vec![
        theme.span(Role::Dim, "min "),
        theme.strong(Role::Text, whole(hpa.min)),
        theme.span(Role::Dim, "  max "),
        theme.strong(Role::Text, whole(hpa.max)),
        theme.span(Role::Dim, "  replicas "),
        theme.strong(Role::Ready, text::or_unknown(hpa.current, text::count)),
    ];
    if hpa.desired != hpa.current {
        let desired = text::or_unknown(hpa.desired, text::count);
        spans.push(theme.strong(Role::Desired, format!(" → {desired}")));
    }
    spans
}

/// What the window for scaling down does.
fn window<'a>(theme: &Theme, hpa: &Hpa) -> Vec<Span<'a>> {
    let Some(window) = hpa.window else { return Vec::new() };
    let mut spans = vec![theme.span(Role::Dim, format!("down window {}", text::span(window)))];
    if let Some(held) = hpa.held {
        spans.push(theme.span(Role::Dim, "  left ≤ "));
        spans.push(theme.strong(Role::Text, text::span(held)));
    }
    spans
}

/// `KEDA ready active`.
fn keda<'a>(theme: &Theme, scaled: &ScaledObject) -> Vec<Span<'a>> {
    let mut spans = vec![theme.span(Role::Dim, "KEDA")];
    let all = [
        ("ready", &scaled.ready, Role::Good, Role::Bad),
        ("active", &scaled.active, Role::Good, Role::Dim),
        ("fallback", &scaled.falls_back, Role::Bad, Role::Dim),
        ("paused", &scaled.paused, Role::Warn, Role::Dim),
    ];
    for (word, condition, yes, no) in all {
        let (word, role) = match condition.status {
            Status::True => (word.to_owned(), yes),
            Status::False if word == "ready" || word == "active" => (format!("not {word}"), no),
            Status::Unknown if word == "ready" => (format!("{word}?"), Role::Warn),
            Status::False | Status::Unknown => continue,
        };
        spans.push(theme.span(role, format!(" {word}")));
    }
    spans
}

/// The `ScaledObject` behind the revision looked at.
fn scaled<'a>(scene: &Scene<'a>) -> Option<&'a ScaledObject> {
    scene.model.cluster.scaled_object_of(scene.moment.revision.as_ref()?)
}

fn autoscaler<'a>(scene: &Scene<'a>) -> Option<&'a HorizontalPodAutoscaler> {
    scene.model.cluster.hpa_of(scene.moment.revision.as_ref()?)
}

/// Two digits where they matter: at 1 the tolerance decides.
fn ratio(ratio: f64) -> String {
    let digits = if ratio < 10.0 { 2 } else { 1 };
    format!("{ratio:.digits$}×")
}

/// Why as many replicas are wanted as are, in one sentence.
pub fn sentence<'a>(theme: &Theme, scene: &Scene<'_>, hpa: &Hpa) -> Vec<Span<'a>> {
    let dim = |words: &str| theme.span(Role::Dim, words.to_owned());
    match &hpa.state {
        State::NotSeen(reason) => {
            return vec![dim("why: "), theme.strong(Role::Warn, reason.clone())];
        }
        State::Paused(at) => {
            let stay = at.as_ref().map_or_else(
                || "the replicas stay as they are".to_owned(),
                |replicas| format!("{replicas} replicas stay"),
            );
            return vec![
                theme.strong(Role::Warn, "paused by KEDA"),
                dim(&format!(": {stay}, and there is no autoscaler until the annotation is gone")),
            ];
        }
        State::Failing(reason) => {
            let message = autoscaler(scene).map_or_else(String::new, why_it_fails);
            let blind = "; replicas stay as they are";
            return vec![
                theme.strong(Role::Bad, reason.clone()),
                dim(&format!(": {message}{blind}")),
            ];
        }
        State::Disabled => return asleep(theme, scene),
        _ => {}
    }
    let Some((row, proposal)) = hpa.leader().and_then(|row| Some((row, row.proposal?))) else {
        return vec![dim("why: no metric can be read")];
    };
    let mut spans = vec![
        theme.strong(Role::Text, format!("{} {}", row.name, row.current)),
        dim(" ÷ "),
        theme.strong(Role::Text, row.target.clone()),
        dim(" = "),
        theme.strong(Role::Text, ratio(proposal.ratio)),
    ];
    if proposal.kept == Some(Kept::Tolerance) {
        spans.push(dim(" is within the tolerance: "));
        spans.push(theme.strong(Role::Text, format!("{} stay", proposal.replicas)));
    } else {
        spans.push(dim(&format!(" on {} → ", pods(proposal.pods))));
        spans.push(theme.strong(Role::Text, format!("{} wanted", proposal.replicas)));
        spans.extend(bound(theme, hpa));
    }
    if let Some(fallback) = fallback_words(hpa, scene) {
        spans.push(theme.strong(Role::Bad, fallback));
    }
    spans.push(dim(&thresholds(scene, row)));
    spans
}

fn pods(n: u32) -> String {
    if n == 1 { "1 pod".to_owned() } else { format!("{n} pods") }
}

/// What made something else of the wish.
fn bound<'a>(theme: &Theme, hpa: &Hpa) -> Vec<Span<'a>> {
    let desired = text::or_unknown(hpa.desired, text::count);
    let words = match &hpa.state {
        State::Limited(reason) => match (reason.as_str(), hpa.max, hpa.min) {
            ("TooManyReplicas", Some(max), _) => format!("cut to {max} by maxReplicas"),
            ("TooFewReplicas", _, Some(min)) => format!("kept at {min} by minReplicas"),
            ("ScaleUpLimit", ..) => format!("cut to {desired} by its rate up (ScaleUpLimit)"),
            ("ScaleDownLimit", ..) => {
                format!("kept at {desired} by its rate down (ScaleDownLimit)")
            }
            (reason, ..) => format!("{desired} by {reason}"),
        },
        State::Stabilized(reason) if reason == "ScaleDownStabilized" => {
            let window = hpa.window.map_or_else(|| text::UNKNOWN.to_owned(), text::span);
            let left = hpa.held.map_or_else(String::new, |held| {
                format!(", for at most {} more", text::span(held))
            });
            format!("kept at {desired}: more was wanted within its window of {window}{left}")
        }
        State::Stabilized(_) => format!("kept at {desired}: less was wanted within its window"),
        _ => return Vec::new(),
    };
    vec![theme.span(Role::Dim, ", "), theme.strong(Role::Accent, words)]
}

fn fallback_words(hpa: &Hpa, scene: &Scene<'_>) -> Option<String> {
    let State::Fallback(replicas) = hpa.state else { return None };
    let n_failures = scaled(scene)?.health.iter().map(|(_, n, _)| *n).max()?;
    let replicas = replicas.map_or_else(|| text::UNKNOWN.to_owned(), |n| n.to_string());
    Some(format!(", KEDA's fallback to {replicas}: the trigger failed {n_failures} times"))
}

/// From where on there would be more or fewer.
fn thresholds(scene: &Scene<'_>, row: &Row) -> String {
    let (Some(autoscaler), Some(unit)) = (autoscaler(scene), unit_of(&row.target)) else {
        return String::new();
    };
    let tolerance = spec(autoscaler).tolerance;
    let (goal, sign) = unit;
    let edge = |factor: f64| format!("{}{sign}", text::number(goal * factor));
    format!("; up above {}, down below {}", edge(1.0 + tolerance.up), edge(1.0 - tolerance.down))
}

/// A target as a number with its unit.
fn unit_of(target: &str) -> Option<(f64, &'static str)> {
    if let Some(percent) = target.strip_suffix('%') {
        return Some((percent.parse().ok()?, "%"));
    }
    let quantity: crate::units::Quantity = target.parse().ok()?;
    Some((quantity.value(), ""))
}

fn why_it_fails(autoscaler: &HorizontalPodAutoscaler) -> String {
    let failing = [&autoscaler.able_to_scale, &autoscaler.scaling_active];
    let told = failing.into_iter().find(|it| it.status == Status::False);
    told.map_or_else(String::new, |condition| text::head(&condition.message, 160))
}

/// At zero: who wakes it, and when.
fn asleep<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let mut spans = vec![
        theme.strong(Role::Text, "no replicas"),
        theme.span(Role::Dim, ": the autoscaler rests"),
    ];
    let Some(scaled) = scaled(scene) else { return spans };
    let trigger = scaled.triggers.first();
    let above =
        trigger.map_or("0", |it| if it.activation.is_empty() { "0" } else { &it.activation });
    let least = scaled.min_replica_count.unwrap_or(0).max(1);
    spans.push(theme.span(Role::Dim, ", and KEDA, which looks every "));
    spans.push(theme.strong(Role::Text, text::span(keda_spec(scaled).polling_interval)));
    spans.push(theme.span(Role::Dim, ", wakes "));
    spans.push(theme.strong(Role::Text, least.to_string()));
    spans.push(theme.span(Role::Dim, " when a trigger is above "));
    spans.push(theme.strong(Role::Text, above.to_owned()));
    spans
}

/// A line of the page: a label, what it says, and whether it bound the result.
struct Line<'a> {
    label: &'a str,
    words: String,
    role: Role,
    is_bound: bool,
}

/// Every step, and everything that is set.
pub fn page(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, hpa: &Hpa) {
    let theme = canvas.theme;
    let name = autoscaler(scene).map_or_else(String::new, |it| format!(" {}", it.id.name));
    let title = vec![
        theme.strong(Role::Accent, "WHY"),
        theme.span(Role::Dim, text::head(&name, usize::from(area.width).saturating_sub(12))),
    ];
    let inside = canvas.frame(area, title);
    let mut lines = steps(scene, hpa);
    lines.extend(conditions(scene));
    if let Some(scaled) = scaled(scene) {
        lines.extend(of_keda(scene, scaled));
    }
    let mut row = 0;
    for line in lines {
        if inside.height <= row {
            return;
        }
        row += draw_line(
            canvas,
            Rect { y: inside.y + row, height: inside.height - row, ..inside },
            &line,
        );
    }
}

/// Draws a line, wrapped; gives its rows.
fn draw_line(canvas: &mut Canvas<'_>, area: Rect, line: &Line<'_>) -> u16 {
    const LABEL: u16 = 12;
    let theme = canvas.theme;
    let mark =
        if line.is_bound { theme.strong(Role::Accent, "▸") } else { theme.span(Role::Dim, " ") };
    canvas.line(area, 0, [mark, theme.span(Role::Dim, line.label.to_owned())]);
    let place = Rect { x: area.x + LABEL, width: area.width.saturating_sub(LABEL), ..area };
    let role = if line.is_bound { Role::Accent } else { line.role };
    let span = |words: String| {
        if line.is_bound { theme.strong(role, words) } else { theme.span(role, words) }
    };
    let width = usize::from(place.width).max(1);
    if line.words.split(' ').all(|word| text::width(word) <= width) {
        return canvas.wrap(place, [span(line.words.clone())]).max(1);
    }
    // A query has no blanks to break it at, and none of it may be missing.
    let letters: Vec<char> = line.words.chars().collect();
    let mut n_rows = 0;
    for piece in letters.chunks(width) {
        canvas.line(place, n_rows, [span(piece.iter().collect())]);
        n_rows += 1;
    }
    n_rows
}

fn plain(label: &str, words: impl Into<String>) -> Line<'_> {
    Line { label, words: words.into(), role: Role::Text, is_bound: false }
}

/// From the metrics to the replicas, in the order in which the controller reckons.
fn steps<'a>(scene: &Scene<'_>, hpa: &Hpa) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (idx, row) in hpa.metrics.iter().enumerate() {
        let is_leading = 1 < hpa.metrics.len() && hpa.leading == Some(idx);
        let label = if idx == 0 { "metric" } else { "" };
        let reckoned = match row.proposal {
            None => String::new(),
            Some(proposal) => {
                let outcome = match proposal.kept {
                    Some(Kept::Tolerance) => format!("in tolerance → {}", proposal.replicas),
                    Some(Kept::Turned) => format!("would turn → {}", proposal.replicas),
                    None => format!("on {} → {}", pods(proposal.pods), proposal.replicas),
                };
                format!(" = {} {outcome}", ratio(proposal.ratio))
            }
        };
        let words = format!("{} {} ÷ {}{reckoned}", row.name, row.current, row.target);
        let role = if row.current.starts_with('<') { Role::Warn } else { Role::Text };
        lines.push(Line { label, words, role, is_bound: is_leading });
    }
    let Some(autoscaler) = autoscaler(scene) else { return lines };
    if let Some(wanted) = hpa.wanted.filter(|_| 1 < hpa.metrics.len()) {
        lines.push(plain("largest", format!("{wanted} wanted")));
    }
    lines.extend(windows(autoscaler, hpa));
    let whole =
        |value: Option<u32>| value.map_or_else(|| text::UNKNOWN.to_owned(), |it| it.to_string());
    let by = |reason: &str| matches!(&hpa.state, State::Limited(of) if of == reason);
    lines.push(Line {
        is_bound: by("TooFewReplicas") || by("TooManyReplicas"),
        ..plain("bounds", format!("from {} to {}", whole(hpa.min), whole(hpa.max)))
    });
    let current = text::or_unknown(hpa.current, text::count);
    let desired = text::or_unknown(hpa.desired, text::count);
    lines.push(plain("replicas", format!("{current} there, {desired} desired")));
    lines.push(plain("kubectl", {
        format!("{}  {}  {}  {current}", hpa.targets(), whole(hpa.min), whole(hpa.max))
    }));
    lines
}

/// Windows and rates.
fn windows<'a>(autoscaler: &HorizontalPodAutoscaler, hpa: &Hpa) -> Vec<Line<'a>> {
    let spec = spec(autoscaler);
    let by = |reason: &str| match &hpa.state {
        State::Limited(of) | State::Stabilized(of) => of == reason,
        _ => false,
    };
    let (up, down) = spec.behavior.map_or_else(
        || ("twice as many, or 4".to_owned(), "5 m 00 s, then at once".to_owned()),
        |behavior| (rules(&behavior.scale_up), rules(&behavior.scale_down)),
    );
    let down = match hpa.held {
        Some(held) => format!("{down}; held for at most {} more", text::span(held)),
        None => down,
    };
    vec![
        Line { is_bound: by("ScaleUpLimit") || by("ScaleUpStabilized"), ..plain("way up", up) },
        Line {
            is_bound: by("ScaleDownLimit") || by("ScaleDownStabilized"),
            ..plain("way down", down)
        },
    ]
}

/// `20 s, then 4 pods or 100 % in 15 s`.
fn rules(rules: &Rules) -> String {
    if rules.select == Select::Disabled {
        return "off".to_owned();
    }
    let join = if rules.select == Select::Min { " and " } else { " or " };
    let policies = rules.policies.iter().map(|policy| {
        let what = match policy.kind {
            PolicyKind::Pods => format!("{} pods", policy.value),
            PolicyKind::Percent => format!("{} %", policy.value),
        };
        format!("{what} in {}", text::span(policy.period))
    });
    let policies = policies.collect::<Vec<_>>().join(join);
    if rules.window.is_zero() {
        return policies;
    }
    format!("window {}, then {policies}", text::span(rules.window))
}

/// The conditions in their own words.
fn conditions<'a>(scene: &Scene<'_>) -> Vec<Line<'a>> {
    let Some(autoscaler) = autoscaler(scene) else { return Vec::new() };
    [
        ("able", &autoscaler.able_to_scale, Status::False),
        ("active", &autoscaler.scaling_active, Status::False),
        ("limited", &autoscaler.scaling_limited, Status::True),
    ]
    .into_iter()
    .map(|(label, condition, bad)| {
        let is_bad = condition.status == bad && condition.reason != "TooFewReplicas";
        Line { role: if is_bad { Role::Warn } else { Role::Dim }, ..plain(label, told(condition)) }
    })
    .collect()
}

fn told(condition: &Condition) -> String {
    let status = match condition.status {
        Status::True => "True",
        Status::False => "False",
        Status::Unknown => "Unknown",
    };
    if condition.reason.is_empty() {
        status.to_owned()
    } else {
        format!("{status} {}", condition.reason)
    }
}

/// What KEDA is told to do, and what it does.
fn of_keda<'a>(scene: &Scene<'_>, scaled: &ScaledObject) -> Vec<Line<'a>> {
    let mut lines = vec![
        plain("KEDA", scaled.id.name.clone()),
        plain("", {
            let of = |word: &str, condition: &Condition| {
                format!("{word} {}", told(condition).split(' ').next().unwrap_or_default())
            };
            [
                of("Ready", &scaled.ready),
                of("Active", &scaled.active),
                of("Fallback", &scaled.falls_back),
                of("Paused", &scaled.paused),
            ]
            .join("  ")
        }),
    ];
    for trigger in &scaled.triggers {
        lines.extend(of_trigger(trigger));
    }
    lines.extend(looks(scene, scaled));
    if let Some(fallback) = &scaled.fallback {
        let words = format!(
            "to {} after more than {} failures",
            fallback.replicas, fallback.failure_threshold
        );
        lines.push(plain("fallback", words));
    }
    for (metric, n_failures, _) in scaled.health.iter().filter(|(_, _, fails)| *fails) {
        let words = format!("{metric} failed {n_failures} times");
        lines.push(Line { role: Role::Bad, ..plain("health", words) });
    }
    for (key, value) in &scaled.pauses {
        lines.push(Line { role: Role::Warn, ..plain("annotation", format!("{key}: {value}")) });
    }
    lines
}

/// When KEDA looks, and what it will do then.
fn looks<'a>(scene: &Scene<'_>, scaled: &ScaledObject) -> Vec<Line<'a>> {
    let told = keda_spec(scaled);
    let looks = if told.polls() {
        let (polling, cooldown) = (told.polling_interval, told.cooldown_period);
        format!("looks every {}, sleeps after {}", text::span(polling), text::span(cooldown))
    } else {
        "leaves all to the autoscaler: the least is not zero".to_owned()
    };
    let mut lines = vec![plain("", looks)];
    let now = scene.model.run.anchor().wall(scene.moment.at);
    if let Some(ago) = scaled.last_active.and_then(|last| now.since(last)) {
        lines.push(plain("", format!("last active {} ago", text::span(ago))));
    }
    let Some(current) = scene.moment.pods.desired.or(scene.moment.pods.ready) else { return lines };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pods are few")]
    let next = match next_step(scaled, current.max(0.0) as u32, now) {
        Step::LeavesIt | Step::Paused => return lines,
        Step::Activate(to) => format!("wakes {to} at its next look"),
        Step::Deactivate(to) => format!("goes to {to} at its next look"),
        Step::Restore(to) => format!("goes up to {to} at its next look"),
        Step::CoolsDown(until) => {
            let left = until.since(now).map_or_else(|| text::UNKNOWN.to_owned(), text::span);
            format!("cools down for {left}")
        }
        Step::Blind => "cannot read its triggers, and leaves the replicas".to_owned(),
    };
    lines.push(plain("next", next));
    lines
}

fn of_trigger<'a>(trigger: &Trigger) -> Vec<Line<'a>> {
    let activation = if trigger.activation.is_empty() { "0" } else { &trigger.activation };
    let words = format!("{}, {} a pod, active above {activation}", trigger.kind, trigger.threshold);
    let mut lines = vec![plain("trigger", words)];
    if !trigger.query.is_empty() {
        lines.push(plain("query", trigger.query.clone()));
    }
    if !trigger.server.is_empty() {
        lines.push(Line { role: Role::Dim, ..plain("", trigger.server.clone()) });
    }
    lines
}

/// The class and word in a table of services.
pub fn brief(hpa: &Hpa) -> (Role, String) {
    (hpa.state.role(), format!("{} {}", hpa.state.glyph(), hpa.state.word()))
}

/// How many rows the lines of a low screen need for it, in one.
pub fn lines(canvas: &mut Canvas<'_>, area: Rect, hpa: &Hpa, pods: Vec<Span<'_>>) {
    let theme = canvas.theme;
    let used = canvas.line(area, 0, state(theme, hpa));
    let room = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
    let used = canvas.line(room, 0, outlook(theme, hpa)) + 1;
    let room = Rect { x: room.x + used, width: room.width.saturating_sub(used), ..room };
    let class = match hpa.class {
        Class::Kpa | Class::Hpa => "hpa",
        Class::Keda => "hpa by KEDA",
    };
    canvas.line_right(room, 0, vec![theme.span(Role::Dim, class)]);
    let used = canvas.line(area, 1, pods) + 2;
    let room = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
    let mut spans = vec![theme.strong(Role::Load, hpa.targets()), theme.span(Role::Dim, "  ")];
    spans.extend(bounds(theme, hpa));
    canvas.line(room, 1, spans);
}
