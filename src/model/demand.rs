//! What the load asked for, second by second: requests in flight, or requests a second.
//!
//! There are three witnesses, of which the most complete is heard: our own generator, which knows
//! every request that it sent; the queue-proxies with the activators, which are the autoscaler's own
//! input; and the autoscaler's average over its panic window, which is the same, smoothed.

use crate::event::cluster::Name;
use crate::event::scaler::Stat;
use crate::kpa::config::Metric;
use crate::series::Series;
use crate::units::At;

use super::Model;
use super::scaling::FRESH;

/// Seconds that are looked at; a series keeps fewer of them exactly.
const SECONDS_MAX: usize = 24 * 3600;

/// Who says what the load asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// Our own generator: what it had in flight, or sent.
    Generator,
    /// The queue-proxies and the activators.
    Pods,
    /// The autoscaler's average over the panic window.
    Autoscaler,
}

/// What the load asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Who says so.
    pub witness: Witness,
    /// Requests in flight, or requests a second.
    pub metric: Metric,
    /// The second of the run that the first value is about.
    pub first: u64,
    /// A value a second; `None` is not known.
    pub seconds: Vec<Option<f64>>,
}

/// What queue-proxies and activators say, added up by seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// Requests in flight in the whole revision.
    pub concurrency: Series,
    /// Requests a second in the whole revision.
    pub rps: Series,
    second: u64,
    n_stats: u32,
    /// Sums of all, proxied and arriving requests of the stats in this second.
    sums: [f64; 3],
}

/// A number that comes several times a second, as its mean in each second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seconds {
    /// The means of the seconds that are over.
    pub series: Series,
    second: u64,
    sum: f64,
    n: f64,
}

// === impl Seconds ===

impl Seconds {
    pub(super) fn add(&mut self, at: At, value: f64) {
        let second = at.as_micros() / 1_000_000;
        if second != self.second {
            if 0.0 < self.n {
                self.series.push(At::from_secs(self.second), self.sum / self.n);
            }
            (self.second, self.sum, self.n) = (second, 0.0, 0.0);
        }
        self.sum += value;
        self.n += 1.0;
    }
}

// === impl Witness ===

impl Witness {
    /// As one would say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generator => "our own generator",
            Self::Pods => "queue-proxies and activators",
            Self::Autoscaler => "the autoscaler's panic average",
        }
    }

    /// In one word, for machines.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Pods => "pods",
            Self::Autoscaler => "autoscaler",
        }
    }
}

// === impl Inputs ===

impl Inputs {
    /// Time has come to `now`: a second that is over is closed. `activator` is what is in all
    /// activators, `None` where they do not say.
    pub(super) fn turn(&mut self, now: At, ready: Option<u32>, activator: Option<f64>) {
        let second = now.as_micros() / 1_000_000;
        if second <= self.second {
            return;
        }
        let at = At::from_secs(self.second);
        let (in_flight, rps) = self.close(ready, activator);
        self.concurrency.set(at, in_flight);
        self.rps.set(at, rps);
        self.second = second;
        self.n_stats = 0;
        self.sums = [0.0; 3];
    }

    pub(super) const fn add(&mut self, stat: Stat) {
        self.n_stats = self.n_stats.saturating_add(1);
        self.sums[0] += stat.average_concurrent_requests;
        self.sums[1] += stat.average_proxied_concurrent_requests;
        self.sums[2] += stat.request_count;
    }

    /// The mean of the stats, for each ready pod, and what is in the activators: as the autoscaler
    /// extrapolates its scrapes.
    fn close(&self, ready: Option<u32>, activator: Option<f64>) -> (Option<f64>, Option<f64>) {
        let Some(ready) = ready else { return (None, None) };
        if self.n_stats == 0 {
            // Without a pod all that there is waits in the activators.
            return (activator.filter(|_| ready == 0), Some(0.0).filter(|_| ready == 0));
        }
        let [all, proxied, arrived] =
            self.sums.map(|sum| sum / f64::from(self.n_stats) * f64::from(ready));
        let in_flight = activator.map_or(all, |waiting| all - proxied + waiting);
        (Some(in_flight.max(0.0)), Some(arrived))
    }
}

// === impl Demand ===

