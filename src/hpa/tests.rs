use std::time::Duration;

use proptest::prelude::*;

use super::keda::Fallback;
use super::keda::FallbackBehavior;
use super::keda::Paused;
use super::keda::ScaledObject;
use super::keda::Seen;
use super::keda::Step;
use super::proposal::CpuPod;
use super::proposal::Kept;
use super::proposal::PodUsage;
use super::proposal::Standing;
use super::*;
use crate::units::UnixMicros;

const PLAIN: Tolerance = Tolerance { down: 0.1, up: 0.1 };

fn spec(min_replicas: u32, max_replicas: u32) -> Spec {
    Spec { min_replicas, max_replicas, behavior: None, tolerance: PLAIN }
}

fn with_behavior(min_replicas: u32, max_replicas: u32, up: Rules, down: Rules) -> Spec {
    let behavior = Some(Behavior { scale_up: up, scale_down: down });
    Spec { behavior, ..spec(min_replicas, max_replicas) }
}

fn rules(window: u64, select: Select, policies: &[(PolicyKind, u32, u64)]) -> Rules {
    let policy = |&(kind, value, secs): &(PolicyKind, u32, u64)| Policy {
        kind,
        value,
        period: Duration::from_secs(secs),
    };
    let policies = policies.iter().map(policy).collect();
    Rules { window: Duration::from_secs(window), select, policies }
}

/// A metric that proposes so many.
fn proposes(replicas: u32) -> Result<Proposal, Invalid> {
    Ok(Proposal { replicas, ratio: 1.0, filled: None, pods: 1, kept: None })
}

fn ready(usage: i64) -> PodUsage {
    PodUsage { usage: Some(usage), request: 100, standing: Standing::Ready }
}

fn missing() -> PodUsage {
    PodUsage { usage: None, ..ready(0) }
}

fn unready(usage: i64) -> PodUsage {
    PodUsage { standing: Standing::Unready, ..ready(usage) }
}

fn ignored(usage: i64) -> PodUsage {
    PodUsage { standing: Standing::Ignored, ..ready(usage) }
}

#[test]
fn a_metric_of_pods_proposes_by_the_table() {
    use Target::AverageValue;
    use Target::Utilization;
    let table: &[(&str, Target, Vec<PodUsage>, u32, u32)] = &[
        ("746 % of 50 % is fifteen times one pod", Utilization(50), vec![ready(746)], 1, 15),
        ("within the tolerance above", Utilization(50), vec![ready(55)], 1, 1),
        ("just beyond it", Utilization(50), vec![ready(56)], 1, 2),
        ("within the tolerance below", Utilization(50), vec![ready(45), ready(45)], 2, 2),
        ("half is enough", Utilization(50), vec![ready(20), ready(30)], 2, 1),
        (
            "percents are cut: 55.9 % is 55 %",
            Utilization(50),
            vec![PodUsage { usage: Some(559), request: 1000, ..ready(0) }],
            1,
            1,
        ),
        ("an average is cut to thousandths", AverageValue(10), vec![ready(11), ready(12)], 2, 2),
        ("an average of 20 on 10", AverageValue(10), vec![ready(20), ready(20)], 2, 4),
        ("unready pods dampen the way up", Utilization(50), vec![ready(100), unready(300)], 2, 2),
        ("and still let it go up", Utilization(50), vec![ready(150), unready(0)], 2, 3),
        (
            "on the way down they do not count",
            Utilization(50),
            vec![ready(10), ready(10), unready(90)],
            3,
            1,
        ),
        (
            "missing pods count whole on the way down",
            Utilization(50),
            vec![ready(10), ready(10), missing()],
            3,
            3,
        ),
        (
            "and as the target where that is a value",
            AverageValue(50),
            vec![ready(10), ready(10), missing(), missing()],
            4,
            3,
        ),
        ("and as nothing on the way up", Utilization(50), vec![ready(150), missing()], 2, 3),
        ("a pod that goes is not there", Utilization(50), vec![ready(100), ignored(900)], 2, 2),
    ];
    for (case, target, pods, current, expected) in table {
        let proposal = propose(*target, Usage::Pods(pods), *current, PLAIN);
        assert_eq!(proposal.map(|proposal| proposal.replicas), Ok(*expected), "{case}");
    }
    let nothing = propose(Utilization(50), Usage::Pods(&[unready(9), missing()]), 2, PLAIN);
    assert_eq!(nothing, Err(Invalid::NoMetric));
    let no_request = PodUsage { request: 0, ..ready(9) };
    let nothing = propose(Utilization(50), Usage::Pods(&[no_request]), 1, PLAIN);
    assert_eq!(nothing, Err(Invalid::NoRequest));
    assert_eq!(
        propose(AverageValue(0), Usage::Pods(&[ready(9)]), 1, PLAIN),
        Err(Invalid::NoTarget)
    );
}

