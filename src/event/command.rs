//! The way back: what a view or a scenario may ask of the owner of a thing.

use serde::Deserialize;
use serde::Serialize;

use super::cluster::Name;
use crate::units::At;

/// Something asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Change the load.
    Load(LoadCommand),
    /// Look at this Knative Service.
    Open(Name),
    /// Write the screen, its values and the window to files.
    Snapshot,
    /// Keep a note.
    Note {
        /// The moment that it is about.
        about: At,
        /// What it says.
        text: String,
    },
    /// Move in a replay.
    Replay(ReplayCommand),
    /// Stop the process until it is continued from the shell.
    Suspend,
    /// End: stop the load, restore, report.
    Quit,
    /// End the screen; the run goes on without one.
    Detach,
}

/// A change of load. Amounts are requests a second, or users in a closed loop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadCommand {
    /// To this amount, from now on; the profile no longer rules.
    Set(f64),
    /// Three times the present amount for ten seconds, then back.
    Burst,
    /// Stay at the present amount; the profile waits. Again: the profile goes on.
    Hold,
    /// The profile rules again, from where it waits.
    Profile,
    /// To the next stage.
    Next,
    /// Send nothing; the profile waits.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Take the last change back.
    Undo,
}

/// Slowest and fastest replay, in run time a second of real time.
pub const REPLAY_SPEED: (f64, f64) = (0.05, 10_000.0);

/// A move in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayCommand {
    /// Stop, or go on.
    PauseOrResume,
    /// Run time a second of real time.
    Speed(f64),
    /// To this moment.
    Seek(At),
}
