//! The real binary: help, readiness, stop.

use std::{
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::Duration,
};

use moka_process::Tasks;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{service::PATIENCE, yunikorn_stub::YuniKornStub};

const BINARY: &str = env!("CARGO_BIN_EXE_moka-scheduler-adapter");

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn spawn(arguments: &[String]) -> Child {
    Command::new(BINARY)
        .args(arguments)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn readiness(admin: SocketAddr) -> Option<String> {
    let answer = reqwest::get(format!("http://{admin}/readyz")).await.ok()?;
    answer.text().await.ok()
}

async fn until_readiness_is(admin: SocketAddr, expected: &str) {
    let asked = async {
        while readiness(admin).await.is_none_or(|text| text != expected) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        timeout(PATIENCE, asked).await.is_ok(),
        "never said {expected:?}"
    );
}

#[tokio::test]
async fn help_is_the_documented_one() {
    let output = Command::new(BINARY)
        .arg("--help")
        .env_clear()
        .env("COLUMNS", "100")
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    insta::assert_snapshot!(help);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_read_is_a_usage_error() {
    for clusters in ["local", "local=yunikorn:9080"] {
        let output = Command::new(BINARY)
            .args(["--clusters", clusters])
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{clusters}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--clusters"));
    }
}

#[tokio::test]
async fn process_is_ready_after_the_first_answer_and_stops_well() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let tasks = Tasks::default();
    let stub = YuniKornStub::start(&tasks).await;
    stub.fail(true);
    let admin = free_address();
    let mut child = spawn(&[
        format!("--clusters=local=http://{}", stub.address),
        format!("--listen={}", free_address()),
        format!("--admin-listen={admin}"),
        "--poll-interval-seconds=1".to_owned(),
    ]);
    until_readiness_is(admin, "not ready: queue tree of a cluster\n").await;
    stub.fail(false);
    until_readiness_is(admin, "ok\n").await;

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
}
