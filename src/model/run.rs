//! The course of the run: what was planned, where it is, what people did.

use std::collections::BTreeSet;
use std::collections::VecDeque;

use crate::event::cluster::Name;
use crate::event::run::Began;
use crate::event::run::Control;
use crate::event::run::Ended;
use crate::event::run::Executor;
use crate::event::run::Found;
use crate::event::run::Note;
use crate::event::run::Stage;
use crate::units::Anchor;
use crate::units::At;
use crate::units::UnixMicros;

/// Marks that are kept; older ones are counted.
const MARKS_MAX: usize = 1000;
/// Revisions of the run's service that are kept when they are gone.
const REVISIONS_MAX: usize = 200;

/// The course of the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// What was said at the beginning; `None` before the first event.
    pub began: Option<Began>,
    /// Where requests go; `None` before it is known, or if none are sent.
    pub found: Option<Found>,
    /// The stage that is on, if there is a plan.
    pub stage: Option<Stage>,
    /// Stages, changes of load and notes in their order.
    pub marks: VecDeque<Mark>,
    /// Marks that were forgotten.
    pub n_marks_lost: u64,
    /// The latest change of load.
    pub control: Option<Control>,
    /// How it ended; `None` while it goes on.
    pub ended: Option<Ended>,
    /// When it ended.
    pub ended_at: Option<At>,
    /// The revisions of its service that were seen, those that are gone included.
    pub revisions: BTreeSet<Name>,
    /// Events that the bus had no room for.
    pub n_lost: u64,
}

/// Something at a moment of the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// When.
    pub at: At,
    /// What.
    pub what: MarkKind,
}

/// What a mark stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum MarkKind {
    /// A stage began.
    Stage(String),
    /// The load was changed.
    Control(Control),
    /// A note was made.
    Note(String),
    /// A `ConfigMap` or an annotation changed: its name.
    Config(String),
}

impl Run {
    pub(super) fn begin(&mut self, began: &Began) {
        self.began = Some(began.clone());
    }

    pub(super) fn stage(&mut self, stage: &Stage) {
        self.mark(stage.at, MarkKind::Stage(stage.name.clone()));
        self.stage = Some(stage.clone());
    }

    pub(super) fn control(&mut self, control: &Control) {
        self.mark(control.at, MarkKind::Control(control.clone()));
        self.control = Some(control.clone());
    }

    pub(super) fn note(&mut self, note: &Note) {
        self.mark(note.about, MarkKind::Note(note.text.clone()));
    }

    pub(super) fn end(&mut self, at: At, ended: &Ended) {
        self.ended = Some(ended.clone());
        self.ended_at = Some(at);
    }

    pub(super) fn mark(&mut self, at: At, what: MarkKind) {
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_front();
            self.n_marks_lost += 1;
        }
        self.marks.push_back(Mark { at, what });
    }

    /// A revision of its service was seen.
    pub(super) fn is_about(&mut self, revision: &Name) {
        if self.revisions.len() < REVISIONS_MAX && !self.revisions.contains(revision) {
            self.revisions.insert(revision.clone());
        }
    }

    /// The service that it is about; `None` where none was named.
    pub fn service(&self) -> Option<Name> {
        let began = self.began.as_ref()?;
        let (namespace, name) = (began.namespace.clone()?, began.service.clone()?);
        Some(Name { namespace, name })
    }

    /// The wall clock at the beginning; 1970 before the first event.
    pub fn anchor(&self) -> Anchor {
        self.began.as_ref().map_or(Anchor(UnixMicros(0)), |began| began.anchor)
    }

    /// How requests come about.
    pub fn executor(&self) -> Executor {
        self.began.as_ref().map_or(Executor::None, |began| began.executor)
    }
}
