//! The numbers of a run, once, for all formats: `summary.json`, version 1.
//!
//! Times are milliseconds unless the name says otherwise; `None` is unknown and is written as
//! `null`, never as 0.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::event::cluster::Kind;
use crate::event::cluster::Name;
use crate::event::run::Client;
use crate::event::run::Executor;
use crate::event::run::Outcome;
use crate::event::scaler::Origin;
use crate::event::traffic::Limit;
use crate::model::Model;
use crate::model::findings::Open;
use crate::model::scaling::PanicState;
use crate::model::scaling::RevisionScaling;
use crate::model::scorecard::Scorecard;
use crate::model::sources::Health;
use crate::model::startup;
use crate::model::startup::Part;
use crate::model::traffic::Phase;
use crate::model::traffic::SplitTotals;
use crate::model::traffic::Totals;
use crate::model::traffic::knee;
use crate::scenario::check::Check;
use crate::scenario::check::Measure;
use crate::series::LatencyHistogram;
use crate::series::nearest_rank;
use crate::units::At;

/// The numbers of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Version of this schema.
    pub schema: u32,
    /// Name of the scenario, or of what was watched.
    pub name: String,
    /// The version of rampscope that recorded it.
    pub version: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it lasted.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// The load; `None` if none was sent.
    pub traffic: Option<TrafficSummary>,
    /// The autoscaler; `None` if there was no cluster, or nothing is known of a revision.
    pub scaling: Option<ScalingSummary>,
    /// The sources.
    pub sources: Vec<SourceSummary>,
    /// How well the scaling followed the load; `None` without a revision.
    pub scorecard: Option<ScorecardSummary>,
    /// What needed a look, open or not.
    pub findings: Vec<FindingSummary>,
    /// The scenario's checks.
    pub checks: Vec<CheckSummary>,
    /// Our own process; `None` in a record that was cut off.
    pub client: Option<ClientSummary>,
}

/// The load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrafficSummary {
    /// Requests that fell due.
    pub offered: u64,
    /// Requests that left.
    pub sent: u64,
    /// Requests that were answered or failed.
    pub completed: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that hit the in-flight cap and never left.
    pub dropped: u64,
    /// The most requests in flight.
    pub in_flight_max: u64,
    /// Requests offered a second.
    pub rate_offered: Option<f64>,
    /// Requests completed a second.
    pub rate_achieved: Option<f64>,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Answers by status code.
    pub status: BTreeMap<String, u64>,
    /// Calls of gRPC by status, as `14 UNAVAILABLE`; empty where none was made.
    pub grpc_status: BTreeMap<String, u64>,
    /// Whole messages of gRPC that came.
    pub messages_received: u64,
    /// Failures by class.
    pub errors: BTreeMap<String, u64>,
    /// Connections opened.
    pub connections_opened: u64,
    /// Seconds in which we ourselves were the bottleneck.
    pub client_limited_s: f64,
    /// The same by what we were short of, the longest first.
    pub client_limited: Vec<LimitSummary>,
    /// Where the target stopped to keep up; `None` where it did not, or where only one rate was
    /// tried.
    pub knee: Option<KneeSummary>,
    /// Whether what was in flight agrees with rate and latency; `None` without latencies.
    pub littles_law: Option<LittleSummary>,
    /// From the due time to the last byte, successes; `None` in a closed loop.
    pub response_time: Option<LatencySummary>,
    /// From the first byte written to the last byte read, successes.
    pub service_time: Option<LatencySummary>,
    /// The time that failures took.
    pub failure_time: Option<LatencySummary>,
    /// From the due time to the first byte written; `None` in a closed loop.
    pub send_lag: Option<LatencySummary>,
    /// What new connections took: `dns`, `connect`, `tls`, `send`, `wait`, `receive`, as far as
    /// they occurred.
    pub phases: BTreeMap<&'static str, LatencySummary>,
    /// The same requests by what differs between them: by dimension, by choice.
    pub splits: BTreeMap<String, BTreeMap<String, SplitSummary>>,
}

