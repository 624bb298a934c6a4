//! What cold starts were made of, how well the scaling followed, and what needed a look.

use crate::export::summary::ColdStartSummary;
use crate::export::summary::FindingSummary;
use crate::export::summary::ScorecardSummary;

use super::write::line;
use super::write::millis;

/// What a cold start is made of, as far as it is known.
pub(super) fn parts(text: &mut String, cold: &ColdStartSummary) {
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

pub(super) fn scorecard(text: &mut String, card: &ScorecardSummary) {
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

pub(super) fn findings(text: &mut String, findings: &[FindingSummary]) {
    line(text, "\nfindings");
    for finding in findings {
        let until = finding.until_s.map_or_else(String::new, |until| format!("–{until:.0} s"));
        let until = if until.is_empty() { " s on".to_owned() } else { until };
        line(text, &format!("  ! {} ({:.0}{until})", finding.summary, finding.since_s));
        line(text, &format!("      {}", finding.detail));
        line(text, &format!("      look at {}", finding.settings.join(", ")));
    }
}
