//! `rampscope explain`: the ticks of a record, each with what led to it.

use std::io;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::event::cluster::Name;
use crate::export::explain;
use crate::model::Model;
use crate::model::hpa::Class;
use crate::model::scaling::FRESH;
use crate::model::shadow::Shadow;
use crate::units::Anchor;
use crate::units::At;

use super::outcome::Failure;
use super::outcome::Outcome;
use super::recorded::Latencies;
use super::settings::Moment;
use super::usage;

/// Explains the tick in force at a moment, or each in a line.
pub(super) fn explain(
    run: &Path,
    revision: Option<&str>,
    at: Option<Moment>,
    json: bool,
) -> Result<Outcome, Failure> {
    let model = super::recorded::model(run, Latencies::Forgotten)?;
    let text = text(&model, revision, at, json)?;
    // A reader that has gone away has seen enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(Outcome::Passed)
}

fn text(
    model: &Model,
    revision: Option<&str>,
    at: Option<Moment>,
    json: bool,
) -> Result<String, Failure> {
    let anchor = model.run.anchor();
    let (revision, shadow) = shadow(model, revision)?;
    let mut text = String::new();
    if let Some(moment) = at {
        // Times are told in whole tenths, cut off: one that was copied means its own tick.
        let at = moment_of(moment, anchor) + Duration::from_micros(99_999);
        // After the last decision there is none, but for as long as one is in force.
        let end = shadow.ticks().next_back().map_or(at, |last| last.at() + FRESH);
        let Some(tick) = shadow.tick_at(at).filter(|_| at <= end) else {
            return Err(usage(nothing_then(shadow, anchor)));
        };
        text.push_str(&if json {
            explain::json(&revision, tick, anchor)
        } else {
            explain::page(&revision, tick, anchor)
        });
        return Ok(text);
    }
    for tick in shadow.ticks() {
        text.push_str(&if json {
            explain::json(&revision, tick, anchor)
        } else {
            explain::line(tick, anchor)
        });
    }
    Ok(text)
}

/// The decider that is asked for, or that the run is about: of its own revisions the one that wanted
/// most pods, and of those the one that ticked most.
fn shadow<'a>(model: &'a Model, wanted: Option<&str>) -> Result<(Name, &'a Shadow), Failure> {
    let of = |name: Name| {
        let shadow = model.scaling.get(&name)?.shadow.as_deref()?;
        (0 < shadow.ticks().len()).then_some((name, shadow))
    };
    if let Some(wanted) = wanted {
        let mut known =
            model.scaling.iter().map(|(name, _)| name).filter(|name| name.is_called(wanted));
        return known.find_map(|name| of(name.clone())).ok_or_else(|| {
            let names: Vec<&str> = model
                .scaling
                .iter()
                .map(|(name, _)| name)
                .filter(|name| of((*name).clone()).is_some())
                .map(|name| name.name.as_str())
                .collect();
            usage(format!(
                "the record holds no decision about a revision {wanted:?}; it has them of {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ))
        });
    }
    let most = |shadow: &Shadow| shadow.ticks().filter_map(|it| it.decision.desired()).max();
    let measured = model.measured_revisions().into_iter().filter_map(of);
    measured.max_by_key(|(_, shadow)| (most(shadow), shadow.ticks().len())).ok_or_else(|| {
        let measured = model.measured_revisions();
        let mut classes = measured.iter().filter_map(|it| model.cluster.class_of(it));
        if let Some(other) = classes.find(|class| *class != Class::Kpa) {
            return usage(format!(
                "the record holds no decision of Knative's autoscaler: the revision is of class {}",
                other.name()
            ));
        }
        usage(
            "the record holds no decision of Knative's autoscaler: it takes a PodAutoscaler, \
             config-autoscaler, and queue-proxies, activators or the autoscaler's metrics"
                .to_owned(),
        )
    })
}

/// A time of day is the first one of that name in the run.
fn moment_of(moment: Moment, anchor: Anchor) -> At {
    const DAY: u64 = 86_400_000_000;
    match moment {
        Moment::Since(since) => At::ZERO + since,
        Moment::Wall(wall) => wall.since(anchor.0).map_or(At::ZERO, At::from),
        Moment::Clock(clock) => {
            let began = u64::try_from(anchor.0.0).unwrap_or(0) % DAY;
            let clock = u64::try_from(clock.as_micros()).unwrap_or(0);
            At::from_micros((clock + DAY - began) % DAY)
        }
    }
}

fn nothing_then(shadow: &Shadow, anchor: Anchor) -> String {
    let clock = |at: At| crate::tui::text::clock_tenths(anchor, at);
    match (shadow.ticks().next(), shadow.ticks().next_back()) {
        (Some(first), Some(last)) => format!(
            "no decision is known at that time: the record has them from {} to {} ({:.1}s to {:.1}s)",
            clock(first.at()),
            clock(last.at()),
            first.at().as_secs_f64(),
            last.at().as_secs_f64()
        ),
        _ => "the record holds no decision".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixMicros;

    #[test]
    fn a_moment_is_since_the_beginning_or_a_time_of_day() {
        for (text, expected) in [
            ("90s", Some(Moment::Since(Duration::from_secs(90)))),
            ("1m30s", Some(Moment::Since(Duration::from_secs(90)))),
            ("14:03", Some(Moment::Clock(Duration::from_secs(50_580)))),
            ("14:03:22.5", Some(Moment::Clock(Duration::from_millis(50_602_500)))),
            ("1970-01-01T00:00:07.250Z", Some(Moment::Wall(UnixMicros(7_250_000)))),
            ("25:00", None),
            ("14:60", None),
            ("14:03:22:1", None),
            ("noon", None),
            ("90", None),
        ] {
            assert_eq!(Moment::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_before_the_beginning_is_of_the_next_day() {
        // A run that began at 23:59:50.
        let anchor = Anchor(UnixMicros(86_390_000_000));
        let at = |secs| moment_of(Moment::Clock(Duration::from_secs(secs)), anchor);
        assert_eq!(at(86_395), At::from_secs(5));
        assert_eq!(at(5), At::from_secs(15));
    }
}
