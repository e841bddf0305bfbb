//! Cancelling in every state.

use moka_proto::submission::v1::{ApplicationState, ExitCategory};
use moka_tests_control_plane::Fault;
use serde_json::json;

use crate::{Database, Installation};

#[tokio::test]
async fn a_queued_application_is_cancelled_at_once() {
    let mut installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    let first = installation.submit("queues are known").await;
    installation
        .reaches(&first, ApplicationState::Submitted)
        .await;
    installation.adapter.kill().await;
    let id = installation.submit("key").await;
    assert_eq!(installation.cancel(&id).await, ApplicationState::Cancelled);
    installation.adapter.start().await;
    let later = installation.submit("later").await;
    installation
        .reaches(&later, ApplicationState::Submitted)
        .await;
    let application = installation.get(&id).await;
    assert_eq!(application.state(), ApplicationState::Cancelled);
    assert_eq!(application.attempts, []);
    assert_eq!(witness.uids(&format!("{id}-1")), Vec::<String>::new());
}

#[tokio::test]
async fn an_application_whose_create_is_on_its_way_is_fenced() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    installation.proxy.arm(Fault::BeforeCreate);
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.proxy.struck(1).await;
    assert_eq!(installation.cancel(&id).await, ApplicationState::Cancelling);
    let exit = installation.ends(&id, ApplicationState::Cancelled).await;
    assert_eq!(exit.category(), ExitCategory::Cancelled);
    assert_eq!(exit.message, "cancelled: a test");
    assert!(installation.objects.is_tombstone(&name).await);
    assert_eq!(witness.uids(&name), Vec::<String>::new());
}

#[tokio::test]
async fn an_application_whose_create_was_not_answered_is_adopted_and_stopped() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    installation.proxy.arm(Fault::AfterCreate);
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.proxy.struck(1).await;
    installation.cancel(&id).await;
    let application = installation.reaches(&id, ApplicationState::Cancelled).await;
    assert_eq!(witness.uids(&name), [application.attempts[0].uid.clone()]);
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&name).await
        })
        .await;
}

#[tokio::test]
async fn a_submitted_application_is_deleted_and_its_name_stays_taken() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    assert_eq!(installation.cancel(&id).await, ApplicationState::Cancelling);
    assert_eq!(installation.cancel(&id).await, ApplicationState::Cancelling);
    installation.ends(&id, ApplicationState::Cancelled).await;
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&name).await
        })
        .await;
    assert_eq!(installation.cancel(&id).await, ApplicationState::Cancelled);
}

#[tokio::test]
async fn a_running_application_is_cancelling_until_its_driver_has_ended() {
    let mut installation = Installation::start(Database::Sqlite).await;
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    installation.objects.create_driver(&name).await;
    let running = json!({ "running": { "startedAt": "2026-11-21T01:23:11Z" } });
    installation
        .objects
        .set_driver_status(&name, "Running", running)
        .await;
    installation.reaches(&id, ApplicationState::Running).await;
    assert_eq!(installation.cancel(&id).await, ApplicationState::Cancelling);
    installation
        .eventually("the driver is told to stop", async || {
            let driver = installation.objects.driver(&name).await.unwrap();
            driver.metadata.deletion_timestamp.is_some()
        })
        .await;
    // Killed while it waits: the wish is in the database.
    installation.submission.kill().await;
    installation.submission.start().await;
    assert_eq!(
        installation.get(&id).await.state(),
        ApplicationState::Cancelling
    );
    let ended = json!({ "terminated": { "exitCode": 143, "reason": "Error" } });
    installation
        .objects
        .set_driver_status(&name, "Failed", ended)
        .await;
    let exit = installation.ends(&id, ApplicationState::Cancelled).await;
    assert_eq!(exit.category(), ExitCategory::Cancelled);
    assert_eq!(exit.exit_code, Some(143));
    installation
        .eventually("both are released", async || {
            installation.objects.are_released(&name).await
        })
        .await;
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&name).await
        })
        .await;
}
