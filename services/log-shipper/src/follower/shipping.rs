//! One batch: read, put, acknowledged or tried again.

use std::{io, sync::Arc};

use super::{Follower, Next, Watch};
use crate::{
    domain::{Progress, backoff},
    error::ShipError,
    log_file::Read,
    uploader::EncodedBatch,
};

impl Follower {
    pub(super) async fn ship(
        &mut self,
        watch: &mut Watch,
        torn_too: bool,
    ) -> Result<Next, ShipError> {
        let shared = Arc::clone(&self.shared);
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
        if self.progress.offset_bytes == 0 && self.progress.head.is_empty() {
            self.begin(&bytes).await;
        }
        let object_bytes = batch.object.len() as u64;
        shared.uploader.put(&self.key_prefix, batch.object).await?;
        drop(permit);

        let metrics = &shared.metrics;
        metrics
            .shipped
            .get_or_create(&self.labels)
            .inc_by(bytes.len() as u64);
        metrics
            .shipped_lines
            .get_or_create(&self.labels)
            .inc_by(batch.line_count);
        metrics.shipped_objects.get_or_create(&self.labels).inc();
        metrics
            .object_bytes
            .get_or_create(&self.labels)
            .inc_by(object_bytes);
        metrics.torn_lines.inc_by(batch.torn_count);
        watch.torn_until_bytes = end_bytes;
        watch.pending_since = None;
        watch.failure_count = 0;
        self.acknowledge(progress);
        shared.offsets.record(&self.id, &self.progress).await;
        Ok(Next::LookAgain)
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
    async fn read(&self, torn_too: bool) -> io::Result<(Read, EncodedBatch)> {
        let shared = Arc::clone(&self.shared);
        let file = self.file.clone();
        let path = self.id.path.clone();
        let progress = self.progress.clone();
        let batch_bytes = usize::try_from(shared.limits.batch_bytes).unwrap_or(usize::MAX);
        let work = move || {
            let read = file.read_lines(&progress, batch_bytes, torn_too)?;
            let bytes = match &read {
                Read::Rewritten => &[][..],
                Read::Lines { bytes, .. } => bytes,
            };
            let Progress {
                generation,
                offset_bytes,
                ..
            } = progress;
            let batch = shared
                .uploader
                .encode(&path, generation, offset_bytes, bytes)?;
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

    fn acknowledge(&mut self, progress: Progress) {
        self.progress = progress;
        self.shared.registry.update(&self.id, |stream| {
            stream.progress = self.progress.clone();
            stream.failure_count = 0;
            stream.last_error = None;
        });
    }

    pub(super) async fn failed(&self, watch: &mut Watch, error: &ShipError) {
        watch.failure_count = watch.failure_count.saturating_add(1);
        let error_text = chain(error);
        tracing::warn!(
            stream.path = %self.id.path,
            failures = watch.failure_count,
            error = error_text,
            "lines were not shipped, trying again"
        );
        self.shared.metrics.failed(error);
        self.shared.registry.update(&self.id, |stream| {
            stream.failure_count = watch.failure_count;
            stream.last_error = Some(error_text);
        });
        self.pause(backoff(watch.failure_count, self.shared.uploader.random()))
            .await;
    }
}

/// An error and everything that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
