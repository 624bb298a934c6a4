//! From a file to a plan: what is left out gets its default, what cannot be is refused.
//!
//! All faults are collected, so that a person mends a file once and not once a fault.

use std::time::Duration;

use super::address;
use super::amount::Amount;
use super::amount::AmountError;
use super::amount::SPAN_MAX;
use super::amount::Size;
use super::amount::Span;
use super::check::Check;
use super::error::Fault;
use super::file;
use super::grpc::Call;
use super::grpc::Wish;
use super::mend;
use super::plan::Address;
use super::plan::Arrivals;
use super::plan::Batch;
use super::plan::Body;
use super::plan::Create;
use super::plan::Dimension;
use super::plan::Load;
use super::plan::Plan;
use super::plan::Request;
use super::plan::Shape;
use super::plan::Stage;
use super::plan::Target;
use super::plan::Think;
use super::trace::Recording;
use super::tree::Node;
use super::vary::CHOICES_MAX;
use super::vary::COMBINATIONS_MAX;
use super::vary::Choice;
use super::vary::Sets;
use crate::units::clean;
use crate::units::is_secret;

/// When a request counts as failed, if the scenario does not say.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Most connections, if the scenario does not say.
pub const CONNECTIONS_DEFAULT: u32 = 64;
/// Most requests in flight, if the scenario does not say.
pub const MAX_IN_FLIGHT_DEFAULT: u32 = 1000;
/// Requests at once on one connection of HTTP/2, if the scenario does not say.
pub const STREAMS_DEFAULT: u32 = 10;
/// Most requests at once on one connection of HTTP/2.
pub const STREAMS_MAX: u32 = 10_000;
/// The seed, if the scenario does not say: runs are alike unless one asks otherwise.
pub const SEED_DEFAULT: u64 = 1;

/// No more users than there may be connections; what is beyond needs several machines.
const CONNECTIONS_MAX: u32 = 100_000;
const MAX_IN_FLIGHT_MAX: u32 = 1_000_000;
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
const STAGES_MAX: usize = 1000;
/// No machine that sends has more cores to give.
pub(super) const THREADS_MAX: u32 = 256;
const STEPS_MAX: u32 = 10_000;
const BATCH_MAX: u32 = 1000;
const NAME_CHARS: usize = 60;
const ABOUT_CHARS: usize = 400;

/// Gives the plan of a file, or all that is wrong with it. `read` reads the file that a field
/// names.
pub(super) fn plan(
    tree: &Node,
    name: &str,
    (read, read_bytes): (
        impl FnOnce(&str) -> Result<String, String>,
        impl FnOnce(&str) -> Result<Vec<u8>, String>,
    ),
) -> Result<Plan, Vec<Fault>> {
    let mut shape = mend::read(tree);
    let Some(file) = shape.file.take() else { return Err(mend::in_order(shape.faults)) };
    let mut faults = Faults { tree, found: Vec::new() };
    let load = load(file.load, read, &mut faults);
    let request = request(file.request.unwrap_or_default(), read_bytes, &mut faults);
    let plan = Plan {
        name: clean(file.name.as_deref().unwrap_or(name).trim(), NAME_CHARS),
        about: clean(file.about.as_deref().unwrap_or_default().trim(), ABOUT_CHARS),
        target: target(file.target, &load, &request, &mut faults),
        request,
        load,
        checks: checks(&file.checks.unwrap_or_default(), &mut faults),
    };
    if plan.name.is_empty() {
        faults.add("name", "is empty; name the scenario, or leave the key out");
    }
    let mut found = faults.found;
    found.retain(|fault| !shape.follows(fault));
    found.append(&mut shape.faults);
    if found.is_empty() { Ok(plan) } else { Err(mend::in_order(found)) }
}

/// What is wrong so far.
struct Faults<'a> {
    tree: &'a Node,
    found: Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, field: &str, text: impl Into<String>) {
        let place = self.tree.place_of(field);
        self.found.push(Fault::new(text).within(field).at(place));
    }

    /// The value, if `found` has one; else the fault is kept.
    fn keep<T>(&mut self, field: &str, found: Result<T, impl ToString>) -> Option<T> {
        match found {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(field, error.to_string());
                None
            }
        }
    }

    fn within(&mut self, field: &str, value: u32, most: u32) -> u32 {
        if !(1..=most).contains(&value) {
            self.add(field, format!("is {value}; write a number from 1 to {most}"));
        }
        value
    }
}

