//! What draws cells and knows nothing of autoscalers.

pub mod axis;
pub mod canvas;
pub mod plot;
pub mod scatter;
pub mod table;
