//! What the autoscaler was given, put together again: the Stats of the queue-proxies and the
//! reports of the activators, each at its second.
//!
//! We read a queue-proxy once a second, and so does the autoscaler, at another moment. Which of
//! its snapshots the autoscaler met follows from the uptime that stands in each. When in each
//! second an activator reports follows from readings between which its word changed.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::scaler::Activator;
use crate::event::scaler::Stat;
use crate::units::At;

use super::phase;
use super::phase::Phase;

/// Snapshots that are kept of each pod.
const KEPT: usize = 6;
/// Readings that are kept of each activator: some seconds, at two a second.
const TOLD_KEPT: usize = 16;
/// A snapshot older than this is no answer: queue-proxies make one each second.
const SNAPSHOT_FRESH: Duration = Duration::from_secs(3);
/// A word of an activator older than this is none.
const ACTIVATOR_FRESH: Duration = Duration::from_millis(3500);
/// An activator's turn is known when it is known to lie within this.
const TURN_KNOWN: Duration = Duration::from_millis(350);
/// How long before an answer came its numbers may have been taken.
const ON_THE_WAY: Duration = Duration::from_millis(80);
/// A reading tells of a report for sure so long after it.
const SURELY_AFTER: Duration = Duration::from_millis(100);
/// An activator reports once a second.
const REPORT: Duration = Duration::from_secs(1);
/// Arrivals are taken over this where they were steady: readings waver by a tenth of a second.
const STEADY: Duration = Duration::from_secs(3);
/// Rates that differ by less than this share are the same, read at moments that waver.
const AS_GOOD_AS: f64 = 0.15;
/// For how long pods must say more than activators do: their readings are not of one moment.
const CONTRADICTED: Duration = Duration::from_secs(3);
/// Pods of a revision that are kept.
const PODS_MAX: usize = 2000;
/// Activators that are kept.
const ACTIVATORS_MAX: usize = 64;
/// How long before a reading a snapshot or a report was made, where nothing tells: both come
/// once a second, so half a second on average.
const HALF: i64 = 500_000;
/// The same as a span.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// What is read of one revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Feed {
    pods: BTreeMap<String, PodFeed>,
    activators: BTreeMap<String, ActivatorFeed>,
    /// Whether the activators can be read at all, so that silence about a revision is zero.
    pub(super) activators_answer: bool,
    /// Requests in flight of the load that we send ourselves through the activators, and when that
    /// was.
    own_in_flight: VecDeque<(At, f64)>,
    /// Since when pods say that far more came through activators than these tell of.
    contradicted: Option<At>,
    /// Whether the activators without a known turn had nothing to tell in the second before.
    was_silent: bool,
    /// How the activators' share was known in the second before.
    share: Share,
}

/// What is read of one activator.
#[derive(Debug, Clone, PartialEq)]
struct ActivatorFeed {
    told: VecDeque<Told>,
    /// When in each second it reports, as far as that can be known.
    phase: Phase,
    /// The same once it is known.
    turn: Option<Duration>,
    /// When the last report was taken.
    reported: Option<At>,
    /// Whether that one had nothing to tell.
    was_silent: bool,
}

/// What is read of one pod.
#[derive(Debug, Clone, Default, PartialEq)]
struct PodFeed {
    /// The latest that it can have begun, in microseconds of the run; before it, mostly.
    began_by: Option<i64>,
    snapshots: VecDeque<(At, Stat)>,
    /// Since when it is ready or not, the newest last.
    ready: VecDeque<(At, bool)>,
}

/// What one activator told at a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Told {
    read: At,
    concurrency: f64,
    /// Requests that it has answered or holds, in all; a difference of two is what arrived.
    arrived_total: Option<f64>,
}

/// The load of one second, as it goes into a window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Mean requests in flight.
    pub concurrency: f64,
    /// Requests that arrived, a second.
    pub rps: f64,
}

/// What a scrape of the pods gave.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Scraped {
    /// Direct requests of all ready pods, scaled up from those that answered; `None`: nobody
    /// answered, or nobody was ready.
    pub(super) direct: Option<Load>,
    /// What came to these through an activator.
    pub(super) proxied: Load,
    /// Pods that were ready.
    pub(super) n_ready: u32,
    /// Those of them that answered.
    pub(super) n_read: u32,
}