fn target(file: file::Target, load: &Load, request: &Request, faults: &mut Faults<'_>) -> Target {
    let users = users(load);
    let streams = streams(&file, request, faults);
    let connections = CONNECTIONS_DEFAULT.max(users).div_ceil(streams.unwrap_or(1).max(1));
    let connections = file.connections.unwrap_or(connections);
    let max_in_flight = file.max_in_flight.unwrap_or(MAX_IN_FLIGHT_DEFAULT.max(users));
    let max_rate = file.max_rate.map(|amount| max_rate(amount, load, faults));
    Target {
        connections: faults.within("target.connections", connections, CONNECTIONS_MAX),
        max_in_flight: faults.within("target.max_in_flight", max_in_flight, MAX_IN_FLIGHT_MAX),
        max_rate,
        insecure: file.insecure.unwrap_or(false),
        streams,
        threads: file.threads.map(|n| faults.within("target.threads", n, THREADS_MAX)),
        address: target_address(file, faults),
    }
}

/// Requests at once on one connection, if HTTP/2 is spoken.
fn streams(file: &file::Target, request: &Request, faults: &mut Faults<'_>) -> Option<u32> {
    let is_asked = file.streams.is_some() || request.grpc.is_some();
    if file.http2 == Some(false) && is_asked {
        faults.add("target.http2", "is false; streams and gRPC need HTTP/2");
    }
    let is_wanted = file.http2.unwrap_or(is_asked);
    let streams = is_wanted.then(|| file.streams.unwrap_or(STREAMS_DEFAULT))?;
    for (name, _) in &request.headers {
        if address::FORBIDDEN_IN_HTTP2.contains(&name.to_ascii_lowercase().as_str()) {
            let text = "is not sent in HTTP/2, where connections are nobody's but the protocol's";
            faults.add(&format!("request.headers.{name}"), text);
        }
    }
    Some(faults.within("target.streams", streams, STREAMS_MAX))
}

/// The most users of a closed loop: each has a connection, unless the scenario says otherwise.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "users are whole and at most 100000"
)]
fn users(load: &Load) -> u32 {
    match load.arrivals {
        Arrivals::Closed { batch, .. } => {
            let parallel = batch.map_or(1, |batch| batch.parallel);
            (load.peak() as u32).saturating_mul(parallel).min(CONNECTIONS_MAX)
        }
        Arrivals::Even | Arrivals::Poisson | Arrivals::Recorded => 0,
    }
}

fn max_rate(amount: Amount, load: &Load, faults: &mut Faults<'_>) -> f64 {
    const FIELD: &str = "target.max_rate";
    match (load.arrivals, amount) {
        (Arrivals::Closed { .. }, Amount::Rate(_)) => {
            faults.add(FIELD, "is a rate; a closed loop has users, as 100 users");
        }
        (Arrivals::Even | Arrivals::Poisson | Arrivals::Recorded, Amount::Users(_)) => {
            faults.add(FIELD, "is a number of users; an open loop has a rate, as 5000/s");
        }
        _ => {}
    }
    if amount.value() < load.peak() {
        faults.add(
            FIELD,
            format!("is {amount}, below the highest stage; raise it or lower the stage"),
        );
    }
    amount.value()
}

