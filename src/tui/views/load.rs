//! The load itself: whether the generator keeps up, where the target stops to, and whether what is
//! in flight agrees with rate and latency.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::traffic::ClientHealth;
use crate::model::scaling::RevisionScaling;
use crate::model::traffic::Knee;
use crate::model::traffic::KneePoint;
use crate::model::traffic::knee;
use crate::series::LatencyHistogram;
use crate::tui::moment::LOAD_HOLD;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Scale;
use crate::tui::widgets::scatter;
use crate::tui::widgets::scatter::Axes;
use crate::tui::widgets::scatter::Point;

use super::Scene;
use super::fitting;
use super::lanes;
use super::lanes::Lane;
use super::start;

/// What counts as now.
const NOW: Duration = Duration::from_secs(1);
/// Little's law needs some time to hold.
const LITTLE: Duration = Duration::from_secs(10);
/// Marks of so many ready pods; more are the last one.
const PODS: [&str; 11] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "+"];

/// Draws what fits: the generator, the knee, Little's law.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    if scene.model.traffic.last.is_none() {
        start::draw(canvas, area, scene);
        return;
    }
    let is_high = 30 <= area.height;
    let top = if is_high { 7 } else { 6 }.min(area.height);
    generator(canvas, Rect { height: top, ..area }, scene);
    let rest = Rect { y: area.y + top, height: area.height - top, ..area };
    let lane = if is_high { rest.height / 3 } else { rest.height.min(7) };
    let charts = Rect { height: rest.height - lane, ..rest };
    let left = charts.width / 2;
    latency_knee(canvas, Rect { width: left, ..charts }, scene);
    let right = Rect { x: charts.x + left, width: charts.width - left, ..charts };
    goodput_knee(canvas, right, scene);
    lanes::draw(
        canvas,
        Rect { y: charts.bottom(), height: lane, ..rest },
        scene,
        &[Lane::InFlight],
    );
}

/// Whether the generator keeps up, and what it uses.
fn generator(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let limited = scene.moment.load.limited.as_ref();
    let traffic = &scene.model.traffic;
    let last = traffic.last.as_ref();
    let is_over =
        last.is_none_or(|last| LOAD_HOLD + last.lasted < scene.model.now.since(last.began));
    let client = last.and_then(|last| last.client.as_deref());
    let client = client.filter(|_| scene.moment.is_present && !is_over);
    let mut title = vec![theme.strong(Role::Load, "GENERATOR")];
    title.push(match (limited, client) {
        (Some(_), _) => theme.strong(Role::Warn, " ▒ the bottleneck"),
        (None, Some(_)) => theme.span(Role::Good, " ✓ keeps up"),
        (None, None) => theme.span(Role::Dim, " · not known at this moment"),
    });
    if 0.0 < traffic.limited_s {
        let span = text::span(Duration::from_secs_f64(traffic.limited_s.clamp(0.0, 1e9)));
        title.push(theme.span(Role::Dim, format!(" · limited {span} of this run")));
    }
    let inside = canvas.frame(area, fitting(title, area.width));
    let row = client.map_or(0, |client| used(canvas, inside, scene, client));
    let rest = Rect { y: inside.y + row, height: inside.height.saturating_sub(row), ..inside };
    if let Some(cause) = limited {
        canvas.wrap(rest, [theme.strong(Role::Warn, cause.clone())]);
        return;
    }
    // What it was, where it was.
    let most = traffic.limits.values().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    if let Some(most) = most {
        canvas.wrap(rest, [theme.span(Role::Dim, format!("before: {}", most.words))]);
    }
}

