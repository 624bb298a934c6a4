//! What is known: a fold over events, and nothing else changes it.
//!
//! `apply` cannot fail, reads no clock and does no I/O, so replaying a journal gives the same
//! model as living through it. Values are kept, never text to be shown and never styles.

mod beside;
pub mod cluster;
pub mod curve;
pub mod demand;
pub mod findings;
pub mod happenings;
pub mod hpa;
mod podlife;
pub mod recording;
pub mod run;
pub mod scaling;
pub mod scorecard;
pub mod shadow;
pub mod sources;
pub mod startup;
pub mod traffic;
pub mod waited;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::event::Event;
use crate::event::Stamped;
use crate::event::cluster::ConfigMap;
use crate::event::cluster::Gone;
use crate::event::cluster::Kind;
use crate::event::cluster::Name;
use crate::event::cluster::Object;
use crate::event::cluster::PodAutoscaler;
use crate::event::cluster::ServerlessService;
use crate::event::cluster::Status;
use crate::event::hpa::HorizontalPodAutoscaler;
use crate::event::run::Executor;
use crate::event::source::Report;
use crate::event::source::State;
use crate::kpa::Effective;
use crate::kpa::config::Sources as ConfigSources;
use crate::kpa::whatif::Curve;
use crate::units::At;

use cluster::Cluster;
use cluster::Leaver;
use cluster::PodLife;
use cluster::PodState;
use findings::Findings;
use happenings::Happenings;
use happenings::What;
use hpa::Hpas;
use run::MarkKind;
use run::Run;
use scaling::Scaling;
use sources::Sources;
use traffic::Traffic;

/// The source whose silence makes pod counts unknown.
pub const WATCH_PODS: &str = "watch pods";

/// The source whose silence makes panic unknown where no metric tells of it.
pub const AUTOSCALER_LOG: &str = "autoscaler log";

/// The source whose answers make an activator's silence about a revision a zero.
pub const ACTIVATOR_METRICS: &str = "activator metrics";

/// A setting that changed: its key, its old and its new value; `None` is not set.
type Change = (String, Option<String>, Option<String>);

/// All that is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    /// When the newest event was stamped.
    pub now: At,
    /// The course of the run.
    pub run: Run,
    /// The load.
    pub traffic: Traffic,
    /// Pods, services, revisions.
    pub cluster: Cluster,
    /// What the autoscaler wants.
    pub scaling: Scaling,
    /// What the autoscalers of Kubernetes and KEDA want.
    pub hpas: Hpas,
    /// How the sources are.
    pub sources: Sources,
    /// What happened.
    pub happenings: Happenings,
    /// The most that the run's revisions had together.
    pub most: Most,
    /// Which latencies the load met at which concurrency a pod.
    pub curve: Curve,
    /// What needs a look.
    pub findings: Findings,
}

/// The most pods that all revisions which the run is about had at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Most {
    /// Ready; `None` before pods were listed.
    pub ready: Option<u32>,
    /// Desired; `None` if that was never known.
    pub desired: Option<u32>,
}

