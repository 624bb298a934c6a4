//! The first and the last line, and what lies over everything: questions and what is typed.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::run::By;
use crate::event::source::State;
use crate::model::Model;
use crate::model::run::MarkKind;
use crate::tui::action::Action;
use crate::tui::action::View;
use crate::tui::keymap::Hint;
use crate::tui::keymap::Sitting;
use crate::tui::moment;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::ui;
use crate::tui::ui::Prompt;
use crate::tui::widgets::canvas::Canvas;
use crate::units::At;

use super::Scene;
use super::panels;

/// Names of the palette that are shown at once.
const PALETTE_ROWS: usize = 10;

/// Which run, which service, how far, and whether the view is live.
pub fn header(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    canvas.clear(area, canvas.theme.bar());
    let theme = canvas.theme;
    let room = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let right = status(theme, scene, area.width);
    let right_width = canvas.line_right(room, 0, right);
    let room = Rect { width: room.width.saturating_sub(right_width + 2), ..room };
    let stage = match area.width {
        ..80 => Vec::new(),
        80..100 => short_stage(theme, scene),
        _ => stage(theme, scene, area.width),
    };
    let stage_width: usize = stage.iter().map(|span| text::width(&span.content)).sum();
    let stage_width = u16::try_from(stage_width).unwrap_or(0);
    canvas.line_right(room, 0, stage);
    let room = Rect { width: room.width.saturating_sub(stage_width + 2), ..room };
    canvas.line(room, 0, title(theme, scene, area.width));
}

fn title<'a>(theme: &Theme, scene: &Scene<'a>, width: u16) -> Vec<Span<'a>> {
    let began = scene.model.run.began.as_ref();
    let mut spans = vec![theme.strong(Role::Accent, "▲ rampscope")];
    let name = began.map(|began| began.name.clone()).unwrap_or_default();
    let view = scene.ui.view();
    // In these it stands in a panel of its own. It comes first: what has no room is cut off.
    let has_own = matches!(view, View::Overview | View::Pods | View::Services | View::Why);
    let has_plate = !has_own && scene.moment.revision.is_some();
    if has_plate {
        spans.push(Span::raw("  "));
        spans.extend(panels::state(theme, scene).into_iter().take(1));
    }
    if !name.is_empty() && (100 <= width || !has_plate) {
        // Not bold: a run may be called as a state is.
        spans.push(theme.span(Role::Dim, format!("  {name}")));
    }
    if view != View::Overview {
        spans.push(theme.strong(Role::Load, format!("  {}", view.name())));
    }
    // A list of all services is about none of them.
    let Some(revision) = &scene.moment.revision else { return spans };
    if scene.ui.view() == View::Services {
        return spans;
    }
    spans.push(theme.span(Role::Text, format!("  {}", revision.name)));
    if width < 80 {
        return spans;
    }
    let revisions = scene.ui.revisions(scene.model);
    if 1 < revisions.len() {
        let position = revisions.iter().position(|it| it == revision).map_or(0, |idx| idx + 1);
        spans.push(theme.span(Role::Accent, format!(" {position}/{}", revisions.len())));
        if width < 100 {
            return spans;
        }
    }
    let context = began.and_then(|began| began.context.clone());
    let place = match context {
        Some(context) => format!(" · {} @ {context}", revision.namespace),
        None => format!(" · {}", revision.namespace),
    };
    spans.push(theme.span(Role::Dim, place));
    spans
}

