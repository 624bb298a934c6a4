//! What a server's log implies for a client: service times, and response times from the due times
//! of an even rate.

use std::time::Duration;

use serde_json::Value;

use super::figures::Three;
use super::server::Moment;

/// A server's log.
#[derive(Debug)]
pub(crate) struct Log {
    moments: Vec<Moment>,
}

impl Log {
    /// Of moments in the order of arrival.
    pub(crate) fn new(moments: Vec<Moment>) -> Self {
        Self { moments }
    }

    /// Requests that arrived.
    pub(crate) fn n_requests(&self) -> u64 {
        self.moments.len() as u64
    }

    /// From arrival to answer.
    pub(crate) fn service_times(&self) -> Vec<u64> {
        self.moments.iter().map(|it| it.answered.saturating_sub(it.arrived)).collect()
    }

    /// From the due time to the arrival. The log does not know when the load began; it is taken to
    /// be as late as it can be with no request before its time.
    pub(crate) fn lags(&self, rate: f64) -> Vec<u64> {
        since(&self.dues(rate), self.moments.iter().map(|it| it.arrived))
    }

    /// From the due time to the answer.
    pub(crate) fn response_times(&self, rate: f64) -> Vec<u64> {
        since(&self.dues(rate), self.moments.iter().map(|it| it.answered))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "moments of an hour at most, in nanoseconds"
    )]
    fn dues(&self, rate: f64) -> Vec<u64> {
        let offsets: Vec<u64> =
            (0..self.moments.len()).map(|n| (n as f64 * 1e9 / rate) as u64).collect();
        let began =
            self.moments.iter().zip(&offsets).map(|(it, off)| it.arrived.saturating_sub(*off));
        let began = began.min().unwrap_or_default();
        offsets.into_iter().map(|offset| began + offset).collect()
    }
}

fn since(dues: &[u64], ends: impl Iterator<Item = u64>) -> Vec<u64> {
    dues.iter().zip(ends).map(|(due, end)| end.saturating_sub(*due)).collect()
}

/// p50, p99 and the greatest of a time in rampscope's summary.
pub(crate) fn own(summary: &Value, time: &str) -> Option<Three> {
    let time = summary.get("traffic")?.get(time)?;
    let of = |name| Some(Duration::from_secs_f64(time.get(name)?.as_f64()? / 1e3));
    Some(Three { p50: of("p50")?, p99: of("p99")?, max: of("max")? })
}
