//! What the service counts and times.

mod status;

use std::{collections::BTreeMap, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
pub use status::StatusMetrics;

use crate::{domain::state::ApplicationState, workers::Obstacle};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: StateLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransitionLabels {
    from: StateLabel,
    to: StateLabel,
}

/// A state; `None` before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct StateLabel(Option<ApplicationState>);

impl EncodeLabelValue for StateLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0
            .map_or("NONE", ApplicationState::as_str)
            .encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabels {
    cluster: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterStateLabels {
    cluster: String,
    state: StateLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObstacleLabels {
    obstacle: &'static str,
}

/// The metrics of submission. Clones share the counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    applications: Family<StateLabels, Gauge>,
    transitions: Family<TransitionLabels, Counter>,
    accept_seconds: Histogram,
    launch_seconds: Histogram,
    adopted: Counter,
    postponed_launches: Counter,
    watch_restarts: Family<ClusterLabels, Counter>,
    finalizers_removed: Counter,
    /// What becomes of attempts.
    pub status: StatusMetrics,
    cluster_applications: Family<ClusterStateLabels, Gauge>,
    workers: Gauge,
    cluster_leases: Family<ClusterLabels, Gauge>,
    circuit_open: Family<ClusterLabels, Gauge>,
    held_back_launches: Family<ObstacleLabels, Counter>,
    launch_token_wait_seconds: Family<ClusterLabels, Counter<f64, AtomicU64>>,
    rerouted: Family<ClusterLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            applications: Family::default(),
            transitions: Family::default(),
            accept_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            // A launch waits for placement and its cluster: from 20 ms to three hours.
            launch_seconds: Histogram::new(exponential_buckets(0.02, 2.0, 20)),
            adopted: Counter::default(),
            postponed_launches: Counter::default(),
            watch_restarts: Family::default(),
            finalizers_removed: Counter::default(),
            status: StatusMetrics::default(),
            cluster_applications: Family::default(),
            workers: Gauge::default(),
            cluster_leases: Family::default(),
            circuit_open: Family::default(),
            held_back_launches: Family::default(),
            launch_token_wait_seconds: Family::default(),
            rerouted: Family::default(),
        }
    }
}

