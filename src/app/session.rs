//! A run without its screen: the bus, the record, the model, the hands.
//!
//! Whoever shows the run, or does not, calls [`Session::step`] until it says that all is over, and
//! then [`Session::finish`]; so a run ends the same way in every ending.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::bus;
use crate::bus::Bus;
use crate::bus::Sender;
use crate::clock::Clock;
use crate::event::Event;
use crate::event::Stamped;
use crate::event::cluster::Name;
use crate::event::command::LoadCommand;
use crate::event::run::Client;
use crate::event::run::Ended;
use crate::event::run::Note;
use crate::event::run::Outcome;
use crate::export::summary::Summary;
use crate::journal::FolderError;
use crate::journal::FullDisk;
use crate::journal::Recorder;
use crate::journal::RunFolder;
use crate::load::Engine;
use crate::model::Model;
use crate::scenario::check::Check;
use crate::scenario::plan::Address;
use crate::tasks;

use super::created::Witness;
use super::latency_log::LatencyLog;
use super::prepare;
use super::prepare::Failed;
use super::prepare::PrepareError;
use super::prepare::Prepared;
use super::resources;
use super::spec::RunSpec;

/// Events taken in one step at most, so that a flood keeps neither keys nor frames waiting.
const BATCH: usize = 256;
/// How long the hands may take to end.
const HANDS_GRACE: Duration = Duration::from_secs(2);
/// How long the preparation may take to give up; it has to wait for an answer to what it made, and
/// to delete it.
const GIVE_UP_GRACE: Duration = Duration::from_secs(30);

/// A run without its screen.
#[derive(Debug)]
pub struct Session {
    /// What is to be run.
    pub spec: RunSpec,
    /// What is known.
    pub model: Model,
    clock: Clock,
    bus: Bus,
    sender: Sender,
    record: Record,
    runtime: Option<Runtime>,
    preparing: Option<AbortOnDropHandle<Result<Prepared, Failed>>>,
    /// What a preparation that failed could not put back.
    left_behind: Vec<String>,
    /// Asks the preparation to give up.
    give_up: CancellationToken,
    prepared: Option<Prepared>,
    engine: Option<Engine>,
    is_plan_done: bool,
    /// Whether the load is paused because the process was to be stopped.
    pub(super) is_suspended: bool,
}

/// Where the record goes.
#[derive(Debug)]
enum Record {
    /// To a folder.
    On { folder: RunFolder, recorder: Box<Recorder>, latency_log: Option<Box<LatencyLog>> },
    /// It could not be begun, or broke off.
    Off { folder: Option<RunFolder>, reason: String },
}

/// What a step brought.
#[derive(Debug)]
pub enum Step {
    /// Events were taken in.
    Took,
    /// The load's plan is done; collecting goes on.
    PlanDone,
    /// The time that was asked for is over.
    TimeOver,
    /// The run could not be begun.
    Failed(PrepareError),
    /// The record broke off, and the run must not go on without one.
    Unrecorded(String),
}

