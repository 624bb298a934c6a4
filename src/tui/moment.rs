//! The values of one moment: what the panels show, taken out of the model in one place.
//!
//! At present they are the newest; under the cursor, or in a frozen view that the model has moved
//! on from, they are what the series held then. A snapshot writes the same values that the panels
//! draw, since both take them from here.

use std::time::Duration;

use crate::event::cluster::Name;
use crate::event::run::Executor;
use crate::event::scaler::Origin;
use crate::event::source::State;
use crate::kpa::config::Metric;
use crate::kpa::decide::panic_line;
use crate::model::Model;
use crate::model::WATCH_PODS;
use crate::model::scaling::FRESH;
use crate::model::scaling::Ignorance;
use crate::model::scaling::PanicState;
use crate::model::scaling::RevisionScaling;
use crate::model::scaling::averages;
use crate::model::shadow::Tick;
use crate::series::LatencyHistogram;
use crate::series::nearest_rank;
use crate::units::At;
use crate::units::Bytes;
use crate::units::Millicores;

use super::hpa::Hpa;
use super::ui::Ui;

/// How long a value of the load counts after its interval began.
pub const LOAD_HOLD: Duration = Duration::from_secs(3);
/// Rates and percentiles of the present are those of this span.
const PRESENT: Duration = Duration::from_secs(1);

/// The values of one moment. `None` is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// When.
    pub at: At,
    /// Whether it is the present.
    pub is_present: bool,
    /// The revision looked at.
    pub revision: Option<Name>,
    /// The load.
    pub load: Load,
    /// The pods.
    pub pods: Pods,
    /// The autoscaler.
    pub scaler: Scaler,
    /// What stands in its place where a `HorizontalPodAutoscaler` decides.
    pub hpa: Option<Hpa>,
}

/// The load of a moment; rates a second, latencies in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// Requests a second, or users, asked for.
    pub target: Option<f64>,
    /// Requests that fell due.
    pub offered: Option<f64>,
    /// Requests that left.
    pub sent: Option<f64>,
    /// Requests that succeeded.
    pub done: Option<f64>,
    /// Requests that failed.
    pub failed: Option<f64>,
    /// Requests that never left.
    pub dropped: Option<f64>,
    /// Requests in flight.
    pub in_flight: Option<f64>,
    /// Half of the successes were faster.
    pub p50: Option<f64>,
    /// All but one in a hundred were faster.
    pub p99: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
    /// Failed and dropped over offered.
    pub errors: Option<f64>,
    /// The same over the whole run.
    pub errors_total: Option<f64>,
    /// Send lag, 99 %.
    pub lag_p99: Option<f64>,
    /// The span that rates and percentiles are taken over; `None`: of the past, an interval.
    pub span: Option<Duration>,
    /// Why we ourselves are the bottleneck, if we are.
    pub limited: Option<String>,
    /// Whether the load is paused.
    pub is_paused: bool,
    /// Whether the plan's profile waits while somebody holds the load.
    pub waits: bool,
}

/// The pods of a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pods {
    /// Serving.
    pub ready: Option<f64>,
    /// Wished for.
    pub desired: Option<f64>,
    /// On their way.
    pub starting: Option<f64>,
    /// On their way out.
    pub terminating: Option<f64>,
    /// `max-scale`, if there is a bound.
    pub max_scale: Option<u32>,
    /// Whether the bounds are known, so that no bound is none.
    pub is_max_known: bool,
    /// CPU of all pods with a sample, in cores.
    pub cpu: Option<f64>,
    /// Memory of all pods with a sample.
    pub memory: Option<Bytes>,
    /// Age of the oldest of these samples.
    pub usage_age: Option<Duration>,
    /// The newest cold start.
    pub cold_start: Option<Duration>,
    /// 95 % of the cold starts.
    pub cold_start_p95: Option<Duration>,
    /// How many cold starts there were.
    pub n_cold_starts: usize,
}

/// The autoscaler of a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaler {
    /// Whether it panics.
    pub panic: Panic,
    /// What is measured.
    pub metric: Metric,
    /// Average over the panic window.
    pub panic_average: Option<f64>,
    /// Average over the stable window.
    pub stable_average: Option<f64>,
    /// What a pod is to bear.
    pub target: Option<f64>,
    /// Ready pods as the autoscaler counts them.
    pub ready: Option<f64>,
    /// Wanted before bounds.
    pub wanted: Option<f64>,
    /// The panic threshold: wanted pods over ready ones.
    pub threshold: Option<f64>,
    /// The panic average above which panic begins.
    pub enters: Option<f64>,
    /// The most wanted in the present panic.
    pub held_max: Option<u32>,
    /// Excess burst capacity.
    pub ebc: Option<f64>,
    /// Whether the activator is in the path.
    pub via_activator: Option<bool>,
    /// Requests in the activators.
    pub in_activator: Option<f64>,
    /// Age of the reading; `None` if there is none.
    pub age: Option<Duration>,
    /// From which age on it is stale.
    pub fresh: Duration,
    /// Whether the averages are those of our own model, since the autoscaler's cannot be read.
    pub is_derived: bool,
    /// The autoscaler's class, as `kpa`; empty if it is not known.
    pub class: String,
}

