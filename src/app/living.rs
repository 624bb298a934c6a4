//! A run as something to show.

use crate::event::command::Command;
use crate::event::command::LoadCommand;
use crate::event::run::Mode;
use crate::event::run::Note;
use crate::model::Model;
use crate::tui::text;
use crate::units::At;

use super::live::Screen;
use super::live::Show;
use super::session::Session;
use super::session::Step;
use super::snapshot;

impl Show for Session {
    fn model(&self) -> &Model {
        &self.model
    }

    fn now(&self) -> At {
        self.clock().at()
    }

    async fn step(&mut self) -> Step {
        Self::step(self).await
    }

    fn obey(&mut self, command: Command) -> Option<String> {
        match command {
            Command::Load(change) => self.change_load(change),
            Command::Open(service) => self.open(service),
            Command::Note { about, text } => {
                let clock = text::clock(self.model.run.anchor(), about);
                self.note(Note { about, text });
                return Some(format!("noted at {clock}"));
            }
            // The loop's own, or a replay's.
            Command::Snapshot
            | Command::Replay(_)
            | Command::Suspend
            | Command::Quit
            | Command::Detach => {}
        }
        None
    }

    fn snapshot(&self, screen: &Screen<'_>) -> String {
        snapshot::take(self.folder(), screen)
    }

    fn suspend(&mut self, stops: bool) {
        let is_paused = self.model.traffic.last.as_ref().is_some_and(|last| last.paused);
        // What a person paused stays paused.
        if stops && !is_paused {
            self.is_suspended = true;
            self.change_load(LoadCommand::Pause);
        } else if !stops && self.is_suspended {
            self.is_suspended = false;
            self.change_load(LoadCommand::Resume);
        }
        let text = if stops { "stopped from the shell" } else { "continued from the shell" };
        self.note(Note { about: self.clock().at(), text: text.to_owned() });
    }

    fn is_loading(&self) -> bool {
        Self::is_loading(self)
    }

    fn unrecorded(&self) -> Option<&str> {
        Self::unrecorded(self)
    }

    fn ends_with_plan(&self) -> bool {
        self.spec.mode == Mode::Load
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn stop_load(&mut self) {
        Self::stop_load(self);
    }
}
