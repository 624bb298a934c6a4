//! One connection: its streams, its windows, and what became of each request.
//!
//! This file is what the caller sends; `receive` is what comes back.

mod receive;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame;
use super::frame::ErrorCode;
use super::frame::Kind;
use super::frame::PAYLOAD_MAX;
use super::hpack::Decoder;
use super::request::Request;
use crate::load::grpc::Messages;

/// Largest header block of an answer, in bytes.
pub(crate) const BLOCK_MAX: usize = 64 * 1024;
/// What the server may send before we take note: far more than is ever under way.
const WINDOW: u32 = 1 << 30;
/// What either side may send before anything was said (RFC 9113, section 6.9.2).
const WINDOW_DEFAULT: u32 = 65_535;
/// The largest window there is.
const WINDOW_MAX: i64 = (1 << 31) - 1;
/// Bytes that wait for the socket before bodies and new requests wait too.
const OUT_MAX: usize = 256 * 1024;
/// Bytes that wait for the socket before the server is no longer answered.
const FLOOD: usize = 1024 * 1024;
/// The last stream that a client can open.
const STREAM_LAST: u32 = (1 << 31) - 1;

const SETTING_TABLE: u16 = 1;
const SETTING_PUSH: u16 = 2;
const SETTING_STREAMS: u16 = 3;
const SETTING_WINDOW: u16 = 4;

/// One connection. `J` is what the caller knows a request by.
#[derive(Debug)]
pub(crate) struct Session<J> {
    requests: Arc<[Request]>,
    /// Most streams at once, as we want.
    n_wanted: usize,
    /// Most streams at once, as the server wants.
    n_allowed: usize,
    /// By number: stream `id` can only stand at `id / 2` modulo their count. A number that would
    /// meet an older stream is left out, which is allowed.
    streams: Vec<Option<Stream<J>>>,
    n_open: usize,
    n_ended: u64,
    next_id: u32,
    /// The server's settings have come.
    is_ready: bool,
    /// The server goes away: the last stream that it answers, and why.
    going: Option<(u32, ErrorCode)>,
    /// Whether the server keeps a table for us, and whether it was filled.
    table: Table,

    out: Vec<u8>,
    n_written: usize,
    /// Bytes written before those that `out` holds.
    n_flushed: u64,
    /// Streams of which the first byte waits at this place.
    unsent: VecDeque<(u64, u32)>,
    /// Streams with a body that could go on, as far as the connection's window allows.
    sending: VecDeque<u32>,
    window: i64,
    stream_window: i64,

    reading: Reading,
    /// A frame that has come in part.
    part: Vec<u8>,
    decoder: Decoder,
    /// A header block that goes on in `CONTINUATION`.
    block: Vec<u8>,
    continued: Option<(u32, bool)>,
    /// Bytes received for which no window was given yet.
    debt: u32,
}

#[derive(Debug)]
struct Stream<J> {
    id: u32,
    job: J,
    request: usize,
    /// Bytes of the body that have been sent.
    n_sent: usize,
    window: i64,
    /// Whether it stands in `sending`.
    is_sending: bool,
    debt: u32,
    /// Of the head, once it has come.
    status: Option<u16>,
    answer: Answer,
    messages: Messages,
}