/// `stage 3/6 burst ━━━━━━━──── 12/20 s`.
fn stage<'a>(theme: &Theme, scene: &Scene<'_>, width: u16) -> Vec<Span<'a>> {
    const BAR: u32 = 10;
    let run = &scene.model.run;
    let (Some(began), Some(stage)) = (&run.began, &run.stage) else { return Vec::new() };
    if run.ended.is_some() || scene.ui.session().is_over {
        return vec![theme.strong(Role::Text, "■ ended")];
    }
    let n_stages = began.stages.len();
    // A frozen view shows the stage of its moment, of which only the name is kept.
    if scene.ui.now() < stage.at {
        let past = run.marks.iter().rev().filter(|mark| mark.at <= scene.ui.now());
        let name = past.into_iter().find_map(|mark| match &mark.what {
            MarkKind::Stage(name) => Some(text::head(name, 14)),
            _ => None,
        });
        return name.map(|name| theme.strong(Role::Text, name)).into_iter().collect();
    }
    let lasts = usize::try_from(stage.index).ok().and_then(|idx| began.stages.get(idx));
    let elapsed = moment::in_stage(scene.model, scene.ui.now()).unwrap_or_default();
    let held = held(theme, scene, width);
    let mut spans = vec![
        theme.span(Role::Dim, format!("stage {}/{n_stages} ", stage.index + 1)),
        theme.strong(Role::Text, text::head(&stage.name, 14)),
    ];
    if let Some(planned) = lasts {
        let share = elapsed.as_secs_f64() / planned.lasts.as_secs_f64().max(1e-3);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
        let n_done = (share.clamp(0.0, 1.0) * f64::from(BAR)).round() as usize;
        let n_left = 10usize.saturating_sub(n_done);
        let secs = planned.lasts.as_secs();
        // Who holds the plan matters more than how far it has come.
        if held.is_empty() || 130 <= width {
            spans.push(theme.span(Role::Accent, format!(" {}", "━".repeat(n_done))));
            spans.push(theme.span(Role::Border, "─".repeat(n_left)));
        }
        let digits = secs.to_string().len();
        spans.push(
            theme.span(Role::Text, format!(" {:>digits$}/{secs} s", elapsed.as_secs().min(secs))),
        );
    }
    spans.extend(held);
    spans
}

/// `burst 800/s 12/20 s`, for narrow screens.
fn short_stage<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let run = &scene.model.run;
    let (Some(began), Some(stage)) = (&run.began, &run.stage) else { return Vec::new() };
    if scene.ui.session().is_over {
        return vec![theme.strong(Role::Text, "■ ended")];
    }
    if run.ended.is_some() || scene.ui.now() < stage.at {
        return Vec::new();
    }
    let held = held(theme, scene, 80);
    let mut spans = Vec::new();
    // Who holds the load matters more than the stage that it was taken from.
    if held.is_empty() {
        spans.push(theme.strong(Role::Text, format!("{} ", text::head(&stage.name, 8))));
    }
    if let Some(target) = scene.moment.load.target {
        let unit = if moment::is_closed(scene.model) { " users" } else { "/s" };
        spans.push(theme.span(Role::Text, format!("{}{unit}", text::rate(target))));
    }
    if !held.is_empty() {
        spans.extend(held);
        return spans;
    }
    let planned = usize::try_from(stage.index).ok().and_then(|idx| began.stages.get(idx));
    let elapsed = moment::in_stage(scene.model, scene.ui.now());
    if let Some((planned, elapsed)) = planned.zip(elapsed) {
        let secs = planned.lasts.as_secs();
        let words = format!(" {}/{secs} s", elapsed.as_secs().min(secs));
        spans.push(theme.span(Role::Dim, words));
    }
    spans
}

/// That the plan does not go on by itself, who keeps it, and the key that lets it go.
fn held<'a>(theme: &Theme, scene: &Scene<'_>, width: u16) -> Vec<Span<'a>> {
    let load = &scene.moment.load;
    let (word, key) = match panels::held(scene) {
        _ if load.is_paused => (" PAUSED", "p"),
        Some(By::Safety) => (" HELD FOR SAFETY", "h"),
        Some(By::Plan) => (" HELD", "h"),
        Some(By::You) => (" BY HAND", "h"),
        None => return Vec::new(),
    };
    let plan = match width {
        ..100 => format!(" · {key}: go on"),
        100..130 => format!(" · {key}: plan goes on"),
        _ => format!(" · the plan waits, {key}: it goes on"),
    };
    vec![theme.strong(Role::Warn, word), theme.span(Role::Text, plan)]
}

