//! Metrics, all prefixed `moka_log_shipper_`.

mod labels;

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

pub use self::labels::{FailureCause, FailureLabels, KindLabels, LossLabels, LossReason};
use crate::{
    domain::{Batch, SourceKind},
    error::ShipError,
};

/// What the shipper counts. Clones share the numbers.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Bytes of log files that the store has acknowledged.
    pub shipped: Family<KindLabels, Counter>,
    /// Lines among them.
    pub shipped_lines: Family<KindLabels, Counter>,
    /// Objects put.
    pub shipped_objects: Family<KindLabels, Counter>,
    /// Bytes of these objects, compressed.
    pub object_bytes: Family<KindLabels, Counter>,
    /// Bytes in files that the store has not acknowledged.
    pub lag: Family<KindLabels, Gauge>,
    /// Files that are followed.
    pub open_streams: Family<KindLabels, Gauge>,
    /// How long the oldest of them have waited.
    pub lag_seconds: Family<KindLabels, Gauge<f64, AtomicU64>>,
    /// What the spool takes on the disk.
    pub spool: Gauge,
    /// What it may take.
    pub spool_limit: Gauge,
    /// Batches in it.
    pub spool_batches: Gauge,
    /// Batches that went into it.
    pub spooled_batches: Counter,
    /// Bytes of log files that no reader will see.
    pub lost: Family<LossLabels, Counter>,
    /// Losses that readers are not told of.
    pub unmarked_losses: Counter,
    /// Files that were seen and gone before they were opened.
    pub missed_files: Counter,
    /// Batches that did not reach the store.
    pub failures: Family<FailureLabels, Counter>,
    /// Tries after such a failure.
    pub retries: Counter,
    /// Damaged offset files found at start.
    pub corrupt_state: Counter,
    /// Writes of the offset file that failed.
    pub state_write_failures: Counter,
    /// Files that were cut off or rewritten in place.
    pub rewritten_files: Counter,
    /// Lines shipped without a newline at their end.
    pub torn_lines: Counter,
    /// Files with an offset that were gone when the shipper started again.
    pub files_gone_at_start: Counter,
    /// Looks at a directory or file that failed.
    pub scan_failures: Counter,
    /// Entries of event-log directories that are not shipped.
    pub foreign_entries: Gauge,
    /// Entries among the pods' logs that the kubelet did not make.
    pub foreign_pod_entries: Gauge,
    /// Event-log directories deleted after their retention.
    pub deleted_event_directories: Counter,
}

