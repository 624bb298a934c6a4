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
use crate::sim::autoscaler::ClusterView;
use crate::units::Anchor;
use crate::units::At;

/// Writes one revision's lines.
#[derive(Debug)]
pub(crate) struct Log {
    anchor: Anchor,
    key: String,
}

/// Where a line comes from in Knative 1.23.
#[derive(Debug, Clone, Copy)]
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

    /// The lines of a reconciliation; `status` is the one before it.
    pub(crate) fn reconciled(
        &self,
        config: &Config,
        status: &Status,
        seen: &Seen,
        outcome: &Outcome,
        view: &ClusterView,
        now: At,
    ) -> Vec<String> {
        let want = or_unknown(outcome.want);
        let ebc = seen.excess_burst_capacity;
        let mut lines = Vec::new();
        let is_probed = status.is_inactive() && config.scraped();
        if is_probed
            && matches!(
                outcome.gate,
                Gate::Idle | Gate::FastPath(_) | Gate::Wait(_) | Gate::Retained(..)
            )
        {
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
