//! As much of `OpenAPI` v3 as `kubectl` needs to see that fields are validated here, so that it does
//! not want to do that itself.

use http::Response;
use http::StatusCode;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sim::apiserver::answer;
use crate::sim::apiserver::discovery;
use crate::sim::backstage::LocalBody;
use crate::sim::resources;
use crate::sim::resources::Resource;
use crate::sim::status::Status;

/// `/openapi/v3` and what is below it. There is no v2, which `kubectl` would want in protobuf.
pub(crate) fn answer(rest: &[&str]) -> Result<Response<LocalBody>, Status> {
    let document = match rest {
        ["v3"] => index(),
        ["v3", "api", version] => document("", version)?,
        ["v3", "apis", group, version] => document(group, version)?,
        _ => return Err(Status::NoSuchPath),
    };
    Ok(answer::json(StatusCode::OK, &document))
}

fn index() -> Value {
    let mut paths = Map::new();
    for one in resources::ALL {
        let path = root(one);
        let url = format!("/openapi/v3{path}");
        paths.insert(path.trim_start_matches('/').to_owned(), json!({ "serverRelativeURL": url }));
    }
    json!({ "paths": paths })
}

/// The path below which the resource's group is.
fn root(resource: &Resource) -> String {
    let prefix = if resource.group.is_empty() { "/api" } else { "/apis" };
    format!("{prefix}/{}", resource.api_version())
}

fn document(group: &str, version: &str) -> Result<Value, Status> {
    let mut paths = Map::new();
    for one in resources::ALL {
        if (one.group, one.version) == (group, version) {
            let scope = if one.namespaced { "/namespaces/{namespace}" } else { "" };
            let path = format!("{}{scope}/{}/{{name}}", root(one), one.plural);
            paths.insert(path, operations(one));
        }
    }
    if paths.is_empty() {
        return Err(Status::NoSuchPath);
    }
    Ok(json!({
        "openapi": "3.0.0", "info": { "title": "rampscope sim", "version": "1" }, "paths": paths,
        "components": { "schemas": {} },
    }))
}

fn operations(resource: &Resource) -> Value {
    let kind = json!({
        "group": resource.group, "version": resource.version, "kind": resource.kind,
    });
    let parameter =
        |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    let mut operations = Map::new();
    let verbs = discovery::verbs(resource);
    for (verb, method) in
        [("get", "get"), ("update", "put"), ("patch", "patch"), ("delete", "delete")]
    {
        if verbs.contains(&verb) {
            let parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
            operations.insert(
                method.to_owned(),
                json!({
                    "parameters": parameters, "x-kubernetes-group-version-kind": kind,
                    "responses": { "200": { "description": "OK" } },
                }),
            );
        }
    }
    operations.into()
}
