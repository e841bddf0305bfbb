//! Objects that were deleted from the store: what they held is told as missing, and reading goes
//! on.

use std::{
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use moka_core::clock::{Clock, ManualClock, SystemClock};
use moka_log_broker::{
    archive::RawObjects,
    domain::{completeness::Verdict, cursor::Cursor, hits::Context, pattern::Pattern},
    serving::{
        Answer, Download, Encoding, Part, SearchRequest, SearchScope, Serving, SourceRequest,
        StreamRequest,
    },
};
use moka_objects::{
    ETag, Error, MemoryStore, Object, ObjectKey, ObjectMeta, ObjectStore, Page, PrefixPage,
    PutCondition,
};

use crate::{
    raw::{attempt, grammar, objects},
    serving::{LIMITS, driver_target, texts},
    stores,
    world::{FakeApplications, PATH, driver, serving},
};

fn key(number: usize) -> ObjectKey {
    let prefix = grammar().stream_prefix(&driver());
    ObjectKey::new(format!("{prefix}{number}.jsonl")).unwrap()
}

fn lines() -> Vec<String> {
    let line = |second| format!("2026-11-21T02:00:0{second}Z stdout F {second}");
    (0..9).map(line).collect()
}

pub(crate) async fn put(store: &dyn ObjectStore, key: &ObjectKey, bytes: Vec<u8>) {
    let put = store.put(key, bytes.into(), PutCondition::Always);
    put.await.unwrap();
}

/// Three objects of three lines each.
async fn ship(store: &dyn ObjectStore) {
    for (number, bytes) in objects(PATH, Some("7-1"), &lines(), 3)
        .into_iter()
        .enumerate()
    {
        put(store, &key(number), bytes).await;
    }
}

/// A process that keeps no object but the last one, an hour later.
pub(crate) fn process(store: Arc<dyn ObjectStore>) -> Serving {
    let applications = Arc::new(FakeApplications::default());
    applications.set(Some(Timestamp::UNIX_EPOCH));
    let later = SystemClock.now() + Duration::from_hours(1);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(later));
    let serving = serving(Arc::clone(&store), clock, &applications);
    Serving {
        objects: RawObjects::new(store, 0, serving.metrics.clone()),
        ..serving
    }
}

async fn read(serving: &Serving) -> Answer {
    let target = driver_target(serving).await;
    serving.read(&target, Cursor::Begin, LIMITS).await.unwrap()
}

/// Bytes of the driver's file, counted in lines.
fn in_lines(answer: &Answer) -> Vec<(u64, u64)> {
    let length = lines()[0].len() as u64 + 1;
    let gaps = answer.completeness.gaps.iter();
    gaps.map(|gap| (gap.start_bytes / length, gap.end_bytes / length))
        .collect()
}

async fn deleted_objects_are_told(store: Arc<dyn ObjectStore>) {
    ship(&*store).await;
    let serving = process(Arc::clone(&store));
    let whole = read(&serving).await;
    assert_eq!(whole.completeness.verdict, Verdict::Complete);

    store.delete(&key(1)).await.unwrap();
    let answer = read(&serving).await;
    assert_eq!(texts(&answer), ["0", "1", "2", "6", "7", "8"]);
    assert_eq!(answer.completeness.verdict, Verdict::Lost);
    assert_eq!(in_lines(&answer), [(3, 6)]);
    assert!(answer.finished);

    // Nothing comes after the last one: only who knew it can tell.
    store.delete(&key(2)).await.unwrap();
    let answer = read(&serving).await;
    assert_eq!(texts(&answer), ["0", "1", "2"]);
    assert_eq!(answer.completeness.verdict, Verdict::Lost);
    assert_eq!(in_lines(&answer), [(3, 9)]);

    ship(&*store).await;
    store.delete(&key(0)).await.unwrap();
    let answer = read(&serving).await;
    assert_eq!(texts(&answer), ["3", "4", "5", "6", "7", "8"]);
    assert_eq!(answer.completeness.verdict, Verdict::Truncated);
    assert_eq!(in_lines(&answer), [(0, 3)]);

    for number in 1..3 {
        store.delete(&key(number)).await.unwrap();
    }
    let answer = read(&serving).await;
    assert_eq!((texts(&answer).len(), answer.finished), (0, true));
    assert_eq!(in_lines(&answer), [(0, 9)]);
}

