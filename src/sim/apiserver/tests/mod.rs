//! The server asked in memory, by paths and JSON.

mod client;

use std::time::Duration;

use serde_json::Value;
use tokio::task::LocalSet;

use super::*;
use crate::clock::Clock;
use crate::sim::backstage::Empty;
use crate::sim::store::Store;
use crate::units::At;

/// A server with nobody behind it.
struct Rig {
    server: Rc<ApiServer<Empty>>,
    store: SharedStore,
    faults: Faults,
}

// === impl Rig ===

impl Rig {
    /// With a namespace and config maps `a`, `b`, `c`.
    fn new() -> Self {
        let store = Store::with_history(Clock::start(), 1, 100).shared();
        let namespace = json!({ "metadata": { "name": "n" } });
        store.borrow_mut().create(&resources::NAMESPACES, namespace).unwrap();
        let faults = Faults::default();
        let server = ApiServer::new(Rc::clone(&store), Rc::new(Empty), faults.clone());
        let rig = Self { server: Rc::new(server), store, faults };
        for name in ["a", "b", "c"] {
            rig.add(name, name);
        }
        rig
    }

    fn add(&self, name: &str, label: &str) {
        let map = json!({
            "metadata": { "name": name, "namespace": "n", "labels": { "is": label } },
        });
        self.store.borrow_mut().create(&resources::CONFIG_MAPS, map).unwrap();
    }

    fn label(&self, name: &str, label: &str) {
        let change = |map: &mut Value| map["metadata"]["labels"]["is"] = label.into();
        self.store.borrow_mut().modify(&resources::CONFIG_MAPS, "n", name, change).unwrap();
    }

    fn remove(&self, name: &str) {
        self.store.borrow_mut().delete(&resources::CONFIG_MAPS, "n", name, None).unwrap();
    }

    fn now(&self) -> At {
        self.store.borrow().clock().at()
    }

    async fn raw(
        &self,
        method: &str,
        path: &str,
        head: &str,
        body: Vec<u8>,
    ) -> Response<LocalBody> {
        let name = if method == "GET" { header::ACCEPT } else { header::CONTENT_TYPE };
        let request = Request::builder().method(method).uri(path).header(name, head);
        self.server.handle(request.body(body.into()).unwrap()).await
    }

    /// The status and the body in JSON.
    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let media_type =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let response = self.raw(method, path, media_type, bytes).await;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, Value::Null).await
    }

    /// The lines of a watch to its end.
    async fn watch(&self, query: &str) -> Vec<Value> {
        let path = format!("{MAPS}?watch=1&{query}");
        let response = self.raw("GET", &path, "application/json", Vec::new()).await;
        assert_eq!(response.status(), 200);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

const MAPS: &str = "/api/v1/namespaces/n/configmaps";

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["metadata"]["name"].as_str().unwrap())
        .collect()
}

/// What lines of a watch say, in short.
fn short(lines: &[Value]) -> Vec<String> {
    let of = |line: &Value| {
        let name = line["object"]["metadata"]["name"].as_str().unwrap_or_default();
        format!("{} {name}", line["type"].as_str().unwrap()).trim_end().to_owned()
    };
    lines.iter().map(of).collect()
}

