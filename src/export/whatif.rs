//! A what-if for people and for machines: the lines as they were and as they would be, what both
//! come to, and the change to make by hand.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use crate::kpa::Config;
use crate::kpa::config::Metric;
use crate::kpa::whatif;
use crate::kpa::whatif::Basis;
use crate::kpa::whatif::Change;
use crate::kpa::whatif::ChangeError;
use crate::kpa::whatif::Condition;
use crate::kpa::whatif::Found;
use crate::kpa::whatif::Load;
use crate::kpa::whatif::Measured;
use crate::kpa::whatif::Pods;
use crate::kpa::whatif::Tick;
use crate::kpa::whatif::Totals;
use crate::model::recording::Line;
use crate::model::recording::Recording;

/// Cells of a picture.
const WIDTH: usize = 72;
/// Rows of a picture.
const HEIGHT: usize = 6;
/// Rows of the table.
const ROWS: usize = 16;
/// Candidates of a search that are told.
const CANDIDATES: usize = 12;

/// What a what-if is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The load, the pods, and what was.
    pub subject: Subject,
    /// What is changed.
    pub changes: Vec<Change>,
    /// The configuration with the changes.
    pub config: Config,
    /// The configuration as it was, in the model.
    pub modelled: (Vec<Tick>, Totals),
    /// The changed one, in the model.
    pub would: (Vec<Tick>, Totals),
}

/// What is played.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Namespace and name of the service, where they are known.
    pub service: Option<(String, String)>,
    /// Who says what the load was.
    pub witness: &'static str,
    /// What is measured.
    pub metric: Metric,
    /// The load.
    pub load: Load,
    /// How pods behave.
    pub pods: Pods,
    /// Who says what a pod bears.
    pub capacity_by: Cow<'static, str>,
    /// Starts that were seen; 0: they are assumed.
    pub n_starts: usize,
    /// The configuration as it was.
    pub basis: Basis,
    /// The lines as they were; `None` where only a load is known.
    pub was: Option<(Vec<Tick>, Totals)>,
    /// The same, second by second, with what is not known.
    pub lines: Vec<Line>,
    /// Whether the service's route names its revisions.
    pub is_pinned: bool,
}

/// One side of the comparison, for machines.
#[derive(Debug, Serialize)]
struct Side {
    pod_seconds: f64,
    ready_max: u32,
    desired_max: u32,
    short_s: f64,
    pod_seconds_short: f64,
    panics: u32,
    panic_s: f64,
    cold_starts: u32,
}

/// A second, for machines.
#[derive(Debug, Serialize)]
struct Second {
    t: f64,
    demand: Option<f64>,
    desired_was: Option<u32>,
    ready_was: Option<u32>,
    desired: u32,
    ready: u32,
    panics: bool,
}

// === impl Subject ===

impl Subject {
    /// What a person has to know before the changes do what is told here.
    fn caveat(&self, changes: &[Change]) -> Option<&'static str> {
        whatif::on_a_pinned_route(changes).filter(|_| self.is_pinned)
    }

    /// Whether the changes leave everything as it is.
    fn is_in_force(&self, changes: &[Change]) -> bool {
        self.basis.with(changes).is_ok_and(|it| it.config == self.basis.effective().config)
    }

    /// What a record holds.
    pub fn of(recording: Recording) -> Self {
        let lines = recording.lines.iter().map(|line| Tick {
            at: line.at,
            demand: line.demand,
            desired: whole(line.desired),
            ready: whole(line.ready),
            panics: line.panics,
        });
        let namespace = recording.revision.namespace.clone();
        let knows_pods = recording.lines.iter().any(|line| line.ready.is_some());
        Self {
            name: recording.revision.name,
            service: recording.service.map(|service| (namespace, service)),
            witness: recording.witness.name(),
            metric: recording.metric,
            // What is not known of the pods is not a record of none.
            was: knows_pods.then(|| (lines.collect(), recording.totals)),
            lines: recording.lines,
            load: recording.load,
            pods: recording.pods,
            capacity_by: "the target as it was (--capacity says otherwise)".into(),
            n_starts: recording.n_starts,
            basis: recording.basis,
            is_pinned: recording.is_pinned,
        }
    }

    /// Plays it under `changes`.
    pub fn play(self, changes: Vec<Change>) -> Result<Played, ChangeError> {
        let config = self.basis.with(&changes)?.config;
        if config.metric != self.metric {
            return Err(ChangeError::OtherMetric(self.metric.name(), config.metric.name()));
        }
        let play = |config: &Config| {
            let mut ticks = Vec::with_capacity(self.load.seconds.len());
            let totals = whatif::play(config, &self.load, &self.pods, |tick| ticks.push(tick));
            (ticks, totals)
        };
        let (modelled, would) = (play(&self.basis.effective().config), play(&config));
        Ok(Played { subject: self, changes, config, modelled, would })
    }

    /// That concurrency is taken as demand, and what else is assumed.
    pub fn assumptions(&self) -> Vec<String> {
        let mut all = vec![format!(
            "{} is taken as demand, as {} saw it: it came about with the pods that were there, and \
             a service that queues would have shown another one with other pods",
            unit(self.metric),
            self.witness
        )];
        all.push(if self.n_starts == 0 {
            format!("no start was seen: {:.1} s are assumed", mean_start(&self.pods))
        } else {
            format!(
                "pods become ready after the {} starts that were seen, {:.1} s in the mean from asked for to ready, in \
                 their order",
                self.n_starts,
                mean_start(&self.pods)
            )
        });
        all.push(format!(
            "a pod bears {}, {}: what is beyond that in all is short of capacity",
            self.pods.capacity, self.capacity_by
        ));
        all
    }
}