/// Whether it panics, for the one word.
#[derive(Debug, Clone, PartialEq)]
pub enum Panic {
    /// It does not; since when, where that was seen.
    Stable {
        /// How we know.
        origin: Origin,
        /// When the last panic ended.
        since: Option<At>,
    },
    /// It does.
    On {
        /// How we know.
        origin: Origin,
        /// Since when.
        since: At,
        /// Whether it is older than that.
        was_on: bool,
        /// When it can end at the earliest.
        leaves: Option<At>,
    },
    /// Nobody can say: the reason.
    Unknown(String),
}

// === impl Moment ===

impl Moment {
    /// The values at the moment that is looked at.
    pub fn of(model: &Model, ui: &Ui) -> Self {
        let at = ui.moment();
        // A frozen view is present while the model has not moved on.
        let is_present = ui.cursor().is_none() && model.now <= at;
        let revision = ui.revision(model);
        let scaling = revision.as_ref().and_then(|revision| model.scaling.get(revision));
        let load = if is_present { present_load(model) } else { past_load(model, at) };
        let pods = pods(model, (at, is_present), revision.as_ref(), scaling);
        let scaler = scaler(model, (at, is_present), revision.as_ref(), scaling);
        let hpa = revision.as_ref().and_then(|it| Hpa::of(model, (at, is_present), it));
        let mut pods = pods;
        if let Some(hpa) = &hpa {
            // As many as a number can say is no bound.
            pods.max_scale = hpa.max.filter(|max| *max < i32::MAX.unsigned_abs());
            pods.is_max_known = hpa.max.is_some();
        }
        Self { at, is_present, revision, load, pods, scaler, hpa }
    }
}

#[expect(clippy::cast_precision_loss, reason = "requests in flight are few")]
fn present_load(model: &Model) -> Load {
    let traffic = &model.traffic;
    let Some(last) = &traffic.last else { return Load::default() };
    // A load that ended some time ago is not the present one.
    if LOAD_HOLD + last.lasted < model.now.since(last.began) {
        return Load { errors_total: traffic.total.error_share(), ..Load::default() };
    }
    let totals = traffic.window(PRESENT).unwrap_or_default();
    let felt = totals.latencies.felt().filter(|felt| !felt.is_empty());
    let quantile = |q| felt.map(|felt: &LatencyHistogram| felt.quantile(q).as_secs_f64());
    let lag = totals.latencies.send_lag.as_ref().filter(|lag| !lag.is_empty());
    Load {
        target: Some(last.target),
        offered: totals.per_second(totals.offered),
        sent: totals.per_second(totals.sent),
        done: totals.per_second(totals.succeeded),
        failed: totals.per_second(totals.failed),
        dropped: totals.per_second(totals.dropped),
        in_flight: Some(last.in_flight as f64),
        p50: quantile(0.5),
        p99: quantile(0.99),
        max: felt.map(|felt| felt.max().as_secs_f64()),
        errors: totals.error_share(),
        errors_total: traffic.total.error_share(),
        lag_p99: lag.map(|lag| lag.quantile(0.99).as_secs_f64()),
        span: Some(totals.lasted),
        limited: traffic.limited_now().map(str::to_owned),
        is_paused: last.paused,
        waits: last.profile_waits,
    }
}

fn past_load(model: &Model, at: At) -> Load {
    let traffic = &model.traffic;
    let hold = Some(LOAD_HOLD);
    let offered = traffic.offered.at(at, hold);
    let lost = traffic.failed.at(at, hold).zip(traffic.dropped.at(at, hold));
    let limited = traffic.limited.iter().rev().find(|it| it.began <= at && at < it.ended);
    Load {
        target: traffic.target.at(at, hold),
        offered,
        sent: traffic.sent.at(at, hold),
        done: traffic.done.at(at, hold),
        failed: traffic.failed.at(at, hold),
        dropped: traffic.dropped.at(at, hold),
        in_flight: traffic.in_flight.at(at, hold),
        p50: traffic.p50.at(at, hold),
        p99: traffic.p99.at(at, hold),
        max: traffic.max.at(at, hold),
        errors: offered
            .filter(|offered| 0.0 < *offered)
            .zip(lost)
            .map(|(offered, (failed, dropped))| (failed + dropped) / offered),
        // Of the run so far only the present sum is kept.
        errors_total: None,
        lag_p99: traffic.lag.p99.at(at, hold),
        span: None,
        limited: limited.map(|it| it.cause.clone()),
        is_paused: false,
        waits: false,
    }
}

