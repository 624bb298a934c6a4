//! The load engine by itself, for the benches: no screen, no record, no cluster.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::fs;
use std::time::Duration;

use rampscope::bus;
use rampscope::clock::Clock;
use rampscope::event::Event;
use rampscope::event::run::Found;
use rampscope::load::Engine;
use rampscope::load::EngineSpec;
use rampscope::scenario::amount::Amount;
use rampscope::scenario::quick::Quick;
use rampscope::series::LatencyHistogram;

/// The kernel's unit of CPU time, as `/proc` tells it.
const TICKS_PER_SECOND: f64 = 100.0;

/// Sends for so long, and prints what came of it and what a request cost this process.
pub(crate) fn run(url: &str, amount: Amount, lasts: Duration) {
    let cpu_before = cpu_seconds();
    let Some((completed, failed, lag, felt)) = sent(url, amount, lasts) else {
        println!("{amount}: the engine did not start for {url}");
        return;
    };
    let cpu = cpu_seconds() - cpu_before;
    let per_second = completed / lasts.as_secs_f64();
    let each = cpu / completed.max(1.0) * 1e6;
    println!(
        "{:<12} {per_second:>9.0}/s  failed {failed}  {each:>6.2} µs CPU a request  lag p50 {:.0?} \
         p99 {:.0?} max {:.0?}  service p50 {:.0?} p99 {:.0?}",
        amount.to_string(),
        lag.quantile(0.5),
        lag.quantile(0.99),
        lag.max(),
        felt.quantile(0.5),
        felt.quantile(0.99),
    );
}

/// Completed, failed, send lag, service time.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn sent(
    url: &str,
    amount: Amount,
    lasts: Duration,
) -> Option<(f64, u64, LatencyHistogram, LatencyHistogram)> {
    let quick = Quick { url: url.to_owned(), amount, lasts: Some(lasts), ..Quick::default() };
    let plan = quick.plan().ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let clock = Clock::start();
        let (sender, mut bus) = bus::bus(bus::CAPACITY, clock);
        let found = Found { url: url.to_owned(), host: None, via: "as given".to_owned() };
        let engine = Engine::start(EngineSpec::new(plan, &found, clock).ok()?, sender).ok()?;
        let (mut completed, mut failed) = (0, 0);
        let (mut lag, mut felt) = (LatencyHistogram::default(), LatencyHistogram::default());
        loop {
            let stamped = tokio::select! { biased;
                stamped = bus.recv() => stamped,
                () = engine.ended() => None,
                () = engine.plan_done() => { engine.stop(); None }
            };
            let Some(stamped) = stamped else { break };
            let Event::Traffic(interval) = stamped.event else { continue };
            completed += interval.completed();
            failed += interval.failed + interval.dropped;
            for (all, part) in [(&mut lag, &interval.send_lag), (&mut felt, &interval.service_time)]
            {
                if let Some(part) = part.as_ref().and_then(|it| LatencyHistogram::decode(it).ok()) {
                    all.add(&part);
                }
            }
        }
        Some((completed as f64, failed, lag, felt))
    })
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name may hold spaces; behind its closing parenthesis begins field 3.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / TICKS_PER_SECOND
}
