//! The proof of what was deleted.

use std::sync::Arc;

use jiff::Timestamp;
use moka_core::ApplicationId;
use moka_objects::{ObjectKey, ObjectMeta, PutCondition};

use super::{Retention, records::json};
use crate::{
    domain::retention::{
        Batch, LogKind, ProvenObject, Request, RetentionRecord, proof_key, proof_prefix,
    },
    error::Error,
};

/// An object of a proof, and the batch that it is in.
#[derive(Debug, Clone)]
pub struct ProofEntry {
    /// The object.
    pub object: ProvenObject,
    /// Its batch.
    pub batch: Arc<Batch>,
    /// When the batch was written.
    pub recorded: Timestamp,
    /// Where a listing goes on after it.
    pub position: String,
}

impl Retention {
    /// Writes the proof of the next batch. When it is there already, another replica or a process
    /// that crashed has written it: then that one counts.
    pub(super) async fn prove(
        &self,
        id: ApplicationId,
        kind: LogKind,
        number: u32,
        request: &Request,
        objects: &[ObjectMeta],
    ) -> Result<Batch, Error> {
        let batch = Batch {
            application_id: id.to_string(),
            kind,
            number,
            request: request.clone(),
            objects: objects.iter().map(proven).collect(),
        };
        let key = ObjectKey::new(proof_key(id, kind, number))?;
        let put = self
            .store()
            .put(&key, json(&key, &batch)?, PutCondition::IfAbsent);
        match put.await {
            Ok(_) => Ok(batch),
            Err(error) if error.is_precondition_failed() => self.batch(id, kind, number).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The proof of a batch.
    pub(super) async fn batch(
        &self,
        id: ApplicationId,
        kind: LogKind,
        number: u32,
    ) -> Result<Batch, Error> {
        let key = ObjectKey::new(proof_key(id, kind, number))?;
        let found: Option<(Batch, _)> = self.read(&key).await?;
        let missing = || Error::Damaged {
            key: key.to_string(),
            problem: "the proof of a deletion is missing".to_owned(),
        };
        Ok(found.ok_or_else(missing)?.0)
    }

    /// A page of the objects that were deleted of an application, and whether there are more.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn proven(
        &self,
        id: ApplicationId,
        after: Option<&str>,
        page_size: usize,
    ) -> Result<(Vec<ProofEntry>, bool), Error> {
        let record = self.record(id).await?;
        let mut entries = Vec::new();
        for proof in self.objects.list(&proof_prefix(id)).await? {
            if after.is_some_and(|after| is_before(proof.key.name(), after)) {
                continue;
            }
            let Some((batch, _)) = self.read::<Batch>(&proof.key).await? else {
                continue;
            };
            if !is_begun(&record, &batch) {
                continue;
            }
            let batch = Arc::new(batch);
            for (index, object) in batch.objects.iter().enumerate() {
                let position = format!("{}/{index:05}", proof.key.name());
                if after.is_none_or(|after| position.as_str() > after) {
                    entries.push(ProofEntry {
                        object: object.clone(),
                        batch: Arc::clone(&batch),
                        recorded: proof.modified,
                        position,
                    });
                }
            }
            if entries.len() > page_size {
                entries.truncate(page_size);
                return Ok((entries, true));
            }
        }
        Ok((entries, false))
    }
}

/// Whether all objects of a proof come before a position.
fn is_before(name: &str, position: &str) -> bool {
    position
        .split_once('/')
        .is_some_and(|(last, _)| name < last)
}

/// A proof alone deletes nothing: a process may have crashed before the batch was begun.
fn is_begun(record: &RetentionRecord, batch: &Batch) -> bool {
    let deletion = record.deletions.get(&batch.kind);
    deletion.is_some_and(|deletion| batch.number <= deletion.batch_count)
}

fn proven(object: &ObjectMeta) -> ProvenObject {
    ProvenObject {
        key: object.key.to_string(),
        size_bytes: object.size_bytes,
        etag: object.etag.to_string(),
        modified: object.modified,
    }
}
