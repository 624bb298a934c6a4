//! Label and field selectors.

use serde_json::Value;

use crate::sim::apiserver::query::Query;
use crate::sim::resources;
use crate::sim::resources::Resource;
use crate::sim::status::Status;

/// Which objects are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<Term>,
    fields: Vec<Term>,
}

/// One condition; all must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    key: String,
    want: Want,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Want {
    Exists,
    Missing,
    In(Vec<String>),
    /// A key that is missing fits.
    NotIn(Vec<String>),
}

/// Fields of every kind.
const OF_ALL: &[&str] = &["metadata.name", "metadata.namespace"];
/// Fields of pods.
const OF_PODS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];
/// Fields of events.
const OF_EVENTS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "type",
];

// === impl Selector ===

impl Selector {
    /// The selectors of a request.
    pub(crate) fn parse(resource: &Resource, query: &Query) -> Result<Self, Status> {
        let labels = terms(query.get("labelSelector").unwrap_or_default())?;
        let fields = terms(query.get("fieldSelector").unwrap_or_default())?;
        for term in &fields {
            let of_kind = match resource {
                one if *one == resources::PODS => OF_PODS,
                one if *one == resources::EVENTS => OF_EVENTS,
                _ => &[],
            };
            let is_simple = matches!(term.want, Want::In(_) | Want::NotIn(_));
            if !is_simple || !OF_ALL.iter().chain(of_kind).any(|known| *known == term.key) {
                let why = format!("field label not supported: {}", term.key);
                return Err(Status::BadRequest(why));
            }
        }
        Ok(Self { labels, fields })
    }

    /// The same, and only the object of this name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        let want = Want::In(vec![name.to_owned()]);
        self.fields.push(Term { key: "metadata.name".to_owned(), want });
        self
    }

    /// Whether it wants this object.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        self.labels.iter().all(|term| term.holds(label(&term.key)))
            && self.fields.iter().all(|term| term.holds(Some(field(object, &term.key))))
    }
}

// === impl Term ===

impl Term {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_among =
            |list: &[String]| value.is_some_and(|value| list.iter().any(|one| one == value));
        match &self.want {
            Want::Exists => value.is_some(),
            Want::Missing => value.is_none(),
            Want::In(list) => is_among(list),
            Want::NotIn(list) => !is_among(list),
        }
    }
}

/// A field as text; one that is missing is empty, as in Kubernetes.
fn field<'a>(object: &'a Value, key: &str) -> &'a str {
    let value = key.split('.').fold(object, |value, part| &value[part]);
    value.as_str().unwrap_or_default()
}

fn terms(text: &str) -> Result<Vec<Term>, Status> {
    split(text).into_iter().filter(|part| !part.is_empty()).map(term).collect()
}

/// At the commas that are in no parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let mut parts = Vec::new();
    let mut begin = 0;
    for (idx, char) in text.char_indices() {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[begin..idx].trim());
                begin = idx + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts
}

fn term(text: &str) -> Result<Term, Status> {
    let made = |key: &str, want| Term { key: key.trim().to_owned(), want };
    let one = |value: &str| vec![value.trim().to_owned()];
    let term = if let Some((key, list)) = text.strip_suffix(')').and_then(|t| t.split_once('(')) {
        let list = list.split(',').map(|value| value.trim().to_owned()).collect();
        match key.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => made(key, Want::In(list)),
            [key, "notin"] => made(key, Want::NotIn(list)),
            _ => return Err(unreadable(text)),
        }
    } else if let Some((key, value)) = text.split_once("!=") {
        made(key, Want::NotIn(one(value)))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        made(key, Want::In(one(value)))
    } else if let Some(key) = text.strip_prefix('!') {
        made(key, Want::Missing)
    } else {
        made(text, Want::Exists)
    };
    let is_key = |char: char| char.is_ascii_alphanumeric() || "-_./".contains(char);
    if term.key.is_empty() || !term.key.chars().all(is_key) {
        return Err(unreadable(text));
    }
    Ok(term)
}

fn unreadable(text: &str) -> Status {
    Status::BadRequest(format!("unable to parse requirement: \"{text}\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selector(resource: &Resource, query: &str) -> Result<Selector, Status> {
        Selector::parse(resource, &Query::parse(query))
    }

    #[test]
    fn selectors_choose_as_in_kubernetes() {
        let pod = json!({
            "metadata": { "name": "a", "namespace": "n", "labels": { "app": "web", "x/y": "" } },
            "spec": { "nodeName": "node-0" }, "status": { "phase": "Running" },
        });
        let table = [
            ("labelSelector=app%3Dweb", true),
            ("labelSelector=app==web,x/y", true),
            ("labelSelector=app!=web", false),
            ("labelSelector=none!=web", true),
            ("labelSelector=app+in+(api,+web)", true),
            ("labelSelector=app+in+(api),x/y", false),
            ("labelSelector=app+notin+(api),app", true),
            ("labelSelector=none+notin+(api)", true),
            ("labelSelector=none", false),
            ("labelSelector=!none", true),
            ("labelSelector=x/y=", true),
            ("fieldSelector=metadata.name=a,metadata.namespace=n", true),
            ("fieldSelector=spec.nodeName=node-1", false),
            ("fieldSelector=status.phase!=Failed,spec.nodeName!=", true),
            ("labelSelector=app=web&fieldSelector=status.phase=Pending", false),
            ("", true),
        ];
        for (query, expected) in table {
            let selector = selector(&resources::PODS, query).unwrap();
            assert_eq!(selector.matches(&pod), expected, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_selected_is_refused() {
        for query in [
            "labelSelector=a+at+(b)",
            "labelSelector==b",
            "labelSelector=a%20b",
            "fieldSelector=spec.x=1",
        ] {
            let error = selector(&resources::PODS, query).unwrap_err();
            assert_eq!(error.code(), 400, "{query}");
        }
        assert!(selector(&resources::NODES, "fieldSelector=spec.nodeName=a").is_err());
        assert!(selector(&resources::EVENTS, "fieldSelector=involvedObject.name=a").is_ok());
    }
}