fn target_address(file: file::Target, faults: &mut Faults<'_>) -> Address {
    match (file.service, file.url) {
        (Some(name), None) => {
            if file.host.is_some() {
                faults.add("target.host", "goes with `url`; a service's status names its host");
            }
            faults.keep("target.service", address::check_label(&name));
            if let Some(namespace) = &file.namespace {
                faults.keep("target.namespace", address::check_label(namespace));
            }
            let create = file.create.map(|create| self::create(create, faults));
            Address::Service { name, namespace: file.namespace, create }
        }
        (None, Some(url)) => {
            for (field, is_given) in [
                ("target.create", file.create.is_some()),
                ("target.namespace", file.namespace.is_some()),
            ] {
                if is_given {
                    faults.add(field, "goes with `service`, not with `url`");
                }
            }
            if let Some(host) = &file.host {
                faults.keep("target.host", address::check_host(host));
            }
            let origin = match faults.keep("target.url", address::split_url(&url)) {
                Some((origin, None)) => origin,
                Some((origin, Some(path))) => {
                    faults.add(
                        "target.url",
                        format!("has a path; write {origin} here and {path} in request.path"),
                    );
                    origin
                }
                None => url,
            };
            Address::Url { url: origin, host: file.host }
        }
        (Some(name), Some(_)) => {
            faults.add("target.url", "stands beside `service`; keep one of them");
            Address::Service { name, namespace: None, create: None }
        }
        (None, None) => {
            faults.add("target", "says not where to send; add `service: NAME` or `url: http://…`");
            Address::Url { url: String::new(), host: None }
        }
    }
}

fn create(file: file::Create, faults: &mut Faults<'_>) -> Create {
    if file.image.is_empty() || file.image.contains(|c: char| c.is_whitespace() || c.is_control()) {
        faults.add("target.create.image", "is not the name of an image, as ghcr.io/you/app:v1");
    }
    let annotations = file.annotations.unwrap_or_default().0;
    for (key, _) in &annotations {
        if key.contains('/') {
            faults.add(
                &format!("target.create.annotations.{key}"),
                "stands without its domain, as `target` for autoscaling.knative.dev/target",
            );
        }
    }
    Create {
        image: file.image,
        annotations,
        container_concurrency: file.container_concurrency,
        env: file.env.unwrap_or_default().0,
    }
}

fn request(
    mut file: file::Request,
    read_bytes: impl FnOnce(&str) -> Result<Vec<u8>, String>,
    faults: &mut Faults<'_>,
) -> Request {
    let call = file.grpc.take().and_then(|grpc| call(grpc, &mut file, read_bytes, faults));
    let method = file.method.unwrap_or_else(|| "GET".to_owned()).to_uppercase();
    faults.keep("request.method", address::check_method(&method));
    let path = file.path.unwrap_or_else(|| "/".to_owned());
    faults.keep("request.path", address::check_path(&path));
    let headers = file.headers.unwrap_or_default().0;
    for (name, value) in &headers {
        faults.keep(&format!("request.headers.{name}"), address::check_header(name, value));
    }
    let timeout = file.timeout.map_or(TIMEOUT_DEFAULT, |span| span.0);
    if timeout.is_zero() || TIMEOUT_MAX < timeout {
        let text = format!("is {}; write a time above 0 and up to 1h", Span(timeout));
        faults.add("request.timeout", text);
    }
    let (grpc, path, message) = match call {
        Some(Call { path, message, grpc }) => (Some(grpc), path, Some(message)),
        None => (None, path, file.body.map(body)),
    };
    Request {
        method: if grpc.is_some() { "POST".to_owned() } else { method },
        path,
        headers,
        body: message,
        grpc,
        timeout,
        keep_alive: file.keep_alive.unwrap_or(true),
        matrix: matrix(file.matrix.unwrap_or_default(), faults),
    }
}

/// A call of gRPC; its deadline becomes the request's.
fn call(
    grpc: file::Grpc,
    file: &mut file::Request,
    read_bytes: impl FnOnce(&str) -> Result<Vec<u8>, String>,
    faults: &mut Faults<'_>,
) -> Option<Call> {
    for (key, is_given) in [
        ("method", file.method.is_some()),
        ("path", file.path.is_some()),
        ("body", file.body.is_some()),
        ("timeout", file.timeout.is_some() && grpc.deadline.is_some()),
    ] {
        if is_given {
            let remedy = "stands beside `grpc`, which says it; keep one of them";
            faults.add(&format!("request.{key}"), remedy);
        }
    }
    file.timeout = grpc.deadline.or(file.timeout);
    let descriptors = match grpc.descriptors {
        Some(name) => Some(faults.keep("request.grpc.descriptors", read_bytes(&name))?),
        None => None,
    };
    let wish = Wish {
        method: &grpc.method,
        message: grpc.message.map(body),
        json: grpc.json.as_deref(),
        descriptors: descriptors.as_deref(),
        is_streaming: grpc.streaming,
    };
    match wish.call() {
        Ok(call) => Some(call),
        Err((key, text)) => {
            faults.add(&format!("request.grpc.{key}"), text);
            None
        }
    }
}

