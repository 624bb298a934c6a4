//! `rampscope load`: the quick one, without a cluster and without a file.

use std::fs;
use std::io::Read as _;
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
use crate::scenario::quick::Quick;
use crate::scenario::resolve;

/// Largest body that is sent, in bytes.
const BODY_BYTES_MAX: u64 = 16 << 20;

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
        body: request.body.map(body).transpose()?,
        timeout: request.timeout.0,
        insecure: request.insecure,
        keep_alive: !request.disable_keepalive,
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

/// The text itself, or after `@` what a file says.
fn body(text: String) -> Result<String, CliError> {
    let Some(path) = text.strip_prefix('@').map(PathBuf::from) else { return Ok(text) };
    let mut body = String::new();
    let read = fs::File::open(&path)
        .and_then(|file| file.take(BODY_BYTES_MAX + 1).read_to_string(&mut body));
    match read {
        Err(source) => Err(CliError::File { action: "read", path, source }),
        Ok(_) if BODY_BYTES_MAX < body.len() as u64 => {
            Err(CliError::Usage(format!("{}: larger than 16 MiB", path.display())))
        }
        Ok(_) => Ok(body),
    }
}
