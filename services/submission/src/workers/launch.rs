//! The launch lane: from QUEUED to an object in a cluster, with at most one live driver per
//! attempt.
//!
//! 1. A row is leased.
//! 2. A place is asked for.
//! 3. The intent is committed: cluster, queue, name.
//! 4. The object is created under that name.
//! 5. Its uid is committed.
//!
//! Killed between any two steps, the lease runs out and the step is repeated by whoever takes the
//! row next: a repeated create finds the name taken by its own object and adopts it.
//!
//! Many rows are under way at a time, so that the database's commits and the scheduler's answers
//! are shared and the API server is never idle; how many creates are under way, each cluster's gate
//! decides.

mod creating;
mod placing;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use moka_core::ApplicationId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{Hindrance, STORE_PAUSE, Workers, backoff, pause};
use crate::{
    domain::{application::Application, rules::Strategy, state::ApplicationState},
    launcher,
    store::{self, Launchable, fleet},
};

const ACTOR: &str = "launch";
/// How often to look for rows that other replicas accepted or gave back.
const POLL: Duration = Duration::from_millis(500);
/// What comes at the same time is leased together.
const GATHER: Duration = Duration::from_millis(10);
/// How long a full lane gathers room before it leases again: leasing costs the database about the
/// same for few rows as for many, and what is under way lasts longer than this.
const REFILL: Duration = Duration::from_millis(50);
/// Launches under way for each create that may be.
const DEPTH: usize = 8;
/// Largest batch that is leased at once.
const MOST_AT_ONCE: u32 = 256;
/// While nothing that was leased can go anywhere, less and less is looked at.
const LONGEST_HOLD: Duration = Duration::from_secs(2);
/// How soon a launch that no cluster takes now is looked at again.
const HOLD: Duration = Duration::from_secs(3);

