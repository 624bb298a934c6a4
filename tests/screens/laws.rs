//! What holds on every screen.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use rampscope::app::frame::encode;
use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Gone;
use rampscope::event::cluster::Kind;
use rampscope::event::run::By;
use rampscope::event::run::Control;
use rampscope::event::run::Mode;
use rampscope::event::source::Report;
use rampscope::event::source::State;
use rampscope::model::Model;
use rampscope::tui::Action;
use rampscope::tui::Charset;
use rampscope::tui::Depth;
use rampscope::tui::Session;
use rampscope::tui::Theme;
use rampscope::tui::Ui;
use rampscope::tui::View;
use rampscope::units::At;

use super::scenes::MOMENT;
use super::scenes::alone;
use super::scenes::began;
use super::scenes::by_cpu;
use super::scenes::by_keda;
use super::scenes::check;
use super::scenes::drawn;
use super::scenes::load;
use super::scenes::many_services;
use super::scenes::model_of;
use super::scenes::night;
use super::scenes::recorded;
use super::scenes::run;
use super::scenes::scene;
use super::scenes::split;
use super::scenes::stamped;
use super::scenes::text_of;
use super::scenes::watched;
use super::scenes::without_metrics;

/// Labels of the panels: none may touch a number or another label.
const LABELS: [&str; 25] = [
    "asked",
    "offered",
    "sent",
    "done",
    "flight",
    "p50",
    "p99",
    "p95",
    "max",
    "err",
    "run",
    "lag",
    "ready",
    "desired",
    "starting",
    "terminating",
    "going",
    "cpu",
    "mem",
    "cold",
    "EBC",
    "path",
    "leaves",
    "PANIC",
    "×",
];

#[track_caller]
fn assert_labels_stand_alone(row: &str, width: u16) {
    let is_word = |c: char| c.is_alphanumeric() || c == '×';
    for label in LABELS {
        for (idx, _) in row.match_indices(label) {
            let before = row[..idx].chars().next_back();
            let after = row[idx + label.len()..].chars().next();
            // A factor belongs to its number.
            let is_before_free = label == "×" || !before.is_some_and(is_word);
            assert!(
                is_before_free && !after.is_some_and(is_word),
                "{label} is touched at width {width}: {row}"
            );
        }
    }
}

#[test]
fn fields_never_touch() {
    let (by_cpu, by_keda) = (by_cpu(), by_keda());
    std::thread::scope(|scope| {
        for events in [run(), watched(), &by_cpu, &by_keda] {
            scope.spawn(|| fields_of_a_run_never_touch(events));
        }
    });
}

fn fields_of_a_run_never_touch(events: &[Stamped]) {
    for secs in [20, 36, MOMENT, 58] {
        let (model, ui) = scene(events, secs);
        for width in 60..=220 {
            let height = if width < 100 { 24 } else { 40 };
            let page = text_of(&drawn(&model, &ui, &night(), (width, height)));
            let n_rows = if width < 100 { 4 } else { 6 };
            for row in &page[1..n_rows] {
                // Kubernetes' own word is no label.
                assert_labels_stand_alone(&row.replace("maxReplicas", ""), width);
            }
        }
    }
}

#[test]
fn a_plan_that_waits_says_so() {
    let mut events = run().to_vec();
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event {
            interval.profile_at = Some(Duration::from_secs(30));
            interval.profile_waits = true;
        }
    }
    let at = At::from_secs(37);
    let control =
        Control { by: By::You, what: "set".to_owned(), from: 500.0, to: 545.0, reason: None, at };
    events.push(Stamped { seq: 0, at, event: Event::Control(control) });
    events.sort_by_key(|stamped| stamped.at);
    let (model, ui) = scene(&events, 40);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    for words in ["burst", "10/25 s", "BY HAND · h: plan goes on"] {
        assert!(page[0].contains(words), "{words}: {}", page[0]);
    }
    assert!(page[1].contains("LOAD by hand · h: plan goes on"), "{}", page[1]);
    let page = text_of(&drawn(&model, &ui, &night(), (80, 24)));
    assert!(page[0].contains("  545/s BY HAND · h: go on"), "{}", page[0]);
    assert!(page[23].contains("h plan goes on"), "the key comes first: {}", page[23]);
}

