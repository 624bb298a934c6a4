//! Conditions of a status: written anew, but with the time of their last change kept.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// A condition as it should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition {
    pub(crate) kind: &'static str,
    /// `True`, `False`, `Unknown`.
    pub(crate) status: &'static str,
    /// Reason and message; empty if it is true.
    pub(crate) why: (&'static str, &'static str),
    /// `Info` if it does not make the object unready.
    pub(crate) severity: &'static str,
}

// === impl Condition ===

impl Condition {
    pub(crate) const fn yes(kind: &'static str) -> Self {
        Self { kind, status: "True", why: ("", ""), severity: "" }
    }

    pub(crate) const fn no(kind: &'static str, why: (&'static str, &'static str)) -> Self {
        Self { kind, status: "False", why, severity: "" }
    }

    pub(crate) const fn unknown(kind: &'static str, why: (&'static str, &'static str)) -> Self {
        Self { kind, status: "Unknown", why, severity: "" }
    }

    /// The same, of that severity.
    #[must_use]
    pub(crate) const fn info(mut self) -> Self {
        self.severity = "Info";
        self
    }

    /// The same under another name: what makes the whole object (un)ready.
    #[must_use]
    pub(crate) const fn named(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self.severity = "";
        self
    }

    pub(crate) fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// The conditions of `status`, ordered by name as Knative writes them.
pub(crate) fn render(status: &Value, now: &str, wanted: &[Condition]) -> Value {
    let old = |kind: &str| {
        let all = status["conditions"].as_array().into_iter().flatten();
        all.clone().find(|one| one["type"] == kind)
    };
    let mut sorted = wanted.to_vec();
    sorted.sort_by_key(|condition| condition.kind);
    let rendered = sorted.iter().map(|condition| {
        let same = old(condition.kind).filter(|one| one["status"] == condition.status);
        let since = same.map_or_else(|| now.into(), |one| one["lastTransitionTime"].clone());
        let mut fields = Map::new();
        fields.insert("lastTransitionTime".to_owned(), since);
        let texts = [
            ("message", condition.why.1),
            ("reason", condition.why.0),
            ("severity", condition.severity),
        ];
        for (field, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            fields.insert(field.to_owned(), text.into());
        }
        fields.insert("status".to_owned(), condition.status.into());
        fields.insert("type".to_owned(), condition.kind.into());
        Value::from(fields)
    });
    json!(rendered.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_has_a_new_time() {
        let first = json!({ "conditions": render(
            &json!({}),
            "T1",
            &[Condition::yes("Ready"), Condition::no("Active", ("NoTraffic", "none"))],
        ) });
        assert_eq!(first["conditions"][0]["type"], "Active");
        let second =
            render(&first, "T2", &[Condition::yes("Ready"), Condition::yes("Active").info()]);
        assert_eq!(
            second,
            json!([
                { "lastTransitionTime": "T2", "severity": "Info", "status": "True", "type": "Active" },
                { "lastTransitionTime": "T1", "status": "True", "type": "Ready" },
            ])
        );
    }
}
