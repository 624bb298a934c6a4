//! `rampscope sim`: the embedded cluster alone, for kubectl and for tests.

use std::fs;
use std::io;
use std::io::Write as _;

use serde_json::json;

use crate::sim::listen;
use crate::sim::listen::Ports;
use crate::sim::spec::SimSpec;
use crate::tasks::chain;

use super::outcome::Failure;
use super::outcome::Outcome;
use super::signals::Asked;
use super::signals::Signals;

/// Runs until it is stopped.
pub(super) async fn simulate(seed: u64) -> Result<Outcome, Failure> {
    let failed = |reason: String| Failure { outcome: Outcome::Preflight, reason };
    let mut signals =
        Signals::listen().map_err(|error| failed(format!("cannot listen for signals: {error}")))?;
    let spec = SimSpec { seed, ..SimSpec::default() };
    let running = listen::listen(spec, Ports::default()).map_err(|error| failed(chain(&error)))?;
    let path = std::env::temp_dir().join(format!("rampscope-sim-{}.yaml", std::process::id()));
    fs::write(&path, running.kubeconfig())
        .map_err(|error| failed(format!("cannot write {}: {error}", path.display())))?;
    let up = json!({
        "kubeconfig": path,
        "url": running.gateway_url,
        "host": running.host,
        "metrics": {
            "autoscaler": format!("{}/api/v1/namespaces/knative-serving/services/autoscaler:http-metrics/proxy/metrics", running.api_url),
            "activator": format!("{}/api/v1/namespaces/knative-serving/services/activator-service:http-metrics/proxy/metrics", running.api_url),
            "pods": format!("{}/apis/metrics.k8s.io/v1beta1/pods", running.api_url),
        },
    });
    let told = writeln!(io::stdout().lock(), "{up}");
    while told.is_ok() && signals.next().await != Asked::End {}
    let _ = fs::remove_file(&path);
    running.stop();
    Ok(Outcome::Passed)
}
