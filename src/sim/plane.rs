//! The way of a request: from a host to a revision, through the activator or past it, to a pod.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::sim::activator;
use crate::sim::pod::Reply;
use crate::sim::revision::Revision;
use crate::sim::workload::Ask;
use crate::sim::workload::Cpu;

/// What a request costs the activator in CPU time.
const ACTIVATOR_COST: Duration = Duration::from_micros(100);

/// A machine that sleeps wakes late by this much on average.
const MEAN_LATENESS: Duration = Duration::from_millis(2);

/// A part of a route's traffic.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) percent: u32,
    pub(crate) revision: Rc<Revision>,
}

/// Where requests for a host go.
#[derive(Debug)]
struct Route {
    /// Namespace and name of the Knative Service.
    owner: (String, String),
    shares: Vec<Share>,
}

/// The data plane.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) clock: Clock,
    rng: RefCell<SmallRng>,
    /// By host.
    routes: RefCell<HashMap<String, Route>>,
    /// The CPU of the activator.
    pub(crate) activator: Cpu,
    /// Revisions whose first request came, each at most once.
    woken: RefCell<Vec<Rc<Revision>>>,
    /// There is something in `woken`.
    pub(crate) wake: Notify,
    n_served: Cell<u64>,
}

// === impl Plane ===

impl Plane {
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        Self {
            clock,
            rng: RefCell::new(SmallRng::seed_from_u64(seed)),
            routes: RefCell::default(),
            activator: Cpu::new(f64::INFINITY),
            woken: RefCell::default(),
            wake: Notify::new(),
            n_served: Cell::new(0),
        }
    }

    /// Sets all hosts of a Knative Service and to which revisions their requests go; a host that
    /// goes nowhere is unknown.
    pub(crate) fn set_routes(&self, owner: (&str, &str), hosts: Vec<(String, Vec<Share>)>) {
        let mut routes = self.routes.borrow_mut();
        routes.retain(|_, route| (route.owner.0.as_str(), route.owner.1.as_str()) != owner);
        for (host, shares) in hosts.into_iter().filter(|(_, shares)| !shares.is_empty()) {
            let owner = (owner.0.to_owned(), owner.1.to_owned());
            routes.insert(host, Route { owner, shares });
        }
    }

    /// Revisions whose first request came since the last call.
    pub(crate) fn take_woken(&self) -> Vec<Rc<Revision>> {
        self.woken.take()
    }

    /// Requests that any pod has answered.
    pub(crate) fn n_served(&self) -> u64 {
        self.n_served.get()
    }

    /// A duration between the two.
    pub(crate) fn between(&self, (from, to): (Duration, Duration)) -> Duration {
        if to <= from { from } else { self.rng.borrow_mut().random_range(from..=to) }
    }

    /// A number below `n`, which is not zero.
    pub(crate) fn below(&self, n: usize) -> usize {
        self.rng.borrow_mut().random_range(0..n)
    }

    /// True in a `share` of the calls.
    pub(crate) fn chance(&self, share: f64) -> bool {
        self.rng.borrow_mut().random_bool(share.clamp(0.0, 1.0))
    }

    /// A seed for somebody else's randomness.
    pub(crate) fn seed(&self) -> u64 {
        self.rng.borrow_mut().random()
    }

    /// Serves a request: the host as the client sent it, path and query.
    pub(crate) async fn serve(&self, host: &str, path: &str) -> Reply {
        let Some(revision) = self.find(host) else { return Reply::Refused(404, "") };
        let ask = Ask::parse(path);
        let deadline = self.clock.at() + revision.id.timeout;
        let late = if ask.sleep.is_zero() { Duration::ZERO } else { self.lateness() };
        let coin = |n| self.below(n);
        let reply = if revision.is_activator_in_path() {
            self.activator.spend(ACTIVATOR_COST);
            let (visit, is_first) = revision.throttle.enter();
            if is_first {
                self.woken.borrow_mut().push(Rc::clone(&revision));
                self.wake.notify_one();
            }
            let reply = match revision.throttle.lease(&revision, deadline, coin).await {
                Ok(lease) => lease.pod.serve(ask, true, late, deadline).await,
                Err(activator::Refusal::Late) => Reply::Refused(504, "activator request timeout\n"),
                Err(activator::Refusal::Gone) => Reply::Refused(500, ""),
            };
            visit.answered(reply.status());
            reply
        } else {
            match revision.pick(coin) {
                Some(pod) => pod.serve(ask, false, late, deadline).await,
                None => Reply::Refused(503, "no healthy upstream"),
            }
        };
        if matches!(reply, Reply::Served(..)) {
            self.n_served.set(self.n_served.get() + 1);
        }
        reply
    }

    fn find(&self, host: &str) -> Option<Rc<Revision>> {
        // Without the port, if there is one; in lower case, if it is not.
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let routes = self.routes.borrow();
        let route = match routes.get(host) {
            Some(route) => route,
            None => routes.get(&host.to_ascii_lowercase())?,
        };
        let shares = &route.shares;
        if let [only] = shares.as_slice() {
            return Some(Rc::clone(&only.revision));
        }
        let total: u32 = shares.iter().map(|share| share.percent).sum();
        let mut point = self.rng.borrow_mut().random_range(0..total.max(1));
        for share in shares {
            if point < share.percent {
                return Some(Rc::clone(&share.revision));
            }
            point -= share.percent;
        }
        None
    }

    /// Exponentially distributed, as the delays of a scheduler roughly are, and bounded.
    fn lateness(&self) -> Duration {
        let even: f64 = self.rng.borrow_mut().random_range(f64::EPSILON..1.0);
        MEAN_LATENESS.mul_f64(-even.ln()).min(MEAN_LATENESS * 20)
    }
}
