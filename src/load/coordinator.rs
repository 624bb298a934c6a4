//! The thread that rules the shards: it obeys the person, keeps the plan's time, adds up what was
//! counted, and watches that the load does no harm.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Waker;
use tokio::sync::watch;

use crate::bus::Refused;
use crate::bus::Sender;
use crate::clock::Clock;
use crate::event::Event;
use crate::event::command::LoadCommand;
use crate::event::run;
use crate::event::traffic::Interval;
use crate::scenario::plan::Plan;
use crate::units::At;

use super::control::Change;
use super::control::Control;
use super::health::Health;
use super::request::Requests;
use super::resolver::Resolved;
use super::shard::Counted;
use super::shard::Order;
use super::tally::Pending;
use super::tally::State;
use super::tally::Tally;

/// Length of an interval.
const INTERVAL: Duration = Duration::from_millis(500);
/// The longest nap.
const BARE_TIMER: Duration = Duration::from_millis(20);
/// A change takes effect this much later, so that every shard has it in time.
const NOTICE: f64 = 0.002;
/// Intervals that must all be bad before the load is held.
const BAD_INTERVALS: u32 = 20;
/// Events that may wait for the bus.
const WAITING_MAX: usize = 1024;
/// Changes that may wait for the plan's beginning.
const EARLY_MAX: usize = 64;
/// How long a shard may take to give its counts before the interval goes without them.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    Running,
    PlanDone,
    Ended,
}

/// What is asked of the coordinator.
#[derive(Debug)]
pub(super) enum Wish {
    Change(LoadCommand),
    /// The addresses of a target.
    Resolved(Resolved),
    Stop,
    Abort,
}

/// A shard's thread, and the ways to it.
#[derive(Debug)]
pub(super) struct ShardHandle {
    pub(super) orders: mpsc::SyncSender<Order>,
    pub(super) answers: mpsc::Receiver<Counted>,
    pub(super) waker: Waker,
    pub(super) thread: JoinHandle<()>,
    pub(super) spare: Option<Box<Tally>>,
}

/// What the coordinator is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) plan: Arc<Plan>,
    pub(super) requests: Arc<Requests>,
    pub(super) shards: Vec<ShardHandle>,
    pub(super) wishes: mpsc::Receiver<Wish>,
    /// Dropping it ends the resolver.
    pub(super) resolver: mpsc::Sender<()>,
    pub(super) sender: Sender,
    pub(super) life: watch::Sender<Life>,
    pub(super) clock: Clock,
    /// From when on the engine counts its seconds.
    pub(super) began: At,
    pub(super) is_open: bool,
}

/// Rules the shards.
#[derive(Debug)]
pub(super) struct Coordinator {
    parts: Parts,
    control: Control,
    pending: Pending,
    health: Health,
    waiting: VecDeque<Event>,
    stage: Option<usize>,
    closes: At,
    n_bad: u32,
    /// Targets for which the resolver has not answered yet.
    n_unresolved: usize,
    is_plan_over: bool,
    is_stopping: bool,
    is_aborted: bool,
}

