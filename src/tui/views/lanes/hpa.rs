//! The metric by which a `HorizontalPodAutoscaler` scales, and what it is to be.

use crate::event::cluster::Name;
use crate::model::hpa::HpaScaling;
use crate::tui::text;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Scale;

use super::lane::Drawing;
use super::lane::largest;
use super::lane::within;
use super::legend::Legend;
use super::legend::METRIC;
use super::legend::TARGET;
use super::legend::WANTED;

impl Drawing<'_> {
    /// The metric that asks for most; the others stand in the panel.
    pub(super) fn metric(&self, canvas: &mut Canvas<'_>) -> (&'static str, Scale, Vec<Legend>) {
        let hpa = self.scene.moment.hpa.as_ref();
        let scaling = self.hpa_scaling();
        let idx = hpa.and_then(|hpa| hpa.leading).unwrap_or(0);
        let series = scaling.and_then(|scaling| scaling.metrics.get(idx));
        let (Some(hpa), Some(series)) = (hpa, series) else {
            return ("metric", Scale::Linear(10.0), Vec::new());
        };
        let (current, target) = (self.dots(&series.current, None), self.dots(&series.target, None));
        let (most, goal) = (largest(&current), largest(&target));
        // The target is shown where it does not squeeze the rest.
        let top = if goal <= most * 10.0 || most <= 0.0 { most.max(goal) } else { most };
        let scale = Scale::up_to(top, 1.0);
        let mut plot = self.plot(canvas, scale);
        plot.line(&within(&target, scale), TARGET);
        plot.line(&current, METRIC);
        plot.paint(canvas);
        let row = hpa.metrics.get(idx);
        let told = |of: fn(&crate::tui::hpa::Row) -> &String| {
            row.map_or_else(|| text::UNKNOWN.to_owned(), |row| of(row).clone())
        };
        let current = match told(|row| &row.current) {
            unknown if unknown.starts_with('<') => text::UNKNOWN.to_owned(),
            told => told,
        };
        let wanted = hpa.wanted.map_or_else(|| text::UNKNOWN.to_owned(), |it| it.to_string());
        let legends = vec![
            (METRIC, false, "now", current),
            (TARGET, false, "target", told(|row| &row.target)),
            (WANTED, false, "wanted", wanted),
        ];
        let name = match row.map(|row| (row.name.as_str(), row.target.ends_with('%'))) {
            Some(("cpu", true)) => "cpu %",
            Some(("memory", true)) => "mem %",
            Some(("cpu", false)) => "cpu",
            Some(("memory", false)) => "memory",
            Some((_, _)) if row.is_some_and(|row| row.is_average) => "a pod",
            _ => "metric",
        };
        (name, scale, legends)
    }

    fn hpa_scaling(&self) -> Option<&HpaScaling> {
        let model = self.scene.model;
        let autoscaler = model.cluster.hpa_of(self.scene.moment.revision.as_ref()?)?;
        let (namespace, name) = (autoscaler.id.namespace.clone(), autoscaler.id.name.clone());
        model.hpas.get(&Name { namespace, name })
    }
}