/// The run could not even be set up.
#[derive(Debug, Error)]
pub enum SessionError {
    /// No runtime for the hands.
    #[error("cannot start the threads that collect")]
    Runtime(#[source] io::Error),
    /// The run folder could not be made, and a record is a must.
    #[error("cannot record the run")]
    Record(#[source] FolderError),
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub outcome: Outcome,
    /// Its numbers.
    pub summary: Summary,
    /// Where its record lies, if it was recorded.
    pub folder: Option<PathBuf>,
    /// What in the cluster could not be put back.
    pub left_behind: Vec<String>,
    /// Why there is no complete record, if there is none.
    pub unrecorded: Option<String>,
}

// === impl Session ===

impl Session {
    /// Sets a run up: from here on its time runs, and its record. Nothing has been asked of any
    /// cluster yet.
    pub fn begin(spec: RunSpec, clock: Clock) -> Result<Self, SessionError> {
        let (sender, bus) = bus::bus(bus::CAPACITY, clock);
        let record = Record::begin(&spec, clock)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("collect")
            .enable_all()
            .build()
            .map_err(SessionError::Runtime)?;
        let give_up = CancellationToken::new();
        let preparing = {
            let witness = Witness { sender: sender.clone(), folder: record.folder().cloned() };
            let _inside = runtime.enter();
            tasks::spawn(prepare::prepare(spec.clone(), witness, clock, give_up.clone()))
        };
        Ok(Self {
            spec,
            model: Model::default(),
            clock,
            bus,
            sender,
            record,
            runtime: Some(runtime),
            preparing: Some(preparing),
            left_behind: Vec::new(),
            give_up,
            prepared: None,
            engine: None,
            is_plan_done: false,
            is_suspended: false,
        })
    }

    /// The run's clock.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Whether load is being sent, or about to be.
    pub fn is_loading(&self) -> bool {
        self.spec.plan.is_some() && !self.is_plan_done
    }

    /// Where the record lies.
    pub fn folder(&self) -> Option<&RunFolder> {
        self.record.folder()
    }

    /// Why the run is not recorded, if it is not.
    pub fn unrecorded(&self) -> Option<&str> {
        match &self.record {
            Record::On { .. } => None,
            Record::Off { reason, .. } => Some(reason),
        }
    }

    /// Waits for the next thing and takes it in. Cancel safe.
    pub async fn step(&mut self) -> Step {
        let over = self.spec.settings.duration.map(|lasts| self.clock.instant(lasts.into()));
        tokio::select! { biased;
            prepared = until_prepared(&mut self.preparing) => self.started(prepared),
            () = until_over(over) => {
                self.spec.settings.duration = None;
                Step::TimeOver
            }
            () = until_plan_done(self.engine.as_ref()), if !self.is_plan_done => {
                self.is_plan_done = true;
                Step::PlanDone
            }
            Some(stamped) = self.bus.recv() => {
                self.take(&stamped);
                for _ in 1..BATCH {
                    let Some(stamped) = self.bus.try_recv() else { break };
                    self.take(&stamped);
                }
                self.watch_record()
            }
        }
    }

    fn started(&mut self, prepared: Result<Prepared, Failed>) -> Step {
        match prepared {
            Ok(mut prepared) => {
                if let Some(engine) = prepared.engine.take() {
                    match Engine::start(engine, self.sender.clone()) {
                        Ok(engine) => self.engine = Some(engine),
                        Err(error) => {
                            self.prepared = Some(prepared);
                            return Step::Failed(PrepareError::Engine(error));
                        }
                    }
                }
                self.prepared = Some(prepared);
                Step::Took
            }
            Err(Failed { error, left_behind }) => {
                if matches!(error, PrepareError::Bug { .. }) {
                    self.left_behind.extend(self.perhaps_made());
                }
                self.left_behind.extend(left_behind);
                Step::Failed(error)
            }
        }
    }

    /// What to say where a preparation ended without telling whether it made something.
    fn perhaps_made(&self) -> Option<String> {
        let Address::Service { name, create: Some(_), .. } =
            &self.spec.plan.as_ref()?.target.address
        else {
            return None;
        };
        Some(format!(
            "services.serving.knative.dev {name} may have been made and not deleted; look for it \
             with: kubectl get services.serving.knative.dev {name} --show-labels"
        ))
    }

    fn take(&mut self, stamped: &Stamped) {
        if let Record::On { recorder, latency_log, .. } = &mut self.record {
            recorder.record(stamped);
            if let Some(log) = latency_log {
                log.take(stamped);
            }
        }
        self.model.apply(stamped);
    }

    /// Tells at once when the record breaks off.
    fn watch_record(&mut self) -> Step {
        let Record::On { folder, recorder, .. } = &mut self.record else { return Step::Took };
        let Some(trouble) = recorder.trouble() else { return Step::Took };
        let reason = trouble.to_string();
        tracing::error!(reason, "the record broke off");
        self.record = Record::Off { folder: Some(folder.clone()), reason: reason.clone() };
        match trouble.then {
            FullDisk::Stop => Step::Unrecorded(reason),
            FullDisk::GoOn => Step::Took,
        }
    }

    /// Asks the engine for a change of load.
    pub fn change_load(&self, command: LoadCommand) {
        if let Some(engine) = &self.engine {
            engine.command(command);
        }
    }

    /// Sends nothing more; what is in flight is answered.
    pub fn stop_load(&self) {
        if let Some(engine) = &self.engine {
            engine.stop();
        }
    }

    /// Looks at another service.
    pub fn open(&self, service: Name) {
        if let Some(prepared) = &self.prepared {
            prepared.open(service);
        }
    }

    /// Keeps a note.
    pub fn note(&mut self, note: Note) {
        let stamped = self.bus.stamp(Event::Note(note));
        self.take(&stamped);
    }

    /// Ends the run: no new request, what is in flight is drained, what was made is deleted, the
    /// record is closed. `hurry` resolves when a person will not wait for the draining.
    pub async fn finish(
        mut self,
        outcome: Outcome,
        reason: Option<String>,
        screen: (u64, u64),
        hurry: impl Future<Output = ()>,
    ) -> (Finished, Model) {
        if let Some(engine) = self.engine.take() {
            engine.stop();
            self.drain_engine(engine, hurry).await;
        }
        self.end_hands().await;
        let left_behind = std::mem::take(&mut self.left_behind);
        while let Some(stamped) = self.bus.try_recv() {
            self.take(&stamped);
        }
        let client = Client {
            cpu_s: resources::cpu_seconds(),
            rss_max_bytes: resources::rss_max_bytes().unwrap_or(0),
            terminal_bytes: screen.0,
            frames: screen.1,
            threads: resources::thread_cpu_seconds(),
        };
        let ended = Event::Ended(Ended { outcome, reason, client: Some(client) });
        let stamped = self.bus.stamp(ended);
        self.take(&stamped);
        let _ = self.watch_record();
        let checks = self.checks().to_vec();
        let summary = Summary::of(&self.model, &checks);
        // Of a run that never began there is nothing to be replayed.
        let is_void = self.model.run.began.is_none() && left_behind.is_empty();
        let (folder, unrecorded) = self.record.end(&summary, is_void);
        let finished = Finished { outcome, summary, folder, left_behind, unrecorded };
        (finished, self.model)
    }

    fn checks(&self) -> &[Check] {
        self.spec.plan.as_ref().map_or(&[], |plan| plan.checks.as_slice())
    }

    /// Waits for the engine, taking in what comes meanwhile: nothing may wait in `send`.
    async fn drain_engine(&mut self, engine: Engine, hurry: impl Future<Output = ()>) {
        tokio::pin!(hurry);
        let mut is_hurried = false;
        loop {
            tokio::select! { biased;
                () = &mut hurry, if !is_hurried => {
                    is_hurried = true;
                    engine.abort();
                }
                () = engine.ended() => break,
                Some(stamped) = self.bus.recv() => self.take(&stamped),
            }
        }
    }

    /// Gives up what is still being prepared, which may have to delete what it made.
    async fn give_up_preparing(&mut self) {
        self.give_up.cancel();
        let Some(preparing) = self.preparing.take() else { return };
        let given_up = tokio::time::timeout(GIVE_UP_GRACE, preparing);
        tokio::pin!(given_up);
        loop {
            tokio::select! { biased;
                ended = &mut given_up => {
                    match ended {
                        // It was ready at the same moment.
                        Ok(Ok(Ok(prepared))) => self.prepared = Some(prepared),
                        Ok(Ok(Err(failed))) => self.left_behind.extend(failed.left_behind),
                        Ok(Err(_)) | Err(_) => self.left_behind.extend(self.perhaps_made()),
                    }
                    return;
                }
                Some(stamped) = self.bus.recv() => self.take(&stamped),
            }
        }
    }

    /// Ends the hands and deletes what was made.
    async fn end_hands(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        self.give_up_preparing().await;
        if let Some(prepared) = self.prepared.take() {
            let ending = {
                let _inside = runtime.enter();
                tasks::spawn(prepared.end(HANDS_GRACE))
            };
            tokio::pin!(ending);
            loop {
                tokio::select! { biased;
                    left = &mut ending => {
                        match left {
                            Ok(left) => self.left_behind.extend(left),
                            Err(_) => self.left_behind.extend(self.perhaps_made()),
                        }
                        break;
                    }
                    Some(stamped) = self.bus.recv() => self.take(&stamped),
                }
            }
        }
        runtime.shutdown_background();
    }
}

/// Waits for the preparation, if it still goes on.
async fn until_prepared(
    preparing: &mut Option<AbortOnDropHandle<Result<Prepared, Failed>>>,
) -> Result<Prepared, Failed> {
    let Some(handle) = preparing else { return std::future::pending().await };
    let prepared = handle.await;
    *preparing = None;
    prepared.unwrap_or_else(|error| Err(PrepareError::Bug { words: error.to_string() }.into()))
}

async fn until_over(over: Option<tokio::time::Instant>) {
    match over {
        Some(over) => tokio::time::sleep_until(over).await,
        None => std::future::pending().await,
    }
}

async fn until_plan_done(engine: Option<&Engine>) {
    match engine {
        Some(engine) => engine.plan_done().await,
        None => std::future::pending().await,
    }
}

// === impl Record ===

impl Record {
    fn begin(spec: &RunSpec, clock: Clock) -> Result<Self, SessionError> {
        let out = spec.settings.out.as_deref();
        let begun = RunFolder::create(out, &spec.name, clock).and_then(|folder| {
            if let Some(plan) = &spec.plan {
                folder.write_plan(&plan.clone().without_secrets())?;
            }
            let recorder = folder.record(FullDisk::GoOn)?;
            // Without load there are no latencies.
            let latency_log = spec.plan.as_ref().and_then(|_| LatencyLog::begin(&folder));
            let (recorder, latency_log) = (Box::new(recorder), latency_log.map(Box::new));
            Ok(Self::On { folder, recorder, latency_log })
        });
        match begun {
            Ok(on) => Ok(on),
            // A person who said where wants it there.
            Err(error) if out.is_some() => Err(SessionError::Record(error)),
            // Watching without a record is better than not watching.
            Err(error) => Ok(Self::Off { folder: None, reason: tasks::chain(&error) }),
        }
    }

    const fn folder(&self) -> Option<&RunFolder> {
        match self {
            Self::On { folder, .. } => Some(folder),
            Self::Off { folder, .. } => folder.as_ref(),
        }
    }

    fn end(self, summary: &Summary, is_void: bool) -> (Option<PathBuf>, Option<String>) {
        match self {
            Self::On { folder, recorder, latency_log } => {
                if let Some(log) = latency_log {
                    log.end();
                }
                let (_, trouble) = recorder.finish();
                if is_void {
                    folder.forget();
                    return (None, None);
                }
                let written = folder.write_summary(summary).map_err(|error| tasks::chain(&error));
                let reason = trouble.map(|trouble| trouble.to_string()).or(written.err());
                (Some(folder.path().to_owned()), reason)
            }
            Self::Off { folder, reason } => {
                let path = folder.map(|folder| {
                    // The summary may still fit where the journal did not.
                    let _ = folder.write_summary(summary);
                    folder.path().to_owned()
                });
                (path, Some(reason))
            }
        }
    }
}
