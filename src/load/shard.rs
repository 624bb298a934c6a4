//! One thread of the engine: its connections, its arrivals, its counts.
//!
//! Everything it needs is its own, so that no request waits for a lock. It sleeps in one place,
//! the poll, and wakes for a socket, for the timer or for the coordinator.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::event::Event;
use mio::unix::SourceFd;
use rustix::time::Itimerspec;
use rustix::time::TimerfdClockId;
use rustix::time::TimerfdFlags;
use rustix::time::TimerfdTimerFlags;
use rustix::time::Timespec;

use crate::clock;

use super::arrivals::Arrivals;
use super::failure::Failure;
use super::http1::Parser;
use super::http1::Progress;
use super::pacer::Course;
use super::tally::Tally;
use super::tally::record;
use super::target::Target;
use super::wire::Wire;

const TIMER: Token = Token(usize::MAX);
/// The token of the waker.
pub(super) const WAKER: Token = Token(usize::MAX - 1);
/// Requests issued before sockets are looked at again.
const BATCH: usize = 256;
/// How often deadlines are looked at, and users counted anew.
const HOUSEKEEPING: Duration = Duration::from_millis(20);
/// Waits between attempts to connect after failures: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// The buffer that answers are read into.
const BUFFER: usize = 64 * 1024;

/// What the coordinator tells a shard.
#[derive(Debug)]
pub(super) enum Order {
    /// The rate from a moment on.
    Course(Course),
    /// The addresses of the target.
    Addresses(Vec<SocketAddr>),
    /// Give back what was counted, and count in this.
    Collect(Box<Tally>),
    /// No new request.
    Stop,
    /// Give up what is in flight, and end.
    Abort,
}

/// What a shard answers.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) tally: Box<Tally>,
    /// Whether no request is due any more, and none is in flight.
    pub(super) is_drained: bool,
}

/// What a shard is made of.
#[derive(Debug)]
pub(super) struct ShardSpec {
    pub(super) target: Target,
    pub(super) arrivals: Arrivals,
    pub(super) max_connections: usize,
    pub(super) max_in_flight: usize,
    pub(super) timeout: Duration,
    pub(super) method: String,
    /// The load's beginning.
    pub(super) origin: Instant,
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
struct Job {
    /// When it was due; in a closed loop, when its user was ready. Nanoseconds since the origin.
    due: u64,
    /// When its first byte was written.
    started: u64,
    /// The user who waits for it, in a closed loop.
    user: u32,
    /// Whether it was written once before, on a connection that the server had just closed.
    is_retried: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshaking,
    Idle,
    Busy,
}

#[derive(Debug)]
struct Connection {
    wire: Wire,
    phase: Phase,
    parser: Parser,
    job: Option<Job>,
    n_written: usize,
    n_served: u64,
    opened: u64,
}

/// One thread of the engine.
#[derive(Debug)]
pub(super) struct Shard {
    spec: ShardSpec,
    poll: Poll,
    timer: OwnedFd,
    armed: u64,
    orders: mpsc::Receiver<Order>,
    answers: mpsc::SyncSender<Counted>,
    addresses: Vec<SocketAddr>,
    next_address: usize,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    n_open: usize,
    n_opening: usize,
    idle: Vec<usize>,
    waiting: VecDeque<Job>,
    n_busy: usize,
    tally: Box<Tally>,
    buffer: Vec<u8>,
    backoff: Duration,
    backoff_until: u64,
    last_failure: Failure,
    housekept: u64,
    is_stopped: bool,
}

impl Shard {
    /// A shard that will run on its own thread.
    pub(super) fn new(
        spec: ShardSpec,
        poll: Poll,
        orders: mpsc::Receiver<Order>,
        answers: mpsc::SyncSender<Counted>,
        tally: Box<Tally>,
    ) -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        let fd = timer.as_raw_fd();
        poll.registry().register(&mut SourceFd(&fd), TIMER, Interest::READABLE)?;
        Ok(Self {
            waiting: VecDeque::with_capacity(spec.max_in_flight.min(1 << 16)),
            spec,
            poll,
            timer,
            armed: u64::MAX,
            orders,
            answers,
            addresses: Vec::new(),
            next_address: 0,
            connections: Vec::new(),
            free: Vec::new(),
            n_open: 0,
            n_opening: 0,
            idle: Vec::new(),
            n_busy: 0,
            tally,
            buffer: vec![0; BUFFER],
            backoff: BACKOFF.0,
            backoff_until: 0,
            last_failure: Failure::Dns,
            housekept: 0,
            is_stopped: false,
        })
    }

