//! What can go wrong.

use std::{io, path::PathBuf};

use moka_objects::InvalidKey;

/// Offsets cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another log shipper runs on this node.
    #[error("{} is held by another log shipper", .0.display())]
    Locked(PathBuf),
    /// A disk that does not answer as it should.
    #[error("cannot use {} to keep offsets", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A batch did not reach the store. What it held is still in the file, and is shipped later.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The log file cannot be read.
    #[error("cannot read the log file")]
    Read(#[source] io::Error),
    /// A name cannot stand in a key.
    #[error("cannot name the object")]
    Key(#[source] InvalidKey),
    /// The store failed or refused.
    #[error("cannot upload the object")]
    Store(#[source] moka_objects::Error),
    /// It was not asked, because it did not answer others.
    #[error("the object store is away")]
    Away,
    /// The spool has no room either.
    #[error("the object store does not take the object, and the spool is full")]
    SpoolFull,
    /// The spool's disk does not answer as it should.
    #[error("cannot use the spool")]
    Spool(#[source] io::Error),
    /// The store did not answer in time.
    #[error("the upload took longer than {0} s")]
    TimedOut(u64),
}

impl ShipError {
    /// Whether the store did not answer, which says nothing about the object.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::TimedOut(_) => true,
            Self::Store(error) => error.is_retryable(),
            _ => false,
        }
    }
}
