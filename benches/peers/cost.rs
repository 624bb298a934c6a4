//! What a request costs, and how many can be had: closed loop, 64 connections, small answers.
//!
//! nginx counts the requests, for all alike; CPU time is that of the whole process, from its start
//! to its end.

use std::io;
use std::time::Duration;

use super::Options;
use super::figures::Spread;
use super::nginx::Nginx;
use super::peer::Peer;
use super::program::Program;
use super::screen::Screen;

const CONNECTIONS: u32 = 64;

/// One peer's figures, a round each.
#[derive(Debug, Clone)]
struct Row {
    peer: Peer,
    /// CPU time of a request, in microseconds.
    micros: Vec<f64>,
    /// Requests a second.
    rates: Vec<f64>,
}

/// CPU per request of all peers, and the throughput that it was measured at.
pub(crate) fn measure(options: &Options, peers: &[Peer]) -> io::Result<()> {
    if !super::is_there("nginx") || !super::is_there("taskset") {
        println!("nginx or taskset is not installed: nothing was measured");
        return Ok(());
    }
    let nginx = Nginx::start(super::last_core())?;
    let mut rows: Vec<Row> = super::installed(peers)
        .into_iter()
        .map(|peer| Row { peer, micros: Vec::new(), rates: Vec::new() })
        .collect();
    println!(
        "closed loop, {CONNECTIONS} connections, {} s, {} rounds, nginx with one worker on core {}",
        options.seconds,
        options.rounds,
        super::last_core(),
    );
    for round in 0..options.rounds {
        // Each round begins with another, so that none always follows the same.
        let first = round % rows.len().max(1);
        rows.rotate_left(first);
        for row in &mut rows {
            let (micros, rate) = run(row.peer, &nginx, Duration::from_secs(options.seconds))?;
            row.micros.push(micros);
            row.rates.push(rate);
        }
        rows.rotate_right(first);
    }
    tell(&rows);
    Ok(())
}

/// Microseconds of CPU a request, and requests a second.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn run(peer: Peer, nginx: &Nginx, lasts: Duration) -> io::Result<(f64, f64)> {
    let screen = if peer.has_screen() { Some(Screen::open()?) } else { None };
    let before = nginx.n_requests()?;
    let program = Program::start(&peer.closed(&nginx.url(), CONNECTIONS, lasts), screen)?;
    let ended = program.end()?;
    // The question itself is one.
    let n = (nginx.n_requests()? - before - 1) as f64;
    Ok((ended.cpu_s * 1e6 / n.max(1.0), n / lasts.as_secs_f64()))
}

fn tell(rows: &[Row]) {
    let wrk = rows.iter().find(|row| row.peer == Peer::Wrk);
    println!(
        "{:<28} {:<26} {:<24} {:<30} {:<24}",
        "", "µs CPU a request", "times wrk's", "requests a second", "times wrk's"
    );
    let text = |spread: Option<Spread>, digits: usize| {
        spread.map_or_else(|| "–".to_owned(), |it| format!("{it:.digits$}"))
    };
    for row in rows {
        let ratio = |of: fn(&Row) -> &Vec<f64>| {
            text(wrk.and_then(|wrk| Spread::of_ratios(of(row), of(wrk))), 2)
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
}
