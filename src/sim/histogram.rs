//! The histogram of seconds that Knative's components export.

use std::time::Duration;

/// Upper bounds in seconds, those of OpenTelemetry's HTTP instruments.
pub(crate) const BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Counts by bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    counts: [u64; 15],
    sum: f64,
}

impl Histogram {
    pub(crate) fn record(&mut self, span: Duration) {
        let seconds = span.as_secs_f64();
        let bound_idx = BOUNDS.partition_point(|bound| *bound < seconds);
        self.counts[bound_idx] += 1;
        self.sum += seconds;
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Appends the series in Prometheus text: cumulative buckets, sum, count.
    pub(crate) fn write(&self, out: &mut String, name: &str, labels: &str) {
        use std::fmt::Write as _;

        let mut n_below = 0;
        for (bound, count) in BOUNDS.iter().zip(self.counts) {
            n_below += count;
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {n_below}");
        }
        let n_all = self.count();
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {n_all}");
        let _ = writeln!(out, "{name}_sum{{{labels}}} {}", self.sum);
        let _ = writeln!(out, "{name}_count{{{labels}}} {n_all}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut histogram = Histogram::default();
        for millis in [1, 5, 6, 100, 20_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let mut text = String::new();
        histogram.write(&mut text, "x", "a=\"b\"");
        for line in [
            "x_bucket{a=\"b\",le=\"0.005\"} 2",
            "x_bucket{a=\"b\",le=\"0.01\"} 3",
            "x_bucket{a=\"b\",le=\"0.1\"} 4",
            "x_bucket{a=\"b\",le=\"10\"} 4",
            "x_bucket{a=\"b\",le=\"+Inf\"} 5",
            "x_count{a=\"b\"} 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
    }
}
