//! One decision of the autoscaler, step by step: what it saw, what it reckoned, what bound it, what
//! would have made it another, and what comes next.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::kpa::config::Setting;
use crate::kpa::explain;
use crate::kpa::explain::After;
use crate::kpa::explain::Explanation;
use crate::kpa::explain::Piece;
use crate::kpa::explain::Question;
use crate::kpa::explain::Step;
use crate::kpa::explain::Subject;
use crate::kpa::explain::steps;
use crate::model::scaling::RevisionScaling;
use crate::model::shadow::Bounded;
use crate::model::shadow::Cause;
use crate::model::shadow::Incomplete;
use crate::model::shadow::PodTrouble;
use crate::model::shadow::Shadow;
use crate::model::shadow::Share;
use crate::model::shadow::Source;
use crate::model::shadow::Tick;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;
use crate::tui::widgets::canvas::Canvas;
use crate::units::Anchor;
use crate::units::At;

use super::Scene;
use super::decision;
use super::hpa;
use super::why;

/// Cells before a formula: the mark, the number of the step and its name.
const MARGIN: u16 = 19;
/// From this width on the settings stand beside the steps.
const WIDE: u16 = 160;
/// Cells of the settings.
const SETTINGS: u16 = 54;
/// From this height on each step names the settings that it uses.
const TALL: u16 = 34;

/// A block of the page: what stands in its margin, and what it says, over as many rows as that
/// needs.
struct Block<'a> {
    margin: Vec<Span<'a>>,
    indent: u16,
    text: Vec<Span<'a>>,
}

/// The decision under the cursor, or the newest.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    // A HorizontalPodAutoscaler has steps of its own.
    if let Some(hpa) = &scene.moment.hpa {
        return hpa::page(canvas, area, scene, hpa);
    }
    let scaling = scene.moment.revision.as_ref().and_then(|it| scene.model.scaling.get(it));
    let shadow = scaling.and_then(|scaling| scaling.shadow.as_deref());
    let newest = shadow.and_then(|shadow| shadow.tick_at(scene.moment.at));
    let fresh = scaling.map(RevisionScaling::fresh_for).unwrap_or_default();
    let Some(tick) = newest.filter(|tick| scene.moment.at.since(tick.at()) < fresh) else {
        no_tick(canvas, area, scene, newest);
        return;
    };
    let is_wide = WIDE <= area.width;
    let area = if is_wide {
        let left = area.width - SETTINGS;
        decision::draw(canvas, Rect { x: area.x + left, width: SETTINGS, ..area }, scene);
        Rect { width: left, ..area }
    } else {
        area
    };
    let explained = explanation(tick);
    let inside = canvas.frame(area, title(canvas.theme, scene, tick, &explained));
    inputs(canvas, area, tick);
    let is_tall = TALL <= inside.height;
    let outlook = outlook(&explained, scene.model.run.anchor());
    let blocks = blocks(canvas.theme, tick, (&explained, outlook), (is_tall, is_tall && !is_wide));
    let last = blocks.len().saturating_sub(1);
    let mut row = 0;
    for block in blocks.iter().skip(scene.ui.selected().min(last)) {
        if inside.height <= row {
            break;
        }
        row += write(canvas, inside, row, block);
    }
    let left = inside.height.saturating_sub(row + 1);
    let below = Rect { y: inside.y + row + 1, height: left, ..inside };
    before(canvas, below, scene, shadow.into_iter().flat_map(Shadow::ticks), tick.at());
}

/// The decisions before this one, where there is room, the newest first.
fn before<'a>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    ticks: impl DoubleEndedIterator<Item = &'a Tick>,
    at: At,
) {
    if area.height < 3 {
        return;
    }
    let theme = canvas.theme;
    canvas.text(area, 0, Role::Dim, "  the decisions before it");
    let earlier = ticks.rev().filter(|tick| tick.at() < at);
    for (row, tick) in (1..area.height).zip(earlier) {
        let explained = explanation(tick);
        let clock = text::clock_tenths(scene.model.run.anchor(), tick.at());
        let pods = explained.pods.map_or_else(|| text::UNKNOWN.to_owned(), |it| it.to_string());
        let word = if tick.as_made().0.panicking() { "  P  " } else { "     " };
        let mut spans = vec![
            theme.span(Role::Dim, format!("  {clock} ")),
            theme.strong(Role::Desired, text::right(&pods, 4)),
            theme.strong(Role::Panic, word),
        ];
        spans.extend(why::pieces(theme, explained.brief));
        if let Some((_, real)) = other_than(tick) {
            spans.push(theme.span(Role::Warn, format!(", but the autoscaler wants {real}")));
        }
        canvas.line(area, row, spans);
    }
}

