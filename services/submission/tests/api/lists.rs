//! Filters, orders and masks of lists, and filters of watches.

use moka_core::ErrorReason;
use moka_proto::submission::v1::{
    Application, ApplicationState, ListApplicationsRequest, WatchApplicationsRequest,
    watch_applications_response::Step,
};
use moka_rpc::error_of;

use crate::harness::{Harness, fields, request, spec, start};

async fn three_of_two_owners(harness: &Harness) -> Vec<String> {
    let mut ids = Vec::new();
    for (key, owner) in [("a", "ann"), ("b", "bob"), ("c", "ann")] {
        let mut request = request(key);
        owner.clone_into(&mut spec(&mut request).owner);
        spec(&mut request)
            .tags
            .insert("key".to_owned(), key.to_owned());
        let answer = harness.submit(request).await.unwrap();
        ids.push(answer.application.unwrap().application_id);
    }
    ids
}

async fn list(harness: &Harness, request: &ListApplicationsRequest) -> Vec<Application> {
    let mut client = harness.client.clone();
    let answer = client.list_applications(request.clone()).await;
    answer.unwrap().into_inner().applications
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_masked() {
    let harness = start().await;
    let ids = three_of_two_owners(&harness).await;
    harness.cancel(&ids[0]).await;
    let query = |filter: &str, order_by: &str| ListApplicationsRequest {
        filter: filter.to_owned(),
        order_by: order_by.to_owned(),
        ..ListApplicationsRequest::default()
    };
    for (filter, order_by, expected) in [
        ("", "", vec![2, 1, 0]),
        ("owner = ann", "", vec![2, 0]),
        ("owner = ann", "create_time", vec![0, 2]),
        ("", "update_time desc", vec![0, 2, 1]),
        ("", "update_time", vec![1, 2, 0]),
        ("NOT state = CANCELLED AND tags.key = c", "", vec![2]),
        ("end_time:*", "", vec![0]),
        ("create_time < \"2020-01-01T00:00:00Z\"", "", vec![]),
    ] {
        let found = list(&harness, &query(filter, order_by)).await;
        let found: Vec<_> = found.into_iter().map(|one| one.application_id).collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|index: usize| ids[index].clone())
            .collect();
        assert_eq!(found, expected, "{filter} {order_by}");
    }
    let masked = ListApplicationsRequest {
        read_mask: Some(prost_types::FieldMask {
            paths: vec!["state".to_owned()],
        }),
        ..query("state = CANCELLED", "")
    };
    let expected = Application {
        state: ApplicationState::Cancelled.into(),
        ..Application::default()
    };
    assert_eq!(list(&harness, &masked).await, [expected]);
}

#[tokio::test]
async fn pages_go_on_in_their_own_order_only() {
    let harness = start().await;
    let ids = three_of_two_owners(&harness).await;
    let mut query = ListApplicationsRequest {
        page_size: 2,
        order_by: "update_time".to_owned(),
        ..ListApplicationsRequest::default()
    };
    let mut client = harness.client.clone();
    let first = client.list_applications(query.clone()).await;
    let first = first.unwrap().into_inner();
    query.page_token = first.next_page_token;
    let second = list(&harness, &query).await;
    let found = first.applications.into_iter().chain(second);
    assert_eq!(found.map(|one| one.application_id).collect::<Vec<_>>(), ids);
    query.order_by = "create_time".to_owned();
    let error = harness.client.clone().list_applications(query).await;
    let error = error_of(&error.unwrap_err());
    assert_eq!(error.reason, ErrorReason::InvalidPageToken);
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_with_its_place() {
    let harness = start().await;
    for (filter, order_by, field) in [
        ("owner =", "", "filter"),
        ("", "owner", "order_by"),
        ("", "update_time DESC", "order_by"),
    ] {
        let query = ListApplicationsRequest {
            filter: filter.to_owned(),
            order_by: order_by.to_owned(),
            ..ListApplicationsRequest::default()
        };
        let error = harness.client.clone().list_applications(query).await;
        let error = error_of(&error.unwrap_err());
        assert_eq!(error.reason, ErrorReason::InvalidFilter, "{filter}");
        assert_eq!(fields(&error), [field]);
    }
    let watch = WatchApplicationsRequest {
        filter: "colour = red".to_owned(),
        ..WatchApplicationsRequest::default()
    };
    let error = harness.watch(watch).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidFilter);
    assert!(error.violations[0].description.contains("at byte 0"));
}

#[tokio::test]
async fn a_watch_tells_only_what_passes_its_filter() {
    let harness = start().await;
    let ids = three_of_two_owners(&harness).await;
    harness.cancel(&ids[0]).await;
    let request = WatchApplicationsRequest {
        filter: "owner = ann".to_owned(),
        live_only: true,
        ..WatchApplicationsRequest::default()
    };
    let mut steps = harness.watch(request).await.unwrap();
    let mut next = async || steps.message().await.unwrap().unwrap().step.unwrap();
    let Step::Snapshot(application) = next().await else {
        panic!("no snapshot");
    };
    assert_eq!(application.application_id, ids[2]);
    assert!(matches!(next().await, Step::SnapshotEnd(_)));
    harness.cancel(&ids[1]).await;
    harness.cancel(&ids[2]).await;
    let change = loop {
        match next().await {
            Step::Change(change) => break change,
            Step::Heartbeat(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(change.event.unwrap().application_id, ids[2]);
}
