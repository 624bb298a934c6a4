//! Our own decider beside the real one: the same arithmetic over what we can see of its inputs.
//!
//! It lives a little behind the present, so that every answer that belongs to a second is there
//! before the second is reckoned with; then it scrapes, hears the activators and ticks in the
//! order in which the autoscaler does. Each tick is kept with all that led to it, with what the
//! autoscaler reported of the same tick, and with the cause where the two part. Where the autoscaler
//! exports its averages, the tick also has the decision over these: that is how it was made, and
//! what a person is told; ours beside it shows what can be known without.

mod causes;
mod clock;
mod decider;
mod deciding;
mod feed;
mod made;
mod phase;
mod tick;
mod words;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::event::scaler::Activator;
use crate::event::scaler::Stat;
use crate::kpa::Decision;
use crate::kpa::Effective;
use crate::kpa::Mode;
use crate::kpa::reconcile::Status;
use crate::units::Anchor;
use crate::units::At;

pub use causes::Cause;
pub use causes::Evidence;
pub use causes::Gaps;
pub use causes::Incomplete;
pub use causes::PodTrouble;
pub use feed::Load;
pub use feed::Share;
pub use phase::TICK;
pub use tick::Bounded;
pub use tick::Input;
pub use tick::Made;
pub use tick::Reported;
pub use tick::Source;
pub use tick::Tick;

use clock::Clock;
use decider::Decider;
use feed::Feed;
use feed::Scraped;
use made::Remembered;
use words::ASKED_WITHIN;
use words::EXPORTED_FRESH;
use words::Words;

/// How far behind the present it lives: a round of readings takes a second, and an answer some
/// time.
pub const LAG: Duration = Duration::from_millis(1250);
/// Things that wait for their moment.
const NOTES_MAX: usize = 64;
/// The autoscaler and the activators act once a second.
const SECOND: Duration = Duration::from_secs(1);
/// A longer silence than this is not lived through second by second: no window is longer.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// Our own decider of one revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    anchor: Anchor,
    config: Option<Arc<Effective>>,
    feed: Feed,
    decider: Option<Decider>,
    /// What was remembered before the newest tick.
    remembered: Remembered,
    clock: Clock,
    notes: VecDeque<(At, Note)>,
    words: Words,
    context: Context,
    sight: Sight,
    evidence: Evidence,
    ticks: VecDeque<Tick>,
}

/// What the reconciler sees beside the decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// Status of the `PodAutoscaler`, its moments on the wall clock; `None`: not seen.
    pub status: Option<Status>,
    /// `status.desiredScale`.
    pub asked: Option<u32>,
    /// `spec.mode` of the `ServerlessService`; `None` is not known.
    pub mode: Option<Mode>,
    /// Since when the activator is in the path, on the wall clock; `None`: it is not.
    pub proxying_since: Option<At>,
    /// `spec.replicas` of the deployment; `None` is not known.
    pub replicas: Option<u32>,
}

/// How well we see.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sight {
    scraped: Scraped,
    share: Share,
    whole_since: Option<At>,
    last_whole: Option<At>,
    /// When an input of our own last came.
    heard: Option<At>,
}

/// Something that takes effect at its moment.
#[derive(Debug, Clone, PartialEq)]
enum Note {
    /// A first request waits before a revision at zero.
    Wake,
    /// Another decider begins.
    Restart,
    /// Other parameters are in force.
    Configure(Arc<Effective>),
}

// === impl Shadow ===

impl Shadow {
    /// A decider beside the real one, from `now` on. What was before is not known to it.
    pub(super) fn new(anchor: Anchor, now: At) -> Self {
        Self {
            anchor,
            config: None,
            feed: Feed::default(),
            decider: None,
            remembered: Remembered::default(),
            clock: Clock::new(anchor, now),
            notes: VecDeque::new(),
            words: Words::default(),
            context: Context::default(),
            sight: Sight::default(),
            evidence: Evidence::new(now),
            ticks: VecDeque::new(),
        }
    }

    // What is read from it.

    /// The ticks, oldest first.
    pub fn ticks(&self) -> impl DoubleEndedIterator<Item = &Tick> + ExactSizeIterator {
        self.ticks.iter()
    }

    /// The tick in force at a moment: the newest that is not after it.
    pub fn tick_at(&self, at: At) -> Option<&Tick> {
        let idx = self.ticks.partition_point(|tick| tick.at() <= at);
        self.ticks.get(idx.checked_sub(1)?)
    }

    /// The first tick after a moment.
    pub fn tick_after(&self, at: At) -> Option<&Tick> {
        self.ticks.get(self.ticks.partition_point(|tick| tick.at() <= at))
    }

