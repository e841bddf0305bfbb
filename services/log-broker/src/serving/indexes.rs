//! Indexes of streams that were read before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    archive::{RawObjects, StreamIndex},
    domain::{keys::KeyGrammar, stream::StreamName},
    error::Error,
};

/// Keeps the indexes that were used last. Clones share them.
#[derive(Debug, Clone)]
pub struct Indexes {
    entries: Arc<Mutex<Entries>>,
    maximum_bytes: usize,
}

#[derive(Debug, Default)]
struct Entries {
    by_stream: BTreeMap<StreamName, (Arc<StreamIndex>, u64)>,
    clock: u64,
}

impl Indexes {
    /// Keeps at most so many bytes of indexes, or the last one when it alone is larger.
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
    /// When the store fails.
    pub async fn refreshed(
        &self,
        objects: &RawObjects,
        grammar: &KeyGrammar,
        stream: &StreamName,
    ) -> Result<Arc<StreamIndex>, Error> {
        // First what was known: what is not listed after that is deleted, not new.
        let known = self.get(stream);
        let listed = objects.list(&grammar.stream_prefix(stream)).await?;
        let mut index = match known {
            Some(known) if !known.differs_from(&listed) => return Ok(known),
            Some(known) => StreamIndex::clone(&known),
            None => StreamIndex::of_source(&stream.source),
        };
        index.refresh(objects, listed).await?;
        let index = Arc::new(index);
        self.put(stream, &index);
        Ok(index)
    }

    fn get(&self, stream: &StreamName) -> Option<Arc<StreamIndex>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clock += 1;
        let clock = entries.clock;
        let (index, used) = entries.by_stream.get_mut(stream)?;
        *used = clock;
        Some(Arc::clone(index))
    }

    fn put(&self, stream: &StreamName, index: &Arc<StreamIndex>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clock += 1;
        let entry = (Arc::clone(index), entries.clock);
        entries.by_stream.insert(stream.clone(), entry);
        let size = |entries: &Entries| -> usize {
            entries
                .by_stream
                .values()
                .map(|(index, _)| index.size_bytes())
                .sum()
        };
        while entries.by_stream.len() > 1 && size(&entries) > self.maximum_bytes {
            let oldest = entries.by_stream.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(stream, _)| stream.clone()) else {
                break;
            };
            entries.by_stream.remove(&oldest);
        }
    }
}
