//! What a cluster's workers see of it, written down for everybody by whoever holds its lease.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{ClusterWorkers, pause};
use crate::domain::fleet::ClusterHealth;

const INTERVAL: Duration = Duration::from_secs(2);

/// Asks a cluster whether it is there, again and again, and tells since when it is not.
pub(super) async fn watch_health(
    mut lanes: ClusterWorkers,
    unreachable_since: watch::Sender<Option<Timestamp>>,
) {
    let stop = lanes.workers.stop.clone();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        // Another replica may have watched before.
        let noted = match lanes.workers.fleet_store.healths().await {
            Ok(mut healths) => healths.remove(&lanes.cluster),
            Err(_) => None,
        };
        unreachable_since.send_replace(noted.and_then(|health| health.unreachable_since));
        loop {
            let look = async {
                look(&lanes, &unreachable_since).await;
                pause(&stop, INTERVAL).await
            };
            let mut lease = lanes.lease.clone();
            tokio::select! {
                () = lease.lost() => break,
                goes_on = look => if !goes_on { return },
            }
        }
    }
}

async fn look(lanes: &ClusterWorkers, unreachable_since: &watch::Sender<Option<Timestamp>>) {
    let problem = lanes.launcher.probe().await.err();
    let now = lanes.workers.clock.now();
    let since = problem
        .as_ref()
        .map(|_| unreachable_since.borrow().unwrap_or(now));
    unreachable_since.send_replace(since);
    let gate = lanes
        .workers
        .clusters
        .get(&lanes.cluster)
        .map(|cluster| cluster.gate);
    let live = &lanes.workers.journal.live;
    let backlog = live.backlog(&lanes.cluster).unwrap_or_default();
    let health = ClusterHealth {
        reachable: problem.is_none(),
        problem: problem.map(|error| error.to_string()).unwrap_or_default(),
        unreachable_since: since,
        circuit_open: gate.as_ref().is_some_and(|gate| gate.is_open_circuit()),
        live_attempts: gate.map_or(0, |gate| gate.live()),
        operator_backlog: u32::try_from(backlog.objects).unwrap_or(u32::MAX),
        operator_lag_seconds: backlog.lag_seconds(now),
        observe_time: now,
        holder: lanes.workers.holder.clone(),
    };
    let store = &lanes.workers.fleet_store;
    if let Err(error) = store.write_health(&lanes.cluster, &health).await {
        tracing::warn!(cluster.name = lanes.cluster, %error, "a cluster's health cannot be noted");
    }
}
