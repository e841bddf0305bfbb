//! `GetApplication`.

use moka_proto::submission::v1::{GetApplicationRequest, GetApplicationResponse};

use super::{Api, Error, convert, not_found, parse_id};

pub(super) async fn get(
    api: &Api,
    request: &GetApplicationRequest,
) -> Result<GetApplicationResponse, Error> {
    let id = parse_id(&request.application_id)?;
    let application = api.store.get(id).await?.ok_or_else(|| not_found(id))?;
    Ok(GetApplicationResponse {
        application: Some(convert::application(application)),
    })
}
