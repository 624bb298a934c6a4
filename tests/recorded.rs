//! A whole panic, recorded on a real Knative 1.23, through the real parsers into the model: from
//! one pod to nine, one panic of about 24 s, and back.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::time::Duration;

use flate2::read::GzDecoder;
use kube::api::DynamicObject;
use rampscope::collect::exposition;
use rampscope::collect::kinds;
use rampscope::collect::knative;
use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Gone;
use rampscope::event::cluster::Kind;
use rampscope::event::cluster::Name;
use rampscope::event::run::Began;
use rampscope::event::run::Executor;
use rampscope::event::run::Mode;
use rampscope::event::scaler::Origin;
use rampscope::model::Model;
use rampscope::model::scaling::PanicState;
use rampscope::units::Anchor;
use rampscope::units::At;
use rampscope::units::UnixMicros;
use serde_json::Value;

/// The wall clock at the recording's beginning, from the stamps in it.
const ANCHOR: &str = "2026-11-22T07:18:59.900Z";

fn kind_of(name: &str) -> Option<Kind> {
    Some(match name {
        "pods" => Kind::Pod,
        "deployments" => Kind::Deployment,
        "events" => Kind::Event,
        "revisions" => Kind::Revision,
        "podautoscalers" => Kind::PodAutoscaler,
        "serverlessservices" => Kind::ServerlessService,
        "horizontalpodautoscalers" => Kind::HorizontalPodAutoscaler,
        "scaledobjects" => Kind::ScaledObject,
        _ => return None,
    })
}

/// One line of the recording as events.
fn events(line: &Value, at: At) -> Vec<Event> {
    let (kind, name) = (line["kind"].as_str().unwrap(), line["name"].as_str().unwrap());
    match kind {
        "watch" => {
            let Some(kind) = kind_of(name) else { return Vec::new() };
            let (what, object) = (line["body"]["type"].as_str().unwrap(), &line["body"]["object"]);
            let Ok(raw) = serde_json::from_value::<DynamicObject>(object.clone()) else {
                return Vec::new();
            };
            match what {
                "ADDED" | "MODIFIED" => vec![Event::Seen(Box::new(kinds::object(kind, &raw)))],
                "DELETED" => vec![Event::Gone(Gone { kind, id: kinds::id(&raw) })],
                // The list is complete.
                "BOOKMARK" => vec![Event::Listed(kind)],
                _ => Vec::new(),
            }
        }
        "exposition" if name == "autoscaler" => {
            let text = exposition::parse(line["body"].as_str().unwrap(), knative::is_wanted);
            assert_eq!(text.n_not_understood, 0);
            let (readings, not_understood) = knative::autoscalers(&text, "autoscaler-0", at);
            assert_eq!(not_understood, 0);
            readings.into_iter().map(|reading| Event::Autoscaler(Box::new(reading))).collect()
        }
        "exposition" if name == "activator" => {
            let text = exposition::parse(line["body"].as_str().unwrap(), knative::is_wanted);
            knative::activators(&text, "activator-0", at)
                .0
                .into_iter()
                .map(Event::Activator)
                .collect()
        }
        _ => Vec::new(),
    }
}

fn began() -> Began {
    Began {
        name: "recorded".to_owned(),
        version: "0".to_owned(),
        anchor: Anchor(UnixMicros::parse(ANCHOR).unwrap()),
        mode: Mode::Watch,
        context: None,
        namespace: Some("default".to_owned()),
        service: Some("probe".to_owned()),
        stages: Vec::new(),
        executor: Executor::None,
        max_rate: None,
        max_in_flight: None,
        checks: Vec::new(),
        read_only: true,
    }
}

#[test]
fn a_real_panic_is_seen_as_it_was() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/knative-1.23-panic-run.jsonl.gz");
    let lines = BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines();
    let mut model = Model::default();
    let mut seq = 0;
    let mut apply = |model: &mut Model, at, event| {
        model.apply(&Stamped { seq, at, event });
        seq += 1;
    };
    apply(&mut model, At::ZERO, Event::Began(Box::new(began())));
    let revision = Name { namespace: "default".to_owned(), name: "probe-00001".to_owned() };
    let (mut states, mut ready): (Vec<&str>, Vec<u32>) = (Vec::new(), Vec::new());
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let at = At::from(Duration::from_secs_f64(line["t"].as_f64().unwrap()));
        for event in events(&line, at) {
            apply(&mut model, at, event);
        }
        let state = match model.scaling.panic_state(&revision, at) {
            PanicState::Stable { origin: Origin::Metric } => "stable",
            PanicState::Panic { origin: Origin::Metric, .. } => "panic",
            PanicState::Unknown(_) => "unknown",
            other => panic!("{other:?}"),
        };
        if states.last() != Some(&state) {
            states.push(state);
        }
        if let Some(counts) = model.cluster.counts(&revision)
            && ready.last() != Some(&counts.ready)
        {
            ready.push(counts.ready);
        }
    }
    assert_eq!(states, ["unknown", "stable", "panic", "stable"]);
    let scaling = model.scaling.get(&revision).unwrap();
    let [panic] = scaling.panics.iter().collect::<Vec<_>>()[..] else { panic!("one panic") };
    let lasted = panic.ended.unwrap().since(panic.began).as_secs_f64();
    assert!((22.0..=26.0).contains(&lasted), "{lasted}");
    assert_eq!(scaling.ready_max, Some(9));
    assert_eq!(ready.iter().max(), Some(&9));
    let last = *ready.last().unwrap();
    assert!(last <= 1, "and back: {ready:?}");
    assert!(!model.cluster.cold_starts.is_empty());
    for start in &model.cluster.cold_starts {
        assert!((1.0..5.0).contains(&start.took.as_secs_f64()), "{start:?}");
    }
}
