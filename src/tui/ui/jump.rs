//! From mark to mark: to the moments at which something began or was changed.

use crate::model::Model;
use crate::model::run::MarkKind;
use crate::units::At;

use crate::tui::action::View;
use crate::tui::text;

use super::Ui;

impl Ui {
    /// The cursor to the next mark, or to the one before; past the newest one it goes away.
    pub(super) fn jump(&mut self, is_forward: bool, model: &Model) {
        let marks = self.jumps(model);
        let from = self.moment();
        let found = if is_forward {
            marks.into_iter().find(|(at, _)| from < *at)
        } else {
            marks.into_iter().rev().find(|(at, _)| *at < from)
        };
        match found {
            Some((at, what)) => {
                if !self.view.has_time() {
                    self.show(View::Overview);
                }
                self.selected = 0;
                self.cursor = Some(at);
                self.tell(format!("{what}, at {}", text::clock_tenths(model.run.anchor(), at)));
            }
            None if is_forward && self.cursor.is_some() => self.cursor = None,
            None if is_forward => self.tell("no mark after this moment"),
            None => self.tell("no mark before this moment"),
        }
    }

    /// Each moment up to now at which the load, the configuration, or the panic of the revision
    /// looked at began to be another, the oldest first.
    fn jumps(&self, model: &Model) -> Vec<(At, String)> {
        let marks = model.run.marks.iter().map(|mark| {
            let what = match &mark.what {
                MarkKind::Stage(name) => format!("stage {}", text::head(name, 24)),
                MarkKind::Control(control) => format!("load to {}", text::rate(control.to)),
                MarkKind::Note(note) => format!("note: {}", text::head(note, 40)),
                MarkKind::Config(name) => format!("{} changed", text::head(name, 40)),
            };
            (mark.at, what)
        });
        let revision = self.revision(model);
        let scaling = revision.and_then(|revision| model.scaling.get(&revision));
        let panics = scaling.into_iter().flat_map(|scaling| &scaling.panics).flat_map(|span| {
            let ended = span.ended.map(|at| (at, "panic ends".to_owned()));
            [Some((span.began, "panic begins".to_owned())), ended].into_iter().flatten()
        });
        let now = self.now();
        let mut all: Vec<_> = marks.chain(panics).filter(|(at, _)| *at <= now).collect();
        all.sort_by_key(|(at, _)| *at);
        all
    }
}
