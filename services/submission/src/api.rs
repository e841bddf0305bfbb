//! The gRPC surface: parses, calls, converts.

mod cancel;
mod change;
mod clusters;
mod convert;
mod events;
mod explain;
mod get;
mod links;
mod list;
mod projects;
mod read_mask;
mod refusal;
mod retry;
mod strategies;
mod submit;
mod submit_many;
mod validate;
mod watch;

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

pub use clusters::FleetApi;
use futures::Stream;
use moka_core::{ApplicationId, ErrorReason, PublicError, clock::Clock, entropy::Entropy};
use moka_proto::submission::v1::{
    CancelApplicationRequest, CancelApplicationResponse, ExplainApplicationRequest,
    ExplainApplicationResponse, GetApplicationLinksRequest, GetApplicationLinksResponse,
    GetApplicationRequest, GetApplicationResponse, ListApplicationEventsRequest,
    ListApplicationEventsResponse, ListApplicationsRequest, ListApplicationsResponse,
    RetryApplicationRequest, RetryApplicationResponse, SubmitApplicationRequest,
    SubmitApplicationResponse, SubmitApplicationsRequest, SubmitApplicationsResponse,
    ValidateApplicationRequest, ValidateApplicationResponse, WatchApplicationsRequest,
    WatchApplicationsResponse, submission_service_server::SubmissionService,
};
use moka_rpc::{Violations, status_of, until_stopped};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    client::scheduling::{Scheduler, SchedulerInsight},
    domain::{
        fleet::Fleet, links::LinkSettings, manifest::ManifestSettings, queue_tree::QueueTree,
    },
    inspector::Inspector,
    journal::Journal,
    store::{
        self, Store,
        fleet::{self, FleetStore},
    },
};

const REASON_BYTES: usize = 256;

/// The service.
#[derive(Debug, Clone)]
pub struct Api {
    /// Reads.
    pub store: Arc<dyn Store>,
    /// Writes transitions.
    pub journal: Journal,
    /// The last copy of the queue trees; `None` before the first.
    pub queues: tokio::sync::watch::Receiver<Option<QueueTree>>,
    /// Whom to ask about what is elsewhere.
    pub sources: Sources,
    /// Time of new ids.
    pub clock: Arc<dyn Clock>,
    /// Randomness of new ids.
    pub entropy: Arc<dyn Entropy>,
    /// How watches behave.
    pub watch: WatchPace,
    /// Ends watches when the process drains.
    pub stop: CancellationToken,
}

/// Whom the API layer asks about what is not in the database. None of them is needed to accept,
/// read or cancel.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Chooses places.
    pub scheduler: Arc<dyn Scheduler>,
    /// Knows why attempts wait.
    pub insight: Arc<dyn SchedulerInsight>,
    /// Looks into clusters.
    pub inspector: Arc<dyn Inspector>,
    /// Knows the clusters and what their workers see.
    pub fleet: Arc<dyn FleetStore>,
    /// The clusters and the projects' rules, as they were read last.
    pub known_fleet: tokio::sync::watch::Receiver<Arc<Fleet>>,
    /// What every manifest has in common.
    pub manifests: ManifestSettings,
    /// Namespace of applications in clusters that name none.
    pub namespace: String,
    /// Where people look.
    pub links: LinkSettings,
    /// How long one of them may take, when several are asked at the same time.
    pub patience: Duration,
}

/// How often a watch that has nothing to tell does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchPace {
    /// Looks for what other replicas have written.
    pub poll: Duration,
    /// Tells its client that it is there.
    pub heartbeat: Duration,
}

