//! The numbers of a run as text for people: worth pasting into an issue.

mod load;
mod truth;
mod write;

use crate::event::run::Outcome;
use crate::model::Model;

use super::summary::PanicSource;
use super::summary::ScalingSummary;
use super::summary::Summary;

use write::line;
use write::millis;
use write::seconds;

/// How much is said of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The percentiles that one usually asks for.
    Usual,
    /// The whole spectrum.
    Spectrum,
}

/// The report of a run.
pub fn report(summary: &Summary, model: &Model, detail: Detail) -> String {
    let mut text = String::new();
    let outcome = match summary.outcome {
        Outcome::Completed => "completed",
        Outcome::Stopped => "stopped",
        Outcome::Lost => "incomplete",
    };
    line(&mut text, &format!("{}: {outcome} after {}", summary.name, seconds(summary.seconds)));
    if let Some(traffic) = &summary.traffic {
        load::load(&mut text, traffic, model, detail);
        load::generator(&mut text, summary, model);
    }
    if let Some(scaling) = &summary.scaling {
        autoscaler(&mut text, scaling);
    }
    if let Some(card) = &summary.scorecard {
        truth::scorecard(&mut text, card);
    }
    if !summary.findings.is_empty() {
        truth::findings(&mut text, &summary.findings);
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

/// `2 revisions together: hello-00002, hello-00001`; of very many the first.
fn several(revisions: &[String]) -> String {
    const NAMED: usize = 4;
    let named: Vec<&str> = revisions.iter().take(NAMED).map(String::as_str).collect();
    let more = if NAMED < revisions.len() { ", …" } else { "" };
    format!("{} revisions together: {}{more}", revisions.len(), named.join(", "))
}

fn autoscaler(text: &mut String, scaling: &ScalingSummary) {
    line(text, "\nautoscaler");
    if 1 < scaling.revisions.len() {
        line(text, &format!("  over {}", several(&scaling.revisions)));
    }
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
                cold.whole.count,
                value(cold.whole.p50),
                value(cold.whole.p95),
                value(cold.whole.max)
            ),
        );
        truth::parts(text, cold);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_summed_over_several_revisions_says_over_which() {
        let names = |n: usize| (1..=n).map(|n| format!("hello-0000{n}")).collect::<Vec<_>>();
        assert_eq!(several(&names(2)), "2 revisions together: hello-00001, hello-00002");
        let many = several(&names(6));
        assert!(many.starts_with("6 revisions together: hello-00001,") && many.ends_with(", …"));
    }
}
