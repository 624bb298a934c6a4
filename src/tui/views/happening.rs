//! What happened, as a sentence: a word in its colour, then the numbers.

use crate::event::cluster::Name;
use crate::event::run::By;
use crate::event::run::Outcome;
use crate::event::scaler::Origin;
use crate::event::source::State;
use crate::kpa::explain;
use crate::model::happenings::What;
use crate::tui::text;
use crate::tui::theme::Role;

use super::panels::control_words;

/// A sentence: the role and the text of its first word, and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The colour of the word.
    pub role: Role,
    /// The word.
    pub word: String,
    /// The rest; empty if the word says it all.
    pub rest: String,
}

/// Whether it belongs beside the lanes; the log shows all.
pub fn is_prominent(what: &What) -> bool {
    match what {
        What::PodCreated { .. } | What::PodGone { .. } => false,
        What::Kube(event) => {
            event.level == "Warning"
                || event.reason == "SuccessfulRescale"
                || event.reason.starts_with("KEDAScaleTarget")
        }
        What::Source { state, .. } => *state != State::Ok,
        _ => true,
    }
}

/// The revision that it is about, if it is about one.
pub const fn revision(what: &What) -> Option<&Name> {
    match what {
        What::PanicBegan { revision, .. }
        | What::PanicEnded { revision, .. }
        | What::Desired { revision, .. }
        | What::PodCreated { revision, .. }
        | What::PodReady { revision, .. }
        | What::PodTerminating { revision, .. }
        | What::PodGone { revision, .. }
        | What::Path { revision, .. }
        | What::Owner { revision, .. } => Some(revision),
        _ => None,
    }
}

fn by(origin: Origin) -> &'static str {
    match origin {
        Origin::Metric => "",
        Origin::Prometheus => " (by prometheus)",
        Origin::Log => " (by log)",
        Origin::Derived => " (derived)",
    }
}

/// What happened, as a sentence.
pub fn sentence(what: &What) -> Sentence {
    let (role, word, rest) = match what {
        What::PanicBegan { .. } | What::PanicEnded { .. } | What::Desired { .. } => scaled(what),
        What::PodCreated { .. }
        | What::PodReady { .. }
        | What::PodTerminating { .. }
        | What::PodGone { .. } => pod(what),
        What::Path { via_activator: true, .. } => {
            (Role::Text, "path".to_owned(), "through the activator".to_owned())
        }
        What::Path { via_activator: false, .. } => {
            (Role::Text, "path".to_owned(), "straight to the pods".to_owned())
        }
        What::Owner { pod, .. } => {
            (Role::Accent, "owner".to_owned(), format!("autoscaler {} decides now", text::pod(pod)))
        }
        What::Stage { name, from, to } => (Role::Accent, name.clone(), stage(*from, *to)),
        What::Found(found) => {
            let host = found.host.as_ref().map(|host| format!(", host {host}")).unwrap_or_default();
            (Role::Accent, "target".to_owned(), format!("{}{host} ({})", found.url, found.via))
        }
        What::Control(control) => {
            let role = if control.by == By::Safety { Role::Bad } else { Role::Accent };
            let why = control.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            (role, "load".to_owned(), format!("{}{why}", control_words(control)))
        }
        What::Kube(event) => {
            let role = if event.level == "Warning" { Role::Warn } else { Role::Dim };
            // Most messages name what they are about; and names are as long as they are alike.
            let about = if event.message.contains(event.about.1.as_str()) {
                String::new()
            } else {
                format!("{}: ", short_name(&event.about.1))
            };
            (role, event.reason.clone(), format!("{about}{}", short_names(&event.message)))
        }
        What::Config { name, changes } => (Role::Warn, "config".to_owned(), config(name, changes)),
        What::Source { source, state, reason } => {
            let (role, word) = match state {
                State::Ok => (Role::Good, "source"),
                State::Connecting => (Role::Dim, "source"),
                State::Failing | State::Denied | State::Absent => (Role::Warn, "source"),
            };
            (role, word.to_owned(), format!("{source} {}", source_words(*state, reason)))
        }
        What::Action(action) => match &action.error {
            None => (Role::Accent, "changed".to_owned(), action.what.clone()),
            Some(error) => (Role::Bad, "failed".to_owned(), format!("{}: {error}", action.what)),
        },
        What::Note(note) => (Role::Load, "note".to_owned(), note.clone()),
        What::Lost(n) => (Role::Bad, "lost".to_owned(), format!("{n} samples, no room")),
        What::Ended { outcome, reason } => {
            let word = match outcome {
                Outcome::Completed => "completed",
                Outcome::Stopped => "stopped",
                Outcome::Lost => "lost",
            };
            (Role::Accent, word.to_owned(), reason.clone().unwrap_or_default())
        }
    };
    Sentence { role, word, rest }
}

/// The names of pods and replica sets in a message, each with the end that tells it from the others.
fn short_names(message: &str) -> String {
    message.split(' ').map(short_name).collect::<Vec<_>>().join(" ")
}

