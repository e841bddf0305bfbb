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

use std::{sync::Arc, time::Duration};

use moka_core::{AttemptName, ErrorReason};
use tokio::{sync::Semaphore, time::Instant};

use super::{STORE_PAUSE, Workers, backoff, pause};
use crate::{
    client::scheduling::PlacementRequest,
    domain::{
        application::Application,
        exit::{Exit, ExitCategory},
        lifecycle::Happening,
        observation::Owner,
        resolve::{Rules, resolve},
        retry,
        state::ApplicationState,
    },
    launcher::{self, Created},
    store::{self, Launchable},
};

const ACTOR: &str = "launch";
/// How often to look for rows that other replicas accepted or gave back.
const POLL: Duration = Duration::from_millis(500);

/// Launches until the process stops, a bounded number at a time.
pub async fn launch_lane(workers: Workers) {
    let launches = Arc::new(Semaphore::new(workers.pace.launch_concurrency));
    let mut written = workers.store.written();
    loop {
        let free = tokio::select! {
            () = workers.stop.cancelled() => return,
            // At least one; as many as are free are leased.
            permit = launches.acquire() => {
                let permit = permit.expect("the semaphore of the lane is never closed");
                launches.available_permits() + permit.num_permits()
            }
        };
        written.mark_unchanged();
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        match workers
            .store
            .lease_launches(&workers.holder, workers.pace.lease, limit)
            .await
        {
            Ok(leased) => {
                for one in leased {
                    begin(&workers, one, &launches).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no applications to launch could be leased");
                if !pause(&workers.stop, STORE_PAUSE).await {
                    return;
                }
            }
        }
        tokio::select! {
            () = workers.stop.cancelled() => return,
            _ = written.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Launches one application as a task of its own. What was begun is finished when the process
/// stops: it is short, and costs less now than after the lease.
async fn begin(workers: &Workers, launchable: Launchable, launches: &Arc<Semaphore>) {
    let until = Instant::now() + workers.pace.lease;
    let permit = Arc::clone(launches).acquire_owned().await;
    let permit = permit.expect("the semaphore of the lane is never closed");
    let workers = workers.clone();
    workers.tasks.clone().spawn("launch-one", async move {
        launch(&workers, launchable, until).await;
        drop(permit);
    });
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
    #[error("cluster {0} is none of this process's")]
    UnknownCluster(String),
    #[error("the lease is almost over")]
    LeaseEnds,
}

async fn launch(workers: &Workers, launchable: Launchable, until: Instant) {
    let Launchable {
        application,
        failures,
    } = launchable;
    let id = application.id;
    let Err(error) = steps(workers, application, until).await else {
        return;
    };
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

async fn steps(workers: &Workers, application: Application, until: Instant) -> Result<(), Error> {
    let application = match application.state {
        ApplicationState::Queued | ApplicationState::RetryWait => {
            place(workers, application).await?
        }
        _ => application,
    };
    // Cancelled meanwhile, or refused for good.
    if application.state != ApplicationState::Launching {
        return Ok(());
    }
    create(workers, &application, until).await
}

async fn place(workers: &Workers, application: Application) -> Result<Application, Error> {
    let number = application.next_attempt_number();
    let spec = resolve(&application.submission.spec, Rules::default())
        .map_err(moka_core::PublicError::from)?;
    let spec = retry::grow(&application, spec);
    let mut request = PlacementRequest::new(
        AttemptName::new(application.id, number),
        &spec,
        workers.pace.with_sidecar,
    );
    request.clusters = workers.clusters.names();
    let happening = match workers.scheduler.place(&request).await {
        Ok(placed) => {
            let mut placement = placed.placement;
            if workers.clusters.get(&placement.cluster).is_none() {
                return Err(Error::UnknownCluster(placement.cluster));
            }
            placement.namespace.clone_from(&workers.pace.namespace);
            Happening::Placed {
                attempt_number: number,
                placement,
                launch: Box::new(spec),
            }
        }
        Err(error) => match error.reason {
            ErrorReason::GangExceedsQueue | ErrorReason::UnknownQueue => {
                let message = format!("{}: {error}", error.reason.as_str());
                Happening::Refused(Exit::without_container(ExitCategory::Quota, message))
            }
            _ => return Err(error.into()),
        },
    };
    let recorded = workers
        .journal
        .record(application.id, None, &happening, ACTOR)
        .await?;
    Ok(recorded.map_or(application, |recorded| recorded.application))
}

async fn create(workers: &Workers, application: &Application, until: Instant) -> Result<(), Error> {
    let Some(attempt) = application.attempt() else {
        return Ok(());
    };
    let cluster = &attempt.placement.cluster;
    let Some(launcher) = workers.clusters.get(cluster) else {
        return Err(Error::UnknownCluster(cluster.clone()));
    };
    // Not the guarantee, which the name is, but it keeps a slow worker from being one of two.
    if Instant::now() + workers.pace.lease / 2 > until {
        return Err(Error::LeaseEnds);
    }
    let happening = match launcher.create(application, attempt).await {
        Ok(Created::New { uid }) => Happening::Created { uid },
        Ok(Created::Adopted { uid }) => {
            workers.journal.metrics.adopted();
            Happening::Created { uid }
        }
        Ok(Created::NameTaken(owner)) => refused(match owner {
            Owner::Tombstone => "a tombstone has the attempt's name",
            Owner::Attempt | Owner::Stranger => "another object has the attempt's name",
        }),
        Err(launcher::Error::Refused(message)) => refused(&message),
        Err(error @ launcher::Error::Unavailable(_)) => return Err(error.into()),
    };
    workers
        .journal
        .record(application.id, Some(attempt.number), &happening, ACTOR)
        .await?;
    Ok(())
}

fn refused(message: &str) -> Happening {
    Happening::Refused(Exit::without_container(
        ExitCategory::LaunchRefused,
        message,
    ))
}
