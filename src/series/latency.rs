//! A histogram of latencies that can be added without loss.
//!
//! It has the buckets of an [`hdrhistogram`] from 1 µs to 10 min with three digits, but keeps only
//! those that hold something: an interval of a tenth of a second touches a few hundred of 21,504,
//! and many intervals are kept and added for every frame. Values past 10 min count in the last
//! bucket.

use std::time::Duration;

use hdrhistogram::Counter;
use hdrhistogram::Histogram as Recorder;

use super::DecodeError;
use super::HeatColumn;
use super::encoding;
use crate::event::traffic::Histogram;

/// Values below are counted exactly; above, each doubling has half as many buckets.
const SUB_BUCKETS: u64 = 2048;

/// Latencies by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    /// Bucket and its count, ascending in the bucket; no count is zero.
    buckets: Vec<(u16, u64)>,
    /// The sum of the counts.
    count: u64,
}

// === impl LatencyHistogram ===

impl LatencyHistogram {
    /// The largest latency that is told from larger ones, in microseconds.
    pub const MAX_MICROS: u64 = 600_000_000;

    /// Significant decimal digits.
    pub const DIGITS: u8 = 3;

    /// From an interval's encoding.
    pub fn decode(encoded: &Histogram) -> Result<Self, DecodeError> {
        Ok(Self::of_buckets(encoding::decode(&encoded.0)?))
    }

    /// As it stands in an interval: `HdrHistogram`'s V2 encoding.
    pub fn encode(&self) -> Histogram {
        Histogram(encoding::encode(&self.buckets))
    }

    pub(super) fn of_buckets(buckets: Vec<(u16, u64)>) -> Self {
        let count = buckets.iter().fold(0, |sum: u64, (_, n)| sum.saturating_add(*n));
        Self { buckets, count }
    }

    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.record_n(micros, 1);
    }

    fn record_n(&mut self, micros: u64, n: u64) {
        if n == 0 {
            return;
        }
        let bucket = bucket_of(micros);
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(idx) => self.buckets[idx].1 = self.buckets[idx].1.saturating_add(n),
            Err(idx) => self.buckets.insert(idx, (bucket, n)),
        }
        self.count = self.count.saturating_add(n);
    }

    /// Adds the counts of another: nothing is lost, since both have the same buckets. In place,
    /// since a sum over hours is added to twice a second.
    pub fn add(&mut self, other: &Self) {
        let n_new = self.count_new(other);
        let mut from = self.buckets.len();
        self.buckets.resize(from + n_new, (0, 0));
        let mut to = self.buckets.len();
        // From the back, so that nothing is overwritten before it has moved.
        for (bucket, n) in other.buckets.iter().rev().copied() {
            while 0 < from && bucket < self.buckets[from - 1].0 {
                (from, to) = (from - 1, to - 1);
                self.buckets[to] = self.buckets[from];
            }
            to -= 1;
            let is_known = 0 < from && self.buckets[from - 1].0 == bucket;
            let before = if is_known { self.buckets[from - 1].1 } else { 0 };
            from -= usize::from(is_known);
            self.buckets[to] = (bucket, before.saturating_add(n));
        }
        self.count = self.count.saturating_add(other.count);
    }

    /// Buckets of another that are empty here.
    fn count_new(&self, other: &Self) -> usize {
        let mut mine = self.buckets.iter().map(|(bucket, _)| *bucket).peekable();
        let is_new = |bucket: &u16| {
            while mine.next_if(|it| it < bucket).is_some() {}
            mine.peek() != Some(bucket)
        };
        other.buckets.iter().map(|(bucket, _)| *bucket).filter(is_new).count()
    }

    /// Latencies in microseconds, each the lowest of those that are not told from it, with how
    /// often they were counted; ascending.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        self.buckets.iter().map(|(bucket, n)| (lowest(*bucket), *n))
    }

    /// How many latencies were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether none was counted.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The latency that a share `quantile` of all does not exceed, to three digits, rounded up;
    /// 0.99 is p99. Zero if nothing was counted: ask [`Self::is_empty`] first.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the counts there are"
    )]
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let rank = rank.clamp(1, self.count.max(1));
        let mut sum = 0u64;
        for (bucket, n) in &self.buckets {
            sum = sum.saturating_add(*n);
            if rank <= sum {
                return Duration::from_micros(highest(*bucket));
            }
        }
        Duration::ZERO
    }

    /// How many latencies do not exceed `bound`, to three digits.
    pub fn count_up_to(&self, bound: Duration) -> u64 {
        let bound = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        let below = self.buckets.iter().take_while(|(bucket, _)| highest(*bucket) <= bound);
        below.map(|(_, n)| n).sum()
    }

    /// The smallest latency, to three digits, rounded down; zero if nothing was counted.
    pub fn min(&self) -> Duration {
        Duration::from_micros(self.buckets.first().map_or(0, |(bucket, _)| lowest(*bucket)))
    }

    /// The largest latency, to three digits, rounded up; zero if nothing was counted.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.buckets.last().map_or(0, |(bucket, _)| highest(*bucket)))
    }

    /// The mean, to three digits; zero if nothing was counted.
    #[expect(clippy::cast_precision_loss, reason = "three digits are enough")]
    pub fn mean(&self) -> Duration {
        if self.is_empty() {
            return Duration::ZERO;
        }
        let middle = |bucket: u16| lowest(bucket) as f64 + width(bucket) as f64 / 2.0;
        // A bucket of one microsecond has no middle but itself.
        let value =
            |bucket| if width(bucket) == 1 { lowest(bucket) as f64 } else { middle(bucket) };
        let sum: f64 = self.buckets.iter().map(|(bucket, n)| value(*bucket) * *n as f64).sum();
        Duration::from_secs_f64(sum / self.count as f64 / 1e6)
    }

    /// How the latencies are distributed, in logarithmic rows.
    pub fn heat(&self) -> HeatColumn {
        HeatColumn::of(self.buckets.iter().map(|(bucket, n)| (lowest(*bucket), *n)))
    }
}