impl Coordinator {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            control: Control::new(&parts.plan),
            pending: Pending::new(parts.began),
            health: Health::default(),
            waiting: VecDeque::new(),
            stage: None,
            closes: parts.began + INTERVAL,
            n_bad: 0,
            n_unresolved: parts.requests.targets.len(),
            is_plan_over: false,
            is_stopping: false,
            is_aborted: false,
            parts,
        }
    }

    /// Runs until all shards have ended and the last interval has been delivered.
    pub(super) fn run(mut self) {
        // Its files are opened before connections can use up what may be open.
        self.health = Health::watch(1 + self.parts.shards.len());
        // A resolver can take its time; the plan's begins after it, and so does what changes it.
        let mut early = Vec::new();
        while 0 < self.n_unresolved && !self.is_stopping {
            match self.parts.wishes.recv() {
                Ok(Wish::Change(command)) if early.len() < EARLY_MAX => early.push(command),
                Ok(Wish::Change(_)) => {}
                Ok(wish) => self.grant(wish),
                Err(mpsc::RecvError) => self.grant(Wish::Abort),
            }
        }
        self.begin();
        for command in early {
            self.grant(Wish::Change(command));
        }
        loop {
            let now = self.parts.clock.at();
            self.keep_time(now);
            if self.closes <= now {
                let is_drained = self.close_interval(PATIENCE);
                self.closes = self.closes.max(now.saturating_sub(INTERVAL)) + INTERVAL;
                if self.settle(is_drained) {
                    break;
                }
            }
            self.deliver();
            let nap = self.nap();
            let due = self.parts.clock.at() + nap;
            match self.parts.wishes.recv_timeout(nap) {
                Ok(wish) => self.grant(wish),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    self.health.rang(self.parts.clock.at().since(due));
                }
                // Nobody holds the engine any more.
                Err(mpsc::RecvTimeoutError::Disconnected) if self.is_aborted => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => self.grant(Wish::Abort),
            }
        }
        self.end();
    }

    fn begin(&mut self) {
        let now = self.parts.clock.at();
        self.control.begin(self.t(now));
        self.pending.begin(now);
        self.health.reopen(now);
        self.closes = now + INTERVAL;
        self.order_course();
    }

    fn t(&self, at: At) -> f64 {
        at.since(self.parts.began).as_secs_f64()
    }

    fn at(&self, t: f64) -> At {
        self.parts.began + Duration::try_from_secs_f64(t).unwrap_or_default()
    }

    fn nap(&self) -> Duration {
        let boundary = self.control.next_boundary(self.stage).filter(|_| !self.is_plan_over);
        let next = [boundary, self.control.burst_until()]
            .into_iter()
            .flatten()
            .map(|t| self.at(t))
            .fold(self.closes, At::min);
        let nap = next.since(self.parts.clock.at()).max(Duration::from_micros(500));
        // Each nap is also the bare timer that tells whether this machine keeps time.
        nap.min(BARE_TIMER)
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Resolved(resolved) => self.resolved(resolved),
            Wish::Change(_) if self.is_plan_over || self.is_stopping => {}
            Wish::Change(command) => {
                let t = self.t(self.parts.clock.at()) + NOTICE;
                if let Some(change) = self.control.obey(command, t) {
                    self.n_bad = 0;
                    self.changed(t, change);
                }
            }
            // Said again it must not put off the end.
            Wish::Stop if self.is_stopping => {}
            Wish::Stop => {
                self.is_stopping = true;
                self.order_all(|| Order::Stop);
                // The draining is watched closely.
                self.closes = self.parts.clock.at() + Duration::from_millis(20);
            }
            Wish::Abort => {
                self.is_stopping = true;
                self.is_aborted = true;
                self.order_all(|| Order::Abort);
                self.closes = self.parts.clock.at();
            }
        }
    }

    fn changed(&mut self, t: f64, change: Change) {
        self.order_course();
        self.announce(t, change);
    }

    fn announce(&mut self, t: f64, change: Change) {
        let Change { by, what, from, to, reason } = change;
        let control = run::Control { by, what: what.to_owned(), from, to, reason, at: self.at(t) };
        self.say(Event::Control(control));
    }

    fn order_course(&mut self) {
        let course = self.control.course();
        self.order_all(|| Order::Course(course.clone()));
    }

    fn order_all(&mut self, order: impl Fn() -> Order) {
        for shard in &self.parts.shards {
            // There is room for many orders; a shard that takes none has ended.
            let _ = shard.orders.send(order());
            let _ = shard.waker.wake();
        }
    }

    fn resolved(&mut self, resolved: Resolved) {
        self.n_unresolved = self.n_unresolved.saturating_sub(1);
        if let Some(took) = resolved.took {
            self.pending.resolved(took);
        }
        match resolved.addresses {
            // An answer without addresses would only break what works.
            Ok(addresses) if !addresses.is_empty() => {
                let target_idx = resolved.target_idx;
                self.health.aim_at(target_idx, &addresses);
                self.order_all(|| Order::Addresses(target_idx, addresses.clone()));
            }
            Ok(_) => tracing::warn!("the target's name has no address"),
            Err(error) => tracing::warn!(%error, "the target's name does not resolve"),
        }
    }

    /// Stages that begin, bursts that end, the plan's end.
    fn keep_time(&mut self, now: At) {
        let t = self.t(now);
        if let Some(until) = self.control.burst_until().filter(|until| *until <= t)
            && let Some(change) = self.control.end_burst(t)
        {
            tracing::debug!(until, "the burst is over");
            self.changed(t, change);
        }
        let stage = self.control.stage_at(t);
        if stage != self.stage
            && let Some(index) = stage
        {
            // One that comes back, by an undo, comes back now.
            let is_next = 0 < index && self.stage.is_none_or(|before| before < index);
            let begins = self.control.next_boundary(index.checked_sub(1)).filter(|_| is_next);
            let at = self.at(begins.filter(|begins| *begins <= t).unwrap_or(t));
            let name = self.parts.plan.load.stages[index].name.clone();
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.say(Event::Stage(run::Stage { index, name, at }));
        }
        self.stage = stage.or(self.stage);
        if !self.is_plan_over && self.control.is_over(t) {
            self.is_plan_over = true;
            self.order_all(|| Order::Stop);
            let (ends, change) = self.control.end();
            self.announce(ends.min(t), change);
        }
    }

    /// Asks all shards for their counts and closes the interval. Whether all are drained.
    fn close_interval(&mut self, patience: Duration) -> bool {
        self.pending.reopen();
        let mut is_drained = true;
        for shard in &mut self.parts.shards {
            let Some(spare) = shard.spare.take() else { continue };
            if shard.orders.send(Order::Collect(spare)).is_err() {
                continue;
            }
            let _ = shard.waker.wake();
        }
        for shard in &mut self.parts.shards {
            let counted = match shard.answers.recv_timeout(patience) {
                Ok(counted) => counted,
                // It has ended.
                Err(mpsc::RecvTimeoutError::Disconnected) => continue,
                // It is only late, and has something to count still.
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    is_drained &= self.is_aborted;
                    continue;
                }
            };
            is_drained &= counted.is_drained;
            self.pending.add(&counted.tally);
            shard.spare = Some(counted.tally);
        }
        // While it drains we look often; a rate over so short a time would say nothing.
        let is_ending = self.is_stopping || self.is_plan_over;
        let is_short = self.parts.clock.at().since(self.pending.began()) < INTERVAL;
        if is_ending && is_short && !is_drained {
            return false;
        }
        let interval = self.interval();
        self.watch_errors(&interval);
        // While events wait, order is kept; without room it grows until there is some.
        let ended = interval.began + interval.lasted;
        if self.waiting.is_empty()
            && self.parts.sender.try_send(Event::Traffic(Box::new(interval))).is_ok()
        {
            self.pending = Pending::new(ended);
            self.health.reopen(ended);
        }
        is_drained
    }

    fn interval(&mut self) -> Interval {
        let now = self.parts.clock.at();
        let t = self.t(now);
        let is_over = self.is_plan_over || self.is_stopping;
        let state = State {
            target: if is_over { 0.0 } else { self.control.rate_at(t) },
            paused: self.control.is_paused(),
            profile_at: self.control.profile_time_at(t).max(0.0),
            profile_waits: self.control.waits(),
        };
        let (opened, wanted) = (self.pending.connections_opened(), self.pending.wanted_ports());
        let client = self.health.read(now, opened, 0 < wanted);
        let load = (self.parts.is_open, self.parts.requests.slots.as_slice());
        self.pending.close(now, load, state, client)
    }

    /// Holds the load at the plan's lowest rate when most requests fail.
    fn watch_errors(&mut self, interval: &Interval) {
        let bad = interval.failed + interval.dropped;
        let all = bad + interval.succeeded;
        self.n_bad = if 0 < all && all < bad * 2 { self.n_bad + 1 } else { 0 };
        // While a stop drains there is nothing to hold.
        if self.n_bad < BAD_INTERVALS || self.is_plan_over || self.is_stopping {
            return;
        }
        self.n_bad = 0;
        let t = self.t(self.parts.clock.at()) + NOTICE;
        let worst =
            interval.errors.iter().max_by_key(|(_, n)| **n).map(|(class, _)| class.as_str());
        let reason = format!(
            "more than half of the requests failed for ten seconds ({}): held at the plan's lowest rate",
            worst.unwrap_or("dropped at the in-flight cap")
        );
        if let Some(change) = self.control.protect(t, reason) {
            self.changed(t, change);
        }
    }

    /// Whether the engine's work is over.
    fn settle(&mut self, is_drained: bool) -> bool {
        if !is_drained {
            if self.is_stopping || self.is_plan_over {
                self.closes = self.parts.clock.at() + Duration::from_millis(20);
            }
            return false;
        }
        // All shards are drained only once nothing more is due.
        self.parts.life.send_if_modified(|life| {
            let is_news = *life < Life::PlanDone;
            *life = (*life).max(Life::PlanDone);
            is_news
        });
        self.is_plan_over = true;
        self.is_stopping
    }

    fn say(&mut self, event: Event) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(event);
        }
        self.deliver();
    }

    /// Gives the bus what it has room for, in order.
    fn deliver(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(Refused(event)) = self.parts.sender.try_send(event) {
                self.waiting.push_front(event);
                return;
            }
        }
    }

    fn end(mut self) {
        for event in self.waiting.drain(..) {
            self.parts.sender.send_blocking(event);
        }
        let rest = self.interval();
        if 0 < rest.offered + rest.completed() + rest.dropped {
            self.parts.sender.send_blocking(Event::Traffic(Box::new(rest)));
        }
        drop(self.parts.resolver);
        for shard in self.parts.shards {
            drop((shard.orders, shard.answers));
            let _ = shard.waker.wake();
            if shard.thread.join().is_err() {
                tracing::error!("a shard panicked");
            }
        }
        self.parts.life.send_replace(Life::Ended);
    }
}