/// How the activators' share of the load is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Share {
    /// From the activators themselves.
    #[default]
    Reported,
    /// From what the pods say came through them: what waits in them is missing.
    Proxied,
    /// From our own requests in flight, as far as no pod has them from elsewhere: inferred.
    Own,
    /// Not at all.
    Unknown,
}

// === impl Load ===

impl Load {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { concurrency: self.concurrency + other.concurrency, rps: self.rps + other.rps }
    }

    fn is_none(self) -> bool {
        self.concurrency == 0.0 && self.rps <= 0.0
    }

    fn times(self, factor: f64) -> Self {
        Self { concurrency: self.concurrency * factor, rps: self.rps * factor }
    }
}

// === impl Feed ===

impl Feed {
    /// A pod became ready, or is no longer.
    pub(super) fn pod(&mut self, at: At, pod: &str, is_ready: bool) {
        if PODS_MAX <= self.pods.len() && !self.pods.contains_key(pod) {
            return;
        }
        let ready = &mut self.pods.entry(pod.to_owned()).or_default().ready;
        if ready.back().map_or(is_ready, |(_, was)| *was != is_ready) {
            push(ready, (at, is_ready));
        }
    }

    /// A pod is gone; it is forgotten when no second can need it any more.
    pub(super) fn pod_gone(&mut self, at: At, pod: &str) {
        if let Some(feed) = self.pods.get_mut(pod) {
            push(&mut feed.ready, (at, false));
        }
        self.pods.retain(|_, feed| {
            feed.ready
                .back()
                .is_none_or(|(since, is_ready)| *is_ready || at.since(*since) < SNAPSHOT_FRESH * 2)
        });
    }

    /// A queue-proxy answered.
    pub(super) fn stat(&mut self, read: At, pod: &str, stat: Stat) {
        if PODS_MAX <= self.pods.len() && !self.pods.contains_key(pod) {
            return;
        }
        self.pods.entry(pod.to_owned()).or_default().stat(read, stat);
    }

    /// An activator answered.
    pub(super) fn activator(&mut self, reading: &Activator) {
        let Some(concurrency) = reading.concurrency.filter(|it| it.is_finite()) else { return };
        if ACTIVATORS_MAX <= self.activators.len() && !self.activators.contains_key(&reading.pod) {
            return;
        }
        let holds = reading.queued.unwrap_or(0.0) + reading.active.unwrap_or(0.0);
        let told = Told {
            read: reading.read,
            concurrency: concurrency.max(0.0),
            arrived_total: reading.requests_total.map(|total| total + holds),
        };
        self.activators.entry(reading.pod.clone()).or_default().told(told);
        self.activators.retain(|_, feed| {
            feed.told.back().is_some_and(|it| reading.read.since(it.read) < ACTIVATOR_FRESH * 2)
        });
    }

    /// Ready pods at a moment.
    pub(super) fn n_ready(&self, at: At) -> u32 {
        let n = self.pods.values().filter(|pod| pod.is_ready(at)).count();
        u32::try_from(n).unwrap_or(u32::MAX)
    }

    /// What a scrape at `at` met.
    pub(super) fn scrape(&self, at: At) -> Scraped {
        let mut scraped = Scraped::default();
        let (mut direct, mut proxied) = (Load::default(), Load::default());
        for pod in self.pods.values().filter(|pod| pod.is_ready(at)) {
            scraped.n_ready += 1;
            let Some(stat) = pod.snapshot(at) else { continue };
            scraped.n_read += 1;
            direct = direct.plus(Load {
                concurrency: stat.average_concurrent_requests
                    - stat.average_proxied_concurrent_requests,
                rps: stat.request_count - stat.proxied_request_count,
            });
            proxied = proxied.plus(Load {
                concurrency: stat.average_proxied_concurrent_requests,
                rps: stat.proxied_request_count,
            });
        }
        if 0 < scraped.n_read {
            let scale = f64::from(scraped.n_ready) / f64::from(scraped.n_read);
            scraped.direct = Some(direct.times(scale));
            scraped.proxied = proxied.times(scale);
        }
        scraped
    }

