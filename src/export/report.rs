//! The numbers of a run as text for people: worth pasting into an issue.

use std::fmt::Write as _;
use std::time::Duration;

use crate::event::run::Outcome;
use crate::model::Model;
use crate::series::LatencyHistogram;

use super::summary::ColdStartSummary;
use super::summary::FindingSummary;
use super::summary::LatencySummary;
use super::summary::PanicSource;
use super::summary::ScalingSummary;
use super::summary::ScorecardSummary;
use super::summary::Summary;
use super::summary::TrafficSummary;

/// Rows of the latency histogram.
const ROWS: usize = 10;
/// Width of its longest bar, in cells.
const BAR: usize = 40;

/// The report of a run.
pub fn report(summary: &Summary, model: &Model) -> String {
    let mut text = String::new();
    let outcome = match summary.outcome {
        Outcome::Completed => "completed",
        Outcome::Stopped => "stopped",
        Outcome::Lost => "incomplete",
    };
    line(&mut text, &format!("{}: {outcome} after {}", summary.name, seconds(summary.seconds)));
    if let Some(traffic) = &summary.traffic {
        load(&mut text, traffic, model);
    }
    if let Some(scaling) = &summary.scaling {
        autoscaler(&mut text, scaling);
    }
    if let Some(card) = &summary.scorecard {
        scorecard(&mut text, card);
    }
    if !summary.findings.is_empty() {
        findings(&mut text, &summary.findings);
    }
    if !summary.checks.is_empty() {
        line(&mut text, "\nchecks");
        for check in &summary.checks {
            let mark = if check.pass { "✓" } else { "✗" };
            let value = check.value.map_or_else(
                || "no data".to_owned(),
                |value| match check.unit {
                    "s" => millis(value * 1e3),
                    "share" => format!("{:.2} %", value * 100.0),
                    "/s" => format!("{value:.1}/s"),
                    _ => format!("{value:.0}"),
                },
            );
            line(&mut text, &format!("  {mark} {:<24} {value}", check.name));
        }
    }
    text
}

fn load(text: &mut String, traffic: &TrafficSummary, model: &Model) {
    line(text, "\nload");
    line(
        text,
        &format!(
            "  offered {}   sent {}   succeeded {}   failed {}   dropped {}",
            traffic.offered, traffic.sent, traffic.succeeded, traffic.failed, traffic.dropped
        ),
    );
    let rate =
        |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}/s"));
    line(
        text,
        &format!(
            "  offered {}   achieved {}   in flight at most {}   {} out, {} in",
            rate(traffic.rate_offered),
            rate(traffic.rate_achieved),
            traffic.in_flight_max,
            bytes(traffic.bytes_sent),
            bytes(traffic.bytes_received)
        ),
    );
    line(
        text,
        "\n                       p50      p90      p95      p99    p99.9      max     mean",
    );
    for (name, latency) in [
        ("response time", &traffic.response_time),
        ("service time", &traffic.service_time),
        ("failures", &traffic.failure_time),
        ("send lag", &traffic.send_lag),
    ] {
        if let Some(latency) = latency.as_ref().filter(|latency| 0 < latency.count) {
            percentiles(text, name, latency);
        }
    }
    if let Some(felt) = model.traffic.total.latencies.felt().filter(|felt| 0 < felt.count()) {
        histogram(text, felt);
    }
    if !traffic.status.is_empty() {
        line(text, "\nstatus codes");
        for (code, n) in &traffic.status {
            line(text, &format!("  {code}  {n}"));
        }
    }
    if !traffic.errors.is_empty() {
        line(text, "\nerrors");
        for (class, n) in &traffic.errors {
            line(text, &format!("  {n:>8}  {class}"));
        }
    }
    if 0.0 < traffic.client_limited_s {
        line(
            text,
            &format!(
                "\nthe generator itself was the bottleneck for {}: these numbers say less about the target",
                seconds(traffic.client_limited_s)
            ),
        );
    }
}

fn percentiles(text: &mut String, name: &str, latency: &LatencySummary) {
    let mut row = format!("  {name:<16}");
    for value in [
        latency.p50,
        latency.p90,
        latency.p95,
        latency.p99,
        latency.p999,
        latency.max,
        latency.mean,
    ] {
        let value = value.map_or_else(|| "–".to_owned(), millis);
        let _ = write!(row, " {value:>8}");
    }
    line(text, &row);
}

/// Bars between the fastest and the slowest, in even steps up to p99.9 and one row for the rest.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bars of at most forty cells"
)]
fn histogram(text: &mut String, felt: &LatencyHistogram) {
    let (low, high) = (felt.min(), felt.quantile(0.999));
    let step = (high.saturating_sub(low)) / u32::try_from(ROWS).unwrap_or(1);
    if step.is_zero() {
        return;
    }
    let mut counts = Vec::with_capacity(ROWS + 1);
    let mut below = 0;
    for row in 1..=ROWS {
        let bound = low + step * u32::try_from(row).unwrap_or(1);
        let n = felt.count_up_to(bound);
        counts.push((bound, n - below));
        below = n;
    }
    if below < felt.count() {
        counts.push((felt.max(), felt.count() - below));
    }
    let most = counts.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    line(text, "\n  up to");
    for (bound, n) in counts {
        let cells = (n as f64 / most as f64 * BAR as f64).ceil() as usize;
        line(text, &format!("  {:>8}  {n:>9}  {}", millis(in_millis(bound)), "■".repeat(cells)));
    }
}

