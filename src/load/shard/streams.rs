//! Connections that carry many requests at once: a shard's part of HTTP/2.
//!
//! Requests that are due together leave in one write, and answers that came together are counted
//! at one moment. What a shard does for either protocol stands in the parent.

use std::io;

use super::Phase;
use super::Shard;
use super::is_repeatable;
use super::nanos_since;
use crate::load::failure::Failure;
use crate::load::h2;
use crate::load::h2::ErrorCode;
use crate::load::pool::Job;
use crate::load::tally::record;

/// How often a request may meet a server that goes away without having looked at it.
const RETRIES_MAX: u8 = 3;
/// The status of gRPC when its deadline has passed.
const DEADLINE_EXCEEDED: u32 = 4;

impl Shard {
    /// Gives the request to the connection that has the least to do, or lets it wait for one.
    pub(super) fn dispatch_stream(&mut self, job: Job, target_idx: usize) {
        let Some(load) = self.start_stream(job, target_idx) else {
            self.wait(job);
            self.open_more(target_idx);
            return;
        };
        let now = self.now();
        if 0 < load && self.pools[target_idx].may_grow(now) {
            // It is for those who come next.
            self.open(target_idx);
        }
    }

    /// Puts a request on its way; how many its connection had before. `None` without a free one.
    fn start_stream(&mut self, job: Job, target_idx: usize) -> Option<usize> {
        while let Some((connection_idx, load)) = self.pools[target_idx].balance.least() {
            let connection = self.connections.get_mut(connection_idx).and_then(Option::as_mut);
            let session = connection.and_then(|connection| connection.session.as_mut());
            let is_started =
                session.is_some_and(|it| it.start(job.due.variant as usize, job).is_ok());
            if is_started {
                self.n_busy += 1;
                self.stirred.push(connection_idx);
                self.rebalance(connection_idx);
                return Some(load);
            }
            self.pools[target_idx].balance.remove(connection_idx);
        }
        None
    }

    /// Connections with room take what waits; more are opened for the rest.
    pub(super) fn serve_waiting_streams(&mut self, target_idx: usize) {
        while let Some(job) = self.next_waiting(target_idx) {
            if self.start_stream(job, target_idx).is_none() {
                self.wait_first(job, target_idx);
                break;
            }
        }
        self.open_more(target_idx);
    }

    /// The connection stands, and its first bytes go out.
    pub(super) fn greet(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let (target_idx, address) = (connection.target_idx, connection.address);
        if connection.wire.speaks_http2() {
            connection.phase = Phase::Greeting;
            self.stirred.push(connection_idx);
        } else {
            self.close(connection_idx, None);
            self.connect_failed(target_idx, Some(address), Failure::NoHttp2);
            self.open_more(target_idx);
        }
    }

    /// Writes what sessions have, each in as few writes as its socket takes.
    pub(super) fn write_streams(&mut self) {
        while let Some(connection_idx) = self.stirred.pop() {
            self.write_session(connection_idx);
        }
    }

