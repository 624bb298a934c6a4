//! A pod's start, taken apart: when it was asked for, created, bound, started, ready, known as an
//! endpoint, and when it first answered.
//!
//! Each moment says how it is known. Our own receipt of a change is exact but for the way through
//! the API server; a stamp of the cluster is in whole seconds; what follows from something else is
//! inferred. What nobody said is not there.

use std::time::Duration;

use crate::event::cluster::Name;
use crate::series::Series;
use crate::units::At;
use crate::units::UnixMicros;

use super::Model;
use super::cluster::PodLife;
use super::scaling::RevisionScaling;

/// A pod that comes later than this after replicas were asked for was asked for by something else.
const ASKED_MAX: Duration = Duration::from_secs(60);
/// Each kind has a watch of its own: a raise may come in so much later than the pod that it asked
/// for.
const WATCHES_DIFFER: Duration = Duration::from_secs(1);
/// Pods that are looked at for percentiles.
const PODS_MAX: usize = 2000;

/// A step of a pod's start, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// More replicas were asked for.
    Asked,
    /// The pod was created.
    Created,
    /// It was bound to a node.
    Scheduled,
    /// queue-proxy started.
    QueueProxyStarted,
    /// The user's container started.
    UserStarted,
    /// It became ready.
    Ready,
    /// The revision's endpoints knew it.
    Endpoint,
    /// It first answered.
    FirstAnswer,
}

/// How a moment is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// We saw it happen: our own clock when the change came in.
    Received,
    /// The cluster stamped it, in whole seconds.
    Stamped,
    /// It follows from something else.
    Inferred,
}

/// A moment and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// When.
    pub at: At,
    /// How we know.
    pub how: How,
}

/// One pod's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    steps: [Option<Known>; Step::ALL.len()],
    /// Whether no pod of the revision was ready when it was created; `None` is not known.
    pub from_zero: Option<bool>,
}

/// The time between two steps, of all pods that started while we looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The earlier step.
    pub from: Step,
    /// The later one.
    pub to: Step,
    /// How long it took, the shortest first.
    pub took: Vec<Duration>,
    /// How many of these have both ends received by our own clock.
    pub n_received: usize,
    /// How many have an end that is a stamp in whole seconds.
    pub n_stamped: usize,
    /// How many have an end that is inferred.
    pub n_inferred: usize,
    /// Pods of which one end is not known.
    pub n_unknown: usize,
}

/// The parts that are told of.
const PARTS: [(Step, Step); 7] = [
    (Step::Asked, Step::Created),
    (Step::Created, Step::Scheduled),
    (Step::Scheduled, Step::QueueProxyStarted),
    (Step::Scheduled, Step::UserStarted),
    (Step::UserStarted, Step::Ready),
    (Step::Ready, Step::Endpoint),
    (Step::Created, Step::FirstAnswer),
];

// === impl Step ===

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Asked,
        Self::Created,
        Self::Scheduled,
        Self::QueueProxyStarted,
        Self::UserStarted,
        Self::Ready,
        Self::Endpoint,
        Self::FirstAnswer,
    ];

    /// In a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked for",
            Self::Created => "created",
            Self::Scheduled => "scheduled",
            Self::QueueProxyStarted => "queue-proxy started",
            Self::UserStarted => "user container started",
            Self::Ready => "ready",
            Self::Endpoint => "endpoint known",
            Self::FirstAnswer => "first answer",
        }
    }

    /// For machines.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Created => "created",
            Self::Scheduled => "scheduled",
            Self::QueueProxyStarted => "queue_proxy_started",
            Self::UserStarted => "user_started",
            Self::Ready => "ready",
            Self::Endpoint => "endpoint",
            Self::FirstAnswer => "first_answer",
        }
    }
}

// === impl How ===

impl How {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "measured",
            Self::Stamped => "stamped, whole seconds",
            Self::Inferred => "inferred",
        }
    }
}

// === impl Startup ===

impl Startup {
    /// The start of a pod, as far as it is known.
    pub fn of(model: &Model, life: &PodLife) -> Self {
        let revision = life.revision();
        let scaling = revision.as_ref().and_then(|revision| model.scaling.get(revision));
        let mut startup = Self { steps: [None; Step::ALL.len()], from_zero: None };
        let anchor = model.run.anchor();
        let stamped = |stamp: Option<UnixMicros>| {
            stamp.map(|stamp| Known { at: anchor.at(stamp), how: How::Stamped })
        };
        let received = |at: Option<At>| at.map(|at| Known { at, how: How::Received });
        let pod = &life.pod;
        let created = received(life.seen_fresh.then_some(life.first_seen));
        startup.set(Step::Created, created.or_else(|| stamped(pod.created)));
        startup
            .set(Step::Scheduled, received(life.scheduled_seen).or_else(|| stamped(pod.scheduled)));
        startup.set(Step::QueueProxyStarted, stamped(pod.queue_proxy_started));
        startup.set(Step::UserStarted, stamped(pod.user_started));
        let turned = life.ready_seen.filter(|ready| life.first_seen < *ready);
        startup.set(Step::Ready, received(turned).or_else(|| stamped(pod.became_ready)));
        if let (Some(scaling), true) = (scaling, life.seen_fresh) {
            let before = life.first_seen.saturating_sub(Duration::from_micros(1));
            startup.from_zero = scaling.ready.at(before, None).map(|ready| ready == 0.0);
            startup.set(Step::Asked, asked(scaling, life.first_seen));
            startup.set(Step::Endpoint, startup.endpoint(scaling, life));
        }
        startup.set(Step::FirstAnswer, startup.first_answer(model, life, revision.as_ref()));
        startup.in_order();
        startup
    }

