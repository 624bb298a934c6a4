//! A pod: a queue-proxy before a user's container with its CPU.
//!
//! What it does with a request is here; how it comes and goes is in `kubelet`.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::sim::queue_proxy::QueueProxy;
use crate::sim::queue_proxy::Refusal;
use crate::sim::revision::Identity;
use crate::sim::revision::Key;
use crate::sim::stat::Stat;
use crate::sim::workload::Ask;
use crate::sim::workload::Cpu;
use crate::units::At;

/// What a request costs the sidecar in CPU time.
const SIDECAR_COST: Duration = Duration::from_micros(90);

/// A pod of a revision.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    /// The revision it belongs to.
    pub(crate) revision: Key,
    pub(crate) queue: QueueProxy,
    /// The CPU of the user's container.
    pub(crate) cpu: Cpu,
    /// The CPU of the sidecar.
    pub(crate) sidecar: Cpu,
    /// Requests that the activator has given it.
    pub(crate) held_by_activator: Cell<u32>,
    pub(crate) stage: Cell<Stage>,
    /// When it became ready.
    pub(crate) ready_since: Cell<Option<At>>,
    /// When its node took it on.
    pub(crate) started: Cell<Option<At>>,
    /// It was deleted.
    pub(crate) stop: Notify,
    clock: Clock,
}

/// How far a pod has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Phase Pending.
    Pending,
    /// Phase Running, not ready.
    Running,
    /// Phase Running, ready.
    Ready,
    /// It has a `deletionTimestamp`; it came as far as Running or not.
    Terminating {
        /// Whether its containers run.
        was_running: bool,
    },
}

/// What a request came to.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// 200: the pod's name, and so many bytes after it.
    Served(Rc<Pod>, usize),
    /// Anything else: status and text.
    Refused(u16, &'static str),
}

// === impl Pod ===

impl Pod {
    pub(crate) fn new(clock: Clock, of: &Identity, name: &str, address: [u8; 4]) -> Self {
        Self {
            name: name.to_owned(),
            address: Ipv4Addr::from(address),
            revision: of.key.clone(),
            queue: QueueProxy::new(clock, of.container_concurrency),
            cpu: Cpu::new(of.cores),
            sidecar: Cpu::new(f64::INFINITY),
            held_by_activator: Cell::new(0),
            stage: Cell::new(Stage::Pending),
            ready_since: Cell::new(None),
            started: Cell::new(None),
            stop: Notify::new(),
            clock,
        }
    }

    /// Serves a request that has to be over by `deadline`. `late` is what the machine is late by
    /// when it waits.
    pub(crate) async fn serve(
        self: &Rc<Self>,
        ask: Ask,
        is_proxied: bool,
        late: Duration,
        deadline: At,
    ) -> Reply {
        let visit = self.queue.enter(is_proxied);
        self.sidecar.spend(SIDECAR_COST);
        let reply = match self.queue.slot(deadline).await {
            Ok(_slot) => self.work(ask, late, deadline).await,
            Err(Refusal::Full) => Reply::Refused(503, "pending request queue full\n"),
            Err(Refusal::Late) => Reply::Refused(504, "request timeout\n"),
        };
        visit.answered(reply.status());
        reply
    }

    async fn work(self: &Rc<Self>, ask: Ask, late: Duration, deadline: At) -> Reply {
        self.cpu.spend_base();
        let work = async {
            if !ask.sleep.is_zero() {
                tokio::time::sleep(ask.sleep + late).await;
            }
            self.cpu.burn(self.clock, ask.cpu).await;
        };
        if ask.sleep.is_zero() && ask.cpu.is_zero() {
            work.await;
        } else if tokio::time::timeout_at(self.clock.instant(deadline), work).await.is_err() {
            return Reply::Refused(504, "request timeout\n");
        }
        Reply::Served(Rc::clone(self), ask.n_bytes)
    }

    /// What its queue-proxy reports of the last second.
    pub(crate) fn stat(&self) -> Stat {
        let period = self.queue.last();
        Stat {
            pod_name: self.name.clone(),
            average_concurrent_requests: period.average,
            average_proxied_concurrent_requests: period.average_proxied,
            request_count: period.rate,
            proxied_request_count: period.rate_proxied,
            process_uptime: self.queue.uptime().as_secs_f64(),
        }
    }
}

// === impl Reply ===

impl Reply {
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Served(..) => 200,
            Self::Refused(status, _) => *status,
        }
    }
}
