//! What was deleted and what is held.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
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
    /// Looks, at all or at one application, that failed and will be repeated.
    pub failures: Counter,
}

impl RetentionMetrics {
    pub(super) fn register(self, registry: &mut Registry) {
        let Self {
            deleted_objects,
            deleted_bytes,
            held_applications,
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
            "retention_failures",
            "Looks of the retention that failed and will be repeated",
            failures,
        );
    }
}
