//! Load over HTTP/2 in clear text, through the gateway to pods that must start first.

use std::time::Duration;

use rampscope::bus;
use rampscope::clock::Clock;
use rampscope::event::Event;
use rampscope::event::run::Found;
use rampscope::event::traffic::Interval;
use rampscope::load::Engine;
use rampscope::load::EngineSpec;
use rampscope::scenario;
use rampscope::sim::listen::Ports;
use rampscope::sim::listen::listen;
use rampscope::sim::spec::ColdStart;
use rampscope::sim::spec::SimSpec;

/// All intervals of a plan that ends by itself.
async fn sent(text: &str, found: Found) -> Vec<Interval> {
    let plan = scenario::parse(text, "t").unwrap();
    let clock = Clock::start();
    let (sender, mut bus) = bus::bus(bus::CAPACITY, clock);
    let engine = Engine::start(EngineSpec::new(plan, &found, clock).unwrap(), sender).unwrap();
    let (mut intervals, mut is_stopped) = (Vec::new(), false);
    loop {
        let stamped = tokio::select! { biased;
            stamped = bus.recv() => stamped,
            () = engine.ended() => return intervals,
            () = engine.plan_done(), if !is_stopped => {
                engine.stop();
                is_stopped = true;
                continue
            }
        };
        match stamped.map(|it| it.event) {
            Some(Event::Traffic(interval)) => intervals.push(*interval),
            Some(_) => {}
            None => return intervals,
        }
    }
}

#[tokio::test]
async fn requests_wait_on_their_streams_until_a_pod_is_there() {
    let at_once = (Duration::from_millis(50), Duration::from_millis(50));
    let cold_start = ColdStart { schedule: at_once, pull: at_once, start: at_once };
    let sim = listen(SimSpec { cold_start, ..SimSpec::default() }, Ports::default()).unwrap();
    let url = sim.gateway_url.clone();
    let text = format!(
        "target: {{url: '{url}', host: {}, connections: 2, streams: 20}}\n\
         request: {{path: '/?sleep=5'}}\n\
         load: {{stages: [{{for: 1s, at: 300/s}}]}}\n",
        sim.host
    );
    let found = Found { url, host: Some(sim.host.clone()), via: String::new() };
    let intervals = sent(&text, found).await;
    let sum = |of: fn(&Interval) -> u64| -> u64 { intervals.iter().map(of).sum() };
    assert_eq!((sum(|it| it.succeeded), sum(|it| it.failed + it.dropped)), (300, 0));
    let n_ok: u64 = intervals.iter().filter_map(|it| it.status.get(&200)).sum();
    assert_eq!(n_ok, 300);
    assert!(sum(|it| it.connections_opened) <= 2);
    sim.stop();
}