    /// When a step happened; `None` is not known.
    pub const fn at(&self, step: Step) -> Option<Known> {
        self.steps[step as usize]
    }

    /// The time between two steps and how it is known: as the less exact of its ends.
    pub fn took(&self, from: Step, to: Step) -> Option<(Duration, How)> {
        let (from, to) = (self.at(from)?, self.at(to)?);
        Some((to.at.since(from.at), from.how.max(to.how)))
    }

    /// The first and the last moment that is known.
    pub fn span(&self) -> Option<(At, At)> {
        let known = || self.steps.iter().flatten().map(|known| known.at);
        Some((known().min()?, known().max()?))
    }

    const fn set(&mut self, step: Step, known: Option<Known>) {
        self.steps[step as usize] = known;
    }

    /// Only where the pod is the revision's first do its endpoints tell of it.
    fn endpoint(&self, scaling: &RevisionScaling, life: &PodLife) -> Option<Known> {
        let came = first_after(&scaling.endpoints, life.first_seen, |value| 0.0 < value)?;
        let is_first = self.from_zero == Some(true);
        is_first.then_some(Known { at: came, how: How::Inferred })
    }

    /// Where it was the only pod, and the load is ours, the first success is its own; else a
    /// request was seen in it.
    fn first_answer(
        &self,
        model: &Model,
        life: &PodLife,
        revision: Option<&Name>,
    ) -> Option<Known> {
        let is_ours = revision.is_some() && model.loaded_revision().as_ref() == revision;
        if is_ours && self.from_zero == Some(true) {
            // Another one that was asked for at the same time may have been faster.
            let ready = self.at(Step::Ready)?;
            let is_first = model
                .cluster
                .cold_starts
                .iter()
                .filter(|start| Some(&start.revision) == revision)
                .all(|start| start.ready < life.first_seen || ready.at <= start.ready);
            // It came within the interval: by its end at the latest.
            let heat = model
                .traffic
                .heat
                .iter()
                .find(|it| life.first_seen <= it.began && !it.felt().is_empty());
            if let (true, Some(at)) = (is_first, heat.map(|heat| heat.ended)) {
                return Some(Known { at, how: How::Received });
            }
        }
        life.request_seen.map(|at| Known { at, how: How::Inferred })
    }

    /// A stamp in whole seconds may seem to lie before what is known more exactly to have happened
    /// before it, or after what happened after it; within its second it is moved between them.
    fn in_order(&mut self) {
        let mut least = At::ZERO;
        for step in [Step::Created, Step::Scheduled, Step::Ready] {
            let Some(known) = &mut self.steps[step as usize] else { continue };
            if known.how == How::Stamped {
                known.at = known.at.max(least);
            }
            least = least.max(known.at);
        }
        // Containers start between the two, in an order of their own.
        let scheduled = self.at(Step::Scheduled).or(self.at(Step::Created)).map(|it| it.at);
        let ready = self.at(Step::Ready).map(|it| it.at);
        for step in [Step::QueueProxyStarted, Step::UserStarted] {
            let Some(known) = &mut self.steps[step as usize] else { continue };
            known.at = known.at.max(scheduled.unwrap_or_default());
            known.at = known.at.min(ready.unwrap_or(known.at));
        }
    }
}

/// The newest raise of the replicas before a pod was created; where the deployment was not seen, of
/// the desired scale. Which raise a pod belongs to is a conclusion.
fn asked(scaling: &RevisionScaling, created: At) -> Option<Known> {
    let raise = |series: &Series| {
        let mut raised = None;
        let mut before: Option<f64> = None;
        for (at, value) in series.steps().take_while(|(at, _)| *at <= created + WATCHES_DIFFER) {
            if let (Some(before), Some(value)) = (before, value)
                && before < value
            {
                raised = Some(at);
            }
            before = value.or(before);
        }
        raised.map(|at| at.min(created)).filter(|at| created.since(*at) <= ASKED_MAX)
    };
    let at = raise(&scaling.replicas).or_else(|| raise(&scaling.desired))?;
    Some(Known { at, how: How::Inferred })
}

/// The first moment from `from` on at which a series has such a value.
fn first_after(series: &Series, from: At, is_it: impl Fn(f64) -> bool) -> Option<At> {
    series.steps().find(|(at, value)| from <= *at && value.is_some_and(&is_it)).map(|(at, _)| at)
}

/// The pods of these revisions whose start we saw from the beginning, the oldest first.
pub fn started<'a>(model: &'a Model, revisions: &'a [Name]) -> impl Iterator<Item = &'a PodLife> {
    let cluster = &model.cluster;
    cluster
        .gone
        .iter()
        .chain(cluster.pods.values())
        .filter(|life| life.seen_fresh && life.ready_seen.is_some())
        .filter(|life| life.revision().is_some_and(|revision| revisions.contains(&revision)))
        .take(PODS_MAX)
}

/// The parts of all starts.
pub fn parts(model: &Model, revisions: &[Name]) -> Vec<Part> {
    let starts: Vec<Startup> =
        started(model, revisions).map(|life| Startup::of(model, life)).collect();
    PARTS
        .into_iter()
        .map(|(from, to)| {
            let known: Vec<(Duration, How)> =
                starts.iter().filter_map(|start| start.took(from, to)).collect();
            let n = |how| known.iter().filter(|(_, it)| *it == how).count();
            let mut took: Vec<Duration> = known.iter().map(|(took, _)| *took).collect();
            took.sort_unstable();
            Part {
                from,
                to,
                n_received: n(How::Received),
                n_stamped: n(How::Stamped),
                n_inferred: n(How::Inferred),
                n_unknown: starts.len() - took.len(),
                took,
            }
        })
        .collect()
}
