//! A store that takes the objects of some streams only.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use moka_objects::{
    ETag, Error, MemoryStore, Object, ObjectKey, ObjectMeta, ObjectStore, Page, PrefixPage,
    PutCondition,
};

/// Does not take some keys, for as long as it is told.
#[derive(Debug)]
pub(crate) struct PickyStore {
    inner: MemoryStore,
    part: &'static str,
    mood: Mutex<Mood>,
}

/// What becomes of the keys that are picked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    Refuses,
    Hangs,
    IsAway,
}

impl PickyStore {
    /// Picks out the keys that contain `part`.
    pub(crate) fn new(part: &'static str, mood: Mood) -> Self {
        Self {
            inner: MemoryStore::new(),
            part,
            mood: Mutex::new(mood),
        }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

#[async_trait]
impl ObjectStore for PickyStore {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error> {
        let is_picked = key.as_str().contains(self.part);
        let mood = *self.mood.lock().unwrap();
        let (operation, subject) = ("put", key.to_string());
        match mood {
            Mood::Refuses if is_picked => Err(Error::Refused {
                operation,
                subject,
                source: "not this one".into(),
            }),
            Mood::IsAway if is_picked => Err(Error::Unavailable {
                operation,
                subject,
                source: "away".into(),
            }),
            Mood::Hangs if is_picked => std::future::pending().await,
            _ => self.inner.put(key, bytes, condition).await,
        }
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        self.inner.get(key).await
    }

    async fn get_range(
        &self,
        key: &ObjectKey,
        range: std::ops::Range<u64>,
    ) -> Result<Option<Object>, Error> {
        self.inner.get_range(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        self.inner.head(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.inner.list(prefix, start_after, limit).await
    }

    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error> {
        self.inner.list_prefixes(prefix, start_after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        self.inner.delete(key).await
    }
}
