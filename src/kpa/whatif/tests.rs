use proptest::prelude::*;

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn pods(ready: u32) -> Pods {
    Pods { ready, starts: vec![secs(2)], stops: secs(3), capacity: 10.0 }
}

fn config(changes: &[&str]) -> Config {
    let changes: Vec<Change> = changes.iter().map(|it| it.parse().unwrap()).collect();
    Basis::default().with(&changes).unwrap().config
}

/// So many seconds of so much, one after the other.
fn load(parts: &[(usize, f64)]) -> Load {
    let seconds =
        parts.iter().flat_map(|(n, demand)| std::iter::repeat_n(Some(*demand), *n)).collect();
    Load { first: 0, seconds }
}

fn ticks(config: &Config, load: &Load, pods: &Pods) -> (Vec<Tick>, Totals) {
    let mut ticks = Vec::new();
    let totals = play(config, load, pods, |tick| ticks.push(tick));
    (ticks, totals)
}

#[test]
fn a_steady_load_has_the_pods_that_its_target_asks_for() {
    // 50 in flight, target 10 utilised to 70 %: 50 ÷ 7 = 7.14.
    let (ticks, totals) = ticks(&config(&["target=10"]), &load(&[(120, 50.0)]), &pods(1));
    assert_eq!(ticks.last().map(|tick| (tick.desired, tick.ready)), Some((8, 8)));
    assert_eq!((totals.ready_max, totals.desired_max, totals.cold_starts), (8, 8, 7));
    assert_eq!(totals.panics, 1, "eight times one ready pod");
    assert_eq!(totals.seconds, 120.0);
}

#[test]
fn max_scale_cuts_and_min_scale_keeps() {
    let much = load(&[(60, 200.0)]);
    let (_, totals) = ticks(&config(&["target=10", "max-scale=10"]), &much, &pods(1));
    assert_eq!((totals.desired_max, totals.ready_max), (10, 10));
    assert_eq!(totals.short_s, 60.0, "ten pods bear a hundred");
    let (ticks, _) = ticks(&config(&["min-scale=3"]), &load(&[(400, 0.0)]), &pods(5));
    assert_eq!(ticks.last().map(|tick| tick.ready), Some(3));
}

#[test]
fn a_tick_knows_nothing_of_the_second_that_it_begins() {
    let step = load(&[(20, 5.0), (20, 60.0)]);
    let (ticks, _) = ticks(&config(&["target=10"]), &step, &pods(1));
    let grows = ticks.iter().find(|tick| 1 < tick.desired).map(|tick| tick.at);
    assert_eq!(grows, Some(At::from_secs(22)));
}

#[test]
fn from_zero_the_first_request_wakes_it() {
    let (ticks, totals) = ticks(&config(&[]), &load(&[(11, 0.0), (30, 5.0)]), &pods(0));
    let desired = ticks.iter().find(|tick| 0 < tick.desired).unwrap();
    assert_eq!(desired.at, At::from_secs(11), "it is poked, and does not wait for its tick");
    let ready = ticks.iter().find(|tick| 0 < tick.ready).unwrap();
    assert_eq!(ready.at, At::from_secs(13));
    assert_eq!((totals.cold_starts, totals.short_s), (1, 2.0));
}

#[test]
fn without_load_the_last_pod_goes_after_window_and_grace() {
    let load = load(&[(10, 5.0), (200, 0.0)]);
    // Ten seconds of load and twenty of window; then thirty of grace, unless the activator has been
    // in the path for as long already.
    for (burst, secs) in
        [("target-burst-capacity=0", 60..=64), ("target-burst-capacity=200", 30..=34)]
    {
        let (ticks, totals) = ticks(&config(&["window=20s", burst]), &load, &pods(1));
        let gone = ticks.iter().find(|tick| tick.desired == 0).unwrap();
        assert!(secs.contains(&(gone.at.as_micros() / 1_000_000)), "{burst}: {:?}", gone.at);
        // One pod until then, and three seconds of going.
        assert_eq!(totals.pod_seconds, gone.at.as_secs_f64() + 3.0, "{burst}");
    }
}

#[test]
fn a_pod_that_goes_is_counted_until_it_is_gone() {
    let long = Pods { stops: secs(30), ..pods(1) };
    let load = load(&[(10, 5.0), (200, 0.0)]);
    let (_, soon) = ticks(&config(&["window=20s"]), &load, &pods(1));
    let (_, late) = ticks(&config(&["window=20s"]), &load, &long);
    assert_eq!(late.pod_seconds - soon.pod_seconds, 27.0);
}

#[test]
fn what_is_not_known_changes_nothing() {
    let mut load = load(&[(20, 30.0)]);
    load.seconds.extend([None; 10]);
    let (ticks, totals) = ticks(&config(&["target=10"]), &load, &pods(1));
    assert_eq!(ticks[19].desired, ticks[29].desired);
    assert!(totals.short_s < 20.0);
}

