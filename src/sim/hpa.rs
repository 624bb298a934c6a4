//! Class `hpa.autoscaling.knative.dev`: what Knative's autoscaler-hpa makes of a revision, and the
//! `HorizontalPodAutoscaler` controller that acts on it.
//!
//! A revision of this class never goes to zero, and its way leads straight to the pods. CPU comes
//! from metrics.k8s.io, as slow as that is; every other metric is the mean concurrency of the pods,
//! since that is what an embedded pod can tell of itself.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::hpa;
use crate::hpa::Invalid;
use crate::hpa::Limit;
use crate::hpa::Memory;
use crate::hpa::Outcome;
use crate::hpa::Proposal;
use crate::hpa::Stabilized;
use crate::hpa::Target;
use crate::hpa::Tolerance;
use crate::hpa::Usage;
use crate::hpa::limits::Behavior;
use crate::hpa::limits::Rules;
use crate::hpa::proposal::CpuPod;
use crate::hpa::proposal::PodUsage;
use crate::hpa::proposal::Standing;
use crate::kpa::Mode;
use crate::kpa::reconcile::Active;
use crate::sim::conditions;
use crate::sim::conditions::Condition;
use crate::sim::pod::Pod;
use crate::sim::pod::Stage;
use crate::sim::replicas;
use crate::sim::resources;
use crate::sim::task;
use crate::sim::world::Deployed;
use crate::sim::world::World;
use crate::units::Quantity;
use crate::units::UnixMicros;
use crate::units::parse_go_duration;

/// `--horizontal-pod-autoscaler-sync-period`.
const SYNC: Duration = Duration::from_secs(15);
/// What a pod of ours requests of CPU, in thousandths: the user's container and the queue-proxy.
const REQUEST: i64 = 50 + 25;

/// Whether these annotations ask for this class.
pub(crate) fn is_class(annotations: &BTreeMap<String, String>) -> bool {
    annotations.get("class").is_some_and(|class| class.starts_with("hpa."))
}

/// The `HorizontalPodAutoscaler` of a revision, owned by `meta`'s owner.
pub(crate) fn object(
    (meta, target): (Value, Value),
    annotations: &BTreeMap<String, String>,
) -> Value {
    let number = |key: &str| annotations.get(key).and_then(|text| text.parse::<f64>().ok());
    let count = |key: &str| annotations.get(key).and_then(|text| text.parse::<u32>().ok());
    let mut spec = json!({
        "scaleTargetRef": target,
        "maxReplicas": count("max-scale").filter(|n| *n != 0).unwrap_or(i32::MAX.unsigned_abs()),
        "metrics": [metric(annotations.get("metric").map_or("cpu", String::as_str), number("target"))],
    });
    if let Some(least) = count("min-scale").filter(|n| *n != 0) {
        spec["minReplicas"] = least.into();
    } else {
        spec["minReplicas"] = 1.into();
    }
    if let Some(window) = annotations.get("window").and_then(|text| parse_go_duration(text)) {
        let secs = window.as_secs();
        let rules = |policies: Value| {
            json!({
                "stabilizationWindowSeconds": secs, "selectPolicy": "Max", "policies": policies,
            })
        };
        let percent = json!({ "type": "Percent", "value": 100, "periodSeconds": 15 });
        let pods = json!({ "type": "Pods", "value": 4, "periodSeconds": 15 });
        spec["behavior"] = json!({
            "scaleUp": rules(json!([pods, percent])), "scaleDown": rules(json!([percent])),
        });
    }
    json!({ "metadata": meta, "spec": spec, "status": { "desiredReplicas": 0 } })
}

/// One metric of a spec. Without a target Kubernetes takes 80 % of the CPU.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn metric(name: &str, target: Option<f64>) -> Value {
    let resource = |target: Value| json!({ "type": "Resource", "resource": { "name": name, "target": target } });
    match (name, target) {
        ("cpu", target) => {
            let percent = target.unwrap_or(80.0).ceil() as u64;
            resource(json!({ "type": "Utilization", "averageUtilization": percent }))
        }
        ("memory", target) => {
            let mebi = target.unwrap_or(100.0) as u64;
            resource(json!({ "type": "AverageValue", "averageValue": format!("{mebi}Mi") }))
        }
        (name, target) => json!({
            "type": "Pods",
            "pods": {
                "metric": { "name": name },
                "target": {
                    "type": "AverageValue",
                    "averageValue": (target.unwrap_or(1.0) as u64).to_string(),
                },
            },
        }),
    }
}

/// Looks after a revision of this class until it is gone.
pub(crate) fn start(world: &Rc<World>, deployed: &Rc<Deployed>) {
    deployed.mode.set(Mode::Serve);
    deployed.n_activators.set(0);
    deployed.revision.set_serving(true);
    let (world, deployed) = (Rc::clone(world), Rc::clone(deployed));
    task::detach(async move {
        let mut memory = Memory::default();
        while !deployed.revision.is_gone() {
            sync(&world, &deployed, &mut memory);
            tokio::time::sleep(SYNC).await;
        }
    });
}

