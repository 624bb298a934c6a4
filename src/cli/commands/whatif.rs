//! `rampscope whatif`.

use std::path::Path;
use std::path::PathBuf;

use super::CliError;
use super::replay;
use crate::app::settings::Invocation;
use crate::app::whatif::Input;
use crate::app::whatif::WhatIf;
use crate::cli::args::WhatIfArgs;
use crate::cli::settings;
use crate::cli::settings::Env;

pub(super) fn invocation(args: WhatIfArgs, env: Env<'_>) -> Result<Invocation, CliError> {
    let is_file = Path::new(&args.subject).is_file();
    let subject = if is_file {
        Input::File(PathBuf::from(&args.subject))
    } else {
        Input::Run(replay::find(&args.subject, &settings::runs(env))?)
    };
    if args.changes.is_empty() && args.find.is_empty() {
        return Err(CliError::Usage(
            "nothing is changed; say what, as --set target=50, or search, as --find target"
                .to_owned(),
        ));
    }
    if !args.under.is_empty() && args.find.is_empty() {
        return Err(CliError::Usage(
            "--under is for a search; say over what, as --find target".to_owned(),
        ));
    }
    Ok(Invocation::WhatIf(Box::new(WhatIf {
        subject,
        changes: args.changes,
        find: args.find,
        under: args.under,
        revision: args.revision,
        capacity: args.capacity,
        cold_start: args.cold_start.map(|span| span.0),
        ready: args.ready,
        json: args.json,
    })))
}
