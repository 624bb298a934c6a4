//! The embedded cluster: speaks only wire protocols.

pub mod autoscaler;
