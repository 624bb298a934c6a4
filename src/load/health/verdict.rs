//! Whether we ourselves were the bottleneck, of what we were short, and what mends it. Pure.
//!
//! A sentence begins with what was short, then says by how much, then what mends it.

use std::time::Duration;

use crate::event::traffic::ClientHealth;
use crate::event::traffic::Limit;
use crate::load::tally::Wants;
use crate::series::LatencyHistogram;

/// Send lag (p99) above which we ourselves are the bottleneck; and what a machine that keeps time
/// may be late.
const LAG_LIMIT: Duration = Duration::from_millis(10);
/// Share of the quota's periods that must have been cut short.
const THROTTLED: f64 = 0.1;
/// Share of the time that a thread must have waited for a core.
const WAITED: f64 = 0.2;
/// The same where connections are wanting too, which a slow target explains as well: so long that
/// answers are read late, whatever the target does.
const WAITED_LONG: f64 = 0.5;
/// Share of the time that a thread must have had a core, and had nothing left.
const BUSY: f64 = 0.95;
/// Share of the time that must have gone by between a timer's moment and its ring.
const STOOD_STILL: f64 = 0.1;

/// What an interval shows of us.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::load) struct Signs {
    /// Send lag, p99; `None` in a closed loop, which has no due times, and where nothing was sent.
    pub(in crate::load) lag: Option<Duration>,
    /// Whether nothing was to be sent.
    pub(in crate::load) is_idle: bool,
    /// What was wanting.
    pub(in crate::load) wants: Wants,
    /// The interval's length.
    pub(in crate::load) lasted: Duration,
}

/// What we were short of, with the sentence; `None` if of nothing.
pub(in crate::load) fn judge(signs: &Signs, client: &ClientHealth) -> Option<(Limit, String)> {
    // A connection that cannot be opened here is our shortage, on time or not.
    if 0 < signs.wants.descriptors {
        return Some((Limit::Descriptors, descriptors(client)));
    }
    if 0 < signs.wants.ports {
        return Some((Limit::Ports, ports(client)));
    }
    if signs.is_idle {
        return None;
    }
    match signs.lag {
        Some(lag) if LAG_LIMIT < lag => Some(why_late(lag, signs, client)),
        Some(_) => None,
        None => why_slow(signs, client),
    }
}

/// Requests left late.
fn why_late(lag: Duration, signs: &Signs, client: &ClientHealth) -> (Limit, String) {
    let slip = slip(client).map_or(Duration::ZERO, |slip| slip.max());
    if let Some(share) = client.throttled.filter(|share| THROTTLED <= *share) {
        return (Limit::CpuQuota, quota(client, share, "lower the rate"));
    }
    // That all wait for a connection says nothing of the machine, unless its timers are late too.
    let is_machine = signs.wants.connections == 0 || LAG_LIMIT < slip;
    let enough = if is_machine { WAITED } else { WAITED_LONG };
    if let Some(share) = client.run_queue.filter(|share| enough <= *share) {
        return (Limit::Cpu, waited(client, share, "lower the rate"));
    }
    if let Some(share) = client.busiest.filter(|share| BUSY <= *share) {
        return (Limit::Cpu, busy(share, "lower the rate, or share it among machines"));
    }
    if LAG_LIMIT < slip {
        return (Limit::Stopped, stopped(slip));
    }
    let lag = lag.as_millis();
    if 0 < signs.wants.connections {
        let n = signs.wants.connections;
        let words = format!(
            "connections: all were busy, {n} requests waited here, up to {lag} ms (p99): \
             allow more, or the target is too slow"
        );
        return (Limit::Connections, words);
    }
    let words = format!(
        "not known: requests left {lag} ms late (p99), and nothing here is used up: \
         connecting may be slow"
    );
    (Limit::Unknown, words)
}

