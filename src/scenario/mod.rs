//! What a person asks for: a scenario file, and the plan that is made of it.

pub mod check;
pub mod plan;
