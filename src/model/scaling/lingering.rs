//! An activator's gauge that goes on telling what it told last.
//!
//! The gauge of a revision's concurrency is only written when the activator reports, and now and
//! then stands for minutes where it stood when the activator left the path (seen with Knative 1.23;
//! the autoscaler was told nothing of it). Its counter and its queue know better.

use std::time::Duration;

use crate::event::scaler::Activator;
use crate::units::At;

/// A report is of the second before it, and is read up to a second after it.
const REPORTED: Duration = Duration::from_millis(2500);

/// Since when an activator has had no request of a revision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Still {
    since: At,
    requests_total: f64,
}

/// Since when nothing came and nothing is held, by this reading and the one before; `None`: there
/// is something, or the activator does not tell.
pub(super) fn still(before: Option<Still>, reading: &Activator) -> Option<Still> {
    let requests_total = reading.requests_total?;
    let is_empty = reading.queued? == 0.0 && reading.active? == 0.0;
    let now = Still { since: reading.read, requests_total };
    is_empty.then(|| before.filter(|it| it.requests_total == requests_total).unwrap_or(now))
}

/// The reading, without a concurrency that cannot be: who has held nothing for longer than a
/// report tells of has none.
pub(super) fn believed(still: Option<Still>, reading: &Activator) -> Activator {
    let lingers = still.is_some_and(|it| REPORTED <= reading.read.since(it.since));
    let concurrency = reading.concurrency.map(|told| if lingers { 0.0 } else { told });
    Activator { concurrency, ..reading.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings each half second; each is answered requests, requests held, and the gauge.
    fn heard(all: &[(f64, f64, f64)]) -> Vec<f64> {
        let mut known = None;
        let mut hear = |(idx, (total, active, concurrency)): (u64, &(f64, f64, f64))| {
            let reading = Activator {
                read: At::from_millis(idx * 500),
                concurrency: Some(*concurrency),
                queued: Some(0.0),
                active: Some(*active),
                requests_total: Some(*total),
                ..Activator::default()
            };
            known = still(known, &reading);
            believed(known, &reading).concurrency.unwrap()
        };
        (0..).zip(all).map(&mut hear).collect()
    }

    #[test]
    fn a_gauge_that_stands_where_nothing_is_held_is_zero_when_that_is_certain() {
        let mut all = vec![(100.0, 18.0, 17.9), (118.0, 0.0, 17.9)];
        all.extend([(118.0, 0.0, 17.9); 6]);
        let told = heard(&all);
        assert_eq!(told, [17.9, 17.9, 17.9, 17.9, 17.9, 17.9, 0.0, 0.0]);
    }

    #[test]
    fn requests_that_are_held_or_come_are_believed() {
        assert_eq!(heard(&[(118.0, 3.0, 3.0); 9]), [3.0; 9], "they last");
        let coming: Vec<_> = (0..9).map(|n| (f64::from(n), 0.0, 0.1)).collect();
        assert_eq!(heard(&coming), [0.1; 9], "they are short");
        let mut silent = Activator { concurrency: Some(4.0), ..Activator::default() };
        let known = still(None, &silent);
        silent.read = At::from_secs(60);
        assert_eq!(believed(still(known, &silent), &silent).concurrency, Some(4.0), "unknown");
    }
}
