//! The client against a service that answers from a script.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use moka_client::{
    Client, ErrorReason, Options, PublicError, WatchItem,
    v1::{
        Application, ApplicationChange, ApplicationState, CancelApplicationRequest,
        CancelApplicationResponse, ExplainApplicationRequest, ExplainApplicationResponse,
        GetApplicationLinksRequest, GetApplicationLinksResponse, GetApplicationRequest,
        GetApplicationResponse, Heartbeat, ListApplicationEventsRequest,
        ListApplicationEventsResponse, ListApplicationsRequest, ListApplicationsResponse,
        RetryApplicationRequest, RetryApplicationResponse, SnapshotEnd, SubmitApplicationRequest,
        SubmitApplicationResponse, SubmitApplicationsRequest, SubmitApplicationsResponse,
        SubmitOutcome, ValidateApplicationRequest, ValidateApplicationResponse,
        WatchApplicationsRequest, WatchApplicationsResponse,
        submission_service_server::{SubmissionService, SubmissionServiceServer},
        submit_outcome::Outcome,
        watch_applications_response::Step,
    },
};
use moka_rpc::{ClientOptions, Server, ServerOptions, memory, status_of};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

type Answers = Vec<Result<WatchApplicationsResponse, Status>>;

/// What the service answers, and what it was asked.
#[derive(Default)]
struct Script {
    watches: Mutex<VecDeque<Result<Answers, Status>>>,
    cursors: Mutex<Vec<String>>,
    failures: Mutex<VecDeque<Status>>,
    submitted: Mutex<Vec<usize>>,
}

impl Script {
    fn fail(&self) -> Result<(), Status> {
        self.failures
            .lock()
            .unwrap()
            .pop_front()
            .map_or(Ok(()), Err)
    }
}

struct Scripted(Arc<Script>);

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

/// Calls that no test makes, in the form that `async_trait` gives them.
macro_rules! unused {
    ($($name:ident: $request:ty => $response:ty;)*) => {$(
        fn $name<'life0, 'async_trait>(
            &'life0 self,
            _: Request<$request>,
        ) -> Answer<'async_trait, $response>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented("not asked for here")) })
        }
    )*};
}

#[tonic::async_trait]
impl SubmissionService for Scripted {
    type WatchApplicationsStream =
        Pin<Box<dyn Stream<Item = Result<WatchApplicationsResponse, Status>> + Send>>;

    async fn watch_applications(
        &self,
        request: Request<WatchApplicationsRequest>,
    ) -> Result<Response<Self::WatchApplicationsStream>, Status> {
        let cursor = request.into_inner().cursor;
        self.0.cursors.lock().unwrap().push(cursor);
        let answers = self.0.watches.lock().unwrap().pop_front();
        Ok(Response::new(match answers {
            Some(answers) => stream::iter(answers?).boxed(),
            None => stream::pending().boxed(),
        }))
    }

    async fn list_applications(
        &self,
        request: Request<ListApplicationsRequest>,
    ) -> Result<Response<ListApplicationsResponse>, Status> {
        self.0.fail()?;
        let page: u8 = request.into_inner().page_token.parse().unwrap_or(1);
        let next = if page < 3 {
            (page + 1).to_string()
        } else {
            String::new()
        };
        Ok(Response::new(ListApplicationsResponse {
            applications: vec![
                application(&format!("{page}a")),
                application(&format!("{page}b")),
            ],
            next_page_token: next,
        }))
    }

    async fn submit_application(
        &self,
        _: Request<SubmitApplicationRequest>,
    ) -> Result<Response<SubmitApplicationResponse>, Status> {
        self.0.fail()?;
        Ok(Response::new(SubmitApplicationResponse {
            application: Some(application("1")),
            created: false,
        }))
    }

    async fn submit_applications(
        &self,
        request: Request<SubmitApplicationsRequest>,
    ) -> Result<Response<SubmitApplicationsResponse>, Status> {
        self.0.fail()?;
        let requests = request.into_inner().requests;
        self.0.submitted.lock().unwrap().push(requests.len());
        let outcomes = requests.into_iter().map(|request| SubmitOutcome {
            outcome: Some(Outcome::Accepted(SubmitApplicationResponse {
                application: Some(application(&request.idempotency_key)),
                created: true,
            })),
        });
        let outcomes = outcomes.collect();
        Ok(Response::new(SubmitApplicationsResponse { outcomes }))
    }