type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchApplicationsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl SubmissionService for Api {
    type WatchApplicationsStream = WatchStream;

    async fn submit_application(
        &self,
        request: Request<SubmitApplicationRequest>,
    ) -> Result<Response<SubmitApplicationResponse>, Status> {
        answer(submit::submit(self, request.get_ref()).await)
    }

    async fn get_application(
        &self,
        request: Request<GetApplicationRequest>,
    ) -> Result<Response<GetApplicationResponse>, Status> {
        answer(get::get(self, request.get_ref()).await)
    }

    async fn list_applications(
        &self,
        request: Request<ListApplicationsRequest>,
    ) -> Result<Response<ListApplicationsResponse>, Status> {
        answer(list::list(self, request.into_inner()).await)
    }

    async fn watch_applications(
        &self,
        request: Request<WatchApplicationsRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let steps = watch::watch(self, request.into_inner()).await;
        let stop = self.stop.clone();
        answer(steps.map(|steps| Box::pin(until_stopped(steps, stop)) as WatchStream))
    }

    async fn list_application_events(
        &self,
        request: Request<ListApplicationEventsRequest>,
    ) -> Result<Response<ListApplicationEventsResponse>, Status> {
        answer(events::list(self, request.into_inner()).await)
    }

    async fn cancel_application(
        &self,
        request: Request<CancelApplicationRequest>,
    ) -> Result<Response<CancelApplicationResponse>, Status> {
        answer(cancel::cancel(self, request.get_ref()).await)
    }
    async fn submit_applications(
        &self,
        request: Request<SubmitApplicationsRequest>,
    ) -> Result<Response<SubmitApplicationsResponse>, Status> {
        answer(submit_many::submit_many(self, request.into_inner()).await)
    }

    async fn validate_application(
        &self,
        request: Request<ValidateApplicationRequest>,
    ) -> Result<Response<ValidateApplicationResponse>, Status> {
        answer(validate::validate(self, request.get_ref()).await)
    }

    async fn retry_application(
        &self,
        request: Request<RetryApplicationRequest>,
    ) -> Result<Response<RetryApplicationResponse>, Status> {
        answer(retry::retry(self, request.get_ref()).await)
    }

    async fn explain_application(
        &self,
        request: Request<ExplainApplicationRequest>,
    ) -> Result<Response<ExplainApplicationResponse>, Status> {
        answer(explain::get(self, request.get_ref()).await)
    }

    async fn get_application_links(
        &self,
        request: Request<GetApplicationLinksRequest>,
    ) -> Result<Response<GetApplicationLinksResponse>, Status> {
        answer(links::get(self, request.get_ref()).await)
    }
}

/// Why a call failed, before it is made public.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The caller's fault, or told as it is.
    #[error(transparent)]
    Public(#[from] PublicError),
    /// The store's.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The fleet's store's.
    #[error(transparent)]
    Fleet(fleet::Error),
}

impl From<fleet::Error> for Error {
    fn from(error: fleet::Error) -> Self {
        match error {
            fleet::Error::Store(error) => Self::Store(error),
            error => Self::Fleet(error),
        }
    }
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        match error {
            Error::Public(public) => public,
            Error::Fleet(error) => error.into(),
            Error::Store(error) => {
                let detail = chain(&error);
                let public = Self::from(error);
                match public.reason {
                    ErrorReason::Internal => tracing::error!(error = detail, "a call failed"),
                    ErrorReason::StoreUnavailable => {
                        tracing::warn!(error = detail, "the database does not answer");
                    }
                    _ => {}
                }
                public
            }
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        status_of(&error.into())
    }
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    Ok(Response::new(result?))
}

fn parse_id(text: &str) -> Result<ApplicationId, PublicError> {
    text.parse()
        .map_err(|error: moka_core::id::ParseApplicationIdError| {
            let message = error.to_string();
            PublicError::new(ErrorReason::InvalidField, message.clone())
                .with_field("application_id", message)
        })
}

/// Why somebody asks for something, for the record.
fn check_reason(violations: &mut Violations, reason: &str) {
    violations.max_length("reason", reason, REASON_BYTES);
    if reason.chars().any(char::is_control) {
        violations.add("reason", "must not have control characters");
    }
}

fn not_found(id: ApplicationId) -> PublicError {
    PublicError::new(
        ErrorReason::ApplicationNotFound,
        format!("there is no application {id}"),
    )
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> impl fmt::Display + tracing::Value + use<> {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
