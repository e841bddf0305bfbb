//! An API server that refuses, hangs, tears connections and forgets.

use moka_proto::submission::v1::ApplicationState;
use moka_tests_control_plane::{Call, Fault};
use reqwest::StatusCode;
use serde_json::json;

use crate::{Database, Installation};

#[tokio::test]
async fn whatever_becomes_of_a_create_there_is_one_object() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    let faults = [
        Fault::Refuse(StatusCode::TOO_MANY_REQUESTS),
        Fault::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE),
        Fault::Reset,
        // Hangs, with and without the write.
        Fault::BeforeCreate,
        Fault::AfterCreate,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let struck = installation.proxy.count() + 1;
        installation.proxy.arm(fault);
        let id = installation.submit(&format!("key-{number}")).await;
        installation.proxy.struck(struck).await;
        let application = installation.reaches(&id, ApplicationState::Submitted).await;
        let uid = application.attempts[0].uid.clone();
        assert_eq!(witness.uids(&format!("{id}-1")), [uid], "{fault:?}");
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_tombstone_the_cancel_comes_to_its_end() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    let faults = [
        Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE),
        Fault::Refuse(StatusCode::FORBIDDEN),
        Fault::Reset,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let struck = installation.proxy.count() + 1;
        installation.proxy.arm(Fault::BeforeCreate);
        let id = installation.submit(&format!("key-{number}")).await;
        installation.proxy.struck(struck).await;
        installation.proxy.arm_for(Call::Tombstone, fault);
        installation.cancel(&id).await;
        installation.proxy.struck(struck + 1).await;
        installation.reaches(&id, ApplicationState::Cancelled).await;
        let name = format!("{id}-1");
        assert!(installation.objects.is_tombstone(&name).await, "{fault:?}");
        assert_eq!(witness.uids(&name), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_watch_that_is_cut_or_forgotten_misses_no_end() {
    let installation = Installation::start(Database::Sqlite).await;
    for (number, fault) in [None, Some(Fault::Gone), Some(Fault::BeforeCreate)]
        .into_iter()
        .enumerate()
    {
        let id = installation.submit(&format!("key-{number}")).await;
        let name = format!("{id}-1");
        installation.reaches(&id, ApplicationState::Submitted).await;
        installation.objects.create_driver(&name).await;
        if let Some(fault) = fault {
            let struck = installation.proxy.count() + 1;
            installation.proxy.arm_for(Call::Watch, fault);
            installation.proxy.cut();
            installation.proxy.struck(struck).await;
        } else {
            installation.proxy.cut();
        }
        let ended = json!({ "terminated": { "exitCode": 0, "reason": "Completed" } });
        installation
            .objects
            .set_driver_status(&name, "Succeeded", ended)
            .await;
        let exit = installation.ends(&id, ApplicationState::Succeeded).await;
        assert_eq!(exit.exit_code, Some(0), "{fault:?}");
    }
}