impl Model {
    /// Takes one event in.
    pub fn apply(&mut self, stamped: &Stamped) {
        let at = stamped.at;
        self.now = self.now.max(at);
        match &stamped.event {
            Event::Began(began) => self.run.begin(began),
            Event::Found(found) => {
                self.happenings.push(at, What::Found(found.clone()));
                self.run.found = Some(found.clone());
            }
            Event::Stage(stage) => {
                let planned = self
                    .run
                    .began
                    .as_ref()
                    .and_then(|began| began.stages.get(usize::try_from(stage.index).ok()?));
                let (from, to) = (planned.map(|it| it.from), planned.map(|it| it.to));
                let name = stage.name.clone();
                self.happenings.push(stage.at, What::Stage { name, from, to });
                self.run.stage(stage);
            }
            Event::Control(control) => {
                self.happenings.push(control.at, What::Control(control.clone()));
                self.run.control(control);
            }
            Event::Note(note) => {
                self.happenings.insert(note.about, What::Note(note.text.clone()));
                self.run.note(note);
            }
            Event::Traffic(interval) => {
                self.traffic.apply(interval);
                let mut curve = std::mem::take(&mut self.curve);
                curve::add(&mut curve, self, interval.began);
                self.curve = curve;
                self.own_load(interval);
            }
            Event::Listing(kind) => self.cluster.listing(*kind),
            Event::Listed(kind) => {
                for id in self.cluster.listed(*kind) {
                    self.gone(at, &Gone { kind: *kind, id });
                }
                if *kind == Kind::Pod {
                    self.count_all(at);
                }
            }
            Event::Seen(object) => self.seen(at, object),
            Event::Gone(gone) => self.gone(at, gone),
            Event::Autoscaler(reading) => {
                let now = self.run.anchor().wall(reading.read);
                let made = || (self.cluster.autoscaler_made(&reading.pod), now);
                self.scaling.reading(at, (reading, &made), &mut self.happenings);
            }
            Event::AutoscalerLog(line) => {
                self.scaling.log_line(self.run.anchor(), line, &mut self.happenings);
            }
            Event::Activator(reading) => self.scaling.activator(at, reading),
            Event::QueueProxy(reading) => self.queue_proxy(reading),
            Event::Usage(usage) => self.usage(at, usage),
            Event::Source(report) => self.source(at, report),
            Event::Action(action) => self.happenings.push(at, What::Action(action.clone())),
            Event::Lost { n } => {
                self.run.n_lost = self.run.n_lost.saturating_add(*n);
                self.happenings.push(at, What::Lost(*n));
            }
            Event::Ended(ended) => {
                let (outcome, reason) = (ended.outcome, ended.reason.clone());
                self.happenings.push(at, What::Ended { outcome, reason });
                self.run.end(at, ended);
            }
        }
        self.scaling.advance(self.now, &mut self.happenings);
        if self.findings.is_due(self.now, self.run.ended.is_some()) {
            let seen = findings::check(self);
            self.findings.take(self.now, seen);
        }
    }

    fn seen(&mut self, at: At, object: &Object) {
        let anchor = self.run.anchor();
        match object {
            Object::Pod(pod) => {
                let before = self.cluster.pods.get(&pod.id.uid);
                let n_restarts = before.map(|life| life.pod.restarts);
                let before = before.map(|life| (life.ready_seen, life.deleted_seen));
                self.cluster.seen(at, anchor, object);
                self.pod_seen(at, before, &pod.id.uid);
                self.pods_troubled(&pod.id.uid);
                if pod.app.as_deref() == Some("autoscaler")
                    && n_restarts.is_some_and(|before| before < pod.restarts)
                {
                    self.scaling.restarted(at, &pod.id.name);
                }
            }
            Object::PodAutoscaler(autoscaler) => {
                self.annotations_seen(at, autoscaler);
                self.cluster.seen(at, anchor, object);
                self.autoscaler_seen(at, autoscaler);
            }
            Object::ServerlessService(sks) => {
                self.cluster.seen(at, anchor, object);
                self.sks_seen(at, sks);
            }
            Object::ConfigMap(config) => {
                self.config_seen(at, config);
                self.cluster.seen(at, anchor, object);
                self.reconfigure_all(at);
            }
            Object::Event(event) => {
                // What was old when we came is no news.
                if event.last.is_none_or(|last| At::ZERO < anchor.at(last)) {
                    self.trouble_told(at, event);
                    self.happenings.push(at, What::Kube(event.clone()));
                }
            }
            Object::HorizontalPodAutoscaler(autoscaler) => {
                self.cluster.seen(at, anchor, object);
                self.hpa_seen(at, autoscaler);
            }
            Object::Deployment(deployment) => {
                self.cluster.seen(at, anchor, object);
                if let Some(name) = &deployment.revision {
                    let revision = name_of(&deployment.id.namespace, name);
                    self.scaling.replicas(at, &revision, deployment.replicas);
                    self.shadow_context(at, &revision);
                }
            }
            Object::Revision(revision) => {
                self.cluster.seen(at, anchor, object);
                let name = name_of(&revision.id.namespace, &revision.id.name);
                let service = revision.service.as_deref();
                let service = service.map(|service| name_of(&name.namespace, service));
                if service.is_some() && service == self.run.service() {
                    self.run.is_about(&name);
                }
                self.revision_seen(at, &name);
            }
            Object::Service(_) | Object::ScaledObject(_) => {
                self.cluster.seen(at, anchor, object);
            }
        }
    }