/// Launches until the process stops, a bounded number at a time.
pub async fn launch_lane(workers: Workers) {
    let depth = workers.pace.launch_concurrency * DEPTH;
    let launches = Arc::new(Semaphore::new(depth));
    let mut written = workers.store.written();
    let mut held = Duration::ZERO;
    loop {
        let Some(permits) = free(&workers, &launches).await else {
            return;
        };
        written.mark_unchanged();
        let limit = u32::try_from(permits.num_permits()).unwrap_or(u32::MAX);
        let leased = workers
            .store
            .lease_launches(&workers.holder, workers.pace.lease, limit)
            .await;
        let all = match leased {
            Ok(leased) => {
                let full = leased.len() == permits.num_permits();
                let begun = begin(&workers, leased, permits).await;
                held = match begun {
                    Begun::SomeOrNone => Duration::ZERO,
                    Begun::AllHeld => (held * 2).clamp(POLL, LONGEST_HOLD),
                };
                full
            }
            Err(error) => {
                tracing::warn!(%error, "no applications to launch could be leased");
                held = STORE_PAUSE;
                false
            }
        };
        if !held.is_zero() {
            if !pause(&workers.stop, held).await {
                return;
            }
        } else if !all {
            tokio::select! {
                () = workers.stop.cancelled() => return,
                _ = written.changed() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

/// Waits until launches are free, and gathers them for a moment: one large batch costs the database
/// as much as one small one. `None` when the process stops.
async fn free(workers: &Workers, launches: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let first = tokio::select! {
        () = workers.stop.cancelled() => return None,
        first = Arc::clone(launches).acquire_owned() => first,
    };
    let mut permits = first.expect("the semaphore of the lane is never closed");
    let depth = workers.pace.launch_concurrency * DEPTH;
    if launches.available_permits() < depth / 4 {
        tokio::time::sleep(REFILL).await;
    }
    let rest = launches.available_permits();
    let rest = u32::try_from(rest)
        .unwrap_or(u32::MAX)
        .min(MOST_AT_ONCE - 1);
    if let Ok(rest) = Arc::clone(launches).try_acquire_many_owned(rest) {
        permits.merge(rest);
    }
    Some(permits)
}

/// What became of a batch.
enum Begun {
    /// Something goes on, or there was nothing.
    SomeOrNone,
    /// Nothing can go anywhere now.
    AllHeld,
}

/// Begins the launches of a batch, each as a task of its own, and gives back those that cannot go
/// on now. What was begun is finished when the process stops: it is short, and costs less now than
/// after the lease.
async fn begin(
    workers: &Workers,
    leased: Vec<Launchable>,
    mut permits: OwnedSemaphorePermit,
) -> Begun {
    let until = Instant::now() + workers.pace.lease;
    let strategies = match strategies(workers, &leased).await {
        Ok(strategies) => strategies,
        Err(error) => {
            // Their leases run out by themselves.
            tracing::warn!(%error, "no strategies could be read");
            return Begun::AllHeld;
        }
    };
    let count = leased.len();
    let mut held = Vec::new();
    for launchable in leased {
        let application = &launchable.application;
        let strategy = strategies.get(&workflow_of(application)).cloned();
        let begun = match application.state {
            ApplicationState::Launching => Step::Create,
            _ => match placing::candidates(workers, application, strategy.as_ref()) {
                placing::Outlook::Held => {
                    held.push(application.id);
                    continue;
                }
                placing::Outlook::Goes(candidates) => Step::Place(candidates, strategy),
            },
        };
        let permit = permits
            .split(1)
            .expect("no more rows are leased than there are permits");
        let workers = workers.clone();
        workers.tasks.clone().spawn("launch-one", async move {
            launch(&workers, launchable, begun, until).await;
            drop(permit);
        });
    }
    hold(workers, &held, HOLD).await;
    if count > 0 && held.len() == count {
        Begun::AllHeld
    } else {
        Begun::SomeOrNone
    }
}

type Workflow = (String, String);

fn workflow_of(application: &Application) -> Workflow {
    let submission = &application.submission;
    (submission.project.clone(), submission.spec.workflow.clone())
}

async fn strategies(
    workers: &Workers,
    leased: &[Launchable],
) -> fleet::Result<BTreeMap<Workflow, Strategy>> {
    let mut workflows: Vec<_> = leased
        .iter()
        .map(|one| workflow_of(&one.application))
        .filter(|(_, workflow)| !workflow.is_empty())
        .collect();
    workflows.sort_unstable();
    workflows.dedup();
    if workflows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = workers.fleet_store.strategies_of(&workflows).await?;
    let by_workflow = |one: Strategy| ((one.project.clone(), one.workflow.clone()), one);
    Ok(found.into_iter().map(by_workflow).collect())
}

/// Where a launch goes on.
#[expect(clippy::large_enum_variant, reason = "one for each launch in flight")]
enum Step {
    /// At its placement.
    Place(placing::Goes, Option<Strategy>),
    /// At its create.
    Create,
}

/// Why a launch did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("writing down a launch")]
    Store(#[from] store::Error),
    #[error("placing: {0}")]
    Placement(#[from] moka_core::PublicError),
    #[error(transparent)]
    Cluster(#[from] launcher::Error),
    #[error("cluster {0} cannot be reached from here")]
    UnknownCluster(String),
    #[error("the lease is almost over")]
    LeaseEnds,
    /// Not a failure: it is not the launch's turn.
    #[error("cluster {cluster} {}", hindrance.obstacle)]
    Held {
        cluster: String,
        hindrance: Hindrance,
    },
}

async fn launch(workers: &Workers, launchable: Launchable, step: Step, until: Instant) {
    let Launchable {
        application,
        failures,
    } = launchable;
    let id = application.id;
    let ended = match step {
        Step::Place(goes, strategy) => {
            placing::place(workers, application, &goes, strategy.as_ref(), until).await
        }
        Step::Create => creating::go_on(workers, &application, until).await,
    };
    match ended {
        Ok(()) => {}
        Err(Error::Held { hindrance, .. }) => {
            workers.journal.metrics.held_back(hindrance.obstacle);
            hold(workers, &[id], hindrance.pause).await;
        }
        Err(error) => postpone(workers, id, failures, &error).await,
    }
}

async fn postpone(workers: &Workers, id: ApplicationId, failures: u32, error: &Error) {
    workers.journal.metrics.postponed_launch();
    let pause = backoff::after(failures, &*workers.entropy);
    tracing::warn!(
        application.id = %id,
        %error,
        pause_seconds = pause.as_secs(),
        "launch postponed"
    );
    if let Err(error) = workers
        .store
        .postpone_launch(id, &workers.holder, pause)
        .await
    {
        // The lease runs out by itself.
        tracing::warn!(application.id = %id, %error, "a launch could not be given back");
    }
}

/// Gives launches back that did nothing wrong.
async fn hold(workers: &Workers, ids: &[ApplicationId], pause: Duration) {
    if ids.is_empty() {
        return;
    }
    let held = workers
        .fleet_store
        .hold_launches(ids, &workers.holder, pause)
        .await;
    if let Err(error) = held {
        tracing::warn!(%error, "launches could not be given back");
    }
}
