//! What the autoscaler wants, why, and whether it panics: one entry a revision.

mod lingering;
mod panic;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::cluster::Name;
use crate::event::cluster::PodAutoscaler;
use crate::event::scaler::Activator;
use crate::event::scaler::Autoscaler;
use crate::event::scaler::AutoscalerLog;
use crate::event::scaler::LogLine;
use crate::event::scaler::Origin;
use crate::event::scaler::QueueProxy;
use crate::kpa::Effective;
use crate::kpa::Observed;
use crate::kpa::config::Metric;
use crate::series::Series;
use crate::units::Anchor;
use crate::units::At;
use crate::units::UnixMicros;

use super::cluster::PodCounts;
use super::demand::Inputs;
use super::happenings::Happenings;
use super::happenings::What;
use super::shadow::Reported;
use super::shadow::Shadow;

use lingering::Still;

pub use panic::Ignorance;
pub use panic::PanicSpan;
pub use panic::PanicState;

/// Revisions that are kept.
const REVISIONS_MAX: usize = 2000;
/// Revisions that have a model of their decider.
const SHADOWS_MAX: usize = 32;
/// A reading older than this is stale: the autoscaler decides every two seconds, we read every
/// second.
pub const FRESH: Duration = Duration::from_secs(6);
/// A pod that takes over within this of its making may stand in place of another; one that stood
/// by is older.
const YOUNG: Duration = Duration::from_secs(60);
/// Replicas that are made at once are not more than this apart.
const AT_ONCE: Duration = Duration::from_secs(5);

/// When the pod that gave a reading was made, if that is known, and what time it is now.
type Made<'a> = &'a dyn Fn() -> (Option<UnixMicros>, UnixMicros);

/// All revisions' scaling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scaling {
    by_revision: BTreeMap<Name, RevisionScaling>,
    /// Since when the autoscaler's log is followed, by the wall clock of the log's first line.
    log_since: Option<At>,
    /// Whether the log cannot be followed at present, so that its last line says nothing.
    is_log_lost: bool,
    /// Whether the activators' metrics can be read, so that silence about a revision is zero.
    do_activators_answer: bool,
    n_shadows: usize,
    /// When the first of the models has something to do; `None`: none has.
    shadows_wake: Option<At>,
}

/// One revision's scaling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RevisionScaling {
    /// What the owning autoscaler pod said last.
    pub reading: Option<Autoscaler>,
    /// What each activator pod said last, by pod.
    pub activators: BTreeMap<String, Activator>,
    /// The effective configuration; `None` until both its `PodAutoscaler` and
    /// `config-autoscaler` were seen, and where another autoscaler decides.
    pub config: Option<Effective>,
    /// Its `PodAutoscaler` as it was last seen; it may be gone since.
    pub autoscaler: Option<PodAutoscaler>,
    /// Panics, oldest first; the last may still go on.
    pub panics: VecDeque<PanicSpan>,
    /// When the panic threshold was last seen to be reached.
    pub last_over: Option<At>,
    /// The most that was desired in the present panic.
    pub held_max: Option<u32>,
    /// Pods desired now; `None` is not known.
    pub desired_now: Option<u32>,
    /// Whether the activator is in the path now; `None` is not known.
    pub via_activator_now: Option<bool>,
    /// `status.desiredScale` of the `PodAutoscaler`, or what was requested where that is not seen.
    pub desired: Series,
    /// The decider's wish, before bounds.
    pub wanted: Series,
    /// Ready pods.
    pub ready: Series,
    /// Pods on their way to be ready.
    pub starting: Series,
    /// Pods on their way out.
    pub terminating: Series,
    /// Average over the stable window: concurrency, or requests a second.
    pub stable: Series,
    /// Average over the panic window.
    pub panic: Series,
    /// The panic average above which panic begins.
    pub enters: Series,
    /// Excess burst capacity.
    pub excess_burst_capacity: Series,
    /// Requests in the activators.
    pub activator: Series,
    /// 1 while the activator is in the path, else 0.
    pub via_activator: Series,
    /// Replicas that are asked of Kubernetes: the deployment's `spec.replicas`.
    pub replicas: Series,
    /// 1 while the revision has endpoints, else 0.
    pub endpoints: Series,
    /// What its queue-proxies and activators said was in flight, second by second.
    pub inputs: Inputs,
    /// CPU of all pods with a sample, in cores.
    pub cpu: Series,
    /// Our own model of its decider; `None` where we do not look that closely.
    pub shadow: Option<Box<Shadow>>,
    /// Seconds of pods that were not gone, until `counted_at`.
    pub pod_seconds: f64,
    /// The most pods that were ready at once.
    pub ready_max: Option<u32>,
    /// The most pods that were desired.
    pub desired_max: Option<u32>,
    /// Activators that have had nothing of it for some time, by pod.
    still: BTreeMap<String, Still>,
    counted_at: At,
    counts: Option<PodCounts>,
    log_panics: Option<bool>,
    /// The autoscaler pod that wrote last, and when.
    log_owner: Option<(String, UnixMicros)>,
    /// When the autoscaler pod that owns it was made; `None` is not known.
    owner_made: Option<UnixMicros>,
}

