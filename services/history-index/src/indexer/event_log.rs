//! One attempt's log in the object store, read as far as it has come.

use std::collections::BTreeMap;

use moka_objects::{ETag, ObjectMeta, ObjectStore};

use super::objects;
use crate::{
    domain::{
        fold::Snapshot,
        layout::{Chunk, Layout, ROOT, rolling_directory, sanitised},
        log_reader::{LogReader, Tally},
        manifest::{self, Manifest},
        model::SparkTime,
    },
    error::Error,
    store::{AttemptKey, LogState, Summary},
};

/// Bytes that are fetched at once.
const PIECE_BYTES: u64 = 4 << 20;
/// Bytes that are read of one log before others have their turn.
const TURN_BYTES: u64 = 64 << 20;

/// What was read, and what is known beside the events.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    reader: LogReader,
    manifest: Option<(ETag, Option<Manifest>)>,
    last_updated: Option<SparkTime>,
    has_gap: bool,
    is_finished: bool,
    /// What was read before is not this log any more, and nobody was told yet.
    is_rebuilding: bool,
}

/// How far a log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    tally: Tally,
    manifest: Option<ETag>,
    has_gap: bool,
    is_finished: bool,
}

/// What one look at the log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) state: LogState,
    /// Why it is refused.
    pub(super) problem: String,
    /// There is more to read.
    pub(super) has_more: bool,
    /// Chunks had changed, so that everything was read again.
    pub(super) was_rebuilt: bool,
}

impl EventLog {
    pub(super) fn tally(&self) -> Tally {
        self.reader.tally()
    }

    /// Changes with anything that the summary or a row depends on.
    pub(super) fn version(&self) -> Version {
        Version {
            tally: self.reader.tally(),
            manifest: self.manifest.as_ref().map(|(etag, _)| etag.clone()),
            has_gap: self.has_gap,
            is_finished: self.is_finished,
        }
    }

    pub(super) fn last_updated(&self) -> Option<SparkTime> {
        self.last_updated
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.reader.fold().snapshot()
    }

    /// The application as a whole, as the snapshot has it and the log's own state.
    pub(super) fn summary(&self, snapshot: &Snapshot) -> Summary {
        let application = snapshot.application.clone();
        let tally = self.reader.tally();
        let has_ends = application.start_time.is_some() && application.end_time.is_some();
        let manifest = self
            .manifest
            .as_ref()
            .and_then(|(_, manifest)| manifest.as_ref());
        Summary {
            is_completed: self.is_finished && application.end_time.is_some(),
            is_incomplete: self.has_gap
                || tally.is_incomplete()
                || (self.is_finished && !has_ends)
                || manifest.is_some_and(Manifest::is_incomplete),
            last_updated: self.last_updated,
            event_count: tally.event_count,
            event_bytes: tally.event_bytes,
            application,
        }
    }

    /// Reads what is new. Chunks do not change once they are there; when one did all the same,
    /// everything is read again.
    pub(super) async fn read(
        &mut self,
        objects: &dyn ObjectStore,
        key: AttemptKey,
        spark_application_id: &str,
    ) -> Result<Reading, Error> {
        let Some((directory, found, layout)) = locate(objects, spark_application_id).await? else {
            return Ok(Reading::of(LogState::Waiting));
        };
        if let Some(problem) = self.read_manifest(objects, key, &found).await? {
            return Ok(Reading::refused(problem));
        }
        if let Some(codec) = layout.unsupported_codec() {
            return Ok(Reading::refused(format!("codec {codec} is not supported")));
        }
        if self.has_changed(&directory, &found) {
            self.reader = LogReader::default();
            self.is_rebuilding = true;
        }
        let mut allowance = TURN_BYTES;
        let last = layout.chunks.len() - 1;
        for (place, chunk) in layout.chunks.iter().enumerate() {
            let name = format!("{directory}{}", chunk.name);
            let Some(meta) = found.get(&name) else {
                return Err(Error::Vanished(name));
            };
            let is_whole = self
                .read_chunk(objects, chunk, meta, &mut allowance)
                .await?;
            if !is_whole {
                return Ok(Reading {
                    has_more: true,
                    was_rebuilt: std::mem::take(&mut self.is_rebuilding),
                    ..Reading::of(LogState::Indexing)
                });
            }
            if place < last || layout.is_finished {
                self.reader.close(key_of(chunk));
            }
        }
        self.has_gap = layout.missing_index.is_some();
        self.is_finished = layout.is_finished;
        let state = if layout.is_finished {
            LogState::Settled
        } else {
            LogState::Indexing
        };
        Ok(Reading {
            was_rebuilt: std::mem::take(&mut self.is_rebuilding),
            ..Reading::of(state)
        })
    }

