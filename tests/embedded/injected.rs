//! Each cause that parts the three lines, made in the embedded cluster while our own hands look
//! on: what happens is what a real cluster would show, and nobody tells the model.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rampscope::clock::Clock;
use rampscope::model::shadow::Cause;
use rampscope::model::shadow::PodTrouble;
use rampscope::model::shadow::Tick;
use rampscope::sim::cluster::SimCluster;
use rampscope::sim::resources;
use rampscope::sim::spec::SimService;
use rampscope::sim::spec::SimSpec;
use rampscope::sim::task;
use rampscope::units::Anchor;
use rampscope::units::UnixMicros;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::Value;
use tokio::task::LocalSet;
use tokio_util::task::AbortOnDropHandle;

use crate::eyes::Eyes;
use crate::eyes::ask_for;
use crate::eyes::revision;

/// When all runs begin, by the wall clock; each a part of two seconds later, by its seed.
const ANCHOR: i64 = 1_795_331_939_000_000;
/// The cluster lives so long before it has load, and then so long before we look: who comes in the
/// midst of a change has to look for a stable window, and says so.
const ALONE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(24)];
/// We look for so long before something happens: longer than the stable window.
const QUIET: f64 = 23.0;

/// What happens in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Injected {
    /// Only what happens every day: load comes and goes.
    Nothing,
    /// Scrapes of the autoscaler fail.
    MissedScrape,
    /// The container of the autoscaler ends, or its only pod is deleted.
    AutoscalerRestarted,
    /// Another replica takes the lease.
    LeaderChanged,
    /// A quota allows few more pods.
    Quota,
    /// No node has room.
    Unschedulable,
    /// The image is gone.
    ImagePull,
    /// The service may not have as many pods as it wants.
    MaxScale,
    /// `config-autoscaler` is changed.
    ConfigChanged,
    /// Activators and some pods do not answer us.
    Incomplete,
}

/// What was seen of a run.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Our model's ticks.
    pub(crate) ticks: Vec<Tick>,
    /// What the cluster said at last: pods, `ReplicaSet`s, Deployments and Events.
    pub(crate) objects: Vec<Rc<Value>>,
}

/// What the model says of a run.
#[derive(Debug, Default)]
pub(crate) struct Blamed {
    /// Ticks since it was injected that blame a cause.
    pub(crate) by: BTreeMap<Injected, u32>,
    /// Ticks of the whole run.
    pub(crate) n_ticks: u32,
    /// Those whose gap is put down to our own input.
    pub(crate) n_incomplete: u32,
}

// === impl Injected ===

impl Injected {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::MissedScrape => "missed scrape",
            Self::AutoscalerRestarted => "autoscaler restarted",
            Self::LeaderChanged => "leader changed",
            Self::Quota => "quota",
            Self::Unschedulable => "unschedulable",
            Self::ImagePull => "image pull",
            Self::MaxScale => "max-scale",
            Self::ConfigChanged => "config changed",
            Self::Incomplete => "our own input incomplete",
        }
    }

    /// The one that a tick blames; what the autoscaler does by itself blames nobody.
    const fn of(cause: Cause) -> Self {
        match cause {
            Cause::Incomplete(_) => Self::Incomplete,
            Cause::MissedScrape => Self::MissedScrape,
            Cause::AutoscalerRestarted(_) => Self::AutoscalerRestarted,
            Cause::LeaderChanged(_) => Self::LeaderChanged,
            Cause::ConfigChanged(_) => Self::ConfigChanged,
            Cause::MaxScale(_) => Self::MaxScale,
            Cause::Pods(PodTrouble::Quota) => Self::Quota,
            Cause::Pods(PodTrouble::Unschedulable) => Self::Unschedulable,
            Cause::Pods(PodTrouble::ImagePull) => Self::ImagePull,
            Cause::Pods(PodTrouble::Crash) | Cause::LeastScale(_) | Cause::WayToZero => {
                Self::Nothing
            }
        }
    }
}

// === impl Seen ===

impl Seen {
    pub(crate) fn blamed(&self) -> Blamed {
        let mut blamed = Blamed::default();
        for tick in &self.ticks {
            let all = [tick.gaps.model, tick.gaps.asked, tick.gaps.ready];
            let all: Vec<_> = all.into_iter().flatten().map(Injected::of).collect();
            blamed.n_ticks += 1;
            blamed.n_incomplete += u32::from(all.contains(&Injected::Incomplete));
            for cause in all.into_iter().filter(|it| *it != Injected::Nothing) {
                *blamed.by.entry(cause).or_default() += 1;
            }
        }
        blamed
    }
}

// === impl Blamed ===

impl Blamed {
    /// Whether it names what was injected, and that more often than all else together.
    pub(crate) fn names(&self, injected: Injected) -> bool {
        let n = self.by.get(&injected).copied().unwrap_or(0);
        let all: u32 = self.by.values().sum();
        all - n < n
    }

    /// Whether it blames what was not injected; our own input has a share of the ticks of its own.
    pub(crate) fn blames_other_than(&self, injected: Injected) -> bool {
        self.by.keys().any(|cause| ![injected, Injected::Incomplete].contains(cause))
    }
}

/// Lives through a run, in virtual time and on this thread; to its end looks on for `after`
/// seconds.
pub(crate) fn live(injected: Injected, seed: u64, after: f64) -> Seen {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, run(injected, seed, after))
}

