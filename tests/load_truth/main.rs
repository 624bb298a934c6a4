//! The load engine held against servers that keep their own log, and against servers that fail.
//! What needs a quiet machine is measured by `cargo bench --bench peers`; here stands what holds on
//! any.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod control;
mod engine;
mod failing;
mod faults;
#[expect(dead_code, reason = "the bench uses the rest of it")]
#[path = "../../benches/peers/figures.rs"]
mod figures;
mod from_outside;
#[expect(dead_code, reason = "the bench uses the rest of it")]
#[path = "../../benches/peers/log.rs"]
mod log;
#[expect(dead_code, reason = "the bench uses the rest of it")]
#[path = "../../benches/peers/server.rs"]
mod server;
mod truth;
