//! All Knative services: state, panic, pods, traffic split.

use ratatui::layout::Rect;

use crate::event::cluster::Name;
use crate::event::cluster::Service;
use crate::event::cluster::Status;
use crate::model::Model;
use crate::tui::hpa::Hpa;
use crate::tui::moment::Panic;
use crate::tui::moment::panic_at;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::ui::Ui;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::table;
use crate::tui::widgets::table::Column;

use super::Scene;
use super::hpa;

const fn column(title: &'static str, width: u16, is_number: bool) -> Column {
    Column { title, width, is_number }
}

const COLUMNS: [Column; 7] = [
    column("SERVICE", 24, false),
    column("NAMESPACE", 12, false),
    column("STATE", 18, false),
    column("AUTOSCALER", 12, false),
    column("READY", 5, true),
    column("DESIRED", 7, true),
    column("TRAFFIC", 24, false),
];

/// The same where there is little room: what matters most is not to be cut off.
const NARROW: [Column; 6] = [
    column("SERVICE", 22, false),
    column("NAMESPACE", 10, false),
    column("STATE", 12, false),
    column("AUTOSCALER", 10, false),
    column("READY", 5, true),
    column("DESIRED", 7, true),
];

/// The services in the order of the list, narrowed by the filter.
pub fn shown(model: &Model, ui: &Ui) -> Vec<Name> {
    let filter = ui.filter();
    let services = model.cluster.services.keys();
    services
        .filter(|it| it.name.contains(filter) || it.namespace.contains(filter))
        .cloned()
        .collect()
}

/// A line a service; Enter opens the selected one.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = canvas.theme;
    let services = shown(scene.model, scene.ui);
    let mut title = vec![
        theme.strong(Role::Load, "Knative services"),
        theme.span(Role::Text, format!(" {}", services.len())),
    ];
    if !scene.ui.filter().is_empty() {
        title.push(theme.span(Role::Accent, format!(" with \"{}\"", scene.ui.filter())));
    }
    let inside = canvas.frame(area, title);
    let rows: Vec<_> = services
        .iter()
        .filter_map(|name| Some(row(scene, name, scene.model.cluster.services.get(name)?)))
        .collect();
    let columns: &[Column] = if inside.width < 110 { &NARROW } else { &COLUMNS };
    table::draw(canvas, inside, columns, &rows, Some(scene.ui.selected()));
    if rows.is_empty() {
        canvas.text(inside, 1, Role::Dim, "no Knative service in sight");
    }
}

fn row(scene: &Scene<'_>, name: &Name, service: &Service) -> Vec<table::Cell> {
    let model = scene.model;
    let revisions = model.cluster.revisions_of(name);
    let (mut ready, mut desired): (Option<f64>, Option<f64>) = (None, None);
    let add = |sum: &mut Option<f64>, value: Option<f64>| {
        if let Some(value) = value {
            *sum = Some(sum.unwrap_or(0.0) + value);
        }
    };
    let (at, is_present) = (scene.moment.at, scene.moment.is_present);
    for scaling in revisions.iter().filter_map(|revision| model.scaling.get(revision)) {
        add(&mut ready, scaling.ready.at(at, None));
        add(&mut desired, scaling.desired.at(at, None));
    }
    let state = match service.ready.status {
        // Of conditions and traffic only the newest are kept.
        _ if !is_present => (Role::Dim, text::UNKNOWN.to_owned()),
        Status::True => (Role::Good, "✓ ready".to_owned()),
        Status::False => (Role::Bad, format!("✗ {}", service.ready.reason)),
        Status::Unknown => (Role::Warn, "… not yet".to_owned()),
    };
    let count = |value: Option<f64>| text::or_unknown(value, text::count);
    vec![
        (Role::Text, text::tail(&name.name, 24)),
        (Role::Dim, text::tail(&name.namespace, 12)),
        state,
        panic(scene, &revisions),
        (Role::Ready, count(ready)),
        (Role::Desired, count(desired)),
        (Role::Text, if is_present { traffic(service) } else { text::UNKNOWN.to_owned() }),
    ]
}

/// The worst of its revisions.
fn panic(scene: &Scene<'_>, revisions: &[Name]) -> table::Cell {
    let moment = (scene.moment.at, scene.moment.is_present);
    let first = revisions.first();
    if let Some(hpa) = first.and_then(|it| Hpa::of(scene.model, moment, it)) {
        return hpa::brief(&hpa);
    }
    let states: Vec<_> =
        revisions.iter().map(|it| panic_at(scene.model, moment, Some(it))).collect();
    if states.iter().any(|state| matches!(state, Panic::On { .. })) {
        (Role::Panic, "▲ PANIC".to_owned())
    } else if states.iter().any(|state| matches!(state, Panic::Stable { .. })) {
        (Role::Good, "✓ STABLE".to_owned())
    } else {
        (Role::Warn, "? UNKNOWN".to_owned())
    }
}

/// `00001 90 %  00002 10 %`: revisions without the service's name.
fn traffic(service: &Service) -> String {
    let prefix = format!("{}-", service.id.name);
    let lines: Vec<String> = service
        .traffic
        .iter()
        .filter(|line| line.percent.is_some_and(|percent| 0 < percent) || !line.tag.is_empty())
        .map(|line| {
            let name = line.revision.strip_prefix(&prefix).unwrap_or(&line.revision);
            match line.percent {
                Some(percent) => format!("{name} {percent} %"),
                None => format!("{name} #{}", line.tag),
            }
        })
        .collect();
    lines.join("  ")
}