impl<C: Counter> From<&Recorder<C>> for LatencyHistogram {
    /// What a recorder has counted, whatever its bounds.
    fn from(recorder: &Recorder<C>) -> Self {
        let mut histogram = Self::default();
        for step in recorder.iter_recorded() {
            let value = recorder.lowest_equivalent(step.value_iterated_to());
            histogram.record_n(value, step.count_at_value().as_u64());
        }
        histogram
    }
}

/// `HdrHistogram`'s index: 2048 buckets of 1 µs, then 1024 a doubling.
pub(super) fn bucket_of(micros: u64) -> u16 {
    let micros = micros.min(LatencyHistogram::MAX_MICROS);
    let doublings = (micros | (SUB_BUCKETS - 1)).ilog2() - (SUB_BUCKETS - 1).ilog2();
    let bucket = u64::from(doublings) * (SUB_BUCKETS / 2) + (micros >> doublings);
    u16::try_from(bucket).unwrap_or(u16::MAX)
}

/// How many times the width has doubled in a bucket.
fn doublings(bucket: u16) -> u64 {
    (u64::from(bucket) / (SUB_BUCKETS / 2)).saturating_sub(1)
}

fn width(bucket: u16) -> u64 {
    1 << doublings(bucket)
}

fn lowest(bucket: u16) -> u64 {
    (u64::from(bucket) - doublings(bucket) * (SUB_BUCKETS / 2)) << doublings(bucket)
}

fn highest(bucket: u16) -> u64 {
    lowest(bucket) + width(bucket) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(values: &[u64]) -> (LatencyHistogram, Recorder<u64>) {
        let mut ours = LatencyHistogram::default();
        let mut reference = Recorder::new_with_bounds(1, 600_000_000, 3).unwrap();
        for value in values {
            ours.record(Duration::from_micros(*value));
            reference.record(*value).unwrap();
        }
        (ours, reference)
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = (0u32..30, 0.0..1.0f64).prop_map(|(bits, share)| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test")]
            let value = (f64::from(1 << bits) * (1.0 + share)) as u64;
            value.min(LatencyHistogram::MAX_MICROS)
        });
        proptest::collection::vec(value, 0..200)
    }

    proptest! {
        #[test]
        fn it_says_what_hdrhistogram_says(values in values(), quantile in 0.0..1.0f64) {
            let (ours, reference) = both(&values);
            let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap();
            prop_assert_eq!(ours.count(), reference.len());
            if !values.is_empty() {
                for quantile in [quantile, 0.5, 0.99, 1.0] {
                    let expected = reference.value_at_quantile(quantile);
                    prop_assert_eq!(micros(ours.quantile(quantile)), expected, "{}", quantile);
                }
                prop_assert_eq!(micros(ours.min()), reference.min());
                prop_assert_eq!(micros(ours.max()), reference.max());
                let off = ours.mean().as_secs_f64() * 1e6 - reference.mean();
                prop_assert!(off.abs() <= 1e-3 + reference.mean() * 1e-9, "mean off by {}", off);
            }
            prop_assert_eq!(LatencyHistogram::from(&reference), ours);
        }

        #[test]
        fn merged_is_the_whole(mine in values(), others in values()) {
            let mut merged = both(&mine).0;
            merged.add(&both(&others).0);
            prop_assert_eq!(merged, both(&[mine, others].concat()).0);
        }

        #[test]
        fn an_encoding_is_read_back(values in values()) {
            let ours = both(&values).0;
            prop_assert_eq!(LatencyHistogram::decode(&ours.encode()).unwrap(), ours.clone());
            prop_assert_eq!(ours.heat().count(), ours.count());
        }
    }

    #[test]
    fn what_took_longer_than_ten_minutes_counts_as_ten() {
        let mut histogram = LatencyHistogram::default();
        histogram.record(Duration::from_secs(86_400));
        assert_eq!(histogram.max().as_secs(), 600);
        assert_eq!(LatencyHistogram::default().quantile(0.5), Duration::ZERO);
    }
}
