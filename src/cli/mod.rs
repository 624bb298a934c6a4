//! The command line: from what was typed to how it ended.

mod args;
mod commands;
mod examples;
mod settings;

use std::ffi::OsString;
use std::io;
use std::io::Write as _;
use std::panic;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use thiserror::Error;

use crate::app::outcome::Failure;
use crate::app::outcome::Outcome;

/// Why nothing was done.
#[derive(Debug, Error)]
enum CliError {
    /// The scenario, or what was asked beside it.
    #[error(transparent)]
    Scenario(#[from] crate::scenario::error::Error),
    /// What was asked cannot be, together.
    #[error("{0}")]
    Usage(String),
    /// There is no such run.
    #[error("no run {name:?}: neither a run folder, nor one in {}; {remedy}", runs.display())]
    NoRun {
        /// What was asked for.
        name: String,
        /// Where runs are.
        runs: PathBuf,
        /// What would be right.
        remedy: &'static str,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
    /// What was started could not do it.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The program: what is typed becomes an exit code.
pub fn main() -> ExitCode {
    // The panic hook has said what and where; here it only gets its exit code.
    panic::catch_unwind(run).unwrap_or(Outcome::Bug).into()
}

/// Runs the program. Everything it says of its own is on stderr when this returns.
fn run() -> Outcome {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let command = command(typed.first().map_or(Path::new(""), Path::new));
    let parsed = command
        .try_get_matches_from(&typed)
        .and_then(|mut matches| args::Cli::from_arg_matches_mut(&mut matches));
    let done = match parsed {
        Ok(cli) => commands::dispatch(cli),
        Err(error) => {
            // Help and version are no errors; a closed pipe is nobody's fault.
            let _ = error.print();
            return if error.use_stderr() { Outcome::Usage } else { Outcome::Passed };
        }
    };
    done.unwrap_or_else(|error| {
        let text = crate::tasks::chain(&error);
        let _ = writeln!(io::stderr().lock(), "rampscope: {text}");
        match error {
            CliError::Failed(failure) => failure.outcome,
            _ => Outcome::Usage,
        }
    })
}

/// The command line; when kubectl called us, it is said as the person typed it.
fn command(program: &Path) -> clap::Command {
    let command = args::Cli::command();
    let is_plugin = program.file_stem().is_some_and(|name| name == "kubectl-rampscope");
    if !is_plugin {
        return command;
    }
    // Else they would be named after the program, which is not what was typed either.
    let in_kubectl = |text: &str| text.replace("  rampscope", "  kubectl rampscope");
    let with_examples =
        |command: clap::Command| match command.get_after_help().map(ToString::to_string) {
            Some(text) => command.after_help(in_kubectl(&text)),
            None => command,
        };
    with_examples(command).bin_name("kubectl rampscope").mut_subcommands(with_examples)
}

/// Writes to stdout. A reader that has gone away has seen enough.
fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Stdout(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command(Path::new("rampscope")).debug_assert();
        command(Path::new("/usr/bin/kubectl-rampscope")).debug_assert();
    }

    #[test]
    fn as_a_plugin_it_is_called_by_what_was_typed() {
        let mut command = command(Path::new("/usr/bin/kubectl-rampscope"));
        let help = command.render_long_help().to_string();
        assert!(help.contains("Usage: kubectl rampscope"), "{help}");
        assert!(help.contains("  kubectl rampscope watch hello"), "{help}");
        let error = command.try_get_matches_from(["x", "watch", "--nope"]).unwrap_err();
        assert!(error.to_string().contains("Usage: kubectl rampscope watch"), "{error}");
    }

    #[test]
    fn every_command_has_examples() {
        for sub in args::Cli::command().get_subcommands() {
            let name = sub.get_name();
            let text = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(text.contains(&format!("\n  rampscope {name}")), "{name}");
        }
    }

    #[test]
    fn every_example_can_be_typed() {
        let all = args::Cli::command();
        let commands = all.get_subcommands().chain([&all]);
        let mut n_examples = 0;
        for sub in commands {
            let text = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in text.lines().filter_map(|line| line.strip_prefix("  ")) {
                // What follows two spaces explains, what follows `|` or `>` is the shell's.
                let typed = line.split("  ").next().unwrap_or_default();
                let typed = typed.split(['|', '>']).next().unwrap_or_default();
                let typed = typed.replace('\'', "");
                let parsed =
                    command(Path::new("rampscope")).try_get_matches_from(typed.split_whitespace());
                assert!(parsed.is_ok(), "{typed}: {}", parsed.unwrap_err());
                n_examples += 1;
            }
        }
        assert!(30 < n_examples, "{n_examples}");
    }
}
