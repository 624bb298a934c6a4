//! Our own decider beside the real one: the same arithmetic over what we can see of its inputs.
//!
//! It lives a little behind the present, so that every answer that belongs to a second is there
//! before the second is reckoned with; then it scrapes, hears the activators and ticks in the
//! order in which the autoscaler does. Each tick is kept with all that led to it, with what the
//! autoscaler reported of the same tick, and with the cause where the two part. Where the autoscaler
//! exports its averages, the tick also has the decision over these: that is how it was made, and
//! what a person is told; ours beside it shows what can be known without.

mod causes;
mod decider;
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
use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::Effective;
use crate::kpa::Inputs;
use crate::kpa::Memory;
use crate::kpa::Mode;
use crate::kpa::Observed;
use crate::kpa::config::Metric;
use crate::kpa::decide;
use crate::kpa::reconcile;
use crate::kpa::reconcile::Seen;
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

use causes::bounded;
use decider::Decider;
use feed::Feed;
use feed::Scraped;
use made::Remembered;
use phase::Phase;
use words::ASKED_WITHIN;
use words::EXPORTED_FRESH;
use words::Words;

/// How far behind the present it lives: a round of readings takes a second, and an answer some
/// time.
pub const LAG: Duration = Duration::from_millis(1250);
/// Ticks that are kept: two hours.
const TICKS_MAX: usize = 3600;
/// Things that wait for their moment.
const NOTES_MAX: usize = 64;
/// The autoscaler and the activators act once a second.
const SECOND: Duration = Duration::from_secs(1);
/// How soon after the decider its scraper begins: both are made for the same `PodAutoscaler`.
const SCRAPE_AFTER_TICK: Duration = Duration::from_millis(50);
/// Inputs of our own count for so long.
const OWN_FRESH: Duration = Duration::from_secs(5);
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
    phase: Phase,
    due: Due,
    notes: VecDeque<(At, Note)>,
    words: Words,
    context: Context,
    /// The last tick of the ticker itself.
    ticked: Option<At>,
    /// Before it no tick of its own is the first one: two rounds of readings must be there, and what
    /// is lived through is not lived again.
    first_after: At,
    /// And it is not put off beyond this: signs that contradict each other would move it for ever.
    first_by: At,
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

