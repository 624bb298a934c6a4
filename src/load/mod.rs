//! The load engine.

mod pacer;
