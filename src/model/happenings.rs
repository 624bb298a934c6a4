//! What happened, as a bounded list of values; the views make sentences of them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::cluster::KubeEvent;
use crate::event::cluster::Name;
use crate::event::run::Action;
use crate::event::run::Control;
use crate::event::run::Found;
use crate::event::run::Outcome;
use crate::event::scaler::Origin;
use crate::event::source::State;
use crate::units::At;

/// Happenings that are kept; older ones are counted.
const HAPPENINGS_MAX: usize = 5000;

/// What happened, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Happenings {
    list: VecDeque<Happening>,
    n_forgotten: u64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// When.
    pub at: At,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The autoscaler began to panic.
    PanicBegan {
        /// The revision.
        revision: Name,
        /// How we know.
        origin: Origin,
        /// The average over the panic window, where known.
        panic_average: Option<f64>,
        /// The target a pod, where known.
        target: Option<f64>,
        /// Ready pods as the autoscaler counts them, where known.
        ready: Option<f64>,
        /// Whether it was so already when we began to look.
        was_on: bool,
    },
    /// The autoscaler calmed down.
    PanicEnded {
        /// The revision.
        revision: Name,
        /// How we know.
        origin: Origin,
        /// How long the panic lasted.
        lasted: Duration,
    },
    /// The number of pods wanted changed.
    Desired {
        /// The revision.
        revision: Name,
        /// Before; `None` if it was not known.
        from: Option<u32>,
        /// After.
        to: u32,
    },
    /// A pod was created.
    PodCreated {
        /// The revision.
        revision: Name,
        /// The pod.
        pod: String,
    },
    /// A pod became ready.
    PodReady {
        /// The revision.
        revision: Name,
        /// The pod.
        pod: String,
        /// From its creation; `None` if that is not known.
        took: Option<Duration>,
    },
    /// A pod is going.
    PodTerminating {
        /// The revision.
        revision: Name,
        /// The pod.
        pod: String,
    },
    /// A pod is gone.
    PodGone {
        /// The revision.
        revision: Name,
        /// The pod.
        pod: String,
    },
    /// The activator came into the path, or left it.
    Path {
        /// The revision.
        revision: Name,
        /// Whether it is in the path now.
        via_activator: bool,
    },
    /// Another autoscaler pod owns the revision now.
    Owner {
        /// The revision.
        revision: Name,
        /// The pod that owns it.
        pod: String,
    },
    /// The target of the load was found.
    Found(Found),
    /// A stage of the plan began.
    Stage {
        /// Its name.
        name: String,
        /// Requests a second (or users) at its beginning; `None` if the plan is not known.
        from: Option<f64>,
        /// The same at its end.
        to: Option<f64>,
    },
    /// The load was changed.
    Control(Control),
    /// An event of Kubernetes.
    Kube(KubeEvent),
    /// A setting changed.
    Config {
        /// The `ConfigMap`, or the revision whose annotations changed.
        name: String,
        /// Each key with its old and its new value; `None` is not set.
        changes: Vec<(String, Option<String>, Option<String>)>,
    },
    /// A source changed its state.
    Source {
        /// Its name.
        source: String,
        /// Its state.
        state: State,
        /// Why.
        reason: String,
    },
    /// Something was changed in the cluster.
    Action(Action),
    /// A note was made.
    Note(String),
    /// The bus had no room.
    Lost(u64),
    /// The run ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// Why, where it is not plain.
        reason: Option<String>,
    },
}

// === impl Happenings ===

impl Happenings {
    pub(super) fn push(&mut self, at: At, what: What) {
        if self.list.len() == HAPPENINGS_MAX {
            self.list.pop_front();
            self.n_forgotten += 1;
        }
        self.list.push_back(Happening { at, what });
    }

    /// The same where it happened before what is there already: among what happened then.
    pub(super) fn insert(&mut self, at: At, what: What) {
        let after = self.list.iter().rposition(|it| it.at <= at);
        if after.is_none() && self.list.len() == HAPPENINGS_MAX {
            // It is older than all that is kept.
            self.n_forgotten += 1;
            return;
        }
        self.push(at, what);
        let place = self.list.iter().rev().skip(1).take_while(|it| at < it.at).count();
        let newest = self.list.len() - 1;
        if let Some(it) = self.list.remove(newest) {
            self.list.insert(newest - place, it);
        }
    }

    /// All that is kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Happening> + ExactSizeIterator {
        self.list.iter()
    }

    /// How many were forgotten.
    pub const fn n_forgotten(&self) -> u64 {
        self.n_forgotten
    }
}
