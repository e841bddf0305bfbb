//! `SubmitApplications`.

use moka_core::{ApplicationId, PublicError};
use moka_proto::submission::v1::{
    SubmitApplicationResponse, SubmitApplicationsRequest, SubmitApplicationsResponse,
    SubmitOutcome, submit_outcome::Outcome,
};
use moka_rpc::Violations;
use tokio::time::Instant;

use super::{Api, Error, refusal, submit};
use crate::domain::submission::Submission;

/// How many requests one call may have.
const MOST_REQUESTS: usize = 500;

pub(super) async fn submit_many(
    api: &Api,
    request: SubmitApplicationsRequest,
) -> Result<SubmitApplicationsResponse, Error> {
    let began = Instant::now();
    let count = request.requests.len();
    let mut violations = Violations::new();
    violations.range("requests", &count, &(1..=MOST_REQUESTS));
    violations.into_result()?;
    let mut outcomes: Vec<_> = (0..count).map(|_| None).collect();
    let mut accepted = Vec::with_capacity(count);
    for (index, request) in request.requests.iter().enumerate() {
        match prepare(api, request).await? {
            Prepared::Submission(submission) => accepted.push((index, submission)),
            Prepared::Decided(outcome) => outcomes[index] = Some(outcome),
        }
    }
    let mint = || ApplicationId::mint(&*api.clock, &*api.entropy);
    let submissions = accepted
        .iter()
        .map(|(_, submission)| (mint(), submission.clone()))
        .collect();
    let submitted = api.journal.submit_many(submissions).await?;
    for ((index, submission), submitted) in accepted.into_iter().zip(submitted) {
        let answer = match submitted {
            // One transaction has failed for all of them; everything may be repeated.
            Err(error) if error.is_outage() => return Err(error.into()),
            submitted => submitted.map_err(Error::from),
        };
        let answer =
            answer.and_then(|submitted| submit::answer(api, &submission, submitted, began));
        outcomes[index] = Some(answer);
    }
    let outcomes = outcomes.into_iter().flatten().map(outcome).collect();
    Ok(SubmitApplicationsResponse { outcomes })
}

#[expect(
    clippy::large_enum_variant,
    reason = "lives for one request, on the stack"
)]
enum Prepared {
    /// To be stored.
    Submission(Submission),
    /// Refused, or a repetition although its queue is gone.
    Decided(Result<SubmitApplicationResponse, Error>),
}

async fn prepare(
    api: &Api,
    request: &moka_proto::submission::v1::SubmitApplicationRequest,
) -> Result<Prepared, Error> {
    let mut submission = match submit::parse(request) {
        Ok(submission) => submission,
        Err(error) => return Ok(Prepared::Decided(Err(error.into()))),
    };
    match submit::earlier_unless_allowed(api, &mut submission).await {
        Ok(None) => Ok(Prepared::Submission(submission)),
        Ok(Some(earlier)) => Ok(Prepared::Decided(submit::repeated(&submission, &earlier))),
        Err(Error::Public(refusal)) => Ok(Prepared::Decided(Err(refusal.into()))),
        Err(error) => Err(error),
    }
}

fn outcome(answer: Result<SubmitApplicationResponse, Error>) -> SubmitOutcome {
    let outcome = match answer {
        Ok(accepted) => Outcome::Accepted(accepted),
        Err(error) => Outcome::Refused(refusal::refusal(&PublicError::from(error))),
    };
    SubmitOutcome {
        outcome: Some(outcome),
    }
}