#[cfg(test)]
mod tests {
    use mio::Poll;

    use super::*;
    use crate::bus::Bus;
    use crate::bus::bus;
    use crate::event::run::Found;
    use crate::load::shard::WAKER;
    use crate::scenario;

    /// What stands around a coordinator: a shard that does what the test does.
    struct Around {
        wishes: mpsc::SyncSender<Wish>,
        orders: mpsc::Receiver<Order>,
        answers: mpsc::SyncSender<Counted>,
        bus: Bus,
    }

    fn coordinator() -> (Coordinator, Around) {
        let stages = ["a, for: 1h, at: 800/s", "b, for: 1h, at: 40/s", "c, for: 1h, at: 40/s"];
        let stages = stages.map(|stage| format!("{{name: {stage}}}")).join(", ");
        let text = format!("target: {{url: 'http://127.0.0.1:1'}}\nload: {{stages: [{stages}]}}\n");
        let plan = scenario::parse(&text, "t").unwrap();
        let url = "http://127.0.0.1:1".to_owned();
        let found = Found { url, host: None, via: String::new() };
        let requests = Arc::new(Requests::new(&plan, &found).unwrap());
        let clock = Clock::start();
        let (sender, bus) = bus(100, clock);
        let (wish, wishes) = mpsc::sync_channel(16);
        let (order, orders) = mpsc::sync_channel(16);
        let (answer, answers) = mpsc::sync_channel(1);
        let shard = ShardHandle {
            orders: order,
            answers,
            waker: Waker::new(Poll::new().unwrap().registry(), WAKER).unwrap(),
            thread: std::thread::spawn(|| {}),
            spare: Some(Box::new(Tally::new(0).unwrap())),
        };
        let parts = Parts {
            plan: Arc::new(plan),
            requests,
            shards: vec![shard],
            wishes,
            resolver: mpsc::channel().0,
            sender,
            life: watch::channel(Life::Running).0,
            clock,
            began: clock.at(),
            is_open: true,
        };
        (Coordinator::new(parts), Around { wishes: wish, orders, answers: answer, bus })
    }

