//! A plan without a file: one address, one amount, one stage, as `rampscope load` takes them.

use std::path::Path;
use std::time::Duration;

use super::address;
use super::amount::Amount;
use super::amount::SPAN_MAX;
use super::error::Error;
use super::error::Fault;
use super::grpc::Call;
use super::grpc::Wish;
use super::plan::Address;
use super::plan::Arrivals;
use super::plan::Body;
use super::plan::Load;
use super::plan::Plan;
use super::plan::Request;
use super::plan::Stage;
use super::plan::Target;
use super::plan::Think;
use super::plan::Trace;
use super::resolve;
use crate::units;

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Quick {
    /// The address, with path and query.
    pub url: String,
    /// The `Host` header, if not the address's own.
    pub host: Option<String>,
    /// How much.
    pub amount: Amount,
    /// Whether gaps between requests are random; only for a rate.
    pub poisson: bool,
    /// How long; `None` until `count` is reached.
    pub lasts: Option<Duration>,
    /// How many requests; `None` until `lasts` is over.
    pub count: Option<u64>,
    /// The method.
    pub method: String,
    /// Headers, each as `Name: value`.
    pub headers: Vec<String>,
    /// The body, if any.
    pub body: Option<Body>,
    /// How long a user thinks.
    pub think: Think,
    /// Threads that send; `None`: as many as the load asks for.
    pub threads: Option<u32>,
    /// A file of recorded arrivals, in place of the amount and the length.
    pub trace: Option<String>,
    /// When a request counts as failed.
    pub timeout: Duration,
    /// Whether a certificate that does not verify is accepted.
    pub insecure: bool,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Requests at once on one connection of HTTP/2; `None` speaks HTTP/1.1.
    pub streams: Option<u32>,
    /// A call of gRPC, whose message is the body.
    pub grpc: Option<QuickCall>,
    /// Most connections; `None` is one a user, or the default for a rate; with HTTP/2 as many
    /// fewer as a connection carries requests.
    pub connections: Option<u32>,
    /// Seed of all that is random.
    pub seed: u64,
    /// The amount that keys never exceed; `None` is five times the amount.
    pub max_rate: Option<f64>,
}

/// A call of gRPC as `rampscope load` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickCall {
    /// `package.Service/Method`.
    pub method: String,
    /// A file made with `protoc -o`, where the message is JSON.
    pub descriptors: Option<String>,
    /// Whether any number of messages is a right answer.
    pub is_streaming: bool,
}

impl QuickCall {
    /// The call. A message that begins with a brace is JSON, another one hexadecimal digits.
    fn call(&self, message: Option<Body>) -> Result<Call, (&'static str, String)> {
        let read = |file: &String| {
            super::read_bytes(Path::new(file), super::DESCRIPTORS_KIB_MAX).map_err(|error| {
                ("--descriptors", format!("{:?} cannot be read: {error}", units::clean(file, 80)))
            })
        };
        let descriptors = self.descriptors.as_ref().map(read).transpose()?;
        let (json, message) = match message {
            Some(Body::Text(text)) if text.trim_start().starts_with('{') => (Some(text), None),
            message => (None, message),
        };
        let wish = Wish {
            method: &self.method,
            message,
            json: json.as_deref(),
            descriptors: descriptors.as_deref(),
            is_streaming: self.is_streaming.then_some(true),
        };
        let flag = |key| if key == "method" { "--grpc" } else { "-d" };
        wish.call().map_err(|(key, text)| (flag(key), text))
    }
}