/// What became of the requests that made one choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitSummary {
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// From the first byte written to the last byte read, successes.
    pub service_time: LatencySummary,
    /// The time that failures took.
    pub failure_time: LatencySummary,
}

/// How long we ourselves were the bottleneck, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitSummary {
    /// What we were short of.
    pub limit: Limit,
    /// For how long.
    pub seconds: f64,
    /// What was said of it where most was to be sent, with the remedy.
    pub cause: String,
}

/// Where the target stopped to keep up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KneeSummary {
    /// Requests a second offered, from which on it did not.
    pub rate_offered: f64,
    /// Whether goodput fell behind there; else p99 was over three times that of low rates.
    pub falls_behind: bool,
}

/// Little's law over the whole run: in flight = rate × time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LittleSummary {
    /// The mean of the requests in flight, as seen at the end of each interval.
    pub in_flight: f64,
    /// Requests that ended a second, times how long they took.
    pub rate_times_latency: f64,
}

/// Latencies, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencySummary {
    /// How many.
    pub count: u64,
    /// The fastest.
    pub min: Option<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// Half were at most this.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 95 %.
    pub p95: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %.
    pub p999: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

/// The autoscaler, of the run's service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScalingSummary {
    /// The revisions that all of this is of, those that are gone included.
    pub revisions: Vec<String>,
    /// `kpa.autoscaling.knative.dev`, …
    pub class: Option<String>,
    /// The most pods that were ready at once.
    pub ready_max: Option<u32>,
    /// The most pods that were desired.
    pub desired_max: Option<u32>,
    /// Seconds of pods that were not gone.
    pub pod_seconds: Option<f64>,
    /// Pods that became ready while we looked.
    pub cold_starts: Option<u64>,
    /// From creation to Ready.
    pub cold_start: Option<ColdStartSummary>,
    /// How panic was known.
    pub panic_source: PanicSource,
    /// Each panic.
    pub panics: Option<Vec<PanicSummary>>,
    /// Seconds in panic.
    pub panic_s: Option<f64>,
}

/// Cold starts, and the parts that they are made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColdStartSummary {
    /// From creation to Ready.
    #[serde(flatten)]
    pub whole: LatencySummary,
    /// From one step to another.
    pub parts: Vec<ColdStartPart>,
}

/// The time between two steps of a start, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColdStartPart {
    /// The earlier step.
    pub from: &'static str,
    /// The later one.
    pub to: &'static str,
    /// Starts of which both ends came in while we watched.
    pub measured: u64,
    /// Starts of which an end is a stamp in whole seconds.
    pub stamped: u64,
    /// Starts of which an end is inferred.
    pub inferred: u64,
    /// Starts of which an end is not known; they are in no percentile.
    pub unknown: u64,
    /// Half took at most this.
    pub p50: Option<f64>,
    /// 95 %.
    pub p95: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

/// How well the scaling followed the load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScorecardSummary {
    /// From the first load that met no pod to the first pod ready.
    pub time_to_first_pod_s: Option<f64>,
    /// The longest time in which fewer pods were ready than desired.
    pub time_to_desired_s: Option<f64>,
    /// Ready pods at most beyond the needed ones at most, over the latter.
    pub overshoot: Option<f64>,
    /// Pods missing, times seconds.
    pub pod_seconds_short: Option<f64>,
    /// Pods that nothing needed, times seconds.
    pub pod_seconds_wasted: Option<f64>,
    /// How often desired rose again after it had fallen.
    pub oscillations: Option<u64>,
    /// Time in panic over the whole time.
    pub panic_share: Option<f64>,
    /// Requests that surely waited for a cold start, over all.
    pub cold_start_share_min: Option<f64>,
    /// Requests that may have waited for one, over all.
    pub cold_start_share_max: Option<f64>,
}

