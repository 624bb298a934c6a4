//! How long a frame takes, from the model to the cells.
//!
//! `cargo bench --bench draw`. No figure is asserted: machines differ.

mod common;
mod world;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use rampscope::model::Model;
use rampscope::tui::Session;
use rampscope::tui::Theme;
use rampscope::tui::Ui;
use rampscope::tui::View;
use rampscope::tui::draw_buffer;
use rampscope::units::At;

/// Seconds of the run, enough to fill every chart.
const SECS: u64 = 300;

fn main() {
    let theme = Theme::builtin("night").unwrap_or_default();
    for n_pods in [50, 500] {
        let mut model = Model::default();
        for stamped in &world::world(n_pods, SECS, Vec::new()) {
            model.apply(stamped);
        }
        for view in [View::Overview, View::Pods] {
            for (width, height) in [(120, 40), (200, 60)] {
                let mut ui = Ui::new(Session::default());
                ui.set_now(At::from_secs(SECS));
                ui.show(view);
                let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
                let name = format!("draw: {} {width}x{height}, {n_pods} pods", view.name());
                common::measure(&name, (1, "frames"), || {
                    buffer.reset();
                    draw_buffer(&model, &ui, &theme, &mut buffer);
                });
            }
        }
    }
}