fn pods(
    model: &Model,
    (at, is_present): (At, bool),
    revision: Option<&Name>,
    scaling: Option<&RevisionScaling>,
) -> Pods {
    let (Some(revision), Some(scaling)) = (revision, scaling) else { return Pods::default() };
    let anchor = model.run.anchor();
    let mut usage: Option<(Millicores, Bytes, Duration)> = None;
    let lives = model.cluster.pods_at(revision, at);
    for (cpu, memory, age) in lives.into_iter().filter_map(|life| life.usage_at(at, anchor)) {
        let (all_cpu, all_memory, oldest) = usage.unwrap_or_default();
        usage = Some((all_cpu + cpu, all_memory + memory, oldest.max(age)));
    }
    let mut cold_starts: Vec<Duration> = model
        .cluster
        .cold_starts
        .iter()
        .filter(|start| start.revision == *revision && start.ready <= at)
        .map(|start| start.took)
        .collect();
    let newest = cold_starts.last().copied();
    cold_starts.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "cores")]
    let cpu = usage.map(|(cpu, _, _)| cpu.0 as f64 / 1000.0);
    Pods {
        ready: scaling.ready.at(at, None),
        desired: scaling.desired.at(at, None),
        starting: scaling.starting.at(at, None),
        terminating: scaling.terminating.at(at, None),
        max_scale: scaling.config.as_ref().and_then(|config| config.config.max_scale),
        is_max_known: scaling.config.is_some(),
        cpu: cpu.or_else(|| if is_present { None } else { scaling.cpu.at(at, None) }),
        memory: usage.map(|(_, memory, _)| memory),
        usage_age: usage.map(|(_, _, age)| age),
        cold_start: newest,
        cold_start_p95: nearest_rank(&cold_starts, 0.95),
        n_cold_starts: cold_starts.len(),
    }
}

fn scaler(
    model: &Model,
    (at, is_present): (At, bool),
    revision: Option<&Name>,
    scaling: Option<&RevisionScaling>,
) -> Scaler {
    let class = revision
        .and_then(|revision| model.cluster.autoscalers.get(revision))
        .map(|it| it.class.split('.').next().unwrap_or_default().to_owned())
        .unwrap_or_default();
    let mut values = Scaler {
        panic: panic_at(model, (at, is_present), revision),
        metric: Metric::default(),
        panic_average: None,
        stable_average: None,
        target: None,
        ready: None,
        wanted: None,
        threshold: None,
        enters: None,
        held_max: None,
        ebc: None,
        via_activator: None,
        in_activator: None,
        age: None,
        fresh: scaling.map(RevisionScaling::fresh_for).unwrap_or_default(),
        is_derived: false,
        class,
    };
    let Some(scaling) = scaling else { return values };
    values.threshold = scaling.config.as_ref().map(|config| config.config.panic_threshold);
    values.via_activator = scaling.via_activator.at(at, None).map(|it| 0.0 < it);
    let fresh = scaling.fresh_for();
    values.in_activator = scaling.activator.at(at, Some(fresh));
    if let Some(reading) = &scaling.reading {
        let known = averages(reading);
        // An autoscaler that has not decided yet exports a target of 0, which is none.
        (values.metric, values.target) = (known.metric, known.target.filter(|it| 0.0 < *it));
        if is_present {
            values.age = Some(at.since(reading.read));
            values.ready = reading.actual;
            values.held_max = scaling.held_max;
        }
    }
    let hold = if is_present { None } else { Some(fresh) };
    values.panic_average = scaling.panic.at(at, hold);
    values.stable_average = scaling.stable.at(at, hold);
    values.wanted = scaling.wanted.at(at, hold);
    values.enters = scaling.enters.at(at, hold);
    values.ebc = scaling.excess_burst_capacity.at(at, hold);
    if !is_present {
        values.ready = scaling.ready.at(at, None);
        let panic = scaling.panic_at(at, model.now);
        values.held_max = panic.and_then(|panic| scaling.held_at(panic, at));
    }
    if values.panic_average.is_none() && values.stable_average.is_none() {
        derive(&mut values, scaling, at);
    }
    values
}

