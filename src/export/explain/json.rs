//! The shape of a decision for machines: what a key is called stands here and nowhere else.

use serde::Serialize;
use serde::Serializer;

use crate::event::cluster::Name;
use crate::event::scaler::Origin;
use crate::kpa::config::Setting;
use crate::kpa::config::Value;
use crate::kpa::explain;
use crate::kpa::explain::Kind;
use crate::kpa::explain::plain;
use crate::model::shadow::Share;
use crate::model::shadow::Source;
use crate::model::shadow::Tick;
use crate::tui::views::tick::explanation;
use crate::units::Anchor;

/// The version of the JSON.
const SCHEMA: u32 = 1;

/// A tick and why it was as it was. `null` is unknown.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    schema: u32,
    revision: String,
    at: String,
    at_s: f64,
    pods: Option<u32>,
    panicking: bool,
    bound_by: Option<&'static str>,
    headline: String,
    steps: Vec<Step>,
    otherwise: Option<String>,
    #[serde(serialize_with = "by_name")]
    outlook: Vec<(&'static str, String)>,
    panic_ends_at: Option<String>,
    observed: Option<Observed>,
    lines: Lines,
    #[serde(serialize_with = "by_name")]
    causes: Vec<(&'static str, String)>,
    input: Input,
}

#[derive(Debug, Serialize)]
struct Step {
    #[serde(rename = "step")]
    kind: &'static str,
    text: String,
    pods: Option<i64>,
    binds: bool,
    settings: Vec<SettingInForce>,
}

#[derive(Debug, Serialize)]
struct SettingInForce {
    name: &'static str,
    value: SettingValue,
    origin: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum SettingValue {
    Number(f64),
    Pods(u32),
    Flag(bool),
    Name(&'static str),
}

#[derive(Debug, Serialize)]
struct Observed {
    stable: f64,
    panic: f64,
    target: f64,
    excess_burst_capacity: i32,
}

#[derive(Debug, Serialize)]
struct Lines {
    model: Option<u32>,
    model_panicking: bool,
    autoscaler: Option<u32>,
    autoscaler_panicking: Option<bool>,
    autoscaler_source: Option<&'static str>,
    asked: Option<u32>,
    ready: u32,
}

#[derive(Debug, Serialize)]
struct Input {
    explained: &'static str,
    source: &'static str,
    pods_read: u32,
    pods_ready: u32,
    activators: &'static str,
    whole_window: bool,
}

fn by_name<S: Serializer>(
    pairs: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, text)| (name, text)))
}

// === impl Decision ===

impl Decision {
    pub(super) fn of(revision: &Name, tick: &Tick, anchor: Anchor) -> Self {
        let explained = explanation(tick);
        let (decision, _) = tick.as_made();
        let outlook = explained.outlook.iter();
        Self {
            schema: SCHEMA,
            revision: format!("{}/{}", revision.namespace, revision.name),
            at: anchor.wall(tick.at()).to_string(),
            at_s: tick.at().as_secs_f64(),
            pods: explained.pods,
            panicking: decision.panicking(),
            bound_by: explained.bound_by.map(Kind::name),
            headline: plain(&explained.headline),
            steps: explained.steps.iter().map(|step| Step::of(tick, step)).collect(),
            otherwise: (!explained.otherwise.is_empty()).then(|| plain(&explained.otherwise)),
            outlook: outlook.map(|(question, answer)| (question.name(), plain(answer))).collect(),
            panic_ends_at: explained.panic_ends.map(|at| anchor.wall(at).to_string()),
            observed: decision.steps.map(|steps| Observed {
                stable: steps.observed.stable,
                panic: steps.observed.panic,
                target: steps.target,
                excess_burst_capacity: steps.excess_burst_capacity,
            }),
            lines: Lines::of(tick),
            causes: super::causes(tick),
            input: Input::of(tick),
        }
    }
}

// === impl Step ===

impl Step {
    fn of(tick: &Tick, step: &explain::Step) -> Self {
        Self {
            kind: step.kind.name(),
            text: plain(&step.formula),
            pods: step.pods,
            binds: step.binds,
            settings: super::used(tick, step).map(SettingInForce::of).collect(),
        }
    }
}

// === impl SettingInForce ===

impl SettingInForce {
    fn of(setting: &Setting) -> Self {
        let value = match setting.value {
            Value::Number(number) | Value::Percent(number) => SettingValue::Number(number),
            Value::Pods(pods) => SettingValue::Pods(pods),
            Value::Span(span) => SettingValue::Number(span.as_secs_f64()),
            Value::Flag(flag) => SettingValue::Flag(flag),
            Value::Name(name) => SettingValue::Name(name),
        };
        Self { name: setting.name, value, origin: setting.origin_words() }
    }
}

// === impl Lines ===

impl Lines {
    fn of(tick: &Tick) -> Self {
        let reported = tick.reported;
        Self {
            model: tick.decision.desired(),
            model_panicking: tick.decision.panicking(),
            autoscaler: reported.and_then(|it| it.desired),
            autoscaler_panicking: reported.and_then(|it| it.panicking),
            autoscaler_source: reported.map(|it| match it.origin {
                Origin::Metric => "metric",
                Origin::Prometheus => "prometheus",
                Origin::Log => "log",
                Origin::Derived => "derived",
            }),
            asked: tick.asked,
            ready: tick.decision.ready,
        }
    }
}

// === impl Input ===

impl Input {
    const fn of(tick: &Tick) -> Self {
        let input = &tick.input;
        Self {
            explained: if tick.made.is_some() { "autoscaler" } else { "model" },
            source: match input.source {
                Source::Pods => "queue-proxies",
                Source::Exported => "autoscaler",
                Source::Nothing => "none",
            },
            pods_read: input.n_read,
            pods_ready: input.n_ready,
            activators: match input.share {
                Share::Reported => "reported",
                Share::Proxied => "proxied",
                Share::Own => "own",
                Share::Unknown => "unknown",
            },
            whole_window: input.is_whole,
        }
    }
}
