//! What can be typed.
//!
//! Only the shape: every value is parsed into its type here, but what it means together with
//! the environment is decided in `settings`.

use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

use super::examples;
use crate::app::settings::Moment;
use crate::app::whatif::Change;
use crate::app::whatif::Condition;
use crate::scenario::Override;
use crate::scenario::amount::Amount;
use crate::scenario::amount::Size;
use crate::scenario::amount::Span;
use crate::scenario::plan::Think;

/// An oscilloscope for Kubernetes autoscalers
///
/// Sends load, watches the cluster, and draws load, latency, pods and the autoscaler's own state
/// on one time axis. Without a command it shows a demo on an embedded cluster; nothing has to be
/// installed for that.
#[derive(Debug, Parser)]
#[command(name = "rampscope", version, args_conflicts_with_subcommands = true)]
#[command(after_help = examples::TOP, max_term_width = 100, propagate_version = false)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) demo: DemoArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a lively scenario on the embedded cluster
    #[command(after_help = examples::DEMO)]
    Demo(Box<DemoArgs>),
    /// Start a scenario and watch it
    #[command(after_help = examples::RUN)]
    Run(Box<RunArgs>),
    /// Watch without sending anything
    #[command(after_help = examples::WATCH)]
    Watch(Box<WatchArgs>),
    /// Send load to an address; no cluster is looked at
    #[command(after_help = examples::LOAD)]
    Load(Box<LoadArgs>),
    /// Show a recorded run again, in the same screen
    #[command(after_help = examples::REPLAY)]
    Replay(Box<ReplayArgs>),
    /// Play a record's load under another configuration of the autoscaler
    #[command(after_help = examples::WHATIF)]
    Whatif(Box<WhatIfArgs>),
    /// Say why it scaled: each decision of a recorded run, step by step
    #[command(after_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
    /// Run the embedded cluster alone, for kubectl and for tests
    #[command(after_help = examples::SIM)]
    Sim(SimArgs),
    /// Say whether scenarios are valid, and if not, why
    #[command(after_help = examples::VALIDATE)]
    Validate(ValidateArgs),
    /// Show what a scenario would do; nothing is sent or changed
    #[command(after_help = examples::PLAN)]
    Plan(PlanArgs),
    /// Say what can be seen here and what is missing, with the remedy for each
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Write the completions of a shell to stdout
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the manual page to stdout, or all pages to a folder
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Change a field of the scenario, as load.stages.burst.at=800/s
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) changes: Vec<Override>,
    /// Seed of all that is random; the same seed gives the same run
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// End after so long
    #[arg(long, value_name = "TIME")]
    pub(super) duration: Option<Span>,
    /// The rate that nothing exceeds, keys neither [default: five times the scenario's peak]
    #[arg(long, value_name = "RATE", value_parser = parse_most)]
    pub(super) max_rate: Option<f64>,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    #[command(flatten)]
    pub(super) record: RecordArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

