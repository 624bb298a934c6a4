use super::*;
use crate::kpa::reconcile::Active;
use crate::units::UnixMicros;

/// A revision whose pods need two seconds to start and never fail.
struct World {
    scaler: RevisionAutoscaler,
    now: At,
    replicas: u32,
    /// When each pod becomes ready.
    pods: Vec<At>,
    proxying_since: Option<At>,
    log: Vec<String>,
    scaled: Vec<(u64, u32)>,
}

const STARTUP: Duration = Duration::from_secs(2);

impl World {
    fn new(config: Config, replicas: u32) -> Self {
        let began = Began {
            namespace: "default".to_owned(),
            revision: "hello-00001".to_owned(),
            at: At::ZERO,
            anchor: Anchor(UnixMicros(0)),
            ready: 0,
            seed: 7,
        };
        Self {
            scaler: RevisionAutoscaler::new(config, &began),
            now: At::ZERO,
            replicas,
            pods: vec![At::from(STARTUP); usize::try_from(replicas).unwrap()],
            proxying_since: Some(At::ZERO),
            log: Vec::new(),
            scaled: Vec::new(),
        }
    }

    fn view(&self) -> ClusterView {
        let n = |pods: usize| u32::try_from(pods).unwrap();
        let ready = n(self.pods.iter().filter(|ready| **ready <= self.now).count());
        let starting = n(self.pods.len()) - ready;
        ClusterView {
            ready,
            not_ready: starting,
            pending: starting,
            terminating: 0,
            replicas: self.replicas,
            proxying_since: self.proxying_since,
        }
    }

    /// Lives until `secs`, with `load` requests in flight, all straight to the pods, or held by
    /// the activator if there is no pod.
    fn run(&mut self, secs: u64, load: f64) {
        let end = At::from_secs(secs);
        while self.now < end {
            self.now = self.now + Duration::from_millis(50);
            let view = self.view();
            if self.scaler.scrape_due(self.now) {
                let ages: Vec<Duration> = self
                    .pods
                    .iter()
                    .filter(|ready| **ready <= self.now)
                    .map(|ready| self.now.since(*ready))
                    .collect();
                let share = Sample {
                    average_concurrent_requests: load / f64::from(view.ready.max(1)),
                    ..Sample::default()
                };
                let samples = vec![share; self.scaler.choose(&ages).len()];
                self.scaler.record_scrape(self.now, &samples, view.ready);
                if view.ready == 0 && load != 0.0 {
                    let held = Sample { average_concurrent_requests: load, ..Sample::default() };
                    self.scaler.record_activator(self.now, held);
                }
            }
            for effect in self.scaler.tick(self.now, &view) {
                self.obey(effect);
            }
        }
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::Scale { from, to } => {
                assert_eq!(from, self.replicas);
                self.scaled.push((self.now.as_micros() / 1_000_000, to));
                self.replicas = to;
                self.pods.resize(usize::try_from(to).unwrap(), self.now + STARTUP);
            }
            Effect::Sks { mode, .. } => {
                self.proxying_since = (mode == Mode::Proxy).then_some(self.now);
            }
            Effect::PaStatus(status) => assert_eq!(status, *self.scaler.status()),
            Effect::Log(line) => self.log.push(line),
        }
    }

    /// When, in seconds, a line with `message` was logged.
    fn logged(&self, message: &str) -> Vec<f64> {
        self.log
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["message"].as_str().unwrap().starts_with(message))
            .map(|line| {
                assert_eq!(line["knative.dev/key"], "default/hello-00001");
                let stamp = UnixMicros::parse(line["timestamp"].as_str().unwrap()).unwrap();
                Anchor(UnixMicros(0)).at(stamp).as_secs_f64()
            })
            .collect()
    }
}

#[test]
fn a_burst_panics_calms_down_and_goes_to_zero() {
    let mut world = World::new(Config::default(), 1);
    world.run(30, 10.0);
    assert_eq!(world.scaler.gauges().desired, 1);
    assert_eq!(world.scaler.status().active, Active::Active);
    assert_eq!(world.logged("PANICKING."), [0.0; 0]);

    world.run(60, 700.0);
    let entered = world.logged("PANICKING.");
    assert_eq!(entered.len(), 1);
    assert!((30.0..34.0).contains(&entered[0]), "{entered:?}");
    let gauges = world.scaler.gauges();
    assert_eq!((gauges.desired, gauges.requested, gauges.actual), (10, 10, 10));
    assert!(gauges.panic_mode);
    assert_eq!(gauges.excess_burst_capacity, 89, "ten pods can take the burst");
    assert_eq!(world.scaler.sks.0, Mode::Serve);

    world.run(120, 700.0);
    let left = world.logged("Un-panicking.");
    let over = world.scaler.config().stable_window.as_secs_f64();
    assert_eq!(left.len(), 1);
    // The last tick over the threshold came a few seconds after the first.
    assert!((entered[0] + over..entered[0] + over + 10.0).contains(&left[0]), "{left:?}");
    assert!(!world.scaler.gauges().panic_mode);
    assert_eq!(world.scaler.gauges().desired, 10, "the stable window has seen the load by then");

    world.run(260, 0.0);
    assert_eq!(world.replicas, 0);
    assert_eq!(world.scaler.gauges().requested, 0);
    assert!(world.scaler.status().is_inactive());
    let last = world.scaled.last().unwrap();
    assert_eq!(last.1, 0);
    assert!((180..=216).contains(&last.0), "a stable window of zeros, then the grace: {last:?}");
    assert_eq!(world.logged("Scaling from 1 to 0").len(), 1);
}

