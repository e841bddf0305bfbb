//! `SubmitApplication`.

use std::{sync::Arc, time::Duration};

use moka_core::{ApplicationId, ErrorReason, PublicError};
use moka_proto::submission::v1::{SubmitApplicationRequest, SubmitApplicationResponse};
use prost::Message as _;
use tokio::time::Instant;

use super::{Api, Error, convert};
use crate::{
    domain::{
        admission::{AdmissionRules, Admitted, admit},
        application::Application,
        difference::first_difference,
        submission::Submission,
    },
    store::Submitted,
};

/// Far above the limits on its fields, so that those can name what is too large.
const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// When the queue tree is not known yet, it will be after its next poll.
const QUEUE_TREE_PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn submit(
    api: &Api,
    request: &SubmitApplicationRequest,
) -> Result<SubmitApplicationResponse, Error> {
    accept(api, parse(request)?).await
}

/// Checks a request.
pub(super) fn parse(request: &SubmitApplicationRequest) -> Result<Submission, PublicError> {
    let size = request.encoded_len();
    if size > MAX_REQUEST_BYTES {
        let message = format!("the request has {size} bytes");
        let rule = format!("must be at most {MAX_REQUEST_BYTES} bytes with everything in it");
        return Err(PublicError::new(ErrorReason::InvalidField, message).with_field("spec", rule));
    }
    Submission::parse(request)
}

/// Makes a checked request durable, or finds the application that it made before.
pub(super) async fn accept(
    api: &Api,
    mut submission: Submission,
) -> Result<SubmitApplicationResponse, Error> {
    let began = Instant::now();
    if let Some(earlier) = earlier_unless_allowed(api, &mut submission).await? {
        return repeated(&submission, &earlier);
    }
    let id = ApplicationId::mint(&*api.clock, &*api.entropy);
    let submitted = api.journal.submit(id, &submission).await?;
    answer(api, &submission, submitted, began)
}

/// Checks what the database does not know, and writes down what the project adds. A repeated
/// request gets its answer whatever has become of the rules and the queue.
pub(super) async fn earlier_unless_allowed(
    api: &Api,
    submission: &mut Submission,
) -> Result<Option<Application>, Error> {
    match check(api, submission).await {
        Ok(admitted) => {
            submission.terms = admitted.terms;
            Ok(None)
        }
        Err(refusal) => Ok(Some(earlier(api, submission).await?.ok_or(refusal)?)),
    }
}

/// The answer to a submission that the database has.
pub(super) fn answer(
    api: &Api,
    submission: &Submission,
    submitted: Submitted,
    began: Instant,
) -> Result<SubmitApplicationResponse, Error> {
    if !submitted.created {
        return repeated(submission, &submitted.application);
    }
    api.journal.metrics.accepted(began.elapsed());
    tracing::debug!(
        application.id = %submitted.application.id,
        application.project = submission.project,
        queue = submission.spec.queue,
        "application accepted"
    );
    Ok(SubmitApplicationResponse {
        application: Some(convert::application(submitted.application)),
        created: true,
    })
}

/// The application that the same three made before.
async fn earlier(api: &Api, submission: &Submission) -> Result<Option<Application>, Error> {
    let Submission {
        project,
        idempotency_key,
        try_number,
        ..
    } = submission;
    let earlier = api.store.find(project, idempotency_key, *try_number).await;
    Ok(earlier?)
}

/// The same request gets the same application, another one a refusal that changes nothing.
pub(super) fn repeated(
    submission: &Submission,
    earlier: &Application,
) -> Result<SubmitApplicationResponse, Error> {
    let document =
        |submission: &Submission| serde_json::to_value(submission.request()).unwrap_or_default();
    match first_difference(&document(submission), &document(&earlier.submission)) {
        None => Ok(SubmitApplicationResponse {
            application: Some(convert::application(earlier.clone())),
            created: false,
        }),
        Some(field) => {
            let message = format!(
                "application {} was submitted with the same key and try number and another {field}",
                earlier.id
            );
            let error = PublicError::new(ErrorReason::IdempotencyConflict, message);
            Err(error
                .with_field(field, "differs from the earlier request")
                .into())
        }
    }
}

/// Whether the rules and the queues of now allow a request.
pub(super) async fn check(api: &Api, submission: &Submission) -> Result<Admitted, Error> {
    let Submission { project, spec, .. } = submission;
    let strategy = match spec.workflow.as_str() {
        "" => None,
        // A complete request needs none before it is placed.
        _ if !spec.queue.is_empty() && spec.driver.is_some() && spec.executor.is_some() => None,
        workflow => api.sources.fleet.strategy(project, workflow).await?,
    };
    let fleet = Arc::clone(&api.sources.known_fleet.borrow());
    let rules = AdmissionRules {
        strategy: strategy.as_ref(),
        project: fleet.projects.get(project),
        clusters: fleet.clusters.values().collect(),
    };
    let admitted = admit(submission, &rules)?;
    check_queue(api, &admitted.queue)?;
    Ok(admitted)
}

fn check_queue(api: &Api, path: &str) -> Result<(), PublicError> {
    if let Some(tree) = &*api.queues.borrow() {
        tree.check(path)
    } else {
        let message = "the queues have not been read from the scheduler yet";
        let error = PublicError::new(ErrorReason::QueueTreeUnknown, message);
        Err(error.retry_after(QUEUE_TREE_PAUSE))
    }
}
