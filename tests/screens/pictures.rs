//! Pictures of the screen, compared with those in `screenshots/`.

use std::time::Duration;

use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::Object;
use rampscope::event::run::By;
use rampscope::event::run::Control;
use rampscope::event::scaler::Origin;
use rampscope::event::traffic::Limit;
use rampscope::tui::Action;
use rampscope::tui::Charset;
use rampscope::tui::Depth;
use rampscope::tui::Theme;
use rampscope::tui::Ui;
use rampscope::tui::View;
use rampscope::units::At;

use super::scenes::Dice;
use super::scenes::MOMENT;
use super::scenes::SIZES;
use super::scenes::alone;
use super::scenes::by_cpu;
use super::scenes::by_keda;
use super::scenes::check;
use super::scenes::condition;
use super::scenes::drawn;
use super::scenes::many_services;
use super::scenes::model_of;
use super::scenes::night;
use super::scenes::ramp;
use super::scenes::run;
use super::scenes::scene;
use super::scenes::stamped;
use super::scenes::starting;
use super::scenes::tailed;
use super::scenes::text_of;
use super::scenes::troubled;
use super::scenes::watched;
use super::scenes::without_inputs;
use super::scenes::without_metrics;

#[test]
fn overview_at_every_size() {
    let (model, ui) = scene(run(), MOMENT);
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let buffer = drawn(&model, &ui, &night(), (width, height));
        check(&format!("overview-{width}x{height}"), &buffer, &night());
    }
}

#[test]
fn overview_in_every_theme() {
    let (model, ui) = scene(run(), MOMENT);
    for name in Theme::names().filter(|name| *name != "night") {
        let theme = Theme::builtin(name).unwrap();
        let buffer = drawn(&model, &ui, &theme, (120, 40));
        check(&format!("theme-{name}"), &buffer, &theme);
    }
}

#[test]
fn overview_with_fewer_colours_and_characters() {
    let (model, ui) = scene(run(), MOMENT);
    for (name, depth, charset) in [
        ("colours-256", Depth::Ansi256, Charset::Braille),
        ("colours-16", Depth::Ansi16, Charset::Braille),
        ("mono", Depth::Mono, Charset::Braille),
        ("block", Depth::True, Charset::Block),
        ("ascii", Depth::Mono, Charset::Ascii),
    ] {
        let theme = night().adapt(depth, charset);
        let buffer = drawn(&model, &ui, &theme, (120, 40));
        check(name, &buffer, &theme);
    }
}

