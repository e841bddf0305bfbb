//! What the catalogue must do on every database, as one function that tests stamp on SQLite and
//! PostgreSQL.

use jiff::Timestamp;
use moka_core::{ApplicationId, clock::ManualClock, entropy::SeededEntropy};
use moka_db::{Error, PoolOptions};

use super::{
    ApplicationFilter, AttemptKey, LogState, LogUpdate, Saved, SeenAttempt, Store, Summary,
};
use crate::domain::{
    fold::Snapshot,
    log_reader::LogReader,
    model::{Application, SparkTime},
};

/// Runs the whole suite against the empty database at `url`.
///
/// # Errors
/// The first database error that no step expects.
///
/// # Panics
/// When the catalogue answers otherwise than the suite demands.
pub async fn run(url: &str) -> Result<(), Error> {
    let store = Store::open(url, PoolOptions::default()).await?;
    let again = Store::open(url, PoolOptions::default());
    if !url.contains(":memory:") {
        again.await?;
    }
    the_cursor_is_kept(&store).await?;
    attempts_are_found_by_both_ids(&store).await?;
    an_older_record_changes_nothing(&store).await?;
    settled_and_abandoned_logs_are_not_read_again(&store).await?;
    rows_read_back_in_pages(&store).await?;
    saving_twice_is_saving_once(&store).await?;
    a_replica_that_is_behind_writes_nothing(&store).await?;
    another_log_replaces_all_rows(&store).await?;
    applications_are_listed_by_their_end(&store).await
}

/// The attempt of that number of the application that `seed` stands for, the same on every call.
fn key(seed: u64, attempt_number: u32) -> AttemptKey {
    // An id begins with the time, so a clock that goes on would give each call another one.
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let application_id = ApplicationId::mint(&clock, &SeededEntropy::new(seed));
    AttemptKey {
        application_id,
        attempt_number,
    }
}

fn seen(key: AttemptKey, spark_application_id: &str, submission_version: i64) -> SeenAttempt {
    SeenAttempt {
        key,
        spark_application_id: spark_application_id.to_owned(),
        submission_version,
        ended_at: None,
    }
}

/// A log with two jobs that share nothing, a stage each, and three executors.
fn snapshot() -> Snapshot {
    let lines = [
        r#"{"Event":"SparkListenerApplicationStart","App Name":"n","App ID":"spark-1","Timestamp":1,"User":"u"}"#,
        r#"{"Event":"SparkListenerExecutorAdded","Timestamp":2,"Executor ID":"2","Executor Info":{"Host":"h","Total Cores":2}}"#,
        r#"{"Event":"SparkListenerExecutorAdded","Timestamp":2,"Executor ID":"10","Executor Info":{"Host":"h","Total Cores":2}}"#,
        r#"{"Event":"SparkListenerExecutorAdded","Timestamp":2,"Executor ID":"driver","Executor Info":{"Host":"h","Total Cores":0}}"#,
        r#"{"Event":"SparkListenerJobStart","Job ID":9,"Submission Time":3,"Stage IDs":[1],"Stage Infos":[{"Stage ID":1,"Stage Attempt ID":0,"Stage Name":"s","Number of Tasks":4}]}"#,
        r#"{"Event":"SparkListenerJobStart","Job ID":10,"Submission Time":3,"Stage IDs":[2],"Stage Infos":[{"Stage ID":2,"Stage Attempt ID":0,"Stage Name":"s","Number of Tasks":4}]}"#,
        r#"{"Event":"SparkListenerJobEnd","Job ID":9,"Completion Time":4,"Job Result":{"Result":"JobFailed","Exception":{"Message":"boom ä"}}}"#,
    ];
    let mut reader = LogReader::default();
    let text = lines.join("\n");
    reader
        .feed(
            "events_1_a",
            &crate::domain::codec::Codec::Plain,
            text.as_bytes(),
        )
        .expect("plain chunks are always read");
    reader.close("events_1_a");
    assert_eq!(
        reader.tally().event_count,
        7,
        "all lines of the sample are events"
    );
    reader.fold().snapshot()
}

fn summary(snapshot: &Snapshot, event_bytes: u64) -> Summary {
    Summary {
        application: snapshot.application.clone(),
        event_bytes,
        ..Summary::default()
    }
}

async fn save(
    store: &Store,
    key: AttemptKey,
    snapshot: &Snapshot,
    summary: &Summary,
    log_state: LogState,
    replaces_all: bool,
) -> Result<Saved, Error> {
    let jobs: Vec<_> = snapshot.jobs.iter().collect();
    let stages: Vec<_> = snapshot.stages.iter().collect();
    let executors: Vec<_> = snapshot.executors.iter().collect();
    let update = LogUpdate {
        log_state,
        log_problem: "",
        summary,
        jobs: &jobs,
        stages: &stages,
        executors: &executors,
        replaces_all,
    };
    store.save(key, &update).await
}

