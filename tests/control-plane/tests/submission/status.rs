//! From the cluster's status to states and exits.

use moka_proto::submission::v1::{ApplicationState, ExitCategory};
use serde_json::{Value, json};

use crate::{Database, Installation};

fn running() -> Value {
    json!({ "running": { "startedAt": "2026-11-21T01:23:11Z" } })
}

fn terminated(exit_code: i32, message: &str) -> Value {
    json!({ "terminated": {
        "exitCode": exit_code, "reason": "Error", "message": message,
        "startedAt": "2026-11-21T01:23:11Z", "finishedAt": "2026-11-21T01:23:23Z",
    }})
}

const TRACEBACK: &str = "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: order 42 is negative\n";

/// Submits an application and lets its driver run.
async fn run(installation: &Installation, key: &str) -> (String, String) {
    let id = installation.submit(key).await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    installation.objects.create_driver(&name).await;
    installation
        .objects
        .set_application_status(&name, "SUBMITTED", "")
        .await;
    installation
        .objects
        .set_driver_status(&name, "Running", running())
        .await;
    let application = installation.reaches(&id, ApplicationState::Running).await;
    let attempt = &application.attempts[0];
    assert_eq!(attempt.spark_application_id, format!("spark-of-{name}"));
    assert_eq!(attempt.start_time.unwrap().seconds, 1_795_224_191);
    (id, name)
}

#[tokio::test]
async fn the_exit_is_written_down_before_the_finalizers_go() {
    let installation = Installation::start(Database::Sqlite).await;
    let (id, name) = run(&installation, "key").await;
    assert!(!installation.objects.are_released(&name).await);
    let release = installation.objects.released(&name);
    let checked = async {
        release.await;
        // At the very moment in which the API server lets go, the outcome is there to be read.
        let application = installation.get(&id).await;
        assert_eq!(application.state(), ApplicationState::Failed);
        application.attempts[0].exit.clone().unwrap()
    };
    let end = installation
        .objects
        .set_driver_status(&name, "Failed", terminated(1, TRACEBACK));
    let (exit, ()) = tokio::join!(checked, end);
    assert_eq!(exit.category(), ExitCategory::UserError);
    assert_eq!(exit.exit_code, Some(1));
    assert_eq!(exit.message, "ValueError: order 42 is negative");
    installation
        .eventually("both are released", async || {
            installation.objects.are_released(&name).await
        })
        .await;
    // Kept for its retention, so that people can look at it.
    assert!(installation.objects.application(&name).await.is_some());
}

#[tokio::test]
async fn what_happened_while_it_was_away_is_found() {
    let mut installation = Installation::start(Database::Sqlite).await;
    let (id, name) = run(&installation, "key").await;
    installation.submission.kill().await;
    installation
        .objects
        .set_driver_status(
            &name,
            "Succeeded",
            json!({ "terminated": {
                "exitCode": 0, "reason": "Completed",
            }}),
        )
        .await;
    installation.submission.start().await;
    let exit = installation.ends(&id, ApplicationState::Succeeded).await;
    assert_eq!(exit.exit_code, Some(0));
    installation
        .eventually("both are released", async || {
            installation.objects.are_released(&name).await
        })
        .await;
}

#[tokio::test]
async fn an_application_deleted_by_hand_has_failed_and_its_name_stays_taken() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    installation.objects.delete_application(&name).await;
    let exit = installation.ends(&id, ApplicationState::Failed).await;
    assert_eq!(exit.category(), ExitCategory::Deleted);
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&name).await
        })
        .await;
}

#[tokio::test]
async fn a_running_application_deleted_by_hand_ends_with_its_driver() {
    let installation = Installation::start(Database::Sqlite).await;
    let (id, name) = run(&installation, "key").await;
    installation.objects.delete_application(&name).await;
    installation
        .eventually("the driver is told to stop", async || {
            let driver = installation.objects.driver(&name).await.unwrap();
            driver.metadata.deletion_timestamp.is_some()
        })
        .await;
    assert_eq!(
        installation.get(&id).await.state(),
        ApplicationState::Running
    );
    // Deletion is not success, whatever the driver says at its end.
    installation
        .objects
        .set_driver_status(
            &name,
            "Succeeded",
            json!({ "terminated": {
                "exitCode": 0, "reason": "Completed",
            }}),
        )
        .await;
    let exit = installation.ends(&id, ApplicationState::Failed).await;
    assert_eq!(exit.category(), ExitCategory::Deleted);
    assert_eq!(exit.exit_code, Some(0));
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&name).await
        })
        .await;
}

#[tokio::test]
async fn a_gang_that_the_scheduler_rejects_has_failed_for_its_quota() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    installation.objects.create_driver(&name).await;
    let rejected = json!({ "status": {
        "phase": "Failed", "reason": "ApplicationRejected", "message": " queue root.search cannot fit it",
    }});
    installation
        .objects
        .patch_driver_status(&name, &rejected)
        .await;
    installation
        .objects
        .set_application_status(&name, "FAILED", "driver container status missing")
        .await;
    let exit = installation.ends(&id, ApplicationState::Failed).await;
    assert_eq!(exit.category(), ExitCategory::Quota);
    assert_eq!(exit.message, "queue root.search cannot fit it");
    assert_eq!(exit.exit_code, None);
}