    #[test]
    fn a_shard_that_is_late_is_not_drained() {
        let (mut coordinator, around) = coordinator();
        assert!(!coordinator.close_interval(Duration::from_millis(1)));
        let Ok(Order::Collect(tally)) = around.orders.recv() else { panic!("it was asked") };
        around.answers.send(Counted { tally, is_drained: true }).unwrap();
        assert!(coordinator.close_interval(Duration::from_secs(9)), "it has answered since");
        drop((around.orders, around.answers));
        assert!(coordinator.close_interval(Duration::from_secs(9)), "it has ended");
    }

    #[test]
    fn a_change_before_the_beginning_waits_for_it() {
        let (coordinator, mut around) = coordinator();
        let running = std::thread::spawn(|| coordinator.run());
        around.wishes.send(Wish::Change(LoadCommand::Set(100.0))).unwrap();
        assert!(around.orders.recv_timeout(Duration::from_millis(30)).is_err());
        let addresses = Ok(vec![([127, 0, 0, 1], 1).into()]);
        let resolved = Resolved { target_idx: 0, addresses, took: None };
        around.wishes.send(Wish::Resolved(resolved)).unwrap();
        assert!(matches!(around.orders.recv(), Ok(Order::Addresses(..))));
        let rates = [(); 2].map(|()| match around.orders.recv() {
            Ok(Order::Course(course)) => course.rate_at(course.since),
            other => panic!("{other:?}"),
        });
        assert_eq!(rates, [800.0, 100.0]);
        around.wishes.send(Wish::Abort).unwrap();
        drop((around.orders, around.answers));
        running.join().unwrap();
        let controls = std::iter::from_fn(|| around.bus.try_recv())
            .filter(|stamped| matches!(stamped.event, Event::Control(_)));
        assert_eq!(controls.count(), 1);
    }

