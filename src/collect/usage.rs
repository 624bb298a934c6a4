//! CPU and memory of the pods, from `metrics.k8s.io`.
//!
//! A metrics-server repeats a sample until it has a new one; only what has a new stamp is told.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use kube::Client;
use serde_json::Value;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::bus::Sender;
use crate::event::Event;
use crate::event::cluster::Name;
use crate::event::scaler::ContainerUsage;
use crate::event::scaler::Usage;
use crate::units::Quantity;
use crate::units::UnixMicros;
use crate::units::clean;
use crate::units::parse_go_duration;

use super::fetch::Door;
use super::fetch::FetchError;
use super::health::Health;
use super::health::Trouble;
use super::knative::MAX_NAME;

/// How often the list is asked for.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
/// Where the API's versions stand.
const GROUP: &str = "/apis/metrics.k8s.io";
/// Containers of a pod that are read.
const CONTAINERS_MAX: usize = 50;
/// What brings the API.
pub(crate) const REMEDY: &str = "install metrics-server: `kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml`";

/// Reads the usage of all pods of revisions until asked to stop.
pub(crate) struct UsageList {
    /// Asks the API server, metered.
    pub(crate) client: Client,
    /// The namespace; `None` is all.
    pub(crate) namespace: Option<String>,
    /// The labels of the pods.
    pub(crate) labels: String,
    /// Where samples go.
    pub(crate) sender: Sender,
    /// The account of this source.
    pub(crate) health: Health,
}

impl UsageList {
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let door = Door::ApiServer(self.client.clone());
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut version = None;
        let mut told = HashMap::<Name, UnixMicros>::new();
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => {}
            }
            let began = self.health.now();
            match self.read(&door, &mut version).await {
                Ok(list) => {
                    let (fresh, n_not_understood) = fresh(&list, &mut told);
                    for usage in fresh {
                        self.sender.offer(Event::Usage(usage));
                    }
                    let took = self.health.now().since(began);
                    self.health.ok(Some(took), n_not_understood).await;
                }
                Err(trouble) => {
                    version = None;
                    self.health.trouble(trouble).await;
                }
            }
        }
    }

    async fn read(&self, door: &Door, version: &mut Option<String>) -> Result<Value, Trouble> {
        if version.is_none() {
            let group = self.get(door, GROUP).await?;
            let preferred = group.pointer("/preferredVersion/version").and_then(Value::as_str);
            *version = Some(clean(preferred.unwrap_or("v1beta1"), MAX_NAME));
        }
        let version = version.as_deref().unwrap_or("v1beta1");
        let place = self
            .namespace
            .as_ref()
            .map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
        // What a query has no place for must be written as a code.
        let label = self.labels.replace('/', "%2F").replace('=', "%3D").replace(',', "%2C");
        self.get(door, &format!("{GROUP}/{version}{place}/pods?labelSelector={label}")).await
    }

    async fn get(&self, door: &Door, path: &str) -> Result<Value, Trouble> {
        let body = door.get(path, "application/json").await.map_err(|error| trouble(&error))?;
        serde_json::from_slice(&body).map_err(|error| Trouble::failing(error.to_string()))
    }
}

fn trouble(error: &FetchError) -> Trouble {
    if error.is_denied() {
        return Trouble::denied(
            "may not list pods of metrics.k8s.io",
            "check with `kubectl auth can-i list pods.metrics.k8s.io`",
        );
    }
    if error.is_not_found() {
        return Trouble::absent("this cluster has no metrics.k8s.io", REMEDY);
    }
    Trouble::failing(error.to_string())
}

/// The samples with a stamp that was not told before, an empty one for each pod that is not
/// measured any more, and how many could not be read.
fn fresh(list: &Value, told: &mut HashMap<Name, UnixMicros>) -> (Vec<Usage>, u64) {
    let mut n_not_understood = 0;
    let mut usages = Vec::new();
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    for item in items {
        let Some(usage) = usage(item) else {
            n_not_understood += 1;
            continue;
        };
        if let Some(timestamp) = usage.timestamp
            && told.insert(usage.pod.clone(), timestamp) != Some(timestamp)
        {
            usages.push(usage);
        }
    }
    // What is not listed any more is not measured any more, and its last sample says nothing.
    let listed: std::collections::HashSet<_> =
        items.iter().filter_map(usage).map(|usage| usage.pod).collect();
    told.retain(|pod, _| {
        let is_listed = listed.contains(pod);
        if !is_listed {
            usages.push(Usage { pod: pod.clone(), ..Usage::default() });
        }
        is_listed
    });
    (usages, n_not_understood)
}

