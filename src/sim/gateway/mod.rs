//! The gateway's listener: HTTP/1.1 by hand, HTTP/2 in clear text by hyper, on one port.
//!
//! The HTTP/1.1 path is written out because it carries tens of thousands of requests a second: one
//! task a connection, one buffer in, one out, nothing allocated for a request.

use std::rc::Rc;
use std::time::Duration;

use bytes::Buf;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;

use crate::sim::h2c;
use crate::sim::plane::Plane;
use crate::sim::pod::Reply;

/// Longest head of a request.
const MOST_HEAD: usize = 64 << 10;

/// Most header fields of a request.
const MOST_FIELDS: usize = 100;

/// A connection on which nothing is asked is closed after so long.
const IDLE: Duration = Duration::from_secs(3600);

/// What follows the pod's name when bytes are asked for.
pub(crate) static PADDING: [u8; 64 << 10] = [b'x'; 64 << 10];

/// What matters of a request's head.
struct Head {
    n_bytes: usize,
    host: (usize, usize),
    path: (usize, usize),
    wants_no_body: bool,
    keep_alive: bool,
    expects_continue: bool,
    body: BodyLength,
}

/// How long the request's body is.
#[derive(Clone, Copy)]
enum BodyLength {
    Known(u64),
    Chunked,
}

/// What parsing a buffer gives.
enum Parsed {
    Partial,
    Bad(u16),
    Head(Head),
}

