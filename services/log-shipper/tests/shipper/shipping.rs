//! What reaches the store, on a node of temporary directories.

use std::{fs, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use moka_core::clock::ManualClock;
use moka_objects::{DirectoryStore, MemoryStore};

use crate::{
    node::{Node, append, cri_lines, until},
    records::{reassembled, records},
};

const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";
const ATTEMPT: &str = "m01hf7yat00v2t9d4h5w8k3e6qz-1";
const SYSTEM_POD: &str = "kube-system_coredns-1_0a-1";

fn driver_pod() -> String {
    format!("spark-jobs_{ATTEMPT}-driver_0a-1")
}

fn memory_node() -> Node {
    Node::new(Arc::new(MemoryStore::new()))
}

#[tokio::test]
async fn every_kind_of_log_goes_under_its_own_prefix() {
    let mut node = memory_node();
    let driver = node.pod_log(&driver_pod(), "0.log");
    let system = node.pod_log(SYSTEM_POD, "3.log");
    let event = node.event_log(ATTEMPT, "spark-1");
    let (driver_bytes, system_bytes) = (cri_lines(0..3), cri_lines(3..5));
    append(&driver, &driver_bytes);
    append(&system, &system_bytes);
    append(&event.with_extension("inprogress"), b"{\"Event\":\"a\"}\n");
    node.start();
    node.until_shipped(&driver, &driver_bytes).await;
    node.until_shipped(&system, &system_bytes).await;
    node.until_shipped(&event, b"{\"Event\":\"a\"}\n").await;

    for (key, record) in records(&*node.store).await {
        let prefix = if record.path == driver.display().to_string() {
            format!("logs/qz/{ID}/1/containers/{ATTEMPT}-driver/main/")
        } else if record.path == system.display().to_string() {
            "system/local/kube-system/coredns-1/main/".to_owned()
        } else {
            format!("logs/qz/{ID}/1/events/spark-1/")
        };
        let name = key.strip_prefix(&prefix).unwrap();
        assert!(!name.contains('/') && name.ends_with(".jsonl.zst"), "{key}");
        assert_eq!(record.cluster, "local");
        assert!(record.date.parse::<Timestamp>().is_ok(), "{}", record.date);
    }
    node.stop().await;
}

#[tokio::test]
async fn system_pods_can_be_left_out() {
    let mut node = memory_node();
    node.more_options
        .push("--ship-system-pods=false".to_owned());
    append(&node.pod_log(SYSTEM_POD, "0.log"), &cri_lines(0..3));
    let driver = node.pod_log(&driver_pod(), "0.log");
    append(&driver, &cri_lines(0..3));
    node.start();
    node.until_shipped(&driver, &cri_lines(0..3)).await;
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 1);
}

#[tokio::test]
async fn torn_line_waits_for_its_end() {
    let mut node = memory_node();
    let log = node.pod_log(SYSTEM_POD, "0.log");
    append(&log, b"whole\nto");
    node.start();
    node.until_shipped(&log, b"whole\n").await;
    append(&log, b"rn\nnext");
    node.until_shipped(&log, b"whole\ntorn\n").await;
    node.stop().await;
    let lines = records(&*node.store).await;
    assert!(lines.iter().all(|(_, record)| !record.torn), "{lines:?}");
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn unlinked_file_is_read_to_its_end_with_its_torn_line() {
    let mut node = memory_node();
    let log = node.pod_log(&driver_pod(), "0.log");
    let mut writer = append(&log, b"first\n");
    node.start();
    node.until_shipped(&log, b"first\n").await;
    {
        use std::io::Write;
        fs::remove_dir_all(log.parent().unwrap().parent().unwrap()).unwrap();
        writer.write_all(b"after the name\nlast wor").unwrap();
    }
    node.until_shipped(&log, b"first\nafter the name\nlast wor")
        .await;
    until(async || node.metric("moka_log_shipper_open_streams") == 0).await;
    assert_eq!(node.metric("moka_log_shipper_torn_lines_total"), 1);
    node.stop().await;
}

#[tokio::test]
async fn rotation_by_rename_loses_and_repeats_nothing() {
    let mut node = memory_node();
    let log = node.pod_log(SYSTEM_POD, "0.log");
    append(&log, &cri_lines(0..10));
    node.start();
    node.until_shipped(&log, &cri_lines(0..10)).await;
    let aside = log.with_file_name("0.log.20261121-030405");
    fs::rename(&log, &aside).unwrap();
    append(&aside, &cri_lines(10..12));
    append(&log, &cri_lines(12..20));
    node.until_shipped(&log, &cri_lines(0..12)).await;
    node.until_shipped(&log, &cri_lines(12..20)).await;
    // Compressed rotations are copies of what was shipped.
    fs::write(aside.with_extension("20261121-030405.gz"), b"\x1f\x8b").unwrap();
    fs::remove_file(&aside).unwrap();
    append(&log, &cri_lines(20..21));
    node.until_shipped(&log, &cri_lines(12..21)).await;
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 2);
    assert_eq!(records(&*node.store).await.len(), 21);
}

