//! Recorded arrivals: a file of moments, or a table of rates.

use std::time::Duration;

use crate::units::clean;

use super::amount::RATE_MAX;
use super::amount::SPAN_MAX;
use super::plan::Arrivals;
use super::plan::Shape;
use super::plan::Stage;
use super::plan::Trace;

/// Rows of a file at most.
pub(super) const ROWS_MAX: usize = 2_000_000;
/// Moments beyond this many seconds are taken for seconds since 1970.
const LONGEST_RUN: f64 = 1e8;

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Recording {
    /// A number a line: seconds at which a request is due, ascending. Moments since 1970 are
    /// counted from the first.
    Moments(Vec<f64>),
    /// Two numbers a line: seconds, and requests a second from then on.
    Rates {
        /// The rates.
        rates: Vec<f64>,
        /// How long each holds.
        each: Duration,
    },
}

impl Recording {
    /// Reads a file. The error names the line and the remedy.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rows: Vec<(f64, Option<f64>)> = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if ROWS_MAX == rows.len() {
                return Err(format!("has more than {ROWS_MAX} rows"));
            }
            match row(line) {
                Some(row) => rows.push(row),
                // A table has a head.
                None if rows.is_empty() && !line.starts_with(|c: char| c.is_ascii_digit()) => {}
                None => {
                    return Err(format!(
                        "line {number}: {:?} is neither a moment in seconds, as 12.25, nor a moment and a rate, as 12,400",
                        clean(line, 40)
                    ));
                }
            }
            let before = rows.len().checked_sub(2).and_then(|row_idx| rows.get(row_idx));
            if let (Some(before), Some(last)) = (before, rows.last()) {
                if last.1.is_some() != before.1.is_some() {
                    return Err(format!("line {number}: has another number of columns"));
                }
                if last.0 < before.0 || last.1.is_some() && last.0 <= before.0 {
                    return Err(format!("line {number}: is earlier than the line before; sort it"));
                }
            }
        }
        let (first, last) = match (rows.first(), rows.last()) {
            (Some(first), Some(last)) => (*first, *last),
            _ => return Err("holds no row".to_owned()),
        };
        let origin = if LONGEST_RUN < first.0 { first.0 } else { 0.0 };
        if SPAN_MAX.as_secs_f64() <= last.0 - origin {
            return Err("is longer than a week".to_owned());
        }
        if first.1.is_none() {
            return Ok(Self::Moments(rows.iter().map(|row| row.0 - origin).collect()));
        }
        Ok(Self::Rates {
            rates: rows.iter().filter_map(|row| row.1).collect(),
            each: spacing(&rows)?,
        })
    }

    /// The load as one stage: of moments their number in each second.
    fn stage(&self) -> Stage {
        let (levels, each) = match self {
            Self::Rates { rates, each } => (rates.clone(), *each),
            Self::Moments(moments) => {
                let mut levels: Vec<f64> = Vec::new();
                for second in moments.iter().map(|moment| whole(*moment)) {
                    levels.resize(levels.len().max(second + 1), 0.0);
                    levels[second] += 1.0;
                }
                (levels, Duration::from_secs(1))
            }
        };
        let lasts = each * u32::try_from(levels.len()).unwrap_or(u32::MAX);
        let (from, to) =
            (levels.first().copied().unwrap_or(0.0), levels.last().copied().unwrap_or(0.0));
        let shape = Shape::Levels { levels, each };
        Stage { name: "recorded".to_owned(), lasts, from, to, shape }
    }

    /// How requests come about by it, the load as one stage, and the moments, where it has them.
    pub(super) fn into_load(self, file: &str) -> (Arrivals, Stage, Option<Trace>) {
        let stage = self.stage();
        match self {
            Self::Rates { .. } => (Arrivals::Even, stage, None),
            Self::Moments(times) => {
                let n = times.len() as u64;
                let trace = Trace { file: clean(file, 200), n, times: times.into() };
                (Arrivals::Recorded, stage, Some(trace))
            }
        }
    }
}

/// Two numbers, or one.
fn row(line: &str) -> Option<(f64, Option<f64>)> {
    let is_fit = |value: &f64| value.is_finite() && 0.0 <= *value;
    let number = |text: &str| text.trim().parse().ok().filter(is_fit);
    match line.split_once([',', ';', '\t']) {
        None => Some((number(line)?, None)),
        Some((moment, rate)) => {
            Some((number(moment)?, Some(number(rate).filter(|rate| *rate <= RATE_MAX)?)))
        }
    }
}

/// How far the rows of a table lie apart.
fn spacing(rows: &[(f64, Option<f64>)]) -> Result<Duration, String> {
    let gaps = || rows.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let each = gaps().next().unwrap_or(1.0);
    if gaps().any(|gap| 1e-6 < (gap - each).abs()) {
        return Err(format!("has rows that are not {each} s apart, as the first are"));
    }
    Duration::try_from_secs_f64(each)
        .ok()
        .filter(|each| Duration::from_millis(1) <= *each)
        .ok_or_else(|| "has rows less than a millisecond apart".to_owned())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a run of at most a week"
)]
fn whole(seconds: f64) -> usize {
    seconds as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_rates_are_told_apart() {
        assert_eq!(
            Recording::parse("# from a log\n0.5\n0.5\n\n2.25 # late\n"),
            Ok(Recording::Moments(vec![0.5, 0.5, 2.25]))
        );
        assert_eq!(
            Recording::parse("1700000000.5\n1700000001\n"),
            Ok(Recording::Moments(vec![0.0, 0.5]))
        );
        let each = Duration::from_secs(10);
        assert_eq!(
            Recording::parse("time,rate\n0,5\n10,7.5\n20,0\n"),
            Ok(Recording::Rates { rates: vec![5.0, 7.5, 0.0], each })
        );
    }

    #[test]
    fn a_record_becomes_a_stage_with_the_same_count() {
        let stage = Recording::Moments(vec![0.5, 0.5, 2.25]).stage();
        assert_eq!((stage.lasts, stage.area(), stage.most()), (Duration::from_secs(3), 3.0, 2.0));
        let rates = Recording::Rates { rates: vec![5.0, 7.5], each: Duration::from_secs(10) };
        assert_eq!((rates.stage().lasts, rates.stage().area()), (Duration::from_secs(20), 125.0));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, part) in [
            ("", "no row"),
            ("1\nx\n", "line 2"),
            ("1\n-1\n", "line 2"),
            ("2\n1\n", "sort"),
            ("1\n2,3\n", "columns"),
            ("0,5\n1,5\n3,5\n", "1 s apart"),
            ("0\n604800\n", "week"),
            ("0,5\n1,NaN\n", "line 2"),
        ] {
            let error = Recording::parse(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
