//! Every value of a moment with its unit, its source and its age, for a file.
//!
//! They are those of [`Moment`], which the panels draw. What stands here beside them is where each
//! comes from: a value without its source cannot be checked.

use std::time::Duration;

use crate::event::scaler::Origin;
use crate::model::Model;
use crate::model::cluster::PodLife;
use crate::model::cluster::PodState;
use crate::model::scaling::RevisionScaling;
use crate::series::Series;
use crate::units::At;

use super::hpa::Hpa;
use super::moment::Moment;
use super::moment::Panic;

/// One value with its name, unit and source.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Its name, as `pods.ready`.
    pub name: &'static str,
    /// The value; `None` is not known.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: &'static str,
    /// The source that it comes from, as the sources are called; empty where nobody knows.
    pub source: &'static str,
    /// How long ago it came; of what is watched, how long ago it last changed. `None` is not known.
    pub age: Option<Duration>,
    /// The span that ends there and that it was taken over; `None` where it is of one moment, or
    /// over what its name says.
    pub span: Option<Duration>,
}

/// What a row of the table of pods says, for a file.
#[derive(Debug, Clone, PartialEq)]
pub struct PodValues<'a> {
    /// The pod's name.
    pub name: &'a str,
    /// `ready`, `starting`, `terminating` or `finished`.
    pub state: &'static str,
    /// How long ago it was created.
    pub age: Option<Duration>,
    /// Mean requests in flight, as its queue-proxy said.
    pub concurrency: Option<f64>,
    /// Requests a second, as its queue-proxy said.
    pub rps: Option<f64>,
    /// How long ago it said so.
    pub stat_age: Option<Duration>,
    /// CPU in thousandths of a core.
    pub cpu_millicores: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// How long ago the window of these two ended.
    pub usage_age: Option<Duration>,
}

const LOAD: &str = "load";
const METRICS: &str = "autoscaler metrics";
const PODS: &str = "watch pods";

fn value(
    (name, unit): (&'static str, &'static str),
    source: &'static str,
    value: Option<f64>,
    age: Option<Duration>,
) -> Value {
    Value { name, value, unit, source, age, span: None }
}

/// Every value of the panels.
pub fn of(model: &Model, moment: &Moment) -> Vec<Value> {
    let mut values = load(model, moment);
    let scaling = moment.revision.as_ref().and_then(|revision| model.scaling.get(revision));
    values.extend(pods(moment, scaling));
    values.extend(autoscaler(moment, scaling));
    values.extend(moment.hpa.as_ref().map(horizontal).into_iter().flatten());
    values
}

fn load(model: &Model, moment: &Moment) -> Vec<Value> {
    let (load, traffic) = (&moment.load, &model.traffic);
    let age = if moment.is_present {
        traffic.last.as_ref().map(|last| moment.at.since(last.began + last.lasted))
    } else {
        traffic.target.since(moment.at).map(|came| moment.at.since(came))
    };
    let over = |span: Option<Duration>, values: &[(&'static str, &'static str, Option<f64>)]| {
        let values = values.iter().map(|(name, unit, it)| value((name, unit), LOAD, *it, age));
        values.map(|value| Value { span, ..value }).collect::<Vec<_>>()
    };
    let now = [
        ("load.target", "1/s or users", load.target),
        ("load.in_flight", "requests", load.in_flight),
        ("load.errors_total", "share", load.errors_total),
    ];
    let lately = [
        ("load.offered", "1/s", load.offered),
        ("load.sent", "1/s", load.sent),
        ("load.done", "1/s", load.done),
        ("load.failed", "1/s", load.failed),
        ("load.dropped", "1/s", load.dropped),
        ("load.p50", "s", load.p50),
        ("load.p99", "s", load.p99),
        ("load.max", "s", load.max),
        ("load.errors", "share", load.errors),
        ("load.send_lag_p99", "s", load.lag_p99),
    ];
    [over(None, &now), over(load.span, &lately)].concat()
}

fn pods(moment: &Moment, scaling: Option<&RevisionScaling>) -> Vec<Value> {
    let pods = &moment.pods;
    let changed = |series: fn(&RevisionScaling) -> &Series| {
        Some(moment.at.since(series(scaling?).since(moment.at)?))
    };
    #[expect(clippy::cast_precision_loss, reason = "2^52 bytes are enough")]
    let memory = pods.memory.map(|bytes| bytes.0 as f64);
    #[expect(clippy::cast_precision_loss, reason = "cold starts are few")]
    let n_cold_starts = pods.n_cold_starts as f64;
    let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
    let usage_age = pods.usage_age.or_else(|| changed(|it| &it.cpu));
    vec![
        value(("pods.ready", "pods"), PODS, pods.ready, changed(|it| &it.ready)),
        value(("pods.starting", "pods"), PODS, pods.starting, changed(|it| &it.starting)),
        value(("pods.terminating", "pods"), PODS, pods.terminating, changed(|it| &it.terminating)),
        value(
            ("pods.desired", "pods"),
            "watch podautoscalers",
            pods.desired,
            changed(|it| &it.desired),
        ),
        value(
            ("pods.max_scale", "pods"),
            "watch podautoscalers",
            pods.max_scale.map(f64::from),
            None,
        ),
        value(("pods.cpu", "cores"), "metrics.k8s.io", pods.cpu, usage_age),
        value(("pods.memory", "bytes"), "metrics.k8s.io", memory, usage_age),
        value(("pods.cold_starts", "pods"), PODS, Some(n_cold_starts), None),
        value(("pods.cold_start", "s"), PODS, seconds(pods.cold_start), None),
        value(("pods.cold_start_p95", "s"), PODS, seconds(pods.cold_start_p95), None),
    ]
}

