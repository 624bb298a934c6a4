//! A run for other people and other tools.
//!
//! A drawn screen becomes a picture or text: the same buffer that the terminal shows, so what is
//! shared is what was seen. The numbers of a run are gathered once, for every format.

mod ansi;
mod cells;
pub mod explain;
mod glyph;
pub mod hlog;
mod palette;
pub mod report;
pub mod summary;
mod svg;
mod text;
pub mod whatif;

pub use ansi::ansi;
pub use palette::Palette;
pub use palette::Rgb;
pub use svg::svg;
pub use text::text;
