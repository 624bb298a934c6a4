//! Happenings as sentences, the newest first.

use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::model::Model;
use crate::model::happenings::Happening;
use crate::model::happenings::What;
use crate::tui::moment;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::ui::Ui;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::table;

use super::Scene;
use super::happening;

fn spans<'a>(canvas: &Canvas<'_>, scene: &Scene<'_>, happening: &Happening) -> Vec<Span<'a>> {
    let theme = canvas.theme;
    let mut sentence = happening::sentence(&happening.what);
    if let What::Stage { to: Some(_), .. } = &happening.what {
        let unit = if moment::is_closed(scene.model) { " users" } else { " /s" };
        sentence.rest.push_str(unit);
    }
    let clock = text::clock_tenths(scene.model.run.anchor(), happening.at);
    let mut spans = vec![
        theme.span(Role::Dim, format!("{clock} ")),
        theme.strong(sentence.role, sentence.word),
    ];
    let revision = happening::revision(&happening.what);
    if revision.is_some() && revision != scene.moment.revision.as_ref() {
        let name = revision.map(|it| it.name.clone()).unwrap_or_default();
        spans.push(theme.span(Role::Dim, format!(" {name}")));
    }
    // What Kubernetes says in passing stays in the background.
    let role = if sentence.role == Role::Dim { Role::Dim } else { Role::Text };
    spans.push(theme.span(role, format!(" {}", sentence.rest)));
    spans
}

/// The newest that matter, the newest first.
pub fn newest(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let at = scene.moment.at;
    let all = scene.model.happenings.iter().rev();
    let prominent: Vec<_> = all
        .filter(|it| it.at <= at && happening::is_prominent(&it.what))
        .take(usize::from(area.height))
        .collect();
    for (row, happening) in (0..).zip(prominent) {
        let spans = spans(canvas, scene, happening);
        canvas.line(area, row, spans);
    }
}

/// What happened up to now and fits the filter, the newest first.
fn shown<'a>(model: &'a Model, ui: &Ui) -> Vec<&'a Happening> {
    let filter = ui.filter().to_lowercase();
    let now = ui.now();
    let all = model.happenings.iter().rev();
    all.filter(|it| it.at <= now && matches(it, &filter)).collect()
}

/// The one that is selected, counted from the newest, so that an untouched log follows.
pub fn selected<'a>(model: &'a Model, ui: &Ui) -> Option<&'a Happening> {
    let shown = shown(model, ui);
    shown.get(ui.selected().min(shown.len().checked_sub(1)?)).copied()
}

/// The whole log.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let filter = scene.ui.filter();
    let shown = shown(scene.model, scene.ui);
    let forgotten = scene.model.happenings.n_forgotten();
    let mut title = vec![
        theme.strong(Role::Load, "what happened"),
        theme.span(Role::Text, format!(" {}", shown.len())),
    ];
    if !filter.is_empty() {
        title.push(theme.span(Role::Accent, format!(" with \"{filter}\"")));
    }
    if 0 < forgotten {
        title.push(theme.span(Role::Dim, format!(", {forgotten} older ones forgotten")));
    }
    let inside = canvas.frame(area, title);
    let n_shown = usize::from(inside.height);
    let selected = scene.ui.selected().min(shown.len().saturating_sub(1));
    let first = table::first_row(selected, shown.len(), n_shown);
    for (row, (idx, happening)) in (0..).zip(shown.iter().enumerate().skip(first).take(n_shown)) {
        let spans = spans(canvas, scene, happening);
        canvas.line(inside, row, spans);
        if idx == selected {
            table::mark(canvas, Rect { y: inside.y + row, height: 1, ..inside });
        }
    }
    if shown.is_empty() {
        canvas.text(inside, 0, Role::Dim, "nothing yet");
    }
}

fn matches(happening: &Happening, filter: &str) -> bool {
    if filter.is_empty() {
        return true;
    }
    let sentence = happening::sentence(&happening.what);
    let revision = happening::revision(&happening.what).map(|it| it.name.as_str());
    [sentence.word.as_str(), sentence.rest.as_str(), revision.unwrap_or_default()]
        .iter()
        .any(|text| text.to_lowercase().contains(filter))
}
