//! What keeps a cluster from taking or creating attempts.

use super::{ClusterFacts, Finding, Source, duration};
use crate::domain::{
    fleet::ClusterHealth,
    rules::{Cluster, ClusterState},
};

/// How many attempts the operator may have before it, when the cluster's limits do not say.
const OPERATOR_BACKLOG: u32 = 1000;

impl ClusterFacts {
    /// Facts of a cluster from its record and from what its workers told last.
    pub fn new(cluster: Cluster, health: Option<&ClusterHealth>) -> Self {
        let limits = cluster.settings.limits;
        let most_backlog = match limits.max_operator_backlog {
            0 => OPERATOR_BACKLOG,
            limit => limit,
        };
        Self {
            name: cluster.name,
            state: cluster.state,
            problem: health
                .filter(|health| !health.reachable)
                .map(|health| health.problem.clone()),
            circuit_open: health.is_some_and(|health| health.circuit_open),
            live_attempts: (
                health.map_or(0, |health| health.live_attempts),
                limits.max_live_attempts,
            ),
            operator_backlog: (
                health.map_or(0, |health| health.operator_backlog),
                most_backlog,
            ),
            operator_lag_seconds: health.map_or(0, |health| health.operator_lag_seconds),
        }
    }

    /// A sentence that says why it takes no new attempts; `None` when it does.
    pub fn hindrance(&self) -> Option<String> {
        Some(self.takes_nothing()?.message)
    }

    /// Why it takes no new attempts; `None` when it does.
    pub(super) fn takes_nothing(&self) -> Option<Finding> {
        let name = &self.name;
        match self.state {
            ClusterState::Active => self.creates_nothing(),
            ClusterState::Draining => Some(finding(
                "CLUSTER_DRAINING",
                format!("cluster {name} is being drained and takes no new attempts"),
            )),
            ClusterState::Drained => Some(finding(
                "CLUSTER_DRAINED",
                format!("cluster {name} is drained and takes no new attempts"),
            )),
        }
    }

    /// Why nothing is created in it now; `None` when things are.
    pub(super) fn creates_nothing(&self) -> Option<Finding> {
        let name = &self.name;
        let (live, most_live) = self.live_attempts;
        let (backlog, most_backlog) = self.operator_backlog;
        if let Some(problem) = &self.problem {
            let message = format!("the API server of cluster {name} does not answer: {problem}");
            Some(finding("CLUSTER_UNREACHABLE", message))
        } else if self.circuit_open {
            let message = format!(
                "too many creates in cluster {name} failed in a row; it is tried again soon"
            );
            Some(finding("CIRCUIT_OPEN", message))
        } else if most_live > 0 && live >= most_live {
            let message =
                format!("cluster {name} has {live} live attempts and may have {most_live}");
            Some(finding("CLUSTER_FULL", message))
        } else if most_backlog > 0 && backlog >= most_backlog {
            let message = format!(
                "the operator of cluster {name} has not looked at {backlog} attempts, the oldest for {}",
                duration(self.operator_lag_seconds.into())
            );
            Some(finding("OPERATOR_BACKLOG", message))
        } else {
            None
        }
    }
}

fn finding(reason: &str, message: String) -> Finding {
    Finding::now(Source::Submission, reason, message)
}
