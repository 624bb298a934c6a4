//! What the operating system asks of us.

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// End: Ctrl-C, SIGTERM or SIGQUIT.
    End,
    /// The terminal went away: SIGHUP.
    HangUp,
    /// Stop until continued: SIGTSTP.
    Suspend,
}

/// Listens for all of them.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    hang_up: Signal,
    suspend: Signal,
    /// Heard so that it ends nobody: a write beyond the limit of a file's size is an error then,
    /// and the record says so.
    _file_too_large: Signal,
}

impl Signals {
    /// Begins to listen; from then on they no longer end the process by themselves.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
            suspend: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            _file_too_large: signal(SignalKind::from_raw(
                rustix::process::Signal::XFSZ.as_raw(),
            ))?,
        })
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            _ = self.quit.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::HangUp,
            _ = self.suspend.recv() => Asked::Suspend,
        }
    }
}

/// Stops this process until somebody continues it.
///
/// SIGSTOP rather than SIGTSTP: the latter is discarded in an orphaned process group.
pub fn stop_self() {
    if let Err(error) =
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)
    {
        tracing::warn!(%error, "could not stop myself");
    }
}
