//! How answers look: whole objects, tables for `kubectl get`, or metadata alone.

use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::Value;
use serde_json::json;

use crate::sim::apiserver::query::Query;
use crate::sim::apiserver::table;
use crate::sim::apiserver::table::Include;
use crate::sim::backstage;
use crate::sim::backstage::LocalBody;
use crate::sim::resources;
use crate::sim::resources::Resource;
use crate::sim::status::Status;
use crate::units::UnixMicros;

/// What the client wants to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects.
    Whole,
    /// Their metadata.
    Metadata,
    /// A table, and this of each object.
    Table(Include),
}

// === impl Form ===

impl Form {
    /// The first form of the `Accept` header that is known.
    pub(crate) fn of(headers: &HeaderMap, query: &Query) -> Result<Self, Status> {
        let mut wishes = headers
            .get_all(header::ACCEPT)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|wish| !wish.is_empty())
            .peekable();
        if wishes.peek().is_none() {
            return Ok(Self::Whole);
        }
        wishes.find_map(|wish| Self::of_wish(wish, query)).ok_or(Status::NotAcceptable)
    }

    fn of_wish(wish: &str, query: &Query) -> Option<Self> {
        let mut parts = wish.split(';').map(str::trim);
        if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
            return None;
        }
        match parts.find_map(|part| part.strip_prefix("as=")) {
            None => Some(Self::Whole),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Metadata),
            // The older version of tables is not served any more.
            Some("Table") if wish.split(';').any(|part| part.trim() == "v=v1") => {
                Some(Self::Table(Include::parse(query.get("includeObject"))))
            }
            Some(_) => None,
        }
    }

    /// One object in this form.
    pub(crate) fn object(self, resource: &Resource, object: &Rc<Value>, now: UnixMicros) -> Value {
        match self {
            Self::Whole => view(resource, object),
            Self::Metadata => metadata_only(object),
            Self::Table(include) => {
                let version = &object["metadata"]["resourceVersion"];
                let metadata = json!({ "resourceVersion": version });
                table::of(resource, std::slice::from_ref(object), &metadata, (include, now))
            }
        }
    }

    /// A list in this form.
    pub(crate) fn list(
        self,
        resource: &Resource,
        (items, metadata): (&[Rc<Value>], &Value),
        now: UnixMicros,
    ) -> Value {
        match self {
            Self::Table(include) => table::of(resource, items, metadata, (include, now)),
            Self::Whole => {
                let items: Vec<_> = items.iter().map(|item| item_of_list(resource, item)).collect();
                json!({
                    "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(),
                    "metadata": metadata, "items": items,
                })
            }
            Self::Metadata => {
                let items: Vec<_> = items.iter().map(|item| metadata_only(item)).collect();
                json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata, "items": items,
                })
            }
        }
    }
}

/// A JSON answer.
pub(crate) fn json(code: StatusCode, value: &Value) -> Response<LocalBody> {
    body(code, "application/json", value.to_string())
}

/// An answer of any type.
pub(crate) fn body(
    code: StatusCode,
    media_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Response<LocalBody> {
    stream(code, media_type, backstage::full(bytes))
}

/// An answer that goes on.
pub(crate) fn stream(
    code: StatusCode,
    media_type: &'static str,
    body: LocalBody,
) -> Response<LocalBody> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// What went wrong.
pub(crate) fn status(status: &Status) -> Response<LocalBody> {
    let code = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(code, &status.object())
}

/// An object as its resource shows it.
pub(crate) fn view(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if *resource == resources::NEW_EVENTS
        && let Some(fields) = object.as_object_mut()
    {
        fields.insert("apiVersion".to_owned(), resource.api_version().into());
        for (old, new) in [
            ("involvedObject", "regarding"),
            ("message", "note"),
            ("source", "deprecatedSource"),
            ("firstTimestamp", "deprecatedFirstTimestamp"),
            ("lastTimestamp", "deprecatedLastTimestamp"),
            ("count", "deprecatedCount"),
            ("reportingComponent", "reportingController"),
        ] {
            if let Some(value) = fields.remove(old) {
                fields.insert(new.to_owned(), value);
            }
        }
    }
    object
}

/// As a real server does, items of lists do not say their kind, but for custom resources.
fn item_of_list(resource: &Resource, object: &Value) -> Value {
    let mut object = view(resource, object);
    if !resource.is_custom()
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

/// What is known of an object without looking into it.
pub(crate) fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}
