//! The second half of a launch: from a committed intent to a committed uid.

use tokio::time::Instant;

use super::{ACTOR, Error};
use crate::{
    domain::{
        application::{Application, Ending},
        exit::{ExitCategory, shorten},
        lifecycle::Happening,
        observation::Owner,
        rules::ClusterState,
    },
    launcher::{self, Created, Launcher},
    workers::{Workers, gate::Pass},
};

/// Goes on with a launch whose intent was committed before.
pub(super) async fn go_on(
    workers: &Workers,
    application: &Application,
    until: Instant,
) -> Result<(), Error> {
    let Some(attempt) = application.attempt() else {
        return Ok(());
    };
    let name = &attempt.placement.cluster;
    let takes_nothing_new = workers
        .fleet
        .borrow()
        .clusters
        .get(name)
        .is_some_and(|cluster| cluster.state != ClusterState::Active);
    // It is to go elsewhere, or to end: whoever wrote that down fences its name.
    if attempt.ending.is_some() || takes_nothing_new {
        return Ok(());
    }
    let Some(cluster) = workers.clusters.get(name) else {
        return Err(Error::UnknownCluster(name.clone()));
    };
    let pass = cluster.gate.enter().map_err(|hindrance| Error::Held {
        cluster: name.clone(),
        hindrance,
    })?;
    create(workers, application, &*cluster.launcher, pass, until).await
}

/// Creates the object when it is its turn.
pub(super) async fn create(
    workers: &Workers,
    application: &Application,
    launcher: &dyn Launcher,
    pass: Pass,
    until: Instant,
) -> Result<(), Error> {
    let Some(attempt) = application.attempt() else {
        return Ok(());
    };
    let metrics = &workers.journal.metrics;
    metrics.waited_for_token(&attempt.placement.cluster, pass.wait());
    let turn = pass.turn().await;
    // Not the guarantee, which the name is, but it keeps a slow worker from being one of two.
    if Instant::now() + workers.pace.lease / 2 > until {
        return Err(Error::LeaseEnds);
    }
    let created = launcher.create(application, attempt).await;
    match &created {
        Ok(_) | Err(launcher::Error::Refused(_)) => turn.answered(),
        Err(launcher::Error::Busy { retry_after }) => turn.busy(*retry_after),
        Err(launcher::Error::Unavailable(reason)) => {
            if turn.failed() {
                tracing::warn!(
                    cluster.name = attempt.placement.cluster,
                    reason,
                    "creates in a cluster are held back after failures in a row"
                );
            }
        }
    }
    let happening = match created {
        Ok(Created::New { uid }) => Happening::Created { uid },
        Ok(Created::Adopted { uid }) => {
            metrics.adopted();
            Happening::Created { uid }
        }
        Ok(Created::NameTaken(owner)) => refused(match owner {
            Owner::Tombstone => "a tombstone has the attempt's name",
            Owner::Attempt | Owner::Stranger => "another object has the attempt's name",
        }),
        Err(launcher::Error::Refused(message)) => refused(&message),
        Err(error) => return Err(error.into()),
    };
    let journal = &workers.journal;
    journal
        .record(application.id, Some(attempt.number), &happening, ACTOR)
        .await?;
    Ok(())
}

/// The attempt is to end. An earlier create may be on its way, so its name is fenced first.
fn refused(message: &str) -> Happening {
    Happening::Ending(Ending {
        category: ExitCategory::LaunchRefused,
        message: shorten(message),
    })
}