/// CPU, timers, descriptors, ports; the rows used.
fn used(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, client: &ClientHealth) -> u16 {
    let theme = canvas.theme;
    let window = scene.model.traffic.window(NOW).unwrap_or_default();
    let secs = window.lasted.as_secs_f64();
    let cores = |cpu_s: Option<f64>| {
        let cores = cpu_s.filter(|_| 0.0 < secs).map(|cpu_s| cpu_s / secs);
        text::or_unknown(cores, |cores| format!("{cores:.2}"))
    };
    let field = |label: &str, value: &str, role| {
        let role = if value == text::UNKNOWN { Role::Dim } else { role };
        let label = theme.span(Role::Dim, format!("{label} "));
        [label, theme.strong(role, format!("{value}   "))]
    };
    let share = |value: Option<f64>| text::or_unknown(value, text::percent);
    let slip = window.client.timer_slip.as_ref().filter(|slip| !slip.is_empty());
    let late = |q: f64| {
        slip.map_or_else(
            || text::UNKNOWN.to_owned(),
            |slip: &LatencyHistogram| text::latency(slip.quantile(q).as_secs_f64()),
        )
    };
    let of = |n: Option<u64>, max: Option<u64>| match (n, max) {
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        (Some(n), Some(max)) => {
            format!("{} of {}", text::count(n as f64), text::count(max as f64))
        }
        _ => text::UNKNOWN.to_owned(),
    };
    let all = client.cores.map_or_else(|| text::UNKNOWN.to_owned(), |cores| cores.to_string());
    let mut first = vec![field("CPU load", &cores(window.client.load_cpu_s), Role::Load)];
    if let Some(quota) = client.quota {
        let words = format!("{quota:.2}, throttled {}", share(client.throttled));
        first.push(field("quota", &words, Role::Warn));
    }
    first.push(field("all of us", &cores(window.client.process_cpu_s), Role::Text));
    first.push(field("of cores", &all, Role::Text));
    first.push(field("busiest thread", &share(client.busiest), Role::Text));
    first.push(field("waits for a core", &share(client.run_queue), Role::Text));
    let lag = text::or_unknown(scene.moment.load.lag_p99, text::latency);
    let mut second = vec![
        field("send lag p99", &lag, Role::Latency),
        field("bare timer p99", &late(0.99), Role::Text),
        field("descriptors", &of(client.descriptors, client.descriptors_max), Role::Text),
        field("bare timer p50", &late(0.5), Role::Text),
    ];
    if client.ports.is_some() {
        second.insert(2, field("ports", &of(client.ports, client.ports_max), Role::Text));
    }
    whole(canvas, area, 0, first);
    whole(canvas, area, 1, second);
    if area.height < 5 {
        return 2;
    }
    // Little's law in numbers; the lane below has it over time.
    if let Some(little) = scene.model.traffic.window(LITTLE).and_then(|it| it.little()) {
        let seen = field("in flight, last 10 s", &text::number(little.in_flight), Role::Load);
        let reckoned = field("rate × latency", &text::number(little.reckoned), Role::Text);
        whole(canvas, area, 2, vec![seen, reckoned]);
    }
    3
}

/// As many fields as have whole room: half a number is another number.
fn whole(canvas: &mut Canvas<'_>, area: Rect, row: u16, fields: Vec<[Span<'_>; 2]>) {
    let mut left = usize::from(area.width);
    let fits = |field: &[Span<'_>; 2]| {
        let cells = text::width(&field[0].content) + text::width(field[1].content.trim_end());
        let fits = cells <= left;
        left = left.saturating_sub(cells + 3);
        fits
    };
    let fields: Vec<Span<'_>> = fields.into_iter().take_while(fits).flatten().collect();
    canvas.line(area, row, fields);
}

/// The points up to the moment that is looked at.
fn points<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a KneePoint> + Clone {
    let at = scene.moment.at;
    scene.model.traffic.knee.iter().take_while(move |point| point.at <= at)
}

fn offered_scale(scene: &Scene<'_>) -> Scale {
    Scale::up_to(points(scene).map(|point| point.offered).fold(0.0, f64::max), 10.0)
}

/// How a point is drawn: the ready pods that there were, where that is known.
fn look(point: &KneePoint, scaling: Option<&RevisionScaling>) -> (&'static str, Role) {
    if point.is_limited {
        return ("×", Role::Warn);
    }
    let ready = scaling.and_then(|scaling| scaling.ready.at(point.at, None));
    let Some(ready) = ready else { return ("●", Role::Load) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pods")]
    let ready = (ready.max(0.0) as usize).min(PODS.len() - 1);
    let role = match ready {
        0 => Role::Bad,
        1 => Role::Starting,
        2..=3 => Role::Desired,
        4..=6 => Role::Load,
        _ => Role::Ready,
    };
    (PODS[ready], role)
}

fn scaling<'a>(scene: &Scene<'a>) -> Option<&'a RevisionScaling> {
    scene.model.scaling.get(scene.moment.revision.as_ref()?)
}

