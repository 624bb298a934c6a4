//! What the autoscaler pod logs of one revision, in Knative's words.
//!
//! People watch panic in these lines where no metrics are exported, and so do our collectors.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use crate::kpa::Config;
use crate::kpa::Decision;
use crate::kpa::decide::Steps;
use crate::kpa::decide::Turn;
use crate::kpa::reconcile::Gate;
use crate::kpa::reconcile::Outcome;
use crate::kpa::reconcile::Seen;
use crate::kpa::reconcile::Status;
use crate::units::Anchor;
use crate::units::At;

use super::ClusterView;

/// Writes one revision's lines.
#[derive(Debug)]
pub(crate) struct Log {
    anchor: Anchor,
    key: String,
}

/// All about a reconciliation.
#[derive(Debug)]
pub(crate) struct Reconciled<'a> {
    pub(crate) config: &'a Config,
    /// The status before it.
    pub(crate) status: &'a Status,
    pub(crate) seen: &'a Seen,
    pub(crate) outcome: &'a Outcome,
    pub(crate) view: &'a ClusterView,
}

/// Where a line comes from in Knative 1.23.
#[derive(Clone, Copy)]
enum Caller {
    Decider,
    Scaler,
    Reconciler,
}

// === impl Log ===

impl Log {
    pub(crate) fn new(anchor: Anchor, namespace: &str, revision: &str) -> Self {
        Self { anchor, key: format!("{namespace}/{revision}") }
    }

    /// The lines of a tick; `before`: the most pods of this panic until then.
    pub(crate) fn decided(
        &self,
        decision: &Decision,
        steps: &Steps,
        before: u32,
    ) -> impl Iterator<Item = String> {
        let turn = match decision.turn {
            Turn::Entered => Some("PANICKING.".to_owned()),
            Turn::Left => Some("Un-panicking.".to_owned()),
            Turn::Calm | Turn::Extended | Turn::Held => None,
        };
        let wanted = steps.want_stable.max(steps.want_panic);
        let change = if !decision.panicking() {
            None
        } else if before < wanted {
            Some(format!("Increasing pods count from {} to {wanted}.", decision.ready))
        } else if wanted < before {
            Some(format!("Skipping pod count decrease from {before} to {wanted}."))
        } else {
            None
        };
        let lines = [turn, change].map(|message| {
            message.map(|message| self.line(decision.at, Caller::Decider, &message))
        });
        lines.into_iter().flatten()
    }

    /// The lines of a reconciliation that took place at `now`.
    pub(crate) fn reconciled(&self, now: At, told: &Reconciled<'_>) -> Vec<String> {
        let Reconciled { config, status, seen, outcome, view } = told;
        let want = or_unknown(outcome.want);
        let ebc = seen.excess_burst_capacity;
        let mut lines = Vec::new();
        // With an unlimited burst capacity the activator is not probed for.
        if config.scraped() && outcome.gate.is_backed() {
            lines.push((Caller::Scaler, "Probing activator = true, err = <nil>".to_owned()));
        }
        lines.extend(gate(outcome.gate).map(|message| (Caller::Scaler, message)));
        if let Some(to) = outcome.scale_to {
            lines.push((Caller::Scaler, format!("Scaling from {} to {to}", seen.replicas)));
        }
        let sks = format!(
            "SKS should be in {} mode: want = {want}, ebc = {ebc}, #act's = {} PA Inactive? = {}",
            outcome.mode.name(),
            outcome.n_activators,
            status.is_inactive()
        );
        let scale = format!(
            "PA scale got={}, want={want}, desiredPods={} ebc={ebc}",
            seen.ready,
            or_unknown(seen.desired)
        );
        let counts = format!(
            "Observed pod counts=kpa.podCounts{{want:{want}, ready:{}, notReady:{}, pending:{}, \
             terminating:{}}}",
            view.ready, view.not_ready, view.pending, view.terminating
        );
        lines.extend([sks, scale, counts].map(|message| (Caller::Reconciler, message)));
        lines.iter().map(|(caller, message)| self.line(now, *caller, message)).collect()
    }

    fn line(&self, at: At, caller: Caller, message: &str) -> String {
        let caller = match caller {
            Caller::Decider => "scaling/autoscaler.go",
            Caller::Scaler => "kpa/scaler.go",
            Caller::Reconciler => "kpa/kpa.go",
        };
        json!({
            "severity": "INFO",
            "timestamp": self.anchor.wall(at).to_string(),
            "logger": "autoscaler",
            "caller": caller,
            "message": message,
            "knative.dev/key": self.key,
        })
        .to_string()
    }
}

fn gate(gate: Gate) -> Option<String> {
    match gate {
        Gate::Unknown | Gate::Wanted | Gate::Disabled | Gate::Activating | Gate::Idle => None,
        Gate::TimedOut(after) => Some(format!("Activation has timed out after {}", go(after))),
        Gate::Deactivate(active_for) => {
            Some(format!("Can deactivate PA, was active for {}", go(active_for)))
        }
        Gate::Sleep(missing) => {
            Some(format!("Sleeping additionally for {} before can scale to 0", go(missing)))
        }
        Gate::NotBacked => {
            Some("PA is not yet backed by activator, cannot scale to zero".to_owned())
        }
        Gate::Retained(inactive_for, retention) => Some(format!(
            "Can't scale to 0; InactiveFor {} < ScaleToZeroPodRetentionPeriod = {}",
            go(inactive_for),
            go(retention)
        )),
        Gate::FastPath(proxy_for) => {
            Some(format!("Fast path scaling to 0, in proxy mode for: {}", go(proxy_for)))
        }
        Gate::Wait(missing) => Some(format!("Enqueueing PA after {}", go(missing))),
    }
}

fn or_unknown(scale: Option<u32>) -> i64 {
    scale.map_or(-1, i64::from)
}

/// A duration as Go prints it: `1m30.5s`, `300ms`, `0s`.
fn go(span: Duration) -> String {
    let secs = span.as_secs();
    if secs == 0 && !span.is_zero() {
        return format!("{}ms", span.as_secs_f64() * 1e3);
    }
    let mut text = String::new();
    if 3600 <= secs {
        let _ = write!(text, "{}h", secs / 3600);
    }
    if 60 <= secs {
        let _ = write!(text, "{}m", secs / 60 % 60);
    }
    let rest = Duration::new(secs % 60, span.subsec_nanos());
    let _ = write!(text, "{}s", rest.as_secs_f64());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        for (micros, text) in [
            (0, "0s"),
            (1500, "1.5ms"),
            (300_000, "300ms"),
            (16_621_611, "16.621611s"),
            (60_000_000, "1m0s"),
            (90_500_000, "1m30.5s"),
            (3_600_000_000, "1h0m0s"),
        ] {
            assert_eq!(go(Duration::from_micros(micros)), text);
        }
    }
}
