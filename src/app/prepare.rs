//! From a wish to a run: the embedded cluster if asked for, the connection, the collectors, the
//! address of the load.
//!
//! It runs beside the screen, which shows from the first moment what each source says. Nothing is
//! changed in a cluster unless the scenario says `create`.

use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::collect::Cluster;
use crate::collect::ClusterError;
use crate::collect::ClusterOptions;
use crate::collect::CollectSpec;
use crate::collect::Collector;
use crate::collect::gateway;
use crate::collect::gateway::TargetError;
use crate::collect::presence;
use crate::collect::presence::Presence;
use crate::event::Event;
use crate::event::cluster::Name;
use crate::event::run::Began;
use crate::event::run::Executor;
use crate::event::run::Found;
use crate::event::run::PlannedStage;
use crate::load::EngineError;
use crate::load::EngineSpec;
use crate::scenario::error::nearest;
use crate::scenario::plan::Address;
use crate::scenario::plan::Arrivals;
use crate::scenario::plan::Plan;
use crate::scenario::plan::Shape;
use crate::scenario::plan::Stage;
use crate::sim::listen;
use crate::sim::listen::ListenError;
use crate::sim::listen::Ports;
use crate::sim::listen::Running;
use crate::tasks::Supervisor;

use super::created::CreateError;
use super::created::Created;
use super::created::Witness;
use super::settings::Namespace;
use super::settings::Settings;
use super::spec::RunSpec;

/// Gaps between the samples of a planned stage.
const SAMPLES: u32 = 120;

/// What a run holds on to.
#[derive(Debug)]
pub struct Prepared {
    /// The engine's orders, if load is to be sent.
    pub engine: Option<EngineSpec>,
    hands: Supervisor,
    collector: Option<Collector>,
    created: Option<Created>,
    sim: Option<Running>,
}

/// The run could not be begun.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: PrepareError,
    /// What was made and could not be deleted; empty if all is as it was before.
    pub left_behind: Vec<String>,
}

