//! Logs are kept as long as the policy or a hold says, and deleted whole and with a proof.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use moka_core::{
    AttemptName, ErrorReason,
    clock::{Clock, ManualClock, SystemClock},
};
use moka_log_broker::{
    domain::{
        retention::{DeletionState, LogKind},
        saved_index,
        stream::{Source, StreamName},
    },
    serving::SourceRequest,
};
use moka_objects::{ObjectKey, ObjectMeta};

use crate::{
    keeping::{LOGS, Place, SHARD, days, logs_of},
    raw::{FILE, attempt, grammar},
    stores,
    world::driver,
};

async fn requested_deletion_is_whole_and_proven(place: Place) {
    place.fill().await;
    let mut keeper = place.keeper(&[]);
    let live = keeper.delete(&place).await.unwrap_err();
    assert_eq!(live.reason, ErrorReason::ApplicationLive);
    place.applications.set(Some(Timestamp::UNIX_EPOCH));
    assert_eq!(place.read().await, Ok(3));

    keeper.hold(&place, true).await;
    let held = keeper.delete(&place).await.unwrap_err();
    assert_eq!(held.reason, ErrorReason::LegalHold);
    assert!(held.message.contains("which bob set on"), "{held}");
    keeper.hold(&place, false).await;

    let mut expected = BTreeSet::new();
    for prefix in LOGS {
        expected.extend(place.list(prefix).await.into_iter().map(|object| {
            let ObjectMeta { key, etag, .. } = object;
            (key.to_string(), object.size_bytes, etag.to_string())
        }));
    }
    assert!(expected.len() >= 3 + 1 + 4, "{expected:?}");
    keeper.delete(&place).await.unwrap();
    // From now on they are not served, though none is deleted.
    assert_eq!(logs_of(&place).await.len(), expected.len());
    let error = place.read().await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::LogsDeleted);
    assert!(
        error
            .message
            .starts_with("the containers' logs are being deleted since 2")
    );
    assert!(error.message.ends_with("on request of ann"), "{error}");

    keeper.sweeper.finish_open().await;
    assert_eq!(logs_of(&place).await, BTreeSet::new());
    for kind in LogKind::ALL {
        assert_eq!(keeper.state(kind).await, Some(DeletionState::Deleted));
    }
    let proof: BTreeSet<_> = place.proof(2).await.into_iter().collect();
    assert_eq!(proof, expected);
    assert_eq!(
        keeper.metrics.retention.deleted_objects.get(),
        expected.len() as u64
    );
    let bytes: u64 = expected.iter().map(|(_, size_bytes, _)| size_bytes).sum();
    assert_eq!(keeper.metrics.retention.deleted_bytes.get(), bytes);
    let events = SourceRequest::EventLog {
        file: FILE.to_owned(),
    };
    for error in [place.read().await, place.read_source(events).await] {
        assert_eq!(error.unwrap_err().reason, ErrorReason::LogsDeleted);
    }

    // Asked again, nothing changes; what comes late is collected too, and the log not assembled.
    keeper.delete(&place).await.unwrap();
    keeper.sweeper.finish_open().await;
    assert_eq!(place.proof(1000).await.len(), expected.len());
    place.fill().await;
    assert_eq!(place.keys("eventlogs/").await, BTreeSet::new());
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(logs_of(&place).await, BTreeSet::new());
    assert_eq!(place.proof(3).await.len(), expected.len() + 4);
    assert_eq!(keeper.metrics.retention.failures.get(), 0);
}

#[tokio::test]
async fn requested_deletion_in_memory_is_whole_and_proven() {
    let (place, _) = Place::in_memory();
    place.applications.set(None);
    requested_deletion_is_whole_and_proven(place).await;
}

