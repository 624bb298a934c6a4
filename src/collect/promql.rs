//! What is asked of a Prometheus server, and what its answers mean.
//!
//! An ordinary instant query tells a value and hides how old it is: the server goes back up to five
//! minutes for it. So it is asked for the raw samples of a span (`name[30s]`), which come with the
//! moments at which they were scraped; samples of one scrape have the same moment, and so a scrape
//! is put together again. Only a span too long for that, after an outage of ours, is asked for as a
//! range query, in steps.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::units::UnixMicros;
use crate::units::clean;

use super::exposition::Exposition;
use super::exposition::MAX_SAMPLES;
use super::exposition::Sample;
use super::knative::MAX_NAME;

/// The series of autoscaler and activators, in all generations of names; the dots are of names that
/// were scraped as UTF-8.
const NAMES: &str = "kn[._]revision[._].+|autoscaler_(.+_pods|panic_mode|excess_burst_capacity|(stable|panic|target)_.+)|activator_request_concurrency";
/// The labels that hold a revision's namespace, newest names first; the last needs quotes.
const NAMESPACES: [&str; 3] = ["k8s_namespace_name", "namespace_name", "\"k8s.namespace.name\""];
/// Labels that name the pod, as the usual ways of finding targets set them; else its address.
const PODS: [&str; 3] = ["pod", "kubernetes_pod_name", "instance"];

/// By which label series are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Generation(usize);

/// One scrape of one target, put together again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scrape {
    /// The pod, or its address.
    pub(crate) pod: String,
    /// When it was scraped, by the server's clock.
    pub(crate) at: UnixMicros,
    /// What it said.
    pub(crate) text: Exposition,
}

/// The server's answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerError {
    /// It is not JSON of a Prometheus server.
    #[error("the answer is not that of a Prometheus server")]
    NotPrometheus,
    /// It says why it cannot.
    #[error("{0}")]
    Refused(String),
}

// === impl Generation ===

impl Generation {
    /// The next one to be tried; after the last the first again.
    pub(crate) const fn next(self) -> Self {
        Self((self.0 + 1) % NAMESPACES.len())
    }

    /// Whether it is the first, so that all have been tried.
    pub(crate) const fn is_first(self) -> bool {
        self.0 == 0
    }
}

/// The series of interest: those of a namespace, or all.
fn selector(generation: Generation, namespace: Option<&str>) -> String {
    let of_namespace = namespace.map_or_else(String::new, |namespace| {
        format!(",{}={namespace:?}", NAMESPACES[generation.0 % NAMESPACES.len()])
    });
    format!("{{__name__=~\"{NAMES}\"{of_namespace}}}")
}

/// The raw samples of the last `span`.
pub(crate) fn raw(generation: Generation, namespace: Option<&str>, span: Duration) -> String {
    let query = format!("{}[{}s]", selector(generation, namespace), span.as_secs().max(1));
    format!("/api/v1/query?query={}", encoded(&query))
}

/// Values from one moment to another, in steps.
pub(crate) fn range(
    generation: Generation,
    namespace: Option<&str>,
    (from, to): (UnixMicros, UnixMicros),
    step: Duration,
) -> String {
    let seconds = |stamp: UnixMicros| {
        format!("{}.{:03}", stamp.0 / 1_000_000, stamp.0.rem_euclid(1_000_000) / 1000)
    };
    format!(
        "/api/v1/query_range?query={}&start={}&end={}&step={}",
        encoded(&selector(generation, namespace)),
        seconds(from),
        seconds(to),
        step.as_secs().max(1)
    )
}

/// How many series there are at all, of whatever namespace.
pub(crate) fn count() -> String {
    format!("/api/v1/query?query={}", encoded(&format!("count({{__name__=~\"{NAMES}\"}})")))
}

/// The server's clock.
pub(crate) const CLOCK: &str = "/api/v1/query?query=time()";

