//! The one sentence under the state: why as many pods are wanted as are, made of numbers.

use ratatui::text::Span;

use crate::kpa::config::Metric;
use crate::tui::moment::Panic;
use crate::tui::moment::Scaler;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;

use super::Scene;

/// The sentence, with its numbers in the ink of values.
pub fn sentence<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let scaler = &scene.moment.scaler;
    let (Some(target), Some(average)) = (
        scaler.target.filter(|target| 0.0 < *target),
        if matches!(scaler.panic, Panic::On { .. }) {
            scaler.panic_average
        } else {
            scaler.stable_average
        },
    ) else {
        return unknown(theme, scene);
    };
    let dim = |text: String| theme.span(Role::Dim, text);
    let value = |text: String| theme.strong(Role::Text, text);
    let is_panic = matches!(scaler.panic, Panic::On { .. });
    let unit = if scaler.metric == Metric::Rps { "requests a second" } else { "concurrent" };
    let over = window(scene, is_panic);
    let wanted = (average / target).ceil();
    let mut spans = vec![
        value(text::number(average)),
        dim(format!(" {unit} in the last {over} ÷ ")),
        value(text::number(target)),
        dim(" a pod → ".to_owned()),
        value(format!("{} wanted", text::count(wanted))),
    ];
    if let Some(ready) = scaler.ready {
        spans.push(dim(", ".to_owned()));
        spans.push(value(format!("{} ready", text::count(ready))));
        if is_panic {
            spans.push(dim(format!(": {:.1}×", wanted / ready.max(1.0))));
        }
    }
    spans.extend(conclusion(theme, scaler, wanted));
    spans
}

fn conclusion<'a>(theme: &Theme, scaler: &Scaler, wanted: f64) -> Vec<Span<'a>> {
    let dim = |text: String| theme.span(Role::Dim, text);
    let begins = scaler
        .threshold
        .zip(scaler.ready)
        .map(|(threshold, ready)| (threshold * ready.max(1.0)).ceil());
    let above = scaler
        .enters
        .map(|enters| format!(" (above {})", text::number(enters)))
        .unwrap_or_default();
    let Some(begins) = begins else { return Vec::new() };
    let at = text::count(begins);
    match scaler.panic {
        Panic::On { .. } if begins <= wanted => {
            vec![dim(format!("; panic goes on, it begins at {at} wanted{above}"))]
        }
        Panic::On { .. } => {
            vec![dim(format!("; panic is held by its window, anew from {at} wanted{above}"))]
        }
        _ => vec![dim(format!("; panic would begin at {at} wanted{above}"))],
    }
}

/// `2 s`, `20 s`; the window's name where its length is not known.
fn window(scene: &Scene<'_>, is_panic: bool) -> String {
    let scaling = scene.moment.revision.as_ref().and_then(|it| scene.model.scaling.get(it));
    let Some(effective) = scaling.and_then(|scaling| scaling.config.as_ref()) else {
        return if is_panic { "panic window" } else { "stable window" }.to_owned();
    };
    let config = &effective.config;
    text::span(if is_panic { config.panic_window } else { config.stable_window })
}

fn unknown<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let reason = match &scene.moment.scaler.panic {
        Panic::Unknown(reason) => format!("why: not known, {reason}"),
        Panic::On { .. } | Panic::Stable { .. } => {
            "why: the autoscaler's averages cannot be read".to_owned()
        }
    };
    let source = scene
        .model
        .sources
        .iter()
        .find(|it| it.report.source.contains("autoscaler") && !it.report.remedy.is_empty());
    let mut spans = vec![theme.span(Role::Dim, reason)];
    if let Some(source) = source {
        spans.push(theme.span(Role::Dim, " · ".to_owned()));
        spans.push(theme.span(Role::Accent, source.report.remedy.clone()));
    }
    spans
}