#[test]
fn the_other_views() {
    let (model, mut ui) = scene(run(), MOMENT + 10);
    for view in [View::Latency, View::Sources, View::Log, View::Help] {
        ui.show(view);
        let buffer = drawn(&model, &ui, &night(), (120, 40));
        check(view.name(), &buffer, &night());
    }
    let (model, mut ui) = scene(&many_services(), MOMENT);
    ui.show(View::Services);
    check("services", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn latency_and_load_at_every_size() {
    let mut events = vec![(At::ZERO, alone())];
    events.extend(ramp());
    let (model, mut ui) = scene(&stamped(events), 88);
    ui.update(Action::ZoomOut, &model);
    for view in [View::Latency, View::Load] {
        ui.show(view);
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let buffer = drawn(&model, &ui, &night(), (width, height));
            let name = if view == View::Load { "knee" } else { "latency" };
            check(&format!("{name}-{width}x{height}"), &buffer, &night());
        }
    }
}

#[test]
fn the_knee_by_ready_pods() {
    let (model, mut ui) = scene(run(), MOMENT + 4);
    ui.show(View::Load);
    check("knee-pods", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn the_map_is_of_the_selected_time() {
    let mut events = vec![(At::ZERO, alone())];
    events.extend(ramp());
    let (model, mut ui) = scene(&stamped(events), 88);
    ui.show(View::Latency);
    let page = |ui: &Ui| text_of(&drawn(&model, ui, &night(), (120, 40)));
    let selected =
        |page: &[String]| page.iter().find(|row| row.contains('▸')).cloned().unwrap_or_default();
    let first = page(&ui);
    assert!(selected(&first).contains("response time"), "{first:?}");
    ui.update(Action::Down, &model);
    ui.update(Action::Down, &model);
    let third = page(&ui);
    assert!(selected(&third).contains("failures"), "{third:?}");
    assert_ne!(first[20..30], third[20..30], "another map");
    ui.update(Action::CursorLeft, &model);
    assert!(page(&ui).join("\n").contains("at cursor"));
}

#[test]
fn what_needs_a_look_at_every_size() {
    let (model, mut ui) = scene(&troubled(), MOMENT);
    ui.show(View::Findings);
    for (width, height) in SIZES {
        let name = format!("findings-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
    let (model, mut ui) = scene(run(), MOMENT);
    ui.show(View::Findings);
    check("findings-none", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn what_if_at_every_size() {
    let (model, mut ui) = scene(watched(), 75);
    ui.show(View::WhatIf);
    for action in [Action::Double, Action::Down, Action::Down, Action::Down, Action::RateUp] {
        ui.update(action, &model);
    }
    for (width, height) in SIZES {
        let name = format!("what-if-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
}

#[test]
fn pods_with_one_taken_apart_at_every_size() {
    let (model, mut ui) = scene(run(), MOMENT + 10);
    ui.show(View::Pods);
    ui.update(Action::Down, &model);
    for (width, height) in SIZES {
        let name = format!("pods-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
}

#[test]
fn after_the_panic() {
    let (model, ui) = scene(run(), 58);
    check("calm-again", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn frozen_with_a_cursor() {
    let events = run();
    let (_, mut ui) = scene(events, MOMENT);
    let frozen = model_of(events, At::from_secs(MOMENT));
    ui.update(Action::Freeze, &frozen);
    for _ in 0..30 {
        ui.update(Action::CursorLeft, &frozen);
    }
    ui.set_now(At::from_secs(MOMENT + 12));
    // The collection went on: the model is ahead of what is shown.
    let model = model_of(events, At::from_secs(MOMENT + 12));
    check("frozen", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn a_change_of_load_before_it_bites() {
    let mut events = run().to_vec();
    let at = At::from_secs(MOMENT - 3);
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && (At::from_secs(23)..at).contains(&interval.began)
        {
            interval.target = interval.target * 500.0 / 545.0;
            for n in [&mut interval.offered, &mut interval.sent, &mut interval.succeeded] {
                *n = *n * 500 / 545;
            }
        }
    }
    let control =
        Control { by: By::You, what: "set".to_owned(), from: 500.0, to: 545.0, reason: None, at };
    events.push(Stamped { seq: 0, at, event: Event::Control(control) });
    events.sort_by_key(|stamped| stamped.at);
    let (model, mut ui) = scene(&events, MOMENT);
    ui.update(Action::Burst, &model);
    check("confirm", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn where_we_ourselves_are_the_bottleneck() {
    let mut events = run().to_vec();
    let mut dice = Dice(3);
    for stamped in &mut events {
        if let Event::Traffic(interval) = &mut stamped.event
            && At::from_secs(36) <= interval.began
        {
            interval.succeeded = interval.succeeded * 7 / 10;
            interval.dropped = interval.offered - interval.succeeded.min(interval.offered);
            // What was dropped never left, and what left was late.
            interval.sent = interval.succeeded;
            let n = interval.succeeded;
            interval.send_lag = Some(tailed(&mut dice, n, 0.08, 0.01).encode());
            interval.response_time = Some(tailed(&mut dice, n, 0.182, 0.014).encode());
            interval.limit = Some(Limit::CpuQuota);
            interval.client_limited = Some(
                "CPU: the quota of 0.20 cores is used up (throttled in 80 % of its periods): \
                 give it more, or lower the rate"
                    .to_owned(),
            );
        }
    }
    let (model, ui) = scene(&events, MOMENT);
    check("limited", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn the_palette() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.update(Action::Palette, &model);
    check("palette", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

/// The decision at the moment, step by step, in three sizes; and one that waits for zero.
#[test]
fn why_it_scaled() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.show(View::Why);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let name = format!("why-{width}x{height}");
        check(&name, &drawn(&model, &ui, &night(), (width, height)), &night());
    }
    let (model, mut ui) = scene(run(), 26);
    ui.show(View::Why);
    check("why-panic-begins", &drawn(&model, &ui, &night(), (120, 40)), &night());
    let (model, mut ui) = scene(run(), 72);
    ui.show(View::Why);
    check("why-to-zero", &drawn(&model, &ui, &night(), (80, 24)), &night());
}

/// Left and right go from tick to tick, and past the newest one back to the present.
#[test]
fn the_cursor_of_the_why_view_goes_from_tick_to_tick() {
    let (model, mut ui) = scene(run(), MOMENT);
    ui.show(View::Why);
    let revision = ui.revision(&model).unwrap();
    let shadow = model.scaling.get(&revision).unwrap().shadow.as_deref().unwrap();
    let shown = shadow.tick_at(ui.moment()).unwrap().at();
    ui.update(Action::CursorLeft, &model);
    let before = ui.cursor().unwrap();
    assert!(before < shown && shadow.tick_at(before).unwrap().at() == before);
    ui.update(Action::CursorLeft, &model);
    assert!(ui.cursor().unwrap() < before);
    ui.update(Action::CursorRight, &model);
    assert_eq!(ui.cursor(), Some(before));
    ui.update(Action::CursorRight, &model);
    assert_eq!(ui.cursor(), None);
}

#[test]
fn where_nothing_can_be_known() {
    let (model, ui) = scene(&without_inputs(), MOMENT);
    check("unknown", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

/// Neither metric nor log tells of panic, and our own model of the decider does.
#[test]
fn where_panic_is_derived() {
    let (model, ui) = scene(&without_metrics(), MOMENT);
    check("derived", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn where_a_horizontal_autoscaler_decides() {
    let (model, ui) = scene(&by_cpu(), MOMENT);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let buffer = drawn(&model, &ui, &night(), (width, height));
        check(&format!("hpa-{width}x{height}"), &buffer, &night());
    }
    let (model, ui) = scene(&by_keda(), 58);
    for (width, height) in [(120, 40), (200, 60)] {
        let buffer = drawn(&model, &ui, &night(), (width, height));
        check(&format!("keda-{width}x{height}"), &buffer, &night());
    }
}

#[test]
fn nothing_speaks_of_panic_where_there_is_none() {
    // Each with the words that must stand there.
    let paused = |key: &str, value: &str| {
        let mut events = by_keda();
        for stamped in &mut events {
            if let Event::Seen(object) = &mut stamped.event
                && let Object::ScaledObject(scaled) = &mut **object
            {
                scaled.pauses = vec![(key.to_owned(), value.to_owned())];
                scaled.paused = condition(true, "ScaledObjectPaused");
            }
        }
        events
    };
    let mut unseen = by_cpu();
    unseen.retain(|stamped| match &stamped.event {
        Event::Seen(object) => !matches!(&**object, Object::HorizontalPodAutoscaler(_)),
        _ => true,
    });
    let table: [(&str, Vec<Stamped>, u64, &[&str]); 7] = [
        ("stable", by_cpu(), 10, &["STABLE", "cpu 35%/50%", "cpu 35% ÷ 50% = 0.70×"]),
        ("scaling", by_cpu(), 27, &["SCALING", "410%/50%", "9 wanted"]),
        (
            "limited",
            by_cpu(),
            MOMENT,
            &["LIMITED", "by max 9", "12 wanted, cut to 9 by maxReplicas"],
        ),
        ("failing", by_cpu(), 57, &["FAILING", "FailedGetResourceMetric", "<unknown>/50%"]),
        ("held", by_keda(), 58, &["STABILIZED", "33m/5 (avg)", "1 wanted, kept at 9"]),
        ("paused", paused("paused-replicas", "3"), 58, &["PAUSED", "at 3 by KEDA"]),
        ("not seen", unseen, MOMENT, &["NOT SEEN", "there is no HorizontalPodAutoscaler yet"]),
    ];
    for (case, events, secs, words) in table {
        let (model, ui) = scene(&events, secs);
        for size in [(60, 16), (80, 24), (120, 40), (200, 60)] {
            let page = text_of(&drawn(&model, &ui, &night(), size)).join("\n");
            assert!(page.contains(words[0]), "{case} at {size:?}:\n{page}");
            for word in ["PANIC", "UNKNOWN", "EBC", "enters"] {
                assert!(!page.contains(word), "{case}: {word} at {size:?}:\n{page}");
            }
        }
        let page = text_of(&drawn(&model, &ui, &night(), (120, 40))).join("\n");
        let missing: Vec<_> = words.iter().filter(|word| !page.contains(**word)).collect();
        assert!(missing.is_empty(), "{case}: {missing:?}\n{page}");
        // The why-view has its own steps too.
        let (model, mut ui) = scene(&events, secs);
        ui.show(View::Why);
        let page = text_of(&drawn(&model, &ui, &night(), (120, 40))).join("\n");
        assert!(page.contains("WHY") && !page.contains("PANIC"), "{case}:\n{page}");
    }
}

#[test]
fn a_row_is_that_of_kubectl() {
    let (model, ui) = scene(&by_keda(), 58);
    let page = text_of(&drawn(&model, &ui, &night(), (200, 60))).join("\n");
    // TARGETS, MINPODS, MAXPODS, REPLICAS.
    assert!(page.contains("33m/5 (avg)  1  12  9"), "{page}");
    assert!(page.contains("sum(rate(http_requests_total"), "the query stands there:\n{page}");
}

#[test]
fn a_prometheus_server_is_named_with_its_age() {
    let mut events = run().to_vec();
    for stamped in &mut events {
        if let Event::Autoscaler(reading) = &mut stamped.event {
            reading.origin = Origin::Prometheus;
            reading.every = Some(Duration::from_secs(15));
        }
    }
    // Scraped every fifteen seconds, last at 40.
    let is_scraped = |at: At| (at.as_micros() / 1_000_000).is_multiple_of(15);
    events.retain(|it| !matches!(it.event, Event::Autoscaler(_)) || is_scraped(it.at));
    let (model, ui) = scene(&events, 44);
    let page = text_of(&drawn(&model, &ui, &night(), (120, 40))).join("\n");
    assert!(page.contains("by prometheus 13 s"), "{page}");
    assert!(page.contains("▲ PANIC") && !page.contains("UNKNOWN"), "{page}");
}

#[test]
fn before_the_first_data() {
    let (model, ui) = scene(&starting(), 1);
    check("start", &drawn(&model, &ui, &night(), (120, 40)), &night());
}

#[test]
fn watching_without_load() {
    let (model, ui) = scene(watched(), MOMENT);
    check("watch", &drawn(&model, &ui, &night(), (120, 40)), &night());
    check("watch-80x24", &drawn(&model, &ui, &night(), (80, 24)), &night());
}
