//! Reading many things at an interval, none of them waiting for another.
//!
//! Each round begins a reading of every target that is not being read already. So one that hangs
//! costs itself a round or two, and the others nothing.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::cluster::Name;
use crate::units::At;

use super::fetch::Door;
use super::fetch::FetchError;
use super::health::Health;
use super::health::Round;
use super::health::Trouble;

/// Something to read.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The pod.
    pub(crate) pod: Name,
    /// Where, and what form is asked for; read one after the other.
    pub(crate) pages: Vec<(String, &'static str)>,
}

/// What was read.
pub(crate) struct Reading {
    /// What of.
    pub(crate) target: Target,
    /// One answer a page.
    pub(crate) pages: Vec<Result<Bytes, FetchError>>,
    /// When its numbers were taken, as near as can be told.
    pub(crate) at: At,
    /// How long all of it took.
    pub(crate) took: Duration,
}

/// Knows what to read and what it means.
pub(crate) trait Meaning: Send {
    /// What to read in this round.
    fn targets(&mut self) -> Result<Vec<Target>, Trouble>;

    /// Why it is right that there is nothing to read, if it is.
    fn rests(&self) -> Option<&'static str> {
        None
    }

    /// How long after a round the next one begins, where once an interval is enough.
    fn pause(&self, interval: Duration) -> Duration {
        interval
    }

    /// Makes events of a reading; says how many lines nobody understood.
    fn take(&mut self, reading: Reading) -> Result<u64, Trouble>;
}

/// Where a pod's metrics are through the API server.
pub(crate) fn proxy_path(pod: &Name, port: u16) -> String {
    format!("/api/v1/namespaces/{}/pods/{}:{port}/proxy/metrics", pod.namespace, pod.name)
}

/// Reads until asked to stop.
pub(crate) async fn run(
    mut meaning: impl Meaning,
    (door, every): (Door, Duration),
    mut health: Health,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut pending = FuturesUnordered::new();
    let mut being_read = HashSet::new();
    let mut round = Round::default();
    let mut tick = tokio::time::interval(every);
    loop {
        tokio::select! { biased;
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => {
                tick.reset_after(meaning.pause(every));
                health.round(std::mem::take(&mut round)).await;
                match meaning.targets() {
                    Ok(targets) if targets.is_empty() => {
                        if let Some(reason) = meaning.rests() {
                            health.resting(reason).await;
                        }
                    }
                    Ok(targets) => {
                        for target in targets {
                            if being_read.insert(target.pod.clone()) {
                                pending.push(read(door.clone(), target, clock));
                            }
                        }
                    }
                    Err(trouble) => health.trouble(trouble).await,
                }
            }
            Some(reading) = pending.next() => {
                being_read.remove(&reading.target.pod);
                let took = reading.took;
                round.count(meaning.take(reading), took);
            }
        }
    }
}