fn autoscaler(moment: &Moment, scaling: Option<&RevisionScaling>) -> Vec<Value> {
    let scaler = &moment.scaler;
    let came = |series: fn(&RevisionScaling) -> &Series| {
        Some(moment.at.since(series(scaling?).since(moment.at)?))
    };
    let read = scaler.age.or_else(|| came(|it| &it.wanted));
    let told = scaling.and_then(|scaling| scaling.reading.as_ref()).map(|reading| reading.origin);
    let told = if scaler.is_derived { Origin::Derived } else { told.unwrap_or_default() };
    let told = source(told);
    let reading = |name, unit, it: Option<f64>| value((name, unit), told, it, it.and(read));
    let metric = scaler.metric.name();
    let (panics, since, source) = match scaler.panic {
        Panic::On { origin, since, .. } => (Some(1.0), Some(since), source(origin)),
        Panic::Stable { origin, since } => (Some(0.0), since, source(origin)),
        Panic::Unknown(_) => (None, None, ""),
    };
    let lasts = since.map(|since| moment.at.since(since));
    let known = if source == told { read } else { lasts };
    let leaves = match scaler.panic {
        Panic::On { leaves, .. } => leaves.map(|leaves| leaves.since(moment.at).as_secs_f64()),
        _ => None,
    };
    vec![
        value(("autoscaler.panic", "0 or 1"), source, panics, panics.and(known)),
        value(
            ("autoscaler.state_lasts", "s"),
            source,
            lasts.map(|lasts| lasts.as_secs_f64()),
            known,
        ),
        value(("autoscaler.panic_leaves_in", "s"), source, leaves, leaves.and(known)),
        reading("autoscaler.panic_average", metric, scaler.panic_average),
        reading("autoscaler.stable_average", metric, scaler.stable_average),
        reading("autoscaler.target", metric, scaler.target),
        // Of the past only the watch knows.
        if moment.is_present {
            reading("autoscaler.ready", "pods", scaler.ready)
        } else {
            value(("autoscaler.ready", "pods"), PODS, scaler.ready, came(|it| &it.ready))
        },
        reading("autoscaler.wanted", "pods", scaler.wanted),
        reading("autoscaler.held_max", "pods", scaler.held_max.map(f64::from)),
        reading("autoscaler.panic_begins_above", metric, scaler.enters),
        value(
            ("autoscaler.panic_threshold", "times ready"),
            "watch configmaps, watch podautoscalers",
            scaler.threshold,
            None,
        ),
        reading("autoscaler.excess_burst_capacity", "requests", scaler.ebc),
        value(
            ("autoscaler.via_activator", "0 or 1"),
            "watch serverlessservices",
            scaler.via_activator.map(|via| f64::from(u8::from(via))),
            came(|it| &it.via_activator),
        ),
        value(
            ("activator.concurrency", "requests"),
            "activator metrics",
            scaler.in_activator,
            scaler.in_activator.and(came(|it| &it.activator)),
        ),
    ]
}

/// What a `HorizontalPodAutoscaler` is at.
fn horizontal(hpa: &Hpa) -> Vec<Value> {
    const HPAS: &str = "watch horizontalpodautoscalers";
    let whole = |name, it: Option<u32>| value((name, "pods"), HPAS, it.map(f64::from), None);
    let seconds = hpa.held.map(|held| held.as_secs_f64());
    let ratio = hpa.leader().and_then(|row| row.proposal).map(|proposal| proposal.ratio);
    vec![
        whole("hpa.min", hpa.min),
        whole("hpa.max", hpa.max),
        value(("hpa.current", "pods"), HPAS, hpa.current, None),
        value(("hpa.desired", "pods"), HPAS, hpa.desired, None),
        whole("hpa.wanted", hpa.wanted),
        value(("hpa.ratio", "times target"), HPAS, ratio, None),
        value(("hpa.held_for_at_most", "s"), HPAS, seconds, None),
    ]
}

/// The name of the source behind an origin.
const fn source(origin: Origin) -> &'static str {
    match origin {
        Origin::Metric => METRICS,
        Origin::Prometheus => "prometheus",
        Origin::Log => "autoscaler log",
        Origin::Derived => "derived",
    }
}

/// The values of a pod at a moment.
pub fn of_pod<'a>(model: &Model, at: At, pod: (&'a PodLife, PodState)) -> PodValues<'a> {
    let (life, state) = pod;
    let anchor = model.run.anchor();
    let stat = life.stat_at(at);
    let usage = life.usage_at(at, anchor);
    PodValues {
        name: &life.pod.id.name,
        state: match state {
            PodState::Ready => "ready",
            PodState::Starting => "starting",
            PodState::Terminating => "terminating",
            PodState::Finished => "finished",
        },
        age: life.pod.age(at, anchor),
        concurrency: stat.map(|stat| stat.concurrency),
        rps: stat.map(|stat| stat.rps),
        stat_age: stat.map(|stat| at.since(stat.read)),
        cpu_millicores: usage.map(|(cpu, _, _)| cpu.0),
        memory_bytes: usage.map(|(_, memory, _)| memory.0),
        usage_age: usage.map(|(_, _, age)| age),
    }
}
