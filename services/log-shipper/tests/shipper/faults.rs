//! What crashes and a bad store leave behind: never a gap, at most repetitions.

use std::{fs, sync::Arc, time::Duration};

use moka_objects::{FailingStore, Fault, FaultRates, MemoryStore, Operation};

use crate::{
    node::{Node, append, cri_lines, until},
    picky::{Mood, PickyStore},
    records::{reassembled, records},
};

const POD: &str = "kube-system_coredns-1_0a-1";
const OTHER_POD: &str = "kube-system_etcd-1_0b-2";

#[tokio::test]
async fn failed_uploads_are_tried_again_and_lost_answers_repeat() {
    let store = Arc::new(FailingStore::scripted(Arc::new(MemoryStore::new())));
    store.next(Operation::Put, Fault::Before);
    store.next(Operation::Put, Fault::After);
    let mut node = Node::new(store);
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..5));
    node.start();
    node.until_shipped(&log, &cri_lines(0..5)).await;
    until(async || node.metric("moka_log_shipper_lag_bytes") == 0).await;
    assert_eq!(node.metric("moka_log_shipper_failures_total"), 2);
    assert_eq!(node.metric("moka_log_shipper_retries_total"), 2);
    assert_eq!(node.metric("moka_log_shipper_shipped_lines_total"), 5);
    node.stop().await;
    // The answer to the second put was lost, so the third repeats it.
    assert_eq!(records(&*node.store).await.len(), 10);
}

#[tokio::test]
async fn streams_survive_a_store_that_fails_at_random() {
    let rates = FaultRates {
        before_per_mille: 200,
        after_per_mille: 200,
        ..FaultRates::default()
    };
    let memory = Arc::new(MemoryStore::new());
    let mut node = Node::new(Arc::<MemoryStore>::clone(&memory));
    node.store = Arc::new(FailingStore::seeded(
        Arc::<MemoryStore>::clone(&memory),
        7,
        rates,
    ));
    node.more_options.push("--batch-bytes=100".to_owned());
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..40));
    node.start();
    node.store = memory;
    node.until_shipped(&log, &cri_lines(0..40)).await;
    assert!(node.metric("moka_log_shipper_failures_total") > 0);
    node.stop().await;
}

#[tokio::test]
async fn crash_between_upload_and_offset_repeats_but_never_loses() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    node.more_options.push("--batch-bytes=64".to_owned());
    let log = node.pod_log(POD, "0.log");
    let mut written = 0;
    for round in 0..20 {
        append(&log, &cri_lines(written..written + 10));
        written += 10;
        node.start();
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        node.kill().await;
    }
    node.start();
    node.until_shipped(&log, &cri_lines(0..written)).await;
    node.stop().await;
    assert_eq!(
        reassembled(&*node.store).await.len(),
        1,
        "one file has one generation"
    );
}

#[tokio::test]
async fn damaged_state_ships_again_under_the_same_names() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..5));
    node.start();
    node.until_shipped(&log, &cri_lines(0..5)).await;
    node.stop().await;
    for name in ["offsets.json", "offsets.json.old"] {
        let path = node.directory.path().join("state").join(name);
        fs::write(path, b"{\"version\":1,").unwrap();
    }
    append(&log, &cri_lines(5..6));
    node.start();
    node.until_shipped(&log, &cri_lines(0..6)).await;
    assert_eq!(node.metric("moka_log_shipper_corrupt_state_total"), 1);
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 1);
    assert_eq!(records(&*node.store).await.len(), 11);
}

#[tokio::test]
async fn damaged_offsets_do_not_mix_a_file_that_was_cut_off_with_what_it_held_before() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..5));
    node.start();
    node.until_shipped(&log, &cri_lines(0..5)).await;
    fs::write(&log, cri_lines(5..7)).unwrap();
    node.until_shipped(&log, &cri_lines(5..7)).await;
    append(&log, &cri_lines(7..8));
    node.until_shipped(&log, &cri_lines(5..8)).await;
    node.stop().await;
    // A file of its own: the former offsets are another one.
    let offsets = node.directory.path().join("state/offsets.json");
    fs::remove_file(&offsets).unwrap();
    fs::write(&offsets, b"{").unwrap();
    append(&log, &cri_lines(8..9));
    node.start();
    node.until_shipped(&log, &cri_lines(5..9)).await;
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 2);
}

