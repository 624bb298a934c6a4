//! The scale subresource of Deployments and `ReplicaSet`s.

use serde_json::Value;
use serde_json::json;

use crate::sim::resources::Resource;
use crate::sim::status::Status;
use crate::sim::store::meta_text;

/// The scale of an object.
pub(crate) fn of(object: &Value) -> Value {
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<_> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let meta = &object["metadata"];
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": { "replicas": object["spec"]["replicas"].as_u64().unwrap_or(1) },
        "status": {
            "replicas": object["status"]["replicas"].as_u64().unwrap_or(0),
            "selector": selector.join(","),
        },
    })
}

/// The object with the replicas of that scale.
pub(crate) fn set(resource: &Resource, before: &Value, scale: &Value) -> Result<Value, Status> {
    let Some(replicas) = scale["spec"]["replicas"].as_u64() else {
        let why = format!("spec.replicas: Invalid value: {}", scale["spec"]["replicas"]);
        return Err(Status::invalid(resource, meta_text(before, "name"), why));
    };
    let mut after = before.clone();
    after["spec"]["replicas"] = replicas.into();
    after["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
    Ok(after)
}
