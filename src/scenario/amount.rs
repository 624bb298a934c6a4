//! Amounts with their units, as a person writes them: `1m30s`, `400/s`, `50 users`.
//!
//! A unit is required: a bare `40` would be taken for a rate by one and for users by another.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::units::clean;
use crate::units::parse_go_duration;

use super::plan::Think;
use super::vary::BODY_BYTES_MAX;

/// The longest time that a scenario may speak of.
pub const SPAN_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The highest rate, in requests a second.
pub const RATE_MAX: f64 = 1e6;
/// The most users.
pub const USERS_MAX: f64 = 1e5;

/// A length of time, at most [`SPAN_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

/// A number of bytes, as `512B`, `10KiB`, `1MiB` or `10kB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

/// How much load.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Amount {
    /// Requests a second, from 0 to [`RATE_MAX`].
    Rate(f64),
    /// Users, a whole number from 0 to [`USERS_MAX`].
    Users(f64),
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Not a time at all.
    #[error("{0:?} is not a time; write it as 10s, 1m30s or 500ms")]
    NotASpan(String),
    /// A number alone.
    #[error("{0:?} has no unit; write {0}s for seconds, {0}m for minutes, {0}ms for milliseconds")]
    SpanWithoutUnit(String),
    /// Longer than [`SPAN_MAX`].
    #[error("{0:?} is too long; the longest time is 168h")]
    SpanTooLong(String),
    /// Not a number of bytes, or too many.
    #[error("{0:?} is not a size up to 64MiB; write it as 512B, 10KiB or 1MiB")]
    NotASize(String),
    /// Not a time to think.
    #[error("{0:?} is not a time to think; write it as 1s, 0s..2s (even) or ~1s (exponential)")]
    NotAThink(String),
    /// Neither a rate nor a number of users.
    #[error("{0:?} is not an amount of load; write it as 400/s, 90/min or 50 users")]
    NotAnAmount(String),
    /// A number alone.
    #[error("{0:?} has no unit; write {0}/s for requests a second, {0} users in a closed loop")]
    AmountWithoutUnit(String),
    /// Below zero.
    #[error("{0:?} is negative; the least is 0")]
    Negative(String),
    /// Above [`RATE_MAX`].
    #[error("{0:?} is too much; the highest rate is 1000000/s")]
    RateTooHigh(String),
    /// Above [`USERS_MAX`], or not whole.
    #[error("{0:?} cannot be; users are a whole number up to 100000")]
    UsersOutOfRange(String),
}

// === impl Span ===

impl FromStr for Span {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let quoted = || clean(text, 40);
        if text != "0" && text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(AmountError::SpanWithoutUnit(quoted()));
        }
        if text.starts_with('-') {
            return Err(AmountError::Negative(quoted()));
        }
        let span = parse_go_duration(text).ok_or_else(|| AmountError::NotASpan(quoted()))?;
        if SPAN_MAX < span {
            return Err(AmountError::SpanTooLong(quoted()));
        }
        Ok(Self(span))
    }
}

impl TryFrom<String> for Span {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse()
    }
}

impl fmt::Display for Span {
    /// The two largest units: `1 min 30 s`, `20 s`, `500 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole_secs = self.0.as_secs();
        let (hours, mins, secs) = (whole_secs / 3600, whole_secs / 60 % 60, whole_secs % 60);
        let millis = self.0.subsec_millis();
        match (hours, mins, secs, millis) {
            (0, 0, 0, millis) => write!(f, "{millis} ms"),
            (0, 0, secs, 0) => write!(f, "{secs} s"),
            (0, 0, _, _) => write!(f, "{} s", self.0.as_secs_f64()),
            (0, mins, 0, _) => write!(f, "{mins} min"),
            (0, mins, secs, _) => write!(f, "{mins} min {secs} s"),
            (hours, 0, _, _) => write!(f, "{hours} h"),
            (hours, mins, _, _) => write!(f, "{hours} h {mins} min"),
        }
    }
}

// === impl Size ===

impl FromStr for Size {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let error = || AmountError::NotASize(clean(text, 40));
        let text = text.trim();
        let n_number = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, unit) = text.split_at(n_number);
        let factor = match unit.trim() {
            "B" => 1,
            "kB" => 1000,
            "MB" => 1_000_000,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            _ => return Err(error()),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bytes.filter(|bytes| *bytes <= BODY_BYTES_MAX).map(Self).ok_or_else(error)
    }
}

impl TryFrom<String> for Size {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse()
    }
}

// === impl Think ===

impl FromStr for Think {
    type Err = AmountError;

    /// `1s`, `0s..2s`, `~1s`.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let error = || AmountError::NotAThink(clean(text, 40));
        let span = |text: &str| text.parse::<Span>().map(|span| span.0);
        if let Some(mean) = text.strip_prefix('~') {
            return Ok(Self::Exponential(span(mean)?));
        }
        match text.split_once("..") {
            None => span(text).map(Self::Fixed),
            Some((from, to)) => {
                let (from, to) = (span(from)?, span(to)?);
                if to < from { Err(error()) } else { Ok(Self::Uniform(from, to)) }
            }
        }
    }
}

