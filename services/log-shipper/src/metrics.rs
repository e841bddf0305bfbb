//! Metrics, all prefixed `moka_log_shipper_`.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::{domain::SourceKind, error::ShipError};

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
    /// Event-log directories deleted after their retention.
    pub deleted_event_directories: Counter,
}

/// Label of what is counted by kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// `container`, `event` or `system`.
    pub kind: SourceKind,
}

/// Label of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    /// Why.
    pub cause: FailureCause,
}

/// Causes of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// The file cannot be read, or its name not be used.
    File,
    /// The store does not answer, or asks to slow down.
    StoreUnavailable,
    /// The store refuses.
    StoreRefused,
    /// The store takes too long.
    Timeout,
}

impl Metrics {
    /// Registers all of them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.register_volume(registry);
        metrics.register_trouble(registry);
        // A kind of which nothing was shipped yet shows as zero.
        for kind in SourceKind::ALL {
            metrics
                .shipped
                .get_or_create(&KindLabels { kind })
                .inc_by(0);
        }
        metrics
    }

    /// Counts a failed try.
    pub fn failed(&self, error: &ShipError) {
        let cause = match error {
            ShipError::Read(_) | ShipError::Key(_) => FailureCause::File,
            ShipError::Store(error) if error.is_retryable() => FailureCause::StoreUnavailable,
            ShipError::Store(_) => FailureCause::StoreRefused,
            ShipError::TimedOut(_) => FailureCause::Timeout,
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
        registry.register(
            "scan_failures",
            "Directories and files that could not be looked at",
            self.scan_failures.clone(),
        );
        registry.register(
            "foreign_entries",
            "Entries of event-log directories that are not shipped and keep them from deletion",
            self.foreign_entries.clone(),
        );
        registry.register(
            "deleted_event_directories",
            "Event-log directories deleted after their retention",
            self.deleted_event_directories.clone(),
        );
    }
}

impl EncodeLabelValue for SourceKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = match self {
            Self::Container => "container",
            Self::Event => "event",
            Self::System => "system",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl EncodeLabelValue for FailureCause {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = match self {
            Self::File => "file",
            Self::StoreUnavailable => "store_unavailable",
            Self::StoreRefused => "store_refused",
            Self::Timeout => "timeout",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}
