//! What becomes of attempts, and how soon that is known.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use super::ClusterLabels;
use crate::domain::exit::ExitCategory;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CategoryLabels {
    category: &'static str,
}

/// Metrics of the status, ending and sweep lanes. Clones share the counters.
#[derive(Debug, Clone)]
pub struct StatusMetrics {
    fenced: Counter,
    swept: Counter,
    retries: Family<CategoryLabels, Counter>,
    age_seconds: Histogram,
    look_seconds: Histogram,
    operator_backlog: Family<ClusterLabels, Gauge>,
    operator_lag_seconds: Family<ClusterLabels, Gauge<f64, AtomicU64>>,
    remembered_attempts: Gauge,
}

impl Default for StatusMetrics {
    fn default() -> Self {
        Self {
            fenced: Counter::default(),
            swept: Counter::default(),
            retries: Family::default(),
            // From 10 ms to an hour and a half.
            age_seconds: Histogram::new(exponential_buckets(0.01, 2.0, 20)),
            look_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 23)),
            operator_backlog: Family::default(),
            operator_lag_seconds: Family::default(),
            remembered_attempts: Gauge::default(),
        }
    }
}

impl StatusMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "fenced_attempts",
            "Attempts whose names were taken by tombstones before they were created",
            self.fenced.clone(),
        );
        registry.register(
            "swept_leftovers",
            "Services and config maps of attempts that were over",
            self.swept.clone(),
        );
        registry.register(
            "retries",
            "Attempts after which another one follows, by how they ended",
            self.retries.clone(),
        );
        registry.register(
            "status_age_seconds",
            "Age of a driver's start or end, by its node's clock, when it was written down",
            self.age_seconds.clone(),
        );
        registry.register(
            "look_seconds",
            "Time from a change that a watch saw until what follows of it was written down",
            self.look_seconds.clone(),
        );
        registry.register(
            "operator_backlog",
            "Objects that the operator of a cluster has not looked at",
            self.operator_backlog.clone(),
        );
        registry.register(
            "operator_lag_seconds",
            "Age of the oldest object that the operator of a cluster has not looked at",
            self.operator_lag_seconds.clone(),
        );
        registry.register(
            "remembered_attempts",
            "Attempts in the memory of this process",
            self.remembered_attempts.clone(),
        );
    }

    /// An attempt that was not created never will be.
    pub fn fenced(&self) {
        self.fenced.inc();
    }

    /// Something that a driver left behind was deleted.
    pub fn swept(&self) {
        self.swept.inc();
    }

    /// Another attempt follows.
    pub fn retried(&self, category: ExitCategory) {
        let category = category.as_str();
        let labels = CategoryLabels { category };
        self.retries.get_or_create(&labels).inc();
    }

    /// A driver's start or end of this age was written down.
    pub fn written(&self, age_seconds: f64) {
        self.age_seconds.observe(age_seconds);
    }

    /// A change that was seen so long ago has been looked at.
    pub fn looked(&self, took: Duration) {
        self.look_seconds.observe(took.as_secs_f64());
    }

    /// What the operator of a cluster has not looked at.
    pub fn operator_backlog(&self, cluster: &str, objects: usize, lag_seconds: f64) {
        let cluster = cluster.to_owned();
        let labels = ClusterLabels { cluster };
        let objects = i64::try_from(objects).unwrap_or(i64::MAX);
        self.operator_backlog.get_or_create(&labels).set(objects);
        self.operator_lag_seconds
            .get_or_create(&labels)
            .set(lag_seconds);
    }

    /// How many attempts are remembered.
    pub fn remembered(&self, count: usize) {
        self.remembered_attempts
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