#[test]
fn why_a_metric_keeps_what_there_is_is_said() {
    let kept = |pods: &[PodUsage], current| {
        let proposal = propose(Target::Utilization(50), Usage::Pods(pods), current, PLAIN);
        proposal.map(|proposal| (proposal.replicas, proposal.kept))
    };
    assert_eq!(kept(&[ready(52)], 1), Ok((1, Some(Kept::Tolerance))));
    // 20 % would let pods go, but with the missing one at 100 % it would be 60 %.
    assert_eq!(kept(&[ready(20), missing()], 2), Ok((2, Some(Kept::Turned))));
    assert_eq!(kept(&[ready(100)], 1), Ok((2, None)));
}

#[test]
fn a_metric_of_the_whole_proposes_by_the_table() {
    use Target::AverageValue;
    use Target::Value;
    // Target, usage, status replicas, ready, current, proposal.
    let table = [
        ("28.812 shared, 5 a pod", AverageValue(5000), 28_812, 3, 3, 3, 6),
        ("shared among those not ready yet too", AverageValue(5000), 20_000, 4, 1, 4, 4),
        ("33m on 5", AverageValue(5000), 33, 1, 1, 1, 1),
        ("nothing", AverageValue(5000), 0, 3, 3, 3, 0),
        ("within the tolerance", AverageValue(5000), 16_000, 3, 3, 3, 3),
        ("a value of twice its target", Value(10_000), 20_000, 3, 3, 3, 6),
        ("of which only ready pods count", Value(10_000), 20_000, 3, 2, 3, 4),
        ("from zero", Value(10_000), 25_000, 0, 0, 0, 3),
    ];
    for (case, target, usage, status_replicas, ready, current, expected) in table {
        let usage = Usage::Whole { usage, status_replicas, ready };
        let proposal = propose(target, usage, current, PLAIN);
        assert_eq!(proposal.map(|proposal| proposal.replicas), Ok(expected), "{case}");
    }
}

#[test]
fn cpu_of_a_pod_that_starts_does_not_count() {
    let second = |n: i64| UnixMicros(n * 1_000_000);
    let pod = |started: i64, ready: (bool, i64), sampled: i64| CpuPod {
        started: Some(second(started)),
        ready: Some((ready.0, second(ready.1))),
        sample: (second(sampled), Duration::from_secs(15)),
    };
    let table = [
        ("sampled a window after it became ready", pod(0, (true, 10), 25), 30, true),
        ("sampled before that", pod(0, (true, 10), 24), 30, false),
        ("not ready, in its first five minutes", pod(0, (false, 100), 250), 299, false),
        ("not ready later, but ready once", pod(0, (false, 100), 400), 400, true),
        ("never ready", pod(0, (false, 5), 400), 400, false),
    ];
    for (case, pod, now, counts) in table {
        let standing = if counts { Standing::Ready } else { Standing::Unready };
        assert_eq!(pod.standing(second(now)), standing, "{case}");
    }
    let unknown = CpuPod { ready: None, ..pod(0, (true, 0), 400) };
    assert_eq!(unknown.standing(second(400)), Standing::Unready);
}

