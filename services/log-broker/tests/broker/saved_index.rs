//! Indexes of streams survive processes: what one has read, another need not read again.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use moka_core::{ErrorReason, PublicError};
use moka_log_broker::{
    archive::{RawObjects, SAVED_FROM_OBJECTS},
    assembler::{AssemblySettings, EventLogAssembly},
    domain::{completeness::Verdict, cursor::Cursor, saved_index},
    error::Error,
    metrics::Metrics,
    serving::Serving,
};
use moka_objects::{
    FailingStore, Fault, FaultRates, MemoryStore, ObjectKey, ObjectStore, Operation,
};
use moka_proto::logs::v1::{ContainerSource, LogStreamName, ReadLogRequest, log_stream_name};
use moka_rpc::error_of;
use tokio::time::Instant;

use crate::{
    api::client_of,
    deleted::{process, put},
    raw::{FILE, attempt, grammar, object, objects},
    serving::{LIMITS, driver_target, texts},
    stores,
    world::{PATH, driver},
};

const LINES_PER_OBJECT: usize = 150;

fn key(name: &str) -> ObjectKey {
    let prefix = grammar().stream_prefix(&driver());
    ObjectKey::new(format!("{prefix}{name}.jsonl")).unwrap()
}

fn index_key() -> ObjectKey {
    ObjectKey::new(saved_index::key(&driver())).unwrap()
}

fn lines(object_count: usize) -> Vec<String> {
    let start: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
    let line = |number: usize| {
        let time = start + Duration::from_millis(number as u64);
        format!("{time} stdout F {number}")
    };
    (0..object_count * LINES_PER_OBJECT).map(line).collect()
}

/// A process that reads each object once.
fn remembering(store: &Arc<dyn ObjectStore>) -> Serving {
    let serving = process(Arc::clone(store));
    Serving {
        objects: RawObjects::new(Arc::clone(store), 64 << 20, serving.metrics.clone()),
        ..serving
    }
}

/// Puts so many objects, under names that do not follow the order of their lines.
async fn ship(store: &dyn ObjectStore, object_count: usize) {
    let bytes = objects(PATH, Some("7-1"), &lines(object_count), LINES_PER_OBJECT);
    for (number, bytes) in bytes.into_iter().enumerate() {
        put(store, &named(number), bytes).await;
    }
}

fn named(number: usize) -> ObjectKey {
    key(&format!("{:03}-{number}", number * 7 % 100))
}

