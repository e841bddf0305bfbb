//! Why an application does not run, asked of the real binary while a real API server shows why.

use moka_client::{
    Client, Options,
    v1::{ApplicationState, Explanation},
};
use serde_json::json;

use crate::{Database, Installation};

async fn explain(installation: &Installation, id: &str) -> Explanation {
    let client = Client::connect(&installation.submission.url(), Options::default()).unwrap();
    client.explain(id).await.unwrap()
}

fn decisive(explanation: &Explanation) -> Vec<&str> {
    let findings = explanation.findings.iter();
    findings
        .filter(|finding| finding.decisive)
        .map(|finding| finding.reason.as_str())
        .collect()
}

#[tokio::test]
async fn each_hindrance_on_the_way_to_a_running_driver_is_named() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;

    // No operator is there to look at it.
    let explanation = explain(&installation, &id).await;
    assert_eq!(decisive(&explanation), ["OPERATOR_PENDING"]);
    assert_eq!(explanation.state(), ApplicationState::Submitted);

    let objects = &installation.objects;
    let failed = "failed to run spark-submit: exit status 1";
    objects
        .set_application_status(&name, "SUBMISSION_FAILED", failed)
        .await;
    let explanation = explain(&installation, &id).await;
    assert_eq!(decisive(&explanation), ["SUBMISSION_FAILED"]);
    assert!(explanation.summary.contains(failed), "{explanation:?}");

    objects.set_application_status(&name, "SUBMITTED", "").await;
    objects.create_driver(&name).await;
    let backing_off = json!({ "waiting": {
        "reason": "ImagePullBackOff", "message": "Back-off pulling image \"no/such:1\"",
    }});
    objects
        .set_driver_status(&name, "Pending", backing_off)
        .await;
    let pod = format!("{name}-driver");
    objects.warn(&pod, "Failed", "no/such:1: not found").await;
    let explanation = explain(&installation, &id).await;
    assert_eq!(decisive(&explanation), ["IMAGE_PULL"]);
    assert!(explanation.summary.contains("no/such:1"), "{explanation:?}");
    let event = explanation
        .findings
        .iter()
        .find(|finding| finding.reason == "Failed")
        .unwrap();
    assert!(event.message.contains("not found"), "{event:?}");
    // YuniKorn's recording knows nothing of it, which is an answer too.
    assert_eq!(explanation.unanswered, Vec::<String>::new());
}

#[tokio::test]
async fn a_driver_that_was_deleted_by_hand_is_the_reason() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    installation.objects.delete_application(&name).await;
    installation.ends(&id, ApplicationState::Failed).await;
    let explanation = explain(&installation, &id).await;
    assert_eq!(decisive(&explanation), ["DELETED"]);
    assert_eq!(explanation.state(), ApplicationState::Failed);
}
