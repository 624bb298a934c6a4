//! A server that answers by a script and keeps its own log, so that what a load generator says can
//! be held against what somebody else saw.
//!
//! It is one thread over one poll, without a lock or an allocation on the way of a request, so that
//! its own share of a latency is small and it keeps up with any client on the other core.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::Waker;
use mio::net::TcpListener;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rustix::thread::CpuSet;
use rustix::time::Itimerspec;
use rustix::time::TimerfdClockId;
use rustix::time::TimerfdFlags;
use rustix::time::TimerfdTimerFlags;
use rustix::time::Timespec;

use rampscope::clock;

/// The whole answer.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const LISTENER: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX - 2);
/// The largest head of a request.
const HEAD_MAX: usize = 64 * 1024;

/// How long an answer waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Script {
    /// Not at all.
    AtOnce,
    /// Always as long.
    Fixed(Duration),
    /// Log-normally: half of them shorter than `median`; `sigma` is that of the logarithm.
    LogNormal { median: Duration, sigma: f64, seed: u64 },
    /// Requests that come within `lasts` of `from`, counted from the first request, wait for its
    /// end; the others not at all.
    Stall { from: Duration, lasts: Duration },
}

/// How the server behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) script: Script,
    /// How many moments there is room for; 0 keeps counts only.
    pub(crate) n_moments: usize,
    /// The core to stay on.
    pub(crate) core: Option<usize>,
}

/// One request, as the server saw it. Nanoseconds since the server began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// When its head had been read.
    pub(crate) arrived: u64,
    /// When its answer was about to be written; 0 if it never was.
    pub(crate) answered: u64,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    n_requests: AtomicU64,
    n_answers: AtomicU64,
    n_connections: AtomicU64,
    n_open: AtomicU64,
    n_open_max: AtomicU64,
    bytes: AtomicU64,
    is_over: AtomicBool,
}

/// A server at work. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    waker: Waker,
    began: Instant,
    thread: Option<JoinHandle<Vec<Moment>>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// What was read of a request that is not whole yet.
    unread: Vec<u8>,
    /// Bytes of a body that are still to come.
    body_left: u64,
    /// What the socket did not take of an answer.
    unwritten: usize,
    /// Tells this connection from another that had its place.
    serial: u64,
    /// Whether it is closed after the answer.
    closes: bool,
}

/// The server's thread.
#[derive(Debug)]
struct Work {
    poll: Poll,
    listener: TcpListener,
    timer: OwnedFd,
    script: Script,
    dice: SmallRng,
    began: Instant,
    first: Option<u64>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    n_accepted: u64,
    /// Answers that wait: until when, whose, and the place in the log.
    waiting: BinaryHeap<Reverse<(u64, usize, u64, usize)>>,
    armed: u64,
    moments: Vec<Moment>,
    counts: Arc<Counts>,
    buffer: Vec<u8>,
}

// === impl Counts ===

impl Counts {
    /// Whole requests.
    pub(crate) fn n_requests(&self) -> u64 {
        self.n_requests.load(Ordering::Relaxed)
    }

    /// Answers that were written.
    pub(crate) fn n_answers(&self) -> u64 {
        self.n_answers.load(Ordering::Relaxed)
    }

    /// Connections ever accepted.
    pub(crate) fn n_connections(&self) -> u64 {
        self.n_connections.load(Ordering::Relaxed)
    }

    /// The most connections at one time.
    pub(crate) fn n_open_max(&self) -> u64 {
        self.n_open_max.load(Ordering::Relaxed)
    }