#[tokio::test]
async fn requested_deletion_in_a_directory_is_whole_and_proven() {
    let (store, guard) = stores::directory().await;
    requested_deletion_is_whole_and_proven(Place::of(store, Arc::new(SystemClock))).await;
    // A History Server would look into empty directories for ever.
    assert!(!guard.path().join("eventlogs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn requested_deletion_on_an_s3_server_is_whole_and_proven() {
    let (store, _guard) = stores::s3().await;
    requested_deletion_is_whole_and_proven(Place::of(store, Arc::new(SystemClock))).await;
}

#[tokio::test]
async fn policy_deletes_each_kind_when_its_time_is_over() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let all = logs_of(&place).await;
    let mut keeper = place.keeper(&["default=1/1/1", "project:etl=30/7/365"]);
    let second = SignedDuration::from_secs(1);
    clock.advance(days(7) - second);
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(keeper.state(LogKind::RawEvents).await, None);
    clock.advance(second);
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(
        keeper.state(LogKind::RawEvents).await,
        Some(DeletionState::Planned)
    );
    // Announced for a day, and served meanwhile.
    clock.advance(days(1) - second);
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(logs_of(&place).await, all);
    let events = || SourceRequest::EventLog {
        file: FILE.to_owned(),
    };
    assert_eq!(place.read_source(events()).await, Ok(2));
    clock.advance(second);
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(
        keeper.state(LogKind::RawEvents).await,
        Some(DeletionState::Deleted)
    );
    let error = place.read_source(events()).await.unwrap_err();
    assert!(
        error
            .message
            .ends_with("under the rule project:etl=30/7/365"),
        "{error}"
    );
    assert_eq!(place.read().await, Ok(3));
    assert_eq!(logs_of(&place).await.len(), all.len() - 1);

    // A late object keeps its kind for as long again.
    clock.advance(days(15));
    place.ship(3).await;
    for _ in 0..2 {
        clock.advance(days(15));
        keeper.sweeper.sweep(SHARD).await;
    }
    assert_eq!(
        keeper.state(LogKind::Containers).await,
        Some(DeletionState::Planned)
    );
    clock.advance(days(1));
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(place.keys("logs/").await, BTreeSet::new());
    assert_eq!(place.keys("eventlogs/").await.len(), all.len() - 4);

    clock.advance(days(365));
    for _ in 0..3 {
        keeper.sweeper.sweep(SHARD).await;
        clock.advance(days(1));
    }
    // Last goes the mark that kept the log from being assembled anew: nothing is looked at then.
    for prefix in ["logs/", "eventlogs/", "assembly/"] {
        assert_eq!(place.keys(prefix).await, BTreeSet::new());
    }
    assert_eq!(keeper.metrics.retention.failures.get(), 0);
}

#[tokio::test]
async fn hold_stops_the_policy_and_takes_announcements_back() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let mut keeper = place.keeper(&["default=1/1/1"]);
    clock.advance(days(1));
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(
        keeper.state(LogKind::Containers).await,
        Some(DeletionState::Planned)
    );
    keeper.hold(&place, true).await;
    let all = logs_of(&place).await;
    clock.advance(days(1000));
    keeper.sweeper.sweep(SHARD).await;
    keeper.sweeper.finish_open().await;
    assert_eq!(keeper.metrics.retention.held_applications.get(), 1);
    assert_eq!(logs_of(&place).await, all);
    assert_eq!(place.read().await, Ok(3));
    keeper.hold(&place, false).await;
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(keeper.metrics.retention.held_applications.get(), 0);
    assert_eq!(logs_of(&place).await, all);
    clock.advance(days(1));
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(logs_of(&place).await, BTreeSet::new());
}

#[tokio::test]
async fn clock_that_is_ahead_deletes_nothing() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let all = logs_of(&place).await;
    let years = days(3650);
    // This process's clock alone, then the store's alone.
    let ahead = Arc::new(ManualClock::new(clock.now() + years));
    let fast = Place {
        store: Arc::clone(&place.store),
        clock: ahead as Arc<dyn Clock>,
        applications: Arc::clone(&place.applications),
    };
    let right = Place {
        clock: Arc::new(ManualClock::new(clock.now())),
        store: Arc::clone(&place.store),
        applications: Arc::clone(&place.applications),
    };
    let mut keeper = fast.keeper(&["default=1/1/1"]);
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(keeper.state(LogKind::Containers).await, None);
    clock.advance(years);
    let mut keeper = right.keeper(&["default=1/1/1"]);
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(keeper.state(LogKind::Containers).await, None);
    // Both: it is announced, and taken back when one of them is right again.
    fast.keeper(&["default=1/1/1"]).sweeper.sweep(SHARD).await;
    assert_eq!(
        keeper.state(LogKind::Containers).await,
        Some(DeletionState::Planned)
    );
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(keeper.state(LogKind::Containers).await, None);
    assert_eq!(logs_of(&place).await, all);
}

