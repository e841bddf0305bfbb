//! Launches that are refused, for now or for good.

use moka_proto::submission::v1::{ApplicationState, ExitCategory};
use moka_tests_control_plane::Fault;
use reqwest::StatusCode;

use crate::{Database, Installation};

#[tokio::test]
async fn a_stranger_under_the_name_refuses_the_launch_and_is_left_alone() {
    let mut installation = Installation::start(Database::Sqlite).await;
    installation.proxy.arm(Fault::BeforeCreate);
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.proxy.struck(1).await;
    installation.submission.kill().await;
    installation.objects.create_stranger(&name).await;
    installation.submission.start().await;
    let exit = installation.ends(&id, ApplicationState::Failed).await;
    assert_eq!(exit.category(), ExitCategory::LaunchRefused);
    assert_eq!(exit.message, "another object has the attempt's name");
    let stranger = installation.objects.application(&name).await.unwrap();
    assert_eq!(stranger.metadata.deletion_timestamp, None);
}

#[tokio::test]
async fn an_api_server_that_refuses_for_good_fails_the_launch() {
    let installation = Installation::start(Database::Sqlite).await;
    installation
        .proxy
        .arm(Fault::Refuse(StatusCode::UNPROCESSABLE_ENTITY));
    let id = installation.submit("key").await;
    let exit = installation.ends(&id, ApplicationState::Failed).await;
    assert_eq!(exit.category(), ExitCategory::LaunchRefused);
}

#[tokio::test]
async fn an_api_server_that_is_overloaded_is_asked_again() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    installation
        .proxy
        .arm(Fault::Refuse(StatusCode::TOO_MANY_REQUESTS));
    let id = installation.submit("key").await;
    installation.proxy.struck(1).await;
    let application = installation.reaches(&id, ApplicationState::Submitted).await;
    assert_eq!(
        witness.uids(&format!("{id}-1")),
        [application.attempts[0].uid.clone()]
    );
}

#[tokio::test]
async fn a_gang_larger_than_its_queue_fails_without_touching_the_cluster() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    let id = installation.submit_to("root.ads.etl", "key", 100).await;
    let exit = installation.ends(&id, ApplicationState::Failed).await;
    assert_eq!(exit.category(), ExitCategory::Quota);
    assert!(
        exit.message.starts_with("GANG_EXCEEDS_QUEUE"),
        "{}",
        exit.message
    );
    assert_eq!(witness.uids(&format!("{id}-1")), Vec::<String>::new());
}
