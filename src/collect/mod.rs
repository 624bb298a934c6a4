//! The hands that read a cluster.

pub mod exposition;
pub mod knative;
pub mod stat;

mod backoff;
mod fetch;
mod health;
mod kinds;
mod meter;