#[tokio::test]
async fn deleted_objects_of_a_directory_are_told_as_missing() {
    let (store, _guard) = stores::directory().await;
    deleted_objects_are_told(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_objects_of_an_s3_server_are_told_as_missing() {
    let (store, _guard) = stores::s3().await;
    deleted_objects_are_told(store).await;
}

#[tokio::test]
async fn what_another_object_holds_too_is_not_missing() {
    let store = Arc::new(MemoryStore::new());
    ship(&*store).await;
    let all = objects(PATH, Some("7-1"), &lines(), 9).remove(0);
    put(&*store, &key(9), all).await;
    let serving = process(Arc::clone(&store) as Arc<dyn ObjectStore>);
    read(&serving).await;
    store.delete(&key(9)).await.unwrap();
    let answer = read(&serving).await;
    assert_eq!(answer.lines.len(), 9);
    assert_eq!(answer.completeness.verdict, Verdict::Complete);
}

/// A store in which an object is deleted right before it is read.
#[derive(Debug)]
struct Vanishing {
    inner: MemoryStore,
    key: Mutex<Option<ObjectKey>>,
}

#[async_trait]
impl ObjectStore for Vanishing {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error> {
        self.inner.put(key, bytes, condition).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        self.inner.get(key).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error> {
        let vanishes = self
            .key
            .lock()
            .unwrap()
            .take_if(|vanishing| vanishing == key);
        if let Some(key) = vanishes {
            self.inner.delete(&key).await?;
        }
        self.inner.get_range(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        self.inner.head(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.inner.list(prefix, start_after, limit).await
    }

    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error> {
        self.inner.list_prefixes(prefix, start_after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        self.inner.delete(key).await
    }
}

/// A process that knows all objects, the middle one of which is deleted when it is read next.
async fn surprised() -> Serving {
    let inner = MemoryStore::new();
    ship(&inner).await;
    let store = Arc::new(Vanishing {
        inner,
        key: Mutex::default(),
    });
    let serving = process(Arc::clone(&store) as Arc<dyn ObjectStore>);
    read(&serving).await;
    *store.key.lock().unwrap() = Some(key(1));
    serving
}

#[tokio::test]
async fn reader_goes_on_when_an_object_is_deleted_in_between() {
    let answer = read(&surprised().await).await;
    assert_eq!(texts(&answer), ["0", "1", "2", "6", "7", "8"]);
    assert_eq!(in_lines(&answer), [(3, 6)]);
}

#[tokio::test]
async fn download_goes_on_when_an_object_is_deleted_in_between() {
    let serving = surprised().await;
    let target = driver_target(&serving).await;
    let start = Download::start(serving, target, Cursor::Begin, Encoding::Plain);
    let mut download = start.await.unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = download.next().await.unwrap() {
        match part {
            Part::Bytes(part, _) => bytes.extend(part),
            Part::End(_, completeness) => assert_eq!(completeness.verdict, Verdict::Lost),
        }
    }
    assert_eq!(bytes, b"0\n1\n2\n6\n7\n8\n");
}

#[tokio::test]
async fn search_goes_on_when_an_object_is_deleted_in_between() {
    let serving = surprised().await;
    let container = SourceRequest::Container {
        pod: String::new(),
        container: String::new(),
    };
    let request = SearchRequest {
        scope: SearchScope::Stream(StreamRequest {
            application_id: attempt().application_id,
            attempt_number: None,
            source: container,
        }),
        pattern: Pattern::regex("[1-7]", false).unwrap(),
        context: Context {
            before: 0,
            after: 0,
        },
        maximum_hits: 50,
    };
    let answer = serving.search(&request, None).await.unwrap();
    let hits: Vec<_> = answer.hits.iter().map(|(_, hit)| &*hit.line.text).collect();
    assert_eq!(hits, [b"1", b"2", b"6", b"7"]);
    assert_eq!(answer.completeness.verdict, Verdict::Lost);
}
