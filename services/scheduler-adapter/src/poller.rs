//! Reads one cluster's queue tree, over and over.

use std::{sync::Arc, time::Duration};

use moka_core::clock::Clock;
use moka_process::Condition;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{domain::fleet::Fleet, metrics::Metrics, yunikorn::YuniKorn};

/// What reading a cluster needs.
#[derive(Debug)]
pub struct Poller {
    /// The cluster's name.
    pub cluster: String,
    /// Who is asked.
    pub yunikorn: YuniKorn,
    /// Where the answers go.
    pub fleet: watch::Sender<Fleet>,
    /// How long to wait between two readings.
    pub interval: Duration,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
    /// Holds as soon as any cluster has answered.
    pub any_cluster_answered: Condition,
}

impl Poller {
    /// Reads until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let reading = async {
            loop {
                self.read().await;
                sleep(self.interval).await;
            }
        };
        tokio::select! {
            () = reading => {}
            () = stop.cancelled() => {}
        }
    }

    async fn read(&self) {
        let Self {
            cluster,
            fleet,
            metrics,
            ..
        } = self;
        let asked_at = self.clock.now();
        match self.yunikorn.queue_tree().await {
            Ok(tree) => {
                let recovered = was_failing(&fleet.borrow(), cluster);
                fleet.send_modify(|fleet| fleet.observed(cluster, tree, asked_at));
                let version = version(&fleet.borrow(), cluster);
                metrics.tree_was_read(cluster, version, asked_at.as_second());
                self.any_cluster_answered.ready();
                if recovered {
                    tracing::info!(%cluster, "YuniKorn answers again");
                }
            }
            Err(error) => {
                metrics.tree_was_not_read(cluster);
                // The first failure tells the story; the counter tells how long it lasts.
                if !was_failing(&fleet.borrow(), cluster) {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::warn!(%cluster, error, "queue tree was not read, the last one is stale");
                }
                fleet.send_modify(|fleet| fleet.failed(cluster));
            }
        }
    }
}

fn was_failing(fleet: &Fleet, cluster: &str) -> bool {
    fleet
        .get(cluster)
        .is_some_and(|observation| observation.failing)
}

fn version(fleet: &Fleet, cluster: &str) -> u64 {
    let snapshot = fleet
        .get(cluster)
        .and_then(|observation| observation.snapshot.as_ref());
    snapshot.map_or(0, |snapshot| snapshot.version)
}
