//! The tap: every stamped event goes to a file, or it is said at once that it does not.
//!
//! Writing has a thread of its own, since a disk may take seconds. The loop hands over finished
//! frames through a bounded queue and never waits; a queue that is full ends the record loudly,
//! for a record with a hole in it would look like a run that never was.

use std::fmt;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::format;
use crate::clock;
use crate::event::Stamped;

/// Frames that may wait for the disk.
const QUEUE: usize = 16_384;
/// Bytes that may wait for the disk.
const QUEUE_BYTES: u64 = 64 << 20;
/// How often what was written is forced to the disk. Against kill -9 the page cache is enough,
/// and every frame is there as soon as the thread has seen it.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Most bytes of one write.
const BATCH_BYTES: usize = 256 << 10;

/// What becomes of the run when it can no longer be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FullDisk {
    /// The run goes on unrecorded.
    #[default]
    GoOn,
    /// The run stops.
    Stop,
}

/// The record has ended before the run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub cause: Cause,
    /// What was chosen for this case.
    pub then: FullDisk,
}

/// Why a record ended before its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// There is no room on the disk, or the quota is used up.
    DiskFull,
    /// Writing failed otherwise.
    Io(String),
    /// The disk is so slow that the queue before it is full.
    TooSlow,
    /// An event could not be written as a frame.
    Event(String),
}

/// How much is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Whole frames.
    pub frames: u64,
    /// Bytes, with the header.
    pub bytes: u64,
}

/// Where frames go: a file, or in tests something that fails.
pub trait Sink: Write + Send + 'static {
    /// Forces what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts off what is beyond `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// Writes the events of one run.
#[derive(Debug)]
pub struct Recorder {
    /// `None` once the record has ended.
    queue: Option<mpsc::SyncSender<Vec<u8>>>,
    thread: Option<thread::JoinHandle<Written>>,
    shared: Arc<Shared>,
    full_disk: FullDisk,
    n_unrecorded: u64,
}

/// What loop and thread both see.
#[derive(Debug, Default)]
struct Shared {
    cause: OnceLock<Cause>,
    n_waiting_bytes: AtomicU64,
}

// === impl Recorder ===

impl Recorder {
    /// Makes the file, which must not be there yet, readable by its owner alone.
    pub fn start(path: &Path, full_disk: FullDisk) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Self::start_on(file, full_disk)
    }

    /// Records to a sink that is empty.
    pub fn start_on(sink: impl Sink, full_disk: FullDisk) -> io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            sink,
            shared: Arc::clone(&shared),
            written: Written::default(),
            is_synced: true,
        };
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self { queue: Some(sender), thread: Some(thread), shared, full_disk, n_unrecorded: 0 })
    }

    /// Hands an event to the writing thread; never waits. After trouble it is only counted.
    pub fn record(&mut self, stamped: &Stamped) {
        if self.shared.cause.get().is_some() {
            self.queue = None;
        }
        let Some(queue) = &self.queue else {
            self.n_unrecorded += 1;
            return;
        };
        let cause = match format::frame(stamped) {
            Ok(frame) => {
                let len = frame.len() as u64;
                let n_waiting = self.shared.n_waiting_bytes.fetch_add(len, Ordering::Relaxed);
                if n_waiting < QUEUE_BYTES && queue.try_send(frame).is_ok() {
                    return;
                }
                Cause::TooSlow
            }
            Err(error) => Cause::Event(error.to_string()),
        };
        // If the thread has ended, its own cause is there first.
        let _ = self.shared.cause.set(cause);
        self.queue = None;
        self.n_unrecorded += 1;
    }

    /// Why the record has ended before the run; `None` as long as all is well.
    pub fn trouble(&self) -> Option<Trouble> {
        let cause = self.shared.cause.get()?.clone();
        Some(Trouble { cause, then: self.full_disk })
    }

    /// Events that came after the record had ended.
    pub const fn n_unrecorded(&self) -> u64 {
        self.n_unrecorded
    }

    /// Writes what waits, forces it to the disk and ends. Waits for the disk.
    pub fn finish(mut self) -> (Written, Option<Trouble>) {
        self.queue = None;
        let joined = self.thread.take().map(thread::JoinHandle::join);
        let Some(Ok(written)) = joined else {
            let _ = self.shared.cause.set(Cause::Io("the journal's thread ended".to_owned()));
            return (Written::default(), self.trouble());
        };
        (written, self.trouble())
    }
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

// === impl Cause ===

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskFull => f.write_str("the disk is full"),
            Self::Io(error) => write!(f, "writing failed: {error}"),
            Self::TooSlow => f.write_str("the disk is too slow"),
            Self::Event(error) => f.write_str(error),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = match self.then {
            FullDisk::GoOn => "the run goes on unrecorded",
            FullDisk::Stop => "the run stops",
        };
        write!(f, "the record ends here: {}; {then}", self.cause)
    }
}

/// The thread's side.
struct Writer<S> {
    sink: S,
    shared: Arc<Shared>,
    written: Written,
    is_synced: bool,
}

// === impl Writer ===

impl<S: Sink> Writer<S> {
    fn run(mut self, queue: &mpsc::Receiver<Vec<u8>>) -> Written {
        if let Err(error) = self.write_all(queue) {
            // The cut-off frame goes, so that the file ends with a whole one. Where that fails
            // too, the reader passes over it.
            let _ = self.sink.truncate(self.written.bytes);
            let _ = self.sink.sync();
            let _ = self.shared.cause.set(error.into());
        }
        self.written
    }