#[test]
fn one_sync_by_the_table() {
    use Limit::ScaleUpLimit;
    use Limit::TooFewReplicas;
    use Limit::TooManyReplicas;
    let (few, many) = (spec(1, 10), spec(2, 100));
    let table = [
        ("up to four from one", &many, 2, 15, 4, Some(ScaleUpLimit)),
        ("twice as many", &many, 10, 90, 20, Some(ScaleUpLimit)),
        ("cut by maxReplicas", &few, 8, 15, 10, Some(TooManyReplicas)),
        ("kept by minReplicas", &many, 2, 1, 2, Some(TooFewReplicas)),
        ("as wanted", &few, 4, 6, 6, None),
    ];
    for (case, spec, current, wanted, desired, limit) in table {
        let mut memory = Memory::default();
        // As if it had always been wanted.
        memory.recommend(wanted, At::ZERO);
        let now = At::from_secs(1000);
        let decision = sync(spec, &mut memory, (current, &[proposes(wanted)]), now);
        let Outcome::Computed(steps) = decision.outcome else { panic!("{case}: {decision:?}") };
        assert_eq!((decision.desired, steps.limit), (desired, limit), "{case}");
    }
    let outcome = |spec: &Spec, current, proposals: &[Result<Proposal, Invalid>]| {
        let decision = sync(spec, &mut Memory::default(), (current, proposals), At::ZERO);
        (decision.outcome, decision.desired)
    };
    assert_eq!(outcome(&few, 0, &[proposes(5)]), (Outcome::ScalingDisabled, 0));
    assert_eq!(outcome(&few, 12, &[proposes(12)]), (Outcome::AboveMaxReplicas, 10));
    assert_eq!(outcome(&many, 1, &[proposes(9)]), (Outcome::BelowMinReplicas, 2));
    let invalid = Outcome::InvalidMetrics { n_invalid: 1 };
    let none = Err(Invalid::NoMetric);
    assert_eq!(outcome(&few, 3, &[none]), (invalid, 3));
    assert_eq!(outcome(&few, 3, &[none, proposes(2)]), (invalid, 3), "no way down half blind");
    let (up, desired) = outcome(&few, 3, &[none, proposes(4), proposes(3)]);
    let Outcome::Computed(steps) = up else { panic!("{up:?}") };
    assert_eq!((desired, steps.by), (4, 1), "the way up is open, by the largest");
}

#[test]
fn five_minutes_of_less_are_needed_to_let_pods_go() {
    let (spec, mut memory) = (spec(1, 10), Memory::default());
    let mut at = |secs, current, wanted| {
        sync(&spec, &mut memory, (current, &[proposes(wanted)]), At::from_secs(secs))
    };
    assert_eq!(at(0, 4, 8).desired, 8);
    for secs in (15..=300).step_by(15) {
        let decision = at(secs, 8, 2);
        let Outcome::Computed(steps) = decision.outcome else { panic!("{decision:?}") };
        assert_eq!((decision.desired, steps.stabilization), (8, Some(Stabilized::Down)), "{secs}");
    }
    assert_eq!(at(315, 8, 2).desired, 2, "what was wanted at 0 is older than 300 s");
}

#[test]
fn the_end_of_stabilisation_is_known() {
    let window = Duration::from_secs(300);
    let mut memory = Memory::default();
    assert_eq!(memory.falls_at(window, 4), None);
    memory.recommend(8, At::from_secs(10));
    memory.recommend(8, At::from_secs(25));
    assert_eq!(memory.falls_at(window, 8), None, "as many are wanted");
    memory.recommend(5, At::from_secs(40));
    memory.recommend(2, At::from_secs(55));
    assert_eq!(memory.falls_at(window, 8), Some(At::from_secs(325)));
    assert_eq!(memory.falls_at(window, 5), Some(At::from_secs(340)));
}

