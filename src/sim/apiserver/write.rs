//! Creating, changing and deleting.

use std::rc::Rc;
use std::time::Duration;

use http::Response;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::sim::apiserver::answer;
use crate::sim::apiserver::answer::Form;
use crate::sim::apiserver::patch;
use crate::sim::apiserver::path::Place;
use crate::sim::apiserver::query::Query;
use crate::sim::apiserver::scale;
use crate::sim::apiserver::select::Selector;
use crate::sim::backstage::LocalBody;
use crate::sim::resources;
use crate::sim::status::Status;
use crate::sim::store::SharedStore;
use crate::sim::store::meta_text;
use crate::units::UnixMicros;

/// A request that writes.
pub(crate) struct Write<'a> {
    pub(crate) store: &'a SharedStore,
    pub(crate) place: &'a Place,
    pub(crate) query: &'a Query,
    /// The type of the body, without parameters.
    pub(crate) media_type: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) form: Form,
}

type Answer = Result<Response<LocalBody>, Status>;

// === impl Write ===

impl Write<'_> {
    /// POST to a collection.
    pub(crate) fn create(&self) -> Answer {
        self.check()?;
        self.create_this(self.object()?)
    }

    /// PUT of an object.
    pub(crate) fn replace(&self, name: &str) -> Answer {
        self.check()?;
        let object = self.object()?;
        self.write(name, &object)
    }

    /// PATCH of an object; what is applied is made if it is not there.
    pub(crate) fn patch(&self, name: &str) -> Answer {
        self.check()?;
        let resource = self.place.resource;
        let is_applied = self.media_type == "application/apply-patch+yaml";
        if is_applied && self.query.get("fieldManager").is_none() {
            let why = "fieldManager: Required value: is required for apply patch";
            return Err(Status::BadRequest(why.to_owned()));
        }
        let before = self.store.borrow().get(resource, self.place.namespace(), name);
        let Some(before) = before else {
            if is_applied && self.place.subresource.is_none() {
                let mut object = patch::applied(self.body)?;
                object["metadata"]["name"] = name.into();
                return self.create_this(object);
            }
            return Err(Status::not_found(resource, name));
        };
        let before = match self.place.subresource.as_deref() {
            Some("scale") => scale::of(&before),
            _ => Value::clone(&before),
        };
        let after = patch::patched(resource, (self.media_type, self.body), &before)?;
        self.write(name, &after)
    }

    /// DELETE of an object.
    pub(crate) fn delete(&self, name: &str) -> Answer {
        self.check()?;
        let resource = self.place.resource;
        let options = self.delete_options()?;
        let before = self.store.borrow().get(resource, self.place.namespace(), name);
        let before = before.ok_or_else(|| Status::not_found(resource, name))?;
        for field in ["uid", "resourceVersion"] {
            let wanted = options["preconditions"][field].as_str();
            if wanted.is_some_and(|wanted| wanted != meta_text(&before, field)) {
                let name = name.to_owned();
                return Err(Status::Conflict { resource: resource.qualified(), name });
            }
        }
        let grace = self.grace(&options)?;
        let now = self.store.borrow().clock().wall();
        if self.is_dry() {
            return Ok(self.answer(StatusCode::OK, before, now));
        }
        let mut store = self.store.borrow_mut();
        let last = store.delete(resource, self.place.namespace(), name, grace)?;
        let is_gone = store.get(resource, self.place.namespace(), name).is_none();
        // As Kubernetes does: who is gone is confirmed, who still goes is shown.
        if is_gone && *resource != resources::PODS {
            let done = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {
                    "name": name, "group": resource.group, "kind": resource.plural,
                    "uid": last["metadata"]["uid"],
                },
            });
            return Ok(answer::json(StatusCode::OK, &done));
        }
        Ok(self.answer(StatusCode::OK, last, now))
    }

    /// DELETE of a collection.
    pub(crate) fn delete_all(&self) -> Answer {
        self.check()?;
        let resource = self.place.resource;
        let selector = Selector::parse(resource, self.query)?;
        let grace = self.grace(&self.delete_options()?)?;
        let mut store = self.store.borrow_mut();
        let mut items = store.list(resource, self.place.namespace.as_deref());
        items.retain(|item| selector.matches(item));
        if !self.is_dry() {
            for item in &items {
                let (namespace, name) = (meta_text(item, "namespace"), meta_text(item, "name"));
                // It may have gone with one that was deleted before it.
                let _ = store.delete(resource, namespace, name, grace);
            }
        }
        let metadata = json!({ "resourceVersion": store.version().to_string() });
        let now = store.clock().wall();
        Ok(answer::json(StatusCode::OK, &self.form.list(resource, (&items, &metadata), now)))
    }

    fn create_this(&self, mut object: Value) -> Answer {
        let resource = self.place.resource;
        self.check_kind(&object)?;
        self.put_in_namespace(&mut object)?;
        let namespace = self.place.namespace();
        let mut store = self.store.borrow_mut();
        if resource.namespaced && store.get(&resources::NAMESPACES, "", namespace).is_none() {
            return Err(Status::not_found(&resources::NAMESPACES, namespace));
        }
        // What is there in fact is not for the client to say.
        if resource.subresources.contains(&"status")
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        if *resource == resources::PODS {
            object["status"] = json!({ "phase": "Pending" });
        }
        if *resource == resources::NAMESPACES {
            object["status"] = json!({ "phase": "Active" });
        }
        if self.is_dry() {
            return Ok(self.answer(StatusCode::CREATED, object, store.clock().wall()));
        }
        let object = store.create(resource, object)?;
        Ok(self.answer(StatusCode::CREATED, object, store.clock().wall()))
    }

    /// Writes what the client made of an object, or of a part of it.
    fn write(&self, name: &str, wish: &Value) -> Answer {
        let resource = self.place.resource;
        let mut wish = wish.clone();
        if !wish.is_object() {
            return Err(Status::BadRequest("the object is not a JSON object".to_owned()));
        }
        self.put_in_namespace(&mut wish)?;
        let named = meta_text(&wish, "name");
        if named != name {
            return Err(Status::BadRequest(format!(
                "the name of the object ({named}) does not match the name on the URL ({name})"
            )));
        }
        let mut store = self.store.borrow_mut();
        let before = store.get(resource, self.place.namespace(), name);
        let before = before.ok_or_else(|| Status::not_found(resource, name))?;
        let has_status = resource.subresources.contains(&"status");
        let (after, is_scale) = match self.place.subresource.as_deref() {
            Some("scale") => (scale::set(resource, &before, &wish)?, true),
            Some("status") if has_status => {
                let mut after = with_field(&before, &wish, "status");
                // At which version the status was read is for its writer to say.
                after["metadata"]["resourceVersion"] = wish["metadata"]["resourceVersion"].clone();
                (after, false)
            }
            None => {
                self.check_kind(&wish)?;
                let after = if has_status { with_field(&wish, &before, "status") } else { wish };
                (after, false)
            }
            Some(_) => return Err(Status::NoSuchPath),
        };
        let after = if self.is_dry() { after } else { store.update(resource, after)? };
        if is_scale {
            return Ok(answer::json(StatusCode::OK, &scale::of(&after)));
        }
        Ok(self.answer(StatusCode::OK, after, store.clock().wall()))
    }

    fn answer(
        &self,
        code: StatusCode,
        object: impl Into<Rc<Value>>,
        now: UnixMicros,
    ) -> Response<LocalBody> {
        answer::json(code, &self.form.object(self.place.resource, &object.into(), now))
    }

    fn check(&self) -> Result<(), Status> {
        let resource = self.place.resource;
        // Other views of an object cannot be written.
        if resource.read_only || resource.stored_as.is_some() {
            return Err(Status::MethodNotAllowed);
        }
        Ok(())
    }

    fn object(&self) -> Result<Value, Status> {
        match self.media_type {
            "application/json" | "" => patch::json(self.body),
            "application/yaml" => patch::applied(self.body),
            other => Err(Status::UnsupportedMediaType(other.to_owned())),
        }
    }

    fn check_kind(&self, object: &Value) -> Result<(), Status> {
        let resource = self.place.resource;
        let (version, kind) = (resource.api_version(), resource.kind);
        let fits = |field: &str, expected: &str| {
            object.get(field).is_none_or(|value| value.as_str() == Some(expected))
        };
        if fits("apiVersion", &version) && fits("kind", kind) {
            return Ok(());
        }
        let why = format!(
            "{} in version {} cannot be handled as a {kind} in version {version}",
            object["kind"], object["apiVersion"],
        );
        Err(Status::BadRequest(why))
    }

    fn put_in_namespace(&self, object: &mut Value) -> Result<(), Status> {
        let Some(namespace) = &self.place.namespace else { return Ok(()) };
        match object["metadata"]["namespace"].as_str() {
            Some(own) if !own.is_empty() && own != namespace => Err(Status::BadRequest(
                "the namespace of the provided object does not match the namespace sent on the request"
                    .to_owned(),
            )),
            _ if object.is_object() && (object["metadata"].is_object() || object["metadata"].is_null()) => {
                object["metadata"]["namespace"] = namespace.as_str().into();
                Ok(())
            }
            _ => Err(Status::BadRequest("the object is not a JSON object".to_owned())),
        }
    }

    fn delete_options(&self) -> Result<Value, Status> {
        if self.body.is_empty() { Ok(Value::Null) } else { patch::json(self.body) }
    }

    fn grace(&self, options: &Value) -> Result<Option<Duration>, Status> {
        let secs = self.query.number("gracePeriodSeconds")?;
        let secs = secs.or_else(|| options["gracePeriodSeconds"].as_u64());
        Ok(secs.map(Duration::from_secs))
    }

    fn is_dry(&self) -> bool {
        self.query.get("dryRun").is_some()
    }
}

/// The object `into` with a field of `from`.
fn with_field(into: &Value, from: &Value, field: &str) -> Value {
    let mut object = into.clone();
    match from.get(field) {
        Some(value) => object[field] = value.clone(),
        None => {
            if let Some(fields) = object.as_object_mut() {
                fields.remove(field);
            }
        }
    }
    object
}