/// In a closed loop there is no moment to be late for: what counts is whether we could have done
/// more.
fn why_slow(signs: &Signs, client: &ClientHealth) -> Option<(Limit, String)> {
    const MORE: &str = "the target may be faster than it looks";
    if let Some(share) = client.throttled.filter(|share| THROTTLED <= *share) {
        return Some((Limit::CpuQuota, quota(client, share, MORE)));
    }
    let busiest = client.busiest.unwrap_or(0.0);
    let run_queue = client.run_queue.unwrap_or(0.0);
    let slip = slip(client);
    let still = slip.as_ref().map_or(Duration::ZERO, |slip| stood_still(slip, signs.lasted));
    let has_stood = !still.is_zero();
    if WAITED <= run_queue && (has_stood || BUSY <= busiest + run_queue) {
        return Some((Limit::Cpu, waited(client, run_queue, MORE)));
    }
    if BUSY <= busiest {
        return Some((Limit::Cpu, busy(busiest, MORE)));
    }
    has_stood.then(|| (Limit::Stopped, stopped(still)))
}

/// For how long at most timers were late, if that was a good part of the interval; else nothing.
fn stood_still(slip: &LatencyHistogram, lasted: Duration) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "some tens of rings")]
    let sum = slip.mean().as_secs_f64() * slip.count() as f64;
    let is_much = lasted.as_secs_f64() * STOOD_STILL <= sum && LAG_LIMIT < slip.max();
    if is_much { slip.max() } else { Duration::ZERO }
}

fn slip(client: &ClientHealth) -> Option<LatencyHistogram> {
    let slip = LatencyHistogram::decode(client.timer_slip.as_ref()?).ok()?;
    (!slip.is_empty()).then_some(slip)
}

fn descriptors(client: &ClientHealth) -> String {
    let allowed = client.descriptors_max.map_or_else(String::new, |n| format!(" {n} allowed"));
    let used = client.descriptors.map_or_else(String::new, |n| format!(", {n} in use"));
    format!("descriptors:{allowed} (ulimit -n){used}: raise it, or allow fewer connections")
}

fn ports(client: &ClientHealth) -> String {
    let all = client.ports_max.map_or_else(|| "the".to_owned(), |n| format!("the {n}"));
    let used = client.ports.map_or_else(
        || "no local port was free".to_owned(),
        |n| format!("{n} of {all} local ports toward the target are in use"),
    );
    format!("ports: {used} (ip_local_port_range): keep connections alive, or widen the range")
}

fn quota(client: &ClientHealth, share: f64, or: &str) -> String {
    let cores = client.quota.map_or_else(String::new, |cores| format!(" of {cores:.2} cores"));
    let share = share * 100.0;
    format!(
        "CPU: the quota{cores} is used up (throttled in {share:.0} % of its periods): \
         give it more, or {or}"
    )
}

fn waited(client: &ClientHealth, share: f64, or: &str) -> String {
    let cores = match client.cores {
        Some(1) => "the only core".to_owned(),
        Some(cores) => format!("one of {cores} cores"),
        None => "a core".to_owned(),
    };
    let share = share * 100.0;
    format!(
        "CPU: a thread of the load waited {share:.0} % of the time for {cores}: \
         leave it one, or {or}"
    )
}

fn busy(share: f64, or: &str) -> String {
    let share = (share * 100.0).min(100.0);
    format!("CPU: a thread of the load was busy {share:.0} % of the time: {or}")
}

