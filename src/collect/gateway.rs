//! Where requests to a Knative Service go: an address that answers, and the Host to send.
//!
//! Best is the service's own name, if it resolves. Otherwise Knative's ingress object names the
//! gateway's Kubernetes service, or one of the usual ones is there; its address outside is tried
//! first, then a node's port, then the cluster's own.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use super::fetch::Door;
use super::kubeconfig::Cluster;
use super::probe::Finding;
use super::probe::Verdict;
use super::probe::json_at;

/// Where a service's requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address to connect to, with its scheme.
    pub url: String,
    /// The `Host` to send, if it is not the address's own.
    pub host: Option<String>,
    /// How it was found, for people.
    pub found: String,
}

/// Why there is no target.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// No such service, or no right to read it.
    #[error("the Knative Service {namespace}/{name} cannot be read: {reason}")]
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It has no address yet.
    #[error("the Knative Service {namespace}/{name} has no URL yet: {reason}")]
    NoUrl {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its condition `Ready`.
        reason: String,
    },
    /// Nothing answers.
    #[error("no gateway answers for {host}: give one with --gateway URL (tried {tried})")]
    NoGateway {
        /// The service's host.
        host: String,
        /// What was tried.
        tried: String,
    },
}

/// Gateways that are usual: namespace and name of the Kubernetes service.
const USUAL: [(&str, &str); 3] = [
    ("kourier-system", "kourier"),
    ("istio-system", "istio-ingressgateway"),
    ("contour-external", "envoy"),
];
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where requests to a service go. `gateway` is the person's own word, and is not doubted.
pub async fn find_target(
    cluster: &Cluster,
    (namespace, name): (&str, &str),
    gateway: Option<&str>,
) -> Result<Target, TargetError> {
    let door = Door::ApiServer(cluster.client.clone());
    let path = format!("/apis/serving.knative.dev/v1/namespaces/{namespace}/services/{name}");
    let service = json_at(&door, &path).await.map_err(|error| TargetError::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    let url = service["status"]["url"].as_str().unwrap_or_default().to_owned();
    let Some(host) = host_of(&url) else {
        return Err(TargetError::NoUrl {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            reason: not_ready(&service),
        });
    };
    if let Some(gateway) = gateway {
        let found = "as said by --gateway".to_owned();
        return Ok(Target { url: gateway.to_owned(), host: Some(host), found });
    }
    if answers(&host, port_of(&url)).await {
        return Ok(Target { url, host: None, found: "its own name resolves".to_owned() });
    }
    let mut tried = vec![url];
    for (url, found) in candidates(&door, Some((namespace, name))).await {
        if let Some(address) = host_of(&url)
            && answers(&address, port_of(&url)).await
        {
            return Ok(Target { url, host: Some(host), found });
        }
        tried.push(url);
    }
    for (url, found) in guesses(cluster, &door).await {
        if let Some(address) = host_of(&url)
            && answers(&address, 80).await
        {
            return Ok(Target { url, host: Some(host), found });
        }
        tried.push(url);
    }
    Err(TargetError::NoGateway { host, tried: tried.join(", ") })
}

/// Addresses of gateways, the best first, each with how it was found.
async fn candidates(door: &Door, service: Option<(&str, &str)>) -> Vec<(String, String)> {
    let mut gateways: Vec<(String, String)> = Vec::new();
    let mut found = Vec::new();
    if let Some((namespace, name)) = service {
        let path = format!(
            "/apis/networking.internal.knative.dev/v1alpha1/namespaces/{namespace}/ingresses/{name}"
        );
        if let Ok(ingress) = json_at(door, &path).await {
            for one in items(&ingress["status"]["publicLoadBalancer"]["ingress"]) {
                let text = |key: &str| one[key].as_str().filter(|value| !value.is_empty());
                if let Some(address) = text("ip").or(text("domain")) {
                    found.push((
                        format!("http://{address}"),
                        "named by Knative's ingress".to_owned(),
                    ));
                }
                // A service's name inside the cluster: NAME.NAMESPACE.svc.DOMAIN.
                let mut parts = text("domainInternal").unwrap_or_default().split('.');
                if let (Some(name), Some(namespace)) = (parts.next(), parts.next()) {
                    gateways.push((namespace.to_owned(), name.to_owned()));
                }
            }
        }
    }
    gateways.extend(USUAL.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())));
    let mut seen = BTreeSet::new();
    for (namespace, name) in gateways {
        if !seen.insert((namespace.clone(), name.clone())) {
            continue;
        }
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        if let Ok(service) = json_at(door, &path).await {
            let node = node_address(door).await;
            let how = format!("address of the service {namespace}/{name}");
            found.extend(addresses(&service, node.as_deref()).map(|url| (url, how.clone())));
        }
    }
    found
}

/// On a cluster of one machine the gateway often listens on that machine itself.
async fn guesses(cluster: &Cluster, door: &Door) -> Vec<(String, String)> {
    let mut guesses = Vec::new();
    if let Some(node) = node_address(door).await {
        guesses
            .push((format!("http://{}", bracketed(&node)), "a guess: a node's port 80".to_owned()));
    }
    if let Some(server) = host_of(&cluster.server) {
        guesses.push((format!("http://{server}"), "a guess: the API server's port 80".to_owned()));
    }
    guesses
}

