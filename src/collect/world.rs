//! A pretended API server for tests: a function from request to answer, in virtual time.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::Request;
use http::Response;
use http_body_util::StreamBody;
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use serde_json::json;

use crate::bus::Bus;
use crate::bus::Sender;
use crate::bus::bus;
use crate::clock::Clock;
use crate::event::Event;
use crate::event::source::Report;

/// What the world answers.
pub(crate) enum Answer {
    /// A status and a body.
    Text(u16, String),
    /// Pieces of a body, each so many milliseconds after the one before; then it hangs or ends.
    Stream(Vec<(u64, String)>, Then),
    /// No connection.
    Refused,
    /// Nothing, ever.
    Hang,
}

/// How a stream goes on after its last piece.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    Hang,
    End,
    Repeat,
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self::Text(200, value.to_string())
    }

    /// The API server's own error.
    pub(crate) fn status(code: u16, message: &str) -> Self {
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": message, "reason": "", "code": code});
        Self::Text(code, status.to_string())
    }
}

/// A client whose requests are answered by `world`, which is told how many came before and the
/// path with its query.
pub(crate) fn client(world: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Client {
    let (world, n_requests) = (Arc::new(world), Arc::new(AtomicUsize::new(0)));
    let service = tower::service_fn(move |request: Request<Body>| {
        let n = n_requests.fetch_add(1, Ordering::Relaxed);
        let answer = world(n, &request.uri().to_string());
        respond(answer)
    });
    Client::new(service, "default")
}

type Chunks =
    std::pin::Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>>;

async fn respond(answer: Answer) -> Result<Response<StreamBody<Chunks>>, std::io::Error> {
    let (code, pieces, then) = match answer {
        Answer::Text(code, text) => (code, vec![(0, text)], Then::End),
        Answer::Stream(pieces, then) => (200, pieces, then),
        Answer::Refused => return Err(std::io::Error::other("connection refused")),
        Answer::Hang => std::future::pending().await,
    };
    let once = futures::stream::iter(pieces);
    let all = match then {
        Then::End => once.boxed(),
        Then::Hang => once.chain(futures::stream::pending()).boxed(),
        Then::Repeat => futures::stream::iter(once.collect::<Vec<_>>().await).cycle().boxed(),
    };
    let chunks = all.then(async |(millis, text): (u64, String)| {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(Frame::data(Bytes::from(text)))
    });
    let mut response = Response::new(StreamBody::new(chunks.boxed()));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
    Ok(response)
}

/// One object of a list or watch.
pub(crate) fn pod(name: &str, uid: &str, version: u32) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, "uid": uid,
                     "resourceVersion": version.to_string(),
                     "labels": {"serving.knative.dev/revision": "r"}},
        "status": {"phase": "Running", "podIP": "10.0.0.1"}})
}

/// A list of objects.
pub(crate) fn list(items: &[Value], version: u32) -> Answer {
    Answer::json(&json!({"apiVersion": "v1", "kind": "PodList",
        "metadata": {"resourceVersion": version.to_string()}, "items": items}))
}

/// A line of a watch.
pub(crate) fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": what, "object": object}))
}

/// A bus with plenty of room, and its clock.
pub(crate) fn room() -> (Sender, Bus, Clock) {
    let clock = Clock::start();
    let (sender, bus) = bus(1 << 16, clock);
    (sender, bus, clock)
}

/// What was said within so many virtual seconds: the facts, and the reports.
pub(crate) async fn said(bus: &mut Bus, secs: u64) -> (Vec<Event>, Vec<Report>) {
    let (mut facts, mut reports) = (Vec::new(), Vec::new());
    let _ = tokio::time::timeout(Duration::from_secs(secs), async {
        while let Some(stamped) = bus.recv().await {
            match stamped.event {
                Event::Source(report) => reports.push(report),
                fact => facts.push(fact),
            }
        }
    })
    .await;
    (facts, reports)
}
