//! What an API server says when it cannot: the `Status` object.

use serde_json::Value;
use serde_json::json;
use thiserror::Error;

use crate::sim::resources::Resource;

/// Why a request failed, one variant a `reason` of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Status {
    /// 404: no such object.
    #[error("{resource} \"{name}\" not found")]
    NotFound {
        /// `plural.group`, as Kubernetes writes it.
        resource: String,
        /// Name of the object.
        name: String,
    },
    /// 404: no such path.
    #[error("the server could not find the requested resource")]
    NoSuchPath,
    /// 409: there is one already.
    #[error("{resource} \"{name}\" already exists")]
    AlreadyExists {
        /// `plural.group`.
        resource: String,
        /// Name of the object.
        name: String,
    },
    /// 409: somebody else wrote meanwhile.
    #[error(
        "Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; \
         please apply your changes to the latest version and try again"
    )]
    Conflict {
        /// `plural.group`.
        resource: String,
        /// Name of the object.
        name: String,
    },
    /// 410: the resource version is older than what is kept.
    #[error("too old resource version: {asked} ({oldest})")]
    Expired {
        /// What was asked for.
        asked: u64,
        /// The oldest that would have done.
        oldest: u64,
    },
    /// 504: the resource version is newer than all there is, as after a restart.
    #[error("Too large resource version: {asked}, current: {current}")]
    TooLargeVersion {
        /// What was asked for.
        asked: u64,
        /// The newest there is.
        current: u64,
    },
    /// 400.
    #[error("{0}")]
    BadRequest(String),
    /// 403.
    #[error("{resource} is forbidden: User \"rampscope\" cannot {verb} resource \"{resource}\"")]
    Forbidden {
        /// `plural.group`.
        resource: String,
        /// The verb that was denied.
        verb: String,
    },
    /// 405.
    #[error("the server does not allow this method on the requested resource")]
    MethodNotAllowed,
    /// 406.
    #[error("only the following media types are accepted: application/json")]
    NotAcceptable,
    /// 413.
    #[error("the body of the request is longer than {0} bytes")]
    TooLong(usize),
    /// 415.
    #[error("the body of the request was in an unknown format: {0}")]
    UnsupportedMediaType(String),
    /// 422: the object itself is wrong.
    #[error("{resource} \"{name}\" is invalid: {cause}")]
    Invalid {
        /// `plural.group`.
        resource: String,
        /// Name of the object.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// 503: what should answer is not there.
    #[error("{0}")]
    Unavailable(String),
}

// === impl Status ===

impl Status {
    /// `NotFound` for an object of that resource.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::NotFound { resource: resource.qualified(), name: name.to_owned() }
    }

    /// `Invalid` for an object of that resource.
    pub fn invalid(resource: &Resource, name: &str, cause: impl Into<String>) -> Self {
        Self::Invalid { resource: resource.qualified(), name: name.to_owned(), cause: cause.into() }
    }

    /// The HTTP status code.
    pub const fn code(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Forbidden { .. } => 403,
            Self::NotFound { .. } | Self::NoSuchPath => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists { .. } | Self::Conflict { .. } => 409,
            Self::Expired { .. } => 410,
            Self::TooLong(_) => 413,
            Self::UnsupportedMediaType(_) => 415,
            Self::Invalid { .. } => 422,
            Self::Unavailable(_) => 503,
            Self::TooLargeVersion { .. } => 504,
        }
    }

    /// The `reason`, for programs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequest",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } | Self::NoSuchPath => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::TooLong(_) => "RequestEntityTooLarge",
            Self::AlreadyExists { .. } => "AlreadyExists",
            Self::Conflict { .. } => "Conflict",
            Self::Expired { .. } => "Expired",
            Self::UnsupportedMediaType(_) => "UnsupportedMediaType",
            Self::Invalid { .. } => "Invalid",
            Self::Unavailable(_) => "ServiceUnavailable",
            Self::TooLargeVersion { .. } => "Timeout",
        }
    }

    /// The object as it goes over the wire.
    pub fn object(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.to_string(),
            "reason": self.reason(),
            "code": self.code(),
        });
        if let Self::NotFound { resource, name }
        | Self::AlreadyExists { resource, name }
        | Self::Conflict { resource, name }
        | Self::Invalid { resource, name, .. } = self
        {
            let (kind, group) = resource.split_once('.').unwrap_or((resource, ""));
            status["details"] = json!({ "name": name, "group": group, "kind": kind });
        }
        status
    }
}
