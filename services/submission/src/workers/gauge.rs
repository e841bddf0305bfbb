//! How much there is in each cluster, counted from time to time for the gates and the metrics.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{Workers, pause};
use crate::{domain::state::ApplicationState, store::fleet};

const INTERVAL: Duration = Duration::from_secs(1);
/// Counting may take at most this share of the time.
const LEISURE: u32 = 20;

/// Counts until the process stops.
pub async fn gauge(workers: Workers) {
    loop {
        let began = Instant::now();
        if let Err(error) = count(&workers).await {
            tracing::warn!(%error, "what is in the clusters cannot be counted");
        }
        let interval = INTERVAL.max(began.elapsed() * LEISURE);
        if !pause(&workers.stop, interval).await {
            return;
        }
    }
}

async fn count(workers: &Workers) -> fleet::Result<()> {
    let clusters = workers.clusters.all();
    let marks: BTreeMap<_, _> = clusters
        .iter()
        .map(|(name, cluster)| (name, cluster.gate.mark()))
        .collect();
    let store = &workers.fleet_store;
    let replicas = store
        .count_workers(&workers.holder, workers.pace.lease)
        .await?;
    let loads = store.loads().await?;
    let healths = store.healths().await?;
    let fleet = workers.fleet.borrow().clone();
    for (name, cluster) in &clusters {
        if let Some(known) = fleet.clusters.get(name) {
            cluster.gate.set_limits(&known.settings.limits, replicas);
        }
        let live = LIVE_IN_CLUSTER
            .iter()
            .filter_map(|state| loads.get(&(name.clone(), *state)))
            .sum();
        let mark = marks.get(name).copied().unwrap_or_default();
        cluster.gate.count(live, mark, healths.get(name));
        let metrics = &workers.journal.metrics;
        metrics.circuit(name, cluster.gate.is_open_circuit());
    }
    let names = fleet.clusters.keys().map(String::as_str);
    workers.journal.metrics.loads(names, &loads, replicas);
    Ok(())
}

/// States in which an attempt may have something in its cluster.
const LIVE_IN_CLUSTER: [ApplicationState; 4] = [
    ApplicationState::Launching,
    ApplicationState::Submitted,
    ApplicationState::Running,
    ApplicationState::Cancelling,
];
