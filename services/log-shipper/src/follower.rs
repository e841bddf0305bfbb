//! Follows one file from its discovery to its end.

mod delivery;
mod shipping;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    domain::{Decision, Limits, Observation, Origin, Progress, SourceKind, StreamId, decide},
    error::ShipError,
    lag::LagClock,
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
/// While the store is away, lines wait so much longer for others, so that the spool gets fewer and
/// larger batches.
const SPOOL_FLUSH_FACTOR: u32 = 15;

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
    lag: LagClock,
    /// What the file was like at the last look.
    size_bytes: u64,
    unlinked: bool,
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
        let now = Instant::now();
        self.show(watch, facts, now);
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
            self.limits(watch),
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

    fn show(&self, watch: &mut Watch, facts: Facts, now: Instant) {
        let Facts {
            size_bytes,
            unlinked,
            modified: _,
        } = facts;
        watch.size_bytes = size_bytes;
        watch.unlinked = unlinked;
        let offset_bytes = self.progress.offset_bytes;
        // The beginning of a line waits for its writer, not for the shipper.
        let late_bytes = match watch.torn_until_bytes {
            Some(torn_until_bytes) if torn_until_bytes == size_bytes => offset_bytes,
            _ => size_bytes,
        };
        let late_since = watch.lag.look(now, offset_bytes, late_bytes);
        self.shared.registry.update(&self.id, |stream| {
            stream.size_bytes = size_bytes;
            stream.late_since = late_since;
        });
    }

    fn limits(&self, watch: &Watch) -> Limits {
        let Limits {
            batch_bytes,
            flush_interval,
        } = self.shared.limits;
        let is_spooling = self.may_vanish(watch) && self.shared.uploader.gate.is_away();
        Limits {
            batch_bytes,
            flush_interval: flush_interval * if is_spooling { SPOOL_FLUSH_FACTOR } else { 1 },
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            key_prefix: self.key_prefix.clone(),
            kind: self.labels.kind,
            path: self.id.path.clone(),
            generation: self.progress.generation,
            start_bytes: self.progress.offset_bytes,
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