#[test]
fn both_revisions_of_a_split_are_seen_side_by_side() {
    let (model, mut ui) = scene(&split(), MOMENT);
    for (name, size) in [("split-120x40", (120, 40)), ("split-80x24", (80, 24))] {
        ui.set_size(size.0, size.1);
        let buffer = drawn(&model, &ui, &night(), size);
        check(name, &buffer, &night());
        let page = text_of(&buffer);
        for (row, words) in [
            (1, ["▸ probe-00001", "90 %", "✓ ready", "▲ PANIC", "9 ready", "9 desired"]),
            (2, ["  probe-00002", "10 %", "✓ ready", "✓ STABLE", "1 ready", "1 desired"]),
        ] {
            for word in words {
                assert!(page[row].contains(word), "{name}: {word}\n{}", page[row]);
            }
        }
    }
    // Tab takes the lanes to the other one; both stay in sight.
    ui.set_size(120, 40);
    ui.update(Action::NextPane, &model);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(page[1].contains("  probe-00001") && page[2].contains("▸ probe-00002"), "{page:#?}");
    // A service that is not split has no line for it.
    let (model, ui) = scene(run(), MOMENT);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(!page[1].contains("probe-00001"), "{}", page[1]);
}

/// A change of the template is no change for whom a route names.
#[test]
fn a_pinned_route_is_said_beside_the_change_to_make() {
    let (model, mut ui) = scene(&split(), 75);
    ui.show(View::WhatIf);
    ui.update(Action::Double, &model);
    ui.update(Action::Down, &model);
    ui.update(Action::RateUp, &model);
    for size in [(120, 40), (200, 60)] {
        let page = text_of(&drawn(&model, &ui, &night(), size)).join(" ");
        let words: Vec<_> = page.split([' ', '│']).filter(|word| !word.is_empty()).collect();
        let said = words.join(" ");
        assert!(said.contains("gets no request until spec.traffic names it"), "{said}");
    }
    let (model, mut ui) = scene(run(), 75);
    ui.show(View::WhatIf);
    ui.update(Action::Double, &model);
    let page = text_of(&drawn(&model, &ui, &night(), (200, 60))).join(" ");
    assert!(!page.contains("spec.traffic"), "its route follows the newest:\n{page}");
}

#[test]
fn a_change_that_changes_nothing_says_so() {
    let (model, mut ui) = scene(run(), 75);
    ui.show(View::WhatIf);
    let says_so =
        |ui: &Ui, size| text_of(&drawn(&model, ui, &night(), size))[1].contains("the same");
    // Twelve pods are allowed, and nine were wanted.
    for _ in 0..7 {
        ui.update(Action::Down, &model);
    }
    ui.update(Action::RateUp, &model);
    for size in [(80, 24), (120, 40)] {
        assert!(says_so(&ui, size), "{size:?}");
    }
    ui.update(Action::Double, &model);
    for _ in 0..7 {
        ui.update(Action::Up, &model);
    }
    ui.update(Action::Double, &model);
    assert!(!says_so(&ui, (120, 40)), "another target is another number of pods");
}

#[test]
fn services_say_how_many_pods_they_have_at_every_width() {
    let (model, mut ui) = scene(&many_services(), MOMENT);
    ui.show(View::Services);
    for width in [80, 100, 120, 200] {
        let page = text_of(&drawn(&model, &ui, &night(), (width, 24)));
        let title = page.iter().find(|row| row.contains("SERVICE")).unwrap();
        for column in ["STATE", "AUTOSCALER", "READY", "DESIRED"] {
            assert!(title.contains(column), "{width}: {title}");
        }
    }
}

#[test]
fn failed_requests_have_a_line_of_their_own() {
    let mut events = run().to_vec();
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && (30..50).contains(&stamped.at.since(At::ZERO).as_secs())
        {
            interval.failed = interval.succeeded / 4;
            interval.succeeded -= interval.failed;
        }
    }
    let (model, ui) = scene(&events, MOMENT);
    let buffer = drawn(&model, &ui, &night(), (120, 40));
    check("failing-120x40", &buffer, &night());
    let page = text_of(&buffer);
    assert!(page.iter().any(|row| row.contains("━━ failed")), "{page:#?}");
    let (model, ui) = scene(run(), MOMENT);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(!page.iter().any(|row| row.contains("failed")), "none failed");
}

