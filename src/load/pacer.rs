//! When the next request is due.
//!
//! Arrivals are points on the integral of the offered rate: the whole numbers when evenly spaced,
//! the sums of exponential gaps when Poisson. A change of rate bends the curve from its moment on
//! and leaves the points alone, so nothing is lost or doubled; shards take every n-th point of the
//! same sequence, so their arrivals add up to the whole.

use std::collections::VecDeque;
use std::sync::Arc;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::scenario::profile::Profile;

/// The rate from a moment on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Course {
    /// From when on, in seconds since the load began.
    pub(super) since: f64,
    /// The curve.
    pub(super) profile: Profile,
    /// Where on the curve `since` lies, in seconds.
    pub(super) offset: f64,
}

/// Where the points lie on the integral.
#[derive(Debug, Clone)]
enum Points {
    Even,
    Poisson(Box<SmallRng>),
    /// Where the integral of the recorded profile stood at each moment.
    Recorded(Arc<[f64]>),
}

/// Gives one due time after the other.
#[derive(Debug, Clone)]
pub(super) struct Pacer {
    course: Course,
    /// The integral until the course began.
    area_before: f64,
    /// What follows it, in order. A change is told a little before its moment, and what is due
    /// until then is due as it was.
    changes: VecDeque<Course>,
    points: Points,
    /// The next point of the common sequence, and its number.
    next: (f64, u64),
    /// When it is due, as the rate stands.
    due: Option<f64>,
    /// This shard takes the points of which the number is `shard` modulo `n_shards`.
    shard: u64,
    n_shards: u64,
    /// No point beyond this number.
    limit: u64,
}

// === impl Course ===

impl Course {
    /// Nothing is due.
    pub(super) fn silence() -> Self {
        Self { since: 0.0, profile: Profile::fixed(0.0), offset: 0.0 }
    }

    /// The rate at `t`, in seconds since the load began.
    pub(super) fn rate_at(&self, t: f64) -> f64 {
        // A change is known a little before it takes effect, and nanoseconds are cut off.
        self.profile.rate_at(self.profile_time(t.max(self.since)))
    }

    /// Where on the curve `t` lies.
    pub(super) fn profile_time(&self, t: f64) -> f64 {
        t - self.since + self.offset
    }

    fn area(&self, t: f64) -> f64 {
        self.profile.integral(self.profile_time(t)) - self.profile.integral(self.offset)
    }
}

// === impl Pacer ===

impl Pacer {
    /// Evenly spaced arrivals, the first at once.
    pub(super) fn even(course: Course, (shard, n_shards): (u64, u64), limit: Option<u64>) -> Self {
        Self::new(course, Points::Even, (shard, n_shards), limit)
    }

    /// Poisson arrivals; every shard has the same seed.
    pub(super) fn poisson(
        course: Course,
        seed: u64,
        (shard, n_shards): (u64, u64),
        limit: Option<u64>,
    ) -> Self {
        let rng = Box::new(SmallRng::seed_from_u64(seed));
        Self::new(course, Points::Poisson(rng), (shard, n_shards), limit)
    }

    /// Arrivals at recorded moments, in seconds since the profile began. A change of rate stretches
    /// or presses what is left of them.
    pub(super) fn recorded(
        course: Course,
        (moments, profile): (&[f64], &Profile),
        (shard, n_shards): (u64, u64),
        limit: Option<u64>,
    ) -> Self {
        let points = moments.iter().map(|moment| profile.integral(*moment)).collect();
        // The record is over where it ends.
        let limit = limit.unwrap_or(u64::MAX).min(moments.len() as u64);
        Self::new(course, Points::Recorded(points), (shard, n_shards), Some(limit))
    }

    fn new(
        course: Course,
        mut points: Points,
        (shard, n_shards): (u64, u64),
        limit: Option<u64>,
    ) -> Self {
        let first = match &mut points {
            Points::Even => 0.0,
            Points::Poisson(rng) => exponential(rng),
            Points::Recorded(points) => points.first().copied().unwrap_or(0.0),
        };
        let limit = limit.unwrap_or(u64::MAX);
        let (next, changes) = ((first, 0), VecDeque::new());
        let mut pacer = Self {
            course,
            area_before: 0.0,
            changes,
            points,
            next,
            due: None,
            shard,
            n_shards,
            limit,
        };
        pacer.skip_to_mine();
        pacer
    }

