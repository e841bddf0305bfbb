//! The examples of the clients, run as a user runs them.

use std::{path::Path, process::Stdio};

use futures::TryStreamExt as _;
use moka_client::{
    Client, Options,
    v1::{ApplicationState, ListApplicationsRequest},
};
use moka_xtask::{mesh::images::target_folder, workspace};
use serde_json::json;
use tokio::process::Command;

use crate::{Database, Installation};

/// Runs a command that submits under `key` and waits, and plays the operator and the kubelet for
/// its application.
async fn submits_and_waits(installation: &Installation, command: &mut Command) {
    // The queues are known after this.
    installation.submit("the first").await;
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (output, id) = tokio::join!(child.wait_with_output(), run_to_its_end(installation));
    let output = output.unwrap();
    let (answer, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{answer}{complaint}");
    assert!(answer.contains(&format!("{id} accepted")), "{answer}");
    assert!(answer.contains("SUCCEEDED"), "{answer}");
}

async fn run_to_its_end(installation: &Installation) -> String {
    let client = Client::connect(&installation.submission.url(), Options::default()).unwrap();
    let found = async || {
        let request = ListApplicationsRequest {
            projects: vec!["examples".to_owned()],
            ..ListApplicationsRequest::default()
        };
        let found: Vec<_> = client.list(request).try_collect().await.unwrap();
        found.into_iter().next()
    };
    installation
        .eventually("the example has submitted", async || {
            found().await.is_some()
        })
        .await;
    let id = found().await.unwrap().application_id;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    let objects = &installation.objects;
    objects.create_driver(&name).await;
    let running = json!({ "running": { "startedAt": "2026-11-21T01:23:11Z" } });
    objects.set_driver_status(&name, "Running", running).await;
    installation.reaches(&id, ApplicationState::Running).await;
    let ended = json!({ "terminated": { "exitCode": 0, "reason": "Completed" } });
    objects.set_driver_status(&name, "Succeeded", ended).await;
    id
}

#[tokio::test]
async fn the_rust_example_submits_and_waits() {
    let installation = Installation::start(Database::Sqlite).await;
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", target_folder())
        .args(["run", "--locked", "--quiet", "--package", "moka-client"])
        .args(["--example", "submit_and_wait", "--"])
        .args([&installation.submission.url(), "root.search", "nightly-1"]);
    submits_and_waits(&installation, &mut command).await;
}

#[tokio::test]
async fn the_python_package_installs_and_its_example_submits_and_waits() {
    let installation = Installation::start(Database::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let python = python_with_the_package(folder.path()).await;
    let url = installation.submission.url();
    let mut command = Command::new(python);
    command
        .current_dir(folder.path())
        .arg(workspace::root().join("clients/python/examples/submit_and_wait.py"))
        .args([
            url.trim_start_matches("http://"),
            "root.search",
            "nightly-1",
        ]);
    submits_and_waits(&installation, &mut command).await;
}

/// A fresh environment with what `pip install ./clients/python` puts there.
pub(crate) async fn python_with_the_package(folder: &Path) -> std::path::PathBuf {
    let environment = folder.join("environment");
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&environment))
    .await;
    let python = environment.join("bin/python");
    let mut install = Command::new(&python);
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .arg(workspace::root().join("clients/python"));
    run(&mut install).await;
    python
}

async fn run(command: &mut Command) {
    let output = command.output().await.unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
}
