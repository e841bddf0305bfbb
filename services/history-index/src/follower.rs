//! Keeps the catalogue's list of attempts as submission has it.

use std::time::Duration;

use moka_client::{WatchItem, WatchStep};
use moka_core::PublicError;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Submission, attempts_of},
    metrics::Metrics,
    store::Store,
};

/// After a failure of the catalogue, or a refusal.
const PAUSE: Duration = Duration::from_secs(2);

/// Watches submission for ever and writes down what it tells. The cursor is written in the same
/// transaction as the attempts that it stands for, so a restart goes on without a gap; what is told
/// twice changes nothing.
#[derive(Debug, Clone)]
pub struct Follower {
    /// Where attempts go.
    pub store: Store,
    /// Whom to watch.
    pub submission: Submission,
    /// Counters.
    pub metrics: Metrics,
}

/// Why following stopped for a moment.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("submission refuses the watch: {0}")]
    Refused(#[from] PublicError),
    #[error("the catalogue failed: {0}")]
    Store(#[from] moka_db::Error),
}

impl Follower {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let interruption = tokio::select! {
                interruption = self.follow() => interruption,
                () = stop.cancelled() => return,
            };
            self.metrics.watch_interruptions.inc();
            tracing::warn!(error = %interruption, "the watch of submission is begun again");
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn follow(&self) -> Interruption {
        match self.try_follow().await {
            Ok(never) => match never {},
            Err(interruption) => interruption,
        }
    }

    async fn try_follow(&self) -> Result<std::convert::Infallible, Interruption> {
        let cursor = self.store.watch_cursor().await?;
        let mut watch = self.submission.watch(cursor);
        loop {
            self.take(watch.next().await?).await?;
        }
    }

    async fn take(&self, step: WatchStep) -> Result<(), Interruption> {
        let WatchStep { item, cursor } = step;
        match item {
            // Until the snapshot has ended, a restart needs a snapshot too.
            WatchItem::SnapshotBegin => self.store.record_attempts(&[], Some("")).await?,
            WatchItem::Interrupted(error) => {
                self.metrics.watch_interruptions.inc();
                tracing::warn!(reason = error.reason.as_str(), %error, "the watch of submission broke");
            }
            item => {
                let attempts = attempts_of(&item);
                if !attempts.is_empty() || cursor.is_some() {
                    self.store
                        .record_attempts(&attempts, cursor.as_deref())
                        .await?;
                }
            }
        }
        Ok(())
    }
}
