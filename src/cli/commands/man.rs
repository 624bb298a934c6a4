//! `rampscope completions` and `rampscope man`: what the command line says of itself.

use std::path::Path;

use super::CliError;
use crate::app::outcome::Outcome;
use crate::cli;
use crate::cli::args::CompletionsArgs;
use crate::cli::args::ManArgs;

pub(super) fn completions(args: &CompletionsArgs) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    let mut command = cli::command(Path::new("rampscope"));
    clap_complete::generate(args.shell, &mut command, "rampscope", &mut script);
    cli::print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Passed)
}

pub(super) fn man(args: &ManArgs) -> Result<Outcome, CliError> {
    let command = cli::command(Path::new("rampscope"));
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .map_err(|source| CliError::File { action: "write", path: dir.clone(), source })?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(CliError::Stdout)?;
        cli::print(&String::from_utf8_lossy(&page))?;
    }
    Ok(Outcome::Passed)
}
