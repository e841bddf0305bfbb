//! Indexes of streams that were read before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync,
    time::{Instant, timeout_at},
};

use super::listing::Listing;
use crate::{
    archive::{GrowingIndex, Progress, RawObjects, StreamIndex},
    domain::{keys::KeyGrammar, stream::StreamName},
    error::Error,
};

/// Memory of an entry besides its index.
const ENTRY_BYTES: usize = 1 << 10;

/// Keeps the indexes that were used last. Clones share them.
#[derive(Debug, Clone)]
pub struct Indexes {
    entries: Arc<Mutex<Entries>>,
    maximum_bytes: usize,
}

#[derive(Debug, Default)]
struct Entries {
    by_stream: BTreeMap<StreamName, Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    shared: Arc<Shared>,
    used: u64,
}

/// An index that one caller at a time brings up to date; the others wait for it, since all want
/// the same objects. What one has read stays when it is broken off, and the next goes on.
#[derive(Debug)]
struct Shared {
    growing: sync::Mutex<GrowingIndex>,
    progress: Arc<Progress>,
    listing: Arc<Listing>,
    /// When the archive was as the index says; `None` while it is not known.
    refreshed: Mutex<Option<Instant>>,
}

impl Shared {
    fn refreshed(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn size_bytes(&self) -> usize {
        self.progress.size_bytes() + self.listing.size_bytes()
    }
}

impl Indexes {
    /// Keeps at most so many bytes of indexes, besides those that are in use, or the last one when
    /// it alone is larger.
    pub fn new(maximum_bytes: usize) -> Self {
        Self {
            entries: Arc::default(),
            maximum_bytes,
        }
    }

    /// The index of a stream as the archive is now. Only objects that are new are read.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Indexing`] when the time is over: then what was read is
    /// known to the next call.
    pub async fn refreshed(
        &self,
        objects: &RawObjects,
        grammar: &KeyGrammar,
        stream: &StreamName,
        until: Option<Instant>,
    ) -> Result<Arc<StreamIndex>, Error> {
        let prefix = grammar.stream_prefix(stream);
        let shared = self.shared(stream, &prefix);
        // First what was known: what is not listed after that is deleted, not new.
        let known = shared.progress.objects();
        let begun = Instant::now();
        let listed = shared.listing.now(objects, &prefix).await?;
        let waiting = shared.growing.lock();
        let mut growing = match until {
            None => waiting.await,
            Some(until) => match timeout_at(until, waiting).await {
                Ok(growing) => growing,
                Err(_elapsed) => {
                    let of = listed.len();
                    let read = shared.progress.objects().min(of);
                    return Err(Error::Indexing { read, of });
                }
            },
        };
        *shared.refreshed() = None;
        let refreshed = growing.refresh(objects, listed, known, until).await;
        let index = Arc::clone(growing.index());
        *shared.refreshed() = refreshed.is_ok().then_some(begun);
        drop(growing);
        self.make_room();
        refreshed.map(|()| index)
    }

    /// The index of a stream as the archive was not longer ago than that; `None` when nobody has
    /// asked for it since.
    pub fn recent(&self, stream: &StreamName, age: Duration) -> Option<Arc<StreamIndex>> {
        let shared = Arc::clone(&self.entries().by_stream.get(stream)?.shared);
        let growing = shared.growing.try_lock().ok()?;
        let is_recent = |refreshed: Instant| refreshed.elapsed() < age;
        let refreshed = *shared.refreshed();
        refreshed
            .is_some_and(is_recent)
            .then(|| Arc::clone(growing.index()))
    }

    /// Saves what is known of a stream to which nothing more is going to come.
    pub async fn save_rest(&self, objects: &RawObjects, grammar: &KeyGrammar, stream: &StreamName) {
        let shared = self.shared(stream, &grammar.stream_prefix(stream));
        // Who is at work on it will do so.
        if let Ok(mut growing) = shared.growing.try_lock() {
            growing.save_rest(objects).await;
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self, stream: &StreamName, prefix: &str) -> Arc<Shared> {
        let mut entries = self.entries();
        entries.clock += 1;
        let used = entries.clock;
        if let Some(entry) = entries.by_stream.get_mut(stream) {
            entry.used = used;
            return Arc::clone(&entry.shared);
        }
        let growing = GrowingIndex::saved(stream.clone(), prefix.to_owned());
        let shared = Arc::new(Shared {
            progress: Arc::clone(growing.progress()),
            growing: sync::Mutex::new(growing),
            listing: Arc::default(),
            refreshed: Mutex::default(),
        });
        let entry = Entry {
            shared: Arc::clone(&shared),
            used,
        };
        entries.by_stream.insert(stream.clone(), entry);
        shared
    }

    /// Forgets the indexes that were used longest ago. Those that somebody is at work on stay:
    /// forgotten they would take memory as well.
    fn make_room(&self) {
        let mut entries = self.entries();
        let size = |entry: &Entry| ENTRY_BYTES + entry.shared.size_bytes();
        let mut size_bytes: usize = entries.by_stream.values().map(size).sum();
        while size_bytes > self.maximum_bytes && entries.by_stream.len() > 1 {
            let is_idle = |entry: &Entry| Arc::strong_count(&entry.shared) == 1;
            let idle = entries.by_stream.iter().filter(|(_, entry)| is_idle(entry));
            let oldest = idle.min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(stream, _)| stream.clone()) else {
                break;
            };
            if let Some(entry) = entries.by_stream.remove(&oldest) {
                size_bytes -= size(&entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use moka_objects::{MemoryStore, ObjectKey, ObjectStore, PutCondition};

    use super::*;
    use crate::{domain::stream::Source, metrics::Metrics};

    #[tokio::test]
    async fn indexes_take_no_more_memory_than_they_may() {
        let store = MemoryStore::new();
        let grammar = KeyGrammar {
            containers: "logs/{pod}/{container}/".parse().unwrap(),
            events: "events/{file}/".parse().unwrap(),
        };
        let record = r#"{"path":"/a","offset":0,"log":"x"}"#;
        let names: Vec<_> = (0..100).map(|number| format!("pod-{number}")).collect();
        for name in &names[..50] {
            let key = ObjectKey::new(format!("logs/{name}/c/1")).unwrap();
            let put = store.put(&key, record.into(), PutCondition::Always);
            put.await.unwrap();
        }
        let objects = RawObjects::new(Arc::new(store), 0, Metrics::default());
        let indexes = Indexes::new(20 * ENTRY_BYTES);
        let count = || indexes.entries().by_stream.len();
        // Of the second half nothing is in the store.
        for name in names.iter().chain(&names) {
            let stream = StreamName {
                attempt: "m01hf7yat00v2t9d4h5w8k3e6qz-1".parse().unwrap(),
                source: Source::Container {
                    pod: name.clone(),
                    container: "c".to_owned(),
                },
            };
            let refreshed = indexes.refreshed(&objects, &grammar, &stream, None);
            let runs = refreshed.await.unwrap().runs().len();
            let is_there = names[..50].contains(name);
            assert_eq!(runs, usize::from(is_there));
            assert!((1..=20).contains(&count()), "{}", count());
        }
        // Empty ones are small: 20 of them are kept.
        assert_eq!(count(), 20);
    }
}
