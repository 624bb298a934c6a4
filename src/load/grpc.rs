//! gRPC over HTTP/2: messages behind a length, a deadline in a header, a status in the trailers.

use std::time::Duration;

/// What the content of a call is.
pub(super) const CONTENT_TYPE: &str = "application/grpc";
/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: u8 = 5;
/// Digits of a `grpc-timeout`.
const TIMEOUT_MAX: u128 = 99_999_999;

/// The names of the status codes, in their order.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// How many are told apart: those with a name, and the rest as one.
pub(super) const N_STATUS: usize = NAMES.len() + 1;

/// Counts the messages of an answer while they pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// Bytes of the present prefix that have come.
    prefix: u8,
    /// Bytes of the present message that are to come.
    left: u32,
    n_whole: u32,
}

/// The name of a status code.
pub(super) fn status_name(status: u32) -> Option<&'static str> {
    NAMES.get(status as usize).copied()
}

/// Code and name, as `14 UNAVAILABLE`.
pub(super) fn status_words(status: u32) -> String {
    match status_name(status) {
        Some(name) => format!("{status} {name}"),
        None => "a code without a name".to_owned(),
    }
}

/// Its place among those that are told apart.
pub(super) fn status_index(status: u32) -> usize {
    (status as usize).min(NAMES.len())
}

/// A message with its prefix.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    // A body is bounded far below four gigabytes.
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(usize::from(PREFIX) + message.len());
    bytes.push(0);
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// The value of `grpc-timeout`: at most eight digits and a unit.
pub(super) fn timeout(deadline: Duration) -> String {
    let micros = deadline.as_micros();
    let units = [(1_000_000, 'S'), (1000, 'm'), (1, 'u')];
    let exact = units
        .into_iter()
        .find(|(unit, _)| micros.is_multiple_of(*unit) && micros / unit <= TIMEOUT_MAX);
    let (unit, letter) = exact.unwrap_or(units[0]);
    format!("{}{letter}", (micros / unit).min(TIMEOUT_MAX))
}

// === impl Messages ===

impl Messages {
    /// Takes the next bytes in; how many messages they complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> u32 {
        let n_before = self.n_whole;
        loop {
            if self.prefix < PREFIX {
                let Some((byte, rest)) = bytes.split_first() else { break };
                // The first byte says whether it is compressed; we have said that we take none.
                self.left = if self.prefix == 0 { 0 } else { self.left << 8 | u32::from(*byte) };
                self.prefix += 1;
                bytes = rest;
            } else {
                let n = bytes.len().min(self.left as usize);
                bytes = &bytes[n..];
                self.left -= u32::try_from(n).unwrap_or(self.left);
                if 0 < self.left {
                    break;
                }
                self.n_whole = self.n_whole.saturating_add(1);
                self.prefix = 0;
            }
        }
        self.n_whole.saturating_sub(n_before)
    }

    /// Whole messages so far.
    pub(super) const fn n_whole(&self) -> u32 {
        self.n_whole
    }

    /// Whether a message has begun and not ended.
    pub(super) const fn is_cut(&self) -> bool {
        0 < self.prefix
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deadlines_are_written_in_the_largest_unit_that_is_exact() {
        for (deadline, written) in [
            (Duration::from_secs(30), "30S"),
            (Duration::from_millis(1500), "1500m"),
            (Duration::from_micros(1), "1u"),
            (Duration::from_micros(100_000_001), "100S"),
            (Duration::from_secs(1 << 40), "99999999S"),
        ] {
            assert_eq!(timeout(deadline), written);
        }
    }

    proptest! {
        #[test]
        fn messages_are_counted_however_they_are_cut(
            lens in prop::collection::vec(0..300usize, 0..10),
            cuts in prop::collection::vec(1..50usize, 1..20),
            n_lost in 0..4usize,
        ) {
            let mut bytes: Vec<u8> = lens.iter().flat_map(|len| framed(&vec![7; *len])).collect();
            let is_cut = 0 < n_lost && !lens.is_empty();
            if is_cut {
                bytes.truncate(bytes.len() - n_lost);
            }
            let mut messages = Messages::default();
            let (mut rest, mut n_told) = (bytes.as_slice(), 0);
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                n_told += messages.feed(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let n_whole = u32::try_from(lens.len()).unwrap() - u32::from(is_cut);
            prop_assert_eq!(messages.n_whole(), n_whole);
            prop_assert_eq!(n_told, n_whole);
            prop_assert_eq!(messages.is_cut(), is_cut);
        }

        #[test]
        fn anything_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let mut messages = Messages::default();
            messages.feed(&bytes);
            prop_assert!(messages.n_whole() as usize * 5 <= bytes.len());
        }
    }
}
