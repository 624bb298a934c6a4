//! Getting and listing.

use std::rc::Rc;

use http::Response;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::sim::apiserver::answer;
use crate::sim::apiserver::answer::Form;
use crate::sim::apiserver::path::Place;
use crate::sim::apiserver::query::Query;
use crate::sim::apiserver::scale;
use crate::sim::apiserver::select::Selector;
use crate::sim::backstage::Backstage;
use crate::sim::backstage::LocalBody;
use crate::sim::resources;
use crate::sim::status::Status;
use crate::sim::store::SharedStore;
use crate::sim::store::meta_text;

/// One object.
pub(crate) fn get(
    store: &SharedStore,
    backstage: &impl Backstage,
    (place, name): (&Place, &str),
    form: Form,
) -> Result<Response<LocalBody>, Status> {
    let object = if place.resource.read_only {
        let all = computed(backstage, place);
        all.into_iter().find(|object| meta_text(object, "name") == name)
    } else {
        store.borrow().get(place.resource, place.namespace(), name)
    };
    let object = object.ok_or_else(|| Status::not_found(place.resource, name))?;
    if place.subresource.as_deref() == Some("scale") {
        return Ok(answer::json(StatusCode::OK, &scale::of(&object)));
    }
    let now = store.borrow().clock().wall();
    Ok(answer::json(StatusCode::OK, &form.object(place.resource, &object, now)))
}

/// A collection, or a piece of it.
pub(crate) fn list(
    store: &SharedStore,
    backstage: &impl Backstage,
    (place, query): (&Place, &Query),
    form: Form,
) -> Result<Response<LocalBody>, Status> {
    let selector = Selector::parse(place.resource, query)?;
    let current = store.borrow().version();
    let asked: Option<u64> = query.number("resourceVersion")?;
    if let Some(asked) = asked.filter(|asked| current < *asked) {
        return Err(Status::TooLargeVersion { asked, current });
    }
    if query.get("resourceVersionMatch") == Some("Exact") && asked != Some(current) {
        // Old states are not kept; a real server says this of those it has compacted.
        return Err(Status::Expired { asked: asked.unwrap_or(0), oldest: current });
    }
    let mut items = if place.resource.read_only {
        computed(backstage, place)
    } else {
        store.borrow().list(place.resource, place.namespace.as_deref())
    };
    items.retain(|item| selector.matches(item));
    let mut metadata = json!({ "resourceVersion": current.to_string() });
    if let Some(token) = query.get("continue") {
        let begin = Token::parse(token)?;
        // The watch that follows begins where the first piece was.
        let _ = store.borrow().since(begin.version)?;
        items.retain(|item| begin.is_before(item));
        metadata["resourceVersion"] = begin.version.to_string().into();
    }
    let limit: Option<usize> = query.number("limit")?;
    if let Some(limit) = limit.filter(|limit| 0 < *limit && *limit < items.len()) {
        let n_left = items.len() - limit;
        items.truncate(limit);
        if let Some(last) = items.last() {
            let version = metadata["resourceVersion"].as_str().unwrap_or_default();
            let (namespace, name) = (meta_text(last, "namespace"), meta_text(last, "name"));
            metadata["continue"] = format!("{version}/{namespace}/{name}").into();
        }
        // A real server does not count what selectors would have left.
        if query.get("labelSelector").or(query.get("fieldSelector")).is_none() {
            metadata["remainingItemCount"] = n_left.into();
        }
    }
    let now = store.borrow().clock().wall();
    Ok(answer::json(StatusCode::OK, &form.list(place.resource, (&items, &metadata), now)))
}

/// What metrics-server says.
fn computed(backstage: &impl Backstage, place: &Place) -> Vec<Rc<Value>> {
    let all = if *place.resource == resources::POD_METRICS {
        backstage.pod_metrics(place.namespace.as_deref())
    } else {
        backstage.node_metrics()
    };
    all.into_iter().map(Rc::new).collect()
}

/// Where the next piece of a list begins: the version of the first piece, and the last object
/// that was given. No namespace or name has a slash in it.
struct Token<'a> {
    version: u64,
    last: (&'a str, &'a str),
}

// === impl Token ===

impl<'a> Token<'a> {
    fn parse(text: &'a str) -> Result<Self, Status> {
        let unreadable = || Status::BadRequest("continue key is not valid".to_owned());
        let mut parts = text.splitn(3, '/');
        let mut next = || parts.next().ok_or_else(unreadable);
        let version = next()?.parse().map_err(|_| unreadable())?;
        Ok(Self { version, last: (next()?, next()?) })
    }

    fn is_before(&self, object: &Value) -> bool {
        self.last < (meta_text(object, "namespace"), meta_text(object, "name"))
    }
}
