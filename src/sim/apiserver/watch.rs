//! A watch: one line of JSON for each change, until time is over.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::sim::apiserver::answer::Form;
use crate::sim::apiserver::path::Place;
use crate::sim::apiserver::query::Query;
use crate::sim::apiserver::select::Selector;
use crate::sim::backstage::LocalBody;
use crate::sim::fault::Faulty;
use crate::sim::resources::Resource;
use crate::sim::status::Status;
use crate::sim::store::Change;
use crate::sim::store::SharedStore;
use crate::sim::store::Verb;
use crate::units::At;

/// Bookmarks come so often.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// A watch ends after so long if the client does not say; a real server takes 30 to 60 minutes.
const LONGEST: Duration = Duration::from_secs(1800);

/// Tells that the objects there were have been told.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// A watch at work.
struct Watch {
    store: SharedStore,
    resource: &'static Resource,
    namespace: Option<String>,
    selector: Selector,
    form: Form,
    /// What was told already.
    version: u64,
    /// What to tell before any change.
    first: Option<Vec<u8>>,
    news: watch::Receiver<u64>,
    faults: watch::Receiver<Faulty>,
    n_watches_ended: u64,
    clock: Clock,
    until: At,
    next_bookmark: At,
    has_bookmarks: bool,
    is_over: bool,
}

/// Starts a watch. As in Kubernetes, what is wrong with the version is told in the stream.
pub(crate) fn start(
    store: &SharedStore,
    faults: watch::Receiver<Faulty>,
    place: &Place,
    query: &Query,
    form: Form,
) -> Result<LocalBody, Status> {
    let mut selector = Selector::parse(place.resource, query)?;
    if let Some(name) = &place.name {
        selector = selector.named(name);
    }
    let version: Option<u64> = query.number("resourceVersion")?;
    let version = version.filter(|version| *version != 0);
    let streams_list = query.is_set("sendInitialEvents");
    if streams_list && query.get("resourceVersionMatch") != Some("NotOlderThan") {
        let why = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting \
                   resourceVersionMatch to NotOlderThan";
        return Err(Status::invalid(place.resource, "", why));
    }
    let span = query.number("timeoutSeconds")?.filter(|secs| *secs != 0);
    let span = span.map_or(LONGEST, Duration::from_secs);
    let (current, clock) = (store.borrow().version(), store.borrow().clock());
    let n_watches_ended = faults.borrow().n_watches_ended;
    let mut watch = Watch {
        store: Rc::clone(store),
        resource: place.resource,
        namespace: place.namespace.clone(),
        selector,
        form,
        version: version.unwrap_or(current),
        first: None,
        news: store.borrow().subscribe(),
        faults,
        n_watches_ended,
        clock,
        until: clock.at() + span,
        next_bookmark: clock.at() + BOOKMARK_EVERY,
        has_bookmarks: query.is_set("allowWatchBookmarks"),
        is_over: false,
    };
    if let Some(asked) = version.filter(|asked| current < *asked) {
        watch.first = Some(watch.error(&Status::TooLargeVersion { asked, current }));
    } else if streams_list || version.is_none() {
        watch.first = Some(watch.all_there_is(streams_list));
        watch.version = current;
    }
    let lines = futures::stream::unfold(watch, async |mut watch| {
        let bytes = watch.next().await?;
        Some((Ok(Frame::data(Bytes::from(bytes))), watch))
    });
    Ok(Box::pin(StreamBody::new(lines.boxed_local())))
}

// === impl Watch ===

