//! Submitting, reading and cancelling.

use std::time::Duration;

use moka_core::ErrorReason;
use moka_proto::submission::v1::{
    ApplicationState, CancelApplicationRequest, GetApplicationRequest,
    ListApplicationEventsRequest, ListApplicationsRequest, SubmitApplicationRequest,
    WatchApplicationsRequest,
};
use moka_rpc::error_of;

use crate::harness::{MIB, fields, request, spec, start};

#[tokio::test]
async fn a_repeated_request_gets_the_same_application_whatever_its_state() {
    let harness = start().await;
    let first = harness.submit(request("key")).await.unwrap();
    assert!(first.created);
    let second = harness.submit(request("key")).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.application, first.application);
    let id = first.application.unwrap().application_id;
    assert_eq!(harness.cancel(&id).await, ApplicationState::Cancelled);
    harness.queues.send_replace(None);
    let third = harness.submit(request("key")).await.unwrap();
    assert!(!third.created);
    assert_eq!(
        third.application.unwrap().state(),
        ApplicationState::Cancelled
    );
    assert_eq!(harness.count().await, 1);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused_and_names_the_field() {
    let harness = start().await;
    harness.accepted("key").await;
    for (field, change) in [
        (
            "spec.driver.memory_bytes",
            (|request| {
                spec(request).driver.as_mut().unwrap().memory_bytes = 1024 * MIB;
            }) as fn(&mut SubmitApplicationRequest),
        ),
        ("spec.arguments", |request| {
            spec(request).arguments = vec!["x".to_owned()];
        }),
        ("display_name", |request| {
            request.display_name = "other".to_owned();
        }),
    ] {
        let mut changed = request("key");
        change(&mut changed);
        let error = harness.submit(changed).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::IdempotencyConflict);
        assert_eq!(fields(&error), [field]);
    }
    assert_eq!(harness.count().await, 1);
}

#[tokio::test]
async fn a_higher_try_waits_for_the_end_of_the_lower_one() {
    let harness = start().await;
    let first = harness.accepted("key").await;
    let retry = SubmitApplicationRequest {
        try_number: 1,
        ..request("key")
    };
    let error = harness.submit(retry.clone()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::PredecessorLive);
    harness.cancel(&first).await;
    let second = harness.submit(retry).await.unwrap().application.unwrap();
    assert_eq!(second.predecessor_application_id, first);
    assert_ne!(second.application_id, first);
}

#[tokio::test]
async fn refused_requests_leave_no_row() {
    let harness = start().await;
    let refused = |change: fn(&mut SubmitApplicationRequest)| {
        let mut changed = request("key");
        change(&mut changed);
        harness.submit(changed)
    };
    let error = refused(|request| spec(request).queue = "root.nosuch".to_owned())
        .await
        .unwrap_err();
    assert_eq!(error.reason, ErrorReason::UnknownQueue);
    assert_eq!(fields(&error), ["spec.queue"]);
    let error = refused(|request| spec(request).queue = "root".to_owned())
        .await
        .unwrap_err();
    assert_eq!(error.reason, ErrorReason::UnknownQueue);
    let error = refused(|request| {
        let value = "x".repeat(2 * 1024 * 1024);
        spec(request).spark_conf.insert("spark.x".to_owned(), value);
    })
    .await
    .unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidField);
    assert_eq!(
        fields(&error),
        ["spec.spark_conf", "spec.spark_conf[\"spark.x\"]"]
    );
    harness.queues.send_replace(None);
    let error = refused(|_| ()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::QueueTreeUnknown);
    assert!(error.retry_after.is_some());
    assert_eq!(harness.count().await, 0);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_no_id_is_invalid() {
    let harness = start().await;
    for (id, reason) in [
        (
            "m01hf7yat00v2t9d4h5w8k3e6qz",
            ErrorReason::ApplicationNotFound,
        ),
        ("nonsense", ErrorReason::InvalidField),
    ] {
        let application_id = id.to_owned();
        let mut client = harness.client.clone();
        let get = GetApplicationRequest {
            application_id: application_id.clone(),
        };
        let error = error_of(&client.get_application(get).await.unwrap_err());
        assert_eq!(error.reason, reason);
        let cancel = CancelApplicationRequest {
            application_id: application_id.clone(),
            reason: String::new(),
            force: false,
        };
        let error = error_of(&client.cancel_application(cancel).await.unwrap_err());
        assert_eq!(error.reason, reason);
        let events = ListApplicationEventsRequest {
            application_id: application_id.clone(),
            ..ListApplicationEventsRequest::default()
        };
        let error = error_of(&client.list_application_events(events).await.unwrap_err());
        assert_eq!(error.reason, reason);
        let watch = WatchApplicationsRequest {
            application_id,
            ..WatchApplicationsRequest::default()
        };
        assert_eq!(harness.watch(watch).await.unwrap_err().reason, reason);
    }
}

#[tokio::test]
async fn a_cancel_reason_has_a_limit() {
    let harness = start().await;
    let application_id = harness.accepted("key").await;
    for (length, accepted) in [(257, false), (256, true)] {
        let request = CancelApplicationRequest {
            application_id: application_id.clone(),
            reason: "x".repeat(length),
            force: false,
        };
        let answer = harness.client.clone().cancel_application(request).await;
        assert_eq!(answer.is_ok(), accepted, "{length}");
    }
    assert_eq!(
        harness.cancel(&application_id).await,
        ApplicationState::Cancelled
    );
}

#[tokio::test]
async fn lists_and_events_come_in_pages() {
    let harness = start().await;
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        ids.insert(0, harness.accepted(key).await);
        // Ids of one millisecond have no order among them.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut found = Vec::new();
    let mut list = ListApplicationsRequest {
        page_size: 2,
        projects: vec!["team-a".to_owned()],
        ..ListApplicationsRequest::default()
    };
    loop {
        let page = harness
            .client
            .clone()
            .list_applications(list.clone())
            .await
            .unwrap()
            .into_inner();
        found.extend(page.applications.into_iter().map(|one| one.application_id));
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, ids);
    list.page_token = "damaged".to_owned();
    let error = harness
        .client
        .clone()
        .list_applications(list)
        .await
        .unwrap_err();
    assert_eq!(error_of(&error).reason, ErrorReason::InvalidPageToken);

    harness.cancel(&ids[0]).await;
    let mut states = Vec::new();
    let mut events = ListApplicationEventsRequest {
        application_id: ids[0].clone(),
        page_size: 1,
        page_token: String::new(),
    };
    loop {
        let page = harness
            .client
            .clone()
            .list_application_events(events.clone())
            .await
            .unwrap()
            .into_inner();
        states.extend(
            page.events
                .iter()
                .map(moka_proto::submission::v1::ApplicationEvent::state),
        );
        events.page_token = page.next_page_token;
        if events.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        states,
        [ApplicationState::Queued, ApplicationState::Cancelled]
    );
    let list = ListApplicationsRequest {
        states: vec![99],
        ..ListApplicationsRequest::default()
    };
    let error = harness
        .client
        .clone()
        .list_applications(list)
        .await
        .unwrap_err();
    assert_eq!(error_of(&error).reason, ErrorReason::InvalidField);
}