#[test]
fn policies_by_the_table() {
    use PolicyKind::Percent;
    use PolicyKind::Pods;
    let rest = || rules(0, Select::Max, &[(Percent, 100, 15)]);
    let up = |select, policies: &[_]| with_behavior(1, 100, rules(0, select, policies), rest());
    let down = |select, policies: &[_]| with_behavior(1, 100, rest(), rules(0, select, policies));
    let both: &[_] = &[(Pods, 4, 15), (Percent, 100, 15)];
    let slow: &[_] = &[(Pods, 4, 60), (Percent, 10, 60)];
    let table = [
        ("the larger of four pods and twice", up(Select::Max, both), 1, 50, 5),
        ("twice is larger from five on", up(Select::Max, both), 6, 50, 12),
        ("the smaller of both", up(Select::Min, both), 6, 50, 10),
        ("a tenth of one pod is one", up(Select::Max, &[(Percent, 10, 15)]), 1, 50, 2),
        ("no way up", up(Select::Disabled, both), 6, 50, 6),
        ("no way down", down(Select::Disabled, slow), 6, 1, 6),
        ("four pods less", down(Select::Max, slow), 20, 1, 16),
        ("a tenth less", down(Select::Min, slow), 20, 1, 18),
        ("a tenth of five is nothing, and the rest is cut", down(Select::Min, slow), 5, 1, 4),
        ("all at once, but minReplicas", down(Select::Max, &[(Percent, 100, 15)]), 20, 0, 1),
    ];
    for (case, spec, current, wanted, desired) in table {
        let now = At::from_secs(1000);
        let mut memory = Memory::default();
        // As if it had always been wanted.
        memory.recommend(wanted, At::ZERO);
        let decision = sync(&spec, &mut memory, (current, &[proposes(wanted)]), now);
        assert_eq!(decision.desired, desired, "{case}");
    }
}

#[test]
fn a_policy_counts_what_changed_within_its_period() {
    let policies: &[_] = &[(PolicyKind::Pods, 4, 60)];
    let spec = with_behavior(1, 100, rules(0, Select::Max, policies), Rules::down());
    let mut memory = Memory::default();
    let mut at = |secs, current| {
        sync(&spec, &mut memory, (current, &[proposes(50)]), At::from_secs(secs)).desired
    };
    assert_eq!(at(0, 2), 6);
    assert_eq!(at(15, 6), 6, "four in this minute already");
    assert_eq!(at(59, 6), 6);
    assert_eq!(at(60, 6), 10, "the minute is over");
}

#[test]
fn a_window_upwards_takes_the_least_that_was_wanted() {
    let spec = with_behavior(1, 100, rules(30, Select::Max, &[(PolicyKind::Percent, 900, 15)]), {
        rules(0, Select::Max, &[(PolicyKind::Percent, 100, 15)])
    });
    let mut memory = Memory::default();
    let mut at = |secs, current, wanted| {
        let decision =
            sync(&spec, &mut memory, (current, &[proposes(wanted)]), At::from_secs(secs));
        let Outcome::Computed(steps) = decision.outcome else { panic!("{decision:?}") };
        (decision.desired, steps.stabilization)
    };
    // The first sync remembers the two that there are.
    assert_eq!(at(0, 2, 8), (2, Some(Stabilized::Up)));
    assert_eq!(at(15, 2, 9), (2, Some(Stabilized::Up)));
    assert_eq!(at(30, 2, 9), (9, None), "what was remembered at 0 is out, with the eight");
}

