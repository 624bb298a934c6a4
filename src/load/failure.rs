//! Why a request failed, as a class that names the cause.

use std::fmt;
use std::io;

use rustls::AlertDescription;
use rustls::CertificateError;

use super::grpc;
use super::h2;
use super::h2::ErrorCode;
use super::http1::Garbage;

/// Classes of failure. Their number is fixed, so that a shard counts them in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Timeout,
    ConnectRefused,
    ConnectTimeout,
    Unreachable,
    Reset,
    ClosedEarly,
    Garbage,
    TooLarge,
    Tls,
    TlsCertificate,
    TlsExpired,
    TlsNotYet,
    TlsName,
    Dns,
    Descriptors,
    Ports,
    Status4xx,
    Status5xx,
    StatusOther,
    Aborted,
    Other,
    NoHttp2,
    Http2Rules,
    NotGrpc,
    GrpcNoStatus,
    GrpcMessage,
    /// The server gave the stream up.
    StreamReset(ErrorCode),
    /// The server went away, and had not looked at the request.
    GoAway(ErrorCode),
    /// A status of gRPC that is not `OK`.
    Grpc(u32),
}

/// Classes without a code in them.
const N_PLAIN: usize = 26;
/// How many classes there are.
pub(super) const N_CLASSES: usize = N_PLAIN + 2 * ErrorCode::N + grpc::N_STATUS;

impl Failure {
    /// Those without a code, in the order of their index.
    const PLAIN: [Self; N_PLAIN] = [
        Self::Timeout,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::Unreachable,
        Self::Reset,
        Self::ClosedEarly,
        Self::Garbage,
        Self::TooLarge,
        Self::Tls,
        Self::TlsCertificate,
        Self::TlsExpired,
        Self::TlsNotYet,
        Self::TlsName,
        Self::Dns,
        Self::Descriptors,
        Self::Ports,
        Self::Status4xx,
        Self::Status5xx,
        Self::StatusOther,
        Self::Aborted,
        Self::Other,
        Self::NoHttp2,
        Self::Http2Rules,
        Self::NotGrpc,
        Self::GrpcNoStatus,
        Self::GrpcMessage,
    ];

    /// All of them, in the order of their index.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        // The last of each stands for all that have no name.
        let codes = || (0..).take(ErrorCode::N).map(ErrorCode);
        Self::PLAIN
            .into_iter()
            .chain(codes().map(Self::StreamReset))
            .chain(codes().map(Self::GoAway))
            .chain((0..).take(grpc::N_STATUS).map(Self::Grpc))
    }

    /// Its place among all.
    pub(super) fn index(self) -> usize {
        match self {
            Self::StreamReset(code) => N_PLAIN + code.index(),
            Self::GoAway(code) => N_PLAIN + ErrorCode::N + code.index(),
            Self::Grpc(status) => N_PLAIN + 2 * ErrorCode::N + grpc::status_index(status),
            plain => Self::PLAIN.iter().position(|known| *known == plain).unwrap_or(0),
        }
    }

    /// The words of a class without a code.
    const fn words(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::ConnectRefused => "connect refused",
            Self::ConnectTimeout => "connect timeout",
            Self::Unreachable => "connect unreachable",
            Self::Reset => "reset by the server",
            Self::ClosedEarly => "closed before the answer was whole",
            Self::Garbage => "answer is not HTTP/1.1",
            Self::TooLarge => "head of the answer too large",
            Self::Tls => "tls handshake",
            Self::TlsCertificate => "tls certificate not trusted",
            Self::TlsExpired => "tls certificate expired",
            Self::TlsNotYet => "tls certificate not valid yet",
            Self::TlsName => "tls certificate is for another name",
            Self::Dns => "dns: name does not resolve",
            Self::Descriptors => "out of file descriptors here",
            Self::Ports => "out of local ports here",
            Self::Status4xx => "status 4xx",
            Self::Status5xx => "status 5xx",
            Self::StatusOther => "status outside 2xx to 5xx",
            Self::Aborted => "given up at the end",
            Self::Other => "other",
            Self::NoHttp2 => "server does not speak HTTP/2",
            Self::Http2Rules => "answer breaks the rules of HTTP/2",
            Self::NotGrpc => "answer is not gRPC by its content-type",
            Self::GrpcNoStatus => "grpc status is missing",
            Self::GrpcMessage => "grpc message missing or cut off",
            Self::StreamReset(_) => "stream reset by server",
            Self::GoAway(_) => "goaway",
            Self::Grpc(_) => "grpc",
        }
    }

    /// Of an error of a socket.
    pub(super) fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectRefused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::ClosedEarly,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Self::Unreachable,
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Self::Ports,
            io::ErrorKind::InvalidData => Self::of_tls(error),
            _ if is_descriptors(error) => Self::Descriptors,
            _ => Self::Other,
        }
    }

    /// Of an error of TLS, which comes as one of a socket.
    fn of_tls(error: &io::Error) -> Self {
        let error = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) = error {
            return Self::NoHttp2;
        }
        let Some(rustls::Error::InvalidCertificate(error)) = error else { return Self::Tls };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::TlsExpired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::TlsNotYet
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::TlsName
            }
            _ => Self::TlsCertificate,
        }
    }

    /// Of an answer that is none.
    pub(super) const fn of_garbage(garbage: Garbage) -> Self {
        match garbage {
            Garbage::HeadTooLarge => Self::TooLarge,
            Garbage::Head | Garbage::Length | Garbage::Chunk | Garbage::More => Self::Garbage,
        }
    }

    /// Of a server that does not keep to HTTP/2.
    pub(super) const fn of_fault(fault: h2::Fault) -> Self {
        match fault {
            h2::Fault::NotHttp2 => Self::NoHttp2,
            h2::Fault::HeadTooLarge => Self::TooLarge,
            h2::Fault::Frame | h2::Fault::Compression | h2::Fault::Window | h2::Fault::Flood => {
                Self::Http2Rules
            }
        }
    }

    /// Of an answer to a call of gRPC; `None` if it is a success. `is_streaming`: any number of
    /// messages is right.
    pub(super) fn of_call(answer: &h2::Answer, is_streaming: bool) -> Option<Self> {
        match answer.grpc_status {
            Some(0) if !answer.is_grpc => Some(Self::NotGrpc),
            Some(0) => {
                let is_whole = !answer.is_cut && (is_streaming || answer.n_messages == 1);
                (!is_whole).then_some(Self::GrpcMessage)
            }
            Some(status) => Some(Self::Grpc(status)),
            // A gateway's own refusal is not gRPC's.
            None => Self::of_status(answer.status).or(Some(match answer.is_grpc {
                true => Self::GrpcNoStatus,
                false => Self::NotGrpc,
            })),
        }
    }

    /// Of a status code; `None` if it is a success.
    pub(super) const fn of_status(status: u16) -> Option<Self> {
        match status {
            200..=399 => None,
            400..=499 => Some(Self::Status4xx),
            500..=599 => Some(Self::Status5xx),
            _ => Some(Self::StatusOther),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words();
        match self {
            Self::StreamReset(code) | Self::GoAway(code) => write!(f, "{words}: {}", code.name()),
            Self::Grpc(status) => match grpc::status_name(*status) {
                Some(name) => write!(f, "{words} {status} {name}"),
                None => write!(f, "{words} status that is none"),
            },
            _ => f.write_str(words),
        }
    }
}

