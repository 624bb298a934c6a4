use super::*;

fn cc10() -> Config {
    Config { total_value: 10.0, target_value: 7.0, ..Config::default() }
}

fn reading(config: &Config) -> Reading<'_> {
    Reading {
        config,
        stable: Some(33.7),
        panic: Some(58.4),
        target: Some(7.0),
        ready: Some(9),
        panicking: Some(true),
        panic_began: false,
        desired: Some(9),
    }
}

fn said(reading: &Reading<'_>) -> String {
    plain(&explain(reading))
}

#[test]
fn panic_is_explained() {
    let config = Config { panic_window: Duration::from_secs(2), ..cc10() };
    let held = reading(&config);
    assert_eq!(
        said(&held),
        "58.4 concurrent in the last 2 s ÷ 7 a pod → 9 wanted, 9 ready: 1.0×, panic is held by \
         its window and would begin anew at 18 wanted (above 119)"
    );
    let began = Reading { ready: Some(1), panic_began: true, ..held };
    assert_eq!(
        said(&began),
        "58.4 concurrent in the last 2 s ÷ 7 a pod → 9 wanted, 1 ready: 9.0×, panic begins at 2×"
    );
    let goes_on = Reading { ready: Some(4), ..held };
    assert_eq!(
        said(&goes_on),
        "58.4 concurrent in the last 2 s ÷ 7 a pod → 9 wanted, 4 ready: 2.2×, panic goes on at 2× \
         and above"
    );
    let falling = Reading { panic: Some(0.0), stable: Some(20.0), desired: Some(9), ..held };
    assert_eq!(
        said(&falling),
        "nothing in the last 2 s → 0 wanted, kept at 9 since panic lets no pod go, 9 ready: 0.0×, \
         panic is held by its window and would begin anew at 18 wanted (above 119)"
    );
    let by_stable = Reading { panic: Some(20.0), stable: Some(60.0), ..held };
    assert!(said(&by_stable).contains("→ 3 wanted, 9 by the last 60 s, 9 ready"));
}

#[test]
fn calm_is_explained() {
    let config = cc10();
    let calm = Reading {
        panicking: Some(false),
        panic: Some(36.16),
        ready: Some(5),
        desired: Some(5),
        ..reading(&config)
    };
    assert_eq!(
        said(&calm),
        "33.7 concurrent in the last 60 s ÷ 7 a pod → 5 wanted, 5 ready: calm, panic would begin \
         at 10 wanted (above 63 in the last 6 s, now 36.2)"
    );
    let rps = Config { metric: Metric::Rps, ..config.clone() };
    let rps = Reading { config: &rps, stable: Some(1234.5), target: Some(140.0), ..calm };
    assert!(said(&rps).starts_with("1234 requests a second in the last 60 s ÷ 140 a pod → 9"));
}

#[test]
fn zero_is_explained() {
    let config = cc10();
    let idle = Reading {
        panicking: Some(false),
        stable: Some(0.0),
        panic: Some(0.0),
        ready: Some(1),
        desired: Some(0),
        ..reading(&config)
    };
    assert_eq!(
        said(&idle),
        "nothing in the last 60 s → 0 wanted, 1 ready: the last pod goes when the activator has \
         been in the path for 30 s"
    );
    assert_eq!(
        said(&Reading { ready: Some(0), ..idle }),
        "nothing in the last 60 s → 0 wanted, 0 ready: at zero, panic would begin at 2 wanted \
         (above 7 in the last 6 s)"
    );
    let kept = Config { min_scale: 2, ..cc10() };
    assert_eq!(
        said(&Reading { config: &kept, ready: Some(2), ..idle }),
        "nothing in the last 60 s → 0 wanted, kept at 2 by min-scale, 2 ready: calm, panic would \
         begin at 4 wanted (above 21 in the last 6 s, now 0)"
    );
    let never = Config { enable_scale_to_zero: false, ..cc10() };
    assert!(
        said(&Reading { config: &never, ..idle })
            .contains("→ 0 wanted, kept at 1 since enable-scale-to-zero is false, 1 ready: calm")
    );
    let retained = Config { scale_to_zero_pod_retention_period: Duration::from_secs(90), ..cc10() };
    assert!(
        said(&Reading { config: &retained, ..idle })
            .ends_with("in the path for 30 s, and not before 90 s inactive")
    );
}

