//! Snapshots, changes and cursors.

use futures::StreamExt as _;
use moka_core::ErrorReason;
use moka_proto::submission::v1::{
    ApplicationState, WatchApplicationsRequest, WatchApplicationsResponse,
    watch_applications_response::Step,
};
use tonic::Streaming;

use crate::harness::start;

/// The next step that is no heartbeat.
async fn next(steps: &mut Streaming<WatchApplicationsResponse>) -> (Step, String) {
    loop {
        let response = steps.next().await.unwrap().unwrap();
        match response.step.unwrap() {
            Step::Heartbeat(_) => {}
            step => return (step, response.cursor),
        }
    }
}

fn change(step: Step) -> (String, ApplicationState) {
    match step {
        Step::Change(change) => {
            let event = change.event.unwrap();
            (event.application_id.clone(), event.state())
        }
        other => panic!("expected a change, got {other:?}"),
    }
}

#[tokio::test]
async fn a_watch_is_a_snapshot_a_mark_and_changes_and_goes_on_after_its_cursor() {
    let harness = start().await;
    let first = harness.accepted("a").await;
    let mut steps = harness
        .watch(WatchApplicationsRequest::default())
        .await
        .unwrap();
    let (step, cursor) = next(&mut steps).await;
    assert!(matches!(step, Step::Snapshot(application) if application.application_id == first));
    assert_eq!(cursor, "");
    let (step, at_snapshot_end) = next(&mut steps).await;
    assert!(matches!(step, Step::SnapshotEnd(_)));
    let second = harness.accepted("b").await;
    let (step, after_second) = next(&mut steps).await;
    assert_eq!(change(step), (second.clone(), ApplicationState::Queued));
    harness.cancel(&first).await;
    let (step, _) = next(&mut steps).await;
    assert_eq!(change(step), (first.clone(), ApplicationState::Cancelled));
    drop(steps);

    for (cursor, expected) in [
        (
            &at_snapshot_end,
            vec![
                (second, ApplicationState::Queued),
                (first.clone(), ApplicationState::Cancelled),
            ],
        ),
        (&after_second, vec![(first, ApplicationState::Cancelled)]),
    ] {
        let request = WatchApplicationsRequest {
            cursor: cursor.clone(),
            ..WatchApplicationsRequest::default()
        };
        let mut steps = harness.watch(request).await.unwrap();
        for one in expected {
            assert_eq!(change(next(&mut steps).await.0), one);
        }
    }
    let other_filter = WatchApplicationsRequest {
        cursor: after_second,
        project: "team-a".to_owned(),
        ..WatchApplicationsRequest::default()
    };
    let error = harness.watch(other_filter).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidCursor);
}

#[tokio::test]
async fn a_quiet_watch_beats_and_ends_well_when_the_process_drains() {
    let harness = start().await;
    let mut steps = harness
        .watch(WatchApplicationsRequest::default())
        .await
        .unwrap();
    let (step, _) = next(&mut steps).await;
    assert!(matches!(step, Step::SnapshotEnd(_)));
    let heartbeat = steps.next().await.unwrap().unwrap();
    assert!(matches!(heartbeat.step, Some(Step::Heartbeat(_))));
    assert_ne!(heartbeat.cursor, "");
    harness.context.stop.cancel();
    while let Some(step) = steps.next().await {
        assert!(step.is_ok(), "{step:?}");
    }
}

#[tokio::test]
async fn a_cursor_older_than_the_events_has_expired() {
    let harness = start().await;
    let mut steps = harness
        .watch(WatchApplicationsRequest::default())
        .await
        .unwrap();
    let (_, cursor) = next(&mut steps).await;
    harness.accepted("a").await;
    let later = harness.context.clock.now() + jiff::SignedDuration::from_hours(1);
    harness.store.prune_events(later).await.unwrap();
    let request = WatchApplicationsRequest {
        cursor,
        ..WatchApplicationsRequest::default()
    };
    let error = harness.watch(request).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::CursorExpired);
    let damaged = WatchApplicationsRequest {
        cursor: "x".to_owned(),
        ..WatchApplicationsRequest::default()
    };
    assert_eq!(
        harness.watch(damaged).await.unwrap_err().reason,
        ErrorReason::InvalidCursor
    );
}
