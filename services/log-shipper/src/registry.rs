//! All streams and how far they are.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    domain::{Progress, SourceKind, StreamId},
    metrics::{KindLabels, Metrics},
};

/// The streams of this node. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    streams: Arc<Mutex<BTreeMap<StreamId, Stream>>>,
}

/// One stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What kind it is.
    pub kind: SourceKind,
    /// What its keys begin with.
    pub key_prefix: String,
    /// What is acknowledged.
    pub progress: Progress,
    /// Length of the file when it was last looked at.
    pub size_bytes: u64,
    /// Since when the oldest byte that could be shipped has waited; `None` when there is none.
    pub late_since: Option<Instant>,
    /// Whether the file's name says that its writer is done with it.
    pub settled: bool,
    /// Whether the file is open and a task follows it.
    pub open: bool,
    /// Failures since the last success.
    pub failure_count: u32,
    /// The last of them, while there are.
    pub last_error: Option<String>,
}

/// What the registry knows about a file that was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Sighting {
    /// Nothing.
    New,
    /// There is nothing to do.
    Known,
    /// It was closed because it was settled, but has changed since.
    Grown(Progress),
}

/// A stream as `/streams` shows it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    path: &'a str,
    kind: SourceKind,
    key_prefix: &'a str,
    generation: String,
    offset_bytes: u64,
    size_bytes: u64,
    lag_bytes: u64,
    lag_seconds: u64,
    open: bool,
    settled: bool,
    failure_count: u32,
    last_error: Option<&'a str>,
}

impl Registry {
    /// Compares a file that was found with what is known.
    pub fn sighting(&self, id: &StreamId, size_bytes: u64, settled: bool) -> Sighting {
        let mut streams = self.lock();
        let Some(stream) = streams.get_mut(id) else {
            return Sighting::New;
        };
        stream.settled = settled;
        if stream.open || stream.progress.offset_bytes == size_bytes {
            Sighting::Known
        } else {
            Sighting::Grown(stream.progress.clone())
        }
    }

    /// Adds a stream, or replaces a closed one.
    pub fn insert(&self, id: StreamId, stream: Stream) {
        self.lock().insert(id, stream);
    }

    /// Changes a stream.
    pub fn update(&self, id: &StreamId, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.lock().get_mut(id) {
            change(stream);
        }
    }

    /// A copy of a stream.
    pub fn get(&self, id: &StreamId) -> Option<Stream> {
        self.lock().get(id).cloned()
    }

    /// Removes a stream.
    pub fn remove(&self, id: &StreamId) {
        self.lock().remove(id);
    }

    /// The streams that no task follows.
    pub fn closed(&self) -> Vec<StreamId> {
        let streams = self.lock();
        let closed = streams.iter().filter(|(_, stream)| !stream.open);
        closed.map(|(id, _)| id.clone()).collect()
    }

    /// Brings the gauges up to date.
    pub fn measure(&self, metrics: &Metrics) {
        let streams = self.lock();
        for kind in SourceKind::ALL {
            let of_kind = || streams.values().filter(|stream| stream.kind == kind);
            let lag: u64 = of_kind().map(Stream::lag_bytes).sum();
            let open = of_kind().filter(|stream| stream.open).count();
            let oldest = of_kind().map(Stream::lag).max().unwrap_or_default();
            let labels = KindLabels { kind };
            metrics
                .lag_seconds
                .get_or_create(&labels)
                .set(oldest.as_secs_f64());
            metrics
                .lag
                .get_or_create(&labels)
                .set(i64::try_from(lag).unwrap_or(i64::MAX));
            let open = i64::try_from(open).unwrap_or(i64::MAX);
            metrics.open_streams.get_or_create(&labels).set(open);
        }
    }

    /// All streams as JSON, for the admin port.
    pub fn to_json(&self) -> String {
        let streams = self.lock();
        let rows: Vec<_> = streams.iter().map(|(id, stream)| stream.row(id)).collect();
        serde_json::to_string_pretty(&rows).expect("rows have text keys only") + "\n"
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamId, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn lag_bytes(&self) -> u64 {
        self.size_bytes.saturating_sub(self.progress.offset_bytes)
    }

    fn lag(&self) -> Duration {
        self.late_since
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn row<'a>(&'a self, id: &'a StreamId) -> Row<'a> {
        Row {
            path: &id.path,
            kind: self.kind,
            key_prefix: &self.key_prefix,
            generation: self.progress.generation.to_string(),
            offset_bytes: self.progress.offset_bytes,
            size_bytes: self.size_bytes,
            lag_bytes: self.lag_bytes(),
            lag_seconds: self.lag().as_secs(),
            open: self.open,
            settled: self.settled,
            failure_count: self.failure_count,
            last_error: self.last_error.as_deref(),
        }
    }
}
