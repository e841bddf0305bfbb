//! The fleet as this process knows it, and the lanes of the clusters that it can reach.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{STORE_PAUSE, Workers, gate::Gate, pause};
use crate::{
    cluster::{Connector, Credentials},
    domain::fleet::Fleet,
    launcher::Launcher,
    store::fleet::FleetStore,
};

/// How soon a change of another replica is seen here.
const POLL: Duration = Duration::from_secs(1);
/// How soon a kubeconfig that appeared or changed is seen.
const CREDENTIALS_POLL: Duration = Duration::from_secs(2);

/// Reads the fleet whenever its revision has changed. The last copy stays when a read fails.
pub async fn poll_fleet(
    store: Arc<dyn FleetStore>,
    fleet: watch::Sender<Arc<Fleet>>,
    stop: CancellationToken,
) {
    while pause(&stop, POLL).await {
        let known = fleet.borrow().revision;
        let read = async {
            if store.fleet_revision().await? == known {
                return Ok(None);
            }
            store.fleet().await.map(Some)
        };
        match read.await {
            Ok(Some(read)) => {
                tracing::info!(
                    fleet.revision = read.revision,
                    clusters = read.clusters.len(),
                    "fleet read"
                );
                fleet.send_replace(Arc::new(read));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the fleet cannot be read, keeping the last copy");
                if !pause(&stop, STORE_PAUSE).await {
                    return;
                }
            }
        }
    }
}

/// The clusters of the fleet that this process can reach. Clones share them.
#[derive(Debug, Clone)]
pub struct Clusters {
    by_name: Arc<Mutex<BTreeMap<String, Reachable>>>,
    most_calls: u32,
}

/// A cluster that this process can reach.
#[derive(Debug, Clone)]
pub struct Reachable {
    /// What creates in it.
    pub launcher: Arc<dyn Launcher>,
    /// What lets creates in.
    pub gate: Arc<Gate>,
}

impl Clusters {
    /// None yet. At most so many creates are under way in each at a time.
    pub fn new(most_calls: u32) -> Self {
        Self {
            by_name: Arc::default(),
            most_calls,
        }
    }

    /// A cluster that can be reached.
    pub fn get(&self, name: &str) -> Option<Reachable> {
        self.lock().get(name).cloned()
    }

    /// All that can be reached, by name.
    pub fn all(&self) -> BTreeMap<String, Reachable> {
        self.lock().clone()
    }

    /// Adds a cluster, or reaches it in another way from now on.
    pub fn set(&self, name: &str, launcher: Arc<dyn Launcher>) {
        let mut by_name = self.lock();
        let gate = match by_name.get(name) {
            Some(before) => Arc::clone(&before.gate),
            None => Arc::new(Gate::new(self.most_calls)),
        };
        by_name.insert(name.to_owned(), Reachable { launcher, gate });
    }

    fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Reachable>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster whose lanes run.
struct Running {
    credentials: Credentials,
    namespace: String,
    stop: CancellationToken,
}

/// Starts and stops the lanes of clusters as the fleet and the credentials of this process change.
pub async fn follow_fleet(workers: Workers, connector: Connector) {
    let mut running = BTreeMap::<String, Running>::new();
    let mut fleet = workers.fleet.clone();
    loop {
        let known = Arc::clone(&fleet.borrow_and_update());
        running.retain(|name, lanes| {
            let stays = known.clusters.contains_key(name);
            if !stays {
                tracing::info!(cluster.name = name, "cluster left the fleet");
                workers.clusters.remove(name);
                lanes.stop.cancel();
            }
            stays
        });
        for (name, cluster) in &known.clusters {
            let credentials = match connector.credentials(name).await {
                Ok(credentials) => credentials,
                Err(error) => {
                    tracing::debug!(cluster.name = name, %error, "no credentials of a cluster");
                    continue;
                }
            };
            let namespace = &cluster.settings.namespace;
            let is_same =
                |lanes: &Running| lanes.credentials == credentials && lanes.namespace == *namespace;
            if running.get(name).is_some_and(is_same) {
                continue;
            }
            match connector.connect(&credentials, namespace).await {
                Ok(launcher) => {
                    if let Some(before) = running.remove(name) {
                        before.stop.cancel();
                    }
                    let stop = workers.stop.child_token();
                    workers.clusters.set(name, Arc::clone(&launcher));
                    let lanes = Workers {
                        stop: stop.clone(),
                        ..workers.clone()
                    };
                    lanes.start_cluster(name, &launcher);
                    tracing::info!(cluster.name = name, "lanes of a cluster started");
                    let lanes = Running {
                        credentials,
                        namespace: namespace.clone(),
                        stop,
                    };
                    running.insert(name.clone(), lanes);
                }
                Err(error) => {
                    tracing::warn!(cluster.name = name, %error, "no client for a cluster");
                }
            }
        }
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = tokio::time::sleep(CREDENTIALS_POLL) => {}
            changed = fleet.changed() => if changed.is_err() { return },
        }
    }
}
