//! Asks for the addresses of the targets, again and again: a name may move while the load lasts.
//!
//! On a thread of its own, since a resolver can take many seconds and nobody else may wait for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use crate::clock;

use super::coordinator::Wish;
use super::request::Requests;

/// Between two questions for the same name.
const PERIOD: Duration = Duration::from_secs(30);
/// The same after one that failed.
const PERIOD_FAILED: Duration = Duration::from_secs(5);

/// What was asked and what came back.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Index of the target.
    pub(super) target_idx: usize,
    /// Its addresses.
    pub(super) addresses: io::Result<Vec<SocketAddr>>,
    /// How long it took; `None` where there was no name to ask for.
    pub(super) took: Option<Duration>,
}

/// Runs until the other end of `stop` is gone.
pub(super) fn run(
    requests: &Arc<Requests>,
    wishes: &mpsc::SyncSender<Wish>,
    stop: &mpsc::Receiver<()>,
) {
    loop {
        let (mut has_names, mut has_failed) = (false, false);
        for (target, target_idx) in requests.targets.iter().zip(0..) {
            let asked = clock::monotonic();
            let addresses = target.resolve();
            let took = target.is_name().then(|| clock::monotonic().duration_since(asked));
            has_names |= target.is_name();
            has_failed |= addresses.as_ref().is_ok_and(Vec::is_empty) || addresses.is_err();
            if wishes.send(Wish::Resolved(Resolved { target_idx, addresses, took })).is_err() {
                return;
            }
        }
        if !has_names {
            return;
        }
        let period = if has_failed { PERIOD_FAILED } else { PERIOD };
        if stop.recv_timeout(period) != Err(mpsc::RecvTimeoutError::Timeout) {
            return;
        }
    }
}
