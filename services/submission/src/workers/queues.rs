//! Submission's own copy of the queue tree, so that accepting never waits for another service.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::pause;
use crate::{client::scheduling::Scheduler, domain::queue_tree::QueueTree};

/// Reads the tree again and again. The last good copy stays when a read fails.
pub async fn poll_queues(
    scheduler: Arc<dyn Scheduler>,
    tree: watch::Sender<Option<QueueTree>>,
    interval: Duration,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        match scheduler.queues().await {
            Ok(read) if read.is_empty() => {
                // A scheduler that has just started may not know its clusters yet.
                tracing::debug!("the queue tree is empty");
            }
            Ok(read) => {
                if std::mem::take(&mut failing) || tree.borrow().is_none() {
                    tracing::info!(queues = read.len(), "queue tree read");
                }
                tree.send_if_modified(|known| {
                    let changed = known.as_ref() != Some(&read);
                    *known = Some(read);
                    changed
                });
            }
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "the queue tree cannot be read, keeping the last copy");
            }
            Err(_) => {}
        }
        if !pause(&stop, interval).await {
            return;
        }
    }
}
