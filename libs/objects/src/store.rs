//! The trait.

use std::{fmt::Debug, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ETag, Error, Object, ObjectKey, ObjectMeta, Page, PrefixPage, PutCondition};

/// Largest object. Above it S3 wants parts, which no object of ours needs: writers cut earlier.
pub const MAX_OBJECT_SIZE_BYTES: usize = 64 << 20;

/// A store of whole objects under keys.
///
/// A failed put may have happened, unless the error is [`Error::PreconditionFailed`],
/// [`Error::TooLarge`] or [`Error::Refused`]; who needs to know reads the object.
/// Dropping a future leaves its operation either done or not done, never half.
#[async_trait]
pub trait ObjectStore: Send + Sync + Debug {
    /// Writes an object, durably, and returns its version.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] when the condition does not hold ([`PutCondition::IfMatch`] on
    /// an absent key included); [`Error::TooLarge`] above [`MAX_OBJECT_SIZE_BYTES`].
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error>;

    /// Reads an object; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for an object, put by someone else, above [`MAX_OBJECT_SIZE_BYTES`]: it has
    /// to be read in ranges.
    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error>;

    /// Reads the bytes of an object that lie in `range`: fewer, or none, where the range reaches
    /// past its end.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a range above [`MAX_OBJECT_SIZE_BYTES`].
    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error>;

    /// Describes an object; `None` when there is none.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error>;

    /// Lists objects whose key starts with `prefix` (any text, cut at no `/` in particular) and is
    /// greater than `start_after`, in the order of their UTF-8 bytes. `limit` is taken as 1 to
    /// [`crate::MAX_PAGE_SIZE`].
    ///
    /// # Errors
    /// When the store does not answer.
    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error>;

    /// Lists the distinct beginnings, up to the next `/`, of keys that start with `prefix` and go
    /// on past another `/`: the sub-directories, each once. `start_after` is an entry of a
    /// former page.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error>;

    /// Deletes an object; that there is none is fine.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn delete(&self, key: &ObjectKey) -> Result<(), Error>;
}

#[async_trait]
impl<S: ObjectStore + ?Sized> ObjectStore for Arc<S> {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error> {
        (**self).put(key, bytes, condition).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        (**self).get(key).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error> {
        (**self).get_range(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        (**self).head(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        (**self).list(prefix, start_after, limit).await
    }

    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error> {
        (**self).list_prefixes(prefix, start_after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        (**self).delete(key).await
    }
}

/// Refuses what is too large for one put or one answer.
pub(crate) fn check_size(key: &ObjectKey, size_bytes: u64) -> Result<(), Error> {
    if size_bytes > MAX_OBJECT_SIZE_BYTES as u64 {
        return Err(Error::TooLarge {
            key: key.clone(),
            size_bytes,
        });
    }
    Ok(())
}

/// The part of a range that the object has.
pub(crate) fn clip(range: &Range<u64>, size_bytes: u64) -> Range<u64> {
    let end = range.end.min(size_bytes);
    range.start.min(end)..end
}