fn status<'a>(theme: &Theme, scene: &Scene<'_>, width: u16) -> Vec<Span<'a>> {
    let ui = scene.ui;
    let elapsed = text::elapsed(ui.now().since(At::ZERO));
    let mut spans = Vec::new();
    let n_open = scene.model.findings.n_open();
    if 0 < n_open {
        let words =
            if width < 110 { format!("▲{n_open}") } else { text::counted(n_open, "finding") };
        let glyph = if width < 110 { "" } else { "▲ " };
        spans.push(theme.strong(Role::Warn, format!("{glyph}{words}   ")));
    }
    if ui.session().is_replay {
        let speed = text::count(ui.session().speed);
        let state = if ui.is_paused() { "■ PAUSED" } else { "▸ REPLAY" };
        spans.push(theme.strong(Role::Load, state));
        spans.push(theme.span(Role::Text, format!(" ×{speed} {elapsed}")));
    } else if ui.session().is_recording {
        spans.push(theme.strong(Role::Bad, "● REC"));
        spans.push(theme.span(Role::Text, format!(" {elapsed}")));
    } else {
        spans.push(theme.span(Role::Dim, format!("not recorded {elapsed}")));
    }
    match (ui.behind(), ui.cursor()) {
        (Some(behind), cursor) => {
            spans.push(theme.strong(Role::Load, "   FROZEN"));
            spans.push(theme.span(Role::Text, format!(" {} behind", text::span(behind))));
            if let Some(cursor) = cursor {
                let clock = text::clock(scene.model.run.anchor(), cursor);
                spans.push(theme.strong(Role::Load, format!(" · AT {clock}")));
            }
        }
        (None, Some(_)) => spans.push(theme.strong(Role::Load, "   CURSOR")),
        (None, None) if ui.session().is_replay => {
            if scene.model.run.ended_at.is_some_and(|ended| ended <= ui.now()) {
                spans.push(theme.strong(Role::Text, "   ■ END OF RECORD"));
            }
        }
        (None, None) if is_cluster_lost(scene.model) => {
            spans.push(theme.strong(Role::Bad, "   CLUSTER LOST"));
        }
        (None, None) => spans.push(theme.strong(Role::Good, "   LIVE")),
    }
    spans
}

/// Whether the pods, seen before, cannot be watched any more.
pub fn is_cluster_lost(model: &Model) -> bool {
    let pods = model.sources.get(crate::model::WATCH_PODS);
    pods.is_some_and(|it| it.report.state == State::Failing)
}

/// What keys do here; a message while there is one.
pub fn footer(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    canvas.clear(area, canvas.theme.bar());
    let theme = canvas.theme;
    let mut room = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if let Some(message) = scene.ui.message() {
        canvas.line(room, 0, [theme.strong(Role::Accent, message.to_owned())]);
        return;
    }
    let meter = scene.ui.meter();
    if meter != ui::Meter::default() && 140 <= area.width {
        let kib = text::bytes(crate::units::Bytes(meter.bytes_a_second));
        let words = format!("{:>2} fps  {}/s", meter.fps, text::right(&kib, 8));
        let used = canvas.line_right(room, 0, vec![theme.span(Role::Dim, words)]);
        room.width = room.width.saturating_sub(used + 2);
    }
    let session = scene.ui.session();
    let sitting = Sitting {
        has_load: moment::has_load(scene.model) && !session.is_over,
        is_replay: session.is_replay,
        is_frozen: scene.ui.behind().is_some(),
    };
    let mut hints = scene.ui.keymap().hints(scene.ui.view(), sitting);
    // What gives the plan back comes first while it waits.
    if sitting.has_load && panels::held(scene).is_some() {
        hints.retain(|hint| hint.keys != "h");
        hints.insert(0, Hint { keys: "h", word: "plan goes on" });
    }
    // That nothing more comes, and the one key that leaves.
    if session.is_over {
        hints.retain(|hint| hint.keys != "q");
        hints.push(Hint { keys: "q", word: "leave, with its summary" });
        let used = canvas.line(room, 0, [theme.strong(Role::Warn, "■ the run has ended  ")]);
        room = Rect { x: room.x + used, width: room.width.saturating_sub(used), ..room };
    }
    // Help and quit are always offered; of the others as many as fit.
    let width = |hint: &Hint| text::width(hint.keys) + text::width(hint.word) + 3;
    let n_last = 2;
    let (first, last) = hints.split_at(hints.len() - n_last);
    let mut left = usize::from(room.width).saturating_sub(last.iter().map(width).sum());
    let fitting = first.iter().take_while(|hint| {
        let fits = width(hint) <= left;
        left = left.saturating_sub(width(hint));
        fits
    });
    let spans = fitting.chain(last).flat_map(|hint| {
        [theme.strong(Role::Accent, hint.keys), theme.span(Role::Dim, format!(" {}  ", hint.word))]
    });
    canvas.line(room, 0, spans);
}

