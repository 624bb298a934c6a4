//! Averages over the last seconds, and the maximum over the last two-second slots.
//!
//! A bucket holds what was recorded in one second, added up. The average has three properties that
//! surprise: over a window not yet full it divides by the seconds since the first write only; a
//! second without a write counts as zero if a later one has a write; and silence after the last
//! write does not lower it until the window is over.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::units::At;

use super::decide::Observed;

/// The longest window that Knative admits.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(3600);

/// Slots of the scale-down delay are as long as a tick.
const SLOT_SECS: u64 = 2;

/// The smallest smoothing coefficient.
const LEAST_COEFFICIENT: f64 = 0.2;

/// How a window's buckets become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// The mean of the seconds.
    #[default]
    Linear,
    /// Newer seconds weigh more; the weights do not add up to one.
    WeightedExponential,
}

/// One window of one-second buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    aggregation: Aggregation,
    /// A ring: the second `s` lives at `s` modulo its length.
    ring: Vec<f64>,
    total: f64,
    /// First and last second written to.
    written: Option<(i64, i64)>,
}

/// The stable and the panic window over one quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    stable: Buckets,
    panic: Buckets,
}

/// The maximum of what was recorded within a delay: how Knative defers scaling down.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxWindow {
    n_slots: i64,
    /// Slots and values, the oldest and largest first.
    maxima: VecDeque<(i64, u32)>,
}

// === impl Buckets ===

impl Buckets {
    /// Empty buckets over `window`, rounded up to seconds, at least one and at most an hour.
    pub fn new(aggregation: Aggregation, window: Duration) -> Self {
        Self { aggregation, ring: vec![0.0; n_buckets(window)], total: 0.0, written: None }
    }

    /// Adds `value` to the second of `now`. What is older than the window is ignored.
    pub fn record(&mut self, now: At, value: f64) {
        let second = second(now);
        match self.written {
            None => {
                self.written = Some((second, second));
            }
            Some((_, last)) if second == last => {}
            Some((first, last)) if second < last => {
                if second + self.window() <= last {
                    return;
                }
                self.written = Some((first.min(second), last));
            }
            Some((_, last)) if self.window() <= second - last => {
                self.ring.fill(0.0);
                self.total = 0.0;
                self.written = Some((second, second));
            }
            Some((first, last)) => {
                for skipped in last + 1..=second {
                    let idx = self.idx(skipped);
                    self.total -= self.ring[idx];
                    self.ring[idx] = 0.0;
                }
                self.written = Some((first, second));
            }
        }
        let idx = self.idx(second);
        self.ring[idx] += value;
        self.total += value;
    }

    /// Whether nothing was recorded for longer than the window.
    pub fn is_empty(&self, now: At) -> bool {
        self.written.is_none_or(|(_, last)| self.window() < second(now) - last)
    }

    /// The average at `now`; 0 if there is nothing to average.
    pub fn average(&self, now: At) -> f64 {
        let Some((first, last)) = self.written else {
            return 0.0;
        };
        let now = second(now);
        match self.aggregation {
            Aggregation::Linear => self.linear(first, last, now),
            Aggregation::WeightedExponential => self.weighted(last, now),
        }
    }

    /// Makes the window longer or shorter and keeps the newest seconds.
    pub fn resize(&mut self, window: Duration, now: At) {
        let n_new = n_buckets(window);
        if n_new == self.ring.len() {
            return;
        }
        let mut resized = Self::new(self.aggregation, window);
        if let Some((_, last)) = self.written.filter(|_| !self.is_empty(now)) {
            for back in 0..i64::try_from(n_new.min(self.ring.len())).unwrap_or(0) {
                let value = self.ring[self.idx(last - back)];
                let idx = resized.idx(last - back);
                resized.ring[idx] = value;
                resized.total += value;
            }
            resized.written = Some((last - (self.window() - 1), last));
        }
        *self = resized;
    }

    fn linear(&self, first: i64, last: i64, now: i64) -> f64 {
        let since_last = (now - last).max(0);
        if self.window() <= since_last {
            return 0.0;
        }
        let mut total = self.total;
        for outdated in last + 1..=last + since_last {
            total -= self.ring[self.idx(outdated)];
        }
        let n_valid = (last - first + 1).min(self.window() - since_last);
        let scale = 1e6;
        // What is left of sums and differences may be a negative zero.
        (total / count(n_valid) * scale).round() / scale + 0.0
    }

