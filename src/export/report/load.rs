//! What was sent and what became of it, and whether the generator can be believed.

use std::fmt::Write as _;
use std::time::Duration;

use crate::event::run::Began;
use crate::event::run::Executor;
use crate::event::run::PlannedStage;
use crate::export::summary::LatencySummary;
use crate::export::summary::Summary;
use crate::export::summary::TrafficSummary;
use crate::model::Model;
use crate::model::traffic::Phase;
use crate::model::traffic::Timing;
use crate::scenario::amount::SPAN_MAX;
use crate::series::LatencyHistogram;

use super::Detail;
use super::write::bytes;
use super::write::count;
use super::write::line;
use super::write::millis;
use super::write::or_unknown;
use super::write::percent;
use super::write::rate;
use super::write::row;
use super::write::seconds;

/// Rows of the latency histogram.
const ROWS: u32 = 11;
/// Width of its longest bar, in cells.
const BAR: usize = 44;
/// The shares of the spectrum.
const SPECTRUM: [f64; 18] = [
    0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99995,
    0.99999, 0.999_995, 0.999_999,
];

/// The requests, their latencies, codes and errors.
pub(super) fn load(text: &mut String, traffic: &TrafficSummary, model: &Model, detail: Detail) {
    asked(text, model);
    requests(text, traffic, model);
    latencies(text, traffic, model);
    let latencies = &model.traffic.total.latencies;
    if let Some(felt) = latencies.felt().filter(|felt| 0 < felt.count()) {
        let is_open = latencies.response_time.is_some();
        let name = if is_open { Timing::ResponseTime } else { Timing::ServiceTime };
        histogram(text, name.name(), felt);
        if detail == Detail::Spectrum {
            spectrum(text, model);
        }
    }
    phases(text, traffic);
    choices(text, traffic);
    answers(text, traffic);
}

/// What new connections took.
fn phases(text: &mut String, traffic: &TrafficSummary) {
    const TITLES: [&str; 5] = ["p50", "p90", "p99", "max", "count"];
    if traffic.phases.is_empty() {
        return;
    }
    line(text, "\nnew connections");
    row(text, "", TITLES.map(str::to_owned));
    // In the order in which they come.
    for (name, it) in Phase::ALL.iter().filter_map(|it| traffic.phases.get_key_value(it.name())) {
        let values = [it.p50, it.p90, it.p99, it.max].map(|value| or_unknown(value, millis));
        row(text, name, values.into_iter().chain([count(it.count)]));
    }
}

/// The same requests by what differs between them.
fn choices(text: &mut String, traffic: &TrafficSummary) {
    const TITLES: [&str; 6] = ["succeeded", "failed", "p50", "p90", "p99", "max"];
    for (dimension, choices) in &traffic.splits {
        line(text, &format!("\nby {dimension}, service time"));
        row(text, "", TITLES.map(str::to_owned));
        for (choice, split) in choices {
            let it = &split.service_time;
            let values = [it.p50, it.p90, it.p99, it.max].map(|value| or_unknown(value, millis));
            let counts = [count(split.succeeded), count(split.failed)];
            row(text, choice, counts.into_iter().chain(values));
        }
    }
}

/// `http://127.0.0.1:8080   open loop: 200/s for 10.0 s`.
fn asked(text: &mut String, model: &Model) {
    let url = model.run.found.as_ref().map_or("", |found| found.url.as_str());
    let Some(began) = &model.run.began else { return };
    let mut words = format!("  {url}   {}", plan(began));
    if let Some(most) = began.max_in_flight.filter(|_| began.executor == Executor::Open) {
        let _ = write!(words, ", at most {} in flight", count(most));
    }
    line(text, &words);
}

