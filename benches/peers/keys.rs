//! What each key does to the load, as the server's log has it: how long after the key the rate is
//! another.

use std::io;
use std::time::Duration;

use rampscope::event::Event;
use rampscope::event::run::Control;
use rampscope::journal::RunFolder;
use rampscope::units::At;

use super::Options;
use super::peer::Peer;
use super::program::Ended;
use super::program::Program;
use super::screen::Screen;
use super::server::Moment;
use super::server::Script;
use super::server::Server;
use super::server::Spec;

/// Requests a second at the beginning.
const RATE: u32 = 1_000;
/// What is typed, one after the other. The last one ends the plan.
const KEYS: [(&str, &str); 15] = [
    ("+", "+"),
    ("-", "-"),
    ("[", "["),
    ("]", "]"),
    ("= 300", "=300\r"),
    ("u", "u"),
    ("h (the profile again)", "h"),
    ("h (hold)", "h"),
    ("b, asked and confirmed", "b\r"),
    ("u", "u"),
    ("p", "p"),
    ("p (on again)", "p"),
    ("0", "0"),
    ("u", "u"),
    ("n", "n"),
];
/// A key's effect is looked for only after so long, and until shortly before the next one.
const SETTLED: u64 = 100_000_000;

/// Types all keys at a load on a terminal.
pub(crate) fn measure(options: &Options) -> io::Result<()> {
    for _ in 0..options.rounds {
        let spec =
            Spec { script: Script::AtOnce, n_moments: 1 << 20, core: Some(super::last_core()) };
        let server = Server::start(spec)?;
        let hour = Duration::from_secs(3600);
        let mut args = Peer::Screen.open(&server.url(), RATE, hour, &[]).unwrap_or_default();
        if options.tmux {
            // A server of its own, which ends with its only session.
            let name = format!("rampscope-{}", std::process::id());
            let tmux = ["tmux", "-L", &name, "-f", "/dev/null", "new-session"];
            args.splice(0..0, tmux.map(str::to_owned));
        }
        let mut program = Program::start(&args, Some(Screen::open()?))?;
        while server.counts().n_requests() == 0 && !program.is_over() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut pressed = Vec::new();
        for (_, typed) in KEYS {
            // Longer than the screen takes to know the rate that a key starts from.
            std::thread::sleep(Duration::from_secs(options.seconds));
            pressed.push(server.now());
            if let Some(screen) = &mut program.screen {
                screen.press(typed)?;
            }
        }
        let ended = program.end()?;
        tell(&server.end(), &pressed, &controls(&ended)?, &ended);
    }
    Ok(())
}

/// Changes of the load, from the record.
fn controls(ended: &Ended) -> io::Result<Vec<Control>> {
    let folder = RunFolder::open(&ended.folder.path().join("run")).map_err(io::Error::other)?;
    let mut playback = folder.playback().map_err(io::Error::other)?;
    let events = std::iter::from_fn(|| playback.next(At::from_micros(u64::MAX)));
    Ok(events
        .filter_map(|stamped| match stamped.event {
            Event::Control(control) => Some(control),
            _ => None,
        })
        .collect())
}

fn tell(log: &[Moment], pressed: &[u64], controls: &[Control], ended: &Ended) {
    println!("{:<24} {:<10} {:>8} {:>8}   after the key", "key", "recorded", "from", "to");
    let ends = pressed.iter().skip(1).copied().chain([u64::MAX]);
    let mut controls = controls.iter();
    for (((name, _), key), until) in KEYS.iter().zip(pressed).zip(ends) {
        let Some(control) = controls.next() else {
            println!("{name:<24} nothing is recorded of it");
            continue;
        };
        let after = match effect(log, *key, until, control) {
            Some(millis) => format!("{millis:.1} ms"),
            None => "the same rate".to_owned(),
        };
        println!(
            "{name:<24} {:<10} {:>8.0} {:>8.0}   {after}",
            control.what, control.from, control.to
        );
    }
    let traffic = &ended.summary["traffic"];
    println!("sent {}, counted by the server {}", traffic["sent"], log.len());
}

/// Milliseconds from the key to the last request of the old rate, the first of the new one, or the
/// moment at which one rate bends into the other.
#[expect(clippy::cast_precision_loss, reason = "moments of an hour at most, in nanoseconds")]
fn effect(log: &[Moment], key: u64, until: u64, control: &Control) -> Option<f64> {
    let after = |moment: f64| (moment - key as f64) / 1e6;
    let within = |from: u64, until: u64| {
        move |it: &&(usize, &Moment)| from <= it.1.arrived && it.1.arrived < until
    };
    let all: Vec<(usize, &Moment)> = log.iter().enumerate().collect();
    if control.to == 0.0 {
        let last = all.iter().rev().find(within(0, until))?.1.arrived;
        return Some(after(last as f64));
    }
    if control.from == 0.0 {
        let first = all.iter().find(within(key, until))?.1.arrived;
        return Some(after(first as f64));
    }
    if (control.from - control.to).abs() < 1e-9 {
        return None;
    }
    // The n-th request of a rate is due at a line of its own; where both lines meet is the bend.
    let line = |from: u64, until: u64, rate: f64| {
        let mut zeros: Vec<f64> = all
            .iter()
            .filter(within(from, until))
            .map(|(n, it)| it.arrived as f64 - *n as f64 * 1e9 / rate)
            .collect();
        zeros.sort_by(f64::total_cmp);
        zeros.get(zeros.len() / 2).copied()
    };
    let old = line(key.saturating_sub(10 * SETTLED), key, control.from)?;
    let new = line(key + SETTLED, until.saturating_sub(SETTLED / 10), control.to)?;
    let n = (new - old) / (1e9 / control.from - 1e9 / control.to);
    Some(after(old + n * 1e9 / control.from))
}