/// The text of the last lines, and how many objects were read for them.
async fn tail(serving: &Serving, line_count: usize) -> (Vec<String>, u64) {
    let before = serving.metrics.object_reads.get();
    let target = driver_target(serving).await;
    let cursor = serving.tail(&target, line_count).await.unwrap();
    let answer = serving.read(&target, cursor, LIMITS).await.unwrap();
    (texts(&answer), serving.metrics.object_reads.get() - before)
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

async fn saved(store: &dyn ObjectStore) -> Option<Vec<u8>> {
    let object = store.get(&index_key()).await.unwrap();
    object.map(|object| object.bytes.to_vec())
}

async fn cold_tail_reads_little(store: Arc<dyn ObjectStore>) {
    const COUNT: usize = 100 * LINES_PER_OBJECT;
    ship(&*store, 100).await;
    let first = process(Arc::clone(&store));
    let (texts, read_count) = tail(&first, 100).await;
    assert_eq!(texts, numbers(COUNT - 100..COUNT));
    assert!(read_count >= 100, "{read_count}");

    let (texts, read_count) = tail(&process(Arc::clone(&store)), 100).await;
    assert_eq!(texts, numbers(COUNT - 100..COUNT));
    assert_eq!(read_count, 2);

    // Old lines come again, last of all and cut in other places.
    let lines = lines(100);
    let offset: u64 = lines[..700].iter().map(|line| line.len() as u64 + 1).sum();
    let again = object(PATH, Some("7-1"), offset, &lines[700..950]);
    put(&*store, &key("zzz-again"), again).await;
    for expected_reads in [3, 2] {
        let (texts, read_count) = tail(&process(Arc::clone(&store)), 100).await;
        assert_eq!(texts, numbers(COUNT - 100..COUNT));
        assert_eq!(read_count, expected_reads);
    }
}

#[tokio::test]
async fn cold_tail_of_a_large_log_in_a_directory_reads_an_index_and_an_object() {
    let (store, _guard) = stores::directory().await;
    cold_tail_reads_little(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cold_tail_of_a_large_log_on_an_s3_server_reads_an_index_and_an_object() {
    let (store, _guard) = stores::s3().await;
    cold_tail_reads_little(store).await;
}

#[tokio::test]
async fn small_streams_have_no_index_and_cost_no_read_more() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, SAVED_FROM_OBJECTS - 1).await;
    for _ in 0..2 {
        let serving = remembering(&store);
        assert_eq!(tail(&serving, 1).await.1, SAVED_FROM_OBJECTS as u64 - 1);
        let listed = store.list("assembly/", None, 10).await.unwrap();
        assert_eq!(listed.objects, []);
    }
    ship(&*store, SAVED_FROM_OBJECTS).await;
    tail(&process(Arc::clone(&store)), 1).await;
    assert!(saved(&*store).await.is_some());
}

/// Every read of an object takes a second, of a store that is read by eight at a time.
fn slow(store: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    let rates = FaultRates {
        slow_per_mille: 1000,
        delay: Duration::from_secs(1),
        ..FaultRates::default()
    };
    Arc::new(FailingStore::seeded(Arc::clone(store), 1, rates))
}

#[tokio::test(start_paused = true)]
async fn call_that_comes_to_its_deadline_tells_how_far_it_is_and_the_next_goes_on() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 60).await;
    let serving = process(slow(&store));
    let target = driver_target(&serving).await;
    let mut far = vec![0];
    let cursor = loop {
        let answer_by = Instant::now() + Duration::from_secs(6);
        let call = serving.clone().answering_by(Some(answer_by));
        match call.tail(&target, 100).await {
            Ok(cursor) => break cursor,
            Err(Error::Indexing { read, of: 60 }) => far.push(read),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(far.len() > 2 && far.is_sorted_by(|a, b| a < b), "{far:?}");
    let answer = serving.read(&target, cursor, LIMITS).await.unwrap();
    assert_eq!(texts(&answer), numbers(8900..9000));
    // At most those that were being read at a deadline were read again.
    let reads = serving.metrics.object_reads.get();
    assert!(reads <= 62 + 8 * far.len() as u64, "{reads} for {far:?}");

    let error = PublicError::from(Error::Indexing { read: 3, of: 60 });
    assert_eq!(error.reason, ErrorReason::DeadlineExceeded);
    assert!(error.message.starts_with("3 of 60 objects"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_read_that_went_away_is_not_read_again() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 60).await;
    let serving = remembering(&slow(&store));
    let target = driver_target(&serving).await;
    let left = tokio::time::timeout(Duration::from_secs(5), serving.tail(&target, 1));
    assert!(left.await.is_err());
    let reads_before = serving.metrics.object_reads.get();
    assert!((8..60).contains(&reads_before), "{reads_before}");
    assert_eq!(tail(&serving, 8999).await.0, numbers(1..1001));
    let reads = serving.metrics.object_reads.get();
    // Each once, the eight that were broken off, and the saved index that there is not.
    assert!(reads <= 60 + 8 + 1, "{reads}");
}

#[tokio::test]
async fn index_that_cannot_be_used_is_made_anew() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 20).await;
    tail(&process(Arc::clone(&store)), 1).await;
    let good = saved(&*store).await.unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut other_version = good.clone();
    other_version[8] += 1;
    for bad in [
        Vec::new(),
        b"{}".to_vec(),
        good[..good.len() - 1].to_vec(),
        flipped,
        other_version,
    ] {
        put(&*store, &index_key(), bad).await;
        let serving = process(Arc::clone(&store));
        assert_eq!(tail(&serving, 2).await.0, ["2998", "2999"]);
        assert_eq!(serving.metrics.indexes.refused.get(), 1);
        assert_eq!(serving.metrics.indexes.loaded.get(), 0);
        assert_eq!(serving.metrics.indexes.saved.get(), 1);
        let after = process(Arc::clone(&store));
        assert_eq!(tail(&after, 2).await, (numbers(2998..3000), 2));
    }
}

