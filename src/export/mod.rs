//! A run for other people and other tools.

pub mod summary;
