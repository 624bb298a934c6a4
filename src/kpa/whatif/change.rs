//! What is changed on paper: an annotation of the revision, a key of `config-autoscaler`, or
//! `containerConcurrency`; and how a person would change it in the cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::kpa::Effective;
use crate::kpa::config::Origin;
use crate::kpa::config::Sources;
use crate::units::clean;

/// The annotations that the decider reads, by the name that one may type and the name that they
/// have.
const ANNOTATIONS: [(&str, &str); 21] = [
    ("target", "target"),
    ("utilization", "target-utilization-percentage"),
    ("target-utilization", "target-utilization-percentage"),
    ("target-utilization-percentage", "target-utilization-percentage"),
    ("window", "window"),
    ("stable-window", "window"),
    ("panic-window", "panic-window-percentage"),
    ("panic-window-percentage", "panic-window-percentage"),
    ("panic-threshold", "panic-threshold-percentage"),
    ("panic-threshold-percentage", "panic-threshold-percentage"),
    ("target-burst-capacity", "target-burst-capacity"),
    ("min-scale", "min-scale"),
    ("max-scale", "max-scale"),
    ("initial-scale", "initial-scale"),
    ("activation-scale", "activation-scale"),
    ("scale-down-delay", "scale-down-delay"),
    ("scale-to-zero-pod-retention-period", "scale-to-zero-pod-retention-period"),
    ("retention", "scale-to-zero-pod-retention-period"),
    ("metric", "metric"),
    ("metric-aggregation-algorithm", "metric-aggregation-algorithm"),
    ("aggregation", "metric-aggregation-algorithm"),
];
/// Keys of `config-autoscaler` that no annotation sets.
const KEYS: [&str; 5] = [
    "max-scale-up-rate",
    "max-scale-down-rate",
    "enable-scale-to-zero",
    "scale-to-zero-grace-period",
    "activator-capacity",
];
/// The limit in the revision's own spec.
const LIMIT: &str = "container-concurrency";

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it is made.
    pub place: Place,
    /// Its name there.
    pub key: &'static str,
    /// The new value, as it would be written there.
    pub value: String,
}

/// Where a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An annotation of the revision's template.
    Annotation,
    /// A key of `config-autoscaler`.
    ConfigMap,
    /// `spec.containerConcurrency` of the revision's template.
    Spec,
}

/// What a configuration is made of, to be changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Basis {
    /// The revision's annotations, without their prefix.
    pub annotations: BTreeMap<String, String>,
    /// `spec.containerConcurrency`; 0 is unlimited.
    pub container_concurrency: u32,
    /// The data of `config-autoscaler`.
    pub config_autoscaler: BTreeMap<String, String>,
}

/// Why a change is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// It has no name or no value.
    #[error("{0:?} changes nothing; write it as target=50 or panic-window=20%")]
    NotAChange(String),
    /// Nothing has that name.
    #[error(
        "{0:?} is no setting of the autoscaler; known are target, utilization, window, panic-window, \
         panic-threshold, target-burst-capacity, min-scale, max-scale, initial-scale, \
         activation-scale, scale-down-delay, retention, metric, aggregation, \
         container-concurrency, max-scale-up-rate, max-scale-down-rate, enable-scale-to-zero, \
         scale-to-zero-grace-period, activator-capacity"
    )]
    Unknown(String),
    /// The load is known in the unit of one metric alone.
    #[error("the load is known as {0}; under metric={1} it would be another load")]
    OtherMetric(&'static str, &'static str),
    /// Knative would not take it.
    #[error("Knative would refuse {key}={value}: it takes {}", taken(key))]
    Refused {
        /// The setting.
        key: &'static str,
        /// The value.
        value: String,
    },
}

/// What Knative takes for a setting (`pkg/autoscaler/config`,
/// `pkg/apis/autoscaling/annotation_validation.go`).
fn taken(key: &str) -> &'static str {
    match key {
        "target" => "0.01 or more",
        "target-utilization-percentage" | "panic-window-percentage" => "1 to 100",
        "panic-threshold-percentage" => "110 to 1000",
        "window" => "6s to 1h, in whole seconds",
        "target-burst-capacity" => "0 or more, or -1 for no bound",
        "min-scale" => "0 or more, and no more than max-scale",
        "max-scale" => "0 for no bound, or min-scale and more, as far as the cluster admits",
        "initial-scale" => "1 or more, and 0 where the cluster admits it",
        "activation-scale" => "2 or more, between min-scale and max-scale",
        "scale-down-delay" => "0s to 1h, in whole seconds",
        "scale-to-zero-pod-retention-period" => "0s to 1h",
        "metric" => "concurrency or rps",
        "metric-aggregation-algorithm" => "linear or weighted-exponential",
        "containerConcurrency" => "0 for no bound, to 1000",
        "max-scale-up-rate" | "max-scale-down-rate" => "more than 1",
        "enable-scale-to-zero" => "true or false",
        "scale-to-zero-grace-period" => "more than 0s",
        "activator-capacity" => "1 or more",
        _ => "another value",
    }
}