/// The mark of a point and what it stands for.
fn legend<'a>(canvas: &Canvas<'a>, scene: &Scene<'_>, name: &'static str) -> [Span<'a>; 2] {
    let theme = canvas.theme;
    if scaling(scene).is_some() {
        let words = format!(" {name} by ready pods");
        return [theme.strong(Role::Load, "  1-9"), theme.span(Role::Dim, words)];
    }
    [theme.strong(Role::Load, "  ●"), theme.span(Role::Dim, format!(" {name}"))]
}

fn limited<'a>(canvas: &Canvas<'a>, scene: &Scene<'_>) -> Vec<Span<'a>> {
    if points(scene).any(|point| point.is_limited) {
        let theme = canvas.theme;
        return vec![theme.strong(Role::Warn, "  ×"), theme.span(Role::Dim, " limited")];
    }
    Vec::new()
}

/// Latency against the offered rate.
fn latency_knee(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let mut title = vec![canvas.theme.strong(Role::Text, "latency")];
    title.extend(legend(canvas, scene, "p99"));
    title.push(canvas.theme.span(Role::Dim, "  · p50"));
    title.extend(limited(canvas, scene));
    let inside = canvas.frame(area, fitting(title, area.width));
    let scaling = scaling(scene);
    let values = || points(scene).flat_map(|point| [point.p50, point.p99]).flatten();
    let (low, high) = values().fold((f64::INFINITY, 0.0), |(low, high), value| {
        (f64::min(low, value), f64::max(high, value))
    });
    if high <= 0.0 {
        canvas.text(inside, 0, Role::Dim, "nothing was answered yet");
        return;
    }
    let axes = Axes {
        x: offered_scale(scene),
        y: Scale::log(low, high),
        x_label: rate_label,
        y_label: latency_label,
    };
    let p50 = points(scene).filter_map(|point| {
        Some(Point { x: point.offered, y: point.p50?, mark: "·", role: Role::Dim })
    });
    let p99 = points(scene).filter_map(|point| {
        let (mark, role) = look(point, scaling);
        Some(Point { x: point.offered, y: point.p99?, mark, role })
    });
    let all: Vec<Point> = p50.chain(p99).collect();
    scatter::draw(canvas, inside, axes, &all);
}

/// Goodput against the offered rate, and the line on which both are equal.
fn goodput_knee(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    const STEPS: u32 = 60;
    let mut title = vec![canvas.theme.strong(Role::Text, "goodput")];
    if let Some(Knee { offered, falls_behind }) = knee(points(scene)) {
        let words = if falls_behind { "falls behind" } else { "slow" };
        let words = format!("  {words} from ≈ {} /s", text::rate(offered));
        title.push(canvas.theme.strong(Role::Accent, words));
    }
    title.push(canvas.theme.span(Role::Dim, "  · all of it"));
    let inside = canvas.frame(area, fitting(title, area.width));
    let scaling = scaling(scene);
    let scale = offered_scale(scene);
    let axes = Axes { x: scale, y: scale, x_label: rate_label, y_label: text::rate };
    let equal = (0..=STEPS).map(|step| {
        let value = scale.value(f64::from(step) / f64::from(STEPS));
        Point { x: value, y: value, mark: "·", role: Role::Dim }
    });
    let done = points(scene).map(|point| {
        let (mark, role) = look(point, scaling);
        Point { x: point.offered, y: point.done, mark, role }
    });
    let all: Vec<Point> = equal.chain(done).collect();
    scatter::draw(canvas, inside, axes, &all);
}

fn rate_label(rate: f64) -> String {
    if rate == 0.0 { "0".to_owned() } else { format!("{} /s", text::rate(rate)) }
}

fn latency_label(secs: f64) -> String {
    let millis = secs * 1e3;
    match millis {
        ..0.0995 => format!("{:.0}µs", millis * 1e3),
        0.0995..9.95 => format!("{}ms", text::number(millis)),
        9.95..999.5 => format!("{millis:.0}ms"),
        _ => format!("{}s", text::number(secs)),
    }
}
