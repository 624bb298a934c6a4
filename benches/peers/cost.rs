//! What a request costs, and how many can be had: closed loop, small answers.
//!
//! The server counts the requests, for all alike; CPU time is that of the whole process, from its
//! start to its end.

use std::fs;
use std::io;
use std::time::Duration;

use super::Options;
use super::calls::Calls;
use super::figures::Spread;
use super::nginx::Nginx;
use super::peer::Call;
use super::peer::PROTOCOL;
use super::peer::Peer;
use super::peer::Users;
use super::program::Program;
use super::screen::Screen;

/// The everyday of HTTP/1.1.
pub(crate) const HTTP1: (Call, Users) = (Call::Http1, Users { connections: 64, streams: 1 });
/// Few connections, many streams.
pub(crate) const H2C: (Call, Users) = (Call::H2c, Users { connections: 8, streams: 16 });
/// The same with gRPC.
pub(crate) const GRPC: (Call, Users) = (Call::Grpc, Users { connections: 8, streams: 16 });

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// nginx with one worker.
    Nginx,
    /// A server that costs next to nothing, and knows gRPC only.
    Calls,
}

/// A server at work.
#[derive(Debug)]
enum Server {
    Nginx(Nginx),
    Calls(Calls),
}

/// One peer's figures, a round each.
#[derive(Debug, Clone)]
struct Row {
    peer: Peer,
    /// CPU time of a request, in microseconds.
    micros: Vec<f64>,
    /// Requests a second.
    rates: Vec<f64>,
    /// What a screen took: shares of a core by thread, and bytes drawn a second.
    screens: Vec<(Vec<(String, f64)>, f64)>,
}

/// One run's figures.
#[derive(Debug)]
struct Figures {
    micros: f64,
    rate: f64,
    screen: Option<(Vec<(String, f64)>, f64)>,
}

// === impl Server ===

impl Server {
    fn start(by: By) -> io::Result<Self> {
        Ok(match by {
            By::Nginx => Self::Nginx(Nginx::start(super::last_core())?),
            By::Calls => Self::Calls(Calls::start(super::last_core())?),
        })
    }

    fn url(&self, call: Call) -> String {
        match self {
            Self::Nginx(nginx) => nginx.url(call),
            Self::Calls(calls) => calls.url(),
        }
    }

    fn n_requests(&self) -> io::Result<u64> {
        match self {
            Self::Nginx(nginx) => nginx.n_requests(),
            Self::Calls(calls) => Ok(calls.n_calls()),
        }
    }
}

/// CPU per request of all peers, and the throughput that it was measured at; the last of them is the
/// one that the others are compared with.
pub(crate) fn measure(
    options: &Options,
    (call, users): (Call, Users),
    by: By,
    peers: &[Peer],
) -> io::Result<()> {
    if by == By::Nginx && (!super::is_there("nginx") || !super::is_there("taskset")) {
        println!("nginx or taskset is not installed: nothing was measured");
        return Ok(());
    }
    let server = Server::start(by)?;
    let folder = tempfile::tempdir()?;
    let protocol = folder.path().join("worker.proto");
    fs::write(&protocol, PROTOCOL)?;
    let protocol = protocol.to_string_lossy();
    let (url, lasts) = (server.url(call), Duration::from_secs(options.seconds));
    let line = |peer: Peer| peer.closed((call, &url), users, lasts, &protocol);
    let mut rows: Vec<Row> = super::installed(peers)
        .into_iter()
        .filter(|peer| line(*peer).is_some())
        .map(|peer| Row { peer, micros: Vec::new(), rates: Vec::new(), screens: Vec::new() })
        .collect();
    println!(
        "{call:?}, closed loop, {} connections × {}, {} s, {} rounds, {by:?} on core {}",
        users.connections,
        users.streams,
        options.seconds,
        options.rounds,
        super::last_core(),
    );
    for round in 0..options.rounds {
        // Each round begins with another, so that none always follows the same.
        let first = round % rows.len().max(1);
        rows.rotate_left(first);
        for row in &mut rows {
            let Some(line) = line(row.peer) else { continue };
            let figures = run(row.peer, &line, &server, lasts)?;
            row.micros.push(figures.micros);
            row.rates.push(figures.rate);
            row.screens.extend(figures.screen);
        }
        rows.rotate_right(first);
    }
    if let Some(standard) = peers.last() {
        tell(&rows, *standard);
    }
    Ok(())
}

