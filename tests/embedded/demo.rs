//! The demo from zero to zero in virtual time: what our hands and the model make of it equals
//! what the embedded cluster says of itself, at every moment.



use std::cell::Cell;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::BodyExt;

use rampscope::clock;
use rampscope::event::Event;
use rampscope::event::run::Stage;
use rampscope::event::scaler::Origin;
use rampscope::model::scaling::PanicState;
use rampscope::scenario;
use rampscope::scenario::profile::Profile;
use rampscope::sim::backstage;
use rampscope::sim::backstage::Backstage;
use rampscope::sim::backstage::Target;
use rampscope::sim::cluster::SimCluster;
use rampscope::sim::resources;
use rampscope::sim::spec::SimSpec;
use rampscope::sim::store::meta_text;
use rampscope::sim::task;
use rampscope::units::At;
use tokio::task::LocalSet;

use crate::eyes::Eyes;
use crate::eyes::ask;

/// How often the cluster is asked what it says of itself.
const LOOK: f64 = 0.25;
/// Readings that a shown value may be old: one interval of its source and one look.
const N_FRESH: usize = 5;

/// What the cluster says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Truth {
    is_panicking: bool,
    desired: f64,
    panic_average: f64,
    /// Ready pods and all, of the objects.
    pods: (u32, u32),
}

async fn truth(sim: &SimCluster) -> Option<Truth> {
    let store = sim.store();
    let text_of_autoscaler = {
        let pods = store.borrow().list(&resources::PODS, Some("knative-serving"));
        let name = pods.iter().map(|pod| meta_text(pod, "name").to_owned());
        let name = name.into_iter().find(|name| name.starts_with("autoscaler-"))?;
        let to =
            Target { namespace: "knative-serving".to_owned(), name, port: Some("9090".to_owned()) };
        let request = backstage::get("/metrics".parse().unwrap());
        let answer = sim.backstage().pod_proxy(&to, request).await;
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    };
    let gauge = |name: &str| -> Option<f64> {
        let line =
            text_of_autoscaler.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
        line.rsplit_once(' ')?.1.parse().ok()
    };
    let pods = store.borrow().list(&resources::PODS, Some("default"));
    let is_ready = |pod: &serde_json::Value| {
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is_true = |it: &serde_json::Value| it["type"] == "Ready" && it["status"] == "True";
        pod["metadata"].get("deletionTimestamp").is_none() && conditions.iter().any(is_true)
    };
    let n_ready = pods.iter().filter(|pod| is_ready(pod)).count();
    Some(Truth {
        is_panicking: 0.0 < gauge("kn_revision_panic_mode")?,
        desired: gauge("kn_revision_pods_desired")?,
        panic_average: gauge("kn_revision_concurrency_panic")?,
        pods: (u32::try_from(n_ready).unwrap(), u32::try_from(pods.len()).unwrap()),
    })
}

