//! `latency.hlog` of a run: written as it goes, or made from its journal.

use std::path::Path;

use crate::event::Event;
use crate::event::Stamped;
use crate::export::hlog::IntervalLog;
use crate::journal::Lines;
use crate::journal::Playback;
use crate::journal::RunFolder;
use crate::units::At;

/// The interval log of a run that goes on.
#[derive(Debug)]
pub(super) struct LatencyLog {
    log: IntervalLog,
    file: Lines,
}

// === impl LatencyLog ===

impl LatencyLog {
    /// Begins it. A run is not worth less without it, so it only says in the log why there is none.
    pub(super) fn begin(folder: &RunFolder) -> Option<Self> {
        let file = folder
            .latency_log()
            .inspect_err(|error| tracing::warn!(%error, "no interval log of latencies"))
            .ok()?;
        Some(Self { log: IntervalLog::new()?, file })
    }

    /// Takes an event in.
    pub(super) fn take(&mut self, stamped: &Stamped) {
        let lines = written(&mut self.log, &stamped.event);
        if !lines.is_empty() {
            self.file.append(lines);
        }
    }

    /// Ends it.
    pub(super) fn end(self) {
        if let Some(reason) = self.file.finish() {
            tracing::warn!(reason, "latency.hlog is not whole; replay --latency-log makes it anew");
        }
    }
}

fn written(log: &mut IntervalLog, event: &Event) -> Vec<u8> {
    match event {
        Event::Began(began) => log.head(began.anchor),
        Event::Traffic(interval) => log.lines(interval),
        _ => Vec::new(),
    }
}

/// Writes the latencies of a record; it is read from its beginning.
pub(super) fn write<R: std::io::Read + std::io::Seek>(
    playback: &mut Playback<R>,
    path: &Path,
) -> std::io::Result<()> {
    let Some(mut log) = IntervalLog::new() else { return Ok(()) };
    let file = std::fs::File::create(path)?;
    let mut file = std::io::BufWriter::new(file);
    while let Some(stamped) = playback.next(At::from_micros(u64::MAX)) {
        std::io::Write::write_all(&mut file, &written(&mut log, &stamped.event))?;
    }
    std::io::Write::flush(&mut file)?;
    playback.rewind()
}
