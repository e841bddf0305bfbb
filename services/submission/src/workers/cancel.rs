//! The cancel lane of a cluster: an attempt that is to be cancelled is fenced, stopped and watched
//! to its end.

use std::time::Duration;

use futures::{StreamExt as _, stream::FuturesUnordered};
use moka_core::AttemptName;
use tokio::time::Instant;

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
    let stop = lanes.workers.stop.clone();
    let looker = lanes.clone();
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = lanes.lease.held() => {}
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((name, next)) = running.next() => {
                if let Next::After(pause) = next {
                    again.send_at(name, Instant::now() + pause);
                }
            }
            name = inbox.next(), if running.len() < CONCURRENCY => {
                running.push(look(&looker, name));
            }
        }
    }
    while running.next().await.is_some() {}
}

async fn look(lanes: &ClusterWorkers, name: AttemptName) -> (AttemptName, Next) {
    let next = match lanes.workers.store.get(name.application_id).await {
        Ok(Some(application)) if application.state == ApplicationState::Cancelling => {
            cancel(lanes, application).await
        }
        Ok(_) => Ok(Next::OnChange),
        Err(error) => Err(error.into()),
    };
    let next = next.unwrap_or_else(|error| {
        tracing::warn!(attempt.name = %name, %error, "a cancel goes on later");
        Next::After(RETRY_PAUSE)
    });
    (name, next)
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
