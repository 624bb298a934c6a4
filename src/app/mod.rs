//! Wiring: the only place that knows all rooms.

pub mod created;
mod doctor;
mod explaining;
pub mod frame;
mod headless;
mod latency_log;
pub mod live;
mod living;
pub mod outcome;
pub mod prepare;
mod recorded;
mod replaying;
mod resources;
pub mod session;
pub mod settings;
pub mod signals;
mod simulate;
mod snapshot;
pub mod spec;
pub mod terminal;
pub mod whatif;

use std::io;
use std::io::Write as _;

use crossterm::event::EventStream;

use crate::clock::Clock;
use crate::event::command::LoadCommand;
use crate::event::run;
use crate::event::run::Mode;
use crate::export::report;
use crate::export::report::Detail;
use crate::export::summary::Summary;
use crate::journal::RunFolder;
use crate::model::Model;
use crate::scenario::plan::Address;
use crate::scenario::plan::Plan;
use crate::sim::spec::SimSpec;
use crate::tasks::chain;
use crate::tui;
use crate::tui::Theme;
use crate::tui::Ui;

use headless::Progress;
use live::Left;
use live::LiveSpec;
use live::Opened;
use live::Show as _;
use outcome::Failure;
use outcome::Outcome;
use replaying::Replay;
use session::Finished;
use session::Session;
use session::Step;
use settings::Invocation;
use settings::Look;
use settings::OnHangup;
use settings::Output;
use settings::Settings;
use signals::Signals;
use spec::RunSpec;

/// Does what was asked, from the first frame to the last file.
pub fn start(invocation: Invocation) -> Result<Outcome, Failure> {
    terminal::install_panic_hook();
    let log = match &invocation {
        Invocation::Demo { settings, .. }
        | Invocation::Run { settings, .. }
        | Invocation::Watch { settings, .. }
        | Invocation::Load { settings, .. }
        | Invocation::Replay { settings, .. } => settings.log.clone(),
        Invocation::Sim { log, .. } | Invocation::Doctor { log, .. } => log.clone(),
        Invocation::Explain { .. } | Invocation::WhatIf(_) => None,
    };
    // It is the last to go.
    let _log =
        match log {
            Some(log) => {
                let guard = crate::log::to_file(&log.path, log.verbosity);
                Some(guard.map_err(|error| {
                    usage(format!("cannot log to {}: {error}", log.path.display()))
                })?)
            }
            None => None,
        };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| bug(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(dispatch(invocation))
}

async fn dispatch(invocation: Invocation) -> Result<Outcome, Failure> {
    match invocation {
        Invocation::Demo { settings, plan } => {
            let sim = SimSpec { seed: plan.load.seed, ..SimSpec::demo() };
            let (mode, name) = (Mode::Demo, plan.name.clone());
            let plan = Some(plan);
            run(RunSpec { plan, sim: Some(sim), ..RunSpec::new(mode, name, settings) }).await
        }
        Invocation::Run { settings, plan } => {
            let (mode, name) = (Mode::Run, plan.name.clone());
            confirm_create(&settings, &plan)?;
            run(RunSpec { plan: Some(plan), ..RunSpec::new(mode, name, settings) }).await
        }
        Invocation::Watch { settings, service, waits } => {
            let name = service.clone().unwrap_or_else(|| "watch".to_owned());
            run(RunSpec { service, waits, ..RunSpec::new(Mode::Watch, name, settings) }).await
        }
        Invocation::Load { settings, plan } => {
            let (mode, name) = (Mode::Load, plan.name.clone());
            run(RunSpec { plan: Some(plan), ..RunSpec::new(mode, name, settings) }).await
        }
        Invocation::Replay { settings, run, speed, latency_log } => {
            replay(&settings, &run, speed, latency_log.as_deref()).await
        }
        Invocation::Explain { run, revision, at, json } => {
            explaining::explain(&run, revision.as_deref(), at, json)
        }
        Invocation::WhatIf(asked) => whatif::whatif(*asked),
        Invocation::Sim { seed, .. } => simulate::simulate(seed).await,
        Invocation::Doctor { cluster, service, json, .. } => {
            doctor::doctor(&cluster, service.as_deref(), json).await
        }
    }
}

fn usage(reason: String) -> Failure {
    Failure { outcome: Outcome::Usage, reason }
}

fn bug(reason: String) -> Failure {
    Failure { outcome: Outcome::Bug, reason }
}

/// What is made in a cluster is shown and confirmed once.
fn confirm_create(settings: &Settings, plan: &Plan) -> Result<(), Failure> {
    let Address::Service { name, create: Some(create), .. } = &plan.target.address else {
        return Ok(());
    };
    if settings.assume_yes {
        return Ok(());
    }
    if settings.output != Output::Screen {
        return Err(usage(format!(
            "the scenario makes the Knative Service {name}: say --yes, since nobody can be asked"
        )));
    }
    let mut answer = String::new();
    let asked = write!(
        io::stderr(),
        "The scenario makes the Knative Service {name} from image {} and deletes it at the end. Go on? [y/N] ",
        create.image
    )
    .and_then(|()| io::stderr().flush())
    .and_then(|()| io::stdin().read_line(&mut answer));
    match asked {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure {
            outcome: Outcome::Preflight,
            reason: "not confirmed; nothing was changed".to_owned(),
        }),
    }
}

