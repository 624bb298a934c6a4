//! The record of a run, and its replay.
//!
//! Everything that the model sees is written first, so whatever the screen showed can be shown
//! again: after the run, after a crash, on another machine.

mod ahead;
mod folder;
mod format;
mod lines;
mod record;
mod redact;
mod replay;

pub use ahead::read_ahead;
pub use folder::FolderError;
pub use folder::RunFolder;
pub use folder::default_runs;
pub use format::Damage;
pub use format::FRAME_MAX;
pub use format::FormatError;
pub use format::Loss;
pub use format::Reader;
pub use format::frame;
pub use format::header;
pub use lines::Lines;
pub use record::Cause;
pub use record::FullDisk;
pub use record::Recorder;
pub use record::Sink;
pub use record::Trouble;
pub use record::Written;
pub use replay::Playback;
pub use replay::Replayer;
pub use replay::Step;
