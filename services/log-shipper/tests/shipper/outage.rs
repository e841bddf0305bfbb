//! The store is away for longer than log files stay.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    sync::Arc,
};

use moka_core::entropy::{Entropy, SeededEntropy};

use crate::{
    node::{Node, append, cri_lines, until},
    picky::{Mood, PickyStore},
    records::{Record, reassembled, records},
};

const POD: &str = "kube-system_coredns-1_0a-1";
const OTHER_POD: &str = "kube-system_etcd-1_0b-2";
const ATTEMPT: &str = "m01hf7yat00v2t9d4h5w8k3e6qz-1";
const SPOOL_BYTES: u64 = 1 << 20;

/// A node whose store is away.
fn cut_off_node() -> (Node, Arc<PickyStore>) {
    let store = Arc::new(PickyStore::new("", Mood::IsAway));
    let mut node = Node::new(Arc::<PickyStore>::clone(&store));
    node.more_options
        .push(format!("--spool-bytes={SPOOL_BYTES}"));
    node.more_options.push("--batch-bytes=65536".to_owned());
    (node, store)
}

/// Waits until everything that the files hold is in the spool.
async fn until_spooled(node: &Node) {
    until(async || {
        node.metric("moka_log_shipper_lag_bytes") == 0
            && node.metric("moka_log_shipper_spool_batches") > 0
    })
    .await;
}

async fn until_drained(node: &Node) {
    until(async || node.metric("moka_log_shipper_spool_batches") == 0).await;
    assert_eq!(node.metric("moka_log_shipper_spool_bytes"), 0);
    assert_eq!(spool_files(node).len(), 0);
}

