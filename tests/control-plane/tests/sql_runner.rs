//! SQL applications: what a manifest carries, laid out as the kubelet would, and run by a real
//! Spark.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use moka_core::{ApplicationId, AttemptName};
use moka_proto::submission::v1 as wire;
use moka_submission::domain::{
    application::Placement,
    manifest::{Launch, ManifestSettings, document},
    resolve::{Rules, resolve},
    submission::Submission,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// The driver's pod of an application that runs these statements.
fn driver_of(statements: &[&str]) -> Value {
    let driver = wire::DriverSpec {
        memory_bytes: 1 << 30,
        ..wire::DriverSpec::default()
    };
    let executor = wire::ExecutorSpec {
        instances: 1,
        memory_bytes: 1 << 30,
        ..wire::ExecutorSpec::default()
    };
    let request = wire::SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: "sql".to_owned(),
        spec: Some(wire::ApplicationSpec {
            r#type: wire::ApplicationType::Sql.into(),
            image: "spark".to_owned(),
            spark_version: "4.0.1".to_owned(),
            queue: "root.demo".to_owned(),
            sql_statements: statements.iter().map(|text| (*text).to_owned()).collect(),
            driver: Some(driver),
            executor: Some(executor),
            ..wire::ApplicationSpec::default()
        }),
        ..wire::SubmitApplicationRequest::default()
    };
    let submission = Submission::parse(&request).unwrap();
    let launch = Launch {
        name: AttemptName::new(ApplicationId::ZERO, 1),
        submission: &submission,
        placement: &Placement::default(),
        spec: &resolve(&submission.spec, Rules::default()).unwrap(),
    };
    let settings = ManifestSettings {
        service_account: "spark".to_owned(),
        image_pull_policy: "Never".to_owned(),
        event_log_host_path: "/var/lib/moka/events".to_owned(),
        exporter: None,
    };
    document(&launch, &settings)["spec"]["driver"]["template"].take()
}

/// Writes the files of the pod's downward API volume into a directory.
fn lay_out(driver: &Value, directory: &Path) {
    let annotations: BTreeMap<String, String> =
        serde_json::from_value(driver["metadata"]["annotations"].clone()).unwrap();
    let volumes = driver["spec"]["volumes"].as_array().unwrap();
    let items = volumes
        .iter()
        .find_map(|volume| volume["downwardAPI"]["items"].as_array())
        .unwrap();
    for item in items {
        let field = item["fieldRef"]["fieldPath"].as_str().unwrap();
        let key = field
            .strip_prefix("metadata.annotations['")
            .and_then(|rest| rest.strip_suffix("']"))
            .unwrap();
        let path = directory.join(item["path"].as_str().unwrap());
        fs::write(path, &annotations[key]).unwrap();
    }
}

struct Run {
    succeeded: bool,
    output: String,
}

async fn run(statements: &[&str]) -> Run {
    let spark_home = moka_xtask::cluster::spark_home().await.unwrap();
    let folder = TempDir::with_prefix("moka-sql-").unwrap();
    lay_out(&driver_of(statements), folder.path());
    let output = Command::new(spark_home.join("bin/spark-submit"))
        .args(["--master", "local[1]", "--conf", "spark.ui.enabled=false"])
        .arg(folder.path().join("run.py"))
        .env("SPARK_HOME", &spark_home)
        .env("SPARK_LOCAL_IP", "127.0.0.1")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Run {
        succeeded: output.status.success(),
        output: String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr),
    }
}

#[tokio::test]
async fn statements_run_in_order_in_one_session_and_rows_are_printed() {
    let run = run(&[
        "CREATE TEMPORARY VIEW numbers AS SELECT id, 'größe' AS word FROM range(1500);",
        "SELECT max(id) AS largest FROM numbers",
        "SELECT id + 100000 AS many, word FROM numbers",
    ])
    .await;
    assert!(run.succeeded, "{}", run.output);
    let lines: Vec<_> = run.output.lines().collect();
    let at = |text: &str| lines.iter().position(|line| line.trim() == text);
    let positions = [
        at("statement 1 of 3"),
        at("statement 2 of 3"),
        at("|1499   |"),
        at("statement 3 of 3"),
        at("|100000|größe|"),
        at("only showing top 1000 rows"),
    ];
    assert!(
        positions.iter().all(Option::is_some),
        "{positions:?} {}",
        run.output
    );
    assert!(positions.is_sorted(), "{positions:?}");
    let rows = lines.iter().filter(|line| line.contains("größe"));
    assert_eq!(rows.count(), 1000);
}

#[tokio::test]
async fn the_first_statement_that_fails_ends_the_application() {
    let run = run(&["SELECT * FROM missing", "SELECT 1"]).await;
    assert!(!run.succeeded);
    assert!(
        run.output.contains("TABLE_OR_VIEW_NOT_FOUND"),
        "{}",
        run.output
    );
    assert!(!run.output.contains("statement 2 of 2"));
}
