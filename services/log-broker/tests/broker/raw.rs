//! Raw objects as a shipper writes them, and a clock for the store.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use moka_core::{
    AttemptName,
    clock::{Clock, ManualClock},
};
use moka_log_broker::domain::keys::KeyGrammar;
use moka_objects::{MemoryStore, ObjectKey, ObjectMeta, ObjectStore, PutCondition};

pub(crate) const ATTEMPT: &str = "m01hf7yat00v2t9d4h5w8k3e6qz-1";
pub(crate) const FILE: &str = "spark-0123456789abcdef0123456789abcdef";

pub(crate) fn attempt() -> AttemptName {
    ATTEMPT.parse().unwrap()
}

pub(crate) fn grammar() -> KeyGrammar {
    KeyGrammar {
        containers: "logs/{shard}/{application}/{attempt}/containers/{pod}/{container}/"
            .parse()
            .unwrap(),
        events: "logs/{shard}/{application}/{attempt}/events/{file}/"
            .parse()
            .unwrap(),
    }
}

/// A store and the clock that dates its objects.
pub(crate) struct Store {
    pub(crate) memory: MemoryStore,
    pub(crate) clock: Arc<ManualClock>,
}

impl Store {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-21T03:00:00Z".parse().unwrap()));
        Self {
            memory: MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(crate) async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let key = ObjectKey::new(key).unwrap();
        self.memory
            .put(&key, bytes.into(), PutCondition::Always)
            .await
            .unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Bytes> {
        let key = ObjectKey::new(key).unwrap();
        Some(self.memory.get(&key).await.unwrap()?.bytes)
    }

    pub(crate) async fn list(&self, prefix: &str) -> Vec<ObjectMeta> {
        self.memory.list(prefix, None, 1000).await.unwrap().objects
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        self.list(prefix)
            .await
            .into_iter()
            .map(|object| object.key.to_string())
            .collect()
    }
}

/// The records of consecutive lines, as one object. `generation` as log-shipper tells it.
pub(crate) fn object(
    path: &str,
    generation: Option<&str>,
    offset: u64,
    lines: &[impl AsRef<str>],
) -> Vec<u8> {
    let mut offset = offset;
    let mut object = Vec::new();
    for line in lines {
        let line = line.as_ref();
        let mut record =
            serde_json::json!({"path": path, "offset": offset, "log": line, "date": 0});
        if let Some(generation) = generation {
            record["generation"] = generation.into();
        }
        object.extend_from_slice(record.to_string().as_bytes());
        object.push(b'\n');
        offset += line.len() as u64 + 1;
    }
    object
}

/// The same lines as objects of so many lines each.
pub(crate) fn objects(
    path: &str,
    generation: Option<&str>,
    lines: &[String],
    lines_per_object: usize,
) -> Vec<Vec<u8>> {
    let mut offset = 0;
    let mut objects = Vec::new();
    for lines in lines.chunks(lines_per_object) {
        objects.push(object(path, generation, offset, lines));
        offset += lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>();
    }
    objects
}

pub(crate) fn text(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| line.bytes().chain([b'\n']))
        .collect()
}
