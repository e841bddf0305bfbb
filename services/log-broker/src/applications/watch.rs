//! Learns of applications from submission, over broken connections and restarts of it.

use std::{sync::Arc, time::Duration};

use moka_client::{Watch, WatchItem};
use moka_core::clock::Clock;
use moka_proto::submission::v1::{Application, WatchApplicationsRequest};
use tokio_util::sync::CancellationToken;

use super::{ApplicationView, LiveAttempts, SubmissionClient};

/// After a refusal, which nothing of ours can cure.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(30);

impl SubmissionClient {
    /// Keeps `attempts` up to date until the stop. What is left out of a new snapshot needs no
    /// care: attempts are forgotten after their end, and submission forgets no application.
    pub async fn keep_watching(
        self,
        attempts: LiveAttempts,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        let mut watch = self.new_watch();
        loop {
            let step = tokio::select! {
                step = watch.next() => step,
                () = stop.cancelled() => return,
            };
            match step {
                Ok(step) => take(step.item, &attempts, &*clock),
                Err(error) => {
                    tracing::error!(reason = error.reason.as_str(), %error, "watch of applications was refused");
                    watch = self.new_watch();
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE_AFTER_REFUSAL) => {}
                        () = stop.cancelled() => return,
                    }
                }
            }
        }
    }

    fn new_watch(&self) -> Watch {
        self.client.watch(WatchApplicationsRequest::default())
    }
}

fn take(item: WatchItem, attempts: &LiveAttempts, clock: &dyn Clock) {
    match item {
        WatchItem::Snapshot(application) => update(&application, attempts, clock),
        WatchItem::Change(change) => {
            if let Some(application) = &change.application {
                update(application, attempts, clock);
            }
        }
        WatchItem::Interrupted(error) => {
            tracing::warn!(reason = error.reason.as_str(), %error, "watch of applications broke");
        }
        WatchItem::SnapshotBegin | WatchItem::SnapshotEnd | WatchItem::Heartbeat => {}
    }
}

fn update(application: &Application, attempts: &LiveAttempts, clock: &dyn Clock) {
    let Some(view) = ApplicationView::of_proto(application) else {
        let id = &application.application_id;
        tracing::warn!(application.id = id, "not an application id");
        return;
    };
    attempts.update(view, clock.now());
}