// === impl Change ===

impl FromStr for Change {
    type Err = ChangeError;

    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let not_a_change = || ChangeError::NotAChange(clean(text, 60));
        let (name, value) = text.split_once('=').ok_or_else(not_a_change)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() || 60 < value.len() {
            return Err(not_a_change());
        }
        let (place, key) = known(name).ok_or_else(|| ChangeError::Unknown(clean(name, 40)))?;
        let value = if key.ends_with("percentage") {
            value.trim_end_matches('%').trim_end()
        } else {
            value
        };
        Ok(Self { place, key, value: clean(value, 60) })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Where a setting is made, and what it is called there.
fn known(name: &str) -> Option<(Place, &'static str)> {
    if name == LIMIT || name == "containerConcurrency" {
        return Some((Place::Spec, "containerConcurrency"));
    }
    let annotation = ANNOTATIONS.iter().find(|(typed, _)| *typed == name);
    let annotation = annotation.map(|(_, key)| (Place::Annotation, *key));
    let key = KEYS.iter().find(|key| **key == name);
    annotation.or_else(|| key.map(|key| (Place::ConfigMap, *key)))
}

// === impl Basis ===

impl Basis {
    /// The configuration as it is.
    pub fn effective(&self) -> Effective {
        Effective::new(Sources {
            annotations: &self.annotations,
            container_concurrency: self.container_concurrency,
            config_autoscaler: &self.config_autoscaler,
            reachable: true,
        })
    }

    /// The configuration with these changes, if Knative would take them.
    pub fn with(&self, changes: &[Change]) -> Result<Effective, ChangeError> {
        let basis = self.changed(changes)?;
        let effective = basis.effective();
        let is_in_order = |change: &Change| {
            let config = &effective.config;
            let most = config.max_scale.unwrap_or(u32::MAX);
            match change.key {
                "min-scale" | "max-scale" => config.min_scale <= most,
                "activation-scale" => (config.min_scale..=most).contains(&config.activation_scale),
                _ => true,
            }
        };
        let is_taken = |change: &Change| match change.place {
            Place::Annotation if !is_in_order(change) => false,
            Place::Annotation => effective.settings.iter().any(|setting| {
                setting.name == change.key
                    && matches!(setting.origin, Origin::Annotation | Origin::Spec)
            }),
            Place::ConfigMap => effective.refused.is_none(),
            Place::Spec => true,
        };
        match changes.iter().find(|change| !is_taken(change)) {
            Some(change) => {
                Err(ChangeError::Refused { key: change.key, value: change.value.clone() })
            }
            None => Ok(effective),
        }
    }

    /// What the configuration is made of with these changes, taken or not.
    pub fn changed(&self, changes: &[Change]) -> Result<Self, ChangeError> {
        let mut basis = self.clone();
        for change in changes {
            let (key, value) = (change.key, change.value.clone());
            let refused = || ChangeError::Refused { key, value: value.clone() };
            match change.place {
                Place::Annotation => {
                    basis.annotations.insert(key.to_owned(), value);
                }
                Place::ConfigMap => {
                    basis.config_autoscaler.insert(key.to_owned(), value);
                }
                Place::Spec => {
                    let limit = value.parse().ok().filter(|limit| *limit <= 1000);
                    basis.container_concurrency = limit.ok_or_else(refused)?;
                }
            }
        }
        Ok(basis)
    }
}

/// What to know of a change to the template where the route names its revisions; `None` where none
/// of the changes is one.
pub fn on_a_pinned_route(changes: &[Change]) -> Option<&'static str> {
    let is_of_template = |change: &Change| change.place != Place::ConfigMap;
    changes.iter().any(is_of_template).then_some(
        "the route names its revisions: a changed template makes a new one, which gets no request \
         until spec.traffic names it",
    )
}