impl Watch {
    /// The next lines; `None` at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(first) = self.first.take()
            && !first.is_empty()
        {
            return Some(first);
        }
        while !self.is_over {
            // Before looking: what comes while we look is new again.
            self.news.mark_unchanged();
            let lines = self.changes();
            if !lines.is_empty() {
                return Some(lines);
            }
            let n = self.n_watches_ended;
            tokio::select! { biased;
                () = ended(&mut self.faults, n) => {
                    let oldest = self.store.borrow().version();
                    return Some(self.error(&Status::Expired { asked: self.version, oldest }));
                }
                changed = self.news.changed() => self.is_over = changed.is_err(),
                () = tokio::time::sleep_until(self.clock.instant(self.until)) => {
                    self.is_over = true;
                    // So that the next watch begins where this one was.
                    return self.has_bookmarks.then(|| self.bookmark(false));
                }
                () = tokio::time::sleep_until(self.clock.instant(self.next_bookmark)), if self.has_bookmarks => {
                    self.next_bookmark = self.next_bookmark + BOOKMARK_EVERY;
                    return Some(self.bookmark(false));
                }
            }
        }
        None
    }

    /// What changed since it was last asked.
    fn changes(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        let store = Rc::clone(&self.store);
        let store = store.borrow();
        match store.since(self.version) {
            Ok(changes) => {
                let key = self.resource.key();
                for change in changes.filter(|change| change.key == key) {
                    if let Some(verb) = self.verb(change) {
                        self.push(&mut lines, verb, &change.object);
                    }
                }
                self.version = store.version();
            }
            Err(status) => lines = self.error(&status),
        }
        lines
    }

    /// What a change is to one who sees the selected objects only.
    fn verb(&self, change: &Change) -> Option<&'static str> {
        let is_seen = |object: &Value| {
            let namespace = object["metadata"]["namespace"].as_str();
            self.namespace.as_deref().is_none_or(|wanted| Some(wanted) == namespace)
                && self.selector.matches(object)
        };
        let was = change.before.as_ref().is_some_and(|object| is_seen(object));
        let is = change.verb != Verb::Deleted && is_seen(&change.object);
        match (was, is) {
            (false, false) => None,
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
        }
    }

    /// Every object as if it were new.
    fn all_there_is(&mut self, ends_with_bookmark: bool) -> Vec<u8> {
        let all = self.store.borrow().list(self.resource, self.namespace.as_deref());
        let mut lines = Vec::new();
        for object in all.iter().filter(|object| self.selector.matches(object)) {
            self.push(&mut lines, "ADDED", object);
        }
        if ends_with_bookmark && self.has_bookmarks {
            self.version = self.store.borrow().version();
            lines.extend(self.bookmark(true));
        }
        lines
    }

    fn bookmark(&self, is_end_of_list: bool) -> Vec<u8> {
        let mut metadata =
            json!({ "resourceVersion": self.version.to_string(), "creationTimestamp": null });
        if is_end_of_list {
            metadata["annotations"] = json!({ INITIAL_EVENTS_END: "true" });
        }
        let object = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(),
            "metadata": metadata,
        });
        let mut line = Vec::new();
        // Who watches a table gets one without rows.
        let object = match self.form {
            Form::Table(_) => {
                self.form.list(self.resource, (&[], &object["metadata"]), self.clock.wall())
            }
            Form::Whole | Form::Metadata => object,
        };
        push_line(&mut line, "BOOKMARK", &object);
        line
    }

    /// The last line.
    fn error(&mut self, status: &Status) -> Vec<u8> {
        self.is_over = true;
        let mut line = Vec::new();
        push_line(&mut line, "ERROR", &status.object());
        line
    }

    fn push(&self, lines: &mut Vec<u8>, verb: &str, object: &Rc<Value>) {
        let object = self.form.object(self.resource, object, self.clock.wall());
        push_line(lines, verb, &object);
    }
}

/// Returns when the watches that began when `n` had been ended are ended too.
async fn ended(faults: &mut watch::Receiver<Faulty>, n: u64) {
    // Nobody can end it, or mind it, when the server is gone.
    let _ = faults.wait_for(|faulty| faulty.n_watches_ended != n).await;
}

fn push_line(lines: &mut Vec<u8>, verb: &str, object: &Value) {
    lines.extend_from_slice(json!({ "type": verb, "object": object }).to_string().as_bytes());
    lines.push(b'\n');
}