fn body(file: file::Body) -> Body {
    match file {
        file::Body::Text(text) => Body::Text(text),
        file::Body::File(path) => Body::File(path.into()),
        file::Body::Random(size) => Body::Random(size.0),
    }
}

fn matrix(file: Vec<file::Dimension>, faults: &mut Faults<'_>) -> Vec<Dimension> {
    let dimensions: Vec<Dimension> = file
        .into_iter()
        .enumerate()
        .map(|(dimension_idx, file)| dimension(file, dimension_idx, faults))
        .collect();
    let n_choices: usize = dimensions.iter().map(|it| it.choices.len()).sum();
    let n_combinations =
        dimensions.iter().fold(1, |n: usize, it| n.saturating_mul(it.choices.len()));
    if CHOICES_MAX < n_choices {
        faults.add("request.matrix", format!("has {n_choices} choices; at most {CHOICES_MAX}"));
    }
    if COMBINATIONS_MAX < n_combinations {
        let text = format!("has {n_combinations} combinations; at most {COMBINATIONS_MAX}");
        faults.add("request.matrix", text);
    }
    dimensions
}

fn dimension(file: file::Dimension, dimension_idx: usize, faults: &mut Faults<'_>) -> Dimension {
    let field = |key: &str| format!("request.matrix.{dimension_idx}.{key}");
    let (kind, name) = file.vary.trim().split_once(' ').unwrap_or((file.vary.trim(), ""));
    let name = name.trim();
    let is_named = matches!(kind, "query" | "header");
    if is_named == name.is_empty() {
        faults.add(
            &field("vary"),
            format!(
                "is {:?}; write path, body, host, url, `query NAME` or `header NAME`",
                clean(&file.vary, 40)
            ),
        );
    }
    if file.of.is_empty() {
        faults.add(&field("of"), "is empty; list what it may be");
    }
    let weights = file.weights.unwrap_or_else(|| vec![1; file.of.len()]);
    if weights.len() != file.of.len() || weights.iter().all(|weight| *weight == 0) {
        let text = format!("must be {} numbers, one for each of `of`, not all 0", file.of.len());
        faults.add(&field("weights"), text);
    }
    let choices = file.of.iter().zip(weights).enumerate().filter_map(|(of_idx, (of, weight))| {
        let sets = faults.keep(&field(&format!("of.{of_idx}")), sets(kind, name, of))?;
        // Its counters are shown and recorded: they are never called by a secret.
        let called = match is_named && is_secret(name) {
            true => format!("{} {}", clean(name, NAME_CHARS), of_idx + 1),
            false => clean(of, NAME_CHARS),
        };
        Some(Choice { name: called, weight, sets })
    });
    let choices = choices.collect();
    let name =
        file.name.unwrap_or_else(|| if is_named { name.to_owned() } else { kind.to_owned() });
    Dimension { name: clean(name.trim(), NAME_CHARS), choices }
}

fn sets(kind: &str, name: &str, of: &str) -> Result<Sets, String> {
    Ok(match kind {
        "path" => {
            address::check_path(of)?;
            Sets::Path(of.to_owned())
        }
        "query" => {
            address::check_path(&format!("/?{name}={of}"))?;
            Sets::Query { name: name.to_owned(), value: of.to_owned() }
        }
        "header" => {
            address::check_header(name, of)?;
            Sets::Header { name: name.to_owned(), value: of.to_owned() }
        }
        "body" if of == "none" => Sets::Body(None),
        "body" => {
            let size: Size = of.parse().map_err(|error: AmountError| error.to_string())?;
            Sets::Body(Some(Body::Random(size.0)))
        }
        "host" => {
            address::check_host(of)?;
            Sets::Host(of.to_owned())
        }
        "url" => match address::split_url(of)? {
            (origin, None) => Sets::Url(origin),
            (_, Some(path)) => return Err(format!("has a path; vary that apart: {path}")),
        },
        // Said at `vary`.
        _ => Sets::Body(None),
    })
}

