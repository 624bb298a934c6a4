//! `rampscope watch`.

use crate::app::settings::Invocation;
use crate::cli::args::WatchArgs;
use crate::cli::settings;
use crate::cli::settings::Env;
use crate::cli::settings::Shared;

pub(super) fn invocation(args: WatchArgs, env: Env<'_>) -> Invocation {
    let settings = settings::settings(
        Shared {
            screen: args.screen,
            limits: args.safety.limits,
            record: Some(args.record),
            cluster: settings::cluster(args.cluster, args.all_namespaces),
            read_only: args.safety.read_only,
            duration: args.duration,
            log: args.log,
        },
        env,
    );
    Invocation::Watch { settings, service: args.service, waits: args.wait }
}
