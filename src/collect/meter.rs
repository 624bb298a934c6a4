//! What a source costs: requests made and bytes received, counted below the Kubernetes client.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;

/// The counters of one source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    requests: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    successes: Arc<AtomicU64>,
}

impl Meter {
    /// The same client, with every request and every received byte counted here.
    pub(crate) fn client(&self, client: &Client) -> Client {
        let (inner, meter) = (client.clone(), self.clone());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (inner, meter) = (inner.clone(), meter.clone());
            async move {
                meter.add_request();
                let (head, body) = inner.send(request).await?.into_parts();
                if head.status.is_success() {
                    meter.successes.fetch_add(1, Ordering::Relaxed);
                }
                let counted = body.map_frame(move |frame| meter.counted(frame));
                Ok::<_, kube::Error>(http::Response::from_parts(head, counted))
            }
        });
        Client::new(service, client.default_namespace())
    }

    /// Counts a request.
    pub(crate) fn add_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes received.
    pub(crate) fn add_bytes(&self, n: usize) {
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// Requests that were answered well, at least with a beginning.
    pub(crate) fn n_successes(&self) -> u64 {
        self.successes.load(Ordering::Relaxed)
    }

    fn counted(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        self.add_bytes(frame.data_ref().map_or(0, Bytes::len));
        frame
    }

    /// Requests and bytes so far.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}
