//! A store that takes the objects of some streams only.

use async_trait::async_trait;
use bytes::Bytes;
use moka_objects::{
    ETag, Error, MemoryStore, Object, ObjectKey, ObjectMeta, ObjectStore, Page, PrefixPage,
    PutCondition,
};

/// Does not take some keys.
#[derive(Debug)]
pub(crate) struct PickyStore {
    inner: MemoryStore,
    refused: &'static str,
    hangs: bool,
}

impl PickyStore {
    /// Refuses keys that contain `refused`, or never answers when it `hangs`.
    pub(crate) fn new(refused: &'static str, hangs: bool) -> Self {
        Self {
            inner: MemoryStore::new(),
            refused,
            hangs,
        }
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
        if !key.as_str().contains(self.refused) {
            return self.inner.put(key, bytes, condition).await;
        }
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(Error::Refused {
            operation: "put",
            subject: key.to_string(),
            source: "not this one".into(),
        })
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
