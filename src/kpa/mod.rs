//! Knative's autoscaler arithmetic, as pure functions.
//!
//! It mirrors the `KPA` of Knative Serving 1.23; from 1.12 on only the rounding of the linear
//! average (1.19), the scale-down delay of unreachable revisions (1.18) and a few rules around
//! zero differ. That it is the same arithmetic is shown by vectors which Knative's own code
//! produced (`tests/decisions.rs`), not by reading.
//!
//! Moments are [`crate::units::At`]. Knative cuts time at whole seconds of the wall clock, and we
//! cut at whole seconds of `At`: who wants the very same cuts counts `At` from a whole, even second
//! of the wall clock.

pub mod burst;
pub mod cluster;
pub mod config;
pub mod decide;
pub mod explain;
pub mod reconcile;
pub mod sample;
pub mod whatif;
pub mod window;

pub use burst::Mode;
pub use config::Config;
pub use config::Effective;
pub use decide::Decision;
pub use decide::Inputs;
pub use decide::Memory;
pub use decide::Observed;
pub use decide::decide;
