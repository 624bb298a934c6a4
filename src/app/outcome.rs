//! How the program can end, and what its exit code says of it.

use std::fmt;
use std::process::ExitCode;

use thiserror::Error;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Done, and every check of the scenario passed.
    Passed,
    /// Done, and a check of the scenario failed; no data is a failure.
    ChecksFailed,
    /// Wrong usage, or the scenario is not valid; nothing was done.
    Usage,
    /// A look before the run found that it cannot be; nothing was changed.
    Preflight,
    /// The target or the cluster was lost; the run is incomplete.
    Lost,
    /// Something in the cluster could not be put back.
    NotRestored,
    /// A bug of rampscope.
    Bug,
    /// A person stopped it while a plan was unfinished.
    Stopped,
}

/// The program could not do what was asked.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct Failure {
    /// The exit code that it leads to.
    pub outcome: Outcome,
    /// What was tried, what came back, and what mends it; may have several lines.
    pub reason: String,
}

// === impl Outcome ===

impl Outcome {
    /// Each of them, by ascending code.
    pub const ALL: [Self; 8] = [
        Self::Passed,
        Self::ChecksFailed,
        Self::Usage,
        Self::Preflight,
        Self::Lost,
        Self::NotRestored,
        Self::Bug,
        Self::Stopped,
    ];

    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::ChecksFailed => 1,
            Self::Usage => 2,
            Self::Preflight => 3,
            Self::Lost => 4,
            Self::NotRestored => 5,
            // EX_SOFTWARE of sysexits.h.
            Self::Bug => 70,
            // As a shell says of what SIGINT ended.
            Self::Stopped => 130,
        }
    }

    /// What it means, in a few words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Passed => "done, all checks passed",
            Self::ChecksFailed => "done, a check of the scenario failed (no data is a failure)",
            Self::Usage => "wrong usage, or the scenario is not valid; nothing was done",
            Self::Preflight => "preflight failed; nothing was changed",
            Self::Lost => "the target or the cluster was lost; the run is incomplete",
            Self::NotRestored => "something in the cluster could not be put back",
            Self::Bug => "a bug",
            Self::Stopped => "stopped while a plan was unfinished",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_contract() {
        assert_eq!(Outcome::ALL.map(Outcome::code), [0, 1, 2, 3, 4, 5, 70, 130]);
        assert!(Outcome::ALL.is_sorted(), "worse outcomes come later");
    }
}