fn autoscaler(text: &mut String, scaling: &ScalingSummary) {
    line(text, "\nautoscaler");
    let number = |n: Option<u32>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    let spent = scaling.pod_seconds.map_or_else(|| "–".to_owned(), |it| format!("{it:.0}"));
    line(
        text,
        &format!(
            "  ready at most {}   desired at most {}   {spent} pod seconds",
            number(scaling.ready_max),
            number(scaling.desired_max)
        ),
    );
    if let Some(cold) = &scaling.cold_start {
        let value = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), millis);
        line(
            text,
            &format!(
                "  {} cold starts: p50 {}, p95 {}, slowest {}",
                cold.count,
                value(cold.p50),
                value(cold.p95),
                value(cold.max)
            ),
        );
        parts(text, cold);
    }
    let source = match scaling.panic_source {
        PanicSource::Metric => "from its metrics",
        PanicSource::Prometheus => "from Prometheus",
        PanicSource::Log => "from its log",
        PanicSource::Derived => "derived",
        PanicSource::Unknown => "unknown: it exports no metrics, and its log could not be read",
    };
    match (&scaling.panics, scaling.panic_s) {
        (Some(panics), Some(panic_s)) => {
            let spans: Vec<String> = panics
                .iter()
                .map(|span| {
                    let end = span.end_s.map_or_else(|| "…".to_owned(), |end| format!("{end:.1}"));
                    format!("{:.1}–{end} s", span.start_s)
                })
                .collect();
            let spans =
                if spans.is_empty() { String::new() } else { format!(" ({})", spans.join(", ")) };
            let n = panics.len();
            let times = if n == 1 { "once".to_owned() } else { format!("{n} times") };
            line(
                text,
                &format!("  panicked {times}, {} in all{spans}, {source}", seconds(panic_s)),
            );
        }
        _ => line(text, &format!("  panic: {source}")),
    }
}

/// What a cold start is made of, as far as it is known.
fn parts(text: &mut String, cold: &ColdStartSummary) {
    for part in &cold.parts {
        let (Some(p50), Some(max)) = (part.p50, part.max) else { continue };
        // A stamp in whole seconds is no tenth of a second.
        let value = |value: f64| {
            if 0 < part.stamped { format!("{:.0} s ±1", value / 1e3) } else { millis(value) }
        };
        let known = [
            (part.measured, "measured"),
            (part.stamped, "stamped"),
            (part.inferred, "inferred"),
            (part.unknown, "unknown"),
        ];
        let known: Vec<String> = known
            .into_iter()
            .filter(|(n, _)| 0 < *n)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        let name = format!("{} → {}", part.from, part.to).replace('_', " ");
        line(
            text,
            &format!(
                "    {name:<36} p50 {:>8}  slowest {:>8}  {}",
                value(p50),
                value(max),
                known.join(", ")
            ),
        );
    }
}

fn scorecard(text: &mut String, card: &ScorecardSummary) {
    let unknown = || "–".to_owned();
    let secs = |value: Option<f64>| value.map_or_else(unknown, |it| format!("{it:.1} s"));
    let share = |value: Option<f64>| value.map_or_else(unknown, |it| format!("{:.0} %", it * 1e2));
    let number = |value: Option<f64>| value.map_or_else(unknown, |it| format!("{it:.0}"));
    let met = match (card.cold_start_share_min, card.cold_start_share_max) {
        (Some(least), Some(most)) => format!("{:.2} to {:.2} %", least * 1e2, most * 1e2),
        _ => unknown(),
    };
    line(text, "\nscorecard");
    for (name, value) in [
        ("time to the first pod", secs(card.time_to_first_pod_s)),
        ("longest below desired", secs(card.time_to_desired_s)),
        ("overshoot", share(card.overshoot)),
        ("pod seconds short", number(card.pod_seconds_short)),
        ("pod seconds wasted", number(card.pod_seconds_wasted)),
        ("oscillations", card.oscillations.map_or_else(unknown, |n| n.to_string())),
        ("time in panic", share(card.panic_share)),
        ("requests that met a cold start", met),
    ] {
        line(text, &format!("  {name:<31} {value:>12}"));
    }
}

fn findings(text: &mut String, findings: &[FindingSummary]) {
    line(text, "\nfindings");
    for finding in findings {
        let until = finding.until_s.map_or_else(String::new, |until| format!("–{until:.0} s"));
        let until = if until.is_empty() { " s on".to_owned() } else { until };
        line(text, &format!("  ! {} ({:.0}{until})", finding.summary, finding.since_s));
        line(text, &format!("      {}", finding.detail));
        line(text, &format!("      look at {}", finding.settings.join(", ")));
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn in_millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Three digits that matter, with a unit.
fn millis(millis: f64) -> String {
    match millis {
        it if it < 1.0 => format!("{:.0}µs", it * 1e3),
        it if it < 10.0 => format!("{it:.2}ms"),
        it if it < 100.0 => format!("{it:.1}ms"),
        it if it < 10_000.0 => format!("{it:.0}ms"),
        it => format!("{:.1}s", it / 1e3),
    }
}

fn seconds(secs: f64) -> String {
    if secs < 120.0 { format!("{secs:.1} s") } else { format!("{:.1} min", secs / 60.0) }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n < 1024.0 => format!("{n:.0} B"),
        n if n < 1_048_576.0 => format!("{:.1} KiB", n / 1024.0),
        n if n < 1_073_741_824.0 => format!("{:.1} MiB", n / 1_048_576.0),
        n => format!("{:.2} GiB", n / 1_073_741_824.0),
    }
}