async fn the_cursor_is_kept(store: &Store) -> Result<(), Error> {
    assert_eq!(store.watch_cursor().await?, None);
    store.record_attempts(&[], Some("first")).await?;
    store.record_attempts(&[], None).await?;
    assert_eq!(store.watch_cursor().await?.as_deref(), Some("first"));
    store.record_attempts(&[], Some("")).await?;
    assert_eq!(
        store.watch_cursor().await?,
        None,
        "an empty cursor asks for a snapshot"
    );
    Ok(())
}

async fn attempts_are_found_by_both_ids(store: &Store) -> Result<(), Error> {
    let (first, second) = (key(1, 1), key(1, 2));
    store
        .record_attempts(
            &[seen(first, "spark-a", 1), seen(second, "spark-b", 1)],
            None,
        )
        .await?;
    let id = first.application_id.to_string();
    for (id, number, expected) in [
        (id.as_str(), 0, Some(second)),
        (id.as_str(), 1, Some(first)),
        (id.as_str(), 3, None),
        ("spark-a", 0, Some(first)),
        ("spark-b", 2, Some(second)),
        ("spark-b", 1, None),
        ("spark-c", 0, None),
        ("", 0, None),
    ] {
        let found = store.find_attempt(id, number).await?;
        assert_eq!(found.map(|record| record.key), expected, "{id} {number}");
    }
    let snapshot = snapshot();
    save(
        store,
        first,
        &snapshot,
        &summary(&snapshot, 5),
        LogState::Indexing,
        false,
    )
    .await?;
    let last_read = store.find_attempt(&id, 0).await?;
    assert_eq!(
        last_read.map(|record| record.key),
        Some(first),
        "the one whose log was read"
    );
    Ok(())
}

async fn an_older_record_changes_nothing(store: &Store) -> Result<(), Error> {
    let key = key(2, 1);
    store
        .record_attempts(&[seen(key, "spark-new", 7)], None)
        .await?;
    store.record_attempts(&[seen(key, "", 6)], None).await?;
    let found = store
        .find_attempt(&key.application_id.to_string(), 1)
        .await?;
    assert_eq!(
        found.map(|record| record.spark_application_id).as_deref(),
        Some("spark-new")
    );
    Ok(())
}

async fn settled_and_abandoned_logs_are_not_read_again(store: &Store) -> Result<(), Error> {
    let (live, settled, abandoned, without_driver) = (key(3, 1), key(4, 1), key(5, 1), key(6, 1));
    let ended = SeenAttempt {
        ended_at: Some(1_000),
        ..seen(abandoned, "spark-old", 1)
    };
    let all = [
        seen(live, "spark-l", 1),
        seen(settled, "spark-s", 1),
        ended,
        seen(without_driver, "", 1),
    ];
    store.record_attempts(&all, None).await?;
    let snapshot = snapshot();
    save(
        store,
        settled,
        &snapshot,
        &summary(&snapshot, 5),
        LogState::Settled,
        false,
    )
    .await?;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.attempts_to_read(after, 2_000, 1).await?;
        let Some(record) = page.last() else { break };
        after = Some(record.key);
        found.push(record.key);
    }
    assert!(found.contains(&live) && found.is_sorted());
    for absent in [settled, abandoned, without_driver] {
        assert!(!found.contains(&absent), "{absent:?}");
    }
    Ok(())
}

async fn rows_read_back_in_pages(store: &Store) -> Result<(), Error> {
    let key = key(7, 1);
    store
        .record_attempts(&[seen(key, "spark-1", 1)], None)
        .await?;
    let snapshot = snapshot();
    let summary = Summary {
        is_incomplete: true,
        last_updated: Some(SparkTime(9)),
        event_count: 7,
        ..summary(&snapshot, 5)
    };
    save(store, key, &snapshot, &summary, LogState::Indexing, false).await?;
    let found = store
        .find_attempt(&key.application_id.to_string(), 1)
        .await?;
    assert_eq!(found.map(|record| record.summary), Some(summary));

    let jobs = store.list_jobs(key, None, 1).await?;
    assert!(jobs.goes_on);
    assert_eq!(jobs.items, snapshot.jobs[..1]);
    assert_eq!(jobs.items[0].failure.as_deref(), Some("boom ä"));
    let jobs = store.list_jobs(key, Some(9), 1).await?;
    assert_eq!(
        (jobs.items.as_slice(), jobs.goes_on),
        (&snapshot.jobs[1..], false)
    );
    assert_eq!(
        store.find_job(key, 10).await?,
        Some(snapshot.jobs[1].clone())
    );
    assert_eq!(store.find_job(key, 8).await?, None);
    assert_eq!(
        store.list_stages(key, None, 10).await?.items,
        snapshot.stages
    );
    assert_eq!(
        store.list_stages(key, Some((1, 0)), 10).await?.items,
        snapshot.stages[1..]
    );
    let executors = store.list_executors(key, None, 10).await?.items;
    let ids: Vec<_> = executors
        .iter()
        .map(|executor| executor.id.as_str())
        .collect();
    assert_eq!(
        ids,
        ["10", "2", "driver"],
        "as text, like the History Server"
    );
    assert_eq!(
        store.list_executors(key, Some("2"), 10).await?.items,
        executors[2..]
    );
    Ok(())
}

