//! A load from a file: CSV or JSON lines of concurrency over time.

use serde_json::Value;
use thiserror::Error;

use super::Load;
use crate::units::UnixMicros;
use crate::units::clean;

/// A load may be as long as this.
const SECONDS_MAX: f64 = 7.0 * 24.0 * 3600.0;
/// A value carries on to the next one, but no longer than this.
const CARRIES_SECS: u64 = 60;

/// Why a text is no load.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    /// A line says nothing.
    #[error(
        "line {0}: {1:?} is neither a number a second, nor a time and a number (`12.5,40` or \
         {{\"t\": 12.5, \"concurrency\": 40}})"
    )]
    Line(usize, String),
    /// Time goes back.
    #[error("line {0}: its time is before that of the line above")]
    Back(usize),
    /// It is too long.
    #[error("line {0}: a load may be seven days long")]
    Long(usize),
    /// There is nothing in it.
    #[error("there is no number in it")]
    Empty,
}

impl Load {
    /// Reads a load: each line a number (one a second), a time and a number, or a JSON object with a
    /// time (`t`, `time`, `seconds` or `timestamp`; seconds or RFC 3339) and a `concurrency`, `rps` or
    /// `value`. A first line of names is passed over. Between two times the earlier value holds, for a
    /// minute at most.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (line_idx, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((at, value)) = point(line) else {
                let is_heading = points.is_empty() && !line.starts_with('{');
                if is_heading && line.contains(|c: char| c.is_alphabetic()) {
                    continue;
                }
                return Err(LoadError::Line(line_idx + 1, clean(line, 60)));
            };
            let at = at.unwrap_or_else(|| points.last().map_or(0.0, |(last, _)| last + 1.0));
            if points.last().is_some_and(|(last, _)| at < *last) {
                return Err(LoadError::Back(line_idx + 1));
            }
            if points.first().is_some_and(|(first, _)| SECONDS_MAX <= at - first) {
                return Err(LoadError::Long(line_idx + 1));
            }
            points.push((at, value));
        }
        let Some((began, _)) = points.first().copied() else { return Err(LoadError::Empty) };
        Ok(Self { first: 0, seconds: seconds(&points, began) })
    }
}

/// The mean of each second's values, or what carries on.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a week")]
fn seconds(points: &[(f64, f64)], began: f64) -> Vec<Option<f64>> {
    let mut seconds: Vec<Option<f64>> = Vec::new();
    let mut rest = points.iter().peekable();
    let mut last = (0u64, 0.0);
    while let Some((at, _)) = rest.peek() {
        let second = (at - began).max(0.0) as u64;
        let (mut sum, mut n) = (0.0, 0.0);
        while let Some((_, value)) = rest.next_if(|(at, _)| (at - began).max(0.0) as u64 == second)
        {
            (sum, n) = (sum + value, n + 1.0);
        }
        while (seconds.len() as u64) < second {
            let silent_for = seconds.len() as u64 - last.0;
            seconds.push((silent_for < CARRIES_SECS).then_some(last.1));
        }
        seconds.push(Some(sum / n));
        last = (second, sum / n);
    }
    seconds
}

/// A time, if there is one, and a number.
fn point(line: &str) -> Option<(Option<f64>, f64)> {
    if line.starts_with('{') {
        let object: Value = serde_json::from_str(line).ok()?;
        let value = ["concurrency", "rps", "value"].iter().find_map(|key| object[*key].as_f64())?;
        let at = ["t", "time", "seconds", "timestamp"].iter().find_map(|key| match &object[*key] {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => time(text),
            _ => None,
        });
        return Some((at, value)).filter(is_sane);
    }
    let mut cells = line.split([',', ';', '\t']).map(str::trim);
    let (first, second) = (cells.next()?, cells.next());
    let point = match second {
        None => (None, first.parse().ok()?),
        Some(second) => (Some(time(first)?), second.parse().ok()?),
    };
    Some(point).filter(is_sane)
}

fn is_sane((at, value): &(Option<f64>, f64)) -> bool {
    at.is_none_or(|at| at.is_finite() && at.abs() < 1e12) && (0.0..1e9).contains(value)
}

#[expect(clippy::cast_precision_loss, reason = "2^52 microseconds are 142 years")]
fn time(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| UnixMicros::parse(text).map(|stamp| stamp.0 as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_load_is_read_as_people_keep_it() {
        let some = Some;
        for (text, expected) in [
            ("5\n6\n7\n", vec![some(5.0), some(6.0), some(7.0)]),
            ("seconds,concurrency\n10,5\n11,6\n", vec![some(5.0), some(6.0)]),
            ("# note\n0, 5\n3, 9\n", vec![some(5.0), some(5.0), some(5.0), some(9.0)]),
            ("0.0;4\n0.5;6\n1.0;8\n", vec![some(5.0), some(8.0)]),
            (
                "{\"t\": 7, \"concurrency\": 4}\n{\"t\": 8, \"concurrency\": 5}",
                vec![some(4.0), some(5.0)],
            ),
            (
                "2026-01-01T00:00:00Z,1\n2026-01-01T00:00:02Z,2",
                vec![some(1.0), some(1.0), some(2.0)],
            ),
        ] {
            assert_eq!(Load::parse(text).map(|load| load.seconds), Ok(expected), "{text}");
        }
        let far = Load::parse("0,5\n100,6").unwrap();
        assert_eq!((far.seconds[59], far.seconds[60]), (Some(5.0), None), "silence is no load");
    }

    #[test]
    fn what_is_no_load_is_told_with_its_line() {
        for (text, expected) in [
            ("", LoadError::Empty),
            ("time,load\n", LoadError::Empty),
            ("5\nsix\n", LoadError::Line(2, "six".to_owned())),
            ("5\n-6\n", LoadError::Line(2, "-6".to_owned())),
            ("5\nNaN\n", LoadError::Line(2, "NaN".to_owned())),
            ("9,1\n8,1", LoadError::Back(2)),
            ("0,1\n1e9,1", LoadError::Long(2)),
            ("{\"t\": 1}", LoadError::Line(1, "{\"t\": 1}".to_owned())),
        ] {
            assert_eq!(Load::parse(text), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_ends_the_program(text in "[0-9,.;{}:\"te \n-]{0,80}") {
            if let Ok(load) = Load::parse(&text) {
                prop_assert!(load.seconds.iter().flatten().all(|value| 0.0 <= *value));
            }
        }
    }
}
