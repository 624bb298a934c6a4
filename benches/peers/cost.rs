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

/// CPU per request of all peers, and the throughput that it was measured at.
pub(crate) fn measure(options: &Options, peers: &[Peer]) -> io::Result<()> {
    if !super::is_there("nginx") || !super::is_there("taskset") {
        println!("nginx or taskset is not installed: nothing was measured");
        return Ok(());
    }
    let nginx = Nginx::start(super::last_core())?;
    let mut rows: Vec<Row> = super::installed(peers)
        .into_iter()
        .map(|peer| Row { peer, micros: Vec::new(), rates: Vec::new(), screens: Vec::new() })
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
            let figures = run(row.peer, &nginx, Duration::from_secs(options.seconds))?;
            row.micros.push(figures.micros);
            row.rates.push(figures.rate);
            row.screens.extend(figures.screen);
        }
        rows.rotate_right(first);
    }
    tell(&rows);
    Ok(())
}

/// One peer, once.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn run(peer: Peer, nginx: &Nginx, lasts: Duration) -> io::Result<Figures> {
    let screen = if peer.has_screen() { Some(Screen::open()?) } else { None };
    let before = nginx.n_requests()?;
    let program = Program::start(&peer.closed(&nginx.url(), CONNECTIONS, lasts), screen)?;
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
    // The question itself is one.
    let n = (nginx.n_requests()? - before - 1) as f64;
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
    for (shares, n_bytes) in rows.iter().flat_map(|row| &row.screens) {
        let shares: Vec<String> = shares
            .iter()
            .filter(|(_, share)| 0.0005 < *share)
            .map(|(name, share)| format!("{name} {:.1} %", share * 100.0))
            .collect();
        println!("screen: {} of a core; {n_bytes:.0} bytes/s drawn", shares.join(", "));
    }
}
