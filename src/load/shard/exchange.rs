//! Connections that carry one request at a time: a shard's part of HTTP/1.1.

use std::io;

use super::Phase;
use super::Shard;
use super::is_repeatable;
use super::nanos_since;
use crate::load::failure::Failure;
use crate::load::http1::Progress;
use crate::load::pool::Job;
use crate::load::tally::record;

impl Shard {
    /// Writes a request on a connection that has none. What time it is then.
    pub(super) fn start(&mut self, connection_idx: usize, mut job: Job, now: u64) -> u64 {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else {
            self.wait(job);
            return now;
        };
        job.started = now;
        connection.job = Some(job);
        connection.phase = Phase::Busy;
        connection.n_written = 0;
        connection.parser.reset();
        self.n_busy += 1;
        self.write(connection_idx)
    }

    /// Writes on. What time it is then.
    pub(super) fn write(&mut self, connection_idx: usize) -> u64 {
        let origin = self.spec.origin;
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else {
            return self.now();
        };
        let Some(job) = connection.job else { return self.now() };
        let variant = self.spec.requests.variant(job.due.variant);
        let mut wrote = None;
        while connection.n_written < variant.len() {
            match connection.wire.write(variant.after(connection.n_written)) {
                Ok(n) => {
                    let is_first = connection.n_written == 0;
                    connection.n_written += n;
                    self.tally.bytes_sent += n as u64;
                    let now = nanos_since(origin);
                    wrote = Some(now);
                    if is_first && job.n_retries == 0 {
                        self.tally.sent += 1;
                        if self.spec.arrivals.has_due_times() {
                            record(&mut self.tally.send_lag, now.saturating_sub(job.due.at));
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return wrote.unwrap_or_else(|| self.now());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broke(connection_idx, Failure::of_io(&error));
                    return self.now();
                }
            }
        }
        let now = wrote.unwrap_or_else(|| nanos_since(origin));
        if connection.n_served == 0 {
            connection.times.written = now;
        }
        now
    }

    /// A connection has nothing to do.
    pub(super) fn offer(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let target_idx = connection.target_idx;
        if let Some(job) = self.next_waiting(target_idx) {
            let now = self.now();
            self.start(connection_idx, job, now);
            return;
        }
        if let Some(Some(connection)) = self.connections.get_mut(connection_idx) {
            connection.phase = Phase::Idle;
            self.pools[target_idx].idle.push(connection_idx);
        }
    }

    /// Reads until nothing waits. A read that did not fill the buffer has emptied the socket, and
    /// what comes later is told anew; but an end that was told already is not told again.
    pub(super) fn read(&mut self, connection_idx: usize, is_ending: bool) {
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
            if connection.n_served == 0 && connection.times.first_byte == 0 {
                connection.times.first_byte = nanos_since(self.spec.origin);
            }
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
                    // An end that came with the answer is not told again.
                    self.answered(connection_idx, status, keeps && !is_ending);
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
    /// seen it. Those that idle may be as stale, so that it waits for a fresh one.
    fn broke(&mut self, connection_idx: usize, failure: Failure) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let was_stale = 0 < connection.n_served && connection.parser.is_untouched();
        let was_written = 0 < connection.n_written;
        let may_repeat = !was_written || is_repeatable(&self.spec.method);
        let again = connection.job.filter(|_| was_stale && may_repeat);
        if let Some(mut job) = again {
            connection.job = None;
            let target_idx = connection.target_idx;
            self.n_busy -= 1;
            self.close(connection_idx, None);
            // What was written was counted as sent.
            job.n_retries = job.n_retries.saturating_add(u8::from(was_written));
            self.wait_first(job, target_idx);
            self.open_more(target_idx);
        } else {
            self.close(connection_idx, Some(failure));
        }
    }

    fn answered(&mut self, connection_idx: usize, status: u16, keeps: bool) {
        let now = self.now();
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        let Some(job) = connection.job.take() else { return };
        let target_idx = connection.target_idx;
        if connection.n_served == 0 {
            self.tally.phases.first_exchange(
                (job.started, connection.times.written),
                (connection.times.first_byte, now),
            );
        }
        connection.n_served += 1;
        self.tally.status(status);
        self.settle(job, Failure::of_status(status), now);
        let Some(Some(connection)) = self.connections.get(connection_idx) else { return };
        let variant = self.spec.requests.variant(job.due.variant);
        let is_whole = connection.n_written == variant.len();
        self.pools[target_idx].answered();
        // Where we said that we would close, we do, whatever the server thinks of it.
        if keeps && self.spec.keep_alive && is_whole && !connection.is_stray {
            self.offer(connection_idx);
        } else {
            self.close(connection_idx, None);
            self.open_more(target_idx);
        }
    }
}
