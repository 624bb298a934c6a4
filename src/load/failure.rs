//! Why a request failed, as a class that names the cause.

use std::io;

use rustls::CertificateError;

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
}

/// How many classes there are.
pub(super) const N_CLASSES: usize = 21;

impl Failure {
    /// All of them, in the order of their index.
    pub(super) const ALL: [Self; N_CLASSES] = [
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
    ];

    /// The class's words.
    pub(super) const fn words(self) -> &'static str {
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
            Self::StatusOther => "status 1xx",
            Self::Aborted => "given up at the end",
            Self::Other => "other",
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

pub(super) fn is_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(code, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_its_index() {
        for (class_idx, class) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, class_idx);
        }
    }
}
