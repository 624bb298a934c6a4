//! One command a file: what was typed becomes an invocation, or is done here if it needs no
//! engine.

mod demo;
mod doctor;
mod explain;
mod load;
mod man;
mod plan;
mod replay;
mod run;
mod sim;
mod validate;
mod watch;
mod whatif;

use std::io;
use std::io::IsTerminal as _;

use super::CliError;
use super::args::Cli;
use super::args::Command;
use super::args::ScenarioArgs;
use super::settings::process_env;
use crate::app;
use crate::app::outcome::Outcome;
use crate::app::settings::Invocation;
use crate::app::settings::Output;
use crate::scenario;
use crate::scenario::Override;
use crate::scenario::amount::Amount;
use crate::scenario::plan::Arrivals;
use crate::scenario::plan::Plan;

/// Does what was typed.
pub(super) fn dispatch(cli: Cli) -> Result<Outcome, CliError> {
    let env = &process_env;
    let invocation = match cli.command {
        None => demo::invocation(cli.demo, env)?,
        Some(Command::Demo(args)) => demo::invocation(*args, env)?,
        Some(Command::Run(args)) => run::invocation(*args, env)?,
        Some(Command::Watch(args)) => watch::invocation(*args, env),
        Some(Command::Load(args)) => load::invocation(*args, env)?,
        Some(Command::Replay(args)) => replay::invocation(*args, env)?,
        Some(Command::Whatif(args)) => whatif::invocation(*args, env)?,
        Some(Command::Explain(args)) => explain::invocation(&args, env)?,
        Some(Command::Sim(args)) => sim::invocation(args),
        Some(Command::Doctor(args)) => doctor::invocation(args),
        Some(Command::Validate(args)) => return validate::validate(&args),
        Some(Command::Plan(args)) => return plan::plan(&args, env),
        Some(Command::Completions(args)) => return man::completions(&args),
        Some(Command::Man(args)) => return man::man(&args),
    };
    need_terminal(&invocation)?;
    Ok(app::start(invocation)?)
}

/// A screen needs a terminal; without one it is better to say so than to draw into a pipe.
fn need_terminal(invocation: &Invocation) -> Result<(), CliError> {
    let output = match invocation {
        Invocation::Demo { settings, .. }
        | Invocation::Run { settings, .. }
        | Invocation::Watch { settings, .. }
        | Invocation::Load { settings, .. }
        | Invocation::Replay { settings, .. } => settings.output,
        Invocation::Sim { .. }
        | Invocation::Doctor { .. }
        | Invocation::Explain { .. }
        | Invocation::WhatIf(_) => {
            return Ok(());
        }
    };
    if output == Output::Screen && !io::stdout().is_terminal() {
        return Err(CliError::Usage(
            "there is no terminal to draw on; add --headless, or --json for machines".to_owned(),
        ));
    }
    Ok(())
}

/// The plan of a scenario with everything that the command line changes in it.
fn load_plan(args: &ScenarioArgs) -> Result<Plan, CliError> {
    let mut changes = args.changes.clone();
    changes.extend(
        args.seed.map(|seed| Override { field: "load.seed".to_owned(), value: seed.to_string() }),
    );
    let mut plan = scenario::load(&args.scenario, &changes)?;
    if let Some(duration) = args.duration {
        plan = plan.cut_to(duration.0);
    }
    if plan.load.stages.is_empty() {
        return Err(CliError::Usage("--duration is zero; write a time, as 30s".to_owned()));
    }
    if let Some(most) = args.max_rate {
        let peak = plan.peak();
        if most < peak {
            let amount = amount(&plan, peak);
            return Err(CliError::Usage(format!(
                "--max-rate is below the scenario's peak of {amount}; raise it, or lower the \
                 stage with --set"
            )));
        }
        plan.target.max_rate = Some(most);
    }
    Ok(plan)
}

/// A number in the unit of the plan's load.
fn amount(plan: &Plan, value: f64) -> Amount {
    match plan.load.arrivals {
        Arrivals::Closed { .. } => Amount::Users(value.round()),
        Arrivals::Even | Arrivals::Poisson | Arrivals::Recorded => Amount::Rate(value),
    }
}