    /// When the next request is due, in seconds since the load began; `None` if none ever is, as
    /// the rate stands.
    pub(super) const fn due(&self) -> Option<f64> {
        self.due
    }

    /// Reckons the next due time, after the changes that come before it.
    fn reckon(&mut self) {
        self.due = self.due_by_course();
        while self.changes.front().is_some_and(|it| self.due.is_none_or(|due| it.since <= due))
            && let Some(change) = self.changes.pop_front()
        {
            self.area_before += self.course.area(change.since);
            self.course = change;
            self.due = self.due_by_course();
        }
    }

    fn due_by_course(&self) -> Option<f64> {
        let (point, number) = self.next;
        if self.limit <= number {
            return None;
        }
        let area = (point - self.area_before).max(0.0);
        let at = self.course.profile.integral(self.course.offset) + area;
        let profile_time = self.course.profile.due(at)?.max(self.course.offset);
        Some(profile_time - self.course.offset + self.course.since)
    }

    /// Takes the next request, whatever the time is; its number among those of all shards.
    pub(super) fn take(&mut self) -> u64 {
        let number = self.next.1;
        self.advance();
        self.skip_to_mine();
        number
    }

    /// Bends the curve from the course's beginning on.
    pub(super) fn change(&mut self, course: Course) {
        self.changes.push_back(course);
        self.reckon();
    }

    /// Whether the last request has been taken.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.limit <= self.next.1
    }

    fn advance(&mut self) {
        let (point, number) = &mut self.next;
        *number += 1;
        *point = match &mut self.points {
            Points::Even => *point + 1.0,
            Points::Poisson(rng) => *point + exponential(rng),
            Points::Recorded(points) => {
                let recorded = usize::try_from(*number).ok().and_then(|idx| points.get(idx));
                recorded.copied().unwrap_or(*point + 1.0)
            }
        };
    }

    fn skip_to_mine(&mut self) {
        while self.next.1 % self.n_shards != self.shard {
            self.advance();
        }
        self.reckon();
    }
}

