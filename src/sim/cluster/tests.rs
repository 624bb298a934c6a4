use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::task::LocalSet;

use super::*;
use crate::sim::backstage;
use crate::sim::backstage::Backstage;
use crate::sim::backstage::LogRequest;
use crate::sim::backstage::Target;
use crate::sim::spec::SimService;

const HOST: &str = "hello.default.sim.test";

/// What became of the requests of a load.
#[derive(Debug, Default)]
struct Outcome {
    statuses: RefCell<BTreeMap<u16, u32>>,
    pods: RefCell<BTreeMap<String, u32>>,
    slowest: Cell<Duration>,
}

/// One request on a connection of its own, or on one that is kept.
async fn ask(stream: &mut DuplexStream, host: &str, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let (_, length) = head.rsplit_once("content-length: ").unwrap();
            if length.parse::<usize>().unwrap() == body.len() {
                return (head[9..12].parse().unwrap(), body.to_owned());
            }
        }
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the gateway hung up");
    }
}

/// `n` users ask one after another, at least once and as long as `lasts`.
fn load(
    sim: &SimCluster,
    n: u32,
    path: &'static str,
    lasts: Duration,
) -> (Rc<Outcome>, Vec<AbortOnDropHandle<()>>) {
    let outcome = Rc::new(Outcome::default());
    let clock = sim.world.clock;
    let end = clock.at() + lasts;
    let users = (0..n)
        .map(|_| {
            let (mut stream, outcome) = (sim.connect_gateway(), Rc::clone(&outcome));
            task::spawn(async move {
                loop {
                    let begin = clock.at();
                    let (status, body) = ask(&mut stream, HOST, path).await;
                    *outcome.statuses.borrow_mut().entry(status).or_default() += 1;
                    *outcome.pods.borrow_mut().entry(body).or_default() += 1;
                    outcome.slowest.set(outcome.slowest.get().max(clock.at().since(begin)));
                    if end <= clock.at() {
                        return;
                    }
                }
            })
        })
        .collect();
    (outcome, users)
}

fn deployed(sim: &SimCluster, name: &str) -> Rc<crate::sim::world::Deployed> {
    let all = sim.world.all_revisions();
    all.into_iter().find(|one| one.key().name == name).unwrap()
}

fn object(sim: &SimCluster, resource: &resources::Resource, name: &str) -> Value {
    Value::clone(&sim.world.get(resource, "default", name).unwrap())
}

fn logged(sim: &SimCluster, message: &str) -> Vec<f64> {
    let leader = sim.world.leader().unwrap();
    let (lines, _) = leader.log.borrow().since(0);
    let anchor = sim.world.clock.anchor();
    lines
        .iter()
        .filter(|line| line.text.contains(&format!("\"message\":\"{message}")))
        .map(|line| anchor.at(line.at).as_secs_f64())
        .collect()
}

