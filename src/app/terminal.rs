//! The terminal: taken and given back whole, and written to by a thread of its own.
//!
//! The loop hands over finished frames and never waits for the terminal. One frame may be
//! pending; a newer one replaces it, so a terminal that stalls costs frames and nothing else. The
//! thread keeps what the terminal shows and writes only the difference.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossterm::QueueableCommand as _;
use crossterm::cursor;
use crossterm::event as input;
use crossterm::style;
use crossterm::terminal as screen;
use ratatui::buffer::Buffer;
use thiserror::Error;
use tokio::sync::watch;

use crate::clock;

use super::frame;

/// How long a terminal that does not read is waited for at the end.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether this process has taken the terminal: the panic hook must know.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Something went wrong with the terminal.
#[derive(Debug, Error)]
pub enum TerminalError {
    /// It could not be taken.
    #[error("cannot switch the terminal to raw mode")]
    Take(#[source] io::Error),
    /// The writing thread could not be started.
    #[error("cannot start the thread that writes to the terminal")]
    Thread(#[source] io::Error),
}

/// What the writing thread has done so far.
#[derive(Debug, Default)]
pub struct Meter {
    /// Bytes written.
    pub bytes: AtomicU64,
    /// Frames written.
    pub frames: AtomicU64,
    /// How long the last write took, in microseconds.
    pub last_write_us: AtomicU64,
    /// Whether the terminal went away.
    pub is_lost: AtomicBool,
}

/// The terminal while it is ours; dropping it gives it back.
#[derive(Debug)]
pub struct Terminal {
    pending: watch::Sender<Pending>,
    done: std::sync::mpsc::Receiver<()>,
    meter: Arc<Meter>,
}

/// What the writing thread should do next.
#[derive(Debug, Clone)]
enum Pending {
    /// Nothing yet.
    Nothing,
    /// Show this.
    Frame(Arc<Buffer>),
    /// Give the terminal back and end.
    Leave,
}

impl Terminal {
    /// Takes the terminal and starts its writing thread.
    pub fn take() -> Result<Self, TerminalError> {
        Self::take_with(io::stdout())
    }

    /// The same, with the frames going to `out`.
    fn take_with(out: impl Write + Send + 'static) -> Result<Self, TerminalError> {
        // The theme decides about colour; crossterm would strip bold and reverse as well.
        style::force_color_output(true);
        screen::enable_raw_mode().map_err(TerminalError::Take)?;
        TAKEN.store(true, Ordering::SeqCst);
        let (pending, wanted) = watch::channel(Pending::Nothing);
        let (tell_done, done) = std::sync::mpsc::sync_channel(1);
        let meter = Arc::new(Meter::default());
        let thread_meter = Arc::clone(&meter);
        std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || {
                write_frames(out, wanted, &thread_meter);
                let _ = tell_done.send(());
            })
            .map_err(|error| {
                give_back();
                TerminalError::Thread(error)
            })?;
        Ok(Self { pending, done, meter })
    }

    /// Shows a frame as soon as the terminal takes it.
    pub fn show(&self, frame: Buffer) {
        self.pending.send_replace(Pending::Frame(Arc::new(frame)));
    }

    /// What has been written so far.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Whether the terminal went away.
    pub fn is_lost(&self) -> bool {
        self.meter.is_lost.load(Ordering::Relaxed)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.pending.send_replace(Pending::Leave);
        // A stalled terminal must not keep the program from ending.
        let _ = self.done.recv_timeout(LEAVE_PATIENCE);
        let _ = screen::disable_raw_mode();
        TAKEN.store(false, Ordering::SeqCst);
    }
}

/// Puts the terminal back if this process has taken it. Can be called at any time, and twice.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut bytes = Vec::new();
        queue_leave(&mut bytes);
        let _ = io::stdout().write_all(&bytes);
        let _ = io::stdout().flush();
        let _ = screen::disable_raw_mode();
    }
}

/// Makes a panic restore the terminal before it is told, and log itself.
pub fn install_panic_hook() {
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // A panic of a supervised task is news on the screen, not the end of it.
        if std::thread::current().name() == Some("main") {
            give_back();
            default_hook(panic);
        }
        tracing::error!(%panic, backtrace = %std::backtrace::Backtrace::force_capture(), "panicked");
    }));
}

