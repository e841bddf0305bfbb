//! Gathers progress and writes it down.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{Saved, StateDirectory};
use crate::{
    domain::{Progress, StreamId},
    metrics::Metrics,
};

/// Changes that wait for the writer; more make their streams wait.
const QUEUE_LENGTH: usize = 1_024;
/// How long changes are gathered before the file is written once for all of them.
const GATHER: Duration = Duration::from_millis(100);
/// They are gathered for so many times as long as the last write took: with thousands of files the
/// whole file is long, and writing it is not what the node's disk is for.
const GATHER_FACTOR: u32 = 10;
/// But not for longer than this.
const LONGEST_GATHER: Duration = Duration::from_secs(5);
/// When a write that failed is tried again, if no change comes before.
const RETRY: Duration = Duration::from_secs(5);

/// Where streams report. Clones report to the same writer, which ends when all are gone.
#[derive(Debug, Clone)]
pub struct Offsets {
    queue: mpsc::Sender<Change>,
}

/// Writes the file; run it as a task.
#[derive(Debug)]
pub struct OffsetsWriter {
    queue: mpsc::Receiver<Change>,
    directory: StateDirectory,
    saved: Saved,
    gather_for: Duration,
    metrics: Metrics,
}

#[derive(Debug)]
struct Change {
    id: StreamId,
    /// `None` when the file is gone.
    progress: Option<Progress>,
    written: Option<oneshot::Sender<()>>,
}

/// A writer that starts from what was loaded, and the way to report to it.
pub fn offsets(
    directory: StateDirectory,
    saved: Saved,
    metrics: Metrics,
) -> (Offsets, OffsetsWriter) {
    let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
    let writer = OffsetsWriter {
        queue: receiver,
        directory,
        saved,
        gather_for: GATHER,
        metrics,
    };
    (Offsets { queue: sender }, writer)
}

impl Offsets {
    /// Reports what the store has acknowledged. It is written soon.
    pub async fn record(&self, id: &StreamId, progress: &Progress) {
        self.send(id, Some(progress.clone()), None).await;
    }

    /// Reports, and waits until a write was tried. For what cannot be found out again after a
    /// crash: the birth of a generation that the file itself does not tell.
    pub async fn record_durably(&self, id: &StreamId, progress: &Progress) {
        let (sender, written) = oneshot::channel();
        self.send(id, Some(progress.clone()), Some(sender)).await;
        // The writer lives as long as its reporters; when it fails, the whole process stops.
        let _ = written.await;
    }

    /// Forgets a file that is gone.
    pub async fn forget(&self, id: &StreamId) {
        self.send(id, None, None).await;
    }

    async fn send(
        &self,
        id: &StreamId,
        progress: Option<Progress>,
        written: Option<oneshot::Sender<()>>,
    ) {
        let change = Change {
            id: id.clone(),
            progress,
            written,
        };
        // See `record_durably`.
        let _ = self.queue.send(change).await;
    }
}

impl OffsetsWriter {
    /// Writes until the last [`Offsets`] is gone.
    pub async fn run(mut self) {
        let mut is_written = true;
        loop {
            let first = if is_written {
                self.queue.recv().await
            } else {
                match tokio::time::timeout(RETRY, self.queue.recv()).await {
                    Ok(first) => first,
                    Err(_elapsed) => {
                        is_written = self.save().await;
                        continue;
                    }
                }
            };
            let Some(first) = first else {
                if !is_written {
                    self.save().await;
                }
                return;
            };
            let waiting = self.gather(first).await;
            is_written = self.save().await;
            for written in waiting {
                // Nobody waits any more when the stream's task was dropped.
                let _ = written.send(());
            }
        }
    }

    /// Applies the changes of a short while, and returns who waits for them.
    async fn gather(&mut self, first: Change) -> Vec<oneshot::Sender<()>> {
        let until = Instant::now() + self.gather_for;
        let mut waiting = Vec::from_iter(self.apply(first));
        while waiting.is_empty() {
            match timeout_at(until, self.queue.recv()).await {
                Ok(Some(change)) => waiting.extend(self.apply(change)),
                Ok(None) | Err(_) => break,
            }
        }
        // One write for all that is there, such as the beginnings of a thousand new files.
        while let Ok(change) = self.queue.try_recv() {
            waiting.extend(self.apply(change));
        }
        waiting
    }

    fn apply(&mut self, change: Change) -> Option<oneshot::Sender<()>> {
        let Change {
            id,
            progress,
            written,
        } = change;
        match progress {
            Some(progress) => self.saved.insert(id, progress),
            None => self.saved.remove(&id),
        };
        written
    }

    async fn save(&mut self) -> bool {
        let directory = self.directory.clone();
        let saved = std::mem::take(&mut self.saved);
        let begin = Instant::now();
        let work = move || {
            let result = directory.save(&saved);
            (saved, result)
        };
        let (saved, result) = tokio::task::spawn_blocking(work)
            .await
            .expect("saving does not panic");
        self.saved = saved;
        self.gather_for = (begin.elapsed() * GATHER_FACTOR).clamp(GATHER, LONGEST_GATHER);
        if let Err(error) = &result {
            self.metrics.state_write_failures.inc();
            tracing::error!(%error, "offsets cannot be written; a restart would ship records again");
        }
        result.is_ok()
    }
}