async fn read(door: Door, target: Target, clock: Clock) -> Reading {
    let began = clock.at();
    let mut pages = Vec::with_capacity(target.pages.len());
    let mut answered = None;
    for (address, accept) in &target.pages {
        pages.push(door.get(address, accept).await);
        answered.get_or_insert_with(|| clock.at());
    }
    let took = clock.at().since(began);
    // The numbers were taken some time between question and answer.
    let at = began + answered.map_or(took, |first| first.since(began)) / 2;
    Reading { target, pages, at, took }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;

    use serde_json::json;
    use tokio::sync::watch;

    use super::*;
    use crate::bus::Bus;
    use crate::collect::components::ActivatorMetrics;
    use crate::collect::components::AutoscalerMetrics;
    use crate::collect::components::Common;
    use crate::collect::components::MAX_QUEUE_PROXIES;
    use crate::collect::components::QueueProxies;
    use crate::collect::lease::Leases;
    use crate::collect::roster::Roster;
    use crate::collect::world;
    use crate::collect::world::Answer;
    use crate::collect::world::Then;
    use crate::collect::world::said;
    use crate::event::Event;
    use crate::event::cluster::Id;
    use crate::event::cluster::Object;
    use crate::event::cluster::Phase;
    use crate::event::cluster::Pod;
    use crate::event::source::State;
    use crate::tasks;

    const EVERY: Duration = Duration::from_secs(1);
    const REFUSED: &str =
        "error trying to reach service: dial tcp 10.0.0.1:9090: connect: connection refused";

    fn roster(names: impl IntoIterator<Item = String>, app: &str) -> Roster {
        let roster = Roster::new();
        for name in names {
            let is_own = app != "r";
            let namespace = if is_own { "knative-serving" } else { "default" }.to_owned();
            let pod = Pod {
                id: Id { namespace, name: name.clone(), uid: name },
                app: Some(app.to_owned()),
                revision: (!is_own).then(|| "r".to_owned()),
                phase: Phase::Running,
                ip: "10.0.0.1".to_owned(),
                ..Pod::default()
            };
            roster.note(&Event::Seen(Box::new(Object::Pod(pod))));
        }
        roster
    }

    /// Reads a world with what `meaning` makes of the common part.
    fn scrape<M: Meaning + 'static>(
        (roster, namespace): (Roster, Option<&str>),
        meaning: impl FnOnce(Common, Clock) -> M,
        world: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> (Bus, impl Drop) {
        let (sender, bus, clock) = world::room();
        let health = Health::new("metrics", sender.clone(), clock);
        let common = Common {
            system: "knative-serving".to_owned(),
            namespace: namespace.map(str::to_owned),
            url: None,
            roster,
            sender,
            focus: watch::channel(None).1,
        };
        let door = Door::ApiServer(health.meter().client(&world::client(world)));
        let meaning = meaning(common, clock);
        let task = run(meaning, (door, EVERY), health, clock, CancellationToken::new());
        (bus, tasks::spawn(task))
    }

    fn activator_text() -> String {
        "kn_revision_request_queued{k8s_namespace_name=\"default\",kn_revision_name=\"r\"} 3\n"
            .into()
    }

    fn activators(
        world: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> (Bus, impl Drop) {
        let pods = ["bad", "good"].map(str::to_owned);
        scrape((roster(pods, "activator"), None), |common, _| ActivatorMetrics(common), world)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_keeps_no_other_waiting() {
        let (mut bus, _task) = activators(|_, path| {
            if path.contains("/bad:") { Answer::Hang } else { Answer::Text(200, activator_text()) }
        });
        let (facts, reports) = said(&mut bus, 20).await;
        assert!((19..=21).contains(&facts.len()), "{}", facts.len());
        let last = reports.last().unwrap();
        assert_eq!(last.state, State::Ok);
        assert!(
            reports.iter().any(|r| r.reason.ends_with("bad: no answer within 2 s")),
            "{last:?}"
        );
        // Each hanging reading is given up after two seconds, and only then begun anew.
        assert!((6..=11).contains(&last.errors), "{last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_stops_talking_is_given_up() {
        let (mut bus, _task) = activators(|_, path| {
            if path.contains("/bad:") {
                Answer::Stream(vec![(1, "x 1\n".repeat(1 << 18))], Then::Repeat)
            } else {
                Answer::Text(200, activator_text())
            }
        });
        let (facts, reports) = said(&mut bus, 3).await;
        assert!((3..=4).contains(&facts.len()));
        assert!(reports.iter().any(|r| r.reason.contains("longer than 8 MiB")), "{reports:?}");
        assert!(reports.last().unwrap().bytes < 4 * (9 << 20));
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_is_a_failure_and_makes_no_event() {
        let (mut bus, _task) =
            activators(|_, _| Answer::Text(200, "<html>\n\u{1b}[2J\u{0}{{{\n".into()));
        let (facts, reports) = said(&mut bus, 5).await;
        assert!(facts.is_empty());
        let last = reports.last().unwrap();
        assert_eq!(last.state, State::Failing);
        assert!(last.reason.contains("no metrics") && 4 <= last.errors, "{last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn metrics_that_are_off_are_absent_and_the_remedy_is_a_command() {
        let (speaks_in, speaks) = watch::channel(None);
        let (_owners_in, owners) = watch::channel(None);
        let (mut bus, _task) = scrape(
            (roster(["a".to_owned()], "autoscaler"), None),
            |common, _| AutoscalerMetrics { common, owners, speaks: speaks_in, silent_since: None },
            |_, _| Answer::status(503, REFUSED),
        );
        let (_, reports) = said(&mut bus, 5).await;
        let last = reports.last().unwrap();
        assert_eq!((last.state, *speaks.borrow()), (State::Absent, Some(false)));
        assert!(last.reason.contains("off in config-observability"), "{}", last.reason);
        assert!(last.remedy.contains("metrics-protocol"), "{}", last.remedy);
    }

    fn autoscaler_text() -> String {
        "autoscaler_panic_mode{namespace_name=\"default\",revision_name=\"r\"} 1".into()
    }

    fn holder(is_handed_over: bool) -> &'static str {
        if is_handed_over { "new" } else { "old" }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_handover_the_new_owner_is_read() {
        let is_handed_over = Arc::new(AtomicBool::new(false));
        let (handed, speaks_in) = (Arc::clone(&is_handed_over), watch::Sender::new(None));
        let world = move |_: usize, path: &str| {
            let holder = format!("{}_10.0.0.1", holder(handed.load(Ordering::Relaxed)));
            let lease = json!({"metadata": {"name": "autoscaler-bucket-00-of-01"},
                "spec": {"holderIdentity": holder}});
            match path.rsplit('/').next() {
                Some("leases") => Answer::json(&json!({"items": [lease]})),
                Some("autoscaler-bucket-00-of-01") => Answer::json(&lease),
                // Both show the revision; the one that lost it shows what it knew last.
                _ => Answer::Text(200, autoscaler_text()),
            }
        };
        let (owners_in, owners) = watch::channel(None);
        let (lease_sender, _lease_bus, clock) = world::room();
        let leases = Leases {
            client: world::client(world.clone()),
            system: "knative-serving".to_owned(),
            owners: owners_in,
            health: Health::new("leases", lease_sender, clock),
        };
        let _leases = tasks::spawn(leases.run(CancellationToken::new()));
        let (mut bus, _task) = scrape(
            (roster(["old", "new"].map(str::to_owned), "autoscaler"), None),
            |common, _| AutoscalerMetrics { common, owners, speaks: speaks_in, silent_since: None },
            world,
        );
        let pods = |facts: &[Event]| {
            let mut pods: Vec<_> = facts
                .iter()
                .filter_map(|fact| match fact {
                    Event::Autoscaler(reading) => Some((reading.pod.clone(), reading.owner)),
                    _ => None,
                })
                .collect();
            pods.dedup();
            pods
        };
        let _before_the_lease = said(&mut bus, 1).await;
        let (facts, _) = said(&mut bus, 6).await;
        assert_eq!(pods(&facts), [("old".to_owned(), Some(true))]);
        is_handed_over.store(true, Ordering::Relaxed);
        let _within_one_reading_of_the_lease = said(&mut bus, 3).await;
        let (facts, _) = said(&mut bus, 6).await;
        assert_eq!(pods(&facts), [("new".to_owned(), Some(true))]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_queue_proxies_each_is_read_in_turn() {
        let names = (0..50).map(|idx| format!("p{idx:02}"));
        let (mut bus, _task) = scrape(
            (roster(names, "r"), Some("default")),
            |common, clock| QueueProxies { common, clock, text_after: At::ZERO, next_pod: 0 },
            |_, path| {
                if path.contains(":9091/") {
                    return Answer::status(503, REFUSED);
                }
                if path.contains("/p07:") {
                    Answer::Refused
                } else {
                    Answer::Text(200, "\n\u{1}a".into())
                }
            },
        );
        let (facts, _) = said(&mut bus, 5).await;
        let mut n_read = std::collections::BTreeMap::<String, usize>::new();
        for fact in &facts {
            let Event::QueueProxy(reading) = fact else { panic!("{fact:?}") };
            assert_eq!(reading.stat.is_none(), reading.pod.name == "p07");
            *n_read.entry(reading.pod.name.clone()).or_default() += 1;
        }
        assert_eq!(n_read.len(), 50);
        assert!(facts.len() <= 6 * MAX_QUEUE_PROXIES);
        assert!(n_read.values().all(|n| (2..=3).contains(n)), "{n_read:?}");
    }
}
