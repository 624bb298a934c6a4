//! A run as something to show.

use crate::event::command::Command;
use crate::event::command::LoadCommand;
use crate::event::run::Mode;
use crate::event::run::Note;
use crate::model::Model;
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

    fn obey(&mut self, command: Command, screen: &Screen<'_>) -> Option<String> {
        match command {
            Command::Load(change) => self.change_load(change),
            Command::Open(service) => self.open(service),
            Command::Note { about, text } => self.note(Note { about, text }),
            Command::Snapshot => {
                let Some(folder) = self.folder() else {
                    return Some("no snapshot: there is no run folder to write it to".to_owned());
                };
                return Some(match snapshot::write(folder, &self.model, screen) {
                    Ok(files) => match files.first() {
                        Some(first) => format!(
                            "snapshot {}.{{txt,ansi,svg,json,csv}}",
                            first.with_extension("").display()
                        ),
                        None => "the snapshot is empty".to_owned(),
                    },
                    Err(error) => format!("no snapshot: {}", crate::tasks::chain(&error)),
                });
            }
            Command::Replay(_) | Command::Suspend | Command::Quit | Command::Detach => {}
        }
        None
    }

    fn suspend(&mut self, stops: bool) {
        let change = if stops { LoadCommand::Pause } else { LoadCommand::Resume };
        self.change_load(change);
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
}
