//! What stands where pods and autoscaler would, in a run without a cluster: failures by class and
//! answers by status code.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::run::Mode;
use crate::model::traffic::Totals;
use crate::tui::moment::LOAD_HOLD;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;

/// What counts as now: the longest span that the model keeps.
const RECENT: std::time::Duration = std::time::Duration::from_secs(10);

/// Cells of the two numbers and their blanks; the rest is the name's.
const NUMBERS: u16 = 5 + 3 + 1 + 6;

/// Whether load is sent without any cluster in sight.
pub fn is_alone(scene: &Scene<'_>) -> bool {
    let began = scene.model.run.began.as_ref();
    began.is_some_and(|began| began.mode == Mode::Load && began.context.is_none())
}

/// The last seconds; `None` where what is looked at is not the present, or nothing is sent any more.
fn recent(scene: &Scene<'_>) -> Option<Totals> {
    let traffic = &scene.model.traffic;
    let last = traffic.last.as_ref()?;
    let is_over = LOAD_HOLD + last.lasted < scene.model.now.since(last.began);
    if !scene.moment.is_present || is_over { None } else { traffic.window(RECENT) }
}

/// What makes our own numbers doubtful, then `errors: connect refused 123 /s`, or that there are
/// none.
pub fn sentence<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let limited = scene.moment.load.limited.as_ref();
    let mut spans: Vec<_> = limited
        .map(|cause| theme.strong(Role::Warn, format!("limited by us: {cause} · ")))
        .into_iter()
        .collect();
    spans.extend(failures(theme, scene));
    spans
}

fn failures<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let Some(recent) = recent(scene) else {
        return vec![theme.span(Role::Dim, "errors: not known at this moment")];
    };
    let most = recent.errors.iter().max_by_key(|(_, n)| **n).filter(|(_, n)| 0 < **n);
    let Some((class, n)) = most else {
        return vec![theme.span(Role::Good, "no errors in the last 10 s")];
    };
    let rate = text::or_unknown(recent.per_second(*n), text::rate);
    let mut spans = vec![theme.strong(Role::Bad, format!("errors: {class} {rate} /s"))];
    let n_more = recent.errors.len() - 1;
    if 0 < n_more {
        spans.push(theme.span(Role::Dim, format!(" and {n_more} more kinds")));
    }
    spans
}

/// Failures by class, the most frequent first.
pub fn errors(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let total = &scene.model.traffic.total.errors;
    let mut classes: Vec<(String, u64)> =
        total.iter().map(|(class, n)| (class.clone(), *n)).collect();
    classes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let recent = recent(scene);
    let rows = classes.into_iter().map(|(class, n)| {
        let now = recent.as_ref().map(|it| (it, it.errors.get(&class).copied().unwrap_or(0)));
        let rate = now.and_then(|(it, n)| it.per_second(n));
        (Role::Bad, class, rate, n)
    });
    counted(canvas, area, ("ERRORS", "none yet"), rows.collect());
}

/// Answers by status code; calls by gRPC's own first, since to HTTP most of them are 200.
pub fn answers(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let recent = recent(scene);
    let total = &scene.model.traffic.total;
    let rate = |now: fn(&Totals, &str) -> u64, name: &str| {
        recent.as_ref().and_then(|it| it.per_second(now(it, name)))
    };
    let calls = total.grpc_status.iter().map(|(status, n)| {
        let role = if status == "0 OK" { Role::Good } else { Role::Bad };
        let now = |it: &Totals, name: &str| it.grpc_status.get(name).copied().unwrap_or(0);
        (role, format!("grpc {status}"), rate(now, status), *n)
    });
    let codes = total.status.iter().map(|(code, n)| {
        let role = if *code < 400 { Role::Good } else { Role::Bad };
        let now = |it: &Totals, name: &str| {
            name.parse().ok().and_then(|code: u16| it.status.get(&code).copied()).unwrap_or(0)
        };
        (role, code.to_string(), rate(now, &code.to_string()), *n)
    });
    let rows = calls.chain(codes);
    counted(canvas, area, ("ANSWERS", "none yet"), rows.collect());
}

/// Lines of a name, its rate of the last seconds, and its count over the run.
fn counted(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (title, nothing): (&'static str, &'static str),
    rows: Vec<(Role, String, Option<f64>, u64)>,
) {
    let theme = canvas.theme;
    let title = vec![theme.strong(Role::Load, title), theme.span(Role::Dim, " last 10 s, run")];
    let inside = canvas.frame(area, title);
    if rows.is_empty() {
        canvas.text(inside, 0, Role::Dim, nothing);
    }
    let n_name = usize::from(inside.width.saturating_sub(NUMBERS + 1));
    for (row, (role, name, rate, n)) in (0..inside.height).zip(rows) {
        let is_on = rate.is_some_and(|rate| 0.0 < rate);
        let role = if is_on { role } else { Role::Dim };
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let n = text::count(n as f64);
        let rate = text::or_unknown(rate, text::rate);
        let spans = [
            theme.strong(role, text::left(&name, n_name)),
            theme.strong(role, format!(" {}", text::right(&rate, 5))),
            theme.span(Role::Dim, " /s "),
            theme.span(Role::Text, text::right(&n, 6)),
        ];
        canvas.line(inside, row, spans);
    }
}
