//! Numbers over time, bounded.