/// What the autoscaler reckons with: averages of the whole revision, and the target a pod.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averages {
    /// What is measured.
    pub metric: Metric,
    /// Over the stable window.
    pub stable: Option<f64>,
    /// Over the panic window.
    pub panic: Option<f64>,
    /// A pod's target, after utilisation.
    pub target: Option<f64>,
}

/// What the autoscaler reckons with, taken from what it exports.
pub fn averages(reading: &Autoscaler) -> Averages {
    // A revision exports only the series of the metric that it scales on.
    if reading.target_rps.is_some() || reading.stable_rps.is_some() {
        let (stable, panic, target) = (reading.stable_rps, reading.panic_rps, reading.target_rps);
        Averages { metric: Metric::Rps, stable, panic, target }
    } else {
        Averages {
            metric: Metric::Concurrency,
            stable: reading.stable_concurrency,
            panic: reading.panic_concurrency,
            target: reading.target_concurrency,
        }
    }
}

// === impl Scaling ===

impl Scaling {
    /// The scaling of a revision, if anything is known of it.
    pub fn get(&self, revision: &Name) -> Option<&RevisionScaling> {
        self.by_revision.get(revision)
    }

    /// All revisions of which anything is known.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &RevisionScaling)> {
        self.by_revision.iter()
    }

    pub(super) fn entry(&mut self, revision: &Name) -> Option<&mut RevisionScaling> {
        if REVISIONS_MAX <= self.by_revision.len() && !self.by_revision.contains_key(revision) {
            return None;
        }
        Some(self.by_revision.entry(revision.clone()).or_default())
    }

    /// The autoscaler's own word; `made` tells when its pod was made, and what time it is now.
    pub(super) fn reading(
        &mut self,
        at: At,
        (reading, made): (&Autoscaler, Made<'_>),
        log: &mut Happenings,
    ) {
        // A pod that lost its lease goes on exporting what it knew.
        if reading.owner == Some(false) {
            return;
        }
        if let Some(scaling) = self.entry(&reading.revision)
            && !scaling.is_known_better(at, reading)
        {
            scaling.reading(at, (reading, made), log);
        }
    }

    /// The container of an autoscaler's pod was started again: where that pod decides, or nobody
    /// knows who does, another decider began.
    pub(super) fn restarted(&mut self, at: At, pod: &str) {
        for scaling in self.by_revision.values_mut() {
            let is_other = scaling
                .reading
                .as_ref()
                .is_some_and(|reading| reading.owner == Some(true) && reading.pod != pod);
            if let Some(shadow) = scaling.shadow.as_mut().filter(|_| !is_other) {
                shadow.restart(at);
            }
        }
    }

    pub(super) fn log_line(&mut self, anchor: Anchor, line: &AutoscalerLog, log: &mut Happenings) {
        let at = anchor.at(line.written);
        if line.line == LogLine::FollowBegan {
            self.log_since = Some(self.log_since.unwrap_or(at));
            return;
        }
        let is_before = line.written < anchor.0;
        if let Some(scaling) = self.entry(&line.revision) {
            if let Some(shadow) = scaling.shadow.as_mut().filter(|_| !is_before) {
                shadow_line(shadow, at, line);
            }
            scaling.log_line((at, is_before), line, log);
        }
    }

    pub(super) const fn log_lost(&mut self, is_lost: bool) {
        self.is_log_lost = is_lost;
    }

    pub(super) fn activator(&mut self, at: At, reading: &Activator) {
        let Some(scaling) = self.entry(&reading.revision) else { return };
        let still = lingering::still(scaling.still.remove(&reading.pod), reading);
        let reading = &lingering::believed(still, reading);
        scaling.still.extend(still.map(|still| (reading.pod.clone(), still)));
        if let Some(shadow) = &mut scaling.shadow {
            shadow.activator(reading);
        }
        scaling.activators.retain(|_, known| at.since(known.read) < fresh_for(known.every));
        scaling.activators.insert(reading.pod.clone(), reading.clone());
        scaling.still.retain(|pod, _| scaling.activators.contains_key(pod));
        let all: Option<f64> = scaling.activators.values().map(|known| known.concurrency).sum();
        match all {
            Some(all) => scaling.activator.push(at, all),
            None => scaling.activator.gap(at),
        }
        scaling.inputs.turn(reading.read, scaling.counts.map(|counts| counts.ready), all);
    }

    pub(super) fn queue_proxy(&mut self, revision: &Name, reading: &QueueProxy, is_ready: bool) {
        let Some(scaling) = self.entry(revision) else { return };
        let ready = scaling.counts.map(|counts| counts.ready);
        let activator = scaling.activator.at(reading.read, Some(FRESH));
        scaling.inputs.turn(reading.read, ready, activator);
        // The autoscaler asks ready pods only, and its mean is over those.
        if let Some(stat) = reading.stat.filter(|_| is_ready) {
            scaling.inputs.add(stat);
        }
    }

    pub(super) fn replicas(&mut self, at: At, revision: &Name, replicas: Option<u32>) {
        let Some(scaling) = self.entry(revision) else { return };
        let value = replicas.map(f64::from);
        if scaling.replicas.is_empty() || scaling.replicas.at(at, None) != value {
            scaling.replicas.set(at, value);
        }
    }

    pub(super) fn forget(&mut self, revision: &Name) {
        let forgotten = self.by_revision.remove(revision);
        self.n_shadows -= usize::from(forgotten.is_some_and(|it| it.shadow.is_some()));
    }

    /// The model of a revision's decider; it begins now, if there is none and room for one.
    pub(super) fn shadow(
        &mut self,
        anchor: Anchor,
        now: At,
        (revision, is_ours): (&Name, bool),
    ) -> Option<&mut Shadow> {
        // Half of the room is for those that the run is about.
        let has_room = self.n_shadows < if is_ours { SHADOWS_MAX } else { SHADOWS_MAX / 2 };
        let do_answer = self.do_activators_answer;
        let scaling = self.by_revision.get_mut(revision)?;
        if scaling.shadow.is_none() {
            if !has_room {
                return None;
            }
            let mut shadow = Box::new(Shadow::new(anchor, now));
            shadow.activators_answer(do_answer);
            self.n_shadows += 1;
            self.shadows_wake = Some(self.shadows_wake.map_or(now, |wake| wake.min(now)));
            scaling.shadow = Some(shadow);
        }
        scaling.shadow.as_deref_mut()
    }

    /// The models of deciders.
    pub(super) fn shadows(&mut self) -> impl Iterator<Item = &mut Shadow> {
        self.by_revision.values_mut().filter_map(|scaling| scaling.shadow.as_deref_mut())
    }

    /// Whether the activators' metrics can be read.
    pub(super) const fn do_activators_answer(&self) -> bool {
        self.do_activators_answer
    }

    /// The activators' metrics can be read, or not.
    pub(super) fn activators_answer(&mut self, they_do: bool) {
        self.do_activators_answer = they_do;
        for shadow in self.shadows() {
            shadow.activators_answer(they_do);
        }
    }

    /// The models do what is due, and where nobody else tells of panic, they do.
    pub(super) fn advance(&mut self, now: At, log: &mut Happenings) {
        if self.shadows_wake.is_none_or(|wake| now < wake) {
            return;
        }
        let has_log = self.log_since.is_some() && !self.is_log_lost;
        let mut wake: Option<At> = None;
        for (revision, scaling) in &mut self.by_revision {
            let Some(shadow) = &mut scaling.shadow else { continue };
            let has_ticked = shadow.advance(now);
            wake = Some(wake.map_or(shadow.wakes(), |wake| wake.min(shadow.wakes())));
            if has_ticked {
                scaling.derived(revision, (now, has_log), log);
            }
        }
        self.shadows_wake = wake;
    }

    /// The pods can no longer be seen: their lines break off.
    pub(super) fn pods_unseen(&mut self, at: At) {
        for scaling in self.by_revision.values_mut() {
            scaling.count_pod_seconds(at);
            scaling.counts = None;
            for series in [&mut scaling.ready, &mut scaling.starting, &mut scaling.terminating] {
                series.gap(at);
            }
        }
    }

    /// Whether a revision panics at `now`.
    pub fn panic_state(&self, revision: &Name, now: At) -> PanicState {
        let Some(scaling) = self.by_revision.get(revision) else {
            return PanicState::Unknown(Ignorance::NotHeard);
        };
        scaling.panic_state(now, self.log_since.is_some() && !self.is_log_lost)
    }
}