    /// Requests in flight of the load that we send ourselves.
    pub(super) fn own(&mut self, at: At, in_flight: f64) {
        push(&mut self.own_in_flight, (at, in_flight));
    }

    /// What the activators reported around `at` that [`Self::turns`] does not tell, and how their
    /// share is known. `None`: they told the autoscaler nothing.
    pub(super) fn reports(&mut self, at: At, scraped: &Scraped) -> (Option<Load>, Share) {
        let (load, share) = self.checked(at, scraped);
        self.share = share;
        if share != Share::Reported {
            return (Some(load), share);
        }
        let has_turn = |it: &ActivatorFeed| it.turn.is_some();
        if !self.activators.is_empty() && self.activators.values().all(has_turn) {
            return (None, share);
        }
        let others = self.activators.values_mut().filter(|it| !has_turn(it));
        let load = others.filter_map(|it| it.second(at)).fold(Load::default(), Load::plus);
        // One that falls silent says so once.
        let has_report = !(load.is_none() && self.was_silent);
        self.was_silent = load.is_none();
        (has_report.then_some(load), share)
    }

    /// What activators reported by `until` of which it is known when they do, each at its moment;
    /// `wall` makes of a moment one that counts whole seconds as the autoscaler does.
    pub(super) fn turns(&mut self, until: At, wall: impl Fn(At) -> At) -> Vec<(At, Load)> {
        let is_believed = self.share == Share::Reported;
        let turns = self.activators.values_mut().flat_map(|it| it.turns(until, &wall));
        let turns: Vec<_> = turns.collect();
        if is_believed { turns } else { Vec::new() }
    }

    /// The word of the activators, unless pods say otherwise for some time: one of several that is
    /// not read, or one that goes, is no activator without load.
    fn checked(&mut self, at: At, scraped: &Scraped) -> (Load, Share) {
        let (load, share) = self.share(at, scraped);
        let proxied = scraped.proxied.concurrency;
        if share != Share::Reported || proxied <= 2.0 * load.concurrency + 1.0 {
            self.contradicted = None;
            return (load, share);
        }
        let since = *self.contradicted.get_or_insert(at);
        if at.since(since) < CONTRADICTED { (load, share) } else { self.unread(at, scraped) }
    }

    fn share(&self, at: At, scraped: &Scraped) -> (Load, Share) {
        let told: Vec<Load> = self.activators.values().filter_map(|it| it.at_second(at)).collect();
        if !told.is_empty() {
            let all = told.into_iter().fold(Load::default(), Load::plus);
            return (all, Share::Reported);
        }
        if self.activators_answer {
            return (Load::default(), Share::Reported);
        }
        self.unread(at, scraped)
    }

    /// The activators' share where they do not tell it.
    fn unread(&self, at: At, scraped: &Scraped) -> (Load, Share) {
        let direct = scraped.direct.unwrap_or_default().concurrency;
        let rps = scraped.proxied.rps;
        match self.own_in_flight(at) {
            // Others may send too, and pods count what we no longer wait for.
            Some(all) => {
                let concurrency = (all - direct).max(scraped.proxied.concurrency);
                (Load { concurrency, rps }, Share::Own)
            }
            None if 0 < scraped.n_read => (scraped.proxied, Share::Proxied),
            None => (Load::default(), Share::Unknown),
        }
    }

    /// Our own requests in flight, at the mean of a second before `at`; `None`: not known.
    fn own_in_flight(&self, at: At) -> Option<f64> {
        let lately = self.own_in_flight.iter().rev().filter(|(read, _)| *read <= at);
        let second: Vec<f64> = lately
            .take_while(|(read, _)| at.since(*read) < REPORT)
            .map(|(_, in_flight)| *in_flight)
            .collect();
        let n = u32::try_from(second.len()).ok().filter(|n| 0 < *n)?;
        Some(second.iter().sum::<f64>() / f64::from(n))
    }
}