impl Quick {
    /// The plan, or everything that is wrong with what was asked.
    pub fn plan(self) -> Result<Plan, Error> {
        let mut faults = Vec::new();
        let mut add = |field: &str, text: String| faults.push(Fault::new(text).within(field));
        let (origin, path) = address::split_url(&self.url).unwrap_or_else(|text| {
            add("URL", text);
            (String::new(), None)
        });
        let path = path.unwrap_or_else(|| "/".to_owned());
        let method = self.method.to_uppercase();
        for (field, checked) in [
            ("URL", address::check_path(&path)),
            ("--method", address::check_method(&method)),
            ("--host", self.host.as_deref().map_or(Ok(()), address::check_host)),
        ] {
            if let Err(text) = checked {
                add(field, text);
            }
        }
        let headers = self.headers.iter().filter_map(|line| match header(line) {
            Ok(header) => Some(header),
            Err(text) => {
                add("--header", text);
                None
            }
        });
        let headers = headers.collect();
        if self.timeout.is_zero() {
            add("--timeout", "is zero; write a time, as 30s".to_owned());
        }
        if self.lasts.is_some_and(|lasts| lasts.is_zero()) {
            add("--duration", "is zero; write a time, as 10s".to_owned());
        }
        if self.count == Some(0) {
            add("--count", "is zero; write how many requests, as 1000".to_owned());
        }
        if self.amount.value() <= 0.0 {
            add("amount", "is zero; write -r 100/s or -c 50".to_owned());
        }
        if self.trace.is_none() && self.max_rate.is_some_and(|most| most < self.amount.value()) {
            add("--max-rate", format!("is below {}, which is asked for", self.amount));
        }
        let call = self.call(&path).unwrap_or_else(|(field, text)| {
            add(field, text);
            None
        });
        if !faults.is_empty() {
            return Err(Error::Invalid { name: "load".to_owned(), faults });
        }
        let (arrivals, stage, trace) = match &self.trace {
            Some(file) => self.recorded(file)?,
            None => (self.arrivals(), self.stage(), None),
        };
        let is_closed = matches!(arrivals, Arrivals::Closed { .. });
        let users = is_closed.then(|| self.amount.value());
        let streams = self.streams.or(call.is_some().then_some(resolve::STREAMS_DEFAULT));
        let (method, path, body, grpc) = match call {
            Some(Call { path, message, grpc }) => {
                ("POST".to_owned(), path, Some(message), Some(grpc))
            }
            None => (method, path, self.body, None),
        };
        let n_connections = connections(users).div_ceil(streams.unwrap_or(1));
        Ok(Plan {
            name: "load".to_owned(),
            about: String::new(),
            target: Target {
                address: Address::Url { url: origin, host: self.host },
                connections: self.connections.unwrap_or(n_connections),
                max_in_flight: resolve::MAX_IN_FLIGHT_DEFAULT.max(connections(users)),
                max_rate: self.max_rate,
                insecure: self.insecure,
                streams,
                threads: self.threads,
            },
            request: Request {
                method,
                path,
                headers,
                body,
                grpc,
                timeout: self.timeout,
                keep_alive: self.keep_alive,
                matrix: Vec::new(),
            },
            load: Load {
                arrivals,
                seed: self.seed,
                stages: vec![stage],
                max_requests: self.count,
                trace,
            },
            checks: Vec::new(),
        })
    }

    /// The call of gRPC, if it is one, or the flag that is wrong and why.
    fn call(&self, path: &str) -> Result<Option<Call>, (&'static str, String)> {
        let Some(grpc) = &self.grpc else { return Ok(None) };
        if path != "/" {
            return Err(("URL", format!("has the path {path}; --grpc says what is called")));
        }
        grpc.call(self.body.clone()).map(Some)
    }

    /// The load that a file records.
    fn recorded(&self, file: &str) -> Result<(Arrivals, Stage, Option<Trace>), Error> {
        let (arrivals, stage, trace) = super::recorded(file)?;
        if self.max_rate.is_some_and(|most| most < stage.most()) {
            let text = format!("is below {}, which is recorded", Amount::Rate(stage.most()));
            let faults = vec![Fault::new(text).within("--max-rate")];
            return Err(Error::Invalid { name: "load".to_owned(), faults });
        }
        let is_poisson = self.poisson && arrivals == Arrivals::Even;
        Ok((if is_poisson { Arrivals::Poisson } else { arrivals }, stage, trace))
    }

    fn arrivals(&self) -> Arrivals {
        match (self.amount, self.poisson) {
            (Amount::Users(_), _) => Arrivals::Closed { think: self.think, batch: None },
            (Amount::Rate(_), true) => Arrivals::Poisson,
            (Amount::Rate(_), false) => Arrivals::Even,
        }
    }

