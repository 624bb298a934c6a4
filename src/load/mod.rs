//! The load engine: requests due at a rate whatever becomes of those before, or users who wait for
//! their answers.
//!
//! It has threads of its own. A coordinator keeps the plan's time and obeys the keys; shards send
//! and count, and share nothing on the way of a request.

mod arrivals;
mod balance;
mod control;
mod coordinator;
mod failure;
mod grpc;
mod h2;
mod health;
mod http1;
mod pacer;
mod pool;
mod request;
mod resolver;
mod shard;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod users;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;

use mio::Poll;
use mio::Waker;
use thiserror::Error;
use tokio::sync::watch;

use crate::bus::Sender;
use crate::clock::Clock;
use crate::event::command::LoadCommand;
use crate::event::run::Found;
use crate::scenario::plan;
use crate::scenario::plan::Plan;
use crate::scenario::profile::Profile;
use crate::units::clean;

use arrivals::Arrivals;
use coordinator::Coordinator;
use coordinator::Life;
use coordinator::Parts;
use coordinator::ShardHandle;
use coordinator::Wish;
use pacer::Course;
use pacer::Pacer;
use request::Requests;
use shard::Shard;
use shard::ShardSpec;
use tally::Tally;
use users::Users;
use users::UsersSpec;

/// Rate above which another thread is worth its cost.
const RATE_OF_ONE_SHARD: f64 = 30_000.0;
/// Users for which another thread is worth its cost.
const USERS_OF_ONE_SHARD: f64 = 128.0;
/// Wishes that may wait for the coordinator.
const WISHES: usize = 64;
/// Orders that may wait for a shard.
const ORDERS: usize = 256;

/// What the engine is to do.
#[derive(Debug, Clone)]
pub struct EngineSpec {
    plan: Arc<Plan>,
    requests: Arc<Requests>,
    clock: Clock,
}

/// The engine at work. Dropping it gives up what is in flight.
#[derive(Debug)]
pub struct Engine {
    wishes: mpsc::SyncSender<Wish>,
    life: watch::Receiver<Life>,
}

