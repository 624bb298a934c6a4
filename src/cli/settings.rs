//! From what was typed to what was meant: flags over environment over defaults.
//!
//! The environment comes in as a function, so that a test can say what it is.

use std::path::PathBuf;

use super::args::CharsetArg;
use super::args::ClusterArgs;
use super::args::ColorArg;
use super::args::LimitArgs;
use super::args::LogArgs;
use super::args::OnHangupArg;
use super::args::RecordArgs;
use super::args::ScreenArgs;
use crate::app::settings::Charset;
use crate::app::settings::Cluster;
use crate::app::settings::Depth;
use crate::app::settings::Log;
use crate::app::settings::Look;
use crate::app::settings::Namespace;
use crate::app::settings::OnHangup;
use crate::app::settings::Output;
use crate::app::settings::Settings;
use crate::scenario::amount::Span;

/// A variable of the environment; `None` if it is not set, or empty, which means the same.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
pub(super) fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The flags that most commands share.
pub(super) struct Shared {
    pub(super) screen: ScreenArgs,
    pub(super) limits: LimitArgs,
    pub(super) record: Option<RecordArgs>,
    pub(super) cluster: Cluster,
    pub(super) read_only: bool,
    pub(super) duration: Option<Span>,
    pub(super) log: LogArgs,
}

/// What was meant by them.
pub(super) fn settings(shared: Shared, env: Env<'_>) -> Settings {
    let Shared { screen, limits, record, cluster, read_only, duration, log } = shared;
    Settings {
        output: match (screen.json, screen.headless) {
            (true, _) => Output::Json,
            (false, true) => Output::Headless,
            (false, false) => Output::Screen,
        },
        look: Look {
            charset: charset(screen.charset, env),
            color: color(screen.color, env),
            theme: screen.theme,
            fps: screen.fps,
        },
        cluster,
        duration: duration.map(|span| span.0),
        out: record.and_then(|record| record.out),
        read_only,
        assume_yes: limits.yes,
        on_hangup: match limits.on_hangup {
            OnHangupArg::Continue => OnHangup::Continue,
            OnHangupArg::Stop => OnHangup::Stop,
        },
        spectrum: false,
        log: self::log(log),
    }
}

/// Which cluster.
pub(super) fn cluster(args: ClusterArgs, all_namespaces: bool) -> Cluster {
    Cluster {
        kubeconfig: args.kubeconfig,
        context: args.context,
        namespace: match (all_namespaces, args.namespace) {
            (true, _) => Namespace::All,
            (false, Some(name)) => Namespace::Named(name),
            (false, None) => Namespace::OfContext,
        },
        gateway: args.gateway,
        autoscaler_url: args.autoscaler_url,
        prometheus: args.prometheus,
    }
}

/// The log, if one was asked for.
pub(super) fn log(args: LogArgs) -> Option<Log> {
    args.log.map(|path| Log { path, verbosity: args.verbose })
}