#[test]
fn the_sentence_is_said_to_its_end_at_every_size() {
    for events in [run(), &without_metrics(), watched(), &split()] {
        for (width, height) in [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60)] {
            for secs in [10, 25, MOMENT, 60, 75] {
                let (model, mut ui) = scene(events, secs);
                ui.set_size(width, height);
                let page = text_of(&drawn(&model, &ui, &night(), (width, height)));
                let from = page.iter().position(|row| row.contains(" ÷ ") || row.contains("why:"));
                for row in page.iter().skip(from.unwrap_or(0)).take(4) {
                    let is_prose = !row.contains('│') && !row.contains('┤');
                    assert!(
                        !(is_prose && row.trim_end().ends_with('…')),
                        "{width}x{height}: {row}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_start_that_was_not_seen_is_not_drawn() {
    let (model, mut ui) = scene(watched(), 10);
    ui.show(View::Pods);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40))).join("\n");
    assert!(page.contains("it was there before we looked"), "{page}");
    assert!(!page.contains("user container started"), "{page}");
}

#[test]
fn what_pods_bore_is_known_under_the_cursor() {
    let (model, mut ui) = scene(run(), 70);
    let rows = |ui: &Ui| -> Vec<String> {
        let page = text_of(&drawn(&model, ui, &night(), (120, 40)));
        page.iter().filter(|row| row.contains("● ready")).cloned().collect()
    };
    for _ in 0..30 {
        ui.update(Action::CursorLeft, &model);
    }
    let then = rows(&ui);
    assert!(!then.is_empty(), "pods were there");
    // What a live screen showed at that moment.
    let moment = ui.moment();
    let mut live = Ui::new(Session { is_recording: true, ..Session::default() });
    live.set_now(moment);
    let page = text_of(&drawn(&model_of(run(), moment), &live, &night(), (120, 40)));
    let conc = |row: &String| -> String {
        row.split("● ready").nth(1).unwrap_or_default().chars().take(30).collect()
    };
    let lived: Vec<String> = page.iter().filter(|row| row.contains("● ready")).map(conc).collect();
    let told: Vec<String> = then.iter().map(conc).collect();
    assert_eq!(told, lived);
    assert!(told.iter().any(|row| !row.contains('–')), "{told:#?}");
}

/// What the autoscaler's panel said at a moment it says again under the cursor.
#[test]
fn how_long_panic_lasts_is_known_under_the_cursor() {
    let (model, mut ui) = scene(run(), 70);
    let panel = |model: &Model, ui: &Ui| -> Vec<String> {
        let page = text_of(&drawn(model, ui, &night(), (120, 40)));
        page[2..5].iter().map(|row| row.chars().skip(80).collect()).collect()
    };
    while At::from_secs(40) < ui.moment() {
        ui.update(Action::CursorLeft, &model);
    }
    let then = panel(&model, &ui);
    let mut live = Ui::new(Session { is_recording: true, ..Session::default() });
    live.set_now(ui.moment());
    assert_eq!(then, panel(&model_of(run(), ui.moment()), &live));
    assert!(then[0].contains("leaves in ≥") && then[2].contains("held at 9"), "{then:#?}");
}

/// What was on before we looked may end at any tick.
#[test]
fn when_a_panic_ends_that_was_on_before_is_not_known_under_the_cursor_either() {
    let comes = At::from_secs(36);
    let is_read = |event: &Event| {
        matches!(event, Event::Autoscaler(_) | Event::AutoscalerLog(_))
            || matches!(event, Event::QueueProxy(_) | Event::Activator(_))
    };
    let is_seen = |it: &&Stamped| comes <= it.at || !is_read(&it.event);
    let events: Vec<Stamped> = run().iter().filter(is_seen).cloned().collect();
    let (model, mut ui) = scene(&events, 70);
    while At::from_secs(40) < ui.moment() {
        ui.update(Action::CursorLeft, &model);
    }
    let mut live = Ui::new(Session { is_recording: true, ..Session::default() });
    live.set_now(ui.moment());
    for (model, ui) in [(&model, &ui), (&model_of(&events, ui.moment()), &live)] {
        let page = text_of(&drawn(model, ui, &night(), (120, 40)));
        assert!(page[2].contains("PANIC") && !page[2].contains("leaves"), "{}", page[2]);
    }
}

/// From mark to mark with two keys, and from an event of the log to its moment.
#[test]
fn one_gets_to_the_beginning_of_a_panic() {
    let (model, mut ui) = scene(run(), 58);
    let page = |ui: &Ui| text_of(&drawn(&model, ui, &night(), (120, 40)));
    let mut seen = Vec::new();
    for _ in 0..5 {
        ui.update(Action::MarkBack, &model);
        seen.push(ui.message().unwrap_or_default().to_owned());
    }
    assert_eq!(
        seen,
        [
            "panic ends, at 07:19:50.5",
            "stage silence, at 07:19:49.9",
            "panic begins, at 07:19:26.5",
            "stage burst, at 07:19:24.9",
            "stage calm, at 07:19:04.9",
        ]
    );
    ui.update(Action::MarkBack, &model);
    assert_eq!(ui.message(), Some("no mark before this moment"));
    ui.update(Action::MarkOn, &model);
    ui.update(Action::MarkOn, &model);
    let begins = ui.moment();
    assert!(page(&ui)[2].contains("▲ PANIC"), "{}", page(&ui)[2]);
    for _ in 0..3 {
        ui.update(Action::MarkOn, &model);
    }
    assert_eq!(ui.cursor(), None, "past the last one it is now again");
    // The same moment, from the log.
    ui.show(View::Log);
    let rows = |ui: &Ui| -> Vec<String> {
        page(ui).into_iter().filter(|row| row.contains('▸')).collect()
    };
    while !rows(&ui).iter().any(|row| row.contains("PANIC")) {
        ui.update(Action::Down, &model);
    }
    ui.update(Action::Open, &model);
    assert_eq!((ui.view(), ui.moment()), (View::Overview, begins));
    assert_eq!(ui.behind(), Some(Duration::ZERO), "frozen");
}

/// That nothing more comes, and the key that leaves, stand there as long as somebody looks.
#[test]
fn a_run_that_has_ended_says_so_while_it_is_looked_at() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.update(Action::Freeze, &model);
    ui.set_session(Session { is_recording: true, is_over: true, ..Session::default() });
    ui.set_now(At::from_secs(MOMENT + 60));
    for view in View::ALL {
        ui.show(view);
        for (width, height) in [(80, 24), (120, 40)] {
            let page = text_of(&drawn(&model, &ui, &night(), (width, height)));
            assert!(page[0].contains("■ ended"), "{view:?} {width}: {}", page[0]);
            let last = page.last().unwrap();
            for words in ["■ the run has ended", "q leave, with its summary", "? help"] {
                assert!(last.contains(words), "{view:?} {width}: {last}");
            }
        }
    }
}

