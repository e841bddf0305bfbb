//! What all followers share.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    domain::Limits, metrics::Metrics, registry::Registry, spool::Spool, store::Offsets,
    uploader::Uploader,
};

/// What all followers share.
#[derive(Debug)]
pub struct Shared {
    /// Puts objects.
    pub uploader: Uploader,
    /// Keeps batches while the store does not take them.
    pub spool: Spool,
    /// Keeps offsets.
    pub offsets: Offsets,
    /// Shows streams.
    pub registry: Registry,
    /// Counts.
    pub metrics: Metrics,
    /// When batches leave.
    pub limits: Limits,
    /// How often a file is looked at.
    pub look_interval: Duration,
    /// After which time without growth an event log counts as finished.
    pub event_log_retention: Duration,
    /// Cancelled when the process is to stop.
    pub stop: CancellationToken,
}
