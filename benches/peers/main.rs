//! rampscope beside its peers, and beside what a server saw.
//!
//! `cargo bench --bench peers -- cpu` compares the CPU time of a request, `throughput` the requests
//! that can be had, `h2c` and `grpc` both over HTTP/2 (`grpc` by a server that costs next to nothing,
//! `grpc-nginx` by nginx), `lag` how late they leave, `truth` and `stall` what is said of latencies
//! with what a server's log implies, `counts` a long run's counts, `keys` what each key does.
//!
//! `--rounds N` and `--seconds N` change how often and how long; with `--tmux` keys go through it.
//! Peers are looked for on the path; one that is not there is named and skipped. No figure is
//! asserted: machines differ.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod calls;
mod cost;
mod counts;
mod figures;
mod keys;
mod lag;
mod log;
mod nginx;
mod peer;
mod program;
mod screen;
mod server;
mod truth;

use std::io;

use cost::By;
use peer::Peer;

/// How often and how long.
#[derive(Debug, Clone, Copy)]
struct Options {
    rounds: usize,
    seconds: u64,
    tmux: bool,
}

fn main() -> io::Result<()> {
    screen::become_what_was_asked()?;
    let args: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let after = |name: &str| {
        let value = args.iter().skip_while(|it| *it != name).nth(1);
        value.and_then(|it| it.parse::<u64>().ok())
    };
    let options = |rounds: u64, seconds: u64| Options {
        rounds: usize::try_from(after("--rounds").unwrap_or(rounds)).unwrap_or(1).max(1),
        seconds: after("--seconds").unwrap_or(seconds).max(1),
        tmux: args.iter().any(|it| it == "--tmux") && is_there("tmux"),
    };
    let everyone = [Peer::Headless, Peer::Screen, Peer::H2load, Peer::Oha, Peer::Hey, Peer::Wrk];
    match args.first().map(String::as_str) {
        Some("cpu") => cost::measure(&options(5, 10), cost::HTTP1, By::Nginx, &everyone),
        Some("throughput") => {
            cost::measure(&options(5, 10), cost::HTTP1, By::Nginx, &[Peer::Headless, Peer::Wrk])
        }
        Some("h2c") => {
            let peers = [Peer::Headless, Peer::Oha, Peer::H2load];
            cost::measure(&options(5, 10), cost::H2C, By::Nginx, &peers)
        }
        Some(name @ ("grpc" | "grpc-nginx")) => {
            // Where the server is slower than the clients, it is the server that is measured.
            let by = if name == "grpc" { By::Calls } else { By::Nginx };
            let peers = [Peer::Headless, Peer::Ghz, Peer::Tonic];
            cost::measure(&options(5, 10), cost::GRPC, by, &peers)
        }
        Some("lag") => lag::measure(&options(5, 30)),
        Some("truth") => truth::measure(&options(1, 20)),
        Some("stall") => truth::stall(&options(1, 20)),
        Some("counts") => counts::measure(&options(1, 600)),
        Some("keys") => keys::measure(&options(1, 2)),
        _ => {
            println!(
                "say what: cpu, throughput, h2c, grpc, grpc-nginx, lag, truth, stall, counts or keys"
            );
            Ok(())
        }
    }
}

/// Those that can be started here; the others are named.
fn installed(peers: &[Peer]) -> Vec<Peer> {
    let (there, missing): (Vec<Peer>, Vec<Peer>) =
        peers.iter().partition(|peer| peer.is_installed());
    for peer in missing {
        println!("{peer} is not installed and is left out");
    }
    there
}

/// Whether a program is on the path.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The core that servers stay on.
fn last_core() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from) - 1
}
