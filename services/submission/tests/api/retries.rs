//! Running an application once more.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    ApplicationState, RetryApplicationRequest, RetryApplicationResponse, SubmitApplicationRequest,
};
use moka_rpc::error_of;

use crate::harness::{Harness, fields, request, spec, start};

async fn retry(
    harness: &Harness,
    application_id: &str,
) -> Result<RetryApplicationResponse, PublicError> {
    let request = RetryApplicationRequest {
        application_id: application_id.to_owned(),
    };
    let answer = harness.client.clone().retry_application(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| error_of(&status))
}

#[tokio::test]
async fn a_final_application_runs_once_more_however_often_that_is_asked() {
    let harness = start().await;
    let first = harness.submit(request("key")).await.unwrap();
    let first = first.application.unwrap();
    harness.cancel(&first.application_id).await;

    let answer = retry(&harness, &first.application_id).await.unwrap();
    assert!(answer.created);
    let second = answer.application.unwrap();
    assert_ne!(second.application_id, first.application_id);
    assert_eq!(second.predecessor_application_id, first.application_id);
    assert_eq!(second.idempotency_key, "key");
    assert_eq!(second.try_number, 1);
    assert_eq!(second.state(), ApplicationState::Queued);
    assert_eq!(second.spec, first.spec);
    assert_eq!(second.display_name, first.display_name);

    // Also while the new one lives, and after its end.
    let repeated = retry(&harness, &first.application_id).await.unwrap();
    assert!(!repeated.created);
    assert_eq!(repeated.application.unwrap(), second);
    harness.cancel(&second.application_id).await;
    let repeated = retry(&harness, &first.application_id).await.unwrap();
    assert_eq!(
        repeated.application.unwrap().application_id,
        second.application_id
    );
    assert_eq!(harness.count().await, 2);

    let third = retry(&harness, &second.application_id).await.unwrap();
    assert_eq!(third.application.unwrap().try_number, 2);
}

#[tokio::test]
async fn a_live_application_is_not_run_beside_itself() {
    let harness = start().await;
    let id = harness.accepted("key").await;
    let error = retry(&harness, &id).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::ApplicationLive);
    assert_eq!(harness.count().await, 1);
}

#[tokio::test]
async fn a_next_try_that_asks_for_something_else_is_not_passed_off_as_the_retry() {
    let harness = start().await;
    let first = harness.accepted("key").await;
    harness.cancel(&first).await;
    let mut other = SubmitApplicationRequest {
        try_number: 1,
        ..request("key")
    };
    spec(&mut other).arguments = vec!["other".to_owned()];
    harness.submit(other).await.unwrap();
    let error = retry(&harness, &first).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::IdempotencyConflict);
    assert_eq!(fields(&error), ["spec.arguments"]);
    assert_eq!(harness.count().await, 2);
}

#[tokio::test]
async fn try_numbers_end_at_their_limit() {
    let harness = start().await;
    for (key, try_number, accepted) in [("below", 999_999, true), ("at", 1_000_000, false)] {
        let submitted = SubmitApplicationRequest {
            try_number,
            ..request(key)
        };
        let answer = harness.submit(submitted).await.unwrap();
        let id = answer.application.unwrap().application_id;
        harness.cancel(&id).await;
        match retry(&harness, &id).await {
            Ok(answer) => assert!(accepted && answer.created, "{key}"),
            Err(error) => {
                assert!(!accepted, "{key}");
                assert_eq!(error.reason, ErrorReason::InvalidField);
                assert_eq!(fields(&error), ["try_number"]);
            }
        }
    }
    assert_eq!(harness.count().await, 3);
}

#[tokio::test]
async fn a_retry_needs_its_queue_as_a_submit_does() {
    let harness = start().await;
    let first = harness.accepted("key").await;
    harness.cancel(&first).await;
    harness.queues.send_replace(None);
    let error = retry(&harness, &first).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::QueueTreeUnknown);
    assert_eq!(harness.count().await, 1);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_run_once_more() {
    let harness = start().await;
    for (id, reason) in [
        (
            "m01hf7yat00v2t9d4h5w8k3e6qz",
            ErrorReason::ApplicationNotFound,
        ),
        ("nonsense", ErrorReason::InvalidField),
    ] {
        assert_eq!(retry(&harness, id).await.unwrap_err().reason, reason);
    }
}
