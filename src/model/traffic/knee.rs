//! Where a target stops to keep up, as the ramp showed it.

use super::KneePoint;

/// Points are taken together by offered rate, in so many steps from nothing to the most.
const STEPS: usize = 24;
/// Goodput below this share of what is offered has fallen behind.
const KEEPS_UP: f64 = 0.95;
/// p99 above so many times that of low rates is slow.
const SLOW: f64 = 3.0;

/// Where a target stops to keep up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knee {
    /// Requests a second offered, from which on it does not, nor at any higher rate that was tried.
    pub offered: f64,
    /// Whether goodput falls behind there; else it is slow: p99 is over three times that of low
    /// rates.
    pub falls_behind: bool,
}

#[derive(Debug, Clone, Default)]
struct Step {
    n: f64,
    offered: f64,
    done: f64,
    p99: Vec<f64>,
}

/// The knee, if points below it and above it are known.
pub fn knee<'a>(points: impl Iterator<Item = &'a KneePoint> + Clone) -> Option<Knee> {
    let most = points.clone().map(|point| point.offered).fold(0.0, f64::max);
    let mut steps = vec![Step::default(); STEPS];
    for point in points.filter(|point| 0.0 < point.offered) {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a step of a few"
        )]
        let idx = ((point.offered / most * STEPS as f64) as usize).min(STEPS - 1);
        let step = &mut steps[idx];
        step.n += 1.0;
        step.offered += point.offered;
        step.done += point.done;
        step.p99.extend(point.p99);
    }
    steps.retain(|step| 0.0 < step.n);
    let n_low = (steps.len() / 4).max(1);
    let low = steps.iter().take(n_low).flat_map(|step| step.p99.iter().copied()).collect();
    let usual = median(low);
    let is_slow = |step: &Step| {
        usual.zip(median(step.p99.clone())).is_some_and(|(usual, p99)| usual * SLOW < p99)
    };
    let is_behind = |step: &Step| step.done < step.offered * KEEPS_UP;
    let n_beyond = steps.iter().rev().take_while(|step| is_behind(step) || is_slow(step)).count();
    // Without a rate at which it kept up there is no knee, only a target that does not.
    let first = steps.len().checked_sub(n_beyond).filter(|first| 0 < *first)?;
    let step = steps.get(first)?;
    Some(Knee { offered: step.offered / step.n, falls_behind: is_behind(step) })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::At;

    fn point(offered: f64, done: f64, p99: f64) -> KneePoint {
        let (p50, p99) = (Some(p99 / 2.0), Some(p99));
        KneePoint { at: At::ZERO, offered, done, p99, p50, is_limited: false }
    }

    #[test]
    fn the_knee_is_where_it_stops_to_keep_up() {
        let ramp = |of: fn(f64) -> (f64, f64)| -> Vec<KneePoint> {
            let rates = (1..=100).map(|n| f64::from(n) * 10.0);
            rates.map(|rate| point(rate, of(rate).0, of(rate).1)).collect()
        };
        let behind = ramp(|rate| (rate.min(600.0), 0.02));
        let slow = ramp(|rate| (rate, if rate < 400.0 { 0.02 } else { 0.2 }));
        let fine = ramp(|rate| (rate, 0.02));
        let never = ramp(|rate| (rate / 2.0, 0.02));
        for (points, from, to, falls_behind) in
            [(&behind, 600.0, 700.0, true), (&slow, 380.0, 460.0, false)]
        {
            let knee = knee(points.iter()).unwrap();
            assert!(from < knee.offered && knee.offered < to, "{knee:?}");
            assert_eq!(knee.falls_behind, falls_behind);
        }
        for points in [fine, never, vec![point(100.0, 50.0, 0.1)], Vec::new()] {
            assert_eq!(knee(points.iter()), None);
        }
    }
}
