//! Amounts whose unit must not be mistaken, and the washing of text from outside.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::Deserialize;
use serde::Serialize;

/// Thousandths of a CPU core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millicores(pub u64);

/// Bytes of memory or of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl fmt::Display for Millicores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0)
    }
}

impl fmt::Display for Bytes {
    /// As `kubectl top` prints memory: whole MiB, rounded down.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Mi", self.0 >> 20)
    }
}

impl Add for Millicores {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Millicores {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self(0), Add::add)
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self(0), Add::add)
    }
}

/// Text from outside, fit to be kept and shown: control characters, including bidirectional
/// overrides, become `·`, and what is longer than `max_chars` is cut with `…`.
pub fn clean(text: &str, max_chars: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(max_chars * 4));
    for (char_idx, c) in text.chars().enumerate() {
        if char_idx == max_chars {
            cleaned.push('…');
            break;
        }
        cleaned.push(if drives_a_terminal(c) { '·' } else { c });
    }
    cleaned
}

fn drives_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_a_terminal_is_replaced() {
        assert_eq!(clean("a\x1b[2Jb\u{9b}\n", 99), "a·[2Jb··");
        assert_eq!(clean("a\u{202e}b", 99), "a·b");
        assert_eq!(clean("héllo 世界", 99), "héllo 世界");
        assert_eq!(clean("abcdef", 3), "abc…");
    }

    #[test]
    fn memory_is_shown_as_kubectl_top_shows_it() {
        assert_eq!(Bytes(23 * 1024 * 1024 + 1_000_000).to_string(), "23Mi");
    }
}