/// What needed a look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingSummary {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// The evidence.
    pub detail: String,
    /// The settings to look at.
    pub settings: &'static [&'static str],
    /// The revision that it is about.
    pub revision: Option<String>,
    /// Since when, in seconds since the run began.
    pub since_s: f64,
    /// Until when; `None` if it held to the end.
    pub until_s: Option<f64>,
}

/// How panic was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PanicSource {
    /// From the autoscaler's metrics.
    Metric,
    /// From a Prometheus server.
    Prometheus,
    /// From the autoscaler's log.
    Log,
    /// Computed by us.
    Derived,
    /// Not at all.
    Unknown,
}

/// One panic, in seconds since the run began.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PanicSummary {
    /// Its beginning.
    pub start_s: f64,
    /// Its end; `None` if it was not seen.
    pub end_s: Option<f64>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceSummary {
    /// Its name.
    pub name: String,
    /// `ok`, `stale`, `denied` or `absent`.
    pub state: &'static str,
    /// Answers that were understood.
    pub samples: u64,
    /// Failures.
    pub errors: u64,
    /// Samples that the bus had no room for are counted for the run, not by source.
    pub dropped: u64,
    /// Requests made.
    pub requests: u64,
    /// Bytes received.
    pub bytes: u64,
}

/// A check and whether it held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckSummary {
    /// As it was written.
    pub name: String,
    /// The unit of limit and value: `s`, `share`, `/s`, or empty for counts.
    pub unit: &'static str,
    /// The limit.
    pub limit: f64,
    /// The value; `None` without data.
    pub value: Option<f64>,
    /// Whether it held; without data it did not.
    pub pass: bool,
}

/// Our own process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientSummary {
    /// CPU seconds, user and system.
    pub cpu_s: f64,
    /// The same, a request, in microseconds; `None` without requests.
    pub cpu_us_per_request: Option<f64>,
    /// Largest resident set.
    pub rss_max_bytes: u64,
    /// Bytes written to the terminal.
    pub terminal_bytes: u64,
    /// Frames drawn.
    pub frames: u64,
    /// CPU seconds by what threads are for: `load`, `screen and loop`, `journal`, `collect`,
    /// `embedded cluster`, `other`.
    pub threads: BTreeMap<&'static str, f64>,
    /// CPU microseconds of the load's own threads a request; `None` without requests, and where
    /// the system does not tell.
    pub load_cpu_us_per_request: Option<f64>,
    /// How late a bare timer of ours rang, which sends nothing.
    pub timer_slip: Option<LatencySummary>,
    /// What the machine gave us; `None` where the system does not tell.
    pub health: HealthSummary,
}

/// What the machine gave us: each the most of any interval, as a share of it unless the name says
/// otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HealthSummary {
    /// That the busiest of the load's threads had a core.
    pub busiest_max: Option<f64>,
    /// That one of them was ready and waited for a core.
    pub run_queue_max: Option<f64>,
    /// Cores that the process may run on.
    pub cores: Option<u32>,
    /// The CPU quota of its control group, in cores.
    pub quota_cores: Option<f64>,
    /// The quota's periods that were cut short.
    pub throttled_max: Option<f64>,
    /// Descriptors in use.
    pub descriptors_max: Option<u64>,
    /// Descriptors that are allowed.
    pub descriptors_allowed: Option<u64>,
    /// Local ports in use toward the target.
    pub ports_max: Option<u64>,
    /// Local ports that there are.
    pub ports_allowed: Option<u64>,
}

// === impl Summary ===