fn plan(began: &Began) -> String {
    let amount = |amount: f64| match began.executor {
        Executor::Closed if amount == 1.0 => "1 user".to_owned(),
        Executor::Closed => format!("{amount:.0} users"),
        Executor::Open | Executor::None => rate(amount),
    };
    let stage = |stage: &PlannedStage| {
        let amount = if stage.from == stage.to {
            amount(stage.to)
        } else {
            format!("{} to {}", amount(stage.from), amount(stage.to))
        };
        // The longest there is means: until so many requests have been sent.
        if stage.lasts < SPAN_MAX {
            format!("{amount} for {}", seconds(stage.lasts.as_secs_f64()))
        } else {
            amount
        }
    };
    let kind = match began.executor {
        Executor::Open => "open loop",
        Executor::Closed => "closed loop",
        Executor::None => "",
    };
    match began.stages.as_slice() {
        [only] => format!("{kind}: {}", stage(only)),
        stages => {
            let all = stages.iter().map(|stage| stage.lasts).sum::<Duration>();
            let peak = stages.iter().flat_map(|it| [it.from, it.to]).fold(0.0, f64::max);
            let all = seconds(all.as_secs_f64());
            format!("{kind}: {} stages in {all}, at most {}", stages.len(), amount(peak))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares and rates")]
fn requests(text: &mut String, traffic: &TrafficSummary, model: &Model) {
    let total = &model.traffic.total;
    let share = |n: u64| match traffic.offered {
        0 => String::new(),
        offered => percent(n as f64 / offered as f64),
    };
    let per_second = |n: u64| or_unknown(total.per_second(n), rate);
    line(text, "\nrequests");
    let mut put = |name: &str, n: u64, share: String, more: &str| {
        let numbers = format!("  {name:<14}{:>12} {:>12} {share:>10}", count(n), per_second(n));
        line(text, &format!("{numbers}   {more}"));
    };
    let is_closed = model.run.executor() == Executor::Closed;
    let begun = if is_closed { "begun by users" } else { "due by the plan" };
    put("offered", traffic.offered, String::new(), begun);
    put("sent", traffic.sent, share(traffic.sent), "");
    put("succeeded", traffic.succeeded, share(traffic.succeeded), "");
    put("failed", traffic.failed, share(traffic.failed), "");
    let dropped = if 0 < traffic.dropped { "met the in-flight cap, never sent" } else { "" };
    put("dropped", traffic.dropped, share(traffic.dropped), dropped);
    let little = traffic.littles_law.map_or_else(String::new, |little| {
        format!(
            "; {:.1} on average, rate × latency says {:.1}",
            little.in_flight, little.rate_times_latency
        )
    });
    line(text, &format!("  in flight     at most {}{little}", count(traffic.in_flight_max)));
    if let Some(knee) = traffic.knee {
        let words = if knee.falls_behind {
            "goodput falls behind what is offered"
        } else {
            "p99 is over three times that of low rates"
        };
        line(text, &format!("  knee          from about {} on {words}", rate(knee.rate_offered)));
    }
    let secs = total.lasted.as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes a second")]
    let a_second =
        |n: u64| if 0.0 < secs { bytes((n as f64 / secs) as u64) } else { "–".to_owned() };
    line(
        text,
        &format!(
            "  bytes         {} sent ({}/s), {} received ({}/s), {}",
            bytes(traffic.bytes_sent),
            a_second(traffic.bytes_sent),
            bytes(traffic.bytes_received),
            a_second(traffic.bytes_received),
            counted(traffic.connections_opened, "connection opened", "connections opened"),
        ),
    );
}

fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

fn latencies(text: &mut String, traffic: &TrafficSummary, model: &Model) {
    const TITLES: [&str; 7] = ["p50", "p90", "p95", "p99", "p99.9", "max", "mean"];
    let slip = model.traffic.total.client.timer_slip.as_ref().map(LatencySummary::of_histogram);
    let rows = [
        ("response time", traffic.response_time.as_ref()),
        ("service time", traffic.service_time.as_ref()),
        ("failures", traffic.failure_time.as_ref()),
        ("send lag", traffic.send_lag.as_ref()),
        // What the machine itself is late by; nothing in a closed loop hangs on it.
        ("bare timer", slip.as_ref().filter(|_| traffic.send_lag.is_some())),
    ];
    text.push('\n');
    row(text, "", TITLES.map(str::to_owned));
    for (name, latency) in rows {
        if let Some(it) = latency.filter(|latency| 0 < latency.count) {
            let cells = [it.p50, it.p90, it.p95, it.p99, it.p999, it.max, it.mean];
            row(text, name, cells.map(|value| or_unknown(value, millis)));
        }
    }
}

/// Bars between the fastest and p99.9, in even steps, and one row for the rest.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bars of at most fifty cells"
)]
fn histogram(text: &mut String, name: &str, felt: &LatencyHistogram) {
    let (low, high) = (felt.min(), felt.quantile(0.999));
    let step = high.saturating_sub(low) / ROWS;
    if step.is_zero() {
        return;
    }
    let mut counts = Vec::with_capacity(ROWS as usize + 1);
    let mut below = 0;
    for row in 1..=ROWS {
        let bound = if row == ROWS { high } else { low + step * row };
        let n = felt.count_up_to(bound);
        counts.push((bound, n - below));
        below = n;
    }
    if below < felt.count() {
        counts.push((felt.max(), felt.count() - below));
    }
    let most = counts.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    line(text, &format!("\n{name} up to"));
    for (bound, n) in counts {
        let cells = (n as f64 / most as f64 * BAR as f64).ceil() as usize;
        let bound = millis(in_millis(bound));
        line(text, &format!("  {bound:>12} {:>12}  {}", count(n), "■".repeat(cells)));
    }
}

/// Every percentile that there are requests for.
fn spectrum(text: &mut String, model: &Model) {
    let latencies = &model.traffic.total.latencies;
    let columns: Vec<(&str, &LatencyHistogram)> = Timing::ALL
        .into_iter()
        .filter_map(|timing| Some((timing.name(), latencies.get(timing)?)))
        .filter(|(_, known)| !known.is_empty())
        .collect();
    line(text, "\nlatency, and how many were slower");
    let mut titles = format!("  {:<12}", "");
    for (name, _) in &columns {
        let _ = write!(titles, "{name:>14}{:>12}", "slower");
    }
    line(text, &titles);
    let most = columns.iter().map(|(_, known)| known.count()).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let shares = SPECTRUM.into_iter().filter(|share| 1.0 <= (1.0 - share) * most as f64);
    for share in shares.chain([1.0]) {
        // Seven digits, and no zeros at their end.
        let percent = format!("{:.5}", share * 100.0);
        let percent = percent.trim_end_matches('0').trim_end_matches('.');
        let mut written = format!("  {:<12}", format!("{percent} %"));
        for (_, known) in &columns {
            let value = known.quantile(share);
            let slower = known.count() - known.count_up_to(value);
            let _ = write!(written, "{:>14}{:>12}", millis(in_millis(value)), count(slower));
        }
        line(text, &written);
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares")]
fn answers(text: &mut String, traffic: &TrafficSummary) {
    let share = |n: u64| percent(n as f64 / traffic.completed.max(1) as f64);
    if !traffic.grpc_status.is_empty() {
        line(
            text,
            &format!("\ncalls, with {} messages in answer", count(traffic.messages_received)),
        );
        for (status, n) in &traffic.grpc_status {
            line(text, &format!("  {:>12} {:>10}  {status}", count(*n), share(*n)));
        }
    }
    if !traffic.status.is_empty() {
        line(text, "\nanswers");
        for (code, n) in &traffic.status {
            line(text, &format!("  {code:<14}{:>12} {:>10}", count(*n), share(*n)));
        }
    }
    if !traffic.errors.is_empty() {
        line(text, "\nerrors");
        let mut errors: Vec<_> = traffic.errors.iter().collect();
        errors.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        for (class, n) in errors {
            line(text, &format!("  {:>12} {:>10}  {class}", count(*n), share(*n)));
        }
    }
}

/// Whether the generator can be believed: what it used, and when it was the bottleneck.
pub(super) fn generator(text: &mut String, summary: &Summary, model: &Model) {
    let Some(traffic) = &summary.traffic else { return };
    line(text, "\ngenerator");
    let total = &model.traffic.total;
    let known = &total.client;
    let secs = total.lasted.as_secs_f64();
    if let Some(client) = &summary.client {
        cpu(text, client, known.cores.zip(Some(secs)));
    }
    let mut used = Vec::new();
    if let (Some(n), Some(max)) = (known.descriptors, known.descriptors_max) {
        used.push(format!("{} of {} descriptors", count(n), count(max)));
    }
    if let (Some(n), Some(max)) = (known.ports, known.ports_max) {
        used.push(format!("{} of {} local ports", count(n), count(max)));
    }
    if let (Some(quota), Some(throttled)) = (known.quota, known.throttled) {
        let share = percent(throttled);
        used.push(format!(
            "a CPU quota of {quota:.2} cores, throttled in up to {share} of its periods"
        ));
    }
    if let Some(share) = known.run_queue {
        used.push(format!("waited for a core up to {} of the time", percent(share)));
    }
    if !used.is_empty() {
        line(text, &format!("  {}", used.join(", ")));
    }
    if traffic.client_limited.is_empty() {
        line(text, "  ✓ never the bottleneck");
        return;
    }
    let of =
        if 0.0 < secs { percent((traffic.client_limited_s / secs).min(1.0)) } else { "–".into() };
    line(
        text,
        &format!(
            "  ! the bottleneck for {} ({of} of the time): there these numbers say less about the target",
            seconds(traffic.client_limited_s)
        ),
    );
    for limit in &traffic.client_limited {
        line(text, &format!("  {:>8}  {}", seconds(limit.seconds), limit.cause));
    }
}

/// `CPU 0.04 of 2 cores: load 0.03, screen and loop 0.00; 4.1 µs a request`.
fn cpu(
    text: &mut String,
    client: &crate::export::summary::ClientSummary,
    span: Option<(u32, f64)>,
) {
    let mut words = match span {
        Some((cores, secs)) if 0.0 < secs => {
            format!(
                "  CPU {:.2} of {}",
                client.cpu_s / secs,
                counted(u64::from(cores), "core", "cores")
            )
        }
        _ => format!("  CPU {:.2} s", client.cpu_s),
    };
    let secs = span.map_or(1.0, |(_, secs)| secs.max(1e-6));
    let parts: Vec<String> = client
        .threads
        .iter()
        .filter(|(_, cpu_s)| 0.005 <= **cpu_s / secs)
        .map(|(name, cpu_s)| format!("{name} {:.2}", cpu_s / secs))
        .collect();
    if !parts.is_empty() {
        let _ = write!(words, " ({})", parts.join(", "));
    }
    if let Some(us) = client.cpu_us_per_request {
        let _ = write!(words, "; {us:.1} µs a request");
    }
    if let Some(us) = client.load_cpu_us_per_request {
        let _ = write!(words, ", {us:.1} of them the load's own");
    }
    let _ = write!(words, "; {} of memory at most", bytes(client.rss_max_bytes));
    line(text, &words);
}

fn in_millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
