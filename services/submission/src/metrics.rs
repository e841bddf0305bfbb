//! What the service counts and times.

use std::{collections::BTreeMap, time::Duration};

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

use crate::domain::state::ApplicationState;

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
        registry.register(
            "finalizers_removed",
            "Finalizers that were removed after the outcome was committed",
            metrics.finalizers_removed.clone(),
        );
        metrics
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