/// One peer, once.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn run(peer: Peer, line: &[String], server: &Server, lasts: Duration) -> io::Result<Figures> {
    let screen = if peer.has_screen() { Some(Screen::open()?) } else { None };
    let before = server.n_requests()?;
    let program = Program::start(line, screen)?;
    let mut shares = None;
    if program.screen.is_some() {
        // Threads are gone when the program has ended: their last half is taken while it lasts.
        let half = lasts / 2;
        std::thread::sleep(half / 2);
        let early = shown(&program);
        std::thread::sleep(half);
        shares = Some(since(&early, &shown(&program), half));
    }
    let ended = program.end()?;
    let n = server.n_requests()? - before;
    if let Some(sent) = ended.summary["traffic"]["sent"].as_u64().filter(|sent| *sent != n) {
        println!("{peer} says that it sent {sent}, the server counted {n}");
    }
    let n = n as f64;
    Ok(Figures {
        micros: ended.cpu_s * 1e6 / n.max(1.0),
        rate: n / lasts.as_secs_f64(),
        screen: shares,
    })
}

/// CPU time by thread, and bytes drawn, so far.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn shown(program: &Program) -> (Vec<(String, f64)>, f64) {
    let n_bytes = program.screen.as_ref().map_or(0, Screen::n_bytes);
    (program.cpu_by_thread(), n_bytes as f64)
}

/// The same within `lasts`, a second.
fn since(
    early: &(Vec<(String, f64)>, f64),
    late: &(Vec<(String, f64)>, f64),
    lasts: Duration,
) -> (Vec<(String, f64)>, f64) {
    let seconds = lasts.as_secs_f64();
    let before = |name: &str| {
        early.0.iter().filter(|(known, _)| known == name).map(|(_, cpu_s)| cpu_s).sum::<f64>()
    };
    let mut names: Vec<&String> = late.0.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let shares = names.into_iter().map(|name| {
        let after: f64 =
            late.0.iter().filter(|(known, _)| known == name).map(|(_, cpu_s)| cpu_s).sum();
        (name.clone(), (after - before(name)) / seconds)
    });
    (shares.collect(), (late.1 - early.1) / seconds)
}

fn tell(rows: &[Row], standard: Peer) {
    let other = rows.iter().find(|row| row.peer == standard);
    let times = format!("times {standard}'s");
    println!(
        "{:<28} {:<26} {:<24} {:<30} {:<24}",
        "", "µs CPU a request", times, "requests a second", times
    );
    let text = |spread: Option<Spread>, digits: usize| {
        spread.map_or_else(|| "–".to_owned(), |it| format!("{it:.digits$}"))
    };
    for row in rows {
        let ratio = |of: fn(&Row) -> &Vec<f64>| {
            text(other.and_then(|other| Spread::of_ratios(of(row), of(other))), 2)
        };
        println!(
            "{:<28} {:<26} {:<24} {:<30} {:<24}",
            row.peer.to_string(),
            text(Spread::of(&row.micros), 2),
            ratio(|row| &row.micros),
            text(Spread::of(&row.rates), 0),
            ratio(|row| &row.rates),
        );
    }
    for (shares, n_bytes) in rows.iter().flat_map(|row| &row.screens) {
        let shares: Vec<String> = shares
            .iter()
            .filter(|(_, share)| 0.0005 < *share)
            .map(|(name, share)| format!("{name} {:.1} %", share * 100.0))
            .collect();
        println!("screen: {} of a core; {n_bytes:.0} bytes/s drawn", shares.join(", "));
    }
}