#[test]
fn what_binds_is_named() {
    for (config, stable, ready, desired, phrase) in [
        (
            Config { max_scale: Some(10), ..cc10() },
            200.0,
            10,
            29,
            "29 wanted, cut to 10 by max-scale, 10 ready",
        ),
        (
            Config { max_scale_up_rate: 2.0, ..cc10() },
            200.0,
            10,
            20,
            "29 wanted, cut to 20 by max-scale-up-rate, 10 ready",
        ),
        (cc10(), 7.0, 10, 5, "1 wanted, kept at 5 by max-scale-down-rate, 10 ready"),
        (
            Config { activation_scale: 3, ..cc10() },
            7.0,
            1,
            3,
            "1 wanted, raised to 3 by activation-scale, 1 ready",
        ),
        (
            Config { scale_down_delay: Duration::from_secs(30), ..cc10() },
            7.0,
            10,
            8,
            "1 wanted, kept at 8 by scale-down-delay, 10 ready",
        ),
        (
            Config { max_scale_up_rate: 2.0, max_scale: Some(10), ..cc10() },
            200.0,
            8,
            16,
            "29 wanted, cut to 16 by max-scale-up-rate, cut to 10 by max-scale, 8 ready",
        ),
    ] {
        let reading = Reading {
            stable: Some(stable),
            ready: Some(ready),
            desired: Some(desired),
            panicking: Some(false),
            ..reading(&config)
        };
        let text = said(&reading);
        assert!(text.contains(phrase), "{text}");
        let bound = explain(&reading).into_iter().any(|piece| piece.role == Role::Limit);
        assert!(bound, "{text}");
    }
}

#[test]
fn what_is_unknown_is_said_to_be() {
    let config = cc10();
    let all = reading(&config);
    assert_eq!(
        said(&Reading { panic: None, ready: None, ..all }),
        "unknown: the autoscaler has not said the panic average and the ready pods"
    );
    let before_the_first_tick = Reading { target: Some(0.0), ..all };
    assert_eq!(said(&before_the_first_tick), "unknown: the autoscaler has not decided yet");
    assert_eq!(
        said(&Reading { panicking: None, desired: None, ..all }),
        "33.7 concurrent in the last 60 s ÷ 7 a pod → 5 wanted, 9 ready: whether it panics is \
         unknown"
    );
}

#[test]
fn numbers_have_the_digits_that_one_reads() {
    for (x, text) in [
        (0.0, "0"),
        (0.349, "0.35"),
        (7.0, "7"),
        (58.44, "58.4"),
        (119.0, "119"),
        (1330.0, "1330"),
        (1_234_567.8, "1234568"),
    ] {
        assert_eq!(number(x), text);
    }
    for (average, dividend, quotient) in [
        (58.42, "58.42", "8.35"),
        (49.0, "49", "7"),
        (49.003, "49.003", "7.0004"),
        (49.000_001, "49.000001", "just above 7"),
        (49.000_000_1, "49", "just above 7"),
        (133.3, "133.3", "19.04"),
        (48.97, "48.97", "7"),
        (0.02, "0.02", "0.003"),
    ] {
        assert_eq!(division(average, 7.0), (dividend.to_owned(), quotient.to_owned()), "{average}");
    }
    for (x, text) in [
        (1.9, "1.9×"),
        (1.99, "1.99×"),
        (1.96, "1.96×"),
        (2.0, "2.0×"),
        (1.1, "1.1×"),
        (2.04, "2.0×"),
    ] {
        assert_eq!(ratio(x), text, "a threshold that is not reached is not told as reached");
    }
}

