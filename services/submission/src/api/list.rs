//! `ListApplications`.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{ListApplicationsRequest, ListApplicationsResponse};
use moka_rpc::{Fingerprint, Page, Violations};

use super::{Api, Error, convert};
use crate::{domain::state::ApplicationState, store::ListQuery};

/// How many projects a list may name.
const MOST_PROJECTS: usize = 100;

pub(super) async fn list(
    api: &Api,
    mut request: ListApplicationsRequest,
) -> Result<ListApplicationsResponse, Error> {
    let page_size = std::mem::take(&mut request.page_size);
    let page_token = std::mem::take(&mut request.page_token);
    let page = Page::parse(page_size, &page_token, Fingerprint::of(&request))?;
    let states = filter(&request)?;
    let after = page.after.as_deref().map(str::parse).transpose();
    let query = ListQuery {
        projects: request.projects,
        states,
        after: after.map_err(|_damaged| invalid_token())?,
        // One more tells whether there is another page.
        limit: page.size + 1,
    };
    let mut found = api.store.list(&query).await?;
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let next_page_token = match found.last() {
        Some(last) if more => page.token_after(&last.id.to_string()),
        _ => String::new(),
    };
    Ok(ListApplicationsResponse {
        applications: found.into_iter().map(convert::application).collect(),
        next_page_token,
    })
}

fn filter(request: &ListApplicationsRequest) -> Result<Vec<ApplicationState>, PublicError> {
    let mut violations = Violations::new();
    if request.projects.len() > MOST_PROJECTS {
        violations.add("projects", format!("must be at most {MOST_PROJECTS}"));
    }
    for project in &request.projects {
        violations.dns_label("projects", project);
    }
    let states: Vec<_> = request
        .states
        .iter()
        .filter_map(|state| convert::state_of(*state))
        .collect();
    if states.len() < request.states.len() {
        violations.add("states", "must be states of an application");
    }
    violations.into_result()?;
    Ok(states)
}

fn invalid_token() -> PublicError {
    PublicError::new(ErrorReason::InvalidPageToken, "the page token is damaged")
}
