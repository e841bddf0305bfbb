//! The status lane of a cluster: watches name attempts, and every one that is named is looked at.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use moka_core::AttemptName;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    ClusterWorkers, STORE_PAUSE,
    examine::Next,
    inbox::{Receiver, Sender},
    pause,
};
use crate::{
    domain::{application::Application, observation::Owner, state::ApplicationState},
    launcher::{Sighting, Target},
    store::CleanUpStage,
};

const ACTOR: &str = "status";
/// Looks at a time.
const CONCURRENCY: usize = 16;
/// After a look that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Passes on what the watches see, while the lease is held.
pub(super) async fn watch(mut lanes: ClusterWorkers, to_examine: Sender) {
    let stop = lanes.workers.stop.clone();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        let mut sightings = lanes.launcher.sightings();
        loop {
            let sighting = tokio::select! {
                () = stop.cancelled() => return,
                () = lanes.lease.lost() => break,
                sighting = sightings.next() => sighting,
            };
            match sighting {
                Some(Sighting::Attempt(name)) => to_examine.send(name),
                // What is gone without a trace is found by the reconciliation.
                Some(Sighting::Relisted) => {}
                Some(Sighting::Interrupted { reason }) => {
                    lanes
                        .workers
                        .journal
                        .metrics
                        .watch_restarted(&lanes.cluster);
                    tracing::warn!(cluster = lanes.cluster, reason, "watch interrupted");
                }
                None => break,
            }
        }
    }
}

/// Names every live attempt from time to time, and right at the start: the truth is in the database
/// and in the cluster, never in an event that may have been missed. Looks for cancels sooner.
pub(super) async fn reconcile(mut lanes: ClusterWorkers, to_examine: Sender, to_cancel: Sender) {
    let workers = lanes.workers.clone();
    let mut written = workers.store.written();
    let mut everything_at = Instant::now();
    loop {
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        written.mark_unchanged();
        let live = match workers.store.live_in(&lanes.cluster).await {
            Ok(live) => live,
            Err(error) => {
                tracing::warn!(%error, "live applications cannot be listed");
                if pause(&workers.stop, STORE_PAUSE).await {
                    continue;
                }
                return;
            }
        };
        let everything = Instant::now() >= everything_at;
        if everything {
            everything_at = Instant::now() + workers.pace.reconcile;
        }
        for application in &live {
            let Some(name) = application.attempt_name() else {
                continue;
            };
            if application.state == ApplicationState::Cancelling {
                to_cancel.send(name);
            } else if everything {
                to_examine.send(name);
            }
        }
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = tokio::time::sleep(RETRY_PAUSE) => {}
            _ = written.changed() => {
                // A burst of events makes one list.
                if !pause(&workers.stop, Duration::from_millis(50)).await {
                    return;
                }
            }
        }
    }
}

/// Looks at the attempts that were named, a bounded number at a time.
pub(super) async fn status_lane(
    mut lanes: ClusterWorkers,
    mut inbox: Receiver,
    to_examine: Sender,
    to_cancel: Sender,
) {
    let looks = Arc::new(Semaphore::new(CONCURRENCY));
    while let Some((name, permit)) = lanes.next(&mut inbox, &looks).await {
        let (lanes, to_examine, to_cancel) = (lanes.clone(), to_examine.clone(), to_cancel.clone());
        lanes.workers.tasks.clone().spawn("look", async move {
            if let Next::After(pause) = look(&lanes, name, &to_cancel).await {
                to_examine.send_at(name, Instant::now() + pause);
            }
            drop(permit);
        });
    }
}

async fn look(lanes: &ClusterWorkers, name: AttemptName, to_cancel: &Sender) -> Next {
    let application = match lanes.workers.store.get(name.application_id).await {
        Ok(Some(application)) => application,
        // Labelled like ours, but of another installation.
        Ok(None) => return Next::OnChange,
        Err(error) => {
            tracing::warn!(attempt.name = %name, %error, "an application cannot be read");
            return Next::After(RETRY_PAUSE);
        }
    };
    let elsewhere =
        |attempt: &crate::domain::application::Attempt| attempt.placement.cluster != lanes.cluster;
    if application
        .attempt_numbered(name.number)
        .is_none_or(elsewhere)
    {
        return Next::OnChange;
    }
    let is_current = application.attempt_name() == Some(name);
    let result = if application.state.is_final() || !is_current {
        leftover(lanes, &application, name).await
    } else if application.state == ApplicationState::Cancelling {
        to_cancel.send(name);
        Ok(Next::OnChange)
    } else {
        lanes.examine(application, ACTOR).await
    };
    result.unwrap_or_else(|error| {
        tracing::warn!(attempt.name = %name, %error, "a look at an attempt failed");
        Next::After(RETRY_PAUSE)
    })
}

/// Something of an attempt that is over: cleaning it up begins anew when it should not be there.
async fn leftover(
    lanes: &ClusterWorkers,
    application: &Application,
    name: AttemptName,
) -> Result<Next, super::examine::Error> {
    let Some(attempt) = application.attempt_numbered(name.number) else {
        return Ok(Next::OnChange);
    };
    let target = Target::of(application, attempt);
    let observation = lanes.launcher.observe(&target).await?;
    let driver_remains = observation
        .driver
        .as_ref()
        .is_some_and(|driver| driver.has_finalizer || !driver.has_ended());
    let object_remains = observation.object.as_ref().is_some_and(|object| {
        object.owner == Owner::Attempt
            && (object.has_finalizer || target.uid.as_ref().is_some_and(|uid| *uid != object.uid))
    });
    if driver_remains || object_remains {
        let store = &lanes.workers.store;
        let number = name.number;
        store
            .set_clean_up(
                application.id,
                number,
                CleanUpStage::Release,
                Duration::ZERO,
            )
            .await?;
    }
    Ok(Next::OnChange)
}
