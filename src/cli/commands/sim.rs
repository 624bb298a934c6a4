//! `rampscope sim`.

use crate::app::settings::Invocation;
use crate::cli::args::SimArgs;
use crate::cli::settings;
use crate::scenario::resolve;

pub(super) fn invocation(args: SimArgs) -> Invocation {
    Invocation::Sim {
        seed: args.seed.unwrap_or(resolve::SEED_DEFAULT),
        log: settings::log(args.log),
    }
}