async fn secs(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pieces_and_by_selectors() {
    let rig = Rig::new();
    let (code, first) = rig.get(&format!("{MAPS}?limit=2")).await;
    assert_eq!((code, names(&first)), (200, vec!["a", "b"]));
    assert_eq!(first["kind"], "ConfigMapList");
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    // What comes between the pieces comes in the watch behind them.
    rig.add("bb", "x");
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, second) = rig.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!(names(&second), ["bb", "c"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(second["metadata"].get("continue"), None);
    rig.store.borrow_mut().compact();
    let (code, status) = rig.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!((code, &status["reason"]), (410, &json!("Expired")));

    let (_, some) = rig.get("/api/v1/configmaps?labelSelector=is+in+(a,c)").await;
    assert_eq!(names(&some), ["a", "c"]);
    let (_, some) =
        rig.get(&format!("{MAPS}?fieldSelector=metadata.name!%3Da&labelSelector=is")).await;
    assert_eq!(names(&some), ["b", "bb", "c"]);
    assert_eq!(rig.get(&format!("{MAPS}?resourceVersion=99999")).await.0, 504);
}

#[tokio::test(start_paused = true)]
async fn errors_are_status_objects() {
    let rig = Rig::new();
    let map = |name: &str| json!({ "metadata": { "name": name } });
    let table = [
        ("GET", "/api/v1/namespaces/n/configmaps/zz", Value::Null, (404, "NotFound")),
        ("GET", "/api/v1/nothing", Value::Null, (404, "NotFound")),
        ("POST", MAPS, map("a"), (409, "AlreadyExists")),
        ("POST", MAPS, json!({ "metadata": {} }), (422, "Invalid")),
        ("POST", MAPS, json!([]), (400, "BadRequest")),
        ("POST", MAPS, json!({ "kind": "Pod" }), (400, "BadRequest")),
        (
            "POST",
            MAPS,
            json!({ "metadata": { "name": "d", "namespace": "m" } }),
            (400, "BadRequest"),
        ),
        ("POST", "/api/v1/namespaces/m/configmaps", map("d"), (404, "NotFound")),
        ("PUT", "/api/v1/namespaces/n/configmaps/a", map("b"), (400, "BadRequest")),
        ("PATCH", "/api/v1/namespaces/n/configmaps/zz", json!({}), (404, "NotFound")),
        (
            "PUT",
            "/api/v1/namespaces/n/configmaps/a",
            json!({ "metadata": { "name": "a", "resourceVersion": "1" } }),
            (409, "Conflict"),
        ),
        (
            "DELETE",
            "/api/v1/namespaces/n/configmaps/a",
            json!({ "preconditions": { "uid": "other" } }),
            (409, "Conflict"),
        ),
        ("GET", "/api/v1/namespaces/n/configmaps/a/status", Value::Null, (404, "NotFound")),
        (
            "POST",
            "/apis/metrics.k8s.io/v1beta1/namespaces/n/pods",
            map("x"),
            (405, "MethodNotAllowed"),
        ),
        ("GET", "/api/v1/pods?fieldSelector=spec.x%3Dy", Value::Null, (400, "BadRequest")),
        ("GET", "/api/v1/pods?limit=many", Value::Null, (400, "BadRequest")),
    ];
    for (method, path, body, (code, reason)) in table {
        let (found, status) = rig.ask(method, path, body).await;
        let told = (found, status["reason"].as_str().unwrap_or_default());
        assert_eq!(told, (code, reason), "{method} {path}: {status}");
        assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(code)));
    }
    let response = rig.raw("GET", MAPS, "application/cbor", Vec::new()).await;
    assert_eq!(response.status(), 406);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_what_the_selected_objects_do() {
    LocalSet::new()
        .run_until(async {
            let rig = Rig::new();
            let version = rig.store.borrow().version();
            let query =
                format!("resourceVersion={version}&labelSelector=is!%3Dgone&timeoutSeconds=10");
            let changes = async {
                secs(1).await;
                rig.add("d", "d");
                rig.label("a", "gone");
                rig.label("b", "other");
                secs(1).await;
                rig.label("a", "back");
                rig.remove("c");
            };
            let (lines, ()) = tokio::join!(rig.watch(&query), changes);
            assert_eq!(
                short(&lines),
                ["ADDED d", "DELETED a", "MODIFIED b", "ADDED a", "DELETED c"]
            );
            let versions: Vec<u64> = lines
                .iter()
                .map(|line| {
                    let text = line["object"]["metadata"]["resourceVersion"].as_str();
                    text.unwrap().parse().unwrap()
                })
                .collect();
            assert!(versions.is_sorted() && version < versions[0], "{versions:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn bookmarks_mark_the_end_of_what_there_was_and_the_end_of_the_watch() {
    let rig = Rig::new();
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=90";
    let begin = rig.now();
    let lines = rig.watch(query).await;
    assert_eq!(rig.now().since(begin).as_secs(), 90);
    assert_eq!(
        short(&lines),
        ["ADDED a", "ADDED b", "ADDED c", "BOOKMARK", "BOOKMARK", "BOOKMARK"]
    );
    let mark = |line: &Value| {
        line["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"].clone()
    };
    assert_eq!((mark(&lines[3]), mark(&lines[4])), ("true".into(), Value::Null));
    let version = rig.store.borrow().version().to_string();
    assert_eq!(lines[5]["object"]["metadata"]["resourceVersion"], version);

    let path = format!("{MAPS}?watch=1&sendInitialEvents=true");
    assert_eq!(rig.get(&path).await.0, 422, "it must say how old the list may be");
    let lines = rig.watch("timeoutSeconds=1").await;
    assert_eq!(short(&lines), ["ADDED a", "ADDED b", "ADDED c"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_forgotten_or_future_version_ends_with_an_error() {
    let rig = Rig::new();
    rig.store.borrow_mut().compact();
    let code = |lines: &[Value]| {
        assert_eq!(short(lines), ["ERROR"]);
        lines[0]["object"]["code"].clone()
    };
    assert_eq!(code(&rig.watch("resourceVersion=1001").await), 410);
    assert_eq!(code(&rig.watch("resourceVersion=99999").await), 504);
    let version = rig.store.borrow().version();
    let query = format!("resourceVersion={version}");
    let (lines, ()) = tokio::join!(rig.watch(&query), async {
        secs(1).await;
        rig.faults.end_watches_with_410();
    });
    assert_eq!(code(&lines), 410);
}

#[tokio::test(start_paused = true)]
async fn status_and_scale_are_parts_of_their_own() {
    let rig = Rig::new();
    let deployments = "/apis/apps/v1/namespaces/n/deployments";
    let object = json!({
        "metadata": { "name": "d" },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "d" } } },
        "status": { "replicas": 9 },
    });
    let (code, made) = rig.ask("POST", deployments, object).await;
    assert_eq!((code, made.get("status")), (201, None), "status is not for the maker to say");
    let one = format!("{deployments}/d");
    let both = json!({ "spec": { "replicas": 2 }, "status": { "replicas": 2 } });
    let (_, after) = rig.ask("PATCH", &format!("{one}/status"), both.clone()).await;
    assert_eq!((&after["spec"]["replicas"], &after["status"]["replicas"]), (&json!(1), &json!(2)));
    let (_, after) = rig.ask("PATCH", &one, json!({ "status": { "replicas": 5 } })).await;
    assert_eq!(after["status"]["replicas"], 2);
    assert_eq!(after["metadata"]["generation"], 1);

    let (_, scale) = rig.get(&format!("{one}/scale")).await;
    assert_eq!((&scale["kind"], &scale["spec"]["replicas"]), (&json!("Scale"), &json!(1)));
    assert_eq!(scale["status"], json!({ "replicas": 2, "selector": "app=d" }));
    let wish = json!({ "spec": { "replicas": 7 } });
    let (code, scale) = rig.ask("PATCH", &format!("{one}/scale"), wish).await;
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(7)));
    let (_, after) = rig.get(&one).await;
    assert_eq!(
        (&after["spec"]["replicas"], &after["metadata"]["generation"]),
        (&json!(7), &json!(2))
    );
    let wish = json!({ "spec": { "replicas": 8 } });
    let dry = format!("{one}/scale?dryRun=All");
    assert_eq!(rig.ask("PATCH", &dry, wish).await.1["spec"]["replicas"], 8);
    assert_eq!(rig.get(&one).await.1["spec"]["replicas"], 7, "it was only tried");
}

#[tokio::test(start_paused = true)]
async fn what_is_forbidden_is_said_before_and_when_it_is_tried() {
    let rig = Rig::new();
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = json!({ "spec": { "resourceAttributes": {
        "verb": "list", "group": "apps", "resource": "deployments", "namespace": "n",
    } } });
    let (code, answer) = rig.ask("POST", reviews, review.clone()).await;
    assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(true)));
    rig.faults.forbid("deployments.apps");
    let (_, answer) = rig.ask("POST", reviews, review).await;
    assert_eq!(answer["status"]["allowed"], false);
    let (code, status) = rig.get("/apis/apps/v1/deployments?watch=1").await;
    assert_eq!((code, &status["reason"]), (403, &json!("Forbidden")));
    assert!(status["message"].as_str().unwrap().contains("cannot watch"), "{status}");
    rig.faults.mend();
    assert_eq!(rig.get("/apis/apps/v1/deployments").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_table_has_the_columns_of_its_kind() {
    let rig = Rig::new();
    secs(3).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let response = rig.raw("GET", MAPS, accept, Vec::new()).await;
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let table: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(table["kind"], "Table");
    let headings = table["columnDefinitions"].as_array().unwrap().iter();
    assert_eq!(
        headings.map(|one| one["name"].clone()).collect::<Vec<_>>(),
        ["Name", "Data", "Age"]
    );
    assert_eq!(table["rows"][0]["cells"], json!(["a", "0", "3s"]));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

#[tokio::test(start_paused = true)]
async fn every_resource_is_discovered_both_ways_and_can_be_listed() {
    let rig = Rig::new();
    let (_, groups) = rig.get("/apis").await;
    let mut versions = vec!["/api/v1".to_owned()];
    for group in groups["groups"].as_array().unwrap() {
        let version = group["preferredVersion"]["groupVersion"].as_str().unwrap();
        versions.push(format!("/apis/{version}"));
    }
    let mut plain = Vec::new();
    for version in &versions {
        let (code, list) = rig.get(version).await;
        assert_eq!(code, 200, "{version}");
        for one in list["resources"].as_array().unwrap() {
            let name = one["name"].as_str().unwrap();
            let path = format!("{version}/{name}");
            let can_list = one["verbs"].as_array().unwrap().contains(&json!("list"));
            if can_list {
                assert_eq!(rig.get(&path).await.0, 200, "{path}");
            }
            plain.push(path);
        }
    }
    let mut aggregated = Vec::new();
    for (path, prefix) in [("/api", "/api/v1"), ("/apis", "/apis")] {
        let accept =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        let response = rig.raw("GET", path, accept, Vec::new()).await;
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let list: Value = serde_json::from_slice(&bytes).unwrap();
        for group in list["items"].as_array().unwrap() {
            let name = group["metadata"]["name"].as_str().unwrap();
            let version = &group["versions"][0];
            let root = match name {
                "" => prefix.to_owned(),
                name => format!("{prefix}/{name}/{}", version["version"].as_str().unwrap()),
            };
            for one in version["resources"].as_array().unwrap() {
                let path = format!("{root}/{}", one["resource"].as_str().unwrap());
                aggregated.push(path.clone());
                let parts = one["subresources"].as_array().into_iter().flatten();
                let name = |part: &Value| part["subresource"].as_str().unwrap().to_owned();
                aggregated.extend(parts.map(|part| format!("{path}/{}", name(part))));
            }
        }
    }
    assert_eq!(plain, aggregated);
    assert!(plain.contains(&"/api/v1/pods/log".to_owned()));
    assert_eq!(rig.get("/apis/nobody").await.0, 404);
    assert_eq!(rig.get("/openapi/v3/apis/apps/v1").await.0, 200);
}
