//! `ListTargets`.

use moka_core::PublicError;
use moka_proto::metrics::v1::{ListTargetsRequest, ListTargetsResponse, Target};
use moka_rpc::{Fingerprint, Page, timestamp};

use super::Api;
use crate::scrape::TargetStatus;

impl Api {
    pub(super) fn page_of_targets(
        &self,
        request: &ListTargetsRequest,
    ) -> Result<ListTargetsResponse, PublicError> {
        let question = ListTargetsRequest::default();
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            Fingerprint::of(&question),
        )?;
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let after = page.after.as_deref().unwrap_or_default();
        let mut rest = self
            .targets
            .list()
            .into_iter()
            .filter(|(url, _)| url.as_str() > after);
        let targets: Vec<_> = rest.by_ref().take(size).map(message).collect();
        let next_page_token = match (targets.last(), rest.next()) {
            (Some(last), Some(_)) => page.token_after(&last.url),
            _ => String::new(),
        };
        Ok(ListTargetsResponse {
            targets,
            next_page_token,
        })
    }
}

fn message((url, status): (String, TargetStatus)) -> Target {
    let TargetStatus {
        last_scrape,
        last_samples,
        last_error,
        successes,
        failures,
    } = status;
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Target {
        url,
        last_scrape_time: last_scrape.map(|(at, _)| timestamp::to_proto(at)),
        last_scrape_duration: last_scrape
            .and_then(|(_, took)| timestamp::duration_to_proto(took).ok()),
        last_samples: count(last_samples),
        last_error,
        successes: count(successes),
        failures: count(failures),
    }
}