fn stopped(slip: Duration) -> String {
    let slip = slip.as_millis();
    format!(
        "stopped: this process stood still for up to {slip} ms: let it and its machine run, \
         or leave this time out"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slipped(millis: &[u64]) -> ClientHealth {
        let mut slip = LatencyHistogram::default();
        for millis in millis {
            slip.record(Duration::from_millis(*millis));
        }
        ClientHealth { timer_slip: Some(slip.encode()), ..ClientHealth::default() }
    }

    fn late(millis: u64) -> Signs {
        let lag = Some(Duration::from_millis(millis));
        Signs { lag, lasted: Duration::from_millis(500), ..Signs::default() }
    }

    fn closed() -> Signs {
        Signs { lag: None, ..late(0) }
    }

    #[test]
    fn what_is_short_is_named_with_the_remedy() {
        let healthy = || slipped(&[0; 25]);
        let quota =
            |share| ClientHealth { quota: Some(0.2), throttled: Some(share), ..slipped(&[80]) };
        let waited = ClientHealth { run_queue: Some(0.43), cores: Some(2), ..slipped(&[12]) };
        let busy = ClientHealth { busiest: Some(0.98), ..healthy() };
        let crowded = ClientHealth { run_queue: Some(0.3), cores: Some(2), ..slipped(&[0, 82]) };
        let full = ClientHealth { descriptors: Some(64), descriptors_max: Some(64), ..healthy() };
        let ports = ClientHealth { ports: Some(28_000), ports_max: Some(28_232), ..healthy() };
        let wants = |connections, descriptors, ports| Wants { connections, descriptors, ports };
        let want = |wants, signs: Signs| Signs { wants, ..signs };
        for (signs, client, begins, holds) in [
            (late(40), quota(0.78), "CPU: the quota of 0.20 cores", "78 % of its periods"),
            (closed(), quota(0.78), "CPU: the quota of 0.20 cores", "may be faster"),
            (late(40), waited, "CPU: a thread of the load waited 43 %", "one of 2 cores"),
            (late(40), busy.clone(), "CPU: a thread of the load was busy 98 %", "lower the rate"),
            (closed(), busy, "CPU: a thread of the load was busy 98 %", "may be faster"),
            (late(40), slipped(&[0, 0, 82]), "stopped:", "up to 82 ms"),
            (closed(), slipped(&[0, 0, 82]), "stopped:", "up to 82 ms"),
            (closed(), crowded, "CPU: a thread of the load waited 30 %", "may be faster"),
            (want(wants(0, 3, 0), late(0)), full, "descriptors: 64 allowed", "64 in use: raise it"),
            (want(wants(0, 0, 1), closed()), ports, "ports: 28000 of the 28232", "keep"),
            (want(wants(9, 0, 0), late(40)), healthy(), "connections:", "9 requests waited"),
            (late(40), healthy(), "not known: requests left 40 ms late", "connecting"),
        ] {
            let (_, words) = judge(&signs, &client).unwrap();
            assert!(words.starts_with(begins) && words.contains(holds), "{words}");
        }
    }

    #[test]
    fn a_machine_that_keeps_up_is_not_blamed() {
        let throttled = ClientHealth { throttled: Some(0.8), ..slipped(&[80]) };
        let idle = Signs { is_idle: true, ..closed() };
        let capped = Signs { wants: Wants { connections: 99, ..Wants::default() }, ..late(3) };
        for (signs, client) in [
            // On time all the same.
            (late(9), throttled.clone()),
            (idle, throttled),
            // All connections are busy, which delays nothing.
            (capped, slipped(&[0; 25])),
            // One hiccup in half a second.
            (closed(), slipped(&[0, 0, 12])),
            (closed(), ClientHealth { busiest: Some(0.7), run_queue: Some(0.1), ..slipped(&[0]) }),
            (closed(), ClientHealth::default()),
        ] {
            assert_eq!(judge(&signs, &client), None, "{signs:?}");
        }
    }

    #[test]
    fn a_target_that_stalls_is_not_a_slow_machine() {
        let wants = Wants { connections: 400, ..Wants::default() };
        let signs = Signs { wants, ..late(1900) };
        for (throttled, run_queue, limit) in [
            (0.0, 0.3, Limit::Connections),
            // Connections are busy because their answers are read late.
            (0.0, 0.8, Limit::Cpu),
            (0.4, 0.3, Limit::CpuQuota),
        ] {
            let (throttled, run_queue) = (Some(throttled), Some(run_queue));
            let client = ClientHealth { run_queue, throttled, ..slipped(&[1]) };
            assert_eq!(judge(&signs, &client).map(|(limit, _)| limit), Some(limit), "{client:?}");
        }
    }
}
