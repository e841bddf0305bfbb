//! The clean-up lane of a cluster. It works only from what the database says is over, so nothing is
//! let go before its outcome is committed.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::{ClusterWorkers, STORE_PAUSE, examine::Error};
use crate::{
    domain::observation::{Observation, Owner},
    launcher::{Fence, Target},
    store::{CleanUp, CleanUpStage},
};

const BATCH: u32 = 100;
const CONCURRENCY: usize = 8;
/// How often to look for retentions that have ended.
const POLL: Duration = Duration::from_secs(2);
/// While something is still stopping.
const STOPPING_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Cleans up until the process stops.
pub(super) async fn clean_up_lane(mut lanes: ClusterWorkers) {
    let workers = lanes.workers.clone();
    let mut written = workers.store.written();
    loop {
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        written.mark_unchanged();
        let began = Instant::now();
        match workers.store.due_clean_ups(&lanes.cluster, BATCH).await {
            Ok(due) => {
                let lanes = &lanes;
                stream::iter(due)
                    .for_each_concurrent(CONCURRENCY, |one| clean_up(lanes, one))
                    .await;
            }
            Err(error) => {
                tracing::warn!(%error, "clean-ups cannot be listed");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = tokio::time::sleep_until(began + POLL) => {}
            _ = written.changed() => {}
        }
    }
}

async fn clean_up(lanes: &ClusterWorkers, one: CleanUp) {
    let CleanUp {
        application,
        attempt_number,
        stage,
    } = one;
    let Some(attempt) = application.attempt_numbered(attempt_number) else {
        return;
    };
    let target = Target::of(&application, attempt);
    let step = match stage {
        CleanUpStage::Release => release(lanes, &target).await,
        CleanUpStage::Retain | CleanUpStage::Done => remove(lanes, &target).await,
    };
    let (stage, pause) = step.unwrap_or_else(|error| {
        tracing::warn!(attempt.name = %target.name, %error, "a clean-up goes on later");
        (stage, RETRY_PAUSE)
    });
    let store = &lanes.workers.store;
    if let Err(error) = store
        .set_clean_up(application.id, attempt_number, stage, pause)
        .await
    {
        tracing::warn!(attempt.name = %target.name, %error, "a clean-up cannot be noted");
    }
}

/// Lets go of the object and the driver, and leaves the name taken.
async fn release(
    lanes: &ClusterWorkers,
    target: &Target,
) -> Result<(CleanUpStage, Duration), Error> {
    let pace = &lanes.workers.pace;
    let observation = lanes.launcher.observe(target).await?;
    if must_stop(target, &observation) {
        lanes.launcher.stop(target).await?;
        return Ok((CleanUpStage::Release, STOPPING_PAUSE));
    }
    let removed = lanes.launcher.release(target).await?;
    lanes.workers.journal.metrics.finalizers_removed(removed);
    match observation.object {
        // The cancel lane's, for instance: it has the whole of its retention before it.
        Some(object) if object.owner == Owner::Tombstone => {
            return Ok((CleanUpStage::Retain, pace.tombstone_retention));
        }
        Some(object) if object.delete_time.is_none() => {
            return Ok((CleanUpStage::Retain, pace.retention));
        }
        _ => {}
    }
    // A create that is still on its way must find the name taken.
    match lanes.launcher.fence(target).await? {
        Fence::Tombstone | Fence::Stranger => Ok((CleanUpStage::Retain, pace.tombstone_retention)),
        // Not gone yet, or come anew.
        Fence::Object { .. } => Ok((CleanUpStage::Release, STOPPING_PAUSE)),
    }
}

/// Whether something of a final attempt can still run: a driver that appeared late, or an object
/// that a paused worker created after all.
fn must_stop(target: &Target, observation: &Observation) -> bool {
    let driver_lives = observation
        .driver
        .as_ref()
        .is_some_and(|driver| !driver.has_ended());
    let object_is_another = observation.object.as_ref().is_some_and(|object| {
        object.owner == Owner::Attempt
            && object.delete_time.is_none()
            && target.uid.as_ref() != Some(&object.uid)
    });
    driver_lives || object_is_another
}

/// The retention is over.
async fn remove(
    lanes: &ClusterWorkers,
    target: &Target,
) -> Result<(CleanUpStage, Duration), Error> {
    lanes.launcher.remove(target).await?;
    Ok((CleanUpStage::Done, Duration::ZERO))
}
