//! The watch of applications goes on after its connection breaks.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{Stream, StreamExt, stream};
use moka_core::{ErrorReason, PublicError, clock::SystemClock};
use moka_log_broker::applications::{LiveAttempts, SubmissionClient};
use moka_proto::submission::v1::{
    Application, ApplicationChange, Attempt, CancelApplicationRequest, CancelApplicationResponse,
    ExplainApplicationRequest, ExplainApplicationResponse, GetApplicationLinksRequest,
    GetApplicationLinksResponse, GetApplicationRequest, GetApplicationResponse,
    ListApplicationEventsRequest, ListApplicationEventsResponse, ListApplicationsRequest,
    ListApplicationsResponse, RetryApplicationRequest, RetryApplicationResponse, SnapshotEnd,
    SubmitApplicationRequest, SubmitApplicationResponse, SubmitApplicationsRequest,
    SubmitApplicationsResponse, ValidateApplicationRequest, ValidateApplicationResponse,
    WatchApplicationsRequest, WatchApplicationsResponse,
    submission_service_server::{SubmissionService, SubmissionServiceServer},
    watch_applications_response::Step,
};
use moka_rpc::{ClientOptions, Server, ServerOptions, memory, status_of};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Answers watches from a script, one entry a connection, and notes the cursors that they came
/// with.
#[derive(Default)]
struct Script {
    /// What it tells of any application; without one nobody asks.
    application: Option<Application>,
    connections: Mutex<VecDeque<Vec<Result<WatchApplicationsResponse, Status>>>>,
    cursors: Mutex<Vec<String>>,
}

pub(crate) struct FakeSubmission(Arc<Script>);

impl FakeSubmission {
    /// Knows one application, whichever is asked for, and nothing of watches.
    pub(crate) fn of(application: Application) -> Self {
        Self(Arc::new(Script {
            application: Some(application),
            ..Script::default()
        }))
    }
}

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not asked for here"))
}

#[tonic::async_trait]
impl SubmissionService for FakeSubmission {
    type WatchApplicationsStream =
        Pin<Box<dyn Stream<Item = Result<WatchApplicationsResponse, Status>> + Send>>;

    async fn watch_applications(
        &self,
        request: Request<WatchApplicationsRequest>,
    ) -> Result<Response<Self::WatchApplicationsStream>, Status> {
        self.0
            .cursors
            .lock()
            .unwrap()
            .push(request.into_inner().cursor);
        let answers = self.0.connections.lock().unwrap().pop_front();
        Ok(Response::new(match answers {
            Some(answers) => stream::iter(answers).boxed(),
            None => stream::pending().boxed(),
        }))
    }

    async fn submit_application(
        &self,
        _: Request<SubmitApplicationRequest>,
    ) -> Result<Response<SubmitApplicationResponse>, Status> {
        unused()
    }

    async fn get_application(
        &self,
        _: Request<GetApplicationRequest>,
    ) -> Result<Response<GetApplicationResponse>, Status> {
        match &self.0.application {
            Some(application) => Ok(Response::new(GetApplicationResponse {
                application: Some(application.clone()),
            })),
            None => unused(),
        }
    }

    async fn list_applications(
        &self,
        _: Request<ListApplicationsRequest>,
    ) -> Result<Response<ListApplicationsResponse>, Status> {
        unused()
    }

    async fn list_application_events(
        &self,
        _: Request<ListApplicationEventsRequest>,
    ) -> Result<Response<ListApplicationEventsResponse>, Status> {
        unused()
    }

    async fn cancel_application(
        &self,
        _: Request<CancelApplicationRequest>,
    ) -> Result<Response<CancelApplicationResponse>, Status> {
        unused()
    }

    async fn submit_applications(
        &self,
        _: Request<SubmitApplicationsRequest>,
    ) -> Result<Response<SubmitApplicationsResponse>, Status> {
        unused()
    }

    async fn validate_application(
        &self,
        _: Request<ValidateApplicationRequest>,
    ) -> Result<Response<ValidateApplicationResponse>, Status> {
        unused()
    }

    async fn retry_application(
        &self,
        _: Request<RetryApplicationRequest>,
    ) -> Result<Response<RetryApplicationResponse>, Status> {
        unused()
    }

    async fn explain_application(
        &self,
        _: Request<ExplainApplicationRequest>,
    ) -> Result<Response<ExplainApplicationResponse>, Status> {
        unused()
    }

    async fn get_application_links(
        &self,
        _: Request<GetApplicationLinksRequest>,
    ) -> Result<Response<GetApplicationLinksResponse>, Status> {
        unused()
    }
}

fn application(last: char) -> Application {
    Application {
        application_id: format!("m01hf7yat00v2t9d4h5w8k3e6q{last}"),
        attempts: vec![Attempt {
            number: 1,
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn answer(step: Step, cursor: &str) -> WatchApplicationsResponse {
    WatchApplicationsResponse {
        step: Some(step),
        cursor: cursor.to_owned(),
    }
}

fn change(last: char, cursor: &str) -> WatchApplicationsResponse {
    answer(
        Step::Change(ApplicationChange {
            event: None,
            application: Some(application(last)),
        }),
        cursor,
    )
}

#[tokio::test(start_paused = true)]
async fn watch_goes_on_at_its_cursor_and_starts_anew_when_it_expired() {
    let script = Arc::new(Script::default());
    let expired = PublicError::new(ErrorReason::CursorExpired, "too old");
    script.connections.lock().unwrap().extend([
        vec![
            Ok(answer(Step::Snapshot(application('1')), "")),
            Ok(answer(Step::SnapshotEnd(SnapshotEnd {}), "5")),
            Ok(change('2', "6")),
            Err(Status::unavailable("the connection broke")),
        ],
        vec![Ok(change('3', "7"))],
        vec![Err(status_of(&expired))],
    ]);
    let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
    let stop = CancellationToken::new();
    let server = Server::new(
        ServerOptions::default(),
        &mut prometheus_client::registry::Registry::default(),
    )
    .add_service(SubmissionServiceServer::new(FakeSubmission(Arc::clone(
        &script,
    ))));
    let tasks = moka_process::Tasks::default();
    tasks.spawn("submission", server.serve_incoming(incoming, stop.clone()));
    let attempts = LiveAttempts::new(Duration::from_mins(1));
    let watching = SubmissionClient::new(channel).keep_watching(
        attempts.clone(),
        Arc::new(SystemClock),
        stop.clone(),
    );
    tasks.spawn("watch", watching);

    while script.cursors.lock().unwrap().len() < 4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(*script.cursors.lock().unwrap(), ["", "6", "7", ""]);
    let names: Vec<_> = attempts
        .current(jiff::Timestamp::UNIX_EPOCH)
        .into_iter()
        .map(|attempt| attempt.name.to_string())
        .collect();
    let expected = ['1', '2', '3'].map(|last| format!("{}-1", application(last).application_id));
    assert_eq!(names, expected);
    stop.cancel();
}
