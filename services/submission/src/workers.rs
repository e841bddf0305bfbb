//! The worker layer: launch, status, cancel and clean-up, each a lane of its own, so that a burst
//! in one never delays another.

mod backoff;
mod cancel;
mod clean_up;
mod cluster_lease;
mod examine;
mod fleet;
mod gate;
mod gauge;
mod health;
mod housekeeping;
mod inbox;
mod launch;
mod queues;
mod reroute;
mod status;

use std::{sync::Arc, time::Duration};

pub use fleet::{Clusters, Reachable, follow_fleet, poll_fleet};
pub use gate::{Gate, Hindrance, Obstacle};
pub use gauge::gauge;
pub use housekeeping::housekeeping;
pub use launch::launch_lane;
use moka_core::{clock::Clock, entropy::Entropy};
use moka_process::Tasks;
pub use queues::poll_queues;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    client::scheduling::Scheduler,
    domain::{fleet::Fleet, verdict::Patience},
    journal::Journal,
    launcher::Launcher,
    store::{Store, fleet::FleetStore},
};

/// What every lane needs. Clones share everything.
#[derive(Debug, Clone)]
pub struct Workers {
    /// Reads and leases.
    pub store: Arc<dyn Store>,
    /// Writes transitions.
    pub journal: Journal,
    /// Places attempts.
    pub scheduler: Arc<dyn Scheduler>,
    /// Where the fleet is kept.
    pub fleet_store: Arc<dyn FleetStore>,
    /// The fleet, as it was read last.
    pub fleet: watch::Receiver<Arc<Fleet>>,
    /// The clusters that can be reached.
    pub clusters: Clusters,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub entropy: Arc<dyn Entropy>,
    /// The process that holds leases, unique for ever.
    pub holder: String,
    /// Where lanes and what they begin are spawned. What a lane begins is a task of its own: were
    /// it polled by the lane, a transaction of its would stand still, holding its locks,
    /// whenever the lane itself waits for the database.
    pub tasks: Tasks,
    /// Ends every lane.
    pub stop: CancellationToken,
    /// How the lanes behave.
    pub pace: Pace,
}

/// How the lanes behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Namespace of new attempts.
    pub namespace: String,
    /// Whether a driver's pod has a sidecar, whose size counts.
    pub with_sidecar: bool,
    /// How many launches run at a time.
    pub launch_concurrency: usize,
    /// How long a process holds a cluster or a launch without a sign of life.
    pub lease: Duration,
    /// How often everything live is looked at, whatever the watches say.
    pub reconcile: Duration,
    /// How long some absences and delays are tolerated.
    pub patience: Patience,
    /// How long a final application's object stays in its cluster.
    pub retention: Duration,
    /// How long a tombstone keeps a name: longer than any request or paused worker is trusted to
    /// live.
    pub tombstone_retention: Duration,
    /// How long events are kept.
    pub event_retention: Duration,
}

/// One cluster's lanes.
#[derive(Debug, Clone)]
struct ClusterWorkers {
    workers: Workers,
    cluster: String,
    launcher: Arc<dyn Launcher>,
    lease: cluster_lease::Held,
}

impl Workers {
    /// Starts a cluster's lanes.
    pub fn start_cluster(&self, cluster: &str, launcher: &Arc<dyn Launcher>) {
        let tasks = &self.tasks;
        let (held, keep) = cluster_lease::lease(self.clone(), cluster.to_owned());
        tasks.spawn(format!("lease-{cluster}"), keep);
        let lanes = ClusterWorkers {
            workers: self.clone(),
            cluster: cluster.to_owned(),
            launcher: Arc::clone(launcher),
            lease: held,
        };
        let (to_examine, status_inbox) = inbox::inbox();
        let (to_cancel, cancel_inbox) = inbox::inbox();
        tasks.spawn(
            format!("watch-{cluster}"),
            status::watch(lanes.clone(), to_examine.clone()),
        );
        tasks.spawn(
            format!("reconcile-{cluster}"),
            status::reconcile(lanes.clone(), to_examine.clone(), to_cancel.clone()),
        );
        tasks.spawn(
            format!("status-{cluster}"),
            status::status_lane(lanes.clone(), status_inbox, to_examine, to_cancel.clone()),
        );
        tasks.spawn(
            format!("cancel-{cluster}"),
            cancel::cancel_lane(lanes.clone(), cancel_inbox, to_cancel),
        );
        let (tell_health, unreachable_since) = watch::channel(None);
        tasks.spawn(
            format!("health-{cluster}"),
            health::watch_health(lanes.clone(), tell_health),
        );
        tasks.spawn(
            format!("reroute-{cluster}"),
            reroute::reroute_lane(lanes.clone(), unreachable_since),
        );
        tasks.spawn(
            format!("clean-up-{cluster}"),
            clean_up::clean_up_lane(lanes),
        );
    }
}

/// A task that asks the store again must not ask too fast.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Waits, unless the process stops first. Says whether to go on.
async fn pause(stop: &CancellationToken, duration: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(duration) => true,
    }
}
