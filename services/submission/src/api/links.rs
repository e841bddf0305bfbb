//! `GetApplicationLinks`.

use moka_proto::submission::v1 as wire;

use super::{Api, Error, convert, not_found, parse_id};
use crate::domain::links::{Link, LinkKind, links};

pub(super) async fn get(
    api: &Api,
    request: &wire::GetApplicationLinksRequest,
) -> Result<wire::GetApplicationLinksResponse, Error> {
    let id = parse_id(&request.application_id)?;
    let application = api.store.get(id).await?.ok_or_else(|| not_found(id))?;
    let found = links(&application, &api.sources.links);
    Ok(wire::GetApplicationLinksResponse {
        state: convert::wire_state(application.state).into(),
        links: found.into_iter().map(link).collect(),
    })
}

fn link(link: Link) -> wire::Link {
    let kind = match link.kind {
        LinkKind::LiveUi => wire::LinkKind::LiveUi,
        LinkKind::LogStream => wire::LinkKind::LogStream,
        LinkKind::HistoryServer => wire::LinkKind::HistoryServer,
        LinkKind::HistoryIndex => wire::LinkKind::HistoryIndex,
        LinkKind::Dashboard => wire::LinkKind::Dashboard,
    };
    wire::Link {
        kind: kind.into(),
        title: link.title,
        target: link.target,
        attempt_number: i32::try_from(link.attempt_number).unwrap_or(i32::MAX),
    }
}
