//! Whether nothing is lost, doubled or leaked in a long run.

use std::io;
use std::time::Duration;

use super::Options;
use super::peer::Peer;
use super::program::Program;
use super::server::Script;
use super::server::Server;
use super::server::Spec;

const MIB: f64 = 1024.0 * 1024.0;

/// A long run at a high rate, then one without keep-alive.
pub(crate) fn measure(options: &Options) -> io::Result<()> {
    run(20_000, options.seconds, &[])?;
    run(500, options.seconds.min(30), &["--disable-keepalive"])
}

#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
fn run(rate: u32, seconds: u64, extra: &[&str]) -> io::Result<()> {
    println!("{rate} a second for {seconds} s {}", extra.join(" "));
    let spec = Spec { script: Script::AtOnce, n_moments: 0, core: Some(super::last_core()) };
    let server = Server::start(spec)?;
    let lasts = Duration::from_secs(seconds);
    let args = Peer::Headless.open(&server.url(), rate, lasts, extra).unwrap_or_default();
    let program = Program::start(&args, None)?;
    let (mut memory, mut descriptors) = (Vec::new(), Vec::new());
    while !program.is_over() {
        std::thread::sleep(Duration::from_secs(1));
        memory.extend(program.rss());
        descriptors.extend(program.n_descriptors());
    }
    let ended = program.end()?;
    let traffic = &ended.summary["traffic"];
    let counts = server.counts();
    println!(
        "  due {}, sent {}, answered {}, failed {}, dropped {}; the server counted {} requests, {} \
         answers, {} bytes (sent {}), {} connections, at most {} at a time",
        traffic["offered"],
        traffic["sent"],
        traffic["succeeded"],
        traffic["failed"],
        traffic["dropped"],
        counts.n_requests(),
        counts.n_answers(),
        counts.bytes(),
        traffic["bytes_sent"],
        counts.n_connections(),
        counts.n_open_max(),
    );
    let n = |name: &str| traffic[name].as_u64();
    let is_whole = n("sent") == Some(counts.n_requests())
        && n("succeeded") == Some(counts.n_answers())
        && n("bytes_sent") == Some(counts.bytes())
        && n("offered")
            == n("succeeded").zip(n("failed")).zip(n("dropped")).map(|((a, b), c)| a + b + c);
    println!("  {}", if is_whole { "they agree" } else { "THEY DIFFER" });
    // What is still being set up in the first part is not counted as growth.
    let after = memory.len() * 3 / 10;
    let n_minute = 60.min(memory.len() / 10).max(1);
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len().max(1) as f64 / MIB;
    if let (Some(early), Some(late)) = (
        memory.get(after.saturating_sub(n_minute)..after),
        memory.get(memory.len().saturating_sub(n_minute)..),
    ) {
        println!(
            "  resident: {:.1} MiB after three tenths, {:.1} at the end, {:.1} at most",
            mean(early),
            mean(late),
            memory.iter().max().copied().unwrap_or_default() as f64 / MIB
        );
    }
    let middle = descriptors.get(descriptors.len() / 5..descriptors.len() * 4 / 5);
    println!(
        "  descriptors: from {:?} to {:?} over the run's middle",
        middle.and_then(|it| it.iter().min()),
        middle.and_then(|it| it.iter().max())
    );
    Ok(())
}
