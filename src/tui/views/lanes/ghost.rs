//! The rate to come, before it bites: what is being asked for, what is held, what the plan says.

use std::time::Duration;

use crate::event::cluster::Name;
use crate::event::run::Executor;
use crate::kpa::config::Metric;
use crate::series::Cells;
use crate::series::Column;
use crate::tui::moment;
use crate::tui::theme::Role;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::plot::Scale;
use crate::units::At;

use super::lane::Drawing;

/// Service times of this span make the rate at which panic begins.
const LITTLE_WINDOW: Duration = Duration::from_secs(10);
/// Fewer of them say nothing.
const LITTLE_MIN: u64 = 20;

impl Drawing<'_> {
    /// The rate to come: what is being asked for, else what is held, else what the plan says.
    pub(super) fn ghost(&self) -> Vec<Option<Column>> {
        let n_dots = self.cells.n * 2;
        let mut ghost = vec![None; n_dots];
        let run = &self.scene.model.run;
        if run.executor() != Executor::Open || run.ended.is_some() || self.is_past() {
            return ghost;
        }
        let dots = Cells { n: n_dots, ..self.cells };
        let first = dots.cell(self.scene.ui.now()).map_or(n_dots, |dot| dot + 1);
        let asked = self.scene.ui.ghost();
        for (dot_idx, column) in ghost.iter_mut().enumerate().skip(first) {
            let amount = asked.or_else(|| self.planned(dots.edge(dot_idx)));
            *column = amount.map(|amount| Column { min: amount, max: amount, last: amount });
        }
        ghost
    }

    /// Whether what is shown is not the present, so that nothing is to come.
    fn is_past(&self) -> bool {
        self.scene.ui.cursor().is_some() || self.scene.ui.behind().is_some()
    }

    /// What the plan, or what a person made of it, will offer at a moment.
    fn planned(&self, at: At) -> Option<f64> {
        let run = &self.scene.model.run;
        let stage = run.stage.as_ref()?;
        let last = self.scene.model.traffic.last.as_ref();
        let is_profile_known = last.is_some_and(|last| last.profile_at.is_some());
        if let Some(last) = last.filter(|last| last.profile_waits) {
            return Some(last.target);
        }
        // A record that does not say: a change of load since the stage began rules in its place.
        if !is_profile_known
            && let Some(control) = run.control.as_ref().filter(|control| stage.at < control.at)
            && matches!(control.what.as_str(), "set" | "zero" | "hold" | "pause" | "undo")
        {
            return Some(control.to);
        }
        let stages = &run.began.as_ref()?.stages;
        let now = self.scene.ui.now();
        let elapsed = moment::in_stage(self.scene.model, now)?;
        let mut began = if is_profile_known { now.saturating_sub(elapsed) } else { stage.at };
        for planned in stages.iter().skip(usize::try_from(stage.index).ok()?) {
            let elapsed = at.since(began);
            if elapsed < planned.lasts {
                return Some(planned.amount(elapsed));
            }
            began = began + planned.lasts;
        }
        None
    }

    /// The rate at which the panic average would reach its threshold: concurrency is the rate times
    /// the mean service time (Little's law), that of the last seconds. `None` while too few
    /// requests were answered in them.
    pub(super) fn rate_of_panic(&self) -> Option<f64> {
        let scaler = &self.scene.moment.scaler;
        // The lane is of all that we send, of which a route may give this revision a part.
        let enters = scaler.enters? / self.share_of_load()?;
        if scaler.metric == Metric::Rps {
            return Some(enters);
        }
        if scaler.metric != Metric::Concurrency || !self.scene.moment.is_present {
            return None;
        }
        let totals = self.scene.model.traffic.window(LITTLE_WINDOW)?;
        let service = totals.latencies.service_time.filter(|it| LITTLE_MIN <= it.count())?;
        let mean = service.mean().as_secs_f64();
        (0.0 < mean).then(|| enters / mean)
    }

    /// Which part of a service's load its route gives to the revision looked at; `None` if none.
    fn share_of_load(&self) -> Option<f64> {
        let revision = self.scene.moment.revision.as_ref()?;
        let cluster = &self.scene.model.cluster;
        let service = cluster.revisions.get(revision).and_then(|it| it.service.clone());
        let name = service.map(|name| Name { namespace: revision.namespace.clone(), name });
        let Some(route) = name.and_then(|name| cluster.services.get(&name)) else {
            return Some(1.0);
        };
        let percent = |name: &str| -> u32 {
            let lines =
                route.traffic.iter().filter(|line| name.is_empty() || line.revision == name);
            lines.filter_map(|line| line.percent).sum()
        };
        match (percent(&revision.name), percent("")) {
            (_, 0) => Some(1.0),
            (0, _) => None,
            (ours, all) => Some(f64::from(ours) / f64::from(all)),
        }
    }

    /// Where the rate to come crosses the panic threshold.
    pub(super) fn crossing(&self, canvas: &mut Canvas<'_>, ghost: &[Option<Column>], scale: Scale) {
        let Some(rate) = self.rate_of_panic() else { return };
        let crossing = ghost.iter().position(|it| it.is_some_and(|column| rate <= column.max));
        let Some(dot) = crossing else { return };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows")]
        let from_below = (scale.share(rate) * f64::from(self.place.height)).floor() as u16;
        let row = self.place.height.saturating_sub(1).saturating_sub(from_below);
        let x = self.place.x + u16::try_from(dot / 2).unwrap_or(0);
        let style = canvas.theme.bold(Role::Panic);
        canvas.symbol(x, self.place.y + row, "P", style);
    }
}
