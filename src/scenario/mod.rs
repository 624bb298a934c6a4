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
pub mod plan;
pub mod profile;
pub mod quick;
pub mod resolve;
mod tree;

use std::fs;
use std::io::Read;
use std::path::Path;

use error::Error;
use error::Fault;
use plan::Plan;
use tree::Node;
pub use tree::Override;
pub use tree::OverrideError;

/// Larger than any scenario.
const FILE_KIB_MAX: u64 = 256;

/// The scenarios that travel inside the program, by name.
pub const BUILTIN: [(&str, &str); 4] = [
    ("demo", include_str!("../../scenarios/demo.yaml")),
    ("panic", include_str!("../../scenarios/panic.yaml")),
    ("kpa-basics", include_str!("../../scenarios/kpa-basics.yaml")),
    ("steady", include_str!("../../scenarios/steady.yaml")),
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
    resolve::plan(&tree, &stem).map_err(invalid)
}

fn read(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    let limit = FILE_KIB_MAX * 1024;
    file.take(limit + 1).read_to_string(&mut text).map_err(failed)?;
    if limit < text.len() as u64 {
        let name = path.to_string_lossy().into_owned();
        return Err(Error::TooLarge { name, limit_kib: FILE_KIB_MAX });
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
