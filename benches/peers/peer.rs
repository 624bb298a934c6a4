//! The load generators that are compared, each by the command that a person would type.

use std::fmt;
use std::path::Path;
use std::time::Duration;

/// rampscope, as it was built with this bench.
const RAMPSCOPE: &str = env!("CARGO_BIN_EXE_rampscope");
/// Names another build of it.
const OTHER: &str = "RAMPSCOPE_BENCH_PROGRAM";

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

    /// Closed loop: so many connections, each sends when it has been answered.
    pub(crate) fn closed(self, url: &str, connections: u32, lasts: Duration) -> Vec<String> {
        let (c, z) = (connections.to_string(), format!("{}s", lasts.as_secs()));
        let args: &[&str] = match self {
            Self::Headless => &["load", "-c", &c, "-z", &z, "--out", "{out}", "--headless", url],
            Self::Screen | Self::Stalled => &["load", "-c", &c, "-z", &z, "--out", "{out}", url],
            Self::Wrk => &["-t1", "-c", &c, "-d", &z, url],
            Self::H2load => &["--h1", "-t1", "-c", &c, "-D", z.trim_end_matches('s'), url],
            Self::Oha => &["-c", &c, "-z", &z, "--no-tui", url],
            Self::Hey => &["-c", &c, "-z", &z, url],
        };
        self.line(args)
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
            Self::Wrk | Self::H2load | Self::Hey => return None,
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
            Self::H2load => "h2load --h1",
            Self::Oha => "oha",
            Self::Hey => "hey",
        })
    }
}
