//! What the retention cannot do is told by its metrics, until it can.

use std::time::Duration;

use jiff::SignedDuration;
use moka_core::AttemptName;
use moka_log_broker::domain::retention::{LogKind, proof_key, record_key};
use moka_objects::ObjectKey;
use tokio_util::sync::CancellationToken;

use crate::{
    keeping::{Place, SHARD, days, logs_of},
    raw::attempt,
};

const GARBAGE: &[u8] = b"{\"application_id\":";

#[tokio::test]
async fn nothing_is_deleted_of_an_application_whose_holds_cannot_be_read_and_that_is_told() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let mut keeper = place.keeper(&["default=1/1/1"]);
    keeper.hold(&place, true).await;
    let AttemptName { application_id, .. } = attempt();
    let key = record_key(application_id);
    let intact = place.store.get(&ObjectKey::new(&*key).unwrap()).await;
    let intact = intact.unwrap().unwrap().bytes;
    place.put(&key, GARBAGE.to_vec()).await;

    let all = logs_of(&place).await;
    clock.advance(days(1000));
    keeper.sweeper.sweep(SHARD).await;
    clock.advance(days(1000));
    keeper.sweeper.sweep(SHARD).await;
    assert_eq!(logs_of(&place).await, all);
    let told = &keeper.metrics.retention;
    assert_eq!(told.unreadable_records.get(), 1);
    assert_eq!(told.held_applications.get(), 0);

    place.put(&key, intact.to_vec()).await;
    keeper.sweeper.sweep(SHARD).await;
    let told = &keeper.metrics.retention;
    assert_eq!(told.unreadable_records.get(), 0);
    assert_eq!(told.held_applications.get(), 1);
}

#[tokio::test]
async fn age_of_a_deletion_that_comes_to_no_end_is_told() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let keeper = place.keeper(&[]);
    keeper.delete(&place).await.unwrap();
    // A proof that cannot be read is not deleted by.
    let key = proof_key(attempt().application_id, LogKind::EventLogs, 1);
    place.put(&key, GARBAGE.to_vec()).await;
    clock.advance(SignedDuration::from_hours(7));
    keeper.sweeper.finish_open().await;
    let told = &keeper.metrics.retention;
    assert_eq!(told.oldest_deletion_seconds.get(), 7 * 3600);
    assert!(told.failures.get() > 0);

    keeper.hold(&place, true).await;
    keeper.sweeper.finish_open().await;
    assert_eq!(told.oldest_deletion_seconds.get(), 0);
    keeper.hold(&place, false).await;
    let key = ObjectKey::new(key).unwrap();
    place.store.delete(&key).await.unwrap();
    keeper.sweeper.finish_open().await;
    assert_eq!(told.oldest_deletion_seconds.get(), 0);
    assert!(logs_of(&place).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rounds_are_counted_when_they_end() {
    let (place, _) = Place::in_memory();
    let keeper = place.keeper(&[]);
    tokio::select! {
        () = keeper.sweeper.run(CancellationToken::new()) => panic!("nobody stopped it"),
        () = tokio::time::sleep(Duration::from_secs(10)) => {}
    }
    let rounds = keeper.metrics.retention.rounds.get();
    assert!((5..=10).contains(&rounds), "{rounds}");
}
