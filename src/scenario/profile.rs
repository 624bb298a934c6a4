//! The offered amount over time, as pure arithmetic.
//!
//! A profile is made of straight lines and waves; how many requests are due until a moment is its integral, and
//! when the n-th is due is the inverse of that. Moments are seconds since the profile began.

use std::sync::Arc;
use std::time::Duration;

use super::stage::Curve;
use super::stage::Stage;

/// An amount over time, piece by piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Shared: every shard is told the profile with each change.
    pieces: Arc<[Piece]>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    begins: f64,
    lasts: f64,
    curve: Curve,
    /// The integral of all pieces before.
    before: f64,
    stage_idx: usize,
}

// === impl Profile ===

impl Profile {
    /// The profile of a plan's stages.
    pub fn of(stages: &[Stage]) -> Self {
        let mut pieces = Vec::with_capacity(stages.len());
        // Times are added up exactly, as whole nanoseconds, before they become a fraction.
        let (mut begins, mut before) = (Duration::ZERO, 0.0);
        for (stage_idx, stage) in stages.iter().enumerate() {
            for stretch in stage.stretches() {
                let lasts = stretch.lasts.as_secs_f64();
                let curve = stretch.curve;
                pieces.push(Piece {
                    begins: begins.as_secs_f64(),
                    lasts,
                    curve,
                    before,
                    stage_idx,
                });
                before += curve.area(lasts);
                begins += stretch.lasts;
            }
        }
        Self { pieces: pieces.into() }
    }

    /// One amount for ever.
    pub fn fixed(amount: f64) -> Self {
        let curve = Curve::Line { from: amount, slope: 0.0 };
        let piece = Piece { begins: 0.0, lasts: f64::INFINITY, curve, before: 0.0, stage_idx: 0 };
        Self { pieces: [piece].into() }
    }

    /// How long it lasts, in seconds.
    pub fn lasts(&self) -> f64 {
        self.pieces.last().map_or(0.0, |piece| piece.begins + piece.lasts)
    }

    /// The amount at `t`; zero outside.
    pub fn rate_at(&self, t: f64) -> f64 {
        match self.piece_at(t) {
            Some(piece) if t < piece.begins + piece.lasts => piece.curve.amount(t - piece.begins),
            _ => 0.0,
        }
    }

    /// How much is due until `t`: the integral from the beginning.
    pub fn integral(&self, t: f64) -> f64 {
        self.piece_at(t).map_or(0.0, |piece| {
            piece.before + piece.curve.area((t - piece.begins).clamp(0.0, piece.lasts))
        })
    }

    /// When the integral reaches `area`; `None` if it never does.
    pub fn due(&self, area: f64) -> Option<f64> {
        let piece_idx = self.pieces.partition_point(|piece| piece.before <= area).checked_sub(1)?;
        self.pieces[piece_idx..].iter().find_map(|piece| {
            Some(piece.begins + piece.curve.when(area - piece.before, piece.lasts)?)
        })
    }

    /// The index of the stage that is on at `t`; `None` after the end.
    pub fn stage_at(&self, t: f64) -> Option<usize> {
        let piece = self.piece_at(t)?;
        (t < piece.begins + piece.lasts).then_some(piece.stage_idx)
    }

    /// When a stage begins; `None` if there is no such stage.
    pub fn stage_begins(&self, stage_idx: usize) -> Option<f64> {
        let piece_idx = self.pieces.partition_point(|piece| piece.stage_idx < stage_idx);
        self.pieces
            .get(piece_idx)
            .filter(|piece| piece.stage_idx == stage_idx)
            .map(|piece| piece.begins)
    }

    /// The last piece that has begun at `t`.
    fn piece_at(&self, t: f64) -> Option<&Piece> {
        let piece_idx = self.pieces.partition_point(|piece| piece.begins <= t).checked_sub(1)?;
        self.pieces.get(piece_idx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::stage::Shape;

    fn stages(spec: &[(u64, f64, f64)]) -> Vec<Stage> {
        spec.iter()
            .map(|(millis, from, to)| Stage::linear("", Duration::from_millis(*millis), *from, *to))
            .collect()
    }

    /// Stages of every shape.
    fn any_stage() -> impl Strategy<Value = Stage> {
        let amount = || prop_oneof![Just(0.0), 0.0..300.0f64];
        (1..3_000u64, amount(), amount(), 0..4u8, 1..9u32).prop_map(
            |(millis, from, to, shape, n)| {
                let lasts = Duration::from_millis(millis);
                let shape = match shape {
                    0 => Shape::Linear,
                    1 => Shape::Spike { peak: from + to, rise: lasts / n },
                    2 => Shape::Sine { amplitude: from * to / 300.0, period: lasts / n },
                    _ => Shape::Levels {
                        levels: (0..n).map(|it| if it % 2 == 0 { from } else { to }).collect(),
                        each: lasts / n,
                    },
                };
                Stage { shape, ..Stage::linear("", lasts, from, to) }
            },
        )
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
            stages in prop::collection::vec(any_stage(), 1..8),
            share in 0.0..1.0f64,
        ) {
            let profile = Profile::of(&stages);
            let total = profile.integral(profile.lasts());
            let area = total * share;
            if let Some(t) = profile.due(area) {
                prop_assert!((profile.integral(t) - area).abs() < 1e-6 * total.max(1.0));
                prop_assert!(t < profile.lasts());
            }
        }

        #[test]
        fn as_many_are_due_as_the_integral_says_and_never_before_their_time(
            stages in prop::collection::vec(any_stage(), 1..8),
        ) {
            let profile = Profile::of(&stages);
            prop_assert!((profile.lasts()
                - stages.iter().map(|stage| stage.lasts).sum::<Duration>().as_secs_f64()).abs() < 1e-9);
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
