//! How well the scaling followed the load: a handful of numbers for a run.
//!
//! Needed is what the load asks for in steady state: `ceil(demand ÷ target)`, with the target as it
//! is utilised. Short is what the pods could not bear even with the whole target. Both are looked at
//! once a second, with the pods that were ready when it began.

use crate::event::cluster::Name;
use crate::kpa::whatif;
use crate::series::Series;
use crate::units::At;

use super::Model;
use super::demand::Demand;
use super::scaling::PanicState;
use super::scaling::RevisionScaling;
use super::waited;

/// How well the scaling of a revision followed its load. `None` is not known, or there was no such
/// case.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scorecard {
    /// From the first load that met no pod to the first pod ready, in seconds.
    pub time_to_first_pod_s: Option<f64>,
    /// The longest time in which fewer pods were ready than desired, in seconds.
    pub time_to_desired_s: Option<f64>,
    /// The most pods ready beyond the most that were needed, over the latter.
    pub overshoot: Option<f64>,
    /// Pods missing, times seconds.
    pub pod_seconds_short: Option<f64>,
    /// Pods that nothing needed, times seconds; `min-scale` counts as needed.
    pub pod_seconds_wasted: Option<f64>,
    /// How often desired rose again after it had fallen.
    pub oscillations: Option<u64>,
    /// Time in panic over the whole time.
    pub panic_share: Option<f64>,
    /// Requests that waited for a cold start over all that were answered: at least, and at most.
    pub cold_start_share: Option<(f64, f64)>,
}

impl Scorecard {
    /// Of the first of the run's revisions; `None` where there is none.
    pub fn of(model: &Model) -> Option<Self> {
        let revisions = model.measured_revisions();
        let revision = revisions.first()?;
        let scaling = model.scaling.get(revision)?;
        let end = model.run.ended_at.unwrap_or(model.now);
        let mut card = Self {
            time_to_desired_s: time_to_desired(&scaling.desired, &scaling.ready, end),
            oscillations: oscillations(&scaling.desired),
            panic_share: panic_share(model, revision, scaling, end),
            cold_start_share: cold_start_share(model),
            ..Self::default()
        };
        if let Some(demand) = Demand::of(model, revision) {
            card.time_to_first_pod_s = time_to_first_pod(&demand, &scaling.ready);
            card.against_needed(&demand, scaling);
        }
        Some(card)
    }