#[tokio::test]
async fn rotation_while_no_shipper_runs_loses_and_repeats_nothing() {
    let mut node = memory_node();
    let log = node.pod_log(SYSTEM_POD, "0.log");
    append(&log, &cri_lines(0..10));
    node.start();
    node.until_shipped(&log, &cri_lines(0..10)).await;
    node.stop().await;
    append(&log, &cri_lines(10..15));
    fs::rename(&log, log.with_file_name("0.log.20261121-030405")).unwrap();
    append(&log, &cri_lines(15..16));
    node.start();
    node.until_shipped(&log, &cri_lines(0..15)).await;
    node.until_shipped(&log, &cri_lines(15..16)).await;
    node.stop().await;
    assert_eq!(records(&*node.store).await.len(), 16);
}

#[tokio::test]
async fn file_that_was_cut_off_begins_another_generation() {
    let mut node = memory_node();
    let log = node.pod_log(SYSTEM_POD, "0.log");
    append(&log, b"one\ntwo\nthree\n");
    node.start();
    node.until_shipped(&log, b"one\ntwo\nthree\n").await;
    fs::write(&log, b"four\n").unwrap();
    node.until_shipped(&log, b"four\n").await;
    // Longer than before, so that only its bytes tell that it is another one.
    node.stop().await;
    fs::write(&log, b"five is rather long\n").unwrap();
    node.start();
    node.until_shipped(&log, b"five is rather long\n").await;
    assert_eq!(node.metric("moka_log_shipper_rewritten_files_total"), 1);
    node.stop().await;
    assert_eq!(reassembled(&*node.store).await.len(), 3);
}

