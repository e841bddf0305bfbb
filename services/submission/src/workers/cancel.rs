//! The cancel lane of a cluster: an attempt that is to be cancelled is fenced, stopped and watched
//! to its end.

use std::{sync::Arc, time::Duration};

use moka_core::AttemptName;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    ClusterWorkers,
    examine::{Error, Next},
    inbox::{Receiver, Sender},
};
use crate::{
    domain::{
        application::Application,
        exit::{Exit, ExitCategory},
        lifecycle::Happening,
        state::ApplicationState,
    },
    launcher::{Fence, Target},
};

const ACTOR: &str = "cancel";
const CONCURRENCY: usize = 8;
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Cancels what is named, until the process stops.
pub(super) async fn cancel_lane(mut lanes: ClusterWorkers, mut inbox: Receiver, again: Sender) {
    let looks = Arc::new(Semaphore::new(CONCURRENCY));
    while let Some((name, permit)) = lanes.next(&mut inbox, &looks).await {
        let (lanes, again) = (lanes.clone(), again.clone());
        lanes.workers.tasks.clone().spawn("cancel", async move {
            if let Next::After(pause) = look(&lanes, name).await {
                again.send_at(name, Instant::now() + pause);
            }
            drop(permit);
        });
    }
}

async fn look(lanes: &ClusterWorkers, name: AttemptName) -> Next {
    let next = match lanes.workers.store.get(name.application_id).await {
        Ok(Some(application)) if application.state == ApplicationState::Cancelling => {
            cancel(lanes, application).await
        }
        Ok(_) => Ok(Next::OnChange),
        Err(error) => Err(error.into()),
    };
    next.unwrap_or_else(|error| {
        tracing::warn!(attempt.name = %name, %error, "a cancel goes on later");
        Next::After(RETRY_PAUSE)
    })
}

async fn cancel(lanes: &ClusterWorkers, application: Application) -> Result<Next, Error> {
    let Some(attempt) = application.attempt() else {
        return Ok(Next::OnChange);
    };
    if attempt.uid.is_some() {
        return lanes.examine(application, ACTOR).await;
    }
    // Whether a create is still on its way, nobody can know. A tombstone keeps it out.
    let happening = match lanes
        .launcher
        .fence(&Target::of(&application, attempt))
        .await?
    {
        Fence::Object { uid } => {
            lanes.workers.journal.metrics.adopted();
            Happening::Created { uid }
        }
        Fence::Tombstone | Fence::Stranger => Happening::Ended(Exit::without_container(
            ExitCategory::Cancelled,
            "never launched",
        )),
    };
    let journal = &lanes.workers.journal;
    let number = attempt.number;
    let recorded = journal
        .record(application.id, Some(number), &happening, ACTOR)
        .await?;
    match recorded {
        Some(recorded) if !recorded.application.state.is_final() => {
            lanes.examine(recorded.application, ACTOR).await
        }
        _ => Ok(Next::OnChange),
    }
}
