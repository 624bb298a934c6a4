//! The load generators that are compared, each by the command that a person would type.

use std::fmt;
use std::path::Path;
use std::time::Duration;

/// rampscope, as it was built with this bench.
const RAMPSCOPE: &str = env!("CARGO_BIN_EXE_rampscope");
/// Names another build of it.
const OTHER: &str = "RAMPSCOPE_BENCH_PROGRAM";
/// What is called with gRPC, and with what.
const METHOD: &str = "load_worker.LoadWorker/InvokeWorker";
const MESSAGE: &str = r#"{"duration_ms":1}"#;
/// The service's description.
pub(crate) const PROTOCOL: &str = r#"syntax = "proto3";
package load_worker;
service LoadWorker { rpc InvokeWorker(Work) returns (Done); }
message Work { int64 duration_ms = 1; }
message Done { int64 value = 1; }
"#;

/// A load generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// rampscope without a screen.
    Headless,
    /// rampscope, drawing.
    Screen,
    /// rampscope on a terminal that nobody reads any more.
    Stalled,
    Wrk,
    H2load,
    Oha,
    Hey,
    Ghz,
    /// `benches/tonic-loop`.
    Tonic,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// HTTP/1.1 with keep-alive.
    Http1,
    /// HTTP/2 without TLS.
    H2c,
    /// A unary call of gRPC over the same.
    Grpc,
}

/// How many at once: each sends when it has been answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Users {
    pub(crate) connections: u32,
    /// On each connection.
    pub(crate) streams: u32,
}

impl Peer {
    /// The program's name, as it is found on the path.
    fn program(self) -> String {
        let name = match self {
            Self::Headless | Self::Screen | Self::Stalled => {
                return std::env::var(OTHER).unwrap_or_else(|_| RAMPSCOPE.to_owned());
            }
            Self::Wrk => "wrk",
            Self::H2load => "h2load",
            Self::Oha => "oha",
            Self::Hey => "hey",
            Self::Ghz => "ghz",
            Self::Tonic => "tonic-loop",
        };
        name.to_owned()
    }

    /// Whether it can be started here.
    pub(crate) fn is_installed(self) -> bool {
        let program = self.program();
        let program = Path::new(&program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        program.is_absolute()
            || std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    }

    /// Whether it draws on a terminal.
    pub(crate) const fn has_screen(self) -> bool {
        matches!(self, Self::Screen | Self::Stalled)
    }

    /// Closed loop, `protocol` being where the service's description lies. `None` if it cannot.
    pub(crate) fn closed(
        self,
        (call, url): (Call, &str),
        users: Users,
        lasts: Duration,
        protocol: &str,
    ) -> Option<Vec<String>> {
        let (c, z) = (users.connections.to_string(), format!("{}s", lasts.as_secs()));
        let secs = z.trim_end_matches('s');
        let m = users.streams.to_string();
        let all = (users.connections * users.streams).to_string();
        let mut args = match (self, call) {
            (Self::Headless, _) => vec!["load", "-z", &z, "--out", "{out}", "--headless"],
            (Self::Screen | Self::Stalled, _) => vec!["load", "-z", &z, "--out", "{out}"],
            (Self::Wrk, Call::Http1) => vec!["-t1", "-c", &c, "-d", &z],
            (Self::H2load, Call::Http1) => vec!["--h1", "-t1", "-c", &c, "-D", secs],
            (Self::H2load, Call::H2c) => vec!["-t1", "-c", &c, "-m", &m, "-D", secs],
            (Self::Oha, Call::Http1) => vec!["-c", &c, "-z", &z, "--no-tui"],
            (Self::Oha, Call::H2c) => vec!["--http2", "-c", &c, "-p", &m, "-z", &z, "--no-tui"],
            (Self::Hey, Call::Http1) => vec!["-c", &c, "-z", &z],
            (Self::Ghz, Call::Grpc) => {
                let host = url.trim_start_matches("http://").trim_end_matches('/');
                let message = ["--call", METHOD, "-d", MESSAGE, "--proto", protocol, "--insecure"];
                let load = ["-c", &all, "--connections", &c, "-z", &z, host];
                return Some(self.line(&[message.as_slice(), load.as_slice()].concat()));
            }
            (Self::Tonic, Call::Grpc) => {
                return Some(self.line(&[url.trim_end_matches('/'), &c, &m, secs]));
            }
            _ => return None,
        };
        if matches!(self, Self::Headless | Self::Screen | Self::Stalled) {
            args.extend(["-c", &all]);
            // The others were given one thread too.
            let shared = ["--connections", &c, "--streams", &m, "--threads", "1"];
            match call {
                Call::Http1 => {}
                Call::H2c => args.extend(["--http2"].iter().chain(&shared)),
                Call::Grpc => args.extend(["--grpc", METHOD, "-d", MESSAGE].iter().chain(&shared)),
            }
        }
        args.push(url);
        Some(self.line(&args))
    }

    /// Open loop: so many requests a second, with `extra` arguments for rampscope. `None` if it
    /// cannot.
    pub(crate) fn open(
        self,
        url: &str,
        rate: u32,
        lasts: Duration,
        extra: &[&str],
    ) -> Option<Vec<String>> {
        let (r, z) = (rate.to_string(), format!("{}s", lasts.as_secs()));
        let mut args = match self {
            Self::Headless => vec!["load", "-r", &r, "-z", &z, "--out", "{out}", "--headless", url],
            Self::Screen | Self::Stalled => vec!["load", "-r", &r, "-z", &z, "--out", "{out}", url],
            Self::Oha => vec!["-c", "64", "-q", &r, "-z", &z, "--no-tui", url],
            // wrk and h2load know no rate, and hey's is one of users who wait.
            Self::Wrk | Self::H2load | Self::Hey | Self::Ghz | Self::Tonic => return None,
        };
        if self != Self::Oha {
            args.extend(extra);
        }
        Some(self.line(&args))
    }

    fn line(self, args: &[&str]) -> Vec<String> {
        std::iter::once(self.program()).chain(args.iter().map(|it| (*it).to_owned())).collect()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Headless => "rampscope, headless",
            Self::Screen => "rampscope, screen on",
            Self::Stalled => "rampscope, terminal stalled",
            Self::Wrk => "wrk",
            Self::H2load => "h2load",
            Self::Oha => "oha",
            Self::Hey => "hey",
            Self::Ghz => "ghz",
            Self::Tonic => "a loop of tonic",
        })
    }
}