    /// Runs until it is told to abort, or stopped and drained.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            if !self.obey() {
                return;
            }
            let mut now = self.now();
            if HOUSEKEEPING.as_nanos() <= u128::from(now.saturating_sub(self.housekept)) {
                self.keep_house(now);
                now = self.now();
            }
            let is_behind = self.issue(now);
            let timeout = is_behind.then_some(Duration::ZERO);
            if !is_behind {
                self.arm(now);
            }
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "a shard's poll failed");
                    return;
                }
            }
            for event in &events {
                if event.token() == TIMER {
                    self.armed = u64::MAX;
                } else if event.token() != WAKER {
                    self.ready(event);
                }
            }
        }
    }

    fn now(&self) -> u64 {
        let now = clock::monotonic().saturating_duration_since(self.spec.origin);
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    }

    fn n_in_flight(&self) -> usize {
        self.n_busy + self.waiting.len()
    }

    /// Whether to go on.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Course(course)) => self.spec.arrivals.change(course),
                Ok(Order::Addresses(addresses)) => self.addresses = addresses,
                Ok(Order::Collect(mut tally)) => {
                    let in_flight = self.n_in_flight() as u64;
                    self.tally.in_flight = in_flight;
                    tally.clear(in_flight);
                    std::mem::swap(&mut self.tally, &mut tally);
                    let is_over = self.is_stopped || self.spec.arrivals.is_exhausted();
                    let is_drained = is_over && in_flight == 0;
                    // There is room for one answer, and the coordinator asks once at a time.
                    if self.answers.send(Counted { tally, is_drained }).is_err() {
                        return false;
                    }
                }
                Ok(Order::Stop) => {
                    self.is_stopped = true;
                    self.spec.arrivals.stop();
                }
                Ok(Order::Abort) => {
                    self.give_up();
                    return self.answer_last();
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// After an abort only the counts are still asked for.
    fn answer_last(&mut self) -> bool {
        while let Ok(order) = self.orders.recv() {
            if let Order::Collect(mut tally) = order {
                tally.clear(0);
                self.tally.in_flight = 0;
                std::mem::swap(&mut self.tally, &mut tally);
                if self.answers.send(Counted { tally, is_drained: true }).is_err() {
                    break;
                }
            }
        }
        false
    }

    fn give_up(&mut self) {
        self.is_stopped = true;
        self.spec.arrivals.stop();
        while let Some(job) = self.waiting.pop_front() {
            self.fail(job, Failure::Aborted);
        }
        for connection_idx in 0..self.connections.len() {
            self.close(connection_idx, Some(Failure::Aborted));
        }
    }

    /// Issues what is due. Whether more is due than was issued.
    fn issue(&mut self, now: u64) -> bool {
        for _ in 0..BATCH {
            let Some((due, user)) = self.spec.arrivals.take(now) else { return false };
            self.tally.offered += 1;
            if self.spec.max_in_flight <= self.n_in_flight() {
                self.tally.dropped += 1;
                self.spec.arrivals.over(user, now);
                continue;
            }
            let job = Job { due, started: 0, user, is_retried: false };
            self.dispatch(job);
            let in_flight = self.n_in_flight() as u64;
            self.tally.in_flight_max = self.tally.in_flight_max.max(in_flight);
        }
        self.spec.arrivals.is_due(self.now())
    }

    fn dispatch(&mut self, job: Job) {
        if let Some(connection_idx) = self.idle.pop() {
            self.start(connection_idx, job);
            return;
        }
        self.waiting.push_back(job);
        if self.spec.max_connections <= self.n_open {
            self.tally.wants.connections += 1;
        }
        self.open_more();
    }

    /// Opens connections for those who wait, as far as is allowed.
    fn open_more(&mut self) {
        while self.n_opening < self.waiting.len() && self.n_open < self.spec.max_connections {
            if self.now() < self.backoff_until {
                // Nobody answers: what waits has nothing to wait for.
                if self.n_open == 0 {
                    self.fail_waiting(self.last_failure);
                }
                return;
            }
            if let Err(failure) = self.open() {
                self.connect_failed(failure);
            }
        }
    }

    fn open(&mut self) -> Result<(), Failure> {
        let n_addresses = self.addresses.len();
        if n_addresses == 0 {
            return Err(Failure::Dns);
        }
        let address = self.addresses[self.next_address % n_addresses];
        self.next_address = self.next_address.wrapping_add(1);
        let mut wire = Wire::connect(address, self.spec.target.tls.as_ref())
            .map_err(|error| Failure::of_io(&error))?;
        let connection_idx = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(connection_idx);
        if let Err(error) = self.poll.registry().register(&mut wire.stream, token, interest) {
            self.free.push(connection_idx);
            return Err(Failure::of_io(&error));
        }
        self.connections[connection_idx] = Some(Connection {
            wire,
            phase: Phase::Connecting,
            parser: Parser::new(&self.spec.method),
            job: None,
            n_written: 0,
            n_served: 0,
            opened: self.now(),
        });
        self.n_open += 1;
        self.n_opening += 1;
        Ok(())
    }

    fn connect_failed(&mut self, failure: Failure) {
        self.last_failure = failure;
        self.tally.refused_here(failure);
        let now = self.now();
        // Those that were begun together count as one attempt.
        if self.backoff_until <= now {
            self.backoff_until = now + u64::try_from(self.backoff.as_nanos()).unwrap_or(0);
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
        }
        // Who waits for a connection that is there is served by it later.
        if self.n_open == 0 {
            self.fail_waiting(failure);
        }
    }

    fn fail_waiting(&mut self, failure: Failure) {
        while let Some(job) = self.waiting.pop_front() {
            self.fail(job, failure);
        }
    }

    fn fail(&mut self, job: Job, failure: Failure) {
        let now = self.now();
        self.tally.failure(failure);
        record(&mut self.tally.failure_time, now.saturating_sub(job.due));
        let rest = if job.started == 0 { self.backoff } else { Duration::ZERO };
        let rest = u64::try_from(rest.as_nanos()).unwrap_or(0);
        self.spec.arrivals.over(job.user, now + rest);
    }

    fn start(&mut self, connection_idx: usize, mut job: Job) {
        let started = self.now();
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else {
            self.waiting.push_front(job);
            return;
        };
        job.started = started;
        connection.job = Some(job);
        connection.phase = Phase::Busy;
        connection.n_written = 0;
        connection.parser.reset();
        self.n_busy += 1;
        self.write(connection_idx);
    }

    fn write(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let request = &self.spec.target.request;
        while connection.n_written < request.len() {
            match connection.wire.write(&request[connection.n_written..]) {
                Ok(n) => {
                    let is_first = connection.n_written == 0;
                    connection.n_written += n;
                    self.tally.bytes_sent += n as u64;
                    if let Some(job) = connection.job.filter(|job| is_first && !job.is_retried) {
                        self.tally.sent += 1;
                        if self.spec.arrivals.has_due_times() {
                            let wrote =
                                clock::monotonic().saturating_duration_since(self.spec.origin);
                            let wrote = u64::try_from(wrote.as_nanos()).unwrap_or(u64::MAX);
                            record(&mut self.tally.send_lag, wrote.saturating_sub(job.due));
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.close(connection_idx, Some(Failure::of_io(&error)));
                    return;
                }
            }
        }
    }

    fn ready(&mut self, event: &Event) {
        let connection_idx = event.token().0;
        let is_ending = event.is_read_closed() || event.is_error();
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        match connection.phase {
            Phase::Connecting => match connection.wire.connected() {
                None => {}
                Some(Ok(())) => {
                    connection.phase = Phase::Handshaking;
                    self.shake_hands(connection_idx);
                }
                Some(Err(error)) => self.refuse(connection_idx, &error),
            },
            Phase::Handshaking => self.shake_hands(connection_idx),
            Phase::Idle => self.read(connection_idx, is_ending),
            Phase::Busy => {
                if event.is_writable()
                    && connection.wire.flush().is_ok()
                    && connection.n_written < self.spec.target.request.len()
                {
                    self.write(connection_idx);
                }
                if event.is_readable() || is_ending {
                    self.read(connection_idx, is_ending);
                }
            }
        }
    }

    fn refuse(&mut self, connection_idx: usize, error: &io::Error) {
        self.close(connection_idx, None);
        self.connect_failed(Failure::of_io(error));
    }

    fn shake_hands(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        match connection.wire.shake_hands() {
            Ok(true) => {}
            Ok(false) => {
                self.n_opening -= 1;
                self.tally.connections_opened += 1;
                self.backoff = BACKOFF.0;
                self.backoff_until = 0;
                self.offer(connection_idx);
            }
            Err(error) => self.refuse(connection_idx, &error),
        }
    }

    /// A connection has nothing to do.
    fn offer(&mut self, connection_idx: usize) {
        if let Some(job) = self.waiting.pop_front() {
            self.start(connection_idx, job);
            return;
        }
        if let Some(Some(connection)) = self.connections.get_mut(connection_idx) {
            connection.phase = Phase::Idle;
            self.idle.push(connection_idx);
        }
    }

    /// Reads until nothing waits. A read that did not fill the buffer has emptied the socket, and
    /// what comes later is told anew; but an end that was told already is not told again.
    fn read(&mut self, connection_idx: usize, is_ending: bool) {
        loop {
            let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
            let n = match connection.wire.read(&mut self.buffer) {
                Ok(0) => {
                    self.closed(connection_idx);
                    return;
                }
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.broke(connection_idx, Failure::of_io(&error));
                    return;
                }
            };
            self.tally.bytes_received += n as u64;
            let is_drained =
                !is_ending && n < self.buffer.len() && connection.wire.short_read_drains();
            if connection.phase != Phase::Busy {
                // Nobody asked.
                self.close(connection_idx, None);
                return;
            }
            match connection.parser.feed(&self.buffer[..n]) {
                Ok(Progress::Partial) => {}
                Ok(Progress::Done { status, keeps }) => {
                    self.answered(connection_idx, status, keeps);
                    return;
                }
                Err(garbage) => {
                    self.close(connection_idx, Some(Failure::of_garbage(garbage)));
                    return;
                }
            }
            if is_drained {
                return;
            }
        }
    }

    /// The server closed; that can be the end of an answer.
    fn closed(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        if let (Phase::Busy, Some(Progress::Done { status, .. })) =
            (connection.phase, connection.parser.close())
        {
            self.answered(connection_idx, status, false);
            return;
        }
        self.broke(connection_idx, Failure::ClosedEarly);
    }

    /// A request that met a connection just being closed is written again: the server has never
    /// seen it. The next one may be as stale, but each is closed and a fresh one is believed.
    fn broke(&mut self, connection_idx: usize, failure: Failure) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let was_stale = 0 < connection.n_served && connection.parser.is_untouched();
        let again = connection
            .job
            .filter(|_| was_stale && matches!(self.spec.method.as_str(), "GET" | "HEAD"));
        if let Some(mut job) = again {
            connection.job = None;
            self.n_busy -= 1;
            self.close(connection_idx, None);
            job.is_retried = true;
            self.dispatch(job);
        } else {
            self.close(connection_idx, Some(failure));
        }
    }

    fn answered(&mut self, connection_idx: usize, status: u16, keeps: bool) {
        let now = self.now();
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let Some(job) = connection.job.take() else { return };
        connection.n_served += 1;
        self.n_busy -= 1;
        self.tally.status(status);
        match Failure::of_status(status) {
            None => {
                self.tally.succeeded += 1;
                record(&mut self.tally.service_time, now.saturating_sub(job.started));
                if self.spec.arrivals.has_due_times() {
                    record(&mut self.tally.response_time, now.saturating_sub(job.due));
                }
            }
            Some(failure) => {
                self.tally.failure(failure);
                record(&mut self.tally.failure_time, now.saturating_sub(job.due));
            }
        }
        self.spec.arrivals.over(job.user, now);
        let is_whole = connection.n_written == self.spec.target.request.len();
        if keeps && is_whole {
            self.offer(connection_idx);
        } else {
            self.close(connection_idx, None);
            self.open_more();
        }
    }

    /// Closes a connection; its request, if it has one, failed.
    fn close(&mut self, connection_idx: usize, failure: Option<Failure>) {
        let Some(slot) = self.connections.get_mut(connection_idx) else { return };
        let Some(mut connection) = slot.take() else { return };
        // The socket leaves the poll by being closed; an error here has no consequence.
        let _ = self.poll.registry().deregister(&mut connection.wire.stream);
        self.free.push(connection_idx);
        self.n_open -= 1;
        match connection.phase {
            Phase::Connecting | Phase::Handshaking => self.n_opening -= 1,
            Phase::Idle => self.idle.retain(|idle_idx| *idle_idx != connection_idx),
            Phase::Busy => {}
        }
        if let Some(job) = connection.job {
            self.n_busy -= 1;
            self.fail(job, failure.unwrap_or(Failure::ClosedEarly));
            self.open_more();
        }
    }

    /// Ends what took too long.
    fn keep_house(&mut self, now: u64) {
        self.housekept = now;
        self.spec.arrivals.keep_house(now);
        let timeout = u64::try_from(self.spec.timeout.as_nanos()).unwrap_or(u64::MAX);
        for connection_idx in 0..self.connections.len() {
            let Some(connection) = &self.connections[connection_idx] else { continue };
            match (connection.phase, connection.job) {
                (Phase::Busy, Some(job)) if timeout <= now.saturating_sub(job.due) => {
                    self.close(connection_idx, Some(Failure::Timeout));
                }
                (Phase::Connecting | Phase::Handshaking, _)
                    if timeout <= now.saturating_sub(connection.opened) =>
                {
                    self.close(connection_idx, None);
                    self.connect_failed(Failure::ConnectTimeout);
                }
                _ => {}
            }
        }
        while self.waiting.front().is_some_and(|job| timeout <= now.saturating_sub(job.due)) {
            if let Some(job) = self.waiting.pop_front() {
                self.fail(job, Failure::Timeout);
            }
        }
        self.open_more();
    }

    /// Sets the timer to what comes next, unless it would ring before that anyway.
    fn arm(&mut self, now: u64) {
        let house = self.housekept + u64::try_from(HOUSEKEEPING.as_nanos()).unwrap_or(0);
        let is_quiet =
            self.n_in_flight() == 0 && self.n_opening == 0 && !self.spec.arrivals.has_users();
        let house = if is_quiet { now + 1_000_000_000 } else { house };
        let wake = self.spec.arrivals.next_due().map_or(house, |due| due.min(house));
        if self.armed <= wake && now < self.armed {
            return;
        }
        let after = wake.saturating_sub(now).max(1);
        let value = Timespec {
            tv_sec: i64::try_from(after / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(after % 1_000_000_000).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        if let Err(error) =
            rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
        {
            tracing::error!(%error, "a shard's timer failed");
        }
        self.armed = wake;
    }
}
