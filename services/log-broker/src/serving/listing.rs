//! What the store has of one stream, without asking for all of it each time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka_objects::ObjectMeta;
use tokio::time::Instant;

use crate::{archive::RawObjects, background::spawn, error::Error};

/// Streams of fewer objects are listed wholly each time: that is one question.
const LARGE_FROM_OBJECTS: usize = 1000;
/// Of a larger one the newest so many objects and those behind them are listed each time,
const NEWEST_OBJECTS: usize = 200;
/// and all of them again after this time, for whoever asks next.
const WHOLE_AFTER: Duration = Duration::from_secs(10);
/// No answer relies on an older whole listing.
const WHOLE_AT_LATEST: Duration = Duration::from_secs(30);
/// Memory that the version of an object takes.
const ETAG_BYTES: usize = 40;

/// A stream's listing. Keys begin with the time of their object, so that what is new is at the end,
/// but for objects that had to wait in a spool.
#[derive(Debug, Default)]
pub(super) struct Listing {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// In the order of keys.
    objects: Vec<ObjectMeta>,
    /// When all were listed; `None` before the first time.
    listed: Option<Instant>,
    is_being_listed: bool,
}

impl Listing {
    /// What the store has under the prefix. Of a large stream what was put or deleted far before
    /// the newest objects may be seen late, by at most [`WHOLE_AT_LATEST`].
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub(super) async fn now(
        self: &Arc<Self>,
        objects: &RawObjects,
        prefix: &str,
    ) -> Result<Vec<ObjectMeta>, Error> {
        let Some(kept) = self.kept() else {
            return self.whole(objects, prefix).await;
        };
        if self.is_due() {
            self.list_behind(objects, prefix);
        }
        let last = kept.last().map(|meta| meta.key.as_str());
        let newest = objects.list_after(prefix, last).await?;
        let mut all = kept;
        all.extend(newest);
        Ok(all)
    }

    /// The objects of a large stream that need not be listed now; `None` when all have to be.
    fn kept(&self) -> Option<Vec<ObjectMeta>> {
        let known = self.known();
        let is_recent = |listed: Instant| listed.elapsed() < WHOLE_AT_LATEST;
        let is_enough = known.objects.len() >= LARGE_FROM_OBJECTS;
        (is_enough && known.listed.is_some_and(is_recent))
            .then(|| known.objects[..known.objects.len() - NEWEST_OBJECTS].to_vec())
    }

    /// Whether somebody should list all, and nobody does.
    fn is_due(&self) -> bool {
        let mut known = self.known();
        let is_old = known.listed.is_none_or(|at| at.elapsed() >= WHOLE_AFTER);
        is_old && !std::mem::replace(&mut known.is_being_listed, true)
    }

    async fn whole(&self, objects: &RawObjects, prefix: &str) -> Result<Vec<ObjectMeta>, Error> {
        let begun = Instant::now();
        let listed = objects.list(prefix).await?;
        let mut known = self.known();
        if known.listed.is_none_or(|before| before < begun) {
            known.listed = Some(begun);
            // A small stream is never told from memory.
            let is_large = listed.len() >= LARGE_FROM_OBJECTS;
            known.objects = if is_large { listed.clone() } else { Vec::new() };
        }
        Ok(listed)
    }

    /// Lists all while the caller goes on.
    fn list_behind(self: &Arc<Self>, objects: &RawObjects, prefix: &str) {
        let (listing, objects, prefix) = (Arc::clone(self), objects.clone(), prefix.to_owned());
        drop(spawn(async move {
            // After a failure the next caller tries again.
            drop(listing.whole(&objects, &prefix).await);
            listing.known().is_being_listed = false;
        }));
    }

    /// Memory that it takes, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        let known = self.known();
        let key_bytes = known
            .objects
            .first()
            .map_or(0, |meta| meta.key.as_str().len());
        known.objects.len() * (size_of::<ObjectMeta>() + key_bytes + ETAG_BYTES)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use moka_objects::{MemoryStore, ObjectKey, ObjectStore, PutCondition};

    use super::*;
    use crate::metrics::Metrics;

    const PREFIX: &str = "logs/a/";

    struct Stream {
        store: Arc<MemoryStore>,
        objects: RawObjects,
        listing: Arc<Listing>,
    }

    impl Stream {
        async fn of(object_count: usize) -> Self {
            let store = Arc::new(MemoryStore::new());
            let objects = RawObjects::new(Arc::clone(&store) as _, 0, Metrics::default());
            let stream = Self {
                store,
                objects,
                listing: Arc::default(),
            };
            for number in 0..object_count {
                stream.put(&format!("2026-{number:05}")).await;
            }
            stream
        }

        fn key(name: &str) -> ObjectKey {
            ObjectKey::new(format!("{PREFIX}{name}")).unwrap()
        }

        async fn put(&self, name: &str) {
            let key = Self::key(name);
            let put = self.store.put(&key, "x".into(), PutCondition::Always);
            put.await.unwrap();
        }

        async fn delete(&self, name: &str) {
            self.store.delete(&Self::key(name)).await.unwrap();
        }

        /// Whether the listing is what the store has.
        async fn is_true(&self) -> bool {
            let listed = self.listing.now(&self.objects, PREFIX).await.unwrap();
            listed == self.objects.list(PREFIX).await.unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn small_stream_is_always_as_the_store_has_it() {
        let stream = Stream::of(LARGE_FROM_OBJECTS - 1).await;
        assert!(stream.is_true().await);
        stream.delete("2026-00000").await;
        assert!(stream.is_true().await);
        stream.put("2025-late").await;
        assert!(stream.is_true().await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_among_the_newest_of_a_large_stream_is_seen_at_once() {
        let stream = Stream::of(LARGE_FROM_OBJECTS + 500).await;
        assert!(stream.is_true().await);
        stream.put("2026-99999").await;
        stream.put("2026-01400-late").await;
        stream.delete("2026-01450").await;
        assert!(stream.is_true().await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_far_before_them_is_seen_after_a_while_whoever_asks() {
        let stream = Stream::of(LARGE_FROM_OBJECTS + 500).await;
        assert!(stream.is_true().await);
        stream.put("2025-late").await;
        stream.delete("2026-00007").await;
        assert!(!stream.is_true().await);
        tokio::time::advance(WHOLE_AFTER).await;
        // The one who asks first does not wait for it.
        assert!(!stream.is_true().await);
        tokio::task::yield_now().await;
        while stream.listing.known().is_being_listed {
            tokio::task::yield_now().await;
        }
        assert!(stream.is_true().await);
        stream.put("2025-later").await;
        tokio::time::advance(WHOLE_AT_LATEST).await;
        assert!(stream.is_true().await);
    }
}