#[test]
fn keda_looks_by_the_table() {
    let second = |n: i64| UnixMicros(n * 1_000_000);
    let plain = ScaledObject::default();
    let least_two = ScaledObject { min_replica_count: 2, ..plain.clone() };
    let idle = ScaledObject { idle_replica_count: Some(0), ..least_two.clone() };
    let paused = |paused| ScaledObject { paused, ..plain.clone() };
    let safe = ScaledObject {
        fallback: Some(Fallback {
            failure_threshold: 3,
            replicas: 4,
            behavior: FallbackBehavior::Static,
        }),
        ..plain.clone()
    };
    let seen = |current, is_active, last_active: Option<i64>| Seen {
        current,
        is_active,
        is_error: false,
        last_active: last_active.map(second),
        created: second(0),
    };
    let error = |seen: Seen| Seen { is_error: true, ..seen };
    let table = [
        ("wakes", &plain, seen(0, true, None), Step::Activate(1)),
        ("wakes to the least", &least_two, seen(0, true, None), Step::Activate(2)),
        ("wakes from idle", &idle, seen(1, true, None), Step::Activate(2)),
        ("the autoscaler decides", &plain, seen(3, true, None), Step::LeavesIt),
        ("cools down", &plain, seen(3, false, Some(800)), Step::CoolsDown(second(1100))),
        ("sleeps", &plain, seen(3, false, Some(699)), Step::Deactivate(0)),
        ("never active: no cooldown", &plain, seen(3, false, None), Step::Deactivate(0)),
        ("goes to idle", &idle, seen(3, false, Some(699)), Step::Deactivate(0)),
        ("does not sleep", &least_two, seen(3, false, Some(699)), Step::LeavesIt),
        ("somebody went below", &least_two, seen(1, false, None), Step::Restore(2)),
        ("sleeps already", &plain, seen(0, false, None), Step::LeavesIt),
        ("blind", &plain, error(seen(3, false, Some(0))), Step::Blind),
        ("blind, and waits to fall back", &safe, error(seen(3, false, Some(0))), Step::Blind),
        ("one active trigger is enough", &plain, error(seen(0, true, None)), Step::Activate(1)),
        ("paused", &paused(Paused::All), seen(0, true, None), Step::Paused),
        ("paused at five", &paused(Paused::At(5)), seen(5, false, Some(0)), Step::Paused),
        ("no way up", &paused(Paused::ScaleOut), seen(0, true, None), Step::Paused),
        ("no way down", &paused(Paused::ScaleIn), seen(3, false, Some(0)), Step::Paused),
        ("but up", &paused(Paused::ScaleIn), seen(0, true, None), Step::Activate(1)),
    ];
    for (case, object, seen, step) in table {
        assert_eq!(object.look(&seen, second(1000)), step, "{case}");
    }
    assert_eq!(plain.hpa_bounds(), (1, 100));
    assert!(plain.has_hpa() && !paused(Paused::All).has_hpa());
    assert!(plain.polls() && idle.polls() && !least_two.polls());
}

#[test]
fn a_trigger_is_active_above_its_threshold_only() {
    for (value, threshold, is_active) in [(0.0, 0.0, false), (0.1, 0.0, true), (5.0, 5.0, false)] {
        assert_eq!(keda::is_active(value, threshold), is_active, "{value} on {threshold}");
    }
}

#[test]
fn a_fallback_waits_for_its_failures() {
    let fallback = |behavior| Fallback { failure_threshold: 3, replicas: 6, behavior };
    let fixed = fallback(FallbackBehavior::Static);
    assert_eq!((fixed.after(3, 2), fixed.after(4, 2)), (None, Some(6)));
    assert_eq!(fallback(FallbackBehavior::CurrentReplicas).after(4, 2), Some(2));
    assert_eq!(fallback(FallbackBehavior::CurrentReplicasIfHigher).after(4, 9), Some(9));
    assert_eq!(fallback(FallbackBehavior::CurrentReplicasIfLower).after(4, 9), Some(6));
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let policy = (any::<bool>(), 1u32..200, 1u64..120).prop_map(|(is_pods, value, secs)| Policy {
        kind: if is_pods { PolicyKind::Pods } else { PolicyKind::Percent },
        value,
        period: Duration::from_secs(secs),
    });
    let select = prop_oneof![Just(Select::Max), Just(Select::Min), Just(Select::Disabled)];
    (0u64..120, select, prop::collection::vec(policy, 1..3)).prop_map(
        |(window, select, policies)| Rules {
            window: Duration::from_secs(window),
            select,
            policies,
        },
    )
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let behavior = prop::option::of(
        (any_rules(), any_rules())
            .prop_map(|(scale_up, scale_down)| Behavior { scale_up, scale_down }),
    );
    (1u32..5, 0u32..60, behavior).prop_map(|(min_replicas, more, behavior)| Spec {
        behavior,
        ..spec(min_replicas, min_replicas + more)
    })
}