/// One look of the controller: metrics, replicas, status.
fn sync(world: &Rc<World>, deployed: &Rc<Deployed>, memory: &mut Memory) {
    let key = deployed.key();
    let place = (key.namespace.as_str(), key.name.as_str());
    let Some(object) = world.get(&resources::HPAS, place.0, place.1) else { return };
    let spec = spec_of(&object);
    let current = deployed.replicas.get();
    let metrics: Vec<Value> = object["spec"]["metrics"].as_array().cloned().unwrap_or_default();
    let read: Vec<_> =
        metrics.iter().map(|metric| read(world, deployed, metric, current)).collect();
    let proposals: Vec<_> = read.iter().map(|(proposal, _)| *proposal).collect();
    let decision = hpa::sync(&spec, memory, (current, &proposals), world.clock.at());
    if decision.desired != current {
        let why = if current < decision.desired { "above target" } else { "below target" };
        let message = format!("New size: {}; reason: {why}", decision.desired);
        world.event(&object, "horizontal-pod-autoscaler", "SuccessfulRescale", &message);
        replicas::scale(world, deployed, decision.desired);
    }
    let now = world.now();
    let statuses: Vec<Value> = read.into_iter().map(|(_, status)| status).collect();
    world.modify(&resources::HPAS, place, |object| {
        let wanted = conditions_of(decision.outcome, decision.desired != current);
        let conditions = conditions::render(&object["status"], &now, &wanted);
        let mut status = json!({
            "desiredReplicas": decision.desired,
            "currentMetrics": statuses, "conditions": conditions,
            "observedGeneration": object["metadata"]["generation"],
        });
        // The field is left out where it is zero.
        if 0 < current {
            status["currentReplicas"] = current.into();
        }
        status["lastScaleTime"] = if decision.desired == current {
            object["status"]["lastScaleTime"].clone()
        } else {
            now.clone().into()
        };
        object["status"] = status;
    });
    let mut status = deployed.autoscaler.get();
    status.desired_scale = Some(decision.desired);
    status.actual_scale = current;
    (status.active, status.initialized) = (Active::Active, true);
    deployed.autoscaler.set(status);
    world.touch(key);
}

fn spec_of(object: &Value) -> hpa::Spec {
    let count = |path: &str| {
        object.pointer(path).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
    };
    let window = |direction: &str, rules: Rules| Rules {
        window: count(&format!("/spec/behavior/{direction}/stabilizationWindowSeconds"))
            .map_or(rules.window, |secs| Duration::from_secs(secs.into())),
        ..rules
    };
    hpa::Spec {
        min_replicas: count("/spec/minReplicas").unwrap_or(1),
        max_replicas: count("/spec/maxReplicas").unwrap_or(1),
        behavior: object["spec"]["behavior"].is_object().then(|| Behavior {
            scale_up: window("scaleUp", Rules::up()),
            scale_down: window("scaleDown", Rules::down()),
        }),
        tolerance: Tolerance::default(),
    }
}

/// What a metric proposes, and what the status says of it; empty if it says nothing.
fn read(
    world: &World,
    deployed: &Deployed,
    metric: &Value,
    current: u32,
) -> (Result<Proposal, Invalid>, Value) {
    let tolerance = Tolerance::default();
    if metric["type"] == "Resource" && metric["resource"]["name"] == "cpu" {
        let percent = metric["resource"]["target"]["averageUtilization"].as_u64().unwrap_or(80);
        let target = Target::Utilization(u32::try_from(percent).unwrap_or(u32::MAX));
        let pods = cpu_of_pods(world, deployed);
        let proposal = hpa::propose(target, Usage::Pods(&pods), current, tolerance);
        let status = average(&pods).map_or_else(nothing, |milli| {
            json!({ "type": "Resource", "resource": { "name": "cpu", "current": {
                "averageUtilization": milli * 100 / REQUEST, "averageValue": thousandths(milli),
            } } })
        });
        return (proposal, status);
    }
    let goal = metric["pods"]["target"]["averageValue"].as_str();
    let goal = goal.and_then(|text| text.parse::<Quantity>().ok()).map(milli);
    let pods = concurrency_of_pods(deployed);
    let target = Target::AverageValue(goal.unwrap_or(0));
    let proposal = hpa::propose(target, Usage::Pods(&pods), current, tolerance);
    let status = average(&pods).map_or_else(nothing, |milli| {
        json!({ "type": "Pods", "pods": {
            "metric": metric["pods"]["metric"], "current": { "averageValue": thousandths(milli) },
        } })
    });
    (proposal, status)
}

fn nothing() -> Value {
    json!({ "type": "" })
}