fn spool_files(node: &Node) -> Vec<PathBuf> {
    let entries = fs::read_dir(node.directory.path().join("state/spool")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn size_on_disk(files: &[PathBuf]) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let blocks = |file: &PathBuf| fs::metadata(file).map_or(0, |metadata| metadata.blocks());
    files.iter().map(blocks).sum::<u64>() * 512
}

/// Lines that do not get smaller.
fn noise(line_count: u32) -> Vec<u8> {
    let entropy = SeededEntropy::new(u64::from(line_count));
    let mut bytes = vec![0; 1000 * line_count as usize];
    entropy.fill(&mut bytes);
    for (position, byte) in bytes.iter_mut().enumerate() {
        if position % 1000 == 999 {
            *byte = b'\n';
        } else if *byte == b'\n' {
            *byte = b'-';
        }
    }
    bytes
}

async fn marks(node: &Node) -> Vec<Record> {
    let all = records(&*node.store).await.into_iter();
    all.map(|(_, record)| record)
        .filter(|record| record.lost_bytes.is_some())
        .collect()
}

/// What of a file reached the store, from its start to the first gap.
async fn shipped(node: &Node, path: &Path) -> Vec<u8> {
    let path = path.display().to_string();
    let streams = reassembled(&*node.store).await;
    let mut of_path = streams.into_iter().filter(|((of, _), _)| *of == path);
    of_path.next().unwrap().1
}

#[tokio::test]
async fn what_an_outage_outlives_is_shipped_when_the_store_is_back() {
    let (mut node, store) = cut_off_node();
    let removed = node.pod_log(POD, "0.log");
    let truncated = node.pod_log(OTHER_POD, "0.log");
    append(&removed, &cri_lines(0..50));
    append(&truncated, &cri_lines(50..70));
    node.start();
    until_spooled(&node).await;
    fs::remove_dir_all(removed.parent().unwrap()).unwrap();
    let file = OpenOptions::new().write(true).open(&truncated).unwrap();
    file.set_len(0).unwrap();
    append(&truncated, &cri_lines(70..75));
    until_spooled(&node).await;
    until(async || node.metric("moka_log_shipper_rewritten_files_total") == 1).await;
    node.stop().await;

    append(&truncated, &cri_lines(75..80));
    node.start();
    until_spooled(&node).await;
    node.kill().await;
    assert_eq!(records(&*node.store).await.len(), 0);

    node.start();
    store.set(Mood::Takes);
    node.until_shipped(&removed, &cri_lines(0..50)).await;
    node.until_shipped(&truncated, &cri_lines(50..70)).await;
    node.until_shipped(&truncated, &cri_lines(70..80)).await;
    until_drained(&node).await;
    assert_eq!(node.metric("moka_log_shipper_lost_bytes_total"), 0);
    node.stop().await;
}

#[tokio::test]
async fn full_spool_keeps_what_came_first_and_marks_the_rest_of_removed_files() {
    let (mut node, store) = cut_off_node();
    let log = node.pod_log(POD, "0.log");
    let bytes = noise(3_000);
    append(&log, &bytes);
    node.start();
    let is_full = async || {
        let log = node.shipper().metrics_text().unwrap();
        log.contains("moka_log_shipper_failures_total{cause=\"spool\"}")
    };
    until(is_full).await;
    // The file still has its name: it is its own spool.
    assert_eq!(node.metric("moka_log_shipper_lost_bytes_total"), 0);
    let lag_bytes = node.metric("moka_log_shipper_lag_bytes");
    assert!(lag_bytes > 1_500_000, "{lag_bytes}");

    fs::remove_file(&log).unwrap();
    until(async || node.metric("moka_log_shipper_open_streams") == 0).await;
    let lost_bytes = node.metric("moka_log_shipper_lost_bytes_total");
    assert_eq!(lost_bytes, lag_bytes);
    let on_disk = size_on_disk(&spool_files(&node));
    assert!(on_disk <= SPOOL_BYTES + SPOOL_BYTES / 16, "{on_disk}");
    // The mark outlives the shipper.
    node.kill().await;

    store.set(Mood::Takes);
    node.start();
    until_drained(&node).await;
    let kept = shipped(&node, &log).await;
    assert_eq!(kept.len() as u64 + lost_bytes, bytes.len() as u64);
    assert!(bytes.starts_with(&kept));
    let marks = marks(&node).await;
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert_eq!(marks[0].offset, bytes.len() as u64);
    assert_eq!(marks[0].lost_bytes, Some(lost_bytes));
    assert!(marks[0].torn && marks[0].log.as_deref() == Some(""));
    node.stop().await;
}

#[tokio::test]
async fn event_log_needs_no_spool() {
    let (mut node, store) = cut_off_node();
    let event = node.event_log(ATTEMPT, "spark-1");
    append(&event, b"{}\n");
    node.start();
    until(async || node.metric("moka_log_shipper_failures_total") > 3).await;
    assert_eq!(node.metric("moka_log_shipper_spooled_batches_total"), 0);
    // Unlinked by its driver, it is nowhere else.
    fs::remove_file(&event).unwrap();
    until_spooled(&node).await;
    store.set(Mood::Takes);
    node.until_shipped(&event, b"{}\n").await;
    until_drained(&node).await;
    node.stop().await;
}

#[tokio::test]
async fn stream_that_the_store_refuses_is_spooled_and_holds_up_no_other() {
    let store = Arc::new(PickyStore::new("/coredns-1/", Mood::Refuses));
    let mut node = Node::new(Arc::<PickyStore>::clone(&store));
    let refused = node.pod_log(POD, "0.log");
    let accepted = node.pod_log(OTHER_POD, "0.log");
    append(&refused, &cri_lines(0..5));
    node.start();
    until_spooled(&node).await;
    fs::remove_file(&refused).unwrap();
    append(&accepted, &cri_lines(0..5));
    node.until_shipped(&accepted, &cri_lines(0..5)).await;
    assert_eq!(node.metric("moka_log_shipper_spool_batches"), 1);
    store.set(Mood::Takes);
    node.until_shipped(&refused, &cri_lines(0..5)).await;
    until_drained(&node).await;
    node.stop().await;
}

#[tokio::test]
async fn damaged_batch_is_put_aside_and_marked() {
    let (mut node, store) = cut_off_node();
    let damaged = node.pod_log(POD, "0.log");
    let intact = node.pod_log(OTHER_POD, "0.log");
    append(&damaged, &cri_lines(0..5));
    node.start();
    until_spooled(&node).await;
    append(&intact, &cri_lines(0..5));
    until(async || node.metric("moka_log_shipper_spool_batches") == 2).await;
    node.stop().await;
    let files = spool_files(&node);
    let bytes = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &bytes[..bytes.len() - 1]).unwrap();
    // As a crash leaves it.
    fs::write(files[1].with_extension("new"), b"{").unwrap();

    store.set(Mood::Takes);
    node.start();
    node.until_shipped(&intact, &cri_lines(0..5)).await;
    let lost_bytes = cri_lines(0..5).len() as u64;
    until(async || node.metric("moka_log_shipper_lost_bytes_total") == lost_bytes).await;
    until(async || node.metric("moka_log_shipper_spool_batches") == 0).await;
    let marks = marks(&node).await;
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert_eq!(
        (marks[0].offset, marks[0].lost_bytes),
        (lost_bytes, Some(lost_bytes))
    );
    assert_eq!(spool_files(&node), [files[0].with_extension("damaged")]);
    node.stop().await;
}
