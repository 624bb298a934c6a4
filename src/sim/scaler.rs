//! The autoscaler's process around its state machine: leadership, timers, scrapes, and the doing
//! of what it decides.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::kpa::Config;
use crate::kpa::Effective;
use crate::kpa::Mode;
use crate::kpa::config::Sources;
use crate::sim::autoscaler::Began;
use crate::sim::autoscaler::ClusterView;
use crate::sim::autoscaler::Effect;
use crate::sim::autoscaler::RevisionAutoscaler;
use crate::sim::autoscaler::Sample;
use crate::sim::furnish;
use crate::sim::hpa;
use crate::sim::replicas;
use crate::sim::resources;
use crate::sim::stamp;
use crate::sim::stat::Period;
use crate::sim::task;
use crate::sim::world::Deployed;
use crate::sim::world::SystemPod;
use crate::sim::world::World;

/// The activator reports so often.
const REPORT: Duration = Duration::from_secs(1);

/// A container that ended is started again after this.
const AWAY: Duration = Duration::from_secs(2);

/// A lease is renewed so often.
const RENEW: Duration = Duration::from_secs(10);

/// The parameters in force for a revision.
pub(crate) fn effective(
    world: &World,
    annotations: &BTreeMap<String, String>,
    container_concurrency: u32,
    reachable: bool,
) -> Config {
    let cluster = world.config("config-autoscaler");
    let sources =
        Sources { annotations, container_concurrency, config_autoscaler: &cluster, reachable };
    Effective::new(sources).config
}

/// Takes the parameters anew: `config-autoscaler` or the reachability changed.
pub(crate) fn reconfigure(world: &World, deployed: &Deployed) {
    let config = config_of(world, deployed);
    let key = deployed.key();
    let windows = (config.stable_window, config.panic_window);
    if let Some(scaler) = deployed.scaler.borrow_mut().as_mut() {
        scaler.reconfigure(world.clock.at(), config);
    }
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    world.modify(&resources::METRICS_OF_REVISIONS, (&key.namespace, &key.name), |object| {
        object["spec"]["stableWindow"] = nanos(windows.0).into();
        object["spec"]["panicWindow"] = nanos(windows.1).into();
    });
    deployed.poke.notify_one();
}

/// Has the leader look after a new revision.
pub(crate) fn start(world: &Rc<World>, deployed: &Rc<Deployed>) {
    if world.leader().is_some() {
        take_over(world, deployed);
    }
    let (world, deployed) = (Rc::clone(world), Rc::clone(deployed));
    task::detach(async move {
        while !deployed.revision.is_gone() {
            let wake = deployed.scaler.borrow().as_ref().map(RevisionAutoscaler::next_wake);
            let poke = deployed.poke.notified();
            match wake {
                Some(at) => {
                    // Whichever comes first, it looks.
                    let _ = tokio::time::timeout_at(world.clock.instant(at), poke).await;
                }
                None => poke.await,
            }
            look(&world, &deployed);
        }
    });
}

/// The leader begins to look after a revision: it knows nothing of what was before but what the
/// `PodAutoscaler` says.
fn take_over(world: &World, deployed: &Deployed) {
    let key = deployed.key();
    let began = Began {
        namespace: key.namespace.clone(),
        revision: key.name.clone(),
        at: world.clock.at(),
        anchor: world.clock.anchor(),
        ready: deployed.counts().ready,
        seed: world.plane.seed(),
    };
    let mut scaler = RevisionAutoscaler::new(config_of(world, deployed), &began);
    scaler.resume(deployed.autoscaler.get(), (deployed.mode.get(), deployed.n_activators.get()));
    deployed.scaler.replace(Some(scaler));
    deployed.poke.notify_one();
}

fn config_of(world: &World, deployed: &Deployed) -> Config {
    let limit = deployed.revision.id.container_concurrency;
    effective(world, &deployed.annotations, limit, deployed.is_reachable.get())
}

/// Does what is due for a revision: scrape, tick, reconcile.
fn look(world: &Rc<World>, deployed: &Rc<Deployed>) {
    let Some(leader) = world.leader() else { return };
    let now = world.clock.at();
    let counts = deployed.counts();
    let view = ClusterView {
        ready: counts.ready,
        not_ready: counts.not_ready,
        pending: counts.pending,
        terminating: counts.terminating,
        replicas: deployed.replicas.get(),
        proxying_since: deployed.proxying_since.get(),
    };
    let effects = {
        let mut scaler = deployed.scaler.borrow_mut();
        let Some(scaler) = scaler.as_mut() else { return };
        if scaler.scrape_due(now) {
            let pods = deployed.revision.pods();
            let age = |pod: &crate::sim::pod::Pod| {
                pod.started.get().map_or(Duration::ZERO, |at| now.since(at))
            };
            let ages: Vec<_> = pods.iter().map(|pod| age(pod)).collect();
            let chosen = scaler.choose(&ages);
            // A scrape of which nothing comes is one without samples.
            let chosen = if is_missed(world) { Vec::new() } else { chosen };
            let samples: Vec<_> =
                chosen.iter().map(|idx| sample(pods[*idx].queue.last())).collect();
            scaler.record_scrape(now, &samples, counts.ready);
        }
        let effects = scaler.tick(now, &view);
        leader.gauges.borrow_mut().insert(deployed.key().clone(), scaler.gauges());
        effects
    };
    for effect in effects {
        apply(world, deployed, &leader, effect);
    }
}

