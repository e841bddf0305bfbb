//! Learns of applications from submission, over broken connections and restarts of it.

use std::{sync::Arc, time::Duration};

use moka_core::{ErrorReason, PublicError, clock::Clock};
use moka_proto::submission::v1::{
    Application, WatchApplicationsResponse, watch_applications_response::Step,
};
use moka_rpc::error_of;
use tokio_util::sync::CancellationToken;

use super::{ApplicationView, LiveAttempts, SubmissionClient};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Submission sends a sign of life more often than that.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);

impl SubmissionClient {
    /// Keeps `attempts` up to date until the stop. A cut connection goes on after the last answer
    /// that was dealt with; one that is too old starts with a snapshot.
    pub async fn keep_watching(
        self,
        attempts: LiveAttempts,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        let mut watch = Watch {
            client: self,
            attempts,
            clock,
            cursor: String::new(),
        };
        let mut delay = FIRST_DELAY;
        loop {
            let before = watch.cursor.clone();
            let ended = tokio::select! {
                ended = watch.follow() => ended,
                () = stop.cancelled() => return,
            };
            if let Err(error) = ended {
                tracing::warn!(reason = error.reason.as_str(), %error, "watch of applications broke");
                if error.reason == ErrorReason::CursorExpired {
                    watch.cursor.clear();
                }
            }
            delay = if watch.cursor == before {
                (delay * 2).min(LONGEST_DELAY)
            } else {
                FIRST_DELAY
            };
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

struct Watch {
    client: SubmissionClient,
    attempts: LiveAttempts,
    clock: Arc<dyn Clock>,
    cursor: String,
}

impl Watch {
    /// Follows one connection until it ends.
    async fn follow(&mut self) -> Result<(), PublicError> {
        let mut stream = self.client.watch(self.cursor.clone()).await?;
        loop {
            match tokio::time::timeout(LONGEST_SILENCE, stream.message()).await {
                Ok(Ok(Some(response))) => self.take(response),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(status)) => return Err(error_of(&status)),
                Err(_silent) => {
                    let text = "submission sends no sign of life";
                    return Err(PublicError::new(ErrorReason::PeerUnavailable, text));
                }
            }
        }
    }

    fn take(&mut self, response: WatchApplicationsResponse) {
        match response.step {
            Some(Step::Snapshot(application)) => self.update(&application),
            Some(Step::Change(change)) => {
                if let Some(application) = change.application {
                    self.update(&application);
                }
            }
            Some(Step::SnapshotEnd(_) | Step::Heartbeat(_)) | None => {}
        }
        if !response.cursor.is_empty() {
            self.cursor = response.cursor;
        }
    }

    fn update(&self, application: &Application) {
        let Some(view) = ApplicationView::of_proto(application) else {
            let id = &application.application_id;
            tracing::warn!(application.id = id, "not an application id");
            return;
        };
        self.attempts.update(view, self.clock.now());
    }
}