impl Metrics {
    /// Registers them below the registry's own prefix.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "applications",
            "Applications that are not final, by state",
            metrics.applications.clone(),
        );
        registry.register(
            "transitions",
            "Changes of state that this process wrote",
            metrics.transitions.clone(),
        );
        registry.register(
            "accept_seconds",
            "Time from a submission's arrival until it was durable",
            metrics.accept_seconds.clone(),
        );
        registry.register(
            "launch_seconds",
            "Time from acceptance until the object was known to exist in its cluster",
            metrics.launch_seconds.clone(),
        );
        registry.register(
            "adopted_objects",
            "Objects that existed already when they were to be created, and were ours",
            metrics.adopted.clone(),
        );
        registry.register(
            "postponed_launches",
            "Launches that are to be tried again after a pause",
            metrics.postponed_launches.clone(),
        );
        registry.register(
            "watch_restarts",
            "Watches of a cluster that were interrupted",
            metrics.watch_restarts.clone(),
        );
        metrics.status.register(registry);
        registry.register(
            "finalizers_removed",
            "Finalizers that were removed after the outcome was committed",
            metrics.finalizers_removed.clone(),
        );
        metrics.register_fleet(registry);
        metrics
    }

    fn register_fleet(&self, registry: &mut Registry) {
        registry.register(
            "cluster_applications",
            "Applications that are not final, by the cluster of their last attempt and state",
            self.cluster_applications.clone(),
        );
        registry.register(
            "workers",
            "Workers that share the launches",
            self.workers.clone(),
        );
        registry.register(
            "cluster_leases",
            "1 while this process holds the lease on a cluster, and so watches it",
            self.cluster_leases.clone(),
        );
        registry.register(
            "circuit_open",
            "1 while this process holds creates in a cluster back after failures in a row",
            self.circuit_open.clone(),
        );
        registry.register(
            "held_back_launches",
            "Times that a launch was held back, by what was in its way",
            self.held_back_launches.clone(),
        );
        registry.register(
            "launch_token_wait_seconds",
            "Time that launches waited for the limit on creates per second",
            self.launch_token_wait_seconds.clone(),
        );
        registry.register(
            "rerouted_attempts",
            "Attempts that were told to go elsewhere, by the cluster that they leave",
            self.rerouted.clone(),
        );
    }

    /// A submission became durable.
    pub fn accepted(&self, took: Duration) {
        self.accept_seconds.observe(took.as_secs_f64());
    }

    /// An application's object exists.
    pub fn launched(&self, seconds: f64) {
        self.launch_seconds.observe(seconds);
    }

    /// A state was written.
    pub fn transition(&self, from: Option<ApplicationState>, to: ApplicationState) {
        let labels = TransitionLabels {
            from: StateLabel(from),
            to: StateLabel(Some(to)),
        };
        self.transitions.get_or_create(&labels).inc();
    }

    /// An object of ours existed already.
    pub fn adopted(&self) {
        self.adopted.inc();
    }

    /// A launch is to be tried again.
    pub fn postponed_launch(&self) {
        self.postponed_launches.inc();
    }

    /// A watch was interrupted.
    pub fn watch_restarted(&self, cluster: &str) {
        let cluster = cluster.to_owned();
        self.watch_restarts
            .get_or_create(&ClusterLabels { cluster })
            .inc();
    }

    /// Finalizers went.
    pub fn finalizers_removed(&self, count: u64) {
        self.finalizers_removed.inc_by(count);
    }

    /// How many applications are in each cluster and state, and how many workers there are.
    pub fn loads<'a>(
        &self,
        clusters: impl Iterator<Item = &'a str>,
        loads: &BTreeMap<(String, ApplicationState), u32>,
        workers: u32,
    ) {
        self.workers.set(workers.into());
        let nowhere = std::iter::once("");
        for cluster in clusters.chain(nowhere) {
            for state in ApplicationState::ALL
                .into_iter()
                .filter(|state| !state.is_final())
            {
                let labels = ClusterStateLabels {
                    cluster: cluster.to_owned(),
                    state: StateLabel(Some(state)),
                };
                let count = loads.get(&(cluster.to_owned(), state)).copied();
                let gauge = self.cluster_applications.get_or_create(&labels);
                gauge.set(count.unwrap_or_default().into());
            }
        }
    }

    /// Whether this process watches a cluster.
    pub fn cluster_lease(&self, cluster: &str, held: bool) {
        let cluster = cluster.to_owned();
        self.cluster_leases
            .get_or_create(&ClusterLabels { cluster })
            .set(held.into());
    }

    /// Whether creates in a cluster are held back.
    pub fn circuit(&self, cluster: &str, open: bool) {
        let cluster = cluster.to_owned();
        self.circuit_open
            .get_or_create(&ClusterLabels { cluster })
            .set(open.into());
    }

    /// A launch was held back.
    pub fn held_back(&self, obstacle: Obstacle) {
        self.held_back_launches
            .get_or_create(&ObstacleLabels {
                obstacle: obstacle.as_str(),
            })
            .inc();
    }

    /// A launch waits for the limit on creates per second.
    pub fn waited_for_token(&self, cluster: &str, wait: Duration) {
        let cluster = cluster.to_owned();
        self.launch_token_wait_seconds
            .get_or_create(&ClusterLabels { cluster })
            .inc_by(wait.as_secs_f64());
    }

    /// An attempt was told to go elsewhere.
    pub fn rerouted(&self, cluster: &str) {
        let cluster = cluster.to_owned();
        self.rerouted
            .get_or_create(&ClusterLabels { cluster })
            .inc();
    }

    /// How many applications are in each live state now.
    pub fn live(&self, counts: &BTreeMap<ApplicationState, i64>) {
        for state in ApplicationState::ALL
            .into_iter()
            .filter(|state| !state.is_final())
        {
            let labels = StateLabels {
                state: StateLabel(Some(state)),
            };
            let count = counts.get(&state).copied().unwrap_or_default();
            self.applications.get_or_create(&labels).set(count);
        }
    }
}
