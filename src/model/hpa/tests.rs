use super::*;
use crate::event::cluster::Deployment;
use crate::event::cluster::Id;
use crate::event::cluster::PodAutoscaler;

fn id(name: &str) -> Id {
    Id { namespace: "default".to_owned(), name: name.to_owned(), uid: name.to_owned() }
}

fn name(name: &str) -> Name {
    Name { namespace: "default".to_owned(), name: name.to_owned() }
}

fn deployment(of: &str) -> (String, String) {
    ("Deployment".to_owned(), of.to_owned())
}

fn cpu(current: Option<u32>) -> Metric {
    Metric {
        kind: MetricKind::Resource,
        name: "cpu".to_owned(),
        target_utilization: Some(50),
        current_utilization: current,
        ..Metric::default()
    }
}

fn external(average: &str, target: &str) -> Metric {
    Metric {
        kind: MetricKind::External,
        name: "s0-prometheus".to_owned(),
        target_average: Some(Amount(target.to_owned())),
        current_average: Some(Amount(average.to_owned())),
        ..Metric::default()
    }
}

fn autoscaler(replicas: (u32, u32), metrics: Vec<Metric>) -> HorizontalPodAutoscaler {
    HorizontalPodAutoscaler {
        id: id("hello-00001"),
        target: deployment("hello-00001-deployment"),
        min_replicas: Some(1),
        max_replicas: Some(10),
        metrics,
        current_replicas: Some(replicas.0),
        desired_replicas: Some(replicas.1),
        ..HorizontalPodAutoscaler::default()
    }
}

fn scaling(hpas: &Hpas) -> &HpaScaling {
    hpas.get(&name("hello-00001")).unwrap()
}

#[test]
fn what_a_metric_proposed_is_reckoned_from_its_average() {
    // Current replicas, ready pods, metric, proposal.
    let table = [
        (1, 1, cpu(Some(746)), Some(15)),
        (3, 2, cpu(Some(100)), Some(4)),
        (2, 2, cpu(Some(52)), Some(2)),
        (1, 1, cpu(None), None),
        (3, 3, external("9604m", "5"), Some(6)),
        // 20 of three pods: 6667m each, rounded up, are not more than 20.
        (3, 3, external("6667m", "5"), Some(4)),
        (1, 1, external("33m", "5"), Some(1)),
        (1, 1, external("0", "5"), Some(0)),
        (1, 1, external("many", "5"), None),
    ];
    for (current, ready, metric, expected) in table {
        let mut hpas = Hpas::default();
        let case = format!("{metric:?}");
        hpas.seen(At::ZERO, &autoscaler((current, current), vec![metric]), Some(ready));
        assert_eq!(scaling(&hpas).wanted(), expected, "{case}");
    }
}

#[test]
fn the_lines_follow_the_status_and_break_where_it_is_gone() {
    let mut hpas = Hpas::default();
    let at = At::from_secs;
    hpas.seen(at(1), &autoscaler((1, 4), vec![cpu(Some(746))]), Some(1));
    hpas.seen(at(16), &autoscaler((4, 4), vec![cpu(None)]), Some(4));
    let known = scaling(&hpas);
    assert_eq!(known.metrics[0].current.at(at(2), None), Some(746.0));
    assert_eq!(known.metrics[0].current.at(at(17), None), None, "unknown is not zero");
    assert_eq!(known.metrics[0].target.at(at(17), None), Some(50.0));
    assert_eq!((known.desired.at(at(2), None), known.leading()), (Some(4.0), None));
    hpas.gone(at(20), &name("hello-00001"));
    assert_eq!(scaling(&hpas).current.at(at(21), None), None);
}