/// The value of a gauge in the text that the autoscaler serves.
async fn gauge(sim: &SimCluster, name: &str) -> f64 {
    let leader = sim.world.leader().unwrap();
    let text = proxied(sim, "knative-serving", &leader.name, "9090").await.1;
    let text = String::from_utf8(text).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

async fn proxied(sim: &SimCluster, namespace: &str, pod: &str, port: &str) -> (u16, Vec<u8>) {
    use http_body_util::BodyExt as _;

    let to = Target {
        namespace: namespace.to_owned(),
        name: pod.to_owned(),
        port: Some(port.to_owned()),
    };
    let request = backstage::get("/metrics".parse().unwrap());
    let response = sim.backstage().pod_proxy(&to, request).await;
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

fn one_warm_pod() -> SimSpec {
    let hello = SimService::named("hello")
        .with("target", "10")
        .with("window", "20s")
        .with("max-scale", "12");
    SimSpec { services: vec![hello], ..SimSpec::default() }
}

async fn secs(n: f64) {
    tokio::time::sleep(Duration::from_secs_f64(n)).await;
}

/// The shape of a run that was recorded on a real Knative 1.23 with the same settings and load.
#[tokio::test(start_paused = true)]
async fn a_burst_panics_holds_calms_down_and_goes_to_zero() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(one_warm_pod());
            secs(5.0).await;
            let hello = deployed(&sim, "hello-00001");
            assert_eq!(hello.counts().ready, 1);
            let (before, users) = load(&sim, 4, "/?sleep=100", Duration::from_secs(19));
            secs(20.0).await;
            assert_eq!((hello.counts().ready, logged(&sim, "PANICKING.").len()), (1, 0));
            drop(users);

            let begin = sim.world.clock.at().as_secs_f64();
            let (burst, users) = load(&sim, 60, "/?sleep=100", Duration::from_secs(25));
            secs(12.0).await;
            assert_eq!(hello.counts().ready, 9);
            assert_eq!(gauge(&sim, "kn_revision_panic_mode").await, 1.0);
            assert_eq!(gauge(&sim, "kn_revision_pods_count").await, 9.0);
            let panic = gauge(&sim, "kn_revision_concurrency_panic").await;
            assert!((57.0..62.0).contains(&panic), "{panic}");
            secs(18.0).await;
            drop(users);
            let (entered, left) = (logged(&sim, "PANICKING."), logged(&sim, "Un-panicking."));
            assert_eq!((entered.len(), left.len()), (1, 1), "{entered:?} {left:?}");
            assert!(entered[0] - begin <= 4.0, "{entered:?} {begin}");
            let span = left[0] - entered[0];
            assert!((22.0..=28.0).contains(&span), "panicked for {span} s");

            secs(60.0).await;
            assert_eq!(hello.counts(), crate::sim::world::PodCounts::default());
            let autoscaler = object(&sim, &resources::POD_AUTOSCALERS, "hello-00001");
            assert_eq!(autoscaler["status"]["desiredScale"], 0);
            assert_eq!(autoscaler["status"]["conditions"][0]["reason"], "NoTraffic");
            let deployment = object(&sim, &resources::DEPLOYMENTS, "hello-00001-deployment");
            assert_eq!(deployment["spec"]["replicas"], 0);
            for outcome in [before, burst] {
                let statuses = outcome.statuses.borrow();
                assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200], "none lost");
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_holds_requests_and_loses_none() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(SimSpec::default());
            secs(1.0).await;
            let hello = deployed(&sim, "hello-00001");
            assert_eq!(hello.n_alive(), 0, "it begins at zero");
            let service = object(&sim, &resources::KSERVICES, "hello");
            assert_eq!(service["status"]["url"], "http://hello.default.sim.test");
            let (outcome, users) = load(&sim, 25, "/?sleep=50", Duration::ZERO);
            secs(0.3).await;
            let (status, text) = proxied(&sim, "knative-serving", &activator(&sim), "9090").await;
            let text = String::from_utf8(text).unwrap();
            let queued = text.lines().find(|line| line.starts_with("kn_revision_request_queued{"));
            assert_eq!((status, queued.unwrap().ends_with(" 25")), (200, true), "{queued:?}");
            secs(4.7).await;
            let pods: u32 = outcome.pods.borrow().values().sum();
            assert_eq!(outcome.statuses.borrow().get(&200), Some(&25));
            assert_eq!((pods, users.iter().filter(|user| !user.is_finished()).count()), (25, 0));
            let slowest = outcome.slowest.get().as_secs_f64();
            assert!((1.0..4.6).contains(&slowest), "a cold start of {slowest} s");
            assert_eq!(sim.n_served(), 25);
        })
        .await;
}

fn activator(sim: &SimCluster) -> String {
    let all = sim.world.system.borrow();
    all.iter().find(|pod| pod.app == "activator").unwrap().name.clone()
}

