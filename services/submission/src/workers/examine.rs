//! One look at an attempt in the cluster itself: what there is, what that means, and what follows.

use jiff::SignedDuration;
use moka_core::AttemptName;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ClusterWorkers;
use crate::{
    domain::{
        application::Application,
        lifecycle::Happening,
        noted::Noted,
        observation::{Container, DriverView, Observation},
        verdict::{Evidence, Rejection, Verdict, exit_of, judge},
    },
    launcher::{self, Target},
    store,
};

/// What was found.
#[derive(Debug)]
pub(super) enum Examined {
    /// Nothing follows for now.
    Waits,
    /// The object and the driver have to be stopped.
    Stop(Target),
    /// It is over, and that is written down.
    Over,
}

/// Waits until it may be read.
pub(super) async fn turn(reads: Option<&Semaphore>) -> Option<SemaphorePermit<'_>> {
    let turn = reads?.acquire().await;
    Some(turn.expect("the semaphore of a lane is never closed"))
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
    /// Looks at the current attempt of an application that is not final. `seen` is what the
    /// watches saw of it, when they did. Whatever is read from the API server has its turn among
    /// the lane's `reads`, if the lane may look at more than it may read; what is written down has
    /// not to wait for one.
    pub(super) async fn examine(
        &self,
        application: Application,
        seen: Option<&Observation>,
        actor: &'static str,
        reads: Option<&Semaphore>,
    ) -> Result<Examined, Error> {
        let Some(attempt) = application.attempt() else {
            return Ok(Examined::Over);
        };
        let (id, number) = (application.id, Some(attempt.number));
        let journal = &self.workers.journal;
        let target = Target::of(&application, attempt);
        let observation = {
            let _turn = turn(reads).await;
            self.observe(&target, seen).await?
        };
        let patience = self.workers.pace.patience;
        let now = self.workers.clock.now();
        let finding = judge(&Noted::of(attempt), &observation, patience, now);
        for happening in &finding.news {
            journal.record(id, number, happening, actor).await?;
        }
        match finding.verdict {
            Verdict::Wait => Ok(Examined::Waits),
            Verdict::Stop => Ok(Examined::Stop(target)),
            Verdict::Ended => {
                let evidence = self.evidence(&target, &observation, reads).await;
                let ended = Happening::Ended(exit_of(&observation, &evidence));
                journal.record(id, number, &ended, actor).await?;
                self.tell_age(&observation);
                Ok(Examined::Over)
            }
        }
    }

    /// Reads what there is of an attempt. A driver whose container has ended tells everything by
    /// itself, so where the watches saw that, its object is not read as well.
    async fn observe(
        &self,
        target: &Target,
        seen: Option<&Observation>,
    ) -> Result<Observation, launcher::Error> {
        let tells_all =
            |driver: &DriverView| matches!(driver.container, Container::Terminated { .. });
        if let Some(seen) = seen.filter(|seen| seen.driver.as_ref().is_some_and(tells_all))
            && let Some(driver) = self.launcher.driver(target).await?
            && tells_all(&driver)
        {
            return Ok(Observation {
                object: seen.object.clone(),
                driver: Some(driver),
            });
        }
        self.launcher.observe(target).await
    }

    /// Counts how old a change of the driver was when it was written down, by the node's clock.
    pub(super) fn tell_age(&self, observation: &Observation) {
        let driver = observation.driver.as_ref();
        if let Some(changed) = driver.and_then(DriverView::change_time) {
            let age = self.workers.clock.now().duration_since(changed);
            let age = age.max(SignedDuration::ZERO).as_secs_f64();
            self.workers.journal.metrics.status.written(age);
        }
    }

    /// Gathers what tells why an attempt ended. What cannot be read is left out: an outcome is
    /// more important than its explanation.
    async fn evidence(
        &self,
        target: &Target,
        observation: &Observation,
        reads: Option<&Semaphore>,
    ) -> Evidence {
        let container = observation.driver.as_ref().map(|driver| &driver.container);
        // A success needs no explanation.
        if let Some(Container::Terminated { exit_code: 0, .. } | Container::Running { .. }) =
            container
        {
            return Evidence::default();
        }
        let _turn = turn(reads).await;
        match container {
            Some(Container::Terminated { .. }) => Evidence {
                log: self.log(target).await,
                rejection: None,
                executors: self
                    .launcher
                    .executors(target)
                    .await
                    .unwrap_or_else(|error| {
                        tracing::info!(attempt.name = %target.name, %error, "no executors to ask");
                        Vec::new()
                    }),
            },
            _ => Evidence {
                rejection: self.rejection(target.name).await,
                ..Evidence::default()
            },
        }
    }

    async fn log(&self, target: &Target) -> String {
        let log = self.launcher.driver_log(target).await;
        log.unwrap_or_else(|error| {
            tracing::info!(attempt.name = %target.name, %error, "no log of the driver");
            String::new()
        })
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
