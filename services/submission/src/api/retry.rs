//! `RetryApplication`: the same request under the next try number.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    RetryApplicationRequest, RetryApplicationResponse, SubmitApplicationResponse,
};

use super::{Api, Error, not_found, parse_id, submit};
use crate::domain::{
    application::Application,
    submission::{HIGHEST_TRY_NUMBER, Submission},
};

pub(super) async fn retry(
    api: &Api,
    request: &RetryApplicationRequest,
) -> Result<RetryApplicationResponse, Error> {
    let id = parse_id(&request.application_id)?;
    let application = api.store.get(id).await?.ok_or_else(|| not_found(id))?;
    let again = once_more(application)?;
    let SubmitApplicationResponse {
        application,
        created,
    } = submit::accept(api, again).await?;
    Ok(RetryApplicationResponse {
        application,
        created,
    })
}

/// The request that runs a final application once more. A state that is final stays so: what was
/// read decides, without a lock.
fn once_more(application: Application) -> Result<Submission, PublicError> {
    if !application.state.is_final() {
        let message = format!("application {} is {}", application.id, application.state);
        return Err(PublicError::new(ErrorReason::ApplicationLive, message));
    }
    let submission = application.submission;
    if submission.try_number >= HIGHEST_TRY_NUMBER {
        let rule = format!("has reached {HIGHEST_TRY_NUMBER}; submit under another key");
        let message = "there is no higher try number";
        return Err(
            PublicError::new(ErrorReason::InvalidField, message).with_field("try_number", rule)
        );
    }
    Ok(Submission {
        try_number: submission.try_number + 1,
        ..submission.request()
    })
}
