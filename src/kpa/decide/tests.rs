use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn inputs(ready: u32, stable: f64, panic: f64) -> Inputs {
    Inputs { ready, observed: Some(Observed { stable, panic }) }
}

fn cc10() -> Config {
    Config { total_value: 10.0, target_value: 7.0, ..Config::default() }
}

#[test]
fn a_decider_that_finds_pods_begins_in_panic() {
    for (ready, panicking) in [(0, false), (1, false), (2, true)] {
        let memory = Memory::new(&cc10(), ready, At::ZERO);
        assert_eq!(memory.panicking(), panicking, "{ready}");
        assert_eq!(memory.max_panic_pods(), ready);
    }
}

#[test]
fn panic_turns_as_the_load_does() {
    let config = cc10();
    let mut memory = Memory::new(&config, 1, At::ZERO);
    for (secs, ready, panic, turn, desired) in [
        (0, 1, 7.0, Turn::Calm, 1),
        (2, 1, 7.1, Turn::Entered, 2),
        (4, 2, 28.0, Turn::Extended, 4),
        (6, 4, 20.0, Turn::Held, 4),
        // Strictly more than a stable window after the last tick over the threshold.
        (64, 4, 20.0, Turn::Held, 4),
        (66, 4, 20.0, Turn::Left, 2),
        (68, 2, 20.0, Turn::Calm, 1),
    ] {
        let decision =
            decide(&config, &mut memory, &inputs(ready, 5.0, panic), At::from_secs(secs));
        assert_eq!(decision.turn, turn, "{secs}");
        assert_eq!(decision.desired(), Some(desired), "{secs}");
    }
}

#[test]
fn without_data_nothing_changes() {
    let config = cc10();
    let mut memory = Memory::new(&config, 5, At::ZERO);
    let blind = Inputs { ready: 5, observed: None };
    let decision = decide(&config, &mut memory, &blind, At::from_secs(600));
    assert!(!decision.valid());
    assert!(decision.panicking(), "even after the window");
    assert_eq!(decision.desired(), None);
}

#[test]
fn panic_begins_at_its_line() {
    for (threshold, target, ready, wanted, above) in [
        (2.0, 7.0, 9, 18, 119.0),
        (2.0, 70.0, 0, 2, 70.0),
        (2.0, 70.0, 1, 2, 70.0),
        (2.0, 70.0, 2, 4, 210.0),
        (2.0, 70.0, 10, 20, 1330.0),
        (1.1, 7.0, 10, 11, 70.0),
        (1.5, 10.0, 1, 2, 10.0),
    ] {
        let line = panic_line(threshold, target, ready);
        assert_eq!(line, PanicLine { wanted, above }, "{threshold} {ready}");
    }
}

fn configs() -> impl Strategy<Value = Config> {
    (
        prop::sample::select(vec![0.5, 3.5, 7.0, 70.0]),
        prop::sample::select(vec![1.1, 1.5, 2.0, 10.0]),
        prop::sample::select(vec![1.1, 2.0, 10.0, 1000.0]),
        prop::sample::select(vec![1.2, 2.0, 10.0]),
        0..6u32,
        any::<bool>(),
    )
        .prop_map(|(target_value, panic_threshold, up, down, activation_scale, reachable)| {
            Config {
                target_value,
                panic_threshold,
                max_scale_up_rate: up,
                max_scale_down_rate: down,
                activation_scale,
                reachable,
                ..Config::default()
            }
        })
}

fn ticks() -> impl Strategy<Value = Vec<(u32, f64, f64)>> {
    prop::collection::vec((0..40u32, 0.0..900.0, 0.0..900.0), 1..60)
}

proptest! {
    #[test]
    fn what_is_wanted_never_falls_in_panic(config in configs(), ticks in ticks()) {
        let mut memory = Memory::new(&config, 1, At::ZERO);
        let mut before: Option<u32> = None;
        for (idx, (ready, stable, panic)) in (0u64..).zip(ticks) {
            let now = At::from_secs(2 * idx);
            let decision = decide(&config, &mut memory, &inputs(ready, stable, panic), now);
            if decision.panicking() {
                prop_assert!(before <= decision.desired());
                before = decision.desired();
            } else {
                before = None;
            }
        }
    }

    #[test]
    fn more_load_never_wants_fewer_pods(
        config in configs(),
        ticks in ticks(),
        ready in 0..40u32,
        (stable, panic) in (0.0..900.0, 0.0..900.0),
        (more_stable, more_panic) in (0.0..500.0, 0.0..500.0),
    ) {
        let mut memory = Memory::new(&config, 1, At::ZERO);
        for (idx, (ready, stable, panic)) in (0u64..).zip(ticks) {
            decide(&config, &mut memory, &inputs(ready, stable, panic), At::from_secs(2 * idx));
        }
        let now = At::from_secs(130);
        let less = inputs(ready, stable, panic);
        let more = inputs(ready, stable + more_stable, panic + more_panic);
        let less = decide(&config, &mut memory.clone(), &less, now);
        let more = decide(&config, &mut memory, &more, now);
        prop_assert!(less.desired() <= more.desired(), "{:?} {:?}", less, more);
    }

    #[test]
    fn a_calm_tick_keeps_to_its_rates(config in configs(), load in 0.0..900.0, ready in 0..40u32) {
        let config = Config { panic_threshold: f64::INFINITY, ..config };
        let mut memory = Memory::new(&config, 0, At::ZERO);
        let decision = decide(&config, &mut memory, &inputs(ready, load, load), At::ZERO);
        let steps = decision.steps.unwrap();
        let pods = f64::from(ready.max(1));
        prop_assert!(steps.desired <= steps.max_up.max(config.activation_scale));
        prop_assert!(f64::from(steps.max_up) < pods * config.max_scale_up_rate + 1.0);
        if config.reachable {
            prop_assert!(steps.max_down <= steps.desired);
            prop_assert!(f64::from(steps.max_down) <= pods / config.max_scale_down_rate);
        } else {
            prop_assert_eq!(steps.max_down, 0);
        }
    }

    #[test]
    fn the_line_of_panic_is_where_panic_begins(config in configs(), ready in 0..300u32) {
        let line = panic_line(config.panic_threshold, config.target_value, ready);
        for (panic, begins) in [(line.above, false), (line.above + config.target_value / 2.0, true)] {
            let mut memory = Memory::new(&config, 0, At::ZERO);
            let decision = decide(&config, &mut memory, &inputs(ready, 0.0, panic), At::ZERO);
            prop_assert_eq!(decision.panicking(), begins, "{} of {:?}", panic, line);
        }
    }

    #[test]
    fn a_delay_only_raises(delay in 1..60u64, ticks in ticks()) {
        let plain = Config::default();
        let delayed = Config { scale_down_delay: Duration::from_secs(delay), ..Config::default() };
        let (mut fast, mut slow) =
            (Memory::new(&plain, 1, At::ZERO), Memory::new(&delayed, 1, At::ZERO));
        for (idx, (ready, stable, panic)) in (0u64..).zip(ticks) {
            let now = At::from_secs(2 * idx);
            let inputs = inputs(ready, stable, panic);
            let fast = decide(&plain, &mut fast, &inputs, now);
            let slow = decide(&delayed, &mut slow, &inputs, now);
            prop_assert!(fast.desired() <= slow.desired());
            prop_assert_eq!(fast.desired(), slow.steps.map(|steps| steps.undelayed));
        }
    }
}