fn write_frames(out: impl Write, mut wanted: watch::Receiver<Pending>, meter: &Meter) {
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime for the terminal's thread");
            return;
        }
    };
    let mut writer = FrameWriter { out, shown: None };
    let mut bytes = Vec::new();
    queue_enter(&mut bytes);
    writer.put(&bytes, meter);
    while runtime.block_on(wanted.changed()).is_ok() {
        let pending = wanted.borrow_and_update().clone();
        match pending {
            Pending::Nothing => {}
            Pending::Frame(frame) => writer.show(&frame, meter),
            Pending::Leave => {
                bytes.clear();
                queue_leave(&mut bytes);
                writer.put(&bytes, meter);
                return;
            }
        }
    }
}

/// Writes differences between frames, and counts.
struct FrameWriter<W> {
    out: W,
    shown: Option<Arc<Buffer>>,
}

impl<W: Write> FrameWriter<W> {
    fn show(&mut self, wanted: &Arc<Buffer>, meter: &Meter) {
        let mut bytes = Vec::with_capacity(8192);
        // One bracket around the whole frame, through the same writer; terminals that do not know
        // it ignore it.
        let _ = bytes.queue(screen::BeginSynchronizedUpdate);
        let blank;
        let shown = match &self.shown {
            Some(shown) if shown.area == wanted.area => shown.as_ref(),
            _ => {
                let _ = bytes.queue(screen::Clear(screen::ClearType::All));
                blank = Buffer::empty(wanted.area);
                &blank
            }
        };
        let changes = shown.diff(wanted);
        if changes.is_empty() && self.shown.is_some() {
            self.shown = Some(Arc::clone(wanted));
            return;
        }
        frame::encode(&mut bytes, changes);
        let _ = bytes.queue(screen::EndSynchronizedUpdate);
        self.put(&bytes, meter);
        self.shown = Some(Arc::clone(wanted));
        meter.frames.fetch_add(1, Ordering::Relaxed);
    }

    fn put(&mut self, bytes: &[u8], meter: &Meter) {
        let began = clock::monotonic();
        let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        meter.last_write_us.store(took, Ordering::Relaxed);
        meter.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Err(error) = written
            && !meter.is_lost.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the terminal is lost");
        }
    }
}

fn queue_enter(bytes: &mut Vec<u8>) {
    let _ = bytes.queue(screen::EnterAlternateScreen);
    let _ = bytes.queue(cursor::Hide);
    let _ = bytes.queue(input::EnableFocusChange);
    let _ = bytes.queue(input::EnableBracketedPaste);
    let _ = bytes.queue(screen::Clear(screen::ClearType::All));
}

fn queue_leave(bytes: &mut Vec<u8>) {
    let _ = bytes.queue(screen::EndSynchronizedUpdate);
    let _ = bytes.queue(input::DisableBracketedPaste);
    let _ = bytes.queue(input::DisableFocusChange);
    let _ = bytes.queue(style::ResetColor);
    let _ = bytes.queue(cursor::Show);
    let _ = bytes.queue(screen::LeaveAlternateScreen);
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn only_the_difference_is_written() {
        let meter = Meter::default();
        let mut writer = FrameWriter { out: Vec::new(), shown: None };
        let area = Rect::new(0, 0, 40, 10);
        let mut frame = Buffer::empty(area);
        frame.set_string(0, 0, "hello", Style::new());
        writer.show(&Arc::new(frame.clone()), &meter);
        let first = writer.out.len();
        writer.show(&Arc::new(frame.clone()), &meter);
        assert_eq!(writer.out.len(), first, "the same frame again costs nothing");
        frame.set_string(0, 0, "hallo", Style::new());
        writer.show(&Arc::new(frame), &meter);
        let change = String::from_utf8(writer.out[first..].to_vec()).unwrap();
        assert!(change.contains('a') && !change.contains("llo"), "{change:?}");
        assert_eq!(meter.frames.load(Ordering::Relaxed), 2);
    }
}
