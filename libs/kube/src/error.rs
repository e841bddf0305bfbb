//! What an API server's refusal means.

use std::time::Duration;

use kube::core::{Status, response::reason};
use moka_core::{ErrorReason, PublicError};

use crate::throttling::Throttled;

/// A failed call, by what a caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// An object of this name exists.
    #[error("already exists: {0}")]
    AlreadyExists(String),
    /// There is no such object, or no such kind.
    #[error("not found: {0}")]
    NotFound(String),
    /// The object changed meanwhile, or another manager owns the field: read it again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The server asks to slow down.
    #[error("the API server asks to slow down")]
    TooManyRequests {
        /// How long to wait, when it says.
        retry_after: Option<Duration>,
    },
    /// No answer, no connection, or a server that is not ready. A write may have happened.
    #[error("the API server does not answer: {0}")]
    Unavailable(String),
    /// The server understood and says no, and would again: invalid, forbidden, denied by an
    /// admission webhook or a quota.
    #[error("the API server refuses: {0}")]
    Refused(String),
    /// A resource version or continuation that the server no longer has: list again.
    #[error("the version asked for is gone: {0}")]
    Gone(String),
    /// The kubeconfig cannot be read, or has no such context.
    #[error("cannot configure a client: {0}")]
    Config(String),
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::TooManyRequests { .. } | Self::Unavailable(_))
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }
}

impl From<&Status> for Error {
    fn from(status: &Status) -> Self {
        let message = status.message.clone();
        match (status.code, status.reason.as_str()) {
            (409, reason::ALREADY_EXISTS) => Self::AlreadyExists(message),
            (409, _) => Self::Conflict(message),
            (404, _) => Self::NotFound(message),
            (410, _) => Self::Gone(message),
            (429, _) => Self::TooManyRequests {
                retry_after: retry_after(status),
            },
            // A webhook that does not answer is a 500 as well, and may answer later.
            (408 | 500..=599, _) => Self::Unavailable(message),
            _ => Self::Refused(message),
        }
    }
}

fn retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(&*status),
            kube::Error::Service(error) => match error.downcast_ref::<Throttled>() {
                Some(Throttled { retry_after }) => Self::TooManyRequests {
                    retry_after: *retry_after,
                },
                None => Self::Unavailable(chain(&*error)),
            },
            // What we sent can never be sent, or what came cannot be read.
            kube::Error::BuildRequest(_)
            | kube::Error::SerdeError(_)
            | kube::Error::HttpError(_)
            | kube::Error::FromUtf8(_) => Self::Refused(chain(&error)),
            kube::Error::InferConfig(_)
            | kube::Error::InferKubeconfig(_)
            | kube::Error::TlsRequired
            | kube::Error::RustlsTls(_) => Self::Config(chain(&error)),
            _ => Self::Unavailable(chain(&error)),
        }
    }
}

/// The error with all its causes, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        if error.is_retryable() {
            let public = Self::new(
                ErrorReason::ClusterUnavailable,
                "the cluster does not answer; try again",
            );
            match error {
                Error::TooManyRequests {
                    retry_after: Some(delay),
                } => public.retry_after(delay),
                _ => public,
            }
        } else {
            Self::new(
                ErrorReason::Internal,
                "an internal error; the log has the details",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let status: Status = serde_json::from_str(json).unwrap();
        let error = Error::from(kube::Error::Api(status.boxed()));
        assert!(
            format!("{error:?}").starts_with(expected),
            "{json}: {error:?}"
        );
    }

    #[test]
    fn refusals_are_told_apart() {
        check(
            r#"{"code":409,"reason":"AlreadyExists","message":"m"}"#,
            "AlreadyExists",
        );
        check(
            r#"{"code":409,"reason":"Conflict","message":"m"}"#,
            "Conflict",
        );
        check(
            r#"{"code":404,"reason":"NotFound","message":"m"}"#,
            "NotFound",
        );
        check(r#"{"code":410,"reason":"Expired","message":"m"}"#, "Gone");
        check(
            r#"{"code":429,"reason":"TooManyRequests","details":{"retryAfterSeconds":3}}"#,
            "TooManyRequests { retry_after: Some(3s)",
        );
        check(
            r#"{"code":403,"reason":"Forbidden","message":"m"}"#,
            "Refused",
        );
        check(
            r#"{"code":422,"reason":"Invalid","message":"m"}"#,
            "Refused",
        );
        check(
            r#"{"code":503,"reason":"ServiceUnavailable","message":"m"}"#,
            "Unavailable",
        );
        check(
            r#"{"code":504,"reason":"Timeout","message":"m"}"#,
            "Unavailable",
        );
    }
}