    /// Whether the chunk was read to its present end.
    async fn read_chunk(
        &mut self,
        objects: &dyn ObjectStore,
        chunk: &Chunk,
        meta: &ObjectMeta,
        allowance: &mut u64,
    ) -> Result<bool, Error> {
        let name = key_of(chunk);
        loop {
            let start = self.reader.stored_bytes(name);
            if self.reader.is_closed(name) || start >= meta.size_bytes {
                break;
            }
            if *allowance == 0 {
                return Ok(false);
            }
            let end = meta.size_bytes.min(start + PIECE_BYTES.min(*allowance));
            let piece = objects::get_range(objects, meta.key.as_str(), start..end).await?;
            *allowance = allowance.saturating_sub(piece.len() as u64);
            self.reader
                .feed(name, &chunk.codec, &piece)
                .map_err(Error::Chunk)?;
        }
        let modified = SparkTime(meta.modified.as_millisecond());
        self.last_updated = self.last_updated.max(Some(modified));
        Ok(true)
    }

    /// A chunk that is gone or shorter, or that grew after another one had followed.
    fn has_changed(&self, directory: &str, found: &BTreeMap<String, ObjectMeta>) -> bool {
        self.reader.chunk_names().any(|name| {
            let meta = found
                .get(&format!("{directory}{name}"))
                .or_else(|| found.get(&format!("{directory}{name}.inprogress")));
            let read = self.reader.stored_bytes(name);
            meta.is_none_or(|meta| {
                meta.size_bytes < read || (self.reader.is_closed(name) && meta.size_bytes > read)
            })
        })
    }

    /// Reads the manifest when it is new. The answer says why the log is not this attempt's.
    async fn read_manifest(
        &mut self,
        objects: &dyn ObjectStore,
        key: AttemptKey,
        found: &BTreeMap<String, ObjectMeta>,
    ) -> Result<Option<String>, Error> {
        let meta = found
            .values()
            .find(|meta| meta.key.name() == manifest::NAME);
        let Some(meta) = meta else { return Ok(None) };
        if self
            .manifest
            .as_ref()
            .is_none_or(|(etag, _)| *etag != meta.etag)
        {
            let bytes = objects::get(objects, meta.key.as_str()).await?;
            let manifest = bytes.and_then(|bytes| Manifest::parse(&bytes).ok());
            if manifest.is_none() {
                tracing::warn!(object.key = %meta.key, "the manifest of an event log cannot be read");
            }
            self.manifest = Some((meta.etag.clone(), manifest));
        }
        let manifest = self
            .manifest
            .as_ref()
            .and_then(|(_, manifest)| manifest.as_ref());
        let other = manifest.filter(|manifest| {
            manifest.application_id != key.application_id.to_string()
                || manifest.attempt_number != key.attempt_number
        });
        Ok(other.map(|manifest| {
            let Manifest {
                application_id,
                attempt_number,
                ..
            } = manifest;
            format!("its directory belongs to attempt {application_id}-{attempt_number}")
        }))
    }
}

impl Reading {
    fn of(state: LogState) -> Self {
        Self {
            state,
            problem: String::new(),
            has_more: false,
            was_rebuilt: false,
        }
    }

    fn refused(problem: String) -> Self {
        Self {
            problem,
            ..Self::of(LogState::Refused)
        }
    }
}

/// A single file keeps its identity when it is renamed at its end.
fn key_of(chunk: &Chunk) -> &str {
    chunk
        .name
        .strip_suffix(".inprogress")
        .unwrap_or(&chunk.name)
}

type Located = (String, BTreeMap<String, ObjectMeta>, Layout);

/// The rolling log of the application or, for want of one, its single file: the directory, the
/// objects there and the chunks among them.
async fn locate(objects: &dyn ObjectStore, spark_id: &str) -> Result<Option<Located>, Error> {
    let directory = rolling_directory(spark_id);
    let found = by_key(objects::list(objects, &directory).await?);
    if !found.is_empty() {
        let names = found.keys().filter_map(|key| key.strip_prefix(&directory));
        return Ok(Layout::of_rolling(names).map(|layout| (directory.clone(), found, layout)));
    }
    let found = by_key(objects::list(objects, &format!("{ROOT}{}", sanitised(spark_id))).await?);
    let names = found
        .keys()
        .filter_map(|key| key.strip_prefix(ROOT))
        .filter(|name| !name.contains('/'));
    Ok(Layout::of_single(spark_id, names).map(|layout| (ROOT.to_owned(), found, layout)))
}

fn by_key(objects: Vec<ObjectMeta>) -> BTreeMap<String, ObjectMeta> {
    objects
        .into_iter()
        .map(|meta| (meta.key.to_string(), meta))
        .collect()
}
