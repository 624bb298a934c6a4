//! Keys change the load while it runs; what the server counts is the integral of what was asked.

use std::time::Duration;

use rampscope::event::command::LoadCommand;
use rampscope::load::Engine;

use crate::engine::Heard;
use crate::engine::plan;
use crate::engine::run_with;
use crate::server::Script;
use crate::server::Server;
use crate::server::Spec;

/// Requests a second of the only stage.
const RATE: f64 = 400.0;

fn run(act: impl AsyncFnOnce(&Engine)) -> (Heard, u64) {
    let spec = Spec { script: Script::AtOnce, n_moments: 0, core: None };
    let server = Server::start(spec).unwrap();
    let load = "{arrivals: even, stages: [{name: a, for: 1h, at: 400/s}]}";
    let heard = run_with(
        plan(&server.url(), ", max_rate: 2000/s", ", timeout: 9s", load),
        async |engine| {
            act(engine).await;
            // Nothing is due any more when the counts are taken.
            engine.command(LoadCommand::Set(0.0));
            tokio::time::sleep(Duration::from_millis(60)).await;
            engine.stop();
        },
    );
    let n = server.counts().n_requests();
    assert_eq!((heard.sum(|it| it.sent), heard.sum(|it| it.succeeded)), (n, n));
    (heard, n)
}

/// The integral of the rate over all changes, as they are recorded.
fn due(heard: &Heard) -> f64 {
    let mut at = heard.intervals[0].began;
    let (mut rate, mut area) = (RATE, 0.0);
    for control in &heard.controls {
        area += rate * control.at.since(at).as_secs_f64();
        (at, rate) = (control.at, control.to);
    }
    area
}

#[test]
fn any_sequence_of_keys_sends_the_integral_of_the_rate_within_one() {
    let sequences: [&[LoadCommand]; 5] = [
        &[LoadCommand::Set(440.0), LoadCommand::Set(220.0), LoadCommand::Undo, LoadCommand::Undo],
        &[LoadCommand::Pause, LoadCommand::Resume, LoadCommand::Set(0.0), LoadCommand::Undo],
        &[LoadCommand::Burst, LoadCommand::Undo, LoadCommand::Hold, LoadCommand::Hold],
        &[LoadCommand::Set(1e9), LoadCommand::Burst, LoadCommand::Profile, LoadCommand::Pause],
        &[LoadCommand::Hold, LoadCommand::Set(37.5), LoadCommand::Pause, LoadCommand::Profile],
    ];
    for sequence in sequences {
        let (heard, n) = run(async |engine: &Engine| {
            for command in sequence {
                tokio::time::sleep(Duration::from_millis(60)).await;
                engine.command(*command);
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
        });
        assert_eq!(heard.controls.len(), sequence.len() + 1, "{:?}", heard.controls);
        let n = f64::from(u32::try_from(n).unwrap());
        let due = due(&heard);
        // Changes are recorded in whole microseconds; the first request is due at once.
        assert!(due - 0.1 <= n && n <= due + 1.1, "{n} came of {due}: {:?}", heard.controls);
        assert!(heard.controls.iter().all(|it| it.to <= 2000.0), "{:?}", heard.controls);
    }
}

#[test]
fn next_goes_on_to_the_stage_after_and_none_is_lost_or_doubled() {
    let spec = Spec { script: Script::AtOnce, n_moments: 0, core: None };
    let server = Server::start(spec).unwrap();
    let stages = "[{name: a, for: 1h, at: 300/s}, {name: b, for: 200ms, at: 1000/s}]";
    let load = format!("{{arrivals: even, stages: {stages}}}");
    let heard = run_with(plan(&server.url(), "", ", timeout: 9s", &load), async |engine| {
        tokio::time::sleep(Duration::from_millis(200)).await;
        engine.command(LoadCommand::Next);
    });
    let names: Vec<&str> = heard.stages.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let first = heard.controls[0].at.since(heard.intervals[0].began).as_secs_f64();
    let due = first * 300.0 + 200.0;
    let n = f64::from(u32::try_from(server.counts().n_requests()).unwrap());
    assert!(due - 0.1 <= n && n <= due + 1.1, "{n} came of {due}");
}