/// Serves one connection to its end.
pub(crate) async fn serve<S>(plane: Rc<Plane>, mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut input = BytesMut::with_capacity(8 << 10);
    while input.len() < h2c::PREFACE.len() && h2c::PREFACE.starts_with(&input) {
        match stream.read_buf(&mut input).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    if input.starts_with(h2c::PREFACE) {
        h2c::serve(plane, input.freeze(), stream).await;
        return;
    }
    // A connection that breaks is the client's business.
    let _ = Connection { plane, stream, input, output: Vec::with_capacity(512) }.run().await;
}

/// A connection that speaks HTTP/1.
struct Connection<S> {
    plane: Rc<Plane>,
    stream: S,
    input: BytesMut,
    output: Vec<u8>,
}

// === impl Connection ===

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(&mut self) -> std::io::Result<()> {
        loop {
            let head = match parse(&self.input) {
                Parsed::Head(head) => head,
                Parsed::Bad(status) => return self.refuse(status).await,
                Parsed::Partial if MOST_HEAD <= self.input.len() => return self.refuse(431).await,
                Parsed::Partial => {
                    let read = self.stream.read_buf(&mut self.input);
                    match tokio::time::timeout(IDLE, read).await {
                        Ok(Ok(0)) | Err(_) => return Ok(()),
                        Ok(Err(error)) => return Err(error),
                        Ok(Ok(_)) => continue,
                    }
                }
            };
            let bytes = self.input.split_to(head.n_bytes).freeze();
            if head.expects_continue {
                self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            self.skip_body(head.body).await?;
            let Some(reply) = self.reply(&head, &bytes).await? else { return Ok(()) };
            self.answer(&reply, &head).await?;
            if !head.keep_alive {
                return self.stream.shutdown().await;
            }
        }
    }

    /// Has the request served. `None`: the client went away meanwhile, and so did the request.
    async fn reply(&mut self, head: &Head, bytes: &[u8]) -> std::io::Result<Option<Reply>> {
        let host = std::str::from_utf8(&bytes[head.host.0..head.host.1]).unwrap_or("");
        let path = std::str::from_utf8(&bytes[head.path.0..head.path.1]).unwrap_or("/");
        let mut serve = std::pin::pin!(self.plane.serve(host, path));
        loop {
            tokio::select! { biased;
                reply = &mut serve => return Ok(Some(reply)),
                read = self.stream.read_buf(&mut self.input), if self.input.len() < MOST_HEAD => {
                    if read? == 0 {
                        return Ok(None);
                    }
                }
            }
        }
    }

    async fn answer(&mut self, reply: &Reply, head: &Head) -> std::io::Result<()> {
        let (name, end, n_padding) = match reply {
            Reply::Served(pod, n_bytes) => (pod.name.as_str(), "\n", *n_bytes),
            Reply::Refused(_, text) => (*text, "", 0),
        };
        let n_body = name.len() + end.len() + n_padding;
        let out = &mut self.output;
        out.clear();
        out.extend_from_slice(b"HTTP/1.1 ");
        push_number(out, usize::from(reply.status()));
        out.push(b' ');
        out.extend_from_slice(reason(reply.status()).as_bytes());
        out.extend_from_slice(b"\r\nserver: envoy\r\ncontent-type: text/plain; charset=utf-8\r\n");
        if !head.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"content-length: ");
        push_number(out, n_body);
        out.extend_from_slice(b"\r\n\r\n");
        if head.wants_no_body {
            return self.stream.write_all(out).await;
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(end.as_bytes());
        self.stream.write_all(out).await?;
        let mut n_left = n_padding;
        while 0 < n_left {
            let n = n_left.min(PADDING.len());
            self.stream.write_all(&PADDING[..n]).await?;
            n_left -= n;
        }
        Ok(())
    }

    async fn refuse(&mut self, status: u16) -> std::io::Result<()> {
        let reason = reason(status);
        let text =
            format!("HTTP/1.1 {status} {reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.shutdown().await
    }

    async fn skip_body(&mut self, length: BodyLength) -> std::io::Result<()> {
        match length {
            BodyLength::Known(n) => self.skip(n).await,
            BodyLength::Chunked => loop {
                let n = self.chunk_size().await?;
                self.skip(n).await?;
                if n == 0 {
                    return self.skip_trailers().await;
                }
                self.line().await?;
            },
        }
    }

    async fn skip(&mut self, mut n: u64) -> std::io::Result<()> {
        loop {
            let here = usize::try_from(n).unwrap_or(usize::MAX).min(self.input.len());
            self.input.advance(here);
            n -= here as u64;
            if n == 0 {
                return Ok(());
            }
            self.more().await?;
        }
    }

    async fn chunk_size(&mut self) -> std::io::Result<u64> {
        let line = self.line().await?;
        let text = std::str::from_utf8(&line).unwrap_or_default();
        let digits = text.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(digits, 16).map_err(|_| std::io::ErrorKind::InvalidData.into())
    }

    async fn skip_trailers(&mut self) -> std::io::Result<()> {
        while !self.line().await?.is_empty() {}
        Ok(())
    }

    async fn line(&mut self) -> std::io::Result<BytesMut> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let mut line = self.input.split_to(end + 2);
                line.truncate(end);
                return Ok(line);
            }
            if MOST_HEAD <= self.input.len() {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn parse(input: &[u8]) -> Parsed {
    if input.is_empty() {
        return Parsed::Partial;
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let n_bytes = match request.parse(input) {
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => return Parsed::Bad(431),
        Err(_) => return Parsed::Bad(400),
    };
    let place = |part: &[u8]| {
        let begin = part.as_ptr().addr() - input.as_ptr().addr();
        (begin, begin + part.len())
    };
    let mut head = Head {
        n_bytes,
        host: (0, 0),
        path: place(request.path.unwrap_or_default().as_bytes()),
        wants_no_body: request.method == Some("HEAD"),
        keep_alive: request.version == Some(1),
        expects_continue: false,
        body: BodyLength::Known(0),
    };
    for field in request.headers.iter() {
        let name = field.name;
        let says = |word: &str| {
            field
                .value
                .split(|byte| *byte == b',')
                .any(|one| one.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        };
        if name.eq_ignore_ascii_case("host") {
            head.host = place(field.value);
        } else if name.eq_ignore_ascii_case("content-length") {
            let digits = std::str::from_utf8(field.value).ok().and_then(|text| text.parse().ok());
            let Some(n) = digits else { return Parsed::Bad(400) };
            head.body = BodyLength::Known(n);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && says("chunked") {
            head.body = BodyLength::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            head.keep_alive = says("keep-alive") || (head.keep_alive && !says("close"));
        } else if name.eq_ignore_ascii_case("expect") {
            head.expects_continue = says("100-continue");
        }
    }
    Parsed::Head(head)
}

/// Appends a number without asking the formatter.
fn push_number(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let mut begin = digits.len();
    let mut left = number;
    loop {
        begin -= 1;
        digits[begin] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests;
