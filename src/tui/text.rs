//! Numbers with units in an exact number of cells, and names that are cut where it hurts least.
//!
//! Nothing in the frame may move because a number got longer, so every field has a width, and a
//! value that would not fit changes its unit or its digits, never the field.

use std::time::Duration;

use unicode_width::UnicodeWidthChar as _;
use unicode_width::UnicodeWidthStr as _;

use crate::units::Anchor;
use crate::units::At;
use crate::units::Bytes;

/// What stands where nothing is known.
pub const UNKNOWN: &str = "–";

/// How many cells a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// At most `n_cells` cells of the beginning, with `…` where something was cut.
pub fn head(text: &str, n_cells: usize) -> String {
    if width(text) <= n_cells {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        let cells = c.width().unwrap_or(0);
        if n_cells < used + cells {
            break;
        }
        used += cells;
        cut.push(c);
    }
    if 0 < n_cells {
        cut.push('…');
    }
    cut
}

/// At most `n_cells` cells of the end, with `…` before it: pods differ in their last letters.
pub fn tail(text: &str, n_cells: usize) -> String {
    if width(text) <= n_cells {
        return text.to_owned();
    }
    let mut kept: Vec<char> = Vec::new();
    let mut used = 1;
    for c in text.chars().rev() {
        let cells = c.width().unwrap_or(0);
        if n_cells < used + cells {
            break;
        }
        used += cells;
        kept.push(c);
    }
    if 0 < n_cells {
        kept.push('…');
    }
    kept.iter().rev().collect()
}

/// The end of a pod's name, which tells it from its siblings: `…md9qs`.
pub fn pod(name: &str) -> String {
    match name.rsplit_once('-') {
        Some((_, last)) if !last.is_empty() => format!("…{last}"),
        _ => name.to_owned(),
    }
}

/// Exactly `n_cells` cells, the text at the left.
pub fn left(text: &str, n_cells: usize) -> String {
    let mut text = head(text, n_cells);
    text.extend(std::iter::repeat_n(' ', n_cells.saturating_sub(width(&text))));
    text
}

/// Exactly `n_cells` cells, the text at the right.
pub fn right(text: &str, n_cells: usize) -> String {
    let text = head(text, n_cells);
    let mut padded = " ".repeat(n_cells.saturating_sub(width(&text)));
    padded.push_str(&text);
    padded
}

/// A number with three significant digits, without a unit: `0.04`, `7.1`, `58.6`, `545`, `12.3k`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let text = if size < 0.005 {
        return "0".to_owned();
    } else if size < 0.995 {
        format!("{size:.2}")
    } else if size < 99.95 {
        format!("{size:.1}")
    } else if size < 9999.5 {
        format!("{size:.0}")
    } else if size < 99_950.0 {
        format!("{:.1}k", size / 1e3)
    } else if size < 999_500.0 {
        format!("{:.0}k", size / 1e3)
    } else if size < 99.95e6 {
        format!("{:.1}M", size / 1e6)
    } else if size < 999.5e6 {
        format!("{:.0}M", size / 1e6)
    } else if size < 99.95e9 {
        format!("{:.1}G", size / 1e9)
    } else if size < 999.5e9 {
        format!("{:.0}G", size / 1e9)
    } else if size < 999.5e12 {
        format!("{:.0}T", size / 1e12)
    } else {
        return if value < 0.0 { "−∞".to_owned() } else { "∞".to_owned() };
    };
    signed(value, text)
}

/// A whole number if it is one, else like [`number`].
pub fn count(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 9999.5 {
        signed(value, format!("{:.0}", value.abs()))
    } else {
        number(value)
    }
}

/// A rate: whole from ten on, since arrivals are counted.
pub fn rate(value: f64) -> String {
    if (9.95..9999.5).contains(&value) { format!("{value:.0}") } else { count(value) }
}

fn signed(value: f64, text: String) -> String {
    if value < 0.0 { format!("−{text}") } else { text }
}

/// [`number`], or `–`.
pub fn or_unknown(value: Option<f64>, format: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), format)
}

/// Seconds as `0.04 ms`, `106 ms`, `1.2 s`, `75 s`.
pub fn latency(secs: f64) -> String {
    let (value, unit) = latency_parts(secs);
    format!("{value} {unit}")
}

/// The same, as value and unit.
pub fn latency_parts(secs: f64) -> (String, &'static str) {
    let millis = secs * 1e3;
    if millis < 0.995 {
        (format!("{millis:.2}"), "ms")
    } else if millis < 9.95 {
        (format!("{millis:.1}"), "ms")
    } else if millis < 999.5 {
        (format!("{millis:.0}"), "ms")
    } else if secs < 9.995 {
        (format!("{secs:.2}"), "s")
    } else if secs < 99.95 {
        (format!("{secs:.1}"), "s")
    } else {
        (format!("{secs:.0}"), "s")
    }
}

/// A round latency on an axis in milliseconds: `0.5`, `200`, `1 s`.
pub fn latency_mark(secs: f64) -> String {
    let millis = secs * 1e3;
    if millis < 0.95 {
        format!("{millis:.1}")
    } else if millis < 999.5 {
        format!("{millis:.0}")
    } else {
        format!("{secs:.0} s")
    }
}

