//! The whole program but its screen, on the embedded cluster and in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod causes;
mod demo;
mod eyes;
mod faults;
mod http2;
mod injected;
