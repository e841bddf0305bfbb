//! The re-routing lane of a cluster: names the attempts that are to go elsewhere. It only writes
//! down that they end; stopping and fencing them is the ending lane's work, and only an attempt
//! whose name is fenced is followed by another.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, watch};

use super::{ClusterWorkers, pause};
use crate::{
    domain::{
        application::{Application, Ending},
        exit::ExitCategory,
        lifecycle::Happening,
        rules::{Cluster, ClusterState},
        state::ApplicationState,
    },
    launcher::Target,
    store::fleet,
};

const INTERVAL: Duration = Duration::from_secs(1);
const PAGE: u32 = 200;
const CONCURRENCY: usize = 8;
const ACTOR: &str = "reroute";
/// When a cluster does not say how long it may be unreachable.
const PATIENCE_SECONDS: u32 = 600;

/// Which attempts are to go elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// Those whose driver has no node.
    Draining,
    /// Those that were never created.
    Unreachable {
        /// For how long.
        seconds: i64,
    },
}

/// Looks for attempts to move while the lease is held.
pub(super) async fn reroute_lane(
    mut lanes: ClusterWorkers,
    unreachable_since: watch::Receiver<Option<Timestamp>>,
) {
    let stop = lanes.workers.stop.clone();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        let fleet = lanes.workers.fleet.borrow().clone();
        if let Some(cluster) = fleet.clusters.get(&lanes.cluster) {
            let now = lanes.workers.clock.now();
            let since = *unreachable_since.borrow();
            if let Err(error) = look(&lanes, cluster, why(cluster, since, now)).await {
                tracing::warn!(
                    cluster.name = lanes.cluster,
                    %error,
                    "attempts to move cannot be found"
                );
            }
        }
        if !pause(&stop, INTERVAL).await {
            return;
        }
    }
}

fn why(cluster: &Cluster, unreachable_since: Option<Timestamp>, now: Timestamp) -> Option<Why> {
    let limits = &cluster.settings.limits;
    let patience = limits
        .unreachable_patience_seconds
        .unwrap_or(PATIENCE_SECONDS);
    let seconds = unreachable_since.map(|since| now.duration_since(since).as_secs());
    match (cluster.state, seconds) {
        (_, Some(seconds)) if seconds >= i64::from(patience) => Some(Why::Unreachable { seconds }),
        // What cannot be looked at cannot be judged either.
        (_, Some(_)) | (ClusterState::Active, None) => None,
        (ClusterState::Draining | ClusterState::Drained, None) => Some(Why::Draining),
    }
}

async fn look(lanes: &ClusterWorkers, cluster: &Cluster, why: Option<Why>) -> fleet::Result<()> {
    let Some(why) = why else { return Ok(()) };
    let store = &lanes.workers.fleet_store;
    let looks = Arc::new(Semaphore::new(CONCURRENCY));
    let mut after = None;
    loop {
        let pending = store.pending_in(&cluster.name, after, PAGE).await?;
        let Some(last) = pending.last() else { break };
        after = Some(last.id);
        for application in pending {
            let permit = Arc::clone(&looks).acquire_owned().await;
            let permit = permit.expect("the semaphore of a lane is never closed");
            let (lanes, why) = (lanes.clone(), why.clone());
            lanes.workers.tasks.clone().spawn("reroute", async move {
                reroute(&lanes, &application, &why).await;
                drop(permit);
            });
        }
    }
    if cluster.state != ClusterState::Active {
        let all = u32::try_from(CONCURRENCY).unwrap_or(u32::MAX);
        let _all_are_done = looks.acquire_many(all).await;
        // Becomes drained when nothing is left, and draining again when something came late.
        store.note_drained(&cluster.name, ACTOR).await?;
    }
    Ok(())
}

async fn reroute(lanes: &ClusterWorkers, application: &Application, why: &Why) {
    let Some(attempt) = application.attempt() else {
        return;
    };
    let name = &lanes.cluster;
    let message = match why {
        Why::Unreachable { seconds } => {
            // What exists may run: only the cluster itself can tell.
            if attempt.uid.is_some() || application.state != ApplicationState::Launching {
                return;
            }
            let patience = SignedDuration::from_secs(*seconds);
            format!("cluster {name} did not answer for {patience:#}")
        }
        Why::Draining => {
            let target = Target::of(application, attempt);
            match lanes.launcher.observe(&target).await {
                Ok(observation) => {
                    let bound = observation.driver.is_some_and(|driver| driver.is_bound);
                    if bound {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(attempt.name = %target.name, %error, "an attempt to move cannot be looked at");
                    return;
                }
            }
            format!("cluster {name} is being drained")
        }
    };
    let ending = Happening::Ending(Ending {
        category: ExitCategory::Rerouted,
        message,
    });
    let journal = &lanes.workers.journal;
    match journal
        .record(application.id, Some(attempt.number), &ending, ACTOR)
        .await
    {
        Ok(_) => journal.metrics.rerouted(name),
        Err(error) => {
            tracing::warn!(application.id = %application.id, %error, "a move cannot be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::ClusterSettings;

    fn check(
        state: ClusterState,
        unreachable_seconds: Option<i64>,
        patience: Option<u32>,
        expected: Option<&Why>,
    ) {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut settings = ClusterSettings::default();
        settings.limits.unreachable_patience_seconds = patience;
        let cluster = Cluster {
            name: "west".to_owned(),
            state,
            settings,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        let since = unreachable_seconds.map(|seconds| now - SignedDuration::from_secs(seconds));
        assert_eq!(
            why(&cluster, since, now).as_ref(),
            expected,
            "{state:?} {unreachable_seconds:?} {patience:?}"
        );
    }

    #[test]
    fn attempts_move_from_what_is_drained_and_from_what_is_away_for_too_long() {
        use ClusterState::{Active, Drained, Draining};
        let away = |seconds| Some(Why::Unreachable { seconds });
        check(Active, None, None, None);
        check(Active, Some(599), None, None);
        check(Active, Some(600), None, away(600).as_ref());
        check(Active, Some(4), Some(5), None);
        check(Active, Some(5), Some(5), away(5).as_ref());
        check(Draining, None, None, Some(&Why::Draining));
        check(Drained, None, None, Some(&Why::Draining));
        check(Draining, Some(10), None, None);
        check(Draining, Some(600), None, away(600).as_ref());
        // A clock that was set back only makes it wait longer.
        check(Active, Some(-100), Some(5), None);
    }
}