/// A share as `0.00 %`, `12.5 %`, `100 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.995 {
        format!("{percent:.2} %")
    } else if percent < 99.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A span in the two largest units: `0.4 s`, `24 s`, `2 m 14 s`, `1 h 05 m`.
pub fn span(span: Duration) -> String {
    let secs = span.as_secs();
    if secs < 1 && span != Duration::ZERO {
        format!("{:.1} s", (span.as_secs_f64()).max(0.1))
    } else if secs < 100 {
        format!("{secs} s")
    } else if secs < 3600 {
        format!("{} m {:02} s", secs / 60, secs % 60)
    } else if secs < 86_400 {
        format!("{} h {:02} m", secs / 3600, secs / 60 % 60)
    } else {
        format!("{} d {:02} h", secs / 86_400, secs / 3600 % 24)
    }
}

/// A span with tenths below ten seconds: `1.9 s`, `12 s`.
pub fn seconds(span: Duration) -> String {
    if span < Duration::from_millis(9950) {
        format!("{:.1} s", span.as_secs_f64())
    } else {
        self::span(span)
    }
}

/// An age as `kubectl` writes it: `49s`, `5m`, `3h`, `12d`.
pub fn age(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..100 => format!("{secs}s"),
        100..6000 => format!("{}m", secs / 60),
        6000..172_800 => format!("{}h", secs / 3600),
        _ => format!("{}d", secs / 86_400),
    }
}

/// Time since the beginning: `02:14`, `1:02:14`.
pub fn elapsed(span: Duration) -> String {
    let secs = span.as_secs();
    if secs < 3600 {
        format!("{:02}:{:02}", secs / 60, secs % 60)
    } else {
        format!("{}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
    }
}

/// The UTC clock at a moment: `14:03:22`.
pub fn clock(anchor: Anchor, at: At) -> String {
    let secs = anchor.wall(at).0.div_euclid(1_000_000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

/// The same to a tenth of a second: `14:03:22.4`.
pub fn clock_tenths(anchor: Anchor, at: At) -> String {
    let tenths = anchor.wall(at).0.rem_euclid(1_000_000) / 100_000;
    format!("{}.{tenths}", clock(anchor, at))
}

/// Bytes as `212 MiB`, `3.4 GiB`.
pub fn bytes(bytes: Bytes) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes.0 as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 999.5 {
            let is_whole = unit == "B" || 99.5 <= value || value.fract() == 0.0;
            return if is_whole {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// `one pod`, `2 pods`: the count with its noun.
pub fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::UnixMicros;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.001, "0"),
            (0.04, "0.04"),
            (7.0, "7.0"),
            (58.43, "58.4"),
            (99.96, "100"),
            (545.2, "545"),
            (12_345.0, "12.3k"),
            (999_600.0, "1.0M"),
            (-180.0, "−180"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
        assert_eq!(count(9.0), "9");
        assert_eq!(rate(12.3), "12");
        assert_eq!(rate(0.5), "0.50");
    }

    #[test]
    fn spans_are_written_for_people() {
        for (millis, text) in [
            (0, "0 s"),
            (400, "0.4 s"),
            (24_000, "24 s"),
            (134_000, "2 m 14 s"),
            (3_900_000, "1 h 05 m"),
            (90_000_000, "1 d 01 h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
        assert_eq!(latency(0.106), "106 ms");
        assert_eq!(latency(1.234), "1.23 s");
        assert_eq!(latency(0.000_04), "0.04 ms");
        assert_eq!(elapsed(Duration::from_secs(3734)), "1:02:14");
        assert_eq!(percent(0.125), "12.5 %");
        assert_eq!(bytes(Bytes(212 << 20)), "212 MiB");
        assert_eq!(age(Duration::from_secs(300)), "5m");
    }

    #[test]
    fn the_clock_is_that_of_utc() {
        let anchor = Anchor(UnixMicros(1_700_000_000_000_000));
        assert_eq!(clock_tenths(anchor, At::from_millis(2345)), "22:13:22.3");
    }

    #[test]
    fn names_are_cut_where_it_hurts_least() {
        assert_eq!(pod("probe-00001-deployment-6dc58bb8f9-md9qs"), "…md9qs");
        assert_eq!(head("abcdef", 4), "abc…");
        assert_eq!(tail("abcdef", 4), "…def");
        assert_eq!(tail("世界地図", 5), "…地図");
        assert_eq!(left("世界", 5), "世界 ");
    }

    proptest! {
        #[test]
        fn a_field_has_exactly_its_width(text in "\\PC{0,30}", n_cells in 0usize..40) {
            prop_assert_eq!(width(&left(&text, n_cells)), n_cells);
            prop_assert_eq!(width(&right(&text, n_cells)), n_cells);
            prop_assert!(width(&head(&text, n_cells)) <= n_cells);
            prop_assert!(width(&tail(&text, n_cells)) <= n_cells);
        }

        #[test]
        fn no_number_takes_more_than_six_cells(value in -1e13f64..1e13) {
            prop_assert!(width(&number(value)) <= 6, "{}", number(value));
            prop_assert!(width(&rate(value.abs())) <= 6, "{}", rate(value.abs()));
        }
    }
}
