//! The worker layer: launch, status, ending and clean-up, each a lane of its own, so that a burst
//! in one never delays another.

mod backoff;
mod clean_up;
mod cluster_lease;
mod deadlines;
mod ending;
mod examine;
mod fleet;
mod gate;
mod gauge;
mod health;
mod housekeeping;
mod inbox;
mod lane;
mod launch;
mod live_attempts;
mod queues;
mod reroute;
mod status;
mod sweep;

use std::{sync::Arc, time::Duration};

pub use deadlines::deadline_lane;
pub use fleet::{Clusters, Reachable, follow_fleet, poll_fleet};
pub use gate::{Gate, Hindrance, Obstacle};
pub use gauge::gauge;
pub use housekeeping::housekeeping;
pub use launch::launch_lane;
pub use live_attempts::{Backlog, LiveAttempts};
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
    /// How often what drivers left behind is looked for.
    pub sweep: Duration,
    /// How long some absences and delays are tolerated.
    pub patience: Patience,
    /// How long a final application's object stays in its cluster.
    pub retention: Duration,
    /// How long a tombstone keeps a name: longer than any request or paused worker is trusted to
    /// live.
    pub tombstone_retention: Duration,
    /// How long events are kept.
    pub event_retention: Duration,
    /// How long audit rows are kept.
    pub audit_retention: Duration,
}

/// One cluster's lanes.
#[derive(Debug, Clone)]
struct ClusterWorkers {
    workers: Workers,
    cluster: String,
    launcher: Arc<dyn Launcher>,
    lease: cluster_lease::Held,
    /// What this process remembers of the cluster while it holds the lease.
    memory: live_attempts::ClusterMemory,
    to_examine: inbox::Sender,
    to_end: inbox::Sender,
}

impl Workers {
    /// Starts a cluster's lanes.
    pub fn start_cluster(&self, cluster: &str, launcher: &Arc<dyn Launcher>) {
        let tasks = &self.tasks;
        let (held, keep) = cluster_lease::lease(self.clone(), cluster.to_owned());
        tasks.spawn(format!("lease-{cluster}"), keep);
        let (to_examine, status_inbox) = inbox::inbox();
        let (to_end, ending_inbox) = inbox::inbox();
        let memory = self.journal.live.of(
            cluster,
            self.pace.patience,
            to_examine.clone(),
            to_end.clone(),
        );
        let lanes = ClusterWorkers {
            workers: self.clone(),
            cluster: cluster.to_owned(),
            launcher: Arc::clone(launcher),
            lease: held,
            memory,
            to_examine,
            to_end,
        };
        tasks.spawn(format!("watch-{cluster}"), status::watch(lanes.clone()));
        tasks.spawn(
            format!("reconcile-{cluster}"),
            status::reconcile(lanes.clone()),
        );
        tasks.spawn(
            format!("status-{cluster}"),
            status::status_lane(lanes.clone(), status_inbox),
        );
        tasks.spawn(
            format!("endings-{cluster}"),
            ending::find_endings(lanes.clone()),
        );
        tasks.spawn(
            format!("ending-{cluster}"),
            ending::ending_lane(lanes.clone(), ending_inbox),
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
            clean_up::clean_up_lane(lanes.clone()),
        );
        tasks.spawn(format!("sweep-{cluster}"), sweep::sweep_lane(lanes));
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
