//! A store in memory, for tests and for running without any disk.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Bound, Range},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use moka_core::clock::{Clock, SystemClock};

use crate::{
    ETag, Error, Object, ObjectKey, ObjectMeta, ObjectStore, Page, PrefixPage, PutCondition,
    page::{cut, page_size},
    store::{check_size, clip},
};

/// Objects in a map. Clones share it.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<ObjectKey, Entry>,
    /// Versions are never used twice, so that a tag of a deleted object matches nothing.
    last_version: u64,
}

struct Entry {
    bytes: Bytes,
    version: u64,
    modified: Timestamp,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store whose objects are dated by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Arc::default(),
            clock,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("objects", &self.state().objects.len())
            .finish()
    }
}

impl Entry {
    fn etag(&self) -> ETag {
        ETag::new(self.version.to_string())
    }

    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn meta(&self, key: &ObjectKey) -> ObjectMeta {
        ObjectMeta {
            key: key.clone(),
            size_bytes: self.size_bytes(),
            etag: self.etag(),
            modified: self.modified,
        }
    }
}

impl State {
    /// Entries after `start_after`, but none before `prefix`.
    fn after<'a>(
        &'a self,
        prefix: &str,
        start_after: Option<&str>,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Entry)> {
        let start = match start_after {
            Some(start) if start >= prefix => Bound::Excluded(start),
            _ => Bound::Included(prefix),
        };
        self.objects.range::<str, _>((start, Bound::Unbounded))
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error> {
        check_size(key, bytes.len() as u64)?;
        let mut state = self.state();
        let present = state.objects.get(key).map(Entry::etag);
        let holds = match (&condition, &present) {
            (PutCondition::Always, _) | (PutCondition::IfAbsent, None) => true,
            (PutCondition::IfAbsent, Some(_)) => false,
            (PutCondition::IfMatch(wanted), present) => present.as_ref() == Some(wanted),
        };
        if !holds {
            return Err(Error::PreconditionFailed { key: key.clone() });
        }
        state.last_version += 1;
        let entry = Entry {
            bytes,
            version: state.last_version,
            modified: self.clock.now(),
        };
        let etag = entry.etag();
        state.objects.insert(key.clone(), entry);
        Ok(etag)
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        self.get_range(key, 0..u64::MAX).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error> {
        let state = self.state();
        let Some(entry) = state.objects.get(key) else {
            return Ok(None);
        };
        let Range { start, end } = clip(&range, entry.size_bytes());
        let index = |at| usize::try_from(at).expect("a place within bytes in memory");
        let bytes = entry.bytes.slice(index(start)..index(end));
        Ok(Some(Object {
            bytes,
            etag: entry.etag(),
            size_bytes: entry.size_bytes(),
        }))
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        Ok(self.state().objects.get(key).map(|entry| entry.meta(key)))
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = page_size(limit);
        let state = self.state();
        let objects = state
            .after(prefix, start_after)
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .take(limit + 1)
            .map(|(key, entry)| entry.meta(key))
            .collect();
        let (objects, next) = cut(objects, limit, |object: &ObjectMeta| object.key.as_str());
        Ok(Page { objects, next })
    }

    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error> {
        let limit = page_size(limit);
        let state = self.state();
        let mut prefixes: Vec<String> = Vec::new();
        for (key, _) in state.after(prefix, start_after) {
            let Some(rest) = key.as_str().strip_prefix(prefix) else {
                break;
            };
            let Some((segment, _)) = rest.split_once('/') else {
                continue;
            };
            let found = format!("{prefix}{segment}/");
            if start_after.is_some_and(|start| found.as_str() <= start)
                || prefixes.last() == Some(&found)
            {
                continue;
            }
            prefixes.push(found);
            if prefixes.len() > limit {
                break;
            }
        }
        let (prefixes, next) = cut(prefixes, limit, |prefix: &String| prefix);
        Ok(PrefixPage { prefixes, next })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        self.state().objects.remove(key);
        Ok(())
    }
}
