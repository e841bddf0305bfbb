//! The ending lane of a cluster: an attempt that is to be ended, whatever for, is fenced when
//! nobody knows whether it was created, stopped otherwise, and watched to its end.

use std::{collections::BTreeSet, time::Duration};

use moka_core::AttemptName;

use super::{
    ClusterWorkers, STORE_PAUSE,
    examine::{Error, Examined},
    inbox::Receiver,
    lane::{Lane, Next, RETRY_PAUSE},
    pause,
};
use crate::{
    domain::{
        application::Application,
        exit::{Exit, ExitCategory},
        lifecycle::Happening,
    },
    launcher::{self, Fence, Grace, Target},
};

const ACTOR: &str = "ending";
const CONCURRENCY: usize = 16;
/// How often to look for endings that other processes wrote.
const POLL: Duration = Duration::from_secs(1);
/// While something is being stopped; the watches name it when it changes.
const STOPPING_PAUSE: Duration = Duration::from_secs(5);
/// Names that are read at a time.
const PAGE_LIMIT: u32 = 1000;

/// Names what is to be ended, whoever wrote that down.
pub(super) async fn find_endings(mut lanes: ClusterWorkers) {
    let workers = lanes.workers.clone();
    let mut named = BTreeSet::new();
    loop {
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        let wait = match list(&lanes).await {
            Ok(found) => {
                // Those that were named before come back by themselves.
                for name in found.difference(&named) {
                    lanes.to_end.send(*name);
                }
                named = found;
                lanes.tell_backlog();
                POLL
            }
            Err(error) => {
                tracing::warn!(%error, "attempts to end cannot be listed");
                STORE_PAUSE
            }
        };
        tokio::select! {
            () = lanes.lease.lost() => named.clear(),
            goes_on = pause(&workers.stop, wait) => if !goes_on { return },
        }
    }
}

async fn list(lanes: &ClusterWorkers) -> crate::store::Result<BTreeSet<AttemptName>> {
    let mut names = BTreeSet::new();
    loop {
        let after = names.last().copied();
        let store = &lanes.workers.store;
        let page = store
            .ending_attempts(&lanes.cluster, after, PAGE_LIMIT)
            .await?;
        if page.is_empty() {
            return Ok(names);
        }
        names.extend(page);
    }
}

/// Ends what is named, until the process stops.
pub(super) async fn ending_lane(lanes: ClusterWorkers, inbox: Receiver) {
    let lane = Lane {
        name: "end",
        concurrency: CONCURRENCY,
        named: lanes.to_end.clone(),
        inbox,
    };
    let look = |lanes, name| async move { look(&lanes, name).await };
    lane.run(lanes, look).await;
}

async fn look(lanes: &ClusterWorkers, name: AttemptName) -> Result<Next, Error> {
    let found = lanes.workers.store.get(name.application_id).await?;
    let Some(application) = found else {
        return Ok(Next::OnChange);
    };
    match application.live_attempt(name.number) {
        Some(attempt) if attempt.ending.is_some() => end(lanes, application).await,
        Some(_) => Ok(Next::OnChange),
        None => {
            let attempt = application.attempt_numbered(name.number);
            let uid = attempt.and_then(|attempt| attempt.uid.as_deref());
            lanes.memory.lock().is_over(name, uid);
            Ok(Next::OnChange)
        }
    }
}

async fn end(lanes: &ClusterWorkers, application: Application) -> Result<Next, Error> {
    let Some(attempt) = application.attempt() else {
        return Ok(Next::OnChange);
    };
    if attempt.uid.is_some() {
        return stop(lanes, application).await;
    }
    // Whether a create is still on its way, nobody can know. A tombstone keeps it out.
    let target = Target::of(&application, attempt);
    let metrics = &lanes.workers.journal.metrics;
    let never_launched = Exit::without_container(ExitCategory::Unknown, "never launched");
    let was_refused = attempt
        .ending
        .as_ref()
        .is_some_and(|ending| ending.category == ExitCategory::LaunchRefused);
    let happening = match lanes.launcher.fence(&target).await {
        Ok(Fence::Object { uid }) => {
            metrics.adopted();
            Happening::Created { uid }
        }
        Ok(Fence::Tombstone | Fence::Stranger) => {
            metrics.status.fenced();
            Happening::Ended(never_launched)
        }
        // What refuses a tombstone too refuses whatever is on its way.
        Err(launcher::Error::Refused(_)) if was_refused => Happening::Ended(never_launched),
        Err(error) => return Err(error.into()),
    };
    let journal = &lanes.workers.journal;
    let number = Some(attempt.number);
    let recorded = journal
        .record(application.id, number, &happening, ACTOR)
        .await?;
    match recorded {
        Some(recorded)
            if recorded
                .application
                .live_attempt(target.name.number)
                .is_some() =>
        {
            stop(lanes, recorded.application).await
        }
        _ => Ok(Next::OnChange),
    }
}

async fn stop(lanes: &ClusterWorkers, application: Application) -> Result<Next, Error> {
    let is_killed = application.attempt().is_some_and(|one| one.is_killed);
    match lanes.examine(application, None, ACTOR, None).await? {
        Examined::Stop(target) => {
            let grace = if is_killed { Grace::None } else { Grace::Own };
            lanes.launcher.stop(&target, grace).await?;
            Ok(Next::After(lanes.stopping_pause()))
        }
        Examined::Waits => Ok(Next::After(lanes.stopping_pause())),
        Examined::Over => Ok(Next::OnChange),
    }
}

impl ClusterWorkers {
    /// Shows how far the cluster's operator is behind.
    fn tell_backlog(&self) {
        let journal = &self.workers.journal;
        let backlog = journal.live.backlog(&self.cluster).unwrap_or_default();
        let now = self.workers.clock.now();
        let lag = f64::from(backlog.lag_seconds(now));
        let metrics = &journal.metrics;
        metrics
            .status
            .operator_backlog(&self.cluster, backlog.objects, lag);
    }

    /// A driver that may still appear is waited for no longer than it takes.
    fn stopping_pause(&self) -> Duration {
        let appearance = self.workers.pace.patience.driver_appearance;
        let appearance = Duration::try_from(appearance).unwrap_or_default();
        appearance.clamp(RETRY_PAUSE / 2, STOPPING_PAUSE)
    }
}
