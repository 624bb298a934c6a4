//! At what a pod is to bear it is already much slower than with less: the target is above what a
//! pod can serve.

use super::About;
use super::Finding;
use super::Verdict;
use super::at;

/// Concurrency near the target, as shares of what a pod is to bear in steady state.
const NEAR: (f64, f64) = (0.75, 1.5);
/// Concurrency well below it.
const LOW: f64 = 0.5;
/// So many times slower is much.
const SLOWER: f64 = 2.0;

#[derive(Debug)]
pub(super) struct TargetTooHigh;

impl Finding for TargetTooHigh {
    fn key(&self) -> &'static str {
        "target_too_high"
    }

    fn summary(&self) -> &'static str {
        "the target is above what a pod can serve"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["target", "target-utilization-percentage", "containerConcurrency"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let Some(config) = about.config() else { return Verdict::Unknown };
        let target = config.target_value;
        let points = about.model.curve.points(0.5);
        let low = points.iter().find(|(per_pod, _)| *per_pod <= target * LOW);
        let near = points
            .iter()
            .rev()
            .find(|(per_pod, _)| target * NEAR.0 <= *per_pod && *per_pod <= target * NEAR.1);
        match (low, near) {
            (Some((low, fast)), Some((near, slow))) if fast * SLOWER < *slow => {
                Verdict::Holds(None, vec![*low, *fast, *near, *slow, target])
            }
            (Some(_), Some(_)) => Verdict::Fine,
            _ => Verdict::Unknown,
        }
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "p50 {:.0} ms at {:.1} in flight a pod, {:.0} ms at {:.1}; a pod is to bear {:.1}",
            at(numbers, 1) * 1e3,
            at(numbers, 0),
            at(numbers, 3) * 1e3,
            at(numbers, 2),
            at(numbers, 4)
        )
    }
}
