//! The engine watches itself: whether its threads get a core, whether timers ring when they
//! should, what is left of what the system allows.
//!
//! It is read once an interval by the coordinator, off the way of any request. Files are opened
//! before the first connection and kept: where descriptors have run out is just where one wants to
//! read. What the system does not tell is `None`.

mod cgroup;
mod ports;
pub(super) mod verdict;

use std::fs;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use rustix::process::Resource;
use rustix::process::getrlimit;
use rustix::thread::sched_getaffinity;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

use crate::event::traffic::ClientHealth;
use crate::series::LatencyHistogram;
use crate::units::At;

use cgroup::Periods;
use cgroup::Quota;
use ports::Ports;

/// The coordinator's name; those of the shards are `load-0` and so on.
const NAME: &str = "load";
/// How long threads may take to name themselves.
const NAMED_WITHIN: Duration = Duration::from_millis(200);

/// Watches this process.
#[derive(Debug, Default)]
pub(super) struct Health {
    threads: Vec<Thread>,
    quota: Option<Quota>,
    cores: Option<u32>,
    ports: Ports,
    /// When the interval began, and what had been used then.
    began: At,
    cpu_before: f64,
    periods_before: Option<Periods>,
    slip: LatencyHistogram,
}

/// A thread of the load, by its `schedstat`.
#[derive(Debug)]
struct Thread {
    schedstat: File,
    before: Sched,
}

/// What a thread had of the cores so far, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sched {
    ran: u64,
    waited: u64,
}

// === impl Health ===

impl Health {
    /// Begins to watch `n_threads` threads of the load; to be called on one of them, which from now
    /// on measures timers.
    pub(super) fn watch(n_threads: usize) -> Self {
        // A bare timer is to be the kernel's best, not one that it may bundle with others.
        if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
            tracing::debug!(%error, "timers of the coordinator stay slack");
        }
        let cores = sched_getaffinity(None).ok().map(|cores| cores.count());
        Self {
            threads: all_threads(n_threads),
            quota: Quota::find(),
            cores,
            ports: Ports::new(),
            ..Self::default()
        }
    }

    /// A target's addresses, as far as they are known.
    pub(super) fn aim_at(&mut self, target_idx: usize, addresses: &[SocketAddr]) {
        self.ports.aim_at(target_idx, addresses);
    }

    /// A bare timer rang so late.
    pub(super) fn rang(&mut self, late: Duration) {
        self.slip.record(late.max(Duration::from_micros(1)));
    }

    /// A new interval begins.
    pub(super) fn reopen(&mut self, at: At) {
        self.began = at;
        self.cpu_before = process_cpu();
        self.periods_before = self.quota.as_ref().and_then(Quota::periods);
        for thread in &mut self.threads {
            thread.before = thread.read().unwrap_or(thread.before);
        }
        self.slip = LatencyHistogram::default();
    }

    /// How it went since the interval began. `opened`: connections opened in it; `wants_port`:
    /// whether one could not be, for want of a local port.
    pub(super) fn read(&mut self, now: At, opened: u64, wants_port: bool) -> ClientHealth {
        let lasted = now.since(self.began).as_secs_f64().max(1e-6);
        let used: Option<Vec<Sched>> = self.threads.iter().map(Thread::since).collect();
        let used = used.filter(|used| !used.is_empty());
        let most = |of: fn(&Sched) -> u64| {
            used.as_ref()?.iter().map(|sched| seconds(of(sched)) / lasted).reduce(f64::max)
        };
        let periods = self.quota.as_ref().and_then(Quota::periods);
        let throttled = periods
            .zip(self.periods_before)
            .map(|(now, before)| now.share_since(before).unwrap_or(0.0));
        let (descriptors, descriptors_max) = descriptors();
        ClientHealth {
            load_cpu_s: used.as_ref().map(|used| used.iter().map(|it| seconds(it.ran)).sum()),
            process_cpu_s: Some(process_cpu() - self.cpu_before),
            busiest: most(|sched| sched.ran),
            run_queue: most(|sched| sched.waited),
            cores: self.cores,
            quota: self.quota.as_ref().map(|quota| quota.cores),
            throttled,
            timer_slip: (!self.slip.is_empty()).then(|| self.slip.encode()),
            descriptors,
            descriptors_max,
            ports: self.ports.used(now, opened, wants_port),
            ports_max: self.ports.max,
        }
    }
}

// === impl Thread ===

