//! What the metrics of autoscaler, activator and queue-proxy mean, in every Knative version.
//!
//! There are three generations of names: `autoscaler_…` up to 1.18; `kn_…` with the unit glued on
//! in 1.19.0 and 1.19.1, also as quoted names with dots; plain `kn_…` since. `canonical` makes
//! one of the last two, and one table then names the fields.

use std::collections::BTreeMap;

use crate::event::cluster::Name;
use crate::event::scaler::Activator;
use crate::event::scaler::Autoscaler;
use crate::units::At;
use crate::units::clean;

use super::exposition::Exposition;
use super::exposition::Sample;

/// What an activator has answered, since Knative 1.19.3: a histogram's count a code and method.
const ANSWERED: &str = "http_server_request_duration_seconds_count";

/// The longest name that Kubernetes gives anything, in characters.
pub(crate) const MAX_NAME: usize = 253;

/// Whether a metric can be of interest; the others of a component are its own affairs.
pub fn is_wanted(name: &str) -> bool {
    ["autoscaler_", "activator_request_co", "revision_", "kn_", "kn.", ANSWERED]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        && !name.ends_with("_bucket")
        && !name.ends_with("_sum")
}

/// A name or label as Knative 1.19.2 and later write it.
fn canonical(name: &str) -> String {
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    if let Some(stem) = name.strip_suffix("__request__s") {
        return format!("{stem}_per_second");
    }
    for unit in ["__item_", "__pod_", "__concurrency_", "__request_"] {
        if let Some(stem) = name.strip_suffix(unit) {
            return stem.to_owned();
        }
    }
    name
}

/// The revision that a sample is about.
fn revision(sample: &Sample) -> Option<Name> {
    let find = |old: &str, new: &str| {
        let (_, value) =
            sample.labels.iter().find(|(key, _)| key == old || canonical(key) == new)?;
        (!value.is_empty()).then(|| clean(value, MAX_NAME))
    };
    Some(Name {
        namespace: find("namespace_name", "k8s_namespace_name")?,
        name: find("revision_name", "kn_revision_name")?,
    })
}

/// What one autoscaler pod says of each revision, and how many samples could not be placed.
pub fn autoscalers(text: &Exposition, pod: &str, read: At) -> (Vec<Autoscaler>, u64) {
    let fresh = |revision: &Name| Autoscaler {
        revision: revision.clone(),
        pod: pod.to_owned(),
        read,
        ..Autoscaler::default()
    };
    by_revision(text, fresh, |autoscaler, name, value| {
        if matches!(name, "kn_revision_panic_mode" | "autoscaler_panic_mode") {
            autoscaler.panic = Some(value != 0.0);
            return true;
        }
        let Some(field) = autoscaler_field(autoscaler, name) else { return false };
        *field = Some(value);
        true
    })
}

fn autoscaler_field<'a>(of: &'a mut Autoscaler, name: &str) -> Option<&'a mut Option<f64>> {
    Some(match name {
        "kn_revision_pods_desired" | "autoscaler_desired_pods" => &mut of.desired,
        "kn_revision_pods_requested" | "autoscaler_requested_pods" => &mut of.requested,
        "kn_revision_pods_count" | "autoscaler_actual_pods" => &mut of.actual,
        "kn_revision_pods_not_ready_count" | "autoscaler_not_ready_pods" => &mut of.not_ready,
        "kn_revision_pods_pending_count" | "autoscaler_pending_pods" => &mut of.pending,
        "kn_revision_pods_terminating_count" | "autoscaler_terminating_pods" => &mut of.terminating,
        "kn_revision_concurrency_stable" | "autoscaler_stable_request_concurrency" => {
            &mut of.stable_concurrency
        }
        "kn_revision_concurrency_panic" | "autoscaler_panic_request_concurrency" => {
            &mut of.panic_concurrency
        }
        "kn_revision_concurrency_target" | "autoscaler_target_concurrency_per_pod" => {
            &mut of.target_concurrency
        }
        "kn_revision_rps_stable_per_second" | "autoscaler_stable_requests_per_second" => {
            &mut of.stable_rps
        }
        "kn_revision_rps_panic_per_second" | "autoscaler_panic_requests_per_second" => {
            &mut of.panic_rps
        }
        "kn_revision_rps_target_per_second" | "autoscaler_target_requests_per_second" => {
            &mut of.target_rps
        }
        "kn_revision_capacity_excess" | "autoscaler_excess_burst_capacity" => {
            &mut of.excess_burst_capacity
        }
        _ => return None,
    })
}

/// What one activator pod says of each revision, and how many samples could not be placed.
pub fn activators(text: &Exposition, pod: &str, read: At) -> (Vec<Activator>, u64) {
    let fresh = |revision: &Name| Activator {
        revision: revision.clone(),
        pod: pod.to_owned(),
        read,
        ..Activator::default()
    };
    by_revision(text, fresh, |activator, name, value| {
        let field = match name {
            "kn_revision_request_concurrency" | "activator_request_concurrency" => {
                &mut activator.concurrency
            }
            "kn_revision_request_queued" => &mut activator.queued,
            "kn_revision_request_active" => &mut activator.active,
            ANSWERED | "activator_request_count" => {
                // One series a code; what names no revision is the activator's own affair.
                if activator.revision == Name::default() {
                    return false;
                }
                *activator.requests_total.get_or_insert(0.0) += value;
                return true;
            }
            _ => return false,
        };
        *field = Some(value);
        true
    })
}

