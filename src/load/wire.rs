//! A connection's bytes, plain or through TLS.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;

use mio::net::TcpStream;
use rustls::ClientConnection;

use super::target;
use super::target::Tls;

/// A connection's bytes.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Wire {
    /// Begins to connect.
    pub(super) fn connect(address: SocketAddr, tls: Option<&Tls>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        // A request is one write; waiting for more would only delay it.
        stream.set_nodelay(true)?;
        let tls = match tls {
            Some(tls) => {
                let session = ClientConnection::new(tls.config.clone(), tls.name.clone());
                Some(Box::new(session.map_err(invalid)?))
            }
            None => None,
        };
        Ok(Self { stream, tls })
    }

    /// Why connecting failed, or whether it has succeeded; `None` while it goes on.
    pub(super) fn connected(&self) -> Option<io::Result<()>> {
        if let Ok(Some(error)) | Err(error) = self.stream.take_error() {
            return Some(Err(error));
        }
        match self.stream.peer_addr() {
            Ok(_) => Some(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Whether TLS still shakes hands; drives it as far as it goes.
    pub(super) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(false) };
        while tls.is_handshaking() {
            let wrote = flush(tls, &mut self.stream)?;
            let read = match tls.read_tls(&mut self.stream) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
                Err(error) => return Err(error),
            };
            if let Err(error) = tls.process_new_packets() {
                // The alert tells the server why.
                let _ = flush(tls, &mut self.stream);
                return Err(invalid(error));
            }
            if !read && !wrote {
                break;
            }
        }
        flush(tls, &mut self.stream)?;
        Ok(tls.is_handshaking())
    }

    /// Whether the server agreed to HTTP/2; in clear text it is known beforehand.
    pub(super) fn speaks_http2(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.alpn_protocol() == Some(target::ALPN_HTTP2))
    }

    /// Writes what the socket takes; how much of `bytes` it was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.write(bytes),
            Some(tls) => {
                // The session buffers; more than it takes comes when the socket is writable.
                let n = tls.writer().write(bytes)?;
                flush(tls, &mut self.stream)?;
                if n == 0 && !bytes.is_empty() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(n)
            }
        }
    }

    /// Writes what TLS still holds.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => flush(tls, &mut self.stream).map(drop),
        }
    }

    /// Reads what there is; 0 is the end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.read(into) };
        loop {
            match tls.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            // Zero bytes end the stream, which the reader then says.
            tls.read_tls(&mut self.stream)?;
            tls.process_new_packets().map_err(invalid)?;
        }
    }

    /// Whether nothing waits to be read, not even an end.
    pub(super) fn is_silent(&self) -> bool {
        let peeked = self.stream.peek(&mut [0]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether a short read means that nothing more waits: not so with TLS, which reads records.
    pub(super) const fn short_read_drains(&self) -> bool {
        self.tls.is_none()
    }
}

/// Writes what the session holds; whether anything was written.
fn flush(tls: &mut ClientConnection, stream: &mut TcpStream) -> io::Result<bool> {
    let mut wrote = false;
    while tls.wants_write() {
        match tls.write_tls(stream) {
            Ok(_) => wrote = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(wrote)
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
