//! The generator says of itself when it is the bottleneck, and what was measured is there for
//! other tools: the program against a server of the test's own.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use hdrhistogram::serialization::interval_log::IntervalLogIterator;
use hdrhistogram::serialization::interval_log::LogEntry;
use rustix::process::Pid;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use rampscope::event::Event;
use rampscope::event::traffic::Interval;
use rampscope::event::traffic::Limit;
use rampscope::journal::Playback;
use rampscope::units::At;

const RAMPSCOPE: &str = env!("CARGO_BIN_EXE_rampscope");

/// A server that answers every request at once, on a thread a connection.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    url
}

fn serve(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    // A request of the test is one small packet.
    while matches!(stream.read(&mut bytes), Ok(n) if 0 < n) {
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// The program, by way of a shell that first does something else.
fn load(first: &str, url: &str, args: &str, out: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    let line = format!("{first}exec \"$0\" load {url} {args} --out \"$1\"");
    command.args(["-c", &line, RAMPSCOPE]).arg(out).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The last line of `--json`.
fn summary(output: &Output) -> Value {
    let text = text(&output.stdout);
    let last = text.lines().next_back().unwrap_or_else(|| panic!("{output:?}"));
    serde_json::from_str(last).unwrap()
}

fn intervals(out: &Path) -> Vec<Interval> {
    let mut playback = Playback::open(&out.join("journal")).unwrap();
    std::iter::from_fn(|| playback.next(At::from_micros(u64::MAX)))
        .filter_map(|stamped| match stamped.event {
            Event::Traffic(interval) => Some(*interval),
            _ => None,
        })
        .collect()
}

/// The mark appears within two seconds, of this kind, with these words.
#[track_caller]
fn assert_limited(out: &Path, limits: &[Limit], words: &[&str]) {
    let intervals = intervals(out);
    let began = intervals.first().unwrap().began;
    let first = intervals
        .iter()
        .find(|it| it.limit.is_some_and(|limit| limits.contains(&limit)))
        .unwrap_or_else(|| panic!("never limited by {limits:?}: {intervals:#?}"));
    let seen = (first.began + first.lasted).since(began);
    assert!(seen <= Duration::from_secs(2), "only after {seen:?}");
    let cause = first.client_limited.as_ref().unwrap();
    for word in words {
        assert!(cause.contains(word), "{word} in {cause}");
    }
}

#[test]
fn too_few_descriptors_are_named() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let args = "-c 200 -z 2s --json";
    let output = load("ulimit -n 64; ", &server(), args, &out).output().unwrap();
    assert_limited(
        &out,
        &[Limit::Descriptors],
        &["descriptors: 64 allowed (ulimit -n)", "in use: raise it"],
    );
    let summary = summary(&output);
    let limited = &summary["traffic"]["client_limited"][0];
    assert_eq!(limited["limit"], "descriptors", "{summary:#}");
    assert!(0.0 < limited["seconds"].as_f64().unwrap());
    assert_eq!(summary["client"]["health"]["descriptors_allowed"], 64);
    assert!(
        text(&output.stdout).contains("\"client_limited\":\"descriptors\""),
        "while it goes on"
    );
}

#[test]
fn a_process_that_is_kept_from_running_says_so() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let child = load("", &server(), "-r 400 -z 3s --json", &out).spawn().unwrap();
    let pid = Pid::from_child(&child);
    // A fifth of the time, as a CPU quota of 20 % would have it.
    let pacing = std::thread::spawn(move || {
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(20));
            let stopped = rustix::process::kill_process(pid, Signal::STOP);
            std::thread::sleep(Duration::from_millis(80));
            let _ = rustix::process::kill_process(pid, Signal::CONT);
            if stopped.is_err() {
                return;
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    pacing.join().unwrap();
    // On a machine that is busy with other things the cores may be what is short.
    assert_limited(&out, &[Limit::Stopped, Limit::Cpu], &[": "]);
    let summary = summary(&output);
    assert!(0.5 < summary["traffic"]["client_limited_s"].as_f64().unwrap(), "{summary:#}");
    assert!(10.0 < summary["client"]["timer_slip"]["p99"].as_f64().unwrap(), "{summary:#}");
}

#[test]
fn what_was_measured_can_be_read_by_other_tools() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let output = load("", &server(), "-r 300 -z 1s --latency --headless", &out).output().unwrap();
    let report = text(&output.stdout);
    for part in [
        "open loop: 300/s for 1.0 s",
        "response time",
        "service time",
        "bare timer",
        "slower",
        "answers",
        "generator",
        "of memory at most",
    ] {
        assert!(report.contains(part), "{part} in\n{report}");
    }
    let log = fs::read(out.join("latency.hlog")).unwrap();
    let mut tags: Vec<String> = IntervalLogIterator::new(&log)
        .filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(line) => Some(line.tag().unwrap().as_str().to_owned()),
            _ => None,
        })
        .collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags, ["response", "send_lag", "service"]);

    // From the record it is the same, to the byte.
    let again = home.path().join("again.hlog");
    let replayed = Command::new(RAMPSCOPE)
        .args(["replay", "--json", "--latency-log"])
        .args([&again, &out])
        .env_clear()
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{replayed:?}");
    assert_eq!(fs::read(&again).unwrap(), log);
    let threads = &summary(&replayed)["client"]["threads"];
    for thread in ["load", "screen and loop", "other"] {
        assert!(threads[thread].is_number(), "{thread}: {threads}");
    }
}
