#![doc = include_str!("README.md")]

// The ground floor: words.
pub mod event;
pub mod scenario;
pub mod units;

// The first floor: pure reasoning.
pub mod hpa;
pub mod kpa;
pub mod model;
pub mod series;

// The second floor, north: hands.
pub mod bus;
pub mod clock;
pub mod collect;
pub mod journal;
pub mod load;
pub mod tasks;

// The second floor, south: eyes.
pub mod export;
pub mod tui;

// Across the street.
pub mod sim;

// The roof: wiring.
pub mod app;
pub mod cli;
pub mod log;
