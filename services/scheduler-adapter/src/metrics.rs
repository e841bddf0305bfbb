//! What the service counts, as `moka_scheduler_adapter_…`.

use moka_core::ErrorReason;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// The service's metrics. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    queue_tree_reads: Family<ReadLabels, Counter>,
    queue_tree_version: Family<ClusterLabels, Gauge>,
    queue_tree_observed: Family<ClusterLabels, Gauge>,
    placements: Family<PlacementLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    cluster: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabels {
    cluster: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PlacementLabels {
    outcome: &'static str,
}

impl Metrics {
    /// Registers every metric.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "queue_tree_reads",
            "Readings of a cluster's queue tree, by outcome",
            metrics.queue_tree_reads.clone(),
        );
        registry.register(
            "queue_tree_version",
            "How many different queue trees were seen since the start",
            metrics.queue_tree_version.clone(),
        );
        registry.register_with_unit(
            "queue_tree_observed_timestamp",
            "When the queue tree was last read, as Unix time",
            Unit::Seconds,
            metrics.queue_tree_observed.clone(),
        );
        registry.register(
            "placements",
            "Placements that were asked for, by outcome: placed or the reason of the error",
            metrics.placements.clone(),
        );
        metrics
    }

    /// Counts a reading that worked.
    pub fn tree_was_read(&self, cluster: &str, version: u64, unix_seconds: i64) {
        self.count_read(cluster, "ok");
        let labels = ClusterLabels {
            cluster: cluster.to_owned(),
        };
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        self.queue_tree_version.get_or_create(&labels).set(version);
        self.queue_tree_observed
            .get_or_create(&labels)
            .set(unix_seconds);
    }

    /// Counts a reading that failed.
    pub fn tree_was_not_read(&self, cluster: &str) {
        self.count_read(cluster, "failed");
    }

    /// Counts a placement; `None` is a good one.
    pub fn placement(&self, error: Option<ErrorReason>) {
        let outcome = error.map_or("placed", ErrorReason::as_str);
        self.placements
            .get_or_create(&PlacementLabels { outcome })
            .inc();
    }

    fn count_read(&self, cluster: &str, outcome: &'static str) {
        let labels = ReadLabels {
            cluster: cluster.to_owned(),
            outcome,
        };
        self.queue_tree_reads.get_or_create(&labels).inc();
    }
}
