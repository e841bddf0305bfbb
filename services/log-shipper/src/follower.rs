//! Follows one file from its discovery to its end.

mod shipping;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    domain::{Decision, Observation, Progress, SourceKind, StreamId, decide},
    error::ShipError,
    log_file::{Facts, LogFile},
    metrics::KindLabels,
    retention,
    shared::Shared,
};

/// How long streams may go on shipping after the process was asked to stop; well within the
/// process's default grace. What is not shipped by then stays in the files for the next start.
const FINAL_FLUSH: Duration = Duration::from_secs(15);
/// A settled file without growth for so long is closed; should it grow, it is opened again.
const CLOSE_AFTER: Duration = Duration::from_mins(1);

/// One file.
#[derive(Debug)]
pub struct Follower {
    /// What all followers share.
    pub shared: Arc<Shared>,
    /// The file's name for ever.
    pub id: StreamId,
    /// For metrics.
    pub labels: KindLabels,
    /// What its keys begin with.
    pub key_prefix: String,
    /// The file.
    pub file: LogFile,
    /// What is acknowledged.
    pub progress: Progress,
}

/// What changes from look to look.
#[derive(Default)]
struct Watch {
    /// See [`decide`].
    torn_until_bytes: Option<u64>,
    /// Since when there have been bytes to ship.
    pending_since: Option<Instant>,
    /// Since when there have been none.
    quiet_since: Option<Instant>,
    failure_count: u32,
}

enum Next {
    LookAgain,
    LookLater,
    End,
}

impl Follower {
    /// Follows the file until it is finished, closed for quiet, or the process stops.
    pub async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let too_late = async {
            shared.stop.cancelled().await;
            sleep(FINAL_FLUSH).await;
        };
        tokio::select! {
            () = self.follow() => {}
            () = too_late => tracing::warn!(
                stream.path = %self.id.path,
                "stopped before all lines were shipped, the next start goes on"
            ),
        }
    }

    async fn follow(&mut self) {
        let mut watch = Watch::default();
        loop {
            let stopping = self.shared.stop.is_cancelled();
            let next = match self.step(&mut watch, stopping).await {
                Ok(next) => next,
                Err(error) => {
                    self.failed(&mut watch, &error).await;
                    // What is left is in the file for the next start.
                    if stopping { Next::End } else { Next::LookAgain }
                }
            };
            match next {
                Next::LookAgain => {}
                Next::LookLater if stopping => return,
                Next::LookLater => self.pause(self.shared.look_interval).await,
                Next::End => return,
            }
        }
    }

    async fn step(&mut self, watch: &mut Watch, stopping: bool) -> Result<Next, ShipError> {
        let facts = self.file.facts().map_err(ShipError::Read)?;
        let size_bytes = facts.size_bytes;
        self.shared
            .registry
            .update(&self.id, |stream| stream.size_bytes = size_bytes);
        let now = Instant::now();
        let is_pending = size_bytes > self.progress.offset_bytes;
        let pending_since = *watch.pending_since.get_or_insert(now);
        if is_pending {
            watch.quiet_since = None;
        } else {
            watch.pending_since = None;
        }
        let observation = Observation {
            size_bytes,
            unlinked: facts.unlinked,
            finished: facts.unlinked || self.is_past_retention(facts),
            stopping,
            pending_for: now - pending_since,
        };
        let offset_bytes = self.progress.offset_bytes;
        match decide(
            observation,
            offset_bytes,
            watch.torn_until_bytes,
            self.shared.limits,
        ) {
            Decision::Wait => Ok(self.wait(watch, is_pending, now)),
            Decision::Ship => self.ship(watch, false).await,
            Decision::ShipRest => self.ship(watch, true).await,
            Decision::StartOver => Ok(self.start_over(watch).await),
            Decision::Done => {
                self.shared.registry.remove(&self.id);
                self.shared.offsets.forget(&self.id).await;
                Ok(Next::End)
            }
        }
    }

    /// Closes a file that is settled and quiet, so that event logs that wait for the end of their
    /// retention cost no open file.
    fn wait(&self, watch: &mut Watch, is_pending: bool, now: Instant) -> Next {
        if is_pending {
            return Next::LookLater;
        }
        let quiet_since = *watch.quiet_since.get_or_insert(now);
        let stream = self.shared.registry.get(&self.id);
        if now - quiet_since < CLOSE_AFTER || !stream.is_some_and(|stream| stream.settled) {
            return Next::LookLater;
        }
        self.shared
            .registry
            .update(&self.id, |stream| stream.open = false);
        Next::End
    }

    async fn pause(&self, duration: Duration) {
        tokio::select! {
            () = sleep(duration) => {}
            () = self.shared.stop.cancelled() => {}
        }
    }

    fn is_past_retention(&self, facts: Facts) -> bool {
        self.labels.kind == SourceKind::Event
            && retention::is_past(
                facts.modified,
                self.shared.uploader.now(),
                self.shared.event_log_retention,
            )
    }
}
