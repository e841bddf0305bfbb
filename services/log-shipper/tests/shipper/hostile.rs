//! Files and names that nobody should have made, and more of them than usual.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    sync::Arc,
};

use moka_objects::MemoryStore;

use crate::{
    node::{Node, append, cri_lines, until},
    records::{reassembled, records},
};

const ATTEMPT: &str = "m01hf7yat00v2t9d4h5w8k3e6qz-1";
const POD: &str = "kube-system_coredns-1_0a-1";

/// A file of any name, with the directories above it.
fn plant(directory: &Path, names: &[&[u8]]) {
    let path = names.iter().fold(directory.to_owned(), |path, name| {
        path.join(OsStr::from_bytes(name))
    });
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"not to be shipped\n").unwrap();
}

#[tokio::test]
async fn hostile_names_are_counted_and_change_nothing_for_others() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    let log = node.pod_log(POD, "0.log");
    let event = node.event_log(ATTEMPT, "spark-1");
    append(&log, &cri_lines(0..5));
    append(&event, b"{}\n");
    let pods = node.directory.path().join("pods");
    let events = node.directory.path().join("events");
    let (pod, attempt) = (POD.as_bytes(), ATTEMPT.as_bytes());
    let long = [b'x'; 255];
    for names in [
        [&b"ns_\xff\xfe_0a-1"[..], b"main", b"0.log"],
        [b"ns_a\nb_0a-1", b"main", b"0.log"],
        [b"ns_.._0a-1", b"main", b"0.log"],
        [b"no-layout-of-the-kubelet", b"main", b"0.log"],
        [&long, b"main", b"0.log"],
        [pod, b"ma\nin", b"0.log"],
        [pod, b"..main", b"0.log"],
        [pod, b"main", b"\xff.log"],
        [pod, b"main", b"0.log\n"],
        [pod, b"main", &long],
    ] {
        plant(&pods, &names);
    }
    for names in [
        &[attempt, b"\xff\xfe"][..],
        &[attempt, b"a\nb"],
        &[attempt, b".moka-part"],
        &[attempt, b"deep", b"spark-2"],
        &[b"m01hf7yat00v2t9d4h5w8k3e6qz", b"spark-1"],
        &[b"\xff", b"spark-1"],
    ] {
        plant(&events, names);
    }
    node.start();
    node.until_shipped(&log, &cri_lines(0..5)).await;
    node.until_shipped(&event, b"{}\n").await;
    // The pod's directory that is not UTF-8 counts, and what lies below it is not looked at.
    until(async || node.metric("moka_log_shipper_foreign_pod_entries") == 10).await;
    until(async || node.metric("moka_log_shipper_foreign_entries") == 6).await;
    assert_eq!(node.metric("moka_log_shipper_scan_failures_total"), 0);
    node.stop().await;
    assert_eq!(records(&*node.store).await.len(), 6);
}

#[tokio::test]
async fn links_lead_nowhere_among_the_logs_of_pods() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    let outside = node.directory.path().join("outside");
    let pods = node.directory.path().join("pods");
    plant(&outside, &[b"main", b"0.log"]);
    let log = node.pod_log(POD, "0.log");
    symlink(&outside, pods.join("kube-system_linked_0a-1")).unwrap();
    symlink(outside.join("main"), pods.join(POD).join("linked")).unwrap();
    symlink(outside.join("main/0.log"), log.with_file_name("1.log")).unwrap();
    // Copies that the kubelet makes are nothing strange.
    fs::write(log.with_file_name("0.log.20261121-030405.gz"), b"\x1f\x8b").unwrap();
    append(&log, &cri_lines(0..5));
    node.start();
    node.until_shipped(&log, &cri_lines(0..5)).await;
    until(async || node.metric("moka_log_shipper_foreign_pod_entries") == 3).await;
    node.stop().await;
    assert_eq!(records(&*node.store).await.len(), 5);
}

#[tokio::test]
async fn file_that_vanishes_at_once_is_read_to_its_end() {
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    node.more_options
        .push("--flush-interval-seconds=3600".to_owned());
    node.start();
    for number in 0..30 {
        let log = node.pod_log(&format!("ns_short-{number}_0a-1"), "0.log");
        append(&log, &cri_lines(number..number + 2));
        until(async || node.metric("moka_log_shipper_open_streams") > 0).await;
        fs::remove_dir_all(log.parent().unwrap().parent().unwrap()).unwrap();
        node.until_shipped(&log, &cri_lines(number..number + 2))
            .await;
        until(async || node.metric("moka_log_shipper_open_streams") == 0).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn two_thousand_files_are_shipped_at_a_time() {
    const FILES: u32 = 2_000;
    let mut node = Node::new(Arc::new(MemoryStore::new()));
    // As in production: the others' hurry would be two hundred thousand looks a second.
    node.more_options
        .push("--scan-interval-milliseconds=250".to_owned());
    let log = |number| node.pod_log(&format!("ns_pod-{number}_0a-1"), "0.log");
    let logs: Vec<_> = (0..FILES).map(log).collect();
    let line = |number| cri_lines(number..number + 1);
    for (log, number) in logs.iter().zip(0..) {
        append(log, &line(number));
    }
    node.start();
    let until_shipped = async |count: u32| {
        until(async || node.metric("moka_log_shipper_shipped_lines_total") >= u64::from(count))
            .await;
    };
    until_shipped(FILES).await;
    assert_eq!(
        node.metric("moka_log_shipper_open_streams"),
        u64::from(FILES)
    );
    for (log, number) in logs.iter().zip(0..) {
        append(log, &line(FILES + number));
    }
    until_shipped(2 * FILES).await;
    let streams = reassembled(&*node.store).await;
    assert_eq!(streams.len(), logs.len());
    for (log, number) in logs.iter().zip(0..) {
        let path = log.display().to_string();
        let found = streams.iter().find(|((of, _), _)| *of == path);
        let expected = [line(number), line(FILES + number)].concat();
        assert_eq!(found.unwrap().1, &expected, "{path}");
    }
    node.stop().await;
}