    /// Whether it panics, as far as our own arithmetic over our own inputs can tell; `None`: they
    /// do not reach far enough, or the newest tick is too old at `now`.
    pub fn panics(&self, now: At) -> Option<&Decision> {
        let tick = self.ticks.back()?;
        let is_fresh = now.since(tick.at()) < EXPORTED_FRESH;
        let is_certain = self.decider.as_ref().is_some_and(|decider| decider.is_certain);
        (is_fresh && is_certain && tick.input.source == Source::Pods).then_some(&tick.decision)
    }

    /// When it next has something to do.
    pub(super) fn wakes(&self) -> At {
        self.next_due() + LAG
    }

    // What it is told.

    /// A pod became ready, or is no longer.
    pub(super) fn pod(&mut self, at: At, pod: &str, is_ready: bool) {
        self.feed.pod(at, pod, is_ready);
    }

    /// A pod is gone.
    pub(super) fn pod_gone(&mut self, at: At, pod: &str) {
        self.feed.pod_gone(at, pod);
    }

    /// A queue-proxy answered.
    pub(super) fn stat(&mut self, read: At, pod: &str, stat: Stat) {
        self.feed.stat(read, pod, stat);
    }

    /// An activator answered.
    pub(super) fn activator(&mut self, reading: &Activator) {
        self.feed.activator(reading);
    }

    /// Whether the activators can be read at all.
    pub(super) const fn activators_answer(&mut self, they_do: bool) {
        self.feed.activators_answer = they_do;
    }

    /// Our own requests in flight. Only where activators are in the path can they wait in one.
    pub(super) fn own_in_flight(&mut self, at: At, n: f64) {
        if self.context.mode != Some(Mode::Serve) {
            self.feed.own(at, n);
        }
    }

    /// Other parameters are in force.
    pub(super) fn configure(&mut self, at: At, config: &Effective) {
        let newest = self.notes.iter().rev().find_map(|(_, note)| match note {
            Note::Configure(config) => Some(config),
            Note::Wake | Note::Restart => None,
        });
        let known = newest.or(self.config.as_ref());
        if known.is_some_and(|known| known.as_ref() == config) {
            return;
        }
        if known.is_some() {
            self.evidence.configured(at);
        }
        self.note(at, Note::Configure(Arc::new(config.clone())));
    }

    /// What the reconciler sees. A changed wish is a sign of a tick.
    pub(super) fn context(&mut self, at: At, context: Context) {
        match (self.context.asked, context.asked) {
            (Some(0), Some(to)) if 0 < to => self.note(at, Note::Wake),
            (Some(from), Some(to)) if from != to && 0 < to => {
                self.clock.sign(at.saturating_sub(ASKED_WITHIN), at);
            }
            _ => {}
        }
        self.words.asked(at, context.asked);
        self.context = context;
    }

    /// What troubles the pods that are asked for, if anything.
    pub(super) const fn trouble(&mut self, trouble: Option<PodTrouble>) {
        self.evidence.trouble = trouble;
    }

    /// A quota stood in the way of a pod.
    pub(super) const fn quota(&mut self, at: At) {
        self.evidence.quota = Some(at);
    }

    /// Whether a quota stands in the way for as long as nobody says otherwise.
    pub(super) const fn quota_stands(&mut self, stands: bool) {
        self.evidence.quota_stands = stands;
    }

    /// The autoscaler's own word, and whether it is of another pod than the last.
    pub(super) fn reported(&mut self, reported: Reported, is_fresh_decider: bool) {
        if is_fresh_decider {
            self.restart(reported.read);
        }
        let before = self.words.read(reported);
        let before = before.filter(|it| it.observed.is_some() && it.observed != reported.observed);
        if let Some(before) = before.filter(|_| !is_fresh_decider) {
            self.clock.sign(before.read, reported.read);
        }
    }

    /// A line of the log tells how it went on.
    pub(super) fn logged(&mut self, reported: Reported, is_tick: bool) {
        if is_tick {
            self.clock.sign(reported.read.saturating_sub(Duration::from_millis(40)), reported.read);
        }
        self.words.logged(reported);
    }

    /// Another decider began: it knows nothing of what was before.
    pub(super) fn restart(&mut self, at: At) {
        if self.evidence.is_restart_known(at) {
            return;
        }
        self.evidence.restarted(at);
        self.clock.restart();
        self.note(at, Note::Restart);
    }

    /// Another pod owns the revision.
    pub(super) fn leader_changed(&mut self, at: At) {
        self.evidence.leader_changed(at);
    }

    fn note(&mut self, at: At, note: Note) {
        let idx = self.notes.partition_point(|(known, _)| *known <= at);
        if self.notes.len() < NOTES_MAX {
            self.notes.insert(idx, (at, note));
        }
    }

    // What it does.

