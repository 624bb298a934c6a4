//! Lines and numbers of the report.

use std::fmt::Write as _;

/// Appends a line without blanks at its end.
pub(super) fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Three digits that matter, with a unit.
pub(super) fn millis(millis: f64) -> String {
    match millis {
        it if it < 0.9995 => format!("{:.0} µs", it * 1e3),
        it if it < 9.995 => format!("{it:.2} ms"),
        it if it < 99.95 => format!("{it:.1} ms"),
        it if it < 9_999.5 => format!("{it:.0} ms"),
        it => format!("{:.1} s", it / 1e3),
    }
}

/// A value that may not be known.
pub(super) fn or_unknown(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), write)
}

/// `12.0 s`, `3.5 min`.
pub(super) fn seconds(secs: f64) -> String {
    if secs < 120.0 { format!("{secs:.1} s") } else { format!("{:.1} min", secs / 60.0) }
}

/// `9.5/s`, `19 957/s`.
pub(super) fn rate(rate: f64) -> String {
    if rate < 99.95 { format!("{rate:.1}/s") } else { format!("{}/s", grouped(rate)) }
}

/// A share of one in percent; what is not nothing is never 0.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        it if it < 0.01 => "< 0.01 %".to_owned(),
        it if it < 99.995 => format!("{it:.2} %"),
        // All but one in a million are not all.
        it if it < 100.0 => "> 99.99 %".to_owned(),
        _ => "100 %".to_owned(),
    }
}

/// A whole number with its thousands apart: `1 234 567`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, not negative"
)]
fn grouped(value: f64) -> String {
    count(value.round().max(0.0) as u64)
}

/// The same of a count.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if 0 < idx && (digits.len() - idx).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `5.7 MiB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n < 1024.0 => format!("{n:.0} B"),
        n if n < 1_048_576.0 => format!("{:.1} KiB", n / 1024.0),
        n if n < 1_073_741_824.0 => format!("{:.1} MiB", n / 1_048_576.0),
        n => format!("{:.2} GiB", n / 1_073_741_824.0),
    }
}

/// A row of cells, the first at the left, the others right-aligned in ten cells each.
pub(super) fn row(text: &mut String, name: &str, cells: impl IntoIterator<Item = String>) {
    let mut row = format!("  {name:<14}");
    for cell in cells {
        let _ = write!(row, "{cell:>10}");
    }
    line(text, &row);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (written, expected) in [
            (millis(0.0123), "12 µs"),
            (millis(0.9996), "1.00 ms"),
            (millis(104.2), "104 ms"),
            (millis(12_345.0), "12.3 s"),
            (rate(9.5), "9.5/s"),
            (rate(19_957.4), "19 957/s"),
            (percent(0.0), "0 %"),
            (percent(0.000_001), "< 0.01 %"),
            (percent(0.123), "12.30 %"),
            (percent(0.999_999), "> 99.99 %"),
            (percent(1.0), "100 %"),
            (count(1_234_567), "1 234 567"),
            (count(999), "999"),
            (bytes(5_976_883), "5.7 MiB"),
        ] {
            assert_eq!(written, expected);
        }
    }
}