impl Thread {
    fn read(&self) -> Option<Sched> {
        let mut bytes = [0; 128];
        let n = self.schedstat.read_at(&mut bytes, 0).ok()?;
        Sched::parse(std::str::from_utf8(bytes.get(..n)?).ok()?)
    }

    /// What it had since the interval began. A thread that has ended has nothing more.
    fn since(&self) -> Option<Sched> {
        let now = self.read().unwrap_or(self.before);
        Some(Sched {
            ran: now.ran.checked_sub(self.before.ran)?,
            waited: now.waited.checked_sub(self.before.waited)?,
        })
    }
}

impl Sched {
    /// `ran waited timeslices`.
    fn parse(schedstat: &str) -> Option<Self> {
        let mut fields = schedstat.split_whitespace().map(str::parse);
        Some(Self { ran: fields.next()?.ok()?, waited: fields.next()?.ok()? })
    }
}

/// The threads of the load; none unless all are found, since a part of them would mislead. A thread
/// names itself when it first runs, which may take a moment.
fn all_threads(n_threads: usize) -> Vec<Thread> {
    for _ in 0..NAMED_WITHIN.as_millis() {
        match threads() {
            Ok(threads) if n_threads <= threads.len() => return threads,
            Ok(_) => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => break,
        }
    }
    Vec::new()
}

/// The threads of the load so far. Several engines of one process, as tests have them, see each other's.
fn threads() -> io::Result<Vec<Thread>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        // A thread may end while we look.
        let Ok(name) = fs::read_to_string(path.join("comm")) else { continue };
        let of_shard = name.strip_prefix(NAME).is_some_and(|rest| rest.starts_with('-'));
        if name.trim_end() != NAME && !of_shard {
            continue;
        }
        let Ok(schedstat) = File::open(path.join("schedstat")) else { continue };
        let mut thread = Thread { schedstat, before: Sched::default() };
        thread.before = thread.read().unwrap_or_default();
        threads.push(thread);
    }
    Ok(threads)
}

/// CPU seconds of this process so far.
#[expect(clippy::cast_precision_loss, reason = "seconds of CPU")]
fn process_cpu() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Descriptors in use, and how many are allowed.
fn descriptors() -> (Option<u64>, Option<u64>) {
    let max = getrlimit(Resource::Nofile).current;
    // From Linux 6.2 on the folder's size is their number, which needs no descriptor to be read.
    let size = fs::metadata("/proc/self/fd").ok().map(|folder| folder.len());
    let used = size.filter(|size| 0 < *size).or_else(|| match fs::read_dir("/proc/self/fd") {
        // The one that lists them is among them.
        Ok(entries) => Some((entries.count() as u64).saturating_sub(1)),
        Err(error) if super::failure::is_descriptors(&error) => max,
        Err(_) => None,
    });
    (used, max)
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of an interval")]
const fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn what_a_thread_uses_is_seen() {
        let busy = std::thread::Builder::new().name("load-test".to_owned()).spawn(|| {
            let mut health = Health::watch(1);
            health.reopen(At::ZERO);
            let began = clock::monotonic();
            while began.elapsed() < Duration::from_millis(30) {
                std::hint::spin_loop();
            }
            health.rang(Duration::from_millis(7));
            health.read(At::from_millis(30), 0, false)
        });
        let client = busy.unwrap().join().unwrap();
        let load = client.load_cpu_s.unwrap();
        assert!(0.0 < load && load <= client.process_cpu_s.unwrap() + 0.01, "{client:?}");
        assert!(client.busiest.is_some() && client.run_queue.is_some(), "{client:?}");
        let slip = LatencyHistogram::decode(&client.timer_slip.unwrap()).unwrap();
        assert_eq!((slip.count(), slip.min()), (1, Duration::from_millis(7)));
    }

    #[test]
    fn descriptors_are_counted() {
        let (before, max) = descriptors();
        let open: Vec<File> = (0..40).map(|_| File::open("/dev/null").unwrap()).collect();
        let (after, _) = descriptors();
        // Other tests open and close their own meanwhile.
        assert!(before.unwrap() < after.unwrap() && after <= max, "{before:?} {after:?} {max:?}");
        drop(open);
    }

    #[test]
    fn schedstat_is_understood() {
        assert_eq!(Sched::parse("696317 77025 1\n"), Some(Sched { ran: 696_317, waited: 77_025 }));
        assert_eq!(Sched::parse(""), None);
    }
}