fn load(
    file: file::Load,
    read: impl FnOnce(&str) -> Result<String, String>,
    faults: &mut Faults<'_>,
) -> Load {
    let mut arrivals = match file.arrivals {
        Some(file::Arrivals::Closed) => Arrivals::Closed {
            think: file.think.map_or(Think::Fixed(Duration::ZERO), |think| think.0),
            batch: file.batch.as_ref().map(|it| batch(it, faults)),
        },
        arrivals => {
            for (field, is_given) in
                [("load.think", file.think.is_some()), ("load.batch", file.batch.is_some())]
            {
                if is_given {
                    faults
                        .add(field, "is only for users: write `arrivals: closed`, or leave it out");
                }
            }
            match arrivals {
                Some(file::Arrivals::Poisson) => Arrivals::Poisson,
                _ => Arrivals::Even,
            }
        }
    };
    let seed = file.seed.unwrap_or(SEED_DEFAULT);
    if let Some(name) = &file.trace {
        if file.stages.is_some() {
            faults.add("load.trace", "stands beside `stages`; keep one of them");
        }
        let recording = read(name).and_then(|text| Recording::parse(&text));
        let Some(recording) = faults.keep("load.trace", recording) else {
            return Load { arrivals, seed, stages: Vec::new(), max_requests: None, trace: None };
        };
        let (of_trace, stage, trace) = recording.into_load(name);
        if matches!(arrivals, Arrivals::Closed { .. }) {
            faults.add("load.trace", "tells when requests are due; users have no due times");
        } else if trace.is_some() {
            if file.arrivals.is_some() {
                faults.add("load.arrivals", "are those of `trace`; leave it out");
            }
            arrivals = of_trace;
        }
        return Load { arrivals, seed, stages: vec![stage], max_requests: None, trace };
    }
    let stages = stages(file.stages.unwrap_or_default(), arrivals, faults);
    Load { arrivals, seed, stages, max_requests: None, trace: None }
}

fn batch(file: &file::Batch, faults: &mut Faults<'_>) -> Batch {
    let size = faults.within("load.batch.of", file.of, BATCH_MAX);
    let parallel = file.parallel.unwrap_or(size);
    let per_host = file.per_host.unwrap_or(parallel);
    Batch {
        size,
        parallel: faults.within("load.batch.parallel", parallel, BATCH_MAX).min(size),
        per_host: faults.within("load.batch.per_host", per_host, BATCH_MAX).min(parallel),
    }
}

fn stages(file: Vec<file::Stage>, arrivals: Arrivals, faults: &mut Faults<'_>) -> Vec<Stage> {
    if file.is_empty() {
        faults.add("load.stages", "is empty; add a stage, as {for: 20s, at: 40/s}");
    }
    if STAGES_MAX < file.len() {
        faults.add("load.stages", format!("has more than {STAGES_MAX} stages"));
    }
    let mut stages: Vec<Stage> = Vec::with_capacity(file.len());
    for (stage_idx, stage) in file.into_iter().enumerate() {
        let before = stages.last().map_or(0.0, |stage| stage.to);
        stages.push(self::stage(stage, stage_idx, (arrivals, before), faults));
    }
    let lasts: Duration = stages.iter().map(|stage| stage.lasts).sum();
    if SPAN_MAX < lasts {
        faults.add("load.stages", "last longer than a week together; shorten them");
    }
    stages
}