#[test]
fn a_larger_panic_window_sees_a_short_burst_later() {
    let burst = load(&[(60, 10.0), (3, 100.0), (60, 10.0)]);
    let (_, short) = ticks(&config(&["target=10", "panic-window=4%"]), &burst, &pods(2));
    let (_, long) = ticks(&config(&["target=10", "panic-window=50%"]), &burst, &pods(2));
    assert_eq!((short.panics, long.panics), (1, 0));
    assert!(long.desired_max < short.desired_max);
}

#[test]
fn what_a_promise_lets_a_pod_bear_is_what_the_record_showed() {
    let mut curve = Curve::default();
    for (per_pod, latency) in [(5.0, 0.1), (10.0, 0.2), (20.0, 0.4), (40.0, 0.2)] {
        curve.add(per_pod, [(latency, 100.0)].into_iter());
    }
    let borne = |promise: &str| promise.parse::<Condition>().unwrap().borne(&curve);
    assert_eq!(borne("p95<300ms"), Some(10.0), "what lies beyond a breach is luck");
    assert_eq!(borne("p95<1s"), Some(50.1), "the bin of forty ends there");
    assert_eq!(borne("p95<=100ms"), Some(5.0));
    assert_eq!((borne("p95<100ms"), borne("short<5s")), (None, None));
}

#[test]
fn a_search_takes_the_cheapest_that_keeps_its_promises() {
    let load = load(&[(30, 10.0), (60, 80.0), (60, 10.0)]);
    let mut curve = Curve::default();
    for per_pod in 1..=30u32 {
        let latency = 0.1 * f64::from(per_pod.max(10)) / 10.0;
        curve.add(per_pod.into(), [(latency, 100.0)].into_iter());
    }
    let axis = Axis::parse("target=1,5,10,20,40", 80.0).unwrap();
    let search = |promises: &[&str]| {
        let promises: Vec<Condition> = promises.iter().map(|it| it.parse().unwrap()).collect();
        search(&Basis::default(), std::slice::from_ref(&axis), &promises, (&load, &pods(2), &curve))
            .unwrap()
    };
    let free = search(&[]);
    assert_eq!(free.candidates.len(), 5);
    assert_eq!(free.candidates[0].changes[0].to_string(), "target=40", "the fewest pods");
    let bound = search(&["p80<150ms"]);
    let best = &bound.candidates[0];
    assert!(best.keeps, "{best:?}");
    // At 20 × 0.7 = 14 a pod it is slower than it may be, at 7 it is not.
    assert_eq!(best.changes[0].to_string(), "target=10", "{bound:?}");
    let all = search(&["p100<150ms"]);
    assert_eq!(all.candidates[0].changes[0].to_string(), "target=1", "the burst itself counts");
    let none = search(&["p50<90ms"]);
    assert!(none.candidates.iter().all(|candidate| !candidate.keeps), "it was never so fast");
    let small = search(&["ready_max<=4"]);
    assert!(small.candidates[0].keeps && small.candidates[0].totals.ready_max <= 4);
}

#[test]
fn what_cannot_be_searched_is_refused() {
    for (text, is_good) in [
        ("p95<300ms", true),
        ("p99.9<2s", true),
        ("short<=10s", true),
        ("panics<1", true),
        ("pod_seconds<500", true),
        ("p95", false),
        ("p95<300", false),
        ("p0<1s", false),
        ("p101<1s", false),
        ("panics<x", false),
        ("panics<inf", false),
        ("cpu<1", false),
    ] {
        assert_eq!(text.parse::<Condition>().is_ok(), is_good, "{text}");
    }
    assert!(Axis::parse("target", 60.0).unwrap().changes.len() < 25);
    assert_eq!(Axis::parse("max-scale", 60.0), Err(SearchError::NoValues("max-scale".to_owned())));
    assert!(matches!(Axis::parse("nonsense", 60.0), Err(SearchError::Change(_))));
    let axes = vec![Axis::parse("target=1,2,3,4,5,6,7,8,9,10", 60.0).unwrap(); 4];
    let none = (&load(&[]), &pods(1), &Curve::default());
    assert_eq!(search(&Basis::default(), &axes, &[], none), Err(SearchError::TooMany(10_000)));
}

proptest! {
    #[test]
    fn any_load_is_played(
        seconds in proptest::collection::vec(proptest::option::of(-10.0f64..1e7), 0..200),
        first in 0u64..1_000_000,
        ready in 0u32..50,
        target in 1u32..1000,
    ) {
        let load = Load { first, seconds };
        let config = config(&[&format!("target={target}"), "max-scale=500"]);
        let totals = play(&config, &load, &pods(ready), |tick| assert!(tick.ready <= 500.max(ready)));
        prop_assert_eq!(totals.seconds, f64::from(u32::try_from(load.seconds.len()).unwrap()));
        prop_assert!(totals.short_s <= totals.seconds && totals.panic_s <= totals.seconds);
    }
}