#[test]
fn the_end_of_a_window_is_reckoned_from_the_proposals_seen() {
    let mut hpas = Hpas::default();
    let at = At::from_secs;
    let busy = autoscaler((8, 8), vec![cpu(Some(50))]);
    let idle = autoscaler((8, 8), vec![cpu(Some(5))]);
    hpas.seen(at(10), &busy, Some(8));
    assert_eq!(scaling(&hpas).held_until(&busy), None, "nothing less is wanted");
    hpas.seen(at(40), &idle, Some(8));
    // Until 40 eight were wanted: for so long that window holds.
    assert_eq!(scaling(&hpas).held_until(&idle), Some(at(340)));
    let short = HorizontalPodAutoscaler {
        behavior: Some(SeenBehavior {
            scale_up: None,
            scale_down: Some(SeenRules { window_s: Some(20), ..SeenRules::default() }),
        }),
        ..idle
    };
    assert_eq!(scaling(&hpas).held_until(&short), Some(at(60)));
    assert_eq!(spec(&short).behavior.unwrap().scale_down.policies, Rules::down().policies);
}

#[test]
fn the_class_is_known_by_who_scales() {
    let mut cluster = Cluster::default();
    let revision = name("hello-00001");
    assert_eq!(cluster.class_of(&revision), None);
    let mut put = |class: &str| {
        let class = class.to_owned();
        let autoscaler = PodAutoscaler { id: id("hello-00001"), class, ..PodAutoscaler::default() };
        cluster.autoscalers.insert(revision.clone(), autoscaler);
        cluster.class_of(&revision)
    };
    assert_eq!(put("kpa.autoscaling.knative.dev"), Some(Class::Kpa));
    assert_eq!(put(""), Some(Class::Kpa));
    assert_eq!(put("hpa.autoscaling.knative.dev"), Some(Class::Hpa));
    let target = deployment("hello-00001-deployment");
    let object = ScaledObject { id: id("any"), target, ..ScaledObject::default() };
    cluster.scaled_objects.insert(name("any"), object);
    assert_eq!(cluster.class_of(&revision), Some(Class::Keda));
}

#[test]
fn an_autoscaler_belongs_to_what_it_targets() {
    let mut cluster = Cluster::default();
    let plain = HorizontalPodAutoscaler {
        id: id("keda-hpa-web"),
        target: deployment("web"),
        ..HorizontalPodAutoscaler::default()
    };
    cluster.hpas.insert(name("keda-hpa-web"), plain);
    assert!(cluster.hpa_of(&name("web")).is_some());
    assert!(cluster.hpa_of(&name("other")).is_none());
    // A long name is shortened with a hash, so only its label tells whose it is.
    let own = Deployment {
        id: id("web"),
        revision: Some("a-very-long-revision".to_owned()),
        ..Deployment::default()
    };
    cluster.deployments.insert(name("web"), own);
    assert!(cluster.hpa_of(&name("web")).is_none());
    assert!(cluster.hpa_of(&name("a-very-long-revision")).is_some());
}

#[test]
fn what_keda_does_next_is_known_from_its_status() {
    let second = |n: i64| UnixMicros(n * 1_000_000);
    let condition = |status| Condition { status, ..Condition::default() };
    let scaled = |is_active: bool, pauses: &[(&str, &str)]| ScaledObject {
        active: condition(if is_active { Status::True } else { Status::False }),
        ready: condition(Status::True),
        cooldown_period_s: Some(30),
        last_active: Some(second(980)),
        pauses: pauses.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..ScaledObject::default()
    };
    let table = [
        (scaled(true, &[]), 3, Step::LeavesIt),
        (scaled(true, &[]), 0, Step::Activate(1)),
        (scaled(false, &[]), 3, Step::CoolsDown(second(1010))),
        (scaled(false, &[("paused", "true")]), 3, Step::Paused),
        (scaled(false, &[("paused", "false")]), 3, Step::CoolsDown(second(1010))),
        (scaled(true, &[("paused-replicas", "5")]), 3, Step::Paused),
        (scaled(false, &[("paused-scale-in", "")]), 3, Step::Paused),
    ];
    for (scaled, current, step) in table {
        assert_eq!(next_step(&scaled, current, second(1000)), step, "{scaled:?}");
    }
    let at = scaled(true, &[("paused", "false"), ("paused-replicas", "5")]);
    assert_eq!(keda(&at).paused, Paused::At(5));
    let blind = ScaledObject { ready: condition(Status::False), ..scaled(false, &[]) };
    assert_eq!(next_step(&blind, 3, second(1000)), Step::Blind);
}
