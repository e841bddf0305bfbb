//! Raw objects, read and kept for a while.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use moka_objects::{MAX_OBJECT_SIZE_BYTES, Object, ObjectKey, ObjectMeta, ObjectStore};
use tokio::sync::Semaphore;

use super::{
    turns::Turns,
    uncompressed::{Buffers, check_size},
};
use crate::{
    background::{in_background, spawn},
    domain::{
        run::{Piece, RawObject, Run},
        screen::Screen,
    },
    error::Error,
    metrics::Metrics,
};

/// How much of a large object is read at once.
const RANGE_BYTES: u64 = 32 << 20;
/// Objects that are uncompressed and parsed at a time: each takes several times its text.
const PARSED_AT_ONCE: usize = 2;
/// Objects that are read before somebody asks for them.
const READ_AHEAD_AT_ONCE: usize = 2;
/// Objects in a page of a listing.
const PAGE_SIZE: usize = 1000;

/// Reads raw objects. Clones share the cache.
#[derive(Debug, Clone)]
pub struct RawObjects {
    store: Arc<dyn ObjectStore>,
    cache: Arc<Mutex<Cache>>,
    /// Bounds what is uncompressed at a time, however many are read.
    parsing: Arc<Semaphore>,
    /// Bounds what is read ahead.
    reading_ahead: Arc<Semaphore>,
    turns: Turns,
    /// For uncompressed objects.
    plain: Arc<Buffers>,
    /// For their lines.
    lines: Arc<Buffers>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Cache {
    entries: BTreeMap<ObjectKey, (Arc<RawObject>, u64)>,
    size_bytes: usize,
    maximum_bytes: usize,
    clock: u64,
}

impl RawObjects {
    /// A reader that keeps at most so many bytes of objects, or the last one when it alone is
    /// larger.
    pub fn new(store: Arc<dyn ObjectStore>, cache_bytes: usize, metrics: Metrics) -> Self {
        let cache = Cache {
            entries: BTreeMap::new(),
            size_bytes: 0,
            maximum_bytes: cache_bytes,
            clock: 0,
        };
        Self {
            store,
            cache: Arc::new(Mutex::new(cache)),
            parsing: Arc::new(Semaphore::new(PARSED_AT_ONCE)),
            reading_ahead: Arc::new(Semaphore::new(READ_AHEAD_AT_ONCE)),
            turns: Turns::default(),
            plain: Arc::default(),
            lines: Arc::default(),
            metrics,
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// What operators see of the archive's users.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// All objects under a prefix.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, Error> {
        self.list_after(prefix, None).await
    }

    /// All objects under a prefix whose keys are greater than `start_after`, by their keys.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn list_after(
        &self,
        prefix: &str,
        start_after: Option<&str>,
    ) -> Result<Vec<ObjectMeta>, Error> {
        let mut found = Vec::new();
        let mut start_after = start_after.map(str::to_owned);
        loop {
            let listed = self
                .store
                .list(prefix, start_after.as_deref(), PAGE_SIZE)
                .await;
            let page = listed.map_err(|error| self.failed(error))?;
            found.extend(page.objects);
            start_after = page.next;
            if start_after.is_none() {
                return Ok(found);
            }
        }
    }

    /// The runs of an object; `None` when it has been deleted.
    ///
    /// # Errors
    ///
    /// When the store fails or the object cannot be uncompressed.
    pub async fn runs(&self, key: &ObjectKey) -> Result<Option<Vec<Run>>, Error> {
        let object = match self.load(key).await {
            Err(Error::Gone { .. }) => return Ok(None),
            object => object?,
        };
        self.metrics.records_read.inc_by(object.record_count);
        if object.malformed_count > 0 {
            self.metrics
                .records_malformed
                .inc_by(object.malformed_count);
            tracing::warn!(%key, count = object.malformed_count, "object has lines that are no records");
        }
        let runs = object.pieces.iter().map(|piece| piece.run.clone());
        Ok(Some(runs.collect()))
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// When the store fails or the object cannot be uncompressed, and [`Error::Gone`] when it has
    /// been deleted.
    pub async fn load(&self, key: &ObjectKey) -> Result<Arc<RawObject>, Error> {
        if let Some(object) = self.cache().get(key) {
            return Ok(object);
        }
        let (objects, key) = (self.clone(), key.clone());
        in_background(async move { objects.read(&key).await }).await
    }

    /// Reads an object unless somebody does so already.
    async fn read(&self, key: &ObjectKey) -> Result<Arc<RawObject>, Error> {
        let _turn = self.turns.take(key).await;
        if let Some(object) = self.cache().get(key) {
            return Ok(object);
        }
        let bytes = self.fetch(key).await?;
        let (name, plain, lines) = (key.clone(), Arc::clone(&self.plain), self.lines.take());
        let parse =
            move || plain.with_plain(&name, &bytes, |plain| RawObject::parse_into(plain, lines));
        let object = Arc::new(self.off_thread(parse).await?);
        self.keep(key, &object);
        Ok(object)
    }

    /// Begins to read an object that is likely to be asked for next. Whoever asks for it is told
    /// what goes wrong.
    pub(super) fn read_ahead(&self, key: &ObjectKey) {
        if self.cache().entries.contains_key(key) {
            return;
        }
        let Ok(permit) = Arc::clone(&self.reading_ahead).try_acquire_owned() else {
            return;
        };
        let (objects, key) = (self.clone(), key.clone());
        drop(spawn(async move {
            let _permit = permit;
            drop(objects.read(&key).await);
        }));
    }

    /// An object, unless its text shows that nothing of what is searched is in it: then it is not
    /// parsed.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub async fn load_screened(
        &self,
        key: &ObjectKey,
        screen: Option<Screen>,
    ) -> Result<Option<Arc<RawObject>>, Error> {
        if let Some(object) = self.cache().get(key) {
            return Ok(Some(object));
        }
        let bytes = self.fetch(key).await?;
        let (name, plain) = (key.clone(), Arc::clone(&self.plain));
        let read = move || {
            plain.with_plain(&name, &bytes, |plain| {
                let may_hold = screen.is_none_or(|screen| screen.may_hold(plain));
                may_hold.then(|| Arc::new(RawObject::parse(plain)))
            })
        };
        let object = self.off_thread(read).await?;
        if let Some(object) = &object {
            self.keep(key, object);
        }
        Ok(object)
    }

