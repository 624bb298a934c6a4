//! A decision for a reader without our screen: as a page, as a line, and as JSON.

mod json;

use std::fmt::Write as _;

use crate::event::cluster::Name;
use crate::kpa::config::Setting;
use crate::kpa::explain::Step;
use crate::kpa::explain::plain;
use crate::model::shadow::Tick;
use crate::tui::text;
use crate::tui::views::tick;
use crate::units::Anchor;

/// The page of a tick: what it came to, each step, what would make it another, what comes next.
pub fn page(revision: &Name, tick: &Tick, anchor: Anchor) -> String {
    let explained = tick::explanation(tick);
    let mut page = format!(
        "{}/{} at {} ({:.1}s){}\n{}\n\n",
        revision.namespace,
        revision.name,
        text::clock_tenths(anchor, tick.at()),
        tick.at().as_secs_f64(),
        if tick.as_made().0.panicking() { ", PANIC" } else { "" },
        plain(&explained.headline),
    );
    for (n, step) in (1..).zip(&explained.steps) {
        let mark = if step.binds { ">" } else { " " };
        // Writing to a `String` cannot fail.
        let _ = writeln!(page, "{mark}{n:>2} {:<13}  {}", step.kind.title(), plain(&step.formula));
        for setting in used(tick, step) {
            let _ = writeln!(
                page,
                "                    {} {} ({})",
                setting.name,
                setting.value,
                setting.origin_words()
            );
        }
    }
    page.push('\n');
    if !explained.otherwise.is_empty() {
        let _ = writeln!(page, "or else      {}", plain(&explained.otherwise));
    }
    for (question, answer) in tick::outlook(&explained, anchor) {
        let _ = writeln!(page, "{:<12} {}", question.title(), plain(&answer));
    }
    let _ = writeln!(page, "compared     {}", lines(tick));
    let _ = writeln!(page, "input        {}", tick::input_words(tick).1);
    page
}

/// A tick in a line.
pub fn line(tick: &Tick, anchor: Anchor) -> String {
    let explained = tick::explanation(tick);
    let other = tick::other_than(tick)
        .map(|(_, real)| format!(", but the autoscaler wants {real}"))
        .unwrap_or_default();
    format!(
        "{} {:>4} {}{}  {}{other}{}\n",
        text::clock_tenths(anchor, tick.at()),
        pods(explained.pods),
        if explained.pods == Some(1) { "pod " } else { "pods" },
        if tick.as_made().0.panicking() { " PANIC" } else { "      " },
        plain(&explained.headline),
        causes(tick).iter().fold(String::new(), |all, (_, cause)| all + " [" + cause + "]"),
    )
}

/// A tick as one line of JSON. `null` is unknown.
pub fn json(revision: &Name, tick: &Tick, anchor: Anchor) -> String {
    // A key is text and a number a number: it can be written.
    let line = serde_json::to_string(&json::Decision::of(revision, tick, anchor));
    line.unwrap_or_default() + "\n"
}

fn used<'a>(tick: &'a Tick, step: &'a Step) -> impl Iterator<Item = &'a Setting> {
    tick.config.settings.iter().filter(|it| step.uses.contains(&it.name))
}

fn lines(tick: &Tick) -> String {
    let reported = tick.reported.and_then(|it| it.desired);
    let mut text = format!(
        "our model {}, autoscaler {}, asked for {}, ready {}",
        pods(tick.decision.desired()),
        pods(reported),
        pods(tick.asked),
        tick.decision.ready
    );
    if let Some(words) = tick::parts_unnamed(tick) {
        text.push_str("; ");
        text.push_str(words);
    }
    for (_, cause) in causes(tick) {
        text.push_str("; ");
        text.push_str(&cause);
    }
    text
}

/// Where the lines part: which, and why.
fn causes(tick: &Tick) -> Vec<(&'static str, String)> {
    let gaps = tick.gaps;
    let averages = ("averages", gaps.averages);
    [("model", gaps.model), averages, ("asked", gaps.asked), ("ready", gaps.ready)]
        .into_iter()
        .filter_map(|(line, cause)| Some((line, tick::cause_words(cause?))))
        .collect()
}

fn pods(n: Option<u32>) -> String {
    n.map_or_else(|| text::UNKNOWN.to_owned(), |n| n.to_string())
}
