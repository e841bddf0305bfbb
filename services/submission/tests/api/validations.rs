//! What would become of a request.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    Application, ListApplicationEventsRequest, ListApplicationsRequest, SubmitApplicationRequest,
    ValidateApplicationRequest, ValidateApplicationResponse,
};
use moka_rpc::error_of;
use moka_submission::domain::rules::{ClusterSettings, ClusterState};
use serde_json::Value;

use crate::harness::{Harness, fields, request, spec, start};

async fn validate(
    harness: &Harness,
    request: Option<SubmitApplicationRequest>,
) -> Result<ValidateApplicationResponse, PublicError> {
    let request = ValidateApplicationRequest { request };
    let answer = harness.client.clone().validate_application(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| error_of(&status))
}

/// Everything that callers can read.
async fn everything(harness: &Harness) -> (Vec<Application>, usize) {
    let mut client = harness.client.clone();
    let list = client.list_applications(ListApplicationsRequest::default());
    let applications = list.await.unwrap().into_inner().applications;
    let mut events = 0;
    for application in &applications {
        let request = ListApplicationEventsRequest {
            application_id: application.application_id.clone(),
            ..ListApplicationEventsRequest::default()
        };
        let page = client.list_application_events(request).await.unwrap();
        events += page.into_inner().events.len();
    }
    (applications, events)
}

#[tokio::test]
async fn the_very_manifest_and_place_are_shown_and_nothing_is_written() {
    let harness = start().await;
    harness.accepted("other").await;
    let before = everything(&harness).await;
    let answer = validate(&harness, Some(request("key"))).await.unwrap();
    assert_eq!((&*answer.cluster, &*answer.queue), ("west", "root.demo"));
    assert_eq!(answer.warnings, Vec::<String>::new());
    assert_eq!(answer.considered[0].cluster, "west");
    assert!(answer.considered[0].eligible);

    let manifest: Value = serde_json::from_str(&answer.manifest_json).unwrap();
    let zeros = format!("m{}-1", "0".repeat(26));
    assert_eq!(manifest["metadata"]["name"], zeros);
    assert_eq!(manifest["metadata"]["namespace"], "spark-jobs");
    assert_eq!(
        manifest["spec"]["driver"]["podName"],
        format!("{zeros}-driver")
    );
    assert_eq!(
        manifest["spec"]["driver"]["template"]["spec"]["schedulerName"],
        "yunikorn"
    );
    // What was left out is filled in.
    let filled = answer.spec.unwrap();
    assert_eq!(filled.retry.unwrap().max_attempts, 1);
    assert_eq!(everything(&harness).await, before);
}

#[tokio::test]
async fn what_a_submit_would_refuse_is_refused() {
    let harness = start().await;
    let refused = async |change: fn(&mut SubmitApplicationRequest)| {
        let mut changed = request("key");
        change(&mut changed);
        validate(&harness, Some(changed)).await.unwrap_err()
    };
    let error = refused(|request| request.project = "Team A".to_owned()).await;
    assert_eq!(error.reason, ErrorReason::InvalidField);
    assert_eq!(fields(&error), ["project"]);
    let error = refused(|request| spec(request).queue = "root.nosuch".to_owned()).await;
    assert_eq!(error.reason, ErrorReason::UnknownQueue);
    let error = validate(&harness, None).await.unwrap_err();
    assert_eq!(fields(&error), ["request"]);
    assert_eq!(harness.scheduler.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_place_that_is_not_there_now_is_a_warning() {
    let harness = start().await;
    let none = PublicError::new(ErrorReason::NoClusterAvailable, "YuniKorn of west is away");
    *harness.scheduler.refuses.lock().unwrap() = Some(none);
    let answer = validate(&harness, Some(request("key"))).await.unwrap();
    assert_eq!((&*answer.cluster, &*answer.queue), ("", "root.demo"));
    assert_eq!(
        answer.warnings,
        ["There is no place now: NO_CLUSTER_AVAILABLE: YuniKorn of west is away."]
    );
    assert!(answer.manifest_json.contains("SparkApplication"));
}

#[tokio::test]
async fn clusters_that_take_nothing_are_told_of_and_not_asked() {
    let harness = start().await;
    let fleet = &harness.fleet;
    fleet
        .register_cluster("east", &ClusterSettings::default(), "test")
        .await
        .unwrap();
    for name in ["west", "east"] {
        let answer = validate(&harness, Some(request("key"))).await.unwrap();
        assert_ne!(answer.cluster, "");
        fleet
            .set_cluster_state(name, ClusterState::Draining, "upgrade", "test")
            .await
            .unwrap();
    }
    harness.scheduler.asked.lock().unwrap().clear();
    let answer = validate(&harness, Some(request("key"))).await.unwrap();
    assert_eq!(answer.cluster, "");
    assert_eq!(answer.warnings.len(), 3, "{:?}", answer.warnings);
    assert!(answer.warnings[2].starts_with("No cluster takes new attempts"));
    assert_eq!(harness.scheduler.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_key_that_is_taken_is_told_of() {
    let harness = start().await;
    let id = harness.accepted("key").await;
    let answer = validate(&harness, Some(request("key"))).await.unwrap();
    assert_eq!(
        answer.warnings,
        [format!(
            "Application {id} has this key and try number already."
        )]
    );
}