    /// `before`: when it had been seen ready, and being deleted; `None` for a new one.
    fn pod_seen(&mut self, at: At, before: Option<(Option<At>, Option<At>)>, uid: &str) {
        let Some(life) = self.cluster.pods.get(uid) else { return };
        let Some(revision) = life.revision() else { return };
        let is_first_list = !self.cluster.is_listed(Kind::Pod);
        let pod = life.pod.id.name.clone();
        let is_ready = life.state() == PodState::Ready;
        if let Some(shadow) = self.scaling.entry(&revision).and_then(|it| it.shadow.as_mut()) {
            shadow.pod(at, &pod, is_ready);
        }
        if !is_first_list {
            let revision = revision.clone();
            if before.is_none() {
                let (revision, pod) = (revision.clone(), pod.clone());
                self.happenings.push(at, What::PodCreated { revision, pod });
            }
            if life.ready_seen == Some(at) && before.is_none_or(|(ready, _)| ready.is_none()) {
                let took = self
                    .cluster
                    .cold_starts
                    .back()
                    .filter(|start| start.pod == pod && start.ready == at)
                    .map(|start| start.took);
                let (revision, pod) = (revision.clone(), pod.clone());
                self.happenings.push(at, What::PodReady { revision, pod, took });
            }
            if life.deleted_seen == Some(at) && before.is_none_or(|(_, deleted)| deleted.is_none())
            {
                self.happenings.push(at, What::PodTerminating { revision, pod });
            }
        }
        self.count(at, &revision);
    }

    fn pod_gone(&mut self, at: At, leaver: Leaver) {
        let Leaver { revision, pod } = leaver;
        if let Some(shadow) = self.scaling.entry(&revision).and_then(|it| it.shadow.as_mut()) {
            shadow.pod_gone(at, &pod);
        }
        self.happenings.push(at, What::PodGone { revision: revision.clone(), pod });
        self.count(at, &revision);
        self.count_cpu(at, &revision);
        // Its revision went before it.
        if self.is_ghost(&revision) {
            self.scaling.forget(&revision);
        }
    }

    /// Whether nothing is left of a revision that the run is not about.
    fn is_ghost(&self, revision: &Name) -> bool {
        self.cluster.is_listed(Kind::Revision)
            && !self.cluster.revisions.contains_key(revision)
            && !self.cluster.autoscalers.contains_key(revision)
            && self.cluster.pods_of(revision).next().is_none()
            && !self.is_named(revision)
    }

    /// Whether it is one of the service that the run names.
    fn is_named(&self, revision: &Name) -> bool {
        self.run.service().is_some() && self.measured_revisions().contains(revision)
    }

    fn gone(&mut self, at: At, gone: &Gone) {
        let name = name_of(&gone.id.namespace, &gone.id.name);
        let hpa = self.cluster.hpas.get(&name);
        let hpa = hpa.filter(|it| gone.kind == Kind::HorizontalPodAutoscaler && it.id == gone.id);
        if let Some(hpa) = hpa {
            let target = self.cluster.scaled_by(hpa);
            self.hpas.gone(at, &name);
            // Nobody says any more what is desired of a plain Deployment.
            if let Some(target) = target.filter(|it| !self.cluster.autoscalers.contains_key(it)) {
                self.desire(at, target, None);
            }
        }
        if let Some(leaver) = self.cluster.gone(at, gone) {
            self.pod_gone(at, leaver);
        }
        // What the run is about is kept: people ask for it after its end.
        if gone.kind == Kind::Revision
            && !self.cluster.revisions.contains_key(&name)
            && !self.is_named(&name)
        {
            self.scaling.forget(&name);
        }
    }

    /// Pods may have been listed before their revision was; then none of it means none.
    fn revision_seen(&mut self, at: At, revision: &Name) {
        let is_counted = self.scaling.get(revision).is_some_and(|it| !it.ready.is_empty());
        if !is_counted {
            self.count(at, revision);
        }
        // It may be the run's own, whose decider goes before others.
        self.shadow_context(at, revision);
    }

    fn autoscaler_seen(&mut self, at: At, autoscaler: &PodAutoscaler) {
        let revision = name_of(&autoscaler.id.namespace, &autoscaler.id.name);
        let config = self.config_of(autoscaler);
        let Some(scaling) = self.scaling.entry(&revision) else { return };
        scaling.config = config;
        scaling.autoscaler = Some(autoscaler.clone());
        self.shadow_context(at, &revision);
        self.desire(at, revision, autoscaler.desired);
    }

    fn desire(&mut self, at: At, revision: Name, desired: Option<u32>) {
        let Some(scaling) = self.scaling.entry(&revision) else { return };
        let from = scaling.desired_now;
        if from == desired && !scaling.desired.is_empty() {
            return;
        }
        scaling.desire(at, desired);
        self.note_most();
        if let Some(to) = desired {
            self.happenings.push(at, What::Desired { revision, from, to });
        }
    }

