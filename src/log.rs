//! Tracing to a file, never to the screen.
//!
//! The writer is a thread of its own behind a bounded queue: a slow disk costs lines of the log
//! and nothing else.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// Lines that may wait for the disk; what comes beyond is dropped.
const LINES_MAX: usize = 16_384;

/// Keeps the log open; what waits is written when it is dropped, so it should be the last to go.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct Guard {
    _worker: WorkerGuard,
}

/// Starts to log into `path`, after what is there already. `verbosity` 0 is info, 1 debug, more
/// is trace; libraries stay two steps behind.
pub fn to_file(path: &Path, verbosity: u8) -> io::Result<Guard> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let (writer, worker) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES_MAX).lossy(true).finish(file);
    tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(false)
        .with_env_filter(EnvFilter::new(filter(verbosity)))
        .try_init()
        .map_err(io::Error::other)?;
    Ok(Guard { _worker: worker })
}

const fn filter(verbosity: u8) -> &'static str {
    match verbosity {
        0 => "warn,rampscope=info",
        1 => "warn,rampscope=debug",
        _ => "info,rampscope=trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_reach_the_file_when_the_guard_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let guard = to_file(&path, 1).unwrap();
        tracing::debug!(answer = 42, "seen");
        tracing::trace!("not seen");
        drop(guard);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("seen answer=42") && !text.contains("not seen"), "{text}");
        assert!(to_file(Path::new("/nowhere/at/all"), 0).is_err());
    }
}
