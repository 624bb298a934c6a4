//! metrics.k8s.io as a metrics-server answers it: a look at every pod each 15 s, and until the
//! next one the same answer.
//!
//! CPU is what was used between two looks, so a pod is listed from its second look on, and lingers
//! for one look after it has gone.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::clock::Clock;
use crate::sim::pod::Stage;
use crate::sim::resources;
use crate::sim::stamp;
use crate::sim::world::World;
use crate::units::At;
use crate::units::UnixMicros;

/// The answers that are given until the next look.
#[derive(Debug)]
pub(crate) struct Usage {
    clock: Clock,
    last: BTreeMap<Name, Look>,
    samples: BTreeMap<Name, Sample>,
}

type Name = (String, String);

/// What a look at a pod saw.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    at: At,
    wall: UnixMicros,
    containers: Vec<Container>,
}

/// What a look saw of a container.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) name: String,
    /// CPU time since it started.
    pub(crate) used: Duration,
    /// Working set in bytes.
    pub(crate) memory: u64,
}

/// What is answered for a pod.
#[derive(Debug, Clone)]
struct Sample {
    labels: Value,
    node: String,
    timestamp: String,
    window: Duration,
    /// Name, nanocores, bytes.
    containers: Vec<(String, u64, u64)>,
}

// === impl Usage ===

impl Usage {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, last: BTreeMap::new(), samples: BTreeMap::new() }
    }

    /// `PodMetrics` objects of all pods, or of those of a namespace.
    pub(crate) fn pods(&self, namespace: Option<&str>) -> Vec<Value> {
        let now = stamp::seconds(self.clock.wall());
        self.samples
            .iter()
            .filter(|((of, _), _)| namespace.is_none_or(|wanted| wanted == of))
            .map(|((namespace, name), sample)| {
                let containers: Vec<_> = sample
                    .containers
                    .iter()
                    .map(|(name, nanocores, bytes)| {
                        json!({ "name": name, "usage": quantities(*nanocores, *bytes) })
                    })
                    .collect();
                json!({
                    "kind": "PodMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
                    "metadata": {
                        "name": name, "namespace": namespace, "labels": sample.labels,
                        "creationTimestamp": now,
                    },
                    "timestamp": sample.timestamp, "window": go(sample.window),
                    "containers": containers,
                })
            })
            .collect()
    }

    /// `NodeMetrics` objects: the sums of their pods.
    pub(crate) fn nodes(&self) -> Vec<Value> {
        let now = stamp::seconds(self.clock.wall());
        let mut nodes: BTreeMap<&str, (u64, u64, &Sample)> = BTreeMap::new();
        for sample in self.samples.values() {
            let sum = nodes.entry(&sample.node).or_insert((0, 0, sample));
            for (_, nanocores, bytes) in &sample.containers {
                sum.0 += nanocores;
                sum.1 += bytes;
            }
        }
        nodes
            .into_iter()
            .map(|(name, (nanocores, bytes, sample))| {
                json!({
                    "kind": "NodeMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
                    "metadata": { "name": name, "creationTimestamp": now },
                    "timestamp": sample.timestamp, "window": go(sample.window),
                    "usage": quantities(nanocores, bytes),
                })
            })
            .collect()
    }

    fn look(&mut self, name: Name, look: Look, (labels, node): (Value, String)) {
        if let Some(before) = self.last.get(&name) {
            let window = look.at.since(before.at);
            let containers = look
                .containers
                .iter()
                .zip(&before.containers)
                .map(|(now, then)| {
                    let cores =
                        now.used.saturating_sub(then.used).as_secs_f64() / window.as_secs_f64();
                    (now.name.clone(), nanocores(cores), now.memory)
                })
                .collect();
            let timestamp = stamp::seconds(look.wall);
            let sample = Sample { labels, node, timestamp, window, containers };
            self.samples.insert(name.clone(), sample);
        }
        self.last.insert(name, look);
    }
}