/// A frozen view ends at its moment, in every view.
#[test]
fn what_came_after_the_freezing_is_not_shown() {
    let (frozen, mut ui) = scene(run(), MOMENT);
    ui.show(View::Why);
    ui.update(Action::Freeze, &frozen);
    let later = model_of(run(), At::from_secs(MOMENT + 12));
    ui.set_now(At::from_secs(MOMENT + 12));
    let tick = |ui: &Ui| {
        let page = text_of(&drawn(&frozen, ui, &night(), (120, 40)));
        page.into_iter().find(|row| row.contains("tick of")).unwrap()
    };
    let newest = tick(&ui);
    for _ in 0..3 {
        ui.update(Action::CursorRight, &later);
    }
    assert!(ui.moment() <= At::from_secs(MOMENT), "{:?}", ui.moment());
    assert_eq!(tick(&ui), newest);
    // One that is long past is not the decision of a moment.
    ui.update(Action::ToNow, &later);
    ui.set_now(At::from_secs(MOMENT + 20));
    let page = text_of(&drawn(&frozen, &ui, &night(), (120, 40))).join("\n");
    assert!(page.contains("no decision is known at 07:20:06.5: the newest before it"), "{page}");
    assert!(!page.contains("tick of"), "{page}");
    ui.update(Action::CursorLeft, &frozen);
    assert_eq!(tick(&ui), newest, "one key away");
}

