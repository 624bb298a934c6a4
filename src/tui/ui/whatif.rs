//! What is changed on paper: parameters of the autoscaler, turned with the keys that turn the load
//! elsewhere.

use std::collections::BTreeMap;

use crate::kpa::Effective;
use crate::kpa::config::Value;
use crate::kpa::whatif::Basis;
use crate::kpa::whatif::Change;
use crate::tui::action::Action;

/// A parameter that can be turned, and the values that it goes through.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name, as an annotation or a key has it.
    pub name: &'static str,
    /// The values, ascending.
    steps: &'static [f64],
}

const AMOUNTS: &[f64] = &[
    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 70.0,
    100.0, 150.0, 200.0, 300.0, 500.0, 700.0, 1000.0, 2000.0, 5000.0,
];
const PERCENTAGES: &[f64] = &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0];
const WINDOWS: &[f64] =
    &[6.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0, 3600.0];
const SHARES: &[f64] = &[1.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0];
const THRESHOLDS: &[f64] = &[110.0, 125.0, 150.0, 200.0, 250.0, 300.0, 400.0, 600.0, 1000.0];
const DELAYS: &[f64] = &[0.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];
const BOUNDS: &[f64] =
    &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0];
const BURSTS: &[f64] = &[-1.0, 0.0, 10.0, 50.0, 100.0, 200.0, 211.0, 300.0, 500.0, 1000.0, 5000.0];
const RATES: &[f64] = &[1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0];

/// All of them, the most telling first.
pub const PARAMETERS: [Parameter; 11] = [
    Parameter { name: "target", steps: AMOUNTS },
    Parameter { name: "target-utilization-percentage", steps: PERCENTAGES },
    Parameter { name: "window", steps: WINDOWS },
    Parameter { name: "panic-window-percentage", steps: SHARES },
    Parameter { name: "panic-threshold-percentage", steps: THRESHOLDS },
    Parameter { name: "scale-down-delay", steps: DELAYS },
    Parameter { name: "min-scale", steps: BOUNDS },
    Parameter { name: "max-scale", steps: BOUNDS },
    Parameter { name: "max-scale-up-rate", steps: RATES },
    Parameter { name: "max-scale-down-rate", steps: RATES },
    Parameter { name: "target-burst-capacity", steps: BURSTS },
];

/// What is changed on paper.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WhatIf {
    changed: BTreeMap<&'static str, f64>,
}

// === impl Parameter ===

impl Parameter {
    /// Its value in force, with its unit.
    pub fn value(self, effective: &Effective) -> Option<Value> {
        effective.settings.iter().find(|setting| setting.name == self.name).map(|it| it.value)
    }
}

// === impl WhatIf ===

impl WhatIf {
    /// The changes, as they would be made.
    pub fn changes(&self, basis: &Basis) -> Vec<Change> {
        let effective = basis.effective();
        PARAMETERS
            .into_iter()
            .filter_map(|parameter| {
                let number = self.changed.get(parameter.name)?;
                let unit = match parameter.value(&effective)? {
                    Value::Span(_) => "s",
                    _ => "",
                };
                format!("{}={number}{unit}", parameter.name).parse().ok()
            })
            .collect()
    }

    /// Whether a parameter is changed.
    pub fn is_changed(&self, parameter: Parameter) -> bool {
        self.changed.contains_key(parameter.name)
    }

    /// Does what a key means for the selected parameter.
    pub fn turn(&mut self, action: Action, selected: usize, basis: &Basis) {
        let parameter = PARAMETERS[selected.min(PARAMETERS.len() - 1)];
        let Some(was) = parameter.value(&basis.effective()).and_then(number) else { return };
        let now = self.changed.get(parameter.name).copied().unwrap_or(was);
        let (is_up, n_steps) = match action {
            Action::RateUp => (true, 1),
            Action::RateDown => (false, 1),
            Action::Double => (true, 3),
            Action::Halve => (false, 3),
            Action::Undo => {
                self.changed.remove(parameter.name);
                return;
            }
            Action::Zero => {
                self.changed.clear();
                return;
            }
            _ => return,
        };
        let to = (0..n_steps).fold(now, |at, _| parameter.next(at, is_up).unwrap_or(at));
        if to.total_cmp(&was).is_eq() {
            self.changed.remove(parameter.name);
        } else {
            self.changed.insert(parameter.name, to);
        }
    }
}

impl Parameter {
    fn next(self, from: f64, is_up: bool) -> Option<f64> {
        if is_up {
            self.steps.iter().copied().find(|step| from < *step)
        } else {
            self.steps.iter().rev().copied().find(|step| *step < from)
        }
    }
}

/// A value as a number in its unit.
fn number(value: Value) -> Option<f64> {
    match value {
        Value::Number(number) | Value::Percent(number) => Some((number * 1e6).round() / 1e6),
        Value::Pods(pods) => Some(pods.into()),
        Value::Span(span) => Some(span.as_secs_f64()),
        Value::Flag(_) | Value::Name(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_turn_a_parameter_and_turn_it_back() {
        let mut basis = Basis::default();
        basis.annotations.insert("target".to_owned(), "10".to_owned());
        let mut whatif = WhatIf::default();
        let said = |whatif: &WhatIf, basis: &Basis| {
            let changes = whatif.changes(basis);
            changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        for (action, expected) in [
            (Action::RateUp, "target=12"),
            (Action::Double, "target=25"),
            (Action::RateDown, "target=20"),
            (Action::Undo, ""),
            (Action::Halve, "target=6"),
            (Action::RateUp, "target=7"),
            (Action::Zero, ""),
        ] {
            whatif.turn(action, 0, &basis);
            assert_eq!(said(&whatif, &basis), expected, "{action:?}");
        }
        whatif.turn(Action::RateDown, 2, &basis);
        assert_eq!(said(&whatif, &basis), "window=45s");
        whatif.turn(Action::RateUp, 2, &basis);
        assert_eq!(said(&whatif, &basis), "", "as it was is no change");
    }

    #[test]
    fn every_value_would_be_taken() {
        let basis = Basis::default();
        for (selected, parameter) in PARAMETERS.into_iter().enumerate() {
            assert!(parameter.value(&basis.effective()).is_some(), "{}", parameter.name);
            for action in [Action::RateUp, Action::RateDown] {
                let mut whatif = WhatIf::default();
                for _ in 0..40 {
                    whatif.turn(action, selected, &basis);
                    let changes = whatif.changes(&basis);
                    assert!(basis.with(&changes).is_ok(), "{changes:?}");
                }
            }
        }
    }
}
