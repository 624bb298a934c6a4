//! A file beside the journal that grows by whole lines.
//!
//! It can be made again from the journal, so the run never waits for it and never ends for it:
//! what the disk does not take in time is left out, and that is said.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

/// Pieces that may wait for the disk.
const QUEUE: usize = 256;

/// A file that grows by whole lines.
#[derive(Debug)]
pub struct Lines {
    queue: mpsc::SyncSender<Vec<u8>>,
    thread: thread::JoinHandle<io::Result<()>>,
    is_whole: bool,
}

// === impl Lines ===

impl Lines {
    /// Makes the file, which must not be there yet, readable by its owner alone.
    pub fn start(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let (queue, pieces) = mpsc::sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(file, &pieces))?;
        Ok(Self { queue, thread, is_whole: true })
    }

    /// Appends whole lines; never waits.
    pub fn append(&mut self, lines: Vec<u8>) {
        self.is_whole &= self.queue.try_send(lines).is_ok();
    }

    /// Writes what waits. Says why the file is not whole, if it is not.
    pub fn finish(self) -> Option<String> {
        drop(self.queue);
        match self.thread.join() {
            Ok(Ok(())) if self.is_whole => None,
            Ok(Ok(())) => Some("the disk is too slow".to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("its thread ended".to_owned()),
        }
    }
}

fn write(mut file: File, pieces: &mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Ok(lines) = pieces.recv() {
        file.write_all(&lines)?;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn lines_are_there_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut lines = Lines::start(&path).unwrap();
        lines.append(b"a\nb\n".to_vec());
        lines.append(b"c\n".to_vec());
        assert_eq!(lines.finish(), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Lines::start(&path).is_err(), "nothing is written over");
    }

    #[test]
    fn a_full_disk_is_said() {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (queue, pieces) = mpsc::sync_channel(QUEUE);
        let thread = thread::spawn(move || write(file, &pieces));
        let mut lines = Lines { queue, thread, is_whole: true };
        lines.append(b"a\n".to_vec());
        assert!(lines.finish().is_some());
    }
}
