//! A run for other people and other tools.

pub mod report;
pub mod summary;
