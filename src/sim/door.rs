//! A way into the API server from other tasks of this process, which need not live on the
//! cluster's thread.

use std::io;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::sim::backstage::BodyError;
use crate::tasks;

/// Bytes in flight of a connection in process.
pub(crate) const N_PIPE: usize = 64 << 10;

/// Connections that wait to be taken.
const N_WAITING: usize = 64;

/// Makes connections in process.
#[derive(Debug, Clone)]
pub struct Door(mpsc::Sender<DuplexStream>);

// === impl Door ===

impl Door {
    /// A door, and where its connections come out.
    pub(crate) fn new() -> (Self, mpsc::Receiver<DuplexStream>) {
        let (sender, receiver) = mpsc::channel(N_WAITING);
        (Self(sender), receiver)
    }

    /// A new connection; refused when the cluster is gone.
    pub async fn connect(&self) -> io::Result<DuplexStream> {
        let (near, far) = tokio::io::duplex(N_PIPE);
        self.0.send(far).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }

    /// Sends a request on a connection of its own. As a `tower` service this makes a client of the
    /// cluster that needs no socket.
    pub async fn send<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<UnsyncBoxBody<Bytes, hyper::Error>>, BodyError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BodyError>,
    {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        let connection = tasks::spawn(async {
            // What went wrong is told by the body.
            let _ = connection.await;
        });
        let response = sender.send_request(request).await?;
        // The connection lives as long as the body that comes through it.
        Ok(response.map(|body| {
            body.map_frame(move |frame| {
                let _connection = &connection;
                frame
            })
            .boxed_unsync()
        }))
    }
}
