//! The object store, with deadlines.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use moka_objects::{MAX_PAGE_SIZE, ObjectKey, ObjectMeta, ObjectStore};

use crate::error::Error;

/// Longest wait for one answer. The S3 client's own retries lie within.
const DEADLINE: Duration = Duration::from_mins(1);

/// All objects whose key starts with `prefix`.
pub(super) async fn list(
    objects: &dyn ObjectStore,
    prefix: &str,
) -> Result<Vec<ObjectMeta>, Error> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = within(objects.list(prefix, after.as_deref(), MAX_PAGE_SIZE)).await?;
        found.extend(page.objects);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// A whole small object.
pub(super) async fn get(objects: &dyn ObjectStore, key: &str) -> Result<Option<Bytes>, Error> {
    let key = ObjectKey::new(key).map_err(Error::Key)?;
    Ok(within(objects.get(&key)).await?.map(|object| object.bytes))
}

/// Bytes of an object that was listed.
pub(super) async fn get_range(
    objects: &dyn ObjectStore,
    key: &str,
    range: Range<u64>,
) -> Result<Bytes, Error> {
    let key = ObjectKey::new(key).map_err(Error::Key)?;
    match within(objects.get_range(&key, range)).await? {
        Some(object) if !object.bytes.is_empty() => Ok(object.bytes),
        _ => Err(Error::Vanished(key.to_string())),
    }
}

async fn within<T>(
    answer: impl Future<Output = Result<T, moka_objects::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(answer) => answer.map_err(Error::Objects),
        Err(_elapsed) => Err(Error::ObjectsTimedOut(DEADLINE)),
    }
}
