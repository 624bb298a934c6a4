//! A scenario, checked and typed: what will be done, every default filled in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::check::Check;
pub use super::stage::Shape;
pub use super::stage::Stage;
pub use super::vary::Body;
pub use super::vary::Dimension;
use super::vary::Sets;
use crate::units::is_secret;

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
    /// Most connections open at once to each address.
    pub connections: u32,
    /// Most requests in flight; what is due beyond them is dropped and counted.
    pub max_in_flight: u32,
    /// The rate (or number of users) that keys never exceed; `None` is five times the plan's peak.
    pub max_rate: Option<f64>,
    /// Whether a certificate that does not verify is accepted.
    pub insecure: bool,
    /// Requests at once on one connection of HTTP/2; `None` speaks HTTP/1.1.
    #[serde(default)]
    pub streams: Option<u32>,
    /// Threads that send; `None`: as many as the load asks for.
    #[serde(default)]
    pub threads: Option<u32>,
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
    pub body: Option<Body>,
    /// When a request counts as failed.
    pub timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Whether it is a call of gRPC, whose message is the body.
    #[serde(default)]
    pub grpc: Option<Grpc>,
    /// What differs from request to request; empty: all are alike.
    #[serde(default)]
    pub matrix: Vec<Dimension>,
}

/// What is known of a call of gRPC beside its method (the path), its message (the body) and its
/// deadline (the timeout).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grpc {
    /// Whether the server answers with any number of messages, and not with one.
    pub is_streaming: bool,
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
    /// The moments of recorded arrivals.
    #[serde(default)]
    pub trace: Option<Trace>,
}

/// Recorded moments at which requests are due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The file that they come from.
    pub file: String,
    /// How many there are.
    pub n: u64,
    /// Seconds since the load began, ascending; a plan that was written down has them not.
    #[serde(skip)]
    pub times: Arc<[f64]>,
}

/// How arrivals come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Open loop, evenly spaced; amounts are requests a second.
    Even,
    /// Open loop, exponentially distributed gaps; amounts are requests a second.
    Poisson,
    /// Open loop, at the moments of [`Load::trace`]; amounts are requests a second, and a change of
    /// rate stretches what is left of the record.
    Recorded,
    /// Closed loop; amounts are users.
    Closed {
        /// Between an answer and the user's next request.
        think: Think,
        /// Requests that a user sends together; `None`: one at a time.
        #[serde(default)]
        batch: Option<Batch>,
    },
}

/// How long a user thinks after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Think {
    /// Always so long.
    Fixed(Duration),
    /// Evenly distributed between two times.
    Uniform(Duration, Duration),
    /// Exponentially distributed, with this mean.
    Exponential(Duration),
}

/// Requests that a user sends together; the next ones follow when all are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// How many.
    pub size: u32,
    /// How many of them are in flight at once, at most.
    pub parallel: u32,
    /// How many of them are in flight to one host at once, at most.
    pub per_host: u32,
}

// === impl Plan ===

impl Plan {
    /// How long all stages last.
    pub fn lasts(&self) -> Duration {
        self.load.stages.iter().map(|stage| stage.lasts).sum()
    }

    /// The largest amount of any stage.
    pub fn peak(&self) -> f64 {
        self.load.peak()
    }

    /// The smallest amount of any stage: what load is held at when a safety rule trips.
    pub fn lowest(&self) -> f64 {
        self.load.stages.iter().map(Stage::least).fold(f64::MAX, f64::min)
    }

    /// The amount that is never exceeded.
    pub fn max_rate(&self) -> f64 {
        self.target.max_rate.unwrap_or_else(|| (self.peak() * 5.0).max(1.0))
    }

    /// How many requests fall due: the exact integral of the profile. `None` in a closed loop,
    /// where the answers decide.
    pub fn requests(&self) -> Option<f64> {
        let all = self.load.stages.iter().map(Stage::area).sum::<f64>();
        #[expect(clippy::cast_precision_loss, reason = "2^52 requests are enough")]
        let most = self.load.max_requests.map_or(f64::INFINITY, |most| most as f64);
        match self.load.arrivals {
            Arrivals::Even | Arrivals::Poisson | Arrivals::Recorded => Some(all.min(most)),
            Arrivals::Closed { .. } => None,
        }
    }

    /// The plan's first `length`; a stage that it cuts ends at the amount it has reached.
    #[must_use]
    pub fn cut_to(mut self, length: Duration) -> Self {
        let mut left = length;
        let stages = self.load.stages.into_iter().map(|stage| {
            let stage = stage.cut_to(left);
            left -= stage.lasts;
            stage
        });
        self.load.stages = stages.filter(|stage| !stage.lasts.is_zero()).collect();
        self
    }