#[tokio::test]
async fn file_that_vanished_while_no_shipper_ran_is_told() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..5));
    node.start();
    node.until_shipped(&log, &cri_lines(0..5)).await;
    node.stop().await;
    fs::remove_file(&log).unwrap();
    node.start();
    until(async || node.metric("moka_log_shipper_files_gone_at_start_total") == 1).await;
    node.stop().await;
    node.start();
    until(async || node.shipper().readiness.missing().is_empty()).await;
    assert_eq!(node.metric("moka_log_shipper_files_gone_at_start_total"), 0);
    node.stop().await;
}

#[tokio::test]
async fn file_that_one_look_has_missed_keeps_its_offset_and_generation() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..9));
    node.start();
    node.until_shipped(&log, &cri_lines(0..9)).await;
    // What follows is another generation, whose birth only the offset file knows.
    fs::write(&log, cri_lines(9..11)).unwrap();
    node.until_shipped(&log, &cri_lines(9..11)).await;
    node.stop().await;
    append(&log, &cri_lines(11..12));

    // As a rename does that happens between a directory's listing and the opening of its files.
    let aside = node.directory.path().join("aside");
    fs::rename(&log, &aside).unwrap();
    node.more_options
        .push("--scan-interval-milliseconds=1000".to_owned());
    node.start();
    until(async || node.shipper().readiness.missing().is_empty()).await;
    fs::rename(&aside, log.with_file_name("0.log.20261121-030405")).unwrap();
    node.until_shipped(&log, &cri_lines(9..12)).await;
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 2);
    assert_eq!(records(&*node.store).await.len(), 12);
}

#[tokio::test]
async fn file_that_was_cut_off_before_its_first_offset_was_written_is_another_generation() {
    let mut node = Node::new(Arc::new(PickyStore::new("/coredns-1/", Mood::Refuses)));
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..9));
    node.start();
    until(async || node.metric("moka_log_shipper_failures_total") > 0).await;
    node.kill().await;
    // What a shipper finds that was killed just after its first upload.
    let offsets = node.directory.path().join("state/offsets.json");
    let written_before = fs::read(&offsets).unwrap();

    node.store = Arc::new(MemoryStore::new());
    node.start();
    node.until_shipped(&log, &cri_lines(0..9)).await;
    node.stop().await;
    fs::write(&offsets, written_before).unwrap();
    fs::write(&log, cri_lines(9..20)).unwrap();
    node.start();
    node.until_shipped(&log, &cri_lines(9..20)).await;
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 2);
    assert_eq!(records(&*node.store).await.len(), 20);
}

#[tokio::test]
async fn failing_stream_does_not_hold_up_another() {
    let store = Arc::new(PickyStore::new("/coredns-1/", Mood::Refuses));
    let mut node = Node::new(store);
    node.more_options.push("--upload-concurrency=1".to_owned());
    let refused = node.pod_log(POD, "0.log");
    let accepted = node.pod_log(OTHER_POD, "0.log");
    append(&refused, &cri_lines(0..5));
    node.start();
    until(async || node.metric("moka_log_shipper_failures_total") > 0).await;
    append(&accepted, &cri_lines(0..5));
    node.until_shipped(&accepted, &cri_lines(0..5)).await;
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 1);
}

#[tokio::test]
async fn hanging_upload_does_not_hold_up_another() {
    let store = Arc::new(PickyStore::new("/coredns-1/", Mood::Hangs));
    let mut node = Node::new(store);
    node.more_options.push("--upload-concurrency=2".to_owned());
    append(&node.pod_log(POD, "0.log"), &cri_lines(0..5));
    let accepted = node.pod_log(OTHER_POD, "0.log");
    append(&accepted, &cri_lines(0..5));
    node.start();
    node.until_shipped(&accepted, &cri_lines(0..5)).await;
    node.kill().await;
}

#[tokio::test]
async fn stop_ships_what_is_complete() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    node.more_options
        .push("--flush-interval-seconds=3600".to_owned());
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..5));
    node.start();
    until(async || node.metric("moka_log_shipper_open_streams") == 1).await;
    append(&log, &cri_lines(5..7));
    node.stop().await;
    node.until_shipped(&log, &cri_lines(0..7)).await;
}