#[test]
fn load_alone_shows_what_fails_instead_of_pods() {
    let mut events = stamped(load());
    events.insert(0, Stamped { seq: 0, at: At::ZERO, event: alone() });
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && At::from_secs(30) <= interval.began
        {
            (interval.failed, interval.succeeded) = (interval.offered, 0);
            interval.status.clear();
            (interval.response_time, interval.service_time) = (None, None);
            interval.errors.insert("connect refused".to_owned(), interval.failed);
        }
    }
    let (model, ui) = scene(&events, MOMENT);
    let buffer = drawn(&model, &ui, &night(), (120, 40));
    let page = text_of(&buffer).join("\n");
    assert!(page.contains("errors: connect refused 545 /s"), "{page}");
    for word in ["PODS", "AUTOSCALER", "UNKNOWN", "why:"] {
        assert!(!page.contains(word), "{word}:\n{page}");
    }
    check("load", &buffer, &night());
}

#[test]
fn a_cluster_that_does_not_answer_is_lost() {
    let mut events = run().to_vec();
    let report = Report { state: State::Failing, ..Report::connecting("watch pods") };
    let event = Event::Source(report);
    events.push(Stamped { seq: 0, at: At::from_secs(MOMENT - 1), event });
    events.sort_by_key(|stamped| stamped.at);
    let (model, ui) = scene(&events, MOMENT);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert!(page[0].contains("CLUSTER LOST") && !page[0].contains("LIVE"), "{}", page[0]);
}

