//! Local ports in use toward the target, from the kernel's list of sockets.
//!
//! The list is long where it matters, so it is read only while many connections are opened, and
//! then seldom.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::units::At;

/// Connections opened in an interval from which on ports are counted.
const MANY: u64 = 200;
/// How long a count is good for.
const EVERY: Duration = Duration::from_secs(2);

/// Counts local ports.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// How many there are for one address of the target.
    pub(super) max: Option<u64>,
    /// Addresses by target, as the kernel writes them.
    targets: BTreeMap<usize, Vec<String>>,
    used: Option<u64>,
    counted: Option<At>,
}

// === impl Ports ===

impl Ports {
    /// Reads how many there are.
    pub(super) fn new() -> Self {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
        Self { max: range.as_deref().and_then(size), ..Self::default() }
    }

    /// Where a target is.
    pub(super) fn aim_at(&mut self, target_idx: usize, addresses: &[SocketAddr]) {
        let words = addresses.iter().copied().map(kernel_words).collect();
        self.targets.insert(target_idx, words);
    }

    /// Those in use toward the address that most lead to; `None` while few connections are opened.
    pub(super) fn used(&mut self, now: At, opened: u64, is_wanting: bool) -> Option<u64> {
        if opened < MANY && !is_wanting {
            self.used = None;
            return None;
        }
        if self.counted.is_some_and(|at| now.since(at) < EVERY) {
            return self.used;
        }
        self.counted = Some(now);
        let lists = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
        let lists: Vec<String> =
            lists.into_iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        self.used = (!lists.is_empty()).then(|| {
            let targets: Vec<&str> = self.targets.values().flatten().map(String::as_str).collect();
            count(&lists, &targets)
        });
        self.used
    }
}

/// `32768\t60999` are 28,232 ports.
fn size(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(str::parse);
    let (low, high): (u64, u64) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some((high + 1).saturating_sub(low))
}

/// Sockets toward the target that have most, whatever their state: a port is in use until the
/// last one of its states is over.
fn count(lists: &[String], targets: &[&str]) -> u64 {
    let mut by_target: BTreeMap<&str, u64> = BTreeMap::new();
    // `sl local_address rem_address st …`.
    let remotes = lists
        .iter()
        .flat_map(|list| list.lines())
        .filter_map(|line| line.split_whitespace().nth(2));
    for remote in remotes {
        if let Some(target) = targets.iter().find(|target| **target == remote) {
            *by_target.entry(target).or_default() += 1;
        }
    }
    by_target.into_values().max().unwrap_or(0)
}

/// `0100007F:1F90`: each four bytes of the address as a number of this machine, then the port.
fn kernel_words(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks(4).map(|word| {
        let word = word.try_into().map_or(0, u32::from_ne_bytes);
        format!("{word:08X}")
    });
    format!("{}:{:04X}", words.collect::<String>(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn ports_in_use_are_counted_as_the_kernel_lists_them() {
        let (here, elsewhere) = (listener(), listener());
        let _open: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(here.1).unwrap()).collect();
        let _other = TcpStream::connect(elsewhere.1).unwrap();
        let mut ports = Ports::new();
        ports.aim_at(0, &[here.1]);
        ports.aim_at(1, &[elsewhere.1]);
        let at = At::from_secs(1);
        assert_eq!(ports.used(at, 1, false), None, "few are opened");
        assert_eq!(ports.used(at, MANY, false), Some(5));
        assert_eq!(ports.used(at, 0, true), Some(5));
        assert!(ports.max.is_some_and(|max| 0 < max));
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn addresses_are_written_as_the_kernel_does() {
        if cfg!(target_endian = "little") {
            for (address, words) in [
                ("127.0.0.1:8080", "0100007F:1F90"),
                ("[::1]:80", "00000000000000000000000001000000:0050"),
            ] {
                assert_eq!(kernel_words(address.parse().unwrap()), words);
            }
        }
        assert_eq!(size("32768\t60999\n"), Some(28_232));
        assert_eq!(size("32768"), None);
    }
}