// === impl Played ===

impl Played {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let changes: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "{}: what if {}", self.subject.name, changes.join(", "));
        for assumption in self.subject.assumptions() {
            let _ = writeln!(text, "  {assumption}");
        }
        let most = self.most();
        if let Some((ticks, _)) = &self.subject.was {
            picture(&mut text, "as it was", ticks, most);
        } else {
            picture(&mut text, "as it is configured", &self.modelled.0, most);
        }
        picture(&mut text, "as it would be", &self.would.0, most);
        self.totals(&mut text);
        self.table(&mut text);
        text.push_str(&by_hand(&self.changes, &self.subject));
        text
    }

    /// The same as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        let service = self.subject.service.as_ref();
        let service = service.map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let was = self.subject.was.as_ref();
        let changes: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        let seconds: Vec<Second> = self
            .would
            .0
            .iter()
            .enumerate()
            .map(|(idx, tick)| {
                let line = self.subject.lines.get(idx);
                Second {
                    t: tick.at.as_secs_f64(),
                    demand: tick.demand,
                    desired_was: line.and_then(|it| known(it.desired)),
                    ready_was: line.and_then(|it| known(it.ready)),
                    desired: tick.desired,
                    ready: tick.ready,
                    panics: tick.panics,
                }
            })
            .collect();
        serde_json::json!({
            "schema": 1,
            "revision": self.subject.name,
            "set": changes,
            "metric": self.subject.metric.name(),
            "assumptions": self.subject.assumptions(),
            "cold_starts_seen": self.subject.n_starts,
            "capacity": self.subject.pods.capacity,
            "as_it_was": was.map(|(_, totals)| Side::of(totals)),
            "as_it_was_by_the_model": Side::of(&self.modelled.1),
            "as_it_would_be": Side::of(&self.would.1),
            "apply": whatif::remedies(&self.changes, service),
            "apply_caveat": self.subject.caveat(&self.changes),
            "seconds": seconds,
        })
    }

    fn most(&self) -> u32 {
        let was = self.subject.was.as_ref().map_or(&self.modelled, |was| was);
        let all = was.0.iter().chain(&self.would.0);
        all.map(|tick| tick.ready.max(tick.desired)).max().unwrap_or(0).max(1)
    }

    fn totals(&self, text: &mut String) {
        let _ =
            writeln!(text, "\n{:<26}{:>12}{:>12}{:>12}", "", "as it was", "modelled", "would be");
        let was = self.subject.was.as_ref().map(|(_, totals)| totals);
        for (name, value) in ROWS_OF_TOTALS {
            let was = was.map_or_else(|| "–".to_owned(), value);
            let (modelled, would) = (value(&self.modelled.1), value(&self.would.1));
            let _ = writeln!(text, "  {name:<24}{was:>12}{modelled:>12}{would:>12}");
        }
        text.push_str(
            "  `modelled` is the configuration as it was: how far the model is from what was\n",
        );
        if was.is_some() {
            let lasts = self.would.0.len();
            let _ = writeln!(
                text,
                "  all are of the {lasts} s with load; the report of a run is of all of it"
            );
        }
        if self.would == self.modelled {
            let _ = writeln!(text, "  {}", whatif::SAME);
        }
    }

    fn table(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n{:>8}{:>10}{:>18}{:>18}",
            "second", "demand", "was desired/ready", "would be"
        );
        let step = self.would.0.len().div_ceil(ROWS).max(1);
        for (idx, tick) in self.would.0.iter().enumerate().step_by(step) {
            let was = self.subject.lines.get(idx).filter(|_| self.subject.was.is_some());
            let pair = |desired: Option<u32>, ready: Option<u32>, panics| {
                let panic = if panics { " P" } else { "" };
                let pods = |n: Option<u32>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
                format!("{}/{}{panic:<2}", pods(desired), pods(ready))
            };
            let was = was.map_or_else(
                || "–".to_owned(),
                |it| pair(known(it.desired), known(it.ready), it.panics),
            );
            let demand = tick.demand.map_or_else(|| "–".to_owned(), |it| format!("{it:.1}"));
            let second = tick.at.as_secs_f64();
            let would = pair(Some(tick.desired), Some(tick.ready), tick.panics);
            let _ = writeln!(text, "{second:>8.0}{demand:>10}{was:>18}{would:>18}");
        }
        text.push_str("  P: in panic\n");
    }
}