#[test]
fn no_meaning_hangs_on_colour() {
    let (model, ui) = scene(run(), MOMENT);
    let theme = night().adapt(Depth::Mono, Charset::Ascii);
    let buffer = drawn(&model, &ui, &theme, (120, 40));
    assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
    assert!(buffer.content.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
    let page = text_of(&buffer).join("\n");
    for word in ["PANIC", "offered", "desired", "ready", "stable", "P panic", "burst", "LIVE"] {
        assert!(page.contains(word), "{word} is missing:\n{page}");
    }
}

#[test]
fn every_view_says_in_mono_what_it_says_in_colour() {
    let (model, mut ui) = scene(run(), MOMENT);
    let mono = night().adapt(Depth::Mono, Charset::Braille);
    for view in View::ALL {
        ui.show(view);
        let words = |buffer: &Buffer| {
            let page = text_of(buffer).join(" ");
            page.split_whitespace()
                .filter(|word| word.chars().any(char::is_alphanumeric))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let coloured = words(&drawn(&model, &ui, &night(), (120, 40)));
        assert_eq!(words(&drawn(&model, &ui, &mono, (120, 40))), coloured, "{view:?}");
    }
}

#[test]
fn drawing_the_same_twice_gives_the_same() {
    let (model, ui) = scene(run(), MOMENT);
    let once = drawn(&model, &ui, &night(), (120, 40));
    assert_eq!(once, drawn(&model, &ui, &night(), (120, 40)));
}

#[test]
fn a_frozen_screen_stands_still_while_the_run_goes_on() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.update(Action::Freeze, &model);
    ui.set_now(At::from_secs(MOMENT + 1));
    let before = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    ui.set_now(At::from_secs(MOMENT + 6));
    let after = text_of(&drawn(&model, &ui, &night(), (120, 40)));
    assert_eq!(before[1..], after[1..]);
    assert!(after[0].contains("6 s behind"), "{}", after[0]);
}

#[test]
fn a_frozen_list_of_services_tells_of_its_own_moment() {
    let events = many_services();
    let (model, mut ui) = scene(&events, MOMENT);
    ui.show(View::Services);
    ui.update(Action::Freeze, &model);
    let row = |model: &Model, ui: &Ui| {
        let page = text_of(&drawn(model, ui, &night(), (120, 40)));
        page.into_iter().find(|row| row.contains("probe")).unwrap()
    };
    assert!(row(&model, &ui).contains("▲ PANIC"), "{}", row(&model, &ui));
    let later = model_of(&events, At::from_secs(58));
    ui.set_now(At::from_secs(58));
    let then = row(&later, &ui);
    assert!(then.contains("▲ PANIC") && !then.contains("ready"), "{then}");
    ui.update(Action::Freeze, &later);
    let now = row(&later, &ui);
    assert!(now.contains("✓ STABLE") && now.contains("✓ ready"), "{now}");
}

/// An event about anything, with names that a terminal must survive.
fn any_event() -> impl Strategy<Value = Event> {
    let fixture = recorded();
    let recorded = (0..fixture.len()).prop_map(move |idx| fixture[idx].1.clone());
    let others = [by_cpu(), by_keda()].concat();
    let scaled = (0..others.len()).prop_map(move |idx| others[idx].event.clone());
    let generated = load();
    let sent = (0..generated.len()).prop_map(move |idx| generated[idx].1.clone());
    let gone = "[a-z]{1,5}|世界".prop_map(|name| {
        let id =
            rampscope::event::cluster::Id { namespace: name.clone(), name, uid: String::new() };
        Event::Gone(Gone { kind: Kind::Pod, id })
    });
    let control = (0.0..1e7f64, 0.0..1e7f64, 0u64..200).prop_map(|(from, to, secs)| {
        Event::Control(Control {
            by: By::Safety,
            what: "set".to_owned(),
            from,
            to,
            reason: Some("世界世界世界 errors above 50 %".to_owned()),
            at: At::from_secs(secs),
        })
    });
    let report = "\\PC{0,60}".prop_map(|text| {
        let report = Report {
            state: State::Denied,
            reason: text.clone(),
            remedy: text.clone(),
            ..Report::connecting(text)
        };
        Event::Source(report)
    });
    prop_oneof![8 => recorded, 4 => scaled, 4 => sent, 1 => gone, 1 => control, 1 => report]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_screen_of_any_size_is_drawn(
        events in proptest::collection::vec((0u64..120_000, any_event()), 0..120),
        size in (1u16..300, 1u16..100),
        keys in proptest::collection::vec(0..Action::ALL.len(), 0..24),
        look in (0usize..4, 0usize..3, any::<bool>()),
    ) {
        let mut events: Vec<_> =
            events.into_iter().map(|(millis, event)| (At::from_millis(millis), event)).collect();
        events.push((At::ZERO, began(if look.2 { Mode::Watch } else { Mode::Run })));
        let events = stamped(events);
        let model = model_of(&events, At::from_secs(1000));
        let mut ui = Ui::new(Session::default());
        ui.set_now(At::from_secs(120));
        ui.set_size(size.0, size.1);
        for key in keys {
            ui.update(Action::ALL[key], &model);
        }
        let depth = [Depth::Mono, Depth::Ansi16, Depth::Ansi256, Depth::True][look.0];
        let charset = [Charset::Ascii, Charset::Block, Charset::Braille][look.1];
        let theme = night().adapt(depth, charset);
        let buffer = drawn(&model, &ui, &theme, size);
        // A wide character never hangs over the edge.
        for y in 0..size.1 {
            let last = buffer[(size.0 - 1, y)].symbol();
            prop_assert!(unicode_width::UnicodeWidthStr::width(last) <= 1, "row {y} ends with {last:?}");
        }
    }
}

/// Bytes written in each second at ten frames a second over the whole run.
fn bytes_by_second(theme: &Theme, size: (u16, u16)) -> Vec<usize> {
    let events = run();
    let mut shown = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    let mut rest = events.iter().peekable();
    let mut model = Model::default();
    let mut ui = Ui::new(Session { is_recording: true, ..Session::default() });
    let mut seconds = Vec::new();
    for second in 0..70u64 {
        let mut bytes = Vec::new();
        for tenth in 0..10 {
            let now = At::from_millis(second * 1000 + tenth * 100);
            while let Some(stamped) = rest.next_if(|stamped| stamped.at <= now) {
                model.apply(stamped);
            }
            ui.set_now(now);
            let frame = drawn(&model, &ui, theme, size);
            encode(&mut bytes, shown.diff(&frame));
            shown = frame;
        }
        seconds.push(bytes.len());
    }
    seconds
}

#[test]
fn a_slow_line_carries_the_screen() {
    // True colours cost most.
    let seconds = bytes_by_second(&night(), (120, 40));
    let mean = seconds.iter().sum::<usize>() / seconds.len();
    // The first of them paints all.
    let most = seconds.iter().max().copied().unwrap_or(0);
    assert!(mean < 4096, "{mean} bytes a second");
    assert!(most < 16_384, "{most} bytes in a second");
}
