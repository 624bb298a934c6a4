//! The gateway's HTTP/2 in clear text, with prior knowledge.

use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;

use crate::sim::gateway::PADDING;
use crate::sim::plane::Plane;
use crate::sim::pod::Reply;
use crate::sim::task;

/// How such a connection begins.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Runs hyper's tasks on this thread.
#[derive(Debug, Clone, Copy)]
struct Here;

/// Serves one connection of which `begin` was read already.
pub(crate) async fn serve<S>(plane: Rc<Plane>, begin: Bytes, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (read, write) = tokio::io::split(stream);
    let stream = tokio::io::join(std::io::Cursor::new(begin).chain(read), write);
    let service = hyper::service::service_fn(move |request| answer(Rc::clone(&plane), request));
    let connection = hyper::server::conn::http2::Builder::new(Here)
        .max_concurrent_streams(10_000)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is the client's business.
    let _ = connection.await;
}

async fn answer(
    plane: Rc<Plane>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    while let Some(Ok(_)) = body.frame().await {}
    let field = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = head.uri.authority().map(http::uri::Authority::as_str).or(field).unwrap_or("");
    let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let reply = plane.serve(host, path).await;
    let bytes = match &reply {
        Reply::Refused(_, text) => Bytes::from_static(text.as_bytes()),
        Reply::Served(pod, n_padding) => {
            let mut bytes = Vec::with_capacity(pod.name.len() + 1 + n_padding);
            bytes.extend_from_slice(pod.name.as_bytes());
            bytes.push(b'\n');
            let n_all = bytes.len() + n_padding;
            while bytes.len() < n_all {
                let n = (n_all - bytes.len()).min(PADDING.len());
                bytes.extend_from_slice(&PADDING[..n]);
            }
            bytes.into()
        }
    };
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() =
        StatusCode::from_u16(reply.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.insert(header::SERVER, HeaderValue::from_static("envoy"));
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, future: F) {
        task::detach(future);
    }
}
