//! Numbers over time, bounded.
//!
//! A value that is read now and then is in force until the next reading, so a series is a step
//! line; what is not known is a gap. Latencies are histograms, since percentiles cannot be added.

mod columns;
mod encoding;
mod heat;
mod latency;
mod rank;
mod ring;
mod steps;

pub use columns::Cells;
pub use columns::Column;
pub use encoding::DecodeError;
pub use heat::HeatColumn;
pub use latency::LatencyHistogram;
pub use rank::nearest_rank;
pub use steps::Bounds;
pub use steps::Series;
