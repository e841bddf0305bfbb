//! Watches that tell late, twice, in another order, slowly, or nothing; lists that fail; and an
//! operator that begins anew.

use moka_proto::submission::v1::{ApplicationState, ExitCategory};
use moka_tests_control_plane::{Call, Fault, Watches};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Database, Installation};

/// What a life without an accident looks like.
const WHOLE_LIFE: [ApplicationState; 5] = [
    ApplicationState::Queued,
    ApplicationState::Launching,
    ApplicationState::Submitted,
    ApplicationState::Running,
    ApplicationState::Succeeded,
];

fn terminated(exit_code: i32) -> Value {
    json!({ "terminated": { "exitCode": exit_code, "reason": "Error" } })
}

/// One that often lists anew.
async fn impatient() -> Installation {
    let more = [("MOKA_RELIST_SECONDS", "3")];
    Installation::start_with(Database::Sqlite, &more).await
}

/// Lets an application run and succeed, another be cancelled and a third be deleted by hand.
async fn three_ends(installation: &Installation, key: &str) {
    let witness = installation.objects.witness().await;
    let objects = &installation.objects;
    let (succeeds, first) = installation.run(&format!("{key} succeeds")).await;
    let (cancelled, second) = installation.run(&format!("{key} cancelled")).await;
    let deleted = installation.submit(&format!("{key} deleted")).await;
    let third = format!("{deleted}-1");
    installation
        .reaches(&deleted, ApplicationState::Submitted)
        .await;
    objects.delete_application(&third).await;
    installation.cancel(&cancelled).await;
    installation
        .eventually("the driver is told to stop", async || {
            let driver = objects.driver(&second).await.unwrap();
            driver.metadata.deletion_timestamp.is_some()
        })
        .await;
    objects
        .set_driver_status(&second, "Failed", terminated(143))
        .await;
    objects
        .set_driver_status(&first, "Succeeded", terminated(0))
        .await;
    objects
        .set_application_status(&first, "COMPLETED", "")
        .await;
    let exit = installation
        .ends(&succeeds, ApplicationState::Succeeded)
        .await;
    assert_eq!(exit.exit_code, Some(0), "{key}");
    let exit = installation
        .ends(&cancelled, ApplicationState::Cancelled)
        .await;
    assert_eq!(exit.exit_code, Some(143), "{key}");
    let exit = installation.ends(&deleted, ApplicationState::Failed).await;
    assert_eq!(exit.category(), ExitCategory::Deleted, "{key}");
    assert_eq!(installation.states(&succeeds).await, WHOLE_LIFE, "{key}");
    for name in [&first, &second, &third] {
        installation
            .eventually("all is released", async || objects.are_released(name).await)
            .await;
        assert_eq!(witness.uids(name).len(), 1, "{key}: {name}");
    }
}

#[tokio::test]
async fn a_watch_that_tells_late_twice_and_in_another_order_leads_to_the_same_ends() {
    let installation = impatient().await;
    installation.proxy.set_watches(Watches::Shuffled);
    three_ends(&installation, "shuffled").await;
}

#[tokio::test]
async fn a_slow_watch_leads_to_the_same_ends() {
    let installation = impatient().await;
    installation.proxy.set_watches(Watches::Slow);
    three_ends(&installation, "slow").await;
}

#[tokio::test]
async fn a_watch_that_stays_open_and_tells_nothing_is_found_out_by_the_next_list() {
    let installation = impatient().await;
    installation.proxy.set_watches(Watches::Silent);
    three_ends(&installation, "silent").await;
}

#[tokio::test]
async fn a_watch_that_is_forgotten_again_and_again_leads_to_the_same_ends() {
    let installation = impatient().await;
    let (id, name) = installation.run("key").await;
    for _ in 0..3 {
        let struck = installation.proxy.count() + 1;
        installation.proxy.arm_for(Call::Watch, Fault::Gone);
        installation.proxy.cut();
        installation.proxy.struck(struck).await;
    }
    let objects = &installation.objects;
    objects
        .set_driver_status(&name, "Succeeded", terminated(0))
        .await;
    installation.ends(&id, ApplicationState::Succeeded).await;
    assert_eq!(installation.states(&id).await, WHOLE_LIFE);
}

#[tokio::test]
async fn a_list_that_fails_is_tried_again_and_no_end_is_missed() {
    let installation = impatient().await;
    let faults = [
        Fault::Refuse(StatusCode::TOO_MANY_REQUESTS),
        Fault::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE),
        Fault::Reset,
        Fault::BeforeCreate,
    ];
    // Nothing is seen but by lists.
    installation.proxy.set_watches(Watches::Silent);
    for fault in faults {
        let (id, name) = installation.run(&format!("{fault:?}")).await;
        let struck = installation.proxy.count() + 1;
        installation.proxy.arm_for(Call::ListDrivers, fault);
        installation.proxy.struck(struck).await;
        let objects = &installation.objects;
        objects
            .set_driver_status(&name, "Succeeded", terminated(0))
            .await;
        let exit = installation.ends(&id, ApplicationState::Succeeded).await;
        assert_eq!(exit.exit_code, Some(0), "{fault:?}");
        assert_eq!(installation.states(&id).await, WHOLE_LIFE, "{fault:?}");
    }
}

/// Waits until everything that was written before has been seen: objects are told of in their
/// order.
async fn everything_is_seen(installation: &Installation, key: &str) {
    let id = installation.submit(key).await;
    installation.reaches(&id, ApplicationState::Submitted).await;
    let objects = &installation.objects;
    let name = format!("{id}-1");
    objects
        .set_application_status(&name, "FAILED", "refused")
        .await;
    installation.reaches(&id, ApplicationState::Failed).await;
}

#[tokio::test]
async fn an_operator_that_begins_anew_takes_no_state_back() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    let (id, name) = installation.run("key").await;
    let objects = &installation.objects;
    objects.set_application_status(&name, "RUNNING", "").await;
    // Restarted, it writes what it finds out once more.
    for state in ["", "SUBMITTED", "SUBMITTED", "RUNNING", "SUBMITTED"] {
        objects.set_application_status(&name, state, "").await;
    }
    everything_is_seen(&installation, "first mark").await;
    assert_eq!(installation.states(&id).await, WHOLE_LIFE[..4]);
    objects
        .set_driver_status(&name, "Succeeded", terminated(0))
        .await;
    let exit = installation.ends(&id, ApplicationState::Succeeded).await;
    assert_eq!(exit.category(), ExitCategory::Success);
    for state in ["RUNNING", "COMPLETED", "SUBMITTED", "FAILED"] {
        objects
            .set_application_status(&name, state, "restarted")
            .await;
    }
    everything_is_seen(&installation, "second mark").await;
    assert_eq!(installation.states(&id).await, WHOLE_LIFE);
    assert_eq!(witness.uids(&name).len(), 1);
    installation
        .eventually("both are released", async || {
            objects.are_released(&name).await
        })
        .await;
}