/// One reading a revision: `set` is offered each sample and says whether it is its own.
fn by_revision<T>(
    text: &Exposition,
    fresh: impl Fn(&Name) -> T,
    set: impl Fn(&mut T, &str, f64) -> bool,
) -> (Vec<T>, u64) {
    let mut readings = BTreeMap::<Name, T>::new();
    let mut n_not_understood = text.n_not_understood;
    for sample in text.samples.iter().filter(|sample| sample.value.is_finite()) {
        let name = canonical(&sample.name);
        let Some(revision) = revision(sample) else {
            let mut nobody = fresh(&Name::default());
            n_not_understood += u64::from(set(&mut nobody, &name, sample.value));
            continue;
        };
        if let Some(reading) = readings.get_mut(&revision) {
            set(reading, &name, sample.value);
            continue;
        }
        let mut reading = fresh(&revision);
        if set(&mut reading, &name, sample.value) {
            readings.insert(revision, reading);
        }
    }
    (readings.into_values().collect(), n_not_understood)
}

/// Requests inside a queue-proxy's breaker, and those that its container has answered since it
/// began. Port 9091 speaks of one pod only, so the labels do not matter.
pub fn queue_proxy(text: &Exposition) -> (Option<f64>, Option<f64>) {
    let (mut depth, mut total) = (None, None);
    for sample in text.samples.iter().filter(|sample| sample.value.is_finite()) {
        match canonical(&sample.name).as_str() {
            "kn_serving_queue_depth" | "kn_queueproxy_depth" | "revision_queue_depth" => {
                depth = Some(sample.value);
            }
            "kn_serving_invocation_duration_seconds_count"
            | "kn_queueproxy_app_duration_seconds_count"
            | "revision_app_request_count" => {
                total = Some(total.unwrap_or(0.0) + sample.value);
            }
            _ => {}
        }
    }
    (depth, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::exposition::parse;

    fn fixture(name: &str) -> Exposition {
        let path = format!("{}/tests/fixtures/exposition-{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let exposition = parse(&std::fs::read_to_string(path).unwrap(), is_wanted);
        assert_eq!(exposition.n_not_understood, 0, "{name}");
        exposition
    }

    #[test]
    fn three_generations_of_names_say_the_same() {
        for (name, n_nowhere) in [("v1.18.2-autoscaler", 0), ("v1.19.0", 5), ("v1.19.0-utf8", 5)] {
            let (readings, n_not_understood) = autoscalers(&fixture(name), "a", At::ZERO);
            assert_eq!(readings.len(), 2, "{name}");
            let (by_concurrency, by_rps) = (&readings[0], &readings[1]);
            assert_eq!(by_concurrency.revision.name, "hello-00001", "{name}");
            assert_eq!(by_concurrency.revision.namespace, "default", "{name}");
            assert_eq!(by_concurrency.desired, Some(4.0), "{name}");
            assert_eq!(by_concurrency.panic, Some(true), "{name}");
            assert_eq!(by_concurrency.stable_concurrency, Some(123.4), "{name}");
            assert_eq!(by_concurrency.panic_concurrency, Some(250.0), "{name}");
            assert_eq!(by_concurrency.target_concurrency, Some(70.0), "{name}");
            assert_eq!(by_concurrency.excess_burst_capacity, Some(-261.0), "{name}");
            assert_eq!(by_concurrency.stable_rps, None, "{name}");
            assert_eq!(by_rps.stable_rps, Some(12.0), "{name}");
            assert_eq!(by_rps.panic_rps, Some(20.0), "{name}");
            assert_eq!(by_rps.target_rps, Some(70.0), "{name}");
            assert_eq!(by_rps.stable_concurrency, None, "{name}");
            // These texts have gauges of pods without a namespace, which no Knative writes.
            assert_eq!(n_not_understood, n_nowhere, "{name}");
        }
    }

    #[test]
    fn a_real_autoscaler_in_panic_is_read() {
        let (readings, n_not_understood) = autoscalers(&fixture("v1.23-autoscaler"), "a", At::ZERO);
        assert_eq!((readings.len(), n_not_understood), (1, 0));
        let expected = Autoscaler {
            revision: Name { namespace: "default".to_owned(), name: "probe-00001".to_owned() },
            pod: "a".to_owned(),
            desired: Some(3.0),
            requested: Some(3.0),
            actual: Some(3.0),
            not_ready: Some(0.0),
            pending: Some(0.0),
            terminating: Some(0.0),
            panic: Some(true),
            stable_concurrency: Some(4.975_927),
            panic_concurrency: Some(19.215_528),
            target_concurrency: Some(7.0),
            excess_burst_capacity: Some(-201.0),
            ..Autoscaler::default()
        };
        assert_eq!(readings[0], expected);
    }

    #[test]
    fn a_real_activator_and_queue_proxy_are_read() {
        let (readings, n_not_understood) = activators(&fixture("v1.23-activator"), "b", At::ZERO);
        assert_eq!((readings.len(), n_not_understood), (1, 0));
        assert_eq!((readings[0].queued, readings[0].active), (Some(0.0), Some(0.0)));
        assert!(readings[0].concurrency.is_some_and(|value| (19.0..20.0).contains(&value)));
        assert_eq!(queue_proxy(&fixture("v1.23-queue-proxy")), (None, Some(182.0)));
        assert_eq!(queue_proxy(&fixture("v1.18.2-revision")), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn a_vanished_series_is_unknown_and_not_zero() {
        let text = "kn_revision_pods_desired{k8s_namespace_name=\"a\",kn_revision_name=\"b\"} NaN\n\
                    kn_revision_pods_count{k8s_namespace_name=\"a\",kn_revision_name=\"b\"} 2";
        let (readings, _) = autoscalers(&parse(text, is_wanted), "a", At::ZERO);
        assert_eq!((readings[0].desired, readings[0].actual), (None, Some(2.0)));
    }
}
