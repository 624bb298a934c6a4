//! What parts our model, the autoscaler's word and what is ready: one run of each cause, made in the
//! cluster, read by our own hands. `benches/causes.rs` has ten of each.

use serde_json::Value;

use crate::injected::Injected;
use crate::injected::Seen;
use crate::injected::live;

/// Short, as the suite has many tests.
const AFTER: f64 = 20.0;

/// A run of a cause, in which it is named, and nothing else is.
fn named(injected: Injected, seed: u64) -> Seen {
    let seen = live(injected, seed, AFTER);
    let blamed = seen.blamed();
    assert!(blamed.names(injected), "{}: {blamed:?}", injected.name());
    assert!(!blamed.blames_other_than(injected), "{}: {blamed:?}", injected.name());
    assert!(injected == Injected::Incomplete || blamed.n_incomplete == 0, "{blamed:?}");
    seen
}

/// Whether the cluster says all of this in one object.
fn says(seen: &Seen, kind: &str, words: &[&str]) -> bool {
    let of_kind = |object: &&Value| object["kind"] == kind;
    let all = seen.objects.iter().map(AsRef::as_ref).filter(of_kind);
    all.map(Value::to_string).any(|text| words.iter().all(|word| text.contains(word)))
}

/// We come into the midst of a load that has long been there; then it grows, and goes.
#[test]
fn where_load_comes_and_goes_nobody_is_blamed() {
    let blamed = live(Injected::Nothing, 2, AFTER).blamed();
    assert!(!blamed.blames_other_than(Injected::Nothing), "{blamed:?}");
    assert_eq!(blamed.n_incomplete, 0);
    assert!(20 < blamed.n_ticks);
}

#[test]
fn scrapes_that_fail_are_named() {
    named(Injected::MissedScrape, 3);
}

#[test]
fn a_container_that_began_anew_and_a_pod_in_place_of_another_are_a_restart() {
    named(Injected::AutoscalerRestarted, 1);
    named(Injected::AutoscalerRestarted, 2);
}

#[test]
fn a_replica_that_stood_by_and_takes_over_is_a_change_of_leader() {
    named(Injected::LeaderChanged, 1);
}

#[test]
fn a_quota_that_refuses_pods_is_named() {
    let seen = named(Injected::Quota, 1);
    for kind in ["ReplicaSet", "Deployment"] {
        assert!(says(&seen, kind, &["ReplicaFailure", "exceeded quota: pods, requested"]));
    }
    assert!(says(&seen, "Event", &["FailedCreate", "Warning", "exceeded quota"]));
}

#[test]
fn pods_without_a_node_are_named() {
    let seen = named(Injected::Unschedulable, 1);
    assert!(says(&seen, "Pod", &["\"Pending\"", "\"Unschedulable\"", "nodes are available"]));
    assert!(says(&seen, "Event", &["FailedScheduling", "Warning"]));
}

#[test]
fn pods_without_an_image_are_named() {
    let seen = named(Injected::ImagePull, 1);
    assert!(says(&seen, "Pod", &["\"Pending\"", "\"ImagePullBackOff\""]));
    assert!(says(&seen, "Event", &["\"Failed\"", "Warning", "Failed to pull image"]));
}

#[test]
fn max_scale_is_named() {
    named(Injected::MaxScale, 1);
}

#[test]
fn a_setting_that_asks_for_more_pods_is_named() {
    named(Injected::ConfigChanged, 1);
}

#[test]
fn who_does_not_answer_us_is_named() {
    named(Injected::Incomplete, 1);
}
