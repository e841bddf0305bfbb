//! What can go wrong, by what a caller can do about it.

use moka_core::{ErrorReason, PublicError};

use crate::domain::cursor::InvalidCursor;

/// A failed operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object store failed.
    #[error("using the object store")]
    Objects(#[from] moka_objects::Error),
    /// The object is not what its name says.
    #[error("reading object {key}: {problem}")]
    Damaged {
        /// The object.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The object was deleted after it was listed: another listing tells what is left.
    #[error("object {key} was deleted after it was listed")]
    Gone {
        /// The object.
        key: moka_objects::ObjectKey,
    },
    /// The caller's time was over before all objects of the log were looked through.
    #[error("{read} of {of} objects of the log were looked through in time")]
    Indexing {
        /// Objects that were read, now or before.
        read: usize,
        /// All objects.
        of: usize,
    },
    /// Others change the object all the time.
    #[error("changing object {key}, which others change all the time")]
    Contended {
        /// The object.
        key: moka_objects::ObjectKey,
    },
    /// A name that no store can hold.
    #[error("making a key")]
    Key(#[from] moka_objects::InvalidKey),
    /// A cluster's API server failed.
    #[error("reading a log from cluster {cluster}")]
    Cluster {
        /// The cluster.
        cluster: String,
        /// How.
        source: moka_kube::Error,
    },
    /// Work on a thread of its own did not come to an end: a defect, or the process stops.
    #[error("work on a thread of its own did not end")]
    Stopped,
    /// The caller's cursor cannot be used.
    #[error(transparent)]
    Cursor(#[from] InvalidCursor),
    /// Something else that the caller is told as it is.
    #[error(transparent)]
    Public(#[from] PublicError),
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        match error {
            Error::Public(error) => error,
            Error::Cursor(error) => Self::new(ErrorReason::InvalidCursor, error.to_string()),
            Error::Objects(source) => {
                tracing::warn!(error = %chain(&source), "object store failed");
                source.into()
            }
            Error::Cluster { cluster, source } => {
                tracing::warn!(cluster, error = %source, "cluster failed");
                source.into()
            }
            Error::Gone { .. } => Self::new(
                ErrorReason::ObjectStoreUnavailable,
                "objects of the log are being deleted; try again",
            ),
            Error::Indexing { read, of } => Self::new(
                ErrorReason::DeadlineExceeded,
                format!(
                    "{read} of {of} objects of the log were looked through in time; \
                     the same call goes on from there"
                ),
            ),
            Error::Contended { .. } => Self::new(
                ErrorReason::RevisionConflict,
                "others change the same record all the time; try again",
            ),
            Error::Damaged { .. } | Error::Key(_) | Error::Stopped => {
                tracing::error!(error = %chain(&error), "defect");
                Self::new(
                    ErrorReason::Internal,
                    "an internal error; the log has the details",
                )
            }
        }
    }
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