proptest! {
    #[test]
    fn replicas_stay_within_bounds_and_disabled_stands_still(
        spec in any_spec(),
        wishes in prop::collection::vec(0u32..100, 1..40),
    ) {
        let (mut memory, mut current) = (Memory::default(), spec.min_replicas);
        for (n, wanted) in (0..).zip(wishes) {
            let now = At::from_secs(n * 15);
            let decision = sync(&spec, &mut memory, (current, &[proposes(wanted)]), now);
            let desired = decision.desired;
            prop_assert!((spec.min_replicas..=spec.max_replicas).contains(&desired), "{decision:?}");
            let Outcome::Computed(steps) = decision.outcome else { panic!("{decision:?}") };
            if let Some(behavior) = &spec.behavior {
                // Nothing is turned round: on the way to what is wanted, or where it is.
                let (least, most) = (current.min(wanted), current.max(wanted));
                prop_assert!((least..=most).contains(&steps.stabilized), "{decision:?}");
                prop_assert!(behavior.scale_up.select != Select::Disabled || desired <= current);
                prop_assert!(behavior.scale_down.select != Select::Disabled || current <= desired);
            }
            current = desired;
        }
    }

    #[test]
    fn more_usage_never_proposes_fewer(
        usages in prop::collection::vec(0i64..3000, 1..12),
        more in 0i64..3000,
        goal in 1i64..2000,
    ) {
        let pods: Vec<_> = usages.iter().map(|usage| ready(*usage)).collect();
        let n = u32::try_from(pods.len()).unwrap();
        let propose = |pods: &[PodUsage]| {
            propose(Target::AverageValue(goal), Usage::Pods(pods), n, PLAIN).unwrap().replicas
        };
        let busier: Vec<_> = usages.iter().map(|usage| ready(usage + more)).collect();
        prop_assert!(propose(&pods) <= propose(&busier));
        // What a status tells is what the controller reckoned with.
        let average = usages.iter().sum::<i64>() / i64::from(n);
        let told = Usage::Average { current: average, pods: n };
        let told = super::propose(Target::AverageValue(goal), told, n, PLAIN).unwrap();
        prop_assert_eq!(told.replicas, propose(&pods));
    }

    #[test]
    fn keda_never_acts_while_paused_and_wakes_only_what_sleeps(
        current in 0u32..9,
        is_active in any::<bool>(),
        is_error in any::<bool>(),
        last in prop::option::of(0i64..2_000_000_000),
        least in 0u32..4,
        idle in prop::option::of(0u32..2),
    ) {
        let object = ScaledObject {
            min_replica_count: least,
            idle_replica_count: idle.filter(|idle| *idle < least),
            ..ScaledObject::default()
        };
        let last_active = last.map(UnixMicros);
        let seen = Seen { current, is_active, is_error, last_active, created: UnixMicros(0) };
        let now = UnixMicros(1_000_000_000);
        match object.look(&seen, now) {
            Step::Activate(to) | Step::Restore(to) => prop_assert!(current < to),
            Step::Deactivate(to) => prop_assert!(to < current && !is_active),
            Step::CoolsDown(until) => prop_assert!(now.0 <= until.0 && !is_active),
            Step::Paused => prop_assert!(false, "nothing is paused"),
            Step::Blind => prop_assert!(is_error && !is_active),
            Step::LeavesIt => {}
        }
        let paused = ScaledObject { paused: Paused::All, ..object };
        prop_assert_eq!(paused.look(&seen, now), Step::Paused);
    }
}

#[test]
fn from_no_replica_nothing_wants_nothing_and_is_a_number() {
    let usage = Usage::Whole { usage: 0, status_replicas: 0, ready: 0 };
    let proposal = propose(Target::AverageValue(5000), usage, 0, Tolerance::default()).unwrap();
    assert_eq!((proposal.replicas, proposal.ratio, proposal.pods), (0, 0.0, 0));
}