/// The commands that would make the changes in a cluster, for a person to type.
pub fn remedies(changes: &[Change], service: Option<(&str, &str)>) -> Vec<String> {
    let (namespace, name) = service.unwrap_or(("NAMESPACE", "SERVICE"));
    let of = |place| changes.iter().filter(move |change| change.place == place);
    let pairs = |place, prefix: &str| {
        let pairs: Vec<String> = of(place)
            .map(|change| format!("\"{prefix}{}\":\"{}\"", change.key, change.value))
            .collect();
        pairs.join(",")
    };
    let annotations = pairs(Place::Annotation, "autoscaling.knative.dev/");
    let mut template = Vec::new();
    if !annotations.is_empty() {
        template.push(format!("\"metadata\":{{\"annotations\":{{{annotations}}}}}"));
    }
    if let Some(limit) = of(Place::Spec).next_back() {
        template.push(format!("\"spec\":{{\"containerConcurrency\":{}}}", limit.value));
    }
    let mut commands = Vec::new();
    if !template.is_empty() {
        let template = template.join(",");
        commands.push(format!(
            "kubectl -n {namespace} patch ksvc {name} --type merge \
             -p '{{\"spec\":{{\"template\":{{{template}}}}}}}'"
        ));
    }
    let keys = pairs(Place::ConfigMap, "");
    if !keys.is_empty() {
        commands.push(format!(
            "kubectl -n knative-serving patch configmap/config-autoscaler --type merge \
             -p '{{\"data\":{{{keys}}}}}'"
        ));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> Change {
        text.parse().unwrap()
    }

    #[test]
    fn changes_are_typed_as_people_say_them() {
        for (text, place, key, value) in [
            ("target=50", Place::Annotation, "target", "50"),
            ("panic-window=20%", Place::Annotation, "panic-window-percentage", "20"),
            (" window = 20s", Place::Annotation, "window", "20s"),
            ("stable-window=20s", Place::Annotation, "window", "20s"),
            ("utilization=80 %", Place::Annotation, "target-utilization-percentage", "80"),
            ("max-scale-up-rate=10", Place::ConfigMap, "max-scale-up-rate", "10"),
            ("container-concurrency=5", Place::Spec, "containerConcurrency", "5"),
        ] {
            let expected = Change { place, key, value: value.to_owned() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "target", "target=", "=5"] {
            let error = text.parse::<Change>().unwrap_err();
            assert!(matches!(error, ChangeError::NotAChange(_)), "{text}");
        }
        let error = "tagret=5".parse::<Change>().unwrap_err();
        assert_eq!(error, ChangeError::Unknown("tagret".to_owned()));
    }

    #[test]
    fn a_change_is_in_force_or_refused() {
        let mut basis = Basis::default();
        basis.annotations.insert("target".to_owned(), "10".to_owned());
        assert_eq!(basis.effective().config.target_value, 7.0);
        let changed = basis.with(&[change("target=50"), change("window=20s")]).unwrap();
        assert_eq!(changed.config.target_value, 35.0);
        assert_eq!(changed.config.stable_window.as_secs(), 20);
        assert_eq!(changed.config.panic_window.as_secs(), 2, "a share of the new window");
        for text in [
            "window=1s",
            "target=0",
            "panic-window=0.5%",
            "panic-threshold=50",
            "utilization=101%",
            "max-scale=-1",
            "metric=cpu",
            "max-scale-up-rate=1",
            "activator-capacity=x",
            "container-concurrency=1001",
        ] {
            let refused = basis.with(&[change(text)]);
            assert!(matches!(refused, Err(ChangeError::Refused { .. })), "{text}: {refused:?}");
            // What would be taken is said.
            let said = refused.unwrap_err().to_string();
            assert!(!said.ends_with("another value"), "{said}");
        }
    }

    #[test]
    fn bounds_that_cross_are_refused() {
        let mut basis = Basis::default();
        basis.annotations.insert("max-scale".to_owned(), "12".to_owned());
        for (taken, changes) in [
            (true, vec!["min-scale=12"]),
            (false, vec!["min-scale=13"]),
            (true, vec!["min-scale=13", "max-scale=0"]),
            (true, vec!["min-scale=13", "max-scale=13"]),
            (false, vec!["min-scale=3", "max-scale=2"]),
            (true, vec!["activation-scale=12"]),
            (false, vec!["activation-scale=13"]),
            (false, vec!["activation-scale=2", "min-scale=3"]),
        ] {
            let changed: Vec<Change> = changes.iter().map(|text| change(text)).collect();
            assert_eq!(basis.with(&changed).is_ok(), taken, "{changes:?}");
        }
    }

    #[test]
    fn the_limit_of_a_pod_beats_a_larger_target() {
        let basis = Basis { container_concurrency: 5, ..Basis::default() };
        assert_eq!(basis.with(&[change("target=50")]).unwrap().config.total_value, 5.0);
        let freed = [change("target=50"), change("container-concurrency=0")];
        assert_eq!(basis.with(&freed).unwrap().config.total_value, 50.0);
    }

    #[test]
    fn the_change_can_be_made_by_hand() {
        let changes = [change("target=50"), change("window=20s"), change("max-scale-up-rate=10")];
        let commands = remedies(&changes, Some(("shop", "cart")));
        assert_eq!(
            commands,
            [
                "kubectl -n shop patch ksvc cart --type merge -p '{\"spec\":{\"template\":\
                 {\"metadata\":{\"annotations\":{\"autoscaling.knative.dev/target\":\"50\",\
                 \"autoscaling.knative.dev/window\":\"20s\"}}}}}'",
                "kubectl -n knative-serving patch configmap/config-autoscaler --type merge \
                 -p '{\"data\":{\"max-scale-up-rate\":\"10\"}}'",
            ]
        );
        let limit = remedies(&[change("container-concurrency=5")], None);
        assert!(limit[0].contains("\"spec\":{\"containerConcurrency\":5}"), "{limit:?}");
        assert!(remedies(&[], None).is_empty());
        assert!(on_a_pinned_route(&[change("target=50")]).is_some());
        let of_all = [change("max-scale-up-rate=10")];
        assert_eq!(on_a_pinned_route(&of_all), None, "the ConfigMap is for every revision");
    }
}