#[tokio::test]
async fn object_that_was_written_anew_is_read_anew() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 20).await;
    tail(&process(Arc::clone(&store)), 1).await;
    let last = &lines(20)[19 * LINES_PER_OBJECT..];
    let offset: usize = lines(20)[..19 * LINES_PER_OBJECT]
        .iter()
        .map(|line| line.len() + 1)
        .sum();
    let shorter = object(PATH, Some("7-1"), offset as u64, &last[..100]);
    put(&*store, &named(19), shorter).await;
    let serving = process(Arc::clone(&store));
    let (texts, reads) = tail(&serving, 2).await;
    assert_eq!((texts, reads), (numbers(2948..2950), 2));
    assert_eq!(serving.metrics.indexes.refused.get(), 1);
    assert_eq!(serving.metrics.indexes.loaded.get(), 1);
    let target = driver_target(&serving).await;
    let answer = serving.read(&target, Cursor::Begin, LIMITS).await.unwrap();
    assert_eq!(answer.completeness.gaps, []);
}

#[tokio::test]
async fn save_that_fails_or_is_broken_off_harms_nobody() {
    for fault in [Fault::Before, Fault::After] {
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
        ship(&*store, 20).await;
        let failing = Arc::new(FailingStore::scripted(Arc::clone(&store)));
        failing.next(Operation::Put, fault);
        let serving = process(Arc::clone(&failing) as Arc<dyn ObjectStore>);
        assert_eq!(tail(&serving, 2).await.0, ["2998", "2999"]);
        assert_eq!(serving.metrics.indexes.save_failures.get(), 1);
        // The process is killed; another one goes on with or without what it saved.
        assert_eq!(saved(&*store).await.is_some(), fault == Fault::After);
        for _ in 0..2 {
            let serving = process(Arc::clone(&store));
            assert_eq!(tail(&serving, 2).await.0, ["2998", "2999"]);
        }
        let reads = tail(&process(Arc::clone(&store)), 2).await.1;
        assert_eq!(reads, 2);
    }
}

#[tokio::test]
async fn replicas_that_save_different_things_do_not_mislead_each_other() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 20).await;
    tail(&process(Arc::clone(&store)), 1).await;
    let older = saved(&*store).await.unwrap();
    ship(&*store, 30).await;
    // `ship` has written the first twenty again, so all are new to it.
    tail(&process(Arc::clone(&store)), 1).await;
    let newer = saved(&*store).await.unwrap();
    for index in [&older, &newer, &older] {
        put(&*store, &index_key(), index.clone()).await;
        let serving = process(Arc::clone(&store));
        assert_eq!(tail(&serving, 3).await.0, numbers(4497..4500));
        let target = driver_target(&serving).await;
        let answer = serving.read(&target, Cursor::Begin, LIMITS).await.unwrap();
        assert_eq!(answer.completeness.gaps, []);
        assert_eq!(texts(&answer), numbers(0..LIMITS.lines));
    }
}

