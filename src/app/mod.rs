//! Wiring: the only place that knows all rooms.
