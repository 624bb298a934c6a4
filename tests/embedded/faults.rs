//! What goes wrong around us, each on the embedded cluster in virtual time: nothing is counted
//! twice, nothing stale is shown as fresh, and it says what a person can do.

use std::collections::BTreeSet;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::json;
use tokio::task::LocalSet;
use tokio_util::task::AbortOnDropHandle;
use unicode_width::UnicodeWidthStr;

use rampscope::bus::bus;
use rampscope::clock::Clock;
use rampscope::event::Event;
use rampscope::event::scaler::Origin;
use rampscope::event::source::Report;
use rampscope::event::source::State;
use rampscope::model::Model;
use rampscope::model::WATCH_PODS;
use rampscope::model::happenings::What;
use rampscope::model::scaling::PanicState;
use rampscope::model::sources::Health;
use rampscope::sim::cluster::SimCluster;
use rampscope::sim::fault::ProxyFault;
use rampscope::sim::resources;
use rampscope::sim::spec::SimService;
use rampscope::sim::spec::SimSpec;
use rampscope::sim::task;
use rampscope::tui::Session;
use rampscope::tui::Theme;
use rampscope::tui::Ui;
use rampscope::tui::View;
use rampscope::tui::draw_buffer;
use rampscope::units::At;

use crate::eyes::Eyes;
use crate::eyes::ask;

const VIEWS: &[View] = &View::ALL;

fn warm() -> SimSpec {
    let hello = SimService::named("hello")
        .with("target", "10")
        .with("window", "20s")
        .with("max-scale", "12");
    SimSpec { services: vec![hello], ..SimSpec::default() }
}

/// The same with a pod that stays.
fn steady() -> SimSpec {
    let mut spec = warm();
    spec.services = spec.services.into_iter().map(|it| it.with("min-scale", "1")).collect();
    spec
}

/// A warm cluster that we have looked at for five seconds.
async fn watched(spec: SimSpec) -> (SimCluster, Eyes) {
    let sim = SimCluster::mount(spec);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut eyes = Eyes::open(&sim).await;
    eyes.look(5.0).await;
    assert_eq!(health(&eyes, WATCH_PODS), Health::Ok);
    assert_eq!(health(&eyes, "autoscaler metrics"), Health::Ok);
    (sim, eyes)
}

/// So many users ask one request after another until they are dropped.
fn users(sim: &SimCluster, n: usize) -> Vec<AbortOnDropHandle<()>> {
    let host = sim.first_host();
    let one = |_| {
        let (mut stream, host) = (sim.connect_gateway(), host.clone());
        task::spawn(async move { while ask(&mut stream, &host).await {} })
    };
    (0..n).map(one).collect()
}

fn health(eyes: &Eyes, source: &str) -> Health {
    eyes.model.sources.get(source).unwrap().health(eyes.model.now)
}

fn report<'a>(eyes: &'a Eyes, source: &str) -> &'a Report {
    &eyes.model.sources.get(source).unwrap().report
}

/// Names of the revision's pods, as the cluster has them.
fn pods_there(sim: &SimCluster) -> BTreeSet<String> {
    let pods = sim.store().borrow().list(&resources::PODS, Some("default"));
    pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The same, as the model has them; fails on one that is there twice.
fn pods_seen(eyes: &Eyes) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for life in eyes.model.cluster.pods.values() {
        if life.pod.id.namespace == "default" {
            assert!(names.insert(life.pod.id.name.clone()), "{} is there twice", life.pod.id.name);
        }
    }
    names
}

/// No pod was told to be created, or gone, more than once.
fn assert_told_once(eyes: &Eyes) {
    let mut told = BTreeSet::new();
    for happening in eyes.model.happenings.iter() {
        let (kind, pod) = match &happening.what {
            What::PodCreated { pod, .. } => ("created", pod),
            What::PodGone { pod, .. } => ("gone", pod),
            _ => continue,
        };
        assert!(told.insert((kind, pod.clone())), "{pod} was told {kind} twice");
    }
}

