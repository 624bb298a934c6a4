//! From text to plan, as a whole.

use std::time::Duration;

use proptest::prelude::Strategy;
use proptest::prop_assert;
use proptest::proptest;

use super::*;
use crate::scenario::plan::Address;
use crate::scenario::plan::Arrivals;
use crate::scenario::plan::Body;
use crate::scenario::plan::Grpc;
use crate::scenario::plan::Stage;
use crate::scenario::plan::Think;

const SMALL: &str = "\
name: small
target: {url: http://127.0.0.1:8080}
load:
  stages:
    - {for: 20s, at: 40/s}
    - {name: up, for: 30s, to: 400/s}
";

fn changes(texts: &[&str]) -> Vec<Override> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn what_is_left_out_has_its_default() {
    let plan = parse(SMALL, "x.yaml").unwrap();
    assert_eq!((plan.target.connections, plan.target.max_in_flight), (64, 1000));
    assert_eq!(plan.request.timeout, Duration::from_secs(30));
    assert_eq!((plan.request.method.as_str(), plan.request.path.as_str()), ("GET", "/"));
    assert!(plan.request.keep_alive);
    assert_eq!((plan.load.arrivals, plan.load.seed), (Arrivals::Even, 1));
    assert_eq!(
        plan.load.stages,
        [
            Stage::linear("stage 1", Duration::from_secs(20), 40.0, 40.0),
            Stage::linear("up", Duration::from_secs(30), 40.0, 400.0),
        ]
    );
    assert_eq!(plan.requests(), Some(800.0 + 6600.0));
}

#[test]
fn everything_that_can_be_written_is_understood() {
    let plan = parse(
        "
about: All of it.
target:
  service: hello
  namespace: shop
  create:
    image: ghcr.io/you/app:v1
    annotations: {target: \"10\", window: 20s, max-scale: 12}
    container_concurrency: 5
    env: {FAIL_RATIO: 0.5, DEBUG: true}
  connections: 8
  max_in_flight: 50
  max_rate: 100 users
  insecure: true
request:
  method: post
  path: /a?b=c
  headers: {Content-Type: text/plain, Accept: '*/*'}
  body: |
    hello
  timeout: 5s
  keep_alive: false
load:
  arrivals: closed
  think: 500ms
  seed: 7
  stages:
    - {for: 1m30s, from: 5 users, to: 50 users}
checks: [p99 < 2s, panics < 2]
",
        "dir/all.yaml",
    )
    .unwrap();
    assert_eq!(plan.name, "all", "the name of the file, if it has none of its own");
    let Address::Service { name, namespace, create: Some(create) } = plan.target.address else {
        panic!("no service")
    };
    assert_eq!((name.as_str(), namespace.as_deref()), ("hello", Some("shop")));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        create.annotations,
        [pair("target", "10"), pair("window", "20s"), pair("max-scale", "12")]
    );
    assert_eq!(create.env, [pair("FAIL_RATIO", "0.5"), pair("DEBUG", "true")]);
    assert_eq!(plan.request.method, "POST");
    assert_eq!(plan.request.body, Some(Body::Text("hello\n".to_owned())));
    let think = Think::Fixed(Duration::from_millis(500));
    assert_eq!(plan.load.arrivals, Arrivals::Closed { think, batch: None });
    assert_eq!(plan.checks.len(), 2);
}

#[test]
fn http2_and_grpc_say_how_much_goes_at_once_and_what_is_called() {
    let with = |target: &str, request: &str| {
        let text = SMALL.replacen(":8080}", &format!(":8080{target}}}"), 1).replacen(
            "load:",
            &format!("request: {{{request}}}\nload:"),
            1,
        );
        parse(&text, "x.yaml").unwrap()
    };
    let plan = with(", http2: true", "path: /x");
    assert_eq!((plan.target.streams, plan.target.connections), (Some(10), 7), "64 at once");
    let plan = with(", streams: 100", "headers: {A: b}");
    assert_eq!((plan.target.streams, plan.target.connections), (Some(100), 1));
    let plan = with(", http2: false", "path: /x");
    assert_eq!((plan.target.streams, plan.target.connections), (None, 64));
    let text = "grpc: {method: load_worker.LoadWorker/InvokeWorker, json: '{\"duration_ms\": 100}', deadline: 9s}";
    let plan = with("", text);
    let request = plan.request.clone();
    assert_eq!(
        (request.method.as_str(), request.path.as_str(), request.timeout),
        ("POST", "/load_worker.LoadWorker/InvokeWorker", Duration::from_secs(9))
    );
    assert_eq!(request.body, Some(Body::Bytes(vec![8, 100])));
    assert_eq!(request.grpc, Some(Grpc { is_streaming: false }));
    assert_eq!(plan.target.streams, Some(10), "gRPC is HTTP/2");
    let written = serde_json::to_string(&plan.without_secrets()).unwrap();
    assert!(written.contains("(2 bytes, not recorded)"), "{written}");
    for (message, body) in [
        ("message: 08 64", Some(Body::Bytes(vec![8, 100]))),
        ("message: {random: 1KiB}", Some(Body::Random(1024))),
        ("streaming: true", Some(Body::Bytes(Vec::new()))),
    ] {
        let plan = with("", &format!("grpc: {{method: /a.B/C, {message}}}"));
        assert_eq!(plan.request.body, body, "{message}");
        let is_streaming = message.starts_with("streaming");
        assert_eq!(plan.request.grpc, Some(Grpc { is_streaming }));
    }
    let forbidden = SMALL.replacen(":8080}", ":8080, http2: true}", 1).replacen(
        "load:",
        "request: {headers: {Connection: close}}\nload:",
        1,
    );
    let error = parse(&forbidden, "x.yaml").unwrap_err().to_string();
    assert!(error.contains("request.headers.Connection: is not sent in HTTP/2"), "{error}");
}

#[test]
fn secrets_that_vary_are_neither_recorded_nor_shown() {
    let matrix = "[{vary: header Authorization, of: [Bearer hush, Bearer hush2]}, \
        {vary: query api_key, of: [hush]}, {vary: query page, of: ['1']}]";
    let text = SMALL.replacen("load:", &format!("request: {{matrix: {matrix}}}\nload:"), 1);
    let plan = parse(&text, "x.yaml").unwrap();
    let names: Vec<&str> = plan
        .request
        .matrix
        .iter()
        .flat_map(|it| it.choices.iter().map(|choice| choice.name.as_str()))
        .collect();
    assert_eq!(names, ["Authorization 1", "Authorization 2", "api_key 1", "1"]);
    let written = serde_json::to_string(&plan.without_secrets()).unwrap();
    assert!(!written.contains("hush"), "{written}");
    assert!(written.contains(r#"{"name":"page","value":"1"}"#), "{written}");
}

#[test]
fn an_error_names_file_line_field_and_remedy() {
    for (from, to, expected) in [
        ("name:", "nmae:", "x.yaml:1: nmae: is not known here; did you mean `name`?"),
        ("stages:", "stage:", "x.yaml:4: load.stage: is not known here; did you mean `stages`?"),
        (
            "at: 40/s",
            "att: 40/s",
            "x.yaml:5: load.stages.0.att: is not known here; did you mean `at`",
        ),
        ("at: 40/s", "at: 40", "x.yaml:5: load.stages.0.at: \"40\" has no unit; write 40/s"),
        ("at: 40/s", "at: 40 users", "x.yaml:5: load.stages.0.at: is a number of users"),
        ("at: 40/s", "at: NaN/s", "x.yaml:5: load.stages.0.at: \"NaN/s\" is not an amount"),
        ("at: 40/s", "at: -4/s", "x.yaml:5: load.stages.0.at: \"-4/s\" is negative"),
        ("at: 40/s", "at: 4/s, to: 5/s", "x.yaml:5: load.stages.0.at: stands beside"),
        (", at: 40/s", "", "x.yaml:5: load.stages.0.at: is missing; write `at: 40/s`"),
        ("for: 20s, ", "", "x.yaml:5: load.stages.0.for: is missing"),
        ("for: 20s", "for: 0s", "x.yaml:5: load.stages.0.for: is zero"),
        ("for: 20s", "for: 20", "x.yaml:5: load.stages.0.for: \"20\" has no unit; write 20s"),
        ("for: 20s", "for: 9000h", "x.yaml:5: load.stages.0.for: \"9000h\" is too long"),
        ("for: 20s", "for: [20s]", "x.yaml:5: load.stages.0.for: is a list; write a single value"),
        ("http:", "ftp:", "x.yaml:2: target.url: \"ftp://127.0.0.1:8080\" is neither"),
        (
            ":8080}",
            ":8080/x}",
            "x.yaml:2: target.url: has a path; write http://127.0.0.1:8080 here",
        ),
        (":8080}", ":8080, connections: 0}", "x.yaml:2: target.connections: is 0; write a number"),
        (
            ":8080}",
            ":8080, connections: x}",
            "x.yaml:2: target.connections: is \"x\"; write a whole",
        ),
        (":8080}", ":8080, max_rate: 9/s}", "x.yaml:2: target.max_rate: is 9/s, below"),
        (":8080}", ":8080, service: a}", "x.yaml:2: target.url: stands beside `service`"),
        ("url: http://127.0.0.1:8080", "insecure: true", "x.yaml:2: target: says not where"),
        (
            "  stages:",
            "  arrivals: poison\n  stages:",
            "x.yaml:4: load.arrivals: \"poison\" is not known here; did you mean `poisson`",
        ),
        ("  stages:", "  think: 1s\n  stages:", "x.yaml:4: load.think: is only for users"),
        ("load:", "checks: [p99 < 2]\nload:", "x.yaml:3: checks.0: the limit \"2\" has no unit"),
        (
            "load:",
            "request: {headers: {Host: a}}\nload:",
            "x.yaml:3: request.headers.Host: is set by target.host",
        ),
        (":8080}", ":8080, streams: 0}", "x.yaml:2: target.streams: is 0; write a number"),
        (":8080}", ":8080, http2: false, streams: 2}", "x.yaml:2: target.http2: is false"),
        (
            "load:",
            "request: {grpc: {method: a.B}}\nload:",
            "x.yaml:3: request.grpc.method: \"a.B\" is not a method of gRPC",
        ),
        (
            "load:",
            "request: {grpc: {method: a.B/C, json: '{}'}}\nload:",
            "x.yaml:3: request.grpc.json: /a.B/C is not described; name a file of descriptors",
        ),
        (
            "load:",
            "request: {grpc: {method: a.B/C, descriptors: none.pb}}\nload:",
            "x.yaml:3: request.grpc.descriptors: \"none.pb\" cannot be read",
        ),
        (
            "load:",
            "request: {path: /x, grpc: {method: a.B/C}}\nload:",
            "x.yaml:3: request.path: stands beside `grpc`",
        ),
        ("load:", "name: again\nload:", "x.yaml:3: "),
        ("load:", "load: [", "x.yaml:"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let text = SMALL.replacen(from, to, 1);
        let error = parse(&text, "x.yaml").unwrap_err().to_string();
        assert!(error.starts_with(expected), "{to}:\n{error}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let text = SMALL.replace("20s", "0s").replace("30s", "0s").replace("http", "ftp");
    let error = parse(&text, "x.yaml").unwrap_err().to_string();
    assert_eq!(error.lines().count(), 3, "{error}");
}

/// What is wrong with a text, each as its line and its field.
fn faults_of(text: &str) -> Vec<(u64, String)> {
    let Err(Error::Invalid { faults, .. }) = parse(text, "x.yaml") else { panic!("valid") };
    let line = |fault: &Fault| match fault.place {
        Some(error::Place::Line(line)) => line,
        place => panic!("{place:?}"),
    };
    faults.iter().map(|fault| (line(fault), fault.field.clone())).collect()
}

#[test]
fn all_that_is_wrong_with_the_shape_is_told_at_once() {
    let text = "\
nmae: small
target: {url: http://127.0.0.1:8080, conections: 8, insecure: perhaps}
request: {headers: [a], timeout: 5, pth: /}
load:
  arrivals: poison
  seed: x
  seed: 7
  stages:
    - {fro: 20s, at: 40/s}
    - {for: 20, at: 40}
    - nonsense
    - {name: up, for: 30s, to: 400/s, to: 4/s}
checks: [p99 < 2, {a: b}]
";
    let expected = [
        (1, "nmae"),
        (2, "target.conections"),
        (2, "target.insecure"),
        (3, "request.headers"),
        (3, "request.timeout"),
        (3, "request.pth"),
        (5, "load.arrivals"),
        (6, "load.seed"),
        (7, "load.seed"),
        (9, "load.stages.0.fro"),
        (9, "load.stages.0.for"),
        (10, "load.stages.1.for"),
        (10, "load.stages.1.at"),
        (11, "load.stages.2"),
        (12, "load.stages.3.to"),
        (13, "checks.0"),
        (13, "checks.1"),
    ]
    .map(|(line, field)| (line, field.to_owned()));
    let mut found = faults_of(text);
    // Those of one line come in the order in which they were found.
    found.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(found, expected);
    let said = parse(text, "x.yaml").unwrap_err().to_string();
    for remedy in [
        "x.yaml:1: nmae: is not known here; did you mean `name`?",
        "x.yaml:9: load.stages.0.for: is missing",
        "x.yaml:12: load.stages.3.to: is written twice; keep one",
        "x.yaml:10: load.stages.1.at: \"40\" has no unit; write 40/s",
    ] {
        assert!(said.contains(remedy), "{remedy}\n{said}");
    }
}

#[test]
fn what_only_follows_from_another_fault_is_not_told() {
    for (text, expected) in [
        // Nothing but a typing error, which leaves the stage without an amount.
        (SMALL.replace("at: 40/s", "att: 40/s"), vec![(5, "load.stages.0.att")]),
        // Users where nobody knows whether the loop is closed.
        (
            SMALL.replace("  stages:", "  arrivals: clsed\n  stages:").replace("40/s", "4 users"),
            vec![(4, "load.arrivals")],
        ),
        (SMALL.replace("url:", "ulr:"), vec![(2, "target.ulr")]),
        (SMALL.replace("load:", "laod:"), vec![(1, "load"), (3, "laod")]),
        ("name: a\n".to_owned(), vec![(1, "target"), (1, "load")]),
        ("[]".to_owned(), vec![(1, "")]),
    ] {
        let expected: Vec<_> =
            expected.into_iter().map(|(line, field)| (line, field.to_owned())).collect();
        assert_eq!(faults_of(&text), expected, "{text}");
    }
}

#[test]
fn a_change_from_the_command_line_reaches_every_field() {
    let plan = parse_changed(
        SMALL,
        "x.yaml",
        &changes(&[
            "load.seed=9",
            "load.stages.0.at=600/s",
            "load.stages.up.to=7/s",
            "request.path=/x",
            "request.headers={A: b}",
            "target.url=",
            "target.service=foo",
        ]),
    )
    .unwrap();
    assert_eq!(plan.load.seed, 9);
    assert_eq!((plan.load.stages[0].to, plan.load.stages[1].to), (600.0, 7.0));
    assert_eq!(plan.request.path, "/x");
    assert_eq!(plan.request.headers, [("A".to_owned(), "b".to_owned())]);
    assert!(matches!(plan.target.address, Address::Service { name, .. } if name == "foo"));
}

#[test]
fn a_change_that_cannot_be_is_refused_with_its_field() {
    for (change, expected) in [
        ("load.seeds=9", "x.yaml, --set: load.seeds: is not known here; did you mean `seed`"),
        ("load.seed=x", "x.yaml, --set: load.seed: is \"x\"; write a whole number"),
        ("load.stages.9.at=1/s", "x.yaml, --set: load.stages.9.at: there is no \"9\""),
        ("load.stages.0.at=1", "x.yaml, --set: load.stages.0.at: \"1\" has no unit"),
        ("name.x=1", "x.yaml, --set: name.x: there is no \"x\" inside"),
        ("name=[", "x.yaml, --set: name: is not YAML"),
        ("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1", "x.yaml, --set: a.a"),
    ] {
        let error = parse_changed(SMALL, "x.yaml", &changes(&[change])).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{change}:\n{error}");
    }
    for text in ["", "a", "=b", ".a=b", "a..b=c"] {
        assert!(text.parse::<Override>().is_err(), "{text}");
    }
}

#[test]
fn the_size_of_a_file_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.yaml");
    std::fs::write(&path, format!("{SMALL}#{}", "x".repeat(300 * 1024))).unwrap();
    let error = load(path.to_str().unwrap(), &[]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn a_scenario_is_found_as_file_and_by_name() {
    assert_eq!(load("demo", &[]).unwrap(), load("scenarios/demo.yaml", &[]).unwrap());
    let error = load("dmeo", &[]).unwrap_err().to_string();
    assert!(error.contains("built in are demo, panic, kpa-basics, steady, mixed"), "{error}");
}

#[test]
fn bombs_are_refused() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
        e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
        g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    assert!(parse(bomb, "x").is_err());
    assert!(parse(&"[".repeat(100_000), "x").is_err());
    assert!(parse(&"a: ".repeat(100_000), "x").is_err());
}

proptest! {
    /// Whatever stands in a file: an answer, never a panic, and no control character in it.
    #[test]
    fn any_text_gets_an_answer(text in ".{0,200}|[a-z:{}\\[\\], \n&*!|>#'\"-]{0,200}") {
        if let Err(error) = parse(&text, "x") {
            let said = error.to_string();
            prop_assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
        }
    }

    /// A plan that is accepted is one that can be run.
    #[test]
    fn an_accepted_plan_is_bounded(
        at in proptest::num::f64::ANY.prop_map(|at| at.to_string()),
        secs in proptest::num::f64::ANY.prop_map(|secs| secs.to_string()),
    ) {
        let text = SMALL.replace("40/s", &format!("{at}/s")).replace("20s", &format!("{secs}s"));
        if let Ok(plan) = parse(&text, "x") {
            prop_assert!((0.0..=amount::RATE_MAX).contains(&plan.peak()));
            prop_assert!(plan.lasts() <= amount::SPAN_MAX);
            prop_assert!(plan.load.stages.iter().all(|stage| !stage.lasts.is_zero()));
        }
    }
}