    fn hpa_seen(&mut self, at: At, autoscaler: &HorizontalPodAutoscaler) {
        let target = self.cluster.scaled_by(autoscaler);
        let ready = target.as_ref().and_then(|target| self.cluster.counts(target));
        self.hpas.seen(at, autoscaler, ready.map(|counts| counts.ready));
        // A revision's own object says what is desired of it; a plain Deployment has none.
        let Some(target) = target.filter(|it| !self.cluster.autoscalers.contains_key(it)) else {
            return;
        };
        if let Some(desired) = autoscaler.desired_replicas {
            self.desire(at, target, Some(desired));
        }
    }

    fn sks_seen(&mut self, at: At, sks: &ServerlessService) {
        let revision = name_of(&sks.id.namespace, &sks.id.name);
        self.shadow_context(at, &revision);
        let Some(scaling) = self.scaling.entry(&revision) else { return };
        let truth = |status| match status {
            Status::True => Some(true),
            Status::False => Some(false),
            Status::Unknown => None,
        };
        scaling.endpoints(at, truth(sks.endpoints.status));
        let known = scaling.via_activator_now;
        let now = truth(sks.activator_endpoints.status);
        if known == now {
            return;
        }
        scaling.via_activator_now = now;
        scaling.via_activator.set(at, now.map(|is_in| f64::from(u8::from(is_in))));
        if let (Some(_), Some(via_activator)) = (known, now) {
            self.happenings.push(at, What::Path { revision, via_activator });
        }
    }

    fn config_seen(&mut self, at: At, config: &ConfigMap) {
        let Some(before) = self.cluster.config.get(&config.id.name) else { return };
        let changes = changes(&before.data, &config.data);
        self.settings_changed(at, &config.id.name, changes);
    }

    /// A revision's annotations are its own for good; who changes those of its `PodAutoscaler`
    /// changes what is in force.
    fn annotations_seen(&mut self, at: At, autoscaler: &PodAutoscaler) {
        let revision = name_of(&autoscaler.id.namespace, &autoscaler.id.name);
        let before = self.cluster.autoscalers.get(&revision);
        let Some(before) = before.filter(|it| it.id == autoscaler.id) else { return };
        let changes = changes(&before.annotations, &autoscaler.annotations);
        self.settings_changed(at, &revision.name, changes);
    }

