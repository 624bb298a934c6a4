use std::collections::BTreeMap;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn effective(annotations: &[(&str, &str)], keys: &[(&str, &str)], limit: u32) -> Effective {
    Effective::new(Sources {
        annotations: &map(annotations),
        container_concurrency: limit,
        config_autoscaler: &map(keys),
        reachable: true,
    })
}

fn origin(effective: &Effective, name: &str) -> Origin {
    effective.settings.iter().find(|setting| setting.name == name).unwrap().origin
}

#[test]
fn nothing_said_is_knatives_default() {
    let effective = effective(&[], &[], 0);
    assert_eq!(effective.config, Config::default());
    assert_eq!(effective.refused, None);
    for setting in effective.settings {
        assert_eq!(setting.origin, Origin::Default, "{}", setting.name);
    }
}

#[test]
fn the_target_is_the_capacity_times_the_utilisation() {
    for (annotations, keys, limit, total, target, from) in [
        (&[][..], &[][..], 10, 10.0, 7.0, Origin::Spec),
        (&[("target", "5")], &[], 10, 5.0, 3.5, Origin::Annotation),
        (&[("target", "50")], &[], 10, 10.0, 7.0, Origin::Spec),
        (&[("target", "50")], &[], 0, 50.0, 35.0, Origin::Annotation),
        (&[], &[("container-concurrency-target-default", "80")], 0, 80.0, 56.0, Origin::ConfigMap),
        (&[("metric", "rps")], &[], 10, 200.0, 140.0, Origin::Default),
        (&[("metric", "rps"), ("target", "30")], &[], 10, 30.0, 21.0, Origin::Annotation),
        (&[("target", "0.01")], &[], 0, 0.01, 0.01, Origin::Annotation),
        (&[("target", "much")], &[], 0, 100.0, 70.0, Origin::Default),
        (&[("target", "nan")], &[], 0, 100.0, 70.0, Origin::Default),
        (
            &[("target-utilization-percentage", "50"), ("targetUtilizationPercentage", "90")],
            &[("container-concurrency-target-percentage", "80")],
            100,
            100.0,
            50.0,
            Origin::Spec,
        ),
        (
            &[],
            &[("container-concurrency-target-percentage", "0.5")],
            0,
            100.0,
            50.0,
            Origin::Default,
        ),
    ] {
        let effective = effective(annotations, keys, limit);
        let config = &effective.config;
        let differs = (config.total_value - total).abs() + (config.target_value - target).abs();
        assert!(differs < 1e-9, "{annotations:?} {keys:?}: {config:?}");
        assert_eq!(origin(&effective, "target"), from, "{annotations:?} {keys:?}");
    }
}

#[test]
fn both_spellings_are_read() {
    let config = effective(&[("maxScale", "12"), ("minScale", "2")], &[], 0).config;
    assert_eq!((config.min_scale, config.max_scale), (2, Some(12)));
    let config = effective(&[("maxScale", "12"), ("max-scale", "9")], &[], 0).config;
    assert_eq!(config.max_scale, Some(9), "the one with a hyphen wins");
}

#[test]
fn where_a_value_comes_from_is_said_as_it_is_spelled_there() {
    let effective = effective(
        &[("maxScale", "12"), ("window", "30s")],
        &[("container-concurrency-target-default", "80"), ("min-scale", "1")],
        0,
    );
    let words =
        |name: &str| effective.settings.iter().find(|it| it.name == name).unwrap().origin_words();
    assert_eq!(words("max-scale"), "annotation maxScale, the older spelling");
    assert_eq!(words("window"), "annotation");
    assert_eq!(words("target"), "config-autoscaler container-concurrency-target-default");
    assert_eq!(words("min-scale"), "config-autoscaler");
    assert_eq!(words("initial-scale"), "default");
}

#[test]
fn the_panic_window_is_a_share_of_the_stable_one() {
    for (window, percentage, secs) in
        [("60s", "10", 6), ("6s", "10", 1), ("6s", "1", 1), ("30s", "5", 2), ("1h", "100", 3600)]
    {
        let config =
            effective(&[("window", window), ("panicWindowPercentage", percentage)], &[], 0).config;
        assert_eq!(config.panic_window, Duration::from_secs(secs), "{window} {percentage}");
    }
}

#[test]
fn what_the_webhook_would_refuse_is_not_there() {
    for (name, value) in [
        ("window", "5s"),
        ("window", "2h"),
        ("window", "10.5s"),
        ("panic-threshold-percentage", "100"),
        ("target-burst-capacity", "-2"),
        ("min-scale", "-1"),
        ("max-scale", "99999999999"),
        ("initial-scale", "0"),
        ("activation-scale", "1"),
        ("scale-down-delay", "2h"),
        ("scale-to-zero-pod-retention-period", "-3s"),
        ("metric", "cpu"),
    ] {
        assert_eq!(effective(&[(name, value)], &[], 0).config, Config::default(), "{name} {value}");
    }
    let limited =
        effective(&[("max-scale", "20")], &[("max-scale-limit", "10"), ("max-scale", "8")], 0);
    assert_eq!(limited.config.max_scale, Some(8));
    assert_eq!(origin(&limited, "max-scale"), Origin::ConfigMap);
}

#[test]
fn a_config_map_counts_as_a_whole_or_not_at_all() {
    for (key, value) in [
        ("stable-window", "5s"),
        ("max-scale-up-rate", "1"),
        ("max-scale-down-rate", "x"),
        ("panic-window-percentage", "0"),
        ("enable-scale-to-zero", "yes"),
        ("min-scale", "3000000000"),
        ("activator-capacity", "0"),
        ("scale-to-zero-grace-period", "0s"),
        ("initial-scale", "0"),
    ] {
        let effective = effective(&[], &[(key, value), ("target-burst-capacity", "0")], 0);
        assert_eq!(effective.config, Config::default(), "{key}");
        assert_eq!(origin(&effective, "target-burst-capacity"), Origin::Default, "{key}");
        assert!(effective.refused.unwrap().to_string().contains(key), "{key}");
    }
    let good = effective(&[], &[("stable-window", "2m"), ("enable-scale-to-zero", "F")], 0);
    assert_eq!(good.config.stable_window, Duration::from_secs(120));
    assert_eq!(good.config.panic_window, Duration::from_secs(12));
    assert!(!good.config.enable_scale_to_zero);
    assert_eq!(origin(&good, "window"), Origin::ConfigMap);
}

#[test]
fn values_are_shown_with_their_unit() {
    let effective = effective(&[("window", "1m30s")], &[], 0);
    let shown: Vec<String> = effective
        .settings
        .iter()
        .filter(|setting| ["window", "target-utilization-percentage"].contains(&setting.name))
        .map(|setting| setting.value.to_string())
        .collect();
    assert_eq!(shown, ["70 %", "90 s"]);
}
