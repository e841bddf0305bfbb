//! Every call but the create that is refused, is not answered, or breaks off: a cancelled driver
//! is stopped, its end is written down, and everything is let go. (Creates and tombstones are in
//! `api_server.rs`.)

use moka_proto::submission::v1::{ApplicationState, ExitCategory};
use moka_tests_control_plane::{Call, Fault};
use reqwest::StatusCode;
use serde_json::json;

use crate::{Database, Installation, objects::Witness};

const FAULTS: [Fault; 5] = [
    Fault::Refuse(StatusCode::TOO_MANY_REQUESTS),
    Fault::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
    Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE),
    // Carried out, and then torn, or never answered.
    Fault::Reset,
    Fault::AfterCreate,
];

/// Cancels a running application while a call fails.
async fn cancel_through(
    installation: &Installation,
    witness: &Witness,
    (call, fault): (Call, Fault),
) {
    let (id, name) = installation.run(&format!("{call:?} {fault:?}")).await;
    let struck = installation.proxy.count() + 1;
    installation.proxy.arm_for_name(call, &name, fault);
    installation.cancel(&id).await;
    installation
        .eventually("the driver is told to stop", async || {
            let driver = installation.objects.driver(&name).await.unwrap();
            driver.metadata.deletion_timestamp.is_some()
        })
        .await;
    let killed = json!({ "terminated": { "exitCode": 143, "reason": "Error" } });
    let objects = &installation.objects;
    objects.set_driver_status(&name, "Failed", killed).await;
    let exit = installation.ends(&id, ApplicationState::Cancelled).await;
    assert_eq!(
        exit.category(),
        ExitCategory::Cancelled,
        "{call:?} {fault:?}"
    );
    assert_eq!(exit.exit_code, Some(143), "{call:?} {fault:?}");
    installation.proxy.struck(struck).await;
    installation
        .eventually("everything is let go, and the name is taken", async || {
            objects.are_released(&name).await && objects.is_tombstone(&name).await
        })
        .await;
    assert_eq!(witness.uids(&name).len(), 1, "{call:?} {fault:?}");
}

async fn cancel_through_all(calls: &[Call]) {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    for &call in calls {
        for fault in FAULTS {
            cancel_through(&installation, &witness, (call, fault)).await;
        }
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_read_the_cancel_comes_to_its_end() {
    cancel_through_all(&[Call::Read, Call::ReadDriver]).await;
}

#[tokio::test]
async fn whatever_becomes_of_a_deletion_the_cancel_comes_to_its_end() {
    cancel_through_all(&[Call::Stop, Call::StopDriver]).await;
}

#[tokio::test]
async fn whatever_becomes_of_the_removal_of_a_finalizer_both_are_let_go() {
    cancel_through_all(&[Call::ReleaseDriver, Call::ReleaseObject]).await;
}
