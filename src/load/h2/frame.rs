//! HTTP/2's frames (RFC 9113, section 4): nine bytes that say what follows, and error codes.

/// Bytes of a frame's head.
pub(crate) const HEAD: usize = 9;
/// Largest payload that either side may send unless the other allows more; we never do.
pub(crate) const PAYLOAD_MAX: usize = 16_384;
/// What a connection begins with.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Flag of `DATA` and `HEADERS`: nothing more comes on this stream.
pub(crate) const END_STREAM: u8 = 0x1;
/// Flag of `SETTINGS` and `PING`: this answers one of ours.
pub(crate) const ACK: u8 = 0x1;
/// Flag of `HEADERS` and `CONTINUATION`: the header block is whole.
pub(crate) const END_HEADERS: u8 = 0x4;
/// Flag of `DATA` and `HEADERS`: the payload begins with a length of padding, and ends with it.
pub(crate) const PADDED: u8 = 0x8;
/// Flag of `HEADERS`: five bytes of priority come first.
pub(crate) const PRIORITY: u8 = 0x20;

/// What a frame is, by the names of RFC 9113, section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Headers,
    Priority,
    ResetStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// Of an extension; to be ignored.
    Unknown,
}

/// The first nine bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of payload.
    pub(crate) len: usize,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// The stream, or 0 for the connection.
    pub(crate) stream: u32,
}

/// Why a stream or a connection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorCode(pub(crate) u32);

// === impl Kind ===

impl Kind {
    const ALL: [Self; 10] = [
        Self::Data,
        Self::Headers,
        Self::Priority,
        Self::ResetStream,
        Self::Settings,
        Self::PushPromise,
        Self::Ping,
        Self::GoAway,
        Self::WindowUpdate,
        Self::Continuation,
    ];

    fn of(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::Unknown)
    }
}

// === impl Head ===

impl Head {
    /// Reads a head.
    pub(crate) fn read(bytes: [u8; HEAD]) -> Self {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = bytes;
        Self {
            len: usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c),
            kind: Kind::of(kind),
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff,
        }
    }

    /// Whether a flag is set.
    pub(crate) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Writes a frame's head; its payload of `len` bytes is to follow.
#[expect(clippy::cast_possible_truncation, reason = "of each shift one byte is wanted")]
pub(crate) fn write_head(out: &mut Vec<u8>, kind: Kind, flags: u8, stream: u32, len: usize) {
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    let size = [(len >> 16) as u8, (len >> 8) as u8, len as u8];
    out.extend_from_slice(&[size[0], size[1], size[2], kind as u8, flags, s0, s1, s2, s3]);
}

/// Writes `RST_STREAM`.
pub(crate) fn write_reset(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    write_head(out, Kind::ResetStream, 0, stream, 4);
    out.extend_from_slice(&code.0.to_be_bytes());
}

/// Writes `WINDOW_UPDATE`; stream 0 is the connection.
pub(crate) fn write_window_update(out: &mut Vec<u8>, stream: u32, n: u32) {
    write_head(out, Kind::WindowUpdate, 0, stream, 4);
    out.extend_from_slice(&n.to_be_bytes());
}

// === impl ErrorCode ===

impl ErrorCode {
    pub(crate) const NO_ERROR: Self = Self(0);
    pub(crate) const PROTOCOL_ERROR: Self = Self(1);
    pub(crate) const REFUSED_STREAM: Self = Self(7);
    pub(crate) const CANCEL: Self = Self(8);

    /// RFC 9113, section 7.
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    /// How many are told apart: those with a name, and the rest as one.
    pub(crate) const N: usize = Self::NAMES.len() + 1;

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.get(self.0 as usize).copied().unwrap_or("a code without a name")
    }

    /// Its place among those that are told apart.
    pub(crate) fn index(self) -> usize {
        (self.0 as usize).min(Self::NAMES.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for (kind_idx, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, kind_idx);
            let mut out = Vec::new();
            write_head(&mut out, kind, 0x25, 0x7fff_fffd, 0x0a_0b0c);
            let head = Head::read(out.try_into().unwrap());
            assert_eq!(head, Head { len: 0x0a_0b0c, kind, flags: 0x25, stream: 0x7fff_fffd });
        }
        let unknown = Head::read([0, 0, 1, 0xfa, 0, 0x80, 0, 0, 3]);
        assert_eq!((unknown.kind, unknown.stream), (Kind::Unknown, 3), "the first bit is reserved");
    }

    #[test]
    fn codes_beyond_the_known_count_as_one() {
        let indices = [0, 7, 13, 14, u32::MAX].map(|code| ErrorCode(code).index());
        assert_eq!(indices, [0, 7, 13, 14, 14]);
    }
}
