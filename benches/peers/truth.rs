//! Whether what rampscope says of latencies is what a server's log implies.
//!
//! A log does not see the way to the client and back, nor how late a process is woken. That is
//! measured in the same run by a client that does nothing else, and granted.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use rampscope::clock;

use super::Options;
use super::figures::Three;
use super::log::Log;
use super::log::own;
use super::peer::Peer;
use super::program::Ended;
use super::program::Program;
use super::server::ANSWER;
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
    let exchange = exchange()?;
    for (name, script) in scripts {
        for _ in 0..options.rounds {
            let (ended, log) = run(script, Duration::from_secs(options.seconds), &[])?;
            println!("{name}");
            compare("service time", &ended, "service_time", log.service_times(), &exchange);
            compare(
                "response time",
                &ended,
                "response_time",
                log.response_times(f64::from(RATE)),
                &exchange,
            );
        }
    }
    Ok(())
}

/// A stall of two seconds in twenty.
pub(crate) fn stall(options: &Options) -> io::Result<()> {
    let script = Script::Stall { from: Duration::from_secs(8), lasts: Duration::from_secs(2) };
    println!("{RATE} a second for 20 s, of which the server answers nothing for 2 s");
    let exchange = exchange()?;
    for connections in ["4", "1000"] {
        for _ in 0..options.rounds {
            let extra = ["--connections", connections];
            let (ended, log) = run(script, Duration::from_secs(20), &extra)?;
            println!(
                "{connections} connections: sent {}, the server counted {}",
                ended.summary["traffic"]["sent"],
                log.n_requests()
            );
            compare("service time", &ended, "service_time", log.service_times(), &exchange);
            compare(
                "response time",
                &ended,
                "response_time",
                log.response_times(f64::from(RATE)),
                &exchange,
            );
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

/// What an exchange costs a client beyond what the server's log says of it, without any program of
/// ours: p50, p99 and the greatest.
fn exchange() -> io::Result<Three> {
    const N: usize = 2000;
    let server = Server::start(Spec {
        script: Script::AtOnce,
        n_moments: N,
        core: Some(super::last_core()),
    })?;
    let url = server.url();
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&address)?;
    stream.set_nodelay(true)?;
    let mut answer = [0; ANSWER.len()];
    let mut took = Vec::with_capacity(N);
    for _ in 0..N {
        let began = clock::monotonic();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
        stream.read_exact(&mut answer)?;
        took.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        std::thread::sleep(Duration::from_secs(1) / RATE);
    }
    let log = Log::new(server.end());
    let beyond = took.iter().zip(log.service_times()).map(|(took, seen)| took.saturating_sub(seen));
    let exchange = Three::of(beyond.collect());
    println!("a bare exchange takes {exchange} beyond the log");
    Ok(exchange)
}

fn compare(name: &str, ended: &Ended, time: &str, implied: Vec<u64>, exchange: &Three) {
    let implied = Three::of(implied);
    let Some(own) = own(&ended.summary, time) else {
        println!("  {name:<14} said nothing; the log implies {implied}");
        return;
    };
    let is_near = |own: Duration, log: Duration, exchange: Duration| {
        let near = log.mul_f64(TOLERANCE.0).max(TOLERANCE.1);
        log.saturating_sub(near) <= own && own <= log + exchange + near
    };
    let is_true = is_near(own.p50, implied.p50, exchange.p50)
        && is_near(own.p99, implied.p99, exchange.p99)
        && is_near(own.max, implied.max, exchange.max);
    println!(
        "  {name:<14} says {own:<26} the log implies {implied:<26} {}",
        if is_true { "agrees" } else { "DIFFERS" }
    );
}