    fn stage(&self) -> Stage {
        let amount = self.amount.value();
        Stage::linear("steady", self.lasts.unwrap_or(SPAN_MAX), amount, amount)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "users are whole and at most 100000"
)]
fn connections(users: Option<f64>) -> u32 {
    users.map_or(resolve::CONNECTIONS_DEFAULT, |users| users as u32)
}

/// `Name: value`.
fn header(line: &str) -> Result<(String, String), String> {
    let (name, value) =
        line.split_once(':').ok_or_else(|| "is not `Name: value`, as `Accept: */*`".to_owned())?;
    let (name, value) = (name.trim(), value.trim());
    match address::check_header(name, value) {
        Ok(()) => Ok((name.to_owned(), value.to_owned())),
        Err(_) if name.eq_ignore_ascii_case("host") => Err("Host is set by --host".to_owned()),
        Err(text) => Err(format!("{} {text}", crate::units::clean(name, 40))),
    }
}

impl Default for Quick {
    /// Ten seconds of `GET` by fifty users, of nothing in particular.
    fn default() -> Self {
        Self {
            url: String::new(),
            host: None,
            amount: Amount::Users(50.0),
            poisson: false,
            lasts: Some(Duration::from_secs(10)),
            count: None,
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: None,
            think: Think::Fixed(Duration::ZERO),
            threads: None,
            trace: None,
            timeout: resolve::TIMEOUT_DEFAULT,
            insecure: false,
            keep_alive: true,
            streams: None,
            grpc: None,
            connections: None,
            seed: resolve::SEED_DEFAULT,
            max_rate: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick(url: &str) -> Quick {
        Quick { url: url.to_owned(), ..Quick::default() }
    }

    #[test]
    fn a_rate_is_an_open_loop_and_users_a_closed_one() {
        let plan = Quick {
            amount: Amount::Rate(200.0),
            headers: vec!["Accept: a:b".to_owned()],
            ..quick("http://127.0.0.1:8080/x?y=z")
        }
        .plan()
        .unwrap();
        assert_eq!(plan.requests(), Some(2000.0));
        assert_eq!(plan.request.path, "/x?y=z");
        assert_eq!(plan.request.headers, [("Accept".to_owned(), "a:b".to_owned())]);
        let plan = Quick { amount: Amount::Users(70.0), ..quick("http://a") }.plan().unwrap();
        assert_eq!(
            plan.load.arrivals,
            Arrivals::Closed { think: Think::Fixed(Duration::ZERO), batch: None }
        );
        assert_eq!(plan.target.connections, 70);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let error = Quick {
            amount: Amount::Rate(0.0),
            headers: vec!["nothing".to_owned(), "Host: a".to_owned()],
            count: Some(0),
            lasts: Some(Duration::ZERO),
            timeout: Duration::ZERO,
            method: "A B".to_owned(),
            ..quick("nowhere")
        };
        let text = error.plan().unwrap_err().to_string();
        for part in ["URL", "amount", "--header", "--host", "--count", "--duration", "--timeout"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_record_is_judged_by_what_it_holds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0,5\n10,15\n").unwrap();
        let with = |max_rate| {
            let trace = Some(file.path().to_str().unwrap().to_owned());
            Quick { trace, max_rate: Some(max_rate), ..quick("http://a") }.plan()
        };
        let plan = with(20.0).unwrap();
        assert_eq!(plan.target.connections, resolve::CONNECTIONS_DEFAULT, "nobody has said 50");
        let error = with(10.0).unwrap_err().to_string();
        assert!(error.contains("--max-rate") && error.contains("15/s"), "{error}");
    }

    #[test]
    fn the_length_said_is_the_longest_that_can_be_told() {
        let endless = Quick { lasts: None, count: Some(5), ..quick("http://a") }.plan().unwrap();
        assert_eq!(endless.lasts(), SPAN_MAX);
        assert_eq!(endless.load.max_requests, Some(5));
    }
}
