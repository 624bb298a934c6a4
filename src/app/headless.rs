//! The same loop without a screen: a line of progress a second, or a JSON object.

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::event::run::Outcome;
use crate::event::traffic::Limit;
use crate::model::Model;
use crate::model::scaling::PanicState;
use crate::model::traffic::Totals;
use crate::tui::moment::LOAD_HOLD;
use crate::units::At;

use super::live::Left;
use super::live::Show;
use super::session::Step;
use super::signals::Asked;
use super::signals::Signals;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// A line for people, on stderr.
    Lines,
    /// A JSON object a line, on stdout.
    Json,
    /// Not at all: nobody is there.
    Silent,
}

/// Runs until there is a reason to leave. `survives_hang_up`: whether SIGHUP is no reason.
pub(super) async fn run(
    show: &mut impl Show,
    progress: Progress,
    survives_hang_up: bool,
    signals: &mut Signals,
) -> Left {
    let mut tick = tokio::time::interval(TELL_EVERY);
    // At once nothing is known, not even what the wall clock said.
    tick.reset();
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut has_told_unrecorded = false;
    loop {
        if !has_told_unrecorded && let Some(reason) = show.unrecorded() {
            has_told_unrecorded = true;
            tell_unrecorded(reason, progress);
        }
        tokio::select! { biased;
            asked = signals.next() => match asked {
                Asked::End => return Left::Asked,
                Asked::HangUp if survives_hang_up => {}
                Asked::HangUp => return Left::Asked,
                Asked::Suspend => {
                    show.suspend(true);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    super::signals::stop_self();
                    show.suspend(false);
                }
            },
            _ = tick.tick() => tell(show.model(), show.now(), progress),
            step = show.step() => match step {
                Step::Took => {}
                Step::PlanDone => return Left::PlanDone,
                Step::TimeOver => return Left::TimeOver,
                step @ (Step::Failed(_) | Step::Unrecorded(_)) => return Left::Failed(step),
            }
        }
    }
}

/// A record that breaks off is told at once, whatever goes to stdout.
fn tell_unrecorded(reason: &str, progress: Progress) {
    if progress != Progress::Silent {
        let _ = writeln!(std::io::stderr().lock(), "rampscope: {reason}");
    }
}

fn tell(model: &Model, now: At, progress: Progress) {
    // Whoever closed our output does not want to know; the run goes on.
    match progress {
        Progress::Lines => {
            let _ = writeln!(std::io::stderr().lock(), "{}", in_words(model, now));
        }
        Progress::Json => {
            let _ = writeln!(std::io::stdout().lock(), "{}", in_json(model, now));
        }
        Progress::Silent => {}
    }
}

/// The last second of the load; one that ended some time ago is not the present one.
fn traffic(model: &Model, now: At) -> Option<Totals> {
    let last = model.traffic.last.as_ref()?;
    let is_over = LOAD_HOLD + last.lasted < now.since(last.began);
    model.traffic.window(Duration::from_secs(1)).filter(|_| !is_over)
}

/// What we ourselves are short of, if the load is not over.
fn limit(model: &Model, now: At) -> Option<Limit> {
    traffic(model, now)?;
    let last = model.traffic.last.as_ref()?;
    last.client_limited.as_ref().map(|_| last.limit.unwrap_or(Limit::Unknown))
}