impl fmt::Display for Think {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(time) => write!(f, "{}", Span(*time)),
            Self::Uniform(from, to) => write!(f, "{} to {}", Span(*from), Span(*to)),
            Self::Exponential(mean) => write!(f, "{} on average", Span(*mean)),
        }
    }
}

// === impl Amount ===

impl Amount {
    /// The bare number, in the amount's own unit.
    pub const fn value(self) -> f64 {
        match self {
            Self::Rate(value) | Self::Users(value) => value,
        }
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let quoted = || clean(text, 40);
        let n_number = text.find(['/', ' ', 'u']).unwrap_or(text.len());
        let (number, unit) = text.split_at(n_number);
        let number: f64 = number.parse().map_err(|_| AmountError::NotAnAmount(quoted()))?;
        if !number.is_finite() {
            return Err(AmountError::NotAnAmount(quoted()));
        }
        if number < 0.0 {
            return Err(AmountError::Negative(quoted()));
        }
        let per_second = match unit.trim() {
            "" => return Err(AmountError::AmountWithoutUnit(quoted())),
            "user" | "users" if USERS_MAX < number || number.fract() != 0.0 => {
                return Err(AmountError::UsersOutOfRange(quoted()));
            }
            "user" | "users" => return Ok(Self::Users(number)),
            "/s" => number,
            "/min" => number / 60.0,
            "/h" => number / 3600.0,
            _ => return Err(AmountError::NotAnAmount(quoted())),
        };
        if RATE_MAX < per_second {
            return Err(AmountError::RateTooHigh(quoted()));
        }
        Ok(Self::Rate(per_second))
    }
}

impl TryFrom<String> for Amount {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{}/s", rounded(*rate)),
            Self::Users(1.0) => f.write_str("1 user"),
            Self::Users(users) => write!(f, "{users} users"),
        }
    }
}

/// To three decimals, so that `1/min` is not seventeen digits long.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit_and_a_bound() {
        for (text, millis) in
            [("10s", 10_000), ("1m30s", 90_000), ("500ms", 500), (" 2h ", 7_200_000), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
        }
        let error = |text: &str| text.parse::<Span>().unwrap_err().to_string();
        assert!(error("10").contains("write 10s for seconds"));
        assert!(error("-10s").contains("negative"));
        assert!(error("169h").contains("168h"));
        for text in ["", "s", "NaN", "inf", "1 day", "1e9s", "99999999999999999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_said_in_their_two_largest_units() {
        for (millis, text) in [
            (500, "500 ms"),
            (1_500, "1.5 s"),
            (20_000, "20 s"),
            (90_000, "1 min 30 s"),
            (180_000, "3 min"),
            (3_600_000, "1 h"),
            (5_400_000, "1 h 30 min"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
    }

    #[test]
    fn sizes_and_times_to_think_are_read() {
        for (text, bytes) in [("512B", 512), ("10KiB", 10_240), ("1 MiB", 1 << 20), ("2kB", 2000)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "10", "KiB", "-1B", "65MiB", "1e3B", "99999999999999999999B"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        let secs = Duration::from_secs;
        for (text, think) in [
            ("1s", Think::Fixed(secs(1))),
            ("0s..2s", Think::Uniform(secs(0), secs(2))),
            ("~1s", Think::Exponential(secs(1))),
        ] {
            assert_eq!(text.parse(), Ok(think), "{text}");
        }
        for text in ["", "1", "2s..1s", "~", "1s..", "..2s"] {
            assert!(text.parse::<Think>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_need_a_unit_and_a_bound() {
        for (text, amount) in [
            ("400/s", Amount::Rate(400.0)),
            ("0/s", Amount::Rate(0.0)),
            ("0.5/s", Amount::Rate(0.5)),
            ("400 /s", Amount::Rate(400.0)),
            ("90/min", Amount::Rate(1.5)),
            ("3600/h", Amount::Rate(1.0)),
            ("50 users", Amount::Users(50.0)),
            ("1 user", Amount::Users(1.0)),
            ("50users", Amount::Users(50.0)),
        ] {
            assert_eq!(text.parse(), Ok(amount), "{text}");
        }
        let error = |text: &str| text.parse::<Amount>().unwrap_err().to_string();
        assert!(error("40").contains("write 40/s"));
        assert!(error("-1/s").contains("negative"));
        assert!(error("2000000/s").contains("1000000/s"));
        assert!(error("1.5 users").contains("whole number"));
        assert!(error("100001 users").contains("100000"));
        for text in ["", "/s", "NaN/s", "inf/s", "40/d", "40 rps", "x users", "4 0/s"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
