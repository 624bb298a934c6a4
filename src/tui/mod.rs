//! The screen: what is known, drawn.
//!
//! `draw` takes shared references only and decides nothing: the same model, the same [`Ui`] and the
//! same theme give the same cells, so a picture of a screen is a test.

pub mod action;
pub mod hpa;
pub mod keymap;
pub mod moment;
pub mod text;
pub mod theme;
pub mod ui;
pub mod values;
pub mod views;
pub mod widgets;
pub mod window;

pub use action::Action;
pub use action::View;
pub use keymap::Keymap;
pub use moment::Moment;
pub use theme::Charset;
pub use theme::Depth;
pub use theme::Theme;
pub use ui::Meter;
pub use ui::Session;
pub use ui::Ui;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::Model;

use views::Scene;
use widgets::canvas::Canvas;

/// Draws one frame.
pub fn draw(model: &Model, ui: &Ui, theme: &Theme, frame: &mut ratatui::Frame<'_>) {
    draw_buffer(model, ui, theme, frame.buffer_mut());
}

/// Draws into a buffer of any size.
pub fn draw_buffer(model: &Model, ui: &Ui, theme: &Theme, buffer: &mut Buffer) {
    let area = buffer.area;
    if area.width < 2 || area.height < 1 {
        return;
    }
    let mut canvas = Canvas { buffer, theme };
    canvas.clear(area, theme.ground());
    let scene = Scene { model, ui, moment: Moment::of(model, ui) };
    let is_small = area.width < 70 || area.height < 20;
    if is_small && ui.view() == View::Overview {
        views::numbers::draw(&mut canvas, area, &scene);
        views::chrome::prompt(&mut canvas, area, &scene);
    } else {
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
        views::chrome::header(&mut canvas, Rect { height: 1, ..area }, &scene);
        match ui.view() {
            View::Overview => views::overview::draw(&mut canvas, body, &scene),
            View::Services => views::services::draw(&mut canvas, body, &scene),
            View::Pods => views::pods::draw(&mut canvas, body, &scene),
            View::Latency => views::latency::draw(&mut canvas, body, &scene),
            View::Load => views::load::draw(&mut canvas, body, &scene),
            View::Sources => views::sources::draw(&mut canvas, body, &scene),
            View::Log => views::log::draw(&mut canvas, body, &scene),
            View::Findings => views::findings::draw(&mut canvas, body, &scene),
            View::WhatIf => views::whatif::draw(&mut canvas, body, &scene),
            View::Help => views::help::draw(&mut canvas, body, &scene),
            View::Why => views::tick::draw(&mut canvas, body, &scene),
        }
        if 1 < area.height {
            let bottom = Rect { y: area.bottom() - 1, height: 1, ..area };
            views::chrome::footer(&mut canvas, bottom, &scene);
        }
        views::chrome::prompt(&mut canvas, area, &scene);
    }
    if theme.charset() == Charset::Ascii {
        canvas.to_ascii();
    }
}
