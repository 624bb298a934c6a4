//! What the server sends, and what it means for streams and windows.

use super::Answer;
use super::BLOCK_MAX;
use super::Event;
use super::FLOOD;
use super::Reading;
use super::SETTING_STREAMS;
use super::SETTING_TABLE;
use super::SETTING_WINDOW;
use super::Session;
use super::Table;
use super::WINDOW;
use super::WINDOW_MAX;
use crate::load::h2::Fault;
use crate::load::h2::frame;
use crate::load::h2::frame::ErrorCode;
use crate::load::h2::frame::HEAD;
use crate::load::h2::frame::Head;
use crate::load::h2::frame::Kind;
use crate::load::h2::frame::PAYLOAD_MAX;
use crate::load::h2::hpack::Fields;
use crate::load::h2::hpack::TABLE_MAX;

impl<J: Copy> Session<J> {
    /// Takes bytes in that came at `now`, and tells what they amount to.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        now: u64,
        on: &mut impl FnMut(Event<J>),
    ) -> Result<(), Fault> {
        while !bytes.is_empty() {
            bytes = match self.reading {
                Reading::Body { .. } => self.read_body(bytes, on)?,
                Reading::Frame if self.part.is_empty() => self.read_frame(bytes, now, on)?,
                Reading::Frame => self.complete_frame(bytes, now, on)?,
            };
        }
        if FLOOD < self.waiting().len() { Err(Fault::Flood) } else { Ok(()) }
    }

    /// A frame that begins with `bytes`; what is left of them.
    fn read_frame<'a>(
        &mut self,
        bytes: &'a [u8],
        now: u64,
        on: &mut impl FnMut(Event<J>),
    ) -> Result<&'a [u8], Fault> {
        let Some((head, rest)) = bytes.split_first_chunk() else {
            self.part.extend_from_slice(bytes);
            return Ok(&[]);
        };
        let head = Head::read(*head);
        self.check(head)?;
        if head.kind == Kind::Data {
            self.begin_body(head, on)?;
            return Ok(rest);
        }
        let Some((payload, rest)) = rest.split_at_checked(head.len) else {
            self.part.extend_from_slice(bytes);
            return Ok(&[]);
        };
        self.take_frame(head, payload, now, on)?;
        Ok(rest)
    }

    /// More of a frame that has come in part; what is left of the bytes.
    fn complete_frame<'a>(
        &mut self,
        bytes: &'a [u8],
        now: u64,
        on: &mut impl FnMut(Event<J>),
    ) -> Result<&'a [u8], Fault> {
        let n_whole = match self.part.first_chunk() {
            None => HEAD,
            Some(head) => HEAD + Head::read(*head).len,
        };
        let n = (n_whole - self.part.len()).min(bytes.len());
        self.part.extend_from_slice(&bytes[..n]);
        let rest = &bytes[n..];
        let Some(head) = self.part.first_chunk().map(|head| Head::read(*head)) else {
            return Ok(rest);
        };
        if n_whole == HEAD {
            self.check(head)?;
        }
        if head.kind == Kind::Data {
            self.part.clear();
            self.begin_body(head, on)?;
        } else if HEAD + head.len <= self.part.len() {
            // Taken out, so that the rest of `self` is free; and put back, to keep its room.
            let part = std::mem::take(&mut self.part);
            let taken = self.take_frame(head, &part[HEAD..], now, on);
            self.part = part;
            self.part.clear();
            taken?;
        }
        Ok(rest)
    }

    /// Whether such a frame may come now.
    fn check(&self, head: Head) -> Result<(), Fault> {
        if !self.is_ready && (head.kind != Kind::Settings || head.has(frame::ACK)) {
            return Err(Fault::NotHttp2);
        }
        if PAYLOAD_MAX < head.len {
            return Err(Fault::Frame);
        }
        let continues = (head.kind == Kind::Continuation).then_some(head.stream);
        if continues != self.continued.map(|(stream, _)| stream) {
            return Err(Fault::Frame);
        }
        let (is_ours, is_idle) = (head.stream % 2 == 1, self.next_id <= head.stream);
        let fits = match head.kind {
            Kind::Data | Kind::Headers | Kind::Continuation => is_ours && !is_idle,
            Kind::ResetStream => head.len == 4 && is_ours && !is_idle,
            Kind::WindowUpdate => head.len == 4 && (head.stream == 0 || is_ours && !is_idle),
            Kind::Settings => {
                let n_most = if head.has(frame::ACK) { 0 } else { PAYLOAD_MAX };
                head.stream == 0 && head.len.is_multiple_of(6) && head.len <= n_most
            }
            Kind::Ping => head.stream == 0 && head.len == 8,
            Kind::GoAway => head.stream == 0 && 8 <= head.len,
            // We have said that we want none.
            Kind::PushPromise => false,
            Kind::Priority | Kind::Unknown => true,
        };
        if fits { Ok(()) } else { Err(Fault::Frame) }
    }

    fn take_frame(
        &mut self,
        head: Head,
        payload: &[u8],
        now: u64,
        on: &mut impl FnMut(Event<J>),
    ) -> Result<(), Fault> {
        match head.kind {
            Kind::Headers => self.take_headers(head, payload, now, on),
            Kind::Continuation => self.take_continuation(head, payload, now, on),
            Kind::Settings if head.has(frame::ACK) => Ok(()),
            Kind::Settings => self.take_settings(payload, on),
            Kind::Ping if head.has(frame::ACK) => Ok(()),
            Kind::Ping => {
                frame::write_head(&mut self.out, Kind::Ping, frame::ACK, 0, payload.len());
                self.out.extend_from_slice(payload);
                Ok(())
            }
            Kind::GoAway => {
                let last = number(payload) & 0x7fff_ffff;
                self.go_away(last, ErrorCode(number(&payload[4..])), on);
                Ok(())
            }
            Kind::WindowUpdate => self.take_window(head.stream, number(payload), on),
            Kind::ResetStream => {
                let code = ErrorCode(number(payload));
                if let Some(stream) = self.take(head.stream) {
                    on(Event::Reset { job: stream.job, code });
                }
                Ok(())
            }
            Kind::Data | Kind::PushPromise | Kind::Priority | Kind::Unknown => Ok(()),
        }
    }

    fn take_headers(
        &mut self,
        head: Head,
        payload: &[u8],
        now: u64,
        on: &mut impl FnMut(Event<J>),
    ) -> Result<(), Fault> {
        let mut fragment = payload;
        if head.has(frame::PADDED) {
            let (n_padding, rest) = fragment.split_first().ok_or(Fault::Frame)?;
            let n = rest.len().checked_sub(usize::from(*n_padding)).ok_or(Fault::Frame)?;
            fragment = &rest[..n];
        }
        if head.has(frame::PRIORITY) {
            fragment = fragment.get(5..).ok_or(Fault::Frame)?;
        }
        let ends = head.has(frame::END_STREAM);
        if head.has(frame::END_HEADERS) {
            let fields = self.decoder.decode(fragment)?;
            self.take_fields(head.stream, fields, (ends, now), on);
        } else {
            self.block.clear();
            self.block.extend_from_slice(fragment);
            self.continued = Some((head.stream, ends));
        }
        Ok(())
    }

    fn take_continuation(
        &mut self,
        head: Head,
        payload: &[u8],
        now: u64,
        on: &mut impl FnMut(Event<J>),
    ) -> Result<(), Fault> {
        let is_last = head.has(frame::END_HEADERS);
        // Frames without a byte would otherwise come for ever.
        let is_endless = payload.is_empty() && !is_last;
        if BLOCK_MAX < self.block.len() + payload.len() || is_endless {
            return Err(Fault::HeadTooLarge);
        }
        self.block.extend_from_slice(payload);
        if let Some((stream, ends)) = self.continued.filter(|_| is_last) {
            self.continued = None;
            let fields = self.decoder.decode(&self.block)?;
            self.take_fields(stream, fields, (ends, now), on);
        }
        Ok(())
    }

    /// A head, or what follows a body.
    fn take_fields(
        &mut self,
        id: u32,
        fields: Fields,
        (ends, now): (bool, u64),
        on: &mut impl FnMut(Event<J>),
    ) {
        // One that we gave up may still be answered.
        let Some(stream) = self.stream(id) else { return };
        let is_head = stream.status.is_none();
        match fields.status {
            // An interim answer is followed by the real one.
            Some(100..200) if is_head && !ends => return,
            Some(status) if is_head => {
                stream.status = Some(status);
                stream.answer.head_at = now;
                stream.answer.is_grpc = fields.is_grpc;
            }
            // Trailers have no status, and nothing follows them.
            None if !is_head && ends => {}
            _ => return self.malformed(id, on),
        }
        stream.answer.grpc_status = fields.grpc_status.or(stream.answer.grpc_status);
        if ends {
            self.answered(id, on);
        }
    }

    fn take_settings(
        &mut self,
        payload: &[u8],
        on: &mut impl FnMut(Event<J>),
    ) -> Result<(), Fault> {
        for setting in payload.chunks_exact(6) {
            let value = number(&setting[2..]);
            match u16::from_be_bytes([setting[0], setting[1]]) {
                // Ours is what both sides have by default, and we never ask for more.
                SETTING_TABLE if (value as usize) < TABLE_MAX && self.table != Table::Given => {
                    self.table = Table::Refused;
                }
                SETTING_STREAMS => self.n_allowed = value as usize,
                SETTING_WINDOW => self.resize_windows(i64::from(value))?,
                _ => {}
            }
        }
        frame::write_head(&mut self.out, Kind::Settings, frame::ACK, 0, 0);
        if !self.is_ready {
            self.is_ready = true;
            on(Event::Ready);
        }
        self.send_bodies();
        Ok(())
    }

    /// The windows of all streams change by what their beginning does (RFC 9113, section 6.9.2).
    fn resize_windows(&mut self, size: i64) -> Result<(), Fault> {
        if WINDOW_MAX < size {
            return Err(Fault::Window);
        }
        let more = size - self.stream_window;
        self.stream_window = size;
        for stream in self.streams.iter_mut().flatten() {
            stream.window += more;
            if WINDOW_MAX < stream.window {
                return Err(Fault::Window);
            }
            if stream.go_on(&self.requests) {
                self.sending.push_back(stream.id);
            }
        }
        Ok(())
    }

    fn take_window(
        &mut self,
        id: u32,
        more: u32,
        on: &mut impl FnMut(Event<J>),
    ) -> Result<(), Fault> {
        let more = i64::from(more & 0x7fff_ffff);
        if id == 0 {
            self.window += more;
            if more == 0 || WINDOW_MAX < self.window {
                return Err(Fault::Window);
            }
        } else {
            let place = self.place(id);
            let found = self.streams[place].as_mut().filter(|stream| stream.id == id);
            let Some(stream) = found else { return Ok(()) };
            stream.window += more;
            if more == 0 || WINDOW_MAX < stream.window {
                self.malformed(id, on);
                return Ok(());
            }
            if stream.go_on(&self.requests) {
                self.sending.push_back(id);
            }
        }
        self.send_bodies();
        Ok(())
    }

    /// What the server will not answer ends now.
    fn go_away(&mut self, last: u32, code: ErrorCode, on: &mut impl FnMut(Event<J>)) {
        self.going = Some((last, code));
        // What of them still waits for the socket is no request any more: it is sent elsewhere.
        self.unsent.retain(|(_, id)| *id <= last);
        for place in 0..self.streams.len() {
            let found = self.streams[place].take_if(|stream| last < stream.id);
            let Some(stream) = found else { continue };
            self.ended();
            on(Event::Unprocessed { job: stream.job, code });
        }
    }

    fn begin_body(&mut self, head: Head, on: &mut impl FnMut(Event<J>)) -> Result<(), Fault> {
        let pads = head.has(frame::PADDED);
        if pads && head.len == 0 {
            return Err(Fault::Frame);
        }
        let (stream, len, ends) = (head.stream, head.len, head.has(frame::END_STREAM));
        self.reading = Reading::Body { stream, len, n_left: len, n_padding: 0, pads, ends };
        if self.stream(stream).is_some_and(|stream| stream.status.is_none()) {
            self.malformed(stream, on);
        }
        if len == 0 {
            self.end_body(stream, (len, ends), on);
        }
        Ok(())
    }

    /// More of a body; what is left of the bytes.
    fn read_body<'a>(
        &mut self,
        mut bytes: &'a [u8],
        on: &mut impl FnMut(Event<J>),
    ) -> Result<&'a [u8], Fault> {
        let Reading::Body { stream: id, len, mut n_left, mut n_padding, mut pads, ends } =
            self.reading
        else {
            return Ok(bytes);
        };
        if pads && let Some((first, rest)) = bytes.split_first() {
            (pads, n_padding, n_left, bytes) = (false, usize::from(*first), n_left - 1, rest);
            if n_left < n_padding {
                return Err(Fault::Frame);
            }
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(n_left));
        let n_data = piece.len().min(n_left.saturating_sub(n_padding));
        n_left -= piece.len();
        if let Some(stream) = self.stream(id) {
            stream.take_body(&piece[..n_data]);
        }
        self.reading = Reading::Body { stream: id, len, n_left, n_padding, pads, ends };
        if n_left == 0 {
            self.end_body(id, (len, ends), on);
        }
        Ok(rest)
    }

    fn end_body(&mut self, id: u32, (len, ends): (usize, bool), on: &mut impl FnMut(Event<J>)) {
        self.reading = Reading::Frame;
        // A frame is at most 16 KiB.
        let len = u32::try_from(len).unwrap_or(0);
        self.debt += len;
        if WINDOW / 2 < self.debt {
            frame::write_window_update(&mut self.out, 0, self.debt);
            self.debt = 0;
        }
        let place = self.place(id);
        let found = self.streams[place].as_mut().filter(|stream| stream.id == id);
        let Some(stream) = found else { return };
        stream.debt += len;
        if ends {
            self.answered(id, on);
        } else if WINDOW / 2 < stream.debt {
            frame::write_window_update(&mut self.out, id, stream.debt);
            stream.debt = 0;
        }
    }

    fn answered(&mut self, id: u32, on: &mut impl FnMut(Event<J>)) {
        let Some(stream) = self.take(id) else { return };
        if stream.n_sent < self.requests[stream.request].body.len() {
            // The server knows enough; the rest of the body stays here.
            frame::write_reset(&mut self.out, id, ErrorCode::CANCEL);
        }
        let answer = Answer {
            status: stream.status.unwrap_or(0),
            n_messages: stream.messages.n_whole(),
            is_cut: stream.messages.is_cut(),
            ..stream.answer
        };
        on(Event::Answered { job: stream.job, answer });
    }

    fn malformed(&mut self, id: u32, on: &mut impl FnMut(Event<J>)) {
        if let Some(stream) = self.take(id) {
            frame::write_reset(&mut self.out, id, ErrorCode::PROTOCOL_ERROR);
            on(Event::Malformed { job: stream.job });
        }
    }
}

/// The number at the beginning of a payload that is long enough.
fn number(payload: &[u8]) -> u32 {
    payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