fn tick(config: &Config, observed: (f64, f64), ready: u32) -> crate::kpa::Decision {
    let mut memory = crate::kpa::Memory::new(config, 0, crate::units::At::ZERO);
    let (stable, panic) = observed;
    let observed = Some(crate::kpa::Observed { stable, panic });
    let inputs = crate::kpa::Inputs { ready, observed };
    crate::kpa::decide(config, &mut memory, &inputs, crate::units::At::from_secs(100))
}

fn explained(config: &Config, observed: (f64, f64), ready: u32) -> Explanation {
    steps(&Subject { config, decision: &tick(config, observed, ready), outcome: None })
}

/// The question of Knative's tutorial 004: 50 and 200 concurrent, target 10, at most 10.
#[test]
fn fifty_concurrent_at_a_target_of_ten_are_eight_pods_and_not_five() {
    let config = Config { max_scale: Some(10), ..cc10() };
    let fifty = explained(&config, (50.0, 50.0), 8);
    assert_eq!(
        plain(&fifty.headline),
        "50 concurrent, target 10 × 0.7 = 7: 50 ÷ 7 = 7.14, 8 pods (not 5: the target is utilised \
         to 70 %)"
    );
    assert_eq!((fifty.bound_by, fifty.pods), (Some(Kind::Stable), Some(8)));
    assert!(
        plain(&fifty.otherwise).starts_with(
            "5 with target 14.3 or target-utilization-percentage 100; 9 above 56 concurrent, 7 at \
             49 or less; panic above"
        ),
        "{}",
        plain(&fifty.otherwise)
    );
    // Both averages want 7 in panic; the target that gives 5 must do so for the larger of them.
    let panics = explained(&config, (47.6, 48.94), 1);
    assert!(
        plain(&panics.otherwise)
            .starts_with("5 with target 14 or target-utilization-percentage 97.9; 8 above 49"),
        "{}",
        plain(&panics.otherwise)
    );
    let more = explained(&config, (200.0, 200.0), 10);
    assert_eq!(
        plain(&more.headline),
        "200 concurrent, target 10 × 0.7 = 7: 200 ÷ 7 = 28.6, 29 wanted, cut to 10 by max-scale"
    );
    assert_eq!((more.bound_by, more.pods), (Some(Kind::Bounds), Some(10)));
    assert_eq!(plain(&more.otherwise), "with max-scale 29 or more it would be 29");
}

#[test]
fn the_step_that_bound_the_result_is_named() {
    use std::time::Duration as D;
    let slow = Config { max_scale_up_rate: 2.0, ..cc10() };
    let floor = Config { activation_scale: 5, ..cc10() };
    let least = Config { min_scale: 3, ..cc10() };
    let delayed = Config { scale_down_delay: D::from_secs(30), ..cc10() };
    for (config, observed, ready, binds, pods) in [
        (&cc10(), (33.0, 33.0), 5, Kind::Stable, 5),
        (&cc10(), (10.0, 58.4), 1, Kind::Panic, 9),
        (&slow, (10.0, 58.4), 1, Kind::Rates, 2),
        (&cc10(), (3.0, 3.0), 10, Kind::Rates, 5),
        (&floor, (3.0, 3.0), 1, Kind::Activation, 5),
        (&least, (3.0, 3.0), 3, Kind::Bounds, 3),
        (&delayed, (33.0, 33.0), 5, Kind::Stable, 5),
    ] {
        let explained = explained(config, observed, ready);
        assert_eq!((explained.bound_by, explained.pods), (Some(binds), Some(pods)), "{observed:?}");
        let marked: Vec<Kind> =
            explained.steps.iter().filter(|step| step.binds).map(|step| step.kind).collect();
        assert_eq!(marked, [binds], "{observed:?}");
        let order: Vec<Kind> = explained.steps.iter().map(|step| step.kind).collect();
        assert!(order.is_sorted(), "in the order in which Knative computes: {order:?}");
    }
}

