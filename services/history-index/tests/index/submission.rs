//! A submission service that tells what a test wants.

use std::sync::{Arc, Mutex};

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    Application, ApplicationChange, Attempt, CancelApplicationRequest, CancelApplicationResponse,
    ExplainApplicationRequest, ExplainApplicationResponse, GetApplicationLinksRequest,
    GetApplicationLinksResponse, GetApplicationRequest, GetApplicationResponse,
    ListApplicationEventsRequest, ListApplicationEventsResponse, ListApplicationsRequest,
    ListApplicationsResponse, RetryApplicationRequest, RetryApplicationResponse, SnapshotEnd,
    SubmitApplicationRequest, SubmitApplicationResponse, SubmitApplicationsRequest,
    SubmitApplicationsResponse, ValidateApplicationRequest, ValidateApplicationResponse,
    WatchApplicationsRequest, WatchApplicationsResponse,
    submission_service_server::SubmissionService, watch_applications_response::Step,
};
use moka_rpc::status_of;
use tokio::sync::Notify;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Applications in the order of their changes; a cursor is the number of changes that were told.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeSubmission {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    changes: Mutex<Vec<Application>>,
    cursors: Mutex<Vec<String>>,
    oldest_cursor: Mutex<usize>,
    changed: Notify,
    broken: Notify,
}

impl FakeSubmission {
    /// Tells of an application with one attempt.
    pub(crate) fn tell(&self, application_id: &str, spark_application_id: &str, ended: bool) {
        let mut changes = self.shared.changes.lock().unwrap();
        let version = i64::try_from(changes.len()).unwrap() + 1;
        let end_time = ended.then_some(prost_types::Timestamp {
            seconds: 4_000_000_000,
            nanos: 0,
        });
        changes.push(Application {
            application_id: application_id.to_owned(),
            version,
            attempts: vec![Attempt {
                number: 1,
                spark_application_id: spark_application_id.to_owned(),
                end_time,
                ..Attempt::default()
            }],
            ..Application::default()
        });
        self.shared.changed.notify_waiters();
    }

    /// Ends every watch.
    pub(crate) fn break_watches(&self) {
        self.shared.broken.notify_waiters();
    }

    /// Forgets all changes before the last one.
    pub(crate) fn expire_cursors(&self) {
        *self.shared.oldest_cursor.lock().unwrap() = self.shared.changes.lock().unwrap().len();
    }

    /// The cursors that watches began with.
    pub(crate) fn cursors(&self) -> Vec<String> {
        self.shared.cursors.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl SubmissionService for FakeSubmission {
    type WatchApplicationsStream = ReceiverStream<Result<WatchApplicationsResponse, Status>>;

    async fn watch_applications(
        &self,
        request: Request<WatchApplicationsRequest>,
    ) -> Result<Response<Self::WatchApplicationsStream>, Status> {
        let cursor = request.into_inner().cursor;
        self.shared.cursors.lock().unwrap().push(cursor.clone());
        let oldest = *self.shared.oldest_cursor.lock().unwrap();
        let (is_snapshot, told) = match cursor.parse::<usize>() {
            Ok(told) if told < oldest => {
                let error = PublicError::new(ErrorReason::CursorExpired, "too old");
                return Err(status_of(&error));
            }
            Ok(told) => (false, told),
            Err(_none) => (true, 0),
        };
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        let shared = Arc::clone(&self.shared);
        #[expect(
            clippy::disallowed_methods,
            reason = "the test's runtime ends with the test"
        )]
        tokio::spawn(async move {
            tokio::select! {
                () = tell_all(&shared, is_snapshot, told, &sender) => {}
                () = shared.broken.notified() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn submit_application(
        &self,
        _request: Request<SubmitApplicationRequest>,
    ) -> Result<Response<SubmitApplicationResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn get_application(
        &self,
        _request: Request<GetApplicationRequest>,
    ) -> Result<Response<GetApplicationResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn list_applications(
        &self,
        _request: Request<ListApplicationsRequest>,
    ) -> Result<Response<ListApplicationsResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn list_application_events(
        &self,
        _request: Request<ListApplicationEventsRequest>,
    ) -> Result<Response<ListApplicationEventsResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn cancel_application(
        &self,
        _request: Request<CancelApplicationRequest>,
    ) -> Result<Response<CancelApplicationResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn submit_applications(
        &self,
        _request: Request<SubmitApplicationsRequest>,
    ) -> Result<Response<SubmitApplicationsResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn validate_application(
        &self,
        _request: Request<ValidateApplicationRequest>,
    ) -> Result<Response<ValidateApplicationResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn retry_application(
        &self,
        _request: Request<RetryApplicationRequest>,
    ) -> Result<Response<RetryApplicationResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn explain_application(
        &self,
        _request: Request<ExplainApplicationRequest>,
    ) -> Result<Response<ExplainApplicationResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn get_application_links(
        &self,
        _request: Request<GetApplicationLinksRequest>,
    ) -> Result<Response<GetApplicationLinksResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }
}

async fn tell_all(
    shared: &Shared,
    is_snapshot: bool,
    mut told: usize,
    sender: &tokio::sync::mpsc::Sender<Result<WatchApplicationsResponse, Status>>,
) {
    if is_snapshot {
        let all = shared.changes.lock().unwrap().clone();
        told = all.len();
        let snapshots = all
            .into_iter()
            .map(|application| (Step::Snapshot(application), String::new()));
        let end = (Step::SnapshotEnd(SnapshotEnd {}), told.to_string());
        for (step, cursor) in snapshots.chain([end]) {
            let _ = sender
                .send(Ok(WatchApplicationsResponse {
                    step: Some(step),
                    cursor,
                }))
                .await;
        }
    }
    loop {
        let changed = shared.changed.notified();
        let next = shared.changes.lock().unwrap().get(told).cloned();
        let Some(application) = next else {
            changed.await;
            continue;
        };
        told += 1;
        let change = ApplicationChange {
            event: None,
            application: Some(application),
        };
        let step = Some(Step::Change(change));
        let answer = WatchApplicationsResponse {
            step,
            cursor: told.to_string(),
        };
        if sender.send(Ok(answer)).await.is_err() {
            return;
        }
    }
}