/// A tick, explained.
pub fn explanation(tick: &Tick) -> Explanation {
    let after =
        |bounded: &Bounded| After { want: bounded.want, gate: bounded.gate, mode: bounded.mode };
    let (decision, outcome) = tick.as_made();
    steps(&Subject { config: tick.config(), decision, outcome: outcome.map(after) })
}

/// No decision of this moment is known; `before` is the newest one before it.
fn no_tick(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, before: Option<&Tick>) {
    let theme = canvas.theme;
    let inside = canvas.frame(area, vec![theme.strong(Role::Accent, "WHY")]);
    let class = scene.moment.scaler.class.as_str();
    let reason = if !class.is_empty() && class != "kpa" {
        format!("the autoscaler of this revision is {class}, not Knative's own: it does not tick")
    } else if scene.moment.revision.is_none() {
        "no revision is known yet".to_owned()
    } else if let Some(before) = before {
        let clock = |at| text::clock_tenths(scene.model.run.anchor(), at);
        format!(
            "no decision is known at {}: the newest before it is of {}, and ← goes there",
            clock(scene.moment.at),
            clock(before.at())
        )
    } else {
        "no decision is known at this moment: it takes a PodAutoscaler, config-autoscaler, and \
         some seconds of queue-proxies, activators or the autoscaler's own metrics"
            .to_owned()
    };
    canvas.wrap(inside, [theme.span(Role::Dim, reason)]);
    let below = Rect { y: inside.y + 3, height: inside.height.saturating_sub(3), ..inside };
    canvas.wrap(below, why::sentence(theme, scene));
}

/// `WHY 8 pods · tick 14:03:24.6 · panic`
fn title<'a>(
    theme: &Theme,
    scene: &Scene<'_>,
    tick: &Tick,
    explained: &Explanation,
) -> Vec<Span<'a>> {
    let clock = text::clock_tenths(scene.model.run.anchor(), tick.at());
    let pods = match explained.pods {
        Some(1) => "1 pod".to_owned(),
        Some(pods) => format!("{pods} pods"),
        None => text::UNKNOWN.to_owned(),
    };
    let other = other_than(tick)
        .map(|(ours, real)| format!(" · {ours} wanted by our model, {real} by the autoscaler"))
        .unwrap_or_default();
    let mut spans = vec![
        theme.strong(Role::Accent, "WHY "),
        theme.strong(Role::Desired, pods),
        theme.strong(Role::Warn, other),
        theme.span(Role::Dim, " · tick of "),
        theme.span(Role::Text, clock),
    ];
    if tick.as_made().0.panicking() {
        spans.push(theme.span(Role::Dim, " · "));
        spans.push(theme.strong(Role::Panic, "▲ PANIC"));
    }
    if tick.is_poke {
        spans.push(theme.span(Role::Dim, " · called for by a first request"));
    }
    spans
}

/// What is explained and what the autoscaler itself wants, where these are not the same. Both are
/// before `min-scale` and `max-scale`, as the decider has it.
pub fn other_than(tick: &Tick) -> Option<(u32, u32)> {
    let (ours, real) = tick.as_made().0.desired().zip(tick.reported?.desired)?;
    (ours != real).then_some((ours, real))
}

/// What the averages are made of, at the right end of the lower edge.
fn inputs(canvas: &mut Canvas<'_>, area: Rect, tick: &Tick) {
    let theme = canvas.theme;
    let (role, words) = input_words(tick);
    let room = usize::from(area.width.saturating_sub(8));
    // Our model's inputs are beside the point there; what is missing of them never is.
    let is_beside = tick.made.is_some() && room < text::width(&words);
    let brief = words.split("; ").next().filter(|_| is_beside);
    let words = text::head(brief.unwrap_or(&words), room);
    let width = u16::try_from(text::width(&words) + 2).unwrap_or(0);
    let x = area.right().saturating_sub(width + 2);
    let edge = Rect { x, y: area.bottom().saturating_sub(1), width, height: 1 };
    canvas.line(edge, 0, [theme.span(role, format!(" {words} "))]);
}

