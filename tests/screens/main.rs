//! The screen: pictures of it, drawn from a recorded panic and compared with those in
//! `screenshots/`, and what holds on all of it.
//!
//! `UPDATE_SCREENSHOTS=1 cargo test --test screens` writes the pictures anew: look at them before
//! committing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod laws;
mod pictures;
mod scenes;
