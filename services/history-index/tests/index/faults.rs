//! An object store that fails, indexers that die, and indexers that work side by side.

use std::{sync::Arc, time::Duration};

use moka_history_index::store::LogState;
use moka_objects::{FailingStore, Fault, FaultRates, Operation};

use super::{
    corpus::Corpus,
    world::{World, application_id},
};

const COMPLETED: &str = "local-1795176544715";

async fn matches_the_history_server(world: &World, corpus: &Corpus) {
    for id in ["app-20261120130610-0000", COMPLETED, "local-1795176560570"] {
        for list in ["jobs", "stages", "allexecutors"] {
            let ours = world.json(&format!("/applications/{id}/{list}")).await;
            assert_eq!(ours, corpus.answer(&format!("{id}/{list}")), "{id}/{list}");
        }
    }
}

async fn all_are_settled(world: &World) {
    for id in ["app-20261120130610-0000", COMPLETED, "local-1795176560570"] {
        world
            .wait_for(id, |record| record.log_state == LogState::Settled)
            .await;
    }
}

#[tokio::test]
async fn faults_of_the_object_store_delay_and_change_nothing() {
    let mut world = World::new().await;
    let corpus = Corpus::unpack();
    world.put_corpus(&corpus).await;
    let rates = FaultRates {
        before_per_mille: 300,
        after_per_mille: 100,
        ..FaultRates::default()
    };
    let failing = Arc::new(FailingStore::seeded(Arc::clone(&world.objects), 7, rates));
    world.start_follower();
    let indexer = world.start_indexer(Arc::clone(&failing) as _);
    all_are_settled(&world).await;
    matches_the_history_server(&world, &corpus).await;
    assert!(failing.fault_count() > 0);
    indexer.abort();
}

#[tokio::test]
async fn an_indexer_that_is_killed_in_the_middle_leaves_no_trace() {
    let mut world = World::new().await;
    let corpus = Corpus::unpack();
    world.put_corpus(&corpus).await;
    world.start_follower();
    for milliseconds in [1, 3, 10, 20, 40, 80] {
        let indexer = world.start_indexer(Arc::clone(&world.objects));
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        indexer.abort();
    }
    let indexer = world.start_indexer(Arc::clone(&world.objects));
    all_are_settled(&world).await;
    matches_the_history_server(&world, &corpus).await;
    indexer.abort();
}

#[tokio::test]
async fn two_indexers_side_by_side_agree() {
    let mut world = World::new().await;
    let corpus = Corpus::unpack();
    world.put_corpus(&corpus).await;
    world.start_follower();
    let failing = Arc::new(FailingStore::scripted(Arc::clone(&world.objects)));
    for _ in 0..5 {
        failing.next(Operation::GetRange, Fault::Slow(Duration::from_millis(30)));
    }
    let slow = world.start_indexer(Arc::clone(&failing) as _);
    let fast = world.start_indexer(Arc::clone(&world.objects));
    all_are_settled(&world).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    matches_the_history_server(&world, &corpus).await;
    slow.abort();
    fast.abort();
}

#[tokio::test]
async fn a_new_log_replaces_the_old_one_even_when_its_first_reading_fails() {
    let mut world = World::new().await;
    let failing = Arc::new(FailingStore::scripted(Arc::clone(&world.objects)));
    world.start_follower();
    let indexer = world.start_indexer(Arc::clone(&failing) as _);
    let id = application_id(1);
    world.submission.tell(&id, "local-1795176449340", false);
    let files = Corpus::unpack().log_files();
    let (name, log) = (
        "local-1795176449340.inprogress",
        &files["local-1795176449340"],
    );
    world.put(name, log).await;
    world
        .wait_for(&id, |record| record.summary.event_bytes == log.len() as u64)
        .await;
    failing.next(Operation::GetRange, Fault::Before);
    let shorter: Vec<_> = log
        .split_inclusive(|byte| *byte == b'\n')
        .take(6)
        .flatten()
        .copied()
        .collect();
    world.put(name, &shorter).await;
    let record = world
        .wait_for(&id, |record| record.summary.event_count == 6)
        .await;
    assert_eq!(record.summary.application.counts.jobs, 0);
    assert!(
        world
            .store
            .list_jobs(record.key, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(failing.fault_count(), 1);
    indexer.abort();
}
