//! What was deleted and what is held.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

/// The metrics of the retention. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct RetentionMetrics {
    /// Objects of logs that were deleted.
    pub deleted_objects: Counter,
    /// Bytes of them, as they were stored.
    pub deleted_bytes: Counter,
    /// Applications on legal hold, as the last look at each of them found.
    pub held_applications: Gauge,
    /// Applications whose record cannot be read, as the last look at each of them found: nothing
    /// says whether they are held, so nothing of them is deleted.
    pub unreadable_records: Gauge,
    /// How long ago the oldest deletion began that is neither finished nor held back.
    pub oldest_deletion_seconds: Gauge,
    /// Rounds that came to their end.
    pub rounds: Counter,
    /// Looks, at all or at one application, that failed and will be repeated.
    pub failures: Counter,
}

impl RetentionMetrics {
    pub(super) fn register(self, registry: &mut Registry) {
        let Self {
            deleted_objects,
            deleted_bytes,
            held_applications,
            unreadable_records,
            oldest_deletion_seconds,
            rounds,
            failures,
        } = self;
        registry.register(
            "deleted_objects",
            "Objects of logs that were deleted",
            deleted_objects,
        );
        registry.register(
            "deleted_bytes",
            "Bytes of deleted objects of logs",
            deleted_bytes,
        );
        registry.register(
            "held_applications",
            "Applications on legal hold that have logs",
            held_applications,
        );
        registry.register(
            "unreadable_records",
            "Applications that have logs and whose record of holds and deletions cannot be read",
            unreadable_records,
        );
        registry.register_with_unit(
            "oldest_deletion",
            "How long ago the oldest deletion began that is neither finished nor held back",
            Unit::Seconds,
            oldest_deletion_seconds,
        );
        registry.register(
            "retention_rounds",
            "Rounds of the retention that came to their end",
            rounds,
        );
        registry.register(
            "retention_failures",
            "Looks of the retention that failed and will be repeated",
            failures,
        );
    }
}
