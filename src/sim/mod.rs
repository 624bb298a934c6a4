//! The embedded cluster: speaks only wire protocols.

pub mod autoscaler;
mod autoscaler_log;
