//! `rampscope doctor`: what can be seen here, and what is missing, with the remedy for each.

use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;

use serde_json::json;

use crate::clock::Clock;
use crate::collect::Cluster;
use crate::collect::ClusterOptions;
use crate::collect::gateway;
use crate::collect::probe;
use crate::collect::probe::Finding;
use crate::collect::probe::Verdict;
use crate::tasks::chain;

use super::outcome::Failure;
use super::outcome::Outcome;
use super::settings;
use super::settings::Namespace;

/// Looks and tells. Changes nothing.
pub(super) async fn doctor(
    wished: &settings::Cluster,
    service: Option<&str>,
    is_json: bool,
) -> Result<Outcome, Failure> {
    let namespace = match &wished.namespace {
        Namespace::Named(namespace) => Some(namespace.clone()),
        Namespace::OfContext | Namespace::All => None,
    };
    let options = ClusterOptions {
        kubeconfig: wished.kubeconfig.clone(),
        context: wished.context.clone(),
        namespace,
    };
    let cluster = Cluster::connect(&options)
        .await
        .map_err(|error| Failure { outcome: Outcome::Preflight, reason: chain(&error) })?;
    let looked_at = (wished.namespace != Namespace::All).then_some(cluster.namespace.as_str());
    let mut findings = probe::examine(&cluster, looked_at, "knative-serving", Clock::start()).await;
    if let Some(url) = &wished.prometheus {
        findings.push(probe::prometheus(&cluster, url, "knative-serving").await);
    }
    if let Some(service) = service {
        findings.push(target(&cluster, service, wished.gateway.as_deref()).await);
    }
    let told = if is_json { tell_json(&findings) } else { tell(&cluster, &findings) };
    told.map_err(|error| Failure {
        outcome: Outcome::Preflight,
        reason: format!("cannot write to stdout: {error}"),
    })?;
    let is_bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_bad { Outcome::Preflight } else { Outcome::Passed })
}

async fn target(cluster: &Cluster, service: &str, address: Option<&str>) -> Finding {
    let name = format!("service {service}");
    let place = (cluster.namespace.as_str(), service);
    match gateway::find_target(cluster, place, address).await {
        Ok(found) => Finding {
            name,
            verdict: Verdict::Good,
            detail: match found.host {
                Some(host) => format!("{} with Host {host} ({})", found.url, found.found),
                None => format!("{} ({})", found.url, found.found),
            },
            remedy: String::new(),
        },
        Err(error) => Finding {
            name,
            verdict: Verdict::Bad,
            detail: chain(&error),
            remedy: format!("kubectl -n {} get ksvc {service}", cluster.namespace),
        },
    }
}

fn tell(cluster: &Cluster, findings: &[Finding]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let is_terminal = io::stdout().is_terminal();
    writeln!(
        out,
        "context {} at {}, namespace {}",
        cluster.context, cluster.server, cluster.namespace
    )?;
    let width = findings.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let (glyph, colour) = match finding.verdict {
            Verdict::Good => ("✓", "32"),
            Verdict::Poor => ("!", "33"),
            Verdict::Bad => ("✗", "31"),
        };
        if is_terminal {
            write!(out, "\x1b[{colour}m{glyph}\x1b[0m ")?;
        } else {
            write!(out, "{glyph} ")?;
        }
        writeln!(out, "{:<width$}  {}", finding.name, finding.detail)?;
        for line in finding.remedy.lines() {
            writeln!(out, "  {:<width$}  → {line}", "")?;
        }
    }
    Ok(())
}

fn tell_json(findings: &[Finding]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Good => "good",
            Verdict::Poor => "poor",
            Verdict::Bad => "bad",
        };
        let line = json!({
            "name": finding.name,
            "verdict": verdict,
            "detail": finding.detail,
            "remedy": finding.remedy,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
