//! Logs that grow, change, or are not what they should be.

use moka_history_index::store::LogState;
use serde_json::json;

use super::{
    corpus::Corpus,
    world::{World, application_id},
};

const SPARK_ID: &str = "app-20261120130610-0000";
const DIRECTORY: &str = "eventlog_v2_app-20261120130610-0000";

fn lines() -> Vec<Vec<u8>> {
    let path = format!("{DIRECTORY}/events_1_{SPARK_ID}");
    let log = Corpus::unpack().log_files().remove(&path).unwrap();
    log.split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

async fn world_with_attempt() -> (World, String) {
    let world = World::running().await;
    let id = application_id(1);
    world.submission.tell(&id, SPARK_ID, false);
    world.wait_for(&id, |_| true).await;
    (world, id)
}

async fn matches_the_history_server(world: &World) {
    let corpus = Corpus::unpack();
    for list in ["jobs", "stages", "allexecutors"] {
        let ours = world
            .json(&format!("/applications/{SPARK_ID}/{list}"))
            .await;
        assert_eq!(ours, corpus.answer(&format!("{SPARK_ID}/{list}")), "{list}");
    }
}

#[tokio::test]
async fn a_running_application_is_seen_as_it_grows_and_is_whole_at_its_end() {
    let (world, id) = world_with_attempt().await;
    let lines = lines();
    world
        .put(&format!("{DIRECTORY}/appstatus_{SPARK_ID}.inprogress"), b"")
        .await;
    let mut told = 0;
    for (number, chunk) in lines.chunks(40).enumerate() {
        let chunk_name = format!("{DIRECTORY}/events_{}_{SPARK_ID}", number + 1);
        world.put(&chunk_name, &chunk.concat()).await;
        told += chunk.len();
        let record = world
            .wait_for(&id, |record| record.summary.event_count == told as u64)
            .await;
        assert!(!record.summary.is_completed);
        assert_eq!(record.log_state, LogState::Indexing);
    }
    world
        .put(&format!("{DIRECTORY}/appstatus_{SPARK_ID}"), b"")
        .await;
    world
        .delete(&format!("{DIRECTORY}/appstatus_{SPARK_ID}.inprogress"))
        .await;
    let record = world
        .wait_for(&id, |record| record.log_state == LogState::Settled)
        .await;
    assert!(record.summary.is_completed && !record.summary.is_incomplete);
    matches_the_history_server(&world).await;
}

#[tokio::test]
async fn a_plain_file_is_followed_through_torn_lines_and_its_renaming() {
    let (world, id) = world_with_attempt().await;
    let log = lines().concat();
    let running = format!("{SPARK_ID}.inprogress");
    for size in [1000, 100_000, 300_001, log.len() - 5] {
        world.put(&running, &log[..size]).await;
        world
            .wait_for(&id, |record| record.summary.event_bytes == size as u64)
            .await;
    }
    world.put(SPARK_ID, &log).await;
    world.delete(&running).await;
    let record = world
        .wait_for(&id, |record| record.log_state == LogState::Settled)
        .await;
    assert!(!record.summary.is_incomplete);
    matches_the_history_server(&world).await;
}

#[tokio::test]
async fn a_log_that_was_written_anew_is_read_anew() {
    let (world, id) = world_with_attempt().await;
    let lines = lines();
    world
        .put(&format!("{DIRECTORY}/appstatus_{SPARK_ID}.inprogress"), b"")
        .await;
    let first = format!("{DIRECTORY}/events_1_{SPARK_ID}");
    world.put(&first, &lines[..200].concat()).await;
    world
        .wait_for(&id, |record| record.summary.event_count == 200)
        .await;
    world.put(&first, &lines[..20].concat()).await;
    let record = world
        .wait_for(&id, |record| record.summary.event_count == 20)
        .await;
    assert_eq!(record.summary.application.counts.jobs, 1);
    let jobs = world.json(&format!("/applications/{SPARK_ID}/jobs")).await;
    assert_eq!(jobs.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_manifest_says_is_missing_is_told() {
    let (world, id) = world_with_attempt().await;
    let manifest = json!({
        "application_id": id, "attempt_number": 1, "spark_application_id": SPARK_ID, "state": "completed",
        "synthetic_end": true, "gaps": [{"start_offset_bytes": 5, "end_offset_bytes": 9}],
    });
    world
        .put(
            &format!("{DIRECTORY}/moka_manifest.json"),
            manifest.to_string().as_bytes(),
        )
        .await;
    world
        .put(
            &format!("{DIRECTORY}/events_1_{SPARK_ID}"),
            &lines().concat(),
        )
        .await;
    world
        .put(&format!("{DIRECTORY}/appstatus_{SPARK_ID}"), b"")
        .await;
    let record = world
        .wait_for(&id, |record| record.log_state == LogState::Settled)
        .await;
    assert!(record.summary.is_completed && record.summary.is_incomplete);
}

#[tokio::test]
async fn missing_chunks_and_torn_ends_make_a_log_incomplete() {
    let (world, id) = world_with_attempt().await;
    let lines = lines();
    world
        .put(
            &format!("{DIRECTORY}/events_1_{SPARK_ID}"),
            &lines[..50].concat(),
        )
        .await;
    let mut last = lines[60..].concat();
    last.truncate(last.len() - 10);
    world
        .put(&format!("{DIRECTORY}/events_3_{SPARK_ID}"), &last)
        .await;
    world
        .put(&format!("{DIRECTORY}/appstatus_{SPARK_ID}"), b"")
        .await;
    let record = world
        .wait_for(&id, |record| record.log_state == LogState::Settled)
        .await;
    assert!(record.summary.is_incomplete && !record.summary.is_completed);
    assert_eq!(record.summary.event_count, lines.len() as u64 - 11);
}

#[tokio::test]
async fn a_directory_of_another_attempt_is_refused() {
    let (world, id) = world_with_attempt().await;
    let other = application_id(2);
    let manifest = json!({"application_id": other, "attempt_number": 3});
    world
        .put(
            &format!("{DIRECTORY}/moka_manifest.json"),
            manifest.to_string().as_bytes(),
        )
        .await;
    world
        .put(
            &format!("{DIRECTORY}/events_1_{SPARK_ID}"),
            &lines().concat(),
        )
        .await;
    world
        .put(&format!("{DIRECTORY}/appstatus_{SPARK_ID}"), b"")
        .await;
    let record = world
        .wait_for(&id, |record| record.log_state == LogState::Refused)
        .await;
    assert_eq!(
        record.log_problem,
        format!("its directory belongs to attempt {other}-3")
    );
    assert_eq!(record.summary.event_count, 0);
    let (status, _) = world.get(&format!("/applications/{SPARK_ID}/jobs")).await;
    assert_eq!(status, 404);
}
