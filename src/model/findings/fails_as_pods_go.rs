//! Requests fail when pods are let go: what such a pod still had was not finished, or was sent to it
//! after it had stopped listening.

use std::time::Duration;

use super::About;
use super::Finding;
use super::Verdict;
use super::at;
use crate::units::At;

/// How far back it looks.
const SPAN: Duration = Duration::from_secs(600);
/// What fails so soon after a pod began to go is of that.
const SOON: Duration = Duration::from_secs(3);
/// Fewer failures than this may be anything.
const FAILED: f64 = 5.0;
/// So great a share of all failures is no chance, where pods go for less than half of the time.
const SHARE: f64 = 0.8;

#[derive(Debug)]
pub(super) struct FailsAsPodsGo;

impl Finding for FailsAsPodsGo {
    fn key(&self) -> &'static str {
        "fails_as_pods_go"
    }

    fn summary(&self) -> &'static str {
        "requests fail when pods are let go"
    }

    fn settings(&self, _numbers: &[f64]) -> &'static [&'static str] {
        &["SIGTERM handling", "timeoutSeconds", "scale-down-delay"]
    }

    fn check(&self, about: &About<'_>) -> Verdict {
        let Some(revision) = about.revision else { return Verdict::Unknown };
        let Some(last) = &about.model.traffic.last else { return Verdict::Unknown };
        let from = about.now().saturating_sub(SPAN);
        let mut goes = about.model.cluster.goes_of(revision);
        goes.retain(|at| from <= *at);
        let Some(first) = goes.first().copied() else { return Verdict::Fine };
        let is_soon =
            |since: At, until: At| goes.iter().any(|goes| since < *goes + SOON && *goes <= until);
        let (mut all, mut soon) = (Sum::default(), Sum::default());
        let mut until = last.began + last.lasted;
        for (since, rate) in about.model.traffic.failed.steps().rev() {
            if until <= from {
                break;
            }
            if let Some(rate) = rate {
                let secs = until.since(since).as_secs_f64();
                all.add(rate, secs);
                if is_soon(since, until) {
                    soon.add(rate, secs);
                }
            }
            until = since;
        }
        let is_rare = soon.secs < all.secs / 2.0;
        if !is_rare || soon.n < FAILED - 0.5 || soon.n < all.n * SHARE {
            return Verdict::Fine;
        }
        #[expect(clippy::cast_precision_loss, reason = "some pods")]
        Verdict::Holds(Some(first), vec![soon.n.round(), all.n.round(), goes.len() as f64])
    }

    fn detail(&self, numbers: &[f64]) -> String {
        format!(
            "{:.0} of {:.0} that failed did so within {} s of a pod's going, of {} that went",
            at(numbers, 0),
            at(numbers, 1),
            SOON.as_secs(),
            at(numbers, 2)
        )
    }
}

/// Requests, and the seconds in which they were counted.
#[derive(Debug, Default)]
struct Sum {
    n: f64,
    secs: f64,
}

impl Sum {
    fn add(&mut self, rate: f64, secs: f64) {
        self.n += rate * secs;
        self.secs += secs;
    }
}