/// In place of averages that cannot be read those of our own model of the decider.
fn derive(values: &mut Scaler, scaling: &RevisionScaling, at: At) {
    let Some((tick, steps)) = derived(scaling, at).and_then(|it| Some((it, it.decision.steps?)))
    else {
        return;
    };
    let config = tick.config();
    values.is_derived = true;
    values.metric = config.metric;
    values.panic_average = Some(steps.observed.panic);
    values.stable_average = Some(steps.observed.stable);
    values.target = Some(steps.target);
    values.ready = Some(tick.decision.ready.into());
    values.wanted = Some(steps.desired.into());
    values.threshold = Some(config.panic_threshold);
    let line = panic_line(config.panic_threshold, steps.target, tick.decision.ready);
    values.enters = Some(line.above);
    values.held_max = tick.decision.panicking().then_some(tick.decision.max_panic_pods);
    values.age = Some(at.since(tick.at()));
}

/// The tick of our own model that stands for a moment: a fresh one, made of all that it needs.
pub fn derived(scaling: &RevisionScaling, at: At) -> Option<&Tick> {
    let tick = scaling.shadow.as_deref()?.tick_at(at)?;
    let is_fresh = at.since(tick.at()) < FRESH && tick.input.is_whole;
    (is_fresh && tick.decision.valid()).then_some(tick)
}

/// Whether a revision panics, or did at that moment.
pub fn panic_at(model: &Model, (at, is_present): (At, bool), revision: Option<&Name>) -> Panic {
    let known = revision.and_then(|revision| Some((revision, model.scaling.get(revision)?)));
    let Some((revision, scaling)) = known else {
        return Panic::Unknown("nothing heard yet".to_owned());
    };
    if is_present {
        return match model.scaling.panic_state(revision, at) {
            PanicState::Stable { origin } => {
                let since = scaling.panics.back().and_then(|span| span.ended);
                Panic::Stable { origin, since }
            }
            PanicState::Panic { origin, since, was_on, leaves } => {
                Panic::On { origin, since, was_on, leaves }
            }
            PanicState::Unknown(ignorance) => Panic::Unknown(reason(model, &ignorance)),
        };
    }
    if let Some(span) = scaling.panic_at(at, model.now) {
        let (origin, since, was_on) = (span.origin, span.began, span.was_on);
        return Panic::On { origin, since, was_on, leaves: scaling.leaves_at(span, at) };
    }
    if scaling.wanted.at(at, Some(scaling.fresh_for())).is_some() {
        let since = scaling.panics.iter().rev().find_map(|span| span.ended.filter(|it| *it <= at));
        let origin = scaling.reading.as_ref().map(|reading| reading.origin).unwrap_or_default();
        return Panic::Stable { origin, since };
    }
    Panic::Unknown("not seen at that moment".to_owned())
}

/// Why nobody can say, in the words of the source that should.
fn reason(model: &Model, ignorance: &Ignorance) -> String {
    let pods = model.sources.get(WATCH_PODS);
    if pods.is_some_and(|it| it.report.state == State::Failing) {
        return "the cluster does not answer".to_owned();
    }
    let source = model.sources.iter().find(|it| it.report.source.contains("autoscaler"));
    let why = source.map(|it| it.report.reason.as_str()).filter(|why| !why.is_empty());
    match (ignorance, why) {
        (_, Some(why)) => why.to_owned(),
        (Ignorance::NotHeard, None) => "no word of the autoscaler yet".to_owned(),
        (Ignorance::Stale(age), None) => {
            format!("last heard {} ago", super::text::span(*age))
        }
        (Ignorance::NoLineYet, None) => "no metric, and no log line about panic yet".to_owned(),
    }
}

/// How far the present stage has come: where the profile says so, else by the clock.
pub fn in_stage(model: &Model, now: At) -> Option<Duration> {
    let (began, stage) = (model.run.began.as_ref()?, model.run.stage.as_ref()?);
    let Some(profile_at) = model.traffic.last.as_ref().and_then(|last| last.profile_at) else {
        return Some(now.since(stage.at));
    };
    let n_before = usize::try_from(stage.index).unwrap_or(usize::MAX);
    let before: Duration = began.stages.iter().take(n_before).map(|it| it.lasts).sum();
    Some(profile_at.saturating_sub(before))
}

/// Whether amounts of load are users.
pub fn is_closed(model: &Model) -> bool {
    model.run.executor() == Executor::Closed
}

/// Whether load is sent in this run.
pub fn has_load(model: &Model) -> bool {
    model.run.executor() != Executor::None || model.traffic.last.is_some()
}