    fn against_needed(&mut self, demand: &Demand, scaling: &RevisionScaling) {
        let Some(config) = scaling.config.as_ref().map(|effective| &effective.config) else {
            return;
        };
        let least = f64::from(config.min_scale_in_force());
        let (mut needed_max, mut ready_max) = (0f64, 0f64);
        let (mut short, mut wasted, mut n_known) = (0.0, 0.0, 0u32);
        for (second, asked) in (demand.first..).zip(&demand.seconds) {
            let ready = scaling.ready.at(At::from_secs(second), None);
            let (Some(asked), Some(ready)) = (*asked, ready) else { continue };
            let needed = (asked / config.target_value).ceil();
            needed_max = needed_max.max(needed);
            ready_max = ready_max.max(ready);
            wasted += (ready - needed.max(least)).max(0.0);
            short += whatif::short(Some(asked), ready_pods(ready), config.total_value);
            n_known += 1;
        }
        if 0 < n_known {
            self.pod_seconds_short = Some(short);
            self.pod_seconds_wasted = Some(wasted);
        }
        if 0.0 < needed_max {
            self.overshoot = Some((ready_max - needed_max).max(0.0) / needed_max);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of pods")]
const fn ready_pods(ready: f64) -> u32 {
    ready as u32
}

/// From the first second with load and without a pod to the first pod after it.
fn time_to_first_pod(demand: &Demand, ready: &Series) -> Option<f64> {
    let (second, _) = (demand.first..).zip(&demand.seconds).find(|(second, asked)| {
        let at = At::from_secs(*second);
        asked.is_some_and(|asked| 0.0 < asked) && ready.at(at, None) == Some(0.0)
    })?;
    let from = At::from_secs(second);
    let first =
        ready.steps().find(|(at, value)| from < *at && value.is_some_and(|value| 0.0 < value))?;
    Some(first.0.since(from).as_secs_f64())
}

/// The longest stretch in which fewer were ready than desired; a change of desired within it makes
/// it no shorter.
fn time_to_desired(desired: &Series, ready: &Series, end: At) -> Option<f64> {
    let mut moments: Vec<At> =
        desired.steps().chain(ready.steps()).map(|(at, _)| at).filter(|at| *at < end).collect();
    moments.sort_unstable();
    moments.dedup();
    moments.push(end);
    let mut since: Option<At> = None;
    let mut longest: Option<f64> = None;
    for at in moments {
        let both = desired.at(at, None).zip(ready.at(at, None));
        let is_short = both.is_some_and(|(desired, ready)| ready < desired) && at < end;
        if let (Some(began), false) = (since, is_short) {
            let took = at.since(began).as_secs_f64();
            longest = Some(longest.map_or(took, |longest| longest.max(took)));
            since = None;
        }
        if is_short && since.is_none() {
            since = Some(at);
        }
        if both.is_some() {
            longest = longest.or(Some(0.0));
        }
    }
    longest
}

/// How often a line rose again after it had fallen; `None` without a value.
fn oscillations(desired: &Series) -> Option<u64> {
    let (mut n, mut fell, mut before) = (0, false, None::<f64>);
    for (_, value) in desired.steps() {
        let Some(value) = value else { continue };
        match before {
            Some(last) if value < last => fell = true,
            Some(last) if last < value && fell => (n, fell) = (n + 1, false),
            _ => {}
        }
        before = Some(value);
    }
    before.map(|_| n)
}

fn panic_share(model: &Model, revision: &Name, scaling: &RevisionScaling, end: At) -> Option<f64> {
    let state = model.scaling.panic_state(revision, end);
    let is_known = !scaling.panics.is_empty() || !matches!(state, PanicState::Unknown(_));
    let secs = end.as_secs_f64();
    (is_known && 0.0 < secs).then(|| scaling.panic_seconds(end) / secs)
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn cold_start_share(model: &Model) -> Option<(f64, f64)> {
    let all = model.traffic.total.succeeded;
    let waited = waited::all(model).filter(|_| 0 < all)?;
    let share = |n: u64| (n as f64 / all as f64).min(1.0);
    Some((share(waited.at_least), share(waited.at_most)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kpa::config::Metric;
    use crate::model::demand::Witness;

    fn line(points: &[(u64, f64)]) -> Series {
        let mut line = Series::default();
        for (secs, value) in points {
            line.push(At::from_secs(*secs), *value);
        }
        line
    }

    fn demand(first: u64, seconds: &[f64]) -> Demand {
        let seconds = seconds.iter().map(|value| Some(*value)).collect();
        Demand { witness: Witness::Generator, metric: Metric::Concurrency, first, seconds }
    }

    #[test]
    fn the_longest_time_below_desired_counts() {
        let end = At::from_secs(100);
        for (desired, ready, expected) in [
            (vec![(0, 1.0), (10, 8.0)], vec![(0, 1.0), (12, 5.0), (14, 8.0)], Some(4.0)),
            // Desired rises again on the way.
            (
                vec![(0, 1.0), (10, 4.0), (13, 9.0)],
                vec![(0, 1.0), (12, 3.0), (20, 9.0)],
                Some(10.0),
            ),
            // It never comes.
            (vec![(0, 1.0), (40, 2.0)], vec![(0, 1.0)], Some(60.0)),
            (vec![(0, 1.0)], vec![(0, 1.0)], Some(0.0)),
            (vec![(0, 5.0), (10, 1.0)], vec![(0, 5.0), (30, 1.0)], Some(0.0)),
            (vec![], vec![(0, 1.0)], None),
        ] {
            let took = time_to_desired(&line(&desired), &line(&ready), end);
            assert_eq!(took, expected, "{desired:?} {ready:?}");
        }
    }

    #[test]
    fn the_first_pod_is_waited_for_from_the_first_request() {
        for (seconds, ready, expected) in [
            (vec![0.0, 0.0, 3.0, 3.0, 3.0], vec![(0, 0.0), (4, 1.0)], Some(2.0)),
            (vec![3.0, 3.0], vec![(0, 1.0)], None),
            (vec![3.0, 3.0], vec![(0, 0.0)], None),
            (vec![0.0, 0.0], vec![(0, 0.0), (1, 1.0)], None),
        ] {
            let took = time_to_first_pod(&demand(0, &seconds), &line(&ready));
            assert_eq!(took, expected, "{seconds:?} {ready:?}");
        }
    }

    #[test]
    fn a_burst_is_no_oscillation_and_two_are_one() {
        for (points, expected) in [
            (vec![], None),
            (vec![(0, 1.0)], Some(0)),
            (vec![(0, 1.0), (5, 8.0), (60, 1.0)], Some(0)),
            (vec![(0, 1.0), (5, 8.0), (60, 3.0), (62, 1.0), (90, 8.0)], Some(1)),
            (vec![(0, 8.0), (5, 1.0), (9, 8.0), (12, 1.0), (15, 2.0), (16, 3.0)], Some(2)),
        ] {
            assert_eq!(oscillations(&line(&points)), expected, "{points:?}");
        }
    }

    /// Target 10 utilised to 70 %: 7 a pod. Five seconds of 50 in flight want 8 pods, and 5 bear
    /// them; then five seconds of 7 want one.
    #[test]
    fn short_wasted_and_overshoot_are_counted_by_hand() {
        let mut annotations = std::collections::BTreeMap::new();
        annotations.insert("target".to_owned(), "10".to_owned());
        let basis = whatif::Basis { annotations, ..whatif::Basis::default() };
        let mut scaling = RevisionScaling::default();
        // 2 ready for two seconds, then 10.
        scaling.ready = line(&[(0, 2.0), (2, 10.0)]);
        scaling.config = Some(basis.effective());
        let demand = demand(0, &[50.0, 50.0, 50.0, 50.0, 50.0, 7.0, 7.0, 7.0, 7.0, 7.0]);
        let mut card = Scorecard::default();
        card.against_needed(&demand, &scaling);
        // Two seconds in which three pods are missing.
        assert_eq!(card.pod_seconds_short, Some(6.0));
        // Three seconds with two too many, five with nine.
        assert_eq!(card.pod_seconds_wasted, Some(51.0));
        assert_eq!(card.overshoot, Some(0.25));
    }
}
