//! `rampscope replay`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::CliError;
use crate::app::settings::Cluster;
use crate::app::settings::Invocation;
use crate::app::settings::Settings;
use crate::cli::args::LimitArgs;
use crate::cli::args::OnHangupArg;
use crate::cli::args::ReplayArgs;
use crate::cli::settings;
use crate::cli::settings::Env;
use crate::cli::settings::Shared;

pub(super) fn invocation(args: ReplayArgs, env: Env<'_>) -> Result<Invocation, CliError> {
    let run = find(&args.run, &settings::runs(env))?;
    let settings = settings::settings(
        Shared {
            screen: args.screen,
            limits: LimitArgs { yes: false, on_hangup: OnHangupArg::Stop },
            record: None,
            cluster: Cluster::default(),
            read_only: true,
            duration: None,
            log: args.log,
        },
        env,
    );
    let settings = Settings { spectrum: args.latency, ..settings };
    Ok(Invocation::Replay { settings, run, speed: args.speed, latency_log: args.latency_log })
}

/// The run folder that is meant: a path, a name below `runs`, or `last`.
pub(super) fn find(name: &str, runs: &Path) -> Result<PathBuf, CliError> {
    let missing = |remedy| CliError::NoRun { name: name.to_owned(), runs: runs.to_owned(), remedy };
    if is_run(Path::new(name)) {
        return Ok(PathBuf::from(name));
    }
    if name == "last" {
        // Their names begin with the time, so the last name is the last run.
        let entries = fs::read_dir(runs).into_iter().flatten().filter_map(Result::ok);
        return entries
            .map(|entry| entry.path())
            .filter(|path| is_run(path))
            .max()
            .ok_or_else(|| missing("nothing was recorded yet"));
    }
    let is_plain = !name.contains(['/', '\\']) && name != "..";
    Some(runs.join(name))
        .filter(|path| is_plain && is_run(path))
        .ok_or_else(|| missing("write a path, a name in there, or `last`"))
}

fn is_run(path: &Path) -> bool {
    path.join("journal").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_path_by_name_and_as_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        assert!(find("last", &runs).is_err());
        for name in ["20260101T000000.000Z-a", "20260102T000000.000Z-b"] {
            fs::create_dir_all(runs.join(name)).unwrap();
            fs::write(runs.join(name).join("journal"), "").unwrap();
        }
        fs::create_dir_all(runs.join("20260103T000000.000Z-empty")).unwrap();
        let b = runs.join("20260102T000000.000Z-b");
        assert_eq!(find("last", &runs).unwrap(), b);
        assert_eq!(find("20260102T000000.000Z-b", &runs).unwrap(), b);
        assert_eq!(find(b.to_str().unwrap(), &runs).unwrap(), b);
        assert!(find("../runs/20260102T000000.000Z-b", &runs).is_err());
        assert!(find("nothing", &runs).is_err());
    }
}
