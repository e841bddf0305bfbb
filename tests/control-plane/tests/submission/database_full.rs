//! The database's disk is full for a while.

use moka_client::v1::ApplicationState;
use moka_core::ErrorReason;
use moka_rpc::error_of;
use moka_xtask::{postgres::TemporaryPostgres, small_disk::SmallDisk};

use crate::{
    Installation,
    callers::{Accepted, assert_each_launched_once, client},
    installation::request,
};

/// The free room of files that have it already is not enough for so many.
const MOST: usize = 1000;

/// Submits until the database refuses, makes room, and goes on.
async fn fills_and_goes_on(database_url: &str, fill: impl AsyncFn(), empty: impl AsyncFn()) {
    let mut installation = Installation::start_over(database_url, &[]).await;
    let witness = installation.objects.witness().await;
    let first = installation.submit_to("root.search", "key-first", 1).await;
    installation
        .reaches(&first, ApplicationState::Submitted)
        .await;
    let mut accepted = Accepted::from([("key-first".to_owned(), first)]);
    fill().await;
    let mut stub = installation.client().await;
    let refused = loop {
        let key = format!("key-{}", accepted.len());
        match stub
            .submit_application(request("root.search", &key, 1))
            .await
        {
            Ok(answer) => {
                let application = answer.into_inner().application.unwrap();
                accepted.insert(key, application.application_id);
            }
            Err(status) => break status,
        }
        assert!(accepted.len() < MOST, "the disk is not full");
    };
    let error = error_of(&refused);
    assert_eq!(error.reason, ErrorReason::StoreUnavailable, "{refused:?}");
    empty().await;
    let client = client(&installation.submission);
    for number in accepted.len()..accepted.len() + 10 {
        let key = format!("key-{number}");
        let answer = client.submit(request("root.search", &key, 1)).await;
        accepted.insert(key, answer.unwrap().application.unwrap().application_id);
    }
    assert_each_launched_once(&installation, &witness, &accepted).await;
    assert!(installation.submission.runs());
    let log = installation.submission.log();
    assert!(!log.contains("ERROR"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_sqlite_is_an_outage_that_passes() {
    let disk = SmallDisk::of_mebibytes(16).unwrap();
    let url = format!("sqlite:{}", disk.path().join("submission.db").display());
    let fill = async || disk.fill().unwrap();
    let empty = async || disk.empty().unwrap();
    fills_and_goes_on(&url, fill, empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgres_is_an_outage_that_passes() {
    let disk = SmallDisk::of_mebibytes(32).unwrap();
    let postgres = TemporaryPostgres::start_durable().await.unwrap();
    let url = postgres.database_on(disk.path(), "moka").await.unwrap();
    let fill = async || disk.fill().unwrap();
    let empty = async || disk.empty().unwrap();
    fills_and_goes_on(&url, fill, empty).await;
}
