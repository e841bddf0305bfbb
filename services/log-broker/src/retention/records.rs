//! Records of applications in the store.

use bytes::Bytes;
use moka_core::{ApplicationId, PublicError};
use moka_objects::{ETag, ObjectKey, PutCondition};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::Retention;
use crate::{
    domain::retention::{RetentionRecord, open_key, record_key},
    error::Error,
};

/// How often a change is tried against those of others.
const TRIES: usize = 16;

impl Retention {
    /// The record of an application.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn record(&self, id: ApplicationId) -> Result<RetentionRecord, Error> {
        Ok(self.versioned(id).await?.0)
    }

    /// The record as it was within the last second, or as this process changed it since.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn recent_record(&self, id: ApplicationId) -> Result<RetentionRecord, Error> {
        if let Some(record) = self.recent.get(id) {
            return Ok(record);
        }
        let asked = Instant::now();
        let record = self.record(id).await?;
        self.recent.note(id, asked, &record);
        Ok(record)
    }

    async fn versioned(&self, id: ApplicationId) -> Result<(RetentionRecord, PutCondition), Error> {
        let key = ObjectKey::new(record_key(id))?;
        match self.read::<RetentionRecord>(&key).await? {
            Some((record, _)) if !record.is_possible() => Err(Error::Damaged {
                key: key.to_string(),
                problem: "it counts more than an application can have".to_owned(),
            }),
            Some((record, etag)) => Ok((record, PutCondition::IfMatch(etag))),
            None => Ok((RetentionRecord::new(id), PutCondition::IfAbsent)),
        }
    }

    /// Changes a record, again when another change came first; gives the record as it is then. The
    /// change may be made more than once, and must say the same then.
    pub(super) async fn change(
        &self,
        id: ApplicationId,
        change: impl Fn(&mut RetentionRecord) + Send,
    ) -> Result<RetentionRecord, Error> {
        let always = move |record: &mut RetentionRecord| {
            change(record);
            Ok(())
        };
        self.try_change(id, always).await
    }

    /// Changes a record, unless the change refuses it.
    pub(super) async fn try_change(
        &self,
        id: ApplicationId,
        change: impl Fn(&mut RetentionRecord) -> Result<(), PublicError> + Send,
    ) -> Result<RetentionRecord, Error> {
        let key = ObjectKey::new(record_key(id))?;
        for _ in 0..TRIES {
            let (found, condition) = self.versioned(id).await?;
            let mut record = found.clone();
            change(&mut record)?;
            if record == found {
                return Ok(record);
            }
            match self
                .store()
                .put(&key, json(&key, &record)?, condition)
                .await
            {
                Ok(_) => {
                    self.recent.forget(id);
                    return Ok(record);
                }
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended { key })
    }

    /// Notes that a deletion is not finished, before it begins.
    pub(super) async fn mark_open(&self, id: ApplicationId) -> Result<(), Error> {
        let key = ObjectKey::new(open_key(id))?;
        let put = self.store().put(&key, Bytes::new(), PutCondition::Always);
        put.await?;
        Ok(())
    }

    /// An object of ours and its version.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        key: &ObjectKey,
    ) -> Result<Option<(T, ETag)>, Error> {
        let Some(object) = self.store().get(key).await? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&object.bytes).map_err(|error| Error::Damaged {
            key: key.to_string(),
            problem: error.to_string(),
        })?;
        Ok(Some((read, object.etag)))
    }
}

pub(super) fn json(key: &ObjectKey, value: &impl Serialize) -> Result<Bytes, Error> {
    let bytes = serde_json::to_vec(value).map_err(|error| Error::Damaged {
        key: key.to_string(),
        problem: error.to_string(),
    })?;
    Ok(bytes.into())
}