impl Metrics {
    /// Registers all of them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.register_volume(registry);
        metrics.register_trouble(registry);
        metrics.register_spool(registry);
        metrics.register_strange_files(registry);
        // A kind of which nothing was shipped yet shows as zero.
        for kind in SourceKind::ALL {
            metrics
                .shipped
                .get_or_create(&KindLabels { kind })
                .inc_by(0);
        }
        for reason in [LossReason::SpoolFull, LossReason::DamagedSpool] {
            metrics.lost(reason, 0);
        }
        metrics
    }

    /// Counts what the store has taken.
    pub fn acknowledged(&self, batch: &Batch) {
        let header = &batch.header;
        let labels = KindLabels {
            kind: header.origin.kind,
        };
        let object_bytes = batch.object.len() as u64;
        self.shipped
            .get_or_create(&labels)
            .inc_by(header.length_bytes);
        self.shipped_lines
            .get_or_create(&labels)
            .inc_by(header.line_count);
        self.shipped_objects.get_or_create(&labels).inc();
        self.object_bytes
            .get_or_create(&labels)
            .inc_by(object_bytes);
        self.torn_lines.inc_by(header.torn_count);
    }

    /// Counts what is lost.
    pub fn lost(&self, reason: LossReason, bytes: u64) {
        self.lost
            .get_or_create(&LossLabels { reason })
            .inc_by(bytes);
    }

    /// Counts a failed try.
    pub fn failed(&self, error: &ShipError) {
        let cause = match error {
            ShipError::Read(_) | ShipError::Key(_) => FailureCause::File,
            ShipError::Away => FailureCause::StoreUnavailable,
            ShipError::Store(error) if error.is_retryable() => FailureCause::StoreUnavailable,
            ShipError::Store(_) => FailureCause::StoreRefused,
            ShipError::TimedOut(_) => FailureCause::Timeout,
            ShipError::SpoolFull | ShipError::Spool(_) => FailureCause::Spool,
        };
        self.failures.get_or_create(&FailureLabels { cause }).inc();
    }

    fn register_volume(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "shipped",
            "Bytes of log files that the object store has acknowledged",
            Unit::Bytes,
            self.shipped.clone(),
        );
        registry.register(
            "shipped_lines",
            "Lines that the object store has acknowledged",
            self.shipped_lines.clone(),
        );
        registry.register(
            "shipped_objects",
            "Objects that the object store has acknowledged",
            self.shipped_objects.clone(),
        );
        registry.register_with_unit(
            "objects",
            "Bytes of these objects, compressed",
            Unit::Bytes,
            self.object_bytes.clone(),
        );
        registry.register_with_unit(
            "lag",
            "Bytes in log files that the object store has not acknowledged",
            Unit::Bytes,
            self.lag.clone(),
        );
        registry.register_with_unit(
            "lag",
            "How long the oldest byte that is not shipped has waited, of the file where it is longest",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
        registry.register(
            "open_streams",
            "Log files that are followed",
            self.open_streams.clone(),
        );
    }

    fn register_trouble(&self, registry: &mut Registry) {
        registry.register(
            "failures",
            "Batches that did not reach the object store, by cause; each is tried again",
            self.failures.clone(),
        );
        registry.register("retries", "Tries after a failure", self.retries.clone());
        registry.register(
            "corrupt_state",
            "Damaged offset files found at start; everything is shipped again",
            self.corrupt_state.clone(),
        );
        registry.register(
            "state_write_failures",
            "Writes of the offset file that failed",
            self.state_write_failures.clone(),
        );
        registry.register(
            "rewritten_files",
            "Log files that were cut off or rewritten in place",
            self.rewritten_files.clone(),
        );
        registry.register(
            "torn_lines",
            "Lines shipped without a newline at their end",
            self.torn_lines.clone(),
        );
        registry.register(
            "files_gone_at_start",
            "Log files that vanished while no shipper ran; their last lines may be lost",
            self.files_gone_at_start.clone(),
        );
    }

    fn register_spool(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "spool",
            "What the spool takes on the disk",
            Unit::Bytes,
            self.spool.clone(),
        );
        registry.register_with_unit(
            "spool_limit",
            "What the spool may take on the disk",
            Unit::Bytes,
            self.spool_limit.clone(),
        );
        registry.register(
            "spool_batches",
            "Batches in the spool, which the object store has not taken yet",
            self.spool_batches.clone(),
        );
        registry.register(
            "spooled_batches",
            "Batches that went into the spool",
            self.spooled_batches.clone(),
        );
        registry.register_with_unit(
            "lost",
            "Bytes of log files that no reader will see",
            Unit::Bytes,
            self.lost.clone(),
        );
        registry.register(
            "unmarked_losses",
            "Losses that readers are not told of, because not even their marks could be kept",
            self.unmarked_losses.clone(),
        );
    }

    fn register_strange_files(&self, registry: &mut Registry) {
        registry.register(
            "scan_failures",
            "Directories and files that could not be looked at",
            self.scan_failures.clone(),
        );
        registry.register(
            "missed_files",
            "Log files that were seen and gone before they were opened",
            self.missed_files.clone(),
        );
        registry.register(
            "foreign_entries",
            "Entries of event-log directories that are not shipped and keep them from deletion",
            self.foreign_entries.clone(),
        );
        registry.register(
            "foreign_pod_entries",
            "Entries among the pods' logs that are not the kubelet's and are not shipped",
            self.foreign_pod_entries.clone(),
        );
        registry.register(
            "deleted_event_directories",
            "Event-log directories deleted after their retention",
            self.deleted_event_directories.clone(),
        );
    }
}
