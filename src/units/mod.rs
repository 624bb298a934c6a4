//! The quantities everything else is spoken in: moments, amounts, Kubernetes quantities.
//!
//! They are types of their own so that a rate can never be taken for a concurrency.

mod amount;
mod quantity;
mod secret;
mod time;

pub use amount::Bytes;
pub use amount::Millicores;
pub use amount::clean;
pub use quantity::Quantity;
pub use quantity::QuantityError;
pub use secret::is_secret;
pub use time::Anchor;
pub use time::At;
pub use time::UnixMicros;
pub use time::parse_go_duration;