#[test]
fn what_holds_pods_is_the_step_that_held_them() {
    let config = Config { scale_down_delay: Duration::from_secs(30), ..cc10() };
    let mut memory = crate::kpa::Memory::new(&config, 0, crate::units::At::ZERO);
    let mut decided = |secs, load: f64, ready| {
        let observed = Some(crate::kpa::Observed { stable: load, panic: load });
        let inputs = crate::kpa::Inputs { ready, observed };
        let now = crate::units::At::from_secs(secs);
        let decision = crate::kpa::decide(&config, &mut memory, &inputs, now);
        steps(&Subject { config: &config, decision: &decision, outcome: None })
    };
    assert_eq!(decided(2, 30.0, 3).bound_by, Some(Kind::Stable));
    assert_eq!(decided(4, 14.0, 3).bound_by, Some(Kind::Delay));
    assert_eq!(decided(50, 60.0, 1).bound_by, Some(Kind::Stable));
    let held = decided(52, 20.0, 9);
    assert_eq!(held.bound_by, Some(Kind::Held));
    assert_eq!(
        plain(&held.headline),
        "20 concurrent, target 10 × 0.7 = 7: 20 ÷ 7 = 2.86, 3 wanted, kept at 9 since panic lets \
         no pod go"
    );
    let otherwise = plain(&held.otherwise);
    let starts = "the averages alone want 3; 10 above 63 concurrent; a higher";
    assert!(otherwise.starts_with(starts), "{otherwise}");
    let (question, answer) = &held.outlook[0];
    assert_eq!(*question, Question::PanicEnds);
    assert!(plain(answer).starts_with("in 58 s at the earliest"), "{}", plain(answer));
}

#[test]
fn the_way_to_zero_says_what_it_waits_for() {
    use crate::kpa::Mode;
    use crate::kpa::reconcile::Gate;
    let config = cc10();
    let decision = tick(&config, (0.0, 0.0), 1);
    let at = |gate, want| {
        let outcome = Some(After { want, gate, mode: Mode::Proxy });
        steps(&Subject { config: &config, decision: &decision, outcome })
    };
    let waits = at(Gate::Wait(Duration::from_secs(28)), Some(0));
    assert_eq!(waits.bound_by, Some(Kind::ToZero));
    let answer = |explained: &Explanation, question| {
        let found = explained.outlook.iter().find(|(asked, _)| *asked == question);
        plain(&found.unwrap().1)
    };
    assert_eq!(answer(&waits, Question::WaitsFor), "28 s of grace before the last pod goes");
    let sleeps = at(Gate::Sleep(Duration::from_secs(10)), Some(1));
    assert_eq!((sleeps.bound_by, sleeps.pods), (Some(Kind::ToZero), Some(1)));
    let goes = at(Gate::FastPath(Duration::from_secs(103)), Some(0));
    assert_eq!((goes.bound_by, goes.pods), (Some(Kind::Stable), Some(0)));
    assert_eq!(answer(&goes, Question::ToZero), "now");
}

#[test]
fn a_tick_without_data_says_so() {
    let config = cc10();
    let mut memory = crate::kpa::Memory::new(&config, 0, crate::units::At::ZERO);
    let inputs = crate::kpa::Inputs { ready: 0, observed: None };
    let decision = crate::kpa::decide(&config, &mut memory, &inputs, crate::units::At::ZERO);
    let explained = steps(&Subject { config: &config, decision: &decision, outcome: None });
    assert!(plain(&explained.headline).starts_with("no data"), "{}", plain(&explained.headline));
    assert_eq!((explained.steps.len(), explained.bound_by), (0, None));
}

#[test]
fn what_activation_scale_keeps_goes_with_the_last_request_only() {
    let config = Config { activation_scale: 5, ..cc10() };
    let explained = explained(&config, (3.0, 3.0), 5);
    let goes = explained.outlook.iter().find(|(asked, _)| *asked == Question::NextPodGoes);
    assert_eq!(plain(&goes.unwrap().1), "when nothing is asked for: activation-scale keeps 5");
}
