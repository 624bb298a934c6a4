//! What can be seen of a cluster, and what would mend the rest: the checks of `doctor`.

use std::time::Duration;

use kube::Client;
use serde_json::Value;
use serde_json::json;

use crate::clock::Clock;
use crate::units::clean;

use super::fetch::Door;
use super::fetch::FetchError;
use super::fetch::TEXT;
use super::kubeconfig::Cluster;
use super::kubeconfig::words;
use super::scrape::proxy_path;
use super::usage;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, as `API server` or `may watch pods`.
    pub name: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, in one line.
    pub detail: String,
    /// The command or setting that mends it; empty if nothing needs mending.
    pub remedy: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Something will be missing on the screen.
    Poor,
    /// Nothing can be watched.
    Bad,
}

/// A right that the hands need.
struct Right {
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verbs: &'static [&'static str],
    /// In Knative's own namespace rather than in that of the services.
    is_system: bool,
}

const fn right(
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verbs: &'static [&'static str],
    is_system: bool,
) -> Right {
    Right { group, resource, subresource, verbs, is_system }
}

const READ: &[&str] = &["get", "list", "watch"];

/// Every right that a source uses, once.
const RIGHTS: &[Right] = &[
    right("", "pods", "", READ, false),
    right("", "pods", "proxy", &["get"], false),
    right("", "events", "", READ, false),
    right("apps", "deployments", "", READ, false),
    right("serving.knative.dev", "services", "", READ, false),
    right("serving.knative.dev", "revisions", "", READ, false),
    right("autoscaling.internal.knative.dev", "podautoscalers", "", READ, false),
    right("networking.internal.knative.dev", "serverlessservices", "", READ, false),
    right("autoscaling", "horizontalpodautoscalers", "", READ, false),
    right("keda.sh", "scaledobjects", "", READ, false),
    right("metrics.k8s.io", "pods", "", &["get", "list"], false),
    right("", "pods", "", READ, true),
    right("", "pods", "proxy", &["get"], true),
    right("", "pods", "log", &["get"], true),
    right("", "configmaps", "", READ, true),
    right("apps", "deployments", "", READ, true),
    right("coordination.k8s.io", "leases", "", &["get", "list"], true),
];

/// The kinds of Knative that are read, by their API.
const KNATIVE_APIS: [&str; 3] = [
    "/apis/serving.knative.dev/v1",
    "/apis/autoscaling.internal.knative.dev/v1alpha1",
    "/apis/networking.internal.knative.dev/v1alpha1",
];

