//! All that can happen, in the words of the field.
//!
//! Every hand speaks only these words, the journal writes them, and the model is a fold over
//! them; so a replay, a test and a live run are the same thing. What came from outside has been
//! bounded and washed of control characters before it stands in an event.

pub mod cluster;
pub mod command;
pub mod hpa;
pub mod run;
pub mod scaler;
pub mod source;
pub mod traffic;

use serde::Deserialize;
use serde::Serialize;

use crate::units::At;

/// An event with its place in the one total order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Counts from zero without a gap; what fell out is an event of its own ([`Event::Lost`]).
    pub seq: u64,
    /// When the bus took it.
    pub at: At,
    /// What happened.
    pub event: Event,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run begins; always the first.
    Began(Box<run::Began>),
    /// The target of the load was found.
    Found(run::Found),
    /// A stage of the plan begins.
    Stage(run::Stage),
    /// The load was changed, by a person or for safety.
    Control(run::Control),
    /// A note for the record.
    Note(run::Note),
    /// One closed interval of load.
    Traffic(Box<traffic::Interval>),
    /// A watched kind is being listed: what is not seen again before [`Event::Listed`] is gone.
    /// A hand that keeps account of what it told says so only for its first list; afterwards it
    /// tells what is new and what is gone one by one.
    Listing(cluster::Kind),
    /// The list that [`Event::Listing`] announced is complete.
    Listed(cluster::Kind),
    /// An object as it is now.
    Seen(Box<cluster::Object>),
    /// An object is gone.
    Gone(cluster::Gone),
    /// What one autoscaler pod says of one revision.
    Autoscaler(Box<scaler::Autoscaler>),
    /// A line of the autoscaler's log about one revision.
    AutoscalerLog(scaler::AutoscalerLog),
    /// What one activator pod says of one revision.
    Activator(scaler::Activator),
    /// What one queue-proxy says of itself.
    QueueProxy(scaler::QueueProxy),
    /// CPU and memory of one pod, from `metrics.k8s.io`.
    Usage(scaler::Usage),
    /// A source says how it is.
    Source(source::Report),
    /// Something was changed in the cluster, or failed to be.
    Action(run::Action),
    /// The bus had no room: this many samples were dropped since the last such event.
    Lost {
        /// How many events were dropped.
        n: u64,
    },
    /// The run ends; nothing of it follows but late answers.
    Ended(run::Ended),
}

// === impl Event ===

impl Event {
    /// Leaves the latencies of an interval of load out: most of the work of taking it in, for
    /// whoever does not ask for them.
    pub fn forget_latencies(&mut self) {
        if let Self::Traffic(interval) = self {
            (interval.response_time, interval.service_time) = (None, None);
            (interval.failure_time, interval.send_lag) = (None, None);
        }
    }
}
