//! The API over an in-memory connection and a SQLite file, with queues as given.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use moka_core::{ErrorReason, FieldViolation, PublicError};
use moka_db::{Database, PoolOptions};
use moka_process::ProcessContext;
use moka_proto::submission::v1::{
    ApplicationSpec, ApplicationState, ApplicationType, CancelApplicationRequest, DriverSpec,
    ExecutorSpec, GetApplicationRequest, ListApplicationEventsRequest, ListApplicationsRequest,
    SubmitApplicationRequest, SubmitApplicationResponse, WatchApplicationsRequest,
    WatchApplicationsResponse, submission_service_client::SubmissionServiceClient,
    watch_applications_response::Step,
};
use moka_rpc::{
    Channel, ClientOptions, Server, ServerOptions, client::without_deadline, error_of, memory,
};
use moka_submission::{
    SERVICE, api,
    api::WatchPace,
    domain::queue_tree::QueueTree,
    journal::Journal,
    metrics::Metrics,
    store::{SqlStore, Store},
};
use tokio::sync::watch;
use tonic::Streaming;

const MIB: i64 = 1024 * 1024;

struct Harness {
    client: SubmissionServiceClient<Channel>,
    context: ProcessContext,
    queues: watch::Sender<Option<QueueTree>>,
    store: Arc<dyn Store>,
    _folder: tempfile::TempDir,
}

async fn start() -> Harness {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("submission.db").display());
    let context = ProcessContext::new(SERVICE);
    let database = Database::connect(&url, PoolOptions::default())
        .await
        .unwrap();
    let store: Arc<dyn Store> = Arc::new(
        SqlStore::open(database, Arc::clone(&context.clock))
            .await
            .unwrap(),
    );
    let tree = QueueTree::new([("root".to_owned(), false), ("root.demo".to_owned(), true)]);
    let (queues, known) = watch::channel(Some(tree));
    let journal = Journal {
        store: Arc::clone(&store),
        metrics: Metrics::default(),
    };
    let pace = WatchPace {
        poll: Duration::from_millis(20),
        heartbeat: Duration::from_millis(100),
    };
    let service = api(&context, journal, known, pace);
    let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
    let server = context
        .metrics(|registry| Server::new(ServerOptions::default(), registry))
        .add_service(service);
    context.tasks.spawn(
        "grpc",
        server.serve_incoming(incoming, context.stop.clone()),
    );
    Harness {
        client: SubmissionServiceClient::new(channel),
        context,
        queues,
        store,
        _folder: folder,
    }
}

fn request(key: &str) -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: key.to_owned(),
        try_number: 0,
        display_name: String::new(),
        spec: Some(ApplicationSpec {
            r#type: ApplicationType::Python.into(),
            image: "registry.example/spark:4.0.1".to_owned(),
            main_application_file: "local:///opt/app/report.py".to_owned(),
            spark_version: "4.0.1".to_owned(),
            driver: Some(DriverSpec {
                memory_bytes: 512 * MIB,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 2,
                memory_bytes: 512 * MIB,
                ..ExecutorSpec::default()
            }),
            queue: "root.demo".to_owned(),
            ..ApplicationSpec::default()
        }),
    }
}

impl Harness {
    async fn submit(
        &self,
        request: SubmitApplicationRequest,
    ) -> Result<SubmitApplicationResponse, PublicError> {
        let answer = self.client.clone().submit_application(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| error_of(&status))
    }

    async fn accepted(&self, key: &str) -> String {
        self.submit(request(key))
            .await
            .unwrap()
            .application
            .unwrap()
            .application_id
    }

    async fn cancel(&self, application_id: &str) -> ApplicationState {
        let request = CancelApplicationRequest {
            application_id: application_id.to_owned(),
            reason: "not needed".to_owned(),
        };
        let answer = self
            .client
            .clone()
            .cancel_application(request)
            .await
            .unwrap();
        answer.into_inner().application.unwrap().state()
    }

    async fn count(&self) -> usize {
        let request = ListApplicationsRequest::default();
        let answer = self
            .client
            .clone()
            .list_applications(request)
            .await
            .unwrap();
        answer.into_inner().applications.len()
    }

    async fn watch(
        &self,
        request: WatchApplicationsRequest,
    ) -> Result<Streaming<WatchApplicationsResponse>, PublicError> {
        let request = without_deadline(request);
        let answer = self.client.clone().watch_applications(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| error_of(&status))
    }
}

fn fields(error: &PublicError) -> Vec<&str> {
    error
        .violations
        .iter()
        .map(|FieldViolation { field, .. }| field.as_str())
        .collect()
}

fn spec(request: &mut SubmitApplicationRequest) -> &mut ApplicationSpec {
    request.spec.as_mut().unwrap()
}

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
            spec(request).arguments = vec!["x".to_owned()]
        }),
        ("display_name", |request| {
            request.display_name = "other".to_owned()
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
    assert_eq!(fields(&error), ["spec.spark_conf"]);
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
        states.extend(page.events.iter().map(|event| event.state()));
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