impl Summary {
    /// The numbers of what `model` knows.
    pub fn of(model: &Model, checks: &[Check]) -> Self {
        let began = model.run.began.as_ref();
        let ended = model.run.ended.as_ref();
        let end = model.run.ended_at.unwrap_or(model.now);
        let scaling = ScalingSummary::of(model, end);
        let has_load = model.run.executor() != Executor::None;
        Self {
            schema: 1,
            name: began.map_or_else(String::new, |began| began.name.clone()),
            version: began.map_or_else(String::new, |began| began.version.clone()),
            started: model.run.anchor().wall(At::ZERO).to_string(),
            seconds: end.as_secs_f64(),
            // A record without an end was cut off.
            outcome: ended.map_or(Outcome::Lost, |ended| ended.outcome),
            traffic: has_load.then(|| TrafficSummary::of(model)),
            checks: checks.iter().map(|check| CheckSummary::of(check, model)).collect(),
            scorecard: Scorecard::of(model).map(|card| ScorecardSummary::of(&card)),
            findings: FindingSummary::all(model),
            scaling,
            sources: SourceSummary::all(model, end),
            client: ended
                .and_then(|ended| ended.client.as_ref())
                .map(|client| ClientSummary::of(client, &model.traffic.total)),
        }
    }

    /// Whether every check held.
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|check| check.pass)
    }
}

impl ClientSummary {
    fn of(client: &Client, total: &Totals) -> Self {
        let completed = count(total.completed());
        let known = &total.client;
        Self {
            cpu_s: client.cpu_s,
            cpu_us_per_request: ratio(client.cpu_s * 1e6, completed),
            rss_max_bytes: client.rss_max_bytes,
            terminal_bytes: client.terminal_bytes,
            frames: client.frames,
            threads: threads(client, known.load_cpu_s),
            load_cpu_us_per_request: known.load_cpu_s.and_then(|cpu| ratio(cpu * 1e6, completed)),
            timer_slip: known.timer_slip.as_ref().map(LatencySummary::of_histogram),
            health: HealthSummary {
                busiest_max: known.busiest,
                run_queue_max: known.run_queue,
                cores: known.cores,
                quota_cores: known.quota,
                throttled_max: known.throttled,
                descriptors_max: known.descriptors,
                descriptors_allowed: known.descriptors_max,
                ports_max: known.ports,
                ports_allowed: known.ports_max,
            },
        }
    }
}

/// CPU seconds by what threads are for; they add up to those of the process.
fn threads(client: &Client, load: Option<f64>) -> BTreeMap<&'static str, f64> {
    let mut threads = BTreeMap::new();
    if client.threads.is_empty() {
        return threads;
    }
    let mut rest = client.cpu_s;
    let mut add = |name: &'static str, cpu_s: f64| {
        *threads.entry(name).or_default() += cpu_s;
        rest -= cpu_s;
    };
    if let Some(load) = load {
        add("load", load);
    }
    for (name, cpu_s) in &client.threads {
        match name.as_str() {
            "main" | "terminal" => add("screen and loop", *cpu_s),
            "journal" => add("journal", *cpu_s),
            "collect" => add("collect", *cpu_s),
            "sim" => add("embedded cluster", *cpu_s),
            _ => {}
        }
    }
    // Above all threads that ended before.
    threads.insert("other", rest.max(0.0));
    threads
}

impl TrafficSummary {
    fn of(model: &Model) -> Self {
        let total: &Totals = &model.traffic.total;
        let is_open = model.run.executor() == Executor::Open;
        let latencies = &total.latencies;
        let summary = |histogram: &Option<LatencyHistogram>| {
            histogram.as_ref().map(LatencySummary::of_histogram)
        };
        Self {
            offered: total.offered,
            sent: total.sent,
            completed: total.completed(),
            succeeded: total.succeeded,
            failed: total.failed,
            dropped: total.dropped,
            in_flight_max: total.in_flight_max,
            rate_offered: total.per_second(total.offered),
            rate_achieved: total.per_second(total.completed()),
            bytes_sent: total.bytes_sent,
            bytes_received: total.bytes_received,
            status: total.status.iter().map(|(code, n)| (code.to_string(), *n)).collect(),
            grpc_status: total.grpc_status.clone(),
            messages_received: total.messages_received,
            errors: total.errors.clone(),
            connections_opened: total.connections_opened,
            client_limited_s: model.traffic.limited_s,
            client_limited: LimitSummary::all(model),
            knee: knee(model.traffic.knee.iter()).map(|knee| KneeSummary {
                rate_offered: knee.offered,
                falls_behind: knee.falls_behind,
            }),
            littles_law: total.little().map(|little| LittleSummary {
                in_flight: little.in_flight,
                rate_times_latency: little.reckoned,
            }),
            response_time: summary(&latencies.response_time).filter(|_| is_open),
            service_time: summary(&latencies.service_time),
            failure_time: summary(&latencies.failure_time),
            send_lag: summary(&latencies.send_lag).filter(|_| is_open),
            phases: Phase::ALL
                .into_iter()
                .zip(&total.phases)
                .filter(|(_, known)| !known.is_empty())
                .map(|(phase, known)| (phase.name(), LatencySummary::of_histogram(known)))
                .collect(),
            splits: splits(total),
        }
    }
}

