//! `rampscope doctor`.

use crate::app::settings::Invocation;
use crate::cli::args::DoctorArgs;
use crate::cli::settings;

pub(super) fn invocation(args: DoctorArgs) -> Invocation {
    Invocation::Doctor {
        cluster: settings::cluster(args.cluster, false),
        service: args.service,
        json: args.json,
        log: settings::log(args.log),
    }
}
