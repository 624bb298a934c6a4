//! The API server of the embedded cluster, over HTTP.
//!
//! It speaks enough of the real one's language for `kube` and for `kubectl`, and nothing here
//! knows what a pod does: it reads and writes the store, and asks [`Backstage`] for the rest.

use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::sim::apiserver::answer::Form;
use crate::sim::apiserver::path::Place;
use crate::sim::apiserver::query::Query;
use crate::sim::apiserver::write::Write;
use crate::sim::backstage::Backstage;
use crate::sim::backstage::LocalBody;
use crate::sim::fault::Faults;
use crate::sim::resources;
use crate::sim::status::Status;
use crate::sim::store::SharedStore;
use crate::sim::task;

pub(crate) mod answer;
pub(crate) mod discovery;
pub(crate) mod node;
pub(crate) mod openapi;
pub(crate) mod patch;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod review;
pub(crate) mod scale;
pub(crate) mod select;
pub(crate) mod table;
pub(crate) mod watch;
pub(crate) mod write;

/// The longest body of a request, as in Kubernetes.
const LONGEST_BODY: usize = 3 << 20;

/// The Kubernetes whose manners it has.
const MINOR: &str = "34";

/// An API server on this thread.
#[derive(Debug)]
pub struct ApiServer<B> {
    store: SharedStore,
    backstage: Rc<B>,
    faults: Faults,
}

type Answer = Result<Response<LocalBody>, Status>;

// === impl ApiServer ===

impl<B: Backstage + 'static> ApiServer<B> {
    /// A server of these objects; what it cannot answer itself `backstage` does.
    pub const fn new(store: SharedStore, backstage: Rc<B>, faults: Faults) -> Self {
        Self { store, backstage, faults }
    }

    /// Serves one connection to its end: HTTP/1.1, or HTTP/2 with prior knowledge.
    pub async fn serve<S>(self: Rc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut faults = self.faults.subscribe();
        let service = hyper::service::service_fn(move |request| {
            let server = Rc::clone(&self);
            async move { Ok::<_, Infallible>(server.take(request).await) }
        });
        let builder = hyper_util::server::conn::auto::Builder::new(task::Local);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::select! { biased;
            _ = faults.wait_for(|faulty| faulty.api_gone) => {}
            // A connection that breaks is the client's business.
            _ = connection => {}
        }
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<LocalBody> {
        match self.route(request).await {
            Ok(response) => response,
            Err(error) => answer::status(&error),
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Response<LocalBody> {
        let (head, body) = request.into_parts();
        match Limited::new(body, LONGEST_BODY).collect().await {
            Ok(body) => self.handle(Request::from_parts(head, body.to_bytes())).await,
            Err(_) => answer::status(&Status::TooLong(LONGEST_BODY)),
        }
    }

    async fn route(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path().to_owned();
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        match &parts[..] {
            ["version"] => Ok(answer::json(StatusCode::OK, &version())),
            ["healthz" | "livez" | "readyz", ..] => {
                Ok(answer::body(StatusCode::OK, "text/plain", "ok"))
            }
            ["api"] => Ok(discovery::core(request.headers())),
            ["apis"] => Ok(discovery::groups(request.headers())),
            ["apis", group] => discovery::group(group),
            ["api", version] => discovery::version("", version),
            ["apis", group, version] => discovery::version(group, version),
            ["openapi", rest @ ..] => openapi::answer(rest),
            ["api", version, rest @ ..] => {
                self.objects(Place::parse("", version, rest)?, &path, request).await
            }
            ["apis", group, version, rest @ ..] => {
                self.objects(Place::parse(group, version, rest)?, &path, request).await
            }
            _ => Err(Status::NoSuchPath),
        }
    }

    async fn objects(&self, place: Place, path: &str, request: Request<Bytes>) -> Answer {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let faulty = self.faults.now();
        let verb = verb(request.method(), &place, &query)?;
        let qualified = place.qualified();
        if faulty.forbids(verb, &qualified) {
            return Err(Status::Forbidden { resource: qualified, verb: verb.to_owned() });
        }
        if let Some(name) = place.name.as_deref()
            && let Some(part @ ("proxy" | "log")) = place.subresource.as_deref()
        {
            return match part {
                "proxy" => {
                    let (_, tail) = path.split_once(&format!("/{name}/proxy")).unwrap_or_default();
                    let behind = (&self.store, &*self.backstage);
                    node::proxy(behind, (&place, tail), &faulty, request).await
                }
                _ if verb == "get" => {
                    node::log(&self.store, &*self.backstage, (&place, name), &query)
                }
                _ => Err(Status::MethodNotAllowed),
            };
        }
        if verb == "list" && !faulty.slow_list.is_zero() {
            tokio::time::sleep(faulty.slow_list).await;
        }
        if place.resource.is_question() {
            return match verb {
                "create" if *place.resource == resources::SELF_SUBJECT_REVIEWS => {
                    Ok(review::subject())
                }
                "create" => review::access(&faulty, request.body()),
                _ => Err(Status::MethodNotAllowed),
            };
        }
        self.stored((verb, &place, &query), &request)
    }

    /// A request for what is in the store, or is computed as if it were.
    fn stored(
        &self,
        (verb, place, query): (&str, &Place, &Query),
        request: &Request<Bytes>,
    ) -> Answer {
        if let Some(part) = &place.subresource
            && !place.resource.subresources.contains(&part.as_str())
        {
            return Err(Status::NoSuchPath);
        }
        let form = Form::of(request.headers(), query)?;
        let media_type = request.headers().get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let write = Write {
            store: &self.store,
            place,
            query,
            media_type: media_type.split(';').next().unwrap_or_default().trim(),
            body: request.body(),
            form,
        };
        match (verb, place.name.as_deref()) {
            ("watch", _) if place.resource.read_only || place.subresource.is_some() => {
                Err(Status::MethodNotAllowed)
            }
            ("watch", _) => {
                let ends = self.faults.subscribe();
                let body = watch::start(&self.store, ends, place, query, form)?;
                Ok(answer::stream(StatusCode::OK, "application/json", body))
            }
            ("get", Some(name)) => read::get(&self.store, &*self.backstage, (place, name), form),
            ("list", None) => read::list(&self.store, &*self.backstage, (place, query), form),
            ("create", None) => write.create(),
            ("update", Some(name)) => write.replace(name),
            ("patch", Some(name)) => write.patch(name),
            ("delete", Some(name)) if place.subresource.is_none() => write.delete(name),
            ("deletecollection", None) => write.delete_all(),
            _ => Err(Status::MethodNotAllowed),
        }
    }
}

/// What is asked for, in the words of RBAC.
fn verb(method: &Method, place: &Place, query: &Query) -> Result<&'static str, Status> {
    let is_one = place.name.is_some();
    match *method {
        Method::GET | Method::HEAD if query.is_set("watch") => Ok("watch"),
        Method::GET | Method::HEAD if is_one => Ok("get"),
        Method::GET | Method::HEAD => Ok("list"),
        Method::POST => Ok("create"),
        Method::PUT => Ok("update"),
        Method::PATCH => Ok("patch"),
        Method::DELETE if is_one => Ok("delete"),
        Method::DELETE => Ok("deletecollection"),
        _ => Err(Status::MethodNotAllowed),
    }
}

fn version() -> serde_json::Value {
    json!({
        "major": "1", "minor": MINOR, "gitVersion": format!("v1.{MINOR}.0+sim"),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": "sim/sim",
    })
}

#[cfg(test)]
mod tests;