fn splits(total: &Totals) -> BTreeMap<String, BTreeMap<String, SplitSummary>> {
    let split = |split: &SplitTotals| SplitSummary {
        succeeded: split.succeeded,
        failed: split.failed,
        service_time: LatencySummary::of_histogram(&split.service_time),
        failure_time: LatencySummary::of_histogram(&split.failure_time),
    };
    let of_dimension = |choices: &BTreeMap<String, SplitTotals>| {
        choices.iter().map(|(choice, it)| (choice.clone(), split(it))).collect()
    };
    total.splits.iter().map(|(name, choices)| (name.clone(), of_dimension(choices))).collect()
}

impl LimitSummary {
    fn all(model: &Model) -> Vec<Self> {
        let mut all: Vec<Self> = model
            .traffic
            .limits
            .iter()
            .map(|(limit, shortage)| Self {
                limit: *limit,
                seconds: shortage.seconds,
                cause: shortage.words.clone(),
            })
            .collect();
        all.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        all
    }
}

impl LatencySummary {
    /// Of a histogram.
    pub fn of_histogram(histogram: &LatencyHistogram) -> Self {
        let known = 0 < histogram.count();
        let millis = |value: Duration| known.then_some(value.as_secs_f64() * 1e3);
        Self {
            count: histogram.count(),
            min: millis(histogram.min()),
            mean: millis(histogram.mean()),
            p50: millis(histogram.quantile(0.5)),
            p90: millis(histogram.quantile(0.9)),
            p95: millis(histogram.quantile(0.95)),
            p99: millis(histogram.quantile(0.99)),
            p999: millis(histogram.quantile(0.999)),
            max: millis(histogram.max()),
        }
    }

    /// Of a few values, exactly.
    fn of_values(mut values: Vec<Duration>) -> Option<Self> {
        values.sort_unstable();
        let millis = |value: Duration| value.as_secs_f64() * 1e3;
        let sum: Duration = values.iter().sum();
        let at = |share| nearest_rank(&values, share).map(millis);
        Some(Self {
            count: values.len() as u64,
            min: values.first().copied().map(millis),
            mean: ratio(millis(sum), count(values.len() as u64)),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: values.last().copied().map(millis),
        })
        .filter(|summary| 0 < summary.count)
    }
}

