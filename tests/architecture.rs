//! The rules of the house that the compiler does not check.
//!
//! The floor plan is one table: which room may import which. A line of source that breaks a rule
//! is named with its file.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Which module may import which others. `main`, `bin` and `lib` see all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // The ground floor: words.
    ("units", &[]),
    ("event", &["units"]),
    ("scenario", &["units"]),
    // The first floor: pure reasoning.
    ("hpa", &["units"]),
    ("kpa", &["units"]),
    // `event` for the encoded histogram, which it makes and reads.
    ("series", &["event", "units"]),
    ("model", &["event", "hpa", "kpa", "scenario", "series", "units"]),
    // The second floor, north: hands.
    ("clock", &["units"]),
    ("bus", &["clock", "event", "units"]),
    ("tasks", &["bus", "clock", "event", "units"]),
    ("collect", &["bus", "clock", "event", "scenario", "tasks", "units"]),
    ("load", &["bus", "clock", "event", "scenario", "series", "tasks", "units"]),
    ("journal", &["bus", "clock", "event", "units"]),
    // The second floor, south: eyes.
    ("tui", &["event", "hpa", "kpa", "model", "series", "units"]),
    // `kpa` for telling of a play under another configuration.
    ("export", &["event", "kpa", "model", "scenario", "series", "tui", "units"]),
    // Across the street: only wire protocols.
    ("sim", &["clock", "hpa", "kpa", "scenario", "tasks", "units"]),
    // The roof: wiring.
    ("log", &[]),
    (
        "app",
        &[
            "bus", "clock", "collect", "event", "export", "journal", "kpa", "load", "log", "model",
            "scenario", "series", "sim", "tasks", "tui", "units",
        ],
    ),
    // `tasks` for printing an error with its causes.
    ("cli", &["app", "scenario", "tasks", "units"]),
];

/// Modules that only compute.
const PURE: &[&str] = &["units", "event", "scenario", "hpa", "kpa", "series", "model", "tui"];
/// What they may therefore not mention.
const IMPURE: &[&str] =
    &["tokio", "std::fs", "std::net", "std::env", "std::thread", "SystemTime", "Instant"];
/// Files of pure modules that touch the world after all, each for one reason.
const DOORS: &[&str] = &["src/scenario/mod.rs"];

/// Detours that would hide an import from this test.
const DETOURS: &[&str] = &["crate::{", "super::super::"];
/// Words that mark what is not finished.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

#[test]
fn modules_import_downwards_only() {
    let mut faults = Vec::new();
    for_each_line(|file, line_number, line| {
        for detour in DETOURS.iter().filter(|detour| line.contains(**detour)) {
            faults.push(format!("{file}:{line_number}: write the path out, not {detour}"));
        }
        let Some(module) = module_of(file) else { return };
        let allowed = allowed_of(&module);
        for target in line.split("crate::").skip(1) {
            let target: String =
                target.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // A macro of ours is not a room.
            let is_room = MAY_IMPORT.iter().any(|(name, _)| *name == target);
            if is_room && target != module && !allowed.contains(&target.as_str()) {
                faults.push(format!("{file}:{line_number}: {module} may not import {target}"));
            }
        }
    });
    no(&faults);
}

#[test]
fn every_room_is_in_the_table_and_every_entry_is_a_room() {
    let mut rooms: Vec<String> = sources().iter().filter_map(|file| module_of(file)).collect();
    rooms.sort();
    rooms.dedup();
    let mut known: Vec<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(rooms, known);
}

/// What a room may import may not import it back.
#[test]
fn the_table_has_no_circle() {
    for (module, allowed) in MAY_IMPORT {
        for target in *allowed {
            assert!(!allowed_of(target).contains(module), "{module} and {target}");
        }
    }
}

#[test]
fn what_only_computes_touches_nothing() {
    let mut faults = Vec::new();
    for_each_line(|file, line_number, line| {
        let is_pure = module_of(file).is_some_and(|module| PURE.contains(&module.as_str()));
        if !is_pure || DOORS.contains(&file) {
            return;
        }
        for word in IMPURE.iter().filter(|word| line.contains(**word)) {
            faults.push(format!("{file}:{line_number}: a pure module may not mention {word}"));
        }
    });
    no(&faults);
}

#[test]
fn every_file_says_what_it_is() {
    let mut faults = Vec::new();
    // A `tests.rs` is what its name says.
    for file in sources().into_iter().filter(|file| !file.ends_with("/tests.rs")) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//!") && !first.starts_with("#![doc") {
            faults.push(format!("{file}:1: begin with //! and say what this is, and why so"));
        }
    }
    no(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let mut faults = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        for (line_idx, line) in text.lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{file}:{}: finish it instead of {word}", line_idx + 1));
            }
        }
    }
    no(&faults);
}

fn no(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn allowed_of(module: &str) -> &'static [&'static str] {
    MAY_IMPORT.iter().find(|(name, _)| *name == module).map_or(&[], |(_, allowed)| allowed)
}

/// The room of a file; `None` for the binaries and `lib.rs`, which see all.
fn module_of(file: &str) -> Option<String> {
    let path = file.strip_prefix("src/")?;
    let module = path.split('/').next()?.trim_end_matches(".rs");
    (!["main", "bin", "lib"].contains(&module)).then(|| module.to_owned())
}

/// All sources, as `src/…`, in order.
fn sources() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root()).unwrap();
                files.push(relative.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    files.sort();
    files
}

/// Calls `look` with each line of code that is neither a comment nor a test.
fn for_each_line(mut look: impl FnMut(&str, usize, &str)) {
    for file in sources() {
        if file.ends_with("/tests.rs") {
            continue;
        }
        let text = fs::read_to_string(root().join(&file)).unwrap();
        // Tests stand at the end of a file.
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (line_idx, line) in code.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                look(&file, line_idx + 1, line);
            }
        }
    }
}
