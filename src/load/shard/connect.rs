//! Connections on their way: to which address, until they can carry requests, and when that fails.

use std::io;
use std::net::SocketAddr;

use mio::Interest;
use mio::Token;

use super::Connection;
use super::Phase;
use super::Shard;
use super::Times;
use super::h2_session;
use super::nanos_since;
use crate::load::failure::Failure;
use crate::load::http1::Parser;
use crate::load::tally::record;
use crate::load::wire::Wire;

impl Shard {
    /// New addresses of a target. A connection to one that is gone ends with its request.
    pub(super) fn resolved(&mut self, target_idx: usize, addresses: Vec<SocketAddr>) {
        let mut idle = Vec::new();
        for (connection, connection_idx) in self.connections.iter_mut().zip(0..) {
            let Some(connection) = connection else { continue };
            if connection.target_idx == target_idx {
                connection.is_stray =
                    connection.is_leaving || !addresses.contains(&connection.address);
                let has_none = match &connection.session {
                    Some(session) => connection.phase == Phase::Streams && session.n_open() == 0,
                    None => connection.phase == Phase::Idle,
                };
                if connection.is_stray && has_none {
                    idle.push(connection_idx);
                }
            }
        }
        for connection_idx in idle {
            self.close(connection_idx, None);
        }
        if let Some(pool) = self.pools.get_mut(target_idx) {
            pool.resolved(addresses);
        }
        self.rebalance_all(target_idx);
    }

    /// Opens connections for those who wait, as far as is allowed.
    pub(super) fn open_more(&mut self, target_idx: usize) {
        while self.pools[target_idx].wants_more() {
            let now = self.now();
            let pool = &self.pools[target_idx];
            if pool.rests(now) {
                // Nobody answers: what waits has nothing to wait for.
                if pool.n_open == 0 {
                    self.fail_waiting(target_idx, pool.last_failure);
                }
                return;
            }
            self.open(target_idx);
        }
    }

    /// Begins to connect to the next address.
    pub(super) fn open(&mut self, target_idx: usize) {
        let now = self.now();
        let address = self.pools[target_idx].next_address(now);
        if let Err(failure) = self.connect(target_idx, address) {
            self.connect_failed(target_idx, address, failure);
        }
    }

    fn connect(&mut self, target_idx: usize, address: Option<SocketAddr>) -> Result<(), Failure> {
        let opened = self.now();
        let address = address.ok_or(Failure::Dns)?;
        let tls = self.spec.requests.targets[target_idx].tls.as_ref();
        let mut wire = Wire::connect(address, tls).map_err(|error| Failure::of_io(&error))?;
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
        let session = self.spec.requests.sessions.as_ref().map(h2_session);
        self.connections[connection_idx] = Some(Connection {
            wire,
            session,
            is_leaving: false,
            target_idx,
            address,
            is_stray: false,
            heard: opened,
            phase: Phase::Connecting,
            parser: Parser::new(&self.spec.method),
            job: None,
            n_written: 0,
            n_served: 0,
            times: Times { opened, ..Times::default() },
        });
        let pool = &mut self.pools[target_idx];
        pool.n_open += 1;
        pool.n_opening += 1;
        Ok(())
    }

    /// An attempt to connect failed. Where there is another address, `open_more` tries that.
    pub(super) fn connect_failed(
        &mut self,
        target_idx: usize,
        address: Option<SocketAddr>,
        failure: Failure,
    ) {
        let now = self.now();
        let pool = &mut self.pools[target_idx];
        if pool.refused(address, failure, now) {
            return;
        }
        self.tally.refused_here(failure);
        // Who waits for a connection that is there is served by it later.
        if pool.n_open == 0 {
            self.fail_waiting(target_idx, failure);
        }
    }

    pub(super) fn refuse(&mut self, connection_idx: usize, error: &io::Error) {
        let Some(Some(connection)) = self.connections.get(connection_idx) else { return };
        let (target_idx, address) = (connection.target_idx, connection.address);
        self.close(connection_idx, None);
        self.connect_failed(target_idx, Some(address), Failure::of_io(error));
        self.open_more(target_idx);
    }

    pub(super) fn shake_hands(&mut self, connection_idx: usize) {
        let Some(Some(connection)) = self.connections.get_mut(connection_idx) else { return };
        match connection.wire.shake_hands() {
            Ok(true) => {}
            Ok(false) => {
                let times = &mut connection.times;
                times.secured = nanos_since(self.spec.origin);
                let phases = &mut self.tally.phases;
                record(&mut phases.connect, times.connected.saturating_sub(times.opened));
                let target_idx = connection.target_idx;
                if self.spec.requests.targets[target_idx].tls.is_some() {
                    record(&mut phases.tls, times.secured.saturating_sub(times.connected));
                }
                if connection.session.is_some() {
                    self.greet(connection_idx);
                    return;
                }
                let pool = &mut self.pools[target_idx];
                pool.connected();
                self.tally.connections_opened += 1;
                self.offer(connection_idx);
            }
            Err(error) => self.refuse(connection_idx, &error),
        }
    }
}
