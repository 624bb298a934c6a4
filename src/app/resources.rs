//! What our own process uses, as the operating system counts it.

use std::fs;

use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// CPU seconds of this process so far, user and system.
#[expect(clippy::cast_precision_loss, reason = "seconds of CPU")]
pub(super) fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
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
    }
}
