//! What there is: groups, versions and resources, in the old form and in the one that says all at
//! once.

use std::collections::BTreeSet;

use http::HeaderMap;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::Value;
use serde_json::json;

use crate::sim::apiserver::answer;
use crate::sim::backstage::LocalBody;
use crate::sim::resources;
use crate::sim::resources::Resource;
use crate::sim::status::Status;

/// Who asks for this gets all groups with their resources in one answer.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/api`: the core group.
pub(crate) fn core(headers: &HeaderMap) -> Response<LocalBody> {
    if wants_aggregated(headers) {
        return aggregated([""].into_iter());
    }
    let versions = json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "sim" }],
    });
    answer::json(StatusCode::OK, &versions)
}

/// `/apis`: the other groups.
pub(crate) fn groups(headers: &HeaderMap) -> Response<LocalBody> {
    let names = group_names();
    if wants_aggregated(headers) {
        return aggregated(names.into_iter());
    }
    let groups: Vec<_> = names.into_iter().map(group_object).collect();
    let list = json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups });
    answer::json(StatusCode::OK, &list)
}

/// `/apis/GROUP`.
pub(crate) fn group(name: &str) -> Result<Response<LocalBody>, Status> {
    let name = group_names().into_iter().find(|known| *known == name);
    let mut object = group_object(name.ok_or(Status::NoSuchPath)?);
    object["kind"] = "APIGroup".into();
    object["apiVersion"] = "v1".into();
    Ok(answer::json(StatusCode::OK, &object))
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub(crate) fn version(group: &str, version: &str) -> Result<Response<LocalBody>, Status> {
    let all: Vec<_> = resources::ALL
        .into_iter()
        .filter(|one| (one.group, one.version) == (group, version))
        .collect();
    let first = all.first().ok_or(Status::NoSuchPath)?;
    let list = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": first.api_version(),
        "resources": all.iter().flat_map(|one| with_parts(one)).collect::<Vec<_>>(),
    });
    Ok(answer::json(StatusCode::OK, &list))
}

/// The groups without the core one, each once.
fn group_names() -> Vec<&'static str> {
    let mut seen = BTreeSet::from([""]);
    resources::ALL.into_iter().map(|one| one.group).filter(|group| seen.insert(group)).collect()
}

/// A part of an object that has a path of its own: its name, group, version and kind of what it
/// gives, and what can be done.
type Part = (&'static str, (&'static str, &'static str, &'static str), &'static [&'static str]);

/// The parts of an object.
fn parts(resource: &Resource) -> Vec<Part> {
    let own = (resource.group, resource.version, resource.kind);
    let mut parts: Vec<_> = resource
        .subresources
        .iter()
        .map(|part| {
            let gives = if *part == "scale" { ("autoscaling", "v1", "Scale") } else { own };
            (*part, gives, &["get", "patch", "update"] as &[&str])
        })
        .collect();
    if *resource == resources::PODS {
        parts.push(("log", own, &["get"]));
    }
    if [&resources::PODS, &resources::SERVICES].contains(&resource) {
        let options =
            if *resource == resources::PODS { "PodProxyOptions" } else { "ServiceProxyOptions" };
        let verbs = &["create", "delete", "get", "patch", "update"];
        parts.push(("proxy", ("", "v1", options), verbs));
    }
    parts
}

/// What can be done with a resource.
pub(crate) fn verbs(resource: &Resource) -> &'static [&'static str] {
    if resource.is_question() {
        &["create"]
    } else if resource.stored_as.is_some() {
        &["get", "list", "watch"]
    } else {
        resource.verbs()
    }
}

fn wants_aggregated(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).into_iter().filter_map(|one| one.to_str().ok());
    let mut wishes = accept.flat_map(|one| one.split(','));
    wishes.any(|wish| {
        ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"]
            .iter()
            .all(|part| wish.split(';').any(|own| own.trim() == *part))
    })
}

fn aggregated(groups: impl Iterator<Item = &'static str>) -> Response<LocalBody> {
    let items: Vec<_> = groups
        .map(|group| {
            let all = resources::ALL.into_iter().filter(|one| one.group == group);
            let version = all.clone().map(|one| one.version).next().unwrap_or_default();
            json!({
                "metadata": { "name": group, "creationTimestamp": null },
                "versions": [{
                    "version": version, "freshness": "Current",
                    "resources": all.map(discovered).collect::<Vec<_>>(),
                }],
            })
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items,
    });
    answer::body(StatusCode::OK, AGGREGATED, list.to_string())
}

fn discovered(resource: &Resource) -> Value {
    let kind = |(group, version, kind): (&str, &str, &str)| json!({ "group": group, "version": version, "kind": kind });
    let own = kind((resource.group, resource.version, resource.kind));
    let parts: Vec<_> = parts(resource)
        .into_iter()
        .map(|(part, gives, verbs)| json!({ "subresource": part, "responseKind": kind(gives), "verbs": verbs }))
        .collect();
    let mut object = json!({
        "resource": resource.plural, "responseKind": own, "scope": scope(resource),
        "singularResource": resource.singular, "verbs": verbs(resource),
    });
    for (field, names) in
        [("shortNames", resource.short_names), ("categories", resource.categories)]
    {
        if !names.is_empty() {
            object[field] = json!(names);
        }
    }
    if !parts.is_empty() {
        object["subresources"] = parts.into();
    }
    object
}

const fn scope(resource: &Resource) -> &'static str {
    if resource.namespaced { "Namespaced" } else { "Cluster" }
}

/// The resource and its parts as `APIResource`s.
fn with_parts(resource: &Resource) -> Vec<Value> {
    let mut own = json!({
        "name": resource.plural, "singularName": resource.singular,
        "namespaced": resource.namespaced, "kind": resource.kind, "verbs": verbs(resource),
    });
    for (field, names) in
        [("shortNames", resource.short_names), ("categories", resource.categories)]
    {
        if !names.is_empty() {
            own[field] = json!(names);
        }
    }
    let mut all = vec![own];
    for (part, (group, version, kind), verbs) in parts(resource) {
        let mut object = json!({
            "name": format!("{}/{part}", resource.plural), "singularName": "",
            "namespaced": resource.namespaced, "kind": kind, "verbs": verbs,
        });
        if (group, version) != (resource.group, resource.version) {
            object["group"] = group.into();
            object["version"] = version.into();
        }
        all.push(object);
    }
    all
}

fn group_object(name: &str) -> Value {
    let first = resources::ALL.into_iter().find(|one| one.group == name);
    let version = first.map(|one| one.version).unwrap_or_default();
    let version = json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    json!({ "name": name, "versions": [version], "preferredVersion": version })
}
