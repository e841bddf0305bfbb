//! An index that is brought up to date again and again, and saved in the store now and then.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{StreamExt, stream};
use moka_objects::{ObjectKey, ObjectMeta, PutCondition};
use tokio::time::{Instant, timeout_at};

use super::{
    index::{ObjectVersion, StreamIndex},
    objects::RawObjects,
    saved::{self, UnusableIndex},
};
use crate::{
    domain::{saved_index, stream::StreamName},
    error::{Error, chain},
};

/// Objects that are read at once when a stream is new.
const CONCURRENT_READS: usize = 8;
/// Streams of fewer objects have no saved index, and none is looked for.
pub const SAVED_FROM_OBJECTS: usize = 16;
/// An index is saved when so many objects were read since it was saved last,
const SAVED_EVERY_OBJECTS: usize = 64;
/// and not more of it is written than this for each of them.
const SAVED_BYTES_PER_OBJECT: usize = 16 << 10;

/// An index that knows how to become that of what the store has now.
///
/// Whatever is read stays when the work is broken off, so that the next one goes on from there.
#[derive(Debug)]
pub struct GrowingIndex {
    index: Arc<StreamIndex>,
    /// Where it is saved; `None` when it is not.
    place: Option<Place>,
    /// Whether the saved one was looked for.
    is_restored: bool,
    /// Objects that were read since it was saved.
    unsaved_objects: usize,
    saved_bytes: usize,
    progress: Arc<Progress>,
}

#[derive(Debug)]
struct Place {
    stream: StreamName,
    /// Where the stream's objects are.
    prefix: String,
}

/// How far an index is that somebody else is at work on.
#[derive(Debug, Default)]
pub struct Progress {
    objects: AtomicUsize,
    size_bytes: AtomicUsize,
}

impl Progress {
    /// Objects that it has.
    pub fn objects(&self) -> usize {
        self.objects.load(Ordering::Relaxed)
    }

    /// Memory that it takes, roughly.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes.load(Ordering::Relaxed)
    }
}

impl GrowingIndex {
    /// An index that is saved nowhere.
    pub fn unsaved(index: StreamIndex) -> Self {
        Self {
            index: Arc::new(index),
            place: None,
            is_restored: true,
            unsaved_objects: 0,
            saved_bytes: 0,
            progress: Arc::default(),
        }
    }

    /// The index of a stream whose objects are under the prefix.
    pub fn saved(stream: StreamName, prefix: String) -> Self {
        let empty = Self::unsaved(StreamIndex::of_source(&stream.source));
        Self {
            place: Some(Place { stream, prefix }),
            is_restored: false,
            ..empty
        }
    }

    /// The index as it is; in order after [`Self::refresh`] has ended well.
    pub fn index(&self) -> &Arc<StreamIndex> {
        &self.index
    }

    /// How far it is.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Takes in what the store has now: reads the objects that it does not know yet, and counts
    /// those of the first `known` objects that are not listed any more as deleted. `known` is how
    /// many it had before they were listed. After an error it knows what was read until then.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Indexing`] when the time is over.
    pub async fn refresh(
        &mut self,
        objects: &RawObjects,
        listed: Vec<ObjectMeta>,
        known: usize,
        until: Option<Instant>,
    ) -> Result<(), Error> {
        if self.index.is_of(&listed) {
            return Ok(());
        }
        let (mut listed, mut known) = (listed, known);
        if !self.is_restored && listed.len() >= SAVED_FROM_OBJECTS {
            self.restore(objects, &listed).await?;
            self.is_restored = true;
            if let Some(place) = self.place.as_ref().filter(|_| self.has_others(&listed)) {
                // Put since then, or deleted? A listing tells that is younger than the saved index.
                known = self.index.objects().len();
                listed = objects.list(&place.prefix).await?;
            }
        }
        self.read(objects, &listed, until).await?;
        self.change(|index| index.lay_out(&listed, known));
        if self.is_worth_saving() {
            self.save(objects).await;
        }
        Ok(())
    }

    /// Saves what is not saved yet: nothing more is going to come.
    pub async fn save_rest(&mut self, objects: &RawObjects) {
        let is_large = self.index.objects().len() >= SAVED_FROM_OBJECTS;
        if self.unsaved_objects > 0 && is_large {
            self.save(objects).await;
        }
    }

