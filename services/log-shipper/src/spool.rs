//! Batches that the store does not take, on the node's disk until it does.

mod drain;
mod files;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

pub use self::drain::drain;
use crate::{domain::Batch, metrics::Metrics};

/// Marks of losses have so much more room than lines: a sixteenth of it.
const RESERVE: u64 = 16;
/// Marks that are kept in memory when even the disk is full.
const MAX_MARKS_IN_MEMORY: usize = 10_000;

/// The spool's directory. Clones share it.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    limit_bytes: u64,
    contents: Mutex<Contents>,
    arrived: Notify,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Contents {
    entries: BTreeMap<u64, Entry>,
    /// What the entries take on the disk, and what is being written.
    used_bytes: u64,
    last_number: u64,
}

#[derive(Debug)]
enum Entry {
    OnDisk { size_bytes: u64 },
    InMemory(Batch),
}

/// A batch cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The bound is reached, or the disk is full.
    #[error("the spool is full")]
    Full,
    /// The disk does not answer as it should.
    #[error("cannot write to the spool")]
    Disk(#[source] io::Error),
}

impl Spool {
    /// Opens the directory, or makes it, with what a run before has left there.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn open(directory: &Path, limit_bytes: u64, metrics: Metrics) -> io::Result<Self> {
        let sizes = files::open(directory)?;
        let contents = Contents {
            used_bytes: sizes.values().sum(),
            last_number: sizes.keys().last().copied().unwrap_or(0),
            entries: sizes
                .into_iter()
                .map(|(number, size_bytes)| (number, Entry::OnDisk { size_bytes }))
                .collect(),
        };
        let spool = Self {
            shared: Arc::new(Shared {
                directory: directory.to_owned(),
                limit_bytes,
                contents: Mutex::new(contents),
                arrived: Notify::new(),
                metrics,
            }),
        };
        spool.shared.measure(&spool.lock());
        Ok(spool)
    }

    /// Keeps a batch, durably.
    ///
    /// # Errors
    ///
    /// When there is no room for it, or the disk refuses.
    pub async fn put(&self, batch: &Batch) -> Result<(), SpoolError> {
        self.put_within(batch, self.shared.limit_bytes).await
    }

    /// Keeps the mark of a loss: durably, unless the disk is full. False when nothing can take it.
    pub async fn put_mark(&self, mark: Batch) -> bool {
        let limit_bytes = self.shared.limit_bytes + self.shared.limit_bytes / RESERVE;
        if self.put_within(&mark, limit_bytes).await.is_ok() {
            return true;
        }
        let mut contents = self.lock();
        let in_memory = |entry: &&Entry| matches!(entry, Entry::InMemory(_));
        if contents.entries.values().filter(in_memory).count() >= MAX_MARKS_IN_MEMORY {
            return false;
        }
        let number = contents.next_number();
        contents.entries.insert(number, Entry::InMemory(mark));
        self.shared.measure(&contents);
        self.shared.arrived.notify_one();
        true
    }

    async fn put_within(&self, batch: &Batch, limit_bytes: u64) -> Result<(), SpoolError> {
        let head = batch.head();
        let size_bytes = files::size_on_disk(head.len() as u64 + batch.object.len() as u64);
        let number = self.lock().reserve(size_bytes, limit_bytes)?;
        let path = self.path(number);
        let object = batch.object.clone();
        let written = tokio::task::spawn_blocking(move || files::write(&path, &head, &object))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)));
        let mut contents = self.lock();
        let result = match written {
            Ok(()) => {
                contents
                    .entries
                    .insert(number, Entry::OnDisk { size_bytes });
                self.shared.arrived.notify_one();
                Ok(())
            }
            Err(error) => {
                contents.used_bytes -= size_bytes;
                Err(files::error(error))
            }
        };
        self.shared.measure(&contents);
        result
    }

    /// The first batch after the one of that number.
    fn next_after(&self, number: u64) -> Option<u64> {
        let contents = self.lock();
        let mut later = contents.entries.range(number.saturating_add(1)..);
        later.next().map(|(number, _)| *number)
    }

    /// The bytes of a batch, as they are.
    async fn read(&self, number: u64) -> io::Result<Bytes> {
        if let Some(Entry::InMemory(mark)) = self.lock().entries.get(&number) {
            return Ok([mark.head(), mark.object.to_vec()].concat().into());
        }
        let path = self.path(number);
        let read = move || std::fs::read(path).map(Bytes::from);
        tokio::task::spawn_blocking(read)
            .await
            .map_err(io::Error::other)?
    }

    /// Removes what the store has taken.
    fn remove(&self, number: u64) {
        let mut contents = self.lock();
        let Some(entry) = contents.entries.remove(&number) else {
            return;
        };
        if let Entry::OnDisk { size_bytes } = entry {
            contents.used_bytes -= size_bytes;
            files::remove(&self.path(number));
        }
        self.shared.measure(&contents);
    }

    fn path(&self, number: u64) -> PathBuf {
        files::path(&self.shared.directory, number)
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        let contents = &self.shared.contents;
        contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn reserve(&mut self, size_bytes: u64, limit_bytes: u64) -> Result<u64, SpoolError> {
        if self.used_bytes + size_bytes > limit_bytes {
            return Err(SpoolError::Full);
        }
        self.used_bytes += size_bytes;
        Ok(self.next_number())
    }
}

impl Shared {
    fn measure(&self, contents: &Contents) {
        let metrics = &self.metrics;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.spool.set(number(contents.used_bytes));
        metrics.spool_limit.set(number(self.limit_bytes));
        metrics
            .spool_batches
            .set(number(contents.entries.len() as u64));
    }
}