/// `…wfsxf` of `default/probe-00001-deployment-6dc58bb8f9-wfsxf`, `…6dc58bb8f9` of its replica set;
/// any other word as it is.
fn short_name(word: &str) -> String {
    let is_random = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_hash =
        |part: &str| is_random(part, 8..=10) && part.bytes().any(|it| it.is_ascii_digit());
    let mut parts = word.rsplit('-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(last), Some(hash), Some(_)) if is_random(last, 5..=5) && is_hash(hash) => {
            format!("…{last}")
        }
        (Some(hash), Some(_), _) if is_hash(hash) => format!("…{hash}"),
        _ => word.to_owned(),
    }
}

fn scaled(what: &What) -> (Role, String, String) {
    match what {
        What::PanicBegan { origin, panic_average, target, ready, was_on, .. } => {
            let reckoned = reckoned(*panic_average, *target, *ready);
            let before = if *was_on { ", on before we looked" } else { "" };
            (Role::Panic, "PANIC".to_owned(), format!("{reckoned}{before}{}", by(*origin)))
        }
        What::PanicEnded { lasted, origin, .. } => (
            Role::Good,
            "STABLE".to_owned(),
            format!("after {} of panic{}", text::span(*lasted), by(*origin)),
        ),
        What::Desired { from, to, .. } => {
            let from = from.map_or_else(|| text::UNKNOWN.to_owned(), |from| from.to_string());
            (Role::Desired, "desired".to_owned(), format!("{from} → {to}"))
        }
        _ => (Role::Text, String::new(), String::new()),
    }
}

/// `49.4 ÷ 7.0 → 8 wanted, 8.0× of 1 ready`, as far as it is known.
fn reckoned(average: Option<f64>, target: Option<f64>, ready: Option<f64>) -> String {
    let Some((average, target)) = average.zip(target.filter(|target| 0.0 < *target)) else {
        return "began".to_owned();
    };
    let wanted = (average / target).ceil() + 0.0;
    let of_ready = ready
        .map(|ready| {
            let ratio = explain::ratio(wanted.max(0.0) / ready.max(1.0));
            format!(", {ratio} of {} ready", text::count(ready))
        })
        .unwrap_or_default();
    let (average, target) = (text::number(average), text::number(target));
    format!("{average} ÷ {target} → {} wanted{of_ready}", text::count(wanted))
}

fn pod(what: &What) -> (Role, String, String) {
    match what {
        What::PodCreated { pod, .. } => (Role::Starting, "created".to_owned(), text::pod(pod)),
        What::PodReady { pod, took, .. } => {
            let took = took
                .map(|took| format!(", {} after it was created", text::seconds(took)))
                .unwrap_or_default();
            (Role::Ready, "ready".to_owned(), format!("{}{took}", text::pod(pod)))
        }
        What::PodTerminating { pod, .. } => (Role::Dim, "terminating".to_owned(), text::pod(pod)),
        What::PodGone { pod, .. } => (Role::Dim, "gone".to_owned(), text::pod(pod)),
        _ => (Role::Text, String::new(), String::new()),
    }
}

fn stage(from: Option<f64>, to: Option<f64>) -> String {
    match (from, to) {
        (Some(from), Some(to)) if (from - to).abs() < 1e-9 => {
            format!("stage begins: {}", text::rate(to))
        }
        (Some(from), Some(to)) => {
            format!("stage begins: {} → {}", text::rate(from), text::rate(to))
        }
        _ => "stage begins".to_owned(),
    }
}

fn config(name: &str, changes: &[(String, Option<String>, Option<String>)]) -> String {
    let changes: Vec<String> = changes
        .iter()
        .map(|(key, before, after)| {
            let or_default =
                |value: &Option<String>| value.clone().unwrap_or_else(|| "default".to_owned());
            format!("{key} {} → {}", or_default(before), or_default(after))
        })
        .collect();
    format!("{name}: {}", changes.join(", "))
}

/// `answers`, `denied: reason`.
pub fn source_words(state: State, reason: &str) -> String {
    let word = match state {
        State::Connecting => "connecting",
        State::Ok => "answers",
        State::Failing => "does not answer",
        State::Denied => "denied",
        State::Absent => "absent",
    };
    if reason.is_empty() { word.to_owned() } else { format!("{word}: {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_names_the_end_is_told() {
        for (message, short) in [
            (
                "Scaled up replica set probe-00001-deployment-6dc58bb8f9 from 8 to 9",
                "Scaled up replica set …6dc58bb8f9 from 8 to 9",
            ),
            (
                "Successfully assigned default/probe-00001-deployment-6dc58bb8f9-v2dxg to node-1",
                "Successfully assigned …v2dxg to node-1",
            ),
            ("Created pod: a-6dc58bb8f9-v2dxg", "Created pod: …v2dxg"),
            (
                "New size: 9; reason: probe-00001 is above",
                "New size: 9; reason: probe-00001 is above",
            ),
        ] {
            assert_eq!(short_names(message), short);
        }
    }
}