/// A scenario and what is changed in it.
#[derive(Debug, Args)]
pub(super) struct ScenarioArgs {
    /// A scenario file, or a built-in one: demo, panic, kpa-basics, steady, mixed
    pub(super) scenario: String,
    /// Change a field, as load.seed=9, target.service=foo, load.stages.2.at=600/s
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) changes: Vec<Override>,
    /// Seed of all that is random; the same seed gives the same run
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// End after so long, wherever the scenario is then
    #[arg(long, value_name = "TIME")]
    pub(super) duration: Option<Span>,
    /// The rate (or number of users) that nothing exceeds, keys neither [default: five times the
    /// scenario's peak]
    #[arg(long, value_name = "RATE", value_parser = parse_most)]
    pub(super) max_rate: Option<f64>,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    #[command(flatten)]
    pub(super) safety: SafetyArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    #[command(flatten)]
    pub(super) record: RecordArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// The Knative Service, or deployment/NAME for a plain Deployment; without it all services are
    /// listed. One that does not exist is an error (code 3); one that goes away and comes back is
    /// watched on
    pub(super) service: Option<String>,
    /// If the service does not exist, wait until it does
    #[arg(long, requires = "service")]
    pub(super) wait: bool,
    /// End after so long
    #[arg(long, value_name = "TIME")]
    pub(super) duration: Option<Span>,
    /// Look at all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "service"])]
    #[arg(help_heading = "Cluster")]
    pub(super) all_namespaces: bool,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    #[command(flatten)]
    pub(super) safety: SafetyArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    #[command(flatten)]
    pub(super) record: RecordArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// The address, with path and query
    pub(super) url: String,
    /// Requests a second, sent on time whatever becomes of those before (open loop)
    #[arg(short, long, value_name = "RATE", value_parser = parse_rate, conflicts_with = "users")]
    pub(super) rate: Option<f64>,
    /// Users that wait for their answer before they send again (closed loop) [default: 50]
    #[arg(short = 'c', long, value_name = "USERS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) users: Option<u32>,
    /// How long [default: 10s, or until --count]
    #[arg(short = 'z', long, value_name = "TIME")]
    pub(super) duration: Option<Span>,
    /// How many requests
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(super) count: Option<u64>,
    /// Random gaps between requests, as independent callers make them
    #[arg(long, conflicts_with = "users")]
    pub(super) poisson: bool,
    /// How long a user thinks after an answer: 1s, 0s..2s (even) or ~1s (exponential)
    #[arg(long, value_name = "TIME", requires = "users")]
    pub(super) think: Option<Think>,
    /// Recorded arrivals in place of a rate: a file of moments in seconds, one a line, or of
    /// moments and rates as 10,400
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "rate", "duration"])]
    pub(super) trace: Option<String>,
    /// Seed of all that is random
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Every percentile in the report
    #[arg(long)]
    pub(super) latency: bool,
    /// Threads that send [default: as many as the load asks for, at most one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) threads: Option<u32>,
    /// The rate (or number of users) that keys never exceed [default: five times the load]
    #[arg(long, value_name = "RATE", value_parser = parse_most)]
    pub(super) max_rate: Option<f64>,
    #[command(flatten)]
    pub(super) request: RequestArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    #[command(flatten)]
    pub(super) record: RecordArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person types")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(super) struct RequestArgs {
    /// The method
    #[arg(short, long, value_name = "METHOD", default_value = "GET")]
    pub(super) method: String,
    /// A header, as `Accept: */*`; may be given again
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(super) headers: Vec<String>,
    /// The body, or @FILE to read it from a file
    #[arg(short = 'd', long, value_name = "BODY")]
    pub(super) body: Option<String>,
    /// A body of so many random bytes, as 10KiB
    #[arg(long, value_name = "SIZE", conflicts_with = "body")]
    pub(super) body_size: Option<Size>,
    /// The Content-Type of the body
    #[arg(short = 'T', long, value_name = "TYPE", requires = "body")]
    pub(super) content_type: Option<String>,
    /// Speak HTTP/2; in clear text without asking first
    #[arg(long)]
    pub(super) http2: bool,
    /// Requests at once on one connection of HTTP/2 [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) streams: Option<u32>,
    /// Call a method of gRPC, as package.Service/Method; the message is the body: JSON,
    /// hexadecimal digits, or @FILE
    #[arg(long, value_name = "METHOD", conflicts_with_all = ["method", "content_type"])]
    pub(super) grpc: Option<String>,
    /// What the methods take, as protoc -o FILE writes it; for a message in JSON
    #[arg(long, value_name = "FILE", requires = "grpc")]
    pub(super) descriptors: Option<String>,
    /// The method answers with any number of messages
    #[arg(long, requires = "grpc")]
    pub(super) streaming: bool,
    /// The Host header, where a gateway routes by name
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
    /// When a request counts as failed
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(super) timeout: Span,
    /// Accept a certificate that does not verify
    #[arg(short = 'k', long)]
    pub(super) insecure: bool,
    /// Open a new connection for each request
    #[arg(long)]
    pub(super) disable_keepalive: bool,
    /// Most connections [default: one a user, or 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(super) connections: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The run folder, its name, or `last`
    pub(super) run: String,
    /// How many times faster than it was, from 0.1 to 1000
    #[arg(long, value_name = "X", default_value = "1", value_parser = parse_speed)]
    pub(super) speed: f64,
    /// Every percentile in the report
    #[arg(long)]
    pub(super) latency: bool,
    /// Write its latencies to this file, as an interval log of `HdrHistogram`
    #[arg(long, value_name = "FILE")]
    pub(super) latency_log: Option<PathBuf>,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Args)]
