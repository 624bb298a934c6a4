//! The program: what is typed becomes an exit code. All else is in the library.

use std::panic;
use std::process::ExitCode;

use rampscope::app::outcome::Outcome;
use rampscope::cli;

fn main() -> ExitCode {
    // The panic hook has said what and where; here it only gets its exit code.
    panic::catch_unwind(cli::run).unwrap_or(Outcome::Bug).into()
}
