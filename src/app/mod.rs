//! Wiring: the only place that knows all rooms.

pub mod resources;
pub mod signals;
pub mod terminal;
