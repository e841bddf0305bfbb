//! Where clusters, projects' rules and strategies are kept.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use async_trait::async_trait;
use moka_core::{ApplicationId, ErrorReason, PublicError};

use super::Error as StoreError;
use crate::domain::{
    application::Application,
    fleet::{ClusterHealth, Fleet},
    rules::{
        Cluster, ClusterSettings, ClusterState, Defaults, OverridePolicy, Project, Strategy,
        StrategySettings,
    },
    state::ApplicationState,
};

/// A durable set of clusters, projects' rules and strategies. Every method is one transaction; each
/// write that changes something raises the fleet's revision and leaves an audit row.
#[async_trait]
pub trait FleetStore: Debug + Send + Sync {
    /// Rises with every change.
    async fn fleet_revision(&self) -> Result<i64>;

    /// All clusters and all projects' rules.
    async fn fleet(&self) -> Result<Fleet>;

    /// One cluster.
    async fn cluster(&self, name: &str) -> Result<Option<Cluster>>;

    /// A page of clusters by name.
    async fn clusters(&self, after: Option<&str>, limit: u32) -> Result<Vec<Cluster>>;

    /// Adds an active cluster, or finds the one that has the name. The caller compares the two.
    async fn register_cluster(
        &self,
        name: &str,
        settings: &ClusterSettings,
        actor: &str,
    ) -> Result<Cluster>;

    /// Writes a cluster's settings, when it still has the revision that the caller read.
    async fn write_cluster(
        &self,
        name: &str,
        settings: &ClusterSettings,
        revision: i64,
        actor: &str,
    ) -> Result<Cluster>;

    /// Lets a cluster take new attempts or not. A cluster that is to be drained and is empty is
    /// drained at once, and one that is drained already stays so.
    async fn set_cluster_state(
        &self,
        name: &str,
        state: ClusterState,
        reason: &str,
        actor: &str,
    ) -> Result<Cluster>;

    /// Writes down that a cluster that is being drained is empty, or is not any more. Changes
    /// nothing in one that takes new attempts.
    async fn note_drained(&self, name: &str, actor: &str) -> Result<()>;

    /// Forgets a cluster that takes no new attempts and in which nothing is left.
    async fn remove_cluster(&self, name: &str, actor: &str) -> Result<()>;

    /// What workers last saw of each cluster.
    async fn healths(&self) -> Result<BTreeMap<String, ClusterHealth>>;

    /// Notes what workers see of a cluster.
    async fn write_health(&self, name: &str, health: &ClusterHealth) -> Result<()>;

    /// How many live applications there are by cluster and state; the cluster is that of the last
    /// attempt, and empty before there was one.
    async fn loads(&self) -> Result<BTreeMap<(String, ApplicationState), u32>>;

    /// Gives launches back that cannot go on now, to be looked at again after a pause. Leaves alone
    /// those whose lease is another's by now.
    async fn hold_launches(
        &self,
        ids: &[ApplicationId],
        holder: &str,
        pause: Duration,
    ) -> Result<()>;

    /// Applications whose attempt is in a cluster, has not run yet and is not being ended, by id.
    async fn pending_in(
        &self,
        cluster: &str,
        after: Option<ApplicationId>,
        limit: u32,
    ) -> Result<Vec<Application>>;

    /// Says that a worker lives, and counts those that said so.
    async fn count_workers(&self, holder: &str, lease: Duration) -> Result<u32>;

    /// One project's rules.
    async fn project(&self, name: &str) -> Result<Option<Project>>;

    /// A page of projects' rules by name.
    async fn projects(&self, after: Option<&str>, limit: u32) -> Result<Vec<Project>>;

    /// Writes a project's rules, when they still have the revision that the caller read; 0 when
    /// there were none.
    async fn write_project(
        &self,
        name: &str,
        defaults: &Defaults,
        policy: &OverridePolicy,
        revision: i64,
        actor: &str,
    ) -> Result<Project>;

    /// Removes a project's rules, if there are any.
    async fn delete_project(&self, name: &str, actor: &str) -> Result<()>;

    /// One strategy.
    async fn strategy(&self, project: &str, workflow: &str) -> Result<Option<Strategy>>;

    /// The strategies of workflows, which are pairs of a project and a workflow.
    async fn strategies_of(&self, workflows: &[(String, String)]) -> Result<Vec<Strategy>>;

    /// A page of strategies by project and workflow.
    async fn strategies(
        &self,
        project: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Strategy>>;

    /// Writes a strategy, when it still has the revision that the caller read; 0 when there was
    /// none.
    async fn write_strategy(
        &self,
        project: &str,
        workflow: &str,
        settings: &StrategySettings,
        revision: i64,
        actor: &str,
    ) -> Result<Strategy>;

    /// Removes a strategy, if there is one.
    async fn delete_strategy(&self, project: &str, workflow: &str, actor: &str) -> Result<()>;
}

/// A call to the fleet's store that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such cluster.
    #[error("the fleet has no cluster {0}")]
    ClusterNotFound(String),
    /// Something of applications is, or may come to be, in the cluster.
    #[error("cluster {name} {problem}")]
    ClusterNotEmpty {
        /// Its name.
        name: String,
        /// What is in the way.
        problem: String,
    },
    /// Somebody else wrote it since it was read.
    #[error("it was written since it was read; its revision is {0} now")]
    RevisionConflict(i64),
    /// The database failed, or holds what cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the fleet store's methods answer.
pub type Result<T> = std::result::Result<T, Error>;

impl From<moka_db::Error> for Error {
    fn from(error: moka_db::Error) -> Self {
        Self::Store(error.into())
    }
}

impl moka_db::TransactionError for Error {
    fn database_error(&self) -> Option<&moka_db::Error> {
        match self {
            Self::Store(error) => error.database_error(),
            _ => None,
        }
    }
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::ClusterNotFound(_) => Self::new(ErrorReason::ClusterNotFound, message),
            Error::ClusterNotEmpty { .. } => Self::new(ErrorReason::ClusterNotEmpty, message),
            Error::RevisionConflict(_) => Self::new(ErrorReason::RevisionConflict, message),
            Error::Store(error) => error.into(),
        }
    }
}