    async fn read(
        &mut self,
        objects: &RawObjects,
        listed: &[ObjectMeta],
        until: Option<Instant>,
    ) -> Result<(), Error> {
        let new = listed.iter().filter(|meta| !self.index.has(meta));
        let new: Vec<ObjectMeta> = new.cloned().collect();
        let mut reads = stream::iter(new)
            .map(async |meta: ObjectMeta| {
                let runs = objects.runs(&meta.key).await?;
                Ok::<_, Error>((meta, runs))
            })
            .buffer_unordered(CONCURRENT_READS);
        loop {
            let next = match until {
                Some(until) => timeout_at(until, reads.next()).await,
                None => Ok(reads.next().await),
            };
            let read = match next {
                Ok(Some(read)) => read?,
                Ok(None) => return Ok(()),
                Err(_elapsed) => {
                    let known = listed.iter().filter(|meta| self.index.has(meta));
                    let (read, of) = (known.count(), listed.len());
                    return Err(Error::Indexing { read, of });
                }
            };
            // What was deleted meanwhile is not listed the next time.
            if let (meta, Some(runs)) = read {
                self.change(|index| index.push(&meta, runs));
                self.unsaved_objects += 1;
            }
            if self.is_worth_saving() {
                self.save(objects).await;
            }
        }
    }

    /// Changes the index, and a copy of it when somebody reads it.
    fn change(&mut self, change: impl FnOnce(&mut StreamIndex)) {
        let index = Arc::make_mut(&mut self.index);
        change(index);
        let Progress {
            objects,
            size_bytes,
        } = &*self.progress;
        objects.store(index.objects().len(), Ordering::Relaxed);
        size_bytes.store(index.size_bytes(), Ordering::Relaxed);
    }

    /// Whether it has objects that are not listed.
    fn has_others(&self, listed: &[ObjectMeta]) -> bool {
        let there = listed.iter().filter(|meta| self.index.has(meta)).count();
        there < self.index.objects().len()
    }

    /// Takes in the saved index. One that cannot be used is as good as none.
    async fn restore(&mut self, objects: &RawObjects, listed: &[ObjectMeta]) -> Result<(), Error> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let Ok(key) = ObjectKey::new(saved_index::key(&place.stream)) else {
            return Ok(());
        };
        let metrics = objects.metrics();
        let refused = |problem: &dyn std::fmt::Display| {
            metrics.indexes.refused.inc();
            tracing::warn!(%key, %problem, "saved index not used, the objects are read anew");
        };
        metrics.object_reads.inc();
        let bytes = match objects.store().get(&key).await {
            Ok(None) => return Ok(()),
            Ok(Some(object)) => object.bytes,
            // Nobody wants to read thousands of objects because one answer was lost.
            Err(error) if error.is_retryable() => return Err(error.into()),
            Err(error) => {
                refused(&chain(&error));
                return Ok(());
            }
        };
        self.saved_bytes = bytes.len();
        let prefix = place.prefix.clone();
        let versions: BTreeMap<_, _> = listed
            .iter()
            .map(|meta| (meta.key.clone(), ObjectVersion::of(meta)))
            .collect();
        let mut index = Arc::clone(&self.index);
        let decode = move || {
            let into = Arc::make_mut(&mut index);
            let decoded = saved::decode_into(into, &bytes, &prefix, |object| {
                let version = versions.get(&object.key);
                version.is_none_or(|version| *version == object.version)
            });
            Ok((index, decoded))
        };
        let (index, decoded): (_, Result<usize, UnusableIndex>) =
            objects.off_thread(decode).await?;
        match decoded {
            Ok(others) => {
                if others > 0 {
                    refused(&format!("{others} of its objects were written anew"));
                }
                metrics.indexes.loaded.inc();
                self.index = index;
                self.change(|_| {});
            }
            Err(problem) => refused(&problem),
        }
        Ok(())
    }

    fn is_worth_saving(&self) -> bool {
        let due = SAVED_EVERY_OBJECTS.max(self.saved_bytes / SAVED_BYTES_PER_OBJECT);
        self.place.is_some() && self.unsaved_objects >= due
    }

    /// Saves it, over whatever other processes have saved. When that fails, it is tried again after
    /// as many more objects.
    async fn save(&mut self, objects: &RawObjects) {
        let Some(place) = &self.place else {
            return;
        };
        let metrics = objects.metrics();
        match put(objects, place, Arc::clone(&self.index)).await {
            Ok(saved_bytes) => {
                self.saved_bytes = saved_bytes;
                metrics.indexes.saved.inc();
            }
            Err(error) => {
                metrics.indexes.save_failures.inc();
                let error = chain(&error);
                tracing::warn!(stream = %place.stream, error, "index not saved");
            }
        }
        self.unsaved_objects = 0;
    }
}

async fn put(objects: &RawObjects, place: &Place, index: Arc<StreamIndex>) -> Result<usize, Error> {
    let key = ObjectKey::new(saved_index::key(&place.stream))?;
    let name = key.to_string();
    let prefix = place.prefix.clone();
    let encode = move || {
        let bytes = saved::encode(&index, &prefix);
        bytes.map_err(|error| Error::Damaged {
            key: name,
            problem: error.to_string(),
        })
    };
    let bytes = objects.off_thread(encode).await?;
    let size_bytes = bytes.len();
    // The store refuses what is larger than one put may be: then there is no saved index.
    let put = objects.store().put(&key, bytes, PutCondition::Always);
    put.await?;
    Ok(size_bytes)
}
