//! `ListQueues`.

use moka_core::{ErrorReason, PublicError};
use moka_proto::scheduling::v1::{ListQueuesRequest, ListQueuesResponse};
use moka_rpc::{Fingerprint, Page};

use super::{Api, convert};
use crate::error;

/// Stands between cluster and path in a page's key; neither has it.
const SEPARATOR: char = ' ';

impl Api {
    /// Pages are cut by key, so a queue that comes or goes between two of them moves no other one.
    pub(super) fn queues(
        &self,
        request: &ListQueuesRequest,
    ) -> Result<ListQueuesResponse, PublicError> {
        let cluster = request.cluster.as_str();
        if !cluster.is_empty() && !self.yunikorns.contains_key(cluster) {
            let error = PublicError::new(
                ErrorReason::InvalidField,
                "the request names a cluster that is not ours",
            );
            return Err(error.with_field("cluster", self.unknown_cluster(cluster)));
        }
        let question = ListQueuesRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        };
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            Fingerprint::of(&question),
        )?;
        let after = page
            .after
            .as_deref()
            .and_then(|key| key.split_once(SEPARATOR));
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);

        let fleet = self.fleet();
        let asked = || {
            let clusters = fleet.clusters();
            clusters.filter(|(name, _)| cluster.is_empty() || cluster == *name)
        };
        if asked().all(|(_, observation)| observation.snapshot.is_none()) {
            // An empty list would say that there are no queues.
            let failing = asked().any(|(_, observation)| observation.failing);
            return Err(error::of_unknown_trees(failing));
        }
        let mut rest = asked()
            .filter_map(|(name, observation)| {
                Some((name, observation, observation.snapshot.as_ref()?))
            })
            .flat_map(|(name, observation, snapshot)| {
                snapshot
                    .tree
                    .queues()
                    .map(move |queue| (name, observation, snapshot, queue))
            })
            .filter(|(name, _, _, queue)| {
                after.is_none_or(|after| (*name, queue.path.as_str()) > after)
            });
        let queues: Vec<_> = rest
            .by_ref()
            .take(size)
            .map(|(name, observation, snapshot, queue)| {
                convert::queue(name, observation, snapshot, queue)
            })
            .collect();
        let next_page_token = match (queues.last(), rest.next()) {
            (Some(last), Some(_)) => {
                page.token_after(&format!("{}{SEPARATOR}{}", last.cluster, last.path))
            }
            _ => String::new(),
        };
        Ok(ListQueuesResponse {
            queues,
            next_page_token,
        })
    }
}