/// A query as it stands in an address.
fn encoded(query: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(query.len() * 2);
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The result of an answer.
fn result(body: &[u8]) -> Result<Value, AnswerError> {
    let mut answer: Value = serde_json::from_slice(body).map_err(|_| AnswerError::NotPrometheus)?;
    match answer["status"].as_str() {
        Some("success") => Ok(answer["data"]["result"].take()),
        Some("error") => {
            let error = answer["error"].as_str().unwrap_or("it does not say why");
            Err(AnswerError::Refused(clean(error, 160)))
        }
        _ => Err(AnswerError::NotPrometheus),
    }
}

/// The one number of an answer; `None` if the vector is empty.
pub(crate) fn number(body: &[u8]) -> Result<Option<f64>, AnswerError> {
    let result = result(body)?;
    // A scalar is a pair; a vector is a list of series with one.
    let pair = if result[0].is_object() { &result[0]["value"] } else { &result };
    Ok(pair[1].as_str().and_then(|text| text.parse().ok()))
}

/// The scrapes that the samples of an answer are of, the oldest first, and how many samples nobody
/// understood.
pub(crate) fn scrapes(body: &[u8]) -> Result<(Vec<Scrape>, u64), AnswerError> {
    let result = result(body)?;
    let mut scrapes = BTreeMap::<(UnixMicros, String), Exposition>::new();
    let (mut n_samples, mut n_not_understood) = (0, 0);
    for series in result.as_array().into_iter().flatten() {
        let Some((name, labels)) = labels(&series["metric"]) else {
            n_not_understood += 1;
            continue;
        };
        let pod = PODS.iter().find_map(|key| labels.iter().find(|(label, _)| label == key));
        let pod = pod.map_or_else(String::new, |(_, value)| clean(value, MAX_NAME));
        for pair in series["values"].as_array().into_iter().flatten() {
            let (Some(at), Some(value)) = (stamp(&pair[0]), value(&pair[1])) else {
                n_not_understood += 1;
                continue;
            };
            if MAX_SAMPLES <= n_samples {
                n_not_understood += 1;
                continue;
            }
            n_samples += 1;
            let sample = Sample { name: name.clone(), labels: labels.clone(), value };
            scrapes.entry((at, pod.clone())).or_default().samples.push(sample);
        }
    }
    let scrapes = scrapes.into_iter().map(|((at, pod), text)| Scrape { pod, at, text });
    Ok((scrapes.collect(), n_not_understood))
}

/// A series' name and labels.
fn labels(metric: &Value) -> Option<(String, Vec<(String, String)>)> {
    let all = metric.as_object()?;
    let name = all.get("__name__")?.as_str()?.to_owned();
    let labels = all.iter().filter(|(key, _)| *key != "__name__");
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    Some((name, labels.collect()))
}

/// A moment in seconds with a fraction of milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "bounded")]
fn stamp(value: &Value) -> Option<UnixMicros> {
    let seconds = value.as_f64().filter(|seconds| (0.0..1e11).contains(seconds))?;
    Some(UnixMicros((seconds * 1000.0).round() as i64 * 1000))
}

fn value(value: &Value) -> Option<f64> {
    match value.as_str()? {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::collect::exposition;
    use crate::collect::knative;
    use crate::units::At;

    /// What a server answers that has scraped this text at these seconds.
    pub(in crate::collect) fn answer(text: &str, pod: &str, seconds: &[f64]) -> Value {
        let parsed = exposition::parse(text, |_| true);
        let series = parsed.samples.iter().map(|sample| {
            let mut metric =
                json!({"__name__": sample.name, "pod": pod, "instance": "10.0.0.1:9090"});
            for (key, value) in &sample.labels {
                metric[key] = value.clone().into();
            }
            let values: Vec<Value> =
                seconds.iter().map(|at| json!([at, sample.value.to_string()])).collect();
            json!({"metric": metric, "values": values})
        });
        let series: Vec<Value> = series.collect();
        json!({"status": "success", "data": {"resultType": "matrix", "result": series}})
    }

    fn fixture(name: &str) -> String {
        let path = format!("{}/tests/fixtures/exposition-{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_server_says_the_same_as_a_scrape_in_every_generation() {
        for name in ["v1.18.2-autoscaler", "v1.19.0", "v1.19.0-utf8", "v1.23-autoscaler"] {
            let text = fixture(name);
            let body = answer(&text, "a", &[1000.0]).to_string();
            let (scrapes, n_not_understood) = scrapes(body.as_bytes()).unwrap();
            assert_eq!((scrapes.len(), n_not_understood), (1, 0), "{name}");
            let direct = exposition::parse(&text, knative::is_wanted);
            let (expected, _) = knative::autoscalers(&direct, "a", At::ZERO);
            let (told, _) = knative::autoscalers(&scrapes[0].text, &scrapes[0].pod, At::ZERO);
            assert_eq!(told, expected, "{name}");
            assert!(!told.is_empty());
        }
    }

    #[test]
    fn the_names_that_are_asked_for_are_those_that_are_understood() {
        // What the selector's regular expression admits, anchored as Prometheus does.
        let admits = |name: &str| {
            let rest = name.strip_prefix("kn_revision_").or(name.strip_prefix("kn.revision."));
            rest.is_some_and(|rest| !rest.is_empty())
                || name == "activator_request_concurrency"
                || name.strip_prefix("autoscaler_").is_some_and(|rest| {
                    rest.ends_with("_pods")
                        || ["panic_mode", "excess_burst_capacity"].contains(&rest)
                        || ["stable_", "panic_", "target_"].iter().any(|it| rest.starts_with(it))
                })
        };
        for name in ["v1.18.2-autoscaler", "v1.19.0", "v1.19.0-utf8", "v1.23-autoscaler"] {
            let text = fixture(name);
            for sample in exposition::parse(&text, knative::is_wanted).samples {
                let one = Exposition { samples: vec![sample.clone()], n_not_understood: 0 };
                let is_understood = !knative::autoscalers(&one, "a", At::ZERO).0.is_empty();
                assert!(!is_understood || admits(&sample.name), "{name}: {}", sample.name);
            }
        }
    }

    #[test]
    fn samples_of_one_moment_and_pod_are_one_scrape() {
        let text = "kn_revision_panic_mode{k8s_namespace_name=\"d\",kn_revision_name=\"r\"} 1\n\
                    kn_revision_pods_count{k8s_namespace_name=\"d\",kn_revision_name=\"r\"} 2";
        let body = answer(text, "a", &[1000.5, 1002.5]).to_string();
        let (scrapes, _) = scrapes(body.as_bytes()).unwrap();
        let moments: Vec<_> = scrapes.iter().map(|it| (it.at.0, it.text.samples.len())).collect();
        assert_eq!(moments, [(1_000_500_000, 2), (1_002_500_000, 2)]);
    }

    #[test]
    fn answers_that_are_none_say_so() {
        let error = br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert_eq!(scrapes(error), Err(AnswerError::Refused("parse error".to_owned())));
        for body in ["", "<html>", "{}", "[]", "{\"status\":7}"] {
            assert_eq!(number(body.as_bytes()), Err(AnswerError::NotPrometheus), "{body}");
        }
        let scalar = br#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"1.5"]}}"#;
        assert_eq!(number(scalar), Ok(Some(1.5)));
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"34"]}]}}"#;
        assert_eq!(number(vector), Ok(Some(34.0)));
        let empty = br#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(number(empty), Ok(None));
    }

    #[test]
    fn a_query_is_an_address() {
        let generation = Generation::default();
        let raw = raw(generation, Some("a\"b"), Duration::from_secs(30));
        assert!(raw.starts_with("/api/v1/query?query=%7B__name__%3D~%22kn%5B._%5D"), "{raw}");
        assert!(raw.ends_with("%2Ck8s_namespace_name%3D%22a%5C%22b%22%7D%5B30s%5D"), "{raw}");
        let to = UnixMicros(1_000_250_000);
        let range = range(generation.next().next(), Some("d"), (UnixMicros(0), to), Duration::ZERO);
        assert!(range.contains("%22k8s.namespace.name%22%3D%22d%22"), "{range}");
        assert!(range.ends_with("&start=0.000&end=1000.250&step=1"), "{range}");
        assert!(generation.next().next().next().is_first());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in "(?s).{0,200}", number in any::<f64>()) {
            let _ = scrapes(text.as_bytes());
            let odd = json!({"status": "success", "data": {"result": [
                {"metric": {"__name__": text}, "values": [[number, text], [text, number], text]},
                {"metric": number}, text,
            ]}});
            let _ = scrapes(odd.to_string().as_bytes());
            let _ = super::number(odd.to_string().as_bytes());
        }
    }
}
