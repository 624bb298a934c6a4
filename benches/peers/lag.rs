//! How late requests leave, by our own account and by the server's log, beside a bare timer that
//! rings at the same rate at the same time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::Itimerspec;
use rustix::time::TimerfdClockId;
use rustix::time::TimerfdFlags;
use rustix::time::TimerfdTimerFlags;
use rustix::time::Timespec;

use rampscope::clock;

use super::Options;
use super::figures::Spread;
use super::figures::Three;
use super::log::Log;
use super::peer::Peer;
use super::program::Program;
use super::screen::Screen;
use super::server::Script;
use super::server::Server;
use super::server::Spec;

/// One run's figures.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// As the program itself says.
    own: Option<Three>,
    /// As the server's log says.
    log: Three,
    timer: Three,
    n_missing: u64,
}

/// Send lag of all that can hold a rate.
pub(crate) fn measure(options: &Options) -> io::Result<()> {
    let peers = super::installed(&[Peer::Headless, Peer::Screen, Peer::Stalled, Peer::Oha]);
    println!(
        "open loop, {} s, {} rounds, µs as p50 / p99 / greatest; server on core {}",
        options.seconds,
        options.rounds,
        super::last_core()
    );
    for rate in [1_000, 10_000] {
        let mut rows: Vec<(Peer, Vec<Figures>)> =
            peers.iter().map(|peer| (*peer, Vec::new())).collect();
        for round in 0..options.rounds {
            let first = round % rows.len();
            rows.rotate_left(first);
            for (peer, figures) in &mut rows {
                figures.push(run(*peer, rate, Duration::from_secs(options.seconds))?);
            }
            rows.rotate_right(first);
        }
        println!("{rate} a second");
        for (peer, figures) in &rows {
            tell(*peer, figures);
        }
    }
    Ok(())
}

fn run(peer: Peer, rate: u32, lasts: Duration) -> io::Result<Figures> {
    let n_due = u64::from(rate) * lasts.as_secs();
    let server = Server::start(Spec {
        script: Script::AtOnce,
        n_moments: usize::try_from(n_due * 2).unwrap_or_default(),
        core: Some(super::last_core()),
    })?;
    let screen = if peer.has_screen() { Some(Screen::open()?) } else { None };
    let Some(args) = peer.open(&server.url(), rate, lasts, &[]) else {
        return Err(io::Error::other("this peer knows no rate"));
    };
    let timer = Timer::start(rate)?;
    let program = Program::start(&args, screen)?;
    if peer == Peer::Stalled {
        // Once it draws, and for as long as it sends.
        std::thread::sleep(Duration::from_secs(2));
        if let Some(screen) = &program.screen {
            screen.stall(true);
        }
        std::thread::sleep(lasts.saturating_sub(Duration::from_secs(3)));
        if let Some(screen) = &program.screen {
            screen.stall(false);
        }
    }
    let ended = program.end()?;
    let log = Log::new(server.end());
    Ok(Figures {
        own: super::log::own(&ended.summary, "send_lag"),
        log: Three::of(log.lags(f64::from(rate))),
        timer: timer.end(),
        n_missing: n_due.saturating_sub(log.n_requests()),
    })
}

fn tell(peer: Peer, figures: &[Figures]) {
    let middle = |of: &dyn Fn(&Figures) -> Option<Three>| {
        let all: Vec<Three> = figures.iter().filter_map(of).collect();
        let median = |field: fn(&Three) -> Duration| {
            let micros: Vec<f64> = all.iter().map(|it| field(it).as_secs_f64() * 1e6).collect();
            Spread::of(&micros)
        };
        let (p50, p99, max) = (median(|it| it.p50), median(|it| it.p99), median(|it| it.max));
        match (p50, p99, max) {
            (Some(p50), Some(p99), Some(max)) => {
                format!("{:.0} / {p99:.0} / {:.0}", p50.median, max.median)
            }
            _ => "–".to_owned(),
        }
    };
    let beyond: Vec<f64> = figures
        .iter()
        .map(|it| {
            let own = it.own.unwrap_or(it.log);
            (own.p99.as_secs_f64() - it.timer.p99.as_secs_f64()) * 1e6
        })
        .collect();
    let beyond = Spread::of(&beyond).map_or_else(|| "–".to_owned(), |it| format!("{it:.0}"));
    println!("  {peer}");
    println!("    by its own account {}", middle(&|it| it.own));
    println!("    by the server      {}", middle(&|it| Some(it.log)));
    println!("    bare timer         {}", middle(&|it| Some(it.timer)));
    println!("    p99 beyond the timer's {beyond}");
    let n_missing: u64 = figures.iter().map(|it| it.n_missing).sum();
    if 0 < n_missing {
        println!("    never arrived: {n_missing}");
    }
}

/// A timer that rings at a rate, and how late it did.
#[derive(Debug)]
struct Timer {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u64>>,
}

impl Timer {
    fn start(rate: u32) -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        let is_over = Arc::<AtomicBool>::default();
        let until = Arc::clone(&is_over);
        let every = 1_000_000_000 / u64::from(rate.max(1));
        let thread = std::thread::Builder::new().name("timer".to_owned()).spawn(move || {
            let began = clock::monotonic();
            let now = || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let (mut late, mut due, mut bytes) = (Vec::with_capacity(1 << 20), every, [0; 8]);
            while !until.load(Ordering::Relaxed) {
                let after = due.saturating_sub(now());
                if 0 < after {
                    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                    let value =
                        Timespec { tv_sec: 0, tv_nsec: i64::try_from(after).unwrap_or_default() };
                    let once = Itimerspec { it_interval: zero, it_value: value };
                    let flags = TimerfdTimerFlags::empty();
                    if rustix::time::timerfd_settime(&timer, flags, &once).is_err()
                        || rustix::io::read(&timer, &mut bytes).is_err()
                    {
                        break;
                    }
                }
                late.push(now().saturating_sub(due));
                due += every;
            }
            late
        })?;
        Ok(Self { is_over, thread })
    }

    fn end(self) -> Three {
        self.is_over.store(true, Ordering::Relaxed);
        Three::of(self.thread.join().unwrap_or_default())
    }
}