// === impl PodFeed ===

impl PodFeed {
    fn stat(&mut self, read: At, stat: Stat) {
        let read = i64::try_from(read.as_micros()).unwrap_or(i64::MAX);
        let uptime = micros(stat.process_uptime);
        let began_by = read - uptime;
        // A container that began anew, or a clock that was set.
        if self.began_by.is_some_and(|known| known + 2_000_000 < began_by) {
            self.snapshots.clear();
            self.began_by = None;
        }
        let earliest = self.began_by.map_or(began_by, |known| known.min(began_by));
        self.began_by = Some(earliest);
        let made = (earliest + uptime - HALF).clamp(0, read);
        let made = At::from_micros(u64::try_from(made).unwrap_or(0));
        match self.snapshots.back() {
            Some((_, known)) if known.process_uptime == stat.process_uptime => {}
            _ => push(&mut self.snapshots, (made, stat)),
        }
    }

    fn snapshot(&self, at: At) -> Option<Stat> {
        let (made, stat) = self.snapshots.iter().rev().find(|(made, _)| *made <= at)?;
        (at.since(*made) < SNAPSHOT_FRESH).then_some(*stat)
    }

    fn is_ready(&self, at: At) -> bool {
        let known = self.ready.iter().rev().find(|(since, _)| *since <= at);
        known.is_some_and(|(_, is_ready)| *is_ready)
    }
}

// === impl ActivatorFeed ===

impl Default for ActivatorFeed {
    fn default() -> Self {
        let phase = Phase::of(REPORT);
        Self { told: VecDeque::new(), phase, turn: None, reported: None, was_silent: false }
    }
}

impl ActivatorFeed {
    fn told(&mut self, told: Told) {
        if let Some(before) = self.told.back().filter(|it| it.concurrency != told.concurrency) {
            self.phase.sign(before.read.saturating_sub(ON_THE_WAY), told.read);
            // One that was known is believed until another is.
            if self.phase.width().is_some_and(|it| it <= TURN_KNOWN) {
                self.turn = self.phase.middle();
            }
        }
        if self.told.len() == TOLD_KEPT {
            self.told.pop_front();
        }
        self.told.push_back(told);
    }

    /// The reports that were not taken yet, one in each second of the clock.
    fn turns(&mut self, until: At, wall: impl Fn(At) -> At) -> Vec<(At, Load)> {
        let Some(turn) = self.turn else { return Vec::new() };
        let mut reports = Vec::new();
        loop {
            let at = match self.reported {
                Some(last) if until.since(last) < ACTIVATOR_FRESH => after(last, turn, &wall),
                _ => phase::next(until.saturating_sub(REPORT), turn, REPORT),
            };
            if until < at {
                return reports;
            }
            self.reported = Some(at);
            let load = self.of_turn(at).unwrap_or_default();
            // One that falls silent says so once.
            if !(load.is_none() && self.was_silent) {
                reports.push((at, load));
            }
            self.was_silent = load.is_none();
        }
    }

    /// What it reported at `at`, its turn.
    fn of_turn(&self, at: At) -> Option<Load> {
        let after = self.told.iter().position(|it| at + SURELY_AFTER <= it.read);
        let idx = after.or(self.told.len().checked_sub(1))?;
        let apart = self.told[idx].read.since(at).max(at.since(self.told[idx].read));
        (apart < ACTIVATOR_FRESH).then(|| self.load(idx))
    }

    /// The report of the second at `at`, where its turn is not known.
    fn second(&mut self, at: At) -> Option<Load> {
        // Its turn may be known before the next second.
        self.reported = Some(at);
        self.at_second(at)
    }

    /// The report nearest to `at`: it is read half a second later.
    fn at_second(&self, at: At) -> Option<Load> {
        let at = at + HALF_A_SECOND;
        let apart = |it: &Told| at.since(it.read).max(it.read.since(at));
        let nearest = (0..self.told.len()).min_by_key(|idx| apart(&self.told[*idx]))?;
        (apart(&self.told[nearest]) < ACTIVATOR_FRESH).then(|| self.load(nearest))
    }

