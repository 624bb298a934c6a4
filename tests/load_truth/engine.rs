//! Runs a plan on the engine and keeps all that is said of it.

use std::time::Instant;

use rampscope::bus;
use rampscope::clock::Clock;
use rampscope::event::Event;
use rampscope::event::run::Control;
use rampscope::event::run::Found;
use rampscope::event::run::Stage;
use rampscope::event::traffic::Histogram;
use rampscope::event::traffic::Interval;
use rampscope::load::Engine;
use rampscope::load::EngineSpec;
use rampscope::scenario;
use rampscope::scenario::plan::Plan;
use rampscope::series::LatencyHistogram;

/// A plan from the target, request and load parts of a scenario.
pub(crate) fn plan(url: &str, target: &str, request: &str, load: &str) -> Plan {
    let url = url.trim_end_matches('/');
    let timeout = if request.contains("timeout") { "" } else { ", timeout: 300ms" };
    let text = format!(
        "name: t\ntarget: {{url: '{url}'{target}}}\nrequest: {{path: /x{timeout}{request}}}\nload: {load}\n"
    );
    scenario::parse(&text, "t").unwrap()
}

/// All that was said of a run.
pub(crate) struct Heard {
    pub(crate) intervals: Vec<Interval>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) controls: Vec<Control>,
    /// What moments of the run count from.
    pub(crate) origin: Instant,
}

impl Heard {
    /// A counter over all intervals.
    pub(crate) fn sum(&self, field: fn(&Interval) -> u64) -> u64 {
        self.intervals.iter().map(field).sum()
    }

    /// A latency over all intervals.
    pub(crate) fn latency(&self, field: fn(&Interval) -> &Option<Histogram>) -> LatencyHistogram {
        let mut sum = LatencyHistogram::default();
        for encoded in self.intervals.iter().filter_map(|it| field(it).as_ref()) {
            sum.add(&LatencyHistogram::decode(encoded).unwrap());
        }
        sum
    }

    /// Classes of failure, each once.
    pub(crate) fn errors(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.intervals.iter().flat_map(|it| it.errors.keys().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Traffic(interval) => self.intervals.push(*interval),
            Event::Stage(stage) => self.stages.push(stage),
            Event::Control(control) => self.controls.push(control),
            _ => {}
        }
    }

    /// What holds of every run, however it went.
    fn check(&self) {
        let offered = self.sum(|it| it.offered);
        let ended = self.sum(|it| it.succeeded + it.failed + it.dropped);
        assert_eq!(offered, ended, "every request that fell due is accounted for");
        let (sent, dropped) = (self.sum(|it| it.sent), self.sum(|it| it.dropped));
        assert!(sent + dropped <= offered, "what was not sent was dropped or failed before");
        let classes: u64 = self.intervals.iter().flat_map(|it| it.errors.values()).sum();
        assert_eq!(self.sum(|it| it.failed), classes, "each failure has one class");
        assert_eq!(self.sum(|it| it.succeeded), self.latency(|it| &it.service_time).count());
        assert_eq!(self.sum(|it| it.failed), self.latency(|it| &it.failure_time).count());
        assert_eq!(self.intervals.last().map(|it| it.in_flight), Some(0), "nothing hangs");
    }
}

/// Runs a plan to its end.
pub(crate) fn run(plan: Plan) -> Heard {
    run_with(plan, async |_: &Engine| {})
}

/// Runs a plan to its end, with what is to be done to the engine meanwhile.
pub(crate) fn run_with(plan: Plan, act: impl AsyncFnOnce(&Engine)) -> Heard {
    let url = match &plan.target.address {
        scenario::plan::Address::Url { url, .. } => url.clone(),
        scenario::plan::Address::Service { .. } => unreachable!("a test has an address"),
    };
    let found = Found { url, host: None, via: String::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let (sender, mut bus) = bus::bus(bus::CAPACITY, clock);
        let engine = Engine::start(EngineSpec::new(plan, &found, clock).unwrap(), sender).unwrap();
        let mut heard = Heard {
            intervals: Vec::new(),
            stages: Vec::new(),
            controls: Vec::new(),
            origin: clock.began(),
        };
        let acting = async {
            act(&engine).await;
            engine.plan_done().await;
            engine.stop();
            engine.ended().await;
        };
        tokio::pin!(acting);
        loop {
            tokio::select! { biased;
                Some(stamped) = bus.recv() => heard.take(stamped.event),
                () = &mut acting => break,
            }
        }
        while let Some(stamped) = bus.try_recv() {
            heard.take(stamped.event);
        }
        heard.check();
        heard
    })
}
