//! Where a batch goes: into the store, or into the spool while the store does not take it.

use super::{Follower, Watch};
use crate::{
    domain::{Batch, SourceKind},
    error::ShipError,
    metrics::LossReason,
    spool::SpoolError,
};

/// So many failures in a row, and what may vanish goes to the spool.
const SPOOL_AFTER: u32 = 3;

impl Follower {
    /// Whether the file may be removed before the store is back. Event logs are removed by the
    /// shipper alone, when they are shipped: they are their own spool, unless a driver unlinks
    /// them.
    pub(super) fn may_vanish(&self, watch: &Watch) -> bool {
        watch.unlinked || self.labels.kind != SourceKind::Event
    }

    /// Brings a batch to where it is safe.
    pub(super) async fn deliver(&self, watch: &mut Watch, batch: &Batch) -> Result<(), ShipError> {
        let shared = &self.shared;
        let failure = match shared.uploader.put(batch).await {
            Ok(()) => {
                shared.metrics.acknowledged(batch);
                self.tell_success(watch);
                return Ok(());
            }
            Err(failure) => failure,
        };
        let patience = if watch.unlinked { 1 } else { SPOOL_AFTER };
        let is_hopeless = watch.failure_count + 1 >= patience || shared.uploader.gate.is_away();
        if !self.may_vanish(watch) || !is_hopeless {
            return Err(failure);
        }
        if !matches!(failure, ShipError::Away) {
            self.tell_failure(
                watch,
                &failure,
                "lines go to the spool until the store takes them",
            );
        }
        match shared.spool.put(batch).await {
            Ok(()) => {
                shared.metrics.spooled_batches.inc();
                Ok(())
            }
            Err(SpoolError::Full) => Err(ShipError::SpoolFull),
            Err(SpoolError::Disk(error)) => Err(ShipError::Spool(error)),
        }
    }

    /// Whether a file whose lines nothing takes is to be closed, though it is read nowhere else:
    /// its blocks stay on the disk while it is open, which nobody else can free.
    pub(super) fn must_let_go(&self, watch: &Watch) -> bool {
        let is_away = self.shared.uploader.gate.is_away();
        watch.unlinked && (is_away || watch.failure_count >= SPOOL_AFTER)
    }

    /// Gives up what is left of a removed file, and leaves a mark that tells readers what they
    /// miss.
    pub(super) async fn lose_rest(&mut self, watch: &Watch) {
        let shared = &self.shared;
        let end_bytes = watch.size_bytes;
        let lost_bytes = end_bytes.saturating_sub(self.progress.offset_bytes);
        let is_marked = match shared.uploader.encode_loss(self.origin(), lost_bytes) {
            Ok(mark) => shared.spool.put_mark(mark).await,
            Err(_no_memory) => false,
        };
        tracing::error!(
            stream.path = %self.id.path,
            stream.offset_bytes = self.progress.offset_bytes,
            lost_bytes,
            is_marked,
            "the store is away and the spool is full: the rest of a removed file is lost"
        );
        shared.metrics.lost(LossReason::SpoolFull, lost_bytes);
        if !is_marked {
            shared.metrics.unmarked_losses.inc();
        }
        self.acknowledge(self.progress.skipped(end_bytes));
        let offsets = &self.shared.offsets;
        offsets.record(&self.id, &self.progress).await;
    }

    fn tell_success(&self, watch: &mut Watch) {
        watch.failure_count = 0;
        self.shared.registry.update(&self.id, |stream| {
            stream.failure_count = 0;
            stream.last_error = None;
        });
    }

    pub(super) fn tell_failure(&self, watch: &mut Watch, error: &ShipError, what: &'static str) {
        watch.failure_count = watch.failure_count.saturating_add(1);
        let error_text = chain(error);
        tracing::warn!(
            stream.path = %self.id.path,
            failures = watch.failure_count,
            error = error_text,
            "{what}"
        );
        self.shared.metrics.failed(error);
        self.shared.registry.update(&self.id, |stream| {
            stream.failure_count = watch.failure_count;
            stream.last_error = Some(error_text);
        });
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