/// Whether this scrape is one of those that fail.
fn is_missed(world: &World) -> bool {
    let share = world.troubles.missed_scrapes();
    0.0 < share && world.plane.chance(share)
}

fn apply(world: &Rc<World>, deployed: &Rc<Deployed>, leader: &SystemPod, effect: Effect) {
    match effect {
        Effect::Scale { to, .. } => replicas::scale(world, deployed, to),
        Effect::Sks { mode, n_activators } => {
            deployed.mode.set(mode);
            deployed.n_activators.set(n_activators);
            deployed.revision.set_serving(mode == Mode::Serve);
            world.touch(deployed.key());
        }
        Effect::PaStatus(status) => {
            deployed.autoscaler.set(status);
            world.touch(deployed.key());
        }
        Effect::Log(line) => leader.log.borrow_mut().write(world.clock.wall(), line),
    }
}

const fn sample(period: Period) -> Sample {
    Sample {
        average_concurrent_requests: period.average,
        average_proxied_concurrent_requests: period.average_proxied,
        request_count: period.rate,
        proxied_request_count: period.rate_proxied,
    }
}

/// Carries the activator's reports to the autoscaler: one a second, and the first request of a
/// silent revision at once.
pub(crate) async fn carry_reports(world: Rc<World>) {
    let mut report = tokio::time::interval(REPORT);
    loop {
        tokio::select! {
            () = world.plane.wake.notified() => {
                for revision in world.plane.take_woken() {
                    let first = Sample {
                        average_concurrent_requests: 1.0,
                        request_count: 1.0,
                        ..Sample::default()
                    };
                    deliver(&world, &revision.id.key, first);
                }
            }
            _ = report.tick() => {
                for deployed in world.all_revisions() {
                    if let Some(period) = deployed.revision.throttle.report() {
                        deliver(&world, deployed.key(), sample(period));
                    }
                }
            }
        }
    }
}

fn deliver(world: &World, key: &crate::sim::revision::Key, sample: Sample) {
    let Some(deployed) = world.revision(key) else { return };
    let mut scaler = deployed.scaler.borrow_mut();
    if let Some(scaler) = scaler.as_mut()
        && scaler.record_activator(world.clock.at(), sample)
    {
        deployed.poke.notify_one();
    }
}

/// Renews the lease, for as long as its holder lives.
pub(crate) async fn renew_lease(world: Rc<World>) {
    loop {
        tokio::time::sleep(RENEW).await;
        if world.leader().is_some() {
            let now = stamp::micros(world.clock.wall());
            world.modify(&resources::LEASES, (furnish::SYSTEM, furnish::LEASE), |object| {
                object["spec"]["renewTime"] = now.into();
            });
        }
    }
}

/// Another autoscaler takes the lease: any but the present one, if there is another.
pub(crate) fn hand_over(world: &World) -> Option<Rc<SystemPod>> {
    let present = world.leader().map(|pod| pod.name.clone());
    let all = world.system.borrow();
    let mut others =
        all.iter().filter(|pod| pod.app == "autoscaler" && Some(&pod.name) != present.as_ref());
    let next = others.next().cloned()?;
    lead(world, &next);
    Some(next)
}

/// The container of the leader ends, and begins anew in the same pod: what it knew is lost.
pub(crate) async fn restart(world: Rc<World>) {
    let Some(leader) = world.leader() else { return };
    world.system.borrow_mut().retain(|pod| pod.name != leader.name);
    for deployed in world.all_revisions() {
        deployed.scaler.take();
    }
    furnish::container_ended(&world, &leader);
    tokio::time::sleep(AWAY).await;
    let again = furnish::container_began(&world, &leader);
    lead(&world, &again);
}

/// `next` takes the lease and looks after all revisions.
pub(crate) fn lead(world: &World, next: &SystemPod) {
    let now = stamp::micros(world.clock.wall());
    world.modify(&resources::LEASES, (furnish::SYSTEM, furnish::LEASE), |object| {
        let spec = &mut object["spec"];
        let holder = Value::from(next.identity());
        if spec["holderIdentity"] != holder {
            let n = spec["leaseTransitions"].as_u64().unwrap_or(0);
            spec["leaseTransitions"] = (n + 1).into();
            spec["holderIdentity"] = holder;
            spec["acquireTime"] = now.clone().into();
        }
        spec["renewTime"] = now.into();
    });
    for deployed in world.all_revisions() {
        if !hpa::is_class(&deployed.annotations) {
            take_over(world, &deployed);
        }
    }
}