impl Demand {
    /// What the load asked of a revision, in the metric that it scales on; `None` where nobody
    /// says.
    pub fn of(model: &Model, revision: &Name) -> Option<Self> {
        let all = [Witness::Generator, Witness::Pods, Witness::Autoscaler];
        all.into_iter().find_map(|witness| Self::by(witness, model, revision))
    }

    /// What the autoscaler was told of it: our own generator also has in flight what is on its way,
    /// and where the number of pods turns on a request or two, that is another number.
    pub fn told(model: &Model, revision: &Name) -> Option<Self> {
        let all = Self::of(model, revision)?;
        let pods = Self::by(Witness::Pods, model, revision);
        Some(match pods.filter(|_| model.scaling.do_activators_answer()) {
            Some(pods) => all.overlaid(&pods),
            None => all,
        })
    }

    fn by(witness: Witness, model: &Model, revision: &Name) -> Option<Self> {
        let scaling = model.scaling.get(revision)?;
        let metric = scaling.config.as_ref().map_or(Metric::Concurrency, |it| it.config.metric);
        let is_rps = metric == Metric::Rps;
        let (traffic, inputs) = (&model.traffic, &scaling.inputs);
        let series = match witness {
            Witness::Generator if model.loaded_revision().as_ref() != Some(revision) => {
                return None;
            }
            Witness::Generator if is_rps => &traffic.sent_by_second.series,
            Witness::Generator => &traffic.in_flight_by_second.series,
            Witness::Pods if is_rps => &inputs.rps,
            Witness::Pods => &inputs.concurrency,
            Witness::Autoscaler => &scaling.panic,
        };
        let (first, seconds) = by_second(series)?;
        Some(Self { witness, metric, first, seconds })
    }

    /// This, with `other` in its place in the seconds that that one knows, if these are nearly all.
    fn overlaid(self, other: &Self) -> Self {
        let seconds = (self.first..).zip(&self.seconds);
        let known = |second| other.at(At::from_secs(second));
        let n_known = seconds.clone().filter(|(second, _)| known(*second).is_some()).count();
        if n_known * 10 < self.seconds.len() * 9 {
            return self;
        }
        let seconds = seconds.map(|(second, own)| known(second).or(*own)).collect();
        Self { witness: other.witness, seconds, ..self }
    }

    /// The moment at which it begins.
    pub const fn from(&self) -> At {
        At::from_secs(self.first)
    }

    /// The moment at which it ends.
    pub fn to(&self) -> At {
        At::from_secs(self.first + self.seconds.len() as u64)
    }

    /// What was asked for at `at`; `None` is not known.
    pub fn at(&self, at: At) -> Option<f64> {
        let second = (at.as_micros() / 1_000_000).checked_sub(self.first)?;
        self.seconds.get(usize::try_from(second).ok()?).copied().flatten()
    }
}

/// What the load asks of a revision now; `None` where nobody says so freshly.
pub fn now(model: &Model, revision: &Name) -> Option<f64> {
    let scaling = model.scaling.get(revision)?;
    let is_rps = scaling.config.as_ref().is_some_and(|it| it.config.metric == Metric::Rps);
    let traffic = &model.traffic;
    let is_ours = model.loaded_revision().as_ref() == Some(revision);
    let (sent, inputs) = if is_rps {
        (&traffic.sent_by_second.series, &scaling.inputs.rps)
    } else {
        (&traffic.in_flight_by_second.series, &scaling.inputs.concurrency)
    };
    let fresh = |series: &Series| series.at(model.now, Some(FRESH));
    let ours = if is_ours { fresh(sent) } else { None };
    ours.or_else(|| fresh(inputs)).or_else(|| fresh(&scaling.panic))
}