/// A gap of a Poisson process of rate one.
fn exponential(rng: &mut SmallRng) -> f64 {
    // 1 - u lies in (0, 1], of which the logarithm is finite.
    -(1.0 - rng.random::<f64>()).ln()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::scenario::plan::Shape;
    use crate::scenario::plan::Stage;

    fn course(since: f64, rate: f64) -> Course {
        Course { since, profile: Profile::fixed(rate), offset: 0.0 }
    }

    fn until(pacer: &mut Pacer, t: f64) -> Vec<f64> {
        let mut dues = Vec::new();
        while let Some(due) = pacer.due().filter(|due| *due < t) {
            dues.push(due);
            pacer.take();
        }
        dues
    }

    #[test]
    fn a_change_takes_effect_at_its_moment() {
        let mut pacer = Pacer::even(course(0.0, 1.0), (0, 1), None);
        assert_eq!(until(&mut pacer, 2.5), [0.0, 1.0, 2.0]);
        pacer.change(course(2.5, 10.0));
        let dues = until(&mut pacer, 2.76);
        // Half of the next request was due already.
        assert_eq!(dues.len(), 3, "{dues:?}");
        assert!((dues[0] - 2.55).abs() < 1e-9, "{dues:?}");
        pacer.change(course(2.8, 0.0));
        assert_eq!(pacer.due(), None);
    }

    #[test]
    fn what_is_due_before_a_change_is_due_as_it_was() {
        let mut pacer = Pacer::even(course(0.0, 1000.0), (0, 1), None);
        assert_eq!(until(&mut pacer, 0.0995).len(), 100);
        // Nobody looked for a while: a thousand are late, and the change is later still.
        pacer.change(course(1.0995, 1.0));
        pacer.change(course(2.0, 0.0));
        let dues = until(&mut pacer, 9.0);
        // Half of the last one was over when the rate fell to one a second.
        assert_eq!(dues.len(), 1001);
        for (due, expected) in dues[999..].iter().zip([1.099, 1.5995]) {
            assert!((due - expected).abs() < 1e-9, "{due}, not {expected}");
        }
    }

    #[test]
    fn a_course_has_its_rate_from_its_first_moment_on() {
        for micros in 0..20_000_u64 {
            let since = Duration::from_micros(1_234_567 + micros).as_secs_f64() + 0.002;
            let at = crate::load::arrivals::seconds(crate::load::arrivals::nanos(since));
            assert_eq!(course(since, 64.0).rate_at(at), 64.0, "{since}");
        }
    }

    #[test]
    fn a_limit_is_kept_by_all_shards_together() {
        let n: usize = (0..3)
            .map(|shard| {
                until(&mut Pacer::even(course(0.0, 100.0), (shard, 3), Some(10)), 9.0).len()
            })
            .sum();
        assert_eq!(n, 10);
    }

    #[test]
    fn recorded_moments_are_due_exactly_and_bend_with_the_rate() {
        let moments = [0.25, 0.25, 0.75, 2.5, 2.75];
        let levels = vec![3.0, 0.0, 2.0];
        let shape = Shape::Levels { levels, each: Duration::from_secs(1) };
        let stage = Stage { shape, ..Stage::linear("", Duration::from_secs(3), 3.0, 2.0) };
        let profile = Profile::of(&[stage]);
        let make = |since| Course { since, profile: profile.clone(), offset: 0.0 };
        let mut pacer = Pacer::recorded(Course::silence(), (&moments, &profile), (0, 1), None);
        pacer.change(make(1.0));
        let dues = until(&mut pacer, 9.0);
        assert_eq!(dues.len(), moments.len());
        for (due, moment) in dues.iter().zip(moments) {
            assert!((due - moment - 1.0).abs() < 1e-9, "{due} for {moment}");
        }
        let mut pacer = Pacer::recorded(make(0.0), (&moments, &profile), (0, 1), None);
        assert_eq!(until(&mut pacer, 1.0).len(), 3);
        pacer.change(course(1.0, 4.0));
        let dues = until(&mut pacer, 2.0);
        // The second half of a second at 2/s is a quarter of one at 4/s.
        let expected = [1.25, 1.375];
        assert_eq!(dues.len(), expected.len(), "{dues:?}");
        assert!(dues.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{dues:?}");
    }

    #[test]
    fn poisson_gaps_have_the_rate_and_the_spread_of_poisson() {
        let mut pacer = Pacer::poisson(course(0.0, 1000.0), 7, (0, 1), None);
        let dues = until(&mut pacer, 20.0);
        let gaps: Vec<f64> = dues.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let n = f64::from(u32::try_from(gaps.len()).unwrap());
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
        assert!((mean - 1e-3).abs() < 3e-5, "{mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "an exponential's spread is its mean");
    }

    proptest! {
        /// However the rate is changed, the count is the integral within one, and never early.
        #[test]
        fn any_changes_keep_the_count(
            rates in prop::collection::vec((0.01..0.5f64, 0.0..300.0f64), 1..12),
            is_poisson in any::<bool>(),
        ) {
            let mut pacer = if is_poisson {
                Pacer::poisson(course(0.0, 0.0), 3, (0, 1), None)
            } else {
                Pacer::even(course(0.0, 0.0), (0, 1), None)
            };
            let (mut t, mut area, mut n, mut last) = (0.0, 0.0, 0, 0.0);
            for (lasts, rate) in rates {
                pacer.change(course(t, rate));
                let dues = until(&mut pacer, t + lasts);
                for due in &dues {
                    prop_assert!(t - 1e-9 <= *due && last <= *due + 1e-9);
                    last = *due;
                }
                n += dues.len();
                t += lasts;
                area += rate * lasts;
            }
            if !is_poisson {
                let n = f64::from(u32::try_from(n).unwrap());
                prop_assert!((n - area).abs() <= 1.0 + 1e-6, "{} of {}", n, area);
            }
        }

        #[test]
        fn shards_add_up_to_the_whole(n_shards in 1..5u64, is_poisson in any::<bool>()) {
            let stage = Stage::linear("", Duration::from_secs(3), 10.0, 90.0);
            let ramp = Course { since: 0.0, profile: Profile::of(&[stage]), offset: 0.0 };
            let make = |shard, n| if is_poisson {
                Pacer::poisson(ramp.clone(), 5, (shard, n), None)
            } else {
                Pacer::even(ramp.clone(), (shard, n), None)
            };
            let whole = until(&mut make(0, 1), 9.0);
            let mut parts: Vec<f64> =
                (0..n_shards).flat_map(|shard| until(&mut make(shard, n_shards), 9.0)).collect();
            parts.sort_by(f64::total_cmp);
            prop_assert_eq!(whole, parts);
        }
    }
}
