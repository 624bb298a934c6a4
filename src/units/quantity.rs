//! Kubernetes quantities: `250m`, `1Gi`, `1e3`, `123456789n`.
//!
//! The grammar is that of apimachinery's `resource.Quantity`: an optional sign, a decimal number,
//! and a suffix that is decimal, binary or an exponent.

use std::ops::Add;
use std::str::FromStr;

use thiserror::Error;

use super::Bytes;
use super::Millicores;

/// A quantity, in units of its resource (cores, bytes).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quantity(f64);

/// The text was not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a Kubernetes quantity such as 250m or 1Gi")]
pub struct QuantityError {
    /// What was read.
    pub text: String,
}

impl Quantity {
    /// The value in units of the resource.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// As thousandths of a core, rounded up as `kubectl top` does.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range"
    )]
    pub fn millicores(self) -> Millicores {
        // The slack keeps 0.25 × 1000 from becoming 251.
        Millicores((self.0 * 1000.0 - 1e-6).ceil().clamp(0.0, 1e15) as u64)
    }

    /// As bytes, rounded down.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range"
    )]
    pub fn bytes(self) -> Bytes {
        Bytes(self.0.clamp(0.0, 1.8e19) as u64)
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError { text: text.chars().take(40).collect() };
        let n_number = text
            .char_indices()
            .find(|(idx, c)| {
                !(c.is_ascii_digit() || *c == '.' || (*idx == 0 && matches!(c, '+' | '-')))
            })
            .map_or(text.len(), |(idx, _)| idx);
        let (number, suffix) = text.split_at(n_number);
        if !number.contains(|c: char| c.is_ascii_digit()) {
            return Err(error());
        }
        let number: f64 = number.parse().map_err(|_| error())?;
        let factor = match suffix {
            "n" => 1e-9,
            "u" => 1e-6,
            "m" => 1e-3,
            "" => 1.0,
            "k" => 1e3,
            "M" => 1e6,
            "G" => 1e9,
            "T" => 1e12,
            "P" => 1e15,
            "E" => 1e18,
            "Ki" => 1024.0,
            "Mi" => 1_048_576.0,
            "Gi" => 1_073_741_824.0,
            "Ti" => 1_099_511_627_776.0,
            "Pi" => 1_125_899_906_842_624.0,
            "Ei" => 1_152_921_504_606_846_976.0,
            _ => {
                let exponent = suffix.strip_prefix(['e', 'E']).ok_or_else(error)?;
                10f64.powi(exponent.parse::<i8>().map_err(|_| error())?.into())
            }
        };
        Ok(Self(number * factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, millicores, bytes) in [
            ("250m", 250, 0),
            ("0.25", 250, 0),
            ("1", 1000, 1),
            ("1.", 1000, 1),
            ("123456789n", 124, 0),
            ("1n", 1, 0),
            ("0", 0, 0),
            ("1Gi", 1_073_741_824_000, 1_073_741_824),
            ("22528Ki", 23_068_672_000, 23_068_672),
            ("1e3", 1_000_000, 1000),
            ("1E3", 1_000_000, 1000),
            ("5k", 5_000_000, 5000),
            ("-1", 0, 0),
        ] {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.millicores(), Millicores(millicores), "{text}");
            assert_eq!(quantity.bytes(), Bytes(bytes), "{text}");
        }
        for text in ["", "m", "1x", "1 Gi", "e3", "1ee3", "\u{1b}[2J"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }
}
