//! How a figure is taken and printed.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::hint::black_box;
use std::time::Duration;

use rampscope::clock;

/// Calls `work` for half a second and prints what one call took, with how many units it did.
pub(crate) fn measure<T>(name: &str, (n_units, unit): (u32, &str), mut work: impl FnMut() -> T) {
    black_box(work());
    let began = clock::monotonic();
    let mut n_calls = 0;
    while began.elapsed() < Duration::from_millis(500) || n_calls < 3 {
        black_box(work());
        n_calls += 1;
    }
    let each = began.elapsed() / n_calls;
    let per_second = f64::from(n_units) / each.as_secs_f64();
    println!("{name:<44} {each:>12.1?}  {per_second:>14.0} {unit}/s");
}
