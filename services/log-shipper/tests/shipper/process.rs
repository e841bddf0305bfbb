//! Flags, signals and crashes of the real binary.

use std::{process::Command, sync::Arc, time::Duration};

use moka_objects::DirectoryStore;
use serde_json::Value;

use crate::{
    binary::{Binary, get},
    node::{Node, append, cri_lines},
    records::{reassembled, records},
};

const POD: &str = "kube-system_coredns-1_0a-1";

async fn node() -> Node {
    let objects = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(objects.path()).await.unwrap();
    let mut node = Node::new(Arc::new(store));
    node.more_options
        .push(format!("--objects-url=file://{}", objects.path().display()));
    node.also = Some(objects);
    node
}

#[test]
fn help_tells_every_option() {
    let output = Command::new(env!("CARGO_BIN_EXE_moka-log-shipper"))
        .arg("--help")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        include_str!("../help.txt")
    );
}

#[test]
fn bad_options_are_refused_with_their_limits() {
    for (option, expected) in [
        ("--cluster=a/b", "a cluster name has 1 to 63"),
        ("--batch-bytes=0", "0 is not in 1..=16777216"),
        ("--upload-concurrency=65", "65 is not in 1..=64"),
        ("--flush-interval-seconds=3601", "3601 is not in 0..=3600"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_moka-log-shipper"))
            .arg(option)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{option}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn second_shipper_of_a_node_does_not_start() {
    let node = node().await;
    let first = Binary::start(node.directory.path(), &node.options());
    first.until_ready().await;
    let log = tempfile::tempdir().unwrap();
    let second = Binary::start(log.path(), &node.options());
    assert_eq!(second.exit_code().await, 78);
}

#[tokio::test]
async fn sigterm_ships_what_is_complete_and_ends_clean() {
    let mut node = node().await;
    node.more_options
        .push("--flush-interval-seconds=3600".to_owned());
    let log = node.pod_log(POD, "0.log");
    append(&log, &cri_lines(0..3));
    let binary = Binary::start(node.directory.path(), &node.options());
    let port = binary.until_ready().await;

    let (status, streams) = get(port, "/streams");
    assert_eq!(status, 200);
    let streams: Value = serde_json::from_str(&streams).unwrap();
    assert_eq!(streams[0]["path"], log.display().to_string());
    assert_eq!(streams[0]["offset_bytes"], 0);
    assert_eq!(streams[0]["size_bytes"], cri_lines(0..3).len());
    assert_eq!(streams[0]["lag_bytes"], cri_lines(0..3).len());
    assert_eq!(get(port, "/other").0, 404);

    binary.terminate();
    assert_eq!(binary.exit_code().await, 0);
    node.until_shipped(&log, &cri_lines(0..3)).await;
}

#[tokio::test]
async fn sigkill_at_any_time_loses_nothing() {
    let mut node = node().await;
    node.more_options.push("--batch-bytes=200".to_owned());
    let log = node.pod_log(POD, "0.log");
    let mut written = 0;
    for round in 0..12 {
        let mut binary = Binary::start(node.directory.path(), &node.options());
        for _ in 0..=round {
            append(&log, &cri_lines(written..written + 5));
            written += 5;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        binary.kill();
    }
    let binary = Binary::start(node.directory.path(), &node.options());
    node.until_shipped(&log, &cri_lines(0..written)).await;
    binary.terminate();
    assert_eq!(binary.exit_code().await, 0);
    assert_eq!(
        reassembled(&*node.store).await.len(),
        1,
        "one file has one generation"
    );

    // After a clean end nothing is shipped again.
    let shipped = records(&*node.store).await.len();
    let binary = Binary::start(node.directory.path(), &node.options());
    binary.until_ready().await;
    binary.terminate();
    assert_eq!(binary.exit_code().await, 0);
    assert_eq!(records(&*node.store).await.len(), shipped);
}
