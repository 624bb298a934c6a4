//! Excess burst capacity, and what it decides: whether requests pass the activator, and how many
//! activators there are.

use serde::Deserialize;
use serde::Serialize;

use super::Config;
use super::config::Burst;

/// Knative gives no revision fewer activators.
const LEAST_ACTIVATORS: f64 = 2.0;

/// The way that requests take; the wish in a `ServerlessService`'s `spec.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Straight to the pods.
    Serve,
    /// Through the activator.
    Proxy,
}

impl Mode {
    /// As Kubernetes spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serve => "Serve",
            Self::Proxy => "Proxy",
        }
    }
}

/// How much more the `ready` pods could take than what is there (`panic`, the average over the
/// panic window) and the burst that is to be met. Negative: the activator belongs in the path.
/// It is computed with the whole capacity of a pod, not with the target.
pub fn excess_burst_capacity(config: &Config, ready: u32, panic: f64) -> i32 {
    match config.burst() {
        Burst::Unlimited => -1,
        Burst::None => 0,
        Burst::Of(burst) => whole((f64::from(ready) * config.total_value - burst - panic).floor()),
    }
}

/// What stands for the excess burst capacity until the first valid tick: that of `initial-scale`
/// idle pods.
pub fn initial_excess_burst_capacity(config: &Config) -> i32 {
    match config.burst() {
        Burst::Unlimited => -1,
        Burst::None => 0,
        // Cut, not floored, in Knative.
        Burst::Of(burst) => whole(f64::from(config.initial_scale) * config.total_value - burst),
    }
}

/// How many activators a revision of `ready` pods is given.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 2, and a cast saturates"
)]
pub fn n_activators(config: &Config, ready: u32) -> u32 {
    let burst = match config.burst() {
        Burst::None => return LEAST_ACTIVATORS as u32,
        Burst::Unlimited => 0.0,
        Burst::Of(burst) => burst,
    };
    let to_cover = f64::from(ready) * config.total_value + burst;
    (to_cover / config.activator_capacity).ceil().max(LEAST_ACTIVATORS) as u32
}

/// The mode that the autoscaler asks for. `want` is the scale after bounds, `None` unknown.
pub fn mode(want: Option<u32>, excess_burst_capacity: i32) -> Mode {
    match want {
        Some(want) if 0 < want && 0 <= excess_burst_capacity => Mode::Serve,
        _ => Mode::Proxy,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
const fn whole(x: f64) -> i32 {
    x as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(total_value: f64, target_burst_capacity: f64) -> Config {
        Config { total_value, target_burst_capacity, ..Config::default() }
    }

    #[test]
    fn the_activator_leaves_when_capacity_exceeds_the_burst() {
        for (total, tbc, ready, panic, expected) in [
            (100.0, 211.0, 0, 0.0, -211),
            (100.0, 211.0, 2, 0.0, -11),
            (100.0, 211.0, 3, 0.0, 89),
            (100.0, 211.0, 10, 700.0, 89),
            (10.0, 211.0, 21, 0.0, -1),
            (10.0, 211.0, 22, 0.0, 9),
            (10.0, 211.0, 22, 8.5, 0),
            (10.0, 0.0, 0, 500.0, 0),
            (10.0, -1.0, 100, 0.0, -1),
        ] {
            let ebc = excess_burst_capacity(&config(total, tbc), ready, panic);
            assert_eq!(ebc, expected, "{total} {tbc} {ready} {panic}");
        }
    }

    #[test]
    fn before_the_first_tick_the_initial_pods_count() {
        assert_eq!(initial_excess_burst_capacity(&Config::default()), -111);
        assert_eq!(initial_excess_burst_capacity(&config(100.0, 0.0)), 0);
        assert_eq!(initial_excess_burst_capacity(&config(100.0, -1.0)), -1);
        assert_eq!(initial_excess_burst_capacity(&config(100.5, 99.0)), 1, "cut, not floored");
    }

    #[test]
    fn activators_cover_capacity_and_burst() {
        for (total, tbc, ready, expected) in [
            (100.0, 200.0, 1, 3),
            (100.0, 200.0, 15, 17),
            (100.0, -1.0, 5, 5),
            (100.0, 0.0, 50, 2),
            (100.0, 10.0, 0, 2),
        ] {
            assert_eq!(n_activators(&config(total, tbc), ready), expected, "{total} {tbc} {ready}");
        }
    }

    #[test]
    fn unknown_and_zero_want_the_activator() {
        assert_eq!(mode(Some(1), 0), Mode::Serve);
        assert_eq!(mode(Some(1), -1), Mode::Proxy);
        assert_eq!(mode(Some(0), 5), Mode::Proxy);
        assert_eq!(mode(None, 5), Mode::Proxy);
    }
}
