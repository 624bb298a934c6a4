//! Wiring: the only place that knows all rooms.

pub mod outcome;
pub mod resources;
pub mod settings;
pub mod signals;
pub mod terminal;

use outcome::Failure;
use outcome::Outcome;
use settings::Invocation;

#[expect(clippy::needless_pass_by_value, reason = "it belongs to the run")]
/// Does what was asked, from the first frame to the last file.
pub fn start(invocation: Invocation) -> Result<Outcome, Failure> {
    let name = match invocation {
        Invocation::Demo { .. } => "demo",
        Invocation::Run { .. } => "run",
        Invocation::Watch { .. } => "watch",
        Invocation::Load { .. } => "load",
        Invocation::Replay { .. } => "replay",
        Invocation::Sim { .. } => "sim",
        Invocation::Doctor { .. } => "doctor",
    };
    Err(Failure { outcome: Outcome::Usage, reason: format!("{name} is not wired") })
}
