//! A pseudo terminal for a program that draws, with a reader that can stop reading.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// The terminal that a launched program is to take for its own, and what it is to run.
const LAUNCH: [&str; 2] = ["RAMPSCOPE_BENCH_TERMINAL", "RAMPSCOPE_BENCH_LAUNCH"];

/// The other side of a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    master: File,
    /// Kept, so that the terminal lives until the program has opened it.
    _slave: OwnedFd,
    name: String,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_stalled: AtomicBool,
    is_over: AtomicBool,
    n_bytes: AtomicU64,
}

impl Screen {
    /// A terminal of 120 × 40 cells that is read as fast as it is written.
    pub(crate) fn open() -> io::Result<Self> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let name = name.into_string().map_err(|_| io::Error::other("a terminal's name"))?;
        let noctty = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap_or_default();
        let slave = OpenOptions::new().read(true).write(true).custom_flags(noctty).open(&name)?;
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&slave, size)?;
        let reader = File::from(master.try_clone()?);
        rustix::io::ioctl_fionbio(&reader, true)?;
        let state = Arc::<State>::default();
        let of_reader = Arc::clone(&state);
        std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || of_reader.read_on(reader))?;
        Ok(Self { master: File::from(master), _slave: slave.into(), name, state })
    }

    /// A command that runs `args` as the leader of this terminal's session.
    pub(crate) fn command(&self, args: &[String]) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(LAUNCH[0], &self.name).env(LAUNCH[1], args.join("\n"));
        command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
        Ok(command)
    }

    /// Whether nobody reads what is drawn.
    pub(crate) fn stall(&self, is_stalled: bool) {
        self.state.is_stalled.store(is_stalled, Ordering::Relaxed);
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) -> io::Result<()> {
        self.master.write_all(keys.as_bytes())
    }

    /// Bytes that were drawn, as far as they were read.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.state.n_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
    }
}

impl State {
    fn read_on(&self, mut master: File) {
        let mut bytes = vec![0; 1 << 16];
        while !self.is_over.load(Ordering::Relaxed) {
            // As often as a terminal draws; so the reader takes nothing from what is measured.
            std::thread::sleep(Duration::from_millis(15));
            while !self.is_stalled.load(Ordering::Relaxed)
                && let Ok(n @ 1..) = master.read(&mut bytes)
            {
                self.n_bytes.fetch_add(n as u64, Ordering::Relaxed);
            }
        }
    }
}

/// If this process was started by [`Screen::command`], becomes the program that it is to be.
pub(crate) fn become_what_was_asked() -> io::Result<()> {
    let [Ok(terminal), Ok(args)] = LAUNCH.map(std::env::var) else { return Ok(()) };
    let mut args = args.split('\n');
    rustix::process::setsid()?;
    // The first terminal that a session's leader opens is the session's.
    let terminal = OpenOptions::new().read(true).write(true).open(terminal)?;
    // On systems where it is not, it is asked for.
    let _ = rustix::process::ioctl_tiocsctty(&terminal);
    let mut command = Command::new(args.next().unwrap_or_default());
    command.args(args).env_remove(LAUNCH[0]).env_remove(LAUNCH[1]);
    command.stdin(Stdio::from(terminal.try_clone()?)).stdout(Stdio::from(terminal));
    Err(command.exec())
}