pub(super) struct WhatIfArgs {
    /// The run folder, its name, or `last`; or a file with a load: CSV or JSON lines of concurrency
    /// over time
    #[arg(value_name = "RUN|FILE")]
    pub(super) subject: String,
    /// Change a setting of the autoscaler, as target=50, window=20s, panic-window=20%
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) changes: Vec<Change>,
    /// Search over a setting: target, or target=5,10,20; may be given again for a grid
    #[arg(long, value_name = "KEY")]
    pub(super) find: Vec<String>,
    /// What a configuration of the search must keep, as p95<300ms, short<10s, panics<1
    /// [default: no longer short than the model makes it as it was]
    #[arg(long, value_name = "PROMISE")]
    pub(super) under: Vec<Condition>,
    /// The revision [default: the run's own]
    #[arg(long, value_name = "NAME")]
    pub(super) revision: Option<String>,
    /// What a pod bears, in the metric [default: the target as it was]
    #[arg(long, value_name = "N", value_parser = parse_capacity)]
    pub(super) capacity: Option<f64>,
    /// How long a pod needs to become ready [default: as those of the record]
    #[arg(long, value_name = "TIME")]
    pub(super) cold_start: Option<Span>,
    /// Pods that are ready at the beginning of a file
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u32).range(..=1000))]
    pub(super) ready: u32,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The run folder, its name, or `last`
    pub(super) run: String,
    /// The revision [default: of the run's own the one that wanted most pods]
    #[arg(long, value_name = "NAME")]
    pub(super) revision: Option<String>,
    /// The decision in force then: 90s since the beginning, or 14:03:22, the time of day in UTC
    /// [default: all of them, one a line]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(super) at: Option<Moment>,
    /// One JSON object a decision
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SimArgs {
    /// Seed of all that is random
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Scenario files, or built-in ones: demo, panic, kpa-basics, steady, mixed
    #[arg(required = true, value_name = "SCENARIO")]
    pub(super) scenarios: Vec<String>,
    /// Change a field first, as load.seed=9
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) changes: Vec<Override>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) scenario: ScenarioArgs,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Which glyphs the picture is drawn with
    #[arg(long, env = "RAMPSCOPE_CHARSET", hide_env_values = true, default_value = "auto")]
    pub(super) charset: CharsetArg,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The Knative Service in question
    pub(super) service: Option<String>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Which shell
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterArgs {
    /// The kubeconfig file [default: as kubectl finds it]
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// The namespace [default: the context's]
    #[arg(short, long)]
    pub(super) namespace: Option<String>,
    /// Address of the gateway [default: found in the cluster]
    #[arg(long, value_name = "URL", env = "RAMPSCOPE_GATEWAY", hide_env_values = true)]
    pub(super) gateway: Option<String>,
    /// Address of the autoscaler's metrics [default: through the API server]
    #[arg(long, value_name = "URL", env = "RAMPSCOPE_AUTOSCALER_URL", hide_env_values = true)]
    pub(super) autoscaler_url: Option<String>,
    /// A Prometheus server in place of our own scrapes: its address, or
    /// NAMESPACE/SERVICE:PORT through the API server
    #[arg(long, value_name = "URL", env = "RAMPSCOPE_PROMETHEUS", hide_env_values = true)]
    pub(super) prometheus: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Safety")]
pub(super) struct SafetyArgs {
    /// Write nothing to the cluster, whatever is asked
    #[arg(long, env = "RAMPSCOPE_READ_ONLY", hide_env_values = true)]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) read_only: bool,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Safety")]
pub(super) struct LimitArgs {
    /// Answer questions with yes
    #[arg(short, long)]
    pub(super) yes: bool,
    /// What happens when the terminal goes away
    #[arg(long, value_name = "WHAT", env = "RAMPSCOPE_ON_HANGUP", hide_env_values = true)]
    #[arg(default_value = "continue")]
    pub(super) on_hangup: OnHangupArg,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Screen")]
pub(super) struct ScreenArgs {
    /// No screen: lines for people on stderr
    #[arg(long)]
    pub(super) headless: bool,
    /// No screen: one JSON object a line on stdout, the last one the summary
    #[arg(long)]
    pub(super) json: bool,
    /// Name of a theme, or a theme file
    #[arg(long, env = "RAMPSCOPE_THEME", hide_env_values = true)]
    pub(super) theme: Option<String>,
    /// Which glyphs the terminal can show
    #[arg(long, env = "RAMPSCOPE_CHARSET", hide_env_values = true, default_value = "auto")]
    pub(super) charset: CharsetArg,
    /// Which colours the terminal can show
    #[arg(long, env = "RAMPSCOPE_COLOR", hide_env_values = true, default_value = "auto")]
    pub(super) color: ColorArg,
    /// Most frames a second, from 1 to 20
    #[arg(long, env = "RAMPSCOPE_FPS", hide_env_values = true, default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=20))]
    pub(super) fps: u16,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Record")]
pub(super) struct RecordArgs {
    /// The run folder [default: TIME-NAME in ~/.local/state/rampscope/runs]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(super) struct LogArgs {
    /// Log of rampscope itself, appended to this file
    #[arg(long, value_name = "FILE", env = "RAMPSCOPE_LOG", hide_env_values = true)]
    pub(super) log: Option<PathBuf>,
    /// More in the log: -v debug, -vv trace
    #[arg(short, action = clap::ArgAction::Count, requires = "log")]
    pub(super) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CharsetArg {
    Auto,
    Ascii,
    Block,
    Braille,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorArg {
    Auto,
    Always,
    Never,
    #[value(name = "16")]
    Ansi16,
    #[value(name = "256")]
    Ansi256,
    True,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnHangupArg {
    Continue,
    Stop,
}

/// `400/s`; here, where nothing else can be meant, also `400`.
fn parse_rate(text: &str) -> Result<f64, String> {
    let with_unit = if text.parse::<f64>().is_ok() { format!("{text}/s") } else { text.to_owned() };
    match with_unit.parse::<Amount>() {
        Ok(Amount::Rate(rate)) if 0.0 < rate => Ok(rate),
        Ok(Amount::Rate(_)) => Err("is zero; write a rate, as 400/s".to_owned()),
        Ok(Amount::Users(_)) => Err("is a number of users; write -c for those".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `400/s`, `50 users`, or the bare number in the unit of the load.
fn parse_most(text: &str) -> Result<f64, String> {
    match text.parse::<Amount>() {
        Ok(Amount::Users(users)) if 0.0 < users => Ok(users),
        _ => parse_rate(text),
    }
}

fn parse_capacity(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|capacity| (0.01..1e6).contains(capacity))
        .ok_or_else(|| "write a number, as 10".to_owned())
}

fn parse_moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text)
        .ok_or_else(|| "write 90s since the beginning, or 14:03:22, the time of day".to_owned())
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix(['x', '×']).unwrap_or(text).parse::<f64>();
    number
        .ok()
        .filter(|speed| (0.1..=1000.0).contains(speed))
        .ok_or_else(|| "write a number from 0.1 to 1000".to_owned())
}
