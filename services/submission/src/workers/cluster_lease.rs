//! Which replica watches a cluster. Only a matter of work: what two replicas write at the same time
//! is the same, and each transition is written once.

use std::future::Future;

use tokio::sync::watch;

use super::{Workers, pause};

/// Whether this process holds the lease.
#[derive(Debug, Clone)]
pub(super) struct Held(watch::Receiver<bool>);

impl Held {
    /// Waits until the lease is held.
    pub(super) async fn held(&mut self) {
        // The task that holds the other end lives as long as the process.
        let _ = self.0.wait_for(|held| *held).await;
    }

    /// Waits until the lease is lost.
    pub(super) async fn lost(&mut self) {
        let _ = self.0.wait_for(|held| !*held).await;
    }
}

/// A lease on a cluster and the task that keeps it.
pub(super) fn lease(workers: Workers, cluster: String) -> (Held, impl Future<Output = ()>) {
    let (sender, receiver) = watch::channel(false);
    let keep = async move {
        let name = format!("cluster/{cluster}");
        loop {
            let taken = workers
                .store
                .take_lease(&name, &workers.holder, workers.pace.lease)
                .await;
            let held = match taken {
                Ok(held) => held,
                Err(error) => {
                    tracing::warn!(%cluster, %error, "the lease on a cluster was not renewed");
                    false
                }
            };
            workers.journal.metrics.cluster_lease(&cluster, held);
            if sender.send_replace(held) != held {
                tracing::info!(%cluster, held, "lease on a cluster changed");
            }
            if !pause(&workers.stop, workers.pace.lease / 3).await {
                return;
            }
        }
    };
    (Held(receiver), keep)
}