/// When what is due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    /// Pods are heard then, and those activators of which it is not known when they report: half
    /// a second must not be taken for a whole one.
    scrape: At,
    tick: At,
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
        let first = now + SECOND;
        Self {
            anchor,
            config: None,
            feed: Feed::default(),
            decider: None,
            remembered: Remembered::default(),
            phase: Phase::of(TICK),
            due: Due { scrape: first, tick: first + TICK },
            notes: VecDeque::new(),
            words: Words::default(),
            context: Context::default(),
            ticked: None,
            first_after: first + SECOND,
            first_by: first + TICK * 2,
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
                self.sign(at.saturating_sub(ASKED_WITHIN), at);
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
            self.sign(before.read, reported.read);
        }
    }

    /// A line of the log tells how it went on.
    pub(super) fn logged(&mut self, reported: Reported, is_tick: bool) {
        if is_tick {
            self.sign(reported.read.saturating_sub(Duration::from_millis(40)), reported.read);
        }
        self.words.logged(reported);
    }

    /// Another decider began: it knows nothing of what was before.
    pub(super) fn restart(&mut self, at: At) {
        if self.evidence.is_restart_known(at) {
            return;
        }
        self.evidence.restarted(at);
        self.phase = Phase::of(TICK);
        self.note(at, Note::Restart);
    }

    /// Another pod owns the revision.
    pub(super) fn leader_changed(&mut self, at: At) {
        self.evidence.leader_changed(at);
    }

    /// A tick happened after `from` and not after `to`: the next one follows the phase that is
    /// known now.
    fn sign(&mut self, from: At, to: At) {
        self.phase.sign(from, to);
        match (self.ticked, self.phase.most_likely()) {
            (Some(ticked), _) => self.due.tick = self.after_tick(ticked),
            (None, Some(phase)) => {
                let next = phase::next(self.first_after, phase, TICK);
                self.due.tick = next.min(self.first_by);
            }
            (None, None) => {}
        }
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
                self.first_after = self.first_after.max(until);
                return has_ticked;
            }
            self.hear_activators(due);
            if self.notes.front().is_some_and(|(at, _)| *at <= due) {
                if let Some((at, note)) = self.notes.pop_front() {
                    has_ticked |= self.take(at, note);
                }
            } else if due == self.due.tick {
                self.tick(due, false);
                self.ticked = Some(due);
                self.due.tick = self.after_tick(due);
                has_ticked = true;
            } else {
                self.hear(due);
            }
        }
    }

    /// Nothing was heard for so long that what was remembered is worth nothing.
    fn oversleep(&mut self, until: At) {
        self.due = Due { scrape: until, tick: until };
        (self.ticked, self.first_by) = (None, until + TICK * 2);
        self.sight = Sight::default();
        for (at, _) in &mut self.notes {
            *at = until;
        }
    }

    fn next_due(&self) -> At {
        let clocks = self.due.scrape.min(self.due.tick);
        self.notes.front().map_or(clocks, |(at, _)| clocks.min(*at))
    }

    /// A tick follows a tick by two seconds, or by what is left to the phase that is known now.
    fn after_tick(&self, at: At) -> At {
        match self.phase.most_likely() {
            Some(phase) => phase::next(at + SECOND, phase, TICK),
            None => at + TICK,
        }
    }

    /// One scrape in each second of the clock, also where the phase that is known moves: buckets
    /// are of such seconds, and two scrapes in one would count twice.
    fn after_scrape(&self, at: At) -> At {
        let Some(phase) = self.phase.most_likely() else { return at + SECOND };
        let into = Duration::from_micros(self.wall(at).as_micros() % 1_000_000);
        let last_of_this =
            (at + SECOND.saturating_sub(into)).saturating_sub(Duration::from_micros(1));
        phase::next(last_of_this, phase + SCRAPE_AFTER_TICK, SECOND)
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
        self.due.scrape = self.after_scrape(at);
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

    fn tick(&mut self, at: At, is_poke: bool) {
        let Some(config) = self.config.clone() else { return };
        let wall = self.wall(at);
        let ready = self.feed.n_ready(at);
        let (source, observed) = self.observed(at, &config.config);
        let input = self.input(at, source, &config.config);
        let Some(decider) = &mut self.decider else { return };
        let inputs = Inputs { ready, observed };
        let memory_before = decider.memory.clone();
        let unchanged = self.evidence.before(at).map(|before| {
            let decided = decide(&before.config, &mut decider.memory.clone(), &inputs, wall);
            bounded(&before.config, decided.desired())
        });
        let decided = decide(&config.config, &mut decider.memory, &inputs, wall);
        if unchanged.is_some_and(|it| it != bounded(&config.config, decided.desired())) {
            self.evidence.moved();
        }
        decider.after(&decided, &input, (at, self.sight.last_whole), &config.config);
        let (desired, burst) = (decider.desired, decider.excess_burst_capacity);
        let outcome = self.outcome(&config.config, (desired, burst), ready, wall);
        let decision = self.of_run(at, decided);
        let observed_before = self.observed_last();
        self.settle(at, decision.steps.map(|steps| steps.observed));
        let mut tick = Tick {
            decision,
            config,
            input,
            outcome,
            made: None,
            reported: None,
            asked: self.words.asked_by(at + TICK),
            is_poke,
            gaps: Gaps::default(),
        };
        tick.reported = self.words.of_tick(at, at + TICK);
        tick.gaps = self.evidence.gaps(&tick, [observed_before, None]);
        self.remembered.ours = Some(memory_before);
        tick.made = self.made(&tick).map(|(made, _)| made);
        // One word says enough where nothing is known and nothing changes.
        let says_nothing = |tick: &Tick| !tick.decision.valid();
        if says_nothing(&tick)
            && self.ticks.back().is_some_and(|last| {
                says_nothing(last) && last.decision.ready == ready && last.asked == tick.asked
            })
        {
            self.ticks.pop_back();
        }
        push(&mut self.ticks, tick, TICKS_MAX);
    }

    /// What the reconciler makes of a wish; `None` where the `PodAutoscaler` is not seen.
    fn outcome(
        &self,
        config: &Config,
        (desired, excess_burst_capacity): (Option<u32>, i32),
        ready: u32,
        wall: At,
    ) -> Option<Bounded> {
        let status = self.context.status?;
        let seen = Seen {
            desired,
            excess_burst_capacity,
            ready,
            replicas: self.context.replicas.unwrap_or(ready),
            mode: self.context.mode.unwrap_or(Mode::Proxy),
            proxying_since: self.context.proxying_since,
        };
        let outcome = reconcile::reconcile(config, &status, &seen, wall);
        Some(Bounded {
            want: outcome.want,
            gate: outcome.gate,
            mode: outcome.mode,
            n_activators: outcome.n_activators,
        })
    }

    /// The tick before the one at `at` will hear nothing more: what the autoscaler said of it,
    /// and why they part, is settled.
    fn settle(&mut self, at: At, after: Option<Observed>) {
        let Some(before) = self.ticks.back().map(Tick::at) else { return };
        let (word, asked) = (self.words.of_tick(before, at), self.words.asked_by(at));
        if let Some(mut last) = self.ticks.pop_back() {
            last.reported = word;
            last.asked = asked;
            last.gaps = self.evidence.gaps(&last, [self.observed_last(), after]);
            // Who began anew since remembers nothing of before that tick.
            if self.remembered.ours.is_some() {
                (last.made, self.remembered.theirs) = self.made(&last).unzip();
                let is_known = self.remembered.theirs.is_some();
                self.remembered.begun.take_if(|_| is_known);
            }
            self.ticks.push_back(last);
        }
    }

    /// How a tick was made, and what the autoscaler remembers since.
    fn made(&self, tick: &Tick) -> Option<(Made, Memory)> {
        let (config, wall) = (tick.config(), self.wall(tick.at()));
        let word = tick.reported.filter(|it| match tick.input.source {
            Source::Pods => true,
            Source::Exported => !it.is_of(&tick.decision),
            Source::Nothing => false,
        })?;
        let ready = tick.decision.ready;
        let (decision, memory) = self.remembered.decide(config, &word, (wall, ready))?;
        // What stood around it then is not what stands around it later.
        let known = tick.made.filter(|(before, _)| before.desired() == decision.desired());
        let outcome = known.map_or_else(
            || {
                let burst = decision.steps.map_or(0, |steps| steps.excess_burst_capacity);
                self.outcome(config, (decision.desired(), burst), decision.ready, wall)
            },
            |(_, outcome)| outcome,
        );
        Some(((self.of_run(tick.at(), decision), outcome), memory))
    }

    /// A decision with the moments of the run.
    fn of_run(&self, at: At, decided: Decision) -> Decision {
        let wall = self.wall(at);
        let panic_ends = decided.panic_ends.map(|ends| at + ends.since(wall));
        Decision { at, panic_ends, ..decided }
    }

    /// Our averages at the newest tick.
    fn observed_last(&self) -> Option<Observed> {
        self.ticks.back()?.decision.steps.map(|steps| steps.observed)
    }

    /// The averages of a tick, and whose they are: ours, but the autoscaler's own while ours are not
    /// of a whole window and it tells them, since it remembers what was before we came.
    fn observed(&self, at: At, config: &Config) -> (Source, Option<Observed>) {
        let is_heard = self.sight.heard.is_some_and(|heard| at.since(heard) < OWN_FRESH);
        let exported = if is_heard && self.is_whole(at, config) {
            None
        } else {
            self.words.exported(at, is_heard)
        };
        if let Some(observed) = exported {
            return (Source::Exported, Some(observed));
        }
        if !is_heard {
            return (Source::Nothing, None);
        }
        let windows = self.decider.as_ref().map(|decider| match config.metric {
            Metric::Concurrency => &decider.concurrency,
            Metric::Rps => &decider.rps,
        });
        let observed = windows.and_then(|it| it.observed(self.wall(at), config.scraped()));
        (Source::Pods, observed)
    }

    fn input(&self, at: At, source: Source, config: &Config) -> Input {
        Input {
            source,
            n_read: self.sight.scraped.n_read,
            n_ready: self.sight.scraped.n_ready,
            share: self.sight.share,
            whole_since: self.sight.whole_since,
            is_whole: self.is_whole(at, config),
        }
    }

    /// Whether we have heard all that the stable window of a tick is made of.
    fn is_whole(&self, at: At, config: &Config) -> bool {
        let covers = |since: At| {
            config.stable_window <= at.since(since) || self.evidence.has_restarted_at(since)
        };
        self.sight.whole_since.is_some_and(covers)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kpa::whatif::Basis;
    use crate::units::UnixMicros;

    #[test]
    fn a_panic_that_began_before_the_run_ends_when_it_ends() {
        let shadow = Shadow::new(Anchor(UnixMicros(1_000_000_000)), At::ZERO);
        let (at, config) = (At::from_secs(2), Config::default());
        let wall = shadow.wall(at);
        let mut memory = Memory::new(&config, 4, wall.saturating_sub(Duration::from_secs(50)));
        let observed = Some(Observed { stable: 250.0, panic: 250.0 });
        let decided = decide(&config, &mut memory, &Inputs { ready: 4, observed }, wall);
        assert_eq!(shadow.of_run(at, decided).panic_ends, Some(at + Duration::from_secs(10)));
    }

    #[test]
    fn signs_that_contradict_each_other_put_nothing_off_for_ever() {
        let mut shadow = Shadow::new(Anchor(UnixMicros(0)), At::ZERO);
        shadow.configure(At::ZERO, &Basis::default().effective());
        for second in 1..12 {
            shadow.sign(At::from_secs(second - 1), At::from_secs(second));
            shadow.advance(At::from_secs(second));
        }
        assert!(shadow.ticked.is_some(), "{:?}", shadow.due);
    }
}