fn drawn(model: &Model, view: View, (width, height): (u16, u16)) -> Buffer {
    let mut ui = Ui::new(Session { is_recording: true, ..Session::default() });
    ui.set_now(model.now);
    ui.set_size(width, height);
    ui.show(view);
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw_buffer(model, &ui, &Theme::builtin("night").unwrap(), &mut buffer);
    buffer
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let row =
        |row: &[ratatui::buffer::Cell]| row.iter().map(ratatui::buffer::Cell::symbol).collect();
    buffer.content.chunks(width).map(row).collect()
}

/// Runs with time paused, on a thread that may hold a cluster.
async fn here(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn the_api_server_goes_away_for_ten_seconds_and_comes_back() {
    here(async {
        let (sim, mut eyes) = watched(warm()).await;
        let before = eyes.model.now;
        assert_eq!(eyes.counts().ready, 1);
        sim.faults().api_gone(true);
        let users = users(&sim, 60);
        eyes.look(10.0).await;
        for source in [WATCH_PODS, "watch podautoscalers", "autoscaler metrics"] {
            assert!(matches!(health(&eyes, source), Health::Stale(_)), "{source}");
            assert_ne!(report(&eyes, source).reason, "", "{source}");
        }
        assert!(matches!(eyes.panic(), PanicState::Unknown(_)), "{:?}", eyes.panic());
        let hello = eyes.model.scaling.get(&crate::eyes::revision()).unwrap();
        let unseen = before + Duration::from_secs(8);
        assert_eq!(hello.ready.at(unseen, None), None, "nobody counted pods then");
        assert_eq!(hello.ready.at(before, None), Some(1.0));

        sim.faults().api_gone(false);
        eyes.look(12.0).await;
        for source in [WATCH_PODS, "watch podautoscalers", "autoscaler metrics"] {
            assert_eq!(health(&eyes, source), Health::Ok, "{source}");
        }
        assert_eq!(pods_seen(&eyes), pods_there(&sim));
        assert_eq!((eyes.counts().ready, pods_there(&sim).len()), (9, 9), "it grew meanwhile");
        assert!(matches!(eyes.panic(), PanicState::Panic { origin: Origin::Metric, .. }));
        assert_told_once(&eyes);
        let hello = eyes.model.scaling.get(&crate::eyes::revision()).unwrap();
        assert_eq!(hello.ready.at(unseen, None), None, "the gap stays");

        // What goes while nobody looks is gone when we look again.
        sim.faults().api_gone(true);
        drop(users);
        eyes.look(90.0).await;
        assert_eq!(pods_there(&sim), BTreeSet::new());
        assert_eq!(pods_seen(&eyes).len(), 9, "nobody told us");
        sim.faults().api_gone(false);
        eyes.look(40.0).await;
        assert_eq!(pods_seen(&eyes), BTreeSet::new());
        assert_told_once(&eyes);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn watches_end_with_410_again_and_again() {
    here(async {
        let (sim, mut eyes) = watched(warm()).await;
        let users = users(&sim, 60);
        for _ in 0..5 {
            sim.store().borrow_mut().compact();
            sim.faults().end_watches_with_410();
            eyes.look(3.0).await;
            assert_eq!(pods_seen(&eyes), pods_there(&sim));
        }
        drop(users);
        assert_eq!(eyes.counts().ready, 9);
        assert_eq!(health(&eyes, WATCH_PODS), Health::Ok);
        assert_told_once(&eyes);
        sim.faults().end_watches_with_410();
        eyes.look(90.0).await;
        assert_eq!(pods_seen(&eyes), BTreeSet::new());
        assert_told_once(&eyes);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_scrape_that_hangs_babbles_or_never_ends_costs_only_itself() {
    here(async {
        let (sim, mut eyes) = watched(steady()).await;
        let faults = [
            (ProxyFault::Hang, "no answer within"),
            (ProxyFault::Garbage, "no metrics text"),
            (ProxyFault::Huge, "longer than 8 MiB"),
        ];
        for (fault, reason) in faults {
            sim.faults().proxy(9090, Some(fault));
            eyes.look(9.0).await;
            let said = report(&eyes, "autoscaler metrics");
            assert_eq!(said.state, State::Failing, "{fault:?}");
            assert!(said.reason.contains(reason), "{}", said.reason);
            assert!(matches!(eyes.panic(), PanicState::Unknown(_)), "{fault:?} {:?}", eyes.panic());
            assert_eq!(health(&eyes, WATCH_PODS), Health::Ok, "{fault:?}");
            assert_eq!(eyes.counts().ready, 1, "{fault:?}");
            sim.faults().proxy(9090, None);
            eyes.look(5.0).await;
            assert_eq!(health(&eyes, "autoscaler metrics"), Health::Ok, "{fault:?}");
            assert_eq!(eyes.panic(), PanicState::Stable { origin: Origin::Metric });
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_metric_that_vanishes_is_unknown_and_not_zero() {
    here(async {
        let (sim, mut eyes) = watched(steady()).await;
        sim.faults().vanish_metric(Some("kn_revision_panic_mode"));
        eyes.look(10.0).await;
        let hello = eyes.model.scaling.get(&crate::eyes::revision()).unwrap();
        let reading = hello.reading.as_ref().unwrap();
        assert!(reading.panic.is_none() && reading.desired.is_some(), "the others go on");
        assert!(!matches!(eyes.panic(), PanicState::Stable { origin: Origin::Metric }));
        sim.faults().vanish_metric(Some("kn_revision_pods_desired"));
        eyes.look(5.0).await;
        let hello = eyes.model.scaling.get(&crate::eyes::revision()).unwrap();
        assert_eq!(hello.reading.as_ref().unwrap().desired, None);
        assert_eq!(hello.wanted.at(eyes.model.now, None), None, "a gap");
        sim.faults().vanish_metric(None);
        eyes.look(5.0).await;
        assert_eq!(eyes.panic(), PanicState::Stable { origin: Origin::Metric });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_we_may_not_read_is_said_with_its_remedy_and_the_others_go_on() {
    here(async {
        let sim = SimCluster::mount(warm());
        tokio::time::sleep(Duration::from_secs(5)).await;
        sim.faults().forbid("podautoscalers.autoscaling.internal.knative.dev");
        let mut eyes = Eyes::open(&sim).await;
        eyes.look(8.0).await;
        let said = report(&eyes, "watch podautoscalers");
        assert_eq!(said.state, State::Denied);
        assert!(said.reason.contains("podautoscalers"), "{}", said.reason);
        assert_ne!(said.remedy, "");
        assert_eq!(health(&eyes, WATCH_PODS), Health::Ok);
        assert_eq!(eyes.counts().ready, 1);
        assert_eq!(eyes.panic(), PanicState::Stable { origin: Origin::Metric });
        sim.faults().mend();
        eyes.look(60.0).await;
        assert_eq!(health(&eyes, "watch podautoscalers"), Health::Ok, "it is asked again");
    })
    .await;
}

/// No string anywhere in it may move a cursor.
fn assert_washed(value: &serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        serde_json::Value::Array(values) => values.iter().for_each(assert_washed),
        serde_json::Value::Object(fields) => fields.values().for_each(assert_washed),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_would_move_the_cursor_or_are_wide_do_no_harm() {
    const NAMES: [&str; 4] = [
        "\u{1b}[31mred\u{1b}]0;pwned\u{7}",
        "検索サービス検索サービス",
        "a\r\n\tb\u{202e}c",
        "👩‍👩‍👧e\u{301}",
    ];
    here(async {
        let (sim, mut eyes) = watched(warm()).await;
        let pods = sim.store().borrow().list(&resources::PODS, Some("default"));
        for (idx, name) in NAMES.iter().enumerate() {
            let mut pod = serde_json::Value::clone(&pods[0]);
            pod["metadata"]["name"] = format!("{name}{idx}").into();
            pod["metadata"]["ownerReferences"] = json!([]);
            pod["spec"]["nodeName"] = (*name).into();
            pod["status"]["containerStatuses"] = json!([{
                "name": *name, "ready": false, "restartCount": 0,
                "state": { "waiting": { "reason": *name, "message": *name } },
            }]);
            let service = json!({
                "metadata": { "name": *name, "namespace": "default" },
                "status": { "url": *name, "conditions": [
                    { "type": "Ready", "status": "False", "reason": *name, "message": *name },
                ] },
            });
            let event = json!({
                "metadata": { "name": *name, "namespace": "default" },
                "involvedObject": { "kind": "Pod", "name": *name, "namespace": "default" },
                "type": "Warning", "reason": *name, "message": format!("{name} {name}"), "count": 1,
            });
            let store = sim.store();
            let mut store = store.borrow_mut();
            store.create(&resources::PODS, pod).unwrap();
            store.create(&resources::KSERVICES, service).unwrap();
            store.create(&resources::EVENTS, event).unwrap();
        }
        eyes.look(3.0).await;
        let n_pods = eyes.model.cluster.pods_of(&crate::eyes::revision()).count();
        assert_eq!(n_pods, 1 + NAMES.len(), "none is refused for its name");
        for stamped in rampscope::journal::Reader::open(eyes.journal.as_slice()).unwrap() {
            assert_washed(&serde_json::to_value(&stamped.event).unwrap());
        }
        for (view, size) in VIEWS
            .iter()
            .flat_map(|view| [(60, 16), (80, 24), (120, 40), (200, 60)].map(|size| (*view, size)))
        {
            let buffer = drawn(&eyes.model, view, size);
            for cell in &buffer.content {
                assert!(!cell.symbol().chars().any(char::is_control), "{view:?} {cell:?}");
            }
            assert_columns_hold(&buffer, view);
        }
    })
    .await;
}

/// What a terminal makes of a row is as wide as the row: a wide character takes its second cell.
fn assert_columns_hold(buffer: &Buffer, view: View) {
    let width = usize::from(buffer.area.width);
    for row in buffer.content.chunks(width) {
        let mut x = 0;
        while x < width {
            let n_cells = row[x].symbol().width().max(1);
            assert!(x + n_cells <= width, "{view:?}: {:?} hangs over the edge", row[x].symbol());
            for hidden in &row[x + 1..x + n_cells] {
                assert!(
                    hidden.symbol().trim().is_empty(),
                    "{view:?}: {:?} is covered",
                    hidden.symbol()
                );
            }
            x += n_cells;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_resizes_while_pods_come_and_go() {
    here(async {
        let (sim, mut eyes) = watched(warm()).await;
        let users = users(&sim, 60);
        let mut dice = 7_u32;
        let mut side = |most: u32| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u16::try_from(1 + (dice >> 16) % most).unwrap()
        };
        for n in 0..150 {
            eyes.look(0.1).await;
            let size = (side(250), side(80));
            let buffer = drawn(&eyes.model, VIEWS[n % VIEWS.len()], size);
            assert_columns_hold(&buffer, VIEWS[n % VIEWS.len()]);
        }
        drop(users);
        assert_eq!(eyes.counts().ready, 9);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn five_hundred_pods_are_counted_and_drawn() {
    here(async {
        let hello = SimService::named("hello").with("target", "10").with("min-scale", "500");
        let sim = SimCluster::mount(SimSpec { services: vec![hello], ..SimSpec::default() });
        let mut eyes = Eyes::open(&sim).await;
        eyes.look(6.0).await;
        assert_eq!(pods_there(&sim).len(), 500);
        assert_eq!(pods_seen(&eyes), pods_there(&sim));
        let counts = eyes.counts();
        assert_eq!((counts.ready, counts.starting, counts.terminating), (500, 0, 0));
        assert_told_once(&eyes);
        assert_eq!(eyes.model.run.n_lost, 0, "no event fell out");
        let overview = lines(&drawn(&eyes.model, View::Overview, (120, 40))).join("\n");
        assert!(overview.contains("500"), "{overview}");
        for view in VIEWS {
            drawn(&eyes.model, *view, (200, 60));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_full_bus_drops_is_counted_and_shown() {
    const N_OFFERED: u64 = 1000;
    let (sender, mut bus) = bus(16, Clock::start());
    for n in 0..N_OFFERED {
        sender.offer(Event::Source(Report { samples: n, ..Report::connecting("flood") }));
    }
    drop(sender);
    let (mut model, mut n_taken) = (Model::default(), 0);
    while let Some(stamped) = bus.recv().await {
        n_taken += u64::from(matches!(stamped.event, Event::Source(_)));
        model.apply(&stamped);
    }
    assert_eq!((n_taken, model.run.n_lost), (16, N_OFFERED - 16));
    assert!(model.now < At::from_secs(1));
    {
        let (view, size) = (View::Log, (80, 24));
        let screen = lines(&drawn(&model, view, size)).join("\n");
        assert!(screen.contains("984"), "{view:?}\n{screen}");
    }
}
