//! One batch: read, put, acknowledged or tried again.

use std::{io, sync::Arc};

use super::{Follower, Next, Watch};
use crate::{
    domain::{Batch, FINGERPRINT_BYTES, Progress, backoff},
    error::ShipError,
    log_file::Read,
};

impl Follower {
    pub(super) async fn ship(
        &mut self,
        watch: &mut Watch,
        torn_too: bool,
    ) -> Result<Next, ShipError> {
        let shared = Arc::clone(&self.shared);
        if self.is_unbegun() && watch.size_bytes >= FINGERPRINT_BYTES as u64 {
            // Before the permit: the beginnings of a thousand files are written down at once.
            let head = self.file.head().map_err(ShipError::Read)?;
            self.begin(&head).await;
        }
        let permit = shared.uploader.permit().await;
        if watch.failure_count > 0 {
            shared.metrics.retries.inc();
        }
        let (read, batch) = self.read(torn_too).await.map_err(ShipError::Read)?;
        let Read::Lines { bytes, end_bytes } = read else {
            drop(permit);
            return Ok(self.start_over(watch).await);
        };
        let progress = self.progress.advanced(&bytes);
        if bytes.is_empty() {
            watch.torn_until_bytes = end_bytes;
            return Ok(Next::LookLater);
        }
        if self.is_unbegun() {
            self.begin(&bytes).await;
        }
        match self.deliver(watch, &batch).await {
            Ok(()) => {}
            Err(ShipError::SpoolFull) if self.must_let_go(watch) => {
                drop(permit);
                self.lose_rest(watch).await;
                return Ok(Next::LookAgain);
            }
            Err(error) => return Err(error),
        }
        drop(permit);
        watch.torn_until_bytes = end_bytes;
        watch.pending_since = None;
        self.acknowledge(progress);
        shared.offsets.record(&self.id, &self.progress).await;
        Ok(Next::LookAgain)
    }

    fn is_unbegun(&self) -> bool {
        self.progress.offset_bytes == 0 && self.progress.head.is_empty()
    }

    /// Killed after the upload and before its offset is written down, the next start finds nothing
    /// shipped. Should the file be cut off meanwhile, its new lines must not go where the first
    /// ones are, under the same offsets: readers would take them for repetitions.
    async fn begin(&mut self, bytes: &[u8]) {
        self.progress = self.progress.begun(bytes);
        let offsets = &self.shared.offsets;
        offsets.record_durably(&self.id, &self.progress).await;
    }

    /// Reads and encodes where blocking is allowed.
    async fn read(&self, torn_too: bool) -> io::Result<(Read, Batch)> {
        let shared = Arc::clone(&self.shared);
        let file = self.file.clone();
        let origin = self.origin();
        let progress = self.progress.clone();
        let batch_bytes = usize::try_from(shared.limits.batch_bytes).unwrap_or(usize::MAX);
        let work = move || {
            let read = file.read_lines(&progress, batch_bytes, torn_too)?;
            let bytes = match &read {
                Read::Rewritten => &[][..],
                Read::Lines { bytes, .. } => bytes,
            };
            let batch = shared.uploader.encode(origin, bytes)?;
            Ok((read, batch))
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(io::Error::other)?
    }

    pub(super) async fn start_over(&mut self, watch: &mut Watch) -> Next {
        tracing::warn!(stream.path = %self.id.path, "log file was rewritten, shipping it from its start");
        self.shared.metrics.rewritten_files.inc();
        let seen = self.shared.uploader.now().as_nanosecond();
        *watch = Watch::default();
        self.acknowledge(self.progress.rewritten(seen));
        // Were the birth lost in a crash, the same lines would get another one.
        self.shared
            .offsets
            .record_durably(&self.id, &self.progress)
            .await;
        Next::LookAgain
    }

    pub(super) fn acknowledge(&mut self, progress: Progress) {
        self.progress = progress;
        self.shared
            .registry
            .update(&self.id, |stream| stream.progress = self.progress.clone());
    }

    pub(super) async fn failed(&self, watch: &mut Watch, error: &ShipError) {
        self.tell_failure(watch, error, "lines were not shipped, trying again");
        self.pause(backoff(watch.failure_count, self.shared.uploader.random()))
            .await;
    }
}