#[tokio::test]
async fn deletion_after_the_save_is_told_by_every_process() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 20).await;
    tail(&process(Arc::clone(&store)), 1).await;
    store.delete(&named(19)).await.unwrap();
    for _ in 0..2 {
        let serving = process(Arc::clone(&store));
        let (texts, _) = tail(&serving, 2).await;
        assert_eq!(texts, numbers(2848..2850));
        let target = driver_target(&serving).await;
        let end = serving.tail(&target, 1).await.unwrap();
        let answer = serving.read(&target, end, LIMITS).await.unwrap();
        assert_eq!(answer.completeness.verdict, Verdict::Lost);
        let size = |line: &String| line.len() as u64 + 1;
        let whole: u64 = lines(20).iter().map(size).sum();
        let gap = &answer.completeness.gaps[0];
        assert_eq!((gap.end_bytes, answer.completeness.gaps.len()), (whole, 1));
    }
}

#[tokio::test]
async fn lost_answer_is_not_taken_for_a_stream_without_an_index() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 20).await;
    let failing = Arc::new(FailingStore::scripted(Arc::clone(&store)));
    let serving = process(Arc::clone(&failing) as Arc<dyn ObjectStore>);
    let target = driver_target(&serving).await;
    failing.next(Operation::Get, Fault::Before);
    let error = serving.tail(&target, 1).await.unwrap_err();
    assert!(matches!(error, Error::Objects(_)), "{error}");
    assert_eq!(serving.metrics.object_reads.get(), 1);
    assert_eq!(tail(&serving, 1).await.0, ["2999"]);
}

#[tokio::test(start_paused = true)]
async fn caller_hears_how_far_the_index_is_before_its_deadline() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    ship(&*store, 20).await;
    let stuck = FailingStore::scripted(store);
    for _ in 0..20 {
        stuck.next(Operation::GetRange, Fault::Slow(Duration::from_hours(1)));
    }
    let mut client = client_of(process(Arc::new(stuck)));
    let stream = LogStreamName {
        application_id: attempt().application_id.to_string(),
        attempt_number: 0,
        source: Some(log_stream_name::Source::Container(
            ContainerSource::default(),
        )),
    };
    let mut request = tonic::Request::new(ReadLogRequest {
        stream: Some(stream),
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(8));
    let error = error_of(&client.read_log(request).await.unwrap_err());
    assert_eq!(error.reason, ErrorReason::DeadlineExceeded);
    assert!(error.message.starts_with("0 of 20 objects"), "{error}");
}

#[tokio::test]
async fn assembler_that_begins_anew_reads_what_is_not_saved() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let prefix = format!("{}{FILE}/", grammar().events_prefix(attempt()));
    let path = format!("/var/lib/moka/events/{}/{FILE}", attempt());
    let lines: Vec<_> = (0..70)
        .map(|number| format!("{{\"Event\":{number}}}"))
        .collect();
    for (number, bytes) in objects(&path, Some("8-1"), &lines, 1)
        .into_iter()
        .enumerate()
    {
        let key = ObjectKey::new(format!("{prefix}{number:02}.jsonl")).unwrap();
        put(&*store, &key, bytes).await;
    }
    let settings = AssemblySettings {
        chunk_bytes: 1 << 20,
        chunk_interval: Duration::ZERO,
        settle: Duration::ZERO,
        synthetic_end: true,
    };
    let mut chunk_counts = Vec::new();
    for most_reads in [70 + 70 + 1, 1 + 6] {
        let metrics = Metrics::default();
        let objects = RawObjects::new(Arc::clone(&store), 0, metrics.clone());
        let listed = objects.list(&prefix).await.unwrap();
        let out = Arc::clone(&store);
        let assembly =
            EventLogAssembly::new(attempt(), FILE, objects, out, settings, metrics.clone());
        let mut assembly = assembly.with_saved_index(prefix.clone());
        assembly
            .advance(listed, None, Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        let reads = metrics.object_reads.get();
        assert!(reads <= most_reads, "{reads} of {most_reads}");
        chunk_counts.push(assembly.manifest().unwrap().chunk_count);
    }
    assert_eq!(chunk_counts, [1, 1]);
}