    fn weighted(&self, last: i64, now: i64) -> f64 {
        let since_last = (now - last).max(0);
        if self.window() < since_last {
            return 0.0;
        }
        let coefficient = self.coefficient();
        let decay = 1.0 - coefficient;
        let mut weight = coefficient * decay.powi(i32::try_from(since_last).unwrap_or(i32::MAX));
        let mut average = 0.0;
        for age in 0..self.window() - since_last {
            average += self.ring[self.idx(last - age)] * weight;
            weight *= decay;
        }
        average
    }

    /// `max(0.2, 1 − 0.0001^(1/n))`: the weights of `n` buckets add up to at least 0.9999.
    fn coefficient(&self) -> f64 {
        let n = count(self.window());
        (1.0 - (1.0_f64 - 0.9999).powf(1.0 / n)).max(LEAST_COEFFICIENT)
    }

    fn window(&self) -> i64 {
        i64::try_from(self.ring.len()).unwrap_or(i64::MAX)
    }

    fn idx(&self, second: i64) -> usize {
        usize::try_from(second.rem_euclid(self.window())).unwrap_or(0)
    }
}

// === impl Windows ===

impl Windows {
    /// Empty windows.
    pub fn new(aggregation: Aggregation, stable: Duration, panic: Duration) -> Self {
        Self { stable: Buckets::new(aggregation, stable), panic: Buckets::new(aggregation, panic) }
    }

    /// Adds `value` to the second of `now` in both.
    pub fn record(&mut self, now: At, value: f64) {
        self.stable.record(now, value);
        self.panic.record(now, value);
    }

    /// Makes the windows longer or shorter.
    pub fn resize(&mut self, stable: Duration, panic: Duration, now: At) {
        self.stable.resize(stable, now);
        self.panic.resize(panic, now);
    }

    /// Both averages. `None`: there is no data. A revision whose pods are not scraped, since its
    /// target burst capacity is -1, always has data: 0 when nothing came.
    pub fn observed(&self, now: At, scraped: bool) -> Option<Observed> {
        if scraped && self.stable.is_empty(now) {
            return None;
        }
        Some(Observed { stable: self.stable.average(now), panic: self.panic.average(now) })
    }
}

// === impl MaxWindow ===

impl MaxWindow {
    /// A window as long as `delay`, rounded up to slots of two seconds, at least one.
    pub fn new(delay: Duration) -> Self {
        let n_slots = secs_up(delay.min(LONGEST_WINDOW)).div_ceil(SLOT_SECS).max(1);
        Self { n_slots: i64::try_from(n_slots).unwrap_or(1), maxima: VecDeque::new() }
    }

    /// Records `value` and returns the maximum of the window. Of several values in one slot the
    /// largest counts.
    pub fn record(&mut self, now: At, value: u32) -> u32 {
        let slot = second(now).div_euclid(2);
        while self.maxima.back().is_some_and(|(_, smaller)| *smaller <= value) {
            self.maxima.pop_back();
        }
        while self.maxima.front().is_some_and(|(old, _)| self.n_slots <= slot - old) {
            self.maxima.pop_front();
        }
        // What is left is larger: in the same slot it stands for this one too.
        if self.maxima.back().is_none_or(|(newest, _)| *newest != slot) {
            self.maxima.push_back((slot, value));
        }
        self.maxima.front().map_or(value, |(_, largest)| *largest)
    }
}

fn second(at: At) -> i64 {
    i64::try_from(at.as_micros() / 1_000_000).unwrap_or(i64::MAX)
}

fn secs_up(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() != 0)
}

fn n_buckets(window: Duration) -> usize {
    usize::try_from(secs_up(window.min(LONGEST_WINDOW))).unwrap_or(1).max(1)
}

