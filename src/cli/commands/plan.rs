//! `rampscope plan`: what a scenario would do, for eyes and for machines.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use super::CliError;
use crate::app::outcome::Outcome;
use crate::app::settings::Charset;
use crate::cli;
use crate::cli::args::PlanArgs;
use crate::cli::settings;
use crate::cli::settings::Env;
use crate::scenario::amount::Span;
use crate::scenario::plan::Address;
use crate::scenario::plan::Arrivals;
use crate::scenario::plan::Batch;
use crate::scenario::plan::Body;
use crate::scenario::plan::Plan;
use crate::scenario::plan::Shape;
use crate::scenario::plan::Stage;
use crate::scenario::plan::Think;
use crate::scenario::plan::Trace;
use crate::scenario::profile::Profile;
use crate::units::clean;

/// Cells of the picture.
const CHART_WIDTH: u32 = 60;
/// Rows of the picture.
const CHART_HEIGHT: u32 = 5;

pub(super) fn plan(args: &PlanArgs, env: Env<'_>) -> Result<Outcome, CliError> {
    let plan = super::load_plan(&args.scenario)?.without_secrets();
    let text = if args.json {
        format!("{:#}\n", as_json(&plan))
    } else {
        as_text(&plan, settings::charset(args.charset, env))
    };
    cli::print(&text)?;
    Ok(Outcome::Passed)
}

fn as_json(plan: &Plan) -> serde_json::Value {
    serde_json::json!({
        "plan": plan,
        "seconds": plan.lasts().as_secs_f64(),
        "requests": plan.requests(),
        "peak": plan.peak(),
        "max_rate": plan.max_rate(),
    })
}

fn as_text(plan: &Plan, charset: Charset) -> String {
    let mut text = plan.name.clone();
    if !plan.about.is_empty() {
        text = format!("{text}: {}", plan.about);
    }
    text.push_str("\n\n");
    for (label, value) in facts(plan) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{label:<10}{value}");
    }
    text.push('\n');
    text.push_str(&chart(plan, charset));
    text.push('\n');
    text.push_str(&table(plan, charset));
    if !plan.checks.is_empty() {
        text.push_str("\nchecks\n");
    }
    for check in &plan.checks {
        let _ = writeln!(text, "  {}", check.text);
    }
    text
}

fn facts(plan: &Plan) -> Vec<(&'static str, String)> {
    let request = &plan.request;
    let mut facts = Vec::new();
    let changes = match &plan.target.address {
        Address::Url { url, host } => {
            let host = host.as_ref().map(|host| format!(" as {host}")).unwrap_or_default();
            facts.push(("target", format!("{url}{host}")));
            "nothing".to_owned()
        }
        Address::Service { name, namespace, create } => {
            let of = namespace.as_ref().map_or_else(
                || "in the context's namespace".to_owned(),
                |namespace| format!("in namespace {namespace}"),
            );
            facts.push((
                "target",
                format!("Knative Service {name} {of}; address and host from its status"),
            ));
            match create {
                None => "nothing in the cluster".to_owned(),
                Some(create) => {
                    let annotations = create
                        .annotations
                        .iter()
                        .fold(String::new(), |all, (key, value)| format!("{all} {key}={value}"));
                    format!(
                        "creates Knative Service {name} from {}{annotations}; deletes it at the end",
                        create.image
                    )
                }
            }
        }
    };
    let reuse = if request.keep_alive { "keep-alive" } else { "a connection for each" };
    let spoken = match (plan.target.streams, request.grpc) {
        (None, _) => String::new(),
        (Some(n), None) => format!(", HTTP/2, {n} at once on a connection"),
        (Some(n), Some(_)) => format!(", gRPC, {n} at once on a connection"),
    };
    facts.push((
        "request",
        format!(
            "{} {}, timeout {}, {reuse}{spoken}",
            request.method,
            request.path,
            Span(request.timeout)
        ),
    ));
    facts.extend(request.headers.iter().map(|(name, value)| ("", format!("{name}: {value}"))));
    facts.extend(request.body.iter().map(|body| ("", format!("body {}", body_words(body)))));
    for dimension in &request.matrix {
        let sum = dimension.weight();
        let choices = dimension.choices.iter().map(|choice| {
            let share = 100 * u64::from(choice.weight) / sum.max(1);
            format!("{} {share} %", choice.name)
        });
        let choices: Vec<String> = choices.collect();
        facts.push(("", format!("{}: {}", dimension.name, choices.join(", "))));
    }
    let seed = plan.load.seed;
    facts.push((
        "arrivals",
        match plan.load.arrivals {
            Arrivals::Even => "open loop, evenly spaced".to_owned(),
            Arrivals::Poisson => format!("open loop, Poisson, seed {seed}"),
            Arrivals::Recorded => recorded(plan.load.trace.as_ref()),
            Arrivals::Closed { think, batch } => closed(think, batch),
        },
    ));
    let target = &plan.target;
    facts.push((
        "limits",
        format!(
            "never above {}{}, {} in flight, {} connections",
            grouped(plan.max_rate()),
            if plan.requests().is_some() { "/s" } else { " users" },
            grouped(f64::from(target.max_in_flight)),
            grouped(f64::from(target.connections)),
        ),
    ));
    facts.push(("changes", changes));
    facts
}