    /// The plan fit to be written down or shown: no body, no header or variable that may be a
    /// secret.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        hide_body(&mut self.request.body);
        hide_secrets(&mut self.request.headers);
        for choice in self.request.matrix.iter_mut().flat_map(|it| &mut it.choices) {
            match &mut choice.sets {
                Sets::Body(body) => hide_body(body),
                Sets::Header { name, value } | Sets::Query { name, value } => {
                    hide_secret(name, value);
                }
                Sets::Path(_) | Sets::Host(_) | Sets::Url(_) => {}
            }
        }
        if let Address::Service { create: Some(create), .. } = &mut self.target.address {
            hide_secrets(&mut create.env);
        }
        self
    }
}

// === impl Request ===

impl Request {
    /// Files of bodies lie beside the scenario.
    pub(super) fn find_bodies(&mut self, folder: &Path) {
        let of_matrix = self.matrix.iter_mut().flat_map(|it| &mut it.choices).filter_map(|it| {
            match &mut it.sets {
                Sets::Body(body) => body.as_mut(),
                _ => None,
            }
        });
        for body in self.body.iter_mut().chain(of_matrix) {
            if let Body::File(path) = body {
                *path = folder.join(&*path);
            }
        }
    }
}

/// A text may be anything; files and random bytes are only named.
fn hide_body(body: &mut Option<Body>) {
    let n_bytes = match body {
        Some(Body::Text(text)) => text.len(),
        Some(Body::Bytes(bytes)) => bytes.len(),
        Some(Body::File(_) | Body::Random(_)) | None => return,
    };
    *body = Some(Body::Text(format!("({n_bytes} bytes, not recorded)")));
}

fn hide_secrets(pairs: &mut [(String, String)]) {
    for (name, value) in pairs {
        hide_secret(name, value);
    }
}

fn hide_secret(name: &str, value: &mut String) {
    if is_secret(name) {
        "(not recorded)".clone_into(value);
    }
}

// === impl Load ===

impl Load {
    /// The largest amount of any stage.
    pub fn peak(&self) -> f64 {
        self.stages.iter().map(Stage::most).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(secs: u64, from: f64, to: f64) -> Stage {
        Stage::linear("", Duration::from_secs(secs), from, to)
    }

    fn plan(stages: Vec<Stage>) -> Plan {
        Plan {
            name: "test".to_owned(),
            about: String::new(),
            target: Target {
                address: Address::Url { url: "http://127.0.0.1:1".to_owned(), host: None },
                connections: 1,
                max_in_flight: 1,
                max_rate: None,
                insecure: false,
                streams: None,
                threads: None,
            },
            request: Request {
                method: "GET".to_owned(),
                path: "/".to_owned(),
                headers: Vec::new(),
                body: None,
                timeout: Duration::from_secs(1),
                keep_alive: true,
                grpc: None,
                matrix: Vec::new(),
            },
            load: Load {
                arrivals: Arrivals::Even,
                seed: 1,
                stages,
                max_requests: None,
                trace: None,
            },
            checks: Vec::new(),
        }
    }

    #[test]
    fn requests_are_the_area_under_the_profile() {
        let mut plan = plan(vec![stage(10, 10.0, 30.0), stage(5, 4.0, 4.0), stage(5, 4.0, 0.0)]);
        assert_eq!(plan.requests(), Some(230.0));
        plan.load.max_requests = Some(100);
        assert_eq!(plan.requests(), Some(100.0));
        plan.load.arrivals = Arrivals::Closed { think: Think::Fixed(Duration::ZERO), batch: None };
        assert_eq!(plan.requests(), None);
    }

    #[test]
    fn a_plan_is_cut_where_it_is() {
        let whole = plan(vec![stage(10, 0.0, 20.0), stage(5, 4.0, 4.0)]);
        let half = whole.clone().cut_to(Duration::from_secs(5));
        assert_eq!(half.load.stages, [stage(5, 0.0, 10.0)]);
        let most = whole.clone().cut_to(Duration::from_secs(12));
        assert_eq!(most.load.stages, [stage(10, 0.0, 20.0), stage(2, 4.0, 4.0)]);
        assert_eq!(whole.clone().cut_to(Duration::from_secs(99)), whole);
    }

    #[test]
    fn secrets_stay_out_of_records() {
        let mut plan = plan(vec![stage(1, 1.0, 1.0)]);
        plan.request.body = Some(Body::Text("hunter2".to_owned()));
        plan.request.headers = ["Authorization", "Cookie", "X-Api-Key", "Accept"]
            .map(|name| (name.to_owned(), "hunter2".to_owned()))
            .to_vec();
        let text = serde_json::to_string(&plan.without_secrets()).unwrap();
        assert_eq!(text.matches("hunter2").count(), 1, "{text}");
        assert!(text.contains(r#"["Accept","hunter2"]"#), "{text}");
    }
}
