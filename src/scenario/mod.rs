//! What a person asks for: a scenario file, and the plan that is made of it.
//!
//! Text becomes a tree that knows its lines (`tree`), the tree becomes the file's own types
//! (`file`), those become a [`plan::Plan`] in which everything is decided (`resolve`). This file
//! is the only one that touches the disk.

mod address;
pub mod amount;
pub mod check;
pub mod error;
mod file;
mod grpc;
mod mend;
pub mod plan;
pub mod profile;
pub mod quick;
pub mod resolve;
mod stage;
mod trace;
mod tree;
pub mod vary;

use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;

use error::Error;
use error::Fault;
use plan::Plan;
use tree::Node;

use crate::units;

pub use tree::Override;
pub use tree::OverrideError;

/// Larger than any scenario.
const FILE_KIB_MAX: u64 = 256;
/// Two million moments, written out.
const TRACE_KIB_MAX: u64 = 32 * 1024;
/// Descriptors of all that a large company calls.
const DESCRIPTORS_KIB_MAX: u64 = 16 * 1024;

/// The scenarios that travel inside the program, by name.
pub const BUILTIN: [(&str, &str); 5] = [
    ("demo", include_str!("../../scenarios/demo.yaml")),
    ("panic", include_str!("../../scenarios/panic.yaml")),
    ("kpa-basics", include_str!("../../scenarios/kpa-basics.yaml")),
    ("steady", include_str!("../../scenarios/steady.yaml")),
    ("mixed", include_str!("../../scenarios/mixed.yaml")),
];

/// The text of a built-in scenario.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Gives the plan of a scenario: a file, or the name of a built-in one (`demo`, and also
/// `scenarios/demo.yaml` where there is no such file). `changes` are applied before anything is
/// understood.
pub fn load(scenario: &str, changes: &[Override]) -> Result<Plan, Error> {
    let path = Path::new(scenario);
    if path.is_file() {
        return parse_changed(&read(path)?, scenario, changes);
    }
    let name = scenario
        .strip_prefix("scenarios/")
        .and_then(|file| file.strip_suffix(".yaml"))
        .unwrap_or(scenario);
    match builtin(name) {
        Some(text) => parse_changed(text, &format!("scenarios/{name}.yaml"), changes),
        None if path.exists() => read(path).and_then(|text| parse(&text, scenario)),
        None => Err(Error::NotFound {
            name: scenario.to_owned(),
            known: BUILTIN.map(|(known, _)| known).join(", "),
        }),
    }
}

/// Gives the plan that a text describes. `name` is what errors call the text.
pub fn parse(text: &str, name: &str) -> Result<Plan, Error> {
    parse_changed(text, name, &[])
}

/// The same, with fields changed first.
pub fn parse_changed(text: &str, name: &str, changes: &[Override]) -> Result<Plan, Error> {
    let invalid = |faults: Vec<Fault>| Error::Invalid { name: name.to_owned(), faults };
    let mut tree = Node::parse(text).map_err(|fault| invalid(vec![fault]))?;
    for change in changes {
        tree.set(change).map_err(|fault| invalid(vec![fault]))?;
    }
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    // A file that a scenario names lies beside it.
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let read = |file: &str| {
        read_bounded(&folder.join(file), TRACE_KIB_MAX)
            .map_err(|error| format!("{:?} cannot be read: {error}", units::clean(file, 80)))
    };
    let read_bytes = |file: &str| {
        read_bytes(&folder.join(file), DESCRIPTORS_KIB_MAX)
            .map_err(|error| format!("{:?} cannot be read: {error}", units::clean(file, 80)))
    };
    let mut plan = resolve::plan(&tree, &stem, (read, read_bytes)).map_err(invalid)?;
    plan.request.find_bodies(folder);
    Ok(plan)
}

/// The plan of recorded arrivals, as one stage, from a file.
pub fn recorded(file: &str) -> Result<(plan::Arrivals, plan::Stage, Option<plan::Trace>), Error> {
    let invalid = |text: String| Error::Invalid {
        name: "load".to_owned(),
        faults: vec![Fault::new(text).within("--trace")],
    };
    let text = read_bounded(Path::new(file), TRACE_KIB_MAX).map_err(|error| {
        invalid(format!("{:?} cannot be read: {error}", units::clean(file, 80)))
    })?;
    let recording = trace::Recording::parse(&text).map_err(invalid)?;
    Ok(recording.into_load(file))
}

/// What a file holds, as it is. It may be no plain file, which says nothing of its length.
pub(crate) fn read_bytes(path: &Path, limit_kib: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = limit_kib * 1024;
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if limit < bytes.len() as u64 {
        let text = format!("larger than {limit_kib} KiB");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

fn read_bounded(path: &Path, limit_kib: u64) -> io::Result<String> {
    let mut text = String::new();
    let limit = limit_kib * 1024;
    fs::File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if limit < text.len() as u64 {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {limit_kib} KiB"),
        ));
    }
    Ok(text)
}

fn read(path: &Path) -> Result<String, Error> {
    read_bounded(path, FILE_KIB_MAX).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => {
            let name = path.to_string_lossy().into_owned();
            Error::TooLarge { name, limit_kib: FILE_KIB_MAX }
        }
        _ => Error::Read { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests;