/// The engine could not be started.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The address is none.
    #[error("{url:?} cannot be used: {why}")]
    Address {
        /// As it was written.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A body could not be read.
    #[error("the body {} cannot be read", clean(&path.to_string_lossy(), 80))]
    Body {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused a thread or a descriptor.
    #[error("the operating system refused what the load engine needs")]
    System(#[from] io::Error),
    /// The histograms could not be made.
    #[error("the latency histograms could not be made")]
    Histogram,
}

// === impl EngineSpec ===

impl EngineSpec {
    /// Takes the address apart and renders the requests; nothing is resolved or connected yet.
    pub fn new(plan: Plan, found: &Found, clock: Clock) -> Result<Self, EngineError> {
        let requests = Arc::new(Requests::new(&plan, found)?);
        Ok(Self { plan: Arc::new(plan), requests, clock })
    }

    fn n_shards(&self) -> usize {
        let target = &self.plan.target;
        // Each has at least one connection, and one request in flight.
        let n_most = target.connections.min(target.max_in_flight).max(1) as usize;
        if let Some(threads) = target.threads {
            return (threads as usize).clamp(1, n_most);
        }
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        let n_wanted = match self.plan.load.arrivals {
            plan::Arrivals::Closed { .. } => self.plan.peak() / USERS_OF_ONE_SHARD,
            _ => self.plan.peak() / RATE_OF_ONE_SHARD,
        };
        // More threads than work only wake each other up.
        #[expect(clippy::cast_precision_loss, reason = "cores are few")]
        let is_enough = |n: &usize| n_wanted <= *n as f64;
        (1..n_cores).find(is_enough).unwrap_or(n_cores).min(n_most)
    }
}

// === impl Engine ===

impl Engine {
    /// Starts to send. The load's time begins as soon as the target's name is resolved.
    pub fn start(spec: EngineSpec, sender: Sender) -> Result<Self, EngineError> {
        let began = spec.clock.at();
        let (wish, wishes) = mpsc::sync_channel(WISHES);
        let (tell, life) = watch::channel(Life::Running);
        let n_shards = spec.n_shards();
        let left = spec.plan.load.max_requests.map(|max| Arc::new(AtomicU64::new(max)));
        let mut shards = Vec::with_capacity(n_shards);
        for shard_idx in 0..n_shards {
            let arrivals = arrivals(&spec, (shard_idx, n_shards), left.as_ref());
            shards.push(start_shard(&spec, began, arrivals, (shard_idx, n_shards))?);
        }
        let is_open = !matches!(spec.plan.load.arrivals, plan::Arrivals::Closed { .. });
        let (resolver, stop) = mpsc::channel();
        let (asks, requests) = (wish.clone(), Arc::clone(&spec.requests));
        std::thread::Builder::new()
            // Called otherwise than the threads that send: it may end before any of them.
            .name("resolver".to_owned())
            .spawn(move || resolver::run(&requests, &asks, &stop))?;
        let parts = Parts {
            plan: spec.plan,
            requests: spec.requests,
            shards,
            wishes,
            resolver,
            sender,
            life: tell,
            clock: spec.clock,
            began,
            is_open,
        };
        std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || Coordinator::new(parts).run())?;
        Ok(Self { wishes: wish, life })
    }

    /// Changes the load. One that comes while many others wait is dropped.
    pub fn command(&self, command: LoadCommand) {
        if self.wishes.try_send(Wish::Change(command)).is_err() {
            tracing::warn!(?command, "the load engine did not take a command");
        }
    }

    /// Sends no new request; what is in flight may end.
    pub fn stop(&self) {
        // After its end nobody listens, which is as good.
        let _ = self.wishes.try_send(Wish::Stop);
    }

    /// Gives up what is in flight.
    pub fn abort(&self) {
        let _ = self.wishes.try_send(Wish::Abort);
    }

    /// Waits until the plan is done: its last request answered, its last interval delivered.
    pub async fn plan_done(&self) {
        self.reached(Life::PlanDone).await;
    }

    /// Waits until the engine has ended.
    pub async fn ended(&self) {
        self.reached(Life::Ended).await;
    }

    async fn reached(&self, life: Life) {
        // A coordinator that is gone has ended.
        let _ = self.life.clone().wait_for(|now| life <= *now).await;
    }
}

impl Drop for Engine {
    /// The resolver holds a way to the coordinator too, so that its own end would not tell.
    fn drop(&mut self) {
        self.abort();
    }
}

fn arrivals(
    spec: &EngineSpec,
    (shard, n_shards): (usize, usize),
    left: Option<&Arc<AtomicU64>>,
) -> Arrivals {
    // The coordinator begins, once it knows where to send.
    let course = Course::silence();
    let part = (shard as u64, n_shards as u64);
    let load = &spec.plan.load;
    let limit = load.max_requests;
    let requests = Arc::clone(&spec.requests);
    let pacer = match load.arrivals {
        plan::Arrivals::Even => Pacer::even(course, part, limit),
        plan::Arrivals::Poisson => Pacer::poisson(course, load.seed, part, limit),
        plan::Arrivals::Recorded => {
            let times = load.trace.as_ref().map_or(&[][..], |trace| &trace.times);
            let profile = Profile::of(&load.stages);
            Pacer::recorded(course, (times, &profile), part, limit)
        }
        plan::Arrivals::Closed { think, batch } => {
            let part = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            return Arrivals::Closed(Box::new(Users::new(UsersSpec {
                think,
                batch,
                seed: load.seed,
                shard: (part(shard), part(n_shards)),
                requests,
                left: left.cloned(),
            })));
        }
    };
    Arrivals::Open { pacer: Box::new(pacer), requests, last_due: 0, is_stopped: false }
}

fn start_shard(
    spec: &EngineSpec,
    began: crate::units::At,
    arrivals: Arrivals,
    (shard_idx, n_shards): (usize, usize),
) -> Result<ShardHandle, EngineError> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), shard::WAKER)?;
    let (order, orders) = mpsc::sync_channel(ORDERS);
    let (answer, answers) = mpsc::sync_channel(1);
    let n_splits = spec.requests.slots.len();
    let tally = || Tally::new(n_splits).map(Box::new).ok_or(EngineError::Histogram);
    // The first shards have one more where it does not divide.
    let share = |all: u32| (all as usize + n_shards - 1 - shard_idx) / n_shards;
    let plan = &spec.plan;
    let shard_spec = ShardSpec {
        requests: Arc::clone(&spec.requests),
        arrivals,
        max_connections: share(plan.target.connections).max(1),
        max_in_flight: share(plan.target.max_in_flight).max(1),
        keep_alive: plan.request.keep_alive,
        timeout: plan.request.timeout,
        method: plan.request.method.clone(),
        origin: spec.clock.began() + std::time::Duration::from_micros(began.as_micros()),
    };
    let shard = Shard::new(shard_spec, poll, orders, answer, tally()?)?;
    let thread =
        std::thread::Builder::new().name(format!("load-{shard_idx}")).spawn(move || shard.run())?;
    Ok(ShardHandle { orders: order, answers, waker, thread, spare: Some(tally()?) })
}
