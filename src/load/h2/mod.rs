//! HTTP/2 as a client speaks it (RFC 9113), without a socket: bytes in, bytes out.
//!
//! Requests are rendered once (`request`); a [`Session`] keeps what one connection knows of its
//! streams and windows, and tells what became of each request. Room is taken when a connection
//! is made, and none for a request.

pub(super) mod frame;
mod hpack;
mod huffman;
mod request;
mod session;

use thiserror::Error;

pub(super) use frame::ErrorCode;
pub(super) use request::Parts;
pub(super) use request::Request;
pub(super) use request::render;
pub(super) use session::Answer;
pub(super) use session::Event;
pub(super) use session::Session;

/// The server does not keep to HTTP/2; its connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Fault {
    /// What came first are not the settings with which a server begins.
    #[error("the server does not speak HTTP/2")]
    NotHttp2,
    /// A frame that may not be, or not there, or not of this size.
    #[error("a frame breaks the rules")]
    Frame,
    /// A header block that cannot be undone.
    #[error("a header block cannot be decoded")]
    Compression,
    /// A header block without end.
    #[error("a header block is larger than {} bytes", session::BLOCK_MAX)]
    HeadTooLarge,
    /// A window beyond 2^31 - 1.
    #[error("a window is larger than may be")]
    Window,
    /// More that must be answered than the server takes answers.
    #[error("the server asks more than it listens")]
    Flood,
}
