//! A scenario, checked and typed: what will be done, every default filled in.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::check::Check;

/// What will be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the scenario.
    pub name: String,
    /// One sentence on what it shows; empty if the file has none.
    pub about: String,
    /// Where requests go.
    pub target: Target,
    /// What is sent.
    pub request: Request,
    /// When it is sent.
    pub load: Load,
    /// Promises of the run.
    pub checks: Vec<Check>,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// What is addressed.
    pub address: Address,
    /// Most connections open at once; in a closed loop there are never more than users.
    pub connections: u32,
    /// Most requests in flight; what is due beyond them is dropped and counted.
    pub max_in_flight: u32,
    /// The rate (or number of users) that keys never exceed; `None` is five times the plan's peak.
    pub max_rate: Option<f64>,
    /// Whether a certificate that does not verify is accepted.
    pub insecure: bool,
}

/// What is addressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A Knative Service: address and host come from its status.
    Service {
        /// Its name.
        name: String,
        /// Its namespace; `None` is the context's.
        namespace: Option<String>,
        /// Make it for this run and delete it after; `None` changes nothing in the cluster.
        create: Option<Create>,
    },
    /// An address, with the `Host` header where the gateway routes by name.
    Url {
        /// `http://…` or `https://…`.
        url: String,
        /// The `Host` header, if not the address's own.
        host: Option<String>,
    },
}

/// A Knative Service to make for a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Create {
    /// The image of its container.
    pub image: String,
    /// Annotations of its template, without `autoscaling.knative.dev/`.
    pub annotations: Vec<(String, String)>,
    /// `containerConcurrency`, if set.
    pub container_concurrency: Option<u32>,
    /// Environment of its container.
    pub env: Vec<(String, String)>,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// Path and query; begins with `/`.
    pub path: String,
    /// Headers beside `Host`, `User-Agent`, `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body, if any.
    pub body: Option<String>,
    /// When a request counts as failed.
    pub timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
}

/// When it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How arrivals come about.
    pub arrivals: Arrivals,
    /// Seed of all that is random.
    pub seed: u64,
    /// Stages in order; never empty.
    pub stages: Vec<Stage>,
    /// End after so many requests, if set (`load -n`).
    pub max_requests: Option<u64>,
}

/// How arrivals come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Open loop, evenly spaced; amounts are requests a second.
    Even,
    /// Open loop, exponentially distributed gaps; amounts are requests a second.
    Poisson,
    /// Closed loop; amounts are users.
    Closed {
        /// Between an answer and the user's next request.
        think: Duration,
    },
}

/// One stage: the amount goes straight from `from` to `to` while it lasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// Amount at its beginning: requests a second, or users.
    pub from: f64,
    /// Amount at its end; equal to `from` when steady.
    pub to: f64,
}

impl Plan {
    /// How long all stages last.
    pub fn lasts(&self) -> Duration {
        self.load.stages.iter().map(|stage| stage.lasts).sum()
    }

    /// The largest amount of any stage.
    pub fn peak(&self) -> f64 {
        self.load.stages.iter().flat_map(|stage| [stage.from, stage.to]).fold(0.0, f64::max)
    }

    /// The smallest amount of any stage: what load is held at when a safety rule trips.
    pub fn lowest(&self) -> f64 {
        self.load.stages.iter().flat_map(|stage| [stage.from, stage.to]).fold(f64::MAX, f64::min)
    }

    /// The amount that is never exceeded.
    pub fn max_rate(&self) -> f64 {
        self.target.max_rate.unwrap_or_else(|| (self.peak() * 5.0).max(1.0))
    }
}