    /// Does all that was due `LAG` before `now`; tells whether it ticked.
    pub(super) fn advance(&mut self, now: At) -> bool {
        let until = now.saturating_sub(LAG);
        // Before the beginning there is nothing.
        if now < At::ZERO + LAG {
            return false;
        }
        if SLEEP_MAX < until.since(self.next_due()) {
            self.oversleep(until);
        }
        let mut has_ticked = false;
        loop {
            let due = self.next_due();
            if until < due {
                self.clock.lived(until);
                return has_ticked;
            }
            self.hear_activators(due);
            if self.notes.front().is_some_and(|(at, _)| *at <= due) {
                if let Some((at, note)) = self.notes.pop_front() {
                    has_ticked |= self.take(at, note);
                }
            } else if due == self.clock.next_tick() {
                self.tick(due, false);
                self.clock.ticked(due);
                has_ticked = true;
            } else {
                self.hear(due);
            }
        }
    }

    /// Nothing was heard for so long that what was remembered is worth nothing.
    fn oversleep(&mut self, until: At) {
        self.clock.oversleep(until);
        self.sight = Sight::default();
        for (at, _) in &mut self.notes {
            *at = until;
        }
    }

    fn next_due(&self) -> At {
        let clock = self.clock.next();
        self.notes.front().map_or(clock, |(at, _)| clock.min(*at))
    }

    fn take(&mut self, at: At, note: Note) -> bool {
        match note {
            Note::Wake => {
                let first = Load { concurrency: 1.0, rps: 1.0 };
                self.record(at, first);
                self.tick(at, true);
                return true;
            }
            Note::Restart => {
                let n_ready = self.feed.n_ready(at);
                self.remembered = Remembered::default();
                if let Some(config) = &self.config {
                    let wall = self.wall(at);
                    let mut decider = Decider::new(&config.config, n_ready, wall);
                    decider.is_certain = true;
                    self.remembered.begun = Some(decider.memory.clone());
                    self.decider = Some(decider);
                }
                self.sight.whole_since = Some(at);
            }
            Note::Configure(config) => {
                let wall = self.wall(at);
                match (&mut self.decider, &self.config) {
                    (Some(decider), Some(before)) => {
                        decider.reconfigure(&before.config, &config.config, wall);
                        self.evidence.replaced(at, before);
                    }
                    // Whether the real one panics when we come is not known; ours begins calm.
                    _ => self.decider = Some(Decider::new(&config.config, 0, wall)),
                }
                self.config = Some(config);
            }
        }
        false
    }

    /// Hears pods, and the activators of which nothing better is known, once a second.
    fn hear(&mut self, at: At) {
        self.clock.scraped(at);
        let is_scraped = self.config.as_ref().is_none_or(|config| config.config.scraped());
        let scraped = self.feed.scrape(at);
        let (reported, share) = self.feed.reports(at, &scraped);
        let direct = scraped.direct.filter(|_| is_scraped);
        let reported = reported.filter(|_| share != Share::Unknown);
        let load = match (direct, reported) {
            (Some(direct), Some(reported)) => Some(direct.plus(reported)),
            (direct, reported) => direct.or(reported),
        };
        if let Some(load) = load {
            self.record(at, load);
        }
        let sight = &mut self.sight;
        if 0 < scraped.n_read || share == Share::Reported && scraped.n_ready == 0 {
            sight.heard = Some(at);
        }
        let is_whole = match share {
            Share::Reported => 0 < scraped.n_read || scraped.n_ready == 0,
            Share::Own => 0 < scraped.n_read || scraped.n_ready == 0,
            Share::Proxied => 0 < scraped.n_read,
            Share::Unknown => false,
        };
        if is_whole {
            sight.whole_since = sight.whole_since.or(Some(at));
            sight.last_whole = Some(at);
        } else {
            sight.whole_since = None;
        }
        (sight.scraped, sight.share) = (scraped, share);
        self.evidence.heard(at, (scraped.n_read, scraped.n_ready), share);
    }

    /// Hears those activators of which it is known when they report.
    fn hear_activators(&mut self, until: At) {
        let anchor = self.anchor;
        for (at, load) in self.feed.turns(until, |at| wall(anchor, at)) {
            self.record(at, load);
        }
    }

    fn record(&mut self, at: At, load: Load) {
        let wall = self.wall(at);
        if let Some(decider) = &mut self.decider {
            decider.concurrency.record(wall, load.concurrency);
            decider.rps.record(wall, load.rps);
        }
    }

    /// The wall clock, as a moment: Knative cuts time at its whole seconds.
    fn wall(&self, at: At) -> At {
        wall(self.anchor, at)
    }
}

/// A moment of the run as one that counts from 1970, so that its seconds are those of the clock.
fn wall(anchor: Anchor, at: At) -> At {
    At::from_micros(u64::try_from(anchor.wall(at).0).unwrap_or(0))
}

fn push<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(item);
}
