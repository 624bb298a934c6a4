//! `rampscope load`: the quick one, without a cluster and without a file.

use std::path::PathBuf;

use super::CliError;
use crate::app::settings::Cluster;
use crate::app::settings::Invocation;
use crate::app::settings::Settings;
use crate::cli::args::LoadArgs;
use crate::cli::settings;
use crate::cli::settings::Env;
use crate::cli::settings::Shared;
use crate::scenario::amount::Amount;
use crate::scenario::plan::Body;
use crate::scenario::quick::Quick;
use crate::scenario::quick::QuickCall;
use crate::scenario::resolve;

pub(super) fn invocation(args: LoadArgs, env: Env<'_>) -> Result<Invocation, CliError> {
    let default = Quick::default();
    let request = args.request;
    let mut headers = request.headers;
    headers.extend(request.content_type.map(|kind| format!("Content-Type: {kind}")));
    let plan = Quick {
        url: args.url,
        host: request.host,
        amount: match (args.rate, args.users) {
            (Some(rate), _) => Amount::Rate(rate),
            (None, Some(users)) => Amount::Users(f64::from(users)),
            (None, None) => default.amount,
        },
        poisson: args.poisson,
        lasts: match (args.duration, args.count) {
            (Some(duration), _) => Some(duration.0),
            (None, Some(_)) => None,
            (None, None) => default.lasts,
        },
        count: args.count,
        method: request.method,
        headers,
        body: request.body.map(body).or(request.body_size.map(|size| Body::Random(size.0))),
        think: args.think.unwrap_or(default.think),
        threads: args.threads,
        trace: args.trace,
        timeout: request.timeout.0,
        insecure: request.insecure,
        keep_alive: !request.disable_keepalive,
        streams: request
            .streams
            .or((request.http2 || request.grpc.is_some()).then_some(resolve::STREAMS_DEFAULT)),
        grpc: request.grpc.map(|method| QuickCall {
            method,
            descriptors: request.descriptors,
            is_streaming: request.streaming,
        }),
        connections: request.connections,
        seed: args.seed.unwrap_or(resolve::SEED_DEFAULT),
        max_rate: args.max_rate,
    }
    .plan()?;
    let spectrum = args.latency;
    let settings = settings::settings(
        Shared {
            screen: args.screen,
            limits: args.limits,
            record: Some(args.record),
            cluster: Cluster::default(),
            // There is no cluster to write to.
            read_only: true,
            // The plan ends by itself; a clock beside it would cut its last requests off.
            duration: None,
            log: args.log,
        },
        env,
    );
    Ok(Invocation::Load { settings: Settings { spectrum, ..settings }, plan })
}

/// The text itself, or after `@` the name of a file.
fn body(text: String) -> Body {
    match text.strip_prefix('@') {
        Some(path) => Body::File(PathBuf::from(path)),
        None => Body::Text(text),
    }
}
