//! `rampscope demo`, and `rampscope` without a word.

use super::CliError;
use crate::app::settings::Cluster;
use crate::app::settings::Invocation;
use crate::cli::args::DemoArgs;
use crate::cli::args::ScenarioArgs;
use crate::cli::settings;
use crate::cli::settings::Env;
use crate::cli::settings::Shared;

pub(super) fn invocation(args: DemoArgs, env: Env<'_>) -> Result<Invocation, CliError> {
    let plan = super::load_plan(&ScenarioArgs {
        scenario: "demo".to_owned(),
        changes: args.changes,
        seed: args.seed,
        duration: args.duration,
        max_rate: args.max_rate,
    })?;
    let settings = settings::settings(
        Shared {
            screen: args.screen,
            limits: args.limits,
            record: Some(args.record),
            cluster: Cluster::default(),
            read_only: false,
            duration: args.duration,
            log: args.log,
        },
        env,
    );
    Ok(Invocation::Demo { settings, plan })
}
