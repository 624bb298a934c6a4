//! What our own process uses, as the operating system counts it.

use std::collections::BTreeMap;
use std::fs;

use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// CPU seconds of this process so far, user and system.
#[expect(clippy::cast_precision_loss, reason = "seconds of CPU")]
pub(super) fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// CPU seconds so far of the threads that there are, by name; the first one is called `main`.
/// Empty where the system does not tell.
pub(super) fn thread_cpu_seconds() -> BTreeMap<String, f64> {
    let mut seconds: BTreeMap<String, f64> = BTreeMap::new();
    let main = std::process::id().to_string();
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return seconds };
    for thread in threads.flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).ok();
        // A thread may end while we look.
        let (Some(name), Some(schedstat)) = (read("comm"), read("schedstat")) else { continue };
        let ran = schedstat.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
        let name = if thread.file_name() == *main { "main" } else { name.trim_end() };
        if let Some(ran) = ran {
            *seconds.entry(crate::units::clean(name, 16)).or_default() += ran / 1e9;
        }
    }
    seconds
}

/// Largest resident set of this process so far, in bytes; `None` where the system does not tell.
pub(super) fn rss_max_bytes() -> Option<u64> {
    proc_status("VmHWM:")
}

fn proc_status(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    let kib: u64 = line[key.len()..].trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_uses_something() {
        assert!(0.0 < cpu_seconds());
        assert_ne!(rss_max_bytes(), Some(0));
        let threads = thread_cpu_seconds();
        assert!(threads.contains_key("main"), "{threads:?}");
        assert!(threads.values().sum::<f64>() <= cpu_seconds() + 0.1, "{threads:?}");
    }
}