    fn write_all(&mut self, queue: &mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
        let header = format::header();
        self.write(&header, &[header.len()])?;
        let mut synced = clock::monotonic();
        loop {
            match queue.recv_timeout(SYNC_EVERY) {
                Ok(frame) => self.write_batch(frame, queue)?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.sync(),
            }
            self.sync_if_due(&mut synced)?;
        }
    }

    /// Writes `first` and what else waits.
    fn write_batch(&mut self, first: Vec<u8>, queue: &mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
        let mut batch = first;
        let mut ends = vec![batch.len()];
        while batch.len() < BATCH_BYTES
            && let Ok(frame) = queue.try_recv()
        {
            batch.extend(frame);
            ends.push(batch.len());
        }
        let written = self.write(&batch, &ends);
        self.shared.n_waiting_bytes.fetch_sub(batch.len() as u64, Ordering::Relaxed);
        written?;
        self.written.frames += ends.len() as u64;
        Ok(())
    }

    /// Writes `bytes`; if that fails in between, what counts as written ends with the last of
    /// `ends` that was reached.
    fn write(&mut self, bytes: &[u8], ends: &[usize]) -> io::Result<()> {
        self.is_synced = false;
        let mut n_written = 0;
        while n_written < bytes.len() {
            let error = match self.sink.write(&bytes[n_written..]) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(n) => {
                    n_written += n;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let whole = ends.iter().take_while(|end| **end <= n_written);
            self.written.frames += whole.clone().count() as u64;
            self.written.bytes += whole.last().copied().unwrap_or(0) as u64;
            return Err(error);
        }
        self.written.bytes += bytes.len() as u64;
        Ok(())
    }

    fn sync_if_due(&mut self, synced: &mut Instant) -> io::Result<()> {
        if synced.elapsed() < SYNC_EVERY {
            return Ok(());
        }
        self.sync()?;
        *synced = clock::monotonic();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if !self.is_synced {
            self.sink.sync()?;
            self.is_synced = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::Event;
    use crate::journal::Reader;
    use crate::units::At;

    fn stamped(seq: u64) -> Stamped {
        Stamped { seq, at: At::from_millis(seq), event: Event::Lost { n: seq } }
    }

    fn wait_for_trouble(recorder: &Recorder) -> Trouble {
        loop {
            if let Some(trouble) = recorder.trouble() {
                return trouble;
            }
            thread::yield_now();
        }
    }

    /// A disk with room for so many bytes, which takes at most 100 at a time.
    struct SmallDisk {
        file: File,
        room: usize,
    }

    impl Write for SmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room).min(100);
            if n == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= n;
            self.file.write(&bytes[..n])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for SmallDisk {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn truncate(&mut self, len: u64) -> io::Result<()> {
            self.file.set_len(len)
        }
    }

    #[test]
    fn what_was_recorded_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut recorder = Recorder::start(&path, FullDisk::GoOn).unwrap();
        for seq in 0..1000 {
            recorder.record(&stamped(seq));
        }
        let (written, trouble) = recorder.finish();
        assert_eq!((written.frames, trouble), (1000, None));
        assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
        let mut reader = Reader::open(File::open(&path).unwrap()).unwrap();
        assert!(reader.by_ref().eq((0..1000).map(stamped)));
        assert!(reader.loss().is_none());
        assert!(Recorder::start(&path, FullDisk::GoOn).is_err(), "never over another record");
    }

    #[test]
    fn a_full_disk_is_told_and_the_file_ends_with_a_whole_frame() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let room = 16 + format::frame(&stamped(0)).unwrap().len() * 3 + 11;
        let sink = SmallDisk { file: File::create(&path).unwrap(), room };
        let mut recorder = Recorder::start_on(sink, FullDisk::Stop).unwrap();
        // The fourth finds no room; the disk may say so before a fifth could be handed over.
        for seq in 0..4 {
            recorder.record(&stamped(seq));
        }
        let trouble = wait_for_trouble(&recorder);
        assert_eq!(trouble, Trouble { cause: Cause::DiskFull, then: FullDisk::Stop });
        recorder.record(&stamped(4));
        assert_eq!(recorder.n_unrecorded(), 1);
        let (written, _) = recorder.finish();
        let mut reader = Reader::open(File::open(&path).unwrap()).unwrap();
        assert_eq!((reader.by_ref().count(), written.frames), (3, 3));
        assert!(reader.loss().is_none(), "the partial frame was cut off");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_disk_that_is_really_full_is_told() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let recorder = Recorder::start_on(full, FullDisk::GoOn).unwrap();
        let trouble = wait_for_trouble(&recorder);
        assert_eq!(
            trouble.to_string(),
            "the record ends here: the disk is full; the run goes on unrecorded"
        );
    }

    /// A disk that does not answer until the test lets it.
    struct StuckDisk(mpsc::Receiver<()>);

    impl Write for StuckDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for StuckDisk {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn truncate(&mut self, _len: u64) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_queue_that_is_full_ends_the_record_loudly_and_never_waits() {
        let (go, gate) = mpsc::channel();
        let mut recorder = Recorder::start_on(StuckDisk(gate), FullDisk::GoOn).unwrap();
        let n_events = QUEUE as u64 + 10;
        for seq in 0..n_events {
            recorder.record(&stamped(seq));
        }
        assert_eq!(recorder.trouble().map(|trouble| trouble.cause), Some(Cause::TooSlow));
        let n_unrecorded = recorder.n_unrecorded();
        drop(go);
        let (written, _) = recorder.finish();
        assert_eq!(written.frames + n_unrecorded, n_events, "what was accepted is written");
    }
}
