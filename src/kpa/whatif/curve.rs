//! Latency by what a pod had to bear, and what a mixture of such moments comes to.
//!
//! A prediction from it says: at so many requests in flight a pod the record showed these latencies.
//! Beyond the most that was seen, and while no pod was ready, it says nothing, and that counts
//! against a promise, never for it.

/// Bins a factor of ten of concurrency a pod.
const BINS_A_DECADE: f64 = 10.0;
/// The first bin holds everything up to this.
const LEAST: f64 = 0.1;
/// Bins that there are.
const BINS: usize = 50;
/// A bin with fewer latencies says nothing.
const ENOUGH: f64 = 20.0;

/// Latencies in seconds by requests in flight a pod.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    bins: Vec<Bin>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Bin {
    /// Upper bound of a latency, and how many there were.
    latencies: Vec<(f64, f64)>,
    n: f64,
}

/// What share of requests met which concurrency a pod.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mixture {
    weights: Vec<f64>,
    unseen: f64,
}

// === impl Curve ===

impl Curve {
    /// Adds latencies (upper bound, count) that were seen at so many in flight a pod.
    pub fn add(&mut self, per_pod: f64, latencies: impl Iterator<Item = (f64, f64)>) {
        let idx = bin(per_pod);
        if self.bins.len() <= idx {
            self.bins.resize(idx + 1, Bin::default());
        }
        let bin = &mut self.bins[idx];
        for (latency, n) in latencies {
            bin.n += n;
            match bin.latencies.iter_mut().find(|(known, _)| known.total_cmp(&latency).is_eq()) {
                Some((_, sum)) => *sum += n,
                None => bin.latencies.push((latency, n)),
            }
        }
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.bins.iter().all(|bin| bin.n < ENOUGH)
    }

    /// The most in flight a pod that was seen often enough.
    pub fn most(&self) -> Option<f64> {
        let idx = self.bins.iter().rposition(|bin| ENOUGH <= bin.n)?;
        Some(upper(idx))
    }

    /// The latency that `share` of the requests did not exceed at so many in flight a pod; `None`
    /// if that was not seen.
    pub fn quantile(&self, per_pod: f64, share: f64) -> Option<f64> {
        let mut mixture = Mixture::default();
        mixture.add(self, 1.0, per_pod);
        mixture.quantile(self, share)
    }

    /// Latency at `share` for each concurrency a pod that was seen: upper bound of the bin, value.
    pub fn points(&self, share: f64) -> Vec<(f64, f64)> {
        let seen = self.bins.iter().enumerate().filter(|(_, bin)| ENOUGH <= bin.n);
        seen.filter_map(|(idx, _)| Some((upper(idx), self.quantile(middle(idx), share)?))).collect()
    }

    /// The bin that stands for a concurrency: a lesser one is no worse, so the next that was seen.
    fn standing_for(&self, per_pod: f64) -> Option<usize> {
        let idx = bin(per_pod);
        (idx..self.bins.len()).find(|idx| ENOUGH <= self.bins[*idx].n)
    }
}

// === impl Mixture ===

impl Mixture {
    /// Adds a second in which `demand` was in flight, `per_pod` in each pod (infinite without one).
    pub fn add(&mut self, curve: &Curve, demand: f64, per_pod: f64) {
        if demand <= 0.0 {
            return;
        }
        let Some(idx) = curve.standing_for(per_pod) else {
            self.unseen += demand;
            return;
        };
        if self.weights.len() <= idx {
            self.weights.resize(idx + 1, 0.0);
        }
        // Little's law: what is in flight, over how long it takes, is requests a second.
        self.weights[idx] += demand / curve.bins[idx].mean();
    }

