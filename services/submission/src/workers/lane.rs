//! What the status lane and the ending lane have in common: attempts that are named to them, and a
//! bounded number of looks at a time.

use std::{sync::Arc, time::Duration};

use moka_core::AttemptName;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    ClusterWorkers,
    examine::Error,
    inbox::{Receiver, Sender},
};

/// After a look that failed.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// When to look again, if nothing happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// When somebody names it.
    OnChange,
    /// After a while.
    After(Duration),
}

/// A lane of a cluster.
pub(super) struct Lane {
    /// Its name.
    pub(super) name: &'static str,
    /// Looks at a time.
    pub(super) concurrency: usize,
    /// Where attempts are named to it.
    pub(super) named: Sender,
    /// Where it finds them.
    pub(super) inbox: Receiver,
}

impl Lane {
    /// Looks at what is named, each as a task of its own, until the process stops.
    pub(super) async fn run<F>(
        mut self,
        mut lanes: ClusterWorkers,
        look: impl Fn(ClusterWorkers, AttemptName) -> F,
    ) where
        F: Future<Output = Result<Next, Error>> + Send + 'static,
    {
        let looks = Arc::new(Semaphore::new(self.concurrency));
        while let Some((name, permit)) = self.next(&mut lanes, &looks).await {
            let (lane, named) = (self.name, self.named.clone());
            let looked = look(lanes.clone(), name);
            lanes.workers.tasks.spawn(lane, async move {
                let next = looked.await.unwrap_or_else(|error| {
                    tracing::warn!(lane, attempt.name = %name, %error, "a look at an attempt failed");
                    Next::After(RETRY_PAUSE)
                });
                if let Next::After(pause) = next {
                    named.send_at(name, Instant::now() + pause);
                }
                drop(permit);
            });
        }
    }

    /// The next attempt and leave to look at it, while the cluster is this process's; `None` when
    /// the process stops.
    async fn next(
        &mut self,
        lanes: &mut ClusterWorkers,
        looks: &Arc<Semaphore>,
    ) -> Option<(AttemptName, OwnedSemaphorePermit)> {
        let stop = lanes.workers.stop.clone();
        let next = async {
            lanes.lease.held().await;
            let permit = Arc::clone(looks).acquire_owned().await;
            let permit = permit.expect("the semaphore of a lane is never closed");
            (self.inbox.next().await, permit)
        };
        tokio::select! {
            () = stop.cancelled() => None,
            next = next => Some(next),
        }
    }
}
