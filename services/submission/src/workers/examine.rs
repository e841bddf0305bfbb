//! One look at an attempt: what its cluster shows, what that means, and what follows.

use std::{sync::Arc, time::Duration};

use moka_core::AttemptName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{ClusterWorkers, inbox::Receiver};
use crate::{
    domain::{
        application::{Application, Attempt},
        exit::Exit,
        lifecycle::Happening,
        observation::{Container, Observation},
        verdict::{Rejection, Verdict, exit_of, judge},
    },
    launcher::{self, Target},
    store,
};

/// While something is being stopped.
const STOPPING_PAUSE: Duration = Duration::from_secs(1);

/// When to look again, if nothing happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// When a watch names it.
    OnChange,
    /// After a while.
    After(Duration),
}

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("writing down an observation")]
    Store(#[from] store::Error),
    #[error(transparent)]
    Cluster(#[from] launcher::Error),
}

impl ClusterWorkers {
    /// The next attempt of an inbox and leave to look at it, while the cluster is this process's;
    /// `None` when the process stops.
    pub(super) async fn next(
        &mut self,
        inbox: &mut Receiver,
        looks: &Arc<Semaphore>,
    ) -> Option<(AttemptName, OwnedSemaphorePermit)> {
        let stop = self.workers.stop.clone();
        let next = async {
            self.lease.held().await;
            let permit = Arc::clone(looks).acquire_owned().await;
            let permit = permit.expect("the semaphore of a lane is never closed");
            (inbox.next().await, permit)
        };
        tokio::select! {
            () = stop.cancelled() => None,
            next = next => Some(next),
        }
    }

    /// Looks at the current attempt of an application that is not final.
    pub(super) async fn examine(
        &self,
        mut application: Application,
        actor: &'static str,
    ) -> Result<Next, Error> {
        let Some(attempt) = application.attempt().cloned() else {
            return Ok(Next::OnChange);
        };
        let target = Target::of(&application, &attempt);
        let observation = self.launcher.observe(&target).await?;
        let patience = self.workers.pace.patience;
        let finding = judge(&attempt, &observation, patience, self.workers.clock.now());
        for happening in finding
            .happenings
            .iter()
            .filter(|one| is_news(&attempt, one))
        {
            let journal = &self.workers.journal;
            let recorded = journal
                .record(application.id, Some(attempt.number), happening, actor)
                .await?;
            if let Some(recorded) = recorded {
                application = recorded.application;
            }
        }
        match finding.verdict {
            Verdict::Wait => Ok(Next::OnChange),
            Verdict::Stop => {
                self.launcher.stop(&target).await?;
                Ok(Next::After(STOPPING_PAUSE))
            }
            Verdict::Ended => {
                let exit = self.exit(&target, &observation).await;
                let ended = Happening::Ended(exit);
                let journal = &self.workers.journal;
                journal
                    .record(application.id, Some(attempt.number), &ended, actor)
                    .await?;
                Ok(Next::OnChange)
            }
        }
    }

    /// Gathers what tells why an attempt ended. What cannot be read is left out: an outcome is
    /// more important than its explanation.
    async fn exit(&self, target: &Target, observation: &Observation) -> Exit {
        let container = observation.driver.as_ref().map(|driver| &driver.container);
        let log = match container {
            Some(Container::Terminated { .. }) => match self.launcher.driver_log(target).await {
                Ok(log) => log,
                Err(error) => {
                    tracing::info!(attempt.name = %target.name, %error, "no log of the driver");
                    String::new()
                }
            },
            _ => String::new(),
        };
        let rejection = match container {
            Some(Container::Terminated { .. } | Container::Running { .. }) => None,
            _ => self.rejection(target.name).await,
        };
        exit_of(observation, &log, rejection.as_ref())
    }

    async fn rejection(&self, name: AttemptName) -> Option<Rejection> {
        match self.workers.scheduler.rejection(&self.cluster, name).await {
            Ok(rejection) => rejection,
            Err(error) => {
                tracing::info!(attempt.name = %name, %error, "the scheduler tells nothing");
                None
            }
        }
    }
}

/// Whether the attempt does not say so already, which saves a transaction for every look.
fn is_news(attempt: &Attempt, happening: &Happening) -> bool {
    match happening {
        Happening::Created { .. } => attempt.uid.is_none(),
        Happening::DriverSeen { .. } => attempt.spark_application_id.is_none(),
        Happening::DriverStarted { .. } => attempt.start_time.is_none(),
        Happening::Ending(_) => attempt.ending.is_none(),
        _ => true,
    }
}
