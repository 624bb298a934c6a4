//! A record as something to show: the same screen, from a file.

use std::fs::File;
use std::io;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::event::command::Command;
use crate::event::command::ReplayCommand;
use crate::journal;
use crate::journal::Playback;
use crate::journal::Replayer;
use crate::journal::RunFolder;
use crate::model::Model;
use crate::tasks;
use crate::units::At;

use super::live::Screen;
use super::live::Show;
use super::session::Step;
use super::snapshot;

/// Events that may wait for the loop.
const QUEUE: usize = 1024;
/// Steps taken in at once.
const BATCH: usize = 512;

/// A record being shown.
#[derive(Debug)]
pub(super) struct Replay {
    /// What is known at the moment that is shown.
    pub(super) model: Model,
    folder: RunFolder,
    steps: mpsc::Receiver<journal::Step>,
    commands: mpsc::Sender<ReplayCommand>,
    now: Now,
    _player: AbortOnDropHandle<io::Result<()>>,
}

/// Where the replay is.
#[derive(Debug, Clone, Copy)]
struct Now {
    at: At,
    /// When that was said.
    said: tokio::time::Instant,
    speed: f64,
    is_paused: bool,
    is_over: bool,
}

impl Replay {
    /// Begins to play. Needs a runtime.
    pub(super) fn start(folder: RunFolder, playback: Playback<File>, speed: f64) -> Self {
        let (out, steps) = mpsc::channel(QUEUE);
        let (commands, orders) = mpsc::channel(16);
        let player = Replayer::new(playback, speed).run(out, orders, CancellationToken::new());
        Self {
            model: Model::default(),
            folder,
            steps,
            commands,
            now: Now {
                at: At::ZERO,
                said: crate::clock::instant(),
                speed,
                is_paused: false,
                is_over: false,
            },
            _player: tasks::spawn(player),
        }
    }

    fn take(&mut self, step: journal::Step) {
        match step {
            journal::Step::Anew => self.model = Model::default(),
            journal::Step::Event(stamped) => self.model.apply(&stamped),
            journal::Step::Now { at, speed, is_paused, is_over } => {
                self.now = Now { at, said: crate::clock::instant(), speed, is_paused, is_over };
            }
        }
    }
}

impl Show for Replay {
    fn model(&self) -> &Model {
        &self.model
    }

    fn now(&self) -> At {
        if self.now.is_paused || self.now.is_over {
            return self.now.at.max(self.model.now);
        }
        let played = self.now.said.elapsed().mul_f64(self.now.speed);
        (self.now.at + played).max(self.model.now)
    }

    async fn step(&mut self) -> Step {
        match self.steps.recv().await {
            Some(step) => {
                self.take(step);
                for _ in 1..BATCH {
                    let Ok(step) = self.steps.try_recv() else { break };
                    self.take(step);
                }
                Step::Took
            }
            // The player has ended; what is shown stays.
            None => std::future::pending().await,
        }
    }

    fn obey(&mut self, command: Command) -> Option<String> {
        match command {
            Command::Replay(command) => {
                let is_sent = self.commands.try_send(command).is_ok();
                (!is_sent).then(|| "the replay is busy".to_owned())
            }
            Command::Note { .. } => {
                Some("a record is not written to; notes are for runs".to_owned())
            }
            _ => None,
        }
    }

    fn snapshot(&self, screen: &Screen<'_>) -> String {
        snapshot::take(Some(&self.folder), screen)
    }

    fn suspend(&mut self, _stops: bool) {}

    fn is_loading(&self) -> bool {
        false
    }

    fn unrecorded(&self) -> Option<&str> {
        None
    }

    fn ends_with_plan(&self) -> bool {
        false
    }

    fn stop_load(&mut self) {}
}