async fn run(injected: Injected, seed: u64, after: f64) -> Seen {
    let mut rng = SmallRng::seed_from_u64(seed);
    let anchor = Anchor(UnixMicros(ANCHOR + rng.random_range(0..2_000_000)));
    let clock = Clock::start_anchored(anchor);
    let sim = SimCluster::mount_at(spec(injected, &mut rng), clock, None);
    tokio::time::sleep(ALONE[0] + Duration::from_millis(rng.random_range(0..2000))).await;
    let mut users = users(&sim, rng.random_range(12..=24), &mut rng);
    tokio::time::sleep(ALONE[1]).await;
    let mut eyes = Eyes::open_at(&sim, Clock::start_anchored(Anchor(clock.wall()))).await;
    eyes.look(QUIET + rng.random_range(0.0..2.0)).await;
    begin(&sim, (injected, seed));
    let more = match injected {
        // The load stays as it is: the autoscaler alone is another.
        Injected::MissedScrape
        | Injected::AutoscalerRestarted
        | Injected::LeaderChanged
        | Injected::ConfigChanged => 0,
        _ => rng.random_range(30..=50),
    };
    eyes.look(rng.random_range(1.0..3.0)).await;
    users.extend(self::users(&sim, more, &mut rng));
    if injected == Injected::Incomplete {
        for _ in 0..40 {
            silence(&sim, &mut rng);
            eyes.look(after / 40.0).await;
        }
    } else if injected == Injected::Nothing {
        eyes.look(after / 2.0).await;
        users.truncate(users.len() / 3);
        eyes.look(after / 2.0).await;
    } else {
        eyes.look(after).await;
    }
    let shadow = eyes.model.scaling.get(&revision()).unwrap().shadow.as_ref().unwrap();
    Seen { ticks: shadow.ticks().cloned().collect(), objects: objects(&sim) }
}

fn spec(injected: Injected, rng: &mut SmallRng) -> SimSpec {
    let most = match injected {
        Injected::MaxScale => rng.random_range(4..=6),
        _ => 40,
    };
    // What the activator has in hand it reports itself: a scrape that is missed loses it not.
    let burst = match injected {
        Injected::MissedScrape => "0",
        _ => ["0", "200"][rng.random_range(0..2)],
    };
    let hello = SimService::named("hello")
        .with("target", "10")
        .with("window", "20s")
        .with("initial-scale", "3")
        .with("target-burst-capacity", burst)
        .with("max-scale", &most.to_string());
    let n_autoscalers = if injected == Injected::LeaderChanged { 2 } else { 1 };
    SimSpec { seed: rng.random(), services: vec![hello], n_autoscalers, ..SimSpec::default() }
}

/// It happens.
fn begin(sim: &SimCluster, (injected, seed): (Injected, u64)) {
    let troubles = sim.troubles();
    match injected {
        Injected::Nothing | Injected::MaxScale | Injected::Incomplete => {}
        Injected::MissedScrape => troubles.miss_scrapes(0.7),
        Injected::AutoscalerRestarted if seed.is_multiple_of(2) => sim.restart_autoscaler(),
        Injected::AutoscalerRestarted => {
            let pod = system_pods(sim, "autoscaler").remove(0);
            let store = sim.store();
            store.borrow_mut().delete(&resources::PODS, "knative-serving", &pod, None).unwrap();
        }
        Injected::LeaderChanged => {
            sim.hand_over().unwrap();
        }
        Injected::Quota => {
            let n = sim.store().borrow().list(&resources::PODS, Some("default")).len();
            troubles.set_quota(Some(u32::try_from(n).unwrap() + 1));
        }
        Injected::Unschedulable => troubles.fill_nodes(true),
        Injected::ImagePull => troubles.lose_image(true),
        Injected::ConfigChanged => {
            let key = "container-concurrency-target-percentage";
            let percentage = (25 + seed % 15).to_string();
            let changed = sim.store().borrow_mut().modify(
                &resources::CONFIG_MAPS,
                "knative-serving",
                "config-autoscaler",
                |object| object["data"][key] = percentage.as_str().into(),
            );
            changed.unwrap();
        }
    }
}

/// What the cluster says of the service.
fn objects(sim: &SimCluster) -> Vec<Rc<Value>> {
    let kinds =
        [&resources::PODS, &resources::REPLICA_SETS, &resources::DEPLOYMENTS, &resources::EVENTS];
    let store = sim.store();
    let store = store.borrow();
    kinds.into_iter().flat_map(|kind| store.list(kind, Some("default"))).collect()
}

/// Names of a component's pods.
fn system_pods(sim: &SimCluster, app: &str) -> Vec<String> {
    let pods = sim.store().borrow().list(&resources::PODS, Some("knative-serving"));
    let pods = pods.iter().filter(|pod| pod["metadata"]["labels"]["app"] == app);
    pods.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The activators, and by and by half of the service's pods, do not answer us any more.
fn silence(sim: &SimCluster, rng: &mut SmallRng) {
    for pod in system_pods(sim, "activator") {
        sim.faults().silence(&pod);
    }
    let pods = sim.store().borrow().list(&resources::PODS, Some("default"));
    for pod in pods {
        if rng.random_bool(0.05) {
            sim.faults().silence(pod["metadata"]["name"].as_str().unwrap());
        }
    }
}

/// So many people ask, wait for the answer, think and ask again.
fn users(sim: &SimCluster, n: u32, rng: &mut SmallRng) -> Vec<AbortOnDropHandle<()>> {
    let host = sim.first_host();
    let mut one = |_| {
        let (mut stream, host) = (sim.connect_gateway(), host.clone());
        let mut rng = SmallRng::seed_from_u64(rng.random());
        task::spawn(async move {
            while ask_for(&mut stream, &host, rng.random_range(300..1200)).await {
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..200))).await;
            }
        })
    };
    (0..n).map(&mut one).collect()
}
