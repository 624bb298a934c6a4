//! Stamps of time as a Kubernetes API server writes them.

use crate::units::UnixMicros;

/// `metav1.Time`: RFC 3339 in UTC, whole seconds.
pub fn seconds(at: UnixMicros) -> String {
    format(at, 0)
}

/// `metav1.MicroTime`, as leases and `events.k8s.io` use it.
pub fn micros(at: UnixMicros) -> String {
    format(at, 6)
}

fn format(at: UnixMicros, n_digits: usize) -> String {
    // A stamp before year -9999 or after 9999 cannot be written; no clock says that.
    let stamp = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    // Kubernetes cuts, it does not round.
    let unit = 10_i64.pow(u32::try_from(6 - n_digits).unwrap_or(0));
    let cut = jiff::Timestamp::from_microsecond(at.0 - at.0.rem_euclid(unit)).unwrap_or(stamp);
    format!("{cut:.n_digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_cut_and_not_rounded() {
        let at = UnixMicros(1_999_999);
        assert_eq!(seconds(at), "1970-01-01T00:00:01Z");
        assert_eq!(micros(at), "1970-01-01T00:00:01.999999Z");
    }
}
