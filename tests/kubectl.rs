//! The real `kubectl` against the embedded cluster. Without one installed each test says so and
//! passes.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and tell")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rampscope::sim::listen::Ports;
use rampscope::sim::listen::Running;
use rampscope::sim::listen::listen;
use rampscope::sim::spec::ColdStart;
use rampscope::sim::spec::SimService;
use rampscope::sim::spec::SimSpec;
use tempfile::TempDir;

/// A cluster and a `kubectl` that knows it.
struct Rig {
    running: Running,
    home: TempDir,
}

/// A `kubectl` that goes on; it ends with this.
struct Going(Child);

// === impl Rig ===

impl Rig {
    /// With one warm pod; `None` without a `kubectl`.
    fn new() -> Option<Self> {
        Self::of(SimSpec::default())
    }

    fn of(spec: SimSpec) -> Option<Self> {
        if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
            eprintln!("there is no kubectl: nothing was tried");
            return None;
        }
        let at_once = (Duration::ZERO, Duration::ZERO);
        let cold_start = ColdStart { schedule: at_once, pull: at_once, start: at_once };
        let services = vec![SimService::named("hello")];
        let spec = SimSpec { services, cold_start, ..spec };
        let running = listen(spec, Ports::default()).unwrap();
        let home = TempDir::new().unwrap();
        std::fs::write(home.path().join("config"), running.kubeconfig()).unwrap();
        let rig = Self { running, home };
        rig.until("get ksvc hello", "True");
        Some(rig)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("kubectl");
        command.args(line.split_whitespace()).env("KUBECONFIG", self.home.path().join("config"));
        // What it remembers of other clusters is not wanted here.
        command.env("HOME", self.home.path()).stdin(Stdio::null());
        command
    }

    /// Whether it did well, and what it said.
    fn run(&self, line: &str) -> (bool, String) {
        let output = self.command(line).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// What it said, if it did well.
    fn say(&self, line: &str) -> String {
        let (did_well, text) = self.run(line);
        assert!(did_well, "kubectl {line}: {text}");
        text
    }

    /// Asks until the answer contains this.
    fn until(&self, line: &str, wanted: &str) -> String {
        for _ in 0..400 {
            let (did_well, text) = self.run(line);
            if did_well && text.contains(wanted) {
                return text;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("kubectl {line} never said {wanted}: {}", self.run(line).1);
    }

    fn go(&self, line: &str) -> (Going, BufReader<std::process::ChildStdout>) {
        let mut child = self.command(line).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        (Going(child), output)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The headings of a table and the number of rows.
fn table(text: &str) -> (Vec<&str>, usize) {
    let mut lines = text.lines();
    let heading = lines.next().unwrap_or_default();
    let headings = heading.split("  ").map(str::trim).filter(|one| !one.is_empty()).collect();
    (headings, lines.count())
}

#[test]
fn each_kind_is_shown_with_the_columns_of_a_real_server() {
    let Some(rig) = Rig::new() else { return };
    let kinds = [
        ("pods", "NAME READY STATUS RESTARTS AGE | IP NODE NOMINATED_NODE READINESS_GATES"),
        ("services", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE | SELECTOR"),
        ("endpoints", "NAME ENDPOINTS AGE |"),
        ("endpointslices", "NAME ADDRESSTYPE PORTS ENDPOINTS AGE |"),
        ("configmaps -n knative-serving", "NAME DATA AGE |"),
        (
            "nodes",
            "NAME STATUS ROLES AGE VERSION | INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME",
        ),
        ("namespaces", "NAME STATUS AGE |"),
        ("deployments", "NAME READY UP-TO-DATE AVAILABLE AGE | CONTAINERS IMAGES SELECTOR"),
        ("replicasets", "NAME DESIRED CURRENT READY AGE | CONTAINERS IMAGES SELECTOR"),
        ("leases -n knative-serving", "NAME HOLDER AGE |"),
        ("crd", "NAME CREATED_AT |"),
        ("ksvc", "NAME URL LATESTCREATED LATESTREADY READY REASON |"),
        ("configurations", "NAME LATESTCREATED LATESTREADY READY REASON |"),
        (
            "revisions",
            "NAME CONFIG_NAME GENERATION READY REASON ACTUAL_REPLICAS DESIRED_REPLICAS |",
        ),
        ("routes", "NAME URL READY REASON |"),
        ("kpa", "NAME DESIREDSCALE ACTUALSCALE READY REASON |"),
        ("metrics", "NAME READY REASON |"),
        ("sks", "NAME MODE ACTIVATORS SERVICENAME PRIVATESERVICENAME READY REASON |"),
    ];
    for (kind, expected) in kinds {
        let (narrow, wide) = expected.split_once('|').unwrap();
        let words = |text: &str| {
            text.split_whitespace().map(|word| word.replace('_', " ")).collect::<Vec<_>>()
        };
        let text = rig.say(&format!("get {kind}"));
        let (headings, n_rows) = table(&text);
        assert_eq!(headings, words(narrow), "get {kind}");
        assert_ne!(n_rows, 0, "get {kind}: {text}");
        let text = rig.say(&format!("get {kind} -o wide"));
        assert_eq!(table(&text).0, [words(narrow), words(wide)].concat(), "get {kind} -o wide");
        let text = rig.say(&format!("get {kind} -o yaml"));
        assert!(text.contains("  metadata:\n") && text.contains("kind: List"), "{kind}: {text}");
    }
    let events = rig.say("get events");
    assert_eq!(table(&events).0, ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    assert!(events.contains("pod/hello-00001-deployment-"), "{events}");
    let pods = rig.say("get pods -A --chunk-size=2");
    assert_eq!(table(&pods).1, 5, "{pods}");
    assert!(rig.say("get all").contains("service.serving.knative.dev/hello"));
}

#[test]
fn it_is_discovered_and_errors_are_understood() {
    let Some(rig) = Rig::new() else { return };
    let resources = rig.say("api-resources");
    for line in ["podautoscalers  kpa,pa", "services  ksvc", "nodes  no"] {
        let words: Vec<_> = line.split_whitespace().collect();
        let found = resources.lines().any(|line| {
            let mut own = line.split_whitespace();
            own.next() == Some(words[0]) && own.next().is_some_and(|names| names.contains(words[1]))
        });
        assert!(found, "{line}: {resources}");
    }
    assert!(rig.say("api-versions").contains("serving.knative.dev/v1"));
    assert!(rig.say("version").contains("Server Version: v1."));
    assert!(rig.run("get pod nobody").1.contains("pods \"nobody\" not found"));
    assert!(!rig.run("explain pod").0, "there are no schemas");
    assert_eq!(rig.say("auth can-i watch podautoscalers").trim(), "yes");
    assert!(rig.say("auth whoami").contains("rampscope"));
    rig.running.faults().forbid("podautoscalers.autoscaling.internal.knative.dev");
    let (_, answer) = rig.run("auth can-i watch podautoscalers");
    assert!(answer.starts_with("no"), "{answer}");
    let (_, answer) = rig.run("get kpa");
    assert!(answer.contains("Error from server (Forbidden)"), "{answer}");
}

#[test]
fn objects_are_made_changed_and_deleted() {
    let Some(rig) = Rig::new() else { return };
    let service = |target: u32| {
        format!(
            "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: two\nspec:\n  \
             template:\n    metadata:\n      annotations:\n        \
             autoscaling.knative.dev/target: \"{target}\"\n    spec:\n      containers:\n      \
             - image: two\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map\n\
             data:\n  target: \"{target}\"\n"
        )
    };
    let file = rig.write("two.yaml", &service(5));
    assert!(
        rig.say(&format!("apply -f {file}")).contains("service.serving.knative.dev/two created")
    );
    rig.until("get ksvc two", "two-00001     True");
    let file = rig.write("two.yaml", &service(6));
    assert!(rig.say(&format!("apply -f {file}")).contains("configmap/map configured"));
    rig.until("get ksvc two", "two-00002");
    assert!(rig.say(&format!("apply -f {file}")).contains("two unchanged"));
    assert!(
        rig.say(&format!("apply --server-side --force-conflicts -f {file}")).contains("applied")
    );
    assert!(rig.say("get configmap map -o jsonpath={.data.target}").contains('6'));

    assert!(rig.say("annotate ksvc two note=x").contains("annotated"));
    assert!(rig.say("label ksvc two color=red").contains("labeled"));
    assert!(rig.say("get ksvc -l color=red,!shape").contains("two"));
    assert!(rig.run("label ksvc two color=blue").1.contains("overwrite"));
    let deployment = "deployment two-00002-deployment";
    assert!(rig.say(&format!("scale {deployment} --replicas=2")).contains("scaled"));
    let path = "-o jsonpath={.metadata.annotations.note}";
    assert_eq!(rig.say(&format!("get ksvc two {path}")), "x");
    let (_, text) = rig.run(&format!("create -f {file}"));
    assert!(text.contains("Error from server (AlreadyExists)"), "{text}");

    assert!(rig.say(&format!("delete -f {file}")).contains("\"two\" deleted"));
    let rest = rig.say("get ksvc,revisions");
    assert!(!rest.contains("two"), "{rest}");
    assert!(rig.say(&format!("create -f {file}")).contains("configmap/map created"));
    assert!(rig.say("delete pod -l serving.knative.dev/service=hello --force").contains("deleted"));
}

#[test]
fn watches_and_logs_go_on() {
    let Some(rig) = Rig::new() else { return };
    let (_going, mut lines) = rig.go("get ksvc -w");
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(next()[0], "NAME");
    assert_eq!(next()[0], "hello");
    rig.say("annotate ksvc hello seen=1");
    assert_eq!(next()[0], "hello");

    let gateway = rig.running.gateway_url.strip_prefix("http://").unwrap();
    let pod = rig.say("get pod -n knative-serving -l app=autoscaler -o name");
    let pod = pod.trim();
    let (_going, log) = rig.go(&format!("logs -f -n knative-serving {pod} --tail=1 --timestamps"));
    let mut stream = TcpStream::connect(gateway).unwrap();
    let host = &rig.running.host;
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let lines: Vec<_> = log.lines().take(3).map(Result::unwrap).collect();
    for line in &lines {
        let (stamp, text) = line.split_once(' ').unwrap();
        assert!(stamp.ends_with('Z') && text.starts_with("{\"severity\""), "{line}");
    }
    let tail = rig.say(&format!("logs -n knative-serving {pod} --tail=2"));
    assert_eq!(tail.lines().count(), 2, "{tail}");
    assert!(rig.run("logs -n knative-serving nobody").1.contains("not found"));
}

/// metrics-server says nothing before its second look.
#[test]
fn usage_is_on_top() {
    let often = SimSpec { metric_resolution: Duration::from_secs(1), ..SimSpec::default() };
    let Some(rig) = Rig::of(often) else { return };
    let pods = rig.until("top pods", "hello-00001-deployment-");
    assert_eq!(table(&pods).0, ["NAME", "CPU(cores)", "MEMORY(bytes)"]);
    let nodes = rig.say("top nodes");
    assert_eq!(table(&nodes).0, ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]);
    assert!(rig.say("top pods --containers").contains("queue-proxy"));
}
