//! What differs from request to request: dimensions, each with its choices and their weights.
//!
//! Every request draws one choice of each dimension, independently. The draw is made of the seed
//! and the request's number alone, so it is the same however many threads send.

use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

/// Combinations of all choices at most: each is rendered once, before the load begins.
pub const COMBINATIONS_MAX: usize = 20_000;
/// Choices of all dimensions together at most: each has its own counters and histograms.
pub const CHOICES_MAX: usize = 64;
/// The largest body, in bytes.
pub const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// These characters.
    Text(String),
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this file holds when the load begins.
    File(PathBuf),
    /// So many random bytes, made of the seed.
    Random(u64),
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dimension {
    /// What its counters are called.
    pub name: String,
    /// At least one.
    pub choices: Vec<Choice>,
}

/// One of the things that it may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What its counters are called.
    pub name: String,
    /// How often it is drawn, against the others of its dimension.
    pub weight: u32,
    /// What it does to the request.
    pub sets: Sets,
}

/// What a choice does to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sets {
    /// Path and query.
    Path(String),
    /// Adds a parameter to the query.
    Query {
        /// Its name, as it stands in the address.
        name: String,
        /// Its value, as it stands in the address.
        value: String,
    },
    /// Adds a header, or takes the place of the one with this name.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// The body; `None` is a request without one.
    Body(Option<Body>),
    /// The `Host` header.
    Host(String),
    /// Another address: `http://…` or `https://…`, without a path.
    Url(String),
}

// === impl Dimension ===

impl Dimension {
    /// The sum of all weights.
    pub fn weight(&self) -> u64 {
        self.choices.iter().map(|choice| u64::from(choice.weight)).sum()
    }
}

/// A number that is random in the bits of `seed`, `number` and `dimension`, and depends on nothing
/// else: `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
pub fn draw(seed: u64, number: u64, dimension: u64) -> u64 {
    let mix = |mut z: u64| {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(mix(seed) ^ number) ^ dimension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_independent_of_each_other() {
        const N: u64 = 100_000;
        let mut counts = [[0_u32; 5]; 4];
        for number in 0..N {
            let [a, b] = [0, 1].map(|dimension| draw(7, number, dimension));
            counts[usize::try_from(a % 4).unwrap()][usize::try_from(b % 5).unwrap()] += 1;
        }
        let expected = 100_000.0 / 20.0;
        let chi_squared: f64 =
            counts.iter().flatten().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        // 19 degrees of freedom: beyond 43.8 lies one in a thousand.
        assert!(chi_squared < 43.8, "{chi_squared}");
        assert_ne!(draw(1, 2, 3), draw(2, 1, 3));
    }
}
