//! A revision as the data plane sees it: which pods can serve, and whether the activator is in
//! the path.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::Clock;
use crate::sim::activator::Throttle;
use crate::sim::pod::Pod;

/// Up to this `containerConcurrency` the activator fills one pod before the next.
const MOST_FIRST_FIT: u32 = 3;

/// Namespace and name of a revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What does not change about a revision.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) key: Key,
    /// The Knative Service, which names the Configuration and the Route too.
    pub(crate) service: String,
    /// `containerConcurrency`; 0 is unlimited.
    pub(crate) container_concurrency: u32,
    /// `timeoutSeconds`.
    pub(crate) timeout: Duration,
    /// The CPU limit of the user's container, in cores.
    pub(crate) cores: f64,
}

/// The data plane's view.
#[derive(Debug)]
pub(crate) struct Revision {
    pub(crate) id: Identity,
    /// The activator's part.
    pub(crate) throttle: Throttle,
    /// Pods that are ready and not terminating, ordered by address.
    pods: RefCell<Vec<Rc<Pod>>>,
    is_serving: Cell<bool>,
    is_gone: Cell<bool>,
    turn: Cell<usize>,
}

// === impl Revision ===

impl Revision {
    pub(crate) fn new(clock: Clock, id: Identity) -> Self {
        Self {
            id,
            throttle: Throttle::new(clock),
            pods: RefCell::default(),
            is_serving: Cell::new(false),
            is_gone: Cell::new(false),
            turn: Cell::new(0),
        }
    }

    /// Pods that are ready and not terminating.
    pub(crate) fn pods(&self) -> Vec<Rc<Pod>> {
        self.pods.borrow().clone()
    }

    /// A pod became ready.
    pub(crate) fn add(&self, pod: Rc<Pod>) {
        let mut pods = self.pods.borrow_mut();
        let place = pods.partition_point(|other| other.address < pod.address);
        pods.insert(place, pod);
        drop(pods);
        self.throttle.wake();
    }

    /// A pod is ready no more; requests that it has stay with it.
    pub(crate) fn remove(&self, pod: &Pod) {
        self.pods.borrow_mut().retain(|other| other.name != pod.name);
    }

    /// `spec.mode` of its `ServerlessService` took effect.
    pub(crate) fn set_serving(&self, is_serving: bool) {
        self.is_serving.set(is_serving);
    }

    /// Whether requests go through the activator: in mode Proxy, and whenever no pod is ready.
    pub(crate) fn is_activator_in_path(&self) -> bool {
        !self.is_serving.get() || self.pods.borrow().is_empty()
    }

    /// It was deleted; who waits for it gives up.
    pub(crate) fn bury(&self) {
        self.is_gone.set(true);
        self.throttle.wake();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    /// The pod that the gateway takes: of two, the one with less to do. `coin(n)` is a number
    /// below `n`.
    pub(crate) fn pick(&self, coin: impl Fn(usize) -> usize) -> Option<Rc<Pod>> {
        let pods = self.pods.borrow();
        let n = pods.len();
        if n <= 1 {
            return pods.first().cloned();
        }
        let first = coin(n);
        let second = (first + 1 + coin(n - 1)) % n;
        let (first, second) = (&pods[first], &pods[second]);
        let pick = if second.queue.in_flight() < first.queue.in_flight() { second } else { first };
        Some(Rc::clone(pick))
    }

    /// The pod that the activator takes: without a limit as the gateway does, else one with a
    /// free slot; `None` if there is none.
    pub(crate) fn pick_for_activator(&self, coin: &impl Fn(usize) -> usize) -> Option<Rc<Pod>> {
        let limit = self.id.container_concurrency;
        if limit == 0 {
            return self.pick(coin);
        }
        let pods = self.pods.borrow();
        let has_room = |pod: &&Rc<Pod>| pod.held_by_activator.get() < limit;
        if limit <= MOST_FIRST_FIT {
            return pods.iter().find(has_room).cloned();
        }
        let begin = self.turn.get() % pods.len().max(1);
        self.turn.set(begin + 1);
        pods[begin..].iter().chain(&pods[..begin]).find(has_room).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::pod::Pod;

    fn revision(container_concurrency: u32, n_pods: u8) -> (Revision, Vec<Rc<Pod>>) {
        let clock = Clock::start();
        let key = Key { namespace: "default".to_owned(), name: "hello-00001".to_owned() };
        let revision = Revision::new(
            clock,
            Identity {
                key,
                service: "hello".to_owned(),
                container_concurrency,
                timeout: Duration::from_secs(300),
                cores: 1.0,
            },
        );
        let pods: Vec<_> = (0..n_pods)
            .map(|n| Rc::new(Pod::new(clock, &revision.id, &format!("pod-{n}"), [10, 1, 0, n])))
            .collect();
        for pod in pods.iter().rev() {
            revision.add(Rc::clone(pod));
        }
        (revision, pods)
    }

    #[tokio::test]
    async fn small_limits_fill_one_pod_first_and_larger_ones_go_round() {
        let pick = |revision: &Revision| {
            let pod = revision.pick_for_activator(&|_| 0)?;
            pod.held_by_activator.set(pod.held_by_activator.get() + 1);
            Some(pod.name.clone())
        };
        let picks = |limit, n| {
            let (revision, _) = revision(limit, 2);
            (0..n).map(|_| pick(&revision)).collect::<Vec<_>>()
        };
        let names = |all: &[&str]| all.iter().map(|name| Some((*name).to_owned())).collect();
        let mut expected: Vec<_> = names(&["pod-0", "pod-0", "pod-1", "pod-1"]);
        expected.push(None);
        assert_eq!(picks(2, 5), expected);
        let expected: Vec<_> = names(&["pod-0", "pod-1", "pod-0", "pod-1"]);
        assert_eq!(picks(4, 4), expected);
    }

    #[tokio::test]
    async fn the_less_busy_of_two_is_taken() {
        let (revision, pods) = revision(0, 3);
        let _busy = pods[0].queue.enter(false);
        assert_eq!(revision.pick(|_| 0).unwrap().name, "pod-1");
        revision.remove(&pods[1]);
        assert_eq!(revision.pick(|_| 0).unwrap().name, "pod-2");
        assert_eq!(revision.pods().len(), 2);
    }

    #[tokio::test]
    async fn without_a_ready_pod_the_activator_is_in_the_path() {
        let (revision, pods) = revision(0, 1);
        assert!(revision.is_activator_in_path(), "mode Proxy");
        revision.set_serving(true);
        assert!(!revision.is_activator_in_path());
        revision.remove(&pods[0]);
        assert!(revision.is_activator_in_path(), "nobody to serve");
    }
}