#[tokio::test]
async fn what_is_anothers_stays() {
    let (place, _) = Place::in_memory();
    place.fill().await;
    let other: AttemptName = "m01hf7yat00v2t9d4h5w8k3e7qz-1".parse().unwrap();
    let foreign = [
        // Another application of the shard, another attempt, a key of no known form.
        format!("{}p/c/1.jsonl", grammar().containers_prefix(other)),
        format!(
            "logs/qz/{}/7/containers/p/c/1.jsonl",
            attempt().application_id
        ),
        format!("{}note.txt", grammar().containers_prefix(attempt())),
        "eventlogs/eventlog_v2_spark-9/events_1_spark-9".to_owned(),
        "eventlogs/eventlog_v2_spark-9/moka_manifest.json".to_owned(),
    ];
    for key in &foreign {
        let manifest = serde_json::json!({
            "application_id": other.application_id.to_string(), "attempt_number": 1,
            "spark_application_id": "spark-9", "state": "completed", "synthetic_end": false,
            "gaps": [], "chunk_count": 1, "assembled_bytes": 1,
        });
        place.put(key, manifest.to_string().into_bytes()).await;
    }
    // A checkpoint of ours that names another's directory.
    let checkpoint = format!("assembly/qz/{}/1/{FILE}.json", attempt().application_id);
    let key = ObjectKey::new(checkpoint.clone()).unwrap();
    let bytes = place.store.get(&key).await.unwrap().unwrap().bytes;
    place
        .put(&checkpoint.replace(FILE, "spark-9"), bytes.to_vec())
        .await;
    let keeper = place.keeper(&[]);
    keeper.delete(&place).await.unwrap();
    keeper.sweeper.finish_open().await;
    assert_eq!(keeper.metrics.retention.failures.get(), 0);
    assert_eq!(logs_of(&place).await, foreign.into_iter().collect());
}

#[tokio::test]
async fn large_application_is_deleted_in_batches() {
    let (place, _) = Place::in_memory();
    for number in 0..601 {
        place.ship(number).await;
    }
    let keeper = place.keeper(&[]);
    keeper.delete(&place).await.unwrap();
    keeper.sweeper.finish_open().await;
    let record = keeper
        .retention
        .record(attempt().application_id)
        .await
        .unwrap();
    let deletion = &record.deletions[&LogKind::Containers];
    assert_eq!((deletion.batch_count, deletion.object_count), (3, 601));
    let proof = place.proof(100).await;
    let keys: BTreeSet<_> = proof.iter().map(|(key, ..)| key).collect();
    assert_eq!((proof.len(), keys.len()), (601, 601));
}

#[tokio::test]
async fn saved_indexes_are_deleted_with_their_logs_and_proven() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let events = StreamName {
        attempt: attempt(),
        source: Source::EventLog {
            file: FILE.to_owned(),
        },
    };
    let indexes = [saved_index::key(&driver()), saved_index::key(&events)];
    for index in &indexes {
        place.put(index, b"index".to_vec()).await;
    }
    let mut keeper = place.keeper(&[]);
    keeper.delete(&place).await.unwrap();
    keeper.sweeper.finish_open().await;
    let proven = |proof: Vec<(String, u64, String)>, key: &str| {
        proof.iter().filter(|(proven, ..)| proven == key).count()
    };
    for index in &indexes {
        assert_eq!(proven(place.proof(1000).await, index), 1, "{index}");
    }
    clock.advance(days(2));
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(place.keys("assembly/").await, BTreeSet::new());

    // A replica that read the log before saves what it knows.
    place.put(&indexes[0], b"late".to_vec()).await;
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(place.keys("assembly/").await, BTreeSet::new());
    assert_eq!(proven(place.proof(1000).await, &indexes[0]), 2);
}

#[tokio::test]
async fn who_reads_a_log_does_not_keep_it() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let mut keeper = place.keeper(&["default=30/-/-"]);
    let index = saved_index::key(&driver());
    clock.advance(days(29));
    place.put(&index, b"index".to_vec()).await;
    for _ in 0..2 {
        clock.advance(days(1) + SignedDuration::from_hours(1));
        keeper.sweeper.sweep(SHARD).await;
    }
    let state = keeper.state(LogKind::Containers).await;
    assert_eq!(state, Some(DeletionState::Deleted));
    assert!(!place.keys("assembly/").await.contains(&index));

    // Nor does an index stay for ever whose log somebody else has deleted.
    let (place, clock) = Place::in_memory();
    place.put(&index, b"index".to_vec()).await;
    let mut keeper = place.keeper(&["default=30/-/-"]);
    for days_later in [31, 2] {
        clock.advance(days(days_later));
        keeper.sweeper.sweep(SHARD).await;
    }
    assert_eq!(place.keys("assembly/").await, BTreeSet::new());
}
