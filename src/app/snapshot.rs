//! What `s` writes: the screen as text, ANSI and SVG, every visible value with its time and source
//! as JSON, and the window as CSV.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::export;
use crate::journal::FolderError;
use crate::journal::RunFolder;
use crate::model::Model;
use crate::model::scaling::FRESH;
use crate::series::Cells;
use crate::series::Series;
use crate::tui::Moment;
use crate::tui::Theme;
use crate::tui::moment;
use crate::tui::moment::LOAD_HOLD;
use crate::tui::moment::Panic;
use crate::tui::values;
use crate::tui::views::Scene;
use crate::tui::views::pods;
use crate::tui::views::why;
use crate::units::At;

use super::live::Screen;

/// Rows of the CSV at most: one a column of the window.
const ROWS: usize = 240;

/// Writes it; returns what to tell the person.
pub(super) fn take(folder: Option<&RunFolder>, screen: &Screen<'_>) -> String {
    let Some(folder) = folder else {
        return "no snapshot: there is no run folder to write it to".to_owned();
    };
    match write(folder, screen) {
        Ok(files) => {
            let stem = files.first().map(|first| first.with_extension("")).unwrap_or_default();
            format!("snapshot {}.{{txt,ansi,svg,json,csv}}", stem.display())
        }
        Err(error) => format!("no snapshot: {}", crate::tasks::chain(&error)),
    }
}

/// Writes it; returns the files.
fn write(folder: &RunFolder, screen: &Screen<'_>) -> Result<Vec<PathBuf>, FolderError> {
    let model = screen.model;
    let moment = Moment::of(model, screen.ui);
    let wall = model.run.anchor().wall(moment.at).to_string();
    let stem: String = wall.replace(['-', ':'], "");
    let values: Vec<_> = values::of(model, &moment)
        .iter()
        .map(|value| {
            json!({
                "name": value.name,
                "value": value.value,
                "unit": value.unit,
                "source": value.source,
                "age_s": value.age.map(|age| age.as_secs_f64()),
                "span_s": value.span.map(|span| span.as_secs_f64()),
            })
        })
        .collect();
    let report = json!({
        "schema": 1,
        "time": wall,
        "seconds": moment.at.as_secs_f64(),
        "is_present": moment.is_present,
        "revision": moment.revision.as_ref().map(|it| format!("{}/{}", it.namespace, it.name)),
        "view": screen.ui.view().name(),
        "why": sentence(model, screen, &moment),
        "values": values,
        "pods": pods_of(model, &moment),
    });
    [
        ("txt", export::text(screen.buffer)),
        ("ansi", export::ansi(screen.buffer)),
        ("svg", export::svg(screen.buffer, &export::Palette::DARK)),
        ("json", format!("{report:#}\n")),
        ("csv", csv(model, screen)),
    ]
    .into_iter()
    .map(|(kind, text)| folder.write_snapshot(&format!("{stem}.{kind}"), text.as_bytes()))
    .collect()
}

/// The sentence that says why as many pods are wanted as are, whichever view is on the screen.
fn sentence(model: &Model, screen: &Screen<'_>, moment: &Moment) -> String {
    let scene = Scene { model, ui: screen.ui, moment: moment.clone() };
    let spans = why::sentence(&Theme::default(), &scene);
    spans.iter().map(|span| span.content.as_ref()).collect()
}

/// A row of the table of pods each.
fn pods_of(model: &Model, moment: &Moment) -> Vec<serde_json::Value> {
    let seconds = |age: Option<Duration>| age.map(|age| age.as_secs_f64());
    pods::shown(model, moment)
        .into_iter()
        .map(|pod| values::of_pod(model, moment.at, pod))
        .map(|pod| {
            json!({
                "name": pod.name,
                "state": pod.state,
                "age_s": seconds(pod.age),
                "concurrency": pod.concurrency,
                "rps": pod.rps,
                "stat_age_s": seconds(pod.stat_age),
                "cpu_millicores": pod.cpu_millicores,
                "memory_bytes": pod.memory_bytes,
                "usage_age_s": seconds(pod.usage_age),
            })
        })
        .collect()
}

/// The lanes of the window, a row a step; what is not known is an empty field.
fn csv(model: &Model, screen: &Screen<'_>) -> String {
    let window = screen.ui.window();
    let cells = Cells { from: window.from, to: window.to, n: ROWS };
    let until = model.now.min(window.to);
    // How long a value counts without news: what is watched is news when it changes.
    let (sent, read, watched) = (Some(LOAD_HOLD), Some(FRESH), None);
    let mut columns: Vec<(&str, &Series, Option<Duration>)> = Vec::new();
    let traffic = &model.traffic;
    if traffic.last.is_some() {
        columns.extend([
            ("target_per_s", &traffic.target, sent),
            ("offered_per_s", &traffic.offered, sent),
            ("sent_per_s", &traffic.sent, sent),
            ("done_per_s", &traffic.done, sent),
            ("failed_per_s", &traffic.failed, sent),
            ("dropped_per_s", &traffic.dropped, sent),
            ("in_flight", &traffic.in_flight, sent),
            ("p50_s", &traffic.p50, sent),
            ("p99_s", &traffic.p99, sent),
            ("max_s", &traffic.max, sent),
            ("send_lag_p99_s", &traffic.lag.p99, sent),
        ]);
    }
    let revision = screen.ui.revision(model);
    if let Some(scaling) = revision.as_ref().and_then(|it| model.scaling.get(it)) {
        columns.extend([
            ("ready", &scaling.ready, watched),
            ("starting", &scaling.starting, watched),
            ("terminating", &scaling.terminating, watched),
            ("desired", &scaling.desired, watched),
            ("wanted", &scaling.wanted, read),
            ("stable_average", &scaling.stable, read),
            ("panic_average", &scaling.panic, read),
            ("panic_begins_above", &scaling.enters, read),
            ("excess_burst_capacity", &scaling.excess_burst_capacity, read),
            ("activator_concurrency", &scaling.activator, read),
            ("via_activator", &scaling.via_activator, watched),
            ("cpu_cores", &scaling.cpu, watched),
        ]);
    }
    let mut text = String::from("time,seconds");
    for (name, ..) in &columns {
        let _ = write!(text, ",{name}");
    }
    text.push_str(",panic\n");
    let drawn: Vec<_> =
        columns.iter().map(|(_, series, hold)| series.in_cells(cells, until, *hold)).collect();
    for row in 0..ROWS {
        let at: At = cells.edge(row);
        if until < at {
            break;
        }
        let _ = write!(text, "{},{:.3}", model.run.anchor().wall(at), at.as_secs_f64());
        for column in &drawn {
            text.push(',');
            if let Some(Some(cell)) = column.get(row) {
                let _ = write!(text, "{}", cell.last);
            }
        }
        let panic = match moment::panic_at(model, (at, false), revision.as_ref()) {
            Panic::On { .. } => "1",
            Panic::Stable { .. } => "0",
            Panic::Unknown(_) => "",
        };
        let _ = writeln!(text, ",{panic}");
    }
    text
}