/// Where run folders are made: `$XDG_STATE_HOME/rampscope/runs`, or in `~/.local/state`, or here
/// if there is no home.
pub(super) fn runs(env: Env<'_>) -> PathBuf {
    // The XDG specification says that a path that is not absolute is to be ignored.
    let state = env("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).unwrap_or_default().join("rampscope/runs")
}

/// Braille where text is UTF-8, except on the console of Linux, whose fonts have none.
pub(super) fn charset(asked: CharsetArg, env: Env<'_>) -> Charset {
    match asked {
        CharsetArg::Ascii => Charset::Ascii,
        CharsetArg::Block => Charset::Block,
        CharsetArg::Braille => Charset::Braille,
        CharsetArg::Auto => {
            // The first that is set counts, as for every program of POSIX.
            let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(env);
            let locale = locale.unwrap_or_default().to_ascii_lowercase();
            let is_utf8 = locale.contains("utf-8") || locale.contains("utf8");
            match env("TERM").as_deref() {
                _ if !is_utf8 => Charset::Ascii,
                Some("dumb") => Charset::Ascii,
                Some("linux") => Charset::Block,
                _ => Charset::Braille,
            }
        }
    }
}

/// A flag over `NO_COLOR` over `COLORTERM` over `TERM`.
fn color(asked: ColorArg, env: Env<'_>) -> Depth {
    match asked {
        ColorArg::Never => Depth::Mono,
        ColorArg::Ansi16 => Depth::Ansi16,
        ColorArg::Ansi256 => Depth::Ansi256,
        ColorArg::True => Depth::True,
        ColorArg::Always => detected_color(env).max(Depth::Ansi16),
        ColorArg::Auto if env("NO_COLOR").is_some() => Depth::Mono,
        ColorArg::Auto => detected_color(env),
    }
}

fn detected_color(env: Env<'_>) -> Depth {
    let term = env("TERM").unwrap_or_default();
    match env("COLORTERM").as_deref() {
        Some("truecolor" | "24bit") => Depth::True,
        _ if term.ends_with("-direct") => Depth::True,
        _ if term.contains("256color") => Depth::Ansi256,
        _ if term.is_empty() || term == "dumb" || term.starts_with("vt") => Depth::Mono,
        _ => Depth::Ansi16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(vars: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn colors_are_what_the_terminal_says_unless_a_person_says_otherwise() {
        use ColorArg as Arg;

        for (asked, vars, expected) in [
            (Arg::Auto, &[("TERM", "xterm")][..], Depth::Ansi16),
            (Arg::Auto, &[("TERM", "xterm-256color")], Depth::Ansi256),
            (Arg::Auto, &[("TERM", "xterm"), ("COLORTERM", "truecolor")], Depth::True),
            (Arg::Auto, &[("COLORTERM", "truecolor"), ("NO_COLOR", "1")], Depth::Mono),
            (Arg::Auto, &[("TERM", "dumb")], Depth::Mono),
            (Arg::Auto, &[("TERM", "vt100")], Depth::Mono),
            (Arg::Auto, &[], Depth::Mono),
            (Arg::Always, &[("NO_COLOR", "1"), ("TERM", "dumb")], Depth::Ansi16),
            (Arg::Never, &[("COLORTERM", "truecolor")], Depth::Mono),
            (Arg::Ansi256, &[("NO_COLOR", "1")], Depth::Ansi256),
            (Arg::True, &[("TERM", "vt100")], Depth::True),
        ] {
            assert_eq!(color(asked, &env(vars)), expected, "{asked:?} {vars:?}");
        }
    }

    #[test]
    fn glyphs_are_those_of_the_locale() {
        use CharsetArg as Arg;
        for (asked, vars, expected) in [
            (Arg::Auto, &[("LANG", "en_US.UTF-8")][..], Charset::Braille),
            (Arg::Auto, &[("LANG", "C.utf8"), ("TERM", "linux")], Charset::Block),
            (Arg::Auto, &[("LANG", "C.utf8"), ("TERM", "dumb")], Charset::Ascii),
            (Arg::Auto, &[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], Charset::Ascii),
            (Arg::Auto, &[], Charset::Ascii),
            (Arg::Block, &[], Charset::Block),
            (Arg::Ascii, &[("LANG", "en_US.UTF-8")], Charset::Ascii),
        ] {
            assert_eq!(charset(asked, &env(vars)), expected, "{asked:?} {vars:?}");
        }
    }

    #[test]
    fn runs_are_kept_where_state_is_kept() {
        for (vars, expected) in [
            (&[("XDG_STATE_HOME", "/state"), ("HOME", "/home/me")][..], "/state/rampscope/runs"),
            (
                &[("XDG_STATE_HOME", "state"), ("HOME", "/home/me")],
                "/home/me/.local/state/rampscope/runs",
            ),
            (&[], "rampscope/runs"),
        ] {
            assert_eq!(runs(&env(vars)), PathBuf::from(expected), "{vars:?}");
        }
    }
}
