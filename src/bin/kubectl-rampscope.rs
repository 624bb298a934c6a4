//! The same program under the name by which `kubectl rampscope` finds it.

use std::process::ExitCode;

fn main() -> ExitCode {
    rampscope::cli::main()
}