#[expect(clippy::cast_precision_loss, reason = "at most 3600 seconds")]
fn count(n: i64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn linear(secs: u64) -> Buckets {
        Buckets::new(Aggregation::Linear, Duration::from_secs(secs))
    }

    #[track_caller]
    fn assert_close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }

    #[test]
    fn a_longer_window_keeps_what_was_there() {
        let mut buckets = linear(4);
        for secs in 0..4 {
            buckets.record(At::from_secs(secs), 10.0);
        }
        buckets.resize(Duration::from_secs(8), At::from_secs(3));
        assert_close(buckets.average(At::from_secs(3)), 10.0);
        for secs in 4..8 {
            buckets.record(At::from_secs(secs), 20.0);
        }
        assert_close(buckets.average(At::from_secs(7)), 15.0);
    }

    #[test]
    fn a_shorter_window_keeps_the_newest() {
        let mut buckets = linear(8);
        for (secs, value) in (0..8).zip([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 7.0]) {
            buckets.record(At::from_secs(secs), value);
        }
        buckets.resize(Duration::from_secs(2), At::from_secs(7));
        assert_close(buckets.average(At::from_secs(7)), 6.0);
        buckets.record(At::from_secs(8), 1.0);
        assert_close(buckets.average(At::from_secs(8)), 4.0);
    }

    #[test]
    fn what_comes_a_window_too_late_is_ignored() {
        let mut buckets = linear(4);
        for (secs, value) in [(10, 8.0), (7, 4.0), (6, 100.0), (2, 100.0)] {
            buckets.record(At::from_secs(secs), value);
        }
        assert_close(buckets.average(At::from_secs(10)), 3.0);
    }

    #[test]
    fn what_is_stale_does_not_outlive_a_resize() {
        let mut buckets = linear(4);
        buckets.record(At::ZERO, 10.0);
        buckets.resize(Duration::from_secs(60), At::from_secs(5));
        assert!(buckets.is_empty(At::from_secs(5)));
    }

    #[test]
    fn windows_are_bounded_whatever_is_asked_for() {
        assert_eq!(linear(u64::MAX).ring.len(), 3600);
        assert_eq!(linear(0).ring.len(), 1);
    }

    #[test]
    fn a_revision_that_is_not_scraped_always_has_data() {
        let windows = |secs| Duration::from_secs(secs);
        let windows = Windows::new(Aggregation::Linear, windows(60), windows(6));
        assert_eq!(windows.observed(At::ZERO, true), None);
        let nothing = Observed { stable: 0.0, panic: 0.0 };
        assert_eq!(windows.observed(At::ZERO, false), Some(nothing));
    }

    proptest! {
        /// As if one kept all that was written and added up when asked.
        #[test]
        fn the_ring_is_the_plain_sum(
            window in 1..20u64,
            writes in prop::collection::vec((0..4u64, 0..100u32), 1..80),
            later in 0..25u64,
        ) {
            let mut buckets = linear(window);
            let mut written: Vec<(u64, f64)> = Vec::new();
            let mut first = 0;
            let mut last = None;
            let mut secs = 100;
            for (gap, value) in writes {
                secs += gap;
                if last.is_none_or(|last| window <= secs - last) {
                    first = secs;
                }
                last = Some(secs);
                buckets.record(At::from_secs(secs), f64::from(value));
                written.push((secs, f64::from(value)));
            }
            let now = secs + later;
            let average = buckets.average(At::from_secs(now));
            if window <= later {
                prop_assert!(average.abs() < 1e-9);
            } else {
                let oldest = first.max((now + 1).saturating_sub(window));
                let sum: f64 =
                    written.iter().filter(|(at, _)| oldest <= *at).map(|(_, value)| value).sum();
                let n_secs = u32::try_from((secs - first + 1).min(window - later)).unwrap();
                prop_assert!((average - sum / f64::from(n_secs)).abs() < 1e-5, "{average} {sum}");
            }
            prop_assert_eq!(buckets.is_empty(At::from_secs(now)), window < later);
        }

        #[test]
        fn the_maximum_is_that_of_the_last_slots(
            delay in 1..40u64,
            writes in prop::collection::vec((0..5u64, 0..9u32), 1..60),
        ) {
            let mut window = MaxWindow::new(Duration::from_secs(delay));
            let n_slots = delay.div_ceil(2);
            let mut written: Vec<(u64, u32)> = Vec::new();
            let mut secs = 0;
            for (gap, value) in writes {
                secs += gap;
                written.push((secs / 2, value));
                let recent = written.iter().filter(|(slot, _)| secs / 2 < slot + n_slots);
                let expected = recent.map(|(_, value)| *value).max().unwrap();
                prop_assert_eq!(window.record(At::from_secs(secs), value), expected);
            }
        }
    }
}