/// A gateway service's addresses: from outside, by a node's port, inside the cluster.
fn addresses(service: &Value, node: Option<&str>) -> impl Iterator<Item = String> {
    let outside = items(&service["status"]["loadBalancer"]["ingress"])
        .filter_map(|one| one["ip"].as_str().or(one["hostname"].as_str()))
        .chain(items(&service["spec"]["externalIPs"]).filter_map(Value::as_str));
    let ports = &service["spec"]["ports"];
    let numbered = items(ports).find(|port| port["port"].as_u64() == Some(80));
    // Behind a load balancer of one machine port 80 may be taken, and another is used.
    let named =
        || items(ports).find(|port| matches!(port["name"].as_str(), Some("http2" | "http")));
    let http = numbered.or_else(named);
    let port = match http.and_then(|port| port["port"].as_u64()) {
        None | Some(80) => String::new(),
        Some(other) => format!(":{other}"),
    };
    let mut urls: Vec<_> =
        outside.map(|address| format!("http://{}{port}", bracketed(address))).collect();
    if let (Some(node), Some(port)) = (node, http.and_then(|port| port["nodePort"].as_u64())) {
        urls.push(format!("http://{}:{port}", bracketed(node)));
    }
    let cluster_ip = service["spec"]["clusterIP"].as_str();
    if let Some(address) = cluster_ip.filter(|address| !matches!(*address, "" | "None")) {
        urls.push(format!("http://{}{port}", bracketed(address)));
    }
    urls.into_iter()
}

async fn node_address(door: &Door) -> Option<String> {
    let nodes = json_at(door, "/api/v1/nodes?limit=1").await.ok()?;
    let addresses = &nodes["items"][0]["status"]["addresses"];
    let of = |kind: &str| items(addresses).find(|one| one["type"] == kind);
    of("ExternalIP").or(of("InternalIP"))?["address"].as_str().map(str::to_owned)
}

/// What `doctor` says of the gateway.
pub(crate) async fn finding(cluster: &Cluster) -> Finding {
    let door = Door::ApiServer(cluster.client.clone());
    let mut tried = Vec::new();
    let mut all = candidates(&door, None).await;
    all.extend(guesses(cluster, &door).await);
    for (url, found) in all {
        let address = host_of(&url).unwrap_or_default();
        if answers(&address, port_of(&url)).await {
            return Finding::new("gateway", Verdict::Good, format!("{url} answers, {found}"));
        }
        tried.push(url);
    }
    let detail = if tried.is_empty() {
        "none of Kourier, Istio and Contour was found".to_owned()
    } else {
        format!("none of {} answers from here", tried.join(", "))
    };
    Finding::new("gateway", Verdict::Poor, detail)
        .remedy("give its address with --gateway URL, or forward one: `kubectl -n kourier-system port-forward svc/kourier 8080:80`, then --gateway http://127.0.0.1:8080")
}

async fn answers(host: &str, port: u16) -> bool {
    let address = (host.trim_start_matches('[').trim_end_matches(']'), port);
    let connect = tokio::net::TcpStream::connect(address);
    tokio::time::timeout(PATIENCE, connect).await.is_ok_and(|connected| connected.is_ok())
}

/// The host of a URL, without port and path.
fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    uri.host().map(str::to_owned)
}

fn port_of(url: &str) -> u16 {
    let by_scheme = if url.starts_with("https://") { 443 } else { 80 };
    url.parse::<http::Uri>().ok().and_then(|uri| uri.port_u16()).unwrap_or(by_scheme)
}

/// An address as it stands in a URL.
fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

fn not_ready(service: &Value) -> String {
    let ready = items(&service["status"]["conditions"]).find(|one| one["type"] == "Ready");
    let text = |key: &str| ready.and_then(|one| one[key].as_str()).unwrap_or_default().to_owned();
    crate::units::clean(format!("{} {}", text("reason"), text("message")).trim(), 200)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(20)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::collect::world;
    use crate::collect::world::Answer;

    #[test]
    fn a_gateway_is_tried_from_outside_in() {
        let service = json!({
            "spec": {"clusterIP": "10.96.0.9", "externalIPs": ["192.0.2.9"],
                     "ports": [{"port": 443, "nodePort": 31443}, {"port": 80, "nodePort": 31080}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}, {"hostname": "lb.test"}]}},
        });
        let urls: Vec<_> = addresses(&service, Some("192.0.2.1")).collect();
        assert_eq!(
            urls,
            [
                "http://[2001:db8::1]",
                "http://lb.test",
                "http://192.0.2.9",
                "http://192.0.2.1:31080",
                "http://10.96.0.9"
            ]
        );
        assert_eq!(addresses(&json!({"spec": {"clusterIP": "None"}}), None).count(), 0);
        let elsewhere = json!({
            "spec": {"ports": [{"name": "http2", "port": 8081}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}},
        });
        assert_eq!(addresses(&elsewhere, None).next().unwrap(), "http://127.0.0.1:8081");
    }

    fn cluster(status: Value) -> Cluster {
        let world = move |_: usize, path: &str| {
            if path.ends_with("/services/hello") {
                Answer::json(&json!({"status": status}))
            } else {
                Answer::status(404, "not found")
            }
        };
        Cluster::from_client(world::client(world), "test")
    }

    #[tokio::test]
    async fn the_host_comes_from_the_status() {
        let cluster = cluster(json!({"url": "http://hello.default.example.invalid"}));
        let hello = ("default", "hello");
        let target = find_target(&cluster, hello, Some("http://127.0.0.1:8080")).await.unwrap();
        assert_eq!(target.url, "http://127.0.0.1:8080");
        assert_eq!(target.host.as_deref(), Some("hello.default.example.invalid"));
        let error = find_target(&cluster, ("default", "other"), None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Knative Service default/other cannot be read: not found"
        );
    }

    #[tokio::test]
    async fn a_service_that_is_not_ready_says_why() {
        let conditions = json!({"conditions": [
            {"type": "Ready", "status": "False", "reason": "RevisionMissing", "message": "no image"}]});
        let error =
            find_target(&cluster(conditions), ("default", "hello"), None).await.unwrap_err();
        assert!(error.to_string().ends_with("has no URL yet: RevisionMissing no image"));
    }
}