/// What the averages of a tick are made of, in words, and whether that is all there is.
pub fn input_words(tick: &Tick) -> (Role, String) {
    let input = &tick.input;
    let pods = match (input.n_read, input.n_ready) {
        (_, 0) => "no pod ready".to_owned(),
        (read, ready) if read == ready && ready == 1 => "queue-proxy of the pod".to_owned(),
        // Some became ready since.
        (read, ready) if read == ready && ready < tick.decision.ready => {
            format!("queue-proxies of the {ready} pods of a moment before")
        }
        (read, ready) if read == ready => format!("queue-proxies of all {ready} pods"),
        (read, ready) => {
            let noun = if ready == 1 { "pod" } else { "pods" };
            format!("a sample: queue-proxies of {read} of {ready} {noun}")
        }
    };
    let share = match input.share {
        Share::Reported => "activators",
        Share::Proxied => "what came through activators, without what waits in them",
        Share::Own => "our own requests in flight (inferred)",
        Share::Unknown => "activators not known",
    };
    match input.source {
        Source::Exported => (Role::Dim, "from the autoscaler's own averages".to_owned()),
        _ if tick.made.is_some() => (
            Role::Dim,
            format!("from the autoscaler's own averages; our model: {pods} and {share}"),
        ),
        Source::Nothing => (Role::Warn, "no input is known".to_owned()),
        Source::Pods if input.is_whole && input.share == Share::Reported => {
            (Role::Dim, format!("from {pods} and {share}"))
        }
        Source::Pods if input.is_whole => (Role::Warn, format!("from {pods}; {share}")),
        Source::Pods => {
            (Role::Warn, format!("from {pods} and {share}; not yet for a whole window"))
        }
    }
}

/// What comes next; the end of panic with its time of day, which can be looked up on the axis.
pub fn outlook(explained: &Explanation, anchor: Anchor) -> Vec<(Question, Vec<Piece>)> {
    let mut all = explained.outlook.clone();
    let ends = all.iter_mut().find(|(question, _)| *question == Question::PanicEnds);
    if let Some(((_, answer), at)) = ends.zip(explained.panic_ends) {
        let text = format!("{}, ", text::clock_tenths(anchor, at));
        answer.insert(0, Piece { text, role: explain::Role::Number });
    }
    all
}

fn blocks<'a>(
    theme: &Theme,
    tick: &Tick,
    (explained, outlook): (&Explanation, Vec<(Question, Vec<Piece>)>),
    (is_tall, has_settings): (bool, bool),
) -> Vec<Block<'a>> {
    let plain = |text| Block { margin: Vec::new(), indent: 0, text };
    let mut blocks = vec![plain(why::pieces(theme, explained.headline.clone()))];
    if is_tall {
        blocks.push(plain(Vec::new()));
    }
    for (n, step) in (1..).zip(&explained.steps) {
        blocks.push(step_block(theme, n, step));
        if has_settings {
            blocks.extend(settings_block(theme, tick, step));
        }
    }
    if is_tall {
        blocks.push(plain(Vec::new()));
    }
    let named = |name: &str, role, text| Block {
        margin: vec![theme.span(role, format!("  {name}"))],
        indent: MARGIN,
        text,
    };
    if !explained.otherwise.is_empty() {
        let text = why::pieces(theme, explained.otherwise.clone());
        blocks.push(named("or else", Role::Accent, text));
    }
    blocks.push(named("compared", Role::Text, lines(theme, tick)));
    for (question, answer) in outlook {
        blocks.push(named(question.title(), Role::Text, why::pieces(theme, answer)));
    }
    blocks
}

fn step_block<'a>(theme: &Theme, n: usize, step: &Step) -> Block<'a> {
    let (mark, role) = if step.binds { ("▸", Role::Accent) } else { (" ", Role::Text) };
    let name = text::left(step.kind.title(), 13);
    let margin = vec![
        theme.strong(Role::Accent, mark),
        theme.span(Role::Dim, format!("{n:>2} ")),
        if step.binds { theme.strong(role, name) } else { theme.span(role, name) },
    ];
    Block { margin, indent: MARGIN, text: why::pieces(theme, step.formula.clone()) }
}

/// The settings that a step uses, each with where it comes from.
fn settings_block<'a>(theme: &Theme, tick: &Tick, step: &Step) -> Option<Block<'a>> {
    let used: Vec<&Setting> =
        tick.config.settings.iter().filter(|it| step.uses.contains(&it.name)).collect();
    let mut text = Vec::new();
    for setting in used {
        if !text.is_empty() {
            text.push(theme.span(Role::Border, " · "));
        }
        text.push(theme.span(Role::Dim, format!("{} {} ", setting.name, setting.value)));
        let origin = decision::role(setting.origin);
        text.push(theme.span(origin, format!("({})", setting.origin_words())));
    }
    (!text.is_empty()).then_some(Block { margin: Vec::new(), indent: MARGIN, text })
}

