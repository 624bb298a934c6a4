//! Every command line of the README is run.
//!
//! Those that want a cluster get the embedded one; those that draw a screen get `--headless` and a
//! short time instead. The lines themselves are taken from the README, and one that this test does
//! not know fails it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

const RAMPSCOPE: &str = env!("CARGO_BIN_EXE_rampscope");

/// The address that the README loads, and what a line says of it.
const LOADED: &str = "http://127.0.0.1:8080";
/// The same of what speaks gRPC.
const CALLED: &str = "http://127.0.0.1:50051";

/// How a line begins, what is added to it so that it needs no terminal and little time, and the
/// exit codes that are as they should be. The first that fits counts.
const HOW: &[(&str, &str, &[i32])] = &[
    // What cargo would build and start.
    ("cargo run --release", "rampscope --headless --duration 3s", &[0, 1]),
    ("rampscope doctor", "", &[0]),
    ("rampscope watch", " --headless --duration 1s", &[0]),
    ("rampscope plan", "", &[0]),
    ("rampscope validate", "", &[0]),
    // A run that is cut short has not always what its checks want.
    ("rampscope run scenarios/steady.yaml --headless", "", &[0, 1]),
    ("rampscope run scenarios/steady.yaml --json", " --duration 2s", &[0, 1]),
    ("rampscope run", " --headless --duration 2s", &[0, 1]),
    // The embedded gateway speaks HTTP/2; its pods have no method of gRPC.
    ("rampscope load http://127.0.0.1:50051 --grpc", " --headless -z 1s", &[0, 4]),
    ("rampscope load", " --headless", &[0]),
    ("rampscope replay", " --headless", &[0]),
    // There the last run is one of load alone, which has nothing to play.
    ("rampscope whatif", "", &[0, 2]),
    // The last run may be one without a cluster, of which there is nothing to explain.
    ("rampscope explain", "", &[0, 2]),
    ("rampscope completions", "", &[0]),
    ("rampscope man", "", &[0]),
];
/// What a line asks for, and what is enough for a test.
const SHORTER: &[(&str, &str)] = &[(" -z 10s", " -z 1s"), (" --duration 30s", " --duration 2s")];
/// Lines that this test itself is, or that it has done by then.
const DONE: &[&str] = &["cargo test", "rampscope sim"];

#[test]
fn every_command_line_is_run() {
    let house = House::open();
    let blocks = command_blocks();
    // Blocks wait for nothing but themselves, except for those that look at what was recorded.
    let looks_back = |block: &&Vec<String>| block.iter().any(|line| line.contains(" replay "));
    let (later, now): (Vec<_>, Vec<_>) = blocks.iter().partition(looks_back);
    assert!(!later.is_empty());
    for blocks in [now, later] {
        std::thread::scope(|scope| {
            for block in blocks {
                scope.spawn(|| block.iter().for_each(|line| house.try_line(line)));
            }
        });
    }
    let last = house.read("run.jsonl").lines().last().unwrap().to_owned();
    let summary: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(summary["name"], "steady");
    assert!(house.read("results/summary.json").contains("steady"));
    assert!(house.read("rampscope.bash").contains("complete"));
    assert!(house.read("rampscope.1").contains(".TH rampscope"));
}

/// `kubectl rampscope` finds it.
#[test]
fn the_plugin_is_the_same_program() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_kubectl-rampscope")).arg("--version").output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_picture_and_link_is_there() {
    for file in ["README.md", "themes/README.md"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let folder = root().join(file);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = folder.parent().unwrap().join(target);
            assert!(target.contains("://") || path.exists(), "{file}: {target} is not there");
        }
    }
}

/// The lines of each shell block, without their comments.
fn command_blocks() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let lines_of = |block: &str| -> Vec<String> {
        block
            .lines()
            .map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    };
    let blocks: Vec<_> = text
        .split("```sh\n")
        .skip(1)
        .map(|block| lines_of(block.split("```").next().unwrap()))
        .collect();
    assert!(10 < blocks.iter().flatten().count(), "{blocks:?}");
    blocks
}

/// The flags go before what the shell reads.
fn with(line: &str, extra: &str) -> String {
    match line.split_once(" > ") {
        Some((line, file)) => format!("{line}{extra} > {file}"),
        None => format!("{line}{extra}"),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A place of one's own: a folder, the embedded cluster, and an address to load.
struct House {
    folder: tempfile::TempDir,
    sim: Child,
    up: Value,
    loaded: String,
}

impl House {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(root().join("scenarios"), folder.path().join("scenarios")).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        symlink(RAMPSCOPE, folder.path().join("bin/rampscope")).unwrap();
        let mut sim = Command::new(RAMPSCOPE)
            .arg("sim")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(sim.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let up = serde_json::from_str(&line).unwrap();
        Self { folder, sim, up, loaded: serve() }
    }

    fn command(&self, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()))
            .env("KUBECONFIG", self.up["kubeconfig"].as_str().unwrap())
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a line of the README as a test can, and holds it to its exit codes.
    fn try_line(&self, line: &str) {
        if DONE.contains(&line) {
            return;
        }
        if line.starts_with("kubectl") {
            self.kubectl(line);
            return;
        }
        let Some((begin, extra, codes)) = HOW.iter().find(|(begin, ..)| line.starts_with(begin))
        else {
            panic!("say in tests/readme.rs how to run: {line}");
        };
        let typed =
            if begin.starts_with("cargo") { (*extra).to_owned() } else { with(line, extra) };
        let typed = SHORTER.iter().fold(typed, |typed, (long, short)| typed.replace(long, short));
        let gateway = format!(
            "{} --host {}",
            self.up["url"].as_str().unwrap(),
            self.up["host"].as_str().unwrap()
        );
        let typed = match typed.contains("--http2") || typed.contains("--grpc") {
            true => typed.replace(LOADED, &gateway).replace(CALLED, &gateway),
            false => typed.replace(LOADED, &self.loaded),
        };
        let (code, said) = self.run(&typed);
        assert!(code.is_some_and(|code| codes.contains(&code)), "{typed}: {code:?}\n{said}");
    }

    fn run(&self, line: &str) -> (Option<i32>, String) {
        let output = self.command(line).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// With the real one, where there is one; else it has to be the remedy that `doctor` gives.
    fn kubectl(&self, line: &str) {
        if Command::new("kubectl").arg("version").arg("--client").output().is_ok() {
            let (code, said) = self.run(line);
            assert_eq!(code, Some(0), "{line}\n{said}");
        } else {
            let source = fs::read_to_string(root().join("src/collect/components.rs")).unwrap();
            let patch = r#"'{{\"data\":{{\"metrics-protocol\":\"prometheus\"}}}}'"#;
            assert!(line.contains(&patch.replace("{{", "{").replace("}}", "}").replace('\\', "")));
            assert!(source.contains(patch));
        }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let pid = self.sim.id().to_string();
        let kubeconfig = PathBuf::from(self.up["kubeconfig"].as_str().unwrap_or_default());
        // As a person would stop it, so that it takes its kubeconfig away.
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.sim.wait();
        assert!(std::thread::panicking() || !kubeconfig.exists(), "the kubeconfig is still there");
    }
}

/// A server that answers everything with 200, for as long as the test runs; gives its address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // The requests are small and have no body: each read is one.
                while stream.read(&mut buffer).is_ok_and(|n| 0 < n) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}
