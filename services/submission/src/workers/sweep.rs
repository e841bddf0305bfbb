//! The sweep lane of a cluster: deletes services and config maps whose attempts are over. Thousands
//! of them would make every new pod's environment too long, and every list slow.

use std::time::Duration;

use super::{ClusterWorkers, examine::Error, pause};
use crate::launcher::Leftover;

const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Sweeps from time to time, until the process stops.
pub(super) async fn sweep_lane(mut lanes: ClusterWorkers) {
    let stop = lanes.workers.stop.clone();
    let interval = lanes.workers.pace.sweep;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        let wait = match sweep(&lanes).await {
            Ok(()) => interval,
            Err(error) => {
                tracing::warn!(cluster = lanes.cluster, %error, "leftovers cannot be swept");
                RETRY_PAUSE.min(interval)
            }
        };
        if !pause(&stop, wait).await {
            return;
        }
    }
}

async fn sweep(lanes: &ClusterWorkers) -> Result<(), Error> {
    for leftover in lanes.launcher.leftovers().await? {
        if is_over(lanes, &leftover).await? {
            lanes.launcher.remove_leftover(&leftover).await?;
            lanes.workers.journal.metrics.status.swept();
            tracing::info!(
                attempt.name = %leftover.attempt,
                leftover.kind = ?leftover.kind,
                leftover.name,
                "leftover deleted"
            );
        }
    }
    Ok(())
}

/// Only what our own database says is over; a live attempt's driver may be about to appear.
async fn is_over(lanes: &ClusterWorkers, leftover: &Leftover) -> Result<bool, Error> {
    let name = leftover.attempt;
    let found = lanes.workers.store.get(name.application_id).await?;
    Ok(found.is_some_and(|application| {
        let attempt = application.attempt_numbered(name.number);
        attempt.is_some_and(|attempt| attempt.exit.is_some())
    }))
}
