//! What an API server passes on to nodes and metrics-server, and the world therefore answers.

use std::pin::Pin;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream::LocalBoxStream;
use http::Method;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Body;
use serde_json::Value;

use crate::units::UnixMicros;

/// What goes wrong while a body is sent.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that stays on this thread.
pub type LocalBody = Pin<Box<dyn Body<Data = Bytes, Error = BodyError>>>;

/// The world behind the API server. It answers as the nodes' kubelets and metrics-server do.
pub trait Backstage {
    /// What pod `to` answers to a GET or POST through `pods/proxy`. The URI of the request is
    /// already the one the pod sees (path and query).
    fn pod_proxy(
        &self,
        to: &Target,
        request: Request<Bytes>,
    ) -> LocalBoxFuture<'static, Response<LocalBody>>;

    /// The same for a Service, through `services/proxy`.
    fn service_proxy(
        &self,
        to: &Target,
        request: Request<Bytes>,
    ) -> LocalBoxFuture<'static, Response<LocalBody>>;

    /// The lines of a container, oldest first; with `follow` it goes on until the container ends.
    fn logs(&self, of: &LogRequest) -> LocalBoxStream<'static, LogLine>;

    /// `PodMetrics` objects of all pods, or of those of one namespace; the API server selects.
    fn pod_metrics(&self, namespace: Option<&str>) -> Vec<Value>;

    /// `NodeMetrics` objects.
    fn node_metrics(&self) -> Vec<Value>;
}

/// Where a proxied request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Namespace of the pod or Service.
    pub namespace: String,
    /// Name of the pod or Service.
    pub name: String,
    /// Number or name of the port; `None` if the path named none.
    pub port: Option<String>,
}

/// Which lines of a container are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRequest {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container; always one that the pod has.
    pub container: String,
    /// Whether to wait for more.
    pub follow: bool,
    /// Only the last so many of the lines there are; `None` is all.
    pub tail: Option<usize>,
    /// Only lines since then; `None` is all.
    pub since: Option<UnixMicros>,
}

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: UnixMicros,
    /// The line without its end.
    pub text: String,
}

/// A world with nobody in it: for tests of the API server alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Empty;

/// A whole body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> LocalBody {
    Box::pin(Full::new(bytes.into()).map_err(|never| match never {}))
}

/// An answer in plain text.
pub fn text(code: http::StatusCode, text: impl Into<Bytes>) -> Response<LocalBody> {
    let mut response = Response::new(full(text));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    response
}

/// A GET of `path`, as a proxied request.
pub fn get(uri: http::Uri) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    request
}

// === impl Empty ===

impl Backstage for Empty {
    fn pod_proxy(
        &self,
        _to: &Target,
        _request: Request<Bytes>,
    ) -> LocalBoxFuture<'static, Response<LocalBody>> {
        Box::pin(async { text(http::StatusCode::BAD_GATEWAY, "nobody there") })
    }

    fn service_proxy(
        &self,
        to: &Target,
        request: Request<Bytes>,
    ) -> LocalBoxFuture<'static, Response<LocalBody>> {
        self.pod_proxy(to, request)
    }

    fn logs(&self, _of: &LogRequest) -> LocalBoxStream<'static, LogLine> {
        Box::pin(futures::stream::empty())
    }

    fn pod_metrics(&self, _namespace: Option<&str>) -> Vec<Value> {
        Vec::new()
    }

    fn node_metrics(&self) -> Vec<Value> {
        Vec::new()
    }
}