/// Looks at all pods, each 15 s if the cluster is not asked to look at them more often.
pub(crate) async fn keep_looking(world: std::rc::Rc<World>) {
    loop {
        look_at_all(&world);
        // A kubelet's own measurements are not on the beat either.
        let jitter = world.plane.between((Duration::ZERO, Duration::from_millis(60)));
        tokio::time::sleep(world.spec.metric_resolution + jitter).await;
    }
}

fn look_at_all(world: &World) {
    let (at, wall) = (world.clock.at(), world.clock.wall());
    let mut seen = Vec::new();
    for deployed in world.all_revisions() {
        for pod in deployed.pods.borrow().values() {
            if matches!(pod.stage.get(), Stage::Pending | Stage::Terminating { was_running: false })
            {
                continue;
            }
            let name = (deployed.key().namespace.clone(), pod.name.clone());
            let in_flight = u64::from(pod.queue.in_flight());
            let idle = pod.queue.uptime().mul_f64(0.001);
            let containers = vec![
                Container {
                    name: "queue-proxy".to_owned(),
                    used: pod.sidecar.used() + idle,
                    memory: (26 << 20) + in_flight * (24 << 10),
                },
                Container {
                    name: "user-container".to_owned(),
                    used: pod.cpu.used() + idle,
                    memory: (12 << 20) + in_flight * (48 << 10),
                },
            ];
            seen.push((name, containers));
        }
    }
    for pod in world.system.borrow().iter() {
        let idle =
            pod.uptime(world.clock).mul_f64(if pod.app == "filler" { 0.0005 } else { 0.004 });
        let (used, memory) = match pod.app.as_str() {
            "activator" => (idle + world.plane.activator.used(), 48 << 20),
            _ => (idle, 36 << 20),
        };
        let container = Container { name: pod.app.clone(), used, memory };
        seen.push(((pod.namespace.clone(), pod.name.clone()), vec![container]));
    }
    let mut usage = world.usage.borrow_mut();
    // Who was not there at the last look has gone.
    let gone: Vec<_> =
        usage.samples.keys().filter(|name| !usage.last.contains_key(name)).cloned().collect();
    for name in gone {
        usage.samples.remove(&name);
    }
    usage.last.retain(|name, _| seen.iter().any(|(one, _)| one == name));
    for (name, containers) in seen {
        let object = world.get(&resources::PODS, &name.0, &name.1);
        let labels =
            object.as_ref().map_or(Value::Null, |object| object["metadata"]["labels"].clone());
        let node = object.as_ref().and_then(|object| object["spec"]["nodeName"].as_str());
        let node = node.unwrap_or_default().to_owned();
        usage.look(name, Look { at, wall, containers }, (labels, node));
    }
}

fn quantities(nanocores: u64, bytes: u64) -> Value {
    json!({ "cpu": format!("{nanocores}n"), "memory": format!("{}Ki", bytes >> 10) })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
fn nanocores(cores: f64) -> u64 {
    (cores * 1e9).clamp(0.0, 1e18) as u64
}

/// A span as Go prints it, to the millisecond: `15.04s`.
fn go(span: Duration) -> String {
    let millis = span.as_millis();
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_look_at_a_pod_is_the_first_answer() {
        let mut usage = Usage::new(Clock::start());
        let name = ("default".to_owned(), "pod".to_owned());
        let look = |at, millis| Look {
            at: At::from_millis(at),
            wall: UnixMicros(0),
            containers: vec![Container {
                name: "user-container".to_owned(),
                used: Duration::from_millis(millis),
                memory: 12 << 20,
            }],
        };
        usage.look(name.clone(), look(0, 0), (json!({}), "node-0".to_owned()));
        assert_eq!(usage.pods(None), Vec::<Value>::new());
        usage.look(name, look(15_040, 1504), (json!({}), "node-0".to_owned()));
        let answer = &usage.pods(Some("default"))[0];
        assert_eq!(answer["window"], "15.04s");
        assert_eq!(
            answer["containers"][0]["usage"],
            json!({ "cpu": "100000000n", "memory": "12288Ki" })
        );
        assert_eq!(usage.nodes()[0]["usage"]["cpu"], "100000000n");
        assert_eq!(usage.pods(Some("other")), Vec::<Value>::new());
    }
}
