//! The views: what of the model is shown, in which words. They know no cell arithmetic beyond
//! rows and columns.

pub mod alone;
pub mod chrome;
pub mod decision;
pub mod findings;
pub mod happening;
pub mod help;
pub mod hpa;
pub mod lanes;
pub mod latency;
pub mod load;
pub mod log;
pub mod numbers;
pub mod overview;
pub mod panels;
pub mod pods;
pub mod services;
pub mod sources;
pub mod split;
pub mod start;
pub mod tick;
pub mod waterfall;
pub mod whatif;
pub mod why;

use ratatui::text::Span;

use crate::model::Model;

use super::moment::Moment;
use super::text;
use super::ui::Ui;

/// As many pieces of a title, from the left, as have whole room on the edge of a frame.
fn fitting(pieces: Vec<Span<'_>>, width: u16) -> Vec<Span<'_>> {
    // Corners, a line beside each, and the blanks around the title.
    let mut left = usize::from(width.saturating_sub(6));
    let fits = |piece: &Span<'_>| {
        let cells = text::width(&piece.content);
        let fits = cells <= left;
        left = left.saturating_sub(cells);
        fits
    };
    pieces.into_iter().take_while(fits).collect()
}

/// What every view reads.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What is known.
    pub model: &'a Model,
    /// What is looked at.
    pub ui: &'a Ui,
    /// The values of the moment looked at.
    pub moment: Moment,
}
