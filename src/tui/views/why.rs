//! The one sentence under the state: why as many pods are wanted as are, made of numbers.

use ratatui::text::Span;

use crate::kpa::explain;
use crate::kpa::explain::Reading;
use crate::model::sources::Health;
use crate::tui::moment;
use crate::tui::moment::Panic;
use crate::tui::theme::Role;
use crate::tui::theme::Theme;

use super::Scene;
use super::chrome;
use super::hpa;

/// The sentence, with its numbers in the ink of values; before it what makes our own numbers doubtful.
pub fn sentence<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    let limited = scene.moment.load.limited.as_ref();
    let mut spans: Vec<_> = limited
        .map(|cause| theme.strong(Role::Warn, format!("limited by us: {cause} · ")))
        .into_iter()
        .collect();
    spans.extend(why(theme, scene));
    spans
}

fn why<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    if let Some(hpa) = &scene.moment.hpa {
        return hpa::sentence(theme, scene, hpa);
    }
    let scaler = &scene.moment.scaler;
    let scaling = scene.moment.revision.as_ref().and_then(|it| scene.model.scaling.get(it));
    let config = scaling.and_then(|scaling| scaling.config.as_ref());
    let is_unread = scaler.panic_average.is_none() && scaler.stable_average.is_none();
    if scaler.is_derived
        && let Some(spans) = derived(theme, scene)
    {
        return spans;
    }
    let (Some(effective), false) = (config, is_unread) else { return unknown(theme, scene) };
    let reading = Reading {
        config: &effective.config,
        stable: scaler.stable_average,
        panic: scaler.panic_average,
        target: scaler.target,
        ready: scaler.ready.and_then(whole),
        panicking: match scaler.panic {
            Panic::On { .. } => Some(true),
            Panic::Stable { .. } => Some(false),
            Panic::Unknown(_) => None,
        },
        panic_began: false,
        desired: scaler.wanted.and_then(whole),
    };
    pieces(theme, explain::explain(&reading))
}

/// Where the averages cannot be read: what our own model of the decider makes of its own.
fn derived<'a>(theme: &Theme, scene: &Scene<'_>) -> Option<Vec<Span<'a>>> {
    let scaling = scene.model.scaling.get(scene.moment.revision.as_ref()?)?;
    let tick = moment::derived(scaling, scene.moment.at)?;
    let mut spans = vec![theme.span(Role::Dim, "by our model: ")];
    spans.extend(pieces(theme, explain::explain(&Reading::of(tick.config(), &tick.decision))));
    Some(spans)
}

/// Pieces of a sentence, each in the ink of what it is.
pub fn pieces<'a>(theme: &Theme, pieces: Vec<explain::Piece>) -> Vec<Span<'a>> {
    let span = |piece: explain::Piece| match piece.role {
        explain::Role::Words => theme.span(Role::Dim, piece.text),
        explain::Role::Number => theme.strong(Role::Text, piece.text),
        explain::Role::Limit => theme.strong(Role::Accent, piece.text),
        explain::Role::Panic => theme.strong(Role::Panic, piece.text),
        explain::Role::Unknown => theme.strong(Role::Warn, piece.text),
    };
    pieces.into_iter().map(span).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
fn whole(value: f64) -> Option<u32> {
    (0.0..=1e9).contains(&value).then_some(value as u32)
}

/// Where the averages cannot be read: why not, and what mends it.
fn unknown<'a>(theme: &Theme, scene: &Scene<'_>) -> Vec<Span<'a>> {
    if chrome::is_cluster_lost(scene.model) {
        return vec![
            theme.span(Role::Dim, "why: "),
            theme.strong(Role::Bad, "the cluster does not answer"),
        ];
    }
    if scene.ui.cursor().is_some() {
        return vec![theme.span(Role::Dim, "why: nothing of the autoscaler was read by then")];
    }
    let now = scene.ui.now();
    let is_troubled = |it: &&crate::model::sources::Source| {
        let is_well = matches!(it.health(now), Health::Ok | Health::Connecting);
        it.report.source.contains("autoscaler") && !is_well && !it.report.reason.is_empty()
    };
    let troubled = scene.model.sources.iter().find(is_troubled);
    let Some(source) = troubled else {
        return vec![theme.span(Role::Dim, "why: no word of the autoscaler's averages yet")];
    };
    let mut spans = vec![
        theme.span(Role::Dim, "why: "),
        theme.strong(Role::Warn, "not known"),
        theme.span(Role::Dim, ", "),
        theme.span(Role::Text, source.report.reason.clone()),
    ];
    if !source.report.remedy.is_empty() {
        spans.push(theme.span(Role::Dim, " · mend it: "));
        spans.push(theme.span(Role::Accent, source.report.remedy.clone()));
    }
    spans
}