    #[test]
    fn a_stage_that_an_undo_brings_back_comes_back_then() {
        let (mut coordinator, mut around) = coordinator();
        coordinator.begin();
        let next = || Wish::Change(LoadCommand::Next);
        for wish in [next(), next(), Wish::Change(LoadCommand::Undo)] {
            coordinator.grant(wish);
            let now = coordinator.parts.clock.at();
            coordinator.keep_time(now + Duration::from_millis(3));
        }
        let (mut stages, mut changed) = (Vec::new(), At::ZERO);
        while let Some(stamped) = around.bus.try_recv() {
            match stamped.event {
                Event::Stage(stage) => stages.push((stage.index, changed <= stage.at)),
                Event::Control(control) => changed = control.at,
                _ => {}
            }
        }
        assert_eq!(stages, [(1, true), (2, true), (1, true)]);
    }

    #[test]
    fn the_load_is_not_held_while_it_drains() {
        let interval = Interval { failed: 1, ..Interval::default() };
        for (is_stopping, n_orders) in [(true, 0), (false, 1)] {
            let (mut coordinator, around) = coordinator();
            coordinator.is_stopping = is_stopping;
            (0..BAD_INTERVALS).for_each(|_| coordinator.watch_errors(&interval));
            assert_eq!(around.orders.try_iter().count(), n_orders);
        }
    }
}
