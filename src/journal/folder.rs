//! The folder of a run: valid at every moment, and for its owner's eyes alone.
//!
//! The journal grows; everything else is either appended line by line or put in place whole, so
//! that nobody ever reads half a file.

use std::env;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use thiserror::Error;

use super::FormatError;
use super::FullDisk;
use super::Lines;
use super::Playback;
use super::Recorder;
use super::redact::redact;
use crate::clock::Clock;
use crate::units::UnixMicros;

const JOURNAL: &str = "journal";
const PLAN: &str = "plan.json";
const SUMMARY: &str = "summary.json";
const ACTIONS: &str = "actions.jsonl";
const SNAPSHOTS: &str = "snapshots";
const LATENCY: &str = "latency.hlog";

/// The longest part of a folder's name that comes from the scenario.
const NAME_MAX: usize = 60;
/// How many runs of one name may begin in one second.
const SAME_SECOND_MAX: u32 = 1000;

/// Why a run folder cannot be had.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Neither `XDG_STATE_HOME` nor `HOME` says where runs are kept.
    #[error("neither XDG_STATE_HOME nor HOME is set; say where with --out DIR")]
    NoHome,
    /// The folder holds a run already.
    #[error("{} holds a run already; name another folder with --out", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// There is no run at the path.
    #[error("there is no run at {}", path.display())]
    NoRun {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or folder could not be written or read.
    #[error("{} cannot be used", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal cannot be read.
    #[error("{} cannot be replayed", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Why.
        source: FormatError,
    },
    /// Something could not be written as JSON.
    #[error("{} cannot be written as JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// Where runs are kept by default: `$XDG_STATE_HOME/rampscope/runs`, or below `~/.local/state`.
pub fn default_runs() -> Result<PathBuf, FolderError> {
    // A relative path there is to be ignored, says the XDG base directory specification.
    let absolute =
        |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or(FolderError::NoHome)?;
    Ok(state.join("rampscope/runs"))
}

// === impl RunFolder ===

impl RunFolder {
    /// Makes the folder of a run that begins now: `out`, which may be there but must not hold a
    /// run, or a new one among the default runs, named after time and `name`.
    pub fn create(out: Option<&Path>, name: &str, clock: Clock) -> Result<Self, FolderError> {
        let path = match out {
            Some(path) => {
                if path.join(JOURNAL).exists() || path.join(PLAN).exists() {
                    return Err(FolderError::Taken { path: path.to_owned() });
                }
                make(path)?;
                path.to_owned()
            }
            None => make_named(&default_runs()?, name, clock.anchor().0)?,
        };
        make(&path.join(SNAPSHOTS))?;
        Ok(Self { path })
    }

    /// A run that is there: `run` is its folder, its journal, or its name among the default runs.
    pub fn open(run: &Path) -> Result<Self, FolderError> {
        let is_name = run.components().count() == 1;
        let named = is_name.then(|| default_runs().ok().map(|runs| runs.join(run))).flatten();
        for path in [Some(run.to_owned()), named].into_iter().flatten() {
            if path.join(JOURNAL).is_file() {
                return Ok(Self { path });
            }
            if path.is_file() && path.ends_with(JOURNAL) {
                return Ok(Self { path: path.parent().unwrap_or(Path::new(".")).to_owned() });
            }
        }
        Err(FolderError::NoRun { path: run.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal is.
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// Where the summary is, once it has been written.
    pub fn summary(&self) -> PathBuf {
        self.path.join(SUMMARY)
    }

    /// Starts to record.
    pub fn record(&self, full_disk: FullDisk) -> Result<Recorder, FolderError> {
        let path = self.journal();
        Recorder::start(&path, full_disk).map_err(|source| FolderError::Io { path, source })
    }

    /// Starts the interval log of latencies.
    pub fn latency_log(&self) -> Result<Lines, FolderError> {
        let path = self.path.join(LATENCY);
        Lines::start(&path).map_err(|source| FolderError::Io { path, source })
    }

    /// Opens the journal.
    pub fn playback(&self) -> Result<Playback<File>, FolderError> {
        let path = self.journal();
        Playback::open(&path).map_err(|source| FolderError::Journal { path, source })
    }

    /// Writes the plan as it was understood, with the version of this program; without secrets.
    pub fn write_plan(&self, plan: &impl Serialize) -> Result<(), FolderError> {
        let plan = self.json(PLAN, plan)?;
        let version = env!("CARGO_PKG_VERSION");
        self.put_json(PLAN, &json!({"rampscope": version, "plan": redact(plan)}))
    }

    /// Writes the summary.
    pub fn write_summary(&self, summary: &impl Serialize) -> Result<(), FolderError> {
        let summary = self.json(SUMMARY, summary)?;
        self.put_json(SUMMARY, &summary)
    }

    /// Takes back the folder of a run that never began. What is not of the run stays, and so does
    /// everything if something was changed in a cluster or a snapshot was taken.
    pub fn forget(self) {
        if self.path.join(ACTIONS).exists() || fs::remove_dir(self.path.join(SNAPSHOTS)).is_err() {
            return;
        }
        for name in [JOURNAL, PLAN, SUMMARY, LATENCY] {
            let _ = fs::remove_file(self.path.join(name));
        }
        // Refused where there is anything else in it.
        let _ = fs::remove_dir(&self.path);
    }

    /// Notes a change in a cluster, with its undo, before it is made. When this returns, the line
    /// is on the disk. Nothing is hidden in it: an undo must be exact.
    pub fn note_action(&self, action: &impl Serialize) -> Result<(), FolderError> {
        let path = self.path.join(ACTIONS);
        let mut line = self.json(ACTIONS, action)?.to_string();
        line.push('\n');
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()
        };
        append().map_err(|source| FolderError::Io { path: path.clone(), source })
    }

    /// The changes noted so far; a last line that was cut off is left out.
    pub fn actions(&self) -> Result<Vec<Value>, FolderError> {
        let path = self.path.join(ACTIONS);
        match fs::read(&path) {
            Ok(text) => {
                let lines = text.split(|byte| *byte == b'\n');
                Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(FolderError::Io { path, source }),
        }
    }

    /// Writes one file of a snapshot and says where it is.
    pub fn write_snapshot(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, FolderError> {
        make(&self.path.join(SNAPSHOTS))?;
        let name = format!("{SNAPSHOTS}/{}", file_name(name));
        self.put(&name, bytes)?;
        Ok(self.path.join(name))
    }

    fn json(&self, name: &str, value: &impl Serialize) -> Result<Value, FolderError> {
        let error = |source| FolderError::Json { path: self.path.join(name), source };
        serde_json::to_value(value).map_err(error)
    }

    fn put_json(&self, name: &str, value: &Value) -> Result<(), FolderError> {
        self.put(name, format!("{value:#}\n").as_bytes())
    }

    /// Puts a file in place whole: written beside it, forced to the disk, then renamed.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        let beside = self.path.join(format!("{name}.new"));
        let put = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.path)?.sync_all()
        };
        put().map_err(|source| {
            // Half a file is worth nothing; if it cannot be removed, nobody takes it for the whole.
            let _ = fs::remove_file(&beside);
            FolderError::Io { path: path.clone(), source }
        })
    }
}

/// Makes a folder, and those above it, for the owner alone.
fn make(path: &Path) -> Result<(), FolderError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| FolderError::Io { path: path.to_owned(), source })
}