    /// What a reading tells of one report: arrivals are those since a reading a second before.
    fn load(&self, idx: usize) -> Load {
        let word = self.told[idx];
        let arrived_since = |before: &Told| {
            let span = word.read.since(before.read).as_secs_f64();
            let n = word.arrived_total? - before.arrived_total?;
            (0.0 < span).then_some(n / span)
        };
        let earlier = || self.told.iter().take(idx).rev();
        let is_before = |it: &&Told| REPORT <= word.read.since(it.read) + SURELY_AFTER;
        let short = earlier().find(is_before).or_else(|| earlier().next()).and_then(arrived_since);
        let is_near = |it: &&Told| word.read.since(it.read) <= STEADY + SURELY_AFTER;
        let long = earlier().take_while(is_near).last().and_then(arrived_since);
        let arrived = match (short, long) {
            (Some(short), Some(long)) if (short - long).abs() < long * AS_GOOD_AS => Some(long),
            (short, _) => short,
        };
        Load { concurrency: word.concurrency, rps: arrived.unwrap_or(0.0).max(0.0) }
    }
}

/// The report after the one at `last`: in the next second of the clock, even where the turn that is
/// known moves across its edge.
fn after(last: At, turn: Duration, wall: impl Fn(At) -> At) -> At {
    let second = |at: At| wall(at).as_micros() / 1_000_000;
    let into = |at: At| Duration::from_micros(wall(at).as_micros() % 1_000_000);
    let next = phase::next(last + REPORT / 2, turn, REPORT);
    match second(next) - second(last).min(second(next)) {
        0 => (next + REPORT).saturating_sub(into(next)),
        1 => next,
        _ => next.saturating_sub(into(next) + Duration::from_micros(1)),
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T) {
    if ring.len() == KEPT {
        ring.pop_front();
    }
    ring.push_back(item);
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
fn micros(secs: f64) -> i64 {
    if secs.is_finite() { (secs * 1e6) as i64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_activators_is_not_believed_against_what_pods_say_for_long() {
        let mut feed = Feed { activators_answer: true, ..Feed::default() };
        let busy = Load { concurrency: 20.0, rps: 200.0 };
        let scraped = Scraped { direct: None, proxied: busy, n_ready: 3, n_read: 3 };
        let shares: Vec<Share> =
            (0..6).map(|second| feed.reports(At::from_secs(second), &scraped).1).collect();
        let (before, after) = shares.split_at(3);
        assert_eq!(before, [Share::Reported; 3], "readings may be of other moments");
        assert_eq!(after, [Share::Proxied; 3]);
        assert_eq!(feed.reports(At::from_secs(6), &scraped).0, Some(busy));
        feed.own(At::from_secs(6), 90.0);
        let waiting = Load { concurrency: 90.0, ..busy };
        assert_eq!(feed.reports(At::from_secs(6), &scraped), (Some(waiting), Share::Own));
        let calm = Scraped { proxied: Load::default(), ..scraped };
        assert_eq!(feed.reports(At::from_secs(7), &calm).1, Share::Reported);
    }

    #[test]
    fn what_waits_in_activators_that_nobody_reads_is_what_we_have_in_flight() {
        let load = |concurrency| Load { concurrency, rps: 100.0 };
        let scraped =
            Scraped { direct: Some(load(2.0)), proxied: load(10.0), n_ready: 1, n_read: 1 };
        let mut feed = Feed::default();
        let second = |n| At::from_secs(n);
        assert_eq!(feed.reports(second(9), &scraped), (Some(load(10.0)), Share::Proxied));
        feed.own(At::from_millis(9500), 40.0);
        feed.own(second(10), 60.0);
        feed.own(At::from_millis(10_500), 500.0);
        assert_eq!(feed.reports(second(10), &scraped), (Some(load(48.0)), Share::Own));
        // Others send too.
        let busy = Scraped { proxied: load(70.0), ..scraped };
        assert_eq!(feed.reports(second(10), &busy), (Some(load(70.0)), Share::Own));
        let nobody = feed.reports(second(10), &Scraped::default());
        assert_eq!(nobody, (Some(Load { concurrency: 50.0, rps: 0.0 }), Share::Own));
        assert_eq!(feed.reports(second(12), &scraped).1, Share::Proxied, "too long ago");
        feed.activators_answer = true;
        assert_eq!(feed.reports(second(10), &Scraped::default()).1, Share::Reported);
    }

    /// Reads an activator that reports the second's number each second, `turn_ms` after it began.
    fn tell(feed: &mut Feed, turn_ms: u64, read_ms: impl Iterator<Item = u64>) {
        for read in read_ms {
            let report = (read + 1000 - turn_ms) / 1000;
            feed.activator(&Activator {
                pod: "activator".to_owned(),
                read: At::from_millis(read),
                #[expect(clippy::cast_precision_loss, reason = "seconds")]
                concurrency: Some(report as f64),
                ..Activator::default()
            });
        }
    }

    #[test]
    fn readings_that_wander_over_the_second_find_when_an_activator_reports() {
        for turn_ms in [0, 130, 500, 870, 990] {
            let mut feed = Feed::default();
            tell(&mut feed, turn_ms, (0..10_000).step_by(450));
            let reports = feed.turns(At::from_secs(8), |at| at);
            let (at, load) = reports[0];
            let off = (at.as_micros() / 1000 + 1000 - turn_ms + 500) % 1000;
            assert!((400..=600).contains(&off), "{turn_ms}: {at:?}");
            // The report of that turn, not the one before or after.
            let expected = At::from_micros(at.as_micros() + 300_000 - turn_ms * 1000);
            assert_eq!(load.concurrency, (expected.as_secs_f64() + 1.0).floor(), "{turn_ms}");
        }
        let mut slowly = Feed { activators_answer: true, ..Feed::default() };
        tell(&mut slowly, 500, (0..10_000).step_by(1000));
        assert!(slowly.turns(At::from_secs(8), |at| at).is_empty(), "one reading a second");
        let (load, _) = slowly.reports(At::from_secs(5), &Scraped::default());
        assert_eq!(load.map(|load| load.concurrency), Some(5.0));
    }

    #[test]
    fn one_report_is_taken_in_each_second_of_the_clock() {
        // A clock whose seconds turn a little after ours: the turn lies on the edge.
        let wall = |at: At| At::from_micros(at.as_micros() + 500_000);
        let mut feed = Feed::default();
        let mut taken = Vec::new();
        for read in (0..30_000).step_by(450) {
            tell(&mut feed, 480, std::iter::once(read));
            let until = At::from_millis(read).saturating_sub(Duration::from_millis(1250));
            taken.extend(feed.turns(until, wall).into_iter().map(|(at, _)| wall(at)));
        }
        let seconds: Vec<u64> = taken.iter().map(|at| at.as_micros() / 1_000_000).collect();
        assert!(
            24 <= seconds.len() && seconds.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "{seconds:?}"
        );
    }

    #[test]
    fn steady_arrivals_are_taken_over_seconds_and_others_over_one() {
        let rps = |totals: &[(u64, f64)]| {
            let mut feed = Feed { activators_answer: true, ..Feed::default() };
            for (read, requests_total) in totals {
                feed.activator(&Activator {
                    pod: "activator".to_owned(),
                    read: At::from_millis(*read),
                    concurrency: Some(5.0),
                    requests_total: Some(*requests_total),
                    ..Activator::default()
                });
            }
            let scraped = feed.scrape(At::from_millis(2600));
            feed.reports(At::from_millis(2600), &scraped).0.map(|load| load.rps)
        };
        // The last one came a tenth of a second late.
        let steady = rps(&[(0, 0.0), (1000, 400.0), (2000, 800.0), (3100, 1200.0)]);
        assert_eq!(steady.map(f64::round), Some(387.0), "not 364");
        let risen = rps(&[(0, 0.0), (1000, 100.0), (2000, 200.0), (3000, 600.0)]);
        assert_eq!(risen, Some(400.0));
        let fallen = rps(&[(0, 0.0), (1000, 400.0), (2000, 800.0), (3000, 800.0)]);
        assert_eq!(fallen, Some(0.0));
    }
}
