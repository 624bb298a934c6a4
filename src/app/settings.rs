//! What was meant: flags, environment and defaults, merged and typed.
//!
//! The command line makes it; everything here only reads it. No text in it still has to be
//! understood.

use std::path::PathBuf;
use std::time::Duration;

use crate::scenario::plan::Plan;
pub use crate::tui::Charset;
pub use crate::tui::Depth;
use crate::units::UnixMicros;

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Invocation {
    /// A scenario against the embedded cluster.
    Demo {
        /// How.
        settings: Settings,
        /// What.
        plan: Plan,
    },
    /// A scenario against a cluster or an address.
    Run {
        /// How.
        settings: Settings,
        /// What; a namespace of the command line is in it already.
        plan: Plan,
    },
    /// Only looking.
    Watch {
        /// How.
        settings: Settings,
        /// The Knative Service; `None` lists all.
        service: Option<String>,
        /// Whether to wait for the service where it does not exist.
        waits: bool,
    },
    /// Load alone, without a cluster.
    Load {
        /// How.
        settings: Settings,
        /// What; of one stage.
        plan: Plan,
    },
    /// A record, shown again.
    Replay {
        /// How.
        settings: Settings,
        /// The run folder; it exists.
        run: PathBuf,
        /// Run time a second of real time.
        speed: f64,
        /// Where its latencies are to be written as an interval log, if anywhere.
        latency_log: Option<PathBuf>,
    },
    /// The decisions of a record, explained.
    Explain {
        /// The run folder; it exists.
        run: PathBuf,
        /// Of which revision; `None` is the run's own.
        revision: Option<String>,
        /// Which; `None` is all.
        at: Option<Moment>,
        /// As JSON.
        json: bool,
    },
    /// A record's load, or a file's, under another configuration.
    WhatIf(Box<super::whatif::WhatIf>),
    /// The embedded cluster alone.
    Sim {
        /// Seed of all that is random.
        seed: u64,
        /// The log, if any.
        log: Option<Log>,
    },
    /// What can be seen here, and what is missing.
    Doctor {
        /// Which cluster.
        cluster: Cluster,
        /// The Knative Service in question, if one was named.
        service: Option<String>,
        /// One JSON object a line, instead of text.
        json: bool,
        /// The log, if any.
        log: Option<Log>,
    },
}

/// A moment of a run, as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long after the beginning.
    Since(Duration),
    /// The time of day in UTC.
    Clock(Duration),
    /// A stamp, as our own JSON has it.
    Wall(UnixMicros),
}

/// How to do it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where the run is shown.
    pub output: Output,
    /// How the screen looks.
    pub look: Look,
    /// Which cluster.
    pub cluster: Cluster,
    /// The end, if the run has not ended before. `None` waits for plan or person.
    pub duration: Option<Duration>,
    /// The run folder, if it was named.
    pub out: Option<PathBuf>,
    /// Whether nothing may be written to the cluster.
    pub read_only: bool,
    /// Whether questions are answered with yes.
    pub assume_yes: bool,
    /// What happens when the terminal goes away.
    pub on_hangup: OnHangup,
    /// Whether the report tells every percentile.
    pub spectrum: bool,
    /// The log, if any.
    pub log: Option<Log>,
}

/// Where a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// On the terminal.
    Screen,
    /// As lines for people on stderr.
    Headless,
    /// As one JSON object a line on stdout, the last one the summary.
    Json,
}

/// How the screen looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Name of the theme, or path of a theme file; `None` is the default theme.
    pub theme: Option<String>,
    /// Which glyphs can be shown.
    pub charset: Charset,
    /// Which colours can be shown.
    pub color: Depth,
    /// Most frames a second, from 1 to 20.
    pub fps: u16,
}

/// What happens when the terminal goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHangup {
    /// The run goes on headless.
    Continue,
    /// The run stops, as with Ctrl-C.
    Stop,
}

/// Which cluster, and how to reach it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The kubeconfig file; `None` is found as kubectl finds it.
    pub kubeconfig: Option<PathBuf>,
    /// The context; `None` is the current one.
    pub context: Option<String>,
    /// Which namespaces.
    pub namespace: Namespace,
    /// The gateway's address; `None` finds it.
    pub gateway: Option<String>,
    /// Address of the autoscaler's metrics; `None` goes through the API server's pod proxy.
    pub autoscaler_url: Option<String>,
    /// A Prometheus server in place of the scrapes: an address, or `NAMESPACE/SERVICE:PORT` behind
    /// the API server's service proxy; `None` scrapes.
    pub prometheus: Option<String>,
}

/// Which namespaces are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Namespace {
    /// The context's.
    #[default]
    OfContext,
    /// This one.
    Named(String),
    /// All.
    All,
}

/// The log of the program itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The file; it is appended to.
    pub path: PathBuf,
    /// 0 is info, 1 debug, more is trace.
    pub verbosity: u8,
}

// === impl Moment ===

impl Moment {
    /// `90s` or `1m30s` since the beginning, or `14:03:22.4`, the time of day in UTC, or a whole
    /// RFC 3339 stamp.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(wall) = UnixMicros::parse(text) {
            return Some(Self::Wall(wall));
        }
        if let Some(since) = crate::units::parse_go_duration(text) {
            return Some(Self::Since(since));
        }
        let mut parts = text.split(':');
        let hours: u64 = parts.next()?.parse().ok().filter(|hours| *hours < 24)?;
        let minutes: u64 = parts.next()?.parse().ok().filter(|minutes| *minutes < 60)?;
        let secs = parts.next().map_or(Some(0.0), |secs| {
            secs.parse::<f64>().ok().filter(|secs| (0.0..60.0).contains(secs))
        })?;
        let whole = Duration::from_secs(hours * 3600 + minutes * 60);
        parts.next().is_none().then(|| Self::Clock(whole + Duration::from_secs_f64(secs)))
    }
}
