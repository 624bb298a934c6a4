//! Whether what rampscope says of latencies is what a server's log implies.

use std::io;
use std::time::Duration;

use super::Options;
use super::figures::Three;
use super::log::Log;
use super::log::own;
use super::peer::Peer;
use super::program::Ended;
use super::program::Program;
use super::server::Script;
use super::server::Server;
use super::server::Spec;

/// How far a figure may be from the log's: a share of it, or a time, whichever is more.
const TOLERANCE: (f64, Duration) = (0.01, Duration::from_micros(100));
/// Requests a second.
const RATE: u32 = 200;

/// Scripts without a stall.
pub(crate) fn measure(options: &Options) -> io::Result<()> {
    let fixed = |millis| Script::Fixed(Duration::from_millis(millis));
    let scripts = [
        ("5 ms", fixed(5)),
        ("20 ms", fixed(20)),
        ("100 ms", fixed(100)),
        (
            "log-normal",
            Script::LogNormal { median: Duration::from_millis(20), sigma: 0.7, seed: 7 },
        ),
    ];
    println!("{RATE} a second, {} s, µs as p50 / p99 / greatest", options.seconds);
    for (name, script) in scripts {
        for _ in 0..options.rounds {
            let (ended, log) = run(script, Duration::from_secs(options.seconds), &[])?;
            println!("{name}");
            compare("service time", &ended, "service_time", log.service_times());
            compare("response time", &ended, "response_time", log.response_times(f64::from(RATE)));
        }
    }
    Ok(())
}

/// A stall of two seconds in twenty.
pub(crate) fn stall(options: &Options) -> io::Result<()> {
    let script = Script::Stall { from: Duration::from_secs(8), lasts: Duration::from_secs(2) };
    println!("{RATE} a second for 20 s, of which the server answers nothing for 2 s");
    for connections in ["4", "1000"] {
        for _ in 0..options.rounds {
            let extra = ["--connections", connections];
            let (ended, log) = run(script, Duration::from_secs(20), &extra)?;
            println!(
                "{connections} connections: sent {}, the server counted {}",
                ended.summary["traffic"]["sent"],
                log.n_requests()
            );
            compare("service time", &ended, "service_time", log.service_times());
            compare("response time", &ended, "response_time", log.response_times(f64::from(RATE)));
            let p99 = |time| own(&ended.summary, time).map(|it| it.p99.as_secs_f64());
            if let (Some(response), Some(service)) = (p99("response_time"), p99("service_time")) {
                println!("  p99 of response time over service time: {:.2}", response / service);
            }
        }
    }
    Ok(())
}

fn run(script: Script, lasts: Duration, extra: &[&str]) -> io::Result<(Ended, Log)> {
    let server = Server::start(Spec {
        script,
        n_moments: usize::try_from(u64::from(RATE) * lasts.as_secs() * 2).unwrap_or_default(),
        core: Some(super::last_core()),
    })?;
    let args = Peer::Headless.open(&server.url(), RATE, lasts, extra).unwrap_or_default();
    let ended = Program::start(&args, None)?.end()?;
    Ok((ended, Log::new(server.end())))
}

fn compare(name: &str, ended: &Ended, time: &str, implied: Vec<u64>) {
    let implied = Three::of(implied);
    let Some(own) = own(&ended.summary, time) else {
        println!("  {name:<14} said nothing; the log implies {implied}");
        return;
    };
    let is_near = |own: Duration, log: Duration| {
        own.abs_diff(log) <= log.mul_f64(TOLERANCE.0).max(TOLERANCE.1)
    };
    let is_true = is_near(own.p50, implied.p50)
        && is_near(own.p99, implied.p99)
        && is_near(own.max, implied.max);
    println!(
        "  {name:<14} says {own:<26} the log implies {implied:<26} {}",
        if is_true { "agrees" } else { "DIFFERS" }
    );
}