    /// Does work off the threads that answer calls, and not too much of it at a time.
    pub(super) async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let parsing = Arc::clone(&self.parsing);
        in_background(async move {
            let permit = parsing.acquire_owned().await;
            let _permit = permit.map_err(|_closed| Error::Stopped)?;
            let done = tokio::task::spawn_blocking(work).await;
            done.map_err(|_stopped| Error::Stopped)?
        })
        .await
    }

    /// Larger objects than one answer may have are Fluent Bit's multipart uploads.
    async fn fetch(&self, key: &ObjectKey) -> Result<Bytes, Error> {
        self.metrics.object_reads.inc();
        let gone = || Error::Gone { key: key.clone() };
        let first = self.range(key, 0..RANGE_BYTES).await?;
        let first = first.ok_or_else(gone)?;
        if first.size_bytes <= first.bytes.len() as u64 {
            return Ok(first.bytes);
        }
        check_size(key, first.size_bytes)?;
        let mut bytes = first.bytes.to_vec();
        while (bytes.len() as u64) < first.size_bytes {
            let start = bytes.len() as u64;
            let range = start..start + RANGE_BYTES;
            let part = self.range(key, range).await?.ok_or_else(gone)?;
            if part.bytes.is_empty() {
                break;
            }
            bytes.extend_from_slice(&part.bytes);
        }
        Ok(bytes.into())
    }

    async fn range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error> {
        let read = self.store.get_range(key, range).await;
        read.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: moka_objects::Error) -> Error {
        self.metrics.store_failures.inc();
        Error::Objects(error)
    }

    /// Keeps an object, and the memory of those that have to make room for it.
    fn keep(&self, key: &ObjectKey, object: &Arc<RawObject>) {
        let forgotten = self.cache().put(key, object);
        let unused = forgotten.into_iter().filter_map(Arc::into_inner);
        for memory in unused.filter_map(RawObject::into_memory) {
            self.lines.give_back(memory);
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn get(&mut self, key: &ObjectKey) -> Option<Arc<RawObject>> {
        self.clock += 1;
        let (object, used) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(Arc::clone(object))
    }

    /// Takes an object, and gives those back that have to make room for it.
    fn put(&mut self, key: &ObjectKey, object: &Arc<RawObject>) -> Vec<Arc<RawObject>> {
        let mut forgotten = Vec::new();
        self.clock += 1;
        let entry = (Arc::clone(object), self.clock);
        self.size_bytes += object.size_bytes();
        if let Some((replaced, _)) = self.entries.insert(key.clone(), entry) {
            self.size_bytes -= replaced.size_bytes();
            forgotten.push(replaced);
        }
        while self.size_bytes > self.maximum_bytes && self.entries.len() > 1 {
            let oldest = self.entries.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            if let Some((object, _)) = self.entries.remove(&oldest) {
                self.size_bytes -= object.size_bytes();
                forgotten.push(object);
            }
        }
        forgotten
    }
}

// A put of an assembled chunk is limited by the store; a raw object may be larger than that.
const _: () = assert!(RANGE_BYTES <= MAX_OBJECT_SIZE_BYTES as u64);

/// A piece of a loaded object.
pub(super) fn piece(object: &RawObject, index: usize) -> Option<&Piece> {
    object.pieces.get(index)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::poll;
    use moka_objects::{MemoryStore, PutCondition};

    use super::*;

    #[tokio::test]
    async fn readings_that_nobody_goes_on_with_hold_up_no_others() {
        let store = Arc::new(MemoryStore::new());
        let keys = ["1", "2", "3", "4", "5"].map(|name| ObjectKey::new(name).unwrap());
        for key in &keys {
            let put = store.put(key, "{}".into(), PutCondition::Always);
            put.await.unwrap();
        }
        let objects = RawObjects::new(store, 0, Metrics::default());
        let mut begun: Vec<_> = keys.iter().map(|key| Box::pin(objects.load(key))).collect();
        for reading in &mut begun {
            assert!(poll!(reading).is_pending());
        }
        for key in &keys {
            let other = objects.load(key);
            let patience = Duration::from_secs(30);
            let read = tokio::time::timeout(patience, other).await;
            read.expect("others are read meanwhile").unwrap();
        }
    }
}
