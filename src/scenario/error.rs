//! What is wrong with a scenario, in which line, and what would be right.
//!
//! A fault is found deep inside a file and learns on its way out where it was: each level adds
//! its key, the innermost line wins. So no level has to know its own path.

use std::fmt;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use serde::de;
use thiserror::Error;

use crate::units::clean;

/// Longest piece of a scenario that an error repeats, in characters.
const QUOTED_CHARS: usize = 80;

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read {}", clean(&path.to_string_lossy(), QUOTED_CHARS))]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is neither a file nor a built-in scenario of that name.
    #[error(
        "{}: no such file, and no built-in scenario of that name; built in are {known}",
        clean(name, QUOTED_CHARS)
    )]
    NotFound {
        /// What was asked for.
        name: String,
        /// The names of the built-in ones.
        known: String,
    },
    /// It is larger than any scenario.
    #[error("{name}: larger than {limit_kib} KiB, which no scenario needs")]
    TooLarge {
        /// Name of the file.
        name: String,
        /// The limit.
        limit_kib: u64,
    },
    /// It says what cannot be done, or cannot be understood.
    #[error("{}", faults.iter().map(|fault| fault.located(name)).collect::<Vec<_>>().join("\n"))]
    Invalid {
        /// Name of the file.
        name: String,
        /// What is wrong; never empty.
        faults: Vec<Fault>,
    },
}

/// Where something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this line of the file, from 1.
    Line(u64),
    /// On the command line, after `--set`.
    Set,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where; `None` if that is not known.
    pub place: Option<Place>,
    /// The field, as `load.stages.2.at`; empty for the file as a whole.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub text: String,
}

// === impl Fault ===

impl Fault {
    /// A fault of which only the text is known yet.
    pub fn new(text: impl Into<String>) -> Self {
        Self { place: None, field: String::new(), text: text.into() }
    }

    /// The fault, said to be at `place` unless a more exact one is known.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = self.place.or(Some(place));
        self
    }

    /// The fault, one level further out: it is inside `key`.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        self.field =
            if self.field.is_empty() { key.to_owned() } else { format!("{key}.{}", self.field) };
        self
    }

    fn located(&self, file: &str) -> String {
        let file = clean(file, 2 * QUOTED_CHARS);
        let place = match self.place {
            Some(Place::Line(line)) => format!("{file}:{line}: "),
            Some(Place::Set) => format!("{file}, --set: "),
            None => format!("{file}: "),
        };
        format!("{place}{self}")
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", clean(&self.field, 2 * QUOTED_CHARS))?;
        }
        f.write_str(&clean(&self.text, 6 * QUOTED_CHARS))
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(text.to_string())
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // Text is every single value here, also a number.
        let expected = expected.to_string().replace("a string", "a single value");
        Self::new(match found {
            de::Unexpected::Unit => format!("is empty; write {expected}"),
            de::Unexpected::Seq => format!("is a list; write {expected}"),
            de::Unexpected::Map => format!("is a map of keys; write {expected}"),
            de::Unexpected::Str(text) => {
                format!("is {:?}; write {expected}", clean(text, QUOTED_CHARS))
            }
            found => format!("is {found}; write {expected}"),
        })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("is not known here; {}", suggestion(field, known))).within(field)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        let found_text = clean(found, QUOTED_CHARS);
        Self::new(format!("{found_text:?} is not known here; {}", suggestion(found, known)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is missing").within(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("is written twice; keep one").within(field)
    }
}

/// The nearest of the `known` words, if one is near, and all of them.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    let all = known.join(", ");
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`? known are {all}"),
        None => format!("known are {all}"),
    }
}

/// The one of the `known` words that was most likely meant; `None` if none is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|known| (edit_distance(word, known), known));
    let is_near =
        |(distance, known): &(usize, &str)| *distance <= (known.chars().count() / 2).clamp(1, 3);
    distances.min().filter(is_near).map(|(_, nearest)| nearest)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour (after
/// Damerau, each pair of letters swapped at most once).
fn edit_distance(a: &str, b: &str) -> usize {
    // A key that is longer than any of ours is not near to one.
    let a: Vec<char> = a.chars().take(64).flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &a_char) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b_char) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(a_char != b_char);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if 0 < i && 0 < j && a_char == b[j - 1] && a[i - 1] == b_char {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_the_slips_of_a_hand() {
        for (a, b, distance) in [
            ("stages", "stages", 0),
            ("stage", "stages", 1),
            ("satges", "stages", 1),
            ("Timeout", "timeout", 0),
            ("tmieuot", "timeout", 2),
            ("", "at", 2),
            ("xyz", "at", 3),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["name", "for", "at", "to", "from"];
        assert!(suggestion("frmo", &known).starts_with("did you mean `from`?"));
        assert!(suggestion("names", &known).starts_with("did you mean `name`?"));
        assert!(suggestion("zebra", &known).starts_with("known are name, for"));
    }

    #[test]
    fn a_fault_learns_where_it_is_on_its_way_out() {
        let fault = Fault::new("is wrong")
            .within("at")
            .at(Place::Line(7))
            .within("2")
            .at(Place::Line(5))
            .within("stages");
        assert_eq!(fault.located("a.yaml"), "a.yaml:7: stages.2.at: is wrong");
        assert_eq!(
            Fault::new("\u{1b}[2J").at(Place::Set).located("b"),
            "b, --set: ·[2J",
            "nothing drives the terminal"
        );
    }
}