impl Finding {
    pub(crate) fn new(
        name: impl Into<String>,
        verdict: Verdict,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            verdict,
            detail: clean(&detail.into(), 300),
            remedy: String::new(),
        }
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

/// Looks at everything that the hands will need in a namespace (`None` is all). Nothing is
/// changed; the answers come in the order in which a person would want them.
pub async fn examine(
    cluster: &Cluster,
    namespace: Option<&str>,
    system: &str,
    clock: Clock,
) -> Vec<Finding> {
    let door = Door::ApiServer(cluster.client.clone());
    let (finding, is_reachable) = api_server(&door, cluster, clock).await;
    let mut findings = vec![finding];
    if !is_reachable {
        return findings;
    }
    findings.extend(rights(&cluster.client, namespace, system).await);
    findings.push(knative_apis(&door).await);
    findings.push(knative_version(&door, system).await);
    findings.push(metrics_api(&door).await);
    findings.extend(panic_sources(&door, system).await);
    findings.push(super::gateway::finding(cluster).await);
    findings
}

/// Looks whether a Prometheus server can stand in for the scrapes.
pub async fn prometheus(cluster: &Cluster, url: &str, system: &str) -> Finding {
    let (base, _) = super::prometheus::place(url);
    let door = if super::prometheus::is_in_cluster(url) {
        Door::ApiServer(cluster.client.clone())
    } else {
        super::straight(&super::meter::Meter::default())
    };
    super::prometheus::examine(&door, &base, system).await
}

async fn api_server(door: &Door, cluster: &Cluster, clock: Clock) -> (Finding, bool) {
    let began = clock.at();
    let answer = json_at(door, "/version").await;
    let took = clock.at().since(began);
    match answer {
        Ok(version) => {
            let version = version["gitVersion"].as_str().unwrap_or("of unknown version");
            let detail = format!(
                "{} answers in {} ms; Kubernetes {version}; context {}, namespace {}",
                cluster.server,
                took.as_millis(),
                cluster.context,
                cluster.namespace
            );
            let verdict = if took < Duration::from_secs(1) { Verdict::Good } else { Verdict::Poor };
            (Finding::new("API server", verdict, detail), true)
        }
        Err(error) => {
            let remedy = format!("kubectl --context {} version", cluster.context);
            let detail = format!("{}: {error}", cluster.server);
            (Finding::new("API server", Verdict::Bad, detail).remedy(remedy), error.is_denied())
        }
    }
}

/// Asks the API server itself, verb by verb.
async fn rights(client: &Client, namespace: Option<&str>, system: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for right in RIGHTS {
        let place = if right.is_system { Some(system) } else { namespace };
        let asked = right.verbs.iter().map(|verb| may(client, right, verb, place));
        let answers = futures::future::join_all(asked).await;
        findings.push(right_finding(right, place, &answers));
    }
    findings
}

fn right_finding(
    right: &Right,
    place: Option<&str>,
    answers: &[Result<bool, FetchError>],
) -> Finding {
    let what = match right.subresource {
        "" => right.resource.to_owned(),
        subresource => format!("{}/{subresource}", right.resource),
    };
    let full = match right.group {
        "" => what.clone(),
        group => format!("{what}.{group}"),
    };
    let scope = place.map_or_else(|| "all namespaces".to_owned(), str::to_owned);
    let name = format!("may read {full} in {scope}");
    let missing: Vec<_> = right
        .verbs
        .iter()
        .zip(answers)
        .filter(|(_, answer)| !matches!(answer, Ok(true)))
        .map(|(verb, _)| *verb)
        .collect();
    if missing.is_empty() {
        return Finding::new(name, Verdict::Good, right.verbs.join(", "));
    }
    let unknown = answers.iter().find_map(|answer| answer.as_ref().err());
    let detail = match unknown {
        Some(error) => format!("could not be asked: {error}"),
        None => format!("no right to {}", missing.join(", ")),
    };
    let (verbs, role) = (right.verbs.join(","), format!("rampscope-{}", what.replace('/', "-")));
    let remedy = match place {
        Some(place) => format!(
            "kubectl -n {place} create role {role} --verb={verbs} --resource={full} && \
             kubectl -n {place} create rolebinding {role} --role={role} --user=\"$(kubectl auth whoami -o jsonpath='{{.status.userInfo.username}}')\""
        ),
        None => format!(
            "kubectl create clusterrole {role} --verb={verbs} --resource={full} && \
             kubectl create clusterrolebinding {role} --clusterrole={role} --user=\"$(kubectl auth whoami -o jsonpath='{{.status.userInfo.username}}')\""
        ),
    };
    Finding::new(name, Verdict::Poor, detail).remedy(remedy)
}

async fn may(
    client: &Client,
    right: &Right,
    verb: &str,
    namespace: Option<&str>,
) -> Result<bool, FetchError> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "group": right.group, "resource": right.resource, "subresource": right.subresource,
            "verb": verb, "namespace": namespace.unwrap_or_default(),
        }},
    });
    let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(review.to_string().into_bytes())
        .map_err(|error| FetchError::Transport(error.to_string()))?;
    let answer: Value =
        client.request(request).await.map_err(|error| FetchError::Transport(words(&error)))?;
    Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false))
}

async fn knative_apis(door: &Door) -> Finding {
    let mut missing = Vec::new();
    for path in KNATIVE_APIS {
        if let Err(error) = json_at(door, path).await {
            missing.push(format!("{} ({error})", path.trim_start_matches("/apis/")));
        }
    }
    if missing.is_empty() {
        return Finding::new("Knative's kinds", Verdict::Good, "installed");
    }
    Finding::new("Knative's kinds", Verdict::Bad, format!("missing: {}", missing.join(", ")))
        .remedy("kubectl apply -f https://github.com/knative/serving/releases/latest/download/serving-crds.yaml && kubectl apply -f https://github.com/knative/serving/releases/latest/download/serving-core.yaml")
}

async fn knative_version(door: &Door, system: &str) -> Finding {
    let path = format!("/apis/apps/v1/namespaces/{system}/deployments/autoscaler");
    match json_at(door, &path).await {
        Ok(deployment) => {
            let version = deployment["metadata"]["labels"]["app.kubernetes.io/version"]
                .as_str()
                .unwrap_or("unknown");
            let ready = deployment["status"]["readyReplicas"].as_u64().unwrap_or(0);
            let verdict = if ready == 0 { Verdict::Bad } else { Verdict::Good };
            let detail = format!("version {version}, {ready} ready in {system}");
            Finding::new("Knative autoscaler", verdict, detail)
        }
        Err(error) => Finding::new("Knative autoscaler", Verdict::Poor, error.to_string())
            .remedy(format!("kubectl -n {system} get deployments")),
    }
}

async fn metrics_api(door: &Door) -> Finding {
    match json_at(door, "/apis/metrics.k8s.io").await {
        Ok(group) => {
            let version = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str);
            Finding::new("metrics.k8s.io", Verdict::Good, version.unwrap_or("there"))
        }
        Err(error) => {
            Finding::new("metrics.k8s.io", Verdict::Poor, format!("no CPU and memory: {error}"))
                .remedy(usage::REMEDY)
        }
    }
}