// === impl RevisionScaling ===

impl RevisionScaling {
    /// How long a reading counts: a Prometheus server has one only as often as it scrapes.
    pub fn fresh_for(&self) -> Duration {
        fresh_for(self.reading.as_ref().and_then(|reading| reading.every))
    }

    /// Whether the autoscaler itself was read, so that a Prometheus server's word is late.
    fn is_known_better(&self, at: At, reading: &Autoscaler) -> bool {
        reading.origin == Origin::Prometheus
            && self
                .reading
                .as_ref()
                .is_some_and(|known| known.origin == Origin::Metric && at.since(known.read) < FRESH)
    }

    fn reading(&mut self, at: At, (reading, made): (&Autoscaler, Made<'_>), log: &mut Happenings) {
        let read = reading.read;
        let before = self.reading.replace(reading.clone());
        let is_first = before.is_none();
        let is_other_pod = before.as_ref().is_some_and(|before| before.pod != reading.pod);
        if is_other_pod {
            let (revision, pod) = (reading.revision.clone(), reading.pod.clone());
            log.push(at, What::Owner { revision, pod });
        }
        let is_in_place_of_another = self.is_in_place_of_another((is_other_pod, reading), made);
        // Every decider begins with gauges at zero.
        let has_decided = |of: &Autoscaler| averages(of).target.is_some_and(|it| 0.0 < it);
        let begins = !has_decided(reading) && before.as_ref().is_some_and(has_decided);
        if let Some(shadow) = &mut self.shadow {
            // A new pod in place of the old one is the same autoscaler, restarted.
            if is_other_pod && !is_in_place_of_another {
                shadow.leader_changed(read);
            }
            shadow.reported(reported(reading), begins || is_other_pod);
        }
        // One that begins in panic counts from its own beginning.
        if begins || is_other_pod {
            self.last_over = reading.panic.filter(|it| *it).map(|_| read);
        }
        let averages = averages(reading);
        // Before the first decision, which sets the target, zeros are no numbers.
        let is_undecided = averages.target.is_some_and(|target| target <= 0.0);
        let decided = |value: Option<f64>| value.filter(|_| !is_undecided);
        let wanted = reading.desired.filter(|it| 0.0 < *it).or_else(|| decided(reading.desired));
        for (series, value) in [
            (&mut self.wanted, wanted),
            (&mut self.stable, decided(averages.stable)),
            (&mut self.panic, decided(averages.panic)),
            (&mut self.excess_burst_capacity, decided(reading.excess_burst_capacity)),
        ] {
            match value {
                Some(value) => series.push(read, value),
                None => series.gap(read),
            }
        }
        // It tells more, and later, than the line that the log ended with.
        if reading.panic.is_some() {
            self.log_panics = None;
        }
        match self.panic_line() {
            Some(line) => self.enters.push(read, line.above),
            None => self.enters.gap(read),
        }
        if self.is_over() == Some(true) {
            self.last_over = Some(read);
        }
        match reading.panic {
            Some(true) => {
                // The first reading of all cannot tell when it began.
                self.panic_goes_on(read, (reading.origin, is_first), reading, log);
            }
            Some(false) => self.panic_is_off(read, reading.origin, &reading.revision, log),
            None => {}
        }
    }

    /// Whether the pod that owns it now was made to stand in place of the one that did: it is
    /// young, and younger than that by more than two replicas are that were made at once.
    fn is_in_place_of_another(
        &mut self,
        (is_other, reading): (bool, &Autoscaler),
        made: Made<'_>,
    ) -> bool {
        if !is_other && self.owner_made.is_some() || reading.owner != Some(true) {
            return false;
        }
        let (made, now) = made();
        let before = std::mem::replace(&mut self.owner_made, made);
        let since = |from: UnixMicros, to: UnixMicros| {
            Duration::from_micros(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
        };
        made.is_some_and(|made| {
            since(made, now) < YOUNG && before.is_none_or(|before| AT_ONCE < since(before, made))
        })
    }

    pub(super) fn counts(&mut self, at: At, counts: PodCounts) {
        if self.counts == Some(counts) {
            return;
        }
        self.count_pod_seconds(at);
        self.counts = Some(counts);
        self.ready_max = self.ready_max.max(Some(counts.ready));
        self.ready.push(at, counts.ready.into());
        self.starting.push(at, counts.starting.into());
        self.terminating.push(at, counts.terminating.into());
    }

    /// Whether it has endpoints.
    pub(super) fn endpoints(&mut self, at: At, has: Option<bool>) {
        let value = has.map(|has| f64::from(u8::from(has)));
        if self.endpoints.is_empty() || self.endpoints.at(at, None) != value {
            self.endpoints.set(at, value);
        }
    }

    /// Pods that are ready now; `None` is not known.
    pub fn ready_now(&self) -> Option<u32> {
        self.counts.map(|counts| counts.ready)
    }

    pub(super) fn count_pod_seconds(&mut self, at: At) {
        if let Some(counts) = self.counts {
            let n_pods = counts.ready + counts.starting + counts.terminating;
            self.pod_seconds += f64::from(n_pods) * at.since(self.counted_at).as_secs_f64();
        }
        self.counted_at = self.counted_at.max(at);
    }

    /// Pod seconds until `now`.
    pub fn pod_seconds_at(&self, now: At) -> f64 {
        let n_pods = self.counts.map_or(0, |it| it.ready + it.starting + it.terminating);
        self.pod_seconds + f64::from(n_pods) * now.since(self.counted_at).as_secs_f64()
    }

    pub(super) fn desire(&mut self, at: At, desired: Option<u32>) {
        self.desired_now = desired;
        match desired {
            Some(desired) => {
                self.desired.push(at, desired.into());
                self.desired_max = self.desired_max.max(Some(desired));
            }
            None => self.desired.gap(at),
        }
    }
}

/// How long a reading counts that comes so often: one may be missed.
fn fresh_for(every: Option<Duration>) -> Duration {
    every.map_or(FRESH, |every| FRESH.max(every * 5 / 2))
}

/// What a reading says of the tick before it.
fn reported(reading: &Autoscaler) -> Reported {
    let known = averages(reading);
    // Before the first decision, which sets the target, zeros are no averages.
    let observed = match (known.stable, known.panic) {
        (Some(stable), Some(panic)) if known.target != Some(0.0) => {
            Some(Observed { stable, panic })
        }
        _ => None,
    };
    Reported {
        read: reading.read,
        origin: reading.origin,
        desired: reading.desired.and_then(whole),
        panicking: reading.panic,
        observed,
        ready: reading.actual.and_then(whole),
        excess_burst_capacity: reading.excess_burst_capacity,
    }
}

/// What a line of the log says of the tick before it.
fn shadow_line(shadow: &mut Shadow, at: At, line: &AutoscalerLog) {
    let silent = Reported {
        read: at,
        origin: Origin::Log,
        desired: None,
        panicking: None,
        observed: None,
        ready: None,
        excess_burst_capacity: None,
    };
    match line.line {
        LogLine::Panicking => {
            shadow.logged(Reported { panicking: Some(true), ..silent }, true);
        }
        LogLine::UnPanicking => {
            shadow.logged(Reported { panicking: Some(false), ..silent }, true);
        }
        LogLine::PaScale { desired, .. } => {
            let desired = u32::try_from(desired).ok();
            shadow.logged(Reported { desired, ..silent }, false);
        }
        LogLine::Scaling { .. } | LogLine::FollowBegan => {}
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
fn whole(value: f64) -> Option<u32> {
    (0.0..=1e9).contains(&value).then_some(value as u32)
}