/// What came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Of HTTP.
    pub(crate) status: u16,
    /// Whether it says that it is gRPC's.
    pub(crate) is_grpc: bool,
    /// Of gRPC, if there is one.
    pub(crate) grpc_status: Option<u32>,
    /// Bytes of the body.
    pub(crate) n_body: u64,
    /// Whole messages of gRPC.
    pub(crate) n_messages: u32,
    /// Whether a message was cut off.
    pub(crate) is_cut: bool,
    /// When the head came.
    pub(crate) head_at: u64,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event<J> {
    /// The server's settings have come: requests may be sent.
    Ready,
    /// An answer is whole.
    Answered {
        /// Whose.
        job: J,
        /// What it says.
        answer: Answer,
    },
    /// The server gave a stream up.
    Reset {
        /// Whose.
        job: J,
        /// Why.
        code: ErrorCode,
    },
    /// The server went away and says that it has never looked at this one.
    Unprocessed {
        /// Whose.
        job: J,
        /// Why it went away.
        code: ErrorCode,
    },
    /// The answer breaks the rules; the connection can go on.
    Malformed {
        /// Whose.
        job: J,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// Nothing was sent yet.
    Empty,
    /// The fields that all requests share are in it.
    Filled,
    /// The server wants a smaller one: we use none, and have yet to say so.
    Refused,
    /// We have said that we use none.
    Given,
}

#[derive(Debug, Clone, Copy)]
enum Reading {
    /// A frame that is looked at when it is whole.
    Frame,
    /// A body, which streams through.
    Body { stream: u32, len: usize, n_left: usize, n_padding: usize, pads: bool, ends: bool },
}

// === impl Session ===

impl<J: Copy> Session<J> {
    /// A connection on which `n_streams` requests may be under way.
    pub(crate) fn new(requests: Arc<[Request]>, n_streams: usize) -> Self {
        let n_streams = n_streams.max(1);
        let mut session = Self {
            requests,
            n_wanted: n_streams,
            n_allowed: usize::MAX,
            streams: (0..(2 * n_streams).next_power_of_two()).map(|_| None).collect(),
            n_open: 0,
            n_ended: 0,
            next_id: 1,
            is_ready: false,
            going: None,
            table: Table::Empty,
            out: Vec::with_capacity(4096),
            n_written: 0,
            n_flushed: 0,
            unsent: VecDeque::with_capacity(n_streams),
            sending: VecDeque::with_capacity(n_streams),
            window: i64::from(WINDOW_DEFAULT),
            stream_window: i64::from(WINDOW_DEFAULT),
            reading: Reading::Frame,
            part: Vec::new(),
            decoder: Decoder::new(),
            block: Vec::new(),
            continued: None,
            debt: 0,
        };
        session.out.extend_from_slice(frame::PREFACE);
        frame::write_head(&mut session.out, Kind::Settings, 0, 0, 12);
        for (setting, value) in [(SETTING_PUSH, 0), (SETTING_WINDOW, WINDOW)] {
            session.out.extend_from_slice(&setting.to_be_bytes());
            session.out.extend_from_slice(&value.to_be_bytes());
        }
        frame::write_window_update(&mut session.out, 0, WINDOW - WINDOW_DEFAULT);
        session
    }

    /// How many requests could be started now.
    pub(crate) fn n_free(&self) -> usize {
        let can_start = self.is_ready
            && self.going.is_none()
            && self.next_id <= STREAM_LAST
            && self.waiting().len() < OUT_MAX;
        if can_start { self.n_wanted.min(self.n_allowed).saturating_sub(self.n_open) } else { 0 }
    }

    /// Requests under way.
    pub(crate) const fn n_open(&self) -> usize {
        self.n_open
    }

    /// Requests that are over, one way or the other.
    pub(crate) const fn n_ended(&self) -> u64 {
        self.n_ended
    }

    /// Whether no request will ever be started again.
    pub(crate) const fn is_going(&self) -> bool {
        self.going.is_some() || STREAM_LAST < self.next_id
    }

    /// Why the server goes away, if it does.
    pub(crate) fn going(&self) -> Option<ErrorCode> {
        self.going.map(|(_, code)| code)
    }

    /// Puts a request on its way; the job comes back if there is no room.
    pub(crate) fn start(&mut self, request: usize, job: J) -> Result<(), J> {
        if self.n_free() == 0 || self.requests.len() <= request {
            return Err(job);
        }
        // There are more places than streams, so one is free before long.
        while self.streams[self.place(self.next_id)].is_some() {
            self.next_id += 2;
            if STREAM_LAST < self.next_id {
                return Err(job);
            }
        }
        let id = self.next_id;
        self.next_id += 2;
        self.unsent.push_back((self.n_flushed + self.out.len() as u64, id));
        let has_body = self.write_request(request, id);
        let place = self.place(id);
        self.streams[place] = Some(Stream {
            id,
            job,
            request,
            n_sent: 0,
            window: self.stream_window,
            is_sending: has_body,
            debt: 0,
            status: None,
            answer: Answer::default(),
            messages: Messages::default(),
        });
        self.n_open += 1;
        if has_body {
            if self.streams.len() <= self.sending.len() {
                self.forget_ended();
            }
            self.sending.push_back(id);
            self.send_bodies();
        }
        Ok(())
    }

    /// Bytes for the socket.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.out[self.n_written..]
    }

    /// The socket took so many of them. Calls `sent` for each request that began with them;
    /// without a job, if it is over already.
    pub(crate) fn wrote(&mut self, n: usize, mut sent: impl FnMut(Option<&mut J>)) {
        self.n_written += n;
        let written = self.n_flushed + self.n_written as u64;
        while let Some((_, id)) = self.unsent.front().filter(|(begins, _)| *begins < written) {
            let place = self.place(*id);
            let stream = self.streams[place].as_mut().filter(|stream| stream.id == *id);
            sent(stream.map(|stream| &mut stream.job));
            self.unsent.pop_front();
        }
        if self.n_written == self.out.len() {
            self.forget_written();
            self.send_bodies();
        } else if self.out.len() < 2 * self.n_written && PAYLOAD_MAX < self.n_written {
            self.forget_written();
        }
    }

    /// Gives up the requests of which `is_over` says so, and calls `over` with each.
    pub(crate) fn expire(&mut self, is_over: impl Fn(&J) -> bool, mut over: impl FnMut(J)) {
        for place in 0..self.streams.len() {
            let Some(stream) = self.streams[place].take_if(|stream| is_over(&stream.job)) else {
                continue;
            };
            self.ended();
            frame::write_reset(&mut self.out, stream.id, ErrorCode::CANCEL);
            over(stream.job);
        }
    }

    /// Calls `over` with each request that is under way, and whether its answer has begun. The
    /// connection is of no use then.
    pub(crate) fn give_up(&mut self, mut over: impl FnMut(J, bool)) {
        for place in 0..self.streams.len() {
            let Some(stream) = self.streams[place].take() else { continue };
            self.ended();
            over(stream.job, stream.status.is_some());
        }
    }

    fn place(&self, id: u32) -> usize {
        // A power of two.
        (id / 2) as usize & (self.streams.len() - 1)
    }

    fn stream(&mut self, id: u32) -> Option<&mut Stream<J>> {
        let place = self.place(id);
        self.streams[place].as_mut().filter(|stream| stream.id == id)
    }

    fn take(&mut self, id: u32) -> Option<Stream<J>> {
        let place = self.place(id);
        let stream = self.streams[place].take_if(|stream| stream.id == id)?;
        self.ended();
        Some(stream)
    }

    const fn ended(&mut self) {
        self.n_open -= 1;
        self.n_ended += 1;
    }

    /// Of those that wait for a window some may be over.
    fn forget_ended(&mut self) {
        let Self { sending, streams, .. } = self;
        let n_places = streams.len();
        sending.retain(|id| {
            let stream = &streams[(*id as usize / 2) & (n_places - 1)];
            stream.as_ref().is_some_and(|stream| stream.id == *id)
        });
    }

    fn forget_written(&mut self) {
        self.n_flushed += self.n_written as u64;
        self.out.drain(..self.n_written);
        self.n_written = 0;
    }

    /// Writes the head of a request. Whether a body is to follow.
    fn write_request(&mut self, request: usize, id: u32) -> bool {
        let Self { requests, out, table, .. } = self;
        let request = &requests[request];
        let (block, announcement) = match table {
            Table::Empty => (&request.first, &[][..]),
            Table::Filled => (&request.next, &[][..]),
            // Sets the table's size to 0.
            Table::Refused => (&request.plain, &[0x20][..]),
            Table::Given => (&request.plain, &[][..]),
        };
        *table = match table {
            Table::Empty | Table::Filled => Table::Filled,
            Table::Refused | Table::Given => Table::Given,
        };
        let has_body = !request.body.is_empty();
        let ends = if has_body { 0 } else { frame::END_STREAM };
        let n_first = (announcement.len() + block.len()).min(PAYLOAD_MAX);
        let (piece, mut rest) = block.split_at(n_first - announcement.len());
        let whole = |rest: &[u8]| if rest.is_empty() { frame::END_HEADERS } else { 0 };
        frame::write_head(out, Kind::Headers, ends | whole(rest), id, n_first);
        out.extend_from_slice(announcement);
        out.extend_from_slice(piece);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(PAYLOAD_MAX));
            rest = after;
            frame::write_head(out, Kind::Continuation, whole(rest), id, piece.len());
            out.extend_from_slice(piece);
        }
        has_body
    }

    /// Sends of the bodies what windows and socket allow.
    fn send_bodies(&mut self) {
        while 0 < self.window && self.out.len() - self.n_written < OUT_MAX {
            let Some(id) = self.sending.pop_front() else { return };
            let place = self.place(id);
            let Some(stream) = self.streams[place].as_mut().filter(|stream| stream.id == id) else {
                continue;
            };
            let body = &self.requests[stream.request].body;
            let rest = body.get(stream.n_sent..).unwrap_or_default();
            let room = usize::try_from(stream.window.min(self.window)).unwrap_or(0);
            let n = rest.len().min(PAYLOAD_MAX).min(room);
            let is_last = n == rest.len();
            if n == 0 {
                // It goes on when its window opens.
                stream.is_sending = false;
                continue;
            }
            let ends = if is_last { frame::END_STREAM } else { 0 };
            frame::write_head(&mut self.out, Kind::Data, ends, id, n);
            self.out.extend_from_slice(&rest[..n]);
            stream.n_sent += n;
            // A frame is at most 16 KiB.
            let taken = i64::try_from(n).unwrap_or(0);
            stream.window -= taken;
            self.window -= taken;
            if is_last {
                stream.is_sending = false;
            } else {
                self.sending.push_back(id);
            }
        }
    }
}

// === impl Stream ===

impl<J> Stream<J> {
    fn take_body(&mut self, bytes: &[u8]) {
        self.answer.n_body += bytes.len() as u64;
        if self.answer.is_grpc {
            self.messages.feed(bytes);
        }
    }

    /// Whether its body can be sent on, and was waiting for that.
    fn go_on(&mut self, requests: &[Request]) -> bool {
        let n_body = requests.get(self.request).map_or(0, |request| request.body.len());
        let goes_on = !self.is_sending && self.n_sent < n_body && 0 < self.window;
        self.is_sending |= goes_on;
        goes_on
    }
}
