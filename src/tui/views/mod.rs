//! The views: what of the model is shown, in which words. They know no cell arithmetic beyond
//! rows and columns.

pub mod alone;
pub mod chrome;
pub mod decision;
pub mod findings;
pub mod happening;
pub mod help;
pub mod lanes;
pub mod log;
pub mod numbers;
pub mod overview;
pub mod panels;
pub mod pods;
pub mod services;
pub mod sources;
pub mod start;
pub mod waterfall;
pub mod whatif;
pub mod why;

use crate::model::Model;

use super::moment::Moment;
use super::ui::Ui;

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
