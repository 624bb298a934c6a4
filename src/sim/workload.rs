//! The user's container: waits, burns CPU, answers the pod's name.
//!
//! `GET /?sleep=MS&cpu=MS&bytes=N`. CPU is shared: when more requests burn than the limit has
//! cores, each gets its part and takes longer, and what was burnt is what metrics.k8s.io shows.

use std::cell::Cell;
use std::time::Duration;

use crate::clock::Clock;

/// Longest wait and burn that can be asked for.
const MOST_MILLIS: f64 = 3_600_000.0;

/// Largest answer that can be asked for.
const MOST_BYTES: usize = 16 << 20;

/// The CPU is shared out anew so often.
const TURN: Duration = Duration::from_millis(5);

/// What a request without any wish costs the user's container.
const BASE_COST: Duration = Duration::from_micros(60);

/// What a request asks of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ask {
    /// Wait so long.
    pub(crate) sleep: Duration,
    /// Burn so much CPU time.
    pub(crate) cpu: Duration,
    /// Answer so many bytes after the name.
    pub(crate) n_bytes: usize,
}

/// The CPU of a container.
#[derive(Debug)]
pub(crate) struct Cpu {
    cores: f64,
    n_burning: Cell<u32>,
    used: Cell<Duration>,
}

// === impl Ask ===

impl Ask {
    /// Reads the query of a request's path; what is not a number is not asked for.
    pub(crate) fn parse(path: &str) -> Self {
        let mut ask = Self::default();
        let Some((_, query)) = path.split_once('?') else { return ask };
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sleep", millis)) => ask.sleep = parse_millis(millis),
                Some(("cpu", millis)) => ask.cpu = parse_millis(millis),
                Some(("bytes", n)) => ask.n_bytes = n.parse().unwrap_or(0).min(MOST_BYTES),
                _ => {}
            }
        }
        ask
    }
}

fn parse_millis(text: &str) -> Duration {
    let millis: f64 = text.parse().unwrap_or(0.0);
    // The comparison is false for NaN.
    let millis = if 0.0 < millis { millis.min(MOST_MILLIS) } else { 0.0 };
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}

// === impl Cpu ===

impl Cpu {
    /// A CPU limited to so many cores.
    pub(crate) fn new(cores: f64) -> Self {
        Self { cores, n_burning: Cell::new(0), used: Cell::default() }
    }

    /// CPU time used since the start.
    pub(crate) fn used(&self) -> Duration {
        self.used.get()
    }

    /// Counts a cost that is too small to wait for.
    pub(crate) fn spend(&self, cost: Duration) {
        self.used.set(self.used.get() + cost);
    }

    /// What a request costs beside what it asks for.
    pub(crate) fn spend_base(&self) {
        self.spend(BASE_COST);
    }

    /// Burns `need` of CPU time, as fast as the others leave room.
    pub(crate) async fn burn(&self, clock: Clock, need: Duration) {
        if need.is_zero() {
            return;
        }
        let _burning = Burning::new(&self.n_burning);
        let mut left = need;
        while !left.is_zero() {
            let share = (self.cores / f64::from(self.n_burning.get())).min(1.0);
            let turn = left.div_f64(share).min(TURN);
            let begin = clock.at();
            tokio::time::sleep(turn).await;
            // The timer is late by up to a millisecond, in which the CPU was ours.
            let burnt = clock.at().since(begin).mul_f64(share).min(left);
            self.spend(burnt);
            left -= burnt;
        }
    }
}

/// One more burns, until dropped.
struct Burning<'a>(&'a Cell<u32>);

impl<'a> Burning<'a> {
    fn new(n: &'a Cell<u32>) -> Self {
        n.set(n.get() + 1);
        Self(n)
    }
}

impl Drop for Burning<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_bounded() {
        let ask = Ask::parse("/x?sleep=100&cpu=2.5&bytes=10");
        assert_eq!(ask.sleep, Duration::from_millis(100));
        assert_eq!(ask.cpu, Duration::from_micros(2500));
        assert_eq!(ask.n_bytes, 10);
        assert_eq!(Ask::parse("/"), Ask::default());
        assert_eq!(Ask::parse("/?sleep=-1&cpu=NaN&bytes=x&&="), Ask::default());
        assert_eq!(Ask::parse("/?bytes=99999999999").n_bytes, MOST_BYTES);
        assert_eq!(Ask::parse("/?sleep=1e99").sleep, Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn four_that_burn_on_one_core_take_four_times_as_long() {
        let clock = Clock::start();
        let cpu = Cpu::new(1.0);
        let need = Duration::from_millis(100);
        futures::join!(
            cpu.burn(clock, need),
            cpu.burn(clock, need),
            cpu.burn(clock, need),
            cpu.burn(clock, need),
        );
        let took = clock.at().as_secs_f64();
        assert!((0.39..0.43).contains(&took), "{took}");
        assert_eq!(cpu.used(), Duration::from_millis(400));

        let alone = clock.at();
        cpu.burn(clock, need).await;
        assert!(clock.at().since(alone) < Duration::from_millis(110));

        let begin = clock.at();
        Cpu::new(2.0).burn(clock, need).await;
        assert!(need <= clock.at().since(begin), "one request burns on one core");
    }
}