fn body_words(body: &Body) -> String {
    match body {
        Body::Text(text) => text.clone(),
        Body::File(path) => format!("from {}", clean(&path.to_string_lossy(), 80)),
        Body::Bytes(bytes) => format!("of {} bytes", bytes.len()),
        Body::Random(bytes) => format!("of {bytes} random bytes"),
    }
}

fn recorded(trace: Option<&Trace>) -> String {
    trace.map_or_else(String::new, |trace| {
        format!("open loop, at the moments of {} ({} of them)", trace.file, trace.n)
    })
}

fn closed(think: Think, batch: Option<Batch>) -> String {
    let thinks = match think {
        Think::Fixed(Duration::ZERO) => String::new(),
        _ => format!(", thinks {think}"),
    };
    let sends = batch.map(|batch| {
        format!(
            ", {} requests together ({} at once, {} to a host)",
            batch.size, batch.parallel, batch.per_host
        )
    });
    format!("closed loop{}{thinks}", sends.unwrap_or_default())
}

/// The profile as a picture: each column the mean amount of its slice of time.
fn chart(plan: &Plan, charset: Charset) -> String {
    let glyphs: &[char] = match charset {
        Charset::Ascii => &[' ', '.', ':', '#'],
        Charset::Block | Charset::Braille => &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    };
    let (tick, bar, corner, line) = match charset {
        Charset::Ascii => ('+', '|', '+', '-'),
        Charset::Block | Charset::Braille => ('┤', '│', '└', '─'),
    };
    let peak = plan.peak().max(f64::MIN_POSITIVE);
    let levels = f64::from(u32::try_from(glyphs.len() - 1).unwrap_or(1));
    let means = means(plan);
    let top = super::amount(plan, plan.peak()).to_string();
    let width = top.width().max(7);
    let mut text = String::new();
    for row in (0..CHART_HEIGHT).rev() {
        let (label, axis) = if row + 1 == CHART_HEIGHT { (top.as_str(), tick) } else { ("", bar) };
        let _ = write!(text, "  {label:>width$} {axis}");
        for &mean in &means {
            let height = mean / peak * f64::from(CHART_HEIGHT) - f64::from(row);
            // What is not zero is seen.
            let least = if row == 0 && 0.0 < mean { 1.0 } else { 0.0 };
            let level = (height * levels).round().clamp(least, levels);
            let glyph = glyphs.iter().zip(0u8..).find(|(_, idx)| level <= f64::from(*idx));
            text.push(glyph.map_or(' ', |(glyph, _)| *glyph));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let axis: String = std::iter::repeat_n(line, CHART_WIDTH as usize).collect();
    let end = Span(plan.lasts()).to_string();
    let _ = writeln!(text, "  {:>width$} {corner}{axis}", "0");
    let _ = writeln!(text, "  {:>width$}  0 s{end:>rest$}", "", rest = CHART_WIDTH as usize - 3);
    text
}

/// The mean amount in each column of the picture.
fn means(plan: &Plan) -> Vec<f64> {
    let profile = Profile::of(&plan.load.stages);
    let slice = (profile.lasts() / f64::from(CHART_WIDTH)).max(f64::MIN_POSITIVE);
    let area = |column: u32| profile.integral(slice * f64::from(column));
    (0..CHART_WIDTH).map(|column| (area(column + 1) - area(column)) / slice).collect()
}

/// The stages, a line each, and their sum.
fn table(plan: &Plan, charset: Charset) -> String {
    let arrow = if charset == Charset::Ascii { "->" } else { "→" };
    let is_open = plan.requests().is_some();
    let heads = ["", "stage", "from", "for", "load", if is_open { "requests" } else { "" }];
    let mut rows = vec![heads.map(ToOwned::to_owned)];
    let mut began = Duration::ZERO;
    for (stage, number) in plan.load.stages.iter().zip(1u32..) {
        rows.push([
            number.to_string(),
            stage.name.clone(),
            Span(began).to_string().replace("0 ms", "0 s"),
            Span(stage.lasts).to_string(),
            amounts(plan, stage, arrow),
            if is_open { grouped(stage.area()) } else { String::new() },
        ]);
        began += stage.lasts;
    }
    let total = plan.requests().map(grouped).unwrap_or_default();
    rows.push(["", "all", "", &Span(plan.lasts()).to_string(), "", &total].map(ToOwned::to_owned));
    let widths: [usize; 6] =
        std::array::from_fn(|i| rows.iter().map(|row| row[i].width()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell_idx, (cell, width)) in row.iter().zip(widths).enumerate() {
            let pad = " ".repeat(width - cell.width());
            // Names and loads are read from the left, numbers from the right.
            let is_left = cell_idx == 1 || cell_idx == 4;
            let _ =
                if is_left { write!(line, "{cell}{pad}  ") } else { write!(line, "{pad}{cell}  ") };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// How the load of a stage goes.
fn amounts(plan: &Plan, stage: &Stage, arrow: &str) -> String {
    let amount = |value| super::amount(plan, value).to_string();
    let (from, to) = (amount(stage.from), amount(stage.to));
    match &stage.shape {
        Shape::Linear if from == to => to,
        Shape::Linear => format!("{from} {arrow} {to}"),
        Shape::Levels { levels, each } => format!(
            "{} to {}, {} levels of {}",
            amount(stage.least()),
            amount(stage.most()),
            levels.len(),
            Span(*each)
        ),
        Shape::Sine { amplitude, period } => {
            format!(
                "{from} and up to {} more or less, {} a wave",
                amount(*amplitude),
                Span(*period)
            )
        }
        Shape::Spike { peak, .. } => format!("{from} {arrow} {} {arrow} {from}", amount(*peak)),
    }
}

/// A count as people read it: `12,345`.
pub(super) fn grouped(count: f64) -> String {
    if count.fract() != 0.0 && count < 100.0 {
        return format!("{count:.1}");
    }
    let digits = format!("{:.0}", count.max(0.0));
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (digit_idx, digit) in digits.chars().enumerate() {
        if 0 < digit_idx && (digits.len() - digit_idx) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (count, text) in
            [(0.0, "0"), (2.5, "2.5"), (999.4, "999"), (1000.0, "1,000"), (1e6, "1,000,000")]
        {
            assert_eq!(grouped(count), text);
        }
    }

    #[test]
    fn the_mean_of_all_slices_is_the_whole() {
        let plan = crate::scenario::load("panic", &[]).unwrap();
        let slice = plan.lasts().as_secs_f64() / f64::from(CHART_WIDTH);
        let sum: f64 = means(&plan).iter().map(|mean| mean * slice).sum();
        assert!((sum - plan.requests().unwrap()).abs() < 1e-3, "{sum}");
    }
}
