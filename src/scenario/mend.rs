//! All that is wrong with the shape of a file at once: unknown keys, missing ones, keys that are
//! there twice, values that are none.
//!
//! Reading a tree into types ends at its first fault. So that a person mends a file once and not
//! once a fault, what is faulty is taken out, or something stands in for it where it must not be
//! missing, and the tree is read again. What stands in is never run: a file with a fault gives no
//! plan.

use serde::Deserialize;

use super::error::Fault;
use super::error::Place;
use super::file::File;
use super::tree::Node;

/// Faults that are told; a file with more is something else.
const FAULTS_MAX: usize = 100;

/// A stage that sends nothing.
const STAGE: &str = "{for: 1s, at: 0/s}";
/// A dimension of one value.
const DIMENSION: &str = "{vary: query x, of: ['1']}";

/// What stands in for a key that must not be missing.
fn stand_in(parent: &str, key: &str) -> Option<String> {
    Some(match key {
        "target" => "{url: 'http://127.0.0.1:1'}".to_owned(),
        "load" => format!("{{stages: [{STAGE}]}}"),
        "for" => "1s".to_owned(),
        "image" => "none".to_owned(),
        "method" => "a.B/C".to_owned(),
        "vary" => "query x".to_owned(),
        "of" if parent.ends_with("batch") => "1".to_owned(),
        "of" => "['1']".to_owned(),
        _ => return None,
    })
}

/// What stands in for an item of a list.
fn item(list: &str) -> Option<&'static str> {
    Some(match list {
        "stages" => STAGE,
        "matrix" => DIMENSION,
        "checks" => "panics < 1",
        "of" | "weights" => "1",
        _ => return None,
    })
}

/// A file as far as it could be read, and what was wrong with its shape.
#[derive(Debug)]
pub(super) struct Read {
    /// The file, with stand-ins where something was wrong; `None` if nothing can be made of it.
    pub(super) file: Option<File>,
    /// What is wrong, in the order in which it was found.
    pub(super) faults: Vec<Fault>,
    /// The tree that was read in the end.
    pub(super) tree: Node,
}

/// Reads a tree into the file's own types.
pub(super) fn read(tree: &Node) -> Read {
    let mut tree = tree.clone();
    let mut faults = tree.take_duplicates();
    while faults.len() <= FAULTS_MAX {
        let fault = match File::deserialize(&tree) {
            Ok(file) => return Read { file: Some(file), faults, tree },
            Err(fault) => fault,
        };
        let field = fault.field.clone();
        let is_there = tree.has(&field);
        // What was taken out may now be missing; that is no news.
        let is_known =
            |known: &Fault| known.field == field && (!is_there || known.place == fault.place);
        if !faults.iter().any(is_known) {
            faults.push(fault);
        }
        if !mend(&mut tree, &field) {
            break;
        }
    }
    Read { file: None, faults, tree }
}

/// Changes the tree so that the fault at `field` is gone; `false` if it cannot.
fn mend(tree: &mut Node, field: &str) -> bool {
    let (parent, key) = field.rsplit_once('.').unwrap_or(("", field));
    if tree.has(field) {
        let list = parent.rsplit('.').next().unwrap_or_default();
        let item = item(list).filter(|_| key.parse::<usize>().is_ok());
        return match item.and_then(|text| Node::parse(text).ok()) {
            Some(item) => tree.replace(field, item),
            None => tree.take(field),
        };
    }
    let missing = stand_in(parent, key).and_then(|text| Node::parse(&text).ok());
    missing.is_some_and(|node| tree.add(parent, key, node))
}

impl Read {
    /// Whether a fault that was found by looking at several fields together only follows from one
    /// of the shape: it is about what stands in, or misses what was taken out.
    pub(super) fn follows(&self, fault: &Fault) -> bool {
        self.faults.iter().any(|known| {
            let parent = |field: &str| field.rsplit_once('.').map_or("", |it| it.0).to_owned();
            let (known, field) = (known.field.as_str(), fault.field.as_str());
            let is_within = field == known || field.starts_with(&format!("{known}."));
            let misses = !self.tree.has(field) && parent(field) == parent(known);
            // How arrivals come about decides what every amount may be.
            let of_arrivals = known == "load.arrivals"
                && (field.starts_with("load.") || field == "target.max_rate");
            is_within || misses || field == parent(known) || of_arrivals
        })
    }
}

/// In the order of the file; those of the command line last.
pub(super) fn in_order(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by_key(|fault| match fault.place {
        Some(Place::Line(line)) => line,
        Some(Place::Set) | None => u64::MAX,
    });
    faults.truncate(FAULTS_MAX);
    faults
}
