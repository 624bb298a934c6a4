//! The embedded cluster: speaks only wire protocols.
//!
//! Everything here runs on one thread: a `LocalSet`, state shared through `Rc<RefCell<…>>`, time by
//! tokio, so that a cluster can live through hours of virtual time in a test.

pub mod backstage;
pub mod columns;
pub mod resources;
pub mod stamp;
pub mod status;
pub mod store;
pub mod task;