fn stage(
    file: file::Stage,
    stage_idx: usize,
    (arrivals, before): (Arrivals, f64),
    faults: &mut Faults<'_>,
) -> Stage {
    let field = |key: &str| format!("load.stages.{stage_idx}.{key}");
    if file.lasts.0.is_zero() {
        faults.add(&field("for"), "is zero; write how long the stage lasts, as 20s");
    }
    for (key, amount) in [
        ("at", file.at),
        ("from", file.from),
        ("to", file.to),
        ("peak", file.peak),
        ("amplitude", file.amplitude),
    ] {
        match (arrivals, amount) {
            (Arrivals::Closed { .. }, Some(Amount::Rate(rate))) => faults.add(
                &field(key),
                format!("is a rate; with `arrivals: closed` write users, as {rate:.0} users"),
            ),
            (
                Arrivals::Even | Arrivals::Poisson | Arrivals::Recorded,
                Some(Amount::Users(users)),
            ) => faults.add(
                &field(key),
                format!("is a number of users; write a rate, as {users}/s, or `arrivals: closed`"),
            ),
            _ => {}
        }
    }
    let (from, to) = match (file.at, file.from, file.to) {
        (Some(at), None, None) => (at.value(), at.value()),
        (None, from, Some(to)) => (from.map_or(before, Amount::value), to.value()),
        (Some(_), _, _) => {
            faults.add(&field("at"), "stands beside `from` or `to`; `at` is steady, `to` a ramp");
            (0.0, 0.0)
        }
        (None, Some(_), None) => {
            faults.add(&field("from"), "goes with `to`; add it, or write `at` for a steady stage");
            (0.0, 0.0)
        }
        (None, None, None) => {
            faults.add(&field("at"), "is missing; write `at: 40/s` (steady) or `to: 40/s` (ramp)");
            (0.0, 0.0)
        }
    };
    let shape = shape(&file, (from, to), &field, faults);
    let name = file.name.unwrap_or_else(|| format!("stage {}", stage_idx + 1));
    Stage { name: clean(name.trim(), NAME_CHARS), lasts: file.lasts.0, from, to, shape }
}

fn shape(
    file: &file::Stage,
    (from, to): (f64, f64),
    field: &impl Fn(&str) -> String,
    faults: &mut Faults<'_>,
) -> Shape {
    match (file.steps, file.peak, file.amplitude, file.period) {
        (None, None, None, None) => Shape::Linear,
        (Some(steps), None, None, None) => {
            if file.at.is_some() {
                faults.add(&field("steps"), "goes with `from` and `to`, not with `at`");
            }
            if !(2..=STEPS_MAX).contains(&steps) {
                faults.add(&field("steps"), format!("is {steps}; write 2 to {STEPS_MAX}"));
                return Shape::Linear;
            }
            let share = |step| f64::from(step) / f64::from(steps - 1);
            let levels = (0..steps).map(|step| (to - from).mul_add(share(step), from)).collect();
            Shape::Levels { levels, each: file.lasts.0 / steps }
        }
        (None, Some(peak), None, None) => {
            if file.at.is_none() || peak.value() < from {
                faults.add(&field("peak"), "goes with a lower `at`, from which it rises");
            }
            Shape::Spike { peak: peak.value(), rise: file.lasts.0 / 2 }
        }
        (None, None, Some(amplitude), Some(period)) => {
            if file.at.is_none() || from < amplitude.value() {
                faults.add(&field("amplitude"), "goes with an `at` that is not lower");
            }
            if period.0 < Duration::from_millis(100) {
                faults.add(&field("period"), "is below 100ms; write the time of one wave, as 60s");
            }
            Shape::Sine { amplitude: amplitude.value(), period: period.0 }
        }
        (None, None, Some(_), None) => {
            faults.add(&field("amplitude"), "goes with `period`, the time of one wave, as 60s");
            Shape::Linear
        }
        (None, None, None, Some(_)) => {
            faults.add(&field("period"), "goes with `amplitude`, the height of the wave, as 50/s");
            Shape::Linear
        }
        _ => {
            faults.add(
                &field("for"),
                "keep one of `steps`, `peak` (a spike) and `amplitude` (a sine)",
            );
            Shape::Linear
        }
    }
}

fn checks(file: &[String], faults: &mut Faults<'_>) -> Vec<Check> {
    let parse = |(check_idx, text): (usize, &String)| {
        faults.keep(&format!("checks.{check_idx}"), text.parse::<Check>())
    };
    file.iter().enumerate().filter_map(parse).collect()
}