pub(super) fn is_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(code, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_its_index() {
        for (class_idx, class) in Failure::all().enumerate() {
            assert_eq!(class.index(), class_idx);
        }
        assert_eq!(Failure::all().count(), N_CLASSES);
    }

    #[test]
    fn a_class_names_its_cause() {
        for (class, words) in [
            (Failure::StreamReset(ErrorCode(7)), "stream reset by server: REFUSED_STREAM"),
            (Failure::GoAway(ErrorCode(11)), "goaway: ENHANCE_YOUR_CALM"),
            (Failure::GoAway(ErrorCode(4711)), "goaway: a code without a name"),
            (Failure::Grpc(14), "grpc 14 UNAVAILABLE"),
            (Failure::Grpc(4711), "grpc status that is none"),
            (Failure::Timeout, "timeout"),
        ] {
            assert_eq!(class.to_string(), words);
        }
        assert_eq!(Failure::Grpc(4711).index(), Failure::Grpc(17).index());
    }

    #[test]
    fn a_call_succeeds_with_its_status_and_its_message() {
        let ok = h2::Answer {
            status: 200,
            is_grpc: true,
            grpc_status: Some(0),
            n_messages: 1,
            ..h2::Answer::default()
        };
        let of = |answer: h2::Answer| Failure::of_call(&answer, false);
        assert_eq!(of(ok), None);
        assert_eq!(of(h2::Answer { n_messages: 0, ..ok }), Some(Failure::GrpcMessage));
        assert_eq!(of(h2::Answer { n_messages: 2, ..ok }), Some(Failure::GrpcMessage));
        assert_eq!(Failure::of_call(&h2::Answer { n_messages: 2, ..ok }, true), None);
        assert_eq!(of(h2::Answer { is_cut: true, ..ok }), Some(Failure::GrpcMessage));
        // Trailers alone: no message, and a status.
        let alone = h2::Answer { grpc_status: Some(14), n_messages: 0, ..ok };
        assert_eq!(of(alone), Some(Failure::Grpc(14)));
        assert_eq!(of(h2::Answer { grpc_status: None, ..ok }), Some(Failure::GrpcNoStatus));
        let page = h2::Answer { status: 200, ..h2::Answer::default() };
        assert_eq!(of(page), Some(Failure::NotGrpc));
        assert_eq!(of(h2::Answer { status: 503, ..page }), Some(Failure::Status5xx));
        // Its messages were not looked for.
        let unnamed = h2::Answer { is_grpc: false, n_messages: 0, ..ok };
        assert_eq!(of(unnamed), Some(Failure::NotGrpc));
    }
}
