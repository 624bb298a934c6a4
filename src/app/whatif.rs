//! `rampscope whatif`: a record, or a load from a file, under another configuration.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::event::cluster::Name;
use crate::export::whatif::Subject;
use crate::export::whatif::found_json;
use crate::export::whatif::found_text;
use crate::kpa::config::Metric;
use crate::kpa::whatif::Axis;
use crate::kpa::whatif::Basis;
use crate::kpa::whatif::Curve;
use crate::kpa::whatif::Load;
use crate::kpa::whatif::Measured;
use crate::kpa::whatif::Pods;
use crate::kpa::whatif::search;
use crate::model::recording::ASSUMED_START;
use crate::model::recording::ASSUMED_STOP;
use crate::model::recording::Recording;
use crate::tasks::chain;

use super::outcome::Failure;
use super::outcome::Outcome;
use super::recorded::Latencies;

pub use crate::kpa::whatif::Change;
pub use crate::kpa::whatif::Condition;

/// The largest file that is read as a load.
const FILE_MAX: u64 = 64 << 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    /// A run folder, or a file with a load.
    pub subject: Input,
    /// What is changed.
    pub changes: Vec<Change>,
    /// Settings to search over, as they were typed.
    pub find: Vec<String>,
    /// Promises that a configuration must keep.
    pub under: Vec<Condition>,
    /// The revision; the run's own without it.
    pub revision: Option<String>,
    /// What a pod bears; as the record's target says without it.
    pub capacity: Option<f64>,
    /// How long a pod starts; as the record's did without it.
    pub cold_start: Option<Duration>,
    /// Pods that are ready at the beginning of a load from a file.
    pub ready: u32,
    /// Whether machines read it.
    pub json: bool,
}

/// What is played.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A record.
    Run(PathBuf),
    /// A load.
    File(PathBuf),
}

/// Does it.
pub(super) fn whatif(asked: WhatIf) -> Result<Outcome, Failure> {
    let (mut subject, curve) = match &asked.subject {
        Input::Run(path) => {
            let is_promised = asked.under.iter().any(Condition::is_latency);
            let latencies = if is_promised { Latencies::Kept } else { Latencies::Forgotten };
            recorded(path, asked.revision.as_deref(), latencies)?
        }
        Input::File(path) => (loaded(path, &asked)?, Curve::default()),
    };
    if let Some(took) = asked.cold_start {
        subject.pods.starts = vec![took];
    }
    if let Some(capacity) = asked.capacity {
        subject.pods.capacity = capacity;
        subject.capacity_by = "as --capacity says".into();
    }
    let text = if asked.find.is_empty() {
        let changes = asked.changes;
        let played = subject.play(changes).map_err(|error| usage(chain(&error)))?;
        if asked.json { format!("{}\n", played.json()) } else { played.text() }
    } else {
        found(&asked, subject, &curve)?
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure { outcome: Outcome::Bug, reason: format!("cannot write: {error}") })
        }
        _ => Ok(Outcome::Passed),
    }
}

fn found(asked: &WhatIf, mut subject: Subject, curve: &Curve) -> Result<String, Failure> {
    if curve.is_empty() && asked.under.iter().any(Condition::is_latency) {
        return Err(usage(
            "the record has no latencies of a load of ours to predict from; ask for short<10s, \
             pod_seconds, panics or cold_starts instead"
                .to_owned(),
        ));
    }
    subject.basis = subject.basis.changed(&asked.changes).map_err(|error| usage(chain(&error)))?;
    let peak = subject.load.seconds.iter().flatten().copied().fold(0.0, f64::max);
    let axes: Result<Vec<Axis>, _> =
        asked.find.iter().map(|text| Axis::parse(text, peak)).collect();
    let axes = axes.map_err(|error| usage(chain(&error)))?;
    let metric = subject.basis.effective().config.metric;
    let tries_metrics = axes.iter().flat_map(|axis| &axis.changes).any(|it| it.key == "metric");
    if metric != subject.metric || tries_metrics {
        return Err(usage(format!(
            "the load is known as {}; under another metric it would be another load",
            subject.metric.name()
        )));
    }
    if asked.capacity.is_none() {
        // Who promises a latency says by that what a pod can bear.
        let borne = asked.under.iter().filter_map(|it| Some((it.borne(curve)?, &it.text)));
        if let Some((borne, promise)) = borne.min_by(|a, b| a.0.total_cmp(&b.0)) {
            subject.pods.capacity = borne;
            subject.capacity_by =
                format!("the most at which the record shows {promise} (--capacity says otherwise)")
                    .into();
        }
    }
    let mut under = asked.under.clone();
    if under.is_empty() {
        // The cheapest of all is none: as good as it was is what one would ask for.
        let config = subject.basis.effective().config;
        let was = crate::kpa::whatif::play(&config, &subject.load, &subject.pods, |_| {});
        let (what, limit) = (Measured::Short, was.short_s);
        under.push(Condition { text: format!("short<={limit}s"), what, limit, or_equal: true });
    }
    let found = search(&subject.basis, &axes, &under, (&subject.load, &subject.pods, curve))
        .map_err(|error| usage(chain(&error)))?;
    Ok(if asked.json {
        format!("{}\n", found_json(&found, &under, &subject))
    } else {
        found_text(&found, &under, &subject, &asked.changes)
    })
}

/// What a record holds, and which latencies it shows.
fn recorded(
    path: &std::path::Path,
    revision: Option<&str>,
    latencies: Latencies,
) -> Result<(Subject, Curve), Failure> {
    let model = super::recorded::model(path, latencies)?;
    let known: Vec<Name> = model.scaling.iter().map(|(name, _)| name.clone()).collect();
    let name = match revision {
        Some(wanted) => {
            known.iter().find(|name| name.is_called(wanted)).cloned().ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|name| name.name.as_str()).collect();
                usage(format!(
                    "there is no revision {wanted:?}; the record knows {}",
                    names.join(", ")
                ))
            })?
        }
        None => model
            .measured_revisions()
            .first()
            .or(known.first())
            .cloned()
            .ok_or_else(|| usage("the record knows of no revision".to_owned()))?,
    };
    let recording = Recording::of(&model, &name).map_err(|missing| usage(missing.to_string()))?;
    Ok((Subject::of(recording), model.curve))
}

fn loaded(path: &std::path::Path, asked: &WhatIf) -> Result<Subject, Failure> {
    let cannot = |error: io::Error| usage(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(FILE_MAX).read_to_string(&mut text).map_err(cannot)?;
    let load = Load::parse(&text)
        .map_err(|error| usage(format!("{}: {}", path.display(), chain(&error))))?;
    let basis = Basis::default();
    let config = basis.with(&asked.changes).map_err(|error| usage(chain(&error)))?.config;
    Ok(Subject {
        name: path.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned()),
        service: None,
        witness: "the file",
        metric: config.metric,
        pods: Pods {
            ready: asked.ready,
            starts: vec![ASSUMED_START],
            stops: ASSUMED_STOP,
            capacity: if config.metric == Metric::Rps {
                200.0
            } else {
                basis.effective().config.total_value
            },
        },
        capacity_by: "Knative's default target (--capacity says otherwise)".into(),
        load,
        n_starts: 0,
        basis,
        was: None,
        lines: Vec::new(),
        is_pinned: false,
    })
}

fn usage(reason: String) -> Failure {
    Failure { outcome: Outcome::Usage, reason }
}
