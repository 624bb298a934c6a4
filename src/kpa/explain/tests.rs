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
    assert_eq!(ratio(19, 10), "1.9×");
    assert_eq!(ratio(199, 100), "1.9×", "not the threshold yet");
    assert_eq!(ratio(11, 10), "1.1×");
}