/// The mean of the points of each second; where a second has none, the last one carries on as long
/// as a reading is fresh.
fn by_second(series: &Series) -> Option<(u64, Vec<Option<f64>>)> {
    let second_of = |at: At| at.as_micros() / 1_000_000;
    let mut steps = series.steps().skip_while(|(_, value)| value.is_none()).peekable();
    let first = second_of(steps.peek()?.0);
    let mut seconds: Vec<Option<f64>> = Vec::new();
    let mut last: Option<(u64, f64)> = None;
    while let Some((at, _)) = steps.peek() {
        let second = second_of(*at);
        let (mut sum, mut n, mut ends_in_gap) = (0.0, 0.0, false);
        while let Some((_, value)) = steps.next_if(|(at, _)| second_of(*at) == second) {
            if let Some(value) = value {
                (sum, n) = (sum + value, n + 1.0);
            }
            ends_in_gap = value.is_none();
        }
        let idx = usize::try_from(second - first).unwrap_or(usize::MAX);
        if SECONDS_MAX <= idx {
            break;
        }
        while seconds.len() < idx {
            let between = first + seconds.len() as u64;
            let carried = last.filter(|(since, _)| between - since < FRESH.as_secs());
            seconds.push(carried.map(|(_, value)| value));
        }
        seconds.push((0.0 < n).then(|| sum / n));
        last = (0.0 < n && !ends_in_gap).then(|| (second, sum / n));
    }
    Some((first, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(u64, Option<f64>)]) -> Series {
        let mut series = Series::default();
        for (millis, value) in points {
            series.set(At::from_millis(*millis), *value);
        }
        series
    }

    #[test]
    fn who_hears_nearly_all_stands_in_place_of_who_knows_all() {
        let metric = Metric::Concurrency;
        let own =
            Demand { witness: Witness::Generator, metric, first: 5, seconds: vec![Some(50.0); 20] };
        let mut heard = vec![Some(48.5); 18];
        heard.push(None);
        let pods = Demand { witness: Witness::Pods, metric, first: 6, seconds: heard };
        let told = own.clone().overlaid(&pods);
        assert_eq!((told.witness, told.first, told.seconds.len()), (Witness::Pods, 5, 20));
        assert_eq!([0, 1, 18, 19].map(|idx| told.seconds[idx]), [50.0, 48.5, 48.5, 50.0].map(Some));
        let late = Demand { first: 9, ..pods };
        assert_eq!(own.clone().overlaid(&late), own);
    }

    #[test]
    fn a_second_is_the_mean_of_its_points_and_a_gap_is_a_gap() {
        let some = Some;
        for (points, expected) in [
            (vec![(0, None), (3000, some(2.0)), (3500, some(4.0))], Some((3, vec![some(3.0)]))),
            // The last value carries on for as long as it is fresh.
            (
                vec![(1000, some(5.0)), (4000, some(1.0))],
                Some((1, vec![some(5.0), some(5.0), some(5.0), some(1.0)])),
            ),
            (
                vec![(1000, some(5.0)), (2000, None), (4000, some(1.0))],
                Some((1, vec![some(5.0), None, None, some(1.0)])),
            ),
            (vec![(0, None)], None),
        ] {
            assert_eq!(by_second(&series(&points)), expected, "{points:?}");
        }
        let (_, seconds) = by_second(&series(&[(0, Some(1.0)), (60_000, Some(2.0))])).unwrap();
        assert_eq!((seconds.len(), seconds[5], seconds[6]), (61, Some(1.0), None));
    }

    #[test]
    fn the_inputs_are_what_the_autoscaler_extrapolates() {
        let stat = |all, proxied| Stat {
            average_concurrent_requests: all,
            average_proxied_concurrent_requests: proxied,
            request_count: 3.0,
            ..Stat::default()
        };
        for (stats, ready, activator, expected) in [
            (vec![stat(4.0, 0.0), stat(6.0, 0.0)], Some(2), Some(0.0), (Some(10.0), Some(6.0))),
            // Two of four pods were read.
            (vec![stat(4.0, 0.0), stat(6.0, 0.0)], Some(4), Some(0.0), (Some(20.0), Some(12.0))),
            // What passes the activator is counted there.
            (vec![stat(4.0, 4.0)], Some(1), Some(9.0), (Some(9.0), Some(3.0))),
            // Where it does not say, the pods' own count stands.
            (vec![stat(4.0, 4.0)], Some(1), None, (Some(4.0), Some(3.0))),
            (vec![], Some(0), Some(7.0), (Some(7.0), Some(0.0))),
            (vec![], Some(2), Some(7.0), (None, None)),
            (vec![stat(4.0, 0.0)], None, Some(7.0), (None, None)),
        ] {
            let mut inputs = Inputs::default();
            inputs.turn(At::from_secs(1), ready, activator);
            for stat in &stats {
                inputs.add(*stat);
            }
            inputs.turn(At::from_secs(2), ready, activator);
            let at = At::from_secs(1);
            let seen = (inputs.concurrency.at(at, None), inputs.rps.at(at, None));
            assert_eq!(seen, expected, "{stats:?} {ready:?} {activator:?}");
        }
    }
}