/// The commands that make the changes, and what to know of them.
fn by_hand(changes: &[Change], subject: &Subject) -> String {
    let service = subject.service.as_ref();
    let service = service.map(|(namespace, name)| (namespace.as_str(), name.as_str()));
    let mut text = "\nto change it, by hand\n".to_owned();
    for command in whatif::remedies(changes, service) {
        let _ = writeln!(text, "  {command}");
    }
    text.extend(subject.caveat(changes).map(|caveat| format!("  {caveat}\n")));
    text
}

type RowOfTotals = (&'static str, fn(&Totals) -> String);

/// What the totals say, a row each.
pub const ROWS_OF_TOTALS: [RowOfTotals; 8] = [
    ("pod seconds", |it| format!("{:.0}", it.pod_seconds)),
    ("ready at most", |it| it.ready_max.to_string()),
    ("desired at most", |it| it.desired_max.to_string()),
    ("short of capacity", |it| format!("{:.0} s", it.short_s)),
    ("pods short, times seconds", |it| format!("{:.0}", it.pod_seconds_short)),
    ("panics", |it| it.panics.to_string()),
    ("in panic", |it| format!("{:.0} s", it.panic_s)),
    ("cold starts", |it| it.cold_starts.to_string()),
];

/// A search, for people; `given` is changed whatever is found.
pub fn found_text(
    found: &Found,
    conditions: &[Condition],
    subject: &Subject,
    given: &[Change],
) -> String {
    let mut text = format!("{}: {} configurations tried", subject.name, found.candidates.len());
    if 0 < found.n_refused {
        let _ = write!(text, ", {} more that Knative would refuse", found.n_refused);
    }
    text.push('\n');
    for assumption in subject.assumptions() {
        let _ = writeln!(text, "  {assumption}");
    }
    if conditions.iter().any(Condition::is_latency) {
        text.push_str(
            "  a latency is what the record showed at the concurrency that each pod would have had, \
             to within a third;\n  what was never seen, and any second without a pod, counts against \
             it\n",
        );
    }
    let best = found.candidates.first().filter(|best| best.keeps);
    match best {
        Some(best) => {
            let changes: Vec<String> = best.changes.iter().map(ToString::to_string).collect();
            let promises: Vec<&str> = conditions.iter().map(|it| it.text.as_str()).collect();
            let _ = writeln!(
                text,
                "\ncheapest that keeps {}: {}, {:.0} pod seconds",
                promises.join(", "),
                changes.join(", "),
                best.totals.pod_seconds
            );
        }
        None => text.push_str("\nnone keeps what was asked for; the cheapest are\n"),
    }
    let _ = write!(
        text,
        "\n  {:<34}{:>12}{:>8}{:>8}{:>8}",
        "", "pod seconds", "ready", "short", "panics"
    );
    for condition in conditions {
        let _ = write!(text, "{:>16}", condition.text);
    }
    text.push('\n');
    for candidate in found.candidates.iter().take(CANDIDATES) {
        let changes: Vec<String> = candidate.changes.iter().map(ToString::to_string).collect();
        let mark = if candidate.keeps { '✓' } else { '✗' };
        let totals = &candidate.totals;
        let _ = write!(
            text,
            "{mark} {:<34}{:>12.0}{:>8}{:>6.0} s{:>8}",
            changes.join(", "),
            totals.pod_seconds,
            totals.ready_max,
            totals.short_s,
            totals.panics
        );
        for (condition, value) in conditions.iter().zip(&candidate.values) {
            let _ = write!(text, "{:>16}", measured(condition, *value));
        }
        text.push('\n');
    }
    let n_more = found.candidates.len().saturating_sub(CANDIDATES);
    if 0 < n_more {
        let _ = writeln!(text, "  … and {n_more} more; --json tells of all");
    }
    match best {
        Some(best) if given.is_empty() && subject.is_in_force(&best.changes) => {
            text.push_str("\nthat is how it is configured: there is nothing to change\n");
        }
        Some(best) => {
            let changes = [given, &best.changes].concat();
            text.push_str(&by_hand(&changes, subject));
        }
        None => {}
    }
    text
}

/// A search as one JSON object.
pub fn found_json(found: &Found, conditions: &[Condition], subject: &Subject) -> serde_json::Value {
    let candidates: Vec<serde_json::Value> = found
        .candidates
        .iter()
        .map(|it| {
            let set: Vec<String> = it.changes.iter().map(ToString::to_string).collect();
            let values: Vec<serde_json::Value> = conditions
                .iter()
                .zip(&it.values)
                .map(|(condition, value)| serde_json::json!({"promise": condition.text, "value": value}))
                .collect();
            serde_json::json!({
                "set": set, "keeps": it.keeps, "totals": Side::of(&it.totals), "promises": values,
            })
        })
        .collect();
    serde_json::json!({
        "schema": 1,
        "revision": subject.name,
        "assumptions": subject.assumptions(),
        "refused": found.n_refused,
        "candidates": candidates,
    })
}

fn measured(condition: &Condition, value: Option<f64>) -> String {
    let Some(value) = value else { return "not seen".to_owned() };
    match condition.what {
        // A latency is known by the upper bound of the bucket that it fell into.
        Measured::Latency(_) if value < 10.0 => format!("≤ {:.0} ms", value * 1e3),
        Measured::Latency(_) => format!("≤ {value:.0} s"),
        Measured::Short => format!("{value:.0} s"),
        Measured::PodSeconds | Measured::Panics | Measured::ColdStarts | Measured::ReadyMax => {
            format!("{value:.0}")
        }
    }
}

impl Side {
    const fn of(totals: &Totals) -> Self {
        Self {
            pod_seconds: totals.pod_seconds,
            ready_max: totals.ready_max,
            desired_max: totals.desired_max,
            short_s: totals.short_s,
            pod_seconds_short: totals.pod_seconds_short,
            panics: totals.panics,
            panic_s: totals.panic_s,
            cold_starts: totals.cold_starts,
        }
    }
}

/// Ready pods as an area, desired ones as a line over it, panic as letters below.
fn picture(text: &mut String, title: &str, ticks: &[Tick], most: u32) {
    let _ = writeln!(text, "\n{title:<20}▒ ready   • desired   P panic");
    let n_columns = WIDTH.min(ticks.len()).max(1);
    let column = |idx: usize| {
        let (from, to) = (idx * ticks.len() / n_columns, (idx + 1) * ticks.len() / n_columns);
        ticks.get(from..to.max(from + 1).min(ticks.len())).unwrap_or_default()
    };
    for row in (0..HEIGHT).rev() {
        let label = if row + 1 == HEIGHT { most.to_string() } else { String::new() };
        let axis = if row + 1 == HEIGHT { '┤' } else { '│' };
        let _ = write!(text, "  {label:>6} {axis}");
        for idx in 0..n_columns {
            let ready = column(idx).iter().map(|tick| tick.ready).max().unwrap_or(0);
            let desired = column(idx).iter().map(|tick| tick.desired).max().unwrap_or(0);
            text.push(match (height(desired, most) == row + 1, row < height(ready, most)) {
                (true, _) => '•',
                (false, true) => '▒',
                (false, false) => ' ',
            });
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    let _ = writeln!(text, "  {:>6} └{}", 0, "─".repeat(n_columns));
    let panics: String = (0..n_columns)
        .map(|idx| if column(idx).iter().any(|tick| tick.panics) { 'P' } else { ' ' })
        .collect();
    let seconds = ticks.len();
    let _ = writeln!(text, "          {}", panics.trim_end());
    let _ = writeln!(
        text,
        "          0 s{:>rest$}",
        format!("{seconds} s"),
        rest = n_columns.saturating_sub(3)
    );
}

/// Rows that so many pods fill; something is at least one.
fn height(pods: u32, most: u32) -> usize {
    let share = f64::from(pods) / f64::from(most.max(1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "some rows"
    )]
    let rows = (share * HEIGHT as f64).round() as usize;
    rows.max(usize::from(0 < pods))
}

fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Concurrency => "concurrency",
        Metric::Rps => "requests a second",
    }
}

#[expect(clippy::cast_precision_loss, reason = "starts are few")]
fn mean_start(pods: &Pods) -> f64 {
    let sum: f64 = pods.starts.iter().map(std::time::Duration::as_secs_f64).sum();
    sum / (pods.starts.len().max(1)) as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of pods")]
fn whole(pods: Option<f64>) -> u32 {
    pods.unwrap_or(0.0).clamp(0.0, 1e6) as u32
}

/// The same, where what is not known stays that.
fn known(pods: Option<f64>) -> Option<u32> {
    pods.map(|it| whole(Some(it)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kpa::whatif::Candidate;
    use crate::units::At;

    /// Three seconds of five in flight; of the pods only what was desired is known.
    fn subject() -> Subject {
        let line = |second| Line {
            at: At::from_secs(second),
            demand: Some(5.0),
            desired: Some(2.0),
            ready: None,
            panics: false,
        };
        Subject {
            name: "hello-00001".to_owned(),
            service: None,
            witness: "the file",
            metric: Metric::Concurrency,
            load: Load { first: 0, seconds: vec![Some(5.0); 3] },
            pods: Pods {
                ready: 1,
                starts: vec![Duration::from_secs(1)],
                stops: Duration::ZERO,
                capacity: 10.0,
            },
            capacity_by: "the target as it was".into(),
            n_starts: 0,
            basis: Basis::default(),
            was: None,
            lines: (0..3).map(line).collect(),
            is_pinned: false,
        }
    }

    #[test]
    fn a_route_that_names_its_revisions_is_said_beside_the_change() {
        let told = |is_pinned, change: &str| {
            let subject = Subject { is_pinned, ..subject() };
            subject.play(vec![change.parse().unwrap()]).unwrap().text()
        };
        let caveat = "gets no request until spec.traffic names it";
        assert!(told(true, "target=5").contains(caveat));
        assert!(!told(false, "target=5").contains(caveat));
        assert!(!told(true, "max-scale-up-rate=10").contains(caveat), "which is of all revisions");
    }

    #[test]
    fn a_change_that_changes_nothing_says_so() {
        let says_so = |change: &str| {
            let played = subject().play(vec![change.parse().unwrap()]).unwrap();
            played.text().contains(whatif::SAME)
        };
        assert!(says_so("max-scale=50"));
        assert!(!says_so("target=1"));
    }

    #[test]
    fn what_is_found_is_to_be_changed_unless_it_is_so() {
        let told = |target: &str, given: &str| {
            let mut subject = subject();
            subject.basis.annotations.insert("target".to_owned(), "10".to_owned());
            let changes = vec![format!("target={target}").parse().unwrap()];
            let totals = subject.clone().play(Vec::new()).unwrap().modelled.1;
            let candidate = Candidate { changes, totals, values: Vec::new(), keeps: true };
            let found = Found { candidates: vec![candidate], n_refused: 0 };
            let given: Vec<Change> = given.parse().into_iter().collect();
            found_text(&found, &[], &subject, &given)
        };
        let nothing = "there is nothing to change";
        assert!(told("10", "").contains(nothing));
        assert!(!told("11", "").contains(nothing));
        let both = told("10", "window=20s");
        assert!(both.contains("dev/target\":\"10\"") && both.contains("dev/window\":\"20s\""));
    }

    #[test]
    fn what_was_is_unknown_where_no_pod_was_seen() {
        let mut subject = subject();
        subject.was = Some(subject.clone().play(Vec::new()).unwrap().modelled);
        subject.lines[1].ready = Some(3.0);
        let table = subject.play(Vec::new()).unwrap().text();
        assert!(table.contains("2/–") && table.contains("2/3"), "{table}");
    }

    #[test]
    fn what_is_not_known_of_the_pods_is_not_none() {
        let json = subject().play(vec!["target=5".parse().unwrap()]).unwrap().json();
        assert_eq!(json["as_it_was"], serde_json::Value::Null);
        let first = &json["seconds"][0];
        assert_eq!((&first["desired_was"], &first["ready_was"]), (&2.into(), &().into()));
    }

    #[test]
    fn another_metric_is_another_load() {
        let refused = subject().play(vec!["metric=rps".parse().unwrap()]);
        assert_eq!(refused.err(), Some(ChangeError::OtherMetric("concurrency", "rps")));
    }
}
