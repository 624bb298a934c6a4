//! `rampscope run`.

use super::CliError;
use crate::app::settings::Invocation;
use crate::cli::args::RunArgs;
use crate::cli::settings;
use crate::cli::settings::Env;
use crate::cli::settings::Shared;
use crate::scenario::plan::Address;

pub(super) fn invocation(args: RunArgs, env: Env<'_>) -> Result<Invocation, CliError> {
    let mut plan = super::load_plan(&args.scenario)?;
    match &mut plan.target.address {
        Address::Service { create: Some(_), name, .. } if args.safety.read_only => {
            return Err(CliError::Usage(format!(
                "the scenario creates the service {name:?}, which --read-only forbids; take \
                 target.create out with --set target.create="
            )));
        }
        // What is typed is nearer to the person than what is in the file.
        Address::Service { namespace, .. } => {
            *namespace = args.cluster.namespace.clone().or(namespace.take());
        }
        Address::Url { .. } => {}
    }
    let settings = settings::settings(
        Shared {
            screen: args.screen,
            limits: args.safety.limits,
            record: Some(args.record),
            cluster: settings::cluster(args.cluster, false),
            read_only: args.safety.read_only,
            duration: args.scenario.duration,
            log: args.log,
        },
        env,
    );
    Ok(Invocation::Run { settings, plan })
}
