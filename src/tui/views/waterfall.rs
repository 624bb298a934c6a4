//! One pod's start, taken apart: each step a mark on its own time axis, with how it is known.

use ratatui::layout::Rect;

use crate::model::cluster::PodLife;
use crate::model::startup::How;
use crate::model::startup::Startup;
use crate::model::startup::Step;
use crate::model::waited;
use crate::tui::text;
use crate::tui::theme::Charset;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;
use crate::units::At;

use super::Scene;
use super::pods;

/// Rows that it takes with its frame.
pub const HEIGHT: u16 = 10;
/// Cells of a step's name, with its share.
const NAME: u16 = 22;
/// Cells of the time of a step.
const TIME: u16 = 9;
/// Cells of how it is known.
const KNOWN: u16 = 16;

/// Draws the start of `life`.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, life: &PodLife) {
    let theme = canvas.theme;
    let startup = Startup::of(scene.model, life);
    // Moments before the first look would all be that of the look.
    let seen = startup.span().filter(|_| life.seen_fresh);
    let mut title = vec![
        theme.strong(Role::Load, "start of "),
        theme.strong(Role::Text, text::pod(&life.pod.id.name)),
    ];
    if let (Some(ready), Some((from, _))) = (startup.at(Step::Ready), seen) {
        let took = text::seconds(ready.at.since(from));
        let since = if startup.at(Step::Asked).is_some() { "asked" } else { "created" };
        title.push(theme.span(Role::Text, format!(" · {since} → ready {took}")));
    }
    title.extend(waiting(scene, life).map(|words| theme.span(Role::Dim, words)));
    let inside = canvas.frame(area, title);
    let Some((from, to)) = seen else {
        let words = match pods::start_of(life) {
            Some(took) => format!(
                "it was there before we looked: by the cluster's stamps, in whole seconds, it was \
                 ready {} after it was created",
                text::span(took)
            ),
            None => "it was there before we looked: its start was not seen".to_owned(),
        };
        canvas.wrap(inside, [theme.span(Role::Dim, words)]);
        return;
    };
    let bar = Rect {
        x: inside.x + NAME,
        width: inside.width.saturating_sub(NAME + TIME + KNOWN + 2),
        ..inside
    };
    let span = to.since(from).as_secs_f64().max(1e-3);
    let column = |at: At| {
        let share = at.since(from).as_secs_f64() / span;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a column")]
        let column = (share * f64::from(bar.width.saturating_sub(1))).round() as u16;
        column.min(bar.width.saturating_sub(1))
    };
    let mut before = from;
    for (row, step) in (0..inside.height).zip(Step::ALL) {
        let line = Rect { y: inside.y + row, height: 1, ..inside };
        let Some(known) = startup.at(step) else {
            canvas.line(line, 0, [theme.span(Role::Dim, step.name().to_owned())]);
            let place = Rect { x: line.right().saturating_sub(KNOWN), width: KNOWN, ..line };
            canvas.line(place, 0, [theme.span(Role::Dim, "– unknown".to_owned())]);
            continue;
        };
        canvas.line(line, 0, [theme.span(Role::Text, step.name().to_owned())]);
        let y = line.y;
        let (began, ended) = (column(before.min(known.at)), column(known.at));
        let role = if step == Step::FirstAnswer { Role::Latency } else { Role::Starting };
        let (fill, mark) = glyphs(theme.charset(), known.how);
        for x in began..ended {
            canvas.symbol(bar.x + x, y, fill, theme.style(role));
        }
        canvas.symbol(bar.x + ended, y, mark, theme.bold(Role::Text));
        let time = text::right(&moment(known.at.since(from), known.how), usize::from(TIME));
        let place = Rect { x: bar.right() + 1, width: TIME, ..line };
        canvas.line(place, 0, [theme.strong(Role::Text, time)]);
        let place = Rect { x: line.right().saturating_sub(KNOWN), width: KNOWN, ..line };
        canvas.line(place, 0, [theme.span(Role::Dim, word(known.how).to_owned())]);
        if known.at <= startup.at(Step::Ready).map_or(known.at, |ready| ready.at) {
            before = before.max(known.at);
        }
    }
}

/// A stamp in whole seconds has no tenths.
fn moment(since: std::time::Duration, how: How) -> String {
    match how {
        How::Stamped => format!("{:.0} ±1 s", since.as_secs_f64()),
        How::Received | How::Inferred => format!("{:.2} s", since.as_secs_f64()),
    }
}

const fn word(how: How) -> &'static str {
    match how {
        How::Received => "✓ measured",
        How::Stamped => "± stamped",
        How::Inferred => "~ inferred",
    }
}

const fn glyphs(charset: Charset, how: How) -> (&'static str, &'static str) {
    match (charset, how) {
        (Charset::Ascii, How::Received) => ("=", "|"),
        (Charset::Ascii, _) => ("-", "?"),
        (_, How::Received) => ("━", "┫"),
        (_, How::Stamped) => ("┅", "┫"),
        (_, How::Inferred) => ("┈", "┤"),
    }
}

/// How many requests waited for it.
fn waiting(scene: &Scene<'_>, life: &PodLife) -> Option<String> {
    let waited = waited::waited(scene.model, life)?;
    Some(match (waited.at_least, waited.at_most) {
        (0, 0) => " · no slow request waited".to_owned(),
        (0, most) => format!(" · up to {most} slow requests waited"),
        (least, most) if least == most => format!(" · {least} requests waited"),
        (least, most) => format!(" · {least} to {most} requests waited"),
    })
}