#[tokio::test]
async fn rename_at_the_end_of_an_event_log_ships_nothing_again() {
    let mut node = memory_node();
    let done = node.event_log(ATTEMPT, "spark-1");
    let in_progress = node.event_log(ATTEMPT, "spark-1.inprogress");
    append(&in_progress, b"{\"n\":1}\n");
    node.start();
    node.until_shipped(&done, b"{\"n\":1}\n").await;
    append(&in_progress, b"{\"n\":2}\n");
    fs::rename(&in_progress, &done).unwrap();
    node.until_shipped(&done, b"{\"n\":1}\n{\"n\":2}\n").await;
    node.stop().await;
    node.start();
    append(&done, b"{\"n\":3}\n");
    node.until_shipped(&done, b"{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
        .await;
    node.stop().await;
    let all = records(&*node.store).await;
    assert_eq!(all.len(), 3);
    assert!(
        all.iter().all(|(key, _)| key.contains("/events/spark-1/")),
        "{all:?}"
    );
}

#[tokio::test]
async fn bytes_that_are_not_utf8_and_very_long_lines_arrive_as_they_are() {
    let mut node = Node::new(Arc::new(
        DirectoryStore::open(tempfile::tempdir().unwrap().keep())
            .await
            .unwrap(),
    ));
    node.more_options.push("--batch-bytes=4096".to_owned());
    let mut bytes = b"\xff\xfe\n\0\x1b[0m \xc3\xa4\r\n\n".to_vec();
    bytes.extend(b"x".repeat(3 << 20));
    bytes.extend(b"\nshort\n");
    bytes.extend(b"y".repeat((16 << 20) + 5));
    bytes.extend(b"\nend\n");
    let log = node.pod_log(SYSTEM_POD, "0.log");
    append(&log, &bytes);
    node.start();
    node.until_shipped(&log, &bytes).await;
    node.stop().await;
}

#[tokio::test]
async fn links_are_not_followed() {
    let mut node = memory_node();
    let secret = node.directory.path().join("secret");
    fs::write(&secret, b"only for root\n").unwrap();
    std::os::unix::fs::symlink(&secret, node.event_log(ATTEMPT, "spark-1")).unwrap();
    let honest = node.event_log(ATTEMPT, "spark-2");
    append(&honest, b"{}\n");
    node.start();
    node.until_shipped(&honest, b"{}\n").await;
    until(async || node.metric("moka_log_shipper_foreign_entries") == 1).await;
    node.stop().await;
    assert_eq!(records(&*node.store).await.len(), 1);
}

#[tokio::test]
async fn driver_that_makes_many_files_takes_only_its_share() {
    let mut node = memory_node();
    for number in 0..70 {
        append(
            &node.event_log(ATTEMPT, &format!("spark-{number:02}")),
            b"{}\n",
        );
    }
    node.start();
    until(async || node.metric("moka_log_shipper_foreign_entries") == 6).await;
    until(async || records(&*node.store).await.len() == 64).await;
    node.stop().await;
}

#[tokio::test]
async fn event_logs_are_deleted_when_shipped_and_past_their_retention() {
    let mut node = memory_node();
    let clock = Arc::new(ManualClock::new(moka_core::clock::Clock::now(
        &moka_core::clock::SystemClock,
    )));
    node.clock = Some(Arc::<ManualClock>::clone(&clock));
    let done = node.event_log(ATTEMPT, "spark-1");
    let killed = node.event_log(&format!("{ID}-2"), "spark-2.inprogress");
    let empty = node.event_log(&format!("{ID}-3"), "unused");
    let strange = node.event_log(&format!("{ID}-4"), "directory").join("file");
    append(&done, b"{}\n");
    append(&killed, b"{}\n{\"to");
    fs::create_dir_all(strange.parent().unwrap()).unwrap();
    fs::write(&strange, b"not shipped\n").unwrap();
    node.start();
    node.until_shipped(&done, b"{}\n").await;
    node.until_shipped(&killed.with_extension(""), b"{}\n")
        .await;
    clock.advance(SignedDuration::from_hours(23));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(done.exists() && killed.exists() && empty.parent().unwrap().exists());

    clock.advance(SignedDuration::from_hours(2));
    until(async || !done.parent().unwrap().exists()).await;
    until(async || !killed.parent().unwrap().exists()).await;
    until(async || !empty.parent().unwrap().exists()).await;
    node.until_shipped(&killed.with_extension(""), b"{}\n{\"to")
        .await;
    node.stop().await;
    assert!(strange.exists());
}

#[tokio::test]
async fn streams_page_tells_offset_and_lag() {
    let mut node = memory_node();
    let log = node.pod_log(SYSTEM_POD, "0.log");
    append(&log, b"whole\nto");
    node.start();
    node.until_shipped(&log, b"whole\n").await;
    until(async || node.metric("moka_log_shipper_lag_bytes") == 2).await;
    assert_eq!(node.metric("moka_log_shipper_shipped_bytes_total"), 6);
    assert_eq!(node.metric("moka_log_shipper_shipped_lines_total"), 1);
    assert_eq!(node.metric("moka_log_shipper_open_streams"), 1);
    node.stop().await;
}
