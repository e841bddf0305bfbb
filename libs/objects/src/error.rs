//! What can go wrong with an object store, by what a caller can do about it.

use moka_core::{ErrorReason, PublicError};

use crate::{MAX_OBJECT_SIZE_BYTES, ObjectKey};

/// Any cause, kept for the log.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failed operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The condition of a put does not hold: someone else wrote, or nothing is there.
    #[error("object {key} is not in the version that the put asked for")]
    PreconditionFailed {
        /// The object.
        key: ObjectKey,
    },
    /// More bytes than one put or one answer may have.
    #[error(
        "object {key}: {size_bytes} bytes are more than the {MAX_OBJECT_SIZE_BYTES} of one request"
    )]
    TooLarge {
        /// The object.
        key: ObjectKey,
        /// Its size, or that of the range.
        size_bytes: u64,
    },
    /// The store did not answer in time, broke the connection, or asked to slow down. A write may
    /// have happened.
    #[error("the object store does not answer ({operation} {subject})")]
    Unavailable {
        /// Which operation.
        operation: &'static str,
        /// The key or prefix.
        subject: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The store refuses, and would again: wrong credentials, no such bucket, a key in the way.
    #[error("the object store refuses ({operation} {subject})")]
    Refused {
        /// Which operation.
        operation: &'static str,
        /// The key or prefix.
        subject: String,
        /// Why.
        #[source]
        source: Cause,
    },
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether a put lost against another one.
    pub fn is_precondition_failed(&self) -> bool {
        matches!(self, Self::PreconditionFailed { .. })
    }
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        if error.is_retryable() {
            Self::new(
                ErrorReason::ObjectStoreUnavailable,
                "the object store does not answer; try again",
            )
        } else {
            Self::new(
                ErrorReason::Internal,
                "an internal error; the log has the details",
            )
        }
    }
}

/// A store that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is wrong.
    #[error("invalid object store URL `{url}`: {problem}")]
    InvalidUrl {
        /// The URL.
        url: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The directory cannot be made or written.
    #[error("cannot use directory {path} as an object store")]
    Directory {
        /// The directory.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