    unused! {
        get_application: GetApplicationRequest => GetApplicationResponse;
        list_application_events: ListApplicationEventsRequest => ListApplicationEventsResponse;
        cancel_application: CancelApplicationRequest => CancelApplicationResponse;
        validate_application: ValidateApplicationRequest => ValidateApplicationResponse;
        retry_application: RetryApplicationRequest => RetryApplicationResponse;
        explain_application: ExplainApplicationRequest => ExplainApplicationResponse;
        get_application_links: GetApplicationLinksRequest => GetApplicationLinksResponse;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's server ends with the test"
)]
fn start(script: &Arc<Script>) -> Client {
    let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
    let service = SubmissionServiceServer::new(Scripted(Arc::clone(script)));
    let server =
        Server::new(ServerOptions::default(), &mut Registry::default()).add_service(service);
    tokio::spawn(server.serve_incoming(incoming, CancellationToken::new()));
    Client::new(channel, Options::default())
}

fn application(id: &str) -> Application {
    Application {
        application_id: id.to_owned(),
        ..Application::default()
    }
}

fn answer(step: Step, cursor: &str) -> WatchApplicationsResponse {
    WatchApplicationsResponse {
        step: Some(step),
        cursor: cursor.to_owned(),
    }
}

fn change(id: &str, state: ApplicationState, cursor: &str) -> WatchApplicationsResponse {
    let application = Application {
        state: state.into(),
        ..application(id)
    };
    let change = ApplicationChange {
        event: None,
        application: Some(application),
    };
    answer(Step::Change(change), cursor)
}

fn reason(reason: ErrorReason) -> Status {
    status_of(&PublicError::new(reason, "as the script says"))
}

