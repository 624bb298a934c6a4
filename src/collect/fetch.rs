//! One GET with a deadline and a limit of size, through the API server or straight.
//!
//! Bodies are asked for in gzip: an activator's text is fifty times smaller so. A body is read as it comes and given up when it is too long, so that neither a component that
//! hangs nor one that never stops talking costs more than one attempt.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use flate2::read::GzDecoder;
use http::HeaderMap;
use http::header::ACCEPT;
use http::header::ACCEPT_ENCODING;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use thiserror::Error;

use crate::units::clean;

use super::kubeconfig::words;
use super::meter::Meter;

/// The longest body that is read.
pub(crate) const MAX_BODY: usize = 8 << 20;
/// When an answer is given up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);
/// Plain Prometheus text; asking for UTF-8 names would only make them harder to match.
pub(crate) const TEXT: &str = "text/plain;version=0.0.4";

/// How a thing is reached.
#[derive(Clone)]
pub(crate) enum Door {
    /// A path of the API server, metered by the client itself.
    ApiServer(Client),
    /// An address of its own.
    Direct(reqwest::Client, Meter),
}

/// Why there is no body.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// It did not stop talking.
    #[error("the answer is longer than {} MiB and was given up", .0 >> 20)]
    TooLong(usize),
    /// The API server did not let us through, or said that it cannot.
    #[error("{}", status_text(.0))]
    Api(Box<kube::core::Status>),
    /// It answered with another status than 200.
    #[error("HTTP {code}: {text}")]
    Status {
        /// The status.
        code: u16,
        /// The beginning of the body.
        text: String,
    },
    /// The connection.
    #[error("{0}")]
    Transport(String),
}

/// The API server's own words, or its code where it has none.
fn status_text(status: &kube::core::Status) -> String {
    if status.message.is_empty() {
        format!("HTTP {} {}", status.code, status.reason)
    } else {
        clean(&status.message, 200)
    }
}

impl FetchError {
    /// Whether the API server said that we may not.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Api(status) if matches!(status.code, 401 | 403))
    }

    /// Whether there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        match self {
            Self::Api(status) => status.code == 404,
            Self::Status { code, .. } => *code == 404,
            _ => false,
        }
    }

    /// Whether the API server says that nothing listens there. That the API server itself does not
    /// answer is another matter.
    pub(crate) fn is_refused(&self) -> bool {
        match self {
            Self::Api(status) => status.message.contains("connection refused"),
            Self::Status { text, .. } => text.to_ascii_lowercase().contains("connection refused"),
            _ => false,
        }
    }
}

impl Door {
    /// The body at `address`: a path for the API server, an URL otherwise.
    pub(crate) async fn get(&self, address: &str, accept: &str) -> Result<Bytes, FetchError> {
        let fetch = async {
            match self {
                Self::ApiServer(client) => through_api_server(client, address, accept).await,
                Self::Direct(client, meter) => directly(client, meter, address, accept).await,
            }
        };
        tokio::time::timeout(DEADLINE, fetch).await.unwrap_or(Err(FetchError::Deadline(DEADLINE)))
    }
}

async fn through_api_server(
    client: &Client,
    path: &str,
    accept: &str,
) -> Result<Bytes, FetchError> {
    let request = http::Request::get(path)
        .header(ACCEPT, accept)
        .header(ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .map_err(|error| FetchError::Transport(error.to_string()))?;
    let answer = client.send(request).await.map_err(transport)?;
    let (code, is_packed) = (answer.status(), is_packed(answer.headers()));
    let mut body = answer.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(transport)?.into_data() {
            push(&mut bytes, &data)?;
        }
    }
    let bytes = unpack(bytes.freeze(), is_packed)?;
    if code.is_success() {
        return Ok(bytes);
    }
    // A Status is the API server's own; anything else was said by what stands behind the proxy.
    match serde_json::from_slice::<kube::core::Status>(&bytes) {
        Ok(mut status) => {
            status.code = code.as_u16();
            Err(FetchError::Api(Box::new(status)))
        }
        Err(_) => Err(bad_status(code.as_u16(), &bytes)),
    }
}

async fn directly(
    client: &reqwest::Client,
    meter: &Meter,
    url: &str,
    accept: &str,
) -> Result<Bytes, FetchError> {
    meter.add_request();
    let request = client.get(url).header(ACCEPT, accept).header(ACCEPT_ENCODING, "gzip");
    let mut answer = request.send().await.map_err(transport)?;
    let (code, is_packed) = (answer.status(), is_packed(answer.headers()));
    let mut bytes = BytesMut::new();
    while let Some(data) = answer.chunk().await.map_err(transport)? {
        meter.add_bytes(data.len());
        push(&mut bytes, &data)?;
    }
    let bytes = unpack(bytes.freeze(), is_packed)?;
    if code.is_success() { Ok(bytes) } else { Err(bad_status(code.as_u16(), &bytes)) }
}

fn push(bytes: &mut BytesMut, data: &[u8]) -> Result<(), FetchError> {
    if MAX_BODY < bytes.len() + data.len() {
        return Err(FetchError::TooLong(MAX_BODY));
    }
    bytes.extend_from_slice(data);
    Ok(())
}

fn is_packed(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip")
}

/// A body as it was before it was packed; the limit holds for that too.
fn unpack(bytes: Bytes, is_packed: bool) -> Result<Bytes, FetchError> {
    if !is_packed {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let mut reader = GzDecoder::new(&*bytes).take(MAX_BODY as u64 + 1);
    reader.read_to_end(&mut unpacked).map_err(transport)?;
    if MAX_BODY < unpacked.len() {
        return Err(FetchError::TooLong(MAX_BODY));
    }
    Ok(unpacked.into())
}

fn bad_status(code: u16, body: &[u8]) -> FetchError {
    let text = String::from_utf8_lossy(&body[..body.len().min(600)]);
    FetchError::Status { code, text: clean(text.trim(), 160) }
}

fn transport(error: impl std::error::Error + 'static) -> FetchError {
    FetchError::Transport(words(&error))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn what_was_packed_is_unpacked_up_to_the_limit() {
        assert_eq!(&*unpack(packed(b"up 1"), true).unwrap(), b"up 1");
        assert_eq!(&*unpack(Bytes::from("up 1"), false).unwrap(), b"up 1");
        let bomb = packed(&vec![b' '; MAX_BODY + 1]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(unpack(bomb, true), Err(FetchError::TooLong(_))));
        assert!(unpack(Bytes::from("not packed"), true).is_err());
    }
}
