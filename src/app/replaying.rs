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
    /// When the last event happened.
    end: At,
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
    is_hurrying: bool,
    is_over: bool,
}

impl Replay {
    /// Begins to play. Needs a runtime.
    pub(super) fn start(folder: RunFolder, playback: Playback<File>, speed: f64) -> Self {
        let (out, steps) = mpsc::channel(QUEUE);
        let (commands, orders) = mpsc::channel(16);
        let end = playback.end().unwrap_or_default();
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
                is_hurrying: false,
                is_over: false,
            },
            end,
            _player: tasks::spawn(player),
        }
    }

    fn take(&mut self, step: journal::Step) {
        match step {
            journal::Step::Anew => {
                self.model = Model::default();
                self.now.is_hurrying = true;
            }
            journal::Step::Event(stamped) => self.model.apply(&stamped),
            journal::Step::Now { at, speed, is_paused, is_hurrying, is_over } => {
                let said = crate::clock::instant();
                self.now = Now { at, said, speed, is_paused, is_hurrying, is_over };
            }
        }
    }
}

impl Show for Replay {
    fn model(&self) -> &Model {
        &self.model
    }

    fn now(&self) -> At {
        // What is hurried through is shown as it comes: the moment that was sought is not known yet.
        if self.now.is_hurrying {
            return self.model.now;
        }
        if self.now.is_paused || self.now.is_over {
            return self.now.at.max(self.model.now);
        }
        let played = self.now.said.elapsed().mul_f64(self.now.speed);
        (self.now.at + played).min(self.end).max(self.model.now)
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

    fn is_paused(&self) -> bool {
        self.now.is_paused
    }

    fn stop_load(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::Event;
    use crate::event::Stamped;

    /// An event each second from 0 to 9.
    fn replay(speed: f64) -> (tempfile::TempDir, Replay) {
        let home = tempfile::tempdir().unwrap();
        let mut bytes = journal::header().to_vec();
        for seq in 0..10 {
            let event = Event::Lost { n: seq };
            bytes.extend(journal::frame(&Stamped { seq, at: At::from_secs(seq), event }).unwrap());
        }
        std::fs::write(home.path().join("journal"), bytes).unwrap();
        let folder = RunFolder::open(home.path()).unwrap();
        let playback = folder.playback().unwrap();
        (home, Replay::start(folder, playback, speed))
    }

    async fn watch(replay: &mut Replay, span: Duration) {
        let _ = tokio::time::timeout(span, async {
            loop {
                replay.step().await;
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_back_sees_what_was_then() {
        let (_home, mut replay) = replay(1.0);
        watch(&mut replay, Duration::from_millis(8200)).await;
        assert_eq!(replay.now(), At::from_millis(8200));
        assert_eq!(replay.obey(Command::Replay(ReplayCommand::Seek(At::from_millis(3500)))), None);
        // Whatever is drawn on the way there is of its moment.
        let mut drawn = Vec::new();
        while drawn.last() != Some(&At::from_millis(3500)) {
            let step = replay.steps.recv().await.unwrap();
            replay.take(step);
            drawn.push(replay.now());
        }
        drawn.dedup();
        let there = [0, 1000, 2000, 3000, 3500].map(At::from_millis);
        assert_eq!(drawn, there);
        assert_eq!(replay.model.now, At::from_secs(3));
        watch(&mut replay, Duration::from_secs(2)).await;
        assert_eq!((replay.now(), replay.model.now), (At::from_millis(5500), At::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn however_fast_it_plays_it_ends_with_its_record() {
        let (_home, mut replay) = replay(1000.0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(replay.now(), At::from_secs(9));
        watch(&mut replay, Duration::from_secs(1)).await;
        assert_eq!((replay.now(), replay.model.now), (At::from_secs(9), At::from_secs(9)));
    }
}
