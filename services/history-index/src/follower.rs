//! Keeps the catalogue's list of attempts as submission has it.

use std::time::Duration;

use moka_core::ErrorReason;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Submission, Watch, WatchError},
    metrics::Metrics,
    store::Store,
};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error("the catalogue failed: {0}")]
    Store(#[from] moka_db::Error),
}

impl Follower {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut has_begun = false;
            let interruption = tokio::select! {
                interruption = self.follow(&mut has_begun) => interruption,
                () = stop.cancelled() => return,
            };
            self.metrics.watch_interruptions.inc();
            tracing::warn!(error = %interruption, "the watch of submission broke, it is begun again");
            pause = if has_begun {
                FIRST_PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn follow(&self, has_begun: &mut bool) -> Interruption {
        match self.try_follow(has_begun).await {
            Ok(never) => match never {},
            Err(interruption) => {
                if is_lost_cursor(&interruption)
                    && let Err(error) = self.store.record_attempts(&[], Some("")).await
                {
                    return error.into();
                }
                interruption
            }
        }
    }

    async fn try_follow(
        &self,
        has_begun: &mut bool,
    ) -> Result<std::convert::Infallible, Interruption> {
        let cursor = self.store.watch_cursor().await?;
        let mut watch: Watch = self.submission.watch(cursor).await?;
        loop {
            let step = watch.next().await?;
            *has_begun = true;
            if !step.attempts.is_empty() || step.cursor.is_some() {
                self.store
                    .record_attempts(&step.attempts, step.cursor.as_deref())
                    .await?;
            }
        }
    }
}

/// The cursor is of no use any more: the next watch begins with a snapshot.
fn is_lost_cursor(interruption: &Interruption) -> bool {
    match interruption {
        Interruption::Watch(WatchError::Refused(error)) => {
            matches!(
                error.reason,
                ErrorReason::CursorExpired | ErrorReason::InvalidCursor
            )
        }
        _ => false,
    }
}
