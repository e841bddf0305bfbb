//! Several processes look for what is due, and each shard is looked at by one of them at a time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::SignedDuration;
use moka_log_broker::{
    domain::retention::{DeletionState, LogKind},
    retention::SHARD_COUNT,
};
use moka_objects::{FailingStore, FaultRates, ObjectStore};

use crate::{
    keeping::{Keeper, Place, days},
    stores,
};

/// How long a shard that was looked at is left alone: 768 rounds of a second.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(768);

/// Both look at once, until neither finds a shard; says which shards each took.
async fn all_rounds(first: &mut Keeper, second: &mut Keeper) -> [Vec<usize>; 2] {
    let mut taken = [Vec::new(), Vec::new()];
    loop {
        let round = tokio::join!(first.sweeper.sweep_next(), second.sweeper.sweep_next());
        taken[0].extend(round.0);
        taken[1].extend(round.1);
        if round == (None, None) {
            return taken;
        }
    }
}

#[tokio::test]
async fn each_shard_is_looked_at_by_one_of_two_replicas() {
    let (place, clock) = Place::in_memory();
    let (mut first, mut second) = (place.keeper(&[]), place.keeper(&[]));
    for _ in 0..2 {
        let taken = all_rounds(&mut first, &mut second).await;
        let shards: BTreeSet<_> = taken.concat().into_iter().collect();
        assert_eq!(shards.len(), SHARD_COUNT);
        assert_eq!(taken.concat().len(), SHARD_COUNT);
        assert!(taken.iter().all(|taken| taken.len() > 300), "{taken:?}");
        clock.advance(LEFT_ALONE - SignedDuration::from_secs(1));
        assert_eq!(first.sweeper.sweep_next().await, None);
        clock.advance(SignedDuration::from_secs(1));
    }
    // A process that is started again goes on where the store says.
    let mut started_again = place.keeper(&[]);
    let first_shard = started_again.sweeper.sweep_next().await.unwrap();
    assert_ne!(first.sweeper.sweep_next().await, Some(first_shard));
}

#[tokio::test]
async fn policy_is_carried_out_by_two_replicas_of_which_one_fails_and_one_is_killed() {
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let rates = FaultRates {
        before_per_mille: 100,
        after_per_mille: 100,
        ..FaultRates::default()
    };
    for generation in 0..6 {
        clock.advance(days(10));
        let store = Arc::clone(&place.store);
        let failing = Arc::new(FailingStore::seeded(store, generation, rates));
        let mut first = place.keeper_on(failing as Arc<dyn ObjectStore>, &["default=1/1/1"]);
        let mut second = place.keeper(&["default=1/1/1"]);
        for _ in 0..SHARD_COUNT {
            let killed = Duration::from_millis(1);
            let _killed = tokio::time::timeout(killed, first.sweeper.sweep_next()).await;
            second.sweeper.sweep_next().await;
            second.sweeper.finish_open().await;
        }
    }
    let keeper = place.keeper(&[]);
    for kind in LogKind::ALL {
        assert_eq!(keeper.state(kind).await, Some(DeletionState::Deleted));
    }
    assert_eq!(place.keys("logs/").await, BTreeSet::new());
}

#[tokio::test]
async fn mark_from_the_future_keeps_no_shard_from_being_looked_at() {
    let (place, clock) = Place::in_memory();
    clock.advance(days(100));
    let mut keeper = place.keeper(&[]);
    let shard = keeper.sweeper.sweep_next().await.unwrap();
    clock.advance(days(-100));
    let (mut first, mut second) = (place.keeper(&[]), place.keeper(&[]));
    let taken = all_rounds(&mut first, &mut second).await.concat();
    assert!(taken.contains(&shard));
    assert_eq!(taken.len(), SHARD_COUNT);
}

async fn two_that_begin_take_different_shards(place: Place) {
    let (mut first, mut second) = (place.keeper(&[]), place.keeper(&[]));
    for _ in 0..5 {
        let (one, other) = tokio::join!(first.sweeper.sweep_next(), second.sweeper.sweep_next());
        assert!(one.is_some() && other.is_some());
        assert_ne!(one, other);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_on_the_real_stores_are_taken_by_one() {
    let clock = Arc::new(moka_core::clock::SystemClock);
    let (store, _guard) = stores::directory().await;
    two_that_begin_take_different_shards(Place::of(store, Arc::clone(&clock) as _)).await;
    let (store, _guard) = stores::s3().await;
    two_that_begin_take_different_shards(Place::of(store, clock)).await;
}