/// Why a run could not be begun.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// The embedded cluster did not start.
    #[error("cannot start the embedded cluster")]
    Sim(#[source] ListenError),
    /// No cluster could be spoken to.
    #[error("cannot reach the cluster")]
    Connect(#[source] ClusterError),
    /// The service is not there.
    #[error("there is no Knative Service {namespace}/{name}{hint}")]
    NoService {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Which one may have been meant, and what else would be right.
        hint: String,
    },
    /// The cluster has no Knative.
    #[error(
        "the cluster does not know Knative Services: is it the right one? `rampscope doctor` says \
         what can be seen in it"
    )]
    NoKnative,
    /// The load's address is not known.
    #[error("cannot find where to send the load")]
    Target(#[source] TargetError),
    /// The address in the plan is none.
    #[error("the address {url:?} cannot be used: {why}")]
    Address {
        /// As it was written.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// The service of the scenario could not be made.
    #[error("cannot make the scenario's service")]
    Create(#[source] CreateError),
    /// The person left before all was ready.
    #[error("given up before the run had begun")]
    GivenUp,
    /// The engine did not start.
    #[error("cannot start the load engine")]
    Engine(#[source] EngineError),
    /// Our own fault.
    #[error("a bug: {words}")]
    Bug {
        /// What the task said.
        words: String,
    },
}

impl From<PrepareError> for Failed {
    /// Before anything was made.
    fn from(error: PrepareError) -> Self {
        Self { error, left_behind: Vec::new() }
    }
}

/// Makes everything ready. Once `stop` is cancelled it gives up as soon as it can, and deletes
/// what it made.
pub async fn prepare(
    spec: RunSpec,
    witness: Witness,
    clock: Clock,
    stop: CancellationToken,
) -> Result<Prepared, Failed> {
    let sender = witness.sender.clone();
    let sim = match &spec.sim {
        Some(sim) => {
            Some(listen::listen(sim.clone(), Ports::default()).map_err(PrepareError::Sim)?)
        }
        None => None,
    };
    let cluster = unless(&stop, connect(&spec, sim.as_ref())).await?;
    let service = service(&spec, cluster.as_ref());
    unless(&stop, is_there(&spec, cluster.as_ref(), service.as_ref())).await?;
    let began = began(&spec, cluster.as_ref(), service.as_ref(), clock);
    sender.send(Event::Began(Box::new(began))).await;
    let hands = Supervisor::new(sender.clone());
    let mut prepared = Prepared { engine: None, hands, collector: None, created: None, sim };
    if let Some(cluster) = &cluster {
        let wish = CollectSpec {
            namespace: service
                .as_ref()
                .map(|service| service.namespace.clone())
                .or_else(|| (!is_all(&spec.settings)).then(|| cluster.namespace.clone())),
            service: service.clone(),
            autoscaler_url: spec.settings.cluster.autoscaler_url.clone(),
            prometheus: spec.settings.cluster.prometheus.clone(),
            ..CollectSpec::default()
        };
        let out = (sender.clone(), clock);
        prepared.collector = Some(Collector::start(&mut prepared.hands, out, cluster, wish).await);
    }
    let Some(plan) = &spec.plan else { return Ok(prepared) };
    let place = (cluster.as_ref(), service.as_ref());
    let found = target((&spec, plan), place, &mut prepared, witness, &stop).await;
    match found.and_then(|found| Ok((engine(plan, &found, clock)?, found))) {
        Ok((engine, found)) => {
            sender.send(Event::Found(found)).await;
            prepared.engine = Some(engine);
            Ok(prepared)
        }
        // What was made must not stay behind; where it does, a person must know.
        Err(error) => {
            Err(Failed { error, left_behind: prepared.end(Duration::from_secs(1)).await })
        }
    }
}

fn engine(plan: &Plan, found: &Found, clock: Clock) -> Result<EngineSpec, PrepareError> {
    EngineSpec::new(plan.clone(), found, clock).map_err(|error| match error {
        EngineError::Address { url, why } => PrepareError::Address { url, why },
        error => PrepareError::Engine(error),
    })
}

/// Whether there is a service to look at. A cluster that does not answer, or may not be asked, is
/// no reason not to look: it may do so later.
async fn is_there(
    spec: &RunSpec,
    cluster: Option<&Cluster>,
    service: Option<&Name>,
) -> Result<(), PrepareError> {
    let plan = spec.plan.as_ref().map(|plan| &plan.target.address);
    let is_made = matches!(plan, Some(Address::Service { create: Some(_), .. }));
    let (Some(cluster), Some(service), false) = (cluster, service, is_made || spec.waits) else {
        return Ok(());
    };
    let otherwise = if plan.is_some() {
        "a scenario can make it: target.create"
    } else {
        "--wait waits until there is"
    };
    match presence::presence(cluster, service).await {
        Presence::There | Presence::NotKnown => Ok(()),
        Presence::NoKnative => Err(PrepareError::NoKnative),
        Presence::Absent(others) => {
            let Name { namespace, name } = service.clone();
            let hint = format!("; {}{otherwise}", meant(service, &others));
            Err(PrepareError::NoService { namespace, name, hint })
        }
    }
}

/// `did you mean hello? `, or which ones there are.
fn meant(service: &Name, others: &[Name]) -> String {
    const NAMED: usize = 5;
    if let Some(elsewhere) = others.iter().find(|other| other.name == service.name) {
        return format!("there is one in namespace {0}: -n {0}; ", elsewhere.namespace);
    }
    let here = others.iter().filter(|other| other.namespace == service.namespace);
    let here: Vec<&str> = here.map(|other| other.name.as_str()).collect();
    if let Some(near) = nearest(&service.name, here.iter().copied()) {
        return format!("did you mean {near}? ");
    }
    match here.len() {
        0 => format!("{} has none; ", service.namespace),
        n if n <= NAMED => format!("there are {}; ", here.join(", ")),
        n => format!("there are {} and {} more; ", here[..NAMED].join(", "), n - NAMED),
    }
}

/// A client for the embedded cluster, or for the one of the settings; none where only load is
/// sent.
async fn connect(spec: &RunSpec, sim: Option<&Running>) -> Result<Option<Cluster>, PrepareError> {
    if let Some(sim) = sim {
        let cluster = Cluster::at(&sim.api_url, "sim").map_err(PrepareError::Connect)?;
        return Ok(Some(cluster));
    }
    let needs_none = match &spec.plan {
        Some(plan) => matches!(plan.target.address, Address::Url { .. }),
        None => false,
    };
    if needs_none {
        return Ok(None);
    }
    let wished = &spec.settings.cluster;
    let options = ClusterOptions {
        kubeconfig: wished.kubeconfig.clone(),
        context: wished.context.clone(),
        namespace: match &wished.namespace {
            Namespace::Named(namespace) => Some(namespace.clone()),
            Namespace::OfContext | Namespace::All => None,
        },
    };
    Cluster::connect(&options).await.map(Some).map_err(PrepareError::Connect)
}

fn is_all(settings: &Settings) -> bool {
    settings.cluster.namespace == Namespace::All
}

impl Prepared {
    /// Looks at another service.
    pub fn open(&self, service: Name) {
        if let Some(collector) = &self.collector {
            collector.open(Some(service));
        }
    }

    /// Deletes what was made, ends the hands, then the embedded cluster. Returns what could not be
    /// deleted.
    pub async fn end(mut self, grace: Duration) -> Vec<String> {
        let left_behind = match self.created.take() {
            Some(created) => created.delete().await,
            None => Vec::new(),
        };
        let n_aborted = self.hands.shut_down(grace).await;
        if 0 < n_aborted {
            tracing::warn!(n_aborted, "collectors had to be aborted");
        }
        drop(self.sim);
        left_behind
    }
}

/// Where the load goes: the plan's address, or the gateway before the service.
async fn target(
    (spec, plan): (&RunSpec, &Plan),
    (cluster, service): (Option<&Cluster>, Option<&Name>),
    prepared: &mut Prepared,
    witness: Witness,
    stop: &CancellationToken,
) -> Result<Found, PrepareError> {
    let (cluster, service, create) = match (&plan.target.address, cluster, service) {
        (Address::Url { url, host }, _, _) => {
            let url = spec.settings.cluster.gateway.clone().unwrap_or_else(|| url.clone());
            return Ok(Found { url, host: host.clone(), via: "as given".to_owned() });
        }
        (Address::Service { create, .. }, Some(cluster), Some(service)) => {
            (cluster, service, create.as_ref())
        }
        (Address::Service { .. }, _, _) => {
            return Err(PrepareError::Bug { words: "a service without a cluster".to_owned() });
        }
    };
    if let Some(create) = create {
        if spec.settings.read_only {
            return Err(PrepareError::Create(CreateError::ReadOnly));
        }
        let created = prepared.created.insert(Created::planned(cluster, service, witness));
        // Not to be broken off: we must know whether it was made.
        created.make(create).await.map_err(PrepareError::Create)?;
        let ready = async { created.ready().await.map_err(PrepareError::Create) };
        unless(stop, ready).await?;
    }
    let address = match (&spec.settings.cluster.gateway, &prepared.sim) {
        (Some(gateway), _) => Some(gateway.clone()),
        (None, Some(sim)) => Some(sim.gateway_url.clone()),
        (None, None) => None,
    };
    let place = (service.namespace.as_str(), service.name.as_str());
    let find = async {
        let found = gateway::find_target(cluster, place, address.as_deref()).await;
        found.map_err(PrepareError::Target)
    };
    let target = unless(stop, find).await?;
    Ok(Found { url: target.url, host: target.host, via: target.found })
}

/// Does it, unless asked to stop.
async fn unless<T>(
    stop: &CancellationToken,
    doing: impl Future<Output = Result<T, PrepareError>>,
) -> Result<T, PrepareError> {
    tokio::select! { biased;
        () = stop.cancelled() => Err(PrepareError::GivenUp),
        done = doing => done,
    }
}

fn service(spec: &RunSpec, cluster: Option<&Cluster>) -> Option<Name> {
    let here = cluster.map(|cluster| cluster.namespace.clone())?;
    let planned = spec.plan.as_ref().and_then(|plan| match &plan.target.address {
        Address::Service { name, namespace, .. } => Some(Name {
            namespace: namespace.clone().unwrap_or_else(|| here.clone()),
            name: name.clone(),
        }),
        Address::Url { .. } => None,
    });
    planned.or_else(|| Some(Name { namespace: here, name: spec.service.clone()? }))
}

/// The amounts of a stage that does not go straight, for drawing.
fn samples(stage: &Stage) -> Vec<f64> {
    match stage.shape {
        Shape::Linear => Vec::new(),
        _ => (0..=SAMPLES).map(|i| stage.amount(stage.lasts * i / SAMPLES)).collect(),
    }
}

fn began(spec: &RunSpec, cluster: Option<&Cluster>, service: Option<&Name>, clock: Clock) -> Began {
    let plan = spec.plan.as_ref();
    Began {
        name: spec.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        anchor: clock.anchor(),
        mode: spec.mode,
        context: cluster.map(|cluster| cluster.context.clone()),
        namespace: service
            .map(|service| service.namespace.clone())
            .or_else(|| cluster.filter(|_| !is_all(&spec.settings)).map(|it| it.namespace.clone())),
        service: service.map(|service| service.name.clone()),
        stages: plan.map_or_else(Vec::new, |plan| {
            plan.load
                .stages
                .iter()
                .map(|stage| PlannedStage {
                    name: stage.name.clone(),
                    lasts: stage.lasts,
                    from: stage.from,
                    to: stage.to,
                    samples: samples(stage),
                })
                .collect()
        }),
        executor: match plan.map(|plan| plan.load.arrivals) {
            None => Executor::None,
            Some(Arrivals::Even | Arrivals::Poisson | Arrivals::Recorded) => Executor::Open,
            Some(Arrivals::Closed { .. }) => Executor::Closed,
        },
        max_rate: plan.map(Plan::max_rate),
        max_in_flight: plan.map(|plan| plan.target.max_in_flight.into()),
        checks: plan.map_or_else(Vec::new, |plan| {
            plan.checks.iter().map(|check| check.text.clone()).collect()
        }),
        read_only: spec.settings.read_only,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::Body;

    #[test]
    fn what_the_engine_cannot_use_is_called_what_it_is() {
        let url = "http://127.0.0.1:1".to_owned();
        let text = format!("target: {{url: '{url}'}}\nload: {{stages: [{{for: 1s, at: 1/s}}]}}\n");
        let mut plan = crate::scenario::parse(&text, "t").unwrap();
        let found = Found { url, host: None, via: String::new() };
        let nowhere = Found { url: "nowhere".to_owned(), ..found.clone() };
        let error = engine(&plan, &nowhere, Clock::start()).unwrap_err().to_string();
        assert_eq!(error.matches("cannot be used").count(), 1, "{error}");
        plan.request.body = Some(Body::File("/nowhere".into()));
        let error = engine(&plan, &found, Clock::start()).unwrap_err();
        assert!(matches!(error, PrepareError::Engine(EngineError::Body { .. })), "{error:?}");
    }
}
