//! `ListApplications`.

use jiff::Timestamp;
use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{Application, ListApplicationsRequest, ListApplicationsResponse};
use moka_rpc::{Fingerprint, Page, Violations};

use super::{Api, Error, convert, read_mask::ReadMask};
use crate::{
    domain::{
        filter::{self, Filter},
        state::ApplicationState,
    },
    store::{ListQuery, Order, Position},
};

/// How many projects a list may name.
const MOST_PROJECTS: usize = 100;

pub(super) async fn list(
    api: &Api,
    mut request: ListApplicationsRequest,
) -> Result<ListApplicationsResponse, Error> {
    let page_size = std::mem::take(&mut request.page_size);
    let page_token = std::mem::take(&mut request.page_token);
    let mask = ReadMask::parse(request.read_mask.take())?;
    let page = Page::parse(page_size, &page_token, Fingerprint::of(&request))?;
    let states = states(&request)?;
    let query = ListQuery {
        states,
        filter: filter(&request.filter)?,
        order: order(&request.order_by)?,
        after: page.after.as_deref().map(position).transpose()?,
        limit: page.size,
        projects: request.projects,
    };
    let listed = api.store.list(&query).await?;
    let next = listed.next.map(|next| page.token_after(&text_of(&next)));
    let shown = |application| -> Application { mask.apply(convert::application(application)) };
    Ok(ListApplicationsResponse {
        applications: listed.applications.into_iter().map(shown).collect(),
        next_page_token: next.unwrap_or_default(),
    })
}

/// The filter of a list or a watch.
pub(super) fn filter(text: &str) -> Result<Option<Filter>, PublicError> {
    Ok(filter::parse(text)?)
}

fn order(text: &str) -> Result<Order, PublicError> {
    match text {
        "" | "create_time desc" => Ok(Order::NewestFirst),
        "create_time" | "create_time asc" => Ok(Order::OldestFirst),
        "update_time desc" => Ok(Order::LastChangedFirst),
        "update_time" | "update_time asc" => Ok(Order::LastChangedLast),
        _ => {
            let rule = "must be `create_time` or `update_time`, alone or followed by ` desc`";
            let message = "the list cannot be ordered so";
            Err(PublicError::new(ErrorReason::InvalidFilter, message).with_field("order_by", rule))
        }
    }
}

fn states(request: &ListApplicationsRequest) -> Result<Vec<ApplicationState>, PublicError> {
    let mut violations = Violations::new();
    if request.projects.len() > MOST_PROJECTS {
        violations.add("projects", format!("must be at most {MOST_PROJECTS}"));
    }
    for project in &request.projects {
        violations.dns_label("projects", project);
    }
    let mut states: Vec<_> = request
        .states
        .iter()
        .filter_map(|state| convert::state_of(*state))
        .collect();
    if states.len() < request.states.len() {
        violations.add("states", "must be states of an application");
    }
    violations.into_result()?;
    states.sort_unstable();
    states.dedup();
    Ok(states)
}

/// A position inside a token: microseconds and id.
fn text_of(position: &Position) -> String {
    format!("{}/{}", position.update_time.as_microsecond(), position.id)
}

fn position(text: &str) -> Result<Position, PublicError> {
    let parsed = text.split_once('/').and_then(|(time, id)| {
        Some(Position {
            update_time: Timestamp::from_microsecond(time.parse().ok()?).ok()?,
            id: id.parse().ok()?,
        })
    });
    parsed
        .ok_or_else(|| PublicError::new(ErrorReason::InvalidPageToken, "the page token is damaged"))
}
