//! Faults happen where they were asked for.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moka_objects::{
    FailingStore, Fault, FaultRates, MemoryStore, ObjectKey, ObjectStore, Operation, PutCondition,
};

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

async fn put(store: &FailingStore, name: &str) -> bool {
    let put = store
        .put(&key(name), Bytes::new(), PutCondition::Always)
        .await;
    put.inspect_err(|error| assert!(error.is_retryable()))
        .is_ok()
}

#[tokio::test]
async fn script_decides_call_by_call() {
    let inner = MemoryStore::new();
    let store = FailingStore::scripted(Arc::new(inner.clone()));
    for fault in [Fault::None, Fault::Before, Fault::After] {
        store.next(Operation::Put, fault);
    }
    store.next(Operation::Get, Fault::Before);
    assert!(put(&store, "none").await);
    assert!(!put(&store, "before").await);
    assert!(!put(&store, "after").await);
    assert!(put(&store, "past_the_script").await);
    assert!(inner.head(&key("before")).await.unwrap().is_none());
    assert!(inner.head(&key("after")).await.unwrap().is_some());
    assert!(store.get(&key("after")).await.is_err());
    assert!(store.get(&key("after")).await.is_ok());
    assert_eq!(store.fault_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_succeed_late() {
    let store = FailingStore::scripted(Arc::new(MemoryStore::new()));
    store.next(Operation::Put, Fault::Slow(Duration::from_secs(9)));
    let started = tokio::time::Instant::now();
    assert!(put(&store, "slow").await);
    assert_eq!(started.elapsed(), Duration::from_secs(9));
}

#[tokio::test]
async fn a_seed_repeats_its_faults() {
    let rates = FaultRates {
        before_per_mille: 100,
        after_per_mille: 100,
        ..FaultRates::default()
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let inner: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
        let store = FailingStore::seeded(inner, 42, rates);
        let mut outcomes = Vec::new();
        for call in 0..1000 {
            outcomes.push(put(&store, &format!("{call}")).await);
        }
        assert!(
            (150..250).contains(&store.fault_count()),
            "{}",
            store.fault_count()
        );
        runs.push(outcomes);
    }
    assert_eq!(runs[0], runs[1]);
}