impl ScalingSummary {
    fn of(model: &Model, end: At) -> Option<Self> {
        let revisions = model.measured_revisions();
        let known: Vec<&RevisionScaling> =
            revisions.iter().filter_map(|name| model.scaling.get(name)).collect();
        if known.is_empty() {
            return None;
        }
        let has_pods = model.cluster.is_listed(Kind::Pod);
        let cold: Vec<Duration> = model
            .cluster
            .cold_starts
            .iter()
            .filter(|start| revisions.contains(&start.revision))
            .map(|start| start.took)
            .collect();
        let panic_source = panic_source(model, &revisions, end);
        let knows_panic = panic_source != PanicSource::Unknown;
        let class = revisions
            .iter()
            .find_map(|name| model.cluster.autoscalers.get(name))
            .map(|autoscaler| autoscaler.class.clone());
        let mut panics: Vec<PanicSummary> = known
            .iter()
            .flat_map(|scaling| &scaling.panics)
            .map(|span| PanicSummary {
                start_s: span.began.as_secs_f64(),
                end_s: span.ended.map(At::as_secs_f64),
            })
            .collect();
        panics.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        let parts = startup::parts(model, &revisions);
        let revisions = revisions.iter().filter(|name| model.scaling.get(name).is_some());
        Some(Self {
            revisions: revisions.map(|name| name.name.clone()).collect(),
            class: class.filter(|class| !class.is_empty()),
            ready_max: model.most.ready,
            desired_max: model.most.desired,
            pod_seconds: has_pods
                .then(|| known.iter().map(|scaling| scaling.pod_seconds_at(end)).sum()),
            cold_starts: has_pods.then_some(cold.len() as u64),
            cold_start: LatencySummary::of_values(cold).map(|whole| ColdStartSummary {
                whole,
                parts: parts.iter().map(ColdStartPart::of).collect(),
            }),
            panic_source,
            panics: knows_panic.then_some(panics),
            panic_s: knows_panic
                .then(|| known.iter().map(|scaling| scaling.panic_seconds(end)).sum()),
        })
    }
}

impl ColdStartPart {
    fn of(part: &Part) -> Self {
        let at = |share| nearest_rank(&part.took, share).map(|took| took.as_secs_f64() * 1e3);
        Self {
            from: part.from.key(),
            to: part.to.key(),
            measured: part.n_received as u64,
            stamped: part.n_stamped as u64,
            inferred: part.n_inferred as u64,
            unknown: part.n_unknown as u64,
            p50: at(0.5),
            p95: at(0.95),
            max: at(1.0),
        }
    }
}

impl ScorecardSummary {
    fn of(card: &Scorecard) -> Self {
        Self {
            time_to_first_pod_s: card.time_to_first_pod_s,
            time_to_desired_s: card.time_to_desired_s,
            overshoot: card.overshoot,
            pod_seconds_short: card.pod_seconds_short,
            pod_seconds_wasted: card.pod_seconds_wasted,
            oscillations: card.oscillations,
            panic_share: card.panic_share,
            cold_start_share_min: card.cold_start_share.map(|(least, _)| least),
            cold_start_share_max: card.cold_start_share.map(|(_, most)| most),
        }
    }
}

impl FindingSummary {
    fn all(model: &Model) -> Vec<Self> {
        let past = model.findings.past().cloned();
        past.chain(model.findings.open()).map(|open| Self::of(&open)).collect()
    }

    fn of(open: &Open) -> Self {
        let finding = open.finding();
        Self {
            name: finding.key(),
            summary: finding.summary(),
            detail: open.detail(),
            settings: open.settings(),
            revision: open.revision.as_ref().map(|revision| revision.name.clone()),
            since_s: open.since.as_secs_f64(),
            until_s: open.until.map(At::as_secs_f64),
        }
    }
}

impl SourceSummary {
    fn all(model: &Model, end: At) -> Vec<Self> {
        let state = |health| match health {
            Health::Ok => "ok",
            Health::Denied => "denied",
            Health::Absent => "absent",
            Health::Connecting | Health::Failing | Health::Stale(_) => "stale",
        };
        model
            .sources
            .iter()
            .map(|source| Self {
                name: source.report.source.clone(),
                state: state(source.health(end)),
                samples: source.report.samples,
                errors: source.report.errors,
                dropped: 0,
                requests: source.report.requests,
                bytes: source.report.bytes,
            })
            .collect()
    }
}

