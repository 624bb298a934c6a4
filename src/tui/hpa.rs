//! What a `HorizontalPodAutoscaler` and KEDA are at, at one moment: the one word, the metrics, the
//! steps to the replicas. It takes the place of panic where the class is not Knative's own.

use std::time::Duration;

use crate::event::cluster::Condition;
use crate::event::cluster::Name;
use crate::event::cluster::Status;
use crate::event::hpa::Amount;
use crate::event::hpa::HorizontalPodAutoscaler;
use crate::event::hpa::Metric;
use crate::event::hpa::MetricKind;
use crate::event::hpa::ScaledObject;
use crate::hpa::Invalid;
use crate::hpa::Proposal;
use crate::hpa::keda::Paused;
use crate::model::Model;
use crate::model::hpa::Class;
use crate::model::hpa::HpaScaling;
use crate::model::hpa::down_window;
use crate::model::hpa::keda;
use crate::units::At;

use super::text;
use super::theme::Role;

/// The source that tells of autoscalers.
const WATCH: &str = "watch horizontalpodautoscalers";

/// A `HorizontalPodAutoscaler`, and what KEDA puts around it, at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Hpa {
    /// Who scales.
    pub class: Class,
    /// The one word, and what stands beside it.
    pub state: State,
    /// `spec.minReplicas`.
    pub min: Option<u32>,
    /// `spec.maxReplicas`.
    pub max: Option<u32>,
    /// `status.currentReplicas`.
    pub current: Option<f64>,
    /// `status.desiredReplicas`.
    pub desired: Option<f64>,
    /// The metrics in the order of the spec.
    pub metrics: Vec<Row>,
    /// The metric that asks for most, counted from zero.
    pub leading: Option<usize>,
    /// The most that a metric proposed.
    pub wanted: Option<u32>,
    /// For how long the window for scaling down still holds, at the longest.
    pub held: Option<Duration>,
    /// How long that window is.
    pub window: Option<Duration>,
}

/// One metric as `kubectl get hpa` tells it, and what it comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `cpu`, `s0-prometheus`.
    pub name: String,
    /// What it is: `746%`, `9604m`, `<unknown>`.
    pub current: String,
    /// What it is to be: `50%`, `5`.
    pub target: String,
    /// Whether `kubectl` writes the name before it.
    pub is_named: bool,
    /// Whether it is an average over the pods of a metric of the whole: ` (avg)`.
    pub is_average: bool,
    /// What it proposed.
    pub proposal: Option<Proposal>,
}

/// What an autoscaler is at, in the words of its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As many replicas as are wanted.
    Stable,
    /// Other replicas were just asked for.
    Scaling,
    /// `ScalingLimited`: the reason.
    Limited(String),
    /// A window holds it back: the reason.
    Stabilized(String),
    /// `ScalingActive` is false, or the target cannot be scaled: the reason.
    Failing(String),
    /// `ScalingDisabled`: the target has no replicas.
    Disabled,
    /// KEDA paused it: at so many replicas, or as it is.
    Paused(Option<u32>),
    /// KEDA falls back to so many replicas.
    Fallback(Option<u32>),
    /// There is nothing to see: why.
    NotSeen(String),
}

// === impl State ===

impl State {
    /// The word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Stable => "STABLE",
            Self::Scaling => "SCALING",
            Self::Limited(_) => "LIMITED",
            Self::Stabilized(_) => "STABILIZED",
            Self::Failing(_) => "FAILING",
            Self::Disabled => "DISABLED",
            Self::Paused(_) => "PAUSED",
            Self::Fallback(_) => "FALLBACK",
            Self::NotSeen(_) => "NOT SEEN",
        }
    }

    /// Its glyph, so that the colour is not needed.
    pub const fn glyph(&self) -> &'static str {
        match self {
            Self::Stable => "✓",
            Self::Scaling => "▲",
            Self::Limited(_) | Self::Stabilized(_) | Self::Disabled | Self::Paused(_) => "=",
            Self::Failing(_) | Self::Fallback(_) => "✗",
            Self::NotSeen(_) => "?",
        }
    }

    /// Its colour. To be kept at the least is no trouble; to be kept at the most is.
    pub fn role(&self) -> Role {
        match self {
            Self::Stable => Role::Good,
            Self::Scaling => Role::Desired,
            Self::Limited(reason) if reason == "TooFewReplicas" => Role::Good,
            Self::Limited(_) | Self::Paused(_) | Self::NotSeen(_) => Role::Warn,
            Self::Stabilized(_) | Self::Disabled => Role::Load,
            Self::Failing(_) | Self::Fallback(_) => Role::Bad,
        }
    }
}