/// Makes a folder that nobody had before, as `20261123-140300-panic`; the time is UTC.
fn make_named(runs: &Path, name: &str, began: UnixMicros) -> Result<PathBuf, FolderError> {
    make(runs)?;
    let time = jiff::Timestamp::from_microsecond(began.0).unwrap_or_default();
    let stem = format!("{}-{}", time.strftime("%Y%m%d-%H%M%S"), file_name(name));
    for n in 1..=SAME_SECOND_MAX {
        let path = runs.join(if n == 1 { stem.clone() } else { format!("{stem}-{n}") });
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FolderError::Io { path, source }),
        }
    }
    Err(FolderError::Taken { path: runs.join(stem) })
}

/// A name that is one, harmless, path component.
fn file_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain = name.chars().take(NAME_MAX).map(|c| if is_plain(c) { c } else { '-' });
    let plain: String = plain.collect();
    let plain = plain.trim_matches(['-', '.']);
    if plain.is_empty() { "run".to_owned() } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn names_are_unique_and_cannot_leave_their_folder() {
        let runs = tempfile::tempdir().unwrap();
        let began = UnixMicros(1_795_442_580_000_000);
        let mut names = Vec::new();
        for name in ["panic", "panic", "../../etc/x y", "", "ünï"] {
            let path = make_named(runs.path(), name, began).unwrap();
            assert_eq!((path.parent(), mode(&path)), (Some(runs.path()), 0o700));
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
        assert_eq!(
            names,
            [
                "20261123-140300-panic",
                "20261123-140300-panic-2",
                "20261123-140300-etc-x-y",
                "20261123-140300-run",
                "20261123-140300-n",
            ]
        );
    }

    #[test]
    fn a_folder_is_made_filled_and_opened() {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("a/b");
        let clock = Clock::start();
        let folder = RunFolder::create(Some(&out), "x", clock).unwrap();
        assert_eq!((mode(&out), mode(&out.join(SNAPSHOTS))), (0o700, 0o700));
        assert!(matches!(RunFolder::open(&out), Err(FolderError::NoRun { .. })));

        let plan = json!({"headers": [["Cookie", "x1"]], "seed": 7});
        folder.write_plan(&plan).unwrap();
        let text = fs::read_to_string(out.join(PLAN)).unwrap();
        assert!(text.contains("\"seed\": 7") && !text.contains("x1"), "{text}");
        assert_eq!(mode(&out.join(PLAN)), 0o600);

        let (_, trouble) = folder.record(FullDisk::GoOn).unwrap().finish();
        assert_eq!(trouble, None);
        assert_eq!(RunFolder::open(&out).unwrap(), folder);
        assert_eq!(RunFolder::open(&folder.journal()).unwrap(), folder);
        assert_eq!(folder.playback().unwrap().n_events(), 0);
        let again = RunFolder::create(Some(&out), "x", clock);
        assert!(matches!(again, Err(FolderError::Taken { .. })));

        let snapshot = folder.write_snapshot("../0001.svg", b"<svg/>").unwrap();
        assert_eq!(snapshot, out.join(SNAPSHOTS).join("0001.svg"));
        folder.write_summary(&json!({"schema": 1})).unwrap();
        folder.write_summary(&json!({"schema": 1, "seconds": null})).unwrap();
        assert!(fs::read_to_string(folder.summary()).unwrap().contains("\"seconds\": null"));
        let left: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.iter().all(|path| path.extension().is_none_or(|e| e != "new")), "{left:?}");
    }

    #[test]
    fn actions_are_read_back_without_the_line_that_was_cut_off() {
        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(Some(home.path()), "x", Clock::start()).unwrap();
        assert!(folder.actions().unwrap().is_empty());
        folder.note_action(&json!({"do": "create", "undo": "delete"})).unwrap();
        folder.note_action(&json!({"do": "patch"})).unwrap();
        let path = home.path().join(ACTIONS);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"do\": \"pat");
        fs::write(&path, text).unwrap();
        let actions = folder.actions().unwrap();
        assert_eq!(actions, [json!({"do": "create", "undo": "delete"}), json!({"do": "patch"})]);
    }
}