/// A run, with its screen or without, to its end.
async fn run(spec: RunSpec) -> Result<Outcome, Failure> {
    let output = spec.settings.output;
    let survives = spec.settings.on_hangup == OnHangup::Continue;
    let fps = f64::from(spec.settings.look.fps);
    let mut ui =
        Ui::new(tui::Session { is_recording: true, speed: 1.0, ..tui::Session::default() });
    if spec.mode == Mode::Watch && spec.service.is_none() {
        ui.show(tui::View::Services);
    }
    let mut signals =
        Signals::listen().map_err(|error| bug(format!("cannot listen for signals: {error}")))?;
    // Before anything that takes time; the keys with it, since the terminal may go away meanwhile.
    let opened = match output {
        Output::Screen => {
            let opened = open(&mut ui, theme(&spec.settings.look)?)?;
            Some((opened, EventStream::new()))
        }
        Output::Headless | Output::Json => None,
    };
    let mut session = Session::begin(spec, Clock::start())
        .map_err(|error| Failure { outcome: Outcome::Preflight, reason: chain(&error) })?;
    let mut screen = (0, 0);
    let progress = match output {
        Output::Json => Progress::Json,
        Output::Screen | Output::Headless => Progress::Lines,
    };
    let mut left = if let Some((opened, keys)) = opened {
        let live = LiveSpec { fps, opened };
        match live::run(&mut session, &mut ui, live, &mut signals, keys).await {
            Ok((left, written)) => {
                screen = written;
                left
            }
            Err(error) => Left::NoTerminal(error),
        }
    } else {
        headless::run(&mut session, progress, survives, &mut signals).await
    };
    let has_end = session.is_loading() || session.spec.settings.duration.is_some();
    if matches!(left, Left::Detached) && survives && has_end {
        // Nobody is there to tell, or to turn the load: the plan rules again, to its end.
        session.change_load(LoadCommand::Profile);
        left = headless::run(&mut session, Progress::Silent, true, &mut signals).await;
    }
    finish(session, left, screen, &mut signals, output).await
}

async fn finish(
    session: Session,
    left: Left,
    screen: (u64, u64),
    signals: &mut Signals,
    output: Output,
) -> Result<Outcome, Failure> {
    let is_loading = session.is_loading();
    let detail = detail(&session.spec.settings);
    let mut ended = headless::outcome(&left, is_loading);
    let failure = match &left {
        Left::Failed(Step::Failed(error)) => {
            Some(Failure { outcome: Outcome::Preflight, reason: chain(error) })
        }
        Left::NoTerminal(error) => {
            Some(Failure { outcome: Outcome::Preflight, reason: chain(error) })
        }
        Left::Failed(Step::Unrecorded(reason)) => Some(Failure {
            outcome: Outcome::Lost,
            reason: format!("the record broke off: {reason}"),
        }),
        _ => None,
    };
    let reason = failure.as_ref().map(|failure| failure.reason.clone()).or_else(|| {
        let lost = lost(session.model());
        if lost.is_some() {
            ended = run::Outcome::Lost;
        }
        lost
    });
    let hurry = async { while signals.next().await != signals::Asked::End {} };
    let (finished, model) = session.finish(ended, reason, screen, hurry).await;
    tell(&finished, &model, (output, detail), failure.is_none());
    if let Some(mut failure) = failure {
        // Worse than that it failed is what stayed behind of it.
        if !finished.left_behind.is_empty() {
            failure.outcome = Outcome::NotRestored;
        }
        return Err(failure);
    }
    Ok(outcome(&finished, is_loading))
}

/// Why target or cluster count as lost at the end, if they do.
fn lost(model: &Model) -> Option<String> {
    let window = model.traffic.window(std::time::Duration::from_secs(10));
    if let Some(window) = window.filter(|window| 0 < window.offered) {
        let is_gone = window.succeeded == 0 && window.status.is_empty() && 0 < window.failed;
        if is_gone {
            let worst = window.errors.iter().max_by_key(|(_, n)| **n);
            let class = worst.map_or("no answer", |(class, _)| class.as_str());
            return Some(format!("the target answered nothing in its last seconds: {class}"));
        }
    }
    let pods = model.sources.get(crate::model::WATCH_PODS)?;
    let is_failing = pods.report.state == crate::event::source::State::Failing;
    is_failing.then(|| format!("the cluster was lost: {}", pods.report.reason))
}