/// Sends what the plan says, evenly, and counts what was answered well and what not.
async fn send(sim: Rc<SimCluster>, profile: Profile, outcome: Rc<Cell<(u32, u32)>>) {
    let (began, host) = (clock::instant(), sim.first_host());
    let idle = Rc::new(RefCell::new(Vec::new()));
    for n in 0.. {
        let Some(due) = profile.due(f64::from(n) + 0.5) else { return };
        tokio::time::sleep_until(began + Duration::from_secs_f64(due)).await;
        let mut stream = idle.borrow_mut().pop().unwrap_or_else(|| sim.connect_gateway());
        let (idle, host, outcome) = (Rc::clone(&idle), host.clone(), Rc::clone(&outcome));
        task::detach(async move {
            let (good, bad) = if ask(&mut stream, &host).await { (1, 0) } else { (0, 1) };
            let before = outcome.get();
            outcome.set((before.0 + good, before.1 + bad));
            idle.borrow_mut().push(stream);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn the_demo_wakes_panics_calms_down_and_sleeps_as_the_cluster_says() {
    LocalSet::new().run_until(watch_the_demo()).await;
}

async fn watch_the_demo() {
    let plan = scenario::load("demo", &[]).unwrap();
    let sim = Rc::new(SimCluster::mount(SimSpec::demo()));
    let mut eyes = Eyes::open(&sim).await;
    let outcome = Rc::new(Cell::new((0, 0)));
    let profile = Profile::of(&plan.load.stages);
    let sending = task::spawn(send(Rc::clone(&sim), profile, Rc::clone(&outcome)));
    let mut truths = VecDeque::new();
    let (mut n_compared, mut n_wrong_at_first) = (0, 0);
    let mut first_ready = None;
    let mut stages = plan.load.stages.iter().enumerate().peekable();
    let mut begins = Duration::ZERO;
    for _ in 0..400 {
        let now = eyes.model.now;
        while let Some((idx, stage)) = stages.next_if(|_| At::from(begins) <= now) {
            let (index, name) = (u32::try_from(idx).unwrap(), stage.name.clone());
            eyes.tell(Event::Stage(Stage { index, name, at: At::from(begins) })).await;
            begins += stage.lasts;
        }
        eyes.look(LOOK).await;
        if 0 < eyes.model.cluster.counts(&crate::eyes::revision()).map_or(0, |counts| counts.ready) {
            first_ready = first_ready.or(Some(eyes.model.now));
        }
        let Some(truth) = truth(&sim).await else { continue };
        truths.push_front(truth);
        truths.truncate(N_FRESH);
        if truths.len() == N_FRESH {
            match check(&eyes, &truths) {
                Ok(()) => n_compared += 1,
                // Before the first scrape has found its autoscaler.
                Err(_) if eyes.model.now < At::from_secs(4) => n_wrong_at_first += 1,
                Err(wrong) => panic!("at {:?}: {wrong}", eyes.model.now),
            }
        }
    }
    assert!(380 < n_compared && n_wrong_at_first < 12, "{n_compared} {n_wrong_at_first}");
    assert!(first_ready.unwrap() < At::from_secs(5), "{first_ready:?}");
    assert!(sending.is_finished());
    assert_eq!(outcome.get(), (9880, 0), "none is lost");

    let scaling = eyes.model.scaling.get(&crate::eyes::revision()).unwrap();
    let [panic] = scaling.panics.iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", scaling.panics)
    };
    assert!(panic.began < At::from_secs(30), "{panic:?}");
    let lasted = panic.ended.unwrap().since(panic.began).as_secs();
    assert!((18..=34).contains(&lasted), "panicked for {lasted} s: {panic:?} {:?}", eyes.model.run.stage);
    assert_eq!(eyes.panic(), PanicState::Stable { origin: Origin::Metric });
    let counts = eyes.counts();
    assert_eq!((counts.ready, counts.starting, counts.terminating), (0, 0, 0));
    assert!((6..=12).contains(&scaling.ready_max.unwrap()), "{:?}", scaling.ready_max);
    assert_eq!(eyes.model.run.n_lost, 0);
    assert_eq!(eyes.replayed(), eyes.model, "replaying is living");
}

/// Whether what is shown was said by the cluster not longer ago than its source may be late.
fn check(eyes: &Eyes, truths: &VecDeque<Truth>) -> Result<(), String> {
    let is_panicking = match eyes.panic() {
        PanicState::Panic { .. } => true,
        PanicState::Stable { origin: Origin::Metric } => false,
        unknown => return Err(format!("{unknown:?}")),
    };
    let scaling = eyes.model.scaling.get(&crate::eyes::revision()).ok_or("no scaling")?;
    let reading = scaling.reading.as_ref().ok_or("no reading")?;
    let shown = (is_panicking, reading.desired, scaling.panic.last().map(|(_, value)| value));
    let is_true = |truth: &&Truth| {
        shown == (truth.is_panicking, Some(truth.desired), Some(truth.panic_average))
    };
    if !truths.iter().any(|truth| is_true(&truth)) {
        return Err(format!("{shown:?} of {truths:?}"));
    }
    // A watch tells at once.
    let counts = eyes.counts();
    let pods = (counts.ready, counts.ready + counts.starting + counts.terminating);
    if !truths.iter().take(2).any(|truth| truth.pods == pods) {
        return Err(format!("{counts:?} of {truths:?}"));
    }
    Ok(())
}
