//! `CancelApplication`.

use moka_proto::submission::v1::{CancelApplicationRequest, CancelApplicationResponse};
use moka_rpc::Violations;

use super::{Api, Error, check_reason, convert, not_found, parse_id};
use crate::domain::lifecycle::Happening;

pub(super) async fn cancel(
    api: &Api,
    request: &CancelApplicationRequest,
) -> Result<CancelApplicationResponse, Error> {
    let id = parse_id(&request.application_id)?;
    let mut violations = Violations::new();
    check_reason(&mut violations, &request.reason);
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
