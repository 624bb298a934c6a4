//! Prometheus text to samples.
//!
//! `prometheus-parse` cuts label values at commas, loses a line with `}` in a value, leaves
//! escapes in place, does not know quoted names, and drops what it cannot read without a word. So
//! the name and the labels are read here, and it gets the rest of the line: value and stamp.

use prometheus_parse::LineInfo;

/// The most samples that are kept of one text.
pub(crate) const MAX_SAMPLES: usize = 50_000;

/// One sample. The value may be NaN or infinite, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name, unquoted.
    pub name: String,
    /// Its labels in the order written, unquoted and unescaped.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// The samples of a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    /// Those that were asked for.
    pub samples: Vec<Sample>,
    /// Lines that nobody understood, and samples beyond the limit.
    pub n_not_understood: u64,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a text and keeps the samples whose name `is_wanted`.
///
/// The other lines are only looked at as far as their name; a line without one is counted.
pub fn parse(text: &str, is_wanted: impl Fn(&str) -> bool) -> Exposition {
    let mut exposition = Exposition::default();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read(line, &is_wanted).unwrap_or(Line::NotUnderstood) {
            Line::Unwanted => {}
            Line::Sample(sample) if exposition.samples.len() < MAX_SAMPLES => {
                exposition.samples.push(sample);
            }
            Line::Sample(_) | Line::NotUnderstood => exposition.n_not_understood += 1,
        }
    }
    exposition
}

/// Whether this is Prometheus text at all, going by its first line; empty text is.
pub(crate) fn is_one(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    first.is_none_or(|line| line.starts_with('#') || read(line, &|_| true).is_some())
}

/// What a line turned out to be.
enum Line {
    Sample(Sample),
    Unwanted,
    NotUnderstood,
}

/// Reads a line; `None` is one that is not understood.
fn read(line: &str, is_wanted: &impl Fn(&str) -> bool) -> Option<Line> {
    let n_name = line.find(|c: char| !is_name_char(c)).unwrap_or(line.len());
    let (mut name, mut rest) = (line[..n_name].to_owned(), &line[n_name..]);
    let mut labels = Vec::new();
    if name.starts_with(|c: char| c.is_ascii_digit()) || (name.is_empty() && !rest.starts_with('{'))
    {
        return None;
    }
    if !name.is_empty() && !is_wanted(&name) {
        return Some(Line::Unwanted);
    }
    // There may be a space before the braces.
    if let Some(block) = rest.trim_start().strip_prefix('{') {
        rest = label_block(block, &mut name, &mut labels)?;
        if name.is_empty() {
            return None;
        }
        if !is_wanted(&name) {
            return Some(Line::Unwanted);
        }
    }
    // The crate knows a value and a stamp when it sees them; the name does not matter here.
    let remainder = format!("value {}", rest.trim_start());
    let LineInfo::Sample { labels: None, value, .. } = LineInfo::parse(&remainder) else {
        return None;
    };
    Some(Line::Sample(Sample { name, labels, value: value.parse().ok()? }))
}

/// Reads up to the closing brace and gives what stands behind it. A quoted word that is not a
/// label's name is the metric's.
fn label_block<'a>(
    mut rest: &'a str,
    name: &mut String,
    labels: &mut Vec<(String, String)>,
) -> Option<&'a str> {
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('}') {
            return Some(behind);
        }
        let (key, behind) = if let Some(quoted) = rest.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let n_key = rest.find(|c: char| !is_name_char(c))?;
            (rest[..n_key].to_owned(), &rest[n_key..])
        };
        let is_quoted = rest.starts_with('"');
        rest = behind.trim_start();
        if let Some(behind) = rest.strip_prefix('=') {
            let (value, behind) = unquote(behind.trim_start().strip_prefix('"')?)?;
            if key.is_empty() {
                return None;
            }
            labels.push((key, value));
            rest = behind.trim_start();
        } else if is_quoted && name.is_empty() {
            *name = key;
        } else {
            return None;
        }
        if let Some(behind) = rest.strip_prefix(',') {
            rest = behind;
        } else if !rest.starts_with('}') {
            return None;
        }
    }
}

