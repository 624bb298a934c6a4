//! A decision for a reader without our screen: as a page, as a line, and as JSON.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use crate::event::cluster::Name;
use crate::event::scaler::Origin;
use crate::kpa::config::Setting;
use crate::kpa::config::Value as SettingValue;
use crate::kpa::explain::Explanation;
use crate::kpa::explain::Kind;
use crate::kpa::explain::Step;
use crate::kpa::explain::plain;
use crate::model::shadow::Share;
use crate::model::shadow::Source;
use crate::model::shadow::Tick;
use crate::tui::text;
use crate::tui::views::tick;
use crate::units::Anchor;

/// The version of the JSON.
const SCHEMA: u32 = 1;

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
    let explained = tick::explanation(tick);
    let reported = tick.reported;
    let steps: Vec<Value> = explained.steps.iter().map(|step| step_json(tick, step)).collect();
    let outlook: serde_json::Map<String, Value> = explained
        .outlook
        .iter()
        .map(|(question, answer)| (question.name().to_owned(), plain(answer).into()))
        .collect();
    let causes: serde_json::Map<String, Value> =
        causes(tick).into_iter().map(|(line, cause)| (line.to_owned(), cause.into())).collect();
    let value = json!({
        "schema": SCHEMA,
        "revision": format!("{}/{}", revision.namespace, revision.name),
        "at": anchor.wall(tick.at()).to_string(),
        "at_s": tick.at().as_secs_f64(),
        "pods": explained.pods,
        "panicking": tick.as_made().0.panicking(),
        "bound_by": explained.bound_by.map(Kind::name),
        "headline": plain(&explained.headline),
        "steps": steps,
        "otherwise": otherwise(&explained),
        "outlook": outlook,
        "panic_ends_at": explained.panic_ends.map(|at| anchor.wall(at).to_string()),
        "observed": tick.as_made().0.steps.map(|steps| json!({
            "stable": steps.observed.stable,
            "panic": steps.observed.panic,
            "target": steps.target,
            "excess_burst_capacity": steps.excess_burst_capacity,
        })),
        "lines": {
            "model": tick.decision.desired(),
            "model_panicking": tick.decision.panicking(),
            "autoscaler": reported.and_then(|it| it.desired),
            "autoscaler_panicking": reported.and_then(|it| it.panicking),
            "autoscaler_source": reported.map(|it| source_name(it.origin)),
            "asked": tick.asked,
            "ready": tick.decision.ready,
        },
        "causes": causes,
        "input": {
            "explained": if tick.made.is_some() { "autoscaler" } else { "model" },
            "source": match tick.input.source {
                Source::Pods => "queue-proxies",
                Source::Exported => "autoscaler",
                Source::Nothing => "none",
            },
            "pods_read": tick.input.n_read,
            "pods_ready": tick.input.n_ready,
            "activators": match tick.input.share {
                Share::Reported => "reported",
                Share::Proxied => "proxied",
                Share::Own => "own",
                Share::Unknown => "unknown",
            },
            "whole_window": tick.input.is_whole,
        },
    });
    format!("{value}\n")
}

fn otherwise(explained: &Explanation) -> Option<String> {
    (!explained.otherwise.is_empty()).then(|| plain(&explained.otherwise))
}

fn step_json(tick: &Tick, step: &Step) -> Value {
    let settings: Vec<Value> = used(tick, step)
        .map(|setting| {
            json!({
                "name": setting.name,
                "value": match setting.value {
                    SettingValue::Number(number) | SettingValue::Percent(number) => number.into(),
                    SettingValue::Pods(pods) => pods.into(),
                    SettingValue::Span(span) => span.as_secs_f64().into(),
                    SettingValue::Flag(flag) => Value::from(flag),
                    SettingValue::Name(name) => name.into(),
                },
                "origin": setting.origin_words(),
            })
        })
        .collect();
    json!({
        "step": step.kind.name(),
        "text": plain(&step.formula),
        "pods": step.pods,
        "binds": step.binds,
        "settings": settings,
    })
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

const fn source_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Metric => "metric",
        Origin::Prometheus => "prometheus",
        Origin::Log => "log",
        Origin::Derived => "derived",
    }
}