fn in_words(model: &Model, now: At) -> String {
    let mut words = vec![format!("{:>7.1}s", now.as_secs_f64())];
    if let Some(stage) = &model.run.stage {
        words.push(stage.name.clone());
    }
    if let Some(window) = traffic(model, now) {
        let rate =
            |n| window.per_second(n).map_or_else(|| "–".to_owned(), |rate| format!("{rate:.0}"));
        words.push(format!("offered {}/s", rate(window.offered)));
        words.push(format!("done {}/s", rate(window.succeeded)));
        words.push(format!("failed {}", window.failed));
        words.push(format!("dropped {}", window.dropped));
        if let Some(felt) = window.latencies.felt().filter(|felt| 0 < felt.count()) {
            words.push(format!("p99 {:.0} ms", felt.quantile(0.99).as_secs_f64() * 1e3));
        }
    }
    if let Some(limit) = limit(model, now) {
        words.push(format!("LIMITED by our {}", limit.name()));
    }
    if let Some(revision) = model.main_revision() {
        if let Some(counts) = model.cluster.counts(&revision) {
            words.push(format!("ready {}", counts.ready));
        }
        let desired = model.scaling.get(&revision).and_then(|it| it.desired_now);
        words.push(format!(
            "desired {}",
            desired.map_or_else(|| "–".to_owned(), |desired| desired.to_string())
        ));
        words.push(match model.scaling.panic_state(&revision, now) {
            PanicState::Stable { .. } => "stable".to_owned(),
            PanicState::Panic { since, .. } => {
                format!("PANIC {:.0} s", now.since(since).as_secs_f64())
            }
            PanicState::Unknown(_) => "panic unknown".to_owned(),
        });
    }
    words.join("  ")
}

/// One progress object; `null` is unknown.
fn in_json(model: &Model, now: At) -> serde_json::Value {
    let window = traffic(model, now);
    let rate =
        |n: fn(&Totals) -> u64| window.as_ref().and_then(|window| window.per_second(n(window)));
    let felt = window
        .as_ref()
        .and_then(|window| window.latencies.felt())
        .filter(|felt| 0 < felt.count())
        .map(|felt| (felt.quantile(0.5), felt.quantile(0.99)));
    let revision = model.main_revision();
    let counts = revision.as_ref().and_then(|revision| model.cluster.counts(revision));
    let scaling = revision.as_ref().and_then(|revision| model.scaling.get(revision));
    let state = revision.as_ref().map(|it| model.scaling.panic_state(it, now));
    let (panics, panic_source) = match state {
        Some(PanicState::Stable { origin }) => (Some(false), Some(origin)),
        Some(PanicState::Panic { origin, .. }) => (Some(true), Some(origin)),
        Some(PanicState::Unknown(_)) | None => (None, None),
    };
    let millis = |span: Duration| span.as_secs_f64() * 1e3;
    json!({
        "event": "progress",
        "seconds": now.as_secs_f64(),
        "time": model.run.anchor().wall(now).to_string(),
        "stage": model.run.stage.as_ref().map(|stage| stage.name.as_str()),
        "offered_per_s": rate(|it| it.offered),
        "done_per_s": rate(|it| it.succeeded),
        "failed_per_s": rate(|it| it.failed),
        "dropped_per_s": rate(|it| it.dropped),
        "p50_ms": felt.map(|(p50, _)| millis(p50)),
        "p99_ms": felt.map(|(_, p99)| millis(p99)),
        "client_limited": limit(model, now),
        "client_limited_cause": limit(model, now).and(model.traffic.limited_now()),
        "revision": revision.as_ref().map(|revision| revision.name.as_str()),
        "ready": counts.map(|counts| counts.ready),
        "starting": counts.map(|counts| counts.starting),
        "terminating": counts.map(|counts| counts.terminating),
        "desired": scaling.and_then(|it| it.desired_now),
        "panic": panics,
        "panic_source": panic_source,
    })
}

/// How a run that was left this way ended.
pub(super) fn outcome(left: &Left, is_loading: bool) -> Outcome {
    match left {
        // The time that was asked for is the plan's own end, cut to it.
        Left::PlanDone | Left::TimeOver => Outcome::Completed,
        Left::Quit | Left::Detached | Left::Asked if is_loading => Outcome::Stopped,
        Left::Quit | Left::Detached | Left::Asked => Outcome::Completed,
        Left::Failed(_) | Left::NoTerminal(_) => Outcome::Lost,
    }
}
