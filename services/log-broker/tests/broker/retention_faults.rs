//! Deletions end whole and proven, whatever fails and wherever a process is killed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use moka_log_broker::domain::retention::{DeletionState, LogKind};
use moka_objects::{FailingStore, Fault, FaultRates, ObjectStore, Operation};
use tokio::time::timeout;

use crate::keeping::{LOGS, Place, SHARD, days, logs_of};

/// Longer than anything that goes well, by the paused clock.
const PATIENCE: Duration = Duration::from_mins(10);

/// Deletes with a fault at the given call; a new process goes on. With `hold`, one is set after
/// the fault and lifted later. Returns whether the fault happened.
async fn survives(operation: Operation, call: usize, fault: Fault, hold: bool) -> bool {
    let what = format!("{operation:?} {call} {fault:?} hold {hold}");
    let (place, clock) = Place::in_memory();
    place.fill().await;
    let all = logs_of(&place).await;
    let failing = Arc::new(FailingStore::scripted(Arc::clone(&place.store)));
    for _ in 0..call {
        failing.next(operation, Fault::None);
    }
    failing.next(operation, fault);
    let failing_store = || Arc::clone(&failing) as Arc<dyn ObjectStore>;
    // A call that takes for ever is where the process is killed.
    let first = place.keeper_on(failing_store(), &[]);
    let asked = timeout(PATIENCE, first.delete(&place)).await;
    if !matches!(asked, Ok(Ok(()))) {
        // Who asked hears of it and asks again.
        place.keeper(&[]).delete(&place).await.unwrap();
    }
    let second = place.keeper_on(failing_store(), &[]);
    let _killed = timeout(PATIENCE, second.sweeper.finish_open()).await;
    let happened = failing.fault_count() > 0;
    let left = logs_of(&place).await;
    let proven: BTreeSet<_> = place
        .proof(100)
        .await
        .into_iter()
        .map(|(key, ..)| key)
        .collect();
    assert!(
        all.difference(&left).all(|key| proven.contains(key)),
        "{what}: deleted without proof"
    );
    let keeper = place.keeper(&[]);
    if hold {
        keeper.hold(&place, true).await;
        for _ in 0..2 {
            keeper.sweeper.finish_open().await;
            place.keeper(&["default=1/1/1"]).sweeper.sweep(SHARD).await;
            clock.advance(days(10));
        }
        assert_eq!(logs_of(&place).await, left, "{what}: deleted on hold");
        keeper.hold(&place, false).await;
    }
    place.keeper(&[]).sweeper.finish_open().await;
    assert_eq!(logs_of(&place).await, BTreeSet::new(), "{what}");
    let mut proof = place.proof(100).await;
    // On hold for long, the mark of the deleted log goes with the rest.
    proof.retain(|(key, ..)| LOGS.iter().any(|prefix| key.starts_with(prefix)));
    let proven: BTreeSet<_> = proof.iter().map(|(key, ..)| key.clone()).collect();
    assert_eq!((proven, proof.len()), (all.clone(), all.len()), "{what}");
    for kind in LogKind::ALL {
        assert_eq!(
            keeper.state(kind).await,
            Some(DeletionState::Deleted),
            "{what}"
        );
    }
    happened
}

#[tokio::test(start_paused = true)]
async fn failure_at_any_call_ends_in_a_whole_and_proven_deletion() {
    for operation in [
        Operation::Put,
        Operation::Get,
        Operation::Head,
        Operation::List,
        Operation::Delete,
    ] {
        for fault in [Fault::Before, Fault::After, Fault::Slow(2 * PATIENCE)] {
            for hold in [false, true] {
                let mut call = 0;
                while survives(operation, call, fault, hold).await {
                    call += 1;
                }
                assert!(call > 0, "{operation:?} was never called");
            }
        }
    }
}

#[tokio::test]
async fn two_replicas_with_failures_delete_once() {
    for seed in 0..50 {
        let (place, _) = Place::in_memory();
        place.fill().await;
        for number in 3..300 {
            place.ship(number).await;
        }
        let all = logs_of(&place).await;
        let rates = FaultRates {
            before_per_mille: 30,
            after_per_mille: 30,
            ..FaultRates::default()
        };
        let failing: Arc<dyn ObjectStore> =
            Arc::new(FailingStore::seeded(Arc::clone(&place.store), seed, rates));
        let replicas = [
            place.keeper_on(Arc::clone(&failing), &[]),
            place.keeper_on(failing, &[]),
        ];
        while replicas[0].delete(&place).await.is_err() {}
        for _ in 0..50 {
            let [first, second] = &replicas;
            tokio::join!(first.sweeper.finish_open(), second.sweeper.finish_open());
        }
        assert_eq!(logs_of(&place).await.len(), 0, "seed {seed}");
        let proof = place.proof(1000).await;
        let proven: BTreeSet<_> = proof.iter().map(|(key, ..)| key.clone()).collect();
        assert!(proven == all && proof.len() == all.len(), "seed {seed}");
    }
}