/// The mean of the pods that count.
fn average(pods: &[PodUsage]) -> Option<i64> {
    let counted = pods.iter().filter(|pod| pod.standing == Standing::Ready);
    let usages: Vec<i64> = counted.filter_map(|pod| pod.usage).collect();
    usages.iter().sum::<i64>().checked_div(i64::try_from(usages.len()).unwrap_or(i64::MAX))
}

/// As Kubernetes writes it: `9604m`, `5`.
fn thousandths(milli: i64) -> String {
    if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn milli(quantity: Quantity) -> i64 {
    (quantity.value() * 1000.0 - 1e-6).ceil().clamp(0.0, 9e18) as i64
}

fn standing(pod: &Pod) -> Standing {
    match pod.stage.get() {
        Stage::Terminating { .. } => Standing::Ignored,
        Stage::Pending => Standing::Unready,
        Stage::Running | Stage::Ready => Standing::Ready,
    }
}

fn concurrency_of_pods(deployed: &Deployed) -> Vec<PodUsage> {
    let pods = deployed.pods.borrow();
    #[expect(clippy::cast_possible_truncation, reason = "requests in flight are few")]
    let usage = |pod: &Pod| (pod.queue.last().average * 1000.0).round() as i64;
    let of = |pod: &Rc<Pod>| PodUsage {
        usage: (pod.stage.get() == Stage::Ready).then(|| usage(pod)),
        request: 0,
        standing: standing(pod),
    };
    pods.values().map(of).collect()
}

fn cpu_of_pods(world: &World, deployed: &Deployed) -> Vec<PodUsage> {
    let samples = world.usage.borrow().pods(Some(&deployed.key().namespace));
    let (wall, anchor) = (world.clock.wall(), world.clock.anchor());
    let pods = deployed.pods.borrow();
    let of = |pod: &Rc<Pod>| {
        let sample = samples.iter().find(|sample| sample["metadata"]["name"] == *pod.name);
        let usage = sample.map(|sample| {
            let containers = sample["containers"].as_array().into_iter().flatten();
            let cores = containers.filter_map(|one| one["usage"]["cpu"].as_str()?.parse().ok());
            cores.map(milli).sum()
        });
        let taken = sample.and_then(|sample| {
            let stamp = UnixMicros::parse(sample["timestamp"].as_str()?)?;
            Some((stamp, parse_go_duration(sample["window"].as_str()?)?))
        });
        let standing = match (standing(pod), taken) {
            (Standing::Ready, Some(sample)) => {
                let started = pod.started.get().map(|at| anchor.wall(at));
                let since = pod.ready_since.get().or(pod.started.get());
                let ready = since.map(|at| (pod.stage.get() == Stage::Ready, anchor.wall(at)));
                CpuPod { started, ready, sample }.standing(wall)
            }
            (standing, _) => standing,
        };
        PodUsage { usage, request: REQUEST, standing }
    };
    pods.values().map(of).collect()
}

/// The conditions that the controller writes.
fn conditions_of(outcome: Outcome, is_rescaled: bool) -> Vec<Condition> {
    let yes = |kind, why| Condition { why, ..Condition::yes(kind) };
    let ready = ("ReadyForNewScale", "recommended size matches current size");
    let rescaled = ("SucceededRescale", "the HPA controller was able to update the target scale");
    let mut able = if is_rescaled { rescaled } else { ready };
    let mut all = Vec::new();
    match outcome {
        Outcome::ScalingDisabled => {
            let why = ("ScalingDisabled", "scaling is disabled since the replica count is zero");
            all.push(Condition::no("ScalingActive", why));
        }
        Outcome::InvalidMetrics { .. } => {
            let why =
                ("FailedGetResourceMetric", "the HPA was unable to compute the replica count");
            all.push(Condition::no("ScalingActive", why));
        }
        Outcome::AboveMaxReplicas | Outcome::BelowMinReplicas => {}
        Outcome::Computed(steps) => {
            let why = ("ValidMetricFound", "the HPA was able to calculate a replica count");
            all.push(yes("ScalingActive", why));
            all.push(match steps.limit {
                None => Condition::no(
                    "ScalingLimited",
                    ("DesiredWithinRange", "the desired count is within the acceptable range"),
                ),
                Some(limit) => yes("ScalingLimited", (limit.reason(), words(limit))),
            });
            able = match steps.stabilization {
                _ if is_rescaled => able,
                None => able,
                Some(Stabilized::Up) => ("ScaleUpStabilized", "less was wanted a while ago"),
                Some(Stabilized::Down) => ("ScaleDownStabilized", "more was wanted a while ago"),
            };
        }
    }
    all.push(yes("AbleToScale", able));
    all
}

const fn words(limit: Limit) -> &'static str {
    match limit {
        Limit::TooFewReplicas => "the desired replica count is less than the minimum replica count",
        Limit::TooManyReplicas => {
            "the desired replica count is more than the maximum replica count"
        }
        Limit::ScaleUpLimit => "the desired replica count is increasing faster than allowed",
        Limit::ScaleDownLimit => "the desired replica count is decreasing faster than allowed",
    }
}