    fn write_session(&mut self, connection_idx: usize) {
        let origin = self.spec.origin;
        let has_due_times = self.spec.arrivals.has_due_times();
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let Some(session) = connection.session.as_mut() else { return };
        if matches!(connection.phase, Phase::Connecting | Phase::Handshaking) {
            return;
        }
        let tally = &mut self.tally;
        while !session.waiting().is_empty() {
            let began = nanos_since(origin);
            let n = match connection.wire.write(session.waiting()) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.session_broke(connection_idx, Failure::of_io(&error)),
            };
            let wrote = if has_due_times { nanos_since(origin) } else { began };
            tally.bytes_sent += n as u64;
            session.wrote(n, |job| {
                let Some(job) = job else {
                    // It was given up while it waited for the socket.
                    tally.sent += 1;
                    return;
                };
                // What is sent again was counted the first time.
                if job.started == 0 {
                    job.started = began;
                    tally.sent += 1;
                    if has_due_times {
                        record(&mut tally.send_lag, wrote.saturating_sub(job.due.at));
                    }
                }
            });
            if session.n_ended() == 0 {
                connection.times.written = wrote;
            }
        }
    }

    /// Reads until nothing waits: see `read`.
    pub(super) fn read_streams(&mut self, connection_idx: usize, is_ending: bool) {
        loop {
            let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
            let Some(session) = connection.session.as_mut() else { return };
            let n = match connection.wire.read(&mut self.buffer) {
                Ok(0) => return self.session_broke(connection_idx, Failure::ClosedEarly),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.session_broke(connection_idx, Failure::of_io(&error)),
            };
            self.tally.bytes_received += n as u64;
            let is_drained =
                !is_ending && n < self.buffer.len() && connection.wire.short_read_drains();
            let now = nanos_since(self.spec.origin);
            connection.heard = now;
            let mut events = std::mem::take(&mut self.events);
            let fed = session.feed(&self.buffer[..n], now, &mut |event| events.push(event));
            for event in events.drain(..) {
                self.happened(connection_idx, event, now);
            }
            self.events = events;
            if let Err(fault) = fed {
                return self.session_broke(connection_idx, Failure::of_fault(fault));
            }
            if is_drained {
                break;
            }
        }
        self.stirred.push(connection_idx);
        self.after_reading(connection_idx);
    }

    /// A connection that goes away is left when its last request is over.
    fn after_reading(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let Some(session) = connection.session.as_mut() else { return };
        let target_idx = connection.target_idx;
        let is_spent = connection.is_stray
            || session.is_going()
            || !self.spec.keep_alive && 0 < session.n_ended();
        if is_spent && session.n_open() == 0 && connection.phase == Phase::Streams {
            if session.is_going() {
                self.session_broke(connection_idx, Failure::ClosedEarly);
            } else {
                self.close(connection_idx, None);
                self.serve_waiting_streams(target_idx);
            }
            return;
        }
        if session.is_going() && connection.phase == Phase::Streams && !connection.is_leaving {
            // Another may take its place meanwhile.
            connection.is_leaving = true;
            self.pools[target_idx].n_leaving += 1;
        }
        self.rebalance(connection_idx);
        self.serve_waiting_streams(target_idx);
    }

    fn happened(&mut self, connection_idx: usize, event: h2::Event<Job>, now: u64) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let target_idx = connection.target_idx;
        match event {
            h2::Event::Ready => {
                connection.phase = Phase::Streams;
                self.pools[target_idx].connected();
                self.tally.connections_opened += 1;
            }
            h2::Event::Answered { job, answer } => {
                if connection.n_served == 0 {
                    self.tally.phases.first_exchange(
                        (job.started, connection.times.written.min(answer.head_at)),
                        (answer.head_at, now),
                    );
                    self.pools[target_idx].answered();
                }
                connection.n_served += 1;
                self.answered_stream(job, &answer, now);
            }
            h2::Event::Reset { job, code } => {
                connection.n_served += 1;
                let is_unprocessed = code == ErrorCode::REFUSED_STREAM;
                if !(is_unprocessed && self.again(job)) {
                    self.failed_stream(job, Failure::StreamReset(code));
                }
            }
            h2::Event::Malformed { job } => self.failed_stream(job, Failure::Http2Rules),
            h2::Event::Unprocessed { job, code } => {
                if !self.again(job) {
                    self.failed_stream(job, Failure::GoAway(code));
                }
            }
        }
    }

    /// Lets a request that the server has not looked at wait for its next stream; `false` if it was
    /// sent away too often.
    fn again(&mut self, mut job: Job) -> bool {
        let may_wait = job.n_retries < RETRIES_MAX;
        if may_wait {
            job.n_retries += 1;
            self.n_busy -= 1;
            self.wait_first(job, self.target_of(job.due));
        }
        may_wait
    }

    fn answered_stream(&mut self, job: Job, answer: &h2::Answer, now: u64) {
        self.tally.status(answer.status);
        let failure = match self.spec.requests.call {
            Some(call) => {
                self.tally.call(answer);
                Failure::of_call(answer, call.is_streaming)
            }
            None => Failure::of_status(answer.status),
        };
        self.settle(job, failure, now);
    }

    fn failed_stream(&mut self, job: Job, failure: Failure) {
        self.n_busy -= 1;
        self.fail(job, failure);
    }

    /// The connection is at its end, or of no use; what it has under way failed.
    fn session_broke(&mut self, connection_idx: usize, failure: Failure) {
        let Some(Some(connection)) = self.connections.get(connection_idx) else { return };
        let Some(session) = &connection.session else { return };
        let (target_idx, address) = (connection.target_idx, connection.address);
        // A server that says why it goes is believed.
        let failure = match session.going() {
            Some(code) if code != ErrorCode::NO_ERROR || session.n_open() == 0 => {
                Failure::GoAway(code)
            }
            _ => failure,
        };
        let (is_greeting, is_new) = (connection.phase == Phase::Greeting, connection.n_served == 0);
        self.close(connection_idx, Some(failure));
        if is_greeting {
            self.connect_failed(target_idx, Some(address), failure);
        } else if is_new {
            let now = self.now();
            self.pools[target_idx].broke(failure, now);
        }
        self.serve_waiting_streams(target_idx);
    }

    /// What a closed connection had under way.
    pub(super) fn close_session(
        &mut self,
        mut session: h2::Session<Job>,
        n_served: u64,
        failure: Failure,
    ) {
        // A connection that has served may just have been closed: see `broke`.
        let was_stale = 0 < n_served
            && matches!(failure, Failure::ClosedEarly | Failure::Reset)
            && is_repeatable(&self.spec.method);
        let mut ended = std::mem::take(&mut self.ended);
        session.give_up(|mut job, has_begun| {
            if has_begun {
                job.n_retries = RETRIES_MAX;
            }
            ended.push(job);
        });
        for job in ended.drain(..) {
            // Of one that was never written the server knows nothing.
            let is_unprocessed = job.started == 0 && failure != Failure::Aborted || was_stale;
            if !(is_unprocessed && self.again(job)) {
                self.failed_stream(job, failure);
            }
        }
        self.ended = ended;
    }

    /// Gives up what took too long. The connection goes on, unless nothing came on it meanwhile.
    pub(super) fn expire_streams(&mut self, connection_idx: usize, now: u64) {
        let timeout = u64::try_from(self.spec.timeout.as_nanos()).unwrap_or(u64::MAX);
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let is_mute =
            timeout <= now.saturating_sub(connection.heard) && connection.wire.is_silent();
        let Some(session) = connection.session.as_mut() else { return };
        if session.n_open() == 0 {
            return;
        }
        let mut ended = std::mem::take(&mut self.ended);
        session.expire(|job| timeout <= now.saturating_sub(job.due.at), |job| ended.push(job));
        let failure = match self.spec.requests.call {
            Some(_) => Failure::Grpc(DEADLINE_EXCEEDED),
            None => Failure::Timeout,
        };
        let has_ended = !ended.is_empty();
        for job in ended.drain(..) {
            self.failed_stream(job, failure);
        }
        self.ended = ended;
        if has_ended {
            if is_mute {
                self.leave(connection_idx);
            }
            self.stirred.push(connection_idx);
            self.after_reading(connection_idx);
        }
    }

    /// Whoever comes next has another connection; the kernel may believe in this one for long.
    fn leave(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        connection.is_stray = true;
        if !connection.is_leaving {
            connection.is_leaving = true;
            self.pools[connection.target_idx].n_leaving += 1;
        }
    }

    /// Puts a connection where it belongs among those that can take a request.
    fn rebalance(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get(connection_idx) else { return };
        let Some(session) = &connection.session else { return };
        let is_fresh = session.n_open() == 0 && session.n_ended() == 0;
        let takes =
            0 < session.n_free() && !connection.is_stray && (self.spec.keep_alive || is_fresh);
        let balance = &mut self.pools[connection.target_idx].balance;
        match takes {
            true => balance.set(connection_idx, session.n_open()),
            false => balance.remove(connection_idx),
        }
    }

    pub(super) fn rebalance_all(&mut self, target_idx: usize) {
        for connection_idx in 0..self.connections.len() {
            let connection = self.connections[connection_idx].as_ref();
            let is_one = connection
                .is_some_and(|it| it.target_idx == target_idx && it.phase == Phase::Streams);
            if is_one {
                self.rebalance(connection_idx);
            }
        }
    }
}
