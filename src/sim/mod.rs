//! The embedded cluster: speaks only wire protocols.
//!
//! Everything here runs on one thread: a `LocalSet`, state shared through `Rc<RefCell<…>>`, time by
//! tokio, so that a cluster can live through hours of virtual time in a test.

pub(crate) mod activator;
pub(crate) mod gateway;
pub(crate) mod h2c;
pub(crate) mod histogram;
pub(crate) mod plane;
pub(crate) mod pod;
pub(crate) mod queue_proxy;
pub(crate) mod revision;
pub mod spec;
pub mod stamp;
pub mod stat;
pub mod task;
pub(crate) mod workload;
