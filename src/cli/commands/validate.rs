//! `rampscope validate`: is it valid, and if not, why.

use std::fmt::Write as _;
use std::io;
use std::io::Write as _;

use super::CliError;
use super::plan;
use crate::app::outcome::Outcome;
use crate::cli;
use crate::cli::args::ValidateArgs;
use crate::scenario;
use crate::scenario::amount::Span;
use crate::scenario::error::Error;
use crate::scenario::error::Place;
use crate::scenario::plan::Plan;
use crate::tasks::chain;

/// Looks at every file, also after one that is not valid. What is valid goes to stdout, what is
/// not to stderr; as JSON all goes to stdout.
pub(super) fn validate(args: &ValidateArgs) -> Result<Outcome, CliError> {
    let mut outcome = Outcome::Passed;
    let mut said = String::new();
    for name in &args.scenarios {
        let loaded = scenario::load(name, &args.changes);
        if loaded.is_err() {
            outcome = Outcome::Usage;
        }
        if args.json {
            // Writing to a `String` cannot fail.
            let _ = writeln!(said, "{}", as_json(name, &loaded));
            continue;
        }
        match loaded {
            Ok(plan) => {
                let _ = writeln!(said, "{name}: valid: {}", in_short(&plan));
            }
            Err(error) => {
                let _ = writeln!(io::stderr().lock(), "{}", chain(&error));
            }
        }
    }
    cli::print(&said)?;
    Ok(outcome)
}

/// `5 stages, 3 min, 24,000 requests`.
fn in_short(plan: &Plan) -> String {
    let n_stages = plan.load.stages.len();
    let stages = if n_stages == 1 { "stage" } else { "stages" };
    let amount = match plan.requests() {
        Some(requests) => format!("{} requests", plan::grouped(requests)),
        None => format!("at most {}", super::amount(plan, plan.peak())),
    };
    format!("{n_stages} {stages}, {}, {amount}", Span(plan.lasts()))
}

fn as_json(name: &str, loaded: &Result<Plan, Error>) -> serde_json::Value {
    match loaded {
        Ok(plan) => serde_json::json!({
            "scenario": name,
            "valid": true,
            "stages": plan.load.stages.len(),
            "seconds": plan.lasts().as_secs_f64(),
            "requests": plan.requests(),
        }),
        Err(Error::Invalid { faults, .. }) => {
            let faults: Vec<_> = faults
                .iter()
                .map(|fault| {
                    let line = match fault.place {
                        Some(Place::Line(line)) => Some(line),
                        Some(Place::Set) | None => None,
                    };
                    serde_json::json!({"line": line, "field": fault.field, "text": fault.text})
                })
                .collect();
            serde_json::json!({"scenario": name, "valid": false, "errors": faults})
        }
        Err(error) => serde_json::json!({
            "scenario": name,
            "valid": false,
            "errors": [{"line": null, "field": null, "text": chain(error)}],
        }),
    }
}
