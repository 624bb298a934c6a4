//! How many of a revision's pods the autoscaler asks each second.
//!
//! It asks all of three, and of more only as many as tell the mean with 95 % confidence; the sum
//! of their answers is then scaled up to all pods. Hence two equal loads can read differently.

/// Critical value of the normal distribution at 95 %, squared, times the variance that Knative
/// supposes (100), by the margin of error squared (25).
const UNBOUNDED_SAMPLE: f64 = 1.96 * 1.96 * 100.0 / 25.0;

/// Pods to ask when `n_ready` are ready.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and n_ready, whole"
)]
pub fn sample_size(n_ready: u32) -> u32 {
    if n_ready <= 3 {
        return n_ready;
    }
    let population = f64::from(n_ready);
    (population * UNBOUNDED_SAMPLE / (population + UNBOUNDED_SAMPLE - 1.0)).ceil() as u32
}
