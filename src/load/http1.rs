//! HTTP/1.1 as far as a load generator needs it: one request, rendered once, and a parser that
//! says when its answer is over.
//!
//! Nothing is allocated for a request: a head that comes in one piece is parsed where it lies, and
//! bodies are only counted.

use std::fmt::Write as _;
use std::mem::MaybeUninit;

use thiserror::Error;

use crate::scenario::plan::Request;

/// The largest head of an answer.
const HEAD_MAX: usize = 64 * 1024;
/// Header lines of an answer at most.
const LINES_MAX: usize = 128;
/// The largest line that says a chunk's size.
const CHUNK_LINE_MAX: usize = 4096;

/// The answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Garbage {
    /// The head is not HTTP/1.
    #[error("the head is not HTTP/1")]
    Head,
    /// The head has no end.
    #[error("the head is larger than {HEAD_MAX} bytes")]
    HeadTooLarge,
    /// The length is not a number, or there are several.
    #[error("the length of the body cannot be understood")]
    Length,
    /// The chunks are broken.
    #[error("the chunks of the body are broken")]
    Chunk,
    /// More than the answer came.
    #[error("more came than the answer")]
    More,
}

/// What the bytes so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More must come.
    Partial,
    /// The answer is over.
    Done {
        /// Its status code.
        status: u16,
        /// Whether the connection can serve another request.
        keeps: bool,
    },
}

/// Follows one answer.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The part of a head that came alone.
    head: Vec<u8>,
    state: State,
    status: u16,
    keeps: bool,
    /// Whether a byte of the answer has come, if only of an interim one.
    is_touched: bool,
    is_head_request: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Sized(u64),
    Chunk(Chunk),
    UntilClose,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// Reads the line with the size: its value so far, digits so far, whether an extension began.
    Size {
        size: u64,
        n_read: usize,
        n_digits: u8,
        is_extension: bool,
    },
    Data(u64),
    /// The end of line after the data.
    DataEnd,
    /// Lines after the last chunk: bytes of the present line, and of all.
    Trailer {
        n_line: usize,
        n_all: usize,
    },
}

/// The bytes of a request.
pub(super) fn render(request: &Request, host: &str, path: &str, body: Option<&[u8]>) -> Vec<u8> {
    let mut head = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\n", request.method);
    let has =
        |name: &str| request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    // Writing to a `String` cannot fail.
    if !has("user-agent") {
        let _ = write!(head, "User-Agent: rampscope/{}\r\n", env!("CARGO_PKG_VERSION"));
    }
    if !has("accept") {
        head.push_str("Accept: */*\r\n");
    }
    if !request.keep_alive {
        head.push_str("Connection: close\r\n");
    }
    // Where a body has a meaning, its absence is said too (RFC 9110, section 8.6).
    let has_meaning = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
    if let Some(len) = body.map(<[u8]>::len).or(has_meaning.then_some(0)) {
        let _ = write!(head, "Content-Length: {len}\r\n");
    }
    for (name, value) in &request.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if let Some(body) = body {
        bytes.extend_from_slice(body);
    }
    bytes
}

impl Parser {
    /// A parser of answers to a method.
    pub(super) fn new(method: &str) -> Self {
        Self { is_head_request: method == "HEAD", ..Self::default() }
    }

    /// Makes ready for the next answer.
    pub(super) fn reset(&mut self) {
        self.head.clear();
        self.state = State::Head;
        self.is_touched = false;
    }

    /// Whether no byte of the answer has come.
    pub(super) const fn is_untouched(&self) -> bool {
        !self.is_touched
    }

