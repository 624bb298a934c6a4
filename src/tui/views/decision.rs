//! The autoscaler's settings in force beside the lanes, each with where it comes from, where the
//! screen is wide enough.

use ratatui::layout::Rect;

use crate::kpa::config::Origin;
use crate::kpa::config::Setting;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;

use super::Scene;
use super::hpa;

/// The settings of the revision looked at.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    if let Some(hpa) = &scene.moment.hpa {
        return hpa::page(canvas, area, scene, hpa);
    }
    let theme = canvas.theme;
    let title = vec![
        theme.strong(Role::Accent, "SETTINGS"),
        theme.span(Role::Dim, " in force, and from where"),
    ];
    let inside = canvas.frame(area, title);
    let scaling = scene.moment.revision.as_ref().and_then(|it| scene.model.scaling.get(it));
    let Some(effective) = scaling.and_then(|scaling| scaling.config.as_ref()) else {
        canvas.text(inside, 0, Role::Dim, "not known: config-autoscaler cannot be read");
        return;
    };
    let settings = effective.settings.iter();
    let (mut shown, defaults): (Vec<&Setting>, Vec<&Setting>) =
        settings.partition(|setting| setting.origin != Origin::Default);
    // What somebody set comes first.
    shown.extend(defaults);
    for (row, setting) in (0..).zip(shown) {
        let (role, origin) = (role(setting.origin), place(setting.origin));
        let name = text::left(setting.name, 29);
        canvas.line(inside, row, [theme.span(Role::Dim, name)]);
        let place = Rect { x: inside.x + 30, width: inside.width.saturating_sub(30), ..inside };
        let value = text::left(&setting.value.to_string(), 11);
        let spans = [theme.strong(Role::Text, value), theme.span(role, format!(" {origin}"))];
        canvas.line(place, row, spans);
    }
}

/// The ink of an origin: what somebody set stands out.
pub const fn role(origin: Origin) -> Role {
    match origin {
        Origin::Default => Role::Dim,
        Origin::Annotation | Origin::Spec => Role::Accent,
        Origin::ConfigMap => Role::Load,
    }
}

/// Where a value stands, in a word.
const fn place(origin: Origin) -> &'static str {
    match origin {
        Origin::Default => "default",
        Origin::Annotation | Origin::Spec => "revision",
        Origin::ConfigMap => "cluster",
    }
}