fn outcome(finished: &Finished, was_loading: bool) -> Outcome {
    if !finished.left_behind.is_empty() {
        return Outcome::NotRestored;
    }
    match finished.outcome {
        run::Outcome::Lost => Outcome::Lost,
        run::Outcome::Stopped if was_loading => Outcome::Stopped,
        run::Outcome::Stopped | run::Outcome::Completed if finished.summary.passes() => {
            Outcome::Passed
        }
        run::Outcome::Stopped | run::Outcome::Completed => Outcome::ChecksFailed,
    }
}

fn detail(settings: &Settings) -> Detail {
    if settings.spectrum { Detail::Spectrum } else { Detail::Usual }
}

/// The report: data to stdout, everything else to stderr. Whoever closed them does not want it.
fn tell(finished: &Finished, model: &Model, (output, detail): (Output, Detail), is_whole: bool) {
    match output {
        Output::Json => {
            if let Ok(summary) = serde_json::to_string(&finished.summary) {
                let _ = writeln!(io::stdout().lock(), "{summary}");
            }
        }
        Output::Screen | Output::Headless if is_whole => {
            let text = report::report(&finished.summary, model, detail);
            let _ = io::stdout().lock().write_all(text.as_bytes());
        }
        Output::Screen | Output::Headless => {}
    }
    let mut errors = io::stderr().lock();
    for line in &finished.left_behind {
        let _ = writeln!(errors, "rampscope: {line}");
    }
    match (&finished.folder, &finished.unrecorded) {
        (Some(folder), None) => {
            let _ = writeln!(errors, "record: {}", folder.display());
        }
        (Some(folder), Some(reason)) => {
            let _ =
                writeln!(errors, "the record in {} is not complete: {reason}", folder.display());
        }
        (None, Some(reason)) => {
            let _ = writeln!(errors, "the run was not recorded: {reason}");
        }
        (None, None) => {}
    }
}

/// A record, in the same screen; without one, its summary.
async fn replay(
    settings: &Settings,
    run: &std::path::Path,
    speed: f64,
    latency_log: Option<&std::path::Path>,
) -> Result<Outcome, Failure> {
    let folder = RunFolder::open(run).map_err(|error| usage(chain(&error)))?;
    let mut playback = folder.playback().map_err(|error| usage(chain(&error)))?;
    let loss = playback.loss();
    if loss.damage.is_some() || 0 < loss.n_unknown {
        let _ = writeln!(io::stderr(), "rampscope: {loss}");
    }
    if let Some(path) = latency_log {
        latency_log::write(&mut playback, path)
            .map_err(|error| usage(format!("cannot write {}: {error}", path.display())))?;
    }
    if settings.output != Output::Screen {
        let mut model = Model::default();
        while let Some(stamped) = playback.next(crate::units::At::from_micros(u64::MAX)) {
            model.apply(&stamped);
        }
        let checks = model.run.began.as_ref().map_or_else(Vec::new, |began| {
            began.checks.iter().filter_map(|check| check.parse().ok()).collect()
        });
        let summary = Summary::of(&model, &checks);
        let text = match settings.output {
            Output::Json => serde_json::to_string(&summary).unwrap_or_default() + "\n",
            Output::Headless | Output::Screen => report::report(&summary, &model, detail(settings)),
        };
        let _ = io::stdout().lock().write_all(text.as_bytes());
        return Ok(Outcome::Passed);
    }
    let theme = theme(&settings.look)?;
    let mut signals =
        Signals::listen().map_err(|error| bug(format!("cannot listen for signals: {error}")))?;
    let mut show = Replay::start(folder, playback, speed);
    let mut ui = Ui::new(tui::Session { is_replay: true, speed, ..tui::Session::default() });
    let opened = open(&mut ui, theme)?;
    let live = LiveSpec { fps: f64::from(settings.look.fps), opened };
    live::run(&mut show, &mut ui, live, &mut signals, EventStream::new())
        .await
        .map_err(|error| Failure { outcome: Outcome::Preflight, reason: chain(&error) })?;
    Ok(Outcome::Passed)
}

fn open(ui: &mut Ui, theme: Theme) -> Result<Opened, Failure> {
    live::open(ui, theme)
        .map_err(|error| Failure { outcome: Outcome::Preflight, reason: chain(&error) })
}

/// The theme that was asked for, fit for this terminal.
fn theme(look: &Look) -> Result<Theme, Failure> {
    let theme = match look.theme.as_deref() {
        None => Theme::builtin("night"),
        Some(name) => match Theme::builtin(name) {
            Some(theme) => Some(theme),
            None if name.contains(['/', '.']) => {
                let text = std::fs::read_to_string(name)
                    .map_err(|error| usage(format!("cannot read the theme {name}: {error}")))?;
                Some(
                    Theme::parse(&text)
                        .map_err(|error| usage(format!("{name}: {}", chain(&error))))?,
                )
            }
            None => None,
        },
    };
    let theme = theme.ok_or_else(|| {
        let names: Vec<_> = Theme::names().collect();
        usage(format!(
            "there is no theme {:?}: there are {}, or name a file",
            look.theme.as_deref().unwrap_or_default(),
            names.join(", ")
        ))
    })?;
    Ok(theme.adapt(look.color, look.charset))
}