    /// Takes the next bytes in.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<Progress, Garbage> {
        self.is_touched |= !bytes.is_empty();
        loop {
            if bytes.is_empty() && self.state != State::Done && self.state != State::Sized(0) {
                return Ok(Progress::Partial);
            }
            match self.state {
                State::Head => match self.feed_head(bytes)? {
                    Some(rest) => bytes = rest,
                    None => return Ok(Progress::Partial),
                },
                State::Sized(left) => {
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[n..];
                    let left = left - n as u64;
                    self.state = if left == 0 { State::Done } else { State::Sized(left) };
                }
                State::Chunk(chunk) => bytes = self.feed_chunk(chunk, bytes)?,
                State::UntilClose => return Ok(Progress::Partial),
                State::Done if bytes.is_empty() => {
                    return Ok(Progress::Done { status: self.status, keeps: self.keeps });
                }
                State::Done => return Err(Garbage::More),
            }
        }
    }

    /// The server closed the connection. Some answers end so.
    pub(super) fn close(&self) -> Option<Progress> {
        (self.state == State::UntilClose)
            .then_some(Progress::Done { status: self.status, keeps: false })
    }

    /// Returns what follows the head, or nothing if its end has not come.
    fn feed_head<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Garbage> {
        if self.head.is_empty() {
            if let Some(n_head) = self.parse_head(bytes)? {
                return Ok(Some(&bytes[n_head..]));
            }
            self.keep(bytes)?;
            return Ok(None);
        }
        let n_before = self.head.len();
        // What does not fit can only be body, or the head is too large.
        let n_kept = bytes.len().min(HEAD_MAX - n_before);
        self.keep(&bytes[..n_kept])?;
        let head = std::mem::take(&mut self.head);
        let parsed = self.parse_head(&head);
        self.head = head;
        match parsed? {
            Some(n_head) => {
                self.head.clear();
                // The head cannot end before the bytes that completed it.
                Ok(Some(&bytes[n_head.saturating_sub(n_before)..]))
            }
            None if n_kept < bytes.len() => Err(Garbage::HeadTooLarge),
            None => Ok(None),
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Garbage> {
        if HEAD_MAX < self.head.len() + bytes.len() {
            return Err(Garbage::HeadTooLarge);
        }
        self.head.extend_from_slice(bytes);
        Ok(())
    }

    /// The length of the head, once it is whole; then the state says how the body comes.
    fn parse_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Garbage> {
        // Room that nobody clears: that would cost more than the parsing.
        let mut lines = [const { MaybeUninit::uninit() }; LINES_MAX];
        let mut answer = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut answer,
            bytes,
            &mut lines,
        );
        let httparse::Status::Complete(n_head) = parsed.map_err(|_| Garbage::Head)? else {
            return Ok(None);
        };
        let status = answer.code.ok_or(Garbage::Head)?;
        // An interim answer is followed by the real one.
        if (100..200).contains(&status) && status != 101 {
            return Ok(Some(n_head));
        }
        let (mut length, mut is_chunked, mut keeps) = (None, false, answer.version == Some(1));
        for line in answer.headers.iter() {
            if line.name.eq_ignore_ascii_case("content-length") {
                let value = number(line.value).ok_or(Garbage::Length)?;
                if length.is_some_and(|known| known != value) {
                    return Err(Garbage::Length);
                }
                length = Some(value);
            } else if line.name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked |= has_token(line.value, "chunked");
            } else if line.name.eq_ignore_ascii_case("connection") {
                if has_token(line.value, "close") {
                    keeps = false;
                } else if has_token(line.value, "keep-alive") {
                    keeps = true;
                }
            }
        }
        self.status = status;
        self.keeps = keeps;
        self.state = if self.is_head_request || status == 204 || status == 304 {
            State::Done
        } else if is_chunked {
            State::Chunk(Chunk::Size { size: 0, n_read: 0, n_digits: 0, is_extension: false })
        } else if let Some(length) = length {
            State::Sized(length)
        } else {
            self.keeps = false;
            State::UntilClose
        };
        Ok(Some(n_head))
    }

    fn feed_chunk<'a>(&mut self, chunk: Chunk, bytes: &'a [u8]) -> Result<&'a [u8], Garbage> {
        let (next, rest) = match chunk {
            Chunk::Data(left) => {
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - n as u64;
                let next = if left == 0 { Chunk::DataEnd } else { Chunk::Data(left) };
                (next, &bytes[n..])
            }
            Chunk::DataEnd => match bytes[0] {
                b'\r' => (Chunk::DataEnd, &bytes[1..]),
                b'\n' => {
                    let size = Chunk::Size { size: 0, n_read: 0, n_digits: 0, is_extension: false };
                    (size, &bytes[1..])
                }
                _ => return Err(Garbage::Chunk),
            },
            Chunk::Size { size, n_read, n_digits, is_extension } => {
                if CHUNK_LINE_MAX < n_read {
                    return Err(Garbage::Chunk);
                }
                let n_read = n_read + 1;
                let next = match bytes[0] {
                    b'\n' if n_digits == 0 => return Err(Garbage::Chunk),
                    b'\n' if size == 0 => Chunk::Trailer { n_line: 0, n_all: 0 },
                    b'\n' => Chunk::Data(size),
                    b'\r' => Chunk::Size { size, n_read, n_digits, is_extension },
                    _ if is_extension => Chunk::Size { size, n_read, n_digits, is_extension },
                    b';' | b' ' | b'\t' => {
                        Chunk::Size { size, n_read, n_digits, is_extension: true }
                    }
                    digit => {
                        let digit = char::from(digit).to_digit(16).ok_or(Garbage::Chunk)?;
                        if 15 <= n_digits {
                            return Err(Garbage::Chunk);
                        }
                        let size = size << 4 | u64::from(digit);
                        Chunk::Size { size, n_read, n_digits: n_digits + 1, is_extension }
                    }
                };
                (next, &bytes[1..])
            }
            Chunk::Trailer { n_line, n_all } => {
                if HEAD_MAX < n_all {
                    return Err(Garbage::Chunk);
                }
                let next = match bytes[0] {
                    b'\n' if n_line == 0 => {
                        self.state = State::Done;
                        return Ok(&bytes[1..]);
                    }
                    b'\n' => Chunk::Trailer { n_line: 0, n_all: n_all + 1 },
                    b'\r' => Chunk::Trailer { n_line, n_all: n_all + 1 },
                    _ => Chunk::Trailer { n_line: n_line + 1, n_all: n_all + 1 },
                };
                (next, &bytes[1..])
            }
        };
        self.state = State::Chunk(next);
        Ok(rest)
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(pieces: &[&[u8]]) -> Result<Progress, Garbage> {
        let mut parser = Parser::new("GET");
        let mut progress = Progress::Partial;
        for piece in pieces {
            progress = parser.feed(piece)?;
        }
        Ok(parser.close().unwrap_or(progress))
    }

    const ANSWERS: &[(&[u8], Result<Progress, Garbage>)] = &[
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", done(200, true)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", done(200, true)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", done(204, true)),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", done(200, false)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", done(200, false)),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", done(200, false)),
        (
            b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
            done(503, true),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", done(200, true)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", Ok(Progress::Partial)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", Err(Garbage::More)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", Err(Garbage::Length)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", Err(Garbage::Length)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Err(Garbage::Chunk)),
        (b"SSH-2.0-OpenSSH\r\n", Err(Garbage::Head)),
    ];

    const fn done(status: u16, keeps: bool) -> Result<Progress, Garbage> {
        Ok(Progress::Done { status, keeps })
    }

    #[test]
    fn answers_are_understood_whole_and_byte_by_byte() {
        for (answer, expected) in ANSWERS {
            let text = String::from_utf8_lossy(answer);
            assert_eq!(parse(&[answer]), *expected, "{text}");
            let bytes: Vec<&[u8]> = answer.chunks(1).collect();
            assert_eq!(parse(&bytes), *expected, "byte by byte: {text}");
        }
        let mut parser = Parser::new("HEAD");
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(parser.feed(head), done(200, true), "an answer to HEAD has no body");
    }

    #[test]
    fn a_body_that_comes_with_the_rest_of_a_head_is_no_head() {
        let mut rest = b"Content-Length: 1000000\r\n\r\n".to_vec();
        rest.resize(HEAD_MAX, b'x');
        assert_eq!(parse(&[b"HTTP/1.1 200 OK\r\n", &rest]), Ok(Progress::Partial));
        let endless = vec![b'x'; HEAD_MAX];
        let pieces: [&[u8]; 2] = [b"HTTP/1.1 200 OK\r\nX: ", &endless];
        assert_eq!(parse(&pieces), Err(Garbage::HeadTooLarge));
    }

    #[test]
    fn an_interim_answer_is_an_answer_begun() {
        let mut parser = Parser::new("GET");
        assert!(parser.is_untouched());
        parser.feed(b"HTTP/1.1 103 Early Hints\r\n\r\n").unwrap();
        assert!(!parser.is_untouched());
        parser.reset();
        assert!(parser.is_untouched());
    }

    #[test]
    fn a_body_that_could_be_has_a_length() {
        let rendered = |method: &str, body: Option<&[u8]>| {
            let plan = format!(
                "{{target: {{url: 'http://a'}}, request: {{method: {method}}}, load: {{stages: [{{for: 1s, at: 1/s}}]}}}}"
            );
            let request = crate::scenario::parse(&plan, "t").unwrap().request;
            String::from_utf8(render(&request, "a", "/", body)).unwrap()
        };
        assert!(rendered("POST", None).contains("\r\nContent-Length: 0\r\n"));
        assert!(rendered("PUT", Some(b"xy")).contains("\r\nContent-Length: 2\r\n"));
        assert!(!rendered("GET", None).contains("Content-Length"));
    }

    #[test]
    fn a_head_without_an_end_is_bounded() {
        let mut parser = Parser::new("GET");
        let mut fed = parser.feed(b"HTTP/1.1 200 OK\r\n");
        for _ in 0..10_000 {
            fed = fed.and_then(|_| parser.feed(b"X: 0123456789\r\n"));
        }
        assert!(fed.is_err());
    }

    proptest! {
        #[test]
        fn anything_is_survived_and_pieces_do_not_matter(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            start in 0..3usize,
            cuts in prop::collection::vec(1..20usize, 0..20),
        ) {
            let starts: [&[u8]; 3] = [
                b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            ];
            bytes.splice(0..0, starts[start].iter().copied());
            let whole = parse(&[&bytes]);
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            pieces.retain(|piece| !piece.is_empty());
            let pieced = parse(&pieces);
            prop_assert_eq!(whole.is_ok(), pieced.is_ok());
            if whole.is_ok() && !bytes.is_empty() {
                prop_assert_eq!(whole, pieced);
            }
        }
    }
}
