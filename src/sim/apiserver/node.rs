//! What the API server passes on to nodes: logs, and requests to pods and Services.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::Value;

use crate::sim::apiserver::answer;
use crate::sim::apiserver::path::Place;
use crate::sim::apiserver::query::Query;
use crate::sim::backstage::Backstage;
use crate::sim::backstage::BodyError;
use crate::sim::backstage::LocalBody;
use crate::sim::backstage::LogRequest;
use crate::sim::backstage::Target;
use crate::sim::fault::Faulty;
use crate::sim::fault::ProxyFault;
use crate::sim::resources;
use crate::sim::stamp;
use crate::sim::status::Status;
use crate::sim::store::SharedStore;
use crate::units::UnixMicros;

/// The size of an answer that is far too long, in pieces of one MiB.
const N_HUGE_PIECES: usize = 64;

/// The lines of a container.
pub(crate) fn log(
    store: &SharedStore,
    backstage: &impl Backstage,
    (place, name): (&Place, &str),
    query: &Query,
) -> Result<Response<LocalBody>, Status> {
    if *place.resource != resources::PODS {
        return Err(Status::NoSuchPath);
    }
    let clock = store.borrow().clock();
    let pod = store.borrow().get(&resources::PODS, place.namespace(), name);
    let pod = pod.ok_or_else(|| Status::not_found(&resources::PODS, name))?;
    let container = container(&pod, name, query.get("container"))?;
    if query.is_set("previous") {
        let why =
            format!("previous terminated container \"{container}\" in pod \"{name}\" not found");
        return Err(Status::BadRequest(why));
    }
    let since = match (query.number("sinceSeconds")?, query.get("sinceTime")) {
        (Some(secs), None) => Some(Duration::from_secs(secs)).map(|span| {
            let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            UnixMicros(clock.wall().0.saturating_sub(micros))
        }),
        (None, Some(time)) => Some(UnixMicros::parse(time).ok_or_else(|| {
            Status::BadRequest(format!("sinceTime: \"{time}\" is not a time of RFC 3339"))
        })?),
        (None, None) => None,
        (Some(_), Some(_)) => {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            return Err(Status::invalid(&resources::PODS, name, why));
        }
    };
    let lines = backstage.logs(&LogRequest {
        namespace: place.namespace().to_owned(),
        pod: name.to_owned(),
        container,
        follow: query.is_set("follow"),
        tail: query.number("tailLines")?,
        since,
    });
    let has_stamps = query.is_set("timestamps");
    let frames = lines.map(move |line| {
        let text = if has_stamps {
            format!("{} {}\n", stamp::micros(line.at), line.text)
        } else {
            format!("{}\n", line.text)
        };
        Ok::<_, BodyError>(Frame::data(Bytes::from(text)))
    });
    Ok(answer::stream(StatusCode::OK, "text/plain", Box::pin(StreamBody::new(frames))))
}

/// The container that is meant, if it is clear.
fn container(pod: &Value, name: &str, wanted: Option<&str>) -> Result<String, Status> {
    let names: Vec<_> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["name"].as_str())
        .collect();
    match (wanted, &names[..]) {
        (Some(wanted), names) if names.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => {
            Err(Status::BadRequest(format!("container {wanted} is not valid for pod {name}")))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, names) => Err(Status::BadRequest(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            names.join(" ")
        ))),
    }
}

/// A request to a pod or Service. `tail` is the path behind `proxy`.
pub(crate) async fn proxy(
    (store, backstage): (&SharedStore, &impl Backstage),
    (place, tail): (&Place, &str),
    faulty: &Faulty,
    request: Request<Bytes>,
) -> Result<Response<LocalBody>, Status> {
    if ![&resources::PODS, &resources::SERVICES].contains(&place.resource) {
        return Err(Status::NoSuchPath);
    }
    let to = target(place)?;
    if store.borrow().get(place.resource, &to.namespace, &to.name).is_none() {
        return Err(Status::not_found(place.resource, &to.name));
    }
    let port = to.port.as_deref().unwrap_or_default();
    if let Some(fault) = faulty.proxy.get(port) {
        return Ok(wrong(*fault).await);
    }
    if faulty.silent.contains(&to.name) {
        let why = "error trying to reach service: dial tcp: connect: no route to host";
        return Err(Status::Unavailable(why.to_owned()));
    }
    let request = seen_by_pod(request, tail)?;
    let response = if *place.resource == resources::PODS {
        backstage.pod_proxy(&to, request).await
    } else {
        backstage.service_proxy(&to, request).await
    };
    match &faulty.vanished_metric {
        Some(name) => Ok(without(name, response).await),
        None => Ok(response),
    }
}

/// `[SCHEME:]NAME[:PORT]`, as a path names it.
fn target(place: &Place) -> Result<Target, Status> {
    let name = place.name.as_deref().unwrap_or_default();
    let (name, port) = match name.split(':').collect::<Vec<_>>()[..] {
        [name] => (name, ""),
        [name, port] | ["http" | "https" | "", name, port] => (name, port),
        _ => return Err(Status::BadRequest(format!("invalid pod request \"{name}\""))),
    };
    let port = (!port.is_empty()).then(|| port.to_owned());
    Ok(Target { namespace: place.namespace().to_owned(), name: name.to_owned(), port })
}

/// The request with the path that the pod sees.
fn seen_by_pod(mut request: Request<Bytes>, tail: &str) -> Result<Request<Bytes>, Status> {
    let path = if tail.starts_with('/') { tail } else { "/" };
    let uri = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    *request.uri_mut() = uri.parse().map_err(|_| Status::NoSuchPath)?;
    Ok(request)
}

async fn wrong(fault: ProxyFault) -> Response<LocalBody> {
    match fault {
        ProxyFault::Hang => std::future::pending().await,
        ProxyFault::Garbage => {
            let bytes: Vec<u8> = (0..=u8::MAX).rev().cycle().take(4096).collect();
            answer::body(StatusCode::OK, "application/octet-stream", bytes)
        }
        ProxyFault::Huge => {
            let piece = Bytes::from(vec![b'#'; 1 << 20]);
            let pieces = std::iter::repeat_n(piece, N_HUGE_PIECES);
            let frames = pieces.map(|piece| Ok::<_, BodyError>(Frame::data(piece)));
            let body = StreamBody::new(futures::stream::iter(frames));
            answer::stream(StatusCode::OK, "text/plain", Box::pin(body))
        }
    }
}

/// An answer in text without the lines of a metric.
async fn without(name: &str, response: Response<LocalBody>) -> Response<LocalBody> {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    let is_text = media_type.is_some_and(|one| one.as_bytes().starts_with(b"text/plain"));
    if !is_text {
        return response;
    }
    let (head, body) = response.into_parts();
    // What the world answers is in memory already.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let text: String = String::from_utf8_lossy(&bytes)
        .split_inclusive('\n')
        .filter(|line| {
            let line = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
            !line.starts_with(name)
        })
        .collect();
    Response::from_parts(head, crate::sim::backstage::full(text))
}