/// Reads behind an opening quote up to the closing one, and gives what stands behind that.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((byte_idx, c)) = chars.next() {
        match c {
            '"' => return Some((word, &text[byte_idx + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => word.push('\n'),
                c @ ('\\' | '"') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
    None
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Option<Sample> {
        let parsed = parse(line, |_| true);
        assert_eq!(parsed.samples.len() as u64 + parsed.n_not_understood, 1, "{line}");
        parsed.samples.into_iter().next()
    }

    #[test]
    fn what_the_crate_gets_wrong_is_right_here() {
        for (line, name, labels, value) in [
            ("up 1", "up", vec![], 1.0),
            ("up{} 1", "up", vec![], 1.0),
            ("up {a=\"b\"} 1 1700000000000", "up", vec![("a", "b")], 1.0),
            ("up{a=\"x,y\",b=\"z\",} 2", "up", vec![("a", "x,y"), ("b", "z")], 2.0),
            ("up{a=\"x}y\"} 2", "up", vec![("a", "x}y")], 2.0),
            (r#"up{a="x\"y\\z\nw"} 2"#, "up", vec![("a", "x\"y\\z\nw")], 2.0),
            ("up{a=\"x=y\"} 2", "up", vec![("a", "x=y")], 2.0),
            ("{\"a.b/c\",\"d.e\"=\"f\"} +Inf", "a.b/c", vec![("d.e", "f")], f64::INFINITY),
            ("a:b{c=\"\"} -1e3 # {id=\"9\"} 1", "a:b", vec![("c", "")], -1000.0),
        ] {
            let sample = one(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((sample.name.as_str(), sample.value), (name, value), "{line}");
            let read: Vec<_> =
                sample.labels.iter().map(|(key, value)| (&**key, &**value)).collect();
            assert_eq!(read, labels, "{line}");
        }
        assert!(one("up NaN").unwrap().value.is_nan());
        for line in
            ["up", "up{a=\"b\" 1", "up{a=b} 1", "up x", "<html>", "9up 1", "{} 1", "up{=\"\"} 1"]
        {
            assert_eq!(one(line), None, "{line}");
        }
    }

    #[test]
    fn the_number_of_samples_is_bounded() {
        let parsed = parse(&"up 1\n".repeat(MAX_SAMPLES + 7), |_| true);
        assert_eq!((parsed.samples.len(), parsed.n_not_understood), (MAX_SAMPLES, 7));
    }

    proptest! {
        #[test]
        fn tame_lines_are_read_as_the_crate_reads_them(
            name in "[a-z_][a-z0-9_]{0,8}",
            labels in prop::collection::btree_map("[a-z]{1,5}", "[a-zA-Z0-9 ./-]{1,8}", 0..4),
            value in -1e12..1e12f64,
        ) {
            let block: Vec<_> = labels.iter().map(|(key, v)| format!("{key}=\"{v}\"")).collect();
            let block = if block.is_empty() { String::new() } else { format!("{{{}}}", block.join(",")) };
            let line = format!("{name}{block} {value}");
            let theirs = prometheus_parse::Scrape::parse(std::iter::once(Ok(line.clone()))).unwrap();
            let ours = parse(&line, |_| true);
            prop_assert_eq!(ours.n_not_understood, 0);
            prop_assert_eq!(&ours.samples[0].name, &theirs.samples[0].metric);
            prop_assert_eq!(&prometheus_parse::Value::Untyped(ours.samples[0].value), &theirs.samples[0].value);
            let ours: std::collections::HashMap<_, _> = ours.samples[0].labels.iter().cloned().collect();
            prop_assert_eq!(&ours, &*theirs.samples[0].labels);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,200}") {
            let n_lines = text.lines().count() as u64;
            let parsed = parse(&text, |_| true);
            prop_assert!(parsed.samples.len() as u64 + parsed.n_not_understood <= n_lines);
        }

        #[test]
        fn every_label_value_comes_back(value in "(?s).{0,40}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // What ends a line in the format is escaped; a bare carriage return before it is not.
            prop_assume!(!value.contains('\r'));
            let sample = one(&format!("up{{a=\"{escaped}\"}} 1")).unwrap();
            prop_assert_eq!(sample.label("a"), Some(&*value));
        }
    }
}
