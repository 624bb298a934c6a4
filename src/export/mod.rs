//! A run for other people and other tools.