#[test]
fn a_request_wakes_a_revision_at_zero_at_once() {
    let mut world = World::new(Config::default(), 1);
    world.run(130, 0.0);
    assert_eq!(world.replicas, 0, "{:?}", world.scaled);
    let idle = world.view();
    let first =
        Sample { average_concurrent_requests: 1.0, request_count: 1.0, ..Sample::default() };
    assert!(world.scaler.record_activator(world.now, first));
    assert!(world.scaler.next_wake() <= world.now);
    let effects = world.scaler.tick(world.now, &idle);
    assert!(effects.contains(&Effect::Scale { from: 0, to: 1 }), "{effects:?}");
    assert_eq!(world.scaler.status().active, Active::Activating);
    assert!(!world.scaler.record_activator(world.now, first), "it is awake");
}

#[test]
fn a_fresh_decider_is_not_poked() {
    let mut world = World::new(Config::default(), 0);
    let first = Sample { average_concurrent_requests: 1.0, ..Sample::default() };
    assert!(!world.scaler.record_activator(world.now, first));
}

#[test]
fn the_grace_period_holds_the_last_pod_when_the_activator_just_came() {
    let config = Config { target_burst_capacity: 0.0, ..Config::default() };
    let mut world = World::new(config, 1);
    world.run(20, 10.0);
    assert_eq!(world.scaler.sks.0, Mode::Serve);
    world.run(200, 0.0);
    let proxied = world.logged("Can deactivate PA")[0];
    let (zero, to) = *world.scaled.last().unwrap();
    assert_eq!(to, 0);
    let zero = f64::from(u32::try_from(zero).unwrap());
    assert!((29.0..33.0).contains(&(zero - proxied)), "{proxied} {zero}");
}

#[test]
fn bounds_are_applied_to_what_is_requested_not_to_what_is_desired() {
    let config = Config { max_scale: Some(4), min_scale: 2, ..Config::default() };
    let mut world = World::new(config, 2);
    world.run(30, 700.0);
    assert_eq!((world.scaler.gauges().desired, world.scaler.gauges().requested), (10, 4));
    world.run(200, 0.0);
    // Half of two ready pods is the fewest that a tick may want.
    assert_eq!((world.scaler.gauges().desired, world.scaler.gauges().requested), (1, 2));
}

#[test]
fn what_was_requested_stays_while_the_wish_is_unknown() {
    let mut world = World::new(Config::default(), 1);
    world.run(130, 0.0);
    let first = Sample { average_concurrent_requests: 1.0, ..Sample::default() };
    assert!(world.scaler.record_activator(world.now, first));
    let woken = world.view();
    world.scaler.tick(world.now, &woken);
    // Minutes without a pod and without a request: zero is wanted, but not while it activates.
    let later = world.now + Duration::from_secs(60);
    world.scaler.record_activator(later, Sample::default());
    world.scaler.tick(later, &woken);
    let gauges = world.scaler.gauges();
    assert_eq!((gauges.desired, gauges.requested), (0, 1));
}

#[test]
fn the_way_turns_with_the_sign_of_the_excess_burst_capacity() {
    let config = Config { min_scale: 3, ..Config::default() };
    let mut world = World::new(config, 3);
    world.run(130, 85.0);
    assert_eq!(world.scaler.gauges().excess_burst_capacity, 4);
    assert_eq!(world.scaler.sks.0, Mode::Serve);
    let seen = world.view();
    world.run(150, 95.0);
    assert_eq!(ClusterView { proxying_since: None, ..world.view() }, seen, "nothing else changed");
    assert_eq!(world.scaler.gauges().desired, 2);
    assert_eq!(world.scaler.sks.0, Mode::Proxy);
}

#[test]
fn each_pod_is_sampled_in_its_turn() {
    let mut world = World::new(Config::default(), 1);
    let old = Duration::from_secs(90);
    for ages in [vec![old; 20], vec![Duration::ZERO; 20]] {
        let mut chosen: Vec<usize> = (0..50).flat_map(|_| world.scaler.choose(&ages)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 20, "{ages:?}");
    }
}

#[test]
fn many_pods_are_sampled_and_scaled_up() {
    let mut world = World::new(Config::default(), 1);
    let old = Duration::from_secs(90);
    let ages = [vec![old; 12], vec![Duration::ZERO; 8]].concat();
    let chosen = world.scaler.choose(&ages);
    assert_eq!(chosen.len(), 9, "of twenty");
    assert!(chosen.iter().all(|idx| *idx < 12), "old pods first: {chosen:?}");
    let few_old = [vec![old; 2], vec![Duration::ZERO; 18]].concat();
    let chosen = world.scaler.choose(&few_old);
    assert!(chosen.contains(&0) && chosen.contains(&1), "{chosen:?}");

    let sample = Sample {
        average_concurrent_requests: 5.0,
        average_proxied_concurrent_requests: 2.0,
        ..Sample::default()
    };
    world.scaler.record_scrape(At::from_secs(1), &[sample; 9], 20);
    let observed =
        world.scaler.collector.observed(world.scaler.config(), At::from_secs(1)).unwrap();
    assert!((observed.stable - 60.0).abs() < 1e-9, "{observed:?}");
}

#[test]
fn periods_keep_their_phase() {
    let mut world = World::new(Config::default(), 1);
    let (scrape, tick) = (world.scaler.collector.next_scrape(), world.scaler.next_tick);
    world.run(60, 1.0);
    let micros = |at: At| at.as_micros();
    assert_eq!((micros(world.scaler.collector.next_scrape()) - micros(scrape)) % 1_000_000, 0);
    assert_eq!((micros(world.scaler.next_tick) - micros(tick)) % 2_000_000, 0);
    assert!(world.now < world.scaler.next_tick);
}
