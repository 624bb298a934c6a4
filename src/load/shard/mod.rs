//! One thread of the engine: its connections, its arrivals, its counts.
//!
//! Everything it needs is its own, so that no request waits for a lock. It sleeps in one place,
//! the poll, and wakes for a socket, for the timer or for the coordinator.

mod alarm;
mod connect;
mod exchange;
#[cfg(test)]
mod stale;
mod streams;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;
use mio::event::Event;

use crate::clock;

use crate::load::arrivals::Arrivals;
use crate::load::arrivals::Due;
use crate::load::failure::Failure;
use crate::load::h2;
use crate::load::http1::Parser;
use crate::load::pacer::Course;
use crate::load::pool::Job;
use crate::load::pool::Pool;
use crate::load::request::Requests;
use crate::load::request::Sessions;
use crate::load::tally::Tally;
use crate::load::tally::record;
use crate::load::wire::Wire;

use self::alarm::Alarm;

const TIMER: Token = Token(usize::MAX);
/// The token of the waker.
pub(crate) const WAKER: Token = Token(usize::MAX - 1);
/// Requests issued before sockets are looked at again.
const BATCH: usize = 256;
/// How often deadlines are looked at, and users counted anew.
const HOUSEKEEPING: Duration = Duration::from_millis(20);
/// A user whose request hit the in-flight cap tries again after so long, in nanoseconds.
const DROPPED_REST: u64 = 10_000_000;
/// The buffer that answers are read into.
const BUFFER: usize = 64 * 1024;

/// What the coordinator tells a shard.
#[derive(Debug)]
pub(crate) enum Order {
    /// The rate from a moment on.
    Course(Course),
    /// The addresses of a target.
    Addresses(usize, Vec<SocketAddr>),
    /// Give back what was counted, and count in this.
    Collect(Box<Tally>),
    /// No new request.
    Stop,
    /// Give up what is in flight, and end.
    Abort,
}

/// What a shard answers.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) tally: Box<Tally>,
    /// Whether no request is due any more, and none is in flight.
    pub(crate) is_drained: bool,
}

/// What a shard is made of.
#[derive(Debug)]
pub(crate) struct ShardSpec {
    pub(crate) requests: Arc<Requests>,
    pub(crate) arrivals: Arrivals,
    /// To each target.
    pub(crate) max_connections: usize,
    pub(crate) max_in_flight: usize,
    /// Whether a connection serves more than one request.
    pub(crate) keep_alive: bool,
    pub(crate) timeout: Duration,
    pub(crate) method: String,
    /// The load's beginning.
    pub(crate) origin: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshaking,
    Idle,
    Busy,
    /// HTTP/2: the server's settings have not come yet.
    Greeting,
    /// HTTP/2: requests come and go.
    Streams,
}

#[derive(Debug)]
struct Connection {
    wire: Wire,
    target_idx: usize,
    address: SocketAddr,
    /// Whether the name does not resolve to the address any more.
    is_stray: bool,
    phase: Phase,
    /// Of HTTP/2; what follows is of HTTP/1.
    session: Option<Box<h2::Session<Job>>>,
    /// Whether it takes no new request: the server has said that it goes away, or says nothing.
    is_leaving: bool,
    /// When something was read from it last.
    heard: u64,
    parser: Parser,
    job: Option<Job>,
    n_written: usize,
    n_served: u64,
    times: Times,
}

/// What a new connection took, in nanoseconds since the origin; 0 is not yet.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    opened: u64,
    connected: u64,
    secured: u64,
    /// The last byte of the first request.
    written: u64,
    /// The first byte of the first answer.
    first_byte: u64,
}

/// One thread of the engine.
#[derive(Debug)]
pub(crate) struct Shard {
    spec: ShardSpec,
    poll: Poll,
    alarm: Alarm,
    orders: mpsc::Receiver<Order>,
    answers: mpsc::SyncSender<Counted>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// One for each target.
    pools: Vec<Pool>,
    n_busy: usize,
    n_waiting: usize,
    tally: Box<Tally>,
    buffer: Vec<u8>,
    /// Sessions that may have something to write.
    stirred: Vec<usize>,
    /// What a read of a session amounted to; empty between reads.
    events: Vec<h2::Event<Job>>,
    /// Requests of a session that are over; empty in between.
    ended: Vec<Job>,
    housekept: u64,
    is_stopped: bool,
}