/// A step in short.
fn told(item: &WatchItem) -> String {
    match item {
        WatchItem::SnapshotBegin => "begin".to_owned(),
        WatchItem::Snapshot(application) => format!("snapshot {}", application.application_id),
        WatchItem::SnapshotEnd => "end".to_owned(),
        WatchItem::Change(change) => {
            format!(
                "change {}",
                change.application.as_ref().unwrap().application_id
            )
        }
        WatchItem::Heartbeat => "heartbeat".to_owned(),
        WatchItem::Interrupted(error) => format!("interrupted {}", error.reason.as_str()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_over_breaks_and_tells_of_a_new_snapshot() {
    let running = ApplicationState::Running;
    let script = Arc::new(Script::default());
    script.watches.lock().unwrap().extend([
        // Cut short inside its snapshot.
        Ok(vec![Ok(answer(Step::Snapshot(application("1")), ""))]),
        Ok(vec![
            Ok(answer(Step::Snapshot(application("1")), "")),
            Ok(answer(Step::SnapshotEnd(SnapshotEnd {}), "5")),
            Ok(change("2", running, "6")),
            Ok(answer(Step::Heartbeat(Heartbeat {}), "8")),
            Err(Status::unavailable("the connection broke")),
        ]),
        Err(reason(ErrorReason::StoreUnavailable)),
        Ok(vec![Ok(change("3", running, "9"))]),
        Err(reason(ErrorReason::CursorExpired)),
        Ok(vec![Ok(answer(Step::SnapshotEnd(SnapshotEnd {}), "20"))]),
    ]);
    let client = start(&script);
    let watch = client.watch(WatchApplicationsRequest::default());
    let steps: Vec<_> = watch.into_stream().take(17).try_collect().await.unwrap();
    let all: Vec<_> = steps.iter().map(|step| told(&step.item)).collect();
    assert_eq!(
        all,
        [
            "begin",
            "snapshot 1",
            "interrupted PEER_UNAVAILABLE",
            "begin",
            "snapshot 1",
            "end",
            "change 2",
            "heartbeat",
            "interrupted PEER_UNAVAILABLE",
            "interrupted STORE_UNAVAILABLE",
            "change 3",
            "interrupted PEER_UNAVAILABLE",
            "interrupted CURSOR_EXPIRED",
            "begin",
            "end",
            "interrupted PEER_UNAVAILABLE",
            // The last connection is silent.
            "interrupted DEADLINE_EXCEEDED",
        ]
    );
    let cursors = script.cursors.lock().unwrap().clone();
    assert_eq!(
        cursors,
        ["", "", "8", "8", "9", "", "20", "20"][..cursors.len()]
    );
    assert_eq!(steps[7].cursor.as_deref(), Some("8"));
    assert_eq!(steps[1].cursor, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_refused_ends() {
    let script = Arc::new(Script::default());
    script
        .watches
        .lock()
        .unwrap()
        .push_back(Err(reason(ErrorReason::InvalidFilter)));
    let client = start(&script);
    let mut watch = client.watch(WatchApplicationsRequest::default());
    let error = watch.next().await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidFilter);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_waited_for_over_a_restart() {
    let script = Arc::new(Script::default());
    script.watches.lock().unwrap().extend([
        Ok(vec![
            Ok(answer(Step::Snapshot(application("1")), "")),
            Ok(answer(Step::SnapshotEnd(SnapshotEnd {}), "5")),
            Ok(change("1", ApplicationState::Running, "6")),
        ]),
        Err(Status::unavailable("not up yet")),
        Ok(vec![Ok(change("1", ApplicationState::Failed, "7"))]),
    ]);
    let ended = start(&script).wait_until_final("1").await.unwrap();
    assert_eq!(ended.state(), ApplicationState::Failed);
    assert_eq!(*script.cursors.lock().unwrap(), ["", "6", "6"]);
}

#[tokio::test(start_paused = true)]
async fn a_submit_is_repeated_as_the_service_asks_and_a_refusal_is_not() {
    let script = Arc::new(Script::default());
    let overloaded = PublicError::new(ErrorReason::Overloaded, "too much")
        .retry_after(std::time::Duration::from_secs(7));
    script
        .failures
        .lock()
        .unwrap()
        .extend([status_of(&overloaded), Status::unavailable("gone")]);
    let client = start(&script);
    let begun = tokio::time::Instant::now();
    let request = SubmitApplicationRequest::default();
    let answer = client.submit(request.clone()).await.unwrap();
    assert_eq!(answer.application.unwrap().application_id, "1");
    assert!(begun.elapsed().as_secs() >= 7);

    script
        .failures
        .lock()
        .unwrap()
        .push_back(reason(ErrorReason::PredecessorLive));
    let error = client.submit(request).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::PredecessorLive);
}

#[tokio::test(start_paused = true)]
async fn many_are_submitted_in_chunks_and_keep_their_order() {
    let script = Arc::new(Script::default());
    let client = start(&script);
    let requests = (0..1001).map(|key| SubmitApplicationRequest {
        idempotency_key: key.to_string(),
        ..SubmitApplicationRequest::default()
    });
    let outcomes = client.submit_many(requests.collect()).await.unwrap();
    let ids: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome.outcome.unwrap() {
            Outcome::Accepted(answer) => answer.application.unwrap().application_id,
            Outcome::Refused(refusal) => refusal.message,
        })
        .collect();
    assert!(
        ids.iter().eq((0..1001)
            .map(|key| key.to_string())
            .collect::<Vec<_>>()
            .iter())
    );
    assert_eq!(*script.submitted.lock().unwrap(), [500, 500, 1]);
}

#[tokio::test(start_paused = true)]
async fn pages_are_one_stream_that_outlives_a_failure() {
    let script = Arc::new(Script::default());
    let client = start(&script);
    let mut list = Box::pin(client.list(ListApplicationsRequest::default()));
    let mut ids = Vec::new();
    while let Some(application) = list.try_next().await.unwrap() {
        ids.push(application.application_id);
        if ids.len() == 2 {
            let failure = Status::unavailable("restarting");
            script.failures.lock().unwrap().push_back(failure);
        }
    }
    assert_eq!(ids, ["1a", "1b", "2a", "2b", "3a", "3b"]);
}
