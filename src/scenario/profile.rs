//! The offered amount over time, as pure arithmetic.
//!
//! A profile is piecewise linear; how many requests are due until a moment is its integral, and
//! when the n-th is due is the inverse of that. Moments are seconds since the profile began.

use std::time::Duration;

use super::plan::Stage;

/// A piecewise linear amount over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    begins: f64,
    lasts: f64,
    from: f64,
    to: f64,
    /// The integral of all pieces before.
    before: f64,
}

// === impl Profile ===

impl Profile {
    /// The profile of a plan's stages.
    pub fn of(stages: &[Stage]) -> Self {
        let mut pieces = Vec::with_capacity(stages.len());
        // Times are added up exactly, as whole nanoseconds, before they become a fraction.
        let (mut begins, mut before) = (Duration::ZERO, 0.0);
        for stage in stages {
            let piece = Piece {
                begins: begins.as_secs_f64(),
                lasts: stage.lasts.as_secs_f64(),
                from: stage.from,
                to: stage.to,
                before,
            };
            before += piece.area(piece.lasts);
            begins += stage.lasts;
            pieces.push(piece);
        }
        Self { pieces }
    }

    /// One amount for ever.
    pub fn fixed(amount: f64) -> Self {
        let piece =
            Piece { begins: 0.0, lasts: f64::INFINITY, from: amount, to: amount, before: 0.0 };
        Self { pieces: vec![piece] }
    }

    /// How long it lasts, in seconds.
    pub fn lasts(&self) -> f64 {
        self.pieces.last().map_or(0.0, |piece| piece.begins + piece.lasts)
    }

    /// The amount at `t`; zero outside.
    pub fn rate_at(&self, t: f64) -> f64 {
        match self.piece_at(t) {
            Some((_, piece)) if t < piece.begins + piece.lasts => piece.rate(t - piece.begins),
            _ => 0.0,
        }
    }

    /// How much is due until `t`: the integral from the beginning.
    pub fn integral(&self, t: f64) -> f64 {
        self.piece_at(t).map_or(0.0, |(_, piece)| {
            piece.before + piece.area((t - piece.begins).clamp(0.0, piece.lasts))
        })
    }

    /// When the integral reaches `area`; `None` if it never does.
    pub fn due(&self, area: f64) -> Option<f64> {
        let piece_idx = self.pieces.partition_point(|piece| piece.before <= area).checked_sub(1)?;
        self.pieces[piece_idx..]
            .iter()
            .find_map(|piece| Some(piece.begins + piece.when(area - piece.before)?))
    }

    /// The index of the stage that is on at `t`; `None` after the end.
    pub fn stage_at(&self, t: f64) -> Option<usize> {
        let (piece_idx, piece) = self.piece_at(t)?;
        (t < piece.begins + piece.lasts).then_some(piece_idx)
    }

    /// When a stage begins; `None` if there is no such stage.
    pub fn stage_begins(&self, stage_idx: usize) -> Option<f64> {
        self.pieces.get(stage_idx).map(|piece| piece.begins)
    }

    /// The last piece that has begun at `t`.
    fn piece_at(&self, t: f64) -> Option<(usize, &Piece)> {
        let piece_idx = self.pieces.partition_point(|piece| piece.begins <= t).checked_sub(1)?;
        Some((piece_idx, &self.pieces[piece_idx]))
    }
}

impl Piece {
    fn slope(&self) -> f64 {
        if self.lasts.is_finite() && 0.0 < self.lasts {
            (self.to - self.from) / self.lasts
        } else {
            0.0
        }
    }

    fn rate(&self, t: f64) -> f64 {
        self.slope().mul_add(t, self.from).max(0.0)
    }

    fn area(&self, t: f64) -> f64 {
        t * self.slope().mul_add(t / 2.0, self.from)
    }

    /// When the area of this piece reaches `area`; `None` if it does not.
    fn when(&self, area: f64) -> Option<f64> {
        // from × t + slope × t² / 2 = area, in the form that stays stable when the slope is nearly
        // zero.
        let under_root = self.from.mul_add(self.from, 2.0 * self.slope() * area);
        // At the very end of a ramp to zero the root is of a tiny number of either sign.
        let divisor = self.from + under_root.max(0.0).sqrt();
        if area <= 0.0 && (0.0 < self.from || 0.0 < self.slope()) {
            return Some(0.0);
        }
        if divisor <= 0.0 || area > self.area(self.lasts) {
            return None;
        }
        let t = 2.0 * area / divisor;
        (t < self.lasts).then_some(t)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stages(spec: &[(u64, f64, f64)]) -> Vec<Stage> {
        spec.iter()
            .map(|(millis, from, to)| Stage {
                name: String::new(),
                lasts: Duration::from_millis(*millis),
                from: *from,
                to: *to,
            })
            .collect()
    }

    /// How many whole numbers are due before the end.
    fn n_due(profile: &Profile) -> u32 {
        (0..1_000_000)
            .take_while(|n| profile.due(f64::from(*n)).is_some())
            .last()
            .map_or(0, |n| n + 1)
    }

    #[test]
    fn known_shapes_have_known_counts() {
        for (spec, n) in [
            (&[(10_000, 20.0, 20.0)][..], 200),
            (&[(10_000, 10.0, 30.0)], 200),
            (&[(10_000, 0.0, 40.0)], 200),
            (&[(10_000, 40.0, 0.0)], 200),
            (&[(5_000, 0.0, 0.0), (1_000, 7.0, 7.0)], 7),
            (&[(1_000, 5.0, 5.0), (60_000, 0.0, 0.0), (2_000, 3.0, 3.0)], 11),
            (&[(1_000, 0.0, 0.0)], 0),
        ] {
            assert_eq!(n_due(&Profile::of(&stages(spec))), n, "{spec:?}");
        }
        let quiet =
            Profile::of(&stages(&[(1_000, 5.0, 5.0), (60_000, 0.0, 0.0), (2_000, 3.0, 3.0)]));
        assert_eq!(quiet.due(5.0), Some(61.0), "nothing is due in silence");
        assert_eq!(quiet.stage_at(61.0), Some(2));
        assert_eq!(quiet.stage_at(63.0), None);
    }

    proptest! {
        #[test]
        fn due_is_the_inverse_of_the_integral(
            spec in prop::collection::vec((1..5_000u64, 0.0..500.0f64, 0.0..500.0f64), 1..8),
            share in 0.0..1.0f64,
        ) {
            let profile = Profile::of(&stages(&spec));
            let total = profile.integral(profile.lasts());
            let area = total * share;
            if let Some(t) = profile.due(area) {
                prop_assert!((profile.integral(t) - area).abs() < 1e-6 * total.max(1.0));
                prop_assert!(t < profile.lasts());
            }
        }

        #[test]
        fn as_many_are_due_as_the_integral_says_and_never_before_their_time(
            spec in prop::collection::vec((1..2_000u64, 0.0..200.0f64, 0.0..200.0f64), 1..8),
        ) {
            let profile = Profile::of(&stages(&spec));
            let total = profile.integral(profile.lasts());
            let n = n_due(&profile);
            prop_assert!((f64::from(n) - total).abs() <= 1.0 + 1e-6, "{} of {}", n, total);
            let mut last = 0.0;
            for k in 0..n {
                let t = profile.due(f64::from(k)).unwrap();
                prop_assert!(last <= t + 1e-9);
                prop_assert!(f64::from(k) <= profile.integral(t) + 1e-6);
                last = t;
            }
        }
    }
}