    fn settings_changed(&mut self, at: At, name: &str, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.run.mark(at, MarkKind::Config(name.to_owned()));
            self.happenings.push(at, What::Config { name: name.to_owned(), changes });
        }
    }

    /// The configuration that is in force for a revision; `None` while the cluster's part of it
    /// has not been seen, and where another autoscaler than Knative's own decides.
    fn config_of(&self, autoscaler: &PodAutoscaler) -> Option<Effective> {
        if !autoscaler.is_kpa() {
            return None;
        }
        let cluster = self.cluster.config.get("config-autoscaler")?;
        Some(Effective::new(ConfigSources {
            annotations: &autoscaler.annotations,
            container_concurrency: autoscaler.container_concurrency,
            config_autoscaler: &cluster.data,
            reachable: autoscaler.reachable,
        }))
    }

    fn reconfigure_all(&mut self, at: At) {
        let autoscalers: Vec<_> = self.cluster.autoscalers.values().cloned().collect();
        for autoscaler in autoscalers {
            let config = self.config_of(&autoscaler);
            let revision = name_of(&autoscaler.id.namespace, &autoscaler.id.name);
            if let Some(scaling) = self.scaling.entry(&revision) {
                scaling.config = config;
            }
            self.shadow_context(at, &revision);
        }
    }

    fn usage(&mut self, at: At, usage: &crate::event::scaler::Usage) {
        self.cluster.usage(at, usage);
        let revision = self.cluster.pod_named(&usage.pod).and_then(PodLife::revision);
        if let Some(revision) = revision {
            self.count_cpu(at, &revision);
        }
    }

    fn count_cpu(&mut self, at: At, revision: &Name) {
        let anchor = self.run.anchor();
        let cores: Vec<f64> = self
            .cluster
            .pods_of(revision)
            .filter_map(|life| life.usage_at(at, anchor))
            .map(|(cpu, _, _)| f64::from(u32::try_from(cpu.0).unwrap_or(u32::MAX)) / 1000.0)
            .collect();
        let cores = (!cores.is_empty()).then(|| cores.iter().sum());
        if let Some(scaling) = self.scaling.entry(revision)
            && (cores.is_some() || !scaling.cpu.is_empty())
        {
            scaling.cpu.set(at, cores);
        }
    }

    fn source(&mut self, at: At, report: &Report) {
        let before = self.sources.get(&report.source).map(|source| source.report.state);
        self.sources.apply(at, report);
        if before == Some(report.state) {
            return;
        }
        if report.state != State::Connecting {
            let (source, reason) = (report.source.clone(), report.reason.clone());
            self.happenings.push(at, What::Source { source, state: report.state, reason });
        }
        if report.source == ACTIVATOR_METRICS && report.state != State::Connecting {
            self.scaling.activators_answer(report.state == State::Ok);
        }
        if report.source == AUTOSCALER_LOG {
            match report.state {
                State::Ok => self.scaling.log_lost(false),
                State::Connecting => {}
                State::Failing | State::Denied | State::Absent => self.scaling.log_lost(true),
            }
        }
        if report.source == WATCH_PODS {
            match report.state {
                State::Ok => self.count_all(at),
                State::Connecting => {}
                State::Failing | State::Denied | State::Absent => self.scaling.pods_unseen(at),
            }
        }
    }

    fn count(&mut self, at: At, revision: &Name) {
        let Some(counts) = self.cluster.counts(revision) else { return };
        if let Some(scaling) = self.scaling.entry(revision) {
            scaling.counts(at, counts);
        }
        self.note_most();
    }

    fn count_all(&mut self, at: At) {
        let mut revisions: Vec<Name> = self.cluster.revisions.keys().cloned().collect();
        revisions.extend(self.cluster.pods.values().filter_map(PodLife::revision));
        revisions.extend(self.scaling.iter().map(|(name, _)| name.clone()));
        revisions.sort();
        revisions.dedup();
        for revision in revisions {
            self.count(at, &revision);
        }
    }

    /// The revisions that the run is about: those of its service, those that are gone last, or all
    /// where none was named.
    pub fn measured_revisions(&self) -> Vec<Name> {
        let Some(service) = self.run.service() else {
            return self.scaling.iter().map(|(name, _)| name.clone()).collect();
        };
        let mut names = self.cluster.revisions_of(&service);
        let gone: Vec<_> =
            self.run.revisions.iter().rev().filter(|it| !names.contains(it)).cloned().collect();
        names.extend(gone);
        names
    }

    /// The revision that all of our own load goes to; `None` without such a load, and where a route
    /// splits it.
    pub fn loaded_revision(&self) -> Option<Name> {
        if self.run.executor() == Executor::None {
            return None;
        }
        let service = self.run.service()?;
        let lines = self.cluster.services.get(&service).map(|it| it.traffic.as_slice());
        let mut shares =
            lines.unwrap_or_default().iter().filter(|it| it.percent.is_some_and(|it| 0 < it));
        match shares.next() {
            Some(first) => shares
                .all(|it| it.revision == first.revision)
                .then(|| name_of(&service.namespace, &first.revision)),
            None => self.measured_revisions().into_iter().next(),
        }
    }

    /// Notes the most pods that there were together, after any number of them changed.
    fn note_most(&mut self) {
        let revisions = self.measured_revisions();
        let known = revisions.iter().filter_map(|it| self.scaling.get(it)?.ready_now());
        let ready = known.reduce(u32::saturating_add);
        let known = revisions.iter().filter_map(|it| self.scaling.get(it)?.desired_now);
        let desired = known.reduce(u32::saturating_add);
        self.most.ready = self.most.ready.max(ready);
        self.most.desired = self.most.desired.max(desired);
    }

    /// The revision that a person most likely wants to see: of the run's service the one with
    /// most traffic; else of all the first.
    pub fn main_revision(&self) -> Option<Name> {
        match self.run.service() {
            Some(service) => self.cluster.revisions_of(&service).into_iter().next(),
            None => self
                .cluster
                .services
                .keys()
                .find_map(|service| self.cluster.revisions_of(service).into_iter().next()),
        }
    }
}

/// What differs: each key with its old and its new value; `None` is not set.
fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| (key.clone(), before.get(key).cloned(), after.get(key).cloned()))
        .collect()
}

fn name_of(namespace: &str, name: &str) -> Name {
    Name { namespace: namespace.to_owned(), name: name.to_owned() }
}

#[cfg(test)]
mod tests;
