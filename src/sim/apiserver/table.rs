//! Tables: what `kubectl get` shows, worked out by the server.

use std::rc::Rc;

use serde_json::Value;
use serde_json::json;

use crate::sim::apiserver::answer;
use crate::sim::resources::Resource;
use crate::units::UnixMicros;

/// What of each object comes with its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    Nothing,
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
}

// === impl Include ===

impl Include {
    /// Of the query's `includeObject`.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        match text {
            Some("None") => Self::Nothing,
            Some("Object") => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// A table of these objects.
pub(crate) fn of(
    resource: &Resource,
    objects: &[Rc<Value>],
    metadata: &Value,
    (include, now): (Include, UnixMicros),
) -> Value {
    let columns: Vec<_> = resource
        .columns
        .iter()
        .map(|column| {
            json!({
                "name": column.name, "type": column.kind,
                "format": if column.name == "Name" { "name" } else { "" },
                "description": "", "priority": u8::from(column.is_wide),
            })
        })
        .collect();
    let rows: Vec<_> = objects.iter().map(|object| row(resource, object, include, now)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns, "rows": rows,
    })
}

fn row(resource: &Resource, object: &Value, include: Include, now: UnixMicros) -> Value {
    let cells: Vec<_> = resource.columns.iter().map(|column| column.of(object, now)).collect();
    let mut row = json!({ "cells": cells });
    match include {
        Include::Nothing => {}
        Include::Metadata => row["object"] = answer::metadata_only(object),
        Include::Object => row["object"] = answer::view(resource, object),
    }
    row
}
