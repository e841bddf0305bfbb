//! Spark as a judge: it reads out of an S3 server, as `s3a://`, what the real program wrote there.

use std::{collections::BTreeSet, process::Stdio};

use moka_objects::PutCondition;
use moka_xtask::{cluster::spark_home, history_server::HistoryServer, s3_server::TemporaryS3};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    raw::ATTEMPT,
    recorded::{self, Stream},
    stores,
};

/// A recorded application of a driver that ended well.
const CASE: &str = "healthy";
const FILE: &str = "spark-aaaa";

#[tokio::test(flavor = "multi_thread")]
async fn spark_reads_an_assembled_event_log_through_s3a() {
    let (store, server) = stores::s3().await;
    let stream = recorded();
    for (key, bytes) in &stream.objects {
        let put = store.put(key, bytes.clone(), PutCondition::Always);
        put.await.unwrap();
    }
    assemble(&server).await;
    let events = events(&stream.bytes());

    let spark_home = spark_home().await.unwrap();
    let place = stores::place(&server);
    let history = HistoryServer::start_on_s3(&spark_home, &place, "eventlogs");
    let history = history.await.unwrap();
    let start = &all(&events, "SparkListenerApplicationStart")[0];
    let path = format!("/api/v1/applications/{}", start["App ID"].as_str().unwrap());
    let application = history.get_json(&path).await.unwrap();
    let completed = &application["attempts"][0]["completed"];
    assert_eq!(completed, true, "{application}");
    let jobs = history.get_json(&format!("{path}/jobs")).await.unwrap();
    let jobs = jobs.as_array().unwrap();
    let started = all(&events, "SparkListenerJobStart");
    assert_eq!(ids(jobs, "jobId"), ids(&started, "Job ID"));
    assert!(
        jobs.iter().all(|job| job["status"] == "SUCCEEDED"),
        "{jobs:?}"
    );
    let stages = history.get_json(&format!("{path}/stages")).await.unwrap();
    let stages = stages.as_array().unwrap().iter();
    let tasks: u64 = stages
        .map(|stage| stage["numCompleteTasks"].as_u64().unwrap())
        .sum();
    let ended = all(&events, "SparkListenerTaskEnd").len() as u64;
    assert!(ended > 0 && tasks == ended, "{tasks} of {ended} tasks");
}

/// The other event log of the recording is the same application's under another name.
fn recorded() -> Stream {
    let mut streams = recorded::load(CASE).into_iter();
    let prefix = format!("events-raw/{FILE}/");
    streams.find(|stream| stream.prefix() == prefix).unwrap()
}

async fn assemble(server: &TemporaryS3) {
    let url = stores::url(server);
    let output = Command::new(env!("CARGO_BIN_EXE_moka-log-broker"))
        .args(["assemble", "--raw", &url, "--out", &url])
        .args(["--event-keys", "events-raw/{file}/", "--attempt", ATTEMPT])
        .env("AWS_ACCESS_KEY_ID", TemporaryS3::ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", TemporaryS3::SECRET_ACCESS_KEY)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    let state = (&manifest["state"], &manifest["synthetic_end"]);
    assert_eq!(state, (&"completed".into(), &false.into()), "{manifest}");
}

fn events(log: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(log).unwrap().lines();
    let events = lines.map(serde_json::from_str);
    events.collect::<Result<_, _>>().unwrap()
}

fn all(events: &[Value], kind: &str) -> Vec<Value> {
    let of_kind = events.iter().filter(|event| event["Event"] == kind);
    of_kind.cloned().collect()
}

fn ids(items: &[Value], field: &str) -> BTreeSet<u64> {
    let id = |item: &Value| item[field].as_u64().unwrap();
    items.iter().map(id).collect()
}