impl CheckSummary {
    fn of(check: &Check, model: &Model) -> Self {
        let value = measure(check.what, model);
        Self {
            name: check.text.clone(),
            unit: match check.what {
                Measure::Latency(_)
                | Measure::ColdStart(_)
                | Measure::TimeToFirstPod
                | Measure::TimeToDesired => "s",
                Measure::Errors
                | Measure::Overshoot
                | Measure::PanicShare
                | Measure::ColdStartShare => "share",
                Measure::RateAchieved => "/s",
                Measure::ReadyMax
                | Measure::Panics
                | Measure::PodSecondsShort
                | Measure::PodSecondsWasted
                | Measure::Oscillations => "",
            },
            limit: check.limit,
            value,
            pass: check.judge(value),
        }
    }
}

/// The value of a measure in its unit; `None` without data.
fn measure(what: Measure, model: &Model) -> Option<f64> {
    let total = &model.traffic.total;
    let revisions = model.measured_revisions();
    let known = || revisions.iter().filter_map(|name| model.scaling.get(name));
    match what {
        Measure::Latency(share) => total
            .latencies
            .felt()
            .filter(|felt| 0 < felt.count())
            .map(|felt| felt.quantile(share).as_secs_f64()),
        Measure::ColdStart(share) => {
            let mut took: Vec<Duration> = model
                .cluster
                .cold_starts
                .iter()
                .filter(|start| revisions.contains(&start.revision))
                .map(|start| start.took)
                .collect();
            took.sort_unstable();
            nearest_rank(&took, share).map(|took| took.as_secs_f64())
        }
        Measure::Errors => total.error_share(),
        Measure::RateAchieved => {
            (0 < total.completed()).then(|| total.per_second(total.completed())).flatten()
        }
        Measure::ReadyMax => model.most.ready.map(f64::from),
        Measure::Panics => {
            let end = model.run.ended_at.unwrap_or(model.now);
            (panic_source(model, &revisions, end) != PanicSource::Unknown)
                .then(|| count(known().map(|scaling| scaling.panics.len() as u64).sum()))
        }
        Measure::TimeToFirstPod
        | Measure::TimeToDesired
        | Measure::Overshoot
        | Measure::PodSecondsShort
        | Measure::PodSecondsWasted
        | Measure::Oscillations
        | Measure::PanicShare
        | Measure::ColdStartShare => scored(what, &Scorecard::of(model)?),
    }
}

/// What the scorecard says of a measure.
fn scored(what: Measure, card: &Scorecard) -> Option<f64> {
    match what {
        Measure::TimeToFirstPod => card.time_to_first_pod_s,
        Measure::TimeToDesired => card.time_to_desired_s,
        Measure::Overshoot => card.overshoot,
        Measure::PodSecondsShort => card.pod_seconds_short,
        Measure::PodSecondsWasted => card.pod_seconds_wasted,
        Measure::Oscillations => card.oscillations.map(count),
        Measure::PanicShare => card.panic_share,
        // What is promised to be rare must be so even if all that may have waited did.
        Measure::ColdStartShare => card.cold_start_share.map(|(_, most)| most),
        Measure::Latency(_)
        | Measure::ColdStart(_)
        | Measure::Errors
        | Measure::RateAchieved
        | Measure::ReadyMax
        | Measure::Panics => None,
    }
}

fn panic_source(model: &Model, revisions: &[Name], end: At) -> PanicSource {
    let now = revisions.iter().find_map(|name| match model.scaling.panic_state(name, end) {
        PanicState::Stable { origin } | PanicState::Panic { origin, .. } => Some(origin),
        PanicState::Unknown(_) => None,
    });
    let before = || {
        let scalings = revisions.iter().filter_map(|name| model.scaling.get(name));
        scalings.flat_map(|scaling| &scaling.panics).map(|span| span.origin).next_back()
    };
    match now.or_else(before) {
        Some(Origin::Metric) => PanicSource::Metric,
        Some(Origin::Prometheus) => PanicSource::Prometheus,
        Some(Origin::Log) => PanicSource::Log,
        Some(Origin::Derived) => PanicSource::Derived,
        None => PanicSource::Unknown,
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (0.0 < whole).then(|| part / whole)
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
const fn count(n: u64) -> f64 {
    n as f64
}
