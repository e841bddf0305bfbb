//! Writing down what was decided and putting it where readers see it.

use bytes::Bytes;
use moka_objects::{ETag, ObjectKey, PutCondition};

use super::event_log::{Decided, EventLogAssembly};
use crate::{
    domain::{
        checkpoint::Checkpoint,
        chunk::synthetic_end,
        manifest::{AssemblyState, Manifest},
    },
    error::Error,
};

impl EventLogAssembly {
    /// Reads the checkpoint, or makes the first one.
    pub(super) async fn load(&self) -> Result<Decided, Error> {
        let key = ObjectKey::new(Checkpoint::key(self.attempt, &self.file))?;
        match self.out.get(&key).await? {
            Some(object) => {
                let checkpoint: Checkpoint = parse(&key, &object.bytes)?;
                if !checkpoint.is_possible() {
                    return Err(Error::Damaged {
                        key: key.to_string(),
                        problem: "it counts more than a log can have".to_owned(),
                    });
                }
                Ok(Decided {
                    checkpoint,
                    etag: Some(object.etag),
                })
            }
            None => Ok(Decided {
                checkpoint: Checkpoint::new(self.attempt, &self.file),
                etag: None,
            }),
        }
    }

    /// Writes the checkpoint, unless another replica did: then `None`.
    pub(super) async fn decide(
        &self,
        next: &Checkpoint,
        etag: Option<ETag>,
    ) -> Result<Option<ETag>, Error> {
        let key = ObjectKey::new(Checkpoint::key(self.attempt, &self.file))?;
        let condition = etag.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
        match self.out.put(&key, json(next)?, condition).await {
            Ok(etag) => Ok(Some(etag)),
            Err(error) if error.is_precondition_failed() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Publishes what a checkpoint says that was found in the store: whoever wrote it may have
    /// crashed right after.
    pub(super) async fn publish_again(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Some(range) = checkpoint.last_chunk else {
            return Ok(());
        };
        let key = ObjectKey::new(checkpoint.keys().chunk(checkpoint.chunk_count))?;
        if self.out.head(&key).await?.is_some() {
            return self.publish(checkpoint, None).await;
        }
        let length = usize::try_from(range.end_bytes - range.start_bytes).unwrap_or(usize::MAX);
        let mut bytes = match length {
            0 => Vec::new(),
            _ => {
                self.index()
                    .bytes_from(&self.objects, range.start_bytes, length)
                    .await?
            }
        };
        if bytes.len() < length {
            // A listing may lag behind another replica's.
            let problem = "its raw records are not there (yet)".to_owned();
            return Err(Error::Damaged {
                key: key.to_string(),
                problem,
            });
        }
        bytes.truncate(length);
        bytes.extend(
            range
                .synthetic_end_milliseconds
                .map(synthetic_end)
                .into_iter()
                .flatten(),
        );
        self.publish(checkpoint, Some(bytes)).await
    }

    /// Puts chunk, manifest and marker, in this order. The log counts as completed with the last
    /// put.
    pub(super) async fn publish(
        &self,
        checkpoint: &Checkpoint,
        chunk: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        if checkpoint.chunk_count == 0 {
            return Ok(());
        }
        let keys = checkpoint.keys();
        let completed = checkpoint.state == AssemblyState::Completed;
        if checkpoint.chunk_count == 1 {
            self.claim(checkpoint).await?;
            self.put_once(keys.in_progress_marker(), Bytes::new())
                .await?;
        }
        if let Some(bytes) = chunk {
            let key = keys.chunk(checkpoint.chunk_count);
            let is_new = self.put_once(key, bytes.into()).await?;
            self.metrics.chunks_published.inc_by(is_new.into());
        }
        self.put_manifest(checkpoint).await?;
        if completed {
            let is_new = self.put_once(keys.final_marker(), Bytes::new()).await?;
            self.metrics.event_logs_completed.inc_by(is_new.into());
            let marker = ObjectKey::new(keys.in_progress_marker())?;
            self.out.delete(&marker).await?;
        }
        Ok(())
    }

    /// Refuses to write into another attempt's directory.
    async fn claim(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let key = ObjectKey::new(checkpoint.keys().manifest())?;
        let manifest = checkpoint.manifest();
        match self.out.get(&key).await? {
            None => {
                self.put_once(key.to_string(), json(&manifest)?).await?;
                Ok(())
            }
            Some(found) if parse::<Manifest>(&key, &found.bytes)?.is_of_same_attempt(&manifest) => {
                Ok(())
            }
            Some(_) => {
                let problem = "another attempt has an event log of this name".to_owned();
                Err(Error::Damaged {
                    key: key.to_string(),
                    problem,
                })
            }
        }
    }

    /// Replaces the manifest, unless a newer one is there.
    async fn put_manifest(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let key = ObjectKey::new(checkpoint.keys().manifest())?;
        let manifest = checkpoint.manifest();
        let store = &self.out;
        let condition = match store.get(&key).await? {
            None => PutCondition::IfAbsent,
            Some(object) => {
                let found: Manifest = parse(&key, &object.bytes)?;
                if found == manifest || found.is_newer_than(&manifest) {
                    return Ok(());
                }
                PutCondition::IfMatch(object.etag)
            }
        };
        store.put(&key, json(&manifest)?, condition).await?;
        Ok(())
    }

    /// Puts an object that never changes; says whether it was not there before.
    async fn put_once(&self, key: String, bytes: Bytes) -> Result<bool, Error> {
        let key = ObjectKey::new(key)?;
        match self.out.put(&key, bytes, PutCondition::IfAbsent).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_precondition_failed() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<Bytes, Error> {
    let damaged = |error: serde_json::Error| Error::Damaged {
        key: "a new object".to_owned(),
        problem: error.to_string(),
    };
    Ok(serde_json::to_vec(value).map_err(damaged)?.into())
}

fn parse<T: serde::de::DeserializeOwned>(key: &ObjectKey, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Damaged {
        key: key.to_string(),
        problem: error.to_string(),
    })
}