/// What is being typed or asked, over everything.
pub fn prompt(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let unit = if moment::is_closed(scene.model) { "users" } else { "/s" };
    let typed = |label: &str, typed: &str, hint: &str| {
        vec![
            theme.strong(Role::Accent, format!("{label} ")),
            theme.strong(Role::Text, typed.to_owned()),
            Span::styled(" ", theme.plate(Role::Cursor)),
            theme.span(Role::Dim, format!("  {hint}")),
        ]
    };
    let spans = match scene.ui.prompt() {
        None => return,
        Some(Prompt::Palette(text, selected)) => {
            return palette(canvas, area, &scene.ui.matches(text), (text, *selected));
        }
        Some(Prompt::Rate(text)) => {
            typed("set load to", text, &format!("{unit}   Enter sets it, Esc leaves it"))
        }
        Some(Prompt::Note(about, text)) => {
            let clock = text::clock(scene.model.run.anchor(), *about);
            typed(&format!("note at {clock}"), text, "Enter keeps it")
        }
        Some(Prompt::Filter(text)) => typed("/", text, "Enter keeps it, Esc shows all"),
        Some(Prompt::Confirm(_, amount)) => vec![
            theme.strong(Role::Warn, format!("{} {unit}", text::rate(*amount))),
            theme.span(Role::Text, " is more than twice the present load: ".to_owned()),
            theme.strong(Role::Accent, "Enter".to_owned()),
            theme.span(Role::Text, " does it, any other key leaves it".to_owned()),
        ],
        Some(Prompt::Quit) => quit(theme, area.width),
    };
    let bottom = Rect { y: area.bottom() - 1, height: 1, ..area };
    canvas.clear(bottom, theme.bar());
    canvas.line(Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..bottom }, 0, spans);
}

/// Where narrow, without the words that can be spared.
fn quit<'a>(theme: &Theme, width: u16) -> Vec<Span<'a>> {
    let leave =
        if width < 90 { " leave it running · " } else { " leave it running without a screen · " };
    vec![
        theme.strong(Role::Warn, "Load is running: "),
        theme.strong(Role::Accent, "s"),
        theme.span(Role::Text, " stop it and leave · "),
        theme.strong(Role::Accent, "l"),
        theme.span(Role::Text, leave),
        theme.strong(Role::Accent, "Esc"),
        theme.span(Role::Text, " stay"),
    ]
}

fn palette(
    canvas: &mut Canvas<'_>,
    area: Rect,
    matches: &[Action],
    (typed, selected): (&str, usize),
) {
    let theme = canvas.theme;
    let width = area.width.saturating_sub(4).min(78);
    let rows = u16::try_from(PALETTE_ROWS.min(matches.len())).unwrap_or(0);
    let height = (rows + 3).min(area.height);
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height).min(3);
    let place = Rect { x, y, width, height };
    canvas.clear(place, theme.bar());
    let inside = canvas.frame(place, vec![theme.strong(Role::Accent, "everything by its name")]);
    let prompt = [
        theme.strong(Role::Accent, ": "),
        theme.strong(Role::Text, typed.to_owned()),
        Span::styled(" ", theme.plate(Role::Cursor)),
    ];
    canvas.line(inside, 0, prompt);
    let first = crate::tui::widgets::table::first_row(selected, matches.len(), PALETTE_ROWS);
    let keymap = crate::tui::keymap::Keymap::default();
    for (row, (idx, action)) in (1..).zip(matches.iter().enumerate().skip(first).take(PALETTE_ROWS))
    {
        let name = text::left(action.name(), 15);
        let name = if idx == selected {
            Span::styled(name, theme.plate(Role::Accent))
        } else {
            theme.strong(Role::Text, name)
        };
        let keys = text::left(&keymap.keys(*action), 8);
        let spans = [
            name,
            theme.span(Role::Accent, format!(" {keys} ")),
            theme.span(Role::Dim, action.about()),
        ];
        if row < inside.height {
            canvas.line(inside, row, spans);
        }
    }
}
