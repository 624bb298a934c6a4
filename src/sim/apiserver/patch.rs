//! Patches: JSON patch, merge patch, strategic merge patch, and apply as a merge.

use serde_json::Map;
use serde_json::Value;

use crate::sim::resources::Resource;
use crate::sim::status::Status;

/// By which field the lists of known names are merged, as the types of Kubernetes say.
const MERGE_KEYS: &[(&str, &str)] = &[
    ("conditions", "type"),
    ("containers", "name"),
    ("env", "name"),
    ("imagePullSecrets", "name"),
    ("initContainers", "name"),
    ("ownerReferences", "uid"),
    ("tolerations", "key"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];

/// The object after the patch.
pub(crate) fn patched(
    resource: &Resource,
    (media_type, patch): (&str, &[u8]),
    before: &Value,
) -> Result<Value, Status> {
    let mut after = before.clone();
    match media_type {
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_slice(patch).map_err(unreadable)?;
            json_patch::patch(&mut after, &patch).map_err(|error| {
                let name = before["metadata"]["name"].as_str().unwrap_or_default();
                Status::invalid(resource, name, error.to_string())
            })?;
        }
        "application/merge-patch+json" => json_patch::merge(&mut after, &json(patch)?),
        "application/strategic-merge-patch+json" if !resource.is_custom() => {
            merge(&mut after, json(patch)?);
        }
        "application/apply-patch+yaml" => merge(&mut after, applied(patch)?),
        other => return Err(Status::UnsupportedMediaType(other.to_owned())),
    }
    Ok(after)
}

/// What is applied: YAML, of which JSON is a part.
pub(crate) fn applied(bytes: &[u8]) -> Result<Value, Status> {
    json(bytes).or_else(|_| serde_saphyr::from_slice(bytes).map_err(unreadable))
}

/// A JSON object.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be named in map_err")]
fn unreadable(error: impl ToString) -> Status {
    Status::BadRequest(format!("the body cannot be read: {}", error.to_string()))
}

/// Merges as a merge patch does, and lists of things by their key.
fn merge(into: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Value::Object(fields) = into else { return };
    if patch.get("$patch").is_some_and(|how| how == "replace") {
        fields.clear();
    }
    for (key, value) in patch.into_iter().filter(|(key, _)| !key.starts_with('$')) {
        if value.is_null() {
            fields.remove(&key);
            continue;
        }
        let merge_key = MERGE_KEYS.iter().find(|(list, _)| *list == key).map(|(_, key)| *key);
        let merge_key = merge_key.or_else(|| port_key(&key, &value));
        let slot = fields.entry(key).or_insert(Value::Null);
        match (merge_key, value) {
            (Some(merge_key), Value::Array(patches)) => merge_list(slot, patches, merge_key),
            (_, value) => merge(slot, value),
        }
    }
}

/// Ports of containers and of Services have different keys.
fn port_key(list: &str, patches: &Value) -> Option<&'static str> {
    let is_there = |key: &str| patches.get(0).is_some_and(|port| port.get(key).is_some());
    (list == "ports").then(|| if is_there("containerPort") { "containerPort" } else { "port" })
}

fn merge_list(into: &mut Value, patches: Vec<Value>, key: &str) {
    if !into.is_array() {
        *into = Value::Array(Vec::new());
    }
    let Value::Array(list) = into else { return };
    for patch in patches {
        let idx = list.iter().position(|one| one.get(key) == patch.get(key));
        match (idx, patch["$patch"].as_str()) {
            (_, Some("replace")) => list.clear(),
            (Some(idx), Some("delete")) => {
                list.remove(idx);
            }
            (None, Some("delete")) => {}
            (Some(idx), _) => merge(&mut list[idx], patch),
            (None, _) => {
                let mut new = Value::Null;
                merge(&mut new, patch);
                list.push(new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sim::resources;

    fn patch(media_type: &str, patch: &Value) -> Result<Value, Status> {
        let before = json!({
            "metadata": { "name": "a", "annotations": { "old": "1", "kept": "2" } },
            "spec": { "containers": [
                { "name": "x", "image": "one", "env": [{ "name": "A", "value": "1" }] },
                { "name": "y", "image": "two" },
            ] },
        });
        patched(&resources::PODS, (media_type, patch.to_string().as_bytes()), &before)
    }

    #[test]
    fn a_merge_patch_replaces_lists_and_a_strategic_one_merges_them() {
        let change = json!({
            "metadata": { "annotations": { "old": null, "new": "3" } },
            "spec": { "containers": [{ "name": "x", "env": [{ "name": "B", "value": "2" }] }] },
        });
        let merged = patch("application/merge-patch+json", &change).unwrap();
        assert_eq!(merged["metadata"]["annotations"], json!({ "kept": "2", "new": "3" }));
        assert_eq!(merged["spec"], change["spec"]);

        let merged = patch("application/strategic-merge-patch+json", &change).unwrap();
        assert_eq!(merged["metadata"]["annotations"], json!({ "kept": "2", "new": "3" }));
        let containers = &merged["spec"]["containers"];
        assert_eq!(containers.as_array().unwrap().len(), 2);
        assert_eq!(containers[0]["image"], "one");
        assert_eq!(containers[0]["env"].as_array().unwrap().len(), 2);

        let change = json!({ "spec": { "containers": [{ "name": "x", "$patch": "delete" }] } });
        let merged = patch("application/strategic-merge-patch+json", &change).unwrap();
        assert_eq!(merged["spec"]["containers"], json!([{ "name": "y", "image": "two" }]));
    }

    #[test]
    fn a_json_patch_is_followed_or_refused_as_a_whole() {
        let change = json!([
            { "op": "test", "path": "/metadata/annotations/old", "value": "1" },
            { "op": "remove", "path": "/metadata/annotations/old" },
            { "op": "replace", "path": "/spec/containers/1/image", "value": "three" },
        ]);
        let after = patch("application/json-patch+json", &change).unwrap();
        assert_eq!(after["metadata"]["annotations"], json!({ "kept": "2" }));
        assert_eq!(after["spec"]["containers"][1]["image"], "three");
        let change = json!([{ "op": "test", "path": "/metadata/name", "value": "b" }]);
        assert_eq!(patch("application/json-patch+json", &change).unwrap_err().code(), 422);
        assert_eq!(patch("text/plain", &change).unwrap_err().code(), 415);
    }

    #[test]
    fn what_is_applied_may_be_yaml() {
        let text = b"metadata:\n  name: a\n  annotations:\n    new: \"3\"\n";
        let after =
            patched(&resources::PODS, ("application/apply-patch+yaml", text), &json!({})).unwrap();
        assert_eq!(after, json!({ "metadata": { "name": "a", "annotations": { "new": "3" } } }));
    }
}
