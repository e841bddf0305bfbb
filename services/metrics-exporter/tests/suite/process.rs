//! The real binary: help, mistakes, readiness, stop.

use std::{process::Stdio, time::Duration};

use moka_process::Tasks;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use crate::{
    endpoint::Endpoint,
    opentsdb::{OpenTsdb, PATIENCE},
    service::free_address,
};

const BINARY: &str = env!("CARGO_BIN_EXE_moka-metrics-exporter");

#[tokio::test]
async fn help_is_the_documented_one() {
    let mut command = Command::new(BINARY);
    let output = command
        .arg("--help")
        .env_clear()
        .env("COLUMNS", "100")
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[tokio::test]
async fn options_that_cannot_be_read_are_usage_errors() {
    let target = "--targets=http://127.0.0.1:1/metrics";
    for (option, named) in [
        ("--targets=ftp://a", "--targets"),
        ("--tags=a", "--tags"),
        ("--tsdb-address=$(HOST_IP):18126", "--tsdb-address"),
        ("--scrape-interval-seconds=0", "--scrape-interval-seconds"),
    ] {
        let output = Command::new(BINARY)
            .args([target, option])
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(named),
            "{option}"
        );
    }
}

#[tokio::test]
async fn sidecar_of_a_driver_works_from_its_environment_and_stops_well() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let tasks = Tasks::default();
    let mut receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, "a 1\n").await;
    let admin = free_address();
    let mut child = Command::new(BINARY)
        .env("MOKA_TARGETS", endpoint.url())
        .env("MOKA_TSDB_ADDRESS", receiver.address.to_string())
        .env("MOKA_TAGS", "application=m01")
        .env("MOKA_SCRAPE_INTERVAL_SECONDS", "3600")
        .env("MOKA_LISTEN", "0.0.0.0:0")
        .env("MOKA_INSECURE_LISTEN", "true")
        .env("MOKA_ADMIN_LISTEN", admin.to_string())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let received = receiver.until(|received| !received.stored.is_empty()).await;
    assert!(received.stored[0].ends_with(" 1 application=m01\n"));
    let ready = async {
        loop {
            let answer = reqwest::get(format!("http://{admin}/readyz")).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, ready).await.is_ok());

    endpoint.change(|answer| answer.body = "a 2\n".to_owned());
    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    let received = receiver.until(|received| received.stored.len() >= 2).await;
    assert!(received.stored[1].ends_with(" 2 application=m01\n"));
}