    /// The latency that `share` of all requests would not exceed; `None` if too many of them would
    /// meet what was never seen, or there are none.
    pub fn quantile(&self, curve: &Curve, share: f64) -> Option<f64> {
        let slowest = curve.bins.iter().map(Bin::mean).fold(0.0, f64::max).max(1e-6);
        // What was not seen counts as at least one request each in the longest time that was.
        let unseen = self.unseen / slowest;
        let seen: f64 = self.weights.iter().sum();
        let mut all: Vec<(f64, f64)> = Vec::new();
        for (bin, weight) in curve.bins.iter().zip(&self.weights) {
            let each = weight / bin.n.max(1.0);
            all.extend(bin.latencies.iter().map(|(latency, n)| (*latency, n * each)));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted = share * (seen + unseen);
        if wanted <= 0.0 {
            return None;
        }
        let mut sum = 0.0;
        all.into_iter().find_map(|(latency, n)| {
            sum += n;
            // Sums of parts are not exact.
            (wanted <= sum * (1.0 + 1e-9)).then_some(latency)
        })
    }
}

// === impl Bin ===

impl Bin {
    fn mean(&self) -> f64 {
        let sum: f64 = self.latencies.iter().map(|(latency, n)| latency * n).sum();
        if 0.0 < self.n { (sum / self.n).max(1e-6) } else { 1e-6 }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to the bins there are"
)]
fn bin(per_pod: f64) -> usize {
    if per_pod.is_nan() || per_pod <= LEAST {
        return 0;
    }
    // A hair less, so that a whole number is the upper end of its bin and not the next one's lower.
    let idx = ((per_pod / LEAST).log10() * BINS_A_DECADE - 1e-9).floor() + 1.0;
    idx.clamp(0.0, BINS as f64) as usize
}

#[expect(clippy::cast_precision_loss, reason = "some dozens")]
fn upper(idx: usize) -> f64 {
    LEAST * 10f64.powf(idx as f64 / BINS_A_DECADE)
}

#[expect(clippy::cast_precision_loss, reason = "some dozens")]
fn middle(idx: usize) -> f64 {
    LEAST * 10f64.powf((idx as f64 - 0.5) / BINS_A_DECADE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> Curve {
        let mut curve = Curve::default();
        curve.add(5.0, [(0.1, 95.0), (0.2, 5.0)].into_iter());
        curve.add(10.0, [(0.4, 100.0)].into_iter());
        curve.add(50.0, [(9.0, 3.0)].into_iter());
        curve
    }

    #[test]
    fn a_prediction_is_what_was_seen_at_that_concurrency() {
        let curve = curve();
        for (per_pod, share, expected) in [
            (5.0, 0.95, Some(0.1)),
            (5.0, 0.96, Some(0.2)),
            (4.1, 0.5, Some(0.1)),
            // Less was not seen, and is no worse than more.
            (1.0, 0.5, Some(0.1)),
            (7.0, 0.5, Some(0.4)),
            (10.0, 0.5, Some(0.4)),
            // So few were seen at fifty that they say nothing.
            (50.0, 0.5, None),
            (f64::INFINITY, 0.5, None),
        ] {
            assert_eq!(curve.quantile(per_pod, share), expected, "{per_pod} {share}");
        }
        assert!((curve.most().unwrap() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_never_seen_counts_against_a_promise() {
        let curve = curve();
        let mut mixture = Mixture::default();
        assert_eq!(mixture.quantile(&curve, 0.5), None, "nothing");
        mixture.add(&curve, 10.0, 5.0);
        assert_eq!(mixture.quantile(&curve, 0.95), Some(0.1));
        mixture.add(&curve, 10.0, 80.0);
        assert_eq!(mixture.quantile(&curve, 0.5), Some(0.1));
        assert_eq!(mixture.quantile(&curve, 0.999), None, "a part would meet what nobody saw");
    }

    #[test]
    fn any_number_has_a_bin() {
        for per_pod in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0, 1e-9, 1e300, f64::INFINITY] {
            assert!(bin(per_pod) <= BINS, "{per_pod}");
        }
    }
}
