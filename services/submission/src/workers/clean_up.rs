//! The clean-up lane of a cluster. It works only from what the database says is over, so nothing is
//! let go before its outcome is committed.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use super::{ClusterWorkers, STORE_PAUSE, examine::Error};
use crate::{
    domain::observation::{ObjectView, Observation, Owner},
    launcher::{Fence, Grace, Target},
    store::{CleanUp, CleanUpStage},
};

const BATCH: u32 = 100;
const CONCURRENCY: usize = 8;
/// Between two steps, 25 a second: ten thousand ends at once must not keep the API server from what
/// is urgent, and no cluster ends 90,000 applications an hour for long.
const PACE: Duration = Duration::from_millis(40);
/// How often to look for retentions that have ended.
const POLL: Duration = Duration::from_secs(2);
/// What ends at the same time is cleaned up together: this lane is the least urgent one, and a look
/// at what is due after every commit would cost as much as the commits.
const GATHER: Duration = Duration::from_millis(200);
/// While something is still stopping.
const STOPPING_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Cleans up until the process stops.
pub(super) async fn clean_up_lane(mut lanes: ClusterWorkers) {
    let workers = lanes.workers.clone();
    let mut written = workers.store.written();
    let steps = Arc::new(Semaphore::new(CONCURRENCY));
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        written.mark_unchanged();
        let began = Instant::now();
        match workers.store.due_clean_ups(&lanes.cluster, BATCH).await {
            Ok(due) => all(&lanes, due, &steps, &mut pace).await,
            Err(error) => {
                tracing::warn!(%error, "clean-ups cannot be listed");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = tokio::time::sleep_until(began + POLL) => {}
            _ = written.changed() => tokio::time::sleep(GATHER).await,
        }
    }
}

/// Takes a step with each, some at a time, and waits for the last: what is noted of a step must not
/// be overtaken by the next list.
async fn all(
    lanes: &ClusterWorkers,
    due: Vec<CleanUp>,
    steps: &Arc<Semaphore>,
    pace: &mut Interval,
) {
    for one in due {
        pace.tick().await;
        let permit = Arc::clone(steps).acquire_owned().await;
        let permit = permit.expect("the semaphore of the lane is never closed");
        let lanes = lanes.clone();
        lanes.workers.tasks.clone().spawn("clean-up", async move {
            clean_up(&lanes, one).await;
            drop(permit);
        });
    }
    let every = u32::try_from(CONCURRENCY).unwrap_or(u32::MAX);
    let all_ended = steps.acquire_many(every).await;
    drop(all_ended.expect("the semaphore of the lane is never closed"));
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
    let driver_uid = lanes.memory.lock().ended_driver(target.name);
    if let Some(driver_uid) = driver_uid
        && lanes.launcher.release_ended(target, &driver_uid).await?
    {
        lanes.workers.journal.metrics.finalizers_removed(2);
        return Ok((CleanUpStage::Retain, pace.retention));
    }
    let observation = lanes.launcher.observe(target).await?;
    if must_stop(target, &observation) {
        lanes.launcher.stop(target, Grace::Own).await?;
        return Ok((CleanUpStage::Release, STOPPING_PAUSE));
    }
    // The operator launches what it has not looked at, also when a driver has ended long ago.
    if observation
        .object
        .as_ref()
        .is_some_and(ObjectView::is_unseen)
    {
        lanes.launcher.remove(target).await?;
    }
    let removed = lanes.launcher.release(target).await?;
    lanes.workers.journal.metrics.finalizers_removed(removed);
    match observation.object {
        // The cancel lane's, for instance: it has the whole of its retention before it.
        Some(object) if object.owner == Owner::Tombstone => {
            return Ok((CleanUpStage::Retain, pace.tombstone_retention));
        }
        Some(object) if object.delete_time.is_none() && !object.is_unseen() => {
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
