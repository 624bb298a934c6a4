//! The embedded cluster: speaks only wire protocols.
//!
//! Everything here runs on one thread: a `LocalSet`, state shared through `Rc<RefCell<…>>`, time by
//! tokio, so that a cluster can live through hours of virtual time in a test.

pub(crate) mod activator;
pub mod apiserver;
pub mod autoscaler;
pub mod backstage;
pub(crate) mod behind;
pub(crate) mod cells;
pub mod cluster;
pub mod columns;
pub(crate) mod conditions;
pub mod door;
pub mod fault;
pub(crate) mod furnish;
pub(crate) mod gateway;
pub(crate) mod h2c;
pub(crate) mod histogram;
pub(crate) mod hpa;
pub(crate) mod knative;
pub(crate) mod kubelet;
pub mod listen;
pub(crate) mod logbook;
pub(crate) mod metrics;
pub(crate) mod objects;
pub(crate) mod plane;
pub(crate) mod pod;
pub(crate) mod queue_proxy;
pub(crate) mod replicas;
pub mod resources;
pub(crate) mod revision;
pub(crate) mod routes;
pub(crate) mod scaler;
pub mod spec;
pub mod stamp;
pub mod stat;
pub mod status;
pub mod store;
pub mod task;
pub mod trouble;
pub(crate) mod usage;
pub(crate) mod watcher;
pub(crate) mod workload;
pub(crate) mod world;