// === impl Row ===

impl Row {
    fn of(metric: &Metric, proposal: Option<&Result<Proposal, Invalid>>) -> Self {
        let is_resource =
            matches!(metric.kind, MetricKind::Resource | MetricKind::ContainerResource);
        let percent = |percent: Option<u32>| percent.map(|percent| format!("{percent}%"));
        let amount = |amount: &Option<Amount>| amount.as_ref().map(|amount| amount.0.clone());
        let (current, target) = if metric.target_average.is_some() {
            (amount(&metric.current_average), amount(&metric.target_average))
        } else if is_resource {
            let target = percent(metric.target_utilization);
            (percent(metric.current_utilization), target.or_else(|| Some("<auto>".to_owned())))
        } else {
            (amount(&metric.current_value), amount(&metric.target_value))
        };
        let told = |text: Option<String>| text.unwrap_or_else(|| "<unknown>".to_owned());
        Self {
            name: metric.name.clone(),
            current: told(current),
            target: told(target),
            is_named: is_resource,
            is_average: metric.target_average.is_some()
                && matches!(metric.kind, MetricKind::External | MetricKind::Object),
            proposal: proposal.and_then(|proposal| proposal.ok()),
        }
    }

    /// `746%/50%`, `9604m/5 (avg)`.
    pub fn pair(&self) -> String {
        let average = if self.is_average { " (avg)" } else { "" };
        format!("{}/{}{average}", self.current, self.target)
    }
}

// === impl Hpa ===

impl Hpa {
    /// That of a revision or a plain Deployment; `None` where Knative's own autoscaler decides, or
    /// nobody knows who.
    pub fn of(model: &Model, (at, is_present): (At, bool), revision: &Name) -> Option<Self> {
        let class = model.cluster.class_of(revision).filter(|class| *class != Class::Kpa)?;
        let autoscaler = model.cluster.hpa_of(revision);
        let scaled = model.cluster.scaled_object_of(revision);
        let scaling = autoscaler.and_then(|autoscaler| {
            let namespace = autoscaler.id.namespace.clone();
            model.hpas.get(&Name { namespace, name: autoscaler.id.name.clone() })
        });
        let proposals = scaling.filter(|_| is_present).map(|it| it.proposals.as_slice());
        let metrics = autoscaler.map_or_else(Vec::new, |autoscaler| {
            let of = |(idx, metric)| Row::of(metric, proposals.and_then(|all| all.get(idx)));
            autoscaler.metrics.iter().enumerate().map(of).collect()
        });
        let mut hpa = Self {
            class,
            state: state(model, autoscaler, scaled),
            min: autoscaler.and_then(|it| it.min_replicas),
            max: autoscaler.and_then(|it| it.max_replicas),
            current: scaling.and_then(|it| it.current.at(at, None)),
            desired: scaling.and_then(|it| it.desired.at(at, None)),
            metrics,
            leading: scaling.and_then(HpaScaling::leading),
            wanted: scaling.filter(|_| is_present).and_then(HpaScaling::wanted),
            held: autoscaler.zip(scaling).filter(|_| is_present).and_then(|(autoscaler, it)| {
                let until = it.held_until(autoscaler)?;
                (at < until).then(|| until.since(at))
            }),
            window: autoscaler.map(down_window),
        };
        if !is_present && let Some(scaling) = scaling {
            hpa.look_back(at, scaling);
        }
        Some(hpa)
    }

    /// Of the past only the lines are known.
    fn look_back(&mut self, at: At, scaling: &HpaScaling) {
        let is_known = self.current.is_some();
        self.state = match (self.current, self.desired) {
            (Some(current), Some(desired)) if is_whole_change(current, desired) => State::Scaling,
            _ if is_known => State::Stable,
            _ => State::NotSeen("not seen at that moment".to_owned()),
        };
        for (row, series) in self.metrics.iter_mut().zip(&scaling.metrics) {
            let unit = if row.target.ends_with('%') { "%" } else { "" };
            let told = |value: Option<f64>| {
                value.map_or_else(
                    || "<unknown>".to_owned(),
                    |value| format!("{}{unit}", text::number(value)),
                )
            };
            row.current = told(series.current.at(at, None));
            row.target = told(series.target.at(at, None));
        }
    }