/// Where panic can be seen: in the metrics, in the log, or nowhere.
async fn panic_sources(door: &Door, system: &str) -> Vec<Finding> {
    let pods = format!("/api/v1/namespaces/{system}/pods?labelSelector=app%3Dautoscaler");
    let pod = match json_at(door, &pods).await {
        Ok(list) => list["items"][0]["metadata"]["name"].as_str().map(str::to_owned),
        Err(error) => {
            return vec![Finding::new(
                "panic",
                Verdict::Poor,
                format!("no autoscaler pod: {error}"),
            )];
        }
    };
    let Some(pod) = pod else {
        let remedy = format!("kubectl -n {system} get pods -l app=autoscaler");
        return vec![Finding::new("panic", Verdict::Poor, "no autoscaler pod").remedy(remedy)];
    };
    let name = crate::event::cluster::Name { namespace: system.to_owned(), name: pod.clone() };
    let metrics = door.get(&proxy_path(&name, 9090), TEXT).await;
    let log =
        format!("/api/v1/namespaces/{system}/pods/{pod}/log?container=autoscaler&tailLines=1");
    let log = door.get(&log, "*/*").await;
    let metrics = match metrics {
        Ok(body) => Finding::new(
            "panic, by metrics",
            Verdict::Good,
            format!("{} bytes from {pod}", body.len()),
        ),
        Err(error) => {
            let worse = if log.is_ok() { "; it is taken from the log" } else { "" };
            let finding =
                Finding::new("panic, by metrics", Verdict::Poor, format!("{error}{worse}"));
            if error.is_refused() {
                finding.remedy(super::components::metrics_remedy(system, "autoscaler"))
            } else {
                finding.remedy(format!("kubectl -n {system} auth can-i get pods/proxy"))
            }
        }
    };
    let log = match log {
        Ok(_) => Finding::new("panic, by the log", Verdict::Good, format!("{pod} can be followed")),
        Err(error) => Finding::new("panic, by the log", Verdict::Poor, error.to_string())
            .remedy(format!("kubectl -n {system} auth can-i get pods/log")),
    };
    vec![metrics, log]
}

pub(crate) async fn json_at(door: &Door, path: &str) -> Result<Value, FetchError> {
    let body = door.get(path, "application/json").await?;
    serde_json::from_slice(&body).map_err(|error| FetchError::Transport(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::world;
    use crate::collect::world::Answer;

    /// A stock install since Knative 1.19: no metrics, no metrics-server, all rights.
    fn stock(_: usize, path: &str) -> Answer {
        match path {
            "/version" => Answer::json(&json!({"gitVersion": "v1.34.0"})),
            "/apis/metrics.k8s.io" => Answer::status(404, "not found"),
            _ if path.contains("selfsubjectaccessreviews") => {
                Answer::json(&json!({"status": {"allowed": true}}))
            }
            _ if path.contains("/pods?") => {
                Answer::json(&json!({"items": [{"metadata": {"name": "a"}}]}))
            }
            _ if path.contains(":9090/") => Answer::status(503, "connect: connection refused"),
            _ if path.contains("/deployments/autoscaler") => Answer::json(&json!({
                "metadata": {"labels": {"app.kubernetes.io/version": "1.23.0"}},
                "status": {"readyReplicas": 1}})),
            _ if path.contains("/services/") => Answer::status(404, "not found"),
            _ => Answer::json(&json!({})),
        }
    }

    async fn verdicts(
        world: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Vec<(String, Finding)> {
        let cluster = Cluster::from_client(world::client(world), "test");
        let findings = examine(&cluster, Some("default"), "knative-serving", Clock::start()).await;
        findings.into_iter().map(|finding| (finding.name.clone(), finding)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stock_install_lacks_metrics_and_each_lack_has_a_remedy() {
        let findings = verdicts(stock).await;
        for (name, finding) in &findings {
            let is_lacking =
                matches!(name.as_str(), "metrics.k8s.io" | "panic, by metrics" | "gateway");
            assert_eq!(finding.verdict == Verdict::Good, !is_lacking, "{finding:?}");
            assert_eq!(finding.remedy.is_empty(), !is_lacking, "{finding:?}");
        }
        let (_, metrics) = findings.iter().find(|(name, _)| name == "panic, by metrics").unwrap();
        assert!(metrics.remedy.contains("metrics-protocol"));
        assert!(metrics.detail.ends_with("it is taken from the log"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_does_not_answer_is_all_that_is_said() {
        let findings = verdicts(|_, _| Answer::Hang).await;
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].1.verdict, Verdict::Bad);
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_right_is_named_verb_by_verb() {
        let findings = verdicts(|n, path| {
            if path.contains("selfsubjectaccessreviews") {
                return Answer::json(&json!({"status": {"allowed": false}}));
            }
            stock(n, path)
        })
        .await;
        let (_, log) = findings
            .iter()
            .find(|(name, _)| name == "may read pods/log in knative-serving")
            .unwrap();
        assert_eq!((log.verdict, log.detail.as_str()), (Verdict::Poor, "no right to get"));
        assert!(log.remedy.starts_with(
            "kubectl -n knative-serving create role rampscope-pods-log --verb=get --resource=pods/log"
        ));
    }
}
