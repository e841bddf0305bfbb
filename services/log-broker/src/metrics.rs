//! What operators want to know.

mod indexes;
mod readers;
mod retention;

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

pub use self::{indexes::IndexMetrics, readers::ReaderMetrics, retention::RetentionMetrics};

/// The metrics of this service, besides those of its gRPC server. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Raw objects that were read from the store.
    pub object_reads: Counter,
    /// Raw records that were read.
    pub records_read: Counter,
    /// Lines of raw objects that are no records.
    pub records_malformed: Counter,
    /// Reads and listings of raw objects that the store failed.
    pub store_failures: Counter,
    /// Chunks of event logs that were published.
    pub chunks_published: Counter,
    /// Event logs that were completed.
    pub event_logs_completed: Counter,
    /// Rounds of the assembler that failed and will be repeated.
    pub assembly_failures: Counter,
    /// Gaps in event logs that are being assembled.
    pub gaps: Gauge,
    /// Attempts that the assembler looks at.
    pub attempts: Gauge,
    /// What readers are given.
    pub readers: ReaderMetrics,
    /// Indexes that were saved.
    pub indexes: IndexMetrics,
    /// What was deleted and what is held.
    pub retention: RetentionMetrics,
    /// Age of the oldest event-log bytes that are shipped and not published.
    pub assembly_lag_seconds: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            object_reads,
            records_read,
            records_malformed,
            store_failures,
            chunks_published,
            event_logs_completed,
            assembly_failures,
            gaps,
            attempts,
            readers,
            indexes,
            retention,
            assembly_lag_seconds,
        } = metrics.clone();
        registry.register(
            "object_reads",
            "Raw objects that were read from the store",
            object_reads,
        );
        registry.register("records_read", "Raw records that were read", records_read);
        registry.register(
            "records_malformed",
            "Lines of raw objects that are no records",
            records_malformed,
        );
        registry.register(
            "store_failures",
            "Reads and listings of raw objects that the object store failed",
            store_failures,
        );
        registry.register(
            "chunks_published",
            "Published chunks of event logs",
            chunks_published,
        );
        registry.register(
            "event_logs_completed",
            "Completed event logs",
            event_logs_completed,
        );
        registry.register(
            "assembly_failures",
            "Assembler rounds that failed and will be repeated",
            assembly_failures,
        );
        registry.register("gaps", "Gaps in event logs that are being assembled", gaps);
        registry.register("attempts", "Attempts that the assembler looks at", attempts);
        readers.register(registry);
        indexes.register(registry);
        retention.register(registry);
        registry.register(
            "assembly_lag_seconds",
            "Age of the oldest event-log bytes that are shipped and not published",
            assembly_lag_seconds,
        );
        metrics
    }
}
