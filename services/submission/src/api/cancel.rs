//! `CancelApplication`.

use moka_proto::submission::v1::{CancelApplicationRequest, CancelApplicationResponse};
use moka_rpc::Violations;

use super::{Api, Error, convert, not_found, parse_id};
use crate::domain::lifecycle::Happening;

const REASON_BYTES: usize = 256;

pub(super) async fn cancel(
    api: &Api,
    request: &CancelApplicationRequest,
) -> Result<CancelApplicationResponse, Error> {
    let id = parse_id(&request.application_id)?;
    let mut violations = Violations::new();
    violations.max_length("reason", &request.reason, REASON_BYTES);
    if request.reason.chars().any(char::is_control) {
        violations.add("reason", "must not have control characters");
    }
    violations.into_result()?;
    let reason = request.reason.clone();
    let force = request.force;
    let happening = Happening::CancelRequested { reason, force };
    let recorded = api.journal.record(id, None, &happening, "api").await?;
    let application = recorded.ok_or_else(|| not_found(id))?.application;
    Ok(CancelApplicationResponse {
        application: Some(convert::application(application)),
    })
}