#[tokio::test(start_paused = true)]
async fn beyond_eleven_times_the_limit_requests_are_refused() {
    LocalSet::new()
        .run_until(async {
            // Without the activator in the path nobody holds requests back.
            let mut hello = SimService::named("hello")
                .with("max-scale", "1")
                .with("min-scale", "1")
                .with("target-burst-capacity", "0");
            hello.container_concurrency = 2;
            let sim = SimCluster::mount(SimSpec { services: vec![hello], ..SimSpec::default() });
            secs(8.0).await;
            let hello = deployed(&sim, "hello-00001");
            assert!(!hello.revision.is_activator_in_path());
            let sks = object(&sim, &resources::SERVERLESS_SERVICES, "hello-00001");
            assert_eq!(sks["spec"]["mode"], "Serve");
            let (outcome, _users) = load(&sim, 30, "/?sleep=1000", Duration::ZERO);
            secs(20.0).await;
            let expected = BTreeMap::from([(200, 22), (503, 8)]);
            assert_eq!(*outcome.statuses.borrow(), expected);
            let refused = outcome.pods.borrow().get("pending request queue full\n").copied();
            assert_eq!(refused, Some(8));
            let slowest = outcome.slowest.get().as_secs_f64();
            assert!((11.0..12.0).contains(&slowest), "eleven rounds took {slowest} s");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_revision_takes_over_and_traffic_can_be_split() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(one_warm_pod());
            secs(5.0).await;
            sim.world.modify(&resources::KSERVICES, ("default", "hello"), |service| {
                service["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/target"] =
                    "20".into();
            });
            secs(0.1).await;
            let service = object(&sim, &resources::KSERVICES, "hello");
            assert_eq!(service["status"]["latestCreatedRevisionName"], "hello-00002");
            assert_eq!(service["status"]["latestReadyRevisionName"], "hello-00001", "until it is ready");
            let mut stream = sim.connect_gateway();
            assert!(ask(&mut stream, HOST, "/").await.1.starts_with("hello-00001-"));
            secs(4.0).await;
            assert!(ask(&mut stream, HOST, "/").await.1.starts_with("hello-00002-"));
            let old = object(&sim, &resources::REVISIONS, "hello-00001");
            assert_eq!(old["metadata"]["labels"]["serving.knative.dev/routingState"], "reserve");
            assert_eq!(deployed(&sim, "hello-00002").scaler.borrow().as_ref().unwrap().config().target_value, 14.0);

            sim.world.modify(&resources::KSERVICES, ("default", "hello"), |service| {
                service["spec"]["traffic"] = json!([
                    { "revisionName": "hello-00001", "percent": 25, "tag": "old" },
                    { "latestRevision": true, "percent": 75 },
                ]);
            });
            secs(0.1).await;
            let (outcome, users) = load(&sim, 10, "/?sleep=20", Duration::from_secs(30));
            secs(31.0).await;
            drop(users);
            let count = |revision: &str| -> u32 {
                let pods = outcome.pods.borrow();
                pods.iter().filter(|(pod, _)| pod.starts_with(revision)).map(|(_, n)| n).sum()
            };
            let share = f64::from(count("hello-00001")) / f64::from(count("hello-0000"));
            assert!((0.22..0.28).contains(&share), "{share}");
            let tagged = ask(&mut stream, "old-hello.default.sim.test", "/").await;
            assert!(tagged.1.starts_with("hello-00001-"), "{tagged:?}");

            sim.world.modify(&resources::KSERVICES, ("default", "hello"), |service| {
                service["spec"]["traffic"] = json!([{ "latestRevision": true, "percent": 100 }]);
            });
            secs(0.1).await;
            assert_eq!(ask(&mut stream, "old-hello.default.sim.test", "/").await.0, 404);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn deleting_a_service_leaves_nothing_of_it() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(one_warm_pod());
            secs(5.0).await;
            let n_others = sim.world.system.borrow().len();
            sim.store()
                .borrow_mut()
                .delete(&resources::KSERVICES, "default", "hello", None)
                .unwrap();
            secs(1.0).await;
            let mut stream = sim.connect_gateway();
            assert_eq!(ask(&mut stream, HOST, "/").await.0, 404);
            let pods = sim.store().borrow().list(&resources::PODS, Some("default"));
            assert_eq!(pods.len(), 1, "it drains");
            secs(40.0).await;
            for resource in [
                &resources::PODS,
                &resources::DEPLOYMENTS,
                &resources::REPLICA_SETS,
                &resources::REVISIONS,
                &resources::POD_AUTOSCALERS,
                &resources::SERVERLESS_SERVICES,
                &resources::SERVICES,
                &resources::ENDPOINT_SLICES,
                &resources::ROUTES,
                &resources::CONFIGURATIONS,
            ] {
                let left = sim.store().borrow().list(resource, Some("default"));
                assert_eq!(left, Vec::<Rc<Value>>::new(), "{}", resource.plural);
            }
            assert_eq!(sim.world.system.borrow().len(), n_others);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_handover_begins_in_panic_and_the_old_leader_keeps_its_last_words() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(SimSpec { n_autoscalers: 2, ..one_warm_pod() });
            secs(5.0).await;
            let (_outcome, _users) = load(&sim, 30, "/?sleep=100", Duration::from_secs(100));
            secs(50.0).await;
            let hello = deployed(&sim, "hello-00001");
            assert_eq!(hello.counts().ready, 5);
            assert_eq!(gauge(&sim, "kn_revision_panic_mode").await, 0.0);
            let old = sim.world.leader().unwrap();
            let new = sim.hand_over().unwrap();
            assert_eq!(sim.world.leader().unwrap().name, new);
            assert_ne!(old.name, new);
            secs(3.0).await;
            assert_eq!(gauge(&sim, "kn_revision_panic_mode").await, 1.0);
            let old_text = proxied(&sim, "knative-serving", &old.name, "9090").await.1;
            assert!(String::from_utf8(old_text).unwrap().contains("kn_revision_pods_desired{"));
            assert_eq!(hello.counts().ready, 5, "nothing is scaled away");

            // The leader's pod is deleted: the other one leads, and a new pod appears.
            sim.store()
                .borrow_mut()
                .delete(&resources::PODS, "knative-serving", &new, None)
                .unwrap();
            secs(1.0).await;
            assert_eq!(sim.world.leader().unwrap().name, old.name);
            let n = sim.world.system.borrow().iter().filter(|pod| pod.app == "autoscaler").count();
            assert_eq!(n, 2);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn without_metrics_nothing_listens_but_the_log_tells_of_panic() {
    use futures::StreamExt as _;

    LocalSet::new()
        .run_until(async {
            let spec = SimSpec { metrics: false, request_metrics: false, ..one_warm_pod() };
            let sim = SimCluster::mount(spec);
            secs(5.0).await;
            let leader = sim.world.leader().unwrap();
            let (status, body) = proxied(&sim, "knative-serving", &leader.name, "9090").await;
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((status, body["reason"].as_str()), (503, Some("ServiceUnavailable")));
            assert!(
                body["message"].as_str().unwrap().ends_with(":9090: connect: connection refused")
            );
            let pod = deployed(&sim, "hello-00001").revision.pods()[0].name.clone();
            let stat = proxied(&sim, "default", &pod, "9090").await;
            assert_eq!((stat.0, &stat.1[2..2 + pod.len()]), (200, pod.as_bytes()));
            assert_eq!(proxied(&sim, "default", &pod, "9091").await.0, 503);

            let request = LogRequest {
                namespace: "knative-serving".to_owned(),
                pod: leader.name.clone(),
                container: "autoscaler".to_owned(),
                follow: true,
                tail: Some(0),
                since: None,
            };
            let mut lines = sim.backstage().logs(&request);
            let (_outcome, _users) = load(&sim, 60, "/?sleep=100", Duration::from_secs(9));
            let panic = loop {
                let line = lines.next().await.unwrap();
                if line.text.contains("PANICKING") {
                    break line.text;
                }
            };
            let line: Value = serde_json::from_str(&panic).unwrap();
            assert_eq!(line["knative.dev/key"], "default/hello-00001");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_config_autoscaler_is_taken_at_once() {
    LocalSet::new()
        .run_until(async {
            let hello = SimService::named("hello");
            let sim = SimCluster::mount(SimSpec { services: vec![hello], ..SimSpec::default() });
            secs(5.0).await;
            let target = || {
                deployed(&sim, "hello-00001")
                    .scaler
                    .borrow()
                    .as_ref()
                    .unwrap()
                    .config()
                    .target_value
            };
            assert_eq!(target(), 70.0);
            sim.world.modify(
                &resources::CONFIG_MAPS,
                (furnish::SYSTEM, "config-autoscaler"),
                |map| {
                    map["data"]["container-concurrency-target-default"] = "10".into();
                },
            );
            secs(0.1).await;
            assert_eq!(target(), 7.0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_lives_as_a_kubelet_reports_it_and_is_measured_after_two_looks() {
    LocalSet::new()
        .run_until(async {
            let sim = SimCluster::mount(one_warm_pod());
            let pods = || sim.store().borrow().list(&resources::PODS, Some("default"));
            let condition = |pod: &Value, kind: &str| {
                let all = pod["status"]["conditions"].as_array().unwrap().clone();
                all.into_iter().find(|one| one["type"] == kind).unwrap()["status"].clone()
            };
            assert_eq!(pods()[0]["status"]["phase"], "Pending");
            secs(0.15).await;
            let pod = pods()[0].clone();
            assert_eq!(condition(&pod, "PodScheduled"), "True");
            assert_eq!(
                pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"],
                "ContainerCreating"
            );
            secs(0.6).await;
            let pod = pods()[0].clone();
            assert_eq!(
                (&pod["status"]["phase"], condition(&pod, "Ready")),
                (&"Running".into(), "False".into())
            );
            assert_eq!(pod["status"]["containerStatuses"][1]["ready"], false, "queue-proxy probes");
            secs(2.0).await;
            assert_eq!(condition(&pods()[0].clone(), "Ready"), "True");
            let labels = &pods()[0]["metadata"]["labels"];
            assert_eq!(labels["serving.knative.dev/revision"], "hello-00001");
            let reasons: Vec<_> = sim
                .store()
                .borrow()
                .list(&resources::EVENTS, Some("default"))
                .iter()
                .filter(|event| event["involvedObject"]["kind"] == "Pod")
                .map(|event| event["reason"].as_str().unwrap().to_owned())
                .collect();
            for reason in ["Scheduled", "Pulled", "Created", "Started"] {
                assert!(reasons.iter().any(|one| one == reason), "{reason} of {reasons:?}");
            }

            let metrics = || sim.backstage().pod_metrics(Some("default"));
            assert_eq!(metrics().len(), 0, "too young");
            let (_outcome, _users) = load(&sim, 1, "/?cpu=50&sleep=50", Duration::from_secs(100));
            secs(44.0).await;
            let first = metrics();
            let cpu = first[0]["containers"][1]["usage"]["cpu"].as_str().unwrap().to_owned();
            let nanocores: f64 = cpu.trim_end_matches('n').parse().unwrap();
            assert!((4e8..5.2e8).contains(&nanocores), "half a core, {cpu}");
            let same = metrics();
            assert_eq!(first[0]["timestamp"], same[0]["timestamp"], "it repeats itself");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_pods_become_ready() {
    LocalSet::new()
        .run_until(async {
            let hello =
                SimService::named("hello").with("min-scale", "500").with("initial-scale", "500");
            let sim = SimCluster::mount(SimSpec { services: vec![hello], ..SimSpec::default() });
            secs(5.0).await;
            assert_eq!(deployed(&sim, "hello-00001").counts().ready, 500);
            let deployment = object(&sim, &resources::DEPLOYMENTS, "hello-00001-deployment");
            assert_eq!(deployment["status"]["readyReplicas"], 500);
        })
        .await;
}
