//! What can go wrong while logs are read.

use std::time::Duration;

use crate::domain::log_reader;

/// A reading that failed; it is repeated later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object store failed.
    #[error("reading the event log")]
    Objects(#[source] moka_objects::Error),
    /// The object store did not answer in time.
    #[error("the object store did not answer within {} s", .0.as_secs())]
    ObjectsTimedOut(Duration),
    /// A name that the store cannot hold.
    #[error("naming an object of the event log")]
    Key(#[source] moka_objects::InvalidKey),
    /// A chunk went away between its listing and its reading.
    #[error("{0} was listed and is not there")]
    Vanished(String),
    /// A chunk cannot be read at all.
    #[error("reading a chunk")]
    Chunk(#[source] log_reader::Error),
    /// The catalogue failed.
    #[error("writing the catalogue")]
    Store(#[source] moka_db::Error),
}
