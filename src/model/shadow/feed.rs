//! What the autoscaler was given, put together again: the Stats of the queue-proxies and the
//! reports of the activators, each at its second.
//!
//! We read a queue-proxy once a second, and so does the autoscaler, at another moment. Which of
//! its snapshots the autoscaler met follows from the uptime that stands in each.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::scaler::Activator;
use crate::event::scaler::Stat;
use crate::units::At;

/// Snapshots and readings that are kept of each pod.
const KEPT: usize = 6;
/// A snapshot older than this is no answer: queue-proxies make one each second.
const SNAPSHOT_FRESH: Duration = Duration::from_secs(3);
/// A word of an activator older than this is none.
const ACTIVATOR_FRESH: Duration = Duration::from_millis(3500);
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
    activators: BTreeMap<String, VecDeque<Told>>,
    /// Whether the activators can be read at all, so that silence about a revision is zero.
    pub(super) activators_answer: bool,
    /// Requests in flight of the load that we send ourselves, and when that was.
    pub(super) own_in_flight: Option<(At, f64)>,
    /// Since when pods say that far more came through activators than these tell of.
    contradicted: Option<At>,
    /// What the activators told in the second before, to know when they fell silent.
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
    /// From our own requests in flight, since no pod is ready: inferred.
    Own,
    /// Not at all.
    Unknown,
}

// === impl Load ===

impl Load {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { concurrency: self.concurrency + other.concurrency, rps: self.rps + other.rps }
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
        push(self.activators.entry(reading.pod.clone()).or_default(), told);
        self.activators.retain(|_, told| {
            told.back().is_some_and(|it| reading.read.since(it.read) < ACTIVATOR_FRESH * 2)
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

    /// What the activators reported around `at`, and how that is known. `None`: they told the
    /// autoscaler nothing, since they have had nothing for some time.
    pub(super) fn reports(&mut self, at: At, scraped: &Scraped) -> (Option<Load>, Share) {
        let (load, share) = self.checked(at, scraped);
        // One that falls silent says so once.
        let is_silent = load.concurrency == 0.0 && load.rps <= 0.0;
        let has_report = !(is_silent && self.was_silent);
        self.was_silent = is_silent;
        (has_report.then_some(load), share)
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
        if at.since(since) < CONTRADICTED {
            (load, share)
        } else {
            (scraped.proxied, Share::Proxied)
        }
    }

    fn share(&self, at: At, scraped: &Scraped) -> (Load, Share) {
        let told: Vec<Load> =
            self.activators.values().filter_map(|told| at_second(told, at)).collect();
        if !told.is_empty() {
            let all = told.into_iter().fold(Load::default(), Load::plus);
            return (all, Share::Reported);
        }
        if self.activators_answer {
            return (Load::default(), Share::Reported);
        }
        if 0 < scraped.n_read {
            return (scraped.proxied, Share::Proxied);
        }
        match self.own_in_flight {
            Some((read, in_flight)) if at.since(read) < SNAPSHOT_FRESH => {
                (Load { concurrency: in_flight, rps: 0.0 }, Share::Own)
            }
            _ => (Load::default(), Share::Unknown),
        }
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

/// The report that an activator made nearest to `at`: it is read half a second later.
fn at_second(told: &VecDeque<Told>, at: At) -> Option<Load> {
    let at = at + HALF_A_SECOND;
    let apart = |it: &Told| at.since(it.read).max(it.read.since(at));
    let nearest = (0..told.len()).min_by_key(|idx| apart(&told[*idx]))?;
    let word = told[nearest];
    if ACTIVATOR_FRESH <= apart(&word) {
        return None;
    }
    let before = nearest.checked_sub(1).map(|idx| told[idx]);
    let arrived = before.and_then(|before| {
        let span = word.read.since(before.read).as_secs_f64();
        let n = word.arrived_total? - before.arrived_total?;
        (0.0 < span).then_some(n / span)
    });
    Some(Load { concurrency: word.concurrency, rps: arrived.unwrap_or(0.0).max(0.0) })
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
        let calm = Scraped { proxied: Load::default(), ..scraped };
        assert_eq!(feed.reports(At::from_secs(7), &calm).1, Share::Reported);
    }
}
