//! What it costs to know when the next request is due, and how late it then leaves.
//!
//! `cargo bench --bench pacer`. No figure is asserted: machines differ, and lag most of all.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod common;
mod engine;

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use rampscope::scenario::amount::Amount;
use rampscope::scenario::plan::Stage;
use rampscope::scenario::profile::Profile;

const DUES: u32 = 100_000;

fn main() {
    let stage = |secs, from, to| Stage::linear("", Duration::from_secs(secs), from, to);
    let profiles = [
        ("steady", Profile::fixed(10_000.0)),
        ("ramp", Profile::of(&[stage(60, 0.0, 10_000.0)])),
        (
            "three stages",
            Profile::of(&[stage(5, 0.0, 9_000.0), stage(2, 9_000.0, 9_000.0), stage(9, 9e3, 0.0)]),
        ),
    ];
    for (name, profile) in profiles {
        common::measure(&format!("due: {name}"), (DUES, "requests"), || {
            (0..DUES).filter_map(|n| profile.due(f64::from(n) / 2.0)).sum::<f64>()
        });
    }
    let Ok(url) = serve() else {
        println!("no socket to be had on loopback: no lag was measured");
        return;
    };
    for rate in [100.0, 1_000.0, 5_000.0] {
        engine::run(&url, Amount::Rate(rate), Duration::from_secs(3));
    }
}

/// A server that answers everything with 200; gives its address.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                while stream.read(&mut buffer).is_ok_and(|n| 0 < n) {
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok(address)
}