async fn saving_twice_is_saving_once(store: &Store) -> Result<(), Error> {
    let key = key(8, 1);
    store
        .record_attempts(&[seen(key, "spark-1", 1)], None)
        .await?;
    let snapshot = snapshot();
    for _ in 0..2 {
        let saved = save(
            store,
            key,
            &snapshot,
            &summary(&snapshot, 5),
            LogState::Indexing,
            false,
        )
        .await?;
        assert_eq!(saved, Saved::Done);
    }
    assert_eq!(store.list_jobs(key, None, 10).await?.items, snapshot.jobs);
    Ok(())
}

async fn a_replica_that_is_behind_writes_nothing(store: &Store) -> Result<(), Error> {
    let key = key(9, 1);
    store
        .record_attempts(&[seen(key, "spark-1", 1)], None)
        .await?;
    let ahead = snapshot();
    let mut behind = snapshot();
    "older".clone_into(&mut behind.jobs[0].name);
    save(
        store,
        key,
        &ahead,
        &summary(&ahead, 5),
        LogState::Settled,
        false,
    )
    .await?;
    let saved = save(
        store,
        key,
        &behind,
        &summary(&behind, 4),
        LogState::Indexing,
        false,
    )
    .await?;
    assert_eq!(saved, Saved::Behind);
    assert_eq!(store.list_jobs(key, None, 10).await?.items, ahead.jobs);
    Ok(())
}

async fn another_log_replaces_all_rows(store: &Store) -> Result<(), Error> {
    let key = key(10, 1);
    store
        .record_attempts(&[seen(key, "spark-1", 1)], None)
        .await?;
    let old = snapshot();
    save(
        store,
        key,
        &old,
        &summary(&old, 5),
        LogState::Indexing,
        false,
    )
    .await?;
    let new = Snapshot {
        jobs: old.jobs[1..].to_vec(),
        stages: Vec::new(),
        ..old
    };
    save(
        store,
        key,
        &new,
        &summary(&new, 3),
        LogState::Indexing,
        true,
    )
    .await?;
    assert_eq!(store.list_jobs(key, None, 10).await?.items, new.jobs);
    assert_eq!(store.list_stages(key, None, 10).await?.items, []);
    Ok(())
}

async fn applications_are_listed_by_their_end(store: &Store) -> Result<(), Error> {
    let snapshot = snapshot();
    for (seed, id, start, end) in [
        (20, "spark-x1", 100, Some(500)),
        (21, "spark-x2", 200, Some(400)),
        (22, "spark-x3", 300, None),
    ] {
        let key = key(seed, 1);
        store.record_attempts(&[seen(key, id, 1)], None).await?;
        let application = Application {
            start_time: Some(SparkTime(start)),
            end_time: end.map(SparkTime),
            ..snapshot.application.clone()
        };
        let summary = Summary {
            application,
            is_completed: end.is_some(),
            event_bytes: 1,
            ..Summary::default()
        };
        save(store, key, &snapshot, &summary, LogState::Indexing, false).await?;
    }
    let from = ApplicationFilter {
        start_from: Some(SparkTime(100)),
        ..ApplicationFilter::default()
    };
    for (filter, expected) in [
        (from, &["spark-x1", "spark-x2", "spark-x3"][..]),
        (
            ApplicationFilter {
                is_completed: Some(false),
                ..from
            },
            &["spark-x3"],
        ),
        (
            ApplicationFilter {
                is_completed: Some(true),
                ..from
            },
            &["spark-x1", "spark-x2"],
        ),
        (
            ApplicationFilter {
                start_to: Some(SparkTime(250)),
                ..from
            },
            &["spark-x1", "spark-x2"],
        ),
        (
            ApplicationFilter {
                end_from: Some(SparkTime(450)),
                ..from
            },
            &["spark-x1", "spark-x3"],
        ),
        (
            ApplicationFilter {
                end_to: Some(SparkTime(450)),
                without_running: true,
                ..from
            },
            &["spark-x2"],
        ),
    ] {
        let all = store.list_applications(filter, None, 10).await?;
        let ids: Vec<_> = all
            .iter()
            .map(|one| one.spark_application_id.as_str())
            .collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
    let first = store.list_applications(from, None, 1).await?;
    let after = (SparkTime(500), first[0].spark_application_id.clone());
    let second = store.list_applications(from, Some(after), 1).await?;
    assert_eq!(second[0].spark_application_id, "spark-x2");
    Ok(())
}