    /// Bytes read, heads and bodies.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

// === impl Server ===

impl Server {
    /// A server on a port of its own on loopback.
    pub(crate) fn start(spec: Spec) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let timer = rustix::time::timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let counts = Arc::<Counts>::default();
        let began = clock::monotonic();
        let seed = match spec.script {
            Script::LogNormal { seed, .. } => seed,
            Script::AtOnce | Script::Fixed(_) | Script::Stall { .. } => 0,
        };
        let mut work = Work {
            poll,
            listener,
            timer,
            script: spec.script,
            dice: SmallRng::seed_from_u64(seed),
            began,
            first: None,
            connections: Vec::new(),
            free: Vec::new(),
            n_accepted: 0,
            waiting: BinaryHeap::new(),
            armed: u64::MAX,
            moments: Vec::with_capacity(spec.n_moments),
            counts: Arc::clone(&counts),
            buffer: vec![0; HEAD_MAX],
        };
        let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            if let Some(core) = spec.core {
                pin(core);
            }
            work.run();
            work.moments
        })?;
        Ok(Self { address, counts, waker, began, thread: Some(thread) })
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What it has seen so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What moments of its log count from.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Now, as its log counts.
    pub(crate) fn now(&self) -> u64 {
        nanos(clock::monotonic().saturating_duration_since(self.began()))
    }

    /// Ends it; its log, in the order of arrival.
    pub(crate) fn end(mut self) -> Vec<Moment> {
        self.stop()
    }

    fn stop(&mut self) -> Vec<Moment> {
        self.counts.is_over.store(true, Ordering::Relaxed);
        // A thread that is gone needs no waking.
        let _ = self.waker.wake();
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

// === impl Work ===

impl Work {
    fn run(&mut self) {
        let mut events = Events::with_capacity(1024);
        while !self.counts.is_over.load(Ordering::Relaxed) {
            self.arm();
            match self.poll.poll(&mut events, None) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    TIMER => self.armed = u64::MAX,
                    WAKER => {}
                    Token(connection_idx) => {
                        if event.is_writable() {
                            self.write_rest(connection_idx);
                        }
                        if event.is_readable() || event.is_read_closed() {
                            self.read(connection_idx);
                        }
                    }
                }
            }
            self.answer_waiting();
        }
    }

    fn now(&self) -> u64 {
        nanos(clock::monotonic().saturating_duration_since(self.began))
    }

    fn accept(&mut self) {
        // Until it would block; a client that has gone away meanwhile is no loss.
        while let Ok((mut stream, _)) = self.listener.accept() {
            let _ = stream.set_nodelay(true);
            let connection_idx = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            let token = Token(connection_idx);
            if self.poll.registry().register(&mut stream, token, interest).is_err() {
                self.free.push(connection_idx);
                continue;
            }
            self.n_accepted += 1;
            self.connections[connection_idx] = Some(Connection {
                stream,
                unread: Vec::new(),
                body_left: 0,
                unwritten: 0,
                serial: self.n_accepted,
                closes: false,
            });
            self.counts.n_connections.fetch_add(1, Ordering::Relaxed);
            let n_open = self.counts.n_open.fetch_add(1, Ordering::Relaxed) + 1;
            self.counts.n_open_max.fetch_max(n_open, Ordering::Relaxed);
        }
    }

    fn read(&mut self, connection_idx: usize) {
        loop {
            let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
            let n = match connection.stream.read(&mut self.buffer) {
                Ok(0) => return self.close(connection_idx),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return self.close(connection_idx),
            };
            self.counts.bytes.fetch_add(n as u64, Ordering::Relaxed);
            if !self.take(connection_idx, n) {
                return self.close(connection_idx);
            }
        }
    }

    /// Takes in the first `n` bytes of the buffer; whether they can be part of requests.
    fn take(&mut self, connection_idx: usize, n: usize) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return true };
        let (mut n_whole, mut rest) = (0, &self.buffer[..n]);
        let mut kept = std::mem::take(&mut connection.unread);
        if !kept.is_empty() {
            kept.extend_from_slice(rest);
            rest = &kept;
        }
        while !rest.is_empty() {
            if 0 < connection.body_left {
                let n_body =
                    rest.len().min(usize::try_from(connection.body_left).unwrap_or(rest.len()));
                connection.body_left -= n_body as u64;
                rest = &rest[n_body..];
                n_whole += usize::from(connection.body_left == 0);
                continue;
            }
            let Ok(head) = Head::parse(rest) else { return false };
            let Some(head) = head else { break };
            rest = &rest[head.n_bytes..];
            connection.closes |= head.closes;
            connection.body_left = head.n_body;
            n_whole += usize::from(head.n_body == 0);
        }
        if HEAD_MAX < rest.len() {
            return false;
        }
        connection.unread = rest.to_vec();
        for _ in 0..n_whole {
            self.asked(connection_idx);
        }
        true
    }

    /// A request is whole.
    fn asked(&mut self, connection_idx: usize) {
        let arrived = self.now();
        self.counts.n_requests.fetch_add(1, Ordering::Relaxed);
        let moment_idx = self.moments.len();
        if moment_idx < self.moments.capacity() {
            self.moments.push(Moment { arrived, answered: 0 });
        }
        let first = *self.first.get_or_insert(arrived);
        let wait = self.wait(arrived - first);
        if wait == 0 {
            self.answer(connection_idx, moment_idx);
            return;
        }
        let serial = self.connections[connection_idx].as_ref().map_or(0, |it| it.serial);
        self.waiting.push(Reverse((arrived + wait, connection_idx, serial, moment_idx)));
    }

    /// How long the answer to a request waits that came `since` after the first.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a wait of minutes at most, in nanoseconds"
    )]
    fn wait(&mut self, since: u64) -> u64 {
        match self.script {
            Script::AtOnce => 0,
            Script::Fixed(wait) => nanos(wait),
            Script::LogNormal { median, sigma, .. } => {
                // Box and Muller's way from two even numbers to a normal one.
                let (a, b) = (1.0 - self.dice.random::<f64>(), self.dice.random::<f64>());
                let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
                (nanos(median) as f64 * (sigma * normal).exp()) as u64
            }
            Script::Stall { from, lasts } => {
                let (from, until) = (nanos(from), nanos(from + lasts));
                if from <= since { until.saturating_sub(since) } else { 0 }
            }
        }
    }

    fn answer_waiting(&mut self) {
        while let Some(Reverse((until, connection_idx, serial, moment_idx))) =
            self.waiting.peek().copied()
        {
            if self.now() < until {
                return;
            }
            self.waiting.pop();
            let connection = self.connections.get(connection_idx).and_then(Option::as_ref);
            if connection.is_some_and(|it| it.serial == serial) {
                self.answer(connection_idx, moment_idx);
            }
        }
    }

    fn answer(&mut self, connection_idx: usize, moment_idx: usize) {
        let answered = self.now();
        if let Some(moment) = self.moments.get_mut(moment_idx) {
            moment.answered = answered;
        }
        self.counts.n_answers.fetch_add(1, Ordering::Relaxed);
        if let Some(Some(connection)) = self.connections.get_mut(connection_idx) {
            connection.unwritten += ANSWER.len();
        }
        self.write_rest(connection_idx);
    }

    fn write_rest(&mut self, connection_idx: usize) {
        loop {
            let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
            if connection.unwritten == 0 {
                return;
            }
            // Several answers may wait; each is written from where it stopped.
            let n_one = (connection.unwritten - 1) % ANSWER.len() + 1;
            match connection.stream.write(&ANSWER[ANSWER.len() - n_one..]) {
                Ok(n) => connection.unwritten -= n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return self.close(connection_idx),
            }
            if connection.unwritten == 0 && connection.closes {
                return self.close(connection_idx);
            }
        }
    }

    fn close(&mut self, connection_idx: usize) {
        if self.connections.get_mut(connection_idx).is_some_and(|it| it.take().is_some()) {
            self.free.push(connection_idx);
            self.counts.n_open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Sets the timer to the next answer.
    fn arm(&mut self) {
        let Some(Reverse((until, ..))) = self.waiting.peek() else { return };
        if self.armed <= *until {
            return;
        }
        self.armed = *until;
        let after = until.saturating_sub(self.now()).max(1);
        let value = Timespec {
            tv_sec: i64::try_from(after / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(after % 1_000_000_000).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // Only a time beyond all bounds is refused.
        let _ = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once);
    }
}

/// The head of a request, as far as it matters.
#[derive(Debug, Clone, Copy)]
struct Head {
    n_bytes: usize,
    n_body: u64,
    closes: bool,
}

impl Head {
    /// `None` while it is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, httparse::Error> {
        let mut lines = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut lines);
        let httparse::Status::Complete(n_bytes) = request.parse(bytes)? else { return Ok(None) };
        let mut head = Self { n_bytes, n_body: 0, closes: false };
        for line in request.headers.iter() {
            let value = std::str::from_utf8(line.value).unwrap_or_default();
            if line.name.eq_ignore_ascii_case("content-length") {
                head.n_body = value.parse().unwrap_or(0);
            } else if line.name.eq_ignore_ascii_case("connection") {
                head.closes = value.eq_ignore_ascii_case("close");
            }
        }
        Ok(Some(head))
    }
}

/// Keeps the calling thread on one core.
pub(crate) fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    // Where it is not allowed, the thread stays where it is.
    let _ = rustix::thread::sched_setaffinity(None, &cores);
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