/// `our model 9 · autoscaler 9 · asked for 9 · ready 8: …`
fn lines<'a>(theme: &Theme, tick: &Tick) -> Vec<Span<'a>> {
    let pods = |n: Option<u32>| n.map_or_else(|| text::UNKNOWN.to_owned(), |n| n.to_string());
    let reported = tick.reported;
    let mut spans = Vec::new();
    for (name, role, value) in [
        ("our model ", Role::Text, tick.decision.desired()),
        (" · autoscaler ", Role::Text, reported.and_then(|it| it.desired)),
        (" · asked for ", Role::Desired, tick.asked),
        (" · ready ", Role::Ready, Some(tick.decision.ready)),
    ] {
        spans.push(theme.span(Role::Dim, name));
        spans.push(theme.strong(role, pods(value)));
    }
    let gaps = tick.gaps;
    if let Some(words) = parts_unnamed(tick) {
        spans.push(theme.span(Role::Dim, "; "));
        spans.push(theme.span(Role::Warn, words));
    }
    for cause in [gaps.model, gaps.averages, gaps.asked, gaps.ready].into_iter().flatten() {
        spans.push(theme.span(Role::Dim, "; "));
        spans.push(theme.span(Role::Warn, cause_words(cause)));
    }
    spans
}

/// What is said where our model and the autoscaler part, and no cause is known but that each looked
/// with its own eyes.
pub fn parts_unnamed(tick: &Tick) -> Option<&'static str> {
    if tick.parts_by_a_hair() {
        return Some("the window of the panic ends at this tick: its clock decides, or ours");
    }
    let (ours, theirs) = tick.decision.desired().zip(tick.reported?.desired)?;
    match tick.input.source {
        _ if ours == theirs || tick.gaps.model.is_some() => None,
        Source::Pods => Some("our averages are not those of the autoscaler"),
        Source::Exported => Some("its averages were exported a moment beside this decision"),
        Source::Nothing => None,
    }
}

/// A cause in words.
pub fn cause_words(cause: Cause) -> String {
    match cause {
        Cause::Incomplete(Incomplete::JustBegan) => {
            "we have not looked for a whole window yet".to_owned()
        }
        Cause::Incomplete(Incomplete::Pods { n_read, n_ready }) => {
            let noun = if n_ready == 1 { "pod answers" } else { "pods answer" };
            format!("our own input is incomplete: {n_read} of {n_ready} {noun} us")
        }
        Cause::Incomplete(Incomplete::Activator) => {
            "our own input is incomplete: what waits in the activators is not known".to_owned()
        }
        Cause::MissedScrape => "the autoscaler missed scrapes".to_owned(),
        Cause::AutoscalerRestarted(_) => "the autoscaler was restarted".to_owned(),
        Cause::LeaderChanged(_) => "another autoscaler leads now".to_owned(),
        Cause::ConfigChanged(_) => "a setting was changed".to_owned(),
        Cause::MaxScale(most) => format!("max-scale allows {most}"),
        Cause::LeastScale(least) => format!("min-scale or initial-scale keeps {least}"),
        Cause::WayToZero => "the last pod waits for the way to zero".to_owned(),
        Cause::Pods(PodTrouble::Quota) => "a quota allows no more pods".to_owned(),
        Cause::Pods(PodTrouble::Unschedulable) => "no node has room for a pod".to_owned(),
        Cause::Pods(PodTrouble::ImagePull) => "the image cannot be pulled".to_owned(),
        Cause::Pods(PodTrouble::Crash) => "a container ends again and again".to_owned(),
    }
}

/// Writes a block; returns the rows used.
fn write(canvas: &mut Canvas<'_>, inside: Rect, row: u16, block: &Block<'_>) -> u16 {
    let place = Rect { y: inside.y + row, height: inside.height - row, ..inside };
    canvas.line(place, 0, block.margin.iter().cloned());
    if block.text.is_empty() {
        return 1;
    }
    let indent = block.indent.min(place.width);
    let place = Rect { x: place.x + indent, width: place.width - indent, ..place };
    canvas.wrap(place, block.text.iter().cloned())
}
