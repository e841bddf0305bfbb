//! `ListApplicationEvents`.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{ListApplicationEventsRequest, ListApplicationEventsResponse};
use moka_rpc::{Fingerprint, Page};

use super::{Api, Error, convert, not_found, parse_id};

pub(super) async fn list(
    api: &Api,
    mut request: ListApplicationEventsRequest,
) -> Result<ListApplicationEventsResponse, Error> {
    let page_size = std::mem::take(&mut request.page_size);
    let page_token = std::mem::take(&mut request.page_token);
    let page = Page::parse(page_size, &page_token, Fingerprint::of(&request))?;
    let id = parse_id(&request.application_id)?;
    let after: i64 = match &page.after {
        None => 0,
        Some(text) => text.parse().map_err(|_damaged| invalid_token())?,
    };
    api.store.get(id).await?.ok_or_else(|| not_found(id))?;
    // One more tells whether there is another page.
    let mut found = api.store.events(id, after, page.size + 1).await?;
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let next_page_token = match found.last() {
        Some(last) if more => page.token_after(&last.sequence.to_string()),
        _ => String::new(),
    };
    Ok(ListApplicationEventsResponse {
        events: found.into_iter().map(convert::event).collect(),
        next_page_token,
    })
}

fn invalid_token() -> PublicError {
    PublicError::new(ErrorReason::InvalidPageToken, "the page token is damaged")
}