    /// `cpu: 746%/50%`, as the column TARGETS of `kubectl get hpa`.
    pub fn targets(&self) -> String {
        const TOLD: usize = 2;
        let told = self.metrics.iter().take(TOLD).map(|row| {
            let name = if row.is_named { format!("{}: ", row.name) } else { String::new() };
            format!("{name}{}", row.pair())
        });
        let told = told.collect::<Vec<_>>().join(", ");
        match self.metrics.len() {
            0 => "<none>".to_owned(),
            n if TOLD < n => format!("{told} + {} more...", n - TOLD),
            _ => told,
        }
    }

    /// What stands beside the word, in a few cells.
    pub fn outlook(&self) -> String {
        match &self.state {
            State::Stable | State::Scaling => String::new(),
            State::Limited(reason) => match (reason.as_str(), self.min, self.max) {
                ("TooFewReplicas", Some(min), _) => format!("by min {min}"),
                ("TooManyReplicas", _, Some(max)) => format!("by max {max}"),
                (reason, ..) => reason.to_owned(),
            },
            State::Stabilized(reason) => match self.held {
                Some(held) if reason == "ScaleDownStabilized" => {
                    format!("down in ≤ {}", text::span(held))
                }
                _ => reason.clone(),
            },
            State::Failing(reason) | State::NotSeen(reason) => reason.clone(),
            State::Disabled => "no replicas".to_owned(),
            State::Paused(at) => match at {
                Some(replicas) => format!("at {replicas} by KEDA"),
                None => "by KEDA".to_owned(),
            },
            State::Fallback(replicas) => {
                replicas.map_or_else(String::new, |replicas| format!("to {replicas} by KEDA"))
            }
        }
    }

    /// The metric that asks for most; else the first.
    pub fn leader(&self) -> Option<&Row> {
        self.leading.and_then(|idx| self.metrics.get(idx)).or_else(|| self.metrics.first())
    }
}

fn is_whole_change(current: f64, desired: f64) -> bool {
    0.5 < (current - desired).abs()
}

fn is(condition: &Condition, status: Status) -> bool {
    condition.status == status
}

fn state(
    model: &Model,
    autoscaler: Option<&HorizontalPodAutoscaler>,
    scaled: Option<&ScaledObject>,
) -> State {
    match scaled.map(|scaled| keda(scaled).paused) {
        Some(Paused::All) => return State::Paused(None),
        Some(Paused::At(replicas)) => return State::Paused(Some(replicas)),
        _ => {}
    }
    let Some(autoscaler) = autoscaler else {
        let source = model.sources.get(WATCH).map(|source| source.report.reason.clone());
        let told = source.filter(|reason| !reason.is_empty());
        let ready = scaled.filter(|scaled| is(&scaled.ready, Status::False));
        let told = told.or_else(|| ready.map(|scaled| scaled.ready.message.clone()));
        return State::NotSeen(
            told.unwrap_or_else(|| "there is no HorizontalPodAutoscaler yet".to_owned()),
        );
    };
    let (active, able) = (&autoscaler.scaling_active, &autoscaler.able_to_scale);
    if is(able, Status::False) {
        return State::Failing(able.reason.clone());
    }
    if is(active, Status::False) {
        return match active.reason.as_str() {
            "ScalingDisabled" => State::Disabled,
            reason => State::Failing(reason.to_owned()),
        };
    }
    if is(active, Status::Unknown) {
        return State::NotSeen("its controller has not looked at it yet".to_owned());
    }
    if let Some(scaled) = scaled.filter(|scaled| is(&scaled.falls_back, Status::True)) {
        return State::Fallback(scaled.fallback.as_ref().map(|fallback| fallback.replicas));
    }
    if is(&autoscaler.scaling_limited, Status::True) {
        return State::Limited(autoscaler.scaling_limited.reason.clone());
    }
    if able.reason.ends_with("Stabilized") {
        return State::Stabilized(able.reason.clone());
    }
    if autoscaler.current_replicas != autoscaler.desired_replicas {
        return State::Scaling;
    }
    State::Stable
}
