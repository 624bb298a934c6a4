//! How long to wait before the next attempt: doubling, jittered, capped, reset by success.
//!
//! The jitter keeps many watches that were cut at once from coming back at once.

use std::time::Duration;

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// Counts the failures in a row.
#[derive(Debug)]
pub(crate) struct Backoff {
    n_failures: u32,
    rng: SmallRng,
}

/// The wait after the first failure.
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest wait: a person watches, and should see within seconds that a source is back.
const LONGEST: Duration = Duration::from_secs(5);
/// The wait where only a person can mend it: a right that is missing, a kind that is not there.
pub(crate) const UNTIL_MENDED: Duration = Duration::from_secs(15);

impl Backoff {
    /// A wait that begins short.
    pub(crate) fn new() -> Self {
        Self { n_failures: 0, rng: SmallRng::from_os_rng() }
    }

    /// How long to wait after one more failure: between half and all of the doubled wait.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let doubled = SHORTEST.saturating_mul(1 << self.n_failures.min(10)).min(LONGEST);
        self.n_failures = self.n_failures.saturating_add(1);
        doubled.mul_f64(self.rng.random_range(0.5..=1.0))
    }

    /// It worked: the next failure waits shortly again.
    pub(crate) fn reset(&mut self) {
        self.n_failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_begin_anew() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..40).map(|_| backoff.after_failure()).collect();
        assert!(SHORTEST / 2 <= waits[0] && waits[0] <= SHORTEST);
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(LONGEST / 2 <= waits[39]);
        backoff.reset();
        assert!(backoff.after_failure() <= SHORTEST);
    }
}