impl Shard {
    /// A shard that will run on its own thread.
    pub(crate) fn new(
        spec: ShardSpec,
        poll: Poll,
        orders: mpsc::Receiver<Order>,
        answers: mpsc::SyncSender<Counted>,
        tally: Box<Tally>,
    ) -> io::Result<Self> {
        let alarm = Alarm::new(poll.registry(), TIMER)?;
        let n_streams = spec.requests.sessions.as_ref().map_or(1, |it| it.n_streams);
        let pool = |_| Pool::new((spec.max_connections, n_streams), spec.max_in_flight);
        Ok(Self {
            pools: spec.requests.targets.iter().map(pool).collect(),
            spec,
            poll,
            alarm,
            orders,
            answers,
            connections: Vec::new(),
            free: Vec::new(),
            n_busy: 0,
            n_waiting: 0,
            tally,
            buffer: vec![0; BUFFER],
            stirred: Vec::new(),
            events: Vec::new(),
            ended: Vec::new(),
            housekept: 0,
            is_stopped: false,
        })
    }

    /// Runs until it is told to abort, or stopped and drained.
    pub(crate) fn run(mut self) {
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
            self.write_streams();
            let is_awake = is_behind || self.is_close(now);
            if !is_awake {
                self.set_alarm(now);
            }
            let timeout = is_awake.then_some(Duration::ZERO);
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
                    self.alarm.rang();
                } else if event.token() != WAKER {
                    self.ready(event);
                }
            }
        }
    }

    fn now(&self) -> u64 {
        nanos_since(self.spec.origin)
    }

    fn n_in_flight(&self) -> usize {
        self.n_busy + self.n_waiting
    }

    /// Whether to go on.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Course(course)) => self.spec.arrivals.change(course),
                Ok(Order::Addresses(target_idx, addresses)) => {
                    self.resolved(target_idx, addresses);
                }
                Ok(Order::Collect(mut tally)) => {
                    // What is due by the clock is offered, whether or not there was time for it.
                    self.catch_up();
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
                    self.catch_up();
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
        for target_idx in 0..self.pools.len() {
            self.fail_waiting(target_idx, Failure::Aborted);
        }
        for connection_idx in 0..self.connections.len() {
            self.close(connection_idx, Some(Failure::Aborted));
        }
    }

    /// Issues what is due. Whether more is due than was issued.
    fn issue(&mut self, mut now: u64) -> bool {
        for _ in 0..BATCH {
            let Some(due) = self.spec.arrivals.take(now) else { return false };
            if self.offered(due, now) {
                let job = Job { due, started: 0, n_retries: 0 };
                now = self.dispatch(job, now);
            }
            let in_flight = self.n_in_flight() as u64;
            self.tally.in_flight_max = self.tally.in_flight_max.max(in_flight);
        }
        self.spec.arrivals.is_due(self.now())
    }

    /// Counts all that is due, and lets it wait.
    fn catch_up(&mut self) {
        if !self.spec.arrivals.has_due_times() {
            return;
        }
        let now = self.now();
        while let Some(due) = self.spec.arrivals.take(now) {
            if self.offered(due, now) {
                self.wait(Job { due, started: 0, n_retries: 0 });
            }
        }
        let in_flight = self.n_in_flight() as u64;
        self.tally.in_flight_max = self.tally.in_flight_max.max(in_flight);
        for target_idx in 0..self.pools.len() {
            self.serve_waiting(target_idx);
        }
    }

    /// Counts a request that is due; whether it may leave.
    fn offered(&mut self, due: Due, now: u64) -> bool {
        self.tally.offered += 1;
        let may_leave = self.n_in_flight() < self.spec.max_in_flight;
        if !may_leave {
            self.tally.dropped += 1;
            self.spec.arrivals.over(due, now + DROPPED_REST);
        }
        may_leave
    }

    fn target_of(&self, due: Due) -> usize {
        self.spec.requests.variant(due.variant).target_idx
    }

    /// Gives the request to a connection, or lets it wait for one. What time it is then.
    fn dispatch(&mut self, job: Job, now: u64) -> u64 {
        let target_idx = self.target_of(job.due);
        if self.spec.requests.sessions.is_some() {
            self.dispatch_stream(job, target_idx);
            return now;
        }
        if let Some(connection_idx) = self.pools[target_idx].idle.pop() {
            return self.start(connection_idx, job, now);
        }
        self.wait(job);
        self.open_more(target_idx);
        self.now()
    }

    fn wait(&mut self, job: Job) {
        let target_idx = self.target_of(job.due);
        self.n_waiting += 1;
        if self.pools[target_idx].is_busy() {
            self.tally.wants.connections += 1;
        }
        self.pools[target_idx].waiting.push_back(job);
    }

    fn wait_first(&mut self, job: Job, target_idx: usize) {
        self.n_waiting += 1;
        self.pools[target_idx].waiting.push_front(job);
    }

    fn next_waiting(&mut self, target_idx: usize) -> Option<Job> {
        let job = self.pools[target_idx].waiting.pop_front()?;
        self.n_waiting -= 1;
        Some(job)
    }

    /// Idle connections take what waits; more are opened for the rest.
    fn serve_waiting(&mut self, target_idx: usize) {
        if self.spec.requests.sessions.is_some() {
            self.serve_waiting_streams(target_idx);
            return;
        }
        while !self.pools[target_idx].waiting.is_empty() {
            let Some(connection_idx) = self.pools[target_idx].idle.pop() else { break };
            if let Some(job) = self.next_waiting(target_idx) {
                let now = self.now();
                self.start(connection_idx, job, now);
            }
        }
        self.open_more(target_idx);
    }

    fn fail_waiting(&mut self, target_idx: usize, failure: Failure) {
        // A user may come back at once: only those who wait now fail.
        for _ in 0..self.pools[target_idx].waiting.len() {
            if let Some(job) = self.next_waiting(target_idx) {
                self.fail(job, failure);
            }
        }
    }

    fn fail(&mut self, job: Job, failure: Failure) {
        let now = self.now();
        let took = now.saturating_sub(job.due.at);
        self.tally.failure(failure);
        record(&mut self.tally.failure_time, took);
        for slot in self.spec.requests.slots_of(job.due.variant) {
            self.tally.splits[slot].failed(took);
        }
        let target_idx = self.target_of(job.due);
        let pool = &self.pools[target_idx];
        let rests = job.started == 0 || pool.rests(now);
        let rest = if rests { pool.backoff() } else { Duration::ZERO };
        let rest = u64::try_from(rest.as_nanos()).unwrap_or(0);
        self.spec.arrivals.over(job.due, now + rest);
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
                    connection.times.connected = nanos_since(self.spec.origin);
                    self.shake_hands(connection_idx);
                }
                Some(Err(error)) => self.refuse(connection_idx, &error),
            },
            Phase::Handshaking => self.shake_hands(connection_idx),
            Phase::Greeting | Phase::Streams => {
                if event.is_writable() && connection.wire.flush().is_ok() {
                    self.stirred.push(connection_idx);
                }
                if event.is_readable() || is_ending {
                    self.read_streams(connection_idx, is_ending);
                }
            }
            Phase::Idle => self.read(connection_idx, is_ending),
            Phase::Busy => {
                let is_whole = connection.job.is_none_or(|job| {
                    connection.n_written == self.spec.requests.variant(job.due.variant).len()
                });
                if event.is_writable() && connection.wire.flush().is_ok() && !is_whole {
                    self.write(connection_idx);
                }
                if event.is_readable() || is_ending {
                    self.read(connection_idx, is_ending);
                }
            }
        }
    }

    /// Counts an answered request.
    fn settle(&mut self, job: Job, failure: Option<Failure>, now: u64) {
        self.n_busy -= 1;
        let service = now.saturating_sub(job.started);
        let response = now.saturating_sub(job.due.at);
        match failure {
            None => {
                self.tally.succeeded += 1;
                record(&mut self.tally.service_time, service);
                if self.spec.arrivals.has_due_times() {
                    record(&mut self.tally.response_time, response);
                }
            }
            Some(failure) => {
                self.tally.failure(failure);
                record(&mut self.tally.failure_time, response);
            }
        }
        for slot in self.spec.requests.slots_of(job.due.variant) {
            match failure {
                None => self.tally.splits[slot].succeeded(service),
                Some(_) => self.tally.splits[slot].failed(response),
            }
        }
        self.spec.arrivals.over(job.due, now);
    }

    /// Closes a connection; what it has under way failed.
    fn close(&mut self, connection_idx: usize, failure: Option<Failure>) {
        let Some(slot) = self.connections.get_mut(connection_idx) else { return };
        let Some(mut connection) = slot.take() else { return };
        // The socket leaves the poll by being closed; an error here has no consequence.
        let _ = self.poll.registry().deregister(&mut connection.wire.stream);
        self.free.push(connection_idx);
        let pool = &mut self.pools[connection.target_idx];
        pool.n_open -= 1;
        match connection.phase {
            Phase::Connecting | Phase::Handshaking | Phase::Greeting => pool.n_opening -= 1,
            Phase::Streams => {
                pool.balance.remove(connection_idx);
                pool.n_leaving -= usize::from(connection.is_leaving);
            }
            Phase::Idle => pool.idle.retain(|idle_idx| *idle_idx != connection_idx),
            Phase::Busy => {}
        }
        if let Some(session) = connection.session {
            // Whoever closed it serves those who wait, once it is noted why.
            let failure = failure.unwrap_or(Failure::ClosedEarly);
            self.close_session(*session, connection.n_served, failure);
        } else if let Some(job) = connection.job {
            self.n_busy -= 1;
            let failure = failure.unwrap_or(Failure::ClosedEarly);
            // One that took too long has cost its time already.
            if connection.n_served == 0 && !matches!(failure, Failure::Timeout | Failure::Aborted) {
                let now = self.now();
                self.pools[connection.target_idx].broke(failure, now);
            }
            self.fail(job, failure);
            self.open_more(connection.target_idx);
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
                (Phase::Busy, Some(job)) if timeout <= now.saturating_sub(job.due.at) => {
                    self.close(connection_idx, Some(Failure::Timeout));
                }
                (Phase::Streams, _) => self.expire_streams(connection_idx, now),
                (Phase::Connecting | Phase::Handshaking | Phase::Greeting, _)
                    if timeout <= now.saturating_sub(connection.times.opened) =>
                {
                    let (target_idx, address) = (connection.target_idx, connection.address);
                    self.close(connection_idx, None);
                    self.connect_failed(target_idx, Some(address), Failure::ConnectTimeout);
                }
                _ => {}
            }
        }
        for target_idx in 0..self.pools.len() {
            let is_late = |job: &Job| timeout <= now.saturating_sub(job.due.at);
            while self.pools[target_idx].waiting.front().is_some_and(is_late) {
                if let Some(job) = self.next_waiting(target_idx) {
                    self.fail(job, Failure::Timeout);
                }
            }
            self.open_more(target_idx);
        }
    }

    /// When to be awake for the next request.
    fn next_awake(&self) -> Option<u64> {
        let arrivals = &self.spec.arrivals;
        let lead = arrivals.next_gap().map_or(0, alarm::lead);
        arrivals.next_due().map(|due| due.saturating_sub(lead))
    }

    /// Whether the next request is due before sleep would be worth it.
    fn is_close(&self, now: u64) -> bool {
        self.next_awake().is_some_and(|awake| awake <= now)
    }

    /// Sets the timer to what comes next.
    fn set_alarm(&mut self, now: u64) {
        let house = self.housekept + u64::try_from(HOUSEKEEPING.as_nanos()).unwrap_or(0);
        let is_opening = self.pools.iter().any(|pool| 0 < pool.n_opening);
        let is_quiet = self.n_in_flight() == 0 && !is_opening && !self.spec.arrivals.has_users();
        let house = if is_quiet { now + 1_000_000_000 } else { house };
        self.alarm.set(self.next_awake().map_or(house, |awake| awake.min(house)), now);
    }
}

/// Whether a request does no more when it comes twice.
fn is_repeatable(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

fn h2_session(sessions: &Sessions) -> Box<h2::Session<Job>> {
    Box::new(h2::Session::new(Arc::clone(&sessions.requests), sessions.n_streams))
}

fn nanos_since(origin: Instant) -> u64 {
    let now = clock::monotonic().saturating_duration_since(origin);
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
