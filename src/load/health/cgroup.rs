//! The CPU quota of our control group, version 1 or 2, and how often it cut us short.

use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;

/// A quota that holds for this process: the smallest of its group and those above it.
#[derive(Debug)]
pub(super) struct Quota {
    /// In cores.
    pub(super) cores: f64,
    /// Its `cpu.stat`, kept open: without a free descriptor it could not be opened later.
    stat: File,
}

/// Periods of the quota since the group was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Periods {
    /// Those in which the group wanted to run.
    pub(super) all: u64,
    /// Those in which the quota was used up.
    pub(super) throttled: u64,
}

// === impl Quota ===

impl Quota {
    /// The quota of this process; `None` without one, or where the system does not tell.
    pub(super) fn find() -> Option<Self> {
        let group = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        folders(&group, &mounts)
            .into_iter()
            .filter_map(|folder| Some((cores(&folder)?, folder)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .and_then(|(cores, folder)| {
                Some(Self { cores, stat: File::open(folder.join("cpu.stat")).ok()? })
            })
    }

    /// How often it was used up so far.
    pub(super) fn periods(&self) -> Option<Periods> {
        let mut bytes = [0; 1024];
        let n = self.stat.read_at(&mut bytes, 0).ok()?;
        Periods::parse(std::str::from_utf8(bytes.get(..n)?).ok()?)
    }
}

impl Periods {
    fn parse(stat: &str) -> Option<Self> {
        let value = |name: &str| {
            let line = stat.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        Some(Self { all: value("nr_periods ")?, throttled: value("nr_throttled ")? })
    }

    /// The share of the periods since `before` that were cut short; `None` without any.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn share_since(self, before: Self) -> Option<f64> {
        let all = self.all.checked_sub(before.all)?;
        let throttled = self.throttled.checked_sub(before.throttled)?;
        (0 < all).then(|| throttled as f64 / all as f64)
    }
}

/// The folders of our CPU group and of those above it.
///
/// `group` is `/proc/self/cgroup`, of lines `0::/a/b` (version 2) and `4:cpu,cpuacct:/a/b`
/// (version 1). `mounts` is `/proc/self/mountinfo`: `… 4: root 5: folder … - type source options`.
fn folders(group: &str, mounts: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in group.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let is_v2 = controllers.is_empty();
        if !is_v2 && !controllers.split(',').any(|it| it == "cpu") {
            continue;
        }
        let Some((root, folder)) = mounts.lines().find_map(|mount| mounted(mount, is_v2)) else {
            continue;
        };
        // In a namespace of its own the group is the mount.
        let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        let own = Path::new(folder).join(below);
        let above = own.ancestors().take_while(|it| it.starts_with(folder));
        folders.extend(above.map(Path::to_owned));
    }
    folders
}

/// Root and folder of a mount, if it is that of the CPU controller.
fn mounted(mount: &str, is_v2: bool) -> Option<(&str, &str)> {
    let (place, kind) = mount.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, folder) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let (name, options) = (kind.next()?, kind.nth(1).unwrap_or_default());
    let is_it = if is_v2 {
        name == "cgroup2"
    } else {
        name == "cgroup" && options.split(',').any(|option| option == "cpu")
    };
    is_it.then_some((root, folder))
}

/// The quota of a group in cores; `None` without one.
fn cores(folder: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let (quota, period) = match read("cpu.max") {
        // `max 100000`, or `20000 100000`.
        Some(max) => {
            let (quota, period) = max.trim().split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        }
        None => (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?),
    };
    // `max` and -1 are none.
    let quota: f64 = quota.trim().parse().ok().filter(|quota| 0.0 < *quota)?;
    let period: f64 = period.trim().parse().ok().filter(|period| 0.0 < *period)?;
    Some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
        33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n\
        32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n";
    const V2: &str = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    const INSIDE: &str = "29 23 0:26 /pod/box /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

    #[test]
    fn the_groups_are_ours_and_all_above() {
        for (group, mounts, expected) in [
            ("0::/a/b\n", V2, &["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"][..]),
            ("2:cpu:/a\n0::/x\n", V1, &["/sys/fs/cgroup/cpu/a", "/sys/fs/cgroup/cpu"]),
            ("3:cpuset:/a\n2:cpuacct:/a\n", V1, &[]),
            ("0::/pod/box\n", INSIDE, &["/sys/fs/cgroup"]),
            ("0::/\n", INSIDE, &["/sys/fs/cgroup"]),
            ("nonsense", "none", &[]),
        ] {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(folders(group, mounts), expected, "{group:?}");
        }
    }

    #[test]
    fn the_quota_is_read_in_both_versions() {
        for (files, expected) in [
            (&[("cpu.max", "20000 100000\n")][..], Some(0.2)),
            (&[("cpu.max", "max 100000\n")], None),
            (&[("cpu.cfs_quota_us", "150000\n"), ("cpu.cfs_period_us", "100000\n")], Some(1.5)),
            (&[("cpu.cfs_quota_us", "-1\n"), ("cpu.cfs_period_us", "100000\n")], None),
            (&[], None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                fs::write(folder.path().join(name), text).unwrap();
            }
            assert_eq!(cores(folder.path()), expected, "{files:?}");
        }
    }

    #[test]
    fn throttling_is_a_share_of_the_periods_since() {
        let v2 = "usage_usec 5\nnr_periods 40\nnr_throttled 30\nthrottled_usec 9\nnr_bursts 0\n";
        let before = Periods::parse("nr_periods 20\nnr_throttled 20\nthrottled_time 7\n").unwrap();
        let after = Periods::parse(v2).unwrap();
        assert_eq!(after.share_since(before), Some(0.5));
        assert_eq!(after.share_since(after), None);
        assert_eq!(before.share_since(after), None, "a group that was made anew");
        assert_eq!(Periods::parse("usage_usec 5\n"), None);
    }
}
