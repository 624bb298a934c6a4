//! `rampscope explain`.

use super::CliError;
use super::replay;
use crate::app::settings::Invocation;
use crate::cli::args::ExplainArgs;
use crate::cli::settings;
use crate::cli::settings::Env;

pub(super) fn invocation(args: &ExplainArgs, env: Env<'_>) -> Result<Invocation, CliError> {
    let run = replay::find(&args.run, &settings::runs(env))?;
    let revision = args.revision.clone();
    Ok(Invocation::Explain { run, revision, at: args.at, json: args.json })
}