fn usage(item: &Value) -> Option<Usage> {
    let text = |path: &str| item.pointer(path).and_then(Value::as_str);
    let quantity = |container: &Value, name: &str| -> Option<Quantity> {
        container["usage"][name].as_str()?.parse().ok()
    };
    let (mut all, mut containers) = (None, Vec::new());
    for container in item["containers"].as_array()?.iter().take(CONTAINERS_MAX) {
        let (Some(name), Some(cpu), Some(memory)) =
            (container["name"].as_str(), quantity(container, "cpu"), quantity(container, "memory"))
        else {
            continue;
        };
        all = Some(all.map_or(cpu, |all| cpu + all));
        let (cpu, memory) = (cpu.millicores(), memory.bytes());
        containers.push(ContainerUsage { name: clean(name, MAX_NAME), cpu, memory });
    }
    Some(Usage {
        pod: Name {
            namespace: clean(text("/metadata/namespace")?, MAX_NAME),
            name: clean(text("/metadata/name")?, MAX_NAME),
        },
        timestamp: Some(UnixMicros::parse(text("/timestamp")?)?),
        window_s: text("/window").and_then(parse_go_duration).map_or(0.0, |w| w.as_secs_f64()),
        cpu: all.map(Quantity::millicores),
        containers,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::units::Bytes;
    use crate::units::Millicores;

    #[test]
    fn a_repeated_sample_is_told_once() {
        let list = |stamp: &str, cpu: &str| {
            json!({"items": [
                {"metadata": {"namespace": "a", "name": "b"}, "timestamp": stamp, "window": "15.04s",
                 "containers": [{"name": "c", "usage": {"cpu": cpu, "memory": "24860Ki"}}]},
                {"metadata": {"name": "broken"}},
            ]})
        };
        let mut told = HashMap::new();
        let (usages, n_not_understood) = fresh(&list("1970-01-01T00:00:01Z", "1n"), &mut told);
        assert_eq!((usages.len(), n_not_understood), (1, 1));
        assert_eq!(usages[0].containers[0].cpu, Millicores(1), "rounded up as kubectl top does");
        assert_eq!(usages[0].containers[0].memory, Bytes(24_860 * 1024));
        assert!((usages[0].window_s - 15.04).abs() < 1e-9);
        assert_eq!(fresh(&list("1970-01-01T00:00:01Z", "2n"), &mut told).0.len(), 0);
        assert_eq!(fresh(&list("1970-01-01T00:00:16Z", "2n"), &mut told).0.len(), 1);
        let (usages, _) = fresh(&json!({}), &mut told);
        assert_eq!(usages.len(), 1, "a pod that is measured no more is told");
        assert!(usages[0].timestamp.is_none() && usages[0].containers.is_empty());
        assert!(told.is_empty(), "and forgotten");
        assert_eq!(fresh(&json!({}), &mut told).0.len(), 0);
    }

    #[test]
    fn the_cpu_of_a_pod_is_rounded_up_once() {
        let container =
            |name: &str, cpu: &str| json!({"name": name, "usage": {"cpu": cpu, "memory": "1Ki"}});
        let pod = json!({
            "metadata": {"namespace": "a", "name": "b"}, "timestamp": "1970-01-01T00:00:01Z",
            "containers": [container("app", "1200000n"), container("queue-proxy", "2300u")],
        });
        let usage = usage(&pod).unwrap();
        assert_eq!(usage.cpu, Some(Millicores(4)), "3.5 m, as kubectl top has it");
        let each: Vec<_> = usage.containers.iter().map(|container| container.cpu).collect();
        assert_eq!(each, [Millicores(2), Millicores(3)]);
    }
}
