//! Carries out deletions, a batch at a time.
//!
//! The proof of a batch is written, then the record says that the batch is begun, then its objects
//! are deleted. After a crash the last batch that was begun is deleted again, before another one.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use moka_objects::ObjectKey;

use super::Retention;
use crate::{
    applications::ApplicationView,
    domain::retention::{Batch, DeletionState, LogKind, RetentionRecord},
    error::Error,
};

/// Objects of a batch: what a hold that comes late may come too late for.
pub(super) const BATCH_OBJECTS: usize = 250;
const DELETED_AT_ONCE: usize = 16;
/// How often the deletion of an object is tried in a row.
const TRIES: usize = 4;

impl Retention {
    /// Goes on with the deletion of a kind until nothing is left or a hold is set.
    pub(super) async fn carry_out(
        &self,
        application: &ApplicationView,
        kind: LogKind,
        now: Timestamp,
    ) -> Result<(), Error> {
        let id = application.id;
        // The last batch that was begun, by whomever, is deleted before another one is looked for.
        let mut done = 0;
        let mut is_buried = kind != LogKind::EventLogs;
        loop {
            let record = self.record(id).await?;
            let deletion = record.deletions.get(&kind);
            let Some(deletion) = deletion.filter(|_| may_delete(&record, kind)) else {
                return Ok(());
            };
            if !is_buried {
                self.bury_checkpoints(application).await?;
                is_buried = true;
            }
            let count = deletion.batch_count;
            if count > done.max(deletion.done_batch_count) {
                self.delete(&self.batch(id, kind, count).await?).await?;
                done = count;
                continue;
            }
            let listing = self.some_objects(application, kind, BATCH_OBJECTS, now);
            let objects = listing.await?;
            if objects.is_empty() {
                let finish = self.change(id, |record| record.finish(kind, count, now));
                finish.await?;
                tracing::info!(application.id = %id, kind = kind.as_str(), "logs are deleted");
                continue;
            }
            let proof = self.prove(id, kind, count + 1, &deletion.request, &objects);
            let batch = proof.await?;
            let open = self.change(id, |record| {
                if may_delete(record, kind) {
                    record.open(&batch);
                }
            });
            open.await?;
        }
    }

    /// Deletes the objects of a batch. The marker of an event log goes first, so that a History
    /// Server does not list a log of which a part is missing.
    async fn delete(&self, batch: &Batch) -> Result<(), Error> {
        let is_marker = |key: &ObjectKey| key.name().starts_with("appstatus_");
        let keys: Result<Vec<_>, _> = batch
            .objects
            .iter()
            .map(|object| ObjectKey::new(&*object.key))
            .collect();
        let (markers, others): (Vec<_>, Vec<_>) = keys?.into_iter().partition(is_marker);
        for keys in [markers, others] {
            self.delete_all(keys).await?;
        }
        self.metrics
            .retention
            .deleted_objects
            .inc_by(batch.objects.len() as u64);
        self.metrics
            .retention
            .deleted_bytes
            .inc_by(batch.size_bytes());
        Ok(())
    }

    /// Deletes objects; those that the store fails at a few times more, so that a store that fails
    /// now and then does not keep a batch from its end.
    async fn delete_all(&self, keys: Vec<ObjectKey>) -> Result<(), Error> {
        let mut left = keys;
        for _ in 1..TRIES {
            let failed: Vec<_> = stream::iter(left)
                .map(async |key: ObjectKey| {
                    let deleted = self.store().delete(&key).await;
                    deleted.err().map(|_may_succeed_later| key)
                })
                .buffer_unordered(DELETED_AT_ONCE)
                .collect()
                .await;
            left = failed.into_iter().flatten().collect();
        }
        for key in left {
            self.store().delete(&key).await?;
        }
        Ok(())
    }
}

/// Whether objects may be deleted now.
fn may_delete(record: &RetentionRecord, kind: LogKind) -> bool {
    !record.is_held() && record.state(kind) == Some(DeletionState::Deleting)
}
