//! A gRPC server that costs next to nothing: what a client can do is not hidden behind it.
//!
//! It takes in what HTTP/2 asks of it (settings, pings, windows) and answers each call that has
//! ended with the same three frames. One thread over one poll; it reads no header, so it answers
//! any method, and it is no measure of a server.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpListener;
use mio::net::TcpStream;
use rustix::thread::CpuSet;

const LISTENER: Token = Token(usize::MAX);
/// What a client says before its first frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags and stream of a frame.
const HEAD: usize = 9;
/// The flow-control window of a connection at first.
const WINDOW: i64 = 65_535;
/// Bytes of bodies after which the client's window is opened again.
const TAKEN: u32 = 16_384;
/// Clients may open so many streams at once.
const STREAMS: u32 = 1024;
/// One message of gRPC: not compressed, two bytes long, 1 in its first field.
const MESSAGE: [u8; 7] = [0, 0, 0, 0, 2, 8, 1];

/// Types of frames, by RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
/// Flags of frames: of settings and pings, of what ends a stream, of whole headers.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A server at work. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Calls {
    address: SocketAddr,
    n_answered: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    unwritten: Vec<u8>,
    is_open: bool,
    /// What may be sent yet, and the streams that wait for more.
    window: i64,
    waiting: Vec<u32>,
    /// Bytes of bodies since the window was last opened.
    n_taken: u32,
}

// === impl Calls ===

impl Calls {
    /// A server on a port of its own on loopback, kept on `core`.
    pub(crate) fn start(core: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (n_answered, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (count, until) = (Arc::clone(&n_answered), Arc::clone(&is_over));
        let thread = std::thread::Builder::new().name("calls".to_owned()).spawn(move || {
            let mut only = CpuSet::new();
            only.set(core);
            rustix::thread::sched_setaffinity(None, &only)?;
            serve(poll, &listener, (&count, &until))
        })?;
        Ok(Self { address, n_answered, is_over, thread: Some(thread) })
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Calls answered so far.
    pub(crate) fn n_calls(&self) -> u64 {
        self.n_answered.load(Ordering::Relaxed)
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut poll: Poll,
    listener: &TcpListener,
    (n_calls, is_over): (&AtomicU64, &AtomicBool),
) -> io::Result<()> {
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let (mut events, mut buffer) = (Events::with_capacity(256), vec![0; 64 * 1024]);
    while !is_over.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(Duration::from_millis(100))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    let token = Token(connections.len());
                    let both = Interest::READABLE | Interest::WRITABLE;
                    stream.set_nodelay(true)?;
                    poll.registry().register(&mut stream, token, both)?;
                    connections.push(Some(Connection::new(stream)));
                }
                continue;
            }
            let Some(place) = connections.get_mut(event.token().0) else { continue };
            let answered = place.as_mut().map(|connection| connection.turn(&mut buffer));
            match answered {
                Some(Ok(n)) => drop(n_calls.fetch_add(n, Ordering::Relaxed)),
                Some(Err(_)) => *place = None,
                None => {}
            }
        }
    }
    Ok(())
}

fn frame(to: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    to.extend_from_slice(&len[1..]);
    to.extend_from_slice(&[kind, flags]);
    to.extend_from_slice(&stream.to_be_bytes());
    to.extend_from_slice(payload);
}

// === impl Connection ===

impl Connection {
    fn new(stream: TcpStream) -> Self {
        let mut unwritten = Vec::with_capacity(64 * 1024);
        // SETTINGS_MAX_CONCURRENT_STREAMS.
        let mut streams = vec![0, 3];
        streams.extend_from_slice(&STREAMS.to_be_bytes());
        frame(&mut unwritten, SETTINGS, 0, 0, &streams);
        Self {
            stream,
            unread: Vec::with_capacity(64 * 1024),
            unwritten,
            is_open: false,
            window: WINDOW,
            waiting: Vec::new(),
            n_taken: 0,
        }
    }

    /// Reads all there is and answers it; how many calls that were. An error ends the connection.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<u64> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.unread.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let unread = std::mem::take(&mut self.unread);
        let (mut rest, mut n) = (unread.as_slice(), 0);
        if !self.is_open && PREFACE.len() <= rest.len() {
            rest = &rest[PREFACE.len()..];
            self.is_open = true;
        }
        while self.is_open
            && let Some((head, after)) = rest.split_first_chunk::<HEAD>()
        {
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, after)) = after.split_at_checked(len) else { break };
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            n += self.take((head[3], head[4], stream), payload);
            rest = after;
        }
        self.unread.extend_from_slice(rest);
        while !self.unwritten.is_empty() {
            match self.stream.write(&self.unwritten) {
                Ok(written) => drop(self.unwritten.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(n)
    }

    /// Takes in one frame; how many calls it let be answered.
    fn take(&mut self, (kind, flags, stream): (u8, u8, u32), payload: &[u8]) -> u64 {
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let echo = if kind == PING { payload } else { &[] };
                frame(&mut self.unwritten, kind, ACK, 0, echo);
            }
            WINDOW_UPDATE if stream == 0 => {
                let more = payload.first_chunk().map_or(0, |it| u32::from_be_bytes(*it));
                self.window += i64::from(more & 0x7fff_ffff);
                let waiting = std::mem::take(&mut self.waiting);
                return waiting.into_iter().map(|stream| self.answer(stream)).sum();
            }
            HEADERS | DATA => {
                if kind == DATA {
                    self.taken(u32::try_from(payload.len()).unwrap_or_default());
                }
                if flags & END_STREAM != 0 {
                    return self.answer(stream);
                }
            }
            _ => {}
        }
        0
    }

    fn taken(&mut self, n: u32) {
        self.n_taken += n;
        if TAKEN <= self.n_taken {
            frame(&mut self.unwritten, WINDOW_UPDATE, 0, 0, &self.n_taken.to_be_bytes());
            self.n_taken = 0;
        }
    }

    /// Status, message and trailers; HPACK by its indices (RFC 7541), without a dynamic table.
    fn answer(&mut self, stream: u32) -> u64 {
        const CONTENT_TYPE: &[u8] = b"\x88\x0f\x10\x10application/grpc";
        const STATUS: &[u8] = b"\x00\x0bgrpc-status\x010";
        let cost = i64::try_from(MESSAGE.len()).unwrap_or_default();
        if self.window < cost {
            self.waiting.push(stream);
            return 0;
        }
        self.window -= cost;
        frame(&mut self.unwritten, HEADERS, END_HEADERS, stream, CONTENT_TYPE);
        frame(&mut self.unwritten, DATA, 0, stream, &MESSAGE);
        frame(&mut self.unwritten, HEADERS, END_HEADERS | END_STREAM, stream, STATUS);
        1
    }
}
