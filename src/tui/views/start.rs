//! Before the first data: a line for each source as it connects, and what mends what fails.

use ratatui::layout::Rect;

use crate::event::cluster::Kind;
use crate::event::cluster::Name;
use crate::event::source::State;
use crate::model::Model;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;
use super::sources;

/// Whether there is something to draw.
pub fn has_data(model: &Model) -> bool {
    model.traffic.last.is_some()
        || model.scaling.iter().any(|(_, it)| it.reading.is_some() || !it.ready.is_empty())
}

/// The service that is waited for, if the one that was named is known not to be there.
pub fn awaited(scene: &Scene<'_>) -> Option<String> {
    let (model, began) = (scene.model, scene.model.run.began.as_ref()?);
    let name = Name { namespace: began.namespace.clone()?, name: began.service.clone()? };
    let is_absent = model.cluster.is_listed(Kind::Service)
        && !model.cluster.services.contains_key(&name)
        && scene.moment.revision.is_none();
    (is_absent && model.traffic.last.is_none()).then(|| format!("{}/{}", name.namespace, name.name))
}

/// A line a source, in the middle.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let now = scene.ui.now();
    let all: Vec<_> = scene.model.sources.iter().collect();
    let n_lines: usize =
        all.iter().map(|it| 1 + usize::from(!it.report.remedy.is_empty())).sum::<usize>() + 2;
    let n_lines = u16::try_from(n_lines).unwrap_or(u16::MAX).min(area.height);
    let width = area.width.saturating_sub(4).min(100);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - n_lines) / 3,
        width,
        height: n_lines,
    };
    let title = match (scene.model.run.began.as_ref(), awaited(scene)) {
        (_, Some(service)) => {
            format!("waiting for the Knative Service {service}: it does not exist yet")
        }
        (Some(_), None) if scene.ui.session().is_replay => {
            "up to here the record holds nothing of this".to_owned()
        }
        (Some(_), None) if !all.is_empty() => "waiting for the first data".to_owned(),
        (_, None) => "starting".to_owned(),
    };
    canvas.line(place, 0, [theme.strong(Role::Text, title)]);
    let mut row = 2;
    for source in all {
        let (role, glyph, word) = sources::health(source, now);
        let report = &source.report;
        let words = match (report.state, report.latency) {
            (State::Ok, Some(latency)) => text::latency(latency.as_secs_f64()),
            _ if report.reason.is_empty() => word,
            _ => format!("{word}: {}", report.reason),
        };
        let spans = [
            theme.strong(role, format!("{glyph} ")),
            theme.span(Role::Text, text::left(&report.source, 24)),
            theme.span(if report.state == State::Ok { Role::Dim } else { role }, words),
        ];
        canvas.line(Rect { height: area.bottom().saturating_sub(place.y), ..place }, row, spans);
        row += 1;
        if !report.remedy.is_empty() {
            canvas.text(place, row, Role::Dim, "  mend it:");
            let rest = Rect {
                x: place.x + 11,
                y: place.y.saturating_add(row),
                width: place.width.saturating_sub(11),
                height: area.bottom().saturating_sub(place.y.saturating_add(row)),
            };
            if 0 < rest.height {
                row += canvas.wrap(rest, [theme.span(Role::Accent, report.remedy.clone())]);
            }
        }
    }
}
